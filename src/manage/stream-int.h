/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-int.h - bytes between a client and a descriptor
 */
#ifndef MANAGE_STREAM_INT_H
#define MANAGE_STREAM_INT_H

#include <sys/types.h>

#include "manage/call.h"
#include "rpc/stream.h"

struct vm;

/* What a client and the daemon have beside calls; embedded in what it is about. */
struct stream {
	GList link; /* of its client */
	struct peer *peer;
	struct rpc_header header;
	const struct stream_ops *ops;
};

struct stream_ops {
	void (*packet)(struct stream *stream, const struct rpc_stream_packet *packet);
	/* The client has sent what makes no sense. */
	void (*broken)(struct stream *stream, const char *why);
	/* The client has taken what was sent, or some of it. */
	void (*wake)(struct stream *stream);
	/* The client is gone: the stream is to leave it now. */
	void (*drop)(struct stream *stream);
};

/* Of a call that has a client; false: that has too many. */
bool stream_join(struct stream *stream, const struct stream_ops *ops, struct call *call);
void stream_leave(struct stream *stream);
/* May more be sent? Else wake() comes later. */
bool stream_has_room(const struct stream *stream);

/**
 * stream_open() - the call's answer opens a stream to @fd, which is taken over
 * @vm:  whose console it is, or NULL
 * @key: which console: one client at a time; NULL: any number
 * @ret: of the answer
 *
 * What can be read goes to the client; its end is the end of the stream's data.
 */
void stream_open(struct call *call, struct vm *vm, const char *key, int fd, const void *ret);
/* Is a client connected to this console? */
bool stream_is_open(struct vm *vm, const char *key);
/* Throw it out. */
void stream_cut(struct vm *vm, const char *key);
/* As sys_write(), for sockets too whose other end is gone: no signal ends the process. */
ssize_t stream_write(int fd, const void *data, size_t len);
/* The machine is gone: all of its streams end. */
void vm_close_streams(struct vm *vm);

#endif
