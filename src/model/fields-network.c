/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-network.c - where the members of a network stand in XML
 */
#include "model/fields-int.h"
#include "model/network.h"

static const char *const mode_names[] = {
	NULL, "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev", NULL,
};
static_assert(ARRAY_SIZE(mode_names) == FORWARD_MODE_COUNT + 1, "a name for each, and NULL");

#define T nat_addresses
static const struct field nat_address_fields[] = {
	F_TEXT("@start", start),
	F_TEXT("@end", end),
};
#undef T
static const struct record nat_address_record = RECORD(nat_addresses, nat_address_fields);

#define T nat_ports
static const struct field nat_port_fields[] = {
	F_NUM("@start", start, 1, 65535),
	F_NUM("@end", end, 1, 65535),
};
#undef T
static const struct record nat_port_record = RECORD(nat_ports, nat_port_fields);

#define T network_nat
static const struct field nat_fields[] = {
	F_SELF(set),
	F_ENUM("@ipv6", ipv6, yes_no_names),
	F_STRUCT("address", addresses, nat_address_record),
	F_STRUCT("port", ports, nat_port_record),
};
#undef T
static const struct record nat_record = RECORD(network_nat, nat_fields);

#define T forward_interface
static const struct field forward_interface_fields[] = {
	F_TEXT("@dev", dev),
	{ .name = "@connections",
	  .kind = FIELD_NUMBER,
	  .offset = offsetof(struct forward_interface, connections),
	  .max = UINT32_MAX,
	  .marks = FIELD_LIVE },
};
#undef T
const struct record forward_interface_record = RECORD(forward_interface, forward_interface_fields);

#define T network_forward
static const struct field forward_fields[] = {
	F_SELF(set),
	F_TEXT("@dev", dev),
	F_ENUM("@mode", mode, mode_names),
	F_ENUM("@managed", managed, yes_no_names),
	F_KEEP("driver", kept_driver),
	F_KEEP("pf", kept_pf),
	F_STRUCT("nat", nat, nat_record),
	F_LIST("interface", interfaces, interface_count, forward_interface_record, NETWORK_FEW_MAX),
	F_KEEP("address", kept_address),
};
#undef T
static const struct record forward_record = RECORD(network_forward, forward_fields);

#define T network_bridge
static const struct field bridge_fields[] = {
	F_TEXT("@name", name),
	F_TEXT("@zone", zone),
	F_ENUM("@stp", stp, on_off_names),
	F_NUM("@delay", delay, 0, UINT32_MAX),
	F_TEXT("@macTableManager", mac_table_manager),
};
#undef T
static const struct record bridge_record = RECORD(network_bridge, bridge_fields);

#define T network_mac
static const struct field mac_fields[] = { F_TEXT("@address", address) };
#undef T
static const struct record mac_record = RECORD(network_mac, mac_fields);

#define T network_dns_domain
static const struct field domain_fields[] = {
	F_TEXT("@name", name),
	F_ENUM("@localOnly", local_only, yes_no_names),
	F_TEXT("@register", register_),
};
#undef T
static const struct record domain_record_ = RECORD(network_dns_domain, domain_fields);

#define T dns_forwarder
static const struct field forwarder_fields[] = {
	F_TEXT("@domain", domain),
	F_TEXT("@addr", addr),
	F_TEXT("@port", port),
};
#undef T
static const struct record forwarder_record = RECORD(dns_forwarder, forwarder_fields);

#define T dns_text
static const struct field text_fields[] = {
	F_TEXT("@name", name),
	F_TEXT("@value", value),
};
#undef T
const struct record dns_text_record = RECORD(dns_text, text_fields);

#define T dns_service
static const struct field service_fields[] = {
	F_TEXT("@service", service),        F_TEXT("@protocol", protocol),
	F_TEXT("@domain", domain),          F_TEXT("@target", target),
	F_NUM("@port", port, 0, 65535),     F_NUM("@priority", priority, 0, 65535),
	F_NUM("@weight", weight, 0, 65535),
};
#undef T
const struct record dns_service_record = RECORD(dns_service, service_fields);

#define T dns_name
static const struct field name_fields[] = { F_TEXT("", name) };
#undef T
static const struct record name_record = RECORD(dns_name, name_fields);

#define T dns_host
static const struct field host_fields[] = {
	F_TEXT("@ip", ip),
	F_LIST("hostname", names, name_count, name_record, NETWORK_FEW_MAX),
};
#undef T
const struct record dns_host_record = RECORD(dns_host, host_fields);

#define T network_dns
static const struct field dns_fields[] = {
	F_SELF(set),
	F_ENUM("@enable", enable, yes_no_names),
	F_ENUM("@forwardPlainNames", forward_plain_names, yes_no_names),
	F_LIST("forwarder", forwarders, forwarder_count, forwarder_record, NETWORK_FEW_MAX),
	F_LIST("txt", texts, text_count, dns_text_record, NETWORK_LIST_MAX),
	F_LIST("srv", services, service_count, dns_service_record, NETWORK_LIST_MAX),
	F_LIST("host", hosts, host_count, dns_host_record, NETWORK_LIST_MAX),
};
#undef T
static const struct record dns_record = RECORD(network_dns, dns_fields);

