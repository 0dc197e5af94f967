/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame.h - cut a stream of bytes into packets
 *
 * A packet is its length, which counts itself, a header of 24 bytes and a payload. The peer is
 * hostile: memory grows with the bytes that have come, not with the length that was announced.
 *
 * Threads: any, one at a time.
 */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"

enum {
	RPC_LENGTH_SIZE = 4,
	RPC_HEADER_SIZE = 24,
	RPC_PACKET_MIN = RPC_LENGTH_SIZE + RPC_HEADER_SIZE,
	RPC_PACKET_MAX = 32 * 1024 * 1024 + RPC_LENGTH_SIZE,
};

enum rpc_frame_result {
	RPC_FRAME_MORE,   /* all bytes taken, no packet yet */
	RPC_FRAME_PACKET, /* rpc_frame_packet() has one */
	RPC_FRAME_BROKEN, /* the length is not possible; for good: the connection has to be closed */
};

struct rpc_frame;

struct rpc_frame *rpc_frame_new(void);
/* Keep room for packets of @len bytes, so that it is not made for each of a stream; 0: as at first. */
void rpc_frame_keep(struct rpc_frame *frame, size_t len);
void rpc_frame_free(struct rpc_frame *frame);
DEFINE_AUTOPTR(rpc_frame, rpc_frame_free);

/**
 * rpc_frame_buffer() - where the next bytes go
 * @ret_len: how many there is room for, at least 1; 0 if the frame is broken
 *
 * Never leads past the end of a packet, so what comes behind it can be read in another way:
 * descriptors do. Who has read into it says so by rpc_frame_filled().
 */
uint8_t *rpc_frame_buffer(struct rpc_frame *frame, size_t *ret_len);

/* The packet that is complete goes to the caller, for g_free(); once. */
uint8_t *rpc_frame_take(struct rpc_frame *frame);

/**
 * rpc_frame_filled() - @len bytes have been put into the buffer, not more than there was room for
 * @error: says why, for RPC_FRAME_BROKEN
 */
enum rpc_frame_result rpc_frame_filled(struct rpc_frame *frame, size_t len, GError **error);

/**
 * rpc_frame_feed() - the same for bytes that lie elsewhere, up to the first thing to tell
 *
 * Return: how many were taken; all of them once the frame is broken
 */
size_t rpc_frame_feed(struct rpc_frame *frame, const uint8_t *data, size_t len,
		      enum rpc_frame_result *ret_result, GError **error);

/* The packet, its length in front. Until the next call for the frame. */
struct span rpc_frame_packet(const struct rpc_frame *frame);

/* Bytes of memory that the frame has for packets. */
size_t rpc_frame_memory(const struct rpc_frame *frame);

#endif
