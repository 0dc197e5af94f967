/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c - streams: bytes that go beside the calls of a connection
 *
 * The lock of the connection guards them. A stream is in the connection's table, which does not own it,
 * from before its call is sent until it is over:
 *
 *	OPENING -> OPEN -> FINISHING -> OVER	by answers, and by socle_stream_finish()
 *	any but OVER -> OVER, with an error	if it is aborted, or the connection is lost
 *
 * What has come before the end can be received behind it.
 */
#include <assert.h>
#include <string.h>

#include "base/sys.h"
#include "client/conn-int.h"
#include "client/error-int.h"
#include "rpc/codes.h"
#include "rpc/stream.h"

enum stream_state {
	STREAM_OPENING,
	STREAM_OPEN,
	STREAM_FINISHING,
	STREAM_OVER,
};

/* Bytes or a hole, waiting to be received. */
struct chunk {
	struct packet *packet; /* NULL: a hole */
	struct span rest;
	int64_t hole;
};

struct socle_stream {
	atomic_uint refs;
	struct socle_conn *conn;
	struct rpc_header header; /* of the call that opened it */
	bool nonblock;
	enum stream_state state;
	bool no_more;              /* the server has told the end of its data */
	bool unwanted;             /* given up before its call was answered */
	struct socle_error *error; /* why it is over, or NULL: all was well */
	GQueue in;                 /* of struct chunk */
	size_t in_bytes;
	size_t out_bytes;
	pthread_cond_t changed;
	struct flag_fd readable, writable;
};

static void chunk_free(struct chunk *chunk)
{
	packet_free(chunk->packet);
	g_free(chunk);
}

/* == What can be done == */

static bool is_readable_locked(const struct socle_stream *s)
{
	return s->in.length > 0 || s->no_more || s->state == STREAM_OVER;
}

static bool is_writable_locked(const struct socle_stream *s)
{
	return s->state == STREAM_OVER ||
	       (s->state == STREAM_OPEN && s->out_bytes < CONN_STREAM_OUT_MAX);
}

static void tell_locked(struct socle_stream *s)
{
	flag_fd_set(&s->readable, is_readable_locked(s));
	flag_fd_set(&s->writable, is_writable_locked(s));
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

static void drop_in_locked(struct socle_stream *s)
{
	struct chunk *chunk;

	while ((chunk = g_queue_pop_head(&s->in)))
		chunk_free(chunk);
	s->conn->stream_bytes -= s->in_bytes;
	s->in_bytes = 0;
	conn_wake(s->conn);
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
	tell_locked(s);
}

/* @error is owned from now on. */
static void fail_locked(struct socle_stream *s, struct socle_error *error)
{
	assert(!s->error && s->state != STREAM_OVER);
	s->error = error;
	leave_locked(s);
}

static void abort_locked(struct socle_stream *s, struct socle_error *error)
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
	drop_in_locked(stream);
	pthread_mutex_unlock(&stream->conn->lock);
	flag_fd_release(&stream->readable);
	flag_fd_release(&stream->writable);
	pthread_cond_destroy(&stream->changed);
	socle_error_free(stream->error);
	socle_conn_unref(stream->conn);
	g_free(stream);
}

