/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap.c - socle-img bitmap: what was written since when, kept within an image
 */
#include <stdlib.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

enum {
	GRANULARITY = 64 << 10, /* bytes, of a new one */
};

static bool granularity_bits(const struct img_args *args, unsigned *ret, GError **error)
{
	uint64_t bytes;

	if (!img_args_size(args, 'g', "granularity", GRANULARITY, &bytes, error))
		return false;
	if (!bytes || bytes & (bytes - 1))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the granularity of a bitmap is a power of two from 512 to 2G");
	*ret = (unsigned)__builtin_ctzll(bytes);
	return true;
}

/* -1: it is none of them. */
static int change_of(int id)
{
	switch (id) {
	case IMG_OPTION_ADD:
		return QCOW2_BITMAP_ADD;
	case IMG_OPTION_REMOVE:
		return QCOW2_BITMAP_REMOVE;
	case IMG_OPTION_CLEAR:
		return QCOW2_BITMAP_CLEAR;
	case IMG_OPTION_ENABLE:
		return QCOW2_BITMAP_ENABLE;
	case IMG_OPTION_DISABLE:
		return QCOW2_BITMAP_DISABLE;
	default:
		return -1;
	}
}

/* Of the same image, or of that of -b. */
static bool merge(const struct img_args *args, struct image *image, const char *name,
		  const char *source, GError **error)
{
	const char *path = img_args_value(args, 'b'), *format = img_args_value(args, 'F');
	autoptr(image) from = NULL;

	if (!path)
		return qcow2_bitmap_merge(image, name, image, source, error);
	from = img_open_word(args, path, format, 0, IMAGE_LOCKED | IMAGE_DATA_FILE, error);
	if (!from)
		return false;
	if (from->ops != &image_qcow2_ops)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' cannot have bitmaps: only those of format 'qcow2' can",
				 path);
	return qcow2_bitmap_merge(image, name, from, source, error);
}

/* One after the other, as they were given. */
static bool change_all(const struct img_args *args, struct image *image, const char *name,
		       GError **error)
{
	const char *value;
	unsigned bits;
	int id;

	if (!granularity_bits(args, &bits, error))
		return false;
	for (unsigned i = 0; (id = img_args_id(args, i, &value)); i++) {
		int what = change_of(id);

		if (id == IMG_OPTION_MERGE && !merge(args, image, name, value, error))
			return false;
		if (what >= 0 &&
		    !qcow2_bitmap_change(image, name, (enum qcow2_bitmap_change)what, bits, error))
			return false;
	}
	return true;
}

static bool check_words(const struct img_args *args, GError **error)
{
	static const int changes[] = { IMG_OPTION_ADD,    IMG_OPTION_REMOVE,  IMG_OPTION_CLEAR,
				       IMG_OPTION_ENABLE, IMG_OPTION_DISABLE, IMG_OPTION_MERGE };
	bool any = false;

	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++)
		any |= img_args_has(args, changes[i]);
	if ((img_args_has(args, 'b') && !img_args_has(args, IMG_OPTION_MERGE)) ||
	    (img_args_has(args, 'F') && !img_args_has(args, 'b')))
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"-b is for --merge, and -F for -b: the image with the other bitmap");
	if (img_args_has(args, 'g') && !img_args_has(args, IMG_OPTION_ADD))
		return error_set(error, SOCLE_ERROR_USAGE, "-g is for a new bitmap: --add");
	return any || error_set(error, SOCLE_ERROR_USAGE,
				"need at least one of --add, --remove, --clear, --enable, "
				"--disable and --merge");
}

static int bitmap(const struct img_args *args, GError **error)
{
	autoptr(image) image = NULL;

	if (!check_words(args, error))
		return EXIT_FAILURE;
	image = img_open_write(args, img_args_word(args, 0), "qcow2",
			       IMAGE_LOCKED | IMAGE_DATA_FILE, error);
	if (!image)
		return EXIT_FAILURE;
	if (image->ops != &image_qcow2_ops) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "image '%s' cannot have bitmaps: only those of format 'qcow2' can",
			  image->path);
		return EXIT_FAILURE;
	}
	if (!change_all(args, image, img_args_word(args, 1), error) || !image_flush(image, error))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	{ IMG_OPTION_ADD, "add", NULL, "make one" },
	{ IMG_OPTION_REMOVE, "remove", NULL, "give it up" },
	{ IMG_OPTION_CLEAR, "clear", NULL, "let nothing have been written" },
	{ IMG_OPTION_ENABLE, "enable", NULL, "note what is written from now on" },
	{ IMG_OPTION_DISABLE, "disable", NULL, "do not" },
	{ IMG_OPTION_MERGE, "merge", "BITMAP", "add what that one says" },
	{ 'b', "source", "IMAGE", "of the bitmap to be merged" },
	{ 'F', "source-format", "FORMAT", "of that image" },
	{ 'g', "granularity", "BYTES", "that one bit stands for (default 64k)" },
	{ 'f', "format", "FORMAT", "format of the image (default qcow2)" },
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_bitmap = {
	.name = "bitmap",
	.arguments = "IMAGE BITMAP",
	.summary = "Keep note within an image of what is written",
	.options = options,
	.min = 2,
	.max = 2,
	.wanted = "expecting an image file name and the name of a bitmap",
	.failure = EXIT_FAILURE,
	.run = bitmap,
};
