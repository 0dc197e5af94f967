/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue.c - the driver's side of split and packed rings (virtio 1.2, 2.7 and 2.8)
 */
#include "virtio.h"

enum {
	NEXT = 1,
	WRITE = 2,
	INDIRECT = 4,
	PACKED_AVAIL = 1 << 7,
	PACKED_USED = 1 << 15,

	DRIVER_AREA = 1024,
	DEVICE_AREA = 2048,

	/* Flags of both layouts that keep the other side quiet. */
	SPLIT_QUIET = 1,
	EVENT_ENABLE = 0,
	EVENT_DISABLE = 1,
	EVENT_DESC = 2,
};

const struct mode modes[MODES] = {
	{ "split", F_RING_RESET },
	{ "split indirect event", F_INDIRECT | F_EVENT_IDX | F_RING_RESET },
	{ "split in order notification data", F_IN_ORDER | F_NOTIFY_DATA | F_EVENT_IDX },
	{ "packed", F_PACKED | F_RING_RESET },
	{ "packed indirect event", F_PACKED | F_INDIRECT | F_EVENT_IDX | F_RING_RESET },
	{ "packed in order notification data",
	  F_PACKED | F_IN_ORDER | F_NOTIFY_DATA | F_EVENT_IDX },
};

static void barrier(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

static u16 get16(const struct queue *q, unsigned off)
{
	return *(const volatile u16 *)(q->ring + off);
}

static void put16(struct queue *q, unsigned off, u16 v)
{
	*(volatile u16 *)(q->ring + off) = v;
}

static volatile struct desc *descs(struct queue *q)
{
	return (volatile struct desc *)q->ring;
}

/* Where the used ring ends there is the device's event, likewise the driver's. */
static unsigned used_event(const struct queue *q)
{
	return DRIVER_AREA + 4 + 2 * q->size;
}

static unsigned avail_event(const struct queue *q)
{
	return DEVICE_AREA + 4 + 8 * q->size;
}

void queue_init(struct queue *q, struct device *d, unsigned index, unsigned size)
{
	u64 f = d->features;

	q->dev = d;
	q->index = index;
	q->size = size;
	q->packed = (f & F_PACKED) != 0;
	q->event_idx = (f & F_EVENT_IDX) != 0;
	q->indirect = (f & F_INDIRECT) != 0;
	q->in_order = (f & F_IN_ORDER) != 0;
	q->notify_data = (f & F_NOTIFY_DATA) != 0;
	q->confused = 0;
	q->free_count = size;
	q->free_head = 0;
	q->next_avail = q->next_used = q->kicked = q->fifo_in = q->fifo_out = 0;
	q->avail_wrap = q->used_wrap = 1;
	for (unsigned i = 0; i < size; i++) {
		q->free_next[i] = (u16)(i + 1);
		q->slots[i] = 0;
	}
	for (unsigned i = 0; i < sizeof(q->ring); i += 8)
		*(volatile u64 *)(q->ring + i) = 0;
	queue_interrupts(q, 1);
}

int queue_untouched(const struct queue *q)
{
	return zero(q->ring, DRIVER_AREA) && zero(q->ring + DEVICE_AREA, 4096 - DEVICE_AREA);
}

/* ---- to the device ---- */

static u16 take_free(struct queue *q)
{
	u16 i = q->free_head;

	q->free_head = q->free_next[i];
	return i;
}

static void set_desc(volatile struct desc *d, const struct part *part, u16 a, u16 b)
{
	d->addr = (u64)part->addr;
	d->len = part->len;
	d->a = a;
	d->b = b;
}

/* The list of a chain as an indirect table. */
static struct part indirect_part(struct queue *q, u16 id, const struct part *parts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		u16 flags = parts[i].in ? WRITE : 0;

		if (q->packed)
			set_desc(&q->table[id][i], &parts[i], 0, flags);
		else
			set_desc(&q->table[id][i], &parts[i], flags | (i + 1 < count ? NEXT : 0),
				 (u16)(i + 1));
	}
	return (struct part){ q->table[id], count * sizeof(struct desc), 0 };
}

