/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-open.c - socle-io: the image that its commands are for
 */
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"
#include "img/io.h"

bool io_cache(const char *cache, struct io *io, unsigned *flags)
{
	g_autoptr(GError) error = NULL;
	unsigned more;

	if (!img_cache_flags(cache, &more, &error))
		return io_fail(g_steal_pointer(&error));
	*flags = (*flags & ~(unsigned)(IMAGE_DIRECT | IMAGE_NO_FLUSH)) | more;
	io->write_through = !strcmp(cache, "writethrough") || !strcmp(cache, "directsync");
	return true;
}

enum {
	MAX_SNAPSHOT = 1 << 30, /* bytes in memory */
};

/* An overlay in memory; @behind becomes its, also when that fails. */
static struct image *overlay(struct image *behind, GError **error)
{
	const struct image_create what = { .path = behind->path, .size = behind->size };
	struct block_file *file = block_file_scratch(MAX_SNAPSHOT);
	struct image *image = NULL;

	if (!image_qcow2_ops.create(file, &what, error))
		block_file_close(file);
	else
		image = image_open_file(behind->path, file, "qcow2", IMAGE_WRITE, error);
	if (!image) {
		image_close(behind);
		return NULL;
	}
	qcow2_expect_backing(image);
	image->backing = behind;
	return image;
}

/* "NAME=VALUE,...", and a file behind it, or NULL. */
static struct img_name *parse_list(const struct io *io, const char *words, const char *path,
				   GError **error)
{
	g_auto(GStrv) parts = g_strsplit(path ? path : "", ",", -1);
	g_autofree char *escaped = g_strjoinv(",,", parts);
	g_autofree char *list =
		path ? g_strdup_printf("%s,file.filename=%s", words, escaped) : g_strdup(words);
	struct img_name *name = img_name_new(io->args, list, NULL, true, error);

	if (name && !name->format)
		name->format = g_strdup(io->format);
	return name;
}

static struct image *open_name(const struct io *io, const struct img_name *name, unsigned flags,
			       GError **error)
{
	struct image *image = NULL;

	if (!name)
		return NULL;
	image = img_name_open(name, io->snapshot ? flags & ~(unsigned)IMAGE_WRITE : flags, error);
	return image && io->snapshot ? overlay(image, error) : image;
}

bool io_open(struct io *io, const char *path, unsigned flags, const char *words)
{
	g_autoptr(GError) error = NULL;

	if (io->image) {
		img_warn("file open already, try 'help close'");
		return false;
	}
	img_name_free(io->name);
	io->name = words ? parse_list(io, words, path, &error)
			 : img_name_new(io->args, path, io->format, false, &error);
	io->image = open_name(io, io->name, flags, &error);
	if (io->image)
		return true;
	g_prefix_error(&error, "can't open%s%s: ", path ? " device " : "", path ? path : "");
	return io_fail(g_steal_pointer(&error));
}

bool io_close(struct io *io)
{
	g_autoptr(GError) error = NULL;
	bool ok = !io->image || !(io->image->flags & IMAGE_WRITE) || image_flush(io->image, &error);

	g_clear_pointer(&io->image, image_close);
	return ok || io_fail(g_steal_pointer(&error));
}

static bool run_close(struct io *io, const struct io_words *words)
{
	(void)words;
	return io_close(io);
}

/* What the letters of open and reopen say. */
static bool parse_flags(struct io *io, const struct io_words *words, unsigned *flags)
{
	if (words->option['r'])
		*flags &= ~(unsigned)IMAGE_WRITE;
	if (words->option['n'])
		*flags |= IMAGE_DIRECT;
	if (words->option['U'])
		*flags |= IMAGE_SHARED;
	if (words->option['C'])
		io->copy_on_read = true;
	io->snapshot |= words->option['s'] != NULL;
	return !words->option['t'] || io_cache(words->option['t'], io, flags);
}

static bool run_open(struct io *io, const struct io_words *words)
{
	unsigned flags = (io->flags & IMAGE_SHARED) | IMAGE_BACKING | IMAGE_WRITE;
	const char *options = words->option['o'], *path = words->count ? words->word[0] : NULL;

	if (!parse_flags(io, words, &flags))
		return false;
	if (io->image_options && options) {
		img_out("--image-opts and 'open -o' are mutually exclusive\n");
		return false;
	}
	if (io->image_options)
		return io_open(io, NULL, flags, path);
	if (!path && !options) {
		io_print_usage(&io_command_open);
		return false;
	}
	return io_open(io, path, flags, options);
}

/* What a driver is called that the user may say again; NULL: there is none. */
static const char *driver_of(const struct io *io, const char *key)
{
	const struct image *image = io->image;

	for (; image && g_str_has_prefix(key, "backing."); key += strlen("backing."))
		image = image->backing;
	if (image && !strcmp(key, "driver"))
		return image->ops->format;
	return image && !strcmp(key, "file.driver") ? "file" : NULL;
}

