/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opts.c - lists of the command line: --object, and images as --image-opts names them
 */
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "img/img.h"

/* ---- words ---- */

char *img_next_word(const char **p)
{
	GString *word = g_string_new(NULL);

	for (; **p; (*p)++) {
		if (**p == ',' && (*p)[1] != ',')
			break;
		if (**p == ',')
			(*p)++;
		g_string_append_c(word, **p);
	}
	if (**p)
		(*p)++;
	return g_string_free(word, FALSE);
}

/* It may have been a secret. */
static void wipe_value(void *text)
{
	secret_wipe_text(text);
}

/* "name=value,..." by name; a first word without '=' is the value of @implied. */
static GHashTable *parse_list(const char *what, const char *text, const char *implied,
			      GError **error)
{
	g_autoptr(GHashTable) list =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, wipe_value);

	for (bool first = true; *text; first = false) {
		char *word = img_next_word(&text);
		char *equals = strchr(word, '=');

		if (equals)
			g_hash_table_insert(list, g_strndup(word, (gsize)(equals - word)),
					    g_strdup(equals + 1));
		else if (first && implied)
			g_hash_table_insert(list, g_strdup(implied), g_strdup(word));
		else
			error_set(error, SOCLE_ERROR_USAGE,
				  "the words of %s are NAME=VALUE; a ',' within a value is "
				  "written twice",
				  what);
		secret_wipe_text(word);
		if (!equals && !(first && implied))
			return NULL;
	}
	return g_steal_pointer(&list);
}

/* Do all of them have one of these names? */
static bool check_names(GHashTable *list, const char *const *names, const char *what,
			GError **error)
{
	g_autofree char *all = g_strjoinv(", ", (char **)(uintptr_t)names);
	GHashTableIter iter;
	void *name;

	g_hash_table_iter_init(&iter, list);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (!g_strv_contains(names, name))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "%s has no option '%s'; there are %s", what,
					 (const char *)name, all);
	}
	return true;
}

/* ---- secrets ---- */

struct secret *img_parse_object(const char *text, GError **error)
{
	static const char *const names[] = { "qom-type", "id", "data", "file", "format", NULL };
	g_autoptr(GHashTable) list = parse_list("--object", text, "qom-type", error);
	const char *type, *id;

	if (!list || !check_names(list, names, "a secret", error))
		return NULL;
	type = g_hash_table_lookup(list, "qom-type");
	id = g_hash_table_lookup(list, "id");
	if (!type || strcmp(type, "secret") != 0) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "the only objects are secrets: --object secret,id=ID,file=FILE");
		return NULL;
	}
	if (!id || !*id) {
		error_set(error, SOCLE_ERROR_USAGE, "a secret needs an id: --object secret,id=ID");
		return NULL;
	}
	return secret_read(id, g_hash_table_lookup(list, "data"), g_hash_table_lookup(list, "file"),
			   g_hash_table_lookup(list, "format"), error);
}

/* ---- images ---- */

void img_name_free(struct img_name *name)
{
	if (!name)
		return;
	g_free(name->path);
	g_free(name->format);
	g_ptr_array_unref(name->secrets);
	g_free(name);
}

struct image_keys img_name_keys(const struct img_name *name, unsigned from)
{
	if (from >= name->secrets->len)
		return (struct image_keys){ NULL, 0 };
	return (struct image_keys){
		(const struct secret *const *)(void *)(name->secrets->pdata + from),
		name->secrets->len - from,
	};
}

/* "backing.backing.encrypt.key-secret": of the image that is two behind. */
static bool take_key(const struct img_args *args, struct img_name *name, const char *key,
		     const char *id, bool *ret_taken, GError **error)
{
	const struct secret *secret;
	unsigned depth = 0;

	for (; g_str_has_prefix(key, "backing."); key += strlen("backing."))
		depth++;
	*ret_taken = !strcmp(key, "encrypt.key-secret") || (!depth && !strcmp(key, "key-secret"));
	if (!*ret_taken)
		return true;
	secret = img_args_secret(args, id, error);
	if (!secret)
		return false;
	if (depth >= IMAGE_MAX_CHAIN)
		return error_set(error, SOCLE_ERROR_LIMIT, "there are at most %d images in a chain",
				 IMAGE_MAX_CHAIN);
	while (name->secrets->len <= depth)
		g_ptr_array_add(name->secrets, NULL);
	name->secrets->pdata[depth] = (void *)(uintptr_t)secret;
	return true;
}