static u16 add_split(struct queue *q, const struct part *parts, unsigned count, u16 extra)
{
	u16 head = q->free_head, at = 0;

	for (unsigned i = 0; i < count; i++) {
		at = take_free(q);
		set_desc(&descs(q)[at], &parts[i],
			 extra | (parts[i].in ? WRITE : 0) | (i + 1 < count ? NEXT : 0),
			 q->free_head);
	}
	put16(q, DRIVER_AREA + 4 + 2 * (q->next_avail % q->size), head);
	q->next_avail++;
	barrier();
	put16(q, DRIVER_AREA + 2, q->next_avail);
	return head;
}

/* The first descriptor's flags come last: with them the chain is the device's. */
static u16 add_packed(struct queue *q, const struct part *parts, unsigned count, u16 extra, u16 id)
{
	unsigned first = q->next_avail;
	u16 first_flags = 0;

	for (unsigned i = 0; i < count; i++) {
		u16 flags = extra | (parts[i].in ? WRITE : 0) | (i + 1 < count ? NEXT : 0) |
			    (q->avail_wrap ? PACKED_AVAIL : PACKED_USED);

		set_desc(&descs(q)[q->next_avail], &parts[i], id,
			 i ? flags : descs(q)[q->next_avail].b);
		if (!i)
			first_flags = flags;
		if (++q->next_avail == q->size) {
			q->next_avail = 0;
			q->avail_wrap ^= 1;
		}
	}
	barrier();
	descs(q)[first].b = first_flags;
	q->kicked = (u16)(q->kicked + count);
	return id;
}

int queue_add(struct queue *q, const struct part *parts, unsigned count)
{
	int indirect = q->indirect && count > 1;
	unsigned slots = indirect ? 1 : count;
	u16 id = q->free_head, extra = 0;
	struct part table;

	if (slots > q->free_count)
		return -1;
	if (indirect) {
		table = indirect_part(q, id, parts, count);
		parts = &table;
		count = 1;
		extra = INDIRECT;
	}
	if (q->packed) {
		take_free(q);
		add_packed(q, parts, count, extra, id);
	} else {
		add_split(q, parts, count, extra);
	}
	q->free_count -= slots;
	q->slots[id] = (u16)slots;
	q->fifo[q->fifo_in++ % RING] = id;
	return id;
}

/* Is the device's event among the last n positions? */
static int passed(u16 event, u16 now, u16 n)
{
	return (u16)(now - event - 1) < n;
}

static int packed_wants(struct queue *q)
{
	u16 flags = get16(q, DEVICE_AREA + 2) & 3, off = get16(q, DEVICE_AREA), event,
	    n = q->kicked;

	q->kicked = 0;
	if (flags != EVENT_DESC)
		return flags == EVENT_ENABLE;
	event = off & 0x7fff;
	if (off >> 15 != q->avail_wrap)
		event = (u16)(event - q->size);
	return passed(event, q->next_avail, n);
}

static int split_wants(struct queue *q)
{
	u16 before = q->kicked;

	q->kicked = q->next_avail;
	if (q->event_idx)
		return passed(get16(q, avail_event(q)), q->next_avail,
			      (u16)(q->next_avail - before));
	return !(get16(q, DEVICE_AREA) & SPLIT_QUIET);
}

void queue_kick(struct queue *q)
{
	barrier();
	if (q->packed ? packed_wants(q) : split_wants(q))
		device_notify(q->dev, q);
}

/* An index beyond the ring, or an indirect table that goes on behind it. */
void queue_spoil(struct queue *q)
{
	volatile struct desc *d = &descs(q)[q->next_avail];

	if (q->packed)
		d->b = INDIRECT | NEXT | (q->avail_wrap ? PACKED_AVAIL : PACKED_USED);
	else
		put16(q, DRIVER_AREA + 2, (u16)(q->next_avail + q->size + 1));
	barrier();
	device_notify(q->dev, q);
}

