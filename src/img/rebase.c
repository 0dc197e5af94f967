/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rebase.c - socle-img rebase: let another image stand behind one
 *
 * Unless -u says that it is known to have the same contents, the image first gets what the old and
 * the new image behind it have not in common; only when that is on the disk the name changes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

/* As the new name is going to be found: from the folder of the image that names it. */
static struct image *open_new(const struct img_args *args, const char *path, const char *name,
			      const char *format, GError **error)
{
	g_autofree char *full = image_resolve(path, name);
	unsigned cache;

	if (!img_cache_flags(img_args_value(args, 'T'), &cache, error))
		return NULL;
	return image_open(full, format, IMAGE_BACKING | cache, error);
}

/* Sectors that differ, from @off on; what the old one has there is written to the image. */
static bool keep(struct image *image, uint64_t off, uint64_t len, uint8_t *buf, GError **error)
{
	uint64_t cluster = MAX(image->cluster_size, IMG_SECTOR);
	uint64_t end = off + len;

	while (off < end) {
		size_t n = MIN(MIN(end - off, IMG_PIECE), cluster - off % cluster);
		bool zero;

		if (!image_read_backing(image, off, buf, n, error))
			return false;
		zero = img_is_zero(buf, n);
		if (zero ? !image_zero(image, off, n, true, error)
			 : !image_write(image, off, buf, n, error))
			return false;
		off += n;
	}
	return true;
}

/* An extent that the image has not itself: compare what is behind, and keep what would change. */
static bool rebase_absent(struct image *image, struct img_same *same, uint64_t off, uint64_t len,
			  uint8_t *buf, GError **error)
{
	uint64_t cluster = MAX(image->cluster_size, IMG_SECTOR);

	while (len) {
		uint64_t done, differ, n;

		if (!img_same_piece(same, off, len, &done, &differ, error))
			return false;
		if (differ != UINT64_MAX) {
			/* The rest of the cluster has to be copied in any case. */
			done = MIN(len, differ - off + cluster - differ % cluster);
			n = off + done - differ;
			if (!keep(image, differ, n, buf, error))
				return false;
		}
		off += done;
		len -= done;
	}
	return true;
}

static bool keep_contents(const struct img_args *args, struct image *image, struct image *behind,
			  GError **error)
{
	uint8_t *buf = g_aligned_alloc(1, IMG_PIECE, 4096);
	struct img_progress progress;
	struct img_same same;
	uint64_t off = 0;
	bool ok = true;

	img_same_init(&same, image->backing, behind);
	img_progress_start(&progress, args, image->size);
	while (ok && off < image->size) {
		struct image_extent extent;

		ok = image_map(image, off, image->size - off, &extent, error) &&
		     (extent.kind != IMAGE_ABSENT ||
		      rebase_absent(image, &same, off, extent.len, buf, error));
		if (ok) {
			off += extent.len;
			img_progress_at(&progress, off);
		}
	}
	if (ok)
		img_progress_end(&progress);
	img_same_release(&same);
	g_aligned_free(buf);
	return ok && image_flush(image, error);
}

static bool check_words(const struct img_args *args, const char *name, const char *format,
			GError **error)
{
	if (!img_args_has(args, 'b'))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "must specify backing file (-b); an empty name takes it away");
	if (name && !format)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"Could not change the backing file to '%s': backing format must be "
			"specified",
			name);
	return !format || image_format_find(format, error);
}

static int rebase(const struct img_args *args, GError **error)
{
	const char *name = img_args_value(args, 'b'), *format = img_args_value(args, 'F');
	bool unsafe = img_args_has(args, 'u');
	autoptr(image) image = NULL;
	autoptr(image) behind = NULL;

	if (name && !*name)
		name = NULL;
	if (!check_words(args, name, format, error))
		return EXIT_FAILURE;
	image = img_open_write(args, img_args_word(args, 0), "qcow2",
			       unsafe ? IMAGE_LOCKED | IMAGE_DATA_FILE : IMAGE_BACKING, error);
	if (!image)
		return EXIT_FAILURE;
	if (image->ops != &image_qcow2_ops) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "images of format '%s' cannot get another one behind them",
			  image->ops->format);
		return EXIT_FAILURE;
	}
	if (!unsafe && name) {
		behind = open_new(args, image->path, name, format, error);
		if (!behind)
			return EXIT_FAILURE;
	}
	if (behind)
		qcow2_expect_backing(image);
	if ((!unsafe && !keep_contents(args, image, behind, error)) ||
	    !qcow2_set_backing(image, name, name ? format : NULL, error) ||
	    !image_flush(image, error))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	{ 'b', "backing", "FILE", "the new one; '': none" },
	{ 'F', "backing-format", "FORMAT", "the format of that" },
	{ 'u', "unsafe", NULL, "it has the same contents: only note its name" },
	{ 'f', "format", "FORMAT", "format of the image (default qcow2)" },
	IMG_ROW_CACHE,
	IMG_ROW_SOURCE_CACHE,
	IMG_ROW_PROGRESS,
	IMG_ROW_QUIET,
	IMG_ROW_SHARED,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_rebase = {
	.name = "rebase",
	.arguments = "IMAGE",
	.summary = "Let another image stand behind one",
	.options = options,
	.min = 1,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = EXIT_FAILURE,
	.run = rebase,
};
