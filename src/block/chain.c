/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chain.c - changes of a chain of images that is open: another way to open one, fewer of them
 */
#include "block/chain.h"

#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"

struct image *image_chain_find(struct image *front, const char *node_name)
{
	struct image *image = front;

	while (image && g_strcmp0(image->node_name, node_name) != 0)
		image = image->backing;
	return image;
}

struct image *image_chain_above(struct image *front, const struct image *image)
{
	struct image *above = front;

	while (above && above->backing != image)
		above = above->backing;
	return above;
}

struct image *image_chain_reopen(struct image **front, struct image *image, bool write,
				 GError **error)
{
	const unsigned way = write ? IMAGE_WRITE : 0;
	const unsigned flags = (image->flags & ~(unsigned)(IMAGE_WRITE | IMAGE_BACKING)) | way;
	struct image *above = image_chain_above(*front, image), *again;
	struct block_file *file;

	if (image->encrypted) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "image '%s' is encrypted, and is not opened another way while it is in "
			  "use; stop the machine, and use socle-img",
			  image->path);
		return NULL;
	}
	/* What the old one has in memory must be in the file. */
	if (image->flags & IMAGE_WRITE && !image_flush(image, error))
		return NULL;
	file = block_file_again(block_file_fd(image->file), image->flags & IMAGE_WRITE, image->path,
				image_file_flags(flags), error);
	if (!file)
		return NULL;
	block_file_set_sync_error(file, block_file_sync_error(image->file));
	again = image_open_file(image->path, file, image->ops->format, flags, error);
	if (!again)
		return NULL;
	again->flags |= image->flags & IMAGE_BACKING;
	again->node_name = g_steal_pointer(&image->node_name);
	again->backing = g_steal_pointer(&image->backing);
	if (above)
		above->backing = again;
	else
		*front = again;
	image_close(image);
	return again;
}

void image_chain_cut(struct image **front, struct image *above, struct image *below)
{
	struct image **link = above ? &above->backing : front;
	struct image *first = *link, *last;

	if (first == below)
		return;
	last = first;
	while (last->backing != below)
		last = last->backing;
	*link = below;
	last->backing = NULL;
	image_close(first);
}

char *image_chain_name(const char *from, const char *to)
{
	g_autofree char *full_from = g_canonicalize_filename(from, NULL);
	g_autofree char *full_to = g_canonicalize_filename(to, NULL);
	g_autofree char *folder_from = g_path_get_dirname(full_from);
	g_autofree char *folder_to = g_path_get_dirname(full_to);
	g_autofree char *name = g_path_get_basename(full_to);

	/* A ':' in front of any '/' would make a protocol of it. */
	if (strcmp(folder_from, folder_to) != 0 || strchr(name, ':'))
		return g_steal_pointer(&full_to);
	return g_steal_pointer(&name);
}

bool image_chain_note(struct image *image, const struct image *behind, const char *name,
		      GError **error)
{
	g_autofree char *own = NULL;

	if (image->ops != &image_qcow2_ops)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' cannot get another one behind them",
				 image->ops->format);
	if (behind && !name)
		name = own = image_chain_name(image->path, behind->path);
	return image_flush(image, error) &&
	       qcow2_set_backing(image, behind ? name : NULL, behind ? behind->ops->format : NULL,
				 error) &&
	       image_flush(image, error);
}
