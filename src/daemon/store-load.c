/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-load.c - what the files of a store say when a daemon starts
 *
 * A file that is of no use is somebody's machine all the same: it is renamed and stays.
 */
#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/store-int.h"
#include "daemon/store.h"

enum {
	TEXT_MAX = 32 * 1024 * 1024, /* of a file */
	BROKEN_MAX = 1000,           /* files that were kept for one key */
};

struct reader {
	const struct store_folders *folders;
	const GPtrArray *owed;
	bool (*load)(void *opaque, enum store_kind kind, const char *key, const char *text,
		     GError **error);
	void *opaque;
	struct store_count *count;
};

static char *read_text(const char *path, GError **error)
{
	autofd int fd = sys_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	g_autofree char *text = NULL;
	int64_t size;
	ssize_t n;

	size = fd < 0 ? fd : sys_file_size(fd);
	if (size < 0) {
		error_sys(error, (int)size, "it cannot be read");
		return NULL;
	}
	if (size == 0 || size > TEXT_MAX) {
		error_set(error, SOCLE_ERROR_CORRUPT, "it has %lld bytes", (long long)size);
		return NULL;
	}
	text = g_malloc((size_t)size + 1);
	n = sys_read_full(fd, text, (size_t)size);
	if (n < 0) {
		error_sys(error, (int)n, "it cannot be read");
		return NULL;
	}
	text[n] = '\0';
	if (strlen(text) != (size_t)n) {
		error_set(error, SOCLE_ERROR_CORRUPT, "it is not a text");
		return NULL;
	}
	return g_steal_pointer(&text);
}

/* Under a name that is free. */
static void keep_broken(const char *path, const GError *why)
{
	g_autofree char *kept = NULL;
	int r = -1;

	for (unsigned n = 0; n < BROKEN_MAX && r < 0; n++) {
		g_free(kept);
		kept = n ? g_strdup_printf("%s.broken.%u", path, n)
			 : g_strconcat(path, ".broken", NULL);
		if (!g_file_test(kept, G_FILE_TEST_EXISTS))
			r = sys_rename(path, kept);
	}
	if (r < 0)
		log_warning("'%s' is of no use, and cannot be kept under another name: %s", path,
			    why->message);
	else
		log_warning("'%s' is of no use and was kept as '%s': %s; mend it, give it its name "
			    "back and restart",
			    path, kept, why->message);
}

/* NULL: the file has what it is to have. */
static const struct store_change *find_owed(const struct reader *reader, enum store_kind kind,
					    const char *key)
{
	for (unsigned i = 0; i < reader->owed->len; i++) {
		const struct store_change *owed = reader->owed->pdata[i];

		if (owed->kind == kind && strcmp(owed->key, key) == 0)
			return owed;
	}
	return NULL;
}

static void read_one(const struct reader *reader, enum store_kind kind, const char *key)
{
	g_autofree char *path = g_strconcat(reader->folders->path[kind], "/", key, ".xml", NULL);
	const struct store_change *owed = find_owed(reader, kind, key);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = owed ? g_strdup(owed->text) : read_text(path, &error);

	if (text && reader->load(reader->opaque, kind, key, text, &error)) {
		reader->count->loaded[kind]++;
		return;
	}
	reader->count->refused++;
	/* What cannot be read now may be good all the same. */
	if (owed || error->domain == SYS_ERROR)
		log_warning("'%s' is left out: %s; mend that, and restart", path, error->message);
	else
		keep_broken(path, error);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Those that are to have a file and may have none yet. */
static void add_owed(const struct reader *reader, enum store_kind kind, GPtrArray *keys)
{
	for (unsigned i = 0; i < reader->owed->len; i++) {
		const struct store_change *owed = reader->owed->pdata[i];

		if (owed->kind == kind && owed->text)
			g_ptr_array_add(keys, g_strdup(owed->key));
	}
}

/* The keys that have a file, or are to have one, sorted, so that a start is like the one before. */
static GPtrArray *list_keys(const struct reader *reader, enum store_kind kind)
{
	GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
	GDir *dir = g_dir_open(reader->folders->path[kind], 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *key = NULL;

		if (!g_str_has_suffix(name, ".xml"))
			continue;
		key = g_strndup(name, strlen(name) - strlen(".xml"));
		if (g_uuid_string_is_valid(key) && !find_owed(reader, kind, key))
			g_ptr_array_add(keys, g_steal_pointer(&key));
	}
	if (dir)
		g_dir_close(dir);
	add_owed(reader, kind, keys);
	g_ptr_array_sort(keys, by_name);
	return keys;
}

void store_load_folders(const struct store_folders *folders, const GPtrArray *owed,
			bool (*load)(void *opaque, enum store_kind kind, const char *key,
				     const char *text, GError **error),
			void *opaque, struct store_count *ret_count)
{
	static const enum store_kind order[] = { STORE_SECRET,  STORE_SECRET_VALUE,
						 STORE_POOL,    STORE_POOL_STATUS,
						 STORE_NETWORK, STORE_NETWORK_STATUS,
						 STORE_DOMAIN,  STORE_SNAPSHOTS,
						 STORE_STATUS };
	struct reader reader = { folders, owed, load, opaque, ret_count };

	static_assert(ARRAY_SIZE(order) == STORE_KIND_COUNT, "all kinds");
	*ret_count = (struct store_count){ 0 };
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		GPtrArray *keys = list_keys(&reader, order[i]);

		for (unsigned j = 0; j < keys->len; j++)
			read_one(&reader, order[i], g_ptr_array_index(keys, j));
		g_ptr_array_unref(keys);
	}
}
