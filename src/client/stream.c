/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c - streams: how they begin and end, and what comes for them (stream-int.h)
 */
#include <assert.h>
#include <string.h>

#include "base/sys.h"
#include "client/error-int.h"
#include "client/stream-int.h"
#include "rpc/codes.h"
#include "rpc/stream.h"

static void chunk_free(struct chunk *chunk)
{
	packet_free(chunk->packet);
	g_free(chunk);
}

/* == What can be done == */

bool stream_is_readable_locked(const struct socle_stream *s)
{
	return s->in.length > 0 || s->no_more || s->state == STREAM_OVER;
}

bool stream_is_writable_locked(const struct socle_stream *s)
{
	return s->state == STREAM_OVER ||
	       (s->state == STREAM_OPEN && s->out_bytes < CONN_STREAM_OUT_MAX);
}

void stream_tell_locked(struct socle_stream *s)
{
	flag_fd_set(&s->readable, stream_is_readable_locked(s));
	flag_fd_set(&s->writable, stream_is_writable_locked(s));
	pthread_cond_broadcast(&s->changed);
}

/* == Life == */

static struct socle_stream *stream_new(struct socle_conn *conn, int procedure, unsigned flags,
				       struct socle_error **error)
{
	struct socle_stream *s = g_new(struct socle_stream, 1);
	GError *why = NULL;

	*s = (struct socle_stream){
		.refs = 1,
		.conn = socle_conn_ref(conn),
		.header = { .program = RPC_PROGRAM_REMOTE,
			    .version = RPC_VERSION,
			    .procedure = procedure },
		.nonblock = flags & SOCLE_STREAM_NONBLOCK,
		.in = G_QUEUE_INIT,
		.readable = { .fd = -1 },
		.writable = { .fd = -1 },
	};
	conn_cond_init(&s->changed);
	if (flag_fd_init(&s->readable, &why) && flag_fd_init(&s->writable, &why))
		return s;
	client_error_take(error, SOCLE_ERR_SYSTEM_ERROR, why);
	s->state = STREAM_OVER;
	socle_stream_unref(s);
	return NULL;
}

void stream_drop_in_locked(struct socle_stream *s)
{
	struct chunk *chunk;

	while ((chunk = g_queue_pop_head(&s->in)))
		chunk_free(chunk);
	/* The I/O thread may have stopped reading. */
	if (s->conn->stream_bytes >= CONN_STREAM_PAUSE)
		conn_wake(s->conn);
	s->conn->stream_bytes -= s->in_bytes;
	s->in_bytes = 0;
}

/* It leaves the table: what comes for it is dropped from now on. */
static void leave_locked(struct socle_stream *s)
{
	g_hash_table_remove(s->conn->streams, GUINT_TO_POINTER(s->header.serial));
	for (GList *l = s->conn->out.head; l; l = l->next) {
		struct out *out = l->data;

		if (out->stream == s)
			out->stream = NULL;
	}
	s->out_bytes = 0;
	s->state = STREAM_OVER;
	stream_tell_locked(s);
}

/* @error is owned from now on. */
static void fail_locked(struct socle_stream *s, struct socle_error *error)
{
	assert(!s->error && s->state != STREAM_OVER);
	s->error = error;
	leave_locked(s);
}

void stream_abort_locked(struct socle_stream *s, struct socle_error *error)
{
	/* Without an answer the server may know of no stream. */
	s->unwanted = s->state == STREAM_OPENING;
	if (!s->unwanted)
		conn_send_locked(s->conn, rpc_stream_new_abort(&s->header), NULL);
	fail_locked(s, error);
}

struct socle_stream *socle_stream_ref(struct socle_stream *stream)
{
	atomic_fetch_add(&stream->refs, 1);
	return stream;
}

void socle_stream_unref(struct socle_stream *stream)
{
	if (!stream || atomic_fetch_sub(&stream->refs, 1) != 1)
		return;
	socle_stream_abort(stream);
	pthread_mutex_lock(&stream->conn->lock);
	stream_drop_in_locked(stream);
	pthread_mutex_unlock(&stream->conn->lock);
	flag_fd_release(&stream->readable);
	flag_fd_release(&stream->writable);
	pthread_cond_destroy(&stream->changed);
	socle_error_free(stream->error);
	socle_conn_unref(stream->conn);
	g_free(stream);
}

struct socle_stream *stream_open_call_fd(struct socle_conn *conn, int procedure, void *args,
					 void *ret, const int *fd, unsigned flags,
					 struct socle_error **error)
{
	struct socle_stream *s = stream_new(conn, procedure, flags, error);
	struct call call = { .procedure = procedure, .fd = fd, .stream = s };

	if (!s)
		return NULL;
	/* Bytes come and go while nobody waits; of a file that goes along, only the end. */
	if (!fd || s->nonblock) {
		pthread_mutex_lock(&conn->lock);
		conn_need_io_locked(conn);
		pthread_mutex_unlock(&conn->lock);
	}
	if (conn_call_for(conn, &call, atomic_load(&conn->timeout_ms), args, ret, error))
		return s;
	socle_stream_unref(s);
	return NULL;
}

struct socle_stream *stream_open_call(struct socle_conn *conn, int procedure, void *args, void *ret,
				      unsigned flags, struct socle_error **error)
{
	return stream_open_call_fd(conn, procedure, args, ret, NULL, flags, error);
}

