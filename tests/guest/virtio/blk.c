/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blk.c - disks (virtio 1.2, 5.2)
 *
 * Of a disk for writing, each mode has 256 sectors: 0 to 63 are left with its pattern except for
 * 8 to 15, which are zeroed. From sector 2048 on each CPU has 64. run-virtio.py looks for it.
 */
#include "virtio.h"

enum {
	T_IN = 0,
	T_OUT = 1,
	T_FLUSH = 4,
	T_GET_ID = 8,
	T_DISCARD = 11,
	T_WRITE_ZEROES = 13,

	OK = 0,
	IOERR = 1,
	UNSUPP = 2,
	NO_ANSWER = 0xff,
	NEEDS_RESET = 0x40, /* of the device's status */

	CAPACITY = 0,
	BLK_SIZE = 20,
	WRITE_CACHE = 32,
	NUM_QUEUES = 34,

	AREA = 256,
	AREAS_OF_CPUS = 2048,
	CHUNK = 64, /* sectors */
	MANY = 20,
	ROUNDS = 8,
};

#define F_RO           (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH        (1ull << 9)
#define F_MQ           (1ull << 12)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)
#define WANTED         (F_RO | F_BLK_SIZE | F_FLUSH | F_MQ | F_DISCARD | F_WRITE_ZEROES)

struct request {
	u32 type, reserved;
	u64 sector;
	u64 range_sector;
	u32 range_sectors, range_flags;
	u8 status;
};

static struct queue queues[2] = { { .index = 0, .size = RING }, { .index = 1, .size = RING } };
static struct queue *const both[2] = { &queues[0], &queues[1] };
static struct request requests[RING];
static u8 data[2][CHUNK * SECTOR] __attribute__((aligned(4096)));

/* Add a request with data in several parts: its chain's id. */
static int add(struct queue *q, struct request *r, u32 type, u64 sector, void *buf, unsigned len)
{
	struct part parts[MAX_PARTS] = { { r, 16, 0 } };
	unsigned n = 1, first = len > 1024 ? 1024 : len;
	int in = type == T_IN || type == T_GET_ID;

	r->type = type;
	r->reserved = 0;
	r->sector = sector;
	r->status = NO_ANSWER;
	if (len)
		parts[n++] = (struct part){ buf, first, in };
	if (len > first)
		parts[n++] = (struct part){ (u8 *)buf + first, len - first, in };
	parts[n++] = (struct part){ &r->status, 1, 1 };
	return queue_add(q, parts, n);
}

static u8 transfer(struct queue *q, u32 type, u64 sector, void *buf, unsigned len)
{
	struct request *r = &requests[q->cpu];
	int id = add(q, r, type, sector, buf, len);

	queue_kick(q);
	return id >= 0 && queue_wait(q, 0) == id ? *(volatile u8 *)&r->status : NO_ANSWER;
}

static u8 range(struct queue *q, u32 type, u64 sector, u32 sectors)
{
	struct request *r = &requests[q->cpu];

	r->range_sector = sector;
	r->range_sectors = sectors;
	r->range_flags = 0;
	return transfer(q, type, 0, &r->range_sector, 16);
}

/* ---- parts of the test ---- */

static void config(struct device *d)
{
	char serial[21] = { 0 };

	print("disk: capacity %u, block %u, queues %u, write cache %u\n",
	      (u32)config64(d, CAPACITY), config32(d, BLK_SIZE),
	      d->features & F_MQ ? config16(d, NUM_QUEUES) : 1, config8(d, WRITE_CACHE));
	if (transfer(&queues[0], T_GET_ID, 0, serial, 20) == OK)
		print("disk: serial %s\n", serial);
}

