/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message.h - packets that are put together, and packets that are taken apart
 *
 * A message that is built is a whole packet at every moment: what does not fit, or is beyond a
 * limit of remote.x, is refused before a byte of it is written. A message that has come is looked at
 * where it lies. The body of either is put and got by its type:
 *
 *	rpc_domain_get_state_ret ret = { .state = 1, .reason = 0 };
 *
 *	if (!rpc_message_put(msg, rpc_domain_get_state_ret, &ret, &error))
 *
 * Threads: any, one at a time for each message.
 */
#ifndef RPC_MESSAGE_H
#define RPC_MESSAGE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "rpc/codes.h"
#include "rpc/qemu.h"
#include "rpc/remote.h"

enum {
	RPC_PROGRAM_REMOTE = 0x20008086,
	RPC_PROGRAM_QEMU = 0x20008087,
	RPC_PROGRAM_KEEPALIVE = 0x6b656570,
	RPC_VERSION = 1, /* of all */
	RPC_KEEPALIVE_PING = 1,
	RPC_KEEPALIVE_PONG = 2,
	RPC_FDS_MAX = 32,           /* descriptors behind a packet */
	RPC_ERROR_TEXT_MAX = 65536, /* bytes of the text of an error of ours; more is cut off */
};

enum rpc_type {
	RPC_TYPE_CALL,
	RPC_TYPE_REPLY,
	RPC_TYPE_MESSAGE, /* an event */
	RPC_TYPE_STREAM,
	RPC_TYPE_CALL_WITH_FDS,
	RPC_TYPE_REPLY_WITH_FDS,
	RPC_TYPE_STREAM_HOLE,
	RPC_TYPE_COUNT,
};

enum rpc_status {
	RPC_STATUS_OK,
	RPC_STATUS_ERROR,
	RPC_STATUS_CONTINUE, /* streams only */
	RPC_STATUS_COUNT,
};

/* From a peer any number may stand in any of these; rpc_sort() says what to do about it. */
struct rpc_header {
	uint32_t program;
	uint32_t version;
	int32_t procedure;
	uint32_t type; /* enum rpc_type */
	uint32_t serial;
	uint32_t status; /* enum rpc_status */
};

/* What answers a packet of @call: a reply, or the same stream. */
struct rpc_header rpc_header_answer(const struct rpc_header *call, enum rpc_status status);

/* A pointer that must be one to @type, as XDR wants it. */
#define RPC_BODY(type, body) ((void *)(uintptr_t)(1 ? (body) : (const type *)NULL))

/* Free what @body has, not @body itself, and clear it. */
#define rpc_body_release(type, body) \
	rpc_body_release_xdr((xdrproc_t)xdr_##type, RPC_BODY(type, body), sizeof(type))
void rpc_body_release_xdr(xdrproc_t xdr, void *body, size_t size);

/* == Putting together == */

struct rpc_message;

/* A packet with this header and no body. */
struct rpc_message *rpc_message_new(const struct rpc_header *header);
void rpc_message_free(struct rpc_message *msg);
DEFINE_AUTOPTR(rpc_message, rpc_message_free);

/**
 * rpc_message_new_error() - the answer that a call has failed
 * @call: what is answered
 * @text: UTF-8, cut off after RPC_ERROR_TEXT_MAX bytes
 */
struct rpc_message *rpc_message_new_error(const struct rpc_header *call, enum rpc_from from,
					  enum rpc_code code, const char *text);

/* RPC_KEEPALIVE_PING or _PONG. */
struct rpc_message *rpc_message_new_keepalive(int procedure);

/**
 * rpc_message_put() - append a body
 *
 * Return: false if it is beyond a limit, or the packet would be; then nothing has changed
 */
#define rpc_message_put(msg, type, body, error) \
	rpc_message_put_xdr(msg, (xdrproc_t)xdr_##type, RPC_BODY(type, body), error)
bool rpc_message_put_xdr(struct rpc_message *msg, xdrproc_t xdr, void *body, GError **error);

/* Append bytes as they are. */
bool rpc_message_put_bytes(struct rpc_message *msg, const void *data, size_t len, GError **error);
/* Room for so many bytes, to be filled by the caller; NULL: there is none. */
uint8_t *rpc_message_put_room(struct rpc_message *msg, size_t len, GError **error);
/* The last bytes of what was put go again. */
void rpc_message_cut(struct rpc_message *msg, size_t unused);

/**
 * rpc_message_put_fds() - say how many descriptors come behind the packet
 *
 * For types with fds, before any body. Behind the whole packet each goes with a byte of zero.
 */
bool rpc_message_put_fds(struct rpc_message *msg, unsigned count, GError **error);

/* All of it, the length in front. Until the message changes. */
struct span rpc_message_packet(const struct rpc_message *msg);

/*
 * Zero a packet, or what there is of it, if it is one that has a secret's value in it: for who is about to free
 * its bytes, or to use them again. Messages do it themselves when they go.
 */
void rpc_packet_forget(uint8_t *packet, size_t len);

/* == Taking apart == */

struct rpc_received {
	struct rpc_header header;
	unsigned fds;     /* how many come behind the packet */
	struct span body; /* what has not been got yet */
};

/**
 * rpc_received_init() - look at a packet
 * @packet: what rpc_frame_packet() has; must outlive @received
 *
 * Return: false if this is none, and the connection has to be closed
 */
bool rpc_received_init(struct rpc_received *received, struct span packet, GError **error);

/**
 * rpc_received_get() - take a body off the front of the rest
 * @body: set on success only, for rpc_body_release(); bytes behind it stay, for other levels of
 *        the protocol
 */
#define rpc_received_get(received, type, body, error)                                             \
	rpc_received_get_xdr(received, (xdrproc_t)xdr_##type, RPC_BODY(type, body), sizeof(type), \
			     error)
bool rpc_received_get_xdr(struct rpc_received *received, xdrproc_t xdr, void *body, size_t size,
			  GError **error);

#endif
