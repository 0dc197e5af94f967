/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-driver.c - a virtio driver in the test's process
 *
 * Sources: virtio 1.2, 2.7 and 2.8, the driver's side. Free ids are taken first in, first out, so
 * that a driver that negotiated IN_ORDER uses descriptors in ring order, as it must.
 */
#include "tests/lib/virtio-driver.h"

#include <string.h>

#include "base/bytes.h"

enum {
	DESC_LEN = 16,
	ALIGN = 64,
	EVENTS_ON = 0,
	EVENTS_OFF = 1,
	EVENTS_AT = 2,
	EVENT_WRAP = 1 << 15,
};

struct vdriver {
	struct vdriver_config config;
	struct mem *own;
	struct virtio_transport transport;
	uint64_t features, next_free;
	uint64_t scratch; /* for vdriver_request() */
	atomic_uint config_interrupts;
	struct vdriver_queue queue[VIRTIO_MAX_QUEUES];
};

static bool packed(const struct vdriver *d)
{
	return d->features & VIRTIO_F_RING_PACKED;
}

static bool event_idx(const struct vdriver *d)
{
	return d->features & VIRTIO_F_EVENT_IDX;
}

void *vdriver_ptr(struct vdriver *d, uint64_t gpa, size_t len)
{
	void *p = mem_ptr_write(d->config.mem, gpa, len);

	g_assert_nonnull(p);
	return p;
}

static uint16_t load16(struct vdriver *d, uint64_t gpa)
{
	uint16_t *p = vdriver_ptr(d, gpa, 2);

	return le16toh(__atomic_load_n(p, __ATOMIC_SEQ_CST));
}

static void store16(struct vdriver *d, uint64_t gpa, uint16_t v)
{
	uint16_t *p = vdriver_ptr(d, gpa, 2);

	__atomic_store_n(p, htole16(v), __ATOMIC_SEQ_CST);
}

