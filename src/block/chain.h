/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chain.h - changes of a chain of images that is open: another way to open one, fewer of them
 *
 * Threads: as for image_write(): nobody else does anything with the chain meanwhile.
 */
#ifndef BLOCK_CHAIN_H
#define BLOCK_CHAIN_H

#include "block/image.h"

/* The image of a chain with that node name; or NULL. */
struct image *image_chain_find(struct image *front, const char *node_name);
/* The one that stands right in front of @image, or NULL. */
struct image *image_chain_above(struct image *front, const struct image *image);

/**
 * image_chain_reopen() - open an image of a chain anew, for writing or for reading only
 * @front: of the chain; is replaced if it is @image
 *
 * The new one takes the old one's place, name and chain; the old one is closed. It is the same file,
 * whatever its name means by now.
 *
 * Return: the new one; or NULL with @error, and nothing has changed
 */
struct image *image_chain_reopen(struct image **front, struct image *image, bool write,
				 GError **error);

/* Take out and close what stands between @above (NULL: from the front on) and @below (NULL: to the
 * end). */
void image_chain_cut(struct image **front, struct image *above, struct image *below);

/* What @from has to write into its header to name @to: relative to its own folder, if @to is in the
 * same. g_free() it. */
char *image_chain_name(const char *from, const char *to);

/* @image is to have @behind (NULL: nothing) behind it: in its header, durably. The open chain stays
 * as it is. @name: what to write; NULL: what image_chain_name() says. */
bool image_chain_note(struct image *image, const struct image *behind, const char *name,
		      GError **error);

#endif
