/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-storage-xml.c - definitions of storage pools and volumes, by strangers
 *
 * Properties: what was read once is given back the same by every later reading and writing; filling in twice
 * is filling in once; what is skimmed is what is read; an error has one line; a volume that is accepted has a name of one component, which is
 * not that of an unfinished one; words that tools get as arguments do not begin with '-'. See xml-fuzz.h for the
 * digit that an input may begin with.
 */
#include "xml-fuzz.h"

#include <assert.h>

#include "model/storage.h"

static void check_error(GError *error)
{
	if (!error)
		return;
	assert(*error->message && !strchr(error->message, '\n'));
	g_error_free(error);
}

static void try_pool(const char *xml, size_t len)
{
	struct notes notes = { 0 };
	GError *error = NULL;
	autoptr(storage_pool) pool = storage_pool_parse(xml, len, 0, &notes, &error);
	autoptr(storage_pool) copy = NULL;
	autoptr(storage_pool) again = NULL;
	g_autofree char *first = NULL, *second = NULL, *third = NULL;

	notes_release(&notes);
	check_error(error);
	if (!pool)
		return;
	storage_pool_fill(pool);
	first = storage_pool_format(pool);
	copy = storage_pool_copy(pool);
	storage_pool_fill(copy);
	second = storage_pool_format(copy);
	assert(!strcmp(first, second));
	error = NULL;
	if (!storage_pool_check(pool, &error)) {
		assert(error);
		check_error(error);
		return;
	}
	assert(!strchr(pool->name, '/') && g_uuid_string_is_valid(pool->uuid));
	for (unsigned i = 0; pool->type == STORAGE_POOL_LOGICAL && i < pool->source.device_count;
	     i++)
		assert(pool->source.devices[i].path[0] != '-');
	/* Only what was at a limit may have grown beyond it. */
	again = storage_pool_parse(first, strlen(first), 0, NULL, NULL);
	if (!again)
		return;
	third = storage_pool_format(again);
	assert(!strcmp(first, third));
}

static void check_skimmed(const struct storage_vol *vol, const struct storage_vol *skimmed)
{
	assert(vol->type == skimmed->type && !g_strcmp0(vol->name, skimmed->name) &&
	       !g_strcmp0(vol->key, skimmed->key));
	assert(vol->capacity.set == skimmed->capacity.set &&
	       vol->capacity.value == skimmed->capacity.value);
	assert(!g_strcmp0(vol->target.path, skimmed->target.path) &&
	       !g_strcmp0(vol->target.format.type, skimmed->target.format.type));
	assert(!g_strcmp0(vol->backing.path, skimmed->backing.path) &&
	       !g_strcmp0(vol->backing.format.type, skimmed->backing.format.type));
}

static void try_volume(const char *xml, size_t len)
{
	GError *error = NULL;
	autoptr(storage_vol) vol = storage_vol_parse(xml, len, 0, NULL, &error);
	autoptr(storage_vol) skimmed = storage_vol_skim(xml, len);
	autoptr(storage_vol) again = NULL;
	g_autofree char *first = NULL, *second = NULL;

	check_error(error);
	if (!vol)
		return;
	if (skimmed)
		check_skimmed(vol, skimmed);
	error = NULL;
	if (!storage_vol_check(vol, &error)) {
		assert(error);
		check_error(error);
		return;
	}
	assert(!strchr(vol->name, '/') && strcmp(vol->name, "..") != 0 && *vol->name);
	assert(!g_str_has_prefix(vol->name, ".socle-"));
	first = storage_vol_format(vol);
	again = storage_vol_parse(first, strlen(first), 0, NULL, NULL);
	if (!again)
		return;
	second = storage_vol_format(again);
	assert(!strcmp(first, second));
}

static void try_source(const char *xml, size_t len)
{
	GError *error = NULL;
	autoptr(storage_pool) pool = storage_source_parse(xml, len, &error);
	const struct storage_pool *list[] = { pool };

	check_error(error);
	if (pool)
		g_free(storage_sources_format(list, 1));
}

static void try_sources(const char *xml, size_t len)
{
	GError *error = NULL;
	g_autoptr(GPtrArray) pools = storage_sources_parse(xml, len, &error);

	check_error(error);
	if (pools)
		g_free(storage_sources_format((const struct storage_pool *const *)pools->pdata,
					      pools->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const bool all = xml_mode(&data, &size) == XML_ALL;
	const char *xml = (const char *)data;

	if (all || xml_root_is(xml, size, "pool"))
		try_pool(xml, size);
	if (all || xml_root_is(xml, size, "volume"))
		try_volume(xml, size);
	if (all || xml_root_is(xml, size, "source"))
		try_source(xml, size);
	if (all || xml_root_is(xml, size, "sources"))
		try_sources(xml, size);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static const struct xml_root roots[] = { { "pool", &storage_pool_record },
						 { "volume", &storage_vol_record },
						 { "source", &storage_source_record },
						 { "sources", &storage_sources_record } };

	return xml_mutate(roots, G_N_ELEMENTS(roots), 1, data, size, max_size, seed);
}
