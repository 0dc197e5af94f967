/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dd.c - socle-img dd: a part of an image, as dd(1) has it
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "img/copy.h"
#include "img/create.h"
#include "img/img.h"

struct dd {
	const char *in, *out, *format;
	uint64_t bs, count, skip;
};

static bool parse_word(struct dd *dd, const char *word, GError **error)
{
	const char *equals = strchr(word, '=');
	g_autofree char *name = equals ? g_strndup(word, (gsize)(equals - word)) : NULL;

	if (!name)
		return error_set(error, SOCLE_ERROR_USAGE, "unrecognized operand '%s'", word);
	if (!strcmp(name, "if"))
		dd->in = equals + 1;
	else if (!strcmp(name, "of"))
		dd->out = equals + 1;
	else if (!strcmp(name, "bs"))
		return img_parse_size(equals + 1, &dd->bs, error);
	else if (!strcmp(name, "count"))
		return img_parse_size(equals + 1, &dd->count, error);
	else if (!strcmp(name, "skip"))
		return img_parse_size(equals + 1, &dd->skip, error);
	else
		return error_set(error, SOCLE_ERROR_USAGE, "unrecognized operand '%s'", word);
	return true;
}

static bool parse(const struct img_args *args, struct dd *dd, GError **error)
{
	const char *format = img_args_value(args, 'O');

	*dd = (struct dd){ .bs = 512, .count = UINT64_MAX, .format = format ? format : "raw" };
	for (unsigned i = 0; i < img_args_words(args); i++) {
		if (!parse_word(dd, img_args_word(args, i), error))
			return false;
	}
	if (!dd->in || !dd->out)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "must specify both input and output files: if=FILE of=FILE");
	if (!dd->bs || dd->bs > INT32_MAX)
		return error_set(error, SOCLE_ERROR_USAGE, "invalid block size: bs is 1 to 2^31-1");
	return true;
}

/* a * b, or the largest number. */
static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* Pieces that are no sectors are for raw images of small size only; they go the slow way. */
static bool copy_slowly(struct image *source, uint64_t off, uint64_t len, struct image *target,
			GError **error)
{
	g_autofree uint8_t *buf = g_malloc(IMG_PIECE);
	uint64_t done = 0;

	while (done < len) {
		size_t n = MIN(len - done, IMG_PIECE), whole = (n + 511) & ~(size_t)511;

		memset(buf + n, 0, whole - n);
		if (!image_read(source, off + done, buf, n, error) ||
		    !image_write(target, done, buf, whole, error))
			return false;
		done += n;
	}
	return image_flush(target, error);
}

static bool copy_to(struct image *source, const struct dd *dd, uint64_t off, uint64_t len,
		    const char *path, GError **error)
{
	autoptr(image) target = image_open(path, dd->format, IMAGE_WRITE, error);
	struct copy copy = { .sources = { source }, .count = 1, .start = off, .len = len };

	if (!target)
		return false;
	if ((off | len) % IMG_SECTOR)
		return copy_slowly(source, off, len, target, error);
	copy.target = target;
	copy.threads = 1;
	copy.sparse = 4096;
	copy.target_is_zero = !target->ops->new_is_noise;
	return copy_run(&copy, error);
}

static int dd(const struct img_args *args, GError **error)
{
	autoptr(image) source = NULL;
	autoptr(img_target) target = NULL;
	struct image_create what = { .path = NULL };
	uint64_t off, end;
	struct dd dd;

	if (!parse(args, &dd, error))
		return EXIT_FAILURE;
	source = img_open_arg(args, dd.in, 0, IMAGE_BACKING, error);
	if (!source)
		return EXIT_FAILURE;
	off = times(dd.skip, dd.bs);
	end = source->size;
	if (off < end)
		end = off + MIN(times(dd.count, dd.bs), end - off);
	if (off > end) {
		img_warn("%s: cannot skip to specified offset", dd.in);
		off = end;
	}
	target = img_target_new(dd.out, error);
	if (!target)
		return EXIT_FAILURE;
	what.size = end - off;
	if (!img_create_fix_size(&what, error) ||
	    !img_target_create(target, dd.format, &what, error) ||
	    !copy_to(source, &dd, off, end - off, what.path, error) ||
	    !img_target_finish(target, error))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	IMG_ROW_FORMAT,     { 'O', "output-format", "FORMAT", "of the new image (default raw)" },
	IMG_ROW_SHARED,     IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS, { 0, NULL, NULL, NULL },
};

const struct img_command img_dd = {
	.name = "dd",
	.arguments = "[bs=SIZE] [count=N] [skip=N] if=IMAGE of=NEW-IMAGE",
	.summary = "Copy a part of an image",
	.options = options,
	.max = 100,
	.wanted = "must specify both input and output files: if=FILE of=FILE",
	.failure = EXIT_FAILURE,
	.run = dd,
};
