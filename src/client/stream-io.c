/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-io.c - what callers do with a stream: receive, send, wait, finish
 */
#include <string.h>

#include "base/sys.h"
#include "client/error-int.h"
#include "client/stream-int.h"
#include "rpc/stream.h"

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

	if (!wait_locked(s, stream_is_readable_locked))
		return SOCLE_STREAM_AGAIN;
	while (done < len && (chunk = g_queue_peek_head(&s->in)) && chunk->packet) {
		size_t n = MIN(len - done, chunk->rest.len);

		memcpy(to + done, chunk->rest.p, n);
		done += n;
		chunk->rest = span_sub(chunk->rest, n, chunk->rest.len - n);
		if (chunk->rest.len == 0)
			stream_pop_locked(s);
	}
	stream_tell_locked(s);
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
		stream_pop_locked(stream);
		stream_tell_locked(stream);
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
	stream_tell_locked(s);
}

static ssize_t send_locked(struct socle_stream *s, const void *data, size_t len,
			   struct socle_error **error)
{
	const uint8_t *from = data;
	size_t done = 0;

	while (done < len) {
		size_t n = MIN(len - done, RPC_STREAM_DATA_MAX);

		if (!wait_locked(s, stream_is_writable_locked))
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
		come = (stream_is_readable_locked(stream) ? SOCLE_STREAM_READABLE : 0) |
		       (stream_is_writable_locked(stream) ? SOCLE_STREAM_WRITABLE : 0);
		if ((come & events) || !in_time)
			break;
		in_time = conn_wait_locked(stream->conn, &stream->changed, deadline);
	}
	/* He does something else now, and somebody has to read meanwhile. */
	if (!(come & events))
		conn_need_io_locked(stream->conn);
	pthread_mutex_unlock(&stream->conn->lock);
	return come & events;
}

int socle_stream_fd(struct socle_stream *stream, enum socle_stream_events event)
{
	pthread_mutex_lock(&stream->conn->lock);
	conn_need_io_locked(stream->conn);
	pthread_mutex_unlock(&stream->conn->lock);
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
		stream_abort_locked(s, error);
	}
}

int socle_stream_finish(struct socle_stream *stream, struct socle_error **error)
{
	bool ok;

	pthread_mutex_lock(&stream->conn->lock);
	if (stream->state == STREAM_OPEN) {
		stream->state = STREAM_FINISHING;
		stream_drop_in_locked(stream);
		conn_send_locked(stream->conn, rpc_stream_new_finish(&stream->header), NULL);
	}
	wait_for_end_locked(stream);
	ok = !stream->error;
	copy_error(stream, error);
	pthread_mutex_unlock(&stream->conn->lock);
	return ok ? 0 : -1;
}
