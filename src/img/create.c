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
	const char *name, *format, *value;
} told[] = {
	{ "encrypt.format", "qcow2", NULL },
	{ "encrypt.key-secret", "qcow2", NULL },
	{ "encrypt.cipher-alg", "qcow2", NULL },
	{ "encrypt.cipher-mode", "qcow2", NULL },
	{ "encrypt.ivgen-alg", "qcow2", NULL },
	{ "encrypt.ivgen-hash-alg", "qcow2", NULL },
	{ "encrypt.hash-alg", "qcow2", NULL },
	{ "encrypt.iter-time", "qcow2", NULL },
	{ "cluster_size", "qcow2", "65536" },
	{ "extended_l2", "qcow2", "off" },
	{ "preallocation", "qcow2", NULL },
	{ "compression_type", "qcow2", "zlib" },
	{ "size", NULL, NULL },
	{ "compat", "qcow2", NULL },
	{ "backing_file", NULL, NULL },
	{ "backing_fmt", NULL, NULL },
	{ "data_file", "qcow2", NULL },
	{ "data_file_raw", "qcow2", NULL },
	{ "lazy_refcounts", "qcow2", "off" },
	{ "refcount_bits", "qcow2", "16" },
	{ "preallocation", "raw", NULL },
	{ "static", "vdi", "off" },
	{ "subformat", NULL, NULL },
	{ "adapter_type", NULL, NULL },
	{ "hwversion", NULL, NULL },
	{ "compat6", NULL, NULL },
	{ "force_size", NULL, NULL },
	{ "log_size", NULL, NULL },
	{ "block_size", NULL, NULL },
	{ "block_state_zero", NULL, NULL },
};

static void tell_value(const char *name, const char *value)
{
	uint64_t bytes;

	/* "64k" is told as what it means. */
	if (g_str_has_suffix(name, "_size") && img_parse_size(value, &bytes, NULL))
		img_out(" %s=%" PRIu64, name, bytes);
	else
		img_out(" %s=%s", name, value);
}

static void tell_one(const char *format, const struct image_create *what, unsigned i)
{
	const char *name = told[i].name, *value = image_create_option(what, name, told[i].value);

	if (told[i].format && strcmp(told[i].format, format) != 0)
		return;
	if (!strcmp(name, "size"))
		img_out(" size=%" PRIu64, what->size);
	else if (!strcmp(name, "backing_file"))
		value = what->backing_file;
	else if (!strcmp(name, "backing_fmt"))
		value = what->backing_format;
	if (value && strcmp(name, "size") != 0)
		tell_value(name, value);
}

static void tell(const char *path, const char *format, const struct image_create *what)
{
	img_out("Formatting '%s', fmt=%s", path, format);
	for (unsigned i = 0; i < ARRAY_SIZE(told); i++)
		tell_one(format, what, i);
	img_out("\n");
}

bool img_create_backing(const struct img_args *args, const char *path, int backing_id,
			GHashTable *words, struct image_create *what, GError **error)
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
	if (what->backing_file && !img_target_is_new(path, what->backing_file, error))
		return false;
	return !what->backing_format || image_format_find(what->backing_format, error);
}

/* The size of the image behind, which must be there. */
static bool size_behind(const char *path, struct image_create *what, GError **error)
{
	g_autofree char *full = image_resolve(path, what->backing_file);
	autoptr(image) behind =
		image_open(full, what->backing_format, IMAGE_BACKING | IMAGE_LOCKED, error);

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
	    !img_option_secret(args, words, "encrypt.key-secret", &what.secret, error) ||
	    !img_create_backing(args, path, 'b', words, &what, error))
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
	if (!img_create_fix_size(&what, error) ||
	    !img_target_create(target, format, &what, error) || !img_target_finish(target, error))
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
	words = img_create_options(args, format, NULL, error);
	return words ? make(args, format, words, error) : EXIT_FAILURE;
}

static const struct img_option options[] = {
	{ 'f', "format", "FORMAT", "of the new image (default raw)" },
	{ 'b', "backing", "FILE", "the image behind it" },
	{ 'F', "backing-format", "FORMAT", "the format of that" },
	{ 'u', "unsafe", NULL, "do not look at the image behind it" },
	{ 'o', "options", "NAME=VALUE,...", "what the format offers; -o help lists it" },
	IMG_ROW_OBJECT,
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
