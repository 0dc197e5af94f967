/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c - streams of a client; bytes between it and a descriptor
 *
 * Nobody waits for the other: while a client does not read, nothing is read for it, and while the
 * descriptor takes nothing, a bounded heap of bytes waits and no more packets of the client are read.
 */
#include "manage/stream-int.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "manage/peer-int.h"
#include "manage/timer-int.h"
#include "manage/vm-int.h"
#include "rpc/stream.h"

enum {
	STREAM_READ = 64 * 1024,
	STREAM_QUEUED_MAX = 1024 * 1024, /* unsent bytes of a client beyond which nothing is read */
};

struct fd_stream {
	struct stream base;
	struct vm *vm; /* held, or NULL */
	char *key;
	int fd;
	bool ended;  /* all was read */
	bool finish; /* the client is done; what waits is still written */
	GSource *in, *out;
	GByteArray *waiting; /* of the client, for fd */
};

bool stream_join(struct stream *stream, const struct stream_ops *ops, struct call *call)
{
	struct peer *peer = call->peer;

	if (g_queue_get_length(&peer->streams) >= PEER_STREAMS_MAX)
		return false;
	*stream = (struct stream){
		.link.data = stream, .peer = peer, .header = call->header, .ops = ops
	};
	stream->header.type = RPC_TYPE_STREAM; /* of what is said about it from now on */
	g_queue_push_tail_link(&peer->streams, &stream->link);
	return true;
}

void stream_leave(struct stream *stream)
{
	g_queue_unlink(&stream->peer->streams, &stream->link);
	stream->peer = NULL;
}

bool stream_has_room(const struct stream *stream)
{
	return stream->peer->queued < STREAM_QUEUED_MAX;
}

static const struct stream_ops fd_stream_ops;

static struct fd_stream *fd_stream_of(struct stream *stream)
{
	return container_of(stream, struct fd_stream, base);
}

static gboolean can_read(int fd, GIOCondition condition, void *data);
static gboolean can_write(int fd, GIOCondition condition, void *data);

static GSource *watch(struct fd_stream *stream, GIOCondition condition, GUnixFDSourceFunc fire)
{
	GSource *source = g_unix_fd_source_new(stream->fd, condition);

	/* GLib's way to pass one: it is cast back by its dispatcher. */
	g_source_set_callback(source, (GSourceFunc)(void (*)(void))fire, stream, NULL);
	g_source_attach(source, g_main_context_get_thread_default());
	return source;
}

static void watch_input(struct fd_stream *stream)
{
	if (!stream->in && !stream->ended && stream->fd >= 0 && stream_has_room(&stream->base))
		stream->in = watch(stream, G_IO_IN | G_IO_HUP | G_IO_ERR, can_read);
}

static void close_fd(struct fd_stream *stream)
{
	timer_stop(&stream->in);
	timer_stop(&stream->out);
	if (stream->fd >= 0)
		(void)close(stream->fd);
	stream->fd = -1;
	stream->base.peer->stream_bytes -= stream->waiting->len;
	g_byte_array_set_size(stream->waiting, 0);
}

static void stream_free(struct fd_stream *stream)
{
	close_fd(stream);
	stream_leave(&stream->base);
	if (stream->vm) {
		if (stream->vm->streams)
			g_ptr_array_remove_fast(stream->vm->streams, stream);
		vm_unref(stream->vm);
	}
	g_byte_array_unref(stream->waiting);
	g_free(stream->key);
	g_free(stream);
}

static void send_data(struct fd_stream *stream, const void *data, size_t len)
{
	struct rpc_message *msg = rpc_stream_new_data(&stream->base.header, data, len, NULL);

	if (msg)
		peer_send(stream->base.peer, msg, NULL, 0);
}

/* Nothing more will come from it; the client says when the stream is over. */
static void end_data(struct fd_stream *stream)
{
	if (stream->ended)
		return;
	stream->ended = true;
	timer_stop(&stream->in);
	send_data(stream, NULL, 0);
}

static gboolean can_read(int fd, GIOCondition condition, void *data)
{
	struct fd_stream *stream = data;
	uint8_t bytes[STREAM_READ / 32];
	ssize_t n;

	(void)condition;
	for (unsigned i = 0; i < 32; i++) {
		n = sys_read(fd, bytes, sizeof(bytes));
		if (n == -EAGAIN)
			return G_SOURCE_CONTINUE;
		if (n <= 0) {
			end_data(stream);
			return G_SOURCE_REMOVE;
		}
		send_data(stream, bytes, (size_t)n);
		if (!stream_has_room(&stream->base)) {
			timer_stop(&stream->in);
			return G_SOURCE_REMOVE;
		}
	}
	return G_SOURCE_CONTINUE;
}

static void finish(struct fd_stream *stream)
{
	struct peer *peer = stream->base.peer;

	peer_send(peer, rpc_stream_new_finish(&stream->base.header), NULL, 0);
	stream_free(stream);
	peer_changed(peer);
}

ssize_t stream_write(int fd, const void *data, size_t len)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = sys_sendmsg(fd, &msg, MSG_NOSIGNAL);

	return n == -ENOTSOCK ? sys_write(fd, data, len) : n;
}

/* Return false when nothing more can be written. */
static bool flush(struct fd_stream *stream)
{
	while (stream->waiting->len) {
		ssize_t n = stream_write(stream->fd, stream->waiting->data, stream->waiting->len);

		if (n == -EAGAIN) {
			if (!stream->out)
				stream->out = watch(stream, G_IO_OUT, can_write);
			return true;
		}
		if (n < 0)
			return false;
		g_byte_array_remove_range(stream->waiting, 0, (guint)n);
		stream->base.peer->stream_bytes -= (size_t)n;
	}
	timer_stop(&stream->out);
	return true;
}

