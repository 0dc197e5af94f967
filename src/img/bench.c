/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench.c - socle-img bench: how fast is an image?
 *
 * Requests go through block.h, as those of a machine's disk do.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/io-loop.h"
#include "base/sys.h"
#include "block/block.h"
#include "img/img.h"

struct bench;

struct slot {
	struct block_request req;
	struct bench *bench;
	struct iovec iov;
};

struct bench {
	char *format, *cache, *buffer_size, *step_size, *offset, *aio;
	gboolean write, native, quiet, shared, no_drain;
	int count, depth, flush_interval, pattern;
	uint64_t len, step, off;

	struct block_queue *queue;
	uint64_t size, begun, done;
	int failed; /* -errno of the first that did */
};

static void begin(struct slot *slot);

static void done(struct block_request *req, int result)
{
	struct slot *slot = container_of(req, struct slot, req);
	struct bench *b = slot->bench;

	if (result < 0 && !b->failed)
		b->failed = result;
	if (req->op != BLOCK_FLUSH)
		b->done++;
	if (b->flush_interval && req->op == BLOCK_WRITE &&
	    b->done % (unsigned)b->flush_interval == 0) {
		slot->req.op = BLOCK_FLUSH;
		slot->req.len = 0;
		block_submit(b->queue, &slot->req);
		return;
	}
	begin(slot);
}

static void begin(struct slot *slot)
{
	struct bench *b = slot->bench;

	if (b->begun >= (uint64_t)b->count || b->failed) {
		slot->req.op = BLOCK_OP_COUNT; /* at rest */
		return;
	}
	b->begun++;
	slot->req.op = b->write ? BLOCK_WRITE : BLOCK_READ;
	slot->req.off = b->off;
	slot->req.len = b->len;
	b->off += b->step;
	if (b->off > b->size - b->len)
		b->off = b->off % b->len;
	block_submit(b->queue, &slot->req);
}

static bool at_rest(const struct slot *slots, int depth)
{
	for (int i = 0; i < depth; i++) {
		if (slots[i].req.op != BLOCK_OP_COUNT)
			return false;
	}
	return true;
}

static bool measure(struct bench *b, struct io_loop *loop, GError **error)
{
	g_autofree struct slot *slots = g_new0(struct slot, b->depth);
	uint8_t *buf = g_aligned_alloc(1, (size_t)b->depth * b->len, 4096);
	uint64_t start = sys_monotonic_ns();

	memset(buf, b->pattern, (size_t)b->depth * b->len);
	for (int i = 0; i < b->depth; i++) {
		struct slot *slot = &slots[i];

		slot->bench = b;
		slot->iov = (struct iovec){ buf + (size_t)i * b->len, b->len };
		slot->req =
			(struct block_request){ .iov = &slot->iov, .iov_count = 1, .done = done };
		begin(slot);
	}
	while (!at_rest(slots, b->depth))
		(void)io_loop_run(loop, true);
	g_aligned_free(buf);
	if (b->failed)
		return error_sys(error, b->failed, "request failed");
	if (!b->quiet)
		printf("Run completed in %3.3f seconds.\n",
		       (double)(sys_monotonic_ns() - start) / 1e9);
	return true;
}

static bool parse(struct bench *b, struct block_open *open, GError **error)
{
	unsigned flags = 0;

	b->len = 4096;
	if ((b->buffer_size && !img_size(b->buffer_size, &b->len, error)) ||
	    (b->step_size && !img_size(b->step_size, &b->step, error)) ||
	    (b->offset && !img_size(b->offset, &b->off, error)) ||
	    (b->cache && !img_cache(b->cache, &flags, error)))
		return false;
	if (!b->step)
		b->step = b->len;
	if (!b->len || b->len % 512 || b->len > 64 << 20 || b->step % 512 || b->off % 512)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "sizes and offsets must be multiples of 512 bytes");
	if (b->count < 1 || b->depth < 1 || b->depth > 1024 || b->flush_interval < 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "-c is at least 1, -d is 1 to 1024, --flush-interval at least 0");
	if (b->write && !b->format)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the format is not guessed for -w; say -f FORMAT");
	open->direct = flags & IMAGE_DIRECT;
	open->no_flush = flags & IMAGE_NO_FLUSH;
	open->read_only = !b->write;
	open->shared = b->shared;
	open->backing = true;
	return true;
}

