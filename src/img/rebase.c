/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rebase.c - socle-img rebase: put another image behind an image
 *
 * Where what will be behind it reads differently from what was, the image gets the old bytes itself;
 * only then its header names the new one. So it reads the same at every moment.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

enum {
	CHUNK = 1 << 20
};

struct rebase {
	char *format, *cache, *backing, *backing_format;
	gboolean unsafe, progress, quiet, shared;
	struct image *image, *new_behind; /* new_behind: NULL: nothing */
	uint8_t *old_bytes, *new_bytes;
	struct img_progress bar;
};

/* What the new chain has; zeroes behind its end. */
static bool read_new(struct rebase *r, uint64_t off, uint64_t len, GError **error)
{
	uint64_t there = 0;

	if (r->new_behind && off < r->new_behind->size)
		there = MIN(len, r->new_behind->size - off);
	memset(r->new_bytes + there, 0, len - there);
	return !there || image_read(r->new_behind, off, r->new_bytes, there, error);
}

/* Clusters that would read differently get what they were. */
static bool keep(struct rebase *r, uint64_t off, uint64_t len, GError **error)
{
	uint64_t cluster = MAX(r->image->cluster_size, 512u);

	if (!image_read_backing(r->image, off, r->old_bytes, len, error) ||
	    !read_new(r, off, len, error))
		return false;
	for (uint64_t at = 0, n; at < len; at += n) {
		n = MIN(len - at, cluster - (off + at) % cluster);
		if (memcmp(r->old_bytes + at, r->new_bytes + at, n) != 0 &&
		    !image_write(r->image, off + at, r->old_bytes + at, n, error))
			return false;
	}
	return true;
}

static bool keep_all(struct rebase *r, GError **error)
{
	uint64_t size = r->image->size, len;

	for (uint64_t off = 0; off < size; off += len) {
		struct image_extent extent;

		if (!img_go_on(error) || !image_map(r->image, off, size - off, &extent, error))
			return false;
		len = extent.len;
		if (extent.kind == IMAGE_ABSENT) {
			len = MIN(len, (uint64_t)CHUNK);
			if (!keep(r, off, len, error))
				return false;
		}
		img_progress(&r->bar, off + len, size);
	}
	return image_flush(r->image, error);
}

static bool open_images(struct rebase *r, const char *path, GError **error)
{
	unsigned flags = IMAGE_WRITE | (r->unsafe ? 0 : IMAGE_BACKING), cache = 0;
	bool removes = r->backing && !*r->backing;

	if (!r->backing)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "what is to be behind '%s'? Say -b FILE -F FORMAT, or -b '' for "
				 "nothing",
				 path);
	if (!removes && !r->backing_format)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "what format has '%s'? It is never guessed: say -F FORMAT",
				 r->backing);
	if (r->cache && !img_cache(r->cache, &cache, error))
		return false;
	r->image = image_open(path, r->format ? r->format : "qcow2", flags | cache, error);
	if (!r->image)
		return false;
	if (r->image->ops != &image_qcow2_ops)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' have nothing behind them",
				 r->image->ops->format);
	if (!removes && !r->unsafe) {
		g_autofree char *full = image_resolve(path, r->backing);

		r->new_behind =
			image_open(full, r->backing_format, IMAGE_BACKING | IMAGE_SHARED, error);
		if (!r->new_behind)
			return false;
		for (struct image *i = r->new_behind; i; i = i->backing) {
			if (block_file_is_same(i->file, r->image->file))
				return error_set(error, SOCLE_ERROR_USAGE,
						 "image '%s' would stand behind itself", path);
		}
	}
	return true;
}

static bool run(struct rebase *r, const char *path, GError **error)
{
	bool removes = r->backing && !*r->backing;

	if (!open_images(r, path, error))
		return false;
	if (!r->unsafe) {
		r->old_bytes = g_malloc(CHUNK);
		r->new_bytes = g_malloc(CHUNK);
		img_catch_signals();
		img_progress_begin(&r->bar, r->progress, r->quiet);
		if (!keep_all(r, error))
			return false;
	}
	return qcow2_set_backing(r->image, removes ? NULL : r->backing,
				 removes ? NULL : r->backing_format, error);
}

int img_rebase(const struct img_command *command, int argc, char **argv)
{
	struct rebase r = { 0 };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &r.format, "format of the image",
		  "FORMAT" },
		{ "backing", 'b', 0, G_OPTION_ARG_STRING, &r.backing,
		  "what is to be behind it; '' for nothing", "FILE" },
		{ "backing-format", 'F', 0, G_OPTION_ARG_STRING, &r.backing_format,
		  "format of that", "FORMAT" },
		{ "unsafe", 'u', 0, G_OPTION_ARG_NONE, &r.unsafe,
		  "only change the name: the new one has the same contents", NULL },
		{ "cache", 't', 0, G_OPTION_ARG_STRING, &r.cache, "cache mode", "MODE" },
		{ "progress", 'p', 0, G_OPTION_ARG_NONE, &r.progress, "show progress", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &r.quiet, "do not", NULL },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &r.shared, "has no effect", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (img_parse(command, entries, &argc, &argv, 1, 1, &status)) {
		bool ok = run(&r, argv[1], &error);

		img_progress_end(&r.bar);
		status = ok ? IMG_OK : img_fail(error);
	}
	image_close(r.image);
	image_close(r.new_behind);
	g_free(r.old_bytes);
	g_free(r.new_bytes);
	g_free(r.format);
	g_free(r.cache);
	g_free(r.backing);
	g_free(r.backing_format);
	return status;
}
