/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtq.c - a virtqueue: chains, from guest addresses to lists, and what both layouts share
 *
 * A chain is a slot in one array: the struct, the device's private bytes, and short lists, so that
 * a usual request touches a few neighbouring cache lines. A longer chain moves its lists to a slot
 * of the spill area, which is reserved address space that is committed where it is touched. Free
 * chains are taken last in, first out, so that few are touched.
 */
#include "virtio/virtq.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "virtio/virtio.h"
#include "virtio/virtq-int.h"

enum {
	CACHE_LINE = 64,
	INLINE = 8,           /* entries of the lists beside the chain */
	DROP_TOLD = 64 << 20, /* bytes */
	/* A slot of the spill area: both lists, and a line so that slots differ in their cache
	 * sets. */
	SPILL_STRIDE =
		VIRTQ_MAX_SIZE * (sizeof(struct iovec) + sizeof(struct virtq_seg)) + CACHE_LINE,
};

static struct virtq_chain *chain_at(const struct virtq *vq, unsigned i)
{
	return (void *)(vq->chains + i * vq->chain_stride);
}

static void free_all(struct virtq *vq)
{
	vq->free = vq->oldest = vq->newest = NULL;
	for (unsigned i = vq->max_size; i-- > 0;) {
		struct virtq_chain *chain = chain_at(vq, i);

		chain->next = vq->free;
		vq->free = chain;
	}
}

