/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * info.c - socle-img info: what is this image?
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"
#include "img/snapshot.h"

static const char *on_off(bool value)
{
	return value ? "true" : "false";
}

static const char *name_of_compression(const struct qcow2_header *header)
{
	return header->compression == QCOW2_ZSTD ? "zstd" : "zlib";
}

/* ---- for programs ---- */

static json_t *bitmaps_json(struct image *image)
{
	g_autoptr(GPtrArray) bitmaps = qcow2_bitmaps(image, NULL);
	json_t *list = json_array();

	for (unsigned i = 0; bitmaps && i < bitmaps->len; i++) {
		const struct qcow2_bitmap *bitmap = bitmaps->pdata[i];
		json_t *flags = json_array();

		if (bitmap->in_use)
			json_array_append_new(flags, json_string("in-use"));
		if (bitmap->automatic)
			json_array_append_new(flags, json_string("auto"));
		json_array_append_new(list, json_pack("{s:o, s:s, s:I}", "flags", flags, "name",
						      bitmap->name, "granularity",
						      (json_int_t)1 << bitmap->granularity_bits));
	}
	return list;
}

static json_t *qcow2_json(struct image *image)
{
	const struct qcow2_header *header = qcow2_get_header(image);
	bool v3 = header->version > 2;
	json_t *data = json_pack("{s:s, s:s}", "compat", v3 ? "1.1" : "0.10", "compression-type",
				 name_of_compression(header));
	json_t *bitmaps = bitmaps_json(image);

	if (v3)
		json_object_set_new(data, "lazy-refcounts",
				    json_boolean(header->compatible & QCOW2_LAZY_REFCOUNTS));
	if (json_array_size(bitmaps))
		json_object_set(data, "bitmaps", bitmaps);
	json_decref(bitmaps);
	json_object_set_new(data, "refcount-bits", json_integer(1 << header->refcount_order));
	if (header->data_file) {
		json_object_set_new(data, "data-file", json_string(header->data_file));
		json_object_set_new(data, "data-file-raw",
				    json_boolean(header->autoclear & QCOW2_AUTOCLEAR_RAW_DATA));
	}
	if (v3) {
		json_object_set_new(data, "corrupt",
				    json_boolean(header->incompatible & QCOW2_CORRUPT));
		json_object_set_new(data, "extended-l2",
				    json_boolean(header->incompatible & QCOW2_EXTENDED_L2));
	}
	return json_pack("{s:s, s:o}", "type", "qcow2", "data", data);
}

static bool is_qcow2(const struct image *image)
{
	return image->ops == &image_qcow2_ops;
}

static json_t *image_json(struct image *image)
{
	json_t *json = json_object();
	bool dirty = is_qcow2(image) && qcow2_get_header(image)->incompatible & QCOW2_DIRTY;

	if (is_qcow2(image) && qcow2_snapshots(image)->len)
		json_object_set_new(json, "snapshots", snapshots_json(image));
	if (image->backing_file && image->backing_format)
		json_object_set_new(json, "backing-filename-format",
				    json_string(image->backing_format));
	json_object_set_new(json, "virtual-size", json_integer((json_int_t)image->size));
	json_object_set_new(json, "filename", json_string(image->path));
	if (image->cluster_size)
		json_object_set_new(json, "cluster-size", json_integer(image->cluster_size));
	json_object_set_new(json, "format", json_string(image->ops->format));
	json_object_set_new(json, "actual-size",
			    json_integer((json_int_t)block_file_allocated(image->file)));
	if (is_qcow2(image))
		json_object_set_new(json, "format-specific", qcow2_json(image));
	if (image->backing_file) {
		g_autofree char *full = image_resolve(image->path, image->backing_file);

		json_object_set_new(json, "full-backing-filename", json_string(full));
		json_object_set_new(json, "backing-filename", json_string(image->backing_file));
	}
	json_object_set_new(json, "dirty-flag", json_boolean(dirty));
	return json;
}

static void print_json(struct image *image, bool chain)
{
	json_t *json = chain ? json_array() : image_json(image);

	for (; chain && image; image = image->backing)
		json_array_append_new(json, image_json(image));
	(void)json_dumpf(json, stdout, JSON_INDENT(4));
	printf("\n");
	json_decref(json);
}

