/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-interface.c - where the members of interfaces and controllers stand in XML
 */
#include "model/device.h"
#include "model/fields-int.h"

const char *const controller_type_names[] = {
	NULL,   "pci",    "usb", "ide",  "sata", "scsi", "fdc", "virtio-serial",
	"ccid", "xenbus", "isa", "nvme", NULL,
};
static_assert(ARRAY_SIZE(controller_type_names) == CONTROLLER_COUNT + 1,
	      "a name for each, and NULL");

const char *const interface_type_names[] = {
	NULL,        "network",  "bridge", "user",   "direct", "ethernet",
	"vhostuser", "internal", "server", "client", "mcast",  "udp",
	"hostdev",   "vdpa",     "null",   "vds",    NULL,
};
static_assert(ARRAY_SIZE(interface_type_names) == INTERFACE_COUNT + 1, "a name for each, and NULL");

static const char *const link_names[] = { NULL, "up", "down", NULL };
static_assert(ARRAY_SIZE(link_names) == LINK_COUNT + 1, "a name for each, and NULL");

#define T controller_target
static const struct field controller_target_fields[] = {
	F_NUM("@chassisNr", chassis_nr, 1, 255),
	F_NUM("@chassis", chassis, 0, 255),
	F_HEX("@port", port, 255, 1, NULL),
	F_NUM("@busNr", bus_nr, 0, 254),
	F_NUM("@index", index, 0, 30),
	F_ENUM("@hotplug", hotplug, on_off_names),
	F_NUM("@memReserve", mem_reserve, 0, INT64_MAX),
	F_KEEP("node", kept_node),
};
#undef T
static const struct record controller_target_record =
	RECORD(controller_target, controller_target_fields);

#define T controller_model
static const struct field controller_model_fields[] = { F_TEXT("@name", name) };
#undef T
static const struct record controller_model_record =
	RECORD(controller_model, controller_model_fields);

#define T domain_controller
static const struct field controller_fields[] = {
	F_ENUM("@type", type, controller_type_names),
	F_NUM("@index", index, 0, UINT16_MAX),
	F_TEXT("@model", model),
	F_NUM("@ports", ports, 0, UINT16_MAX),
	F_NUM("@vectors", vectors, 0, UINT16_MAX),
	F_STRUCT("model", chip, controller_model_record),
	F_STRUCT("target", target, controller_target_record),
	F_KEEP("driver", kept_driver),
	F_KEEP("master", kept_master),
	F_KEEP("pcihole64", kept_pcihole64),
	F_INFO,
};
#undef T
const struct record controller_record = RECORD(domain_controller, controller_fields);

#define T interface_mac
static const struct field mac_fields[] = {
	F_TEXT("@address", address),
	F_TEXT("@type", type),
	F_TEXT("@check", check),
};
#undef T
static const struct record mac_record = RECORD(interface_mac, mac_fields);

#define T interface_source
static const struct field source_fields[] = {
	F_TEXT("@network", network),
	F_TEXT("@portgroup", portgroup),
	F_TEXT("@portid", portid),
	F_TEXT("@bridge", bridge),
	F_TEXT("@dev", dev),
	F_TEXT("@mode", mode),
	F_TEXT("@type", type),
	F_TEXT("@path", path),
	F_TEXT("@name", name),
	F_TEXT("@address", address),
	F_NUM("@port", port, 0, 65535),
	F_KEEP("local", kept_local),
	F_KEEP("address", kept_address),
	F_KEEP("ip", kept_ip),
	F_KEEP("route", kept_route),
	F_KEEP("reconnect", kept_reconnect),
};
#undef T
static const struct record source_record = RECORD(interface_source, source_fields);

#define T interface_target
static const struct field target_fields[] = {
	F_TEXT("@dev", dev),
	F_ENUM("@managed", managed, yes_no_names),
};
#undef T
static const struct record target_record = RECORD(interface_target, target_fields);

#define T interface_model
static const struct field model_fields[] = { F_TEXT("@type", type) };
#undef T
static const struct record model_record = RECORD(interface_model, model_fields);

#define T interface_driver
static const struct field driver_fields[] = {
	F_TEXT("@name", name),
	F_TEXT("@txmode", txmode),
	F_ENUM("@ioeventfd", ioeventfd, on_off_names),
	F_ENUM("@event_idx", event_idx, on_off_names),
	F_NUM("@queues", queues, 1, 256),
	F_NUM("@rx_queue_size", rx_queue_size, 1, 32768),
	F_NUM("@tx_queue_size", tx_queue_size, 1, 32768),
	F_ENUM("@rss", rss, on_off_names),
	F_TEXT("@rss_hash_report", rss_hash_report),
	F_ENUM("@iommu", iommu, on_off_names),
	F_ENUM("@ats", ats, on_off_names),
	F_ENUM("@packed", packed, on_off_names),
	F_ENUM("@page_per_vq", page_per_vq, on_off_names),
	F_KEEP("host", kept_host),
	F_KEEP("guest", kept_guest),
};
#undef T
static const struct record driver_record = RECORD(interface_driver, driver_fields);

