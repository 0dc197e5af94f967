/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.c - socle-img measure: how much space would an image need?
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/luks-options.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

/* Clusters of the new image in which @image has some data. */
static bool count_data(struct image *image, uint64_t cluster, uint64_t *ret_data, GError **error)
{
	uint64_t off = 0, counted = 0, total = 0;

	while (off < image->size) {
		struct image_extent extent;
		uint64_t from, to;

		if (!image_map_chain(image, off, image->size - off, &extent, error))
			return false;
		if (!extent.len)
			return error_set(error, SOCLE_ERROR_CORRUPT,
					 "image '%s' has an extent of no bytes", image->path);
		from = MAX(off / cluster * cluster, counted);
		to = (off + extent.len + cluster - 1) / cluster * cluster;
		if (extent.kind == IMAGE_DATA && to > from) {
			total += to - from;
			counted = to;
		}
		off += extent.len;
	}
	*ret_data = total / cluster;
	return true;
}

/* The option has been looked at: what it says is possible. */
static uint64_t cluster_size(GHashTable *words)
{
	const char *extended = g_hash_table_lookup(words, "extended_l2");
	const char *word = g_hash_table_lookup(words, "cluster_size");
	uint64_t size;

	if (word && img_parse_size(word, &size, NULL) && size)
		return size;
	return g_strcmp0(extended, "on") ? 64 << 10 : 128 << 10;
}

static bool measure_qcow2(GHashTable *words, struct image *image, uint64_t size,
			  struct qcow2_measure *ret, GError **error)
{
	uint64_t data = QCOW2_NO_SOURCE;

	/* First without a look at the data, which may take long: is it possible at all? */
	return qcow2_measure(size, data, words, ret, error) &&
	       (!image || (count_data(image, cluster_size(words), &data, error) &&
			   qcow2_measure(size, data, words, ret, error)));
}

/* The header, and behind it as many bytes as there are. */
static bool measure_luks(GHashTable *words, uint64_t size, struct qcow2_measure *ret,
			 GError **error)
{
	const struct image_create what = { .path = "", .size = size, .options = words };
	struct luks_options luks;

	if (!luks_options_take(&what, "", &luks, error))
		return false;
	size += luks_len(&luks);
	*ret = (struct qcow2_measure){ .required = size, .fully_allocated = size };
	return true;
}

static bool measure_any(const char *format, GHashTable *words, struct image *image, uint64_t size,
			struct qcow2_measure *ret, GError **error)
{
	if (!strcmp(format, "qcow2"))
		return measure_qcow2(words, image, size, ret, error);
	if (!strcmp(format, "luks"))
		return measure_luks(words, size, ret, error);
	if (strcmp(format, "raw") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "Block driver '%s' does not support size measurement", format);
	*ret = (struct qcow2_measure){ .required = size, .fully_allocated = size };
	return true;
}

/* Version 2 has no bitmaps. */
static bool is_old(GHashTable *words)
{
	const char *compat = g_hash_table_lookup(words, "compat");

	return compat && (!strcmp(compat, "0.10") || !strcmp(compat, "v2"));
}

static bool bitmaps_size(GHashTable *words, struct image *image, uint64_t *ret, GError **error)
{
	g_autoptr(GPtrArray) bitmaps = qcow2_bitmaps(image, error);

	if (!bitmaps)
		return false;
	*ret = qcow2_bitmaps_size(bitmaps, image->size, cluster_size(words));
	return true;
}

static void print(const struct qcow2_measure *measure, bool json, bool bitmaps, uint64_t size)
{
	json_t *object;

	if (!json) {
		img_out("required size: %" PRIu64 "\nfully allocated size: %" PRIu64 "\n",
			measure->required, measure->fully_allocated);
		if (bitmaps)
			img_out("bitmaps size: %" PRIu64 "\n", size);
		return;
	}
	object = json_object();
	if (bitmaps)
		json_object_set_new(object, "bitmaps", json_integer((json_int_t)size));
	json_object_set_new(object, "required", json_integer((json_int_t)measure->required));
	json_object_set_new(object, "fully-allocated",
			    json_integer((json_int_t)measure->fully_allocated));
	img_out_json(object);
}

/* What was named, and how: by a size or by a file. */
static bool check_words(const struct img_args *args, uint64_t *ret_size, GError **error)
{
	const char *size = img_args_value(args, IMG_OPTION_SIZE);
	const bool about_file = img_args_has(args, 'f') || img_args_has(args, 'l') ||
				img_args_has(args, IMG_OPTION_IMAGE_OPTS);

	if (!img_check_snapshot(args, error) ||
	    (size && !img_parse_size_word(size, ret_size, error)))
		return false;
	if (img_args_words(args) > 1)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "At most one filename argument is allowed.");
	if (!img_args_words(args) && about_file)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "--image-opts, -f, and -l require a filename argument.");
	if (img_args_words(args) && size)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "--size N cannot be used together with a filename.");
	return img_args_words(args) || size ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "Either --size N or one filename must be specified.");
}

static bool open_source(const struct img_args *args, struct image **ret, GError **error)
{
	const char *path = img_args_word(args, 0);

	if (!path)
		return true;
	*ret = img_open_arg(args, path, 0, IMAGE_BACKING | IMAGE_LOCKED, error);
	return *ret && img_show_snapshot(args, *ret, error);
}

static int measure(const struct img_args *args, GError **error)
{
	const char *format = img_args_value(args, 'O');
	g_autoptr(GHashTable) words = NULL;
	autoptr(image) image = NULL;
	struct qcow2_measure result;
	bool json, bitmaps;
	uint64_t size = 0;

	format = format ? format : "raw";
	if (!image_format_find(format, NULL)) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "Unknown file format '%s'", format);
		return EXIT_FAILURE;
	}
	words = img_create_options(args, format, NULL, error);
	if (!words || !img_args_json(args, &json, error) || !check_words(args, &size, error) ||
	    !open_source(args, &image, error))
		return EXIT_FAILURE;
	if (image)
		size = image->size;
	size = (size + IMG_SECTOR - 1) & ~(uint64_t)(IMG_SECTOR - 1);
	if (!measure_any(format, words, image, size, &result, error))
		return EXIT_FAILURE;
	/* A source that can have bitmaps, and a target that can take them. */
	bitmaps = image && image->ops == &image_qcow2_ops && !strcmp(format, "qcow2") &&
		  qcow2_get_header(image)->version >= 3 && !is_old(words);
	if (bitmaps && !bitmaps_size(words, image, &size, error))
		return EXIT_FAILURE;
	print(&result, json, bitmaps, size);
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	{ 'O', "output-format", "FORMAT", "of the image that would be made (default raw)" },
	{ 'o', "options", "NAME=VALUE,...", "of that image" },
	{ IMG_OPTION_SIZE, "size", "BYTES", "for an empty image" },
	{ 'l', "snapshot", "NAME", "of a snapshot within the image" },
	IMG_ROW_FORMAT,
	IMG_ROW_OUTPUT,
	IMG_ROW_SHARED,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_measure = {
	.name = "measure",
	.arguments = "[IMAGE]",
	.summary = "Tell how much space a new image would need",
	.options = options,
	.max = 1000,
	.wanted = "At most one filename argument is allowed.",
	.failure = EXIT_FAILURE,
	.run = measure,
};
