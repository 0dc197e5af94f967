/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vol-stream.c - bytes of a volume between a client and its storage
 *
 * The call that opened it has its turn at the volume until the stream is over. Pieces of an upload wait in
 * a list that counts as the client's memory, so that its packets are not read while the disk is slow;
 * of a download there is one piece at a time, while the client's queue has room.
 *
 * If the client has sent its file the storage copies by itself: the stream says when all is there, and may
 * be given up meanwhile.
 *
 * A task of the storage is never left alone: a stream whose client is gone waits for it, and ends then.
 */
#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "manage/peer-int.h"
#include "manage/pool-int.h"
#include "manage/stream-int.h"
#include "rpc/frame.h"

struct piece {
	GBytes *bytes; /* NULL: a hole */
	uint64_t hole;
};

struct vol_stream {
	struct stream stream;
	struct call *call;
	struct vol_io *io;
	struct task task;
	bool upload;
	bool undo;      /* the volume goes again unless it is complete */
	bool busy;      /* a task is under way */
	bool finish;    /* the client is done */
	bool finishing; /* and the storage was told */
	bool complete;  /* and has it */
	bool ended;     /* of a download, or of a copy: all was sent */
	int file;       /* the call's: the storage copies to it or from it; or -1 */
	bool stepping;
	GError *error;
	GQueue pieces; /* of struct piece; the first one is with the storage while busy */
	struct vol_chunk chunk;
	struct rpc_message *room; /* of a download: where the chunk's bytes are; NULL: not yet */
};

static_assert((int)VOL_CHUNK_MAX == (int)RPC_STREAM_DATA_MAX,
	      "a chunk is what a packet has room for");

static const struct stream_ops vol_stream_ops;

static struct vol_stream *stream_of(struct stream *stream)
{
	return container_of(stream, struct vol_stream, stream);
}

static void drop_piece(struct vol_stream *s)
{
	struct piece *piece = g_queue_pop_head(&s->pieces);

	if (!piece)
		return;
	if (piece->bytes) {
		if (s->stream.peer)
			s->stream.peer->stream_bytes -= g_bytes_get_size(piece->bytes);
		g_bytes_unref(piece->bytes);
	}
	g_free(piece);
}

/* The client hears no more of it. Pieces stop counting as its memory. */
static void leave(struct vol_stream *s)
{
	struct peer *peer = s->stream.peer;

	if (!peer)
		return;
	rpc_frame_keep(peer->frame, 0);
	for (GList *l = s->pieces.head; l; l = l->next) {
		const struct piece *piece = l->data;

		if (piece->bytes)
			peer->stream_bytes -= g_bytes_get_size(piece->bytes);
	}
	stream_leave(&s->stream);
	/* Pieces may have been all that kept its packets from being read. */
	peer_changed(peer);
	/* The only work that takes long enough to be given up. */
	if (s->busy && s->file >= 0)
		atomic_store(&vol_of(s->call->object)->work->cancelled, true);
}

/* It is over for the client, too, if that is still there. */
static void close_stream(struct vol_stream *s)
{
	struct peer *peer = s->stream.peer;
	struct call *call = s->call;
	bool undo = s->undo && !s->complete;

	leave(s);
	while (s->pieces.length)
		drop_piece(s);
	s->io->ops->free(s->io);
	g_clear_error(&s->error);
	rpc_message_free(s->room);
	g_free(s);
	vol_turn_drop(call, undo);
	if (peer)
		peer_changed(peer);
}

static void abort_stream(struct vol_stream *s, enum rpc_code code, const char *why)
{
	struct peer *peer = s->stream.peer;

	if (peer)
		peer_send(peer,
			  rpc_message_new_error(&s->stream.header, RPC_FROM_STREAMS, code, why),
			  NULL, 0);
	leave(s);
	if (!s->busy && !s->stepping)
		close_stream(s);
	/* Nothing may have been read for the pieces that it had: now there is room. */
	if (peer)
		peer_changed(peer);
}