#define T interface_backend
static const struct field backend_fields[] = {
	F_TEXT("@type", type),        F_TEXT("@tap", tap),           F_TEXT("@vhost", vhost),
	F_TEXT("@logFile", log_file), F_TEXT("@hostname", hostname), F_TEXT("@fqdn", fqdn),
};
#undef T
static const struct record backend_record = RECORD(interface_backend, backend_fields);

#define T user_name
static const struct field user_name_fields[] = {
	F_TEXT("@name", name),
	F_TEXT("@address", address),
};
#undef T
static const struct record user_name_record = RECORD(user_name, user_name_fields);

#define T interface_user
static const struct field user_fields[] = {
	F_TEXT("@tftp", tftp),
	F_TEXT("@bootfile", bootfile),
	F_LIST("name", names, name_count, user_name_record, DEVICES_MAX),
};
#undef T
static const struct record user_record = RECORD(interface_user, user_fields);

#define T interface_link
static const struct field link_fields[] = { F_ENUM("@state", state, link_names) };
#undef T
static const struct record link_record = RECORD(interface_link, link_fields);

#define T interface_mtu
static const struct field mtu_fields[] = { F_NUM("@size", size, 68, 65535) };
#undef T
const struct record mtu_record = RECORD(interface_mtu, mtu_fields);

#define T bandwidth_way
static const struct field way_fields[] = {
	F_NUM("@average", average, 0, UINT32_MAX),
	F_NUM("@peak", peak, 0, UINT32_MAX),
	F_NUM("@floor", floor, 0, UINT32_MAX),
	F_NUM("@burst", burst, 0, UINT32_MAX),
};
#undef T
static const struct record way_record = RECORD(bandwidth_way, way_fields);

#define T interface_bandwidth
static const struct field bandwidth_fields[] = {
	F_STRUCT("inbound", inbound, way_record),
	F_STRUCT("outbound", outbound, way_record),
};
#undef T
const struct record bandwidth_record = RECORD(interface_bandwidth, bandwidth_fields);

#define T forward_range
static const struct field range_fields[] = {
	F_NUM("@start", start, 1, 65535),
	F_NUM("@end", end, 1, 65535),
	F_NUM("@to", to, 1, 65535),
	F_ENUM("@exclude", exclude, yes_no_names),
};
#undef T
static const struct record range_record = RECORD(forward_range, range_fields);

#define T port_forward
static const struct field forward_fields[] = {
	F_TEXT("@proto", proto),
	F_TEXT("@address", address),
	F_TEXT("@dev", dev),
	F_LIST("range", ranges, range_count, range_record, DEVICES_MAX),
};
#undef T
static const struct record forward_record = RECORD(port_forward, forward_fields);

#define T interface_ip
static const struct field ip_fields[] = {
	F_TEXT("@address", address),
	F_TEXT("@family", family),
	F_NUM("@prefix", prefix, 0, 128),
	F_TEXT("@peer", peer),
};
#undef T
static const struct record ip_record = RECORD(interface_ip, ip_fields);

#define T isolated_port
static const struct field port_fields[] = { F_ENUM("@isolated", isolated, yes_no_names) };
#undef T
const struct record isolated_port_record = RECORD(isolated_port, port_fields);

#define T domain_interface
static const struct field interface_fields[] = {
	F_ENUM("@type", type, interface_type_names),
	F_ENUM("@managed", managed, yes_no_names),
	F_ENUM("@trustGuestRxFilters", trust_guest_rx_filters, yes_no_names),
	F_STRUCT("mac", mac, mac_record),
	F_STRUCT("source", source, source_record),
	F_KEEP("virtualport", kept_virtualport),
	F_LIST("ip", ips, ip_count, ip_record, DEVICES_MAX),
	F_KEEP("route", kept_route),
	F_LIST("portForward", forwards, forward_count, forward_record, DEVICES_MAX),
	F_KEEP("script", kept_script),
	F_KEEP("downscript", kept_downscript),
	F_STRUCT("target", target, target_record),
	F_KEEP("guest", kept_guest),
	F_STRUCT("model", model, model_record),
	F_STRUCT("driver", driver, driver_record),
	F_STRUCT("backend", backend, backend_record),
	{ .name = "(user)",
	  .kind = FIELD_STRUCT,
	  .offset = offsetof(struct domain_interface, user),
	  .record = &user_record,
	  .marks = FIELD_MEMORY },
	F_KEEP("filterref", kept_filterref),
	F_STRUCT("boot", boot, boot_record),
	F_KEEP("tune", kept_tune),
	F_STRUCT("link", link, link_record),
	F_STRUCT("mtu", mtu, mtu_record),
	F_STRUCT("bandwidth", bandwidth, bandwidth_record),
	F_KEEP("vlan", kept_vlan),
	F_STRUCT("port", port, isolated_port_record),
	F_KEEP("coalesce", kept_coalesce),
	F_KEEP("rom", kept_rom),
	F_KEEP("teaming", kept_teaming),
	F_INFO,
};
#undef T
const struct record interface_record = RECORD(domain_interface, interface_fields);