uint64_t vdriver_alloc(struct vdriver *d, size_t len)
{
	uint64_t gpa = d->next_free;

	d->next_free += (len + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
	g_assert_cmpuint(d->next_free - d->config.base, <=, d->config.len);
	return gpa;
}

static void interrupt(struct virtio_transport *transport, int index)
{
	struct vdriver *d = container_of(transport, struct vdriver, transport);

	if (index < 0)
		atomic_fetch_add(&d->config_interrupts, 1);
	else
		atomic_fetch_add(&d->queue[index].interrupts, 1);
}

unsigned vdriver_interrupts(struct vdriver *d, int queue)
{
	return queue < 0 ? atomic_load(&d->config_interrupts)
			 : atomic_load(&d->queue[queue].interrupts);
}

struct mem *vdriver_mem(struct vdriver *d)
{
	return d->config.mem;
}

struct vdriver_queue *vdriver_queue(struct vdriver *d, unsigned queue)
{
	return &d->queue[queue];
}

uint64_t vdriver_features(const struct vdriver *d)
{
	return d->features;
}

/* ---- life ---- */

static void make_memory(struct vdriver *d)
{
	GError *error = NULL;

	d->own = mem_new();
	(void)(mem_add_ram(d->own, 0, VDRIVER_BORDER, &error) &&
	       mem_add_ram(d->own, VDRIVER_BORDER, VDRIVER_HOLE - VDRIVER_BORDER, &error) &&
	       mem_add_ram(d->own, UINT64_C(4) << 30, 1 << 20, &error));
	g_assert_no_error(error);
	d->config.mem = d->own;
	d->config.base = 1 << 20;
	d->config.len = VDRIVER_BORDER - d->config.base;
}

static void make_queue(struct vdriver *d, struct vdriver_queue *q, unsigned max)
{
	unsigned size = d->config.queue_size;

	q->size = size && size < max ? size : max;
	q->desc = vdriver_alloc(d, (size_t)q->size * DESC_LEN);
	q->driver = vdriver_alloc(d, 6 + (size_t)q->size * 2);
	q->device = vdriver_alloc(d, 6 + (size_t)q->size * 8);
	q->tables = vdriver_alloc(d, (size_t)q->size * VDRIVER_TABLE * DESC_LEN);
	q->ids = g_new0(uint16_t, q->size);
	q->request = g_malloc0_n(q->size, sizeof(*q->request));
}

struct vdriver *vdriver_new(const struct vdriver_config *config)
{
	struct vdriver *d = g_new0(struct vdriver, 1);

	d->config = *config;
	d->transport.interrupt = interrupt;
	if (!d->config.mem)
		make_memory(d);
	d->next_free = d->config.base;
	for (unsigned i = 0; i < config->dev->queue_count; i++) {
		struct virtq_setup setup;

		g_assert_true(virtio_read_queue(config->dev, i, &setup));
		make_queue(d, &d->queue[i], setup.size);
	}
	virtio_attach(config->dev, d->config.mem, &d->transport);
	if (!config->hold)
		g_assert_true(vdriver_restart(d, config->features));
	return d;
}

void vdriver_free(struct vdriver *d)
{
	if (!d)
		return;
	virtio_detach(d->config.dev);
	for (unsigned i = 0; i < d->config.dev->queue_count; i++) {
		g_free(d->queue[i].ids);
		g_free(d->queue[i].request);
		g_queue_clear(&d->queue[i].order);
	}
	mem_free(d->own);
	g_free(d);
}

void vdriver_reset(struct vdriver *d)
{
	virtio_write_status(d->config.dev, 0);
	while (virtio_read_status(d->config.dev)) {
		if (io_loop_is_current(d->config.loop))
			(void)io_loop_run(d->config.loop, true);
		else
			g_usleep(100);
	}
}

bool vdriver_negotiate(struct vdriver *d, uint64_t features)
{
	struct virtio_device *dev = d->config.dev;
	uint64_t offered = virtio_read_features(dev, 0) | (uint64_t)virtio_read_features(dev, 1)
								  << 32;

	virtio_write_status(dev, VIRTIO_STATUS_ACKNOWLEDGE);
	virtio_write_status(dev, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	d->features = (features | VIRTIO_F_VERSION_1) & offered;
	virtio_write_features(dev, 0, (uint32_t)d->features);
	virtio_write_features(dev, 1, (uint32_t)(d->features >> 32));
	virtio_write_status(dev, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
					 VIRTIO_STATUS_FEATURES_OK);
	return virtio_read_status(dev) & VIRTIO_STATUS_FEATURES_OK;
}

void vdriver_setup_queue(struct vdriver *d, unsigned queue)
{
	struct vdriver_queue *q = &d->queue[queue];
	struct virtq_setup setup = {
		.size = (uint16_t)q->size,
		.desc = q->desc,
		.driver = q->driver,
		.device = q->device,
	};

	memset(vdriver_ptr(d, q->desc, (size_t)q->size * DESC_LEN), 0, (size_t)q->size * DESC_LEN);
	memset(vdriver_ptr(d, q->driver, 6 + (size_t)q->size * 2), 0, 6 + (size_t)q->size * 2);
	memset(vdriver_ptr(d, q->device, 6 + (size_t)q->size * 8), 0, 6 + (size_t)q->size * 8);
	memset(q->request, 0, q->size * sizeof(*q->request));
	g_queue_clear(&q->order);
	q->next_avail = q->next_used = q->kicked = 0;
	q->avail_wrap = q->used_wrap = true;
	q->free = q->size;
	q->ids_head = q->ids_tail = 0;
	for (unsigned i = 0; i < q->size; i++)
		q->ids[i] = (uint16_t)i;
	virtio_write_queue(d->config.dev, queue, &setup);
	virtio_enable_queue(d->config.dev, queue);
}

bool vdriver_restart(struct vdriver *d, uint64_t features)
{
	struct virtio_device *dev = d->config.dev;

	vdriver_reset(d);
	if (!vdriver_negotiate(d, features))
		return false;
	for (unsigned i = 0; i < dev->queue_count; i++)
		vdriver_setup_queue(d, i);
	virtio_write_status(dev, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
					 VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
	return true;
}

/* ---- offering ---- */

void vdriver_write_desc(struct vdriver *d, uint64_t gpa, const struct vdriver_desc *desc)
{
	uint8_t *p = vdriver_ptr(d, gpa, DESC_LEN);

	put_le64(p, desc->addr);
	put_le32(p + 8, desc->len);
	put_le16(p + 12, packed(d) ? desc->next : desc->flags);
	put_le16(p + 14, packed(d) ? desc->flags : desc->next);
}

static uint16_t take_id(struct vdriver_queue *q)
{
	return q->ids[q->ids_head++ % q->size];
}

static void give_id(struct vdriver_queue *q, uint16_t id)
{
	q->ids[q->ids_tail++ % q->size] = id;
}

static struct vdriver_desc desc_of(const struct vdriver_buf *buf)
{
	return (struct vdriver_desc){
		.addr = buf->gpa,
		.len = buf->len,
		.flags = buf->write ? VDRIVER_WRITE : 0,
	};
}

/* An indirect table of these buffers; the descriptor that names it. */
static struct vdriver_desc make_table(struct vdriver *d, struct vdriver_queue *q, uint16_t id,
				      const struct vdriver_buf *bufs, unsigned count)
{
	uint64_t table = q->tables + (uint64_t)id * VDRIVER_TABLE * DESC_LEN;

	for (unsigned i = 0; i < count; i++) {
		struct vdriver_desc desc = desc_of(&bufs[i]);

		if (!packed(d) && i + 1 < count) {
			desc.flags |= VDRIVER_NEXT;
			desc.next = (uint16_t)(i + 1);
		}
		vdriver_write_desc(d, table + (uint64_t)i * DESC_LEN, &desc);
	}
	return (struct vdriver_desc){
		.addr = table,
		.len = count * DESC_LEN,
		.flags = VDRIVER_INDIRECT,
	};
}

static uint16_t add_split(struct vdriver *d, struct vdriver_queue *q,
			  const struct vdriver_buf *bufs, unsigned count, bool indirect)
{
	uint16_t head = take_id(q), id = head;
	struct vdriver_desc desc;

	if (indirect) {
		desc = make_table(d, q, head, bufs, count);
		vdriver_write_desc(d, q->desc + (uint64_t)head * DESC_LEN, &desc);
	}
	for (unsigned i = 0; !indirect && i < count; i++) {
		uint16_t at = id;

		desc = desc_of(&bufs[i]);
		if (i + 1 < count) {
			id = take_id(q);
			desc.flags |= VDRIVER_NEXT;
			desc.next = id;
		}
		vdriver_write_desc(d, q->desc + (uint64_t)at * DESC_LEN, &desc);
	}
	store16(d, q->driver + 4 + (uint64_t)(q->next_avail % q->size) * 2, head);
	q->next_avail++;
	store16(d, q->driver + 2, q->next_avail);
	return head;
}

/* The next slot of a packed ring, all but the flags; these in @ret_flags. */
static uint64_t put_packed(struct vdriver *d, struct vdriver_queue *q,
			   const struct vdriver_desc *desc, uint16_t *ret_flags)
{
	uint64_t gpa = q->desc + (uint64_t)q->next_avail * DESC_LEN;
	uint8_t *p = vdriver_ptr(d, gpa, DESC_LEN);

	put_le64(p, desc->addr);
	put_le32(p + 8, desc->len);
	put_le16(p + 12, desc->next);
	*ret_flags = (uint16_t)(desc->flags | (q->avail_wrap ? VDRIVER_AVAIL : VDRIVER_USED));
	if (++q->next_avail == q->size) {
		q->next_avail = 0;
		q->avail_wrap = !q->avail_wrap;
	}
	return gpa + 14;
}

static void add_packed_descs(struct vdriver *d, struct vdriver_queue *q,
			     const struct vdriver_desc *descs, unsigned count)
{
	uint64_t first = 0;
	uint16_t first_flags = 0;

	for (unsigned i = 0; i < count; i++) {
		uint16_t flags;
		uint64_t gpa = put_packed(d, q, &descs[i], &flags);

		if (i == 0) {
			first = gpa;
			first_flags = flags;
		} else {
			store16(d, gpa, flags);
		}
	}
	store16(d, first, first_flags);
}

static uint16_t add_packed(struct vdriver *d, struct vdriver_queue *q,
			   const struct vdriver_buf *bufs, unsigned count, bool indirect)
{
	uint16_t id = take_id(q);
	g_autofree struct vdriver_desc *descs = g_new0(struct vdriver_desc, count);

	if (indirect) {
		descs[0] = make_table(d, q, id, bufs, count);
		descs[0].next = id;
		add_packed_descs(d, q, descs, 1);
		return id;
	}
	for (unsigned i = 0; i < count; i++) {
		descs[i] = desc_of(&bufs[i]);
		descs[i].next = id;
		if (i + 1 < count)
			descs[i].flags |= VDRIVER_NEXT;
	}
	add_packed_descs(d, q, descs, count);
	return id;
}

bool vdriver_add(struct vdriver *d, unsigned queue, const struct vdriver_buf *bufs, unsigned count,
		 void *token)
{
	struct vdriver_queue *q = &d->queue[queue];
	bool indirect = d->features & VIRTIO_F_INDIRECT_DESC && count > 1 && count <= VDRIVER_TABLE;
	unsigned slots = indirect ? 1 : count;
	uint16_t id;

	g_assert_cmpuint(count, >, 0);
	g_assert_cmpuint(count, <=, q->size);
	if (slots > q->free)
		return false;
	id = packed(d) ? add_packed(d, q, bufs, count, indirect)
		       : add_split(d, q, bufs, count, indirect);
	g_assert_false(q->request[id].busy);
	q->request[id].token = token;
	q->request[id].slots = slots;
	q->request[id].busy = true;
	q->free -= slots;
	if (d->features & VIRTIO_F_IN_ORDER)
		g_queue_push_tail(&q->order, GUINT_TO_POINTER(id));
	return true;
}

/* ---- notifications ---- */

static bool needed(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

static bool wants_split(struct vdriver *d, struct vdriver_queue *q)
{
	if (!event_idx(d))
		return !(load16(d, q->device) & 1);
	return needed(load16(d, q->device + 4 + (uint64_t)q->size * 8), q->next_avail, q->kicked);
}

static bool wants_packed(struct vdriver *d, struct vdriver_queue *q)
{
	uint16_t flags = load16(d, q->device + 2), event, at;
	unsigned added = (q->next_avail + q->size - q->kicked) % q->size;

	if (flags != EVENTS_AT)
		return flags != EVENTS_OFF;
	event = load16(d, q->device);
	at = event & 0x7fff;
	if (!!(event & EVENT_WRAP) != q->avail_wrap)
		at = (uint16_t)(at - q->size);
	/* The ring was filled: kicked stands where it stood. */
	if (!added)
		added = q->size;
	return needed(at, q->next_avail, (uint16_t)(q->next_avail - added));
}

bool vdriver_kick(struct vdriver *d, unsigned queue)
{
	struct vdriver_queue *q = &d->queue[queue];
	bool wants = packed(d) ? wants_packed(d, q) : wants_split(d, q);

	q->kicked = q->next_avail;
	if (wants)
		virtio_kick(d->config.dev, queue);
	return wants;
}

void vdriver_irq_off(struct vdriver *d, unsigned queue)
{
	struct vdriver_queue *q = &d->queue[queue];

	if (packed(d))
		store16(d, q->driver + 2, EVENTS_OFF);
	else if (event_idx(d)) /* the entry before: as far away as can be */
		store16(d, q->driver + 4 + (uint64_t)q->size * 2, (uint16_t)(q->next_used - 1));
	else
		store16(d, q->driver, 1);
}

static bool used_pending(struct vdriver *d, struct vdriver_queue *q)
{
	uint16_t flags;

	if (!packed(d))
		return load16(d, q->device + 2) != q->next_used;
	flags = load16(d, q->desc + (uint64_t)q->next_used * DESC_LEN + 14);
	return !!(flags & VDRIVER_AVAIL) == q->used_wrap &&
	       !!(flags & VDRIVER_USED) == q->used_wrap;
}

bool vdriver_irq_on(struct vdriver *d, unsigned queue)
{
	struct vdriver_queue *q = &d->queue[queue];

	if (packed(d) && event_idx(d)) {
		store16(d, q->driver, (uint16_t)(q->next_used | (q->used_wrap ? EVENT_WRAP : 0)));
		store16(d, q->driver + 2, EVENTS_AT);
	} else if (packed(d)) {
		store16(d, q->driver + 2, EVENTS_ON);
	} else if (event_idx(d)) {
		store16(d, q->driver + 4 + (uint64_t)q->size * 2, q->next_used);
	} else {
		store16(d, q->driver, 0);
	}
	return used_pending(d, q);
}

/* ---- what is used ---- */

static uint16_t take_split(struct vdriver *d, struct vdriver_queue *q, uint32_t *ret_len)
{
	const uint8_t *p =
		vdriver_ptr(d, q->device + 4 + (uint64_t)(q->next_used % q->size) * 8, 8);
	uint32_t id = get_le32(p);

	*ret_len = get_le32(p + 4);
	q->next_used++;
	g_assert_cmpuint(id, <, q->size);
	return (uint16_t)id;
}

static uint16_t take_packed(struct vdriver *d, struct vdriver_queue *q, uint32_t *ret_len)
{
	const uint8_t *p = vdriver_ptr(d, q->desc + (uint64_t)q->next_used * DESC_LEN, DESC_LEN);
	uint16_t id = get_le16(p + 12);

	*ret_len = get_le32(p + 8);
	g_assert_cmpuint(id, <, q->size);
	q->next_used = (uint16_t)(q->next_used + q->request[id].slots);
	if (q->next_used >= q->size) {
		q->next_used = (uint16_t)(q->next_used - q->size);
		q->used_wrap = !q->used_wrap;
	}
	return id;
}

/* All descriptors of a chain of a split ring are free. */
static void free_split(struct vdriver *d, struct vdriver_queue *q, uint16_t id)
{
	for (unsigned slots = q->request[id].slots; slots; slots--) {
		const uint8_t *p = vdriver_ptr(d, q->desc + (uint64_t)id * DESC_LEN, DESC_LEN);

		give_id(q, id);
		id = get_le16(p + 14);
	}
}

bool vdriver_used(struct vdriver *d, unsigned queue, void **ret_token, uint32_t *ret_len)
{
	struct vdriver_queue *q = &d->queue[queue];
	uint32_t len;
	uint16_t id;

	if (!used_pending(d, q))
		return false;
	id = packed(d) ? take_packed(d, q, &len) : take_split(d, q, &len);
	g_assert_true(q->request[id].busy);
	if (d->features & VIRTIO_F_IN_ORDER)
		g_assert_cmpuint(GPOINTER_TO_UINT(g_queue_pop_head(&q->order)), ==, id);
	q->request[id].busy = false;
	q->free += q->request[id].slots;
	if (packed(d))
		give_id(q, id);
	else
		free_split(d, q, id);
	if (ret_token)
		*ret_token = q->request[id].token;
	if (ret_len)
		*ret_len = len;
	return true;
}

void vdriver_run(struct vdriver *d)
{
	while (io_loop_run(d->config.loop, false))
		;
}

void vdriver_wait(struct vdriver *d, unsigned queue, void **ret_token, uint32_t *ret_len)
{
	int64_t end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

	while (!vdriver_used(d, queue, ret_token, ret_len)) {
		g_assert_cmpint(g_get_monotonic_time(), <, end);
		if (!io_loop_is_current(d->config.loop))
			g_usleep(20);
		else if (!io_loop_run(d->config.loop, false))
			g_usleep(20);
	}
}

uint32_t vdriver_request(struct vdriver *d, unsigned queue, const void *out, size_t out_len,
			 void *in, size_t in_len)
{
	struct vdriver_buf bufs[2];
	unsigned count = 0;
	uint64_t mark = d->next_free, out_gpa = vdriver_alloc(d, out_len + in_len + ALIGN),
		 in_gpa = out_gpa + out_len;
	uint32_t len;

	if (out_len) {
		memcpy(vdriver_ptr(d, out_gpa, out_len), out, out_len);
		bufs[count++] = (struct vdriver_buf){ out_gpa, (uint32_t)out_len, false };
	}
	if (in_len)
		bufs[count++] = (struct vdriver_buf){ in_gpa, (uint32_t)in_len, true };
	g_assert_true(vdriver_add(d, queue, bufs, count, NULL));
	(void)vdriver_kick(d, queue);
	vdriver_wait(d, queue, NULL, &len);
	if (in_len)
		memcpy(in, vdriver_ptr(d, in_gpa, in_len), len < in_len ? len : in_len);
	d->next_free = mark;
	return len;
}

/* ---- hostile ---- */

void vdriver_offer(struct vdriver *d, unsigned queue, uint16_t head, uint16_t step)
{
	struct vdriver_queue *q = &d->queue[queue];

	store16(d, q->driver + 4 + (uint64_t)(q->next_avail % q->size) * 2, head);
	q->next_avail = (uint16_t)(q->next_avail + step);
	store16(d, q->driver + 2, q->next_avail);
	virtio_kick(d->config.dev, queue);
}

void vdriver_raw(struct vdriver *d, unsigned queue, const struct vdriver_desc *descs,
		 unsigned count)
{
	struct vdriver_queue *q = &d->queue[queue];

	g_assert_cmpuint(count, <=, q->size);
	if (packed(d)) {
		add_packed_descs(d, q, descs, count);
		virtio_kick(d->config.dev, queue);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		vdriver_write_desc(d, q->desc + (uint64_t)i * DESC_LEN, &descs[i]);
	vdriver_offer(d, queue, 0, 1);
}