static void send_message(struct vol_stream *s, struct rpc_message *msg)
{
	if (msg)
		peer_send(s->stream.peer, msg, NULL, 0);
}

static void end_data(struct vol_stream *s)
{
	s->ended = true;
	send_message(s, rpc_stream_new_data(&s->stream.header, NULL, 0, NULL));
}

static void take_chunk(struct vol_stream *s)
{
	const struct vol_chunk *chunk = &s->chunk;

	if (chunk->hole) {
		send_message(s, rpc_stream_new_hole(&s->stream.header, (int64_t)chunk->hole, NULL));
	} else if (chunk->len > VOL_CHUNK_MAX / 2) {
		rpc_message_cut(s->room, VOL_CHUNK_MAX - chunk->len);
		send_message(s, g_steal_pointer(&s->room));
	} else if (chunk->len) {
		/* What waits for the client is to be no larger than what it has. */
		send_message(
			s, rpc_stream_new_data(&s->stream.header, chunk->bytes, chunk->len, NULL));
	} else {
		end_data(s);
	}
}

/* Each: false: nothing is to be done now. */
static bool begin_upload_step(struct vol_stream *s)
{
	const struct piece *piece = g_queue_peek_head(&s->pieces);
	size_t len;
	const void *data;

	if (!piece) {
		if (!s->finish || s->finishing)
			return false;
		s->busy = s->finishing = true;
		s->io->ops->finish(s->io, &s->task);
		return true;
	}
	s->busy = true;
	if (!piece->bytes) {
		s->io->ops->skip(s->io, piece->hole, &s->task);
		return true;
	}
	data = g_bytes_get_data(piece->bytes, &len);
	s->io->ops->write(s->io, data, len, &s->task);
	return true;
}

static bool begin_download_step(struct vol_stream *s)
{
	if (s->ended || !stream_has_room(&s->stream))
		return false;
	if (!s->room)
		s->room = rpc_stream_new_room(&s->stream.header, &s->chunk.bytes);
	if (!s->room)
		g_error("out of memory");
	s->busy = true;
	s->chunk.len = 0;
	s->chunk.hole = 0;
	s->chunk.end = false;
	s->io->ops->read(s->io, &s->chunk, &s->task);
	return true;
}

static bool begin_step(struct vol_stream *s)
{
	if (s->file >= 0 && !s->ended) {
		s->busy = true;
		s->io->ops->copy(s->io, s->file, vol_of(s->call->object)->work, &s->task);
		return true;
	}
	return s->upload ? begin_upload_step(s) : begin_download_step(s);
}

/* Of a volume that is being made this is what there is. */
static void count_piece(const struct vol_stream *s)
{
	const struct piece *piece = s->pieces.head->data;

	atomic_fetch_add(&vol_of(s->call->object)->work->done,
			 piece->bytes ? g_bytes_get_size(piece->bytes) : 0);
}

/* Behind a task. False: the stream is over. */
static bool end_step(struct vol_stream *s)
{
	if (s->error) {
		abort_stream(s, call_code_of(s->error), s->error->message);
		return false;
	}
	if (!s->stream.peer)
		return false;
	if (s->finishing) {
		send_message(s, rpc_stream_new_finish(&s->stream.header));
		return false;
	}
	if (s->file >= 0) {
		end_data(s);
		return true;
	}
	if (!s->upload) {
		take_chunk(s);
		return true;
	}
	count_piece(s);
	drop_piece(s);
	peer_changed(s->stream.peer);
	/* The client may have gone by that. */
	return s->stream.peer != NULL;
}

/* Tasks may end at once: this is a loop, not a recursion. */
static void step(struct vol_stream *s)
{
	bool alive = true;

	if (s->stepping || s->busy)
		return;
	s->stepping = true;
	while (alive && !s->busy && s->stream.peer) {
		if (!begin_step(s))
			break;
		if (!s->busy)
			alive = end_step(s);
	}
	s->stepping = false;
	if (!s->busy && (!alive || !s->stream.peer))
		close_stream(s);
}

