/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * amend.c - socle-img amend: other options for an image that is there
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

static bool parse_switch(const char *name, const char *value, int *ret, GError **error)
{
	*ret = !strcmp(value, "on");
	return *ret || !strcmp(value, "off") ||
	       error_set(error, SOCLE_ERROR_USAGE, "option '%s' is on or off, not '%s'", name,
			 value);
}

static bool parse_compat(const char *value, uint32_t *ret, GError **error)
{
	if (!strcmp(value, "0.10") || !strcmp(value, "v2"))
		*ret = 2;
	else if (!strcmp(value, "1.1") || !strcmp(value, "v3"))
		*ret = 3;
	else
		return error_set(error, SOCLE_ERROR_USAGE, "compat is 0.10 or 1.1, not '%s'",
				 value);
	return true;
}

static bool parse_bits(const char *value, unsigned *ret, GError **error)
{
	uint64_t bits;

	if (!g_ascii_string_to_unsigned(value, 10, 1, 64, &bits, NULL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "refcount_bits is a power of two up to 64, not '%s'", value);
	*ret = (unsigned)bits;
	return true;
}

static bool parse_one(struct qcow2_amend *what, const char *name, const char *value, GError **error)
{
	if (!strcmp(name, "compat"))
		return parse_compat(value, &what->version, error);
	if (!strcmp(name, "lazy_refcounts"))
		return parse_switch(name, value, &what->lazy_refcounts, error);
	if (!strcmp(name, "data_file_raw"))
		return parse_switch(name, value, &what->data_file_raw, error);
	if (!strcmp(name, "refcount_bits"))
		return parse_bits(value, &what->refcount_bits, error);
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "option '%s' cannot be changed; convert the image to a new one", name);
}

static bool change(struct image *image, GHashTable *words, GError **error)
{
	struct qcow2_amend what = { .lazy_refcounts = -1, .data_file_raw = -1 };
	const char *size = g_hash_table_lookup(words, "size");
	const char *file = g_hash_table_lookup(words, "backing_file");
	const char *format = g_hash_table_lookup(words, "backing_fmt");
	GHashTableIter iter;
	void *name, *value;
	uint64_t bytes;

	g_hash_table_iter_init(&iter, words);
	while (g_hash_table_iter_next(&iter, &name, &value)) {
		if (strcmp(name, "size") != 0 && !g_str_has_prefix(name, "backing_") &&
		    !parse_one(&what, name, value, error))
			return false;
	}
	if (!qcow2_amend(image, &what, error))
		return false;
	if ((file || format) && !qcow2_set_backing(image, file ? file : image->backing_file,
						   format ? format : image->backing_format, error))
		return false;
	return !size || (img_parse_size(size, &bytes, error) && image_resize(image, bytes, error));
}

static int amend(const struct img_args *args, GError **error)
{
	g_autoptr(GHashTable) words = NULL;
	autoptr(image) image = NULL;

	if (!img_args_has(args, 'o')) {
		error_set(error, SOCLE_ERROR_USAGE, "must specify options (-o)");
		return EXIT_FAILURE;
	}
	if (img_wants_options_help(args)) {
		img_out("Options that can be changed: backing_file, backing_fmt, compat, "
			"data_file_raw, lazy_refcounts, size\n");
		return EXIT_SUCCESS;
	}
	if (!img_args_words(args)) {
		error_set(error, SOCLE_ERROR_USAGE, "expecting one image file name");
		return EXIT_FAILURE;
	}
	words = img_create_options(args, "qcow2", error);
	if (!words)
		return EXIT_FAILURE;
	image = img_open_write(args, img_args_word(args, 0), "qcow2", 0, error);
	if (!image)
		return EXIT_FAILURE;
	if (image->ops != &image_qcow2_ops) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "only qcow2 images can be amended");
		return EXIT_FAILURE;
	}
	return change(image, words, error) && image_flush(image, error) ? EXIT_SUCCESS
									: EXIT_FAILURE;
}

static const struct img_option options[] = {
	{ 'o', "options", "NAME=VALUE,...", "what is to be changed; -o help lists it" },
	{ 'f', "format", "FORMAT", "format of the image (default qcow2)" },
	{ IMG_OPTION_FORCE, "force", NULL, "accepted" },
	IMG_ROW_CACHE,
	IMG_ROW_PROGRESS,
	IMG_ROW_QUIET,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_amend = {
	.name = "amend",
	.arguments = "IMAGE",
	.summary = "Change options of an image that is there",
	.options = options,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = EXIT_FAILURE,
	.run = amend,
};
