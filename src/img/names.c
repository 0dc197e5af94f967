/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.c - images as the command line names them: by a file, by a list (--image-opts), or by
 * json:{...}, which is the same list
 *
 * Only what the user wrote is read so; names that images have are those of files.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

enum {
	MAX_NESTED = 8, /* formats, one within the other */
	MIN_CACHE_ENTRY = 512,
};

void img_name_free(struct img_name *name)
{
	if (!name)
		return;
	g_free(name->path);
	g_free(name->format);
	g_free(name->shown);
	g_free(name->missing);
	g_ptr_array_unref(name->secrets);
	g_ptr_array_unref(name->paths);
	g_ptr_array_unref(name->formats);
	g_clear_pointer(&name->list, g_hash_table_unref);
	img_name_free(name->inner);
	img_name_free(name->data);
	g_free(name);
}

struct image_keys img_name_keys(const struct img_name *name, unsigned from)
{
	struct image_keys keys = { .count = 0 };

	if (from < name->secrets->len) {
		keys.secrets = (const struct secret *const *)(void *)(name->secrets->pdata + from);
		keys.count = name->secrets->len - from;
	}
	if (from < name->paths->len) {
		keys.paths = (const char *const *)(void *)(name->paths->pdata + from);
		keys.formats = (const char *const *)(void *)(name->formats->pdata + from);
		keys.named = name->paths->len - from;
	}
	return keys;
}

char *img_file_name(const char *word)
{
	const char *rest = word + strlen("file:");

	if (!g_str_has_prefix(word, "file:"))
		return g_strdup(word);
	/* What has a ':' in its first part would be taken for a protocol. */
	return rest[strcspn(rest, ":/")] == ':' ? g_strconcat("./", rest, NULL) : g_strdup(rest);
}

/* ---- options ---- */

/* Room for the images up to @depth. */
static bool reach(GPtrArray *array, unsigned depth, GError **error)
{
	if (depth >= IMAGE_MAX_CHAIN)
		return error_set(error, SOCLE_ERROR_LIMIT, "there are at most %d images in a chain",
				 IMAGE_MAX_CHAIN);
	while (array->len <= depth)
		g_ptr_array_add(array, NULL);
	return true;
}

/* An id that is not there is told when the image is opened, as not all need the secret. */
static bool take_key(const struct img_args *args, struct img_name *name, unsigned depth,
		     const char *id, GError **error)
{
	const struct secret *secret = img_args_secret(args, id, NULL);

	if (!reach(name->secrets, depth, error))
		return false;
	name->secrets->pdata[depth] = (void *)(uintptr_t)secret;
	if (!secret && !name->missing)
		name->missing = g_strdup(id);
	return true;
}

/* The file or the format of an image that stands behind. */
static bool take_named(struct img_name *name, GPtrArray *which, unsigned depth, char *value,
		       GError **error)
{
	if (!reach(name->paths, depth, error) || !reach(name->formats, depth, error)) {
		g_free(value);
		return false;
	}
	g_free(which->pdata[depth]);
	which->pdata[depth] = value;
	return true;
}

static bool parse_switch(const char *key, const char *value, bool *ret, GError **error)
{
	*ret = !strcmp(value, "on");
	return *ret || !strcmp(value, "off") ||
	       error_set(error, SOCLE_ERROR_USAGE, "Parameter '%s' expects 'on' or 'off'", key);
}

/* Switches that are flags of an image. */
static bool take_switch(struct img_name *name, const char *key, const char *value, bool *ret_taken,
			GError **error)
{
	static const struct {
		const char *key;
		unsigned flag;
		bool inverse;
	} known[] = {
		{ "read-only", IMAGE_WRITE, true },
		{ "force-share", IMAGE_SHARED, false },
		{ "cache.direct", IMAGE_DIRECT, false },
		{ "cache.no-flush", IMAGE_NO_FLUSH, false },
		{ "auto-read-only", 0, false },
	};
	bool on;

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		*ret_taken = !strcmp(known[i].key, key);
		if (!*ret_taken)
			continue;
		if (!parse_switch(key, value, &on, error))
			return false;
		/* Who does not ask to write is not made to. */
		if (known[i].inverse)
			name->off |= on ? known[i].flag : 0;
		else
			*(on ? &name->on : &name->off) |= known[i].flag;
		return true;
	}
	return true;
}

