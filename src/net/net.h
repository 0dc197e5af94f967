/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.h - the host's end of a network card: where its frames go and come from
 *
 * A back end (user.c, tap.c, socket.c) embeds struct net_backend. The card pulls: it is told when
 * there may be frames, and takes them one at a time straight into the guest's buffers, so that a
 * slow guest holds up the host side and nothing is buffered without bound.
 *
 * Frames are Ethernet without FCS, each preceded by struct net_header: the header of virtio-net
 * (virtio 1.2, 5.1.6), which says what is left to do: a checksum, the cutting into segments. A back
 * end that cannot hand that on (net_caps) has it done by offload.h before it sends. Frames and
 * headers of guests are hostile.
 *
 * Threads: [main] = main loop; [loop] = the loop that the card lives on, given by attach().
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/io-loop.h"

struct net_backend;

enum {
	NET_MAX_QUEUES = 16,
	NET_MAX_FRAME = 65536 + 18, /* a segment to be cut, with Ethernet and VLAN headers */
	NET_ETHER_LEN = 14,
	NET_MAC_LEN = 6,
};

/* Little-endian on the wire; 12 bytes. */
struct net_header {
	uint8_t flags;    /* NET_HEADER_ */
	uint8_t gso_type; /* NET_GSO_ */
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start, csum_offset;
	uint16_t num_buffers; /* the card's business; 0 here */
};

enum {
	NET_HEADER_NEEDS_CSUM = 1, /* csum_start and csum_offset say where it goes */
	NET_HEADER_DATA_VALID = 2, /* it was checked already */

	NET_GSO_NONE = 0,
	NET_GSO_TCPV4 = 1,
	NET_GSO_UDP = 3,
	NET_GSO_TCPV6 = 4,
	NET_GSO_UDP_L4 = 5,
	NET_GSO_ECN = 0x80,
};

/* What the card's driver can take, by TUNSETOFFLOAD's names. */
enum {
	NET_OFFLOAD_CSUM = 1 << 0,
	NET_OFFLOAD_TSO4 = 1 << 1,
	NET_OFFLOAD_TSO6 = 1 << 2,
	NET_OFFLOAD_ECN = 1 << 3,
	NET_OFFLOAD_UFO = 1 << 4,
	NET_OFFLOAD_USO = 1 << 5,
};

struct net_front {
	/* [loop] Queue @queue may have frames to receive, after receive() said -EAGAIN. */
	void (*readable)(void *opaque, unsigned queue);
	/* [loop] Queue @queue will take frames again, after send() said -EAGAIN. */
	void (*writable)(void *opaque, unsigned queue);
	/* [main] The back end lost or got its peer. */
	void (*link_changed)(void *opaque, bool up);
};

struct net_ops {
	const char *type; /* "user", "tap", "stream", "dgram" */
	/* [main] A card takes it; only one at a time. Calls of @front begin. */
	bool (*attach)(struct net_backend *net, struct io_loop *loop, const struct net_front *front,
		       void *opaque, GError **error);
	/* [main, not on the loop] The card lets it go. Calls of its front have ended. */
	void (*detach)(struct net_backend *net);
	/* [loop] The driver's NET_OFFLOAD_ choice, and how many queues it uses (at least 1). */
	void (*configure)(struct net_backend *net, unsigned offloads, unsigned queues);
	/*
	 * [loop] Send one frame: @header and the bytes of @iov, at most NET_MAX_FRAME. 0: taken (or
	 * dropped, as networks do); -EAGAIN: not now, writable() will follow.
	 */
	int (*send)(struct net_backend *net, unsigned queue, const struct net_header *header,
		    const struct iovec *iov, unsigned count);
	/* [loop] The frame that send() said -EAGAIN to does not come again, though a part of it may be
	 * under way. NULL: that is all the same. */
	void (*forget)(struct net_backend *net, unsigned queue);
	/*
	 * [loop] Take one frame into @iov, its header into @ret_header. The length; a frame longer
	 * than @iov is dropped and the next one tried. -EAGAIN: there is none, readable() follows.
	 * A driver that takes segments (TSO, UFO, USO) is handed frames of up to NET_MAX_FRAME, so
	 * @iov has room for one: a segment that is dropped for want of it comes again and again.
	 */
	ssize_t (*receive)(struct net_backend *net, unsigned queue, struct net_header *ret_header,
			   const struct iovec *iov, unsigned count);
	/* [main] Close, free. It is detached. */
	void (*free)(struct net_backend *net);
	/* [main] One line for people: "user: 10.0.2.0/24, tcp 127.0.0.1:2222 -> 10.0.2.15:22". */
	char *(*describe)(struct net_backend *net);
};

