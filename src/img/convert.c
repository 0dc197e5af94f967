/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert.c - socle-img convert: an image of what others have
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/copy.h"
#include "img/create.h"
#include "img/img.h"

enum {
	MAX_SPARSE = 16 << 20,
};

struct convert {
	struct copy copy;
	GHashTable *words;
	const char *format, *path; /* of the target */
	GPtrArray *bitmaps;        /* struct qcow2_bitmap that are copied, or NULL */
};

static bool open_sources(const struct img_args *args, struct copy *copy, GError **error)
{
	unsigned count = img_args_words(args) - 1;

	if (count > COPY_MAX_SOURCES)
		return error_set(error, SOCLE_ERROR_LIMIT, "more than %d images cannot be joined",
				 COPY_MAX_SOURCES);
	for (unsigned i = 0; i < count; i++) {
		struct image *source =
			img_open_arg(args, img_args_word(args, i), 'T', IMAGE_BACKING, error);

		if (!source)
			return false;
		copy->sources[copy->count++] = source;
		if (!img_show_snapshot(args, source, error))
			return false;
		copy->len += source->size;
		if (copy->len > INT64_MAX)
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "the images are too large together");
	}
	return true;
}

static bool parse_numbers(const struct img_args *args, struct copy *copy, GError **error)
{
	uint64_t threads;

	copy->compress = img_args_has(args, 'c');
	threads = copy_default_threads(copy->compress);
	copy->salvage = img_args_has(args, IMG_OPTION_SALVAGE);
	if (!img_args_size(args, 'S', "sparse size", 4096, &copy->sparse, error) ||
	    !img_args_size(args, 'r', "rate limit", 0, &copy->rate, error) ||
	    !img_args_number(args, 'm', "the number of threads", 1, COPY_MAX_THREADS, &threads,
			     error))
		return false;
	copy->threads = (unsigned)threads;
	if (copy->sparse % IMG_SECTOR || copy->sparse > MAX_SPARSE)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"the sparse size is a multiple of 512 up to 16M, or 0 for an image "
			"without holes");
	if (img_args_has(args, 'C') && img_args_has(args, 'S'))
		return error_set(error, SOCLE_ERROR_USAGE, "-C does not go with -S");
	return true;
}

/* --bitmaps: is there something to be copied, and can all of it be? */
static bool check_bitmaps(const struct img_args *args, struct convert *convert, GError **error)
{
	const bool skip = img_args_has(args, IMG_OPTION_SKIP_BROKEN_BITMAPS);
	struct image *source = convert->copy.sources[0];

	if (!img_args_has(args, IMG_OPTION_BITMAPS))
		return !skip || error_set(error, SOCLE_ERROR_USAGE,
					  "--skip-broken-bitmaps is of no use without --bitmaps");
	if (convert->copy.count > 1 || img_args_has(args, 'l'))
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"the bitmaps of joined images, or of a snapshot, cannot be copied");
	if (source->ops != &image_qcow2_ops || strcmp(convert->format, "qcow2") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "--bitmaps is for images of format 'qcow2', and into such ones");
	convert->bitmaps = qcow2_bitmaps(source, error);
	for (unsigned i = 0; !skip && convert->bitmaps && i < convert->bitmaps->len; i++) {
		const struct qcow2_bitmap *bitmap = g_ptr_array_index(convert->bitmaps, i);

		if (bitmap->in_use)
			return error_set(error, SOCLE_ERROR_STATE,
					 "bitmap '%s' was not saved by who used it, and says "
					 "nothing; remove it, or give --skip-broken-bitmaps",
					 bitmap->name);
	}
	return convert->bitmaps != NULL;
}

/* Once nothing is written to the target any more. */
static bool copy_bitmaps(struct convert *convert, GError **error)
{
	struct image *target = convert->copy.target, *source = convert->copy.sources[0];

	for (unsigned i = 0; convert->bitmaps && i < convert->bitmaps->len; i++) {
		const struct qcow2_bitmap *bitmap = g_ptr_array_index(convert->bitmaps, i);

		if (bitmap->in_use) {
			img_warn("bitmap '%s' was not saved by who used it, and is left out",
				 bitmap->name);
			continue;
		}
		if (!qcow2_bitmap_change(target, bitmap->name, QCOW2_BITMAP_ADD,
					 bitmap->granularity_bits, error) ||
		    !qcow2_bitmap_merge(target, bitmap->name, source, bitmap->name, error) ||
		    (!bitmap->automatic &&
		     !qcow2_bitmap_change(target, bitmap->name, QCOW2_BITMAP_DISABLE, 0, error)))
			return false;
	}
	return true;
}

