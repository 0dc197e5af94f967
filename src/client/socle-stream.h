/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-stream.h - bytes to and from a machine: consoles, channels, screenshots
 *
 * A stream is opened by a call such as socle_domain_console(). One thread may send while another one
 * receives. What is received waits in the library, up to a limit: behind it the connection is not
 * read any more, unless calls are in flight. So a stream that is not wanted any more is to be aborted.
 */
#ifndef CLIENT_SOCLE_STREAM_H
#define CLIENT_SOCLE_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/socle-error.h"

struct socle_stream;

enum socle_stream_flags {
	SOCLE_STREAM_NONBLOCK = 1 << 0, /* sending and receiving never wait: SOCLE_STREAM_AGAIN */
};

/* What socle_stream_send() and socle_stream_recv() return besides counts and -1. */
enum {
	SOCLE_STREAM_AGAIN = -2, /* it would have to wait */
	SOCLE_STREAM_HOLE = -3,  /* a hole comes next, for socle_stream_recv_hole() */
};

/* For socle_stream_wait() and socle_stream_fd(). */
enum socle_stream_events {
	SOCLE_STREAM_READABLE = 1 << 0, /* bytes, a hole, the end or an error can be received */
	SOCLE_STREAM_WRITABLE = 1 << 1, /* there is room to send, or an error to be told */
};

/**
 * socle_stream_ref() - one more owner
 * @stream: the stream
 *
 * Return: @stream
 */
SOCLE_API struct socle_stream *socle_stream_ref(struct socle_stream *stream);

/**
 * socle_stream_unref() - one owner less; with the last one a stream that is open is aborted
 * @stream: may be NULL
 */
SOCLE_API void socle_stream_unref(struct socle_stream *stream);

/**
 * socle_stream_send() - send bytes
 * @stream: the stream
 * @data:   what to send
 * @len:    how much
 * @error:  says why not
 *
 * Return: how many are sent, all unless the stream does not wait; SOCLE_STREAM_AGAIN; or -1
 */
SOCLE_API ssize_t socle_stream_send(struct socle_stream *stream, const void *data, size_t len,
				    struct socle_error **error);

/**
 * socle_stream_recv() - receive bytes
 * @stream: the stream
 * @data:   where they go
 * @len:    at most so many
 * @error:  says why not
 *
 * Return: how many, not necessarily all; 0: no more will come; SOCLE_STREAM_AGAIN; SOCLE_STREAM_HOLE; -1
 */
SOCLE_API ssize_t socle_stream_recv(struct socle_stream *stream, void *data, size_t len,
				    struct socle_error **error);

/**
 * socle_stream_send_hole() - send zeroes without sending them
 * @stream: must have been opened with a flag for holes
 * @length: 0 or more
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_stream_send_hole(struct socle_stream *stream, int64_t length,
				     struct socle_error **error);

/**
 * socle_stream_recv_hole() - take the hole that comes next
 * @stream:     the stream
 * @ret_length: how many zeroes it stands for
 * @error:      says why not
 *
 * Return: 0, or -1 if none comes next
 */
SOCLE_API int socle_stream_recv_hole(struct socle_stream *stream, int64_t *ret_length,
				     struct socle_error **error);

/**
 * socle_stream_wait() - wait until something can be done
 * @stream:     the stream
 * @events:     enum socle_stream_events
 * @timeout_ms: -1: for ever
 *
 * Return: those of @events that have come; 0 after the time
 */
SOCLE_API unsigned socle_stream_wait(struct socle_stream *stream, unsigned events, int timeout_ms);

/**
 * socle_stream_fd() - a descriptor for poll(2), select(2) or epoll(7)
 * @stream: the stream
 * @event:  one of enum socle_stream_events
 *
 * It has POLLIN while the event lasts, also for SOCLE_STREAM_WRITABLE. Never read it or close it.
 *
 * Return: it belongs to @stream
 */
SOCLE_API int socle_stream_fd(struct socle_stream *stream, enum socle_stream_events event);

/**
 * socle_stream_finish() - end it, and wait until the server says that all is well
 * @stream: the stream; what has not been received is lost
 * @error:  says what went wrong, maybe long before
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_stream_finish(struct socle_stream *stream, struct socle_error **error);

/**
 * socle_stream_abort() - give it up
 * @stream: the stream
 */
SOCLE_API void socle_stream_abort(struct socle_stream *stream);

#endif