void stream_expect_locked(struct socle_stream *s, uint32_t serial)
{
	s->header.serial = serial;
	g_hash_table_insert(s->conn->streams, GUINT_TO_POINTER(serial), s);
}

void stream_opened_locked(struct socle_stream *s, bool ok)
{
	if (ok && s->unwanted)
		conn_send_locked(s->conn, rpc_stream_new_abort(&s->header), NULL);
	if (s->state != STREAM_OPENING)
		return;
	if (ok) {
		s->state = STREAM_OPEN;
		stream_tell_locked(s);
	} else {
		leave_locked(s);
	}
}

void stream_fail_all_locked(struct socle_conn *conn, const char *why)
{
	GHashTableIter iter;
	void *value;

	for (;;) {
		struct socle_stream *s;
		struct socle_error *error = NULL;

		g_hash_table_iter_init(&iter, conn->streams);
		if (!g_hash_table_iter_next(&iter, NULL, &value))
			return;
		s = value;
		client_error(&error, SOCLE_ERR_CONNECTION_LOST, "the stream is lost: %s", why);
		fail_locked(s, error);
	}
}

/* == What comes == */

static void push_locked(struct socle_stream *s, struct packet *packet,
			const struct rpc_stream_packet *said)
{
	struct chunk *chunk;
	bool hole = said->what == RPC_STREAM_HOLE;
	/* Small packets and holes cost memory too. */
	size_t cost = said->data.len + sizeof(struct packet);

	if (s->in_bytes > CONN_STREAM_MAX - MIN(cost, CONN_STREAM_MAX)) {
		struct socle_error *error = NULL;

		packet_free(packet);
		client_error(&error, SOCLE_ERR_OVERFLOW,
			     "more than %d bytes have come that nobody receives", CONN_STREAM_MAX);
		stream_abort_locked(s, error);
		return;
	}
	chunk = g_new(struct chunk, 1);
	*chunk = (struct chunk){
		.packet = hole ? NULL : packet,
		.rest = said->data,
		.hole = said->length,
	};
	if (hole)
		packet_free(packet);
	g_queue_push_tail(&s->in, chunk);
	s->in_bytes += cost;
	s->conn->stream_bytes += cost;
}

static size_t chunk_cost(const struct chunk *chunk)
{
	return sizeof(struct packet) + (chunk->packet ? chunk->packet->received.body.len : 0);
}

void stream_pop_locked(struct socle_stream *s)
{
	struct chunk *chunk = g_queue_pop_head(&s->in);
	size_t cost = chunk_cost(chunk);

	s->in_bytes -= cost;
	s->conn->stream_bytes -= cost;
	/* The I/O thread may have stopped reading. */
	if (s->conn->stream_bytes + cost >= CONN_STREAM_PAUSE)
		conn_wake(s->conn);
	chunk_free(chunk);
}

/* The server gives it up, and may say why. */
static void aborted_locked(struct socle_stream *s, struct packet *packet)
{
	struct socle_error *error = NULL;
	rpc_error body;

	if (rpc_received_get(&packet->received, rpc_error, &body, NULL)) {
		client_error_server(&error, &body);
		rpc_body_release(rpc_error, &body);
	} else {
		client_error(&error, SOCLE_ERR_OPERATION_ABORTED,
			     "the server gives the stream up, and does not say why");
	}
	fail_locked(s, error);
}

static void take_locked(struct socle_stream *s, struct packet *packet)
{
	struct rpc_stream_packet said;
	struct socle_error *error = NULL;
	GError *why = NULL;

	if (!rpc_stream_read(&packet->received, &said, &why)) {
		client_error_take(&error, SOCLE_ERR_RPC, why);
		stream_abort_locked(s, error);
		packet_free(packet);
		return;
	}
	switch (said.what) {
	case RPC_STREAM_DATA:
	case RPC_STREAM_HOLE:
		/* Behind the end of the data, and while it is being finished, there is none. */
		if (s->no_more || s->state == STREAM_FINISHING)
			break;
		push_locked(s, packet, &said);
		packet = NULL;
		break;
	case RPC_STREAM_END:
		s->no_more = true;
		break;
	case RPC_STREAM_FINISH:
		leave_locked(s);
		break;
	case RPC_STREAM_ABORT:
		aborted_locked(s, packet);
		break;
	}
	packet_free(packet);
	stream_tell_locked(s);
}

void stream_packet_locked(struct socle_conn *conn, struct packet *packet)
{
	uint32_t serial = packet->received.header.serial;
	struct socle_stream *s = g_hash_table_lookup(conn->streams, GUINT_TO_POINTER(serial));

	/* One that is over on this side, or was never opened. What overtakes the answer is taken. */
	if (!s || packet->received.header.procedure != s->header.procedure) {
		packet_free(packet);
		return;
	}
	take_locked(s, packet);
}

void stream_sent_locked(struct socle_stream *s, size_t len)
{
	assert(len <= s->out_bytes);
	s->out_bytes -= len;
	stream_tell_locked(s);
}

void socle_stream_abort(struct socle_stream *stream)
{
	struct socle_error *error = NULL;

	pthread_mutex_lock(&stream->conn->lock);
	if (stream->state != STREAM_OVER) {
		client_error(&error, SOCLE_ERR_OPERATION_ABORTED,
			     "the stream was given up on this side");
		stream_abort_locked(stream, error);
	}
	pthread_mutex_unlock(&stream->conn->lock);
}
