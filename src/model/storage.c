/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * storage.c - the steps parse, fill in and format of storage pools and volumes
 */
#include "model/storage.h"

#include <string.h>

#include "model/fields-int.h"
#include "model/fill-int.h"
#include "model/parse-int.h"

/* == Pools == */

struct storage_pool *storage_pool_parse(const char *xml, size_t len, unsigned flags,
					struct notes *notes, GError **error)
{
	struct field_parse how = { .notes = notes, .strict = flags & STORAGE_PARSE_STRICT };

	return document_parse(&storage_pool_record, "pool", xml, len, &how, error);
}

void storage_pool_fill(struct storage_pool *pool)
{
	if (!pool->name && pool->source.name)
		pool->name = g_strdup(pool->source.name);
	if (!pool->uuid)
		pool->uuid = g_uuid_string_random();
	if (pool->type == STORAGE_POOL_LOGICAL) {
		if (!pool->source.name && pool->name)
			pool->source.name = g_strdup(pool->name);
		if (!pool->target.path && pool->source.name)
			pool->target.path = g_strconcat("/dev/", pool->source.name, NULL);
		text_default(&pool->source.format.type, "lvm2");
	}
	if (pool->type == STORAGE_POOL_DISK)
		text_default(&pool->target.path, "/dev");
	if (pool->type == STORAGE_POOL_FS || pool->type == STORAGE_POOL_NETFS)
		text_default(&pool->source.format.type, "auto");
	/* libvirt writes them of a pool that has never been started, too. */
	number_default(&pool->capacity, 0);
	number_default(&pool->allocation, 0);
	number_default(&pool->available, 0);
}

char *storage_pool_format(const struct storage_pool *pool)
{
	return document_format(&storage_pool_record, pool, "pool", 0);
}

/* As libvirt has them; disks of iSCSI are called "unit:0:0:N". */
char *storage_vol_path(const struct storage_pool *pool, const char *name)
{
	const struct storage_pool_source *source = &pool->source;
	const char *folder = pool->target.path, *colon = strrchr(name, ':');

	if (folder)
		return g_strdup_printf("%s%s%s", folder, g_str_has_suffix(folder, "/") ? "" : "/",
				       name);
	if (pool->type == STORAGE_POOL_ISCSI_DIRECT && source->host_count && source->device_count)
		return g_strdup_printf("ip-%s:%d-iscsi-%s-lun-%s", source->hosts[0].name,
				       source->hosts[0].port.set ? (int)source->hosts[0].port.value
								 : 3260,
				       source->devices[0].path, colon ? colon + 1 : name);
	return g_strdup_printf("%s/%s", source->name ? source->name : pool->name, name);
}

char *storage_vol_of_path(const struct storage_pool *pool, const char *path)
{
	const char *before = pool->type == STORAGE_POOL_ISCSI_DIRECT ? "unit:0:0:" : "";
	g_autofree char *begin = storage_vol_path(pool, before);

	if (pool->target.path || !g_str_has_prefix(path, begin))
		return NULL;
	return g_strconcat(before, path + strlen(begin), NULL);
}

struct storage_pool *storage_pool_copy(const struct storage_pool *pool)
{
	struct storage_pool *copy = g_new(struct storage_pool, 1);

	record_copy(&storage_pool_record, copy, pool);
	return copy;
}

void storage_pool_free(struct storage_pool *pool)
{
	document_free(&storage_pool_record, pool);
}

struct storage_pool *storage_source_parse(const char *xml, size_t len, GError **error)
{
	struct field_parse how = { 0 };
	struct storage_pool_source *source =
		document_parse(&storage_source_record, "source", xml, len, &how, error);
	struct storage_pool *pool;

	if (!source)
		return NULL;
	pool = g_new0(struct storage_pool, 1);
	pool->source = *source;
	g_free(source);
	return pool;
}

char *storage_sources_format(const struct storage_pool *const *pools, unsigned count)
{
	struct xml_out out = { .text = g_string_new(NULL) };

	xml_out_start(&out, "sources");
	for (unsigned i = 0; i < count; i++)
		record_format(&storage_source_record, &pools[i]->source, "source", &out, 0);
	xml_out_end(&out, "sources", NULL);
	return g_string_free(out.text, FALSE);
}

static void free_pool(void *data)
{
	storage_pool_free(data);
}

GPtrArray *storage_sources_parse(const char *xml, size_t len, GError **error)
{
	struct field_parse how = { 0 };
	struct storage_sources *sources =
		document_parse(&storage_sources_record, "sources", xml, len, &how, error);
	GPtrArray *pools;

	if (!sources)
		return NULL;
	pools = g_ptr_array_new_with_free_func(free_pool);
	for (unsigned i = 0; i < sources->count; i++) {
		struct storage_pool *pool = g_new0(struct storage_pool, 1);

		pool->source = sources->list[i];
		sources->list[i] = (struct storage_pool_source){ 0 };
		g_ptr_array_add(pools, pool);
	}
	document_free(&storage_sources_record, sources);
	return pools;
}

