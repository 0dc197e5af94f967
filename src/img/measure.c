/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.c - socle-img measure: how much space would an image need?
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

/* Bytes of the clusters of the new image in which @image has some data. */
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
	*ret_data = total;
	return true;
}

static bool cluster_size(GHashTable *words, uint64_t *ret, GError **error)
{
	const char *word = g_hash_table_lookup(words, "cluster_size");

	*ret = 65536;
	if (word && !img_parse_size(word, ret, error))
		return false;
	return *ret ? true : error_set(error, SOCLE_ERROR_USAGE, "a cluster has more than 0 bytes");
}

static bool measure_qcow2(GHashTable *words, struct image *image, uint64_t size,
			  struct qcow2_measure *ret, GError **error)
{
	const char *preallocation = g_hash_table_lookup(words, "preallocation");
	uint64_t cluster, data = 0;

	if (!cluster_size(words, &cluster, error) ||
	    (image && !count_data(image, cluster, &data, error)))
		return false;
	if (!g_strcmp0(preallocation, "full") || !g_strcmp0(preallocation, "falloc"))
		data = (size + cluster - 1) / cluster * cluster;
	return qcow2_measure(size, data, words, ret, error);
}

static bool measure_any(const char *format, GHashTable *words, struct image *image, uint64_t size,
			struct qcow2_measure *ret, GError **error)
{
	if (!strcmp(format, "qcow2"))
		return measure_qcow2(words, image, size, ret, error);
	if (strcmp(format, "raw") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' cannot be measured", format);
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
	uint64_t cluster;

	if (!bitmaps || !cluster_size(words, &cluster, error))
		return false;
	*ret = qcow2_bitmaps_size(bitmaps, image->size, cluster);
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

static int measure(const struct img_args *args, GError **error)
{
	const char *format = img_args_value(args, 'O'), *path = img_args_word(args, 0);
	bool sized = img_args_has(args, IMG_OPTION_SIZE), json, bitmaps;
	g_autoptr(GHashTable) words = NULL;
	autoptr(image) image = NULL;
	struct qcow2_measure result;
	uint64_t size;

	format = format ? format : "raw";
	if (sized == (path != NULL)) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "either --size N or one file name must be specified");
		return EXIT_FAILURE;
	}
	words = img_create_options(args, format, NULL, error);
	if (!words || !img_args_json(args, &json, error) ||
	    !img_args_size(args, IMG_OPTION_SIZE, "size", 0, &size, error))
		return EXIT_FAILURE;
	if (path) {
		image = img_open_arg(args, path, 0, IMAGE_BACKING | IMAGE_LOCKED, error);
		if (!image)
			return EXIT_FAILURE;
		size = image->size;
	}
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
	.max = 1,
	.wanted = "either --size N or one file name must be specified",
	.failure = EXIT_FAILURE,
	.run = measure,
};
