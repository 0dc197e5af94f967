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
	{ "encryption", "qcow2", NULL },
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
	{ "preallocation", "luks", NULL },
	{ "key-secret", "luks", NULL },
	{ "cipher-alg", "luks", NULL },
	{ "cipher-mode", "luks", NULL },
	{ "ivgen-alg", "luks", NULL },
	{ "ivgen-hash-alg", "luks", NULL },
	{ "hash-alg", "luks", NULL },
	{ "iter-time", "luks", NULL },
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
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Expected backing file name, got empty string");
	if (!what->backing_file && what->backing_format)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a backing format (-F) is of no use without a backing file");
	if (what->backing_file && !img_target_is_new(path, what->backing_file, error))
		return false;
	return !what->backing_format || image_format_find(what->backing_format, error);
}

/* A format is not guessed by who opens the image later. */
static bool need_format(const struct image_create *what, const struct image *behind, GError **error)
{
	if (!what->backing_file || what->backing_format)
		return true;
	if (!behind)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Backing file specified without backing format; give it "
				 "with -F");
	return error_set(error, SOCLE_ERROR_USAGE,
			 "Backing file specified without backing format\n"
			 "Detected format of %s.",
			 behind->ops->format);
}

/* The size of the image behind, which must be there. */
static bool size_behind(const char *path, struct image_create *what, GError **error)
{
	g_autofree char *full = image_resolve(path, what->backing_file);
	autoptr(image) behind =
		image_open(full, what->backing_format, IMAGE_BACKING | IMAGE_LOCKED, error);

	if (!behind) {
		g_autofree char *cause = error && *error ? g_strdup((*error)->message) : NULL;

		g_clear_error(error);
		return error_set(error, SOCLE_ERROR_NOT_FOUND, "%s\nCould not open backing image.",
				 cause);
	}
	if (!need_format(what, behind, error))
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

/* The word behind the name, or the option: what is wrong with either is told in its own way. */
static bool find_size(const struct img_args *args, GHashTable *words, struct image_create *what,
		      bool *ret_given, GError **error)
{
	const char *word = img_args_word(args, 1), *option = g_hash_table_lookup(words, "size");

	*ret_given = word || option;
	if (word && !img_parse_size_word(word, &what->size, error))
		return false;
	if (word && option)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "%s: The image size must be specified only once", what->path);
	return !option || img_parse_size(option, &what->size, NULL) ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "%s: Parameter 'size' expects a non-negative number below 2^64\n"
			 "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, "
			 "peta-\nand exabytes, respectively.",
			 what->path);
}

/* Everything but the size as the user wrote it. */
static bool make(const struct img_args *args, const char *format, struct image_create *what,
		 bool sized, GError **error)
{
	GHashTable *words = what->options;
	const char *path = what->path;
	autoptr(img_target) target = NULL;

	if (!img_create_secret(args, words, what, error) || !img_create_hints(words, what, error) ||
	    !img_create_backing(args, path, 'b', words, what, error))
		return false;
	if (what->backing_file && img_args_has(args, 'u') && !need_format(what, NULL, error))
		return false;
	if (what->backing_file && !img_args_has(args, 'u')) {
		if (!size_behind(path, what, error))
			return false;
		sized = true;
	}
	if (!sized)
		return error_set(error, SOCLE_ERROR_USAGE, "Image creation needs a size parameter");
	target = img_target_new(path, error);
	if (!target)
		return false;
	if (!img_args_has(args, 'q'))
		tell(path, format, what);
	return img_create_fix_size(what, error) && img_target_create(target, format, what, error) &&
	       img_target_finish(target, error);
}

static int create(const struct img_args *args, GError **error)
{
	struct image_create what = { .path = img_args_word(args, 0) };
	const char *format = img_args_value(args, 'f');
	g_autoptr(GHashTable) words = NULL;
	bool sized;

	if (!format)
		format = "raw";
	if (img_wants_options_help(args))
		return img_out_options_help(format, error) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (!img_args_words(args)) {
		error_set(error, SOCLE_ERROR_USAGE, "expecting one image file name");
		return EXIT_FAILURE;
	}
	words = img_create_options(args, format, NULL, error);
	what.options = words;
	if (!words || !find_size(args, words, &what, &sized, error))
		return EXIT_FAILURE;
	if (make(args, format, &what, sized, error))
		return EXIT_SUCCESS;
	g_prefix_error(error, "%s: ", img_args_word(args, 0));
	return EXIT_FAILURE;
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