/* What qemu-img takes, and goes without saying here. */
static bool is_ignored(const char *key)
{
	static const char *const ignored[] = {
		"encrypt.format",
		"file.locking",
		"file.aio",
		"locking",
		"aio",
		"discard",
		"detect-zeroes",
		"cache-clean-interval",
		"lazy-refcounts",
		"overlap-check",
		"node-name",
		"file.node-name",
		"cache-size",
		"l2-cache-size",
		"refcount-cache-size",
		"l2-cache-entry-size",
		NULL,
	};

	return g_strv_contains(ignored, key);
}

static bool take_file_driver(const char *value, GError **error)
{
	return !strcmp(value, "file") || !strcmp(value, "host_device") ||
	       !strcmp(value, "host_cdrom") ||
	       error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "file.driver is file, host_device or a format, not '%s'", value);
}

/* Of the image that is @depth behind the first one; @key without "backing.". */
static bool take_one(const struct img_args *args, struct img_name *name, unsigned depth,
		     const char *key, const char *value, GError **error)
{
	bool taken = false;

	if (!strcmp(key, "encrypt.key-secret") || !strcmp(key, "key-secret"))
		return take_key(args, name, depth, value, error);
	if (!strcmp(key, "file.driver"))
		return take_file_driver(value, error);
	if (!strcmp(key, "driver"))
		return take_named(name, name->formats, depth, g_strdup(value), error);
	if (!strcmp(key, "file.filename") || !strcmp(key, "filename"))
		return take_named(name, name->paths, depth, img_file_name(value), error);
	if (!depth && !strcmp(key, "size"))
		return img_parse_size(value, &name->null_size, error);
	if (!depth && !strcmp(key, "read-zeroes"))
		return parse_switch(key, value, &name->null_zeroes, error);
	if (!take_switch(name, key, value, &taken, error))
		return false;
	return taken || is_ignored(key) ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "an image has no option '%s'; there are driver, file.filename, "
			 "encrypt.key-secret, the same behind backing. and data-file., and "
			 "read-only",
			 key);
}

static bool take_options(const struct img_args *args, struct img_name *name, GHashTable *list,
			 GError **error)
{
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, list);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const char *rest = key;
		unsigned depth = 0;

		for (; g_str_has_prefix(rest, "backing."); rest += strlen("backing."))
			depth++;
		if (!(name->inner && g_str_has_prefix(key, "file.")) &&
		    !(name->data && g_str_has_prefix(key, "data-file.")) &&
		    !take_one(args, name, depth, rest, value, error))
			return false;
	}
	return true;
}

/* ---- sizes of caches: they have no meaning here, but what cannot be is told ---- */

static bool cache_size(GHashTable *list, const char *key, uint64_t *ret, bool *ret_given,
		       GError **error)
{
	const char *value = g_hash_table_lookup(list, key);

	*ret = 0;
	*ret_given = value != NULL;
	return !value || img_parse_size(value, ret, error);
}

static bool check_caches(GHashTable *list, GError **error)
{
	uint64_t all, l2, counts;
	bool has_all, has_l2, has_counts;

	if (!cache_size(list, "cache-size", &all, &has_all, error) ||
	    !cache_size(list, "l2-cache-size", &l2, &has_l2, error) ||
	    !cache_size(list, "refcount-cache-size", &counts, &has_counts, error))
		return false;
	if (has_all && has_l2 && has_counts)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "cache-size, l2-cache-size and refcount-cache-size may not be set "
				 "at the same time");
	if (has_all && l2 > all)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "l2-cache-size may not exceed cache-size");
	return !has_all || counts <= all ||
	       error_set(error, SOCLE_ERROR_USAGE, "refcount-cache-size may not exceed cache-size");
}

