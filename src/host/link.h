/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.h - the host's network interfaces are made and changed, by the kernel's rtnetlink messages
 *
 * All is about the network namespace of the caller. Functions return 0 or more, or -errno, and do not wait
 * for anybody but the kernel.
 *
 * Threads: any.
 */
#ifndef HOST_LINK_H
#define HOST_LINK_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LINK_NAME_SIZE = 16,   /* with the NUL */
	LINK_ALIAS_SIZE = 256, /* the same */
};

/* An address, IPv4: the first four bytes, with the length of its network's prefix. */
struct link_address {
	char link[LINK_NAME_SIZE];
	bool v6;
	uint8_t bytes[16];
	unsigned prefix;
	bool by_router; /* of a route: a router has advertised it */
};

struct link_bridge {
	const char *alias; /* what it says of itself; shown by "ip link" */
	const uint8_t *mac;
	unsigned mtu; /* 0: the kernel's choice */
	bool stp;
	unsigned forward_delay_s;
};

enum link_macvtap {
	LINK_MACVTAP_PRIVATE = 1, /* the kernel's numbers */
	LINK_MACVTAP_VEPA = 2,
	LINK_MACVTAP_BRIDGE = 4,
	LINK_MACVTAP_PASSTHRU = 8,
};

/* The interface's number; -ENODEV: there is none. */
int link_index(const char *name);
/* What it says of itself, "" if nothing. */
int link_alias(const char *name, char ret_alias[LINK_ALIAS_SIZE]);
/* "bridge", "tun" ... */
int link_kind(const char *name, char ret_kind[LINK_NAME_SIZE]);

int link_set_alias(const char *name, const char *alias);
int link_bridge_add(const char *name, const struct link_bridge *bridge);
/* @name may have %d in it; the one that it has got is read back by its number, which is returned. */
int link_macvtap_add(const char *name, const char *parent, enum link_macvtap mode,
		     const uint8_t *mac, unsigned mtu);
int link_name(int index, char ret_name[LINK_NAME_SIZE]);
int link_delete(const char *name);
int link_set_up(const char *name);
bool link_is_up(const char *name);
/* Into a bridge. @isolated: it reaches no other port that is. */
int link_join(const char *name, const char *bridge, bool isolated);

/* How much an interface lets out: bytes in a second, and at once. */
struct link_rate {
	uint64_t rate;
	uint64_t peak;  /* of what is let out at once; 0: as fast as it can */
	uint64_t burst; /* 0: a choice */
};

/* NULL: as much as it can. -ENOENT: the kernel cannot. */
int link_set_rate(const char *name, const struct link_rate *rate);

/* One that is there already is fine. */
int link_add_address(const struct link_address *address);
/* To the network of @to, by @gateway, which may be NULL, over @to->link. -EEXIST: some interface has it. */
int link_add_route(const struct link_address *to, const uint8_t *gateway, unsigned metric);

/* A descriptor that is readable when interfaces or addresses have changed, for netlink_drain(). */
int link_watch(void);

/* For each; a function that does not return 0 ends it, and that is returned. */
typedef int (*link_address_fn)(const struct link_address *address, void *opaque);
int link_each_address(link_address_fn fn, void *opaque);
/* The networks that the main table leads to, by an interface. */
int link_each_route(link_address_fn fn, void *opaque);

struct link_neighbour {
	bool v6;
	uint8_t bytes[16], mac[6];
};

/* Who was heard on @link. */
int link_each_neighbour(const char *link,
			int (*fn)(const struct link_neighbour *neighbour, void *opaque),
			void *opaque);

#endif