static void write_and_read(const char *where, struct queue *q, u64 area, u64 seed)
{
	u8 *out = data[0], *in = data[1];

	fill(out, seed, sizeof(data[0]));
	step(where, "write 64 sectors", transfer(q, T_OUT, area, out, CHUNK * SECTOR) == OK);
	step(where, "flush", transfer(q, T_FLUSH, 0, 0, 0) == OK);
	fill(in, ~seed, sizeof(data[1]));
	step(where, "read 64 sectors",
	     transfer(q, T_IN, area, in, CHUNK * SECTOR) == OK && same(in, out, CHUNK * SECTOR));
	step(where, "write zeroes", range(q, T_WRITE_ZEROES, area + 8, 8) == OK);
	step(where, "read zeroes",
	     transfer(q, T_IN, area, in, CHUNK * SECTOR) == OK && filled(in, seed, 8 * SECTOR) &&
		     zero(in + 8 * SECTOR, 8 * SECTOR) &&
		     same(in + 16 * SECTOR, out + 16 * SECTOR, 48 * SECTOR));
	step(where, "discard", range(q, T_DISCARD, area + CHUNK, CHUNK) == OK);
}

static void refusals(const char *where, struct queue *q)
{
	u64 end = config64(q->dev, CAPACITY);

	step(where, "read beyond the end",
	     transfer(q, T_IN, end, data[0], SECTOR) == IOERR &&
		     transfer(q, T_IN, end - 1, data[0], 2 * SECTOR) == IOERR &&
		     transfer(q, T_IN, ~0ull / SECTOR, data[0], SECTOR) == IOERR);
	step(where, "write beyond the end",
	     transfer(q, T_OUT, end, data[0], SECTOR) == IOERR &&
		     range(q, T_WRITE_ZEROES, end - 1, 2) == IOERR);
	step(where, "unknown request", transfer(q, 99, 0, data[0], SECTOR) == UNSUPP);
}

/* Requests of one sector each, all at once; they may come back in any order. */
static int at_once(struct queue *q, u32 type, u64 sector, u8 *buf)
{
	struct request *r = &requests[8];
	unsigned n = 0, ok = 0;

	for (; n < MANY && add(q, &r[n], type, sector + n, buf + n * SECTOR, SECTOR) >= 0; n++)
		;
	queue_kick(q);
	while (ok < n && queue_wait(q, 0) >= 0)
		ok++;
	for (unsigned i = 0; i < n; i++)
		ok -= *(volatile u8 *)&r[i].status != OK;
	return n == MANY && ok == n;
}

static void many(const char *where, struct queue *q, u64 area, u64 seed)
{
	fill(data[0], seed, MANY * SECTOR);
	step(where, "20 writes at once", at_once(q, T_OUT, area + 128, data[0]));
	fill(data[1], ~seed, MANY * SECTOR);
	step(where, "20 reads at once",
	     at_once(q, T_IN, area + 128, data[1]) && same(data[1], data[0], MANY * SECTOR));
}

/* No interrupt while they are off, one when they are on again. */
static void quiet(const char *where, struct queue *q)
{
	const volatile unsigned *irqs = queue_irqs(q);
	struct request *r = &requests[0];
	unsigned before, start;

	irq_window();
	queue_interrupts(q, 0);
	before = *irqs;
	start = ticks[0];
	add(q, r, T_FLUSH, 0, 0, 0);
	queue_kick(q);
	while (queue_poll(q, 0) < 0 && ticks[0] - start <= MAX_TICKS)
		irq_window();
	irq_window();
	step(where, "no interrupt while off", r->status == OK && *irqs == before);
	queue_interrupts(q, 1);
	step(where, "interrupt when on",
	     transfer(q, T_FLUSH, 0, 0, 0) == OK && irq_wait(irqs, before + 1));
}

/* A driver that breaks the rules has a device that stands still until it is reset. */
static void spoils(const char *where, struct queue *q, u64 want)
{
	struct device *d = q->dev;
	unsigned before = d->config_irqs;

	queue_spoil(q);
	step(where, "needs a reset",
	     irq_wait(&d->config_irqs, before + 1) && device_status(d) == (15 | NEEDS_RESET));
	step(where, "reset", device_start(d, want, both, 2) && transfer(q, T_FLUSH, 0, 0, 0) == OK);
}

