/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-scsi.c - a SCSI controller with a CD: commands, reads in steps, errors, resets
 */
#include <string.h>

#include "base/bytes.h"
#include "dev/virtio-blk.h"
#include "dev/virtio-scsi.h"
#include "tests/lib/virtio-driver.h"

#include "fake-block.h"
#include "fake.h"
#include "virtio-rig.h"

enum {
	REQUEST_LEN = 51,
	RESPONSE_LEN = 108,
	QUEUE = 2,
	IMAGE = 900 << 10,
};

struct rig {
	uint64_t now_ns;
	struct fake_clock clock;
	struct block block, other;
	struct io_loop *loop;
	struct virtio_device *dev;
	struct vdriver *d;
	unsigned moved, changed; /* how often config.tray() and the change's end were called */
	bool open, done;         /* and with what */
};

static void on_tray(void *opaque, bool open)
{
	struct rig *rig = opaque;

	rig->moved++;
	rig->open = open;
}

static void on_changed(void *opaque, bool done)
{
	struct rig *rig = opaque;

	rig->changed++;
	rig->done = done;
}

static void rig_init(struct rig *rig, uint64_t features)
{
	GError *error = NULL;

	*rig = (struct rig){ .now_ns = 1 };
	fake_block_init(&rig->block, IMAGE);
	rig->block.info.read_only = true;
	for (unsigned i = 0; i < IMAGE; i++)
		rig->block.data[i] = (uint8_t)(i / 2048 + i);
	fake_block_init(&rig->other, IMAGE / 2);
	rig->other.info.read_only = true;
	memset(rig->other.data, 0x77, IMAGE / 2);
	fake_clock_init(&rig->clock);
	rig->loop = rig_loop_new(&rig->now_ns);
	rig->dev = virtio_scsi_new(&(struct virtio_scsi_config){ .block = &rig->block,
								 .loop = rig->loop,
								 .clock = &rig->clock.clock,
								 .tray = on_tray,
								 .opaque = rig },
				   &error);
	g_assert_no_error(error);
	rig->d = vdriver_new(&(struct vdriver_config){
		.dev = rig->dev, .loop = rig->loop, .features = features });
}

static void rig_release(struct rig *rig)
{
	vdriver_free(rig->d);
	rig->dev->ops->free(rig->dev);
	io_loop_free(rig->loop);
	fake_block_release(&rig->block);
	fake_block_release(&rig->other);
}

static void put_request(uint8_t *request, uint8_t target, const uint8_t *cdb, size_t len)
{
	memset(request, 0, REQUEST_LEN);
	request[0] = 1;
	request[1] = target;
	request[2] = 0x40;
	memcpy(request + 19, cdb, len);
}

/* One command; how much the device wrote. */
static uint32_t command(struct rig *rig, uint8_t target, const uint8_t *cdb, size_t len,
			uint8_t *in, size_t in_len)
{
	uint8_t request[REQUEST_LEN];

	put_request(request, target, cdb, len);
	memset(in, 0xa5, in_len);
	return vdriver_request(rig->d, QUEUE, request, sizeof(request), in, in_len);
}

static void read_cdb(uint8_t cdb[10], uint32_t sector, uint16_t count)
{
	memset(cdb, 0, 10);
	cdb[0] = 0x28;
	put_be32(cdb + 2, sector);
	put_be16(cdb + 7, count);
}

static void test_commands(const void *features)
{
	static const uint8_t inquiry[] = { 0x12, 0, 0, 0, 36, 0 }, unknown[] = { 0xc0 };
	uint8_t in[RESPONSE_LEN + 64];
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	g_assert_cmpuint(command(&rig, 0, inquiry, sizeof(inquiry), in, sizeof(in)), ==,
			 RESPONSE_LEN + 36);
	g_assert_cmpuint(in[10], ==, 0);
	g_assert_cmpuint(in[11], ==, 0);
	g_assert_cmpuint(get_le32(in + 4), ==, 64 - 36); /* room that is left */
	g_assert_cmpmem(in + RESPONSE_LEN + 8, 5, "SOCLE", 5);
	g_assert_cmphex(in[RESPONSE_LEN + 36], ==, 0xa5);
	/* Less room than there is to tell. */
	g_assert_cmpuint(command(&rig, 0, inquiry, sizeof(inquiry), in, RESPONSE_LEN + 4), ==,
			 RESPONSE_LEN + 4);
	g_assert_cmpuint(command(&rig, 0, unknown, 1, in, RESPONSE_LEN), ==, RESPONSE_LEN);
	g_assert_cmpuint(in[10], ==, 2);
	g_assert_cmpuint(get_le32(in), ==, 18);
	g_assert_cmphex(in[12], ==, 0x70);
	g_assert_cmpuint(command(&rig, 3, inquiry, sizeof(inquiry), in, sizeof(in)), ==,
			 RESPONSE_LEN);
	g_assert_cmpuint(in[11], ==, 3); /* bad target */
	rig_release(&rig);
}