/* ---- from the device ---- */

static void give_back(struct queue *q, unsigned id)
{
	unsigned n = q->slots[id];
	u16 last = (u16)id;

	q->slots[id] = 0;
	q->free_count += n;
	/* A split chain's descriptors are still linked among themselves. */
	for (unsigned i = 1; i < n && !q->packed; i++)
		last = q->free_next[last];
	q->free_next[last] = q->free_head;
	q->free_head = (u16)id;
}

static int next_packed(struct queue *q, unsigned *id, u32 *len)
{
	volatile struct desc *d = &descs(q)[q->next_used];
	u16 flags = d->b;

	if (!(flags & PACKED_AVAIL) != !q->used_wrap || !(flags & PACKED_USED) != !q->used_wrap)
		return 0;
	barrier();
	*id = d->a;
	*len = d->len;
	if (*id >= q->size || !q->slots[*id])
		return 1;
	q->next_used = (u16)(q->next_used + q->slots[*id]);
	if (q->next_used >= q->size) {
		q->next_used = (u16)(q->next_used - q->size);
		q->used_wrap ^= 1;
	}
	return 1;
}

static int next_split(struct queue *q, unsigned *id, u32 *len)
{
	unsigned at = DEVICE_AREA + 4 + 8 * (q->next_used % q->size);

	if (get16(q, DEVICE_AREA + 2) == q->next_used)
		return 0;
	barrier();
	*id = *(volatile u32 *)(q->ring + at);
	*len = *(volatile u32 *)(q->ring + at + 4);
	q->next_used++;
	return 1;
}

int queue_poll(struct queue *q, u32 *len)
{
	unsigned id;
	u32 written;

	if (q->confused ||
	    !(q->packed ? next_packed(q, &id, &written) : next_split(q, &id, &written)))
		return -1;
	if (id >= q->size || !q->slots[id] ||
	    (q->in_order && q->fifo[q->fifo_out++ % RING] != id)) {
		q->confused = 1;
		return -1;
	}
	give_back(q, id);
	if (len)
		*len = written;
	return (int)id;
}

/* On means: for the next chain that is used. */
void queue_interrupts(struct queue *q, int on)
{
	if (q->packed && q->event_idx) {
		put16(q, DRIVER_AREA, (u16)(q->next_used | q->used_wrap << 15));
		put16(q, DRIVER_AREA + 2, on ? EVENT_DESC : EVENT_DISABLE);
	} else if (q->packed) {
		put16(q, DRIVER_AREA + 2, on ? EVENT_ENABLE : EVENT_DISABLE);
	} else if (q->event_idx) {
		/* Off: as far away as can be. */
		put16(q, used_event(q), on ? q->next_used : (u16)(q->next_used - 1));
	} else {
		put16(q, DRIVER_AREA, on ? 0 : SPLIT_QUIET);
	}
	barrier();
}

int queue_wait(struct queue *q, u32 *len)
{
	unsigned cpu = cpu_number(), start = ticks[cpu];

	for (;;) {
		int id = queue_poll(q, len);

		if (id < 0 && !q->polled) {
			/* Interrupts first: what is used from here on sends one. */
			queue_interrupts(q, 1);
			id = queue_poll(q, len);
		}
		if (id >= 0 || q->confused || ticks[cpu] - start > MAX_TICKS)
			return id;
		if (q->polled)
			irq_window();
		else
			irq_sleep();
	}
}

int queue_do(struct queue *q, const struct part *parts, unsigned count)
{
	int id = queue_add(q, parts, count);
	u32 len;

	queue_kick(q);
	return id >= 0 && queue_wait(q, &len) == id ? (int)len : -1;
}