/* What was under way when the device was reset must not be written to the rings behind it. */
static void resets(const char *where, struct queue *q, u64 want)
{
	struct device *d = q->dev;
	struct request *r = &requests[8];
	int ok = 1;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < MANY; i++)
			add(q, &r[i], i & 1 ? T_IN : T_OUT, AREA - MANY + i, data[0] + i * SECTOR,
			    SECTOR);
		queue_kick(q);
		ok = ok && device_reset(d);
		queue_init(q, d, q->index, q->size);
		irq_window();
		ok = ok && queue_untouched(q);
		ok = ok && device_start(d, want, both, 2);
		ok = ok && transfer(q, T_FLUSH, 0, 0, 0) == OK;
	}
	step(where, "reset under way", ok);
	if (!(d->features & F_RING_RESET))
		return;
	for (unsigned i = 0; i < MANY; i++)
		add(q, &r[i], T_IN, AREA - MANY + i, data[0] + i * SECTOR, SECTOR);
	queue_kick(q);
	step(where, "queue reset under way",
	     queue_reset(q) && transfer(q, T_FLUSH, 0, 0, 0) == OK &&
		     transfer(&queues[1], T_FLUSH, 0, 0, 0) == OK);
}

/* ---- a disk in other hands ---- */

int blk_start(struct device *d, u64 features, struct queue *q)
{
	return device_start(d, features | (WANTED & ~F_MQ), &q, 1);
}

int blk_write(struct queue *q, u64 sector, u64 seed)
{
	fill(data[0], seed, 8 * SECTOR);
	return transfer(q, T_OUT, sector, data[0], 8 * SECTOR) == OK;
}

int blk_has(struct queue *q, u64 sector, u64 seed)
{
	fill(data[1], ~seed, 8 * SECTOR);
	return transfer(q, T_IN, sector, data[1], 8 * SECTOR) == OK &&
	       filled(data[1], seed, 8 * SECTOR);
}

int blk_write_and_read(struct queue *q, u64 sector, u64 seed)
{
	return blk_write(q, sector, seed) && blk_has(q, sector, seed);
}

int blk_discard(struct queue *q, u64 sector, u32 sectors)
{
	return range(q, T_DISCARD, sector, sectors) == OK;
}

int blk_flush(struct queue *q)
{
	return transfer(q, T_FLUSH, 0, 0, 0) == OK;
}

void blk_start_many(struct queue *q)
{
	for (unsigned i = 0; i < MANY; i++)
		add(q, &requests[8 + i], i & 1 ? T_IN : T_OUT, i, data[1] + i * SECTOR, SECTOR);
	queue_kick(q);
}

/* ---- a queue for each CPU ---- */

static volatile u32 go, done, failed;