static bool check_options(const struct img_args *args, struct convert *convert, GError **error)
{
	bool no_create = img_args_has(args, 'n');

	if (img_args_has(args, IMG_OPTION_TARGET_IS_ZERO) && !no_create)
		return error_set(error, SOCLE_ERROR_USAGE, "--target-is-zero requires -n");
	if (img_args_has(args, IMG_OPTION_TARGET_IMAGE_OPTS) && !no_create)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"--target-image-opts requires -n: a new image is named by its file");
	if (no_create && (img_args_has(args, 'o') || img_args_has(args, 'B')))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "-o and -B are for a new image, and -n makes none");
	if (img_args_has(args, 'B') && convert->copy.count > 1)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "images cannot be joined into one with a backing file");
	if (img_args_has(args, 'l') && convert->copy.count > 1)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a snapshot (-l) is that of one image; several cannot be joined");
	return check_bitmaps(args, convert, error);
}

static bool check_compress(const struct convert *convert, GError **error)
{
	if (convert->copy.compress && convert->copy.target->encrypted)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "compression and encryption do not go together: compressed data "
				 "would not be encrypted");
	if (!convert->copy.compress || convert->copy.target->ops->pack)
		return true;
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "images of format '%s' cannot be compressed", convert->format);
}

/* A device keeps its size; it must be large enough. */
static bool check_target_size(const struct convert *convert, GError **error)
{
	if (convert->copy.target->size >= convert->copy.len)
		return true;
	return error_set(error, SOCLE_ERROR_LIMIT,
			 "image '%s' is smaller than what is to be written to it", convert->path);
}

static bool run_copy(const struct img_args *args, struct convert *convert, GError **error)
{
	struct img_progress progress;
	bool ok;

	if (!check_compress(convert, error) || !check_target_size(convert, error))
		return false;
	img_progress_start(&progress, args, convert->copy.len);
	convert->copy.progress = &progress;
	ok = copy_run(&convert->copy, error) && copy_bitmaps(convert, error);
	if (ok)
		img_progress_end(&progress);
	else if (progress.shown)
		img_out("\n");
	return ok;
}

/* As with qemu-img nobody waits for the disk unless that is asked for. */
static bool target_cache(const struct img_args *args, unsigned *ret_flags, GError **error)
{
	const char *cache = img_args_value(args, 't');

	return img_cache_flags(cache ? cache : "unsafe", ret_flags, error);
}

/* Into an image that is there: -n, or a device. */
static bool into_existing(const struct img_args *args, struct convert *convert, GError **error)
{
	const bool is_list = img_args_has(args, IMG_OPTION_TARGET_IMAGE_OPTS);
	autoptr(img_name) name =
		img_name_new(args, convert->path, is_list ? NULL : convert->format, is_list, error);
	autoptr(image) target = NULL;
	struct image_keys keys;
	unsigned cache;

	if (!name || !target_cache(args, &cache, error))
		return false;
	keys = img_name_keys(name, 0);
	target = image_open_keys(name->path, name->format, IMAGE_WRITE | IMAGE_BACKING | cache,
				 &keys, error);
	if (!target)
		return false;
	convert->copy.target = target;
	convert->copy.target_is_zero = img_args_has(args, IMG_OPTION_TARGET_IS_ZERO);
	return run_copy(args, convert, error);
}

static bool into_new(const struct img_args *args, struct convert *convert, GError **error)
{
	const char *size = g_hash_table_lookup(convert->words, "size");
	struct image_create what = { .options = convert->words, .size = convert->copy.len };
	autoptr(img_target) target = NULL;
	/* A data file that the user has named may be opened. */
	unsigned data_file = g_hash_table_contains(convert->words, "data_file") ? IMAGE_BACKING : 0;
	struct image_keys keys;
	struct image *image;
	unsigned cache;
	bool ok;

	if (!target_cache(args, &cache, error) ||
	    (size && !img_parse_size(size, &what.size, error)) ||
	    !img_create_secret(args, convert->words, &what, error) ||
	    !img_create_hints(convert->words, &what, error) ||
	    !img_create_backing(args, convert->path, 'B', convert->words, &what, error) ||
	    !img_create_fix_size(&what, error))
		return false;
	if (what.backing_file && !what.backing_format)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Use of backing file requires explicit backing format");
	target = img_target_new(convert->path, error);
	if (!target)
		return false;
	if (!img_target_create(target, convert->format, &what, error))
		return false;
	/* The backing file is not needed: no cluster is written in parts, but at the end. */
	keys = (struct image_keys){ .secrets = &what.secret, .count = what.secret ? 1 : 0 };
	image = image_open_keys(what.path, convert->format, IMAGE_WRITE | data_file | cache, &keys,
				error);
	if (!image)
		return false;
	convert->copy.target = image;
	convert->copy.over_backing = what.backing_file != NULL;
	convert->copy.target_is_zero = !what.backing_file && !image->ops->new_is_noise;
	ok = run_copy(args, convert, error);
	image_close(image);
	return ok && img_target_finish(target, error);
}