static void task_ended(struct task *task, const GError *error)
{
	struct vol_stream *s = container_of(task, struct vol_stream, task);

	s->busy = false;
	s->complete = s->finishing && !error;
	if (error)
		s->error = g_error_copy(error);
	if (s->stepping)
		return;
	s->stepping = true;
	if (!end_step(s)) {
		close_stream(s);
		return;
	}
	s->stepping = false;
	step(s);
}

static void refuse(struct call *call, struct vol_io *io, bool undo, enum rpc_code code,
		   const char *why)
{
	io->ops->free(io);
	call_fail_late(call, code, RPC_FROM_STREAMS, why);
	vol_turn_drop(call, undo);
}

void vol_stream_open(struct call *call, struct vol_io *io, const struct vol_streaming *how)
{
	struct vol_stream *s;

	if (how->by_fd && !io->ops->copy) {
		refuse(call, io, how->undo, RPC_CODE_NO_SUPPORT,
		       "volumes of this pool are not copied from and to descriptors; send the "
		       "bytes by the stream");
		return;
	}
	s = g_new(struct vol_stream, 1);
	*s = (struct vol_stream){
		.call = call,
		.io = io,
		.task.end = task_ended,
		.upload = how->upload,
		.undo = how->undo,
		.file = how->by_fd ? call->fds[0] : -1,
	};
	if (!call->peer || call->answered || !stream_join(&s->stream, &vol_stream_ops, call)) {
		g_autofree char *why = g_strdup_printf(
			"this connection has %d streams open already; close one", PEER_STREAMS_MAX);

		g_free(s);
		refuse(call, io, how->undo, RPC_CODE_OPERATION_FAILED, why);
		return;
	}
	if (how->upload && !how->by_fd)
		rpc_frame_keep(call->peer->frame, RPC_PACKET_MIN + RPC_STREAM_DATA_MAX);
	call_answer_late(call, how->ret);
	step(s);
}

/* == What the client says == */

static void add_piece(struct vol_stream *s, GBytes *bytes, uint64_t hole)
{
	struct piece *piece = g_new(struct piece, 1);

	*piece = (struct piece){ bytes, hole };
	if (bytes)
		s->stream.peer->stream_bytes += g_bytes_get_size(bytes);
	g_queue_push_tail(&s->pieces, piece);
	step(s);
}

static void take_packet(struct stream *stream, const struct rpc_stream_packet *packet)
{
	struct vol_stream *s = stream_of(stream);

	switch (packet->what) {
	case RPC_STREAM_DATA:
	case RPC_STREAM_HOLE:
		if (!s->upload || s->finish || s->file >= 0)
			abort_stream(s, RPC_CODE_INTERNAL, "nothing more was to come");
		else if (packet->what == RPC_STREAM_HOLE)
			add_piece(s, NULL, (uint64_t)packet->length);
		else
			add_piece(s, g_bytes_new(packet->data.p, packet->data.len), 0);
		break;
	case RPC_STREAM_FINISH:
		s->finish = true;
		if (s->upload) {
			step(s);
		} else {
			send_message(s, rpc_stream_new_finish(&s->stream.header));
			leave(s);
			if (!s->busy)
				close_stream(s);
		}
		break;
	case RPC_STREAM_ABORT:
		abort_stream(s, RPC_CODE_OPERATION_ABORTED, "stream aborted at client request");
		break;
	case RPC_STREAM_END:
	default:
		break;
	}
}

static void broken(struct stream *stream, const char *why)
{
	abort_stream(stream_of(stream), RPC_CODE_OPERATION_ABORTED, why);
}

static void wake(struct stream *stream)
{
	step(stream_of(stream));
}

static void drop(struct stream *stream)
{
	struct vol_stream *s = stream_of(stream);

	leave(s);
	if (!s->busy && !s->stepping)
		close_stream(s);
}

static const struct stream_ops vol_stream_ops = {
	.packet = take_packet,
	.broken = broken,
	.wake = wake,
	.drop = drop,
};
