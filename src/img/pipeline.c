/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipeline.c - read an image piece by piece, on several threads, in order
 *
 * Slots are a ring. The caller's thread looks up where there is data and puts pieces into free
 * slots; workers take them in that order; the caller takes them out in that order again.
 *
 *	head	the next slot to be filled		(caller)
 *	next	the next slot that a worker takes	next <= head
 *	tail	the slot that the caller has		tail <= next
 */
#include "img/pipeline.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/thread.h"
#include "img/img.h"

enum {
	MAX_THREADS = 16,
	MAX_SLOTS = 2 * MAX_THREADS,
};

struct slot {
	struct piece piece;
	bool done;
	GError *error;
};

struct pipeline {
	struct pipeline_config config;
	uint64_t off; /* what has been put into slots */
	struct slot slot[MAX_SLOTS];
	unsigned slots;
	struct thread *thread[MAX_THREADS];

	pthread_mutex_t lock; /* of all below, and slot[].done */
	pthread_cond_t work, ready;
	uint64_t head, next, tail;
	bool stop;
};

/* ---- workers ---- */

static void pack(const struct pipeline *pipeline, struct piece *piece)
{
	struct image *target = pipeline->config.target;
	size_t cluster = target->cluster_size;

	for (size_t at = 0, i = 0; at < piece->len; at += cluster, i++) {
		uint8_t *from = piece->data + at;
		size_t n = MIN(cluster, piece->len - at);

		if (n < cluster)
			memset(from + n, 0, cluster - n);
		piece->packed_len[i] =
			img_is_zero(from, n) ? -1
					     : target->ops->pack(target, from, piece->packed + at);
	}
}

static void work(struct pipeline *pipeline, struct slot *slot)
{
	struct piece *piece = &slot->piece;

	if (piece->zero)
		return;
	if (!image_read(pipeline->config.source, piece->off, piece->data, piece->len,
			&slot->error)) {
		if (!pipeline->config.salvage)
			return;
		(void)fprintf(stderr, "socle-img: warning: %s\n", slot->error->message);
		g_clear_error(&slot->error);
		piece->zero = true;
		return;
	}
	if (pipeline->config.target)
		pack(pipeline, piece);
}

static void worker(void *arg)
{
	struct pipeline *pipeline = arg;

	pthread_mutex_lock(&pipeline->lock);
	for (;;) {
		struct slot *slot;

		while (!pipeline->stop && pipeline->next == pipeline->head)
			pthread_cond_wait(&pipeline->work, &pipeline->lock);
		if (pipeline->stop)
			break;
		slot = &pipeline->slot[pipeline->next++ % pipeline->slots];
		pthread_mutex_unlock(&pipeline->lock);
		work(pipeline, slot);
		pthread_mutex_lock(&pipeline->lock);
		slot->done = true;
		pthread_cond_signal(&pipeline->ready);
	}
	pthread_mutex_unlock(&pipeline->lock);
}

/* ---- the caller ---- */

/* What is to be done next: false at the end, or with @error. Pieces begin at multiples of
 * config.align; where kinds meet in between, that much is data. */
static bool find(struct pipeline *pipeline, struct piece *piece, GError **error)
{
	const struct pipeline_config *config = &pipeline->config;
	uint64_t align = config->align;

	while (pipeline->off < config->size) {
		uint64_t off = pipeline->off, left = config->size - off, whole;
		struct image_extent extent;

		if (!image_map_above(config->source, config->base, off, left, &extent, error))
			return false;
		whole = extent.len == left ? left : extent.len / align * align;
		if (whole && extent.kind == IMAGE_ABSENT && config->base) {
			pipeline->off += whole;
			continue;
		}
		piece->off = off;
		piece->zero = whole && extent.kind != IMAGE_DATA;
		piece->len = whole;
		if (!piece->zero)
			piece->len =
				MIN((extent.len + align - 1) / align * align, (uint64_t)PIECE_LEN);
		piece->len = MIN(piece->len, left);
		pipeline->off += piece->len;
		return true;
	}
	return false;
}

/* Put as many pieces into slots as there is room for. */
static bool fill(struct pipeline *pipeline, GError **error)
{
	GError *failed = NULL;

	while (pipeline->head - pipeline->tail < pipeline->slots) {
		struct slot *slot = &pipeline->slot[pipeline->head % pipeline->slots];

		if (!find(pipeline, &slot->piece, &failed)) {
			if (!failed)
				return true;
			g_propagate_error(error, failed);
			return false;
		}
		pthread_mutex_lock(&pipeline->lock);
		slot->done = false;
		pipeline->head++;
		pthread_cond_signal(&pipeline->work);
		pthread_mutex_unlock(&pipeline->lock);
	}
	return true;
}

bool pipeline_next(struct pipeline *pipeline, const struct piece **ret_piece, GError **error)
{
	struct slot *slot;

	if (*ret_piece)
		pipeline->tail++;
	*ret_piece = NULL;
	if (!fill(pipeline, error))
		return false;
	if (pipeline->tail == pipeline->head)
		return true;
	slot = &pipeline->slot[pipeline->tail % pipeline->slots];
	pthread_mutex_lock(&pipeline->lock);
	while (!slot->done)
		pthread_cond_wait(&pipeline->ready, &pipeline->lock);
	pthread_mutex_unlock(&pipeline->lock);
	if (slot->error) {
		g_propagate_error(error, g_steal_pointer(&slot->error));
		return false;
	}
	*ret_piece = &slot->piece;
	return true;
}

/* ---- making and freeing ---- */

static void slot_init(const struct pipeline *pipeline, struct piece *piece)
{
	const struct image *target = pipeline->config.target;

	piece->data = g_aligned_alloc(1, PIECE_LEN, 4096);
	if (!target)
		return;
	piece->packed = g_malloc(PIECE_LEN);
	piece->packed_len = g_new0(ssize_t, PIECE_LEN / target->cluster_size);
}

struct pipeline *pipeline_new(const struct pipeline_config *config, GError **error)
{
	struct pipeline *pipeline = g_new0(struct pipeline, 1);
	unsigned threads = CLAMP(config->threads, 1u, (unsigned)MAX_THREADS);

	pipeline->config = *config;
	pipeline->slots = 2 * threads;
	pthread_mutex_init(&pipeline->lock, NULL);
	pthread_cond_init(&pipeline->work, NULL);
	pthread_cond_init(&pipeline->ready, NULL);
	for (unsigned i = 0; i < pipeline->slots; i++)
		slot_init(pipeline, &pipeline->slot[i].piece);
	for (unsigned i = 0; i < threads; i++) {
		pipeline->thread[i] = thread_start("read", worker, pipeline, error);
		if (!pipeline->thread[i]) {
			pipeline_free(pipeline);
			return NULL;
		}
	}
	return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	pthread_mutex_lock(&pipeline->lock);
	pipeline->stop = true;
	pthread_cond_broadcast(&pipeline->work);
	pthread_mutex_unlock(&pipeline->lock);
	for (unsigned i = 0; i < MAX_THREADS; i++)
		thread_join(pipeline->thread[i]);
	for (unsigned i = 0; i < pipeline->slots; i++) {
		g_aligned_free(pipeline->slot[i].piece.data);
		g_free(pipeline->slot[i].piece.packed);
		g_free(pipeline->slot[i].piece.packed_len);
		g_clear_error(&pipeline->slot[i].error);
	}
	pthread_mutex_destroy(&pipeline->lock);
	pthread_cond_destroy(&pipeline->work);
	pthread_cond_destroy(&pipeline->ready);
	g_free(pipeline);
}