static gboolean can_write(int fd, GIOCondition condition, void *data)
{
	struct fd_stream *stream = data;

	(void)fd;
	(void)condition;
	if (!flush(stream))
		close_fd(stream);
	if (!stream->waiting->len && stream->finish)
		finish(stream);
	else
		peer_changed(stream->base.peer);
	/* The source was stopped if there is nothing left for it. */
	return G_SOURCE_CONTINUE;
}

void stream_open(struct call *call, struct vm *vm, const char *key, int fd, const void *ret)
{
	struct fd_stream *stream;

	if (!call->peer || call->answered) {
		(void)close(fd);
		call_reply(call, ret);
		return;
	}
	stream = g_new0(struct fd_stream, 1);
	if (!stream_join(&stream->base, &fd_stream_ops, call)) {
		g_free(stream);
		(void)close(fd);
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_STREAMS,
			  "this connection has %d streams open already; close one",
			  PEER_STREAMS_MAX);
		return;
	}
	stream->fd = fd;
	stream->key = g_strdup(key);
	stream->waiting = g_byte_array_new();
	if (vm) {
		stream->vm = vm_ref(vm);
		if (!vm->streams)
			vm->streams = g_ptr_array_new();
		g_ptr_array_add(vm->streams, stream);
	}
	call_reply(call, ret);
	watch_input(stream);
}

static struct fd_stream *find(struct vm *vm, const char *key)
{
	for (unsigned i = 0; vm->streams && i < vm->streams->len; i++) {
		struct fd_stream *stream = vm->streams->pdata[i];

		if (stream->key && !strcmp(stream->key, key))
			return stream;
	}
	return NULL;
}

bool stream_is_open(struct vm *vm, const char *key)
{
	return find(vm, key) != NULL;
}

static void abort_stream(struct fd_stream *stream, const char *why)
{
	peer_send(stream->base.peer,
		  rpc_message_new_error(&stream->base.header, RPC_FROM_STREAMS,
					RPC_CODE_OPERATION_ABORTED, why),
		  NULL, 0);
	stream_free(stream);
}

void stream_cut(struct vm *vm, const char *key)
{
	struct fd_stream *stream = find(vm, key);

	if (stream)
		abort_stream(stream, "another client has taken over the console");
}

void vm_close_streams(struct vm *vm)
{
	while (vm->streams && vm->streams->len) {
		struct fd_stream *stream = vm->streams->pdata[0];

		g_ptr_array_remove_index_fast(vm->streams, 0);
		stream->vm = NULL;
		end_data(stream);
		close_fd(stream);
		/* What was still to be written has nobody to be written to. */
		if (stream->finish)
			finish(stream);
		vm_unref(vm);
	}
}

static void take_data(struct fd_stream *stream, struct span data)
{
	if (stream->fd < 0)
		return;
	g_byte_array_append(stream->waiting, data.p, (guint)data.len);
	stream->base.peer->stream_bytes += data.len;
	if (!flush(stream)) {
		end_data(stream);
		close_fd(stream);
	}
}

static void take_packet(struct stream *base, const struct rpc_stream_packet *packet)
{
	struct fd_stream *stream = fd_stream_of(base);

	switch (packet->what) {
	case RPC_STREAM_DATA:
		take_data(stream, packet->data);
		break;
	case RPC_STREAM_HOLE:
		abort_stream(stream, "a hole makes no sense in a stream of characters");
		break;
	case RPC_STREAM_FINISH:
		stream->finish = true;
		timer_stop(&stream->in);
		if (!stream->waiting->len)
			finish(stream);
		break;
	case RPC_STREAM_ABORT:
		abort_stream(stream, "stream aborted at client request");
		break;
	case RPC_STREAM_END:
	default:
		break;
	}
}

static void broken(struct stream *base, const char *why)
{
	abort_stream(fd_stream_of(base), why);
}

static void wake(struct stream *base)
{
	watch_input(fd_stream_of(base));
}

static void drop(struct stream *base)
{
	stream_free(fd_stream_of(base));
}

static const struct stream_ops fd_stream_ops = {
	.packet = take_packet,
	.broken = broken,
	.wake = wake,
	.drop = drop,
};

/* == Streams of a client == */

void peer_stream_packet(struct peer *peer, const struct rpc_received *received)
{
	const struct rpc_header *header = &received->header;
	struct rpc_stream_packet packet;
	struct stream *stream = NULL;
	g_autoptr(GError) error = NULL;

	for (GList *l = peer->streams.head; l && !stream; l = l->next) {
		struct stream *other = l->data;

		if (other->header.serial == header->serial &&
		    other->header.procedure == header->procedure)
			stream = other;
	}
	/* It may have been given up by us while the packet was on its way. */
	if (!stream)
		return;
	if (rpc_stream_read(received, &packet, &error))
		stream->ops->packet(stream, &packet);
	else
		stream->ops->broken(stream, error->message);
}

void peer_close_streams(struct peer *peer)
{
	while (peer->streams.head) {
		struct stream *stream = peer->streams.head->data;

		stream->ops->drop(stream);
	}
}

void peer_wake_streams(struct peer *peer)
{
	for (GList *l = peer->streams.head, *next; l; l = next) {
		struct stream *stream = l->data;

		next = l->next;
		stream->ops->wake(stream);
	}
}
