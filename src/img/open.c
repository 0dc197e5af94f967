/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * open.c - images as the command line names them, and the options of new ones
 */
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

bool img_cache_flags(const char *cache, unsigned *ret_flags, GError **error)
{
	/* All commands flush before they say that they are done. */
	static const struct {
		const char *name;
		unsigned flags;
	} caches[] = {
		{ "writeback", 0 },           { "writethrough", 0 },
		{ "none", IMAGE_DIRECT },     { "directsync", IMAGE_DIRECT },
		{ "unsafe", IMAGE_NO_FLUSH },
	};

	*ret_flags = 0;
	if (!cache)
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(caches); i++) {
		if (strcmp(caches[i].name, cache) != 0)
			continue;
		*ret_flags = caches[i].flags;
		return true;
	}
	return error_set(error, SOCLE_ERROR_USAGE,
			 "a cache is writeback, writethrough, none, directsync or unsafe, not '%s'",
			 cache);
}

struct image *img_open_word(const struct img_args *args, const char *word, const char *format,
			    int cache_id, unsigned flags, GError **error)
{
	autoptr(img_name) name = img_name_of(args, word, format, error);
	struct image *image;
	unsigned cache = 0;

	if (!name)
		return NULL;
	if (cache_id && !img_cache_flags(img_args_value(args, cache_id), &cache, error))
		return NULL;
	if (img_args_has(args, 'U'))
		flags |= IMAGE_SHARED;
	image = img_name_open(name, flags | cache, error);
	if (!image)
		g_prefix_error(error, "Could not open '%s': ", name->path);
	return image;
}

struct image *img_open_arg(const struct img_args *args, const char *word, int cache_id,
			   unsigned flags, GError **error)
{
	return img_open_word(args, word, img_args_value(args, 'f'), cache_id, flags, error);
}

struct image *img_open_write(const struct img_args *args, const char *word, const char *implied,
			     unsigned flags, GError **error)
{
	autoptr(img_name) name = img_name_of(args, word, img_args_value(args, 'f'), error);
	struct image *image;
	unsigned cache;

	if (!name)
		return NULL;
	if (!name->format)
		name->format = g_strdup(implied);
	if (!name->format) {
		error_set(
			error, SOCLE_ERROR_USAGE,
			"the format of image '%s' is not guessed, as it is to be written to; name "
			"it with -f",
			name->path);
		return NULL;
	}
	if (!img_cache_flags(img_args_value(args, 't'), &cache, error))
		return NULL;
	image = img_name_open(name, flags | cache | IMAGE_WRITE, error);
	if (!image)
		g_prefix_error(error, "Could not open '%s': ", name->path);
	return image;
}

/* What -l names, without what stands in front; NULL: it says something else. */
static char *snapshot_name(const char *words, GError **error)
{
	const char *const all = words;
	g_autofree char *name = g_strdup(words);

	while (g_str_has_prefix(words, "snapshot.")) {
		g_autofree char *word = img_next_word(&words);
		char *equals = strchr(word, '=');

		if (!equals || (!g_str_has_prefix(word, "snapshot.id=") &&
				!g_str_has_prefix(word, "snapshot.name="))) {
			word[strcspn(word, "=")] = 0;
			error_set(error, SOCLE_ERROR_USAGE,
				  "Invalid parameter '%s'\n%s: Failed in parsing snapshot param "
				  "'%s'",
				  word, img_program(), all);
			return NULL;
		}
		g_free(name);
		name = g_strdup(equals + 1);
	}
	return g_steal_pointer(&name);
}

bool img_check_snapshot(const struct img_args *args, GError **error)
{
	const char *words = img_args_value(args, 'l');
	g_autofree char *name = words ? snapshot_name(words, error) : NULL;

	return !words || name;
}

bool img_show_snapshot(const struct img_args *args, struct image *image, GError **error)
{
	const char *words = img_args_value(args, 'l');
	g_autofree char *name = words ? snapshot_name(words, error) : NULL;

	if (!words || !name)
		return !words;
	if (image->ops == &image_qcow2_ops)
		return qcow2_snapshot_show(image, name, error);
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "image '%s' cannot have snapshots: only those of format 'qcow2' can",
			 image->path);
}

bool img_may_have_backing(const char *format)
{
	static const char *const formats[] = { "qcow2", "qcow", "vmdk", NULL };

	return g_strv_contains(formats, format);
}

