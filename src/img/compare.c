/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compare.c - socle-img compare: do two images have the same contents?
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "img/img.h"

enum {
	SAME = 0,
	DIFFERENT = 1,
	FAILED = 2, /* cannot open */
	FAILED_LATER = 3,
};

/* With -s: that one has it and the other has not is a difference. */
static bool same_allocation(const struct img_same *same, uint64_t off, uint64_t len, bool *ret_same,
			    GError **error)
{
	struct image_extent a, b;

	*ret_same = true;
	while (len) {
		if (!image_map_chain(same->a, off, len, &a, error) ||
		    !image_map_chain(same->b, off, a.len, &b, error))
			return false;
		if (!b.len || a.kind != b.kind) {
			*ret_same = false;
			return true;
		}
		off += b.len;
		len -= b.len;
	}
	return true;
}

static int compare_range(const struct img_args *args, struct img_same *same, uint64_t size,
			 struct img_progress *progress, GError **error)
{
	bool strict = img_args_has(args, 's');
	uint64_t common = MIN(same->a->size, same->b->size);
	uint64_t off = 0, len, differ;

	while (off < size) {
		bool same_kind = true;

		if (!img_same_piece(same, off, (off < common ? common : size) - off, &len, &differ,
				    error))
			return FAILED_LATER;
		if (strict && !same_allocation(same, off, len, &same_kind, error))
			return FAILED_LATER;
		if (!same_kind || differ != UINT64_MAX) {
			if (progress->shown)
				img_out("\n");
			if (!img_args_has(args, 'q') && !same_kind)
				img_out("Strict mode: Offset %" PRIu64 " block status mismatch!\n",
					off);
			else if (!img_args_has(args, 'q'))
				img_out("Content mismatch at offset %" PRIu64 "!\n", differ);
			return DIFFERENT;
		}
		off += len;
		img_progress_at(progress, off);
	}
	img_progress_end(progress);
	return SAME;
}

static int compare_images(const struct img_args *args, struct image *a, struct image *b,
			  GError **error)
{
	bool quiet = img_args_has(args, 'q');
	uint64_t size = MAX(a->size, b->size);
	struct img_progress progress;
	struct img_same same;
	int status;

	if (a->size != b->size && img_args_has(args, 's')) {
		if (!quiet)
			img_out("Strict mode: Image size mismatch!\n");
		return DIFFERENT;
	}
	img_same_init(&same, a, b);
	img_progress_start(&progress, args, size);
	status = compare_range(args, &same, size, &progress, error);
	img_same_release(&same);
	if (!quiet && a->size != b->size && status == SAME)
		img_out("Warning: Image size mismatch!\n");
	if (!quiet && status == SAME)
		img_out("Images are identical.\n");
	return status;
}

static int compare(const struct img_args *args, GError **error)
{
	autoptr(image) a = NULL;
	autoptr(image) b = NULL;

	a = img_open_arg(args, img_args_word(args, 0), 'T', IMAGE_BACKING, error);
	if (!a)
		return FAILED;
	b = img_open_word(args, img_args_word(args, 1), img_args_value(args, 'F'), 'T',
			  IMAGE_BACKING, error);
	return b ? compare_images(args, a, b, error) : FAILED;
}

static const struct img_option options[] = {
	{ 'f', "format", "FORMAT", "of the first image (default: guessed)" },
	{ 'F', "second-format", "FORMAT", "of the second image (default: guessed)" },
	{ 's', "strict", NULL, "sizes, and what is allocated, must be the same, too" },
	IMG_ROW_SOURCE_CACHE,
	IMG_ROW_PROGRESS,
	IMG_ROW_QUIET,
	IMG_ROW_SHARED,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_compare = {
	.name = "compare",
	.arguments = "IMAGE IMAGE",
	.summary = "Tell whether two images have the same contents",
	.options = options,
	.min = 2,
	.max = 2,
	.wanted = "expecting two image file names",
	.failure = FAILED,
	.run = compare,
};
