/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert.c - socle-img convert: copy an image into another format
 *
 * The target is made under a name of its own in the same folder, and renamed when it is complete:
 * whoever looks finds the old file or the new one. What fails or is interrupted leaves nothing. With
 * -n, or onto a device, it is written in place. As with qemu-img nobody waits for the disk, unless
 * -t says so.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "img/img.h"
#include "img/pipeline.h"

struct convert {
	char *source_format, *target_format, *backing, *backing_format, *cache, *source_cache;
	char *sparse, *snapshot, *rate;
	char **options;
	gboolean compress, progress, quiet, no_create, target_is_zero, shared, salvage,
		out_of_order;
	int threads;
	uint64_t sparse_len; /* zeroes shorter than this are written as data; 0: all are */

	GPtrArray *sources; /* struct image, put one behind the other */
	struct image *target;
	struct image *base; /* opened by itself, to compare names with */
	char *temporary;    /* the target's name until it is complete */
	uint64_t total, done;
	bool is_zero; /* the target reads as zero where nothing is written */
	struct img_progress bar;
};

/* ---- writing ---- */

static bool write_zero(struct convert *c, uint64_t off, uint64_t len, GError **error)
{
	if (c->is_zero && c->sparse_len)
		return true;
	return image_zero(c->target, off, len, c->sparse_len > 0, error);
}

/* Plain data, but for runs of zeroes in it. */
static bool write_data(struct convert *c, uint64_t off, const uint8_t *data, uint64_t len,
		       GError **error)
{
	if (!c->sparse_len)
		return image_write(c->target, off, data, len, error);
	for (uint64_t at = 0, n; at < len; at += n) {
		bool zero;

		n = img_run(data + at, len - at, 4096, MAX(c->sparse_len, 4096u), &zero);
		if (!(zero ? write_zero(c, off + at, n, error)
			   : image_write(c->target, off + at, data + at, n, error)))
			return false;
	}
	return true;
}

static bool write_packed(struct convert *c, uint64_t off, const struct piece *piece, GError **error)
{
	size_t cluster = c->target->cluster_size;

	for (size_t at = 0, i = 0; at < piece->len; at += cluster, i++) {
		ssize_t packed = piece->packed_len[i];
		size_t n = MIN(cluster, piece->len - at);
		bool ok;

		if (packed < 0)
			ok = write_zero(c, off + at, n, error);
		else if (!packed)
			ok = image_write(c->target, off + at, piece->data + at, n, error);
		else
			ok = c->target->ops->write_packed(c->target, off + at, piece->packed + at,
							  (size_t)packed, error);
		if (!ok)
			return false;
	}
	return true;
}

static bool write_piece(struct convert *c, uint64_t off, const struct piece *piece, GError **error)
{
	if (piece->zero)
		return write_zero(c, off, piece->len, error);
	return c->compress ? write_packed(c, off, piece, error)
			   : write_data(c, off, piece->data, piece->len, error);
}

/* All of one source, to @at of the target. */
static bool copy_source(struct convert *c, struct image *source, uint64_t at, GError **error)
{
	struct pipeline_config config = {
		.source = source,
		.size = source->size,
		.align = CLAMP(c->target->cluster_size, 65536u, (uint32_t)PIECE_LEN),
		.threads = (unsigned)c->threads,
		.target = c->compress ? c->target : NULL,
		.salvage = c->salvage,
	};
	autoptr(pipeline) pipeline = NULL;
	const struct piece *piece = NULL;

	for (struct image *i = source->backing; c->base && i; i = i->backing) {
		if (block_file_is_same(i->file, c->base->file))
			config.base = i;
	}
	if (c->backing && !config.base)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is not behind image '%s'; -B names an image of its chain",
				 c->backing, source->path);
	pipeline = pipeline_new(&config, error);
	if (!pipeline)
		return false;
	for (;;) {
		if (!pipeline_next(pipeline, &piece, error))
			return false;
		if (!piece)
			break;
		if (!write_piece(c, at + piece->off, piece, error) || !img_go_on(error))
			return false;
		img_progress(&c->bar, at + piece->off + piece->len, c->total);
	}
	return true;
}

/* ---- opening ---- */