#define T dhcp_lease
static const struct field lease_fields[] = {
	F_NUM("@expiry", expiry, 0, UINT32_MAX),
	F_TEXT("@unit", unit),
};
#undef T
static const struct record lease_record = RECORD(dhcp_lease, lease_fields);

#define T dhcp_range
static const struct field range_fields[] = {
	F_TEXT("@start", start),
	F_TEXT("@end", end),
	F_STRUCT("lease", lease, lease_record),
};
#undef T
const struct record dhcp_range_record = RECORD(dhcp_range, range_fields);

#define T dhcp_host
static const struct field dhcp_host_fields[] = {
	F_TEXT("@mac", mac),
	F_TEXT("@id", id),
	F_TEXT("@name", name),
	F_TEXT("@ip", ip),
	F_STRUCT("lease", lease, lease_record),
};
#undef T
const struct record dhcp_host_record = RECORD(dhcp_host, dhcp_host_fields);

#define T dhcp_bootp
static const struct field bootp_fields[] = {
	F_TEXT("@file", file),
	F_TEXT("@server", server),
};
#undef T
static const struct record bootp_record = RECORD(dhcp_bootp, bootp_fields);

#define T network_dhcp
static const struct field dhcp_fields[] = {
	F_SELF(set),
	F_LIST("range", ranges, range_count, dhcp_range_record, NETWORK_FEW_MAX),
	F_LIST("host", hosts, host_count, dhcp_host_record, NETWORK_LIST_MAX),
	F_STRUCT("bootp", bootp, bootp_record),
};
#undef T
static const struct record dhcp_record = RECORD(network_dhcp, dhcp_fields);

#define T network_tftp
static const struct field tftp_fields[] = { F_TEXT("@root", root) };
#undef T
static const struct record tftp_record = RECORD(network_tftp, tftp_fields);

#define T network_ip
static const struct field ip_fields[] = {
	F_TEXT("@family", family),
	F_TEXT("@address", address),
	F_TEXT("@netmask", netmask),
	F_NUM("@prefix", prefix, 0, 128),
	F_ENUM("@localPtr", local_ptr, yes_no_names),
	F_STRUCT("tftp", tftp, tftp_record),
	F_STRUCT("dhcp", dhcp, dhcp_record),
};
#undef T
const struct record network_ip_record = RECORD(network_ip, ip_fields);

#define T network_route
static const struct field route_fields[] = {
	F_TEXT("@family", family),   F_TEXT("@address", address),
	F_TEXT("@netmask", netmask), F_NUM("@prefix", prefix, 0, 128),
	F_TEXT("@gateway", gateway), F_NUM("@metric", metric, 1, UINT32_MAX),
};
#undef T
static const struct record route_record = RECORD(network_route, route_fields);

#define T portgroup
static const struct field portgroup_fields[] = {
	F_TEXT("@name", name),
	F_ENUM("@default", is_default, yes_no_names),
	F_ENUM("@trustGuestRxFilters", trust_guest_rx_filters, yes_no_names),
	F_KEEP("vlan", kept_vlan),
	F_KEEP("virtualport", kept_virtualport),
	F_STRUCT("bandwidth", bandwidth, bandwidth_record),
};
#undef T
const struct record portgroup_record = RECORD(portgroup, portgroup_fields);

#define T network
static const struct field network_fields[] = {
	{ .name = "@connections",
	  .kind = FIELD_NUMBER,
	  .offset = offsetof(struct network, connections),
	  .max = UINT32_MAX,
	  .marks = FIELD_LIVE },
	F_ENUM("@ipv6", ipv6, yes_no_names),
	F_ENUM("@trustGuestRxFilters", trust_guest_rx_filters, yes_no_names),
	F_TEXT("name", name),
	F_TEXT("uuid", uuid),
	F_TEXT("title", title),
	F_TEXT("description", description),
	F_KEEP("metadata", metadata),
	F_STRUCT("forward", forward, forward_record),
	F_STRUCT("bridge", bridge, bridge_record),
	F_STRUCT("mtu", mtu, mtu_record),
	F_STRUCT("mac", mac, mac_record),
	F_STRUCT("domain", domain, domain_record_),
	F_STRUCT("dns", dns, dns_record),
	F_KEEP("vlan", kept_vlan),
	F_STRUCT("bandwidth", bandwidth, bandwidth_record),
	F_STRUCT("port", port, isolated_port_record),
	F_LIST("ip", ips, ip_count, network_ip_record, NETWORK_FEW_MAX),
	F_LIST("route", routes, route_count, route_record, NETWORK_FEW_MAX),
	F_KEEP("virtualport", kept_virtualport),
	F_LIST("portgroup", portgroups, portgroup_count, portgroup_record, NETWORK_FEW_MAX),
	{ .name = "options",
	  .kind = FIELD_KEEP,
	  .offset = offsetof(struct network, dnsmasq_options),
	  .namespace = "http://libvirt.org/schemas/network/dnsmasq/1.0" },
};
#undef T
const struct record network_record = RECORD(network, network_fields);
