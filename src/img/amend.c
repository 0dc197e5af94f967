/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * amend.c - socle-img amend: other options for an image that is there
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/luks-options.h"
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

				 "Refcount width must be a power of two and may not exceed 64 "
				 "bits");
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

/* ---- key slots ---- */

/* Beside those that a new image has. */
static const struct image_option key_options[] = {
	{ "encrypt.state", "active|inactive", "whether a key slot gets a secret, or is erased" },
	{ "encrypt.new-secret", "ID", "the secret that it gets" },
	{ "encrypt.old-secret", "ID", "one that opens the image; those to be erased" },
	{ "encrypt.keyslot", "N", "0 to 7" },
	{ NULL, NULL, NULL },
};

static const char *key_word(GHashTable *words, const char *name)
{
	g_autofree char *full = g_strconcat("encrypt.", name, NULL);

	return g_hash_table_lookup(words, full);
}

static bool is_key_word(const char *name)
{
	if (!strcmp(name, "encrypt.format") || !strcmp(name, "encrypt.iter-time"))
		return true;
	for (const struct image_option *option = key_options; option->name; option++) {
		if (!strcmp(option->name, name))
			return true;
	}
	return false;
}

static bool wants_keys(GHashTable *words)
{
	GHashTableIter iter;
	void *name;

	g_hash_table_iter_init(&iter, words);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (is_key_word(name))
			return true;
	}
	return false;
}

static bool parse_slot(const char *text, int *ret, GError **error)
{
	uint64_t slot;

	*ret = LUKS_ANY_SLOT;
	if (!text)
		return true;
	if (!g_ascii_string_to_unsigned(text, 10, 0, LUKS_SLOTS - 1, &slot, NULL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "encrypt.keyslot is a number from 0 to %d, not '%s'",
				 LUKS_SLOTS - 1, text);
	*ret = (int)slot;
	return true;
}

static bool check_state(GHashTable *words, bool *ret_active, GError **error)
{
	const char *state = key_word(words, "state"), *format = key_word(words, "format");
	const bool added = key_word(words, "new-secret");

	if (format && strcmp(format, "luks") != 0)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"encrypt.format cannot be changed; convert the image to a new one");
	if (!state || (strcmp(state, "active") != 0 && strcmp(state, "inactive") != 0))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "encrypt.state is needed to change key slots: active or inactive");
	*ret_active = !strcmp(state, "active");
	if (*ret_active && !added)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "encrypt.state=active needs encrypt.new-secret");
	if (!*ret_active && (added || key_word(words, "iter-time")))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "encrypt.state=inactive takes neither new-secret nor iter-time");
	return true;
}

/* The one that opens it: named here, or as that of the image. */
static bool find_secret(const struct img_args *args, GHashTable *words, bool active, int slot,
			const struct secret **ret, GError **error)
{
	autoptr(img_name) name = img_name_of(args, img_args_word(args, 0), NULL, error);

	if (!name || !img_option_secret(args, words, "encrypt.old-secret", ret, error))
		return false;
	if (!active && *ret && slot != LUKS_ANY_SLOT)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "what is erased is said by encrypt.old-secret or by "
				 "encrypt.keyslot, not by both");
	if (!*ret && active && name->secrets->len)
		*ret = name->secrets->pdata[0];
	if (*ret || (!active && slot != LUKS_ANY_SLOT))
		return true;
	return error_set(
		error, SOCLE_ERROR_USAGE,
		active ? "a secret that opens the image is needed: give "
			 "encrypt.old-secret=ID, or --image-opts with encrypt.key-secret=ID"
		       : "what is to be erased? Give encrypt.old-secret or encrypt.keyslot");
}

static bool change_keys(const struct img_args *args, struct image *image, GHashTable *words,
			GError **error)
{
	struct qcow2_key_change what = { .force = img_args_has(args, IMG_OPTION_FORCE) };
	bool active = false;

	return !wants_keys(words) ||
	       (check_state(words, &active, error) &&
		parse_slot(key_word(words, "keyslot"), &what.slot, error) &&
		luks_iter_time(key_word(words, "iter-time"), &what.iter_time_ms, error) &&
		img_option_secret(args, words, "encrypt.new-secret", &what.added, error) &&
		find_secret(args, words, active, what.slot, &what.secret, error) &&
		qcow2_change_keys(image, &what, error));
}

static bool change(const struct img_args *args, struct image *image, GHashTable *words,
		   GError **error)
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
		    !is_key_word(name) && !parse_one(&what, name, value, error))
			return false;
	}
	if (!change_keys(args, image, words, error) || !qcow2_amend(image, &what, error))
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
			"data_file_raw, lazy_refcounts, refcount_bits, size, encrypt.state, "
			"encrypt.new-secret, "
			"encrypt.old-secret, encrypt.keyslot, encrypt.iter-time\n");
		return EXIT_SUCCESS;
	}
	if (!img_args_words(args)) {
		error_set(error, SOCLE_ERROR_USAGE, "expecting one image file name");
		return EXIT_FAILURE;
	}
	words = img_create_options(args, "qcow2", key_options, error);
	if (!words)
		return EXIT_FAILURE;
	image = img_open_write(args, img_args_word(args, 0), "qcow2",
			       IMAGE_LOCKED | IMAGE_DATA_FILE, error);
	if (!image)
		return EXIT_FAILURE;
	if (image->ops != &image_qcow2_ops) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "only qcow2 images can be amended");
		return EXIT_FAILURE;
	}
	return change(args, image, words, error) && image_flush(image, error) ? EXIT_SUCCESS
									      : EXIT_FAILURE;
}

static const struct img_option options[] = {
	{ 'o', "options", "NAME=VALUE,...", "what is to be changed; -o help lists it" },
	{ 'f', "format", "FORMAT", "format of the image (default qcow2)" },
	{ IMG_OPTION_FORCE, "force", NULL, "erase key slots even if nothing opens the image then" },
	IMG_ROW_CACHE,
	IMG_ROW_PROGRESS,
	IMG_ROW_QUIET,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
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