static void test_read(const void *features)
{
	static const struct {
		uint32_t sector;
		uint16_t count;
		uint32_t room;
		unsigned steps;
	} reads[] = {
		{ 0, 1, 2048, 1 },     { 1, 1, 2048, 1 },    { 3, 130, 130 * 2048, 2 },
		{ 449, 1, 2048, 1 },   { 0, 450, IMAGE, 4 }, { 7, 2, 2048 + 10, 1 },
		{ 0, 4, 5 * 2048, 1 },
	};
	g_autofree uint8_t *in = g_malloc(RESPONSE_LEN + IMAGE);
	struct disk_stats stats;
	uint64_t sum = 0;
	uint8_t cdb[10];
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < G_N_ELEMENTS(reads); i++) {
		uint32_t len = MIN(reads[i].count * 2048u, reads[i].room);

		rig.block.count = 0;
		read_cdb(cdb, reads[i].sector, reads[i].count);
		g_assert_cmpuint(command(&rig, 0, cdb, 10, in, RESPONSE_LEN + reads[i].room), ==,
				 RESPONSE_LEN + len);
		g_assert_cmpuint(in[10], ==, 0);
		g_assert_cmpuint(get_le32(in + 4), ==, reads[i].room - len);
		g_assert_cmpmem(in + RESPONSE_LEN, len,
				rig.block.data + (size_t)reads[i].sector * 2048, len);
		g_assert_cmpuint(rig.block.count, ==, reads[i].steps);
		sum += len;
	}
	virtio_scsi_stats(rig.dev, &stats);
	g_assert_cmpuint(stats.ops[BLOCK_READ], ==, G_N_ELEMENTS(reads));
	g_assert_cmpuint(stats.bytes[BLOCK_READ], ==, sum);
	/* Behind the end; no room at all. */
	rig.block.count = 0;
	read_cdb(cdb, 450, 1);
	(void)command(&rig, 0, cdb, 10, in, RESPONSE_LEN + 2048);
	g_assert_cmpuint(in[10], ==, 2);
	read_cdb(cdb, 0, 1);
	g_assert_cmpuint(command(&rig, 0, cdb, 10, in, RESPONSE_LEN), ==, RESPONSE_LEN);
	g_assert_cmpuint(rig.block.count, ==, 0);
	rig_release(&rig);
}

static void test_error(const void *features)
{
	g_autofree uint8_t *in = g_malloc(RESPONSE_LEN + IMAGE);
	uint8_t cdb[10];
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	rig.block.fail = -EIO;
	rig.block.pass = 1;
	read_cdb(cdb, 0, 450);
	g_assert_cmpuint(command(&rig, 0, cdb, 10, in, RESPONSE_LEN + IMAGE), ==,
			 RESPONSE_LEN + (256 << 10));
	g_assert_cmpuint(in[10], ==, 2);
	g_assert_cmphex(in[12 + 2], ==, 3); /* medium error */
	rig_release(&rig);
}

/* Several at a time are served one after the other, also those that came meanwhile. */
static void test_many(const void *features)
{
	uint64_t request[8], in[8];
	struct rig rig;
	uint8_t cdb[10];
	uint32_t len;

	rig_init(&rig, *(const uint64_t *)features);
	rig.block.hold = true;
	for (unsigned i = 0; i < 8; i++) {
		request[i] = vdriver_alloc(rig.d, REQUEST_LEN);
		in[i] = vdriver_alloc(rig.d, RESPONSE_LEN + 2048);
		read_cdb(cdb, i, 1);
		put_request(vdriver_ptr(rig.d, request[i], REQUEST_LEN), 0, cdb, 10);
		g_assert_true(
			vdriver_add(rig.d, QUEUE,
				    (struct vdriver_buf[]){ { request[i], REQUEST_LEN, false },
							    { in[i], RESPONSE_LEN + 2048, true } },
				    2, NULL));
		(void)vdriver_kick(rig.d, QUEUE);
		vdriver_run(rig.d);
	}
	g_assert_cmpuint(rig.block.pending, ==, 1);
	g_assert_false(vdriver_used(rig.d, QUEUE, NULL, &len));
	rig.block.hold = false;
	fake_block_complete(&rig.block);
	vdriver_run(rig.d);
	for (unsigned i = 0; i < 8; i++) {
		g_assert_true(vdriver_used(rig.d, QUEUE, NULL, &len));
		g_assert_cmpuint(len, ==, RESPONSE_LEN + 2048);
		g_assert_cmpmem(vdriver_ptr(rig.d, in[i] + RESPONSE_LEN, 2048), 2048,
				rig.block.data + (size_t)i * 2048, 2048);
	}
	rig_release(&rig);
}