struct socle_stream *stream_open_call(struct socle_conn *conn, int procedure, void *args, void *ret,
				      unsigned flags, struct socle_error **error)
{
	struct socle_stream *s = stream_new(conn, procedure, flags, error);
	struct call call = { .procedure = procedure, .stream = s };

	if (!s)
		return NULL;
	if (conn_call_for(conn, &call, atomic_load(&conn->timeout_ms), args, ret, error))
		return s;
	socle_stream_unref(s);
	return NULL;
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
		tell_locked(s);
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

/* == Receiving == */

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
		abort_locked(s, error);
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

static void pop_locked(struct socle_stream *s)
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
		abort_locked(s, error);
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
	tell_locked(s);
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

static bool copy_error(const struct socle_stream *s, struct socle_error **error)
{
	if (error && s->error)
		*error = client_error_copy(s->error);
	return false;
}

static bool wait_locked(struct socle_stream *s, bool (*is_so)(const struct socle_stream *s))
{
	while (!is_so(s)) {
		if (s->nonblock)
			return false;
		conn_wait_locked(s->conn, &s->changed, UINT64_MAX);
	}
	return true;
}

static ssize_t recv_locked(struct socle_stream *s, void *data, size_t len,
			   struct socle_error **error)
{
	uint8_t *to = data;
	size_t done = 0;
	struct chunk *chunk;

	if (!wait_locked(s, is_readable_locked))
		return SOCLE_STREAM_AGAIN;
	while (done < len && (chunk = g_queue_peek_head(&s->in)) && chunk->packet) {
		size_t n = MIN(len - done, chunk->rest.len);

		memcpy(to + done, chunk->rest.p, n);
		done += n;
		chunk->rest = span_sub(chunk->rest, n, chunk->rest.len - n);
		if (chunk->rest.len == 0)
			pop_locked(s);
	}
	tell_locked(s);
	if (done > 0)
		return (ssize_t)done;
	if (s->in.length > 0)
		return len == 0 ? 0 : SOCLE_STREAM_HOLE;
	if (!s->error)
		return 0;
	copy_error(s, error);
	return -1;
}

ssize_t socle_stream_recv(struct socle_stream *stream, void *data, size_t len,
			  struct socle_error **error)
{
	ssize_t n;

	pthread_mutex_lock(&stream->conn->lock);
	n = recv_locked(stream, data, len, error);
	pthread_mutex_unlock(&stream->conn->lock);
	return n;
}

int socle_stream_recv_hole(struct socle_stream *stream, int64_t *ret_length,
			   struct socle_error **error)
{
	struct chunk *chunk;
	int rc = -1;

	pthread_mutex_lock(&stream->conn->lock);
	chunk = g_queue_peek_head(&stream->in);
	if (chunk && !chunk->packet) {
		*ret_length = chunk->hole;
		pop_locked(stream);
		tell_locked(stream);
		rc = 0;
	} else {
		client_error(error, SOCLE_ERR_OPERATION_INVALID,
			     "no hole comes next: receive bytes until SOCLE_STREAM_HOLE is "
			     "returned");
	}
	pthread_mutex_unlock(&stream->conn->lock);
	return rc;
}

/* == Sending == */

void stream_sent_locked(struct socle_stream *s, size_t len)
{
	assert(len <= s->out_bytes);
	s->out_bytes -= len;
	tell_locked(s);
}

static bool can_send_locked(const struct socle_stream *s, struct socle_error **error)
{
	if (s->state == STREAM_OPEN)
		return true;
	if (s->error)
		return copy_error(s, error);
	return client_error(error, SOCLE_ERR_INVALID_STREAM,
			    "the stream is finished: nothing can be sent any more");
}

/* @msg is owned from now on. */
static void put_locked(struct socle_stream *s, struct rpc_message *msg)
{
	s->out_bytes += rpc_message_packet(msg).len;
	conn_send_locked(s->conn, msg, s);
	tell_locked(s);
}

static ssize_t send_locked(struct socle_stream *s, const void *data, size_t len,
			   struct socle_error **error)
{
	const uint8_t *from = data;
	size_t done = 0;

	while (done < len) {
		size_t n = MIN(len - done, RPC_STREAM_DATA_MAX);

		if (!wait_locked(s, is_writable_locked))
			return done > 0 ? (ssize_t)done : SOCLE_STREAM_AGAIN;
		if (!can_send_locked(s, error))
			return -1;
		put_locked(s, rpc_stream_new_data(&s->header, from + done, n, NULL));
		done += n;
	}
	return (ssize_t)done;
}

ssize_t socle_stream_send(struct socle_stream *stream, const void *data, size_t len,
			  struct socle_error **error)
{
	ssize_t n = -1;

	pthread_mutex_lock(&stream->conn->lock);
	if (can_send_locked(stream, error))
		n = send_locked(stream, data, len, error);
	pthread_mutex_unlock(&stream->conn->lock);
	return n;
}

int socle_stream_send_hole(struct socle_stream *stream, int64_t length, struct socle_error **error)
{
	GError *why = NULL;
	struct rpc_message *msg;
	int rc = -1;

	pthread_mutex_lock(&stream->conn->lock);
	if (can_send_locked(stream, error)) {
		msg = rpc_stream_new_hole(&stream->header, length, &why);
		if (msg) {
			put_locked(stream, msg);
			rc = 0;
		} else {
			client_error_take(error, SOCLE_ERR_INVALID_ARG, why);
		}
	}
	pthread_mutex_unlock(&stream->conn->lock);
	return rc;
}

/* == Waiting == */

unsigned socle_stream_wait(struct socle_stream *stream, unsigned events, int timeout_ms)
{
	uint64_t deadline = UINT64_MAX;
	unsigned come;
	bool in_time = timeout_ms != 0;

	if (timeout_ms >= 0)
		deadline = sys_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	pthread_mutex_lock(&stream->conn->lock);
	for (;;) {
		come = (is_readable_locked(stream) ? SOCLE_STREAM_READABLE : 0) |
		       (is_writable_locked(stream) ? SOCLE_STREAM_WRITABLE : 0);
		if ((come & events) || !in_time)
			break;
		in_time = conn_wait_locked(stream->conn, &stream->changed, deadline);
	}
	pthread_mutex_unlock(&stream->conn->lock);
	return come & events;
}

int socle_stream_fd(struct socle_stream *stream, enum socle_stream_events event)
{
	return event == SOCLE_STREAM_WRITABLE ? stream->writable.fd : stream->readable.fd;
}

/* == The end == */

/* Wait for the server's word, not longer than a call may take. */
static void wait_for_end_locked(struct socle_stream *s)
{
	unsigned timeout_ms = atomic_load(&s->conn->timeout_ms);
	uint64_t deadline = conn_deadline(timeout_ms);
	struct socle_error *error = NULL;

	while (s->state == STREAM_FINISHING) {
		if (conn_wait_locked(s->conn, &s->changed, deadline) ||
		    s->state != STREAM_FINISHING)
			continue;
		client_error(&error, SOCLE_ERR_OPERATION_TIMEOUT,
			     "the server does not say within %u ms that the stream is done",
			     timeout_ms);
		abort_locked(s, error);
	}
}

int socle_stream_finish(struct socle_stream *stream, struct socle_error **error)
{
	bool ok;

	pthread_mutex_lock(&stream->conn->lock);
	if (stream->state == STREAM_OPEN) {
		stream->state = STREAM_FINISHING;
		drop_in_locked(stream);
		conn_send_locked(stream->conn, rpc_stream_new_finish(&stream->header), NULL);
	}
	wait_for_end_locked(stream);
	ok = !stream->error;
	copy_error(stream, error);
	pthread_mutex_unlock(&stream->conn->lock);
	return ok ? 0 : -1;
}

void socle_stream_abort(struct socle_stream *stream)
{
	struct socle_error *error = NULL;

	pthread_mutex_lock(&stream->conn->lock);
	if (stream->state != STREAM_OVER) {
		client_error(&error, SOCLE_ERR_OPERATION_ABORTED,
			     "the stream was given up on this side");
		abort_locked(stream, error);
	}
	pthread_mutex_unlock(&stream->conn->lock);
}
