/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench.c - socle-img bench: how fast is an image?
 *
 * As a machine's disk does it: so many requests are under way at a time on one loop, and each that
 * ends begins the next one.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/io-loop.h"
#include "base/sys.h"
#include "block/keep.h"
#include "img/img.h"

enum {
	MAX_DEPTH = 65536,
	MAX_BUFFER = 64 << 20, /* bytes */
	MAX_BUFFERS = 1 << 30, /* of all requests */
};

struct bench;

struct bench_request {
	struct block_request base;
	struct bench *bench;
	struct iovec iov;
};

struct bench {
	uint64_t count, depth, size, step, off, pattern, flush_every;
	bool writes, drains;
	uint64_t room; /* where a request may begin is below it */
	unsigned align;

	struct block_queue *queue;
	struct io_loop *loop;
	struct bench_request *requests; /* depth, and one for flushes */
	GPtrArray *idle;                /* of the first depth */
	uint64_t sent, flying;
	bool flush_due, flushing;
	int result; /* of the first one that failed */
};

static bool parse(const struct img_args *args, struct bench *bench, GError **error)
{
	bench->writes = img_args_has(args, 'w');
	bench->drains = !img_args_has(args, IMG_OPTION_NO_DRAIN);
	if (!img_args_number(args, 'c', "the request count", 1, INT32_MAX, &bench->count, error) ||
	    !img_args_number(args, 'd', "the queue depth", 1, MAX_DEPTH, &bench->depth, error) ||
	    !img_args_size(args, 's', "buffer size", 4096, &bench->size, error) ||
	    !img_args_size(args, 'S', "step size", 0, &bench->step, error) ||
	    !img_args_size(args, 'o', "offset", 0, &bench->off, error) ||
	    !img_args_number(args, IMG_OPTION_PATTERN, "the pattern", 0, 255, &bench->pattern,
			     error) ||
	    !img_args_number(args, IMG_OPTION_FLUSH_INTERVAL, "the flush interval", 0, INT32_MAX,
			     &bench->flush_every, error))
		return false;
	return bench->writes || !bench->flush_every ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "--flush-interval is only available in write tests");
}

/* Can it be done, and in what memory? */
static bool check(struct bench *bench, uint64_t image_size, GError **error)
{
	if (!bench->size || bench->size > MAX_BUFFER)
		return error_set(error, SOCLE_ERROR_USAGE, "the buffer size is 1 to 64M");
	if (image_size < bench->size || (bench->writes && bench->size % bench->align))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the buffer size must fit the image, and be a multiple of %u for "
				 "writes",
				 bench->align);
	if (bench->depth * bench->size > MAX_BUFFERS)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "%" PRIu64 " requests at a time of %" PRIu64
				 " bytes take too much memory; give a lower -d or -s",
				 bench->depth, bench->size);
	if (!bench->step)
		bench->step = bench->size;
	bench->room = image_size - bench->size + 1;
	return true;
}

static bool parse_aio(const struct img_args *args, enum io_loop_kind *ret, GError **error)
{
	const char *aio = img_args_value(args, 'i');

	*ret = IO_LOOP_AUTO;
	if (!aio || !strcmp(aio, "native"))
		return true;
	*ret = !strcmp(aio, "threads") ? IO_LOOP_THREADS : IO_LOOP_URING;
	return *ret == IO_LOOP_THREADS || !strcmp(aio, "io_uring") ||
	       error_set(error, SOCLE_ERROR_USAGE, "-i is threads, native or io_uring, not '%s'",
			 aio);
}

/* ---- requests ---- */

static void go_on(struct bench *bench);

static void one_done(struct block_request *base, int result)
{
	struct bench_request *req = container_of(base, struct bench_request, base);
	struct bench *bench = req->bench;

	if (result < 0 && !bench->result)
		bench->result = result;
	bench->flying--;
	if (base->op == BLOCK_FLUSH)
		bench->flushing = false;
	else
		g_ptr_array_add(bench->idle, req);
	go_on(bench);
}

static void submit(struct bench *bench, struct bench_request *req)
{
	bench->flying++;
	block_submit(bench->queue, &req->base);
}

static void send_one(struct bench *bench)
{
	struct bench_request *req = g_ptr_array_steal_index_fast(bench->idle, bench->idle->len - 1);
	const uint64_t off = (bench->off % bench->room + bench->sent * bench->step) % bench->room;
	const uint64_t begin = off & ~(uint64_t)(bench->align - 1);
	/* Reads that begin or end anywhere take what is around. */
	const uint64_t end = (bench->writes ? begin : off) + bench->size;

	bench->sent++;
	bench->flush_due = bench->flush_every && !(bench->sent % bench->flush_every);
	req->base.off = begin;
	req->base.len = (end + bench->align - 1 - begin) & ~(uint64_t)(bench->align - 1);
	req->iov.iov_len = req->base.len;
	submit(bench, req);
}

/* A flush waits until all that was sent before is done, unless it is not to drain. */
static void send_flush(struct bench *bench)
{
	bench->flush_due = false;
	bench->flushing = true;
	submit(bench, &bench->requests[bench->depth]);
}

static void go_on(struct bench *bench)
{
	while (!bench->result) {
		if (bench->flush_due && (bench->flushing || (bench->drains && bench->flying)))
			return;
		if (bench->flush_due)
			send_flush(bench);
		if ((bench->flushing && bench->drains) || bench->sent == bench->count ||
		    !bench->idle->len)
			return;
		send_one(bench);
	}
}

