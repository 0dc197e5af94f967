/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.c - socle-img measure: how large would an image become?
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

struct measure {
	char *format, *target_format, *size, *output, *snapshot;
	char **options;
	gboolean shared;
};

/* Bytes of data in the image, in whole pieces of @unit bytes. */
static bool count_data(struct image *image, uint64_t unit, uint64_t *ret_data, GError **error)
{
	uint64_t data = 0, counted = 0, len;

	for (uint64_t off = 0; off < image->size; off += len) {
		struct image_extent extent;
		uint64_t first, last;

		if (!image_map_chain(image, off, image->size - off, &extent, error))
			return false;
		len = extent.len;
		if (extent.kind != IMAGE_DATA)
			continue;
		first = MAX(off / unit * unit, counted);
		last = MIN((off + len + unit - 1) / unit * unit, image->size);
		data += last > first ? last - first : 0;
		counted = MAX(counted, last);
	}
	*ret_data = data;
	return true;
}

static uint64_t cluster_of(GHashTable *options)
{
	const char *text = g_hash_table_lookup(options, "cluster_size");
	uint64_t size = 65536;

	return text && img_size(text, &size, NULL) && size >= 512 && size <= 2 << 20 ? size : 65536;
}

static void print(const struct qcow2_measure *m, bool qcow2, bool json)
{
	if (json) {
		json_t *object = json_object();

		if (qcow2)
			json_object_set_new(object, "bitmaps", json_integer(0));
		json_object_set_new(object, "required", json_integer((json_int_t)m->required));
		json_object_set_new(object, "fully-allocated",
				    json_integer((json_int_t)m->fully_allocated));
		(void)json_dumpf(object, stdout, JSON_INDENT(4));
		printf("\n");
		json_decref(object);
		return;
	}
	printf("required size: %" G_GUINT64_FORMAT "\nfully allocated size: %" G_GUINT64_FORMAT
	       "\n%s",
	       m->required, m->fully_allocated, qcow2 ? "bitmaps size: 0\n" : "");
}

static bool run(const struct measure *m, const char *path, GError **error)
{
	const char *format = m->target_format ? m->target_format : "raw";
	const struct image_ops *ops = image_format_find(format, error);
	g_autoptr(GHashTable) options =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	struct qcow2_measure result = { 0 };
	bool json, qcow2 = ops == &image_qcow2_ops;
	uint64_t size = 0, data = 0;

	if (!ops || !img_output(m->output, &json, error) ||
	    !img_create_options(m->options, ops, options, error))
		return false;
	if (!path == !m->size)
		return error_set(error, SOCLE_ERROR_USAGE, "give either an image or --size");
	if (m->size && !img_size(m->size, &size, error))
		return false;
	if (!qcow2 && strcmp(format, "raw") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "the size of images of format '%s' cannot be told before", format);
	if (path) {
		autoptr(image) image = image_open(
			path, m->format,
			IMAGE_BACKING | (m->shared ? IMAGE_SHARED | IMAGE_NO_LOCK : 0), error);

		if (!image ||
		    (qcow2 && !count_data(image, qcow2 ? cluster_of(options) : 512, &data, error)))
			return false;
		size = image->size;
	}
	size = (size + 511) & ~(uint64_t)511;
	result = (struct qcow2_measure){ .required = size, .fully_allocated = size };
	if (qcow2 && !qcow2_measure(size, data, options, &result, error))
		return false;
	print(&result, qcow2 && path, json);
	return true;
}

int img_measure(const struct img_command *command, int argc, char **argv)
{
	struct measure m = { 0 };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &m.format,
		  "format of the image; else it is looked at", "FORMAT" },
		{ "target-format", 'O', 0, G_OPTION_ARG_STRING, &m.target_format,
		  "format that it would have; else raw", "FORMAT" },
		{ "options", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &m.options,
		  "options of that format", "A=B,..." },
		{ "size", 0, 0, G_OPTION_ARG_STRING, &m.size, "of an image that is not there",
		  "SIZE" },
		{ "snapshot", 'l', 0, G_OPTION_ARG_STRING, &m.snapshot, "has no effect", "NAME" },
		{ "output", 0, 0, G_OPTION_ARG_STRING, &m.output, "human or json", "WAY" },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &m.shared,
		  "look at it also while others write to it", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (img_parse(command, entries, &argc, &argv, 0, 1, &status))
		status = run(&m, argc > 1 ? argv[1] : NULL, &error) ? IMG_OK : img_fail(error);
	g_free(m.format);
	g_free(m.target_format);
	g_free(m.size);
	g_free(m.output);
	g_free(m.snapshot);
	g_strfreev(m.options);
	return status;
}
