/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blk-queue.c - how many requests a second does a virtio disk serve, without any CPU engine?
 *
 * A driver of our own keeps a split ring filled with random reads; device, loop and driver share
 * one thread, so the figure is what one core can do with all three. The driver behaves as Linux
 * does: three descriptors a request (in a table of their own with --indirect), event index, one
 * notification a batch, and it looks at the used ring when it has been interrupted.
 *
 * bench-blk-queue [--depth N] [--size BYTES] [--seconds S] [--indirect] [--cached] [--threads]
 *                 [FILE]           (without FILE: the null back end)
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "dev/virtio-blk.h"
#include "virtio/virtio.h"

enum {
	RING = 1024,
	MAX_DEPTH = 256,
	MAX_SIZE = 1 << 20,
	/* Guest memory. */
	DESC = 0x10000,
	AVAIL = 0x20000,
	USED = 0x30000,
	TABLES = 0x40000,
	HEADERS = 0x60000,
	STATUS = 0x70000,
	DATA = 0x100000,

	DESC_NEXT = 1,
	DESC_WRITE = 2,
	DESC_INDIRECT = 4,
};

static const uint64_t null_size = 1ull << 40;

struct bench {
	struct virtio_transport transport;
	bool interrupted;
	struct io_loop *loop;
	struct virtio_device *dev;
	uint8_t *ram;
	struct mem *mem;
	unsigned depth, size, seconds;
	bool indirect;
	uint64_t blocks; /* of @size bytes on the disk */
	uint16_t avail, used;
	uint64_t random, done, kicks, interrupts, errors;
};

/* Time is the host's; nothing here has to be told on a main loop. */
static uint64_t clock_now(struct dev_clock *clock)
{
	(void)clock;
	return sys_monotonic_ns();
}

static struct dev_timer *timer_new(struct dev_clock *clock, void (*fn)(void *opaque), void *opaque)
{
	static struct dev_timer timer;

	timer = (struct dev_timer){ clock, fn, opaque };
	return &timer;
}

static void timer_set(struct dev_timer *timer, uint64_t deadline_ns)
{
	(void)timer;
	(void)deadline_ns;
}

static void timer_free(struct dev_timer *timer)
{
	(void)timer;
}

static const struct dev_clock_ops clock_ops = { clock_now, clock_now, timer_new, timer_set,
						timer_free };
static struct dev_clock bench_clock = { &clock_ops };

static void on_interrupt(struct virtio_transport *transport, int index)
{
	struct bench *b = container_of(transport, struct bench, transport);

	(void)index;
	b->interrupted = true;
	b->interrupts++;
}

static void put_desc(uint8_t *p, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	put_le64(p, addr);
	put_le32(p + 8, len);
	put_le16(p + 12, (uint16_t)flags);
	put_le16(p + 14, (uint16_t)next);
}

/* Request @i uses the same descriptors each time, so they are written once. */
static void prepare(struct bench *b, unsigned i)
{
	uint8_t *table = b->ram + DESC + (size_t)i * 48;
	unsigned first = i * 3;

	if (b->indirect) {
		table = b->ram + TABLES + (size_t)i * 64;
		first = 0;
		put_desc(b->ram + DESC + (size_t)i * 16, TABLES + i * 64, 48, DESC_INDIRECT, 0);
	}
	put_desc(table, HEADERS + i * 16, 16, DESC_NEXT, first + 1);
	put_desc(table + 16, DATA + (uint64_t)i * b->size, b->size, DESC_NEXT | DESC_WRITE,
		 first + 2);
	put_desc(table + 32, STATUS + i, 1, DESC_WRITE, 0);
}

static void submit(struct bench *b, unsigned i)
{
	uint8_t *header = b->ram + HEADERS + (size_t)i * 16;

	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	put_le32(header, 0);
	put_le64(header + 8,
		 (uint64_t)((unsigned __int128)b->random * b->blocks >> 64) * (b->size / 512));
	b->ram[STATUS + i] = 0xff;
	put_le16(b->ram + AVAIL + 4 + (size_t)(b->avail % RING) * 2,
		 (uint16_t)(b->indirect ? i : i * 3));
	b->avail++;
}

static void notify(struct bench *b, uint16_t before)
{
	uint16_t event;

	__atomic_store_n((uint16_t *)(void *)(b->ram + AVAIL + 2), htole16(b->avail),
			 __ATOMIC_SEQ_CST);
	event = le16toh(__atomic_load_n((uint16_t *)(void *)(b->ram + USED + 4 + (size_t)RING * 8),
					__ATOMIC_SEQ_CST));
	if ((uint16_t)(b->avail - event - 1) < (uint16_t)(b->avail - before)) {
		b->kicks++;
		virtio_kick(b->dev, 0);
	}
}

/* Take what is used, and ask for as much again. */
static void interrupt(struct bench *b)
{
	const uint16_t before = b->avail;
	uint16_t now;

	b->interrupted = false;
	do {
		now = le16toh(
			__atomic_load_n((uint16_t *)(void *)(b->ram + USED + 2), __ATOMIC_ACQUIRE));
		while (b->used != now) {
			const uint8_t *entry = b->ram + USED + 4 + (size_t)(b->used % RING) * 8;
			const uint32_t id = get_le32(entry);
			const unsigned i = b->indirect ? id : id / 3;

			b->errors += b->ram[STATUS + i] != 0;
			b->used++;
			b->done++;
			submit(b, i);
		}
		/* used_event: interrupt for the next one; then look again. */
		__atomic_store_n((uint16_t *)(void *)(b->ram + AVAIL + 4 + (size_t)RING * 2),
				 htole16(b->used), __ATOMIC_SEQ_CST);
	} while (b->used != le16toh(__atomic_load_n((uint16_t *)(void *)(b->ram + USED + 2),
						    __ATOMIC_SEQ_CST)));
	if (b->avail != before)
		notify(b, before);
}