static bool open_sources(struct convert *c, int argc, char **argv, GError **error)
{
	unsigned flags = IMAGE_BACKING | (c->shared ? IMAGE_SHARED | IMAGE_NO_LOCK : 0), cache = 0;

	if (c->source_cache && !img_cache(c->source_cache, &cache, error))
		return false;
	for (int i = 1; i < argc - 1; i++) {
		struct image *image = image_open(argv[i], c->source_format, flags | cache, error);

		if (!image)
			return false;
		g_ptr_array_add(c->sources, image);
		c->total += image->size;
	}
	return true;
}

/* A device, or a file that is to be overwritten in place. */
static bool in_place(const struct convert *c, const char *path)
{
	return c->no_create || (g_file_test(path, G_FILE_TEST_EXISTS) &&
				!g_file_test(path, G_FILE_TEST_IS_REGULAR));
}

static bool create_target(struct convert *c, const char *path, GError **error)
{
	const struct image_ops *ops = image_format_find(c->target_format, error);
	g_autoptr(GHashTable) options =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	struct image_create what = { .size = c->total, .options = options };
	g_autofree char *real = NULL;

	if (!ops || !img_create_options(c->options, ops, options, error))
		return false;
	if (c->compress && !ops->write_packed)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' cannot be compressed", ops->format);
	what.backing_file = c->backing;
	what.backing_format = c->backing_format;
	/* A link is followed: it is its file that is replaced. */
	real = realpath(path, NULL);
	c->temporary = g_strdup_printf("%s.%d.part", real ? real : path, (int)getpid());
	what.path = c->temporary;
	(void)sys_unlink(c->temporary);
	if (!image_create(c->target_format, &what, error)) {
		g_clear_pointer(&c->temporary, g_free);
		return false;
	}
	c->is_zero = !c->backing;
	return true;
}

static bool open_target(struct convert *c, const char *path, GError **error)
{
	unsigned cache = IMAGE_NO_FLUSH;

	if (c->cache && !img_cache(c->cache, &cache, error))
		return false;
	if (!in_place(c, path) && !create_target(c, path, error))
		return false;
	c->target = image_open(c->temporary ? c->temporary : path, c->target_format,
			       IMAGE_WRITE | cache, error);
	if (!c->target)
		return false;
	if (c->target_is_zero)
		c->is_zero = true;
	if (c->target->size < c->total)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "target '%s' has %" G_GUINT64_FORMAT
				 " bytes, the source has %" G_GUINT64_FORMAT
				 "; make it larger with socle-img resize",
				 path, c->target->size, c->total);
	if (c->compress && !c->target->ops->write_packed)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' cannot be compressed", c->target_format);
	return true;
}

/* The new one in the place of the old one, and on disk. */
static bool finish(struct convert *c, const char *path, GError **error)
{
	g_autofree char *real = NULL;
	int ret;

	if (!image_flush(c->target, error))
		return false;
	g_clear_pointer(&c->target, image_close);
	if (!c->temporary)
		return true;
	real = realpath(path, NULL);
	ret = sys_rename(c->temporary, real ? real : path);
	if (ret < 0)
		return error_sys(error, ret, "cannot rename '%s' to '%s'", c->temporary, path);
	g_clear_pointer(&c->temporary, g_free);
	return true;
}

static bool convert(struct convert *c, int argc, char **argv, GError **error)
{
	const char *path = argv[argc - 1];
	uint64_t at = 0;

	if (!open_sources(c, argc, argv, error))
		return false;
	if (c->backing) {
		c->base = image_open(c->backing, c->backing_format, IMAGE_NO_LOCK, error);
		if (!c->base)
			return false;
	}
	if (!open_target(c, path, error))
		return false;
	img_catch_signals();
	img_progress_begin(&c->bar, c->progress, c->quiet);
	for (unsigned i = 0; i < c->sources->len; i++) {
		struct image *source = c->sources->pdata[i];

		if (!copy_source(c, source, at, error))
			return false;
		at += source->size;
	}
	img_progress(&c->bar, 1, 1);
	return finish(c, path, error);
}

