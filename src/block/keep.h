/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keep.h - what is behind a disk, while the disk is in use (docs/design/0009-block-jobs.md)
 *
 * Images of qcow2 have a keeper, a thread on which all is done that changes them. Who holds the
 * keeper has the image and its chain for himself, and may exchange them; requests wait meanwhile. A
 * raw image has none, but can get one.
 *
 * Threads: main loop.
 */
#ifndef BLOCK_KEEP_H
#define BLOCK_KEEP_H

#include "block/block.h"
#include "block/image.h"

/* Has it a keeper? The others are of no use with what follows, but for block_keep(). */
bool block_is_kept(const struct block *block);
/* The same, and what is written to it stays. */
bool block_can_change(const struct block *block, GError **error);

/* The raw image of @block behind a keeper: a block to be used in place of @block, which is to be
 * closed. @options: those of @block. */
struct block *block_keep(struct block *block, const struct block_open *options, GError **error);
/* The way back. NULL without @error: its image is no raw one. */
struct block *block_unkeep(struct block *block, const struct block_open *options, GError **error);

/* A block for an open image, which is taken over, also if that fails. @options: how it was opened. */
struct block *block_of_image(struct image *image, const struct block_open *options, GError **error);

/* From now on no request is under way, and none begins, until it is let go. */
void block_hold(struct block *block);
void block_let_go(struct block *block);

/* Held, or nobody uses the block: its image; and what it knows of it is to be found out anew, as the
 * image is another one or has another size. NULL: it has none, and is to be closed. */
struct image *block_image(struct block *block);
void block_set_image(struct block *block, struct image *image);
/* Both are held: each gets the other's image, name and path. */
void block_exchange(struct block *a, struct block *b);

#endif