void storage_source_add_device(struct storage_pool_source *source, const char *path)
{
	struct storage_device *device =
		list_add(&storage_device_record, &source->devices, &source->device_count);

	device->path = g_strdup(path);
}

bool storage_source_remove_device(struct storage_pool_source *source, const char *path)
{
	for (unsigned i = 0; i < source->device_count; i++) {
		if (g_strcmp0(source->devices[i].path, path) != 0)
			continue;
		list_remove(&storage_device_record, &source->devices, &source->device_count, i);
		return true;
	}
	return false;
}

/* == Volumes == */

struct storage_vol *storage_vol_parse(const char *xml, size_t len, unsigned flags,
				      struct notes *notes, GError **error)
{
	struct field_parse how = { .notes = notes, .strict = flags & STORAGE_PARSE_STRICT };

	return document_parse(&storage_vol_record, "volume", xml, len, &how, error);
}

bool storage_vol_is_raw(const struct storage_vol *vol)
{
	const char *format = vol->target.format.type;

	return !format || !strcmp(format, "raw") || !strcmp(format, "iso");
}

struct storage_vol *storage_vol_skim(const char *xml, size_t len)
{
	return document_skim(&storage_vol_record, "volume", xml, len);
}

void storage_vol_take_raw(struct storage_vol *vol)
{
	struct storage_target *target = &vol->target;

	if (!g_strcmp0(target->format.type, "iso"))
		return;
	g_free(target->format.type);
	target->format.type = g_strdup("raw");
	g_clear_pointer(&target->compat, g_free);
	target->cluster_size = (struct number){ 0 };
	target->features = (struct storage_features){ .set = false };
	g_clear_pointer(&vol->backing.path, g_free);
	g_clear_pointer(&vol->backing.format.type, g_free);
	if (vol->physical.set)
		vol->capacity = vol->physical;
}

char *storage_vol_format(const struct storage_vol *vol)
{
	return document_format(&storage_vol_record, vol, "volume", 0);
}

struct storage_vol *storage_vol_copy(const struct storage_vol *vol)
{
	struct storage_vol *copy = g_new(struct storage_vol, 1);

	record_copy(&storage_vol_record, copy, vol);
	return copy;
}

void storage_vol_free(struct storage_vol *vol)
{
	document_free(&storage_vol_record, vol);
}

/* == What there is == */

static const char *const fs_formats[] = { "auto", "ext2", "ext3", "ext4", "iso9660",
					  "udf",  "vfat", "xfs",  NULL };
static const char *const netfs_formats[] = { "auto", "nfs", "glusterfs", "cifs", NULL };
static const char *const disk_formats[] = { "dos", "gpt", NULL };
static const char *const logical_formats[] = { "lvm2", NULL };
static const char *const file_formats[] = { "raw", "dir", "qcow", "qcow2", "vmdk",
					    "vpc", "vdi", "iso",  NULL };
static const char *const partition_formats[] = { "none", "linux", NULL };

/* What a pool of a type can be of, and its volumes; the first one is the default. */
static const struct {
	const char *const *pool, *const *vol;
} options[STORAGE_POOL_TYPE_COUNT] = {
	[STORAGE_POOL_DIR] = { NULL, file_formats },
	[STORAGE_POOL_FS] = { fs_formats, file_formats },
	[STORAGE_POOL_NETFS] = { netfs_formats, file_formats },
	[STORAGE_POOL_LOGICAL] = { logical_formats, NULL },
	[STORAGE_POOL_DISK] = { disk_formats, partition_formats },
};

static void format_options(struct xml_out *out, const char *element, const char *name,
			   const char *const *values)
{
	if (!values)
		return;
	xml_out_start(out, element);
	xml_out_start(out, "defaultFormat");
	xml_out_attr(out, "type", values[0]);
	xml_out_end(out, "defaultFormat", NULL);
	xml_out_start(out, "enum");
	xml_out_attr(out, "name", name);
	for (unsigned i = 0; values[i]; i++)
		xml_out_text(out, "value", values[i]);
	xml_out_end(out, "enum", NULL);
	xml_out_end(out, element, NULL);
}

char *storage_caps_format(const struct storage_caps_type *types, unsigned count)
{
	struct xml_out out = { .text = g_string_new(NULL) };

	xml_out_start(&out, "storagepoolCapabilities");
	for (unsigned i = 0; i < count; i++) {
		xml_out_start(&out, "pool");
		xml_out_attr(&out, "type", storage_pool_type_names[types[i].type]);
		xml_out_attr(&out, "supported", types[i].supported ? "yes" : "no");
		if (types[i].supported) {
			format_options(&out, "poolOptions", "sourceFormatType",
				       options[types[i].type].pool);
			format_options(&out, "volOptions", "targetFormatType",
				       options[types[i].type].vol);
		}
		xml_out_end(&out, "pool", NULL);
	}
	xml_out_end(&out, "storagepoolCapabilities", NULL);
	return g_string_free(out.text, FALSE);
}
