/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network.h - the definition of a network: <network>, in the four steps that domain.h tells of
 *
 * No function here touches the host or keeps state, so all may be called on any thread.
 */
#ifndef MODEL_NETWORK_H
#define MODEL_NETWORK_H

#include <glib.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "model/inet.h"
#include "model/interface.h"
#include "model/notes.h"
#include "model/support.h"

enum {
	NETWORK_LIST_MAX = 4096,     /* hosts, names ... of one network */
	NETWORK_FEW_MAX = 256,       /* addresses, groups of ports ... */
	NETWORK_FORWARDS_MAX = 1024, /* ports that are forwarded to guests */
	BRIDGE_NAME_MAX = 15,        /* the kernel's IFNAMSIZ without its NUL */
};

/* Of what is Socle's own in a network's <metadata>:
 *
 *	<socle:forwards xmlns:socle='urn:socle:network'>
 *	  <socle:forward proto='tcp' port='2222' to='192.168.122.10' to-port='22'/>
 *	</socle:forwards>
 *
 * "address" is the host's that is listened on, all if it is absent; "end" the last port of a range. */
#define NETWORK_OWN_NAMESPACE "urn:socle:network"

enum forward_mode {
	FORWARD_MODE_ABSENT, /* with a <forward>: nat */
	FORWARD_NAT,
	FORWARD_ROUTE,
	FORWARD_OPEN,
	FORWARD_BRIDGE,
	FORWARD_PRIVATE,
	FORWARD_VEPA,
	FORWARD_PASSTHROUGH,
	FORWARD_HOSTDEV,
	FORWARD_MODE_COUNT
};

struct nat_addresses {
	char *start, *end;
};

struct nat_ports {
	struct number start, end;
};

struct network_nat {
	bool set;
	enum tristate ipv6;
	struct nat_addresses addresses;
	struct nat_ports ports;
};

struct forward_interface {
	char *dev;
	struct number connections;
};

struct network_forward {
	bool set;
	enum forward_mode mode;
	char *dev;
	enum tristate managed;
	struct network_nat nat;
	struct forward_interface *interfaces;
	unsigned interface_count;
	char *kept_address, *kept_pf, *kept_driver;
};

struct network_bridge {
	char *name, *zone, *mac_table_manager;
	enum tristate stp;
	struct number delay;
};

struct network_mac {
	char *address;
};

struct network_dns_domain {
	char *name, *register_;
	enum tristate local_only;
};

struct dns_forwarder {
	char *domain, *addr, *port;
};

struct dns_text {
	char *name, *value;
};

struct dns_service {
	char *service, *protocol, *domain, *target;
	struct number port, priority, weight;
};

struct dns_name {
	char *name;
};

struct dns_host {
	char *ip;
	struct dns_name *names;
	unsigned name_count;
};

struct network_dns {
	bool set;
	enum tristate enable, forward_plain_names;
	struct dns_forwarder *forwarders;
	unsigned forwarder_count;
	struct dns_text *texts;
	unsigned text_count;
	struct dns_service *services;
	unsigned service_count;
	struct dns_host *hosts;
	unsigned host_count;
};

struct dhcp_lease {
	struct number expiry;
	char *unit; /* minutes unless it says so; 0: for ever */
};

struct dhcp_range {
	char *start, *end;
	struct dhcp_lease lease;
};

struct dhcp_host {
	char *mac, *id, *name, *ip;
	struct dhcp_lease lease;
};

struct dhcp_bootp {
	char *file, *server;
};

struct network_dhcp {
	bool set;
	struct dhcp_range *ranges;
	unsigned range_count;
	struct dhcp_host *hosts;
	unsigned host_count;
	struct dhcp_bootp bootp;
};

struct network_tftp {
	char *root;
};

struct network_ip {
	char *family, *address, *netmask;
	struct number prefix;
	enum tristate local_ptr;
	struct network_tftp tftp;
	struct network_dhcp dhcp;
};

struct network_route {
	char *family, *address, *netmask, *gateway;
	struct number prefix, metric;
};

struct portgroup {
	char *name;
	enum tristate is_default, trust_guest_rx_filters;
	struct interface_bandwidth bandwidth;
	char *kept_virtualport, *kept_vlan;
};

