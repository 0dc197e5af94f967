/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtq-packed.c - the packed ring: one ring of descriptors that driver and device write in turn
 *
 * Source: virtio 1.2, 2.8. A descriptor is available if its flag AVAIL is the driver's wrap counter
 * and its flag USED is not; it is used if both are the device's. A used chain of n descriptors is
 * one used descriptor and n - 1 that are left as they are.
 *
 * The driver sees used descriptors in ring order, so that it sees none of those that are pushed
 * before a flush as long as the flags of the first are held back.
 *
 * Who looks and who sleeps: as in virtq-split.c.
 */
#include "virtio/virtq-int.h"

enum {
	DESC_BUFFER_LEN = 8,
	DESC_ID = 12,
	DESC_FLAGS = 14,

	DESC_AVAIL = 1 << 7,
	DESC_USED = 1 << 15,

	/* Of an event suppression structure. */
	EVENT_DESC = 0, /* offset and wrap counter */
	EVENT_FLAGS = 2,
	EVENT_WRAP = 1 << 15,

	EVENTS_ON = 0,
	EVENTS_OFF = 1,
	EVENTS_AT = 2,
	EVENTS_MASK = 3,
};

bool virtq_packed_enable(struct virtq *vq)
{
	(void)vq;
	return true;
}

DATA_PATH static bool is_available(uint16_t flags, bool wrap)
{
	return !!(flags & DESC_AVAIL) == wrap && !!(flags & DESC_USED) != wrap;
}

DATA_PATH int virtq_packed_pending(struct virtq *vq)
{
	const uint8_t *p = vq->desc.host + (size_t)vq->next_avail * DESC_LEN;

	/* If all slots are taken, this one is ours. */
	if (vq->slots >= vq->size)
		return 0;
	return is_available(virtq_load16(p + DESC_FLAGS, __ATOMIC_SEQ_CST), vq->avail_wrap);
}

DATA_PATH static bool read_table(struct virtq_gather *g, uint64_t gpa, uint32_t len)
{
	unsigned count;
	const uint8_t *table = virtq_gather_table(g, gpa, len, &count);

	if (!table)
		return false;
	for (unsigned i = 0; i < count; i++) {
		struct virtq_desc d = virtq_read_desc(table + (size_t)i * DESC_LEN);

		/* NEXT means nothing here (2.8.6). */
		if (d.high & DESC_INDIRECT ||
		    !virtq_gather_add(g, d.addr, d.len, d.high & DESC_WRITE))
			return false;
	}
	return true;
}

/* Go on by @slots, of which there are at most size. */
DATA_PATH static void advance(struct virtq *vq, uint16_t *at, bool *wrap, unsigned slots)
{
	unsigned next = *at + slots;

	if (next >= vq->size) {
		next -= vq->size;
		*wrap = !*wrap;
	}
	*at = (uint16_t)next;
}

DATA_PATH bool virtq_packed_read(struct virtq *vq, struct virtq_gather *g)
{
	unsigned i = vq->next_avail, slots = 0;
	struct virtq_desc d;

	do {
		/* The chain may take what is free of the ring. */
		if (unlikely(slots == vq->size - vq->slots))
			return false;
		d = virtq_read_desc(vq->desc.host + (size_t)i * DESC_LEN);
		slots++;
		if (unlikely(d.high & DESC_INDIRECT)) {
			if (d.high & DESC_NEXT || !read_table(g, d.addr, d.len))
				return false;
			break;
		}
		if (unlikely(!virtq_gather_add(g, d.addr, d.len, d.high & DESC_WRITE)))
			return false;
		if (++i == vq->size)
			i = 0;
	} while (d.high & DESC_NEXT);
	g->chain->id = d.low;
	g->chain->slots = (uint16_t)slots;
	advance(vq, &vq->next_avail, &vq->avail_wrap, slots);
	return true;
}

DATA_PATH void virtq_packed_back(struct virtq *vq, const struct virtq_chain *chain)
{
	unsigned at = vq->next_avail;

	if (at < chain->slots) {
		at += vq->size;
		vq->avail_wrap = !vq->avail_wrap;
	}
	vq->next_avail = (uint16_t)(at - chain->slots);
}

DATA_PATH void virtq_packed_use(struct virtq *vq, const struct virtq_chain *chain)
{
	uint8_t *p = vq->desc.host + (size_t)vq->next_used * DESC_LEN;
	uint16_t flags = (uint16_t)((vq->used_wrap ? DESC_AVAIL | DESC_USED : 0) |
				    (chain->written ? DESC_WRITE : 0));

	virtq_store32(p + DESC_BUFFER_LEN, chain->written);
	virtq_store16(p + DESC_ID, chain->id, __ATOMIC_RELAXED);
	if (!vq->unflushed) {
		vq->first_used = vq->next_used;
		vq->first_flags = flags;
	} else {
		virtq_store16(p + DESC_FLAGS, flags, __ATOMIC_RELEASE);
	}
	vq->unflushed = (uint16_t)(vq->unflushed + chain->slots);
	advance(vq, &vq->next_used, &vq->used_wrap, chain->slots);
}

/* Tell mem of the slots since the last time; those that were skipped do not matter. */
DATA_PATH static void tell_used(struct virtq *vq)
{
	size_t first = vq->first_used, slots = vq->unflushed;
	size_t part = slots < vq->size - first ? slots : vq->size - first;

	mem_written(vq->mem, vq->desc.gpa + first * DESC_LEN, part * DESC_LEN);
	mem_written(vq->mem, vq->desc.gpa, (slots - part) * DESC_LEN);
}

/* Has the ring gone past the descriptor that the driver named? */
DATA_PATH static bool passed_event(struct virtq *vq, uint16_t event)
{
	uint16_t now = vq->next_used, before = (uint16_t)(now - vq->unflushed);
	uint16_t at = event & (uint16_t)~EVENT_WRAP;

	/* In the round before this one. */
	if (!!(event & EVENT_WRAP) != vq->used_wrap)
		at = (uint16_t)(at - vq->size);
	return (uint16_t)(now - at - 1) < (uint16_t)(now - before);
}

DATA_PATH bool virtq_packed_publish(struct virtq *vq)
{
	uint8_t *first = vq->desc.host + (size_t)vq->first_used * DESC_LEN;
	uint16_t flags;

	virtq_store16(first + DESC_FLAGS, vq->first_flags, __ATOMIC_SEQ_CST);
	tell_used(vq);
	flags = virtq_load16(vq->driver.host + EVENT_FLAGS, __ATOMIC_SEQ_CST) & EVENTS_MASK;
	if (flags == EVENTS_AT && vq->event_idx)
		return passed_event(vq,
				    virtq_load16(vq->driver.host + EVENT_DESC, __ATOMIC_SEQ_CST));
	return flags != EVENTS_OFF;
}

DATA_PATH void virtq_packed_notify(struct virtq *vq, bool on)
{
	uint8_t *p = vq->device.host;
	uint16_t flags = EVENTS_OFF;

	if (on && vq->event_idx) {
		flags = EVENTS_AT;
		virtq_store16(p + EVENT_DESC,
			      (uint16_t)(vq->next_avail | (vq->avail_wrap ? EVENT_WRAP : 0)),
			      __ATOMIC_SEQ_CST);
	} else if (on) {
		flags = EVENTS_ON;
	}
	if (vq->notify_flags == flags && flags != EVENTS_AT)
		return;
	vq->notify_flags = flags;
	virtq_store16(p + EVENT_FLAGS, flags, __ATOMIC_SEQ_CST);
	mem_written(vq->mem, vq->device.gpa, 4);
}
