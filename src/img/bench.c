/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench.c - socle-img bench: how fast is an image?
 *
 * Reads go through as many threads as are asked for; writes, which an image takes one at a time,
 * through one.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"
#include "img/img.h"

enum {
	MAX_DEPTH = 64,
	MAX_BUFFER = 64 << 20, /* bytes */
};

struct bench {
	struct image *image;
	uint64_t count, depth, size, step, off, pattern, flush_every;
	bool writes;
	_Atomic uint64_t next;
	pthread_mutex_t lock; /* guards error */
	GError *error;
};

static bool parse(const struct img_args *args, struct bench *bench, GError **error)
{
	bench->writes = img_args_has(args, 'w');
	if (!img_args_number(args, 'c', "the request count", 1, INT32_MAX, &bench->count, error) ||
	    !img_args_number(args, 'd', "the queue depth", 1, INT32_MAX, &bench->depth, error) ||
	    !img_args_size(args, 's', "buffer size", 4096, &bench->size, error) ||
	    !img_args_size(args, 'S', "step size", 0, &bench->step, error) ||
	    !img_args_size(args, 'o', "offset", 0, &bench->off, error) ||
	    !img_args_number(args, IMG_OPTION_PATTERN, "the pattern", 0, 255, &bench->pattern,
			     error) ||
	    !img_args_number(args, IMG_OPTION_FLUSH_INTERVAL, "the flush interval", 0, INT32_MAX,
			     &bench->flush_every, error))
		return false;
	if (!bench->writes && bench->flush_every)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "--flush-interval is only available in write tests");
	if (!bench->size || bench->size > MAX_BUFFER)
		return error_set(error, SOCLE_ERROR_USAGE, "the buffer size is 1 to 64M");
	if (!bench->step)
		bench->step = bench->size;
	return true;
}

static bool one(struct bench *bench, uint64_t n, uint8_t *buf, GError **error)
{
	uint64_t room = bench->image->size - bench->size + 1;
	uint64_t off = (bench->off + n * bench->step) % room;

	if (!bench->writes)
		return image_read(bench->image, off, buf, bench->size, error);
	off &= ~(uint64_t)(IMG_SECTOR - 1);
	if (!image_write(bench->image, off, buf, bench->size, error))
		return false;
	return !bench->flush_every || (n + 1) % bench->flush_every ||
	       image_flush(bench->image, error);
}

static void worker(void *opaque)
{
	struct bench *bench = opaque;
	uint8_t *buf = g_aligned_alloc(1, bench->size, 4096);
	GError *error = NULL;
	uint64_t n;

	memset(buf, (int)bench->pattern, bench->size);
	while (!error && (n = atomic_fetch_add(&bench->next, 1)) < bench->count)
		(void)one(bench, n, buf, &error);
	if (error)
		atomic_store(&bench->next, bench->count);
	pthread_mutex_lock(&bench->lock);
	if (!bench->error)
		bench->error = g_steal_pointer(&error);
	pthread_mutex_unlock(&bench->lock);
	g_clear_error(&error);
	g_aligned_free(buf);
}

static bool run(struct bench *bench, GError **error)
{
	struct thread *threads[MAX_DEPTH] = { NULL };
	unsigned count = bench->writes ? 1 : (unsigned)MIN(bench->depth, MAX_DEPTH);
	bool ok = true;

	for (unsigned i = 0; ok && i < count; i++) {
		threads[i] = thread_start("bench", worker, bench, error);
		ok = threads[i] != NULL;
	}
	if (!ok)
		atomic_store(&bench->next, bench->count);
	for (unsigned i = 0; i < count; i++)
		thread_join(threads[i]);
	if (!ok || !bench->error)
		return ok && (!bench->writes || image_flush(bench->image, error));
	g_propagate_error(error, g_steal_pointer(&bench->error));
	return false;
}

static int bench(const struct img_args *args, GError **error)
{
	struct bench bench = { .count = 75000, .depth = 64, .lock = PTHREAD_MUTEX_INITIALIZER };
	autoptr(image) image = NULL;
	const char *path = img_args_word(args, 0);
	uint64_t begin_ns;

	if (!parse(args, &bench, error))
		return EXIT_FAILURE;
	image = bench.writes ? img_open_write(args, path, NULL, IMAGE_BACKING, error)
			     : img_open_arg(args, path, 't', IMAGE_BACKING, error);
	if (!image)
		return EXIT_FAILURE;
	if (image->size < bench.size || (bench.writes && bench.size % IMG_SECTOR)) {
		error_set(
			error, SOCLE_ERROR_USAGE,
			"the buffer size must fit the image, and be a multiple of 512 for writes");
		return EXIT_FAILURE;
	}
	bench.image = image;
	if (!img_args_has(args, 'q'))
		img_out("Sending %" PRIu64 " %s requests, %" PRIu64 " bytes each, %" PRIu64
			" in parallel (starting at offset %" PRIu64 ", step size %" PRIu64 ")\n",
			bench.count, bench.writes ? "write" : "read", bench.size, bench.depth,
			bench.off, bench.step);
	if (bench.flush_every && !img_args_has(args, 'q'))
		img_out("Sending flush every %" PRIu64 " requests\n", bench.flush_every);
	begin_ns = sys_monotonic_ns();
	if (!run(&bench, error))
		return EXIT_FAILURE;
	if (!img_args_has(args, 'q'))
		img_out("Run completed in %3.3f seconds.\n",
			(double)(sys_monotonic_ns() - begin_ns) / 1e9);
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	{ 'f', "format", "FORMAT", "format of the image; must be given for -w" },
	{ 'c', "count", "N", "requests (default 75000)" },
	{ 'd', "depth", "N", "reads at a time (default 64)" },
	{ 's', "buffer-size", "BYTES", "of a request (default 4k)" },
	{ 'S', "step-size", "BYTES", "from one to the next (default: the buffer size)" },
	{ 'o', "offset", "BYTES", "of the first one" },
	{ 'w', "write", NULL, "write: what the image has is lost" },
	{ IMG_OPTION_PATTERN, "pattern", "N", "of the bytes that are written (default 0)" },
	{ IMG_OPTION_FLUSH_INTERVAL, "flush-interval", "N", "flush after so many writes" },
	{ IMG_OPTION_NO_DRAIN, "no-drain", NULL, "accepted" },
	{ 'i', "aio", "AIO", "accepted: how QEMU would do it" },
	{ 'n', "native", NULL, "accepted: the same" },
	IMG_ROW_CACHE,
	IMG_ROW_QUIET,
	IMG_ROW_SHARED,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_bench = {
	.name = "bench",
	.arguments = "IMAGE",
	.summary = "Measure how fast an image is read or written",
	.options = options,
	.min = 1,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = EXIT_FAILURE,
	.run = bench,
};