static bool run(struct bench *bench, GError **error)
{
	go_on(bench);
	while (bench->flying)
		(void)io_loop_run(bench->loop, true);
	if (!bench->result && bench->writes) {
		send_flush(bench);
		while (bench->flying)
			(void)io_loop_run(bench->loop, true);
	}
	return bench->result >= 0 || error_sys(error, bench->result, "Failed request");
}

/* With one buffer for each request, which may be somewhat longer than what was asked for. */
static bool run_with_buffers(struct bench *bench, GError **error)
{
	const size_t len = (bench->size + 3 * bench->align - 1) & ~(size_t)(bench->align - 1);
	g_autoptr(GPtrArray) idle = g_ptr_array_new();
	uint8_t *buffers = g_aligned_alloc(bench->depth, len, 4096);
	bool ok;

	memset(buffers, (int)bench->pattern, bench->depth * len);
	bench->requests = g_new0(struct bench_request, bench->depth + 1);
	bench->idle = idle;
	for (uint64_t i = 0; i <= bench->depth; i++) {
		struct bench_request *req = &bench->requests[i];

		req->bench = bench;
		req->base.done = one_done;
		req->base.op = BLOCK_FLUSH;
		if (i == bench->depth)
			break;
		req->base.op = bench->writes ? BLOCK_WRITE : BLOCK_READ;
		req->iov.iov_base = buffers + i * len;
		req->base.iov = &req->iov;
		req->base.iov_count = 1;
		g_ptr_array_add(idle, req);
	}
	ok = run(bench, error);
	g_free(bench->requests);
	g_aligned_free(buffers);
	return ok;
}

/* ---- the image ---- */

/* As a disk has it: raw images by the kernel's I/O, the others behind a keeper. */
static struct block *open_block(const struct img_args *args, bool writes, uint64_t *ret_size,
				GError **error)
{
	const char *path = img_args_word(args, 0);
	struct image *image = writes ? img_open_write(args, path, NULL, IMAGE_BACKING, error)
				     : img_open_arg(args, path, 't', IMAGE_BACKING, error);
	struct block_open options = { .path = path, .read_only = !writes, .backing = true };
	struct block *kept, *raw;

	if (!image)
		return NULL;
	*ret_size = image->size;
	options.format = image->ops->format;
	options.direct = image->flags & IMAGE_DIRECT;
	options.no_flush = image->flags & IMAGE_NO_FLUSH;
	options.shared = image->flags & IMAGE_SHARED;
	kept = block_of_image(image, &options, error);
	raw = kept ? block_unkeep(kept, &options, NULL) : NULL;
	if (!raw)
		return kept;
	block_close(kept);
	return raw;
}

static void tell(const struct bench *bench)
{
	img_out("Sending %" PRIu64 " %s requests, %" PRIu64 " bytes each, %" PRIu64
		" in parallel (starting at offset %" PRIu64 ", step size %" PRIu64 ")\n",
		bench->count, bench->writes ? "write" : "read", bench->size, bench->depth,
		bench->off, bench->step);
	if (bench->flush_every)
		img_out("Sending flush every %" PRIu64 " %srequests\n", bench->flush_every,
			bench->drains ? "" : "undrained ");
}

static bool run_on(struct bench *bench, struct block *block, bool quiet, GError **error)
{
	uint64_t begin_ns;
	bool ok;

	bench->queue = block_queue_new(block, bench->loop, error);
	if (!bench->queue)
		return false;
	if (!quiet)
		tell(bench);
	begin_ns = sys_monotonic_ns();
	ok = run_with_buffers(bench, error);
	if (ok && !quiet)
		img_out("Run completed in %3.3f seconds.\n",
			(double)(sys_monotonic_ns() - begin_ns) / 1e9);
	block_queue_free(bench->queue);
	return ok;
}

static int bench(const struct img_args *args, GError **error)
{
	struct bench bench = { .count = 75000, .depth = 64 };
	autoptr(io_loop) loop = NULL;
	autoptr(block) block = NULL;
	struct block_info info;
	enum io_loop_kind kind;
	uint64_t size;

	if (!parse(args, &bench, error) || !parse_aio(args, &kind, error))
		return EXIT_FAILURE;
	block = open_block(args, bench.writes, &size, error);
	if (!block)
		return EXIT_FAILURE;
	block_info(block, &info);
	bench.align = info.request_alignment;
	loop = check(&bench, size & ~(uint64_t)(bench.align - 1), error)
		       ? io_loop_new_manual(kind, NULL, NULL, error)
		       : NULL;
	if (!loop)
		return EXIT_FAILURE;
	bench.loop = loop;
	return run_on(&bench, block, img_args_has(args, 'q'), error) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const struct img_option options[] = {
	{ 'f', "format", "FORMAT", "format of the image; must be given for -w" },
	{ 'c', "count", "N", "requests (default 75000)" },
	{ 'd', "depth", "N", "requests at a time (default 64)" },
	{ 's', "buffer-size", "BYTES", "of a request (default 4k)" },
	{ 'S', "step-size", "BYTES", "from one to the next (default: the buffer size)" },
	{ 'o', "offset", "BYTES", "of the first one" },
	{ 'w', "write", NULL, "write: what the image has is lost" },
	{ IMG_OPTION_PATTERN, "pattern", "N", "of the bytes that are written (default 0)" },
	{ IMG_OPTION_FLUSH_INTERVAL, "flush-interval", "N", "flush after so many writes" },
	{ IMG_OPTION_NO_DRAIN, "no-drain", NULL, "go on with requests during a flush" },
	{ 'i', "aio", "AIO", "threads, io_uring or native (default: what works)" },
	{ 'n', "native", NULL, "accepted: -i native" },
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