/* A reset waits for the read that is under way, which reaches nobody then. */
static void test_reset(const void *features)
{
	uint64_t request, in;
	struct rig rig;
	uint8_t cdb[10], answer[RESPONSE_LEN];

	rig_init(&rig, *(const uint64_t *)features);
	rig.block.hold = true;
	request = vdriver_alloc(rig.d, REQUEST_LEN);
	in = vdriver_alloc(rig.d, RESPONSE_LEN + 2048);
	memset(vdriver_ptr(rig.d, in, RESPONSE_LEN + 2048), 0xa5, RESPONSE_LEN + 2048);
	read_cdb(cdb, 0, 1);
	put_request(vdriver_ptr(rig.d, request, REQUEST_LEN), 0, cdb, 10);
	g_assert_true(vdriver_add(rig.d, QUEUE,
				  (struct vdriver_buf[]){ { request, REQUEST_LEN, false },
							  { in, RESPONSE_LEN + 2048, true } },
				  2, NULL));
	(void)vdriver_kick(rig.d, QUEUE);
	vdriver_run(rig.d);
	g_assert_cmpuint(rig.block.pending, ==, 1);
	virtio_write_status(rig.dev, 0);
	g_assert_cmphex(virtio_read_status(rig.dev), !=, 0);
	rig.block.hold = false;
	fake_block_complete(&rig.block);
	vdriver_run(rig.d);
	g_assert_cmphex(virtio_read_status(rig.dev), ==, 0);
	g_assert_cmphex(*(uint8_t *)vdriver_ptr(rig.d, in, 1), ==, 0xa5);
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	cdb[0] = 0;
	g_assert_cmpuint(command(&rig, 0, cdb, 1, answer, sizeof(answer)), ==, RESPONSE_LEN);
	rig_release(&rig);
}

static void test_control(const void *features)
{
	uint8_t task[24] = { 0 }, query[20] = { 1 }, in[8], answer[RESPONSE_LEN];
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	task[8] = 1;
	memset(in, 0xa5, sizeof(in));
	g_assert_cmpuint(vdriver_request(rig.d, 0, task, sizeof(task), in, 1), ==, 1);
	g_assert_cmpuint(in[0], ==, 0);
	g_assert_cmpuint(vdriver_request(rig.d, 0, query, sizeof(query), in, 5), ==, 5);
	g_assert_cmpmem(in, 5, "\0\0\0\0\0", 5);
	/* Buffers for events stay where they are. */
	g_assert_true(vdriver_add(
		rig.d, 1, &(struct vdriver_buf){ vdriver_alloc(rig.d, 16), 16, true }, 1, NULL));
	(void)vdriver_kick(rig.d, 1);
	vdriver_run(rig.d);
	g_assert_false(vdriver_used(rig.d, 1, NULL, NULL));
	/* What is too short breaks the device, until it is reset. */
	virtio_lock(rig.dev);
	g_assert_true(virtio_live(rig.dev));
	virtio_unlock(rig.dev);
	g_assert_true(vdriver_add(rig.d, QUEUE,
				  &(struct vdriver_buf){ vdriver_alloc(rig.d, 64), 50, false }, 1,
				  NULL));
	(void)vdriver_kick(rig.d, QUEUE);
	vdriver_run(rig.d);
	g_assert_cmphex(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET, !=, 0);
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	g_assert_cmpuint(command(&rig, 0, (const uint8_t[]){ 0 }, 1, answer, sizeof(answer)), ==,
			 RESPONSE_LEN);
	rig_release(&rig);
}

static uint8_t status_of(struct rig *rig, uint8_t opcode, uint8_t bits)
{
	const uint8_t cdb[6] = { opcode, 0, 0, 0, bits, 0 };
	uint8_t in[RESPONSE_LEN];

	(void)command(rig, 0, cdb, sizeof(cdb), in, sizeof(in));
	return in[10];
}

static uint8_t first_byte(struct rig *rig, uint32_t sector)
{
	uint8_t in[RESPONSE_LEN + 2048], cdb[10];

	read_cdb(cdb, sector, 1);
	(void)command(rig, 0, cdb, sizeof(cdb), in, sizeof(in));
	return in[10] ? in[10] : in[RESPONSE_LEN];
}