/* Is there a word in it at all, and none that is empty at an end? */
static bool check_list(const char *text, GError **error)
{
	const size_t len = strlen(text), first = strspn(text, ",");
	size_t last = 0;

	while (last < len && text[len - 1 - last] == ',')
		last++;
	return (len && first % 2 == 0 && last % 2 == 0) ||
	       error_set(error, SOCLE_ERROR_USAGE, "Invalid option list: %s", text);
}

/* Those that every format has, or may be asked for. */
static const struct image_option common_options[] = {
	{ "size", "SIZE", "bytes that a guest sees" },
	{ "backing_file", "FILE", "the image behind it" },
	{ "backing_fmt", "FORMAT", "the format of that" },
	{ "extent_size_hint", "SIZE", "space is taken from the file system in such pieces (xfs)" },
	{ "nocow", "on|off", "the file system overwrites in place (btrfs)" },
	{ NULL, NULL, NULL },
};

static bool is_option(const struct image_option *options, const char *name)
{
	for (; options && options->name; options++) {
		if (!strcmp(options->name, name))
			return true;
	}
	return false;
}

static bool add_words(GHashTable *options, const struct image_ops *ops,
		      const struct image_option *more, const char *text, GError **error)
{
	while (*text) {
		g_autofree char *word = img_next_word(&text);
		char *equals = strchr(word, '=');

		/* A switch without a value is on. */
		if (equals)
			*equals = 0;
		if (!is_option(ops->create_options, word) && !is_option(common_options, word) &&
		    !is_option(more, word))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "images of format '%s' have no option '%s'; `-o help` "
					 "lists those they have",
					 ops->format, word);
		g_hash_table_insert(options, g_strdup(word), g_strdup(equals ? equals + 1 : "on"));
	}
	return true;
}

GHashTable *img_create_options(const struct img_args *args, const char *format,
			       const struct image_option *more, GError **error)
{
	const struct image_ops *ops = image_format_find(format, error);
	g_autoptr(GHashTable) options =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	if (!ops)
		return NULL;
	for (unsigned i = 0; i < img_args_count(args, 'o'); i++) {
		if (!check_list(img_args_nth(args, 'o', i), error) ||
		    !add_words(options, ops, more, img_args_nth(args, 'o', i), error))
			return NULL;
	}
	return g_steal_pointer(&options);
}

bool img_option_secret(const struct img_args *args, GHashTable *words, const char *name,
		       const struct secret **ret, GError **error)
{
	const char *id = g_hash_table_lookup(words, name);

	*ret = id ? img_args_secret(args, id, error) : NULL;
	return !id || *ret;
}

bool img_create_hints(GHashTable *words, struct image_create *what, GError **error)
{
	const char *hint = g_hash_table_lookup(words, "extent_size_hint");
	const char *nocow = g_hash_table_lookup(words, "nocow");

	if (hint && !img_parse_size(hint, &what->extent_hint, error))
		return false;
	what->nocow = nocow && !strcmp(nocow, "on");
	return what->nocow || !nocow || !strcmp(nocow, "off") ||
	       error_set(error, SOCLE_ERROR_USAGE, "Parameter 'nocow' expects 'on' or 'off'");
}

bool img_create_secret(const struct img_args *args, GHashTable *words, struct image_create *what,
		       GError **error)
{
	const char *name =
		g_hash_table_contains(words, "key-secret") ? "key-secret" : "encrypt.key-secret";

	return img_option_secret(args, words, name, &what->secret, error);
}

bool img_wants_options_help(const struct img_args *args)
{
	for (unsigned i = 0; i < img_args_count(args, 'o'); i++) {
		const char *text = img_args_nth(args, 'o', i);

		if (!strcmp(text, "help") || !strcmp(text, "?") || g_str_has_suffix(text, ",help"))
			return true;
	}
	return false;
}

bool img_out_options_help(const char *format, GError **error)
{
	const struct image_ops *ops = image_format_find(format, error);
	const struct image_option *option;

	if (!ops)
		return false;
	img_out("Supported %s options:\n", format);
	for (option = ops->create_options; option && option->name; option++) {
		g_autofree char *left =
			g_strdup_printf("%s=<%s>", option->name, option->value_name);

		img_out("  %-22s - %s\n", left, option->help);
	}
	if (!is_option(ops->create_options, "size"))
		img_out("  %-22s - %s\n", "size=<SIZE>", common_options[0].help);
	return true;
}