static bool is_device(const char *path)
{
	return g_file_test(path, G_FILE_TEST_EXISTS) &&
	       !g_file_test(path, G_FILE_TEST_IS_REGULAR | G_FILE_TEST_IS_DIR);
}

static bool start(const struct img_args *args, struct convert *convert, GError **error)
{
	if (!parse_numbers(args, &convert->copy, error) ||
	    !open_sources(args, &convert->copy, error) || !check_options(args, convert, error))
		return false;
	if (img_args_has(args, 'n') || is_device(convert->path))
		return into_existing(args, convert, error);
	convert->words = img_create_options(args, convert->format, NULL, error);
	return convert->words && into_new(args, convert, error);
}

static int convert(const struct img_args *args, GError **error)
{
	const char *format = img_args_value(args, 'O');
	struct convert convert = { .format = format ? format : "raw" };
	bool ok;

	if (img_wants_options_help(args))
		return img_out_options_help(convert.format, error) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (img_args_words(args) < 2) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "must specify image file names: what is to be "
			  "converted, and the new one");
		return EXIT_FAILURE;
	}
	convert.path = img_args_word(args, img_args_words(args) - 1);
	ok = start(args, &convert, error);
	for (unsigned i = 0; i < convert.copy.count; i++)
		image_close(convert.copy.sources[i]);
	g_clear_pointer(&convert.words, g_hash_table_unref);
	g_clear_pointer(&convert.bitmaps, g_ptr_array_unref);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const struct img_option options[] = {
	{ 'f', "format", "FORMAT", "of what is converted (default: guessed)" },
	{ 'O', "output-format", "FORMAT", "of the new image (default raw)" },
	{ 'o', "options", "NAME=VALUE,...", "what the format offers; -o help lists it" },
	{ 'B', "backing", "FILE", "the image behind the new one: only differences are copied" },
	{ 'F', "backing-format", "FORMAT", "the format of that" },
	{ 'c', "compress", NULL, "compress it" },
	{ 'n', "no-create", NULL, "write to an image that is there" },
	{ IMG_OPTION_TARGET_IS_ZERO, "target-is-zero", NULL, "with -n: which reads as zero" },
	{ 'S', "sparse", "BYTES", "so many zeroes become a hole (default 4k); 0: no holes" },
	{ 'm', "threads", "N", "that read and compress" },
	{ 'W', "out-of-order", NULL, "accepted; it is written in order" },
	{ 'C', "copy-range", NULL, "accepted; it is copied by reads and writes" },
	{ 'r', "rate", "BYTES", "not faster than so many in a second" },
	{ 'l', "snapshot", "NAME", "of a snapshot within the image" },
	{ IMG_OPTION_SALVAGE, "salvage", NULL, "go on where something cannot be read" },
	{ IMG_OPTION_BITMAPS, "bitmaps", NULL, "copy bitmaps, too" },
	{ IMG_OPTION_SKIP_BROKEN_BITMAPS, "skip-broken-bitmaps", NULL, "but for broken ones" },
	{ IMG_OPTION_TARGET_IMAGE_OPTS, "target-image-opts", NULL, "so is NEW-IMAGE, with -n" },
	{ 't', "cache", "CACHE", "how it is written: unsafe (default), writeback, none, ..." },
	IMG_ROW_SOURCE_CACHE,
	IMG_ROW_PROGRESS,
	IMG_ROW_QUIET,
	IMG_ROW_SHARED,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_convert = {
	.name = "convert",
	.arguments = "IMAGE... NEW-IMAGE",
	.summary = "Copy what images have into a new one",
	.options = options,
	.max = 1000,
	.wanted = "must specify image file names",
	.failure = EXIT_FAILURE,
	.run = convert,
};