static const char *given_before(const struct io *io, const char *key)
{
	return io->name->list ? g_hash_table_lookup(io->name->list, key) : NULL;
}

static bool ends_with(const char *key, const char *name)
{
	const size_t len = strlen(key), n = strlen(name);

	return len >= n && !strcmp(key + len - n, name) && (len == n || key[len - n - 1] == '.');
}

/* Only how an image is opened can change, not which one it is. */
static bool check_reopen(const struct io *io, GHashTable *list)
{
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, list);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const bool driver = ends_with(key, "driver");
		const char *before = given_before(io, key);

		if (!driver && !ends_with(key, "node-name"))
			continue;
		if (!g_strcmp0(before, value) || (driver && !g_strcmp0(driver_of(io, key), value)))
			continue;
		img_warn("Cannot change the option '%s'", driver ? "driver" : "node-name");
		return false;
	}
	return true;
}

/* The letters say the same as words of the list. */
static bool check_letters(const struct io_words *words, GHashTable *list)
{
	if ((words->option['r'] || words->option['w']) &&
	    g_hash_table_contains(list, "read-only")) {
		img_warn("Cannot set both -r/-w and 'read-only'");
		return false;
	}
	if (words->option['c'] && (g_hash_table_contains(list, "cache.direct") ||
				   g_hash_table_contains(list, "cache.no-flush"))) {
		img_warn("Cannot set both -c and the cache options");
		return false;
	}
	return true;
}

/* The same image, in the way that the list says. */
static struct img_name *reopened(const struct io *io, GHashTable *changes, GError **error)
{
	g_autoptr(GHashTable) list = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	GHashTable *from[] = { io->name->list, changes };
	struct img_name *name;

	for (unsigned i = 0; i < ARRAY_SIZE(from); i++) {
		GHashTableIter iter;
		void *key, *value;

		if (!from[i])
			continue;
		g_hash_table_iter_init(&iter, from[i]);
		while (g_hash_table_iter_next(&iter, &key, &value))
			g_hash_table_insert(list, g_strdup(key), g_strdup(value));
	}
	if (!io->name->list)
		g_hash_table_insert(list, g_strdup("file.filename"), g_strdup(io->image->path));
	name = img_name_of_list(io->args, list, error);
	if (name) {
		g_free(name->format);
		name->format = g_strdup(io->image->ops->format);
	}
	return name;
}

static bool reopen(struct io *io, const struct io_words *words, GHashTable *list)
{
	const char *cache = words->option['c'];
	unsigned flags = io->image->flags;
	g_autoptr(GError) error = NULL;
	struct img_name *name;

	if (!check_reopen(io, list) || !check_letters(words, list) ||
	    (cache && !io_cache(cache, io, &flags)))
		return false;
	if (words->option['r'])
		flags &= ~(unsigned)IMAGE_WRITE;
	if (words->option['w'])
		flags |= IMAGE_WRITE;
	name = reopened(io, list, &error);
	if (!name)
		return io_fail(g_steal_pointer(&error));
	img_name_free(io->name);
	io->name = name;
	if (!io_close(io))
		return false;
	io->image = open_name(io, io->name, flags, &error);
	return io->image || io_fail(g_steal_pointer(&error));
}

static bool run_reopen(struct io *io, const struct io_words *words)
{
	const char *options = words->option['o'];
	g_autoptr(GHashTable) list = NULL;
	g_autoptr(GError) error = NULL;

	if (words->option['r'] && words->option['w']) {
		img_warn("Only one -r/-w option may be given");
		return false;
	}
	list = img_parse_list("-o", options ? options : "", NULL, &error);
	return list ? reopen(io, words, list) : io_fail(g_steal_pointer(&error));
}

const struct io_command io_command_open = {
	.name = "open",
	.alias = "o",
	.arguments = "[-rsnCU] [-t CACHE] [-d DISCARD] [-o NAME=VALUE,...] [IMAGE]",
	.summary = "open an image; -r: for reading only, -s: what is written is forgotten, -C: "
		   "copy on read, -U: others may write",
	.letters = "rsnCUkt:d:i:o:",
	.max = 1,
	.no_image = true,
	.run = run_open,
};

const struct io_command io_command_reopen = {
	.name = "reopen",
	.arguments = "[-r|-w] [-c CACHE] [-o NAME=VALUE,...]",
	.summary = "open the same image in another way",
	.letters = "rwc:o:",
	.run = run_reopen,
};

const struct io_command io_command_close = {
	.name = "close",
	.alias = "c",
	.summary = "flush, and close the image",
	.letters = "",
	.run = run_close,
};
