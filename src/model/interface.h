/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interface.h - controllers and network interfaces, as the XML of a domain has them
 */
#ifndef MODEL_INTERFACE_H
#define MODEL_INTERFACE_H

#include "model/device-common.h"

enum controller_type {
	CONTROLLER_ABSENT,
	CONTROLLER_PCI,
	CONTROLLER_USB,
	CONTROLLER_IDE,
	CONTROLLER_SATA,
	CONTROLLER_SCSI,
	CONTROLLER_FDC,
	CONTROLLER_VIRTIO_SERIAL,
	CONTROLLER_CCID,
	CONTROLLER_XENBUS,
	CONTROLLER_ISA,
	CONTROLLER_NVME,
	CONTROLLER_COUNT
};

struct controller_target {
	struct number chassis_nr, chassis, port, bus_nr, index, mem_reserve;
	enum tristate hotplug;
	char *kept_node;
};

struct controller_model {
	char *name;
};

struct domain_controller {
	enum controller_type type;
	struct number index;
	char *model;
	struct number ports, vectors;
	struct controller_model chip;
	struct controller_target target;
	char *kept_driver, *kept_master, *kept_pcihole64;
	struct device_info info;
};

enum interface_type {
	INTERFACE_ABSENT,
	INTERFACE_NETWORK,
	INTERFACE_BRIDGE,
	INTERFACE_USER,
	INTERFACE_DIRECT,
	INTERFACE_ETHERNET,
	INTERFACE_VHOSTUSER,
	INTERFACE_INTERNAL,
	INTERFACE_SERVER,
	INTERFACE_CLIENT,
	INTERFACE_MCAST,
	INTERFACE_UDP,
	INTERFACE_HOSTDEV,
	INTERFACE_VDPA,
	INTERFACE_NULL,
	INTERFACE_VDS,
	INTERFACE_COUNT
};

enum link_state {
	LINK_ABSENT,
	LINK_UP,
	LINK_DOWN,
	LINK_COUNT
};

struct interface_mac {
	char *address, *type, *check;
};

struct interface_source {
	char *network, *bridge, *dev, *mode, *portgroup, *portid, *type, *path, *name, *address;
	struct number port;
	char *kept_local, *kept_address, *kept_ip, *kept_route, *kept_reconnect;
};

struct interface_target {
	char *dev;
	enum tristate managed;
};

struct interface_model {
	char *type;
};

struct interface_driver {
	char *name, *txmode, *rss_hash_report;
	enum tristate ioeventfd, event_idx;
	struct number queues, rx_queue_size, tx_queue_size;
	enum tristate rss, iommu, ats, packed, page_per_vq;
	char *kept_host, *kept_guest;
};

struct interface_link {
	enum link_state state;
};

struct interface_mtu {
	struct number size;
};

/* KiB in a second, KiB for the burst. */
struct bandwidth_way {
	struct number average, peak, burst, floor;
};

struct interface_bandwidth {
	struct bandwidth_way inbound, outbound;
};

struct forward_range {
	struct number start, end, to;
	enum tristate exclude;
};

struct port_forward {
	char *proto, *address, *dev;
	struct forward_range *ranges;
	unsigned range_count;
};

struct interface_backend {
	char *type, *tap, *vhost, *log_file, *hostname, *fqdn;
};

struct interface_ip {
	char *family, *address, *peer;
	struct number prefix;
};

/* What a user network takes from a network's definition beside addresses; known when its machine starts. */
struct user_name {
	char *name, *address;
};

struct interface_user {
	char *tftp, *bootfile;
	struct user_name *names;
	unsigned name_count;
};

struct isolated_port {
	enum tristate isolated;
};

struct domain_interface {
	enum interface_type type;
	enum tristate managed, trust_guest_rx_filters;
	struct interface_mac mac;
	struct interface_source source;
	struct interface_target target;
	struct interface_model model;
	struct interface_driver driver;
	struct interface_backend backend;
	struct interface_user user;
	struct interface_link link;
	struct interface_mtu mtu;
	struct interface_bandwidth bandwidth;
	struct isolated_port port;
	struct port_forward *forwards;
	unsigned forward_count;
	struct interface_ip *ips;
	unsigned ip_count;
	struct device_boot boot;
	char *kept_filterref, *kept_virtualport, *kept_vlan, *kept_coalesce, *kept_tune,
		*kept_guest;
	char *kept_script, *kept_downscript, *kept_route, *kept_rom, *kept_teaming;
	struct device_info info;
};

#endif