/* The driver ejects, the user puts in another one. */
static void test_change(const void *features)
{
	static struct rig rig;
	struct virtio_scsi_tray tray;

	rig_init(&rig, *(const uint64_t *)features);
	g_assert_false(virtio_scsi_change(rig.dev, &rig.other, on_changed, &rig, NULL));
	g_assert_cmpuint(status_of(&rig, 0x1e, 1), ==, 0);
	virtio_scsi_tray(rig.dev, &tray);
	g_assert_true(tray.locked && !tray.open);
	g_assert_cmpuint(status_of(&rig, 0x1e, 0), ==, 0);
	g_assert_cmpuint(status_of(&rig, 0x1b, 2), ==, 0);
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.moved, ==, 1);
	g_assert_true(rig.open);
	g_assert_true(virtio_scsi_change(rig.dev, &rig.other, on_changed, &rig, NULL));
	g_assert_false(virtio_scsi_change(rig.dev, NULL, on_changed, &rig, NULL));
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.changed, ==, 1);
	g_assert_true(rig.done);
	virtio_scsi_set_tray(rig.dev, false);
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.moved, ==, 1);
	g_assert_cmpuint(status_of(&rig, 0x00, 0), ==, 2);
	g_assert_cmpuint(status_of(&rig, 0x00, 0), ==, 0);
	g_assert_cmphex(first_byte(&rig, 3), ==, 0x77);
	g_assert_cmphex(first_byte(&rig, 449), ==, 2); /* it is smaller */
	/* Out with it. */
	virtio_scsi_set_tray(rig.dev, true);
	g_assert_true(virtio_scsi_change(rig.dev, NULL, on_changed, &rig, NULL));
	fake_clock_run(&rig.clock);
	virtio_scsi_set_tray(rig.dev, false);
	g_assert_cmpuint(status_of(&rig, 0x00, 0), ==, 2);
	g_assert_cmpuint(status_of(&rig, 0x00, 0), ==, 2);
	/* One that goes with the drive is not done. */
	virtio_scsi_set_tray(rig.dev, true);
	g_assert_true(virtio_scsi_change(rig.dev, &rig.block, on_changed, &rig, NULL));
	rig_release(&rig);
	g_assert_cmpuint(rig.changed, ==, 3);
	g_assert_false(rig.done);
}

/* A read of the old one ends before it is taken away; a driver that begins anew has locked nothing. */
static void test_change_while_reading(const void *features)
{
	static struct rig rig;
	struct virtio_scsi_tray tray;
	uint64_t request, in;
	uint8_t cdb[10];
	uint32_t len;

	rig_init(&rig, *(const uint64_t *)features);
	rig.block.hold = true;
	request = vdriver_alloc(rig.d, REQUEST_LEN);
	in = vdriver_alloc(rig.d, RESPONSE_LEN + 2048);
	read_cdb(cdb, 5, 1);
	put_request(vdriver_ptr(rig.d, request, REQUEST_LEN), 0, cdb, 10);
	g_assert_true(vdriver_add(rig.d, QUEUE,
				  (struct vdriver_buf[]){ { request, REQUEST_LEN, false },
							  { in, RESPONSE_LEN + 2048, true } },
				  2, NULL));
	(void)vdriver_kick(rig.d, QUEUE);
	vdriver_run(rig.d);
	virtio_scsi_set_tray(rig.dev, true);
	g_assert_true(virtio_scsi_change(rig.dev, &rig.other, on_changed, &rig, NULL));
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.changed, ==, 0);
	rig.block.hold = false;
	fake_block_complete(&rig.block);
	vdriver_run(rig.d);
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.changed, ==, 1);
	g_assert_true(vdriver_used(rig.d, QUEUE, NULL, &len));
	g_assert_cmpmem(vdriver_ptr(rig.d, in + RESPONSE_LEN, 2048), 2048,
			rig.block.data + (size_t)5 * 2048, 2048);
	virtio_scsi_set_tray(rig.dev, false);
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	g_assert_cmphex(first_byte(&rig, 5), ==, 0x77);
	(void)status_of(&rig, 0x1e, 1);
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	virtio_scsi_tray(rig.dev, &tray);
	g_assert_false(tray.locked);
	virtio_scsi_request_eject(rig.dev);
	rig_release(&rig);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("/dev/virtio-scsi", "commands", test_commands);
	rig_add("/dev/virtio-scsi", "read", test_read);
	rig_add("/dev/virtio-scsi", "error", test_error);
	rig_add("/dev/virtio-scsi", "many", test_many);
	rig_add("/dev/virtio-scsi", "reset", test_reset);
	rig_add("/dev/virtio-scsi", "control", test_control);
	rig_add("/dev/virtio-scsi", "change", test_change);
	rig_add("/dev/virtio-scsi", "change-while-reading", test_change_while_reading);
	return g_test_run();
}