static void release(struct convert *c)
{
	img_progress_end(&c->bar);
	image_close(c->target);
	image_close(c->base);
	g_ptr_array_unref(c->sources);
	if (c->temporary)
		(void)sys_unlink(c->temporary);
	g_free(c->temporary);
	g_free(c->source_format);
	g_free(c->target_format);
	g_free(c->backing);
	g_free(c->backing_format);
	g_free(c->cache);
	g_free(c->source_cache);
	g_free(c->sparse);
	g_free(c->snapshot);
	g_free(c->rate);
	g_strfreev(c->options);
}

static bool check(struct convert *c, GError **error)
{
	if (c->sparse && !img_size(c->sparse, &c->sparse_len, error))
		return false;
	if (c->sparse_len > PIECE_LEN)
		return error_set(error, SOCLE_ERROR_USAGE, "-S is at most 2M");
	if (c->backing && !c->backing_format)
		return error_set(error, SOCLE_ERROR_USAGE, "-B needs the format of '%s': -F FORMAT",
				 c->backing);
	if (c->threads < 1 || c->threads > 16)
		return error_set(error, SOCLE_ERROR_USAGE, "-m is 1 to 16");
	if (c->target_is_zero && !c->no_create)
		return error_set(error, SOCLE_ERROR_USAGE, "--target-is-zero goes with -n");
	if (c->snapshot)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "-l is not there yet; apply the snapshot to a copy");
	return true;
}

int img_convert(const struct img_command *command, int argc, char **argv)
{
	struct convert c = { .sparse_len = 4096, .threads = 8 };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &c.source_format,
		  "format of the source; else it is looked at", "FORMAT" },
		{ "target-format", 'O', 0, G_OPTION_ARG_STRING, &c.target_format,
		  "format of the target; else raw", "FORMAT" },
		{ "options", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &c.options,
		  "options of the target's format; \"help\" lists them", "A=B,..." },
		{ "backing", 'B', 0, G_OPTION_ARG_STRING, &c.backing,
		  "what the target has behind it, and leaves out", "FILE" },
		{ "backing-format", 'F', 0, G_OPTION_ARG_STRING, &c.backing_format,
		  "format of that", "FORMAT" },
		{ "compress", 'c', 0, G_OPTION_ARG_NONE, &c.compress, "compress", NULL },
		{ "no-create", 'n', 0, G_OPTION_ARG_NONE, &c.no_create,
		  "the target is there already", NULL },
		{ "target-is-zero", 0, 0, G_OPTION_ARG_NONE, &c.target_is_zero, "and reads as zero",
		  NULL },
		{ "progress", 'p', 0, G_OPTION_ARG_NONE, &c.progress, "show progress", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &c.quiet, "do not", NULL },
		{ "sparse", 'S', 0, G_OPTION_ARG_STRING, &c.sparse,
		  "zeroes of this length are left out; 0: none (4k)", "SIZE" },
		{ "threads", 'm', 0, G_OPTION_ARG_INT, &c.threads, "threads that read (8)", "N" },
		{ "out-of-order", 'W', 0, G_OPTION_ARG_NONE, &c.out_of_order,
		  "has no effect: order costs nothing here", NULL },
		{ "cache", 't', 0, G_OPTION_ARG_STRING, &c.cache,
		  "cache mode of the target (unsafe)", "MODE" },
		{ "source-cache", 'T', 0, G_OPTION_ARG_STRING, &c.source_cache,
		  "cache mode of the source", "MODE" },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &c.shared,
		  "read it also while others write to it", NULL },
		{ "snapshot", 'l', 0, G_OPTION_ARG_STRING, &c.snapshot, "of the source", "NAME" },
		{ "salvage", 0, 0, G_OPTION_ARG_NONE, &c.salvage,
		  "what cannot be read becomes zero", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status = IMG_OK;

	c.sources = g_ptr_array_new_with_free_func((GDestroyNotify)image_close);
	if (img_parse(command, entries, &argc, &argv, 0, G_MAXINT, &status)) {
		const struct image_ops *ops = NULL;

		if (!c.target_format)
			c.target_format = g_strdup("raw");
		ops = image_format_find(c.target_format, &error);
		if (ops && img_wants_help(c.options))
			img_print_options(ops);
		else if (argc < 3)
			status =
				img_fail_text("convert: the arguments are: %s", command->arguments);
		else if (!ops || !check(&c, &error) || !convert(&c, argc, argv, &error)) {
			img_progress_end(&c.bar);
			status = img_fail(error);
		}
	}
	release(&c);
	return status;
}
