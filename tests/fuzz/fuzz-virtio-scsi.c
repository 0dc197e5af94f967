/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-virtio-scsi.c - a hostile driver before a CD drive
 *
 * Acts of its own: commands that are nearly right, and a tray that is moved. Beside what
 * virtio-fuzz.h checks: an answer to a proper request has a status and a response that are some, the
 * residual fits its room, and a drive that has seen all that answers and delivers zeros.
 */
#include "block/block.h"
#include "dev/clock.h"
#include "dev/virtio-scsi.h"

#include "virtio-fuzz.h"

enum {
	ACT_COMMAND = VFUZZ_ACTS,
	ACT_TRAY, /* the user's hand moves it */
	ACT_COUNT,
	SIZE = 3 << 20,
	REQUEST_LEN = 51,
	RESPONSE_LEN = 108,
	QUEUE = 2,
	SLOT_LEN = 16384,
	SLOTS = VFUZZ_BUFFERS * 4096 / SLOT_LEN,
	REQUEST_ROOM = 64,
};

struct slot {
	uint8_t *response;
	uint32_t room;
	unsigned busy; /* vfuzz.restarts when it was given to the device; 0: it is free */
};

struct world {
	struct vfuzz f;
	struct block *block;
	unsigned next;
	struct slot slots[SLOTS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void world_init(struct world *w)
{
	const struct block_open open = {
		.node_name = "fuzz", .format = "null", .null_size = SIZE, .read_only = true
	};
	struct virtio_device *dev;

	vfuzz_init(&w->f, IO_LOOP_AUTO);
	w->block = block_open(&open, NULL);
	g_assert_nonnull(w->block);
	dev = virtio_scsi_new(&(struct virtio_scsi_config){ .block = w->block,
							    .loop = w->f.loop,
							    .clock = dev_clock_host() },
			      NULL);
	g_assert_nonnull(dev);
	vfuzz_attach(&w->f, dev);
}

static void command(struct world *w)
{
	static const uint8_t opcodes[] = { 0x28, 0xa8, 0x12, 0x43, 0x5a, 0x46, 0x4a, 0x9e,
					   0x1b, 0x1e, 0x00, 0x03, 0x25, 0x51, 0xa0, 0x1a };
	struct vfuzz *f = &w->f;
	const unsigned byte = (unsigned)vfuzz_get(&f->in, 1), number = w->next++ % SLOTS;
	const uint64_t gpa = f->buffers + (uint64_t)number * SLOT_LEN;
	const uint32_t room = byte & 0x20 ? vfuzz_len(f) % 16000 : 4096;
	uint8_t *p = vdriver_ptr(f->d, gpa, SLOT_LEN);
	struct slot *slot = &w->slots[number];

	if (slot->busy == f->restarts)
		return;
	memset(p, 0, REQUEST_ROOM);
	p[0] = 1;
	p[1] = byte & 0x40 ? (uint8_t)vfuzz_get(&f->in, 1) : 0;
	p[3] = byte & 0x10 ? (uint8_t)vfuzz_get(&f->in, 1) : 0;
	p[19] = byte & 0x80 ? (uint8_t)vfuzz_get(&f->in, 1) : opcodes[byte % 16];
	for (unsigned i = 20; i < 32; i++)
		p[i] = (uint8_t)vfuzz_get(&f->in, 1);
	if (vdriver_add(f->d, QUEUE,
			(struct vdriver_buf[]){
				{ gpa, REQUEST_LEN, false },
				{ gpa + REQUEST_ROOM, RESPONSE_LEN, true },
				{ gpa + REQUEST_ROOM + RESPONSE_LEN, MAX(room, 1), true } },
			3, slot)) {
		*slot = (struct slot){ p + REQUEST_ROOM, MAX(room, 1), f->restarts };
		(void)vdriver_kick(f->d, QUEUE);
	}
}

static void check_used(struct world *w)
{
	void *token;
	uint32_t len;

	if (!w->f.honest)
		return;
	while (vdriver_used(w->f.d, QUEUE, &token, &len)) {
		struct slot *slot = token;

		if (!slot)
			continue;
		g_assert_cmpuint(len, >=, RESPONSE_LEN);
		g_assert_cmpuint(get_le32(slot->response + 4), ==,
				 slot->room - (len - RESPONSE_LEN));
		g_assert_true(slot->response[10] == 0 || slot->response[10] == 2);
		g_assert_true(slot->response[11] == 0 || slot->response[11] == 3);
		slot->busy = 0;
	}
}

static void check_serves(struct world *w)
{
	uint8_t request[REQUEST_LEN] = { 1 }, in[RESPONSE_LEN + 2048];

	mem_clear(w->f.mem);
	vfuzz_restart(&w->f, w->f.features);
	virtio_scsi_set_tray(w->f.dev, false);
	/* What has happened to the medium is told to the first that asks. */
	(void)vdriver_request(w->f.d, QUEUE, request, sizeof(request), in, sizeof(in));
	request[19] = 0x28;
	request[27] = 1;
	memset(in, 0xee, sizeof(in));
	g_assert_cmpuint(vdriver_request(w->f.d, QUEUE, request, sizeof(request), in, sizeof(in)),
			 ==, sizeof(in));
	g_assert_cmpuint(in[10], ==, 0);
	g_assert_cmpuint(in[sizeof(in) - 1], ==, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct world *w = &world;

	if (!w->block)
		world_init(w);
	w->next = 0;
	vfuzz_begin(&w->f, data, size);
	for (unsigned i = 0; i < VFUZZ_MAX_ACTS && w->f.in.len; i++) {
		const unsigned byte = (unsigned)vfuzz_get(&w->f.in, 1) % (ACT_COUNT + 5);

		if (byte == ACT_TRAY)
			virtio_scsi_set_tray(w->f.dev, vfuzz_get(&w->f.in, 1) & 1);
		else if (byte >= ACT_COMMAND)
			command(w);
		else
			vfuzz_act(&w->f, byte);
		check_used(w);
	}
	vfuzz_reset(&w->f);
	if (vfuzz_checks(size))
		check_serves(w);
	return 0;
}