struct network {
	struct number connections; /* of one that is active */
	enum tristate ipv6, trust_guest_rx_filters;
	char *name, *uuid, *title, *description, *metadata;
	struct network_forward forward;
	struct network_bridge bridge;
	struct interface_mtu mtu;
	struct network_mac mac;
	struct network_dns_domain domain;
	struct network_dns dns;
	struct interface_bandwidth bandwidth;
	struct isolated_port port;
	struct network_ip *ips;
	unsigned ip_count;
	struct network_route *routes;
	unsigned route_count;
	struct portgroup *portgroups;
	unsigned portgroup_count;
	char *kept_vlan, *kept_virtualport;
	char *dnsmasq_options;
};

enum network_parse_flags {
	NETWORK_PARSE_STRICT = 1 << 0, /* an unknown element or attribute is an error */
	NETWORK_PARSE_KEPT = 1 << 1,   /* written by us: what was let in once may have grown */
};

enum network_format_flags {
	NETWORK_FORMAT_INACTIVE = 1 << 0, /* without what only an active one has */
};

struct network *network_parse(const char *xml, size_t len, unsigned flags, struct notes *notes,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A network without a bridge's name is to get one from who knows which are free. Twice is once. */
void network_fill(struct network *network, const struct support *support);
/* Can it be made? Refuses, and tells what has no effect. */
bool network_check(const struct network *network, struct notes *notes, GError **error)
	G_GNUC_WARN_UNUSED_RESULT;
char *network_format(const struct network *network, unsigned flags);

struct network *network_copy(const struct network *network);
void network_free(struct network *network);
DEFINE_AUTOPTR(network, network_free);

/* == What a definition means == */

/* ABSENT: guests reach each other and the host only. */
enum forward_mode network_mode(const struct network *network);
/* Has it a bridge that we make, so that addresses, DHCP and rules are ours? */
bool network_has_own_bridge(const struct network *network);
/* The prefix of an <ip> or <route>; -1: it makes no sense. */
int network_prefix(const char *address, const char *netmask, const struct number *prefix);
static inline int network_ip_prefix(const struct network_ip *ip)
{
	return network_prefix(ip->address, ip->netmask, &ip->prefix);
}
/* Seconds; 0: for ever. */
int64_t network_lease_seconds(const struct dhcp_lease *lease);
/* By its name, or the default if that is NULL; NULL: there is none. */
const struct portgroup *network_portgroup(const struct network *network, const char *name);
/* A bridge's or another interface's name that the kernel takes, and no configuration takes for more. */
bool network_is_device_name(const char *name);

/* A port of the host, or several, that lead to a guest. */
struct network_forward_port {
	bool udp, any; /* any: of all addresses of the host */
	struct inet address, to;
	uint16_t port, end, to_port;
};

/* Of struct network_forward_port, for g_array_unref(); NULL with @error. */
GArray *network_forwards(const struct network *network, GError **error);
/* Words of <dnsmasq:options>, for g_strfreev(); NULL with @error: one of them is refused. */
char **network_dnsmasq_options(const struct network *network, GError **error);

/* == net-update == */

enum network_command { /* libvirt's numbers */
	NETWORK_MODIFY = 1,
	NETWORK_DELETE = 2,
	NETWORK_ADD_LAST = 3,
	NETWORK_ADD_FIRST = 4,
};

enum network_section {
	NETWORK_DHCP_HOST = 4,
	NETWORK_DHCP_RANGE = 5,
	NETWORK_FORWARD_INTERFACE = 7,
	NETWORK_PORTGROUP = 9,
	NETWORK_DNS_HOST = 10,
	NETWORK_DNS_TEXT = 11,
	NETWORK_DNS_SERVICE = 12,
	NETWORK_SECTION_COUNT = 13,
};

/**
 * network_update() - change one element of a definition
 * @parent: which <ip> it is about; -1: the one that it fits
 * @xml:    the element
 *
 * Return: false with @error, and a network that is good for nothing but network_free()
 */
bool network_update(struct network *network, unsigned command, unsigned section, int parent,
		    const char *xml, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* == Ports: the cards of machines in a network == */

struct network_port {
	const char *uuid, *owner, *owner_uuid, *portgroup, *mac, *bridge, *dev;
	const struct interface_bandwidth *bandwidth;
};

/* <networkport> */
char *network_port_format(const struct network_port *port);

#endif