/* ---- for people ---- */

static void print_qcow2(struct image *image)
{
	const struct qcow2_header *header = qcow2_get_header(image);
	g_autoptr(GPtrArray) bitmaps = qcow2_bitmaps(image, NULL);
	bool v3 = header->version > 2;

	printf("Format specific information:\n    compat: %s\n    compression type: %s\n",
	       v3 ? "1.1" : "0.10", name_of_compression(header));
	if (v3)
		printf("    lazy refcounts: %s\n",
		       on_off(header->compatible & QCOW2_LAZY_REFCOUNTS));
	for (unsigned i = 0; bitmaps && i < bitmaps->len; i++) {
		const struct qcow2_bitmap *bitmap = bitmaps->pdata[i];

		printf("%s        [%u]:\n            flags:\n%s%s            name: %s\n"
		       "            granularity: %u\n",
		       i ? "" : "    bitmaps:\n", i,
		       bitmap->in_use ? "                [0]: in-use\n" : "",
		       bitmap->automatic ? "                [0]: auto\n" : "", bitmap->name,
		       1u << bitmap->granularity_bits);
	}
	printf("    refcount bits: %u\n", 1u << header->refcount_order);
	if (header->data_file)
		printf("    data file: %s\n    data file raw: %s\n", header->data_file,
		       on_off(header->autoclear & QCOW2_AUTOCLEAR_RAW_DATA));
	if (v3)
		printf("    corrupt: %s\n    extended l2: %s\n",
		       on_off(header->incompatible & QCOW2_CORRUPT),
		       on_off(header->incompatible & QCOW2_EXTENDED_L2));
}

static void print_human(struct image *image)
{
	g_autofree char *size = img_human(image->size);
	int64_t allocated = block_file_allocated(image->file);
	g_autofree char *taken = img_human(allocated < 0 ? 0 : (uint64_t)allocated);

	printf("image: %s\nfile format: %s\nvirtual size: %s (%" G_GUINT64_FORMAT " bytes)\n"
	       "disk size: %s\n",
	       image->path, image->ops->format, size, image->size, taken);
	if (image->cluster_size)
		printf("cluster_size: %u\n", image->cluster_size);
	if (is_qcow2(image) && qcow2_get_header(image)->incompatible & QCOW2_DIRTY)
		printf("cleanly shut down: no\n");
	if (image->backing_file) {
		g_autofree char *full = image_resolve(image->path, image->backing_file);

		printf("backing file: %s", image->backing_file);
		if (strcmp(full, image->backing_file) != 0)
			printf(" (actual path: %s)", full);
		printf("\n");
		if (image->backing_format)
			printf("backing file format: %s\n", image->backing_format);
	}
	if (!is_qcow2(image))
		return;
	if (qcow2_snapshots(image)->len)
		snapshots_print(image);
	print_qcow2(image);
}

int img_info(const struct img_command *command, int argc, char **argv)
{
	g_autofree char *format = NULL, *output = NULL;
	gboolean chain = FALSE, shared = FALSE;
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &format, "format; else it is looked at",
		  "FORMAT" },
		{ "output", 0, 0, G_OPTION_ARG_STRING, &output, "human or json", "WAY" },
		{ "backing-chain", 0, 0, G_OPTION_ARG_NONE, &chain,
		  "tell of the images behind it, too", NULL },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &shared,
		  "look at it also while others write to it", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	autoptr(image) image = NULL;
	bool json;
	int status;

	if (!img_parse(command, entries, &argc, &argv, 1, 1, &status))
		return status;
	if (!img_output(output, &json, &error))
		return img_fail(error);
	image = image_open(argv[1], format,
			   IMAGE_CHECK | (chain ? IMAGE_BACKING : 0) |
				   (shared ? IMAGE_SHARED | IMAGE_NO_LOCK : 0),
			   &error);
	if (!image)
		return img_fail(error);
	if (json)
		print_json(image, chain);
	for (struct image *i = image; !json && i; i = i->backing) {
		if (i != image)
			printf("\n");
		print_human(i);
	}
	return IMG_OK;
}