struct virtq *virtq_new(struct virtio_device *dev, unsigned index, unsigned max_size,
			size_t private_size)
{
	struct virtq *vq = g_new0(struct virtq, 1);
	size_t lists = INLINE * (sizeof(struct iovec) + sizeof(struct virtq_seg));
	void *p;

	assert(max_size && max_size <= VIRTQ_MAX_SIZE && !(max_size & (max_size - 1)));
	vq->dev = dev;
	vq->index = index;
	vq->max_size = max_size;
	vq->inline_off = (sizeof(struct virtq_chain) + private_size + 15) & ~(size_t)15;
	/* An odd number of lines, so that neighbours do not meet in the same cache sets. */
	vq->chain_stride =
		((vq->inline_off + lists + CACHE_LINE - 1) / CACHE_LINE | 1) * CACHE_LINE;
	vq->chains = g_aligned_alloc0(max_size, vq->chain_stride, CACHE_LINE);
	for (unsigned i = 0; i < max_size; i++)
		chain_at(vq, i)->index = (uint16_t)i;
	/* Where address space is so short that this fails, long chains break the queue. */
	if (sys_mmap(&p, (size_t)max_size * SPILL_STRIDE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == 0)
		vq->spill = p;
	virtq_clear(vq);
	return vq;
}

void virtq_free(struct virtq *vq)
{
	if (!vq)
		return;
	if (vq->spill)
		sys_munmap(vq->spill, (size_t)vq->max_size * SPILL_STRIDE);
	g_aligned_free(vq->chains);
	g_free(vq);
}

unsigned virtq_index(const struct virtq *vq)
{
	return vq->index;
}

unsigned virtq_max_size(const struct virtq *vq)
{
	return vq->max_size;
}

bool virtq_ready(const struct virtq *vq)
{
	return !vq->stopped && !vq->broken;
}

bool virtq_broken(const struct virtq *vq)
{
	return vq->broken;
}

unsigned virtq_in_flight(const struct virtq *vq)
{
	return vq->in_flight;
}

bool virtq_live(const struct virtq *vq)
{
	return virtq_ready(vq) && !vq->dev->resetting;
}

/* ---- set-up ---- */

void virtq_get_setup(const struct virtq *vq, struct virtq_setup *ret_setup)
{
	*ret_setup = vq->setup;
}

void virtq_set_setup(struct virtq *vq, const struct virtq_setup *setup)
{
	if (vq->setup.enabled)
		return;
	vq->setup.desc = setup->desc;
	vq->setup.driver = setup->driver;
	vq->setup.device = setup->device;
	if (setup->size && setup->size <= vq->max_size)
		vq->setup.size = setup->size;
}

static bool find_area(struct virtq *vq, struct virtq_area *area, uint64_t gpa, uint64_t len,
		      unsigned align)
{
	*area = (struct virtq_area){ mem_ptr_write(vq->mem, gpa, len), gpa, len };
	return area->host && gpa % align == 0;
}

static bool find_ring(struct virtq *vq)
{
	uint64_t size = vq->size, event = vq->event_idx ? 2 : 0;

	if (vq->packed)
		return find_area(vq, &vq->desc, vq->setup.desc, size * DESC_LEN, 16) &&
		       find_area(vq, &vq->driver, vq->setup.driver, 4, 4) &&
		       find_area(vq, &vq->device, vq->setup.device, 4, 4) &&
		       virtq_packed_enable(vq);
	return find_area(vq, &vq->desc, vq->setup.desc, size * DESC_LEN, 16) &&
	       find_area(vq, &vq->driver, vq->setup.driver, 4 + size * 2 + event, 2) &&
	       find_area(vq, &vq->device, vq->setup.device, 4 + size * 8 + event, 4) &&
	       virtq_split_enable(vq);
}

bool virtq_enable(struct virtq *vq, struct mem *mem, uint64_t features)
{
	assert(!vq->setup.enabled && !vq->oldest);
	vq->mem = mem;
	vq->region = &mem->region[0];
	vq->size = vq->setup.size;
	vq->packed = features & VIRTIO_F_RING_PACKED;
	vq->event_idx = features & VIRTIO_F_EVENT_IDX;
	vq->in_order = features & VIRTIO_F_IN_ORDER;
	vq->indirect = features & VIRTIO_F_INDIRECT_DESC;
	vq->setup.enabled = true;
	vq->broken = !mem->count || !find_ring(vq);
	vq->stopped = vq->broken;
	return !vq->broken;
}

void virtq_stop(struct virtq *vq)
{
	vq->stopped = true;
}

void virtq_clear(struct virtq *vq)
{
	assert(!vq->in_flight);
	vq->stopped = true;
	vq->broken = false;
	vq->setup = (struct virtq_setup){ .size = (uint16_t)vq->max_size };
	vq->next_avail = vq->next_used = vq->avail_seen = 0;
	vq->avail_wrap = vq->used_wrap = true;
	vq->slots = 0;
	vq->unflushed = 0;
	vq->notify_flags = 0;
	vq->event_at = 0;
	free_all(vq);
	/* A driver that is gone may have had long chains, many of them. */
	if (vq->spilled)
		(void)sys_madvise(vq->spill, (size_t)vq->max_size * SPILL_STRIDE, MADV_DONTNEED);
	vq->spilled = false;
}

/* ---- from descriptors to lists ---- */

DATA_PATH static bool spill(struct virtq_gather *g)
{
	uint8_t *p = g->vq->spill;
	struct virtq_seg *seg;

	if (g->room == VIRTQ_MAX_SIZE || !p)
		return false;
	p += (size_t)g->chain->index * SPILL_STRIDE;
	seg = (void *)(p + VIRTQ_MAX_SIZE * sizeof(*g->iov));
	memcpy(p, g->iov, g->count * sizeof(*g->iov));
	memcpy(seg, g->seg, g->seg_count * sizeof(*g->seg));
	g->iov = (void *)p;
	g->seg = seg;
	g->room = VIRTQ_MAX_SIZE;
	g->vq->spilled = true;
	return true;
}

/* The region of @gpa, most often that of the buffer before. */
DATA_PATH static const struct mem_region *region_of(struct virtq *vq, uint64_t gpa)
{
	const struct mem_region *r = vq->region;

	if (likely(gpa - r->gpa < r->size))
		return r;
	r = mem_find(vq->mem, gpa, 1);
	if (r)
		vq->region = r;
	return r;
}

DATA_PATH bool virtq_gather_add(struct virtq_gather *g, uint64_t gpa, uint32_t len, bool write)
{
	if (unlikely(g->seen == g->limit || (!write && g->writing)))
		return false;
	g->seen++;
	g->writing = write;
	while (len) {
		const struct mem_region *r = region_of(g->vq, gpa);
		uint64_t off, part = len;

		if (unlikely(!r || (g->count == g->room && !spill(g))))
			return false;
		off = gpa - r->gpa;
		if (part > r->size - off)
			part = r->size - off;
		g->iov[g->count++] = (struct iovec){ r->host + off, part };
		if (write) {
			g->seg[g->seg_count++] = (struct virtq_seg){ gpa, part };
			g->in_len += part;
		} else {
			g->out_len += part;
		}
		gpa += part;
		len -= (uint32_t)part;
	}
	return true;
}

DATA_PATH const uint8_t *virtq_gather_table(struct virtq_gather *g, uint64_t gpa, uint32_t len,
					    unsigned *ret_count)
{
	if (!g->vq->indirect || g->indirect || !len || len % DESC_LEN ||
	    len / DESC_LEN > VIRTQ_MAX_SIZE)
		return NULL;
	g->indirect = true;
	g->limit = VIRTQ_MAX_SIZE;
	*ret_count = len / DESC_LEN;
	return mem_ptr(g->vq->mem, gpa, len);
}

/* ---- the life of a chain ---- */

DATA_PATH static void link_newest(struct virtq *vq, struct virtq_chain *chain)
{
	vq->free = chain->next;
	chain->next = NULL;
	chain->prev = vq->newest;
	chain->done = false;
	if (vq->newest)
		vq->newest->next = chain;
	else
		vq->oldest = chain;
	vq->newest = chain;
	vq->slots += chain->slots;
	vq->in_flight++;
}

DATA_PATH static void unlink_chain(struct virtq *vq, struct virtq_chain *chain)
{
	if (chain->prev)
		chain->prev->next = chain->next;
	else
		vq->oldest = chain->next;
	if (chain->next)
		chain->next->prev = chain->prev;
	else
		vq->newest = chain->prev;
	vq->slots -= chain->slots;
	chain->next = vq->free;
	vq->free = chain;
}

DATA_PATH static bool read_chain(struct virtq *vq, struct virtq_chain *chain)
{
	uint8_t *lists = (uint8_t *)chain + vq->inline_off;
	struct virtq_gather g = {
		.vq = vq,
		.chain = chain,
		.iov = (void *)lists,
		.seg = (void *)(lists + INLINE * sizeof(struct iovec)),
		.room = INLINE,
		.limit = vq->size,
	};

	if (unlikely(!(vq->packed ? virtq_packed_read(vq, &g) : virtq_split_read(vq, &g))))
		return false;
	chain->out = g.iov;
	chain->out_count = g.count - g.seg_count;
	chain->in = g.iov + chain->out_count;
	chain->in_count = g.seg_count;
	chain->out_len = g.out_len;
	chain->in_len = g.in_len;
	chain->seg = g.seg;
	chain->seg_count = g.seg_count;
	return true;
}

/* May chains be taken? */
DATA_PATH static bool may_pop(const struct virtq *vq)
{
	return virtq_ready(vq) && virtio_live(vq->dev) && !vq->dev->paused;
}

DATA_PATH struct virtq_chain *virtq_pop(struct virtq *vq)
{
	struct virtq_chain *chain = vq->free;
	int pending;

	if (unlikely(!may_pop(vq)))
		return NULL;
	pending = vq->packed ? virtq_packed_pending(vq) : virtq_split_pending(vq);
	if (!pending)
		return NULL;
	/* A ring has no more chains than descriptors: one was offered twice. */
	if (unlikely(pending < 0 || !chain || vq->slots >= vq->size || !read_chain(vq, chain))) {
		virtq_break(vq);
		return NULL;
	}
	link_newest(vq, chain);
	return chain;
}

DATA_PATH bool virtq_pending(struct virtq *vq)
{
	if (!may_pop(vq))
		return false;
	return vq->packed ? virtq_packed_pending(vq) : virtq_split_pending(vq);
}

/* Tell mem of the first @len bytes of the in list. */
DATA_PATH static void tell_written(struct virtq *vq, const struct virtq_chain *chain, size_t len)
{
	for (unsigned i = 0; len && i < chain->seg_count; i++) {
		const struct virtq_seg *seg = &chain->seg[i];
		size_t part = len < seg->len ? len : seg->len;

		mem_written(vq->mem, seg->gpa, part);
		len -= part;
	}
}

DATA_PATH static void returned(struct virtq *vq)
{
	vq->in_flight--;
	if (unlikely(vq->stopped))
		virtio_chain_returned(vq->dev, vq->index);
}

DATA_PATH void virtq_drop(struct virtq *vq, struct virtq_chain *chain)
{
	/* Nobody knows how far its I/O came. But no more than a request can be: a hostile driver
	 * offers terabytes, which nobody has written, and all their pages would be walked. */
	tell_written(vq, chain, chain->in_len < DROP_TOLD ? chain->in_len : DROP_TOLD);
	unlink_chain(vq, chain);
	returned(vq);
}

DATA_PATH void virtq_unpop(struct virtq *vq, struct virtq_chain *chain)
{
	assert(chain == vq->newest && !chain->done);
	if (vq->packed)
		virtq_packed_back(vq, chain);
	else
		vq->next_avail--;
	unlink_chain(vq, chain);
	returned(vq);
}

DATA_PATH static void use(struct virtq *vq, struct virtq_chain *chain)
{
	/* What the driver has not been shown never fills more than the ring. More comes only of one
	 * that offers descriptors again which it has not got back. */
	if (unlikely(vq->unflushed + chain->slots > vq->size))
		virtq_flush(vq);
	if (vq->packed)
		virtq_packed_use(vq, chain);
	else
		virtq_split_use(vq, chain);
	unlink_chain(vq, chain);
}

DATA_PATH void virtq_push(struct virtq *vq, struct virtq_chain *chain, size_t written)
{
	assert(!chain->done);
	if (unlikely(!virtq_live(vq))) {
		virtq_drop(vq, chain);
		return;
	}
	if (written > chain->in_len)
		written = chain->in_len;
	tell_written(vq, chain, written);
	chain->written = written < UINT32_MAX ? (uint32_t)written : UINT32_MAX;
	vq->in_flight--;
	if (!vq->in_order) {
		use(vq, chain);
		return;
	}
	chain->done = true;
	while (vq->oldest && vq->oldest->done)
		use(vq, vq->oldest);
}

DATA_PATH void virtq_flush(struct virtq *vq)
{
	bool wanted;

	if (!vq->unflushed || !virtq_live(vq))
		return;
	wanted = vq->packed ? virtq_packed_publish(vq) : virtq_split_publish(vq);
	vq->unflushed = 0;
	if (wanted)
		virtio_interrupt(vq->dev, vq->index);
}

DATA_PATH void virtq_notify_off(struct virtq *vq)
{
	if (!virtq_live(vq) || vq->dev->paused)
		return;
	if (vq->packed)
		virtq_packed_notify(vq, false);
	else
		virtq_split_notify(vq, false);
}

DATA_PATH bool virtq_notify_on(struct virtq *vq)
{
	if (!virtq_live(vq) || vq->dev->paused)
		return false;
	if (vq->packed)
		virtq_packed_notify(vq, true);
	else
		virtq_split_notify(vq, true);
	return virtq_pending(vq);
}

void virtq_break(struct virtq *vq)
{
	vq->broken = true;
	vq->stopped = true;
	virtio_needs_reset(vq->dev);
}
