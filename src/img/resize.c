/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resize.c - socle-img resize: let an image be larger or smaller
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "img/img.h"

/* "10G", "+1G", "-512M". */
static bool new_size(const char *word, uint64_t old, uint64_t *ret_size, GError **error)
{
	char sign = word[0] == '+' || word[0] == '-' ? word[0] : 0;
	uint64_t size;

	if (!img_parse_size(word + (sign != 0), &size, error))
		return false;
	if (sign == '-')
		size = size < old ? old - size : 0;
	else if (sign == '+')
		size = old + size;
	if (!size || size > INT64_MAX - IMG_SECTOR)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the new size must be more than 0 and below 2^63 bytes");
	*ret_size = (size + IMG_SECTOR - 1) & ~(uint64_t)(IMG_SECTOR - 1);
	return true;
}

static bool check_preallocation(const char *how, const struct image *image, GError **error)
{
	static const char *const names[] = { "off", "falloc", "full", NULL };

	if (!how || !strcmp(how, "off"))
		return true;
	if (!g_strv_contains(names, how))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "preallocation is off, falloc or full, not '%s'", how);
	if (image->ops != &image_raw_ops)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "only raw images can be preallocated when they grow");
	return true;
}

static bool preallocate(struct image *image, const char *how, uint64_t old, GError **error)
{
	int ret = 0;

	if (!how || !strcmp(how, "off") || image->size <= old)
		return true;
	if (!strcmp(how, "falloc"))
		ret = block_file_allocate(image->file, old, image->size - old);
	else
		ret = block_file_write_zeroes(image->file, old, image->size - old);
	return ret < 0 ? error_sys(error, ret, "cannot allocate space for image '%s'", image->path)
		       : true;
}

static bool may_shrink(const struct img_args *args, const struct image *image, uint64_t size,
		       GError **error)
{
	if (size >= image->size || img_args_has(args, IMG_OPTION_SHRINK))
		return true;
	return error_set(error, SOCLE_ERROR_DENIED,
			 "image '%s' would lose all data behind %" PRIu64
			 " bytes; make sure that nothing there is needed, and give --shrink",
			 image->path, size);
}

static int resize(const struct img_args *args, GError **error)
{
	const char *how = img_args_value(args, IMG_OPTION_PREALLOCATION);
	autoptr(image) image =
		img_open_write(args, img_args_word(args, 0), NULL, IMAGE_LOCKED, error);
	uint64_t size, old;

	if (!image || !new_size(img_args_word(args, 1), image->size, &size, error) ||
	    !check_preallocation(how, image, error) || !may_shrink(args, image, size, error))
		return EXIT_FAILURE;
	old = image->size;
	if (!image_resize(image, size, error) || !preallocate(image, how, old, error) ||
	    !image_flush(image, error))
		return EXIT_FAILURE;
	if (!img_args_has(args, 'q'))
		img_out("Image resized.\n");
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	{ 'f', "format", "FORMAT", "format of the image; must be given" },
	{ IMG_OPTION_SHRINK, "shrink", NULL, "yes, it may become smaller" },
	{ IMG_OPTION_PREALLOCATION, "preallocation", "off|falloc|full", "of what is new" },
	IMG_ROW_CACHE,
	IMG_ROW_QUIET,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_resize = {
	.name = "resize",
	.arguments = "IMAGE [+|-]SIZE",
	.summary = "Let an image be larger or smaller",
	.options = options,
	.min = 2,
	.max = 2,
	.wanted = "expecting image file name and size",
	.failure = EXIT_FAILURE,
	.signed_numbers = true,
	.run = resize,
};
