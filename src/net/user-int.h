/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user-int.h - user mode networking: what its files share
 *
 *   user.c          options, life, the ops
 *   user-forward.c  ports of the host and services of the guest's network
 *   user-names.c    names that the name server knows by itself
 *   user-poll.c     libslirp's descriptors and times on the card's loop
 *   user-frame.c    frames between libslirp and the card
 *
 * libslirp is a TCP/IP stack on the guest's side and a user of sockets on the host's. It is called
 * on the loop while a card is attached, on the main loop otherwise, never by two threads.
 * (It keeps the time of its last round and the host's name servers in variables of the process, so
 * several stacks on several loops share these; each of them writes the same there.)
 *
 * Large segments. libslirp believes in a link of USER_SLIRP_MTU bytes. A guest that can cut and
 * merge sends it TCP segments of up to 64 KiB whole, and hears segments of up to 16 KiB with a
 * header that says how a real card would have merged them: per GiB that is 70,000 frames instead
 * of 740,000, for a guest whose every instruction is interpreted. libslirp learns
 * what a connection's guest can take from the MSS of its SYN, which is raised on the way
 * (user_raise_mss()). Whatever else is longer than the guest's MTU is fragmented (IPv4), cut (TCP)
 * or dropped on the way to the guest.
 */
#ifndef NET_USER_INT_H
#define NET_USER_INT_H

#include <libslirp.h>

#include "net/net-int.h"
#include "net/offload.h"

enum {
	/*
	 * A segment of eleven of 1460 bytes, and headers. libslirp opens a window that was closed
	 * when two segments fit; without window scaling that must be well below 64 KiB, or the
	 * guest would find out by its own probes only.
	 */
	USER_SLIRP_MTU = 11 * 1460 + 40,
	USER_RING_LEN = 1 << 20,
	/* As long as this much waits for the guest, sockets of the host are not read. */
	USER_RING_HIGH = USER_RING_LEN / 4,
	USER_MAX_FDS = 4096,
};

/* Frames for the guest: records of struct user_record and the frame, each contiguous. */
struct user_ring {
	uint8_t *data;
	/* From head to tail; if tail is below head, to wrap and on from 0. */
	size_t head, tail, wrap;
	uint64_t dropped;
};

/* A descriptor of libslirp. */
struct user_fd {
	struct io_watch watch;
	struct net_user *user;
	bool watched;
	unsigned wanted, round; /* by the fill of this round */
	unsigned events, revents;
};

struct user_forward {
	struct net_forward forward; /* strings are ours */
	struct sockaddr_storage host;
	struct user_forward *next;
};

struct user_address {
	bool v6;
	uint8_t bytes[16];
};

struct user_dns_name {
	char *name; /* lower case */
	struct user_address address;
};

struct net_user {
	struct net_backend base;
	Slirp *slirp;
	char *description;
	bool no_ipv4, no_ipv6;
	struct in_addr network, mask, dhcp_start;
	struct user_forward *forwards;
	struct user_address dns, dns6;
	struct user_dns_name *names;
	unsigned name_count;

	/* The card, while there is one. */
	struct io_loop *loop;
	const struct net_front *front;
	void *opaque;
	unsigned offloads;
	size_t guest_mtu;
	bool waiting; /* receive() found nothing */

	struct user_ring ring;

	/* Polling; see user-poll.c */
	struct user_fd **fds; /* by descriptor */
	unsigned fd_room;
	unsigned round;
	unsigned sockets, socket_limit; /* of the host; what the guest may have open */
	bool changed, happened, throttled, idle;
	uint64_t poll_deadline_ns, ra_deadline_ns;
	struct io_timer timer;
	struct io_prepare prepare;

	struct net_offload scratch; /* for what comes from the guest */
	struct net_offload cutter;  /* for what goes to it */
};

static inline struct net_user *user_of(struct net_backend *net)
{
	return container_of(net, struct net_user, base);
}

/* ---- user-frame.c ---- */

/* A frame of libslirp. May be called inside user_send(), so it calls nobody. */
void user_push(struct net_user *user, const uint8_t *frame, size_t len);
void user_ring_clear(struct user_ring *ring);
size_t user_ring_used(const struct user_ring *ring);
static inline bool user_ring_empty(const struct user_ring *ring)
{
	return ring->head == ring->tail;
}
int user_send(struct net_backend *net, unsigned queue, const struct net_header *header,
	      const struct iovec *iov, unsigned count);
ssize_t user_receive(struct net_backend *net, unsigned queue, struct net_header *ret_header,
		     const struct iovec *iov, unsigned count);

/* ---- user-names.c ---- */

bool user_add_names(struct net_user *user, const struct net_user_config *config, GError **error);
void user_free_names(struct net_user *user);
/* Answer a frame of the guest, if it asks the name server for what that knows by itself; false: libslirp's turn. */
bool user_answer(struct net_user *user, const uint8_t *frame, size_t len);

/* ---- user-poll.c ---- */

extern const SlirpCb user_slirp_callbacks;

/* [loop] */
void user_poll_start(struct net_user *user);
void user_poll_stop(struct net_user *user);
/* libslirp was called, so what it waits for may have changed. */
void user_poll_changed(struct net_user *user);
/* A frame of the guest, complete. */
void user_poll_input(struct net_user *user, const uint8_t *frame, size_t len);
/* Call the card soon, from outside of any call of its own. */
void user_poll_soon(struct net_user *user);

/* ---- user-forward.c ---- */

bool user_add_forward(struct net_user *user, const struct net_forward *forward, GError **error);
bool user_add_guestfwd(struct net_user *user, const struct net_guestfwd *fwd, GError **error);
void user_free_forwards(struct net_user *user);
char *user_describe_forwards(struct net_user *user);

#endif
