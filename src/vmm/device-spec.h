/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-spec.h - what a user says of a device, an image or a network, as structs
 *
 * --disk and --net say all of it at once; in QMP blockdev-add and netdev_add make the host's end,
 * and device_add the device. Both come as a struct keyvalue, whose items the strings in these
 * structs point into: the list must outlive them.
 *
 * Threads: main loop.
 */
#ifndef VMM_DEVICE_SPEC_H
#define VMM_DEVICE_SPEC_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/block.h"
#include "dev/virtio-blk.h"
#include "dev/virtio-net.h"
#include "net/net.h"
#include "net/socket.h"
#include "vmm/keyvalue.h"

enum device_kind {
	DEVICE_DISK,
	DEVICE_NET,
	DEVICE_CONSOLE,
	DEVICE_RNG,
	DEVICE_BALLOON,
	DEVICE_VSOCK,
	DEVICE_WATCHDOG,
	DEVICE_PVPANIC,
	DEVICE_CDROM,
	DEVICE_KIND_COUNT,
};

enum watchdog_action {
	WATCHDOG_RESET,
	WATCHDOG_SHUTDOWN,
	WATCHDOG_POWEROFF,
	WATCHDOG_PAUSE,
	WATCHDOG_NONE,
	WATCHDOG_INJECT_NMI,
};

/* NULL-terminated, by enum watchdog_action. */
extern const char *const watchdog_action_names[];

/* The guest's end. */
struct device_spec {
	enum device_kind kind;
	const char *id; /* NULL: one is made up */
	const char *
		backend; /* DISK, CDROM: node name; NET: id of the netdev, or NULL; CONSOLE: label */
	bool mmio;
	unsigned slot;
	unsigned boot_index;           /* DISK, CDROM: bootindex + 1; 0: not given */
	struct virtio_blk_config disk; /* without block, loop, clock */
	struct virtio_net_config net;  /* without net, loop, clock */
	bool has_mac;
	bool console_port; /* CONSOLE: a port for agents, not a terminal */
	const char *name;  /* CONSOLE: of the port */
	uint64_t rng_bps;
	bool deflate_on_oom, free_page_reporting;
	uint64_t cid;
	const char *path; /* VSOCK */
	enum watchdog_action action;
	bool action_given;
};

/* Which kind of device is QEMU's driver @name ("virtio-blk-pci"), and is it on MMIO? */
bool device_kind_find(const char *driver, enum device_kind *ret_kind, bool *ret_mmio);
/* "virtio-blk-pci", for lists. */
const char *device_kind_driver(enum device_kind kind);
/* "disk", for ids that are made up. */
const char *device_kind_name(enum device_kind kind);

/* Take what belongs to the device from @list; the spec starts with kind and mmio set, else zero. */
bool device_spec_take(struct device_spec *spec, struct keyvalue *list, GError **error);
/* Keys that device_spec_take() knows for a kind, for messages. */
const char *device_spec_keys(enum device_kind kind);

enum {
	NODE_MAX_SECRETS = 8 /* images of a chain that can be encrypted, the first ones */
};

/* An image. */
struct node_spec {
	struct block_open open; /* node_name NULL: one is made up */
	const char *secret_ids[NODE_MAX_SECRETS];
	/* Of an image on another host: who we are there. */
	const char *user, *initiator, *password_id;
	bool format_given;
};
bool node_spec_take(struct node_spec *spec, struct keyvalue *list, GError **error);
extern const char node_spec_keys[];

/* The limits of a disk, by the names of QMP's block_set_io_throttle ("bps_rd_max"). */
bool disk_limits_take(struct disk_limits *limits, struct keyvalue *list, GError **error);

enum netdev_kind {
	NETDEV_USER,
	NETDEV_TAP,
	NETDEV_STREAM,
	NETDEV_DGRAM,
	NETDEV_FD,   /* whatever the descriptor is */
	NETDEV_NONE, /* a card without a cable */
};

enum {
	NETDEV_MAX_FORWARDS = 32,
	NETDEV_MAX_NAMES = 256,
};

/* The host's end of a card. */
struct netdev_spec {
	enum netdev_kind kind;
	const char *id; /* NULL: one is made up */
	struct net_user_config user;
	struct net_tap_config tap;
	struct net_stream_config stream;
	struct net_dgram_config dgram;
	const char *dump; /* a pcap file, or NULL */
	unsigned dump_len;
	struct socket_address addresses[2]; /* of hosts that have been looked up */
	int fds[NET_MAX_QUEUES];
	/* Strings and arrays that the configurations point to: */
	struct net_forward forwards[NETDEV_MAX_FORWARDS];
	struct net_guestfwd guestfwds[NETDEV_MAX_FORWARDS];
	const char *searches[NETDEV_MAX_FORWARDS + 1];
	struct net_name *names; /* of strings */
	GPtrArray *strings;     /* of g_malloc() */
};

/* @type: "user", "tap" ...; NULL: the list has it as its word, or begins with fd=N. */
bool netdev_spec_take(struct netdev_spec *spec, const char *type, struct keyvalue *list,
		      GError **error);
/* Names it hosts of which a name server knows? */
bool netdev_spec_has_names(const struct netdev_spec *spec);
/* Look them up, which may take as long as the name server likes. [any] */
bool netdev_spec_look_up(struct netdev_spec *spec, GError **error);
void netdev_spec_release(struct netdev_spec *spec);
extern const char netdev_spec_keys[];

/* Keys that may be given several times. */
extern const char *const netdev_repeatable[];

/* "tcp:ADDR:PORT-GUEST:PORT"; the strings are put into @strings. */
bool net_forward_parse(struct net_forward *ret, const char *text, GPtrArray *strings,
		       GError **error);
/* "52:54:00:12:34:56": six bytes that may belong to a card. */
bool net_mac_parse(uint8_t ret_mac[NET_MAC_LEN], const char *text, GError **error);

/* A device as the command line gives it: all of it in one list. */
struct device_option {
	struct keyvalue list;
	struct device_spec device;
	struct node_spec node;     /* DISK, CDROM */
	struct netdev_spec netdev; /* NET */
	struct char_spec *chr;     /* CONSOLE */
};

#endif
