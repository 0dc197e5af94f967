/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link-int.h - packets to and from a server by a transport; and the first calls, before others use it
 *
 * A link is what a connection has while it is up: when it breaks, the link is thrown away and the
 * connection may get another.
 *
 * Threads: one at a time.
 */
#ifndef CLIENT_LINK_INT_H
#define CLIENT_LINK_INT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "client/socle-error.h"
#include "client/transport-int.h"
#include "rpc/message.h"

/* A packet that has come, with its descriptors. */
struct packet {
	uint8_t *data;
	size_t len;
	struct rpc_received received; /* looks at data */
	int fds[RPC_FDS_MAX];
	unsigned fds_count; /* that have come */
};

void packet_free(struct packet *packet);
DEFINE_AUTOPTR(packet, packet_free);

/* Take one descriptor of it; -1: there is none left. */
int packet_take_fd(struct packet *packet);

struct link;

struct link *link_new(struct transport *transport);
void link_free(struct link *link);
DEFINE_AUTOPTR(link, link_free);

const struct transport *link_transport(const struct link *link);

/**
 * link_read() - what has come
 * @ret_packet: the next whole packet, or NULL if there is none yet
 *
 * Return: false if the link is broken
 */
bool link_read(struct link *link, struct packet **ret_packet, GError **error);

/* Bytes that have come since the link was made. */
uint64_t link_bytes_in(const struct link *link);

/**
 * link_write() - send a part
 *
 * Return: how many bytes went, 0 if it would have to wait; -1 if the link is broken
 */
ssize_t link_write(struct link *link, const uint8_t *data, size_t len, GError **error);

/* A descriptor behind its packet: as link_write(). */
ssize_t link_write_fd(struct link *link, int fd, GError **error);

/* A serial number that no call of this link has had (for 2^32 calls). */
uint32_t link_next_serial(struct link *link);

/* What link_call() found among the answers: packets of events, for packet_free(). NULL: no more. */
struct packet *link_take_event(struct link *link);

/* A call that is made with others. */
struct link_call {
	int procedure;
	void *args, *ret;           /* of the types that the table of procedures names */
	struct socle_error *server; /* that says no; the caller frees it */
	bool ok;                    /* @ret is there */
	uint32_t serial;
	bool answered;
};

/**
 * link_call_all() - call procedures and wait for all answers, while nobody else uses the link
 * @calls: in whose order they are sent; a server may well work on them at once, and answers as it likes
 * @error: set if the link is broken, or an answer makes no sense
 *
 * Return: false with an error; what has been answered by then is as if it had come alone
 */
bool link_call_all(struct link *link, struct link_call *calls, unsigned count, uint64_t deadline,
		   GError **error);

/**
 * link_call() - the same with one call
 * @ret_server: set if it is the server that says no; the caller frees it
 * @error:      set if the link is broken, or the answer makes no sense
 */
bool link_call(struct link *link, int procedure, void *args, void *ret, uint64_t deadline,
	       struct socle_error **ret_server, GError **error);

/* What people are told that a procedure is called: its name in libvirt's protocol. */
const char *link_call_name(int procedure);

/* Put a call together, behind which so many descriptors come; NULL if it is beyond a limit. */
struct rpc_message *link_new_call(uint32_t serial, int procedure, void *args, unsigned fds,
				  GError **error);

/**
 * link_read_answer() - what a packet says that is the answer to @procedure
 *
 * Return: as link_call()
 */
bool link_read_answer(struct packet *packet, int procedure, void *ret,
		      struct socle_error **ret_server, GError **error);

/**
 * link_open() - the first calls: who we are, and what is to be opened
 * @name:     of the URI, as the server is to see it
 * @readonly: ask for a connection that changes nothing
 * @ret_keepalive: the server answers pings
 */
bool link_open(struct link *link, const char *name, bool readonly, uint64_t deadline,
	       bool *ret_keepalive, struct socle_error **error);

#endif
