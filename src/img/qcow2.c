/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2.c - what info and snapshot tell of qcow2 images
 */
#include "img/qcow2.h"

#include <inttypes.h>
#include <time.h>

#include "block/qcow2/qcow2.h"

static const struct qcow2_header *header_of(struct image *image)
{
	return image->ops == &image_qcow2_ops ? qcow2_get_header(image) : NULL;
}

bool img_qcow2_is_dirty(struct image *image)
{
	const struct qcow2_header *header = header_of(image);

	return header && header->incompatible & QCOW2_DIRTY;
}

bool img_qcow2_is_encrypted(struct image *image)
{
	const struct qcow2_header *header = header_of(image);

	return header && header->crypt != QCOW2_CRYPT_NONE;
}

static json_t *bitmap_json(const struct qcow2_bitmap *bitmap)
{
	json_t *object = json_object(), *flags = json_array();

	if (bitmap->in_use)
		json_array_append_new(flags, json_string("in-use"));
	if (bitmap->automatic)
		json_array_append_new(flags, json_string("auto"));
	json_object_set_new(object, "flags", flags);
	json_object_set_new(object, "name", img_json_string(bitmap->name));
	json_object_set_new(object, "granularity",
			    json_integer((json_int_t)1 << bitmap->granularity_bits));
	return object;
}

/* NULL: there are none, or they cannot be read, which `check` tells. */
static json_t *bitmaps_json(struct image *image)
{
	g_autoptr(GPtrArray) bitmaps = qcow2_bitmaps(image, NULL);
	json_t *list;

	if (!bitmaps || !bitmaps->len)
		return NULL;
	list = json_array();
	for (unsigned i = 0; i < bitmaps->len; i++)
		json_array_append_new(list, bitmap_json(bitmaps->pdata[i]));
	return list;
}

/* What is special about an image, as JSON and in words; in QEMU's order. */
static json_t *specifics(struct image *image)
{
	const struct qcow2_header *header = qcow2_get_header(image);
	json_t *bitmaps = bitmaps_json(image);
	bool v3 = header->version >= 3;
	json_t *data = json_object();

	json_object_set_new(data, "compat", json_string(v3 ? "1.1" : "0.10"));
	json_object_set_new(data, "compression-type",
			    json_string(header->compression == QCOW2_ZSTD ? "zstd" : "zlib"));
	if (v3)
		json_object_set_new(data, "lazy-refcounts",
				    json_boolean(header->compatible & QCOW2_LAZY_REFCOUNTS));
	if (bitmaps)
		json_object_set_new(data, "bitmaps", bitmaps);
	json_object_set_new(data, "refcount-bits", json_integer(1 << header->refcount_order));
	if (header->data_file) {
		json_object_set_new(data, "data-file", img_json_string(header->data_file));
		json_object_set_new(data, "data-file-raw",
				    json_boolean(header->autoclear & QCOW2_AUTOCLEAR_RAW_DATA));
	}
	if (v3)
		json_object_set_new(data, "corrupt",
				    json_boolean(header->incompatible & QCOW2_CORRUPT));
	if (v3)
		json_object_set_new(data, "extended-l2",
				    json_boolean(header->incompatible & QCOW2_EXTENDED_L2));
	return data;
}

static void print_bitmaps(json_t *list)
{
	size_t i, k;
	json_t *bitmap, *flag;

	img_out("    bitmaps:\n");
	json_array_foreach(list, i, bitmap)
	{
		json_t *flags = json_object_get(bitmap, "flags");

		img_out("        [%zu]:\n            flags:\n", i);
		json_array_foreach(flags, k, flag)
			img_out("                [%zu]: %s\n", k, json_string_value(flag));
		img_out("            name: %s\n            granularity: %" JSON_INTEGER_FORMAT "\n",
			json_string_value(json_object_get(bitmap, "name")),
			json_integer_value(json_object_get(bitmap, "granularity")));
	}
}

