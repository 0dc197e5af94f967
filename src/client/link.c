/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.c - packets to and from a server by a transport
 */
#include "client/link-int.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "client/error-int.h"
#include "rpc/frame.h"
#include "rpc/procedure.h"
#include "rpc/stream.h"

enum {
	EVENTS_MAX = 4096 /* during the first calls */
};

struct link {
	struct transport *transport;
	struct rpc_frame *frame;
	struct packet *incomplete; /* lacks descriptors */
	uint32_t serial;
	uint64_t bytes_in;
	GQueue events; /* struct packet */
};

void packet_free(struct packet *packet)
{
	if (!packet)
		return;
	for (unsigned i = 0; i < packet->fds_count; i++)
		fd_autoclose(&packet->fds[i]);
	rpc_packet_forget(packet->data, packet->len);
	g_free(packet->data);
	g_free(packet);
}

int packet_take_fd(struct packet *packet)
{
	for (unsigned i = 0; i < packet->fds_count; i++) {
		if (packet->fds[i] >= 0)
			return fd_steal(&packet->fds[i]);
	}
	return -1;
}

struct link *link_new(struct transport *transport)
{
	struct link *link = g_new(struct link, 1);

	*link = (struct link){
		.transport = transport,
		.frame = rpc_frame_new(),
		.events = G_QUEUE_INIT,
	};
	rpc_frame_keep(link->frame, RPC_PACKET_MIN + RPC_STREAM_DATA_MAX);
	return link;
}

static void free_event(void *packet)
{
	packet_free(packet);
}

void link_free(struct link *link)
{
	if (!link)
		return;
	packet_free(link->incomplete);
	g_queue_clear_full(&link->events, free_event);
	rpc_frame_free(link->frame);
	transport_free(link->transport);
	g_free(link);
}

const struct transport *link_transport(const struct link *link)
{
	return link->transport;
}

uint64_t link_bytes_in(const struct link *link)
{
	return link->bytes_in;
}

uint32_t link_next_serial(struct link *link)
{
	return link->serial++;
}

struct packet *link_take_event(struct link *link)
{
	return g_queue_pop_head(&link->events);
}

static bool broken(struct link *link, ssize_t rc, GError **error)
{
	g_autofree char *words = NULL;

	if (link->transport->ops->last_words)
		words = link->transport->ops->last_words(link->transport);
	if (words)
		return error_set(error, SOCLE_ERROR_FAILED, "the connection has ended: %s", words);
	if (rc == -EPIPE)
		return error_set(error, SOCLE_ERROR_FAILED, "the server has closed the connection");
	return error_sys(error, (int)rc, "the connection broke");
}

/* Return: 1 when all have come, 0 if it would have to wait, -1 if the link is broken. */
static int read_fds(struct link *link, struct packet *packet, GError **error)
{
	while (packet->fds_count < packet->received.fds) {
		int fd;

		if (!link->transport->ops->recv_fd) {
			error_set(error, SOCLE_ERROR_CORRUPT,
				  "the server sends descriptors where none can come");
			return -1;
		}
		fd = link->transport->ops->recv_fd(link->transport);
		if (fd == -EAGAIN)
			return 0;
		if (fd < 0) {
			broken(link, fd, error);
			return -1;
		}
		link->bytes_in++;
		packet->fds[packet->fds_count++] = fd;
	}
	return 1;
}

static struct packet *packet_new(struct rpc_frame *frame, GError **error)
{
	struct packet *packet = g_new0(struct packet, 1);
	struct span bytes = rpc_frame_packet(frame);

	packet->data = rpc_frame_take(frame);
	packet->len = bytes.len;
	if (!rpc_received_init(&packet->received, (struct span){ packet->data, bytes.len },
			       error)) {
		packet_free(packet);
		return NULL;
	}
	return packet;
}

bool link_read(struct link *link, struct packet **ret_packet, GError **error)
{
	*ret_packet = NULL;
	while (!link->incomplete) {
		enum rpc_frame_result result;
		size_t room;
		uint8_t *p = rpc_frame_buffer(link->frame, &room);
		ssize_t n;

		/* A frame that is broken has broken the link before. */
		assert(room > 0);
		n = link->transport->ops->recv(link->transport, p, room);
		if (n == -EAGAIN)
			return true;
		if (n < 0)
			return broken(link, n, error);
		link->bytes_in += (uint64_t)n;
		result = rpc_frame_filled(link->frame, (size_t)n, error);
		if (result == RPC_FRAME_BROKEN)
			return false;
		if (result == RPC_FRAME_PACKET)
			link->incomplete = packet_new(link->frame, error);
		if (result == RPC_FRAME_PACKET && !link->incomplete)
			return false;
	}
	switch (read_fds(link, link->incomplete, error)) {
	case 1:
		*ret_packet = g_steal_pointer(&link->incomplete);
		return true;
	case 0:
		return true;
	default:
		return false;
	}
}

static ssize_t written(struct link *link, ssize_t n, GError **error)
{
	if (n == -EAGAIN)
		return 0;
	if (n < 0) {
		broken(link, n, error);
		return -1;
	}
	return n;
}

ssize_t link_write(struct link *link, const uint8_t *data, size_t len, GError **error)
{
	return written(link, link->transport->ops->send(link->transport, data, len), error);
}

