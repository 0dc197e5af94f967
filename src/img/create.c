/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create.c - socle-img create: a new image
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "img/create.h"
#include "img/img.h"

/* What is told of a new image, in QEMU's order; a value: even if the user did not give it. */
static const struct {
	const char *name, *qcow2_value;
} told[] = {
	{ "cluster_size", "65536" },
	{ "extended_l2", "off" },
	{ "preallocation", NULL },
	{ "compression_type", "zlib" },
	{ "size", NULL },
	{ "compat", NULL },
	{ "backing_file", NULL },
	{ "backing_fmt", NULL },
	{ "data_file", NULL },
	{ "data_file_raw", NULL },
	{ "lazy_refcounts", "off" },
	{ "refcount_bits", "16" },
	{ "static", NULL },
	{ "subformat", NULL },
	{ "adapter_type", NULL },
	{ "hwversion", NULL },
	{ "compat6", NULL },
	{ "force_size", NULL },
	{ "log_size", NULL },
	{ "block_size", NULL },
	{ "block_state_zero", NULL },
};

static void tell_one(const char *format, const struct image_create *what, unsigned i)
{
	const char *name = told[i].name, *value = image_create_option(what, name, NULL);

	if (!strcmp(name, "size"))
		img_out(" size=%" PRIu64, what->size);
	else if (!strcmp(name, "backing_file") && what->backing_file)
		img_out(" backing_file=%s", what->backing_file);
	else if (!strcmp(name, "backing_fmt") && what->backing_format)
		img_out(" backing_fmt=%s", what->backing_format);
	else if (value)
		img_out(" %s=%s", name, value);
	else if (told[i].qcow2_value && !strcmp(format, "qcow2"))
		img_out(" %s=%s", name, told[i].qcow2_value);
}

static void tell(const char *path, const char *format, const struct image_create *what)
{
	img_out("Formatting '%s', fmt=%s", path, format);
	for (unsigned i = 0; i < ARRAY_SIZE(told); i++)
		tell_one(format, what, i);
	img_out("\n");
}

bool img_create_backing(const struct img_args *args, int backing_id, GHashTable *words,
			struct image_create *what, GError **error)
{
	const char *file = img_args_value(args, backing_id), *format = img_args_value(args, 'F');

	what->backing_file = file ? file : g_hash_table_lookup(words, "backing_file");
	what->backing_format = format ? format : g_hash_table_lookup(words, "backing_fmt");
	if (what->backing_file && !*what->backing_file)
		what->backing_file = NULL;
	if (what->backing_file && !what->backing_format)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "backing file '%s' is named without its format; give it with -F",
				 what->backing_file);
	if (!what->backing_file && what->backing_format)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a backing format (-F) is of no use without a backing file");
	return !what->backing_format || image_format_find(what->backing_format, error);
}

/* The size of the image behind, which must be there. */
static bool size_behind(const char *path, struct image_create *what, GError **error)
{
	g_autofree char *full = image_resolve(path, what->backing_file);
	autoptr(image) behind = image_open(full, what->backing_format, IMAGE_BACKING, error);

	if (!behind)
		return false;
	if (!what->size)
		what->size = behind->size;
	return true;
}

bool img_create_fix_size(struct image_create *what, GError **error)
{
	if (what->size > INT64_MAX - IMG_SECTOR)
		return error_set(error, SOCLE_ERROR_LIMIT, "the image would be too large");
	what->size = (what->size + IMG_SECTOR - 1) & ~(uint64_t)(IMG_SECTOR - 1);
	return true;
}

static bool find_size(const struct img_args *args, GHashTable *words, struct image_create *what,
		      bool *ret_given, GError **error)
{
	const char *word = img_args_word(args, 1);

	if (!word)
		word = g_hash_table_lookup(words, "size");
	*ret_given = word != NULL;
	return !word || img_parse_size(word, &what->size, error);
}

static int make(const struct img_args *args, const char *format, GHashTable *words, GError **error)
{
	const char *path = img_args_word(args, 0);
	struct image_create what = { .path = path, .options = words };
	autoptr(img_target) target = NULL;
	bool sized;

	if (!find_size(args, words, &what, &sized, error) ||
	    !img_create_backing(args, 'b', words, &what, error))
		return EXIT_FAILURE;
	if (what.backing_file && !img_args_has(args, 'u')) {
		if (!size_behind(path, &what, error))
			return EXIT_FAILURE;
		sized = true;
	}
	if (!sized) {
		error_set(error, SOCLE_ERROR_USAGE, "image '%s' needs a size", path);
		return EXIT_FAILURE;
	}
	target = img_target_new(path, error);
	if (!target)
		return EXIT_FAILURE;
	if (!img_args_has(args, 'q'))
		tell(path, format, &what);
	what.path = img_target_path(target);
	if (!img_create_fix_size(&what, error) || !image_create(format, &what, error) ||
	    !img_target_finish(target, error))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static int create(const struct img_args *args, GError **error)
{
	const char *format = img_args_value(args, 'f');
	g_autoptr(GHashTable) words = NULL;

	if (!format)
		format = "raw";
	if (img_wants_options_help(args))
		return img_out_options_help(format, error) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (!img_args_words(args)) {
		error_set(error, SOCLE_ERROR_USAGE, "expecting one image file name");
		return EXIT_FAILURE;
	}
	words = img_create_options(args, format, error);
	return words ? make(args, format, words, error) : EXIT_FAILURE;
}

static const struct img_option options[] = {
	{ 'f', "format", "FORMAT", "of the new image (default raw)" },
	{ 'b', "backing", "FILE", "the image behind it" },
	{ 'F', "backing-format", "FORMAT", "the format of that" },
	{ 'u', "unsafe", NULL, "do not look at the image behind it" },
	{ 'o', "options", "NAME=VALUE,...", "what the format offers; -o help lists it" },
	IMG_ROW_QUIET,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_create = {
	.name = "create",
	.arguments = "IMAGE [SIZE]",
	.summary = "Make an image",
	.options = options,
	.max = 2,
	.wanted = "expecting one image file name, and at most a size behind it",
	.failure = EXIT_FAILURE,
	.run = create,
};