static void print_specific(const char *key, json_t *value)
{
	g_autofree char *words = g_strdelimit(g_strdup(key), "-", ' ');

	if (json_is_array(value))
		print_bitmaps(value);
	else if (json_is_boolean(value))
		img_out("    %s: %s\n", words, json_is_true(value) ? "true" : "false");
	else if (json_is_integer(value))
		img_out("    %s: %" JSON_INTEGER_FORMAT "\n", words, json_integer_value(value));
	else
		img_out("    %s: %s\n", words, json_string_value(value));
}

static void print_snapshot(const struct qcow2_snapshot *snapshot)
{
	g_autofree char *size = img_human_size(snapshot->vm_size);
	g_autofree char *icount = NULL;
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_local(snapshot->date_s);
	g_autofree char *when = date ? g_date_time_format(date, "%Y-%m-%d %H:%M:%S") : NULL;
	uint64_t ms = snapshot->vm_clock_ns / 1000000, s = ms / 1000;
	g_autofree char *clock =
		g_strdup_printf("%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64, s / 3600,
				s / 60 % 60, s % 60, ms % 1000);

	icount = snapshot->icount == UINT64_MAX ? g_strdup("")
						: g_strdup_printf("%" PRIu64, snapshot->icount);
	img_out("%-9s %-16s %8s%20s%13s%11s\n", snapshot->id, snapshot->name, size,
		when ? when : "", clock, icount);
}

void img_qcow2_print_snapshots(struct image *image)
{
	const GPtrArray *snapshots = header_of(image) ? qcow2_snapshots(image) : NULL;

	if (!snapshots || !snapshots->len)
		return;
	img_out("Snapshot list:\n%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE",
		"VM CLOCK", "ICOUNT");
	for (unsigned i = 0; i < snapshots->len; i++)
		print_snapshot(snapshots->pdata[i]);
}

void img_qcow2_print(struct image *image)
{
	const struct qcow2_header *header = header_of(image);
	const char *key;
	json_t *data, *value;

	if (!header)
		return;
	img_qcow2_print_snapshots(image);
	img_out("Format specific information:\n");
	data = specifics(image);
	json_object_foreach(data, key, value) print_specific(key, value);
	json_decref(data);
}

static json_t *snapshot_json(const struct qcow2_snapshot *snapshot)
{
	json_t *object = json_object();

	if (snapshot->icount != UINT64_MAX)
		json_object_set_new(object, "icount", json_integer((json_int_t)snapshot->icount));
	json_object_set_new(object, "vm-clock-nsec",
			    json_integer((json_int_t)(snapshot->vm_clock_ns % 1000000000)));
	json_object_set_new(object, "name", img_json_string(snapshot->name));
	json_object_set_new(object, "date-sec", json_integer(snapshot->date_s));
	json_object_set_new(object, "date-nsec", json_integer(snapshot->date_ns));
	json_object_set_new(object, "vm-clock-sec",
			    json_integer((json_int_t)(snapshot->vm_clock_ns / 1000000000)));
	json_object_set_new(object, "id", img_json_string(snapshot->id));
	json_object_set_new(object, "vm-state-size", json_integer((json_int_t)snapshot->vm_size));
	return object;
}

void img_qcow2_json(struct image *image, json_t *info)
{
	const struct qcow2_header *header = header_of(image);
	const GPtrArray *snapshots;
	json_t *specific, *list;

	if (!header)
		return;
	snapshots = qcow2_snapshots(image);
	list = json_array();
	for (unsigned i = 0; i < snapshots->len; i++)
		json_array_append_new(list, snapshot_json(snapshots->pdata[i]));
	if (snapshots->len)
		json_object_set(info, "snapshots", list);
	json_decref(list);
	specific = json_object();
	json_object_set_new(specific, "type", json_string("qcow2"));
	json_object_set_new(specific, "data", specifics(image));
	json_object_set_new(info, "format-specific", specific);
}