ssize_t link_write_fd(struct link *link, int fd, GError **error)
{
	return written(link, link->transport->ops->send_fd(link->transport, fd), error);
}

const char *link_call_name(int procedure)
{
	const struct rpc_procedure *proc = rpc_procedure_find(procedure);

	return proc ? proc->name : "(unknown)";
}

struct rpc_message *link_new_call(uint32_t serial, int procedure, void *args, unsigned fds,
				  GError **error)
{
	const struct rpc_procedure *proc = rpc_procedure_find(procedure);
	const struct rpc_header header = {
		.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.type = fds ? RPC_TYPE_CALL_WITH_FDS : RPC_TYPE_CALL,
		.serial = serial,
	};
	autoptr(rpc_message) msg = rpc_message_new(&header);
	g_autoptr(GError) why = NULL;

	assert(proc && !proc->args.xdr == !args);
	if ((fds && !rpc_message_put_fds(msg, fds, &why)) ||
	    (args && !rpc_message_put_xdr(msg, proc->args.xdr, args, &why))) {
		error_set(error, SOCLE_ERROR_LIMIT,
			  "an argument of the call is longer than the protocol allows");
		return NULL;
	}
	return g_steal_pointer(&msg);
}

bool link_read_answer(struct packet *packet, int procedure, void *ret,
		      struct socle_error **ret_server, GError **error)
{
	const struct rpc_procedure *proc = rpc_procedure_find(procedure);
	const struct rpc_header *header = &packet->received.header;
	rpc_error body;

	if (header->procedure != procedure)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "the server answers %s where %s was called",
				 link_call_name(header->procedure), link_call_name(procedure));
	if (header->status == RPC_STATUS_ERROR) {
		if (!rpc_received_get(&packet->received, rpc_error, &body, NULL))
			return error_set(error, SOCLE_ERROR_CORRUPT,
					 "the server refuses %s, and does not say why",
					 link_call_name(procedure));
		client_error_server(ret_server, &body);
		rpc_body_release(rpc_error, &body);
		return false;
	}
	if (header->status != RPC_STATUS_OK)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "the server's answer to %s has status %u",
				 link_call_name(procedure), header->status);
	if (!ret)
		return true;
	assert(proc && proc->ret.xdr);
	if (!rpc_received_get_xdr(&packet->received, proc->ret.xdr, ret, proc->ret.size, NULL))
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "the server's answer to %s makes no sense",
				 link_call_name(procedure));
	return true;
}

static bool write_all(struct link *link, struct span bytes, uint64_t deadline, GError **error)
{
	size_t sent = 0;

	while (sent < bytes.len) {
		ssize_t n = link_write(link, bytes.p + sent, bytes.len - sent, error);

		if (n < 0)
			return false;
		if (n == 0 && !transport_wait(link->transport, POLLOUT, deadline, error))
			return false;
		sent += (size_t)n;
	}
	return true;
}

/* What is no answer: kept if it is an event. Nothing is pinged before the first calls are done. */
static void put_aside(struct link *link, struct packet *packet)
{
	if (packet->received.header.type == RPC_TYPE_MESSAGE &&
	    packet->received.header.program == RPC_PROGRAM_REMOTE &&
	    link->events.length < EVENTS_MAX)
		g_queue_push_tail(&link->events, packet);
	else
		packet_free(packet);
}

static bool send_call(struct link *link, struct link_call *call, uint64_t deadline, GError **error)
{
	autoptr(rpc_message) msg = NULL;

	call->serial = link_next_serial(link);
	call->ok = call->answered = false;
	call->server = NULL;
	msg = link_new_call(call->serial, call->procedure, call->args, 0, error);
	return msg && write_all(link, rpc_message_packet(msg), deadline, error);
}

/* Whose answer it is, or NULL. */
static struct link_call *find_call(struct link_call *calls, unsigned count,
				   const struct packet *packet)
{
	const struct rpc_procedure *proc;

	if (rpc_sort_for_client(&packet->received.header, &proc, NULL) != RPC_SORT_REPLY)
		return NULL;
	for (unsigned i = 0; i < count; i++) {
		if (!calls[i].answered && calls[i].serial == packet->received.header.serial)
			return &calls[i];
	}
	return NULL;
}

bool link_call_all(struct link *link, struct link_call *calls, unsigned count, uint64_t deadline,
		   GError **error)
{
	unsigned answered = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!send_call(link, &calls[i], deadline, error))
			return false;
	}
	while (answered < count) {
		struct packet *packet;
		struct link_call *call;

		if (!link_read(link, &packet, error))
			return false;
		if (!packet) {
			if (!transport_wait(link->transport, POLLIN, deadline, error))
				return false;
			continue;
		}
		call = find_call(calls, count, packet);
		if (!call) {
			put_aside(link, packet);
			continue;
		}
		call->answered = true;
		answered++;
		call->ok =
			link_read_answer(packet, call->procedure, call->ret, &call->server, error);
		packet_free(packet);
		if (!call->ok && !call->server)
			return false;
	}
	return true;
}

bool link_call(struct link *link, int procedure, void *args, void *ret, uint64_t deadline,
	       struct socle_error **ret_server, GError **error)
{
	struct link_call call = { .procedure = procedure, .args = args, .ret = ret };

	if (!link_call_all(link, &call, 1, deadline, error))
		return false;
	*ret_server = call.server;
	return call.ok;
}