struct net_backend {
	const struct net_ops *ops;
	unsigned queues;   /* how many it has */
	unsigned offloads; /* NET_OFFLOAD_: what it may hand to a driver that can take it */
	uint16_t mtu;      /* what the driver should use, 0: nothing is said */
	bool attached;     /* [main] */
	bool link_up;      /* [main] as of the last link_changed(); true at first if connected */
};

/* Thin wrappers, in the order of the ops. */
bool net_attach(struct net_backend *net, struct io_loop *loop, const struct net_front *front,
		void *opaque, GError **error);
void net_detach(struct net_backend *net);
char *net_describe(struct net_backend *net);
/* NULL is fine. */
void net_free(struct net_backend *net);
DEFINE_AUTOPTR(net_backend, net_free);

/* ---- the back ends there are; all [main] ---- */

struct net_forward {
	bool udp;
	const char *host;   /* address to listen at, NULL: all */
	uint16_t host_port; /* 0 is not possible */
	const char *guest;  /* NULL: the address that DHCP gives first */
	uint16_t guest_port;
};

struct net_guestfwd {
	const char *server; /* address inside the guest's network */
	uint16_t port;
	const char *unix_path; /* where connections go; or */
	const char *command; /* a command, run without a shell, its words split as a shell would */
};

/* A name that the network's name server knows by itself. */
struct net_name {
	const char *name, *address;
};

/* User-mode networking by libslirp. Members that are NULL or 0 take the customary values. */
struct net_user_config {
	const char *net, *host, *dhcp_start, *dns; /* 10.0.2.0/24, .2, .15, .3 */
	const char *net6, *host6, *dns6;           /* fec0::/64, ::2, ::3 */
	const char *hostname, *domain, *tftp, *bootfile;
	const char *const *dns_search;     /* NULL-terminated */
	bool no_ipv4, no_ipv6, restricted; /* restricted: the guest reaches nothing but
							* what is forwarded */
	uint16_t mtu;
	const struct net_forward *forwards;
	unsigned forward_count;
	const struct net_guestfwd *guestfwds;
	unsigned guestfwd_count;
	const struct net_name *names;
	unsigned name_count;
};
struct net_backend *net_user_new(const struct net_user_config *config, GError **error);
/* Forwards of a running one. */
bool net_user_add_forward(struct net_backend *net, const struct net_forward *forward,
			  GError **error);
bool net_user_remove_forward(struct net_backend *net, const struct net_forward *forward,
			     GError **error);

struct net_tap_config {
	const char *ifname; /* made if it is not there and we may; NULL: the kernel names it */
	const int *fds;     /* open tap queues instead, taken over */
	unsigned fd_count;
	unsigned queues;    /* of ifname; at least 1 */
	const char *bridge; /* the interface joins this bridge; may be NULL */
	bool no_vnet_hdr;
};
struct net_backend *net_tap_new(const struct net_tap_config *config, GError **error);

enum net_socket_role {
	NET_SOCKET_CONNECT, /* and connect again when the peer has gone */
	NET_SOCKET_LISTEN,
	NET_SOCKET_FD, /* a connected descriptor, taken over */
};

struct socket_address;

/* Frames on a stream, each behind a 32-bit big-endian length (QEMU's -netdev stream, passt). */
struct net_stream_config {
	enum net_socket_role role;
	const char *unix_path; /* or */
	const char *host;
	uint16_t port;
	const struct socket_address
		*address; /* of host and port, if they were looked up; or NULL */
	int fd;
	unsigned reconnect_s; /* 0: do not try again */
};
struct net_backend *net_stream_new(const struct net_stream_config *config, GError **error);

/* A frame a datagram (QEMU's -netdev dgram). */
struct net_dgram_config {
	const char *local_path, *remote_path; /* Unix; or */
	const char *local_host, *remote_host;
	uint16_t local_port, remote_port;
	const struct socket_address *local, *remote; /* as in a stream */
	int fd; /* or, when no path and no host is given: a connected one, taken over */
};
struct net_backend *net_dgram_new(const struct net_dgram_config *config, GError **error);

/**
 * net_dump_new() - a back end in front of another, that writes all frames to a pcap file
 * @inner:   taken over
 * @max_len: bytes kept of each frame; 0: all
 */
struct net_backend *net_dump_new(struct net_backend *inner, const char *path, unsigned max_len,
				 GError **error);

#endif