static bool run(struct bench *b, const char *path, GError **error)
{
	struct block_open open = { .path = path };
	autoptr(io_loop) loop = NULL;
	autoptr(block) block = NULL;
	struct block_info info;
	bool ok;

	if (!parse(b, &open, error))
		return false;
	if (!b->format) {
		autoptr(image) image = image_open(path, NULL, IMAGE_NO_LOCK, error);

		if (!image)
			return false;
		b->format = g_strdup(image->ops->format);
	}
	open.format = b->format;
	block = block_open(&open, error);
	loop = block ? io_loop_new_manual(IO_LOOP_AUTO, NULL, NULL, error) : NULL;
	b->queue = loop ? block_queue_new(block, loop, error) : NULL;
	if (!b->queue)
		return false;
	block_info(block, &info);
	b->size = info.size;
	if (b->off > b->size || b->len > b->size - b->off) {
		ok = error_set(error, SOCLE_ERROR_USAGE,
			       "image '%s' has %" G_GUINT64_FORMAT " bytes only", path, b->size);
	} else {
		if (!b->quiet)
			printf("Sending %d %s requests, %" G_GUINT64_FORMAT " bytes each, %d in "
			       "parallel (starting at offset %" G_GUINT64_FORMAT
			       ", step size %" G_GUINT64_FORMAT ")\n",
			       b->count, b->write ? "write" : "read", b->len, b->depth, b->off,
			       b->step);
		ok = measure(b, loop, error);
	}
	block_queue_free(b->queue);
	/* The image must not outlive its loop's end, nor the loop its requests. */
	block_close(g_steal_pointer(&block));
	return ok;
}

int img_bench(const struct img_command *command, int argc, char **argv)
{
	struct bench b = { .count = 75000, .depth = 64 };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &b.format, "format", "FORMAT" },
		{ "count", 'c', 0, G_OPTION_ARG_INT, &b.count, "requests (75000)", "N" },
		{ "depth", 'd', 0, G_OPTION_ARG_INT, &b.depth, "at a time (64)", "N" },
		{ "flush-interval", 0, 0, G_OPTION_ARG_INT, &b.flush_interval,
		  "a flush after so many writes", "N" },
		{ "no-drain", 0, 0, G_OPTION_ARG_NONE, &b.no_drain,
		  "has no effect: flushes do not wait for others", NULL },
		{ "native", 'n', 0, G_OPTION_ARG_NONE, &b.native,
		  "has no effect: it is native anyway", NULL },
		{ "aio", 'i', 0, G_OPTION_ARG_STRING, &b.aio, "has no effect", "WAY" },
		{ "offset", 'o', 0, G_OPTION_ARG_STRING, &b.offset, "of the first", "SIZE" },
		{ "pattern", 0, 0, G_OPTION_ARG_INT, &b.pattern, "byte that is written", "N" },
		{ "buffer-size", 's', 0, G_OPTION_ARG_STRING, &b.buffer_size,
		  "bytes of a request (4k)", "SIZE" },
		{ "step", 'S', 0, G_OPTION_ARG_STRING, &b.step_size,
		  "from one to the next; else one behind the other", "SIZE" },
		{ "cache", 't', 0, G_OPTION_ARG_STRING, &b.cache, "cache mode", "MODE" },
		{ "write", 'w', 0, G_OPTION_ARG_NONE, &b.write, "write", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &b.quiet, "print nothing", NULL },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &b.shared,
		  "also while others write to it", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (img_parse(command, entries, &argc, &argv, 1, 1, &status))
		status = run(&b, argv[1], &error) ? IMG_OK : img_fail(error);
	g_free(b.format);
	g_free(b.cache);
	g_free(b.buffer_size);
	g_free(b.step_size);
	g_free(b.offset);
	g_free(b.aio);
	return status;
}
