/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtq-split.c - the split ring: a table of descriptors, a ring of heads, a ring of used ones
 *
 * Source: virtio 1.2, 2.7. Both indices run freely through 16 bits.
 *
 * Who looks and who sleeps (2.7.7, 2.7.10). The device stores its index, or what notifications it
 * wants, and then loads what the driver has stored; the driver does the same the other way round.
 * At least one of the two must see the other, or both wait: so the stores here are sequentially
 * consistent, and so are the loads behind them.
 */
#include "virtio/virtq-int.h"

enum {
	/* Both rings: flags, index, entries. */
	RING_FLAGS = 0,
	RING_INDEX = 2,
	RING_ENTRIES = 4,
	USED_LEN = 8,

	AVAIL_NO_INTERRUPT = 1,
	USED_NO_NOTIFY = 1,
};

bool virtq_split_enable(struct virtq *vq)
{
	return !(vq->size & (vq->size - 1));
}

DATA_PATH static uint8_t *avail_entry(struct virtq *vq, unsigned i)
{
	return vq->driver.host + RING_ENTRIES + (size_t)(i & (vq->size - 1)) * 2;
}

DATA_PATH static uint8_t *used_event(struct virtq *vq)
{
	return vq->driver.host + RING_ENTRIES + (size_t)vq->size * 2;
}

DATA_PATH static size_t used_off(struct virtq *vq, unsigned i)
{
	return RING_ENTRIES + (size_t)(i & (vq->size - 1)) * USED_LEN;
}

DATA_PATH int virtq_split_pending(struct virtq *vq)
{
	unsigned count;

	if (vq->avail_seen != vq->next_avail)
		return 1;
	/* Pairs with the driver's barrier between its entries and its index. */
	vq->avail_seen = virtq_load16(vq->driver.host + RING_INDEX, __ATOMIC_SEQ_CST);
	count = (uint16_t)(vq->avail_seen - vq->next_avail);
	if (unlikely(count > vq->size)) {
		vq->avail_seen = vq->next_avail;
		return -1;
	}
	return count > 0;
}

/* From descriptor @i of @table on. */
DATA_PATH static bool read_table(struct virtq_gather *g, const uint8_t *table, unsigned count,
				 unsigned i)
{
	while (i < count) {
		struct virtq_desc d = virtq_read_desc(table + (size_t)i * DESC_LEN);
		unsigned flags = d.low;

		if (unlikely(flags & DESC_INDIRECT)) {
			if (flags & DESC_NEXT)
				return false;
			table = virtq_gather_table(g, d.addr, d.len, &count);
			if (!table)
				return false;
			i = 0;
			continue;
		}
		if (unlikely(!virtq_gather_add(g, d.addr, d.len, flags & DESC_WRITE)))
			return false;
		if (!(flags & DESC_NEXT))
			return true;
		i = d.high;
	}
	return false;
}

DATA_PATH bool virtq_split_read(struct virtq *vq, struct virtq_gather *g)
{
	unsigned head = virtq_load16(avail_entry(vq, vq->next_avail), __ATOMIC_RELAXED);

	if (unlikely(!read_table(g, vq->desc.host, vq->size, head)))
		return false;
	g->chain->id = (uint16_t)head;
	g->chain->slots = 1;
	vq->next_avail++;
	return true;
}

DATA_PATH void virtq_split_use(struct virtq *vq, const struct virtq_chain *chain)
{
	uint8_t *p = vq->device.host + used_off(vq, vq->next_used);

	virtq_store32(p, chain->id);
	virtq_store32(p + 4, chain->written);
	vq->next_used++;
	vq->unflushed++;
}

/* Tell mem what was written: the entries since the last time, and the head of the ring. */
DATA_PATH static void tell_used(struct virtq *vq)
{
	const struct virtq_area *area = &vq->device;
	size_t first, part, entries = vq->unflushed;

	if (area->gpa % MEM_PAGE_SIZE + area->len <= MEM_PAGE_SIZE) {
		mem_written(vq->mem, area->gpa, area->len);
		return;
	}
	first = (vq->next_used - entries) & (vq->size - 1);
	part = entries < vq->size - first ? entries : vq->size - first;
	mem_written(vq->mem, area->gpa + used_off(vq, (unsigned)first), part * USED_LEN);
	mem_written(vq->mem, area->gpa + RING_ENTRIES, (entries - part) * USED_LEN);
	mem_written(vq->mem, area->gpa, RING_ENTRIES);
}

DATA_PATH bool virtq_split_publish(struct virtq *vq)
{
	uint16_t now = vq->next_used, before = (uint16_t)(now - vq->unflushed), event;

	virtq_store16(vq->device.host + RING_INDEX, now, __ATOMIC_SEQ_CST);
	tell_used(vq);
	if (!vq->event_idx)
		return !(virtq_load16(vq->driver.host + RING_FLAGS, __ATOMIC_SEQ_CST) &
			 AVAIL_NO_INTERRUPT);
	event = virtq_load16(used_event(vq), __ATOMIC_SEQ_CST);
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

DATA_PATH void virtq_split_notify(struct virtq *vq, bool on)
{
	size_t off = used_off(vq, 0);
	uint16_t flags = on ? 0 : USED_NO_NOTIFY, event = vq->next_avail;

	if (vq->event_idx) {
		/* An event that has passed is as good as none. */
		if (!on) {
			if (vq->event_at != event || virtq_pending(vq))
				return;
			event--;
		}
		vq->event_at = event;
		off += (size_t)vq->size * USED_LEN;
		virtq_store16(vq->device.host + off, event, __ATOMIC_SEQ_CST);
		mem_written(vq->mem, vq->device.gpa + off, 2);
		return;
	}
	if (vq->notify_flags == flags)
		return;
	vq->notify_flags = flags;
	virtq_store16(vq->device.host + RING_FLAGS, flags, __ATOMIC_SEQ_CST);
	mem_written(vq->mem, vq->device.gpa + RING_FLAGS, 2);
}