static bool check_cache_entry(const struct img_name *name, const struct image *image,
			      GError **error)
{
	uint64_t size;
	bool given;

	if (!name->list || !image->cluster_size)
		return true;
	if (!cache_size(name->list, "l2-cache-entry-size", &size, &given, error))
		return false;
	return !given ||
	       (size >= MIN_CACHE_ENTRY && size <= image->cluster_size && !(size & (size - 1))) ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "L2 cache entry size must be a power of two between %d and the cluster "
			 "size (%u)",
			 MIN_CACHE_ENTRY, image->cluster_size);
}

/* ---- names ---- */

static struct img_name *name_new(void)
{
	struct img_name *name = g_new0(struct img_name, 1);

	name->secrets = g_ptr_array_new();
	name->paths = g_ptr_array_new_with_free_func(g_free);
	name->formats = g_ptr_array_new_with_free_func(g_free);
	return name;
}

static void *take_first(GPtrArray *array)
{
	return array->len ? g_steal_pointer(&array->pdata[0]) : NULL;
}

static struct img_name *from_list(const struct img_args *args, GHashTable *list, unsigned nested,
				  GError **error);

/* What is behind @prefix in the list, as a name of its own; *ret NULL: nothing is. */
static bool take_within(const struct img_args *args, GHashTable *list, const char *prefix,
			unsigned nested, struct img_name **ret, GError **error)
{
	g_autoptr(GHashTable) within =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	GHashTableIter iter;
	void *key, *value;

	*ret = NULL;
	g_hash_table_iter_init(&iter, list);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		if (g_str_has_prefix(key, prefix))
			g_hash_table_insert(within, g_strdup((char *)key + strlen(prefix)),
					    g_strdup(value));
	}
	if (!g_hash_table_size(within))
		return true;
	if (nested == MAX_NESTED)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "there are at most %d formats within each other", MAX_NESTED);
	*ret = from_list(args, within, nested + 1, error);
	return *ret;
}

/* A format within another one: "file.driver=qcow2,file.file.filename=FILE". */
static bool take_inner(const struct img_args *args, struct img_name *name, GHashTable *list,
		       unsigned nested, GError **error)
{
	const char *driver = g_hash_table_lookup(list, "file.driver");

	return !driver || g_str_has_prefix(driver, "host_") || !strcmp(driver, "file") ||
	       !image_format_find(driver, NULL) ||
	       take_within(args, list, "file.", nested, &name->inner, error);
}

static bool has_file(const struct img_name *name)
{
	return name->path || name->inner || !g_strcmp0(name->format, "null-co");
}

static struct img_name *from_list(const struct img_args *args, GHashTable *list, unsigned nested,
				  GError **error)
{
	autoptr(img_name) name = name_new();

	name->list = g_hash_table_ref(list);
	name->null_size = UINT64_C(1) << 30;
	if (!take_inner(args, name, list, nested, error) ||
	    !take_within(args, list, "data-file.", nested, &name->data, error) ||
	    !take_options(args, name, list, error) || !check_caches(list, error))
		return NULL;
	name->format = take_first(name->formats);
	name->path = take_first(name->paths);
	if (!has_file(name)) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "an image that is named by options needs file.filename=FILE");
		return NULL;
	}
	if (!name->path)
		name->path = g_strdup(name->inner ? name->inner->path : "null-co://");
	/* What its name alone does not open is shown as a whole. */
	if (name->secrets->len || name->inner || name->data || name->paths->len > 1)
		name->shown = img_list_json(list);
	return g_steal_pointer(&name);
}

