/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blk-file.c - how fast is room block on a file, without a machine around it?
 *
 * Keeps a number of random requests on their way for some seconds, as a guest's disk would, and
 * prints requests per second and the CPU seconds that a million of them took. With --once it stops
 * when each block has had its request: in a new image these are writes that allocate. blk-vs-fio
 * runs it beside fio.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/sys.h"
#include "block/block.h"

struct bench {
	char *path, *format, *loop_name;
	gboolean direct, write, once;
	int depth, seconds, block_size;
	struct io_loop *loop;
	struct block *block;
	struct block_queue *queue;
	uint64_t blocks, state, count;
	uint64_t begun, stride; /* of --once; no common divisor with @blocks */
	unsigned under_way;
	atomic_bool stop, stopped;
	int error;
	struct slot *slots;
};

struct slot {
	struct block_request req;
	struct bench *bench;
	struct iovec iov;
};

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t next_block(struct bench *bench)
{
	if (bench->once)
		return (uint64_t)((unsigned __int128)bench->begun++ * bench->stride %
				  bench->blocks);
	return (uint64_t)((unsigned __int128)random_next(&bench->state) * bench->blocks >> 64);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	return b ? common_divisor(b, a % b) : a;
}

/* Near the golden section, so that what comes next is far from what was. */
static uint64_t find_stride(uint64_t blocks)
{
	uint64_t stride = (uint64_t)((double)blocks * 0.618) | 1;

	while (common_divisor(blocks, stride) != 1)
		stride += 2;
	return stride;
}

static void slot_start(struct slot *slot)
{
	struct bench *bench = slot->bench;
	uint64_t block = next_block(bench);

	slot->req.off = block * (uint64_t)bench->block_size;
	bench->under_way++;
	block_submit(bench->queue, &slot->req);
}

static void slot_done(struct block_request *req, int result)
{
	struct slot *slot = container_of(req, struct slot, req);
	struct bench *bench = slot->bench;

	bench->under_way--;
	bench->count++;
	if (result < 0) {
		bench->error = result;
		atomic_store(&bench->stop, true);
	}
	if (bench->once && bench->begun == bench->blocks)
		atomic_store(&bench->stop, true);
	if (!atomic_load_explicit(&bench->stop, memory_order_relaxed))
		slot_start(slot);
	else if (!bench->under_way)
		atomic_store(&bench->stopped, true);
}

static void start_all(void *opaque)
{
	struct bench *bench = opaque;

	for (int i = 0; i < bench->depth; i++)
		slot_start(&bench->slots[i]);
}

static void slots_new(struct bench *bench)
{
	bench->slots = g_new0(struct slot, bench->depth);
	for (int i = 0; i < bench->depth; i++) {
		struct slot *slot = &bench->slots[i];
		size_t len = (size_t)bench->block_size;

		slot->bench = bench;
		slot->iov = (struct iovec){ g_aligned_alloc0(1, len, 4096), len };
		slot->req = (struct block_request){
			.op = bench->write ? BLOCK_WRITE : BLOCK_READ,
			.len = len,
			.iov = &slot->iov,
			.iov_count = 1,
			.done = slot_done,
		};
	}
}

static double cpu_s(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(struct bench *bench)
{
	struct timespec tick = { .tv_nsec = 1000000 };
	double cpu = cpu_s(), wall;
	uint64_t begin = sys_monotonic_ns();
	uint64_t end = begin + (uint64_t)bench->seconds * 1000000000;

	io_loop_call(bench->loop, start_all, bench);
	while (!atomic_load(&bench->stopped)) {
		(void)nanosleep(&tick, NULL);
		if (!bench->once && sys_monotonic_ns() >= end)
			atomic_store(&bench->stop, true);
	}
	wall = (double)(sys_monotonic_ns() - begin) / 1e9;
	cpu = cpu_s() - cpu;
	printf("%s depth %d: %.0f requests/s, %.3f CPU s per million\n",
	       io_loop_kind(bench->loop) == IO_LOOP_URING ? "uring" : "threads", bench->depth,
	       (double)bench->count / wall, cpu / (double)bench->count * 1e6);
}

static bool bench_open(struct bench *bench, GError **error)
{
	struct block_open options = {
		.node_name = "bench",
		.path = bench->path,
		.format = bench->format ? bench->format
			  : bench->path ? "raw"
					: "null",
		.read_only = !bench->write,
		.direct = bench->direct,
		.null_size = (uint64_t)1 << 30,
	};
	bool threads = bench->loop_name && !strcmp(bench->loop_name, "threads");
	struct block_info info;

	bench->block = block_open(&options, error);
	if (!bench->block)
		return false;
	block_info(bench->block, &info);
	bench->blocks = info.size / (uint64_t)bench->block_size;
	bench->state = 88172645463325252u;
	bench->stride = find_stride(bench->blocks);
	bench->loop = io_loop_new("bench", threads ? IO_LOOP_THREADS : IO_LOOP_AUTO, error);
	if (!bench->loop)
		return false;
	bench->queue = block_queue_new(bench->block, bench->loop, error);
	return bench->queue;
}

int main(int argc, char **argv)
{
	struct bench bench = { .depth = 32, .seconds = 4, .block_size = 4096 };
	const GOptionEntry entries[] = {
		{ "direct", 0, 0, G_OPTION_ARG_NONE, &bench.direct, "past the page cache", NULL },
		{ "format", 0, 0, G_OPTION_ARG_STRING, &bench.format, "raw or qcow2", "FORMAT" },
		{ "write", 0, 0, G_OPTION_ARG_NONE, &bench.write, "write, do not read", NULL },
		{ "once", 0, 0, G_OPTION_ARG_NONE, &bench.once, "each block once", NULL },
		{ "depth", 0, 0, G_OPTION_ARG_INT, &bench.depth, "requests at a time", "N" },
		{ "seconds", 0, 0, G_OPTION_ARG_INT, &bench.seconds, "how long", "N" },
		{ "block-size", 0, 0, G_OPTION_ARG_INT, &bench.block_size, "bytes", "N" },
		{ "loop", 0, 0, G_OPTION_ARG_STRING, &bench.loop_name, "auto or threads", "KIND" },
		{ NULL, 0, 0, 0, NULL, NULL, NULL },
	};
	GOptionContext *context = g_option_context_new("[FILE] - without: the null image");
	GError *error = NULL;
	int status = 1;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		(void)fprintf(stderr, "blk-file: %s\n", error->message);
		return 1;
	}
	bench.path = argc > 1 ? argv[1] : NULL;
	if (bench.depth < 1 || bench.depth > 4096 || bench.block_size < 512)
		(void)fprintf(stderr, "blk-file: depth is 1 to 4096, block-size at least 512\n");
	else if (!bench_open(&bench, &error) || !bench.blocks)
		(void)fprintf(stderr, "blk-file: %s\n", error ? error->message : "file too small");
	else
		status = 0;
	if (!status) {
		slots_new(&bench);
		measure(&bench);
		if (bench.error)
			(void)fprintf(stderr, "blk-file: %s\n", g_strerror(-bench.error));
		status = bench.error != 0;
	}
	block_queue_free(bench.queue);
	io_loop_free(bench.loop);
	block_close(bench.block);
	g_option_context_free(context);
	return status;
}