static void start_driver(struct bench *b)
{
	uint64_t features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
			    (b->indirect ? VIRTIO_F_INDIRECT_DESC : 0) | 1 << 9;

	virtio_write_status(b->dev, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	virtio_write_features(b->dev, 0, (uint32_t)features);
	virtio_write_features(b->dev, 1, (uint32_t)(features >> 32));
	virtio_write_status(b->dev, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
					    VIRTIO_STATUS_FEATURES_OK);
	virtio_write_queue(b->dev, 0,
			   &(struct virtq_setup){
				   .size = RING, .desc = DESC, .driver = AVAIL, .device = USED });
	virtio_enable_queue(b->dev, 0);
	virtio_write_status(b->dev, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
					    VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
}

static void measure(struct bench *b)
{
	struct timespec cpu0, cpu1;
	uint64_t start, now, end;
	double wall, cpu;

	for (unsigned i = 0; i < b->depth; i++) {
		prepare(b, i);
		submit(b, i);
	}
	notify(b, 0);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu0);
	start = now = sys_monotonic_ns();
	end = start + b->seconds * 1000000000ull;
	while (now < end) {
		for (unsigned i = 0; i < 64; i++) {
			(void)io_loop_run(b->loop, !b->interrupted);
			if (b->interrupted)
				interrupt(b);
		}
		now = sys_monotonic_ns();
	}
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu1);
	wall = (double)(now - start) / 1e9;
	cpu = (double)(cpu1.tv_sec - cpu0.tv_sec) + (double)(cpu1.tv_nsec - cpu0.tv_nsec) / 1e9;
	printf("{\"requests\": %llu, \"seconds\": %.3f, \"cpu_seconds\": %.3f, "
	       "\"requests_per_second\": %.0f, \"cpu_seconds_per_million\": %.3f, "
	       "\"kicks\": %llu, \"interrupts\": %llu, \"errors\": %llu}\n",
	       (unsigned long long)b->done, wall, cpu, (double)b->done / wall,
	       cpu * 1e6 / (double)b->done, (unsigned long long)b->kicks,
	       (unsigned long long)b->interrupts, (unsigned long long)b->errors);
}

static bool build(struct bench *b, struct block *block, GError **error)
{
	struct block_info info;

	block_info(block, &info);
	b->blocks = info.size / b->size;
	b->mem = mem_new();
	if (!mem_add_ram(b->mem, 0, DATA + (uint64_t)MAX_DEPTH * MAX_SIZE, error))
		return false;
	b->ram = mem_ptr_write(b->mem, 0, DATA);
	b->dev = virtio_blk_new(
		&(struct virtio_blk_config){
			.block = block,
			.loop = b->loop,
			.clock = &bench_clock,
			.queues = 1,
			.queue_size = RING,
			.read_only = true,
		},
		error);
	if (!b->dev)
		return false;
	b->transport.interrupt = on_interrupt;
	virtio_attach(b->dev, b->mem, &b->transport);
	return true;
}

static bool parse(struct bench *b, int argc, char **argv, struct block_open *open,
		  enum io_loop_kind *kind)
{
	static const struct option options[] = {
		{ "depth", required_argument, NULL, 'd' },
		{ "size", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "indirect", no_argument, NULL, 'i' },
		{ "cached", no_argument, NULL, 'c' },
		{ "threads", no_argument, NULL, 'T' },
		{ 0 },
	};
	int option;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'd':
			b->depth = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			b->size = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't':
			b->seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'i':
			b->indirect = true;
			break;
		case 'c':
			open->direct = false;
			break;
		case 'T':
			*kind = IO_LOOP_THREADS;
			break;
		default:
			return false;
		}
	}
	if (b->depth < 1 || b->depth > MAX_DEPTH || b->size < 512 || b->size > MAX_SIZE ||
	    b->size % 512) {
		(void)fprintf(stderr, "bench-blk-queue: depth is 1 to %d, size 512 to %d\n",
			      MAX_DEPTH, MAX_SIZE);
		return false;
	}
	if (optind < argc) {
		open->path = argv[optind];
		open->format = "raw";
	}
	return true;
}

int main(int argc, char **argv)
{
	struct bench b = { .depth = 32, .size = 4096, .seconds = 3, .random = 88172645463325252 };
	struct block_open open = {
		.node_name = "bench",
		.format = "null",
		.null_size = null_size,
		.read_only = true,
		.direct = true,
	};
	enum io_loop_kind kind = IO_LOOP_AUTO;
	g_autoptr(GError) error = NULL;
	struct block *block;
	bool ok = false;

	if (!parse(&b, argc, argv, &open, &kind))
		return 1;
	b.loop = io_loop_new_manual(kind, NULL, NULL, &error);
	block = b.loop ? block_open(&open, &error) : NULL;
	if (block && build(&b, block, &error)) {
		start_driver(&b);
		measure(&b);
		ok = b.errors == 0;
	} else {
		(void)fprintf(stderr, "bench-blk-queue: %s\n", error->message);
	}
	if (b.dev) {
		virtio_detach(b.dev);
		b.dev->ops->free(b.dev);
	}
	block_close(block);
	io_loop_free(b.loop);
	mem_free(b.mem);
	return ok ? 0 : 1;
}