static void cpu_work(struct queue *q)
{
	u64 area = AREAS_OF_CPUS + q->cpu * CHUNK, seed = (u64)(q->cpu + 100) << 32;
	u8 *buf = data[q->cpu];
	u32 bad = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		u64 sector = area + round * 8;

		fill(buf, seed + round, 8 * SECTOR);
		bad += transfer(q, T_OUT, sector, buf, 8 * SECTOR) != OK;
		fill(buf, 0, 8 * SECTOR);
		bad += transfer(q, T_IN, sector, buf, 8 * SECTOR) != OK;
		bad += !filled(buf, seed + round, 8 * SECTOR);
	}
	/* The last one may have been seen before its interrupt came. */
	bad += !q->polled && !irq_wait(queue_irqs(q), 1);
	__atomic_fetch_add(&failed, bad, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

/* The second CPU: waits to be asked, for ever. */
void blk_ap(void)
{
	for (u32 turn = 1;; turn++) {
		while (go < turn)
			pause_();
		cpu_work(&queues[1]);
	}
}

static void two_cpus(const char *where)
{
	unsigned start = ticks[0];

	done = failed = 0;
	__atomic_fetch_add(&go, 1, __ATOMIC_SEQ_CST);
	cpu_work(&queues[0]);
	while (done < 2 && ticks[0] - start <= MAX_TICKS)
		irq_window();
	step(where, "two CPUs, a queue each", done == 2 && !failed);
}

/* ---- */

static void read_only(struct device *d)
{
	for (unsigned i = 0; i < MODES; i++) {
		int ok = device_start(d, modes[i].features | WANTED, both, 1);
		struct queue *q = &queues[0];

		step(modes[i].name, "read-only",
		     ok && transfer(q, T_IN, 0, data[1], CHUNK * SECTOR) == OK &&
			     filled(data[1], 0x5ec7, CHUNK * SECTOR) &&
			     transfer(q, T_OUT, 0, data[0], SECTOR) == IOERR);
	}
	device_reset(d);
}

/* A request whose interrupt is masked: it is pending, and comes when the mask goes. */
static int masked(struct queue *q, void (*mask)(struct device *d, int on))
{
	struct device *d = q->dev;
	unsigned start = ticks[0], before = d->queue_irqs[0];
	int ok;

	queue_interrupts(q, 1);
	mask(d, 1);
	add(q, &requests[0], T_FLUSH, 0, 0, 0);
	queue_kick(q);
	while (!pci_msix_pending(d, 1) && ticks[0] - start <= MAX_TICKS)
		irq_window();
	ok = pci_msix_pending(d, 1) && queue_poll(q, 0) >= 0 && d->queue_irqs[0] == before;
	mask(d, 0);
	return ok && irq_wait(&d->queue_irqs[0], before + 1) && !pci_msix_pending(d, 1);
}

static void mask_first(struct device *d, int on)
{
	pci_msix_mask(d, 1, on);
}

static void msix(struct device *d)
{
	step("disk", "start", device_start(d, modes[1].features | WANTED, both, 2));
	irq_window();
	step("disk", "masked vector", masked(&queues[0], mask_first));
	step("disk", "masked function", masked(&queues[0], pci_msix_mask_all));
}

/* Once each: by a wire, and with the registers at another place. */
static void wire_and_place(struct device *d)
{
	u64 to = 0xd0000000, delta = to - pci_bar(d->slot, 4);

	d->intx = 1;
	step("disk", "start with INTx", device_start(d, modes[0].features | WANTED, both, 2));
	step("disk", "INTx",
	     transfer(&queues[0], T_IN, 0, data[1], 8 * SECTOR) == OK &&
		     irq_wait(&d->line_irqs, 1) &&
		     transfer(&queues[1], T_IN, 0, data[1], 8 * SECTOR) == OK &&
		     irq_wait(&d->line_irqs, 2));
	device_reset(d);
	d->intx = 0;
	step("disk", "start again", device_start(d, modes[3].features | WANTED, both, 2));
	pci_move_bar(d->slot, 4, to);
	d->regs += delta;
	d->notify += delta;
	d->isr += delta;
	d->config += delta;
	step("disk", "registers moved",
	     device_status(d) == 15 && transfer(&queues[0], T_FLUSH, 0, 0, 0) == OK &&
		     transfer(&queues[1], T_IN, 0, data[1], 8 * SECTOR) == OK);
}

static void resize(struct device *d)
{
	unsigned before = d->config_irqs;

	step("disk", "ask for 1 MiB more", control("resize"));
	step("disk", "resized", irq_wait(&d->config_irqs, before + 1));
	print("disk: capacity %u\n", (u32)config64(d, CAPACITY));
}

void blk_test(struct device *d)
{
	if (device_offers(d) & F_RO) {
		read_only(d);
		return;
	}
	queues[1].cpu = 1;
	queues[1].polled = d->mmio; /* its wire goes to the other CPU */
	for (unsigned i = 0; i < MODES; i++) {
		const char *where = modes[i].name;
		u64 want = modes[i].features | WANTED, area = i * AREA, seed = (u64)(i + 1) << 32;

		step(where, "start a disk", device_start(d, want, both, 2));
		print("features %lx\n", (uptr)d->features);
		if (i == 0)
			config(d);
		write_and_read(where, &queues[0], area, seed);
		refusals(where, &queues[0]);
		many(where, &queues[0], area, seed);
		quiet(where, &queues[0]);
		two_cpus(where);
		resets(where, &queues[0], want);
		spoils(where, &queues[0], want);
	}
	if (!d->mmio) {
		msix(d);
		wire_and_place(d);
		resize(d);
	}
	device_reset(d);
}