struct img_name *img_name_new(const struct img_args *args, const char *word, const char *format,
			      bool is_list, GError **error)
{
	const bool json = g_str_has_prefix(word, "json:");
	g_autoptr(GHashTable) list = NULL;
	struct img_name *name;

	if (!is_list && !json) {
		name = name_new();
		name->path = img_file_name(word);
		name->format = g_strdup(format);
		return name;
	}
	list = json ? img_parse_json(word + strlen("json:"), error)
		    : img_parse_list("--image-opts", word, NULL, error);
	name = list ? from_list(args, list, 0, error) : NULL;
	if (!name || !format || !g_strcmp0(name->format, format))
		return name;
	if (!name->format && !is_list) {
		name->format = g_strdup(format);
		return name;
	}
	img_name_free(name);
	error_set(error, SOCLE_ERROR_USAGE,
		  "--image-opts and a format are mutually exclusive: give driver=%s in the list",
		  format);
	return NULL;
}

struct img_name *img_name_of_list(const struct img_args *args, GHashTable *list, GError **error)
{
	return from_list(args, list, 0, error);
}

struct img_name *img_name_of(const struct img_args *args, const char *word, const char *format,
			     GError **error)
{
	return img_name_new(args, word, format, img_args_has(args, IMG_OPTION_IMAGE_OPTS), error);
}

/* ---- opening ---- */

static struct image *open_inner(const struct img_name *name, unsigned flags,
				const struct image_keys *keys, GError **error)
{
	struct image *inner = img_name_open(name->inner, flags, error);

	return inner ? image_open_file_keys(name->path, image_as_file(inner), name->format, flags,
					    keys, error)
		     : NULL;
}

/*
 * Whoever names a driver of the host means a file, or a device. What cannot be opened is told by who
 * tries that.
 */
static bool check_driver(const struct img_name *name, unsigned flags, GError **error)
{
	const bool device = name->format && g_str_has_prefix(name->format, "host_");
	const bool file = !g_strcmp0(name->format, "file");
	struct stat st;

	if ((!device && !file) || sys_stat(name->path, &st) < 0 ||
	    (flags & IMAGE_WRITE && S_ISDIR(st.st_mode)))
		return true;
	if (file)
		return S_ISREG(st.st_mode) ||
		       error_set(error, SOCLE_ERROR_USAGE,
				 "'file' driver requires '%s' to be a regular file", name->path);
	return S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "'%s' driver requires '%s' to be either a character or block device",
			 name->format, name->path);
}

/* A file as such can grow; what is in an image cannot. */
static bool open_data(const struct img_name *name, struct image *image, GError **error)
{
	const bool is_file =
		!name->inner &&
		(!name->format || image_format_find(name->format, NULL) == &image_raw_ops);
	const unsigned flags = image->flags & ~(unsigned)(IMAGE_DATA_LATER | IMAGE_BACKING);
	struct image *inner = NULL;
	struct block_file *file = NULL;

	if (is_file)
		file = block_file_open(name->path, image_file_flags(flags), error);
	else
		inner = img_name_open(name, flags, error);
	if (inner)
		file = image_as_file(inner);
	return file && qcow2_use_data(image, file, name->path, error);
}

struct image *img_name_open(const struct img_name *name, unsigned flags, GError **error)
{
	const struct image_keys keys = img_name_keys(name, 0);
	const unsigned keyless = IMAGE_LOCKED | IMAGE_CHECK;
	autoptr(image) image = NULL;

	flags = (flags | name->on | (name->data ? IMAGE_DATA_LATER : 0)) & ~name->off;
	/* Who only tells what the image says of itself needs no secret. */
	if (name->missing && (flags & keyless) != keyless) {
		error_set(error, SOCLE_ERROR_NOT_FOUND, "No secret with id '%s'", name->missing);
		return NULL;
	}
	if (name->list && !g_strcmp0(name->format, "null-co"))
		return image_null_new(name->null_size, name->null_zeroes, flags);
	if (!check_driver(name, flags, error))
		return NULL;
	if (name->format && g_str_has_prefix(name->format, "host_"))
		flags |= IMAGE_CHAR;
	if (name->inner)
		image = open_inner(name, flags, &keys, error);
	else
		image = image_open_keys(name->path, name->format, flags, &keys, error);
	if (!image || !check_cache_entry(name, image, error) ||
	    (name->data && !open_data(name->data, image, error)))
		return NULL;
	return g_steal_pointer(&image);
}