struct image *img_name_open(const struct img_name *name, unsigned flags, GError **error)
{
	const struct image_keys keys = img_name_keys(name, 0);

	return image_open_keys(name->path, name->format, (flags | name->on) & ~name->off, &keys,
			       error);
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
	};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		const bool on = !strcmp(value, "on");

		*ret_taken = !strcmp(known[i].key, key);
		if (!*ret_taken)
			continue;
		if (!on && strcmp(value, "off") != 0)
			return error_set(error, SOCLE_ERROR_USAGE,
					 "option '%s' is on or off, not '%s'", key, value);
		/* Who does not ask to write is not made to. */
		if (known[i].inverse)
			name->off |= on ? known[i].flag : 0;
		else
			*(on ? &name->on : &name->off) |= known[i].flag;
		return true;
	}
	return true;
}

/* What qemu-img takes, of which much goes without saying here. */
static bool take_option(struct img_name *name, const char *key, const char *value, GError **error)
{
	static const char *const ignored[] = { "encrypt.format",
					       "file.locking",
					       "file.aio",
					       "locking",
					       "aio",
					       "auto-read-only",
					       "discard",
					       "detect-zeroes",
					       "cache-size",
					       "l2-cache-size",
					       "l2-cache-entry-size",
					       "refcount-cache-size",
					       "cache-clean-interval",
					       "lazy-refcounts",
					       "overlap-check",
					       NULL };
	bool taken;

	if (!take_switch(name, key, value, &taken, error))
		return false;
	if (taken)
		return true;
	if (!strcmp(key, "driver")) {
		name->format = g_strdup(value);
	} else if (!strcmp(key, "file.filename") || !strcmp(key, "filename")) {
		g_free(name->path);
		name->path = g_strdup(value);
	} else if (!strcmp(key, "file.driver")) {
		return !strcmp(value, "file") || !strcmp(value, "host_device") ||
		       error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "file.driver is file or host_device, not '%s'", value);
	} else if (!g_strv_contains(ignored, key)) {
		return error_set(error, SOCLE_ERROR_USAGE,
				 "an image has no option '%s'; there are driver, file.filename, "
				 "encrypt.key-secret and backing.encrypt.key-secret",
				 key);
	}
	return true;
}

static bool take_options(const struct img_args *args, struct img_name *name, const char *word,
			 GError **error)
{
	g_autoptr(GHashTable) list = parse_list("--image-opts", word, NULL, error);
	GHashTableIter iter;
	void *key, *value;

	if (!list)
		return false;
	g_hash_table_iter_init(&iter, list);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		bool taken;

		if (!take_key(args, name, key, value, &taken, error) ||
		    (!taken && !take_option(name, key, value, error)))
			return false;
	}
	return name->path ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "an image that is named by options needs file.filename=FILE");
}

struct img_name *img_name_new(const struct img_args *args, const char *word, const char *format,
			      bool is_list, GError **error)
{
	autoptr(img_name) name = g_new0(struct img_name, 1);

	name->secrets = g_ptr_array_new();
	if (!is_list) {
		name->path = g_strdup(word);
		name->format = g_strdup(format);
		return g_steal_pointer(&name);
	}
	if (format) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "--image-opts and a format are mutually exclusive: give driver=%s in the "
			  "list",
			  format);
		return NULL;
	}
	return take_options(args, name, word, error) ? g_steal_pointer(&name) : NULL;
}

struct img_name *img_name_of(const struct img_args *args, const char *word, const char *format,
			     GError **error)
{
	return img_name_new(args, word, format, img_args_has(args, IMG_OPTION_IMAGE_OPTS), error);
}
