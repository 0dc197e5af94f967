/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resize.c - socle-img resize: let an image be larger or smaller
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
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

/* -1: there is no such word, or the format does not know it. */
static int preallocation_of(const char *how, const struct image *image, GError **error)
{
	static const char *const names[] = { "off", "metadata", "falloc", "full" };
	const bool raw = image->ops == &image_raw_ops;
	unsigned i = 0;

	while (how && i < ARRAY_SIZE(names) && strcmp(names[i], how) != 0)
		i++;
	if (i == ARRAY_SIZE(names))
		error_set(error, SOCLE_ERROR_USAGE,
			  "preallocation is off, metadata, falloc or full, not '%s'", how);
	else if (i && !raw && image->ops != &image_qcow2_ops)
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "images of format '%s' cannot be preallocated when they grow",
			  image->ops->format);
	else if (raw && i == QCOW2_PREALLOCATE_METADATA)
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "a raw image has no metadata; preallocation is off, falloc or full");
	else
		return (int)i;
	return -1;
}

static bool preallocate(struct image *image, int how, uint64_t old, GError **error)
{
	int ret = 0;

	if (how == QCOW2_PREALLOCATE_OFF || image->size <= old)
		return true;
	if (image->ops == &image_qcow2_ops)
		return qcow2_preallocate_new(image, old, (enum qcow2_preallocation)how, error);
	if (how == QCOW2_PREALLOCATE_FALLOC)
		ret = block_file_allocate(image->file, old, image->size - old);
	else
		ret = block_file_write_zeroes(image->file, old, image->size - old);
	return ret < 0 ? error_sys(error, ret, "cannot allocate space for image '%s'", image->path)
		       : true;
}

bool img_grow(struct image *image, uint64_t size, const char *how, GError **error)
{
	const uint64_t old = image->size;
	const int preallocation = preallocation_of(how, image, error);

	return preallocation >= 0 && image_resize(image, size, error) &&
	       preallocate(image, preallocation, old, error);
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
	autoptr(image) image = img_open_write(args, img_args_word(args, 0), NULL,
					      IMAGE_BACKING | IMAGE_LOCKED, error);
	uint64_t size;

	if (!image || !new_size(img_args_word(args, 1), image->size, &size, error) ||
	    !may_shrink(args, image, size, error) || !img_grow(image, size, how, error) ||
	    !image_flush(image, error))
		return EXIT_FAILURE;
	if (!img_args_has(args, 'q'))
		img_out("Image resized.\n");
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	{ 'f', "format", "FORMAT", "format of the image; must be given" },
	{ IMG_OPTION_SHRINK, "shrink", NULL, "yes, it may become smaller" },
	{ IMG_OPTION_PREALLOCATION, "preallocation", "off|metadata|falloc|full", "of what is new" },
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
