/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keep.c - what is behind a disk, while the disk is in use
 */
#include "block/keep.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/error.h"
#include "block/kept-int.h"
#include "block/raw-int.h"

bool block_is_kept(const struct block *block)
{
	return block->ops == &block_qcow2_ops || block->ops == &block_snapshot_ops;
}

bool block_can_change(const struct block *block, GError **error)
{
	if (block->ops == &block_snapshot_ops)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is open with snapshot=on: what is in front of it is "
				 "temporary; open it without",
				 block->path);
	if (block->ops == &block_iscsi_ops || block->ops == &block_rbd_ops)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is another host's, and stays what it is while it is "
				 "in use; let that host make snapshots and copies",
				 block->path);
	if (block->ops == &block_null_ops)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "a disk of format null has nothing that could be kept");
	return true;
}

/* ---- with a keeper and without ---- */

struct block *block_keep(struct block *block, const struct block_open *options, GError **error)
{
	struct raw *raw = container_of(block, struct raw, base);
	struct block_open open = *options;
	struct block_file *file;
	struct image *image;
	struct block *kept;
	unsigned flags;

	assert(block->ops == &block_raw_ops);
	open.path = block->path;
	open.node_name = block->node_name;
	open.format = "raw";
	flags = kept_image_flags(&open);
	file = block_file_again(raw->fd, !open.read_only, open.path, image_file_flags(flags),
				error);
	if (!file)
		return NULL;
	block_file_set_sync_error(file, atomic_load(&raw->flush_error));
	image = image_open_file(open.path, file, "raw", flags, error);
	kept = image ? kept_new(image, &open, error) : NULL;
	if (!kept)
		return NULL;
	block_init(kept, &block_qcow2_ops, &open);
	kept_refresh(kept_of(kept));
	return kept;
}

struct block *block_of_image(struct image *image, const struct block_open *options, GError **error)
{
	struct block *kept = kept_new(image, options, error);

	if (kept)
		block_init(kept, &block_qcow2_ops, options);
	return kept;
}

struct block *block_unkeep(struct block *block, const struct block_open *options, GError **error)
{
	struct kept *kept = kept_of(block);
	struct block_open open = *options;
	struct block *raw;

	if (!kept->image || kept->image->ops != &image_raw_ops || kept->job)
		return NULL;
	open.path = block->path;
	open.node_name = block->node_name;
	open.format = "raw";
	raw = raw_open_again(&open, block_file_fd(kept->image->file), error);
	if (!raw)
		return NULL;
	block_init(raw, &block_raw_ops, &open);
	return raw;
}

/* ---- holding ---- */

/* On the keeper: stand still. */
static void stand_still(void *opaque)
{
	struct kept *kept = opaque;

	epoch_close(kept->epoch);
	pthread_mutex_lock(&kept->lock);
	kept->held = true;
	pthread_cond_broadcast(&kept->changed);
	while (kept->wanted)
		pthread_cond_wait(&kept->changed, &kept->lock);
	kept->held = false;
	if (!kept->job || !block_job_follows(kept->job))
		epoch_open(kept->epoch);
	pthread_cond_broadcast(&kept->changed);
	pthread_mutex_unlock(&kept->lock);
}

void block_hold(struct block *block)
{
	struct kept *kept = kept_of(block);

	assert(block_is_kept(block));
	pthread_mutex_lock(&kept->lock);
	assert(!kept->wanted);
	kept->wanted = true;
	kept->hold_work = (struct io_work){ .fn = stand_still, .opaque = kept };
	io_loop_post(kept->keeper, &kept->hold_work);
	while (!kept->held)
		pthread_cond_wait(&kept->changed, &kept->lock);
	pthread_mutex_unlock(&kept->lock);
}

void block_let_go(struct block *block)
{
	struct kept *kept = kept_of(block);

	pthread_mutex_lock(&kept->lock);
	kept->wanted = false;
	pthread_cond_broadcast(&kept->changed);
	while (kept->held)
		pthread_cond_wait(&kept->changed, &kept->lock);
	pthread_mutex_unlock(&kept->lock);
	if (kept->job)
		io_loop_post(kept->keeper, &kept->job_work);
}

/* ---- exchanging ---- */

struct image *block_image(struct block *block)
{
	return kept_of(block)->image;
}

/* What the disk was told of its image once stays so: how large a request's unit is, whether it may
 * write. */
void kept_refresh(struct kept *kept)
{
	const struct image *image = kept->image;

	if (!image)
		return;
	atomic_store(&kept->base.size, image->size);
	kept->base.format = image->ops->format;
	kept->base.info.discard = !kept->base.info.read_only && image->ops->discard;
	kept->base.info.discard_alignment = MAX(image->cluster_size, 512u);
	g_free(kept->base.path);
	kept->base.path = g_strdup(image->path);
	if (!image->node_name)
		return;
	g_free(kept->base.node_name);
	kept->base.node_name = g_strdup(image->node_name);
}

void block_set_image(struct block *block, struct image *image)
{
	struct kept *kept = kept_of(block);

	kept->image = image;
	kept->told = false;
	kept_refresh(kept);
}

void block_exchange(struct block *a, struct block *b)
{
	struct image *image = block_image(a);

	block_set_image(a, block_image(b));
	block_set_image(b, image);
}
