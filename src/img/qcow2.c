/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2.c - what info and snapshot tell of qcow2 images
 */
#include "img/qcow2.h"

#include <inttypes.h>
#include <time.h>

#include "block/crypt/luks.h"
#include "block/format/format.h"
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

static json_t *slot_json(const struct luks_slot *slot)
{
	json_t *object = json_object();

	json_object_set_new(object, "active", json_boolean(slot->active));
	if (slot->active)
		json_object_set_new(object, "iters", json_integer(slot->iterations));
	json_object_set_new(object, "key-offset",
			    json_integer((json_int_t)slot->key_sector * CRYPT_SECTOR));
	if (slot->active)
		json_object_set_new(object, "stripes", json_integer(slot->stripes));
	return object;
}

/* @within: a qcow2 image has it. */
static json_t *luks_json(const struct luks_header *luks, bool within)
{
	const struct crypt_method *method = &luks->method;
	json_t *object = json_object(), *slots = json_array();

	json_object_set_new(object, "ivgen-alg", json_string(crypt_ivgen_names[method->ivgen]));
	json_object_set_new(object, "hash-alg", json_string(crypt_hash_names[luks->hash]));
	json_object_set_new(object, "cipher-alg",
			    json_string(crypt_algorithm_names[method->algorithm]));
	json_object_set_new(object, "uuid", json_string(luks->uuid));
	if (method->ivgen == CRYPT_ESSIV)
		json_object_set_new(object, "ivgen-hash-alg",
				    json_string(crypt_hash_names[method->ivgen_hash]));
	if (within)
		json_object_set_new(object, "format", json_string("luks"));
	json_object_set_new(object, "cipher-mode", json_string(crypt_mode_names[method->mode]));
	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		json_array_append_new(slots, slot_json(&luks->slot[i]));
	json_object_set_new(object, "slots", slots);
	json_object_set_new(object, "payload-offset",
			    json_integer((json_int_t)luks->payload_sector * CRYPT_SECTOR));
	json_object_set_new(object, "master-key-iters", json_integer(luks->digest_iterations));
	return object;
}

/* NULL: it is not encrypted, or cannot be read, which opening it tells. */
static json_t *encrypt_json(struct image *image)
{
	const struct luks_header *luks = qcow2_get_luks(image);

	if (luks)
		return luks_json(luks, true);
	if (qcow2_get_header(image)->crypt == QCOW2_CRYPT_AES)
		return json_pack("{s:s}", "format", "aes");
	return NULL;
}

/* What is special about an image, as JSON and in words; in QEMU's order. */
static json_t *specifics(struct image *image)
{
	const struct qcow2_header *header = qcow2_get_header(image);
	json_t *bitmaps = bitmaps_json(image), *encrypt = encrypt_json(image);
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
	if (encrypt)
		json_object_set_new(data, "encrypt", encrypt);
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

/* NULL: there is nothing special. */
static json_t *specifics_of(struct image *image)
{
	const struct luks_header *luks = luks_image_header(image);

	if (luks)
		return luks_json(luks, false);
	return header_of(image) ? specifics(image) : NULL;
}

static void print_members(json_t *value, int indent);

static void print_value(const char *name, json_t *value, int indent)
{
	img_out("%*s%s:", indent, "", name);
	if (json_is_object(value) || json_is_array(value)) {
		img_out("\n");
		print_members(value, indent + 4);
	} else if (json_is_boolean(value)) {
		img_out(" %s\n", json_is_true(value) ? "true" : "false");
	} else if (json_is_integer(value)) {
		img_out(" %" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	} else {
		img_out(" %s\n", json_string_value(value));
	}
}

/* What an object or an array has, one a line. */
static void print_members(json_t *value, int indent)
{
	const char *key;
	json_t *each;
	size_t i;

	json_array_foreach(value, i, each)
	{
		g_autofree char *name = g_strdup_printf("[%zu]", i);

		print_value(name, each, indent);
	}
	json_object_foreach(value, key, each)
	{
		g_autofree char *words = g_strdelimit(g_strdup(key), "-", ' ');

		print_value(words, each, indent);
	}
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
	img_qcow2_print_snapshots(image);
	img_qcow2_print_specific(image);
}

void img_qcow2_print_specific(struct image *image)
{
	json_t *data;

	data = specifics_of(image);
	if (!data)
		return;
	img_out("Format specific information:\n");
	print_members(data, 4);
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

static void snapshots_json(struct image *image, json_t *info)
{
	const GPtrArray *snapshots = qcow2_snapshots(image);
	json_t *list = json_array();

	for (unsigned i = 0; i < snapshots->len; i++)
		json_array_append_new(list, snapshot_json(snapshots->pdata[i]));
	if (snapshots->len)
		json_object_set(info, "snapshots", list);
	json_decref(list);
}

void img_qcow2_json(struct image *image, json_t *info)
{
	json_t *data = specifics_of(image), *specific;

	if (!data)
		return;
	if (header_of(image))
		snapshots_json(image, info);
	specific = json_object();
	json_object_set_new(specific, "type", json_string(image->ops->format));
	json_object_set_new(specific, "data", data);
	json_object_set_new(info, "format-specific", specific);
}
