/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-blk.c - a disk: configuration, every type of request, every way to cut one up
 *
 * Errors, limits and resets are in test-virtio-blk-life.c.
 */
#include "blk-rig.h"

/* ---- configuration ---- */

static uint64_t config_at(struct rig *rig, unsigned off, unsigned size)
{
	return virtio_read_config(rig->dev, off, size);
}

static void test_config(void)
{
	struct rig rig;

	rig_prepare(&rig);
	rig.config.queues = 4;
	rig.config.queue_size = 128;
	rig_start(&rig, RIG_ALL);
	g_assert_cmphex(rig.dev->offered & 0xffffff, ==, RIG_ALL & ~VIRTIO_BLK_F_RO);
	g_assert_cmphex(rig.dev->offered & VIRTIO_F_COMMON, ==, VIRTIO_F_COMMON);
	g_assert_cmpuint(config_at(&rig, 0, 8), ==, RIG_SECTORS);
	g_assert_cmpuint(config_at(&rig, 12, 4), ==, 126);
	g_assert_cmpuint(config_at(&rig, 20, 4), ==, 512);
	g_assert_cmpuint(config_at(&rig, 24, 1), ==, 3); /* 2^3 logical blocks: 4 KiB */
	g_assert_cmpuint(config_at(&rig, 25, 1), ==, 0);
	g_assert_cmpuint(config_at(&rig, 26, 2), ==, 8);
	g_assert_cmpuint(config_at(&rig, 28, 4), ==, 0);
	g_assert_cmpuint(config_at(&rig, 32, 1), ==, 1);
	g_assert_cmpuint(config_at(&rig, 34, 2), ==, 4);
	g_assert_cmpuint(config_at(&rig, 36, 4), ==, 1 << 22);
	g_assert_cmpuint(config_at(&rig, 40, 4), ==, 16);
	g_assert_cmpuint(config_at(&rig, 44, 4), ==, 8);
	g_assert_cmpuint(config_at(&rig, 48, 4), ==, 1 << 22);
	g_assert_cmpuint(config_at(&rig, 52, 4), ==, 16);
	g_assert_cmpuint(config_at(&rig, 56, 1), ==, 1);
	/* Only the write cache can be written. */
	for (unsigned i = 0; i < 60; i++) {
		const uint64_t before = config_at(&rig, i, 1);

		virtio_write_config(rig.dev, i, 1, ~before);
		g_assert_cmpuint(config_at(&rig, i, 1), ==, i == 32 ? 0 : before);
	}
	rig_release(&rig);
}

static void test_config_other(void)
{
	struct rig rig;

	rig_prepare(&rig);
	rig.block.info.size = RIG_SIZE + 1024;
	rig.block.info.request_alignment = 4096;
	rig.block.info.discard = false;
	rig.config.read_only = true;
	rig.config.packed_off = true;
	rig_start(&rig, RIG_ALL);
	g_assert_cmphex(rig.dev->offered &
				(VIRTIO_BLK_F_RO | VIRTIO_BLK_F_MQ | VIRTIO_BLK_F_DISCARD |
				 VIRTIO_BLK_F_WRITE_ZEROES | VIRTIO_F_RING_PACKED),
			==, VIRTIO_BLK_F_RO);
	/* Whole logical blocks; seg_max of the usual queue. */
	g_assert_cmpuint(config_at(&rig, 0, 8), ==, RIG_SECTORS);
	g_assert_cmpuint(config_at(&rig, 12, 4), ==, 254);
	g_assert_cmpuint(config_at(&rig, 20, 4), ==, 4096);
	g_assert_cmpuint(config_at(&rig, 24, 1), ==, 0);
	g_assert_cmpuint(config_at(&rig, 36, 4), ==, 0);
	g_assert_cmpuint(config_at(&rig, 56, 1), ==, 0);
	rig_release(&rig);

	rig_prepare(&rig);
	rig.config.no_write_cache = true;
	rig.config.no_discard = true;
	rig_start(&rig, RIG_ALL);
	g_assert_cmphex(rig.dev->offered & (VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_CONFIG_WCE |
					    VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES),
			==, VIRTIO_BLK_F_WRITE_ZEROES);
	g_assert_cmpuint(config_at(&rig, 32, 1), ==, 0);
	virtio_write_config(rig.dev, 32, 1, 1);
	g_assert_cmpuint(config_at(&rig, 32, 1), ==, 0);
	g_assert_false(virtio_blk_write_cache(rig.dev));
	rig_release(&rig);
}

static void refused(struct rig *rig, const char *words)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(virtio_blk_new(&rig->config, &error));
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, words));
	rig_release(rig);
	rig_prepare(rig);
}

static void test_refused(void)
{
	struct rig rig;

	rig_prepare(&rig);
	rig.config.queues = 0;
	refused(&rig, "queues");
	rig.config.queues = VIRTIO_MAX_QUEUES + 1;
	refused(&rig, "queues");
	rig.config.queue_size = 2;
	refused(&rig, "power of two");
	rig.config.queue_size = 100;
	refused(&rig, "power of two");
	rig.config.queue_size = 2048;
	refused(&rig, "power of two");
	rig.config.serial = "123456789012345678901";
	refused(&rig, "longer than 20");
	rig.config.logical_block = 1024;
	refused(&rig, "512 or 4096");
	rig.config.logical_block = 512;
	rig.block.info.request_alignment = 4096;
	refused(&rig, "needs a logical block of 4096");
	rig.block.info.read_only = true;
	refused(&rig, "read-only");
	rig.config.limits.limit[DISK_LIMIT_BPS].max = 1;
	refused(&rig, "bps");
	rig_release(&rig);
}

/* ---- data ---- */

static void test_read_write(const void *features)
{
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < 40; i++) {
		const uint64_t sector = i * 37 % 500;
		const size_t len = 512 * (1 + i % 9);

		rig_make(&rig, &req, BLK_T_OUT, sector, len, 0);
		memset(req.out + 16, (int)i + 1, len);
		g_assert_cmpuint(rig_do(&rig, &req), ==, BLK_S_OK);
		g_assert_cmpuint(rig_last(&rig)->op, ==, BLOCK_WRITE);
		g_assert_cmpuint(rig_last(&rig)->flags, ==, 0);
		g_assert_cmpmem(rig.block.data + sector * 512, len, req.out + 16, len);
		rig_make(&rig, &req, BLK_T_IN, sector + 3, 0, len);
		g_assert_cmpuint(rig_do(&rig, &req), ==, BLK_S_OK);
		g_assert_cmpmem(rig.block.data + (sector + 3) * 512, len, req.in, len);
	}
	rig_release(&rig);
}

static void write_cut(struct rig *rig, const unsigned *out_cuts, unsigned extra)
{
	struct rig_request req;

	rig_make(rig, &req, BLK_T_OUT, 9, 512, extra);
	for (unsigned i = 0; i < 512; i++)
		req.out[16 + i] = (uint8_t)g_test_rand_int();
	rig_send(rig, 0, &req, out_cuts, extra ? (unsigned[]){ extra, 0 } : NULL);
	g_assert_cmpuint(rig_run(rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_OK);
	g_assert_cmpmem(rig->block.data + 9 * 512, 512, req.out + 16, 512);
	/* Nothing was written before the status byte. */
	for (unsigned i = 0; i < extra; i++)
		g_assert_cmpuint(req.in[i], ==, RIG_NOT_YET);
}

/* Table 1.12, blk: the header may be cut anywhere, the data, too; both may share a descriptor. */
static void test_split_header(const void *features)
{
	unsigned cuts[3] = { 0 }, single[RIG_PIECES] = { 0 };
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	write_cut(&rig, cuts, 0);
	for (cuts[0] = 1; cuts[0] <= 20; cuts[0]++) {
		cuts[1] = 0;
		write_cut(&rig, cuts, 0);
		for (cuts[1] = cuts[0] + 1; cuts[1] <= 20; cuts[1]++)
			write_cut(&rig, cuts, cuts[1] % 3);
		cuts[1] = 527;
		write_cut(&rig, cuts, 0);
	}
	/* A descriptor for each byte of the header. */
	for (unsigned i = 0; i < 17; i++)
		single[i] = i + 1;
	write_cut(&rig, single, 0);
	rig_release(&rig);
}

static void read_cut(struct rig *rig, const unsigned *in_cuts)
{
	struct rig_request req;

	rig_make(rig, &req, BLK_T_IN, 100, 0, 1024);
	rig_send(rig, 0, &req, NULL, in_cuts);
	g_assert_cmpuint(rig_run(rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_OK);
	g_assert_cmpuint(req.used, ==, 1025);
	g_assert_cmpmem(rig->block.data + 51200, 1024, req.in, 1024);
}

/* Table 1.12, blk: the status is the last writable byte, wherever that lies. */
static void test_split_status(const void *features)
{
	static const unsigned cut[] = { 1, 2, 511, 512, 513, 1022, 1023, 1024 };
	unsigned cuts[4] = { 0 };
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	read_cut(&rig, cuts);
	for (unsigned i = 0; i < ARRAY_SIZE(cut); i++) {
		cuts[0] = cut[i];
		cuts[1] = cuts[2] = 0;
		read_cut(&rig, cuts);
		for (unsigned j = i + 1; j < ARRAY_SIZE(cut); j++) {
			cuts[1] = cut[j];
			cuts[2] = j + 1 < ARRAY_SIZE(cut) ? cut[j + 1] : 0;
			read_cut(&rig, cuts);
		}
	}
	rig_release(&rig);
}

/* Descriptors of no length, in front, between and behind. */
static void test_empty_pieces(const void *features)
{
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	rig_make(&rig, &req, BLK_T_IN, 7, 0, 512);
	g_assert_true(vdriver_add(rig.d, 0,
				  (struct vdriver_buf[]){ { req.out_gpa, 0, false },
							  { req.out_gpa, 16, false },
							  { req.out_gpa, 0, false },
							  { req.in_gpa, 0, true },
							  { req.in_gpa, 512, true },
							  { req.in_gpa, 0, true },
							  { req.in_gpa + 512, 1, true },
							  { req.in_gpa, 0, true } },
				  8, &req));
	(void)vdriver_kick(rig.d, 0);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_OK);
	g_assert_cmpmem(rig.block.data + 7 * 512, 512, req.in, 512);
	rig_release(&rig);
}

/* A chain as long as the queue permits, of sectors cut into odd pieces. */
static void test_long(const void *features)
{
	enum {
		PIECES = 62,
		LEN = 31 * 512
	};
	struct vdriver_buf bufs[PIECES + 2];
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	rig_make(&rig, &req, BLK_T_IN, 0, 0, LEN);
	bufs[0] = (struct vdriver_buf){ req.out_gpa, 16, false };
	for (unsigned i = 0; i < PIECES; i++)
		bufs[1 + i] = (struct vdriver_buf){ req.in_gpa + i / 2 * 512 + (i % 2 ? 200 : 0),
						    i % 2 ? 312 : 200, true };
	bufs[PIECES + 1] = (struct vdriver_buf){ req.in_gpa + LEN, 1, true };
	g_assert_true(vdriver_add(rig.d, 0, bufs, PIECES + 2, &req));
	(void)vdriver_kick(rig.d, 0);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_OK);
	g_assert_cmpmem(rig.block.data, LEN, req.in, LEN);
	rig_release(&rig);
}

/* ---- the other types ---- */

/* Lesson 13: the answer's length is clamped to what there is of either. */
static void test_lesson_13_id(const void *features)
{
	static const size_t lens[] = { 0, 1, 10, 11, 12, 19, 20, 21, 512 };
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		rig_make(&rig, &req, BLK_T_GET_ID, 0, 0, lens[i]);
		g_assert_cmpuint(rig_do(&rig, &req), ==, BLK_S_OK);
		for (size_t j = 0; j < lens[i]; j++)
			g_assert_cmpuint(req.in[j], ==,
					 j >= 20 ? RIG_NOT_YET
						 : (j < 11 ? (uint8_t) "serial-0123"[j] : 0));
	}
	g_assert_cmpuint(rig.block.count, ==, 0);
	rig_release(&rig);
	rig_prepare(&rig);
	rig.config.serial = "12345678901234567890";
	rig_start(&rig, *(const uint64_t *)features);
	rig_make(&rig, &req, BLK_T_GET_ID, 0, 0, 20);
	g_assert_cmpuint(rig_do(&rig, &req), ==, BLK_S_OK);
	g_assert_cmpmem(req.in, 20, "12345678901234567890", 20);
	rig_release(&rig);
}

/*
 * Lesson 12: nothing of ours goes out with an answer, and the driver is told of no byte that was not
 * written for it. Memory of before is in its place: the chains of a busy queue are used again.
 */
static void test_lesson_12(const void *features)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		size_t in_len;
	} cases[] = {
		{ BLK_T_GET_ID, 0, 512 }, { BLK_T_IN, RIG_SECTORS, 512 }, { BLK_T_IN, 0, 513 },
		{ 99, 0, 512 },           { BLK_T_OUT, 0, 512 },          { BLK_T_FLUSH, 0, 512 },
	};
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < 1000; i++) {
		const unsigned n = i % ARRAY_SIZE(cases);

		rig_make(&rig, &req, cases[n].type, cases[n].sector, 0, cases[n].in_len);
		rig_send(&rig, 0, &req, NULL, NULL);
		g_assert_cmpuint(rig_run(&rig), ==, 1);
		g_assert_cmpuint(req.used, ==, rig_expect_used(&req));
		for (size_t j = n == 0 ? BLK_ID_LEN : 0; j < cases[n].in_len; j++)
			g_assert_cmpuint(req.in[j], ==, RIG_NOT_YET);
		for (size_t j = strlen("serial-0123"); n == 0 && j < BLK_ID_LEN; j++)
			g_assert_cmpuint(req.in[j], ==, 0);
		if (i % 100 == 99)
			g_assert_true(
				vdriver_restart(rig.d, *(const uint64_t *)features | RIG_ALL));
	}
	rig_release(&rig);
}

/* Table 1.12, blk: an unknown type is UNSUPP. */
static void test_unknown(const void *features)
{
	static const uint32_t types[] = { 2,  3,  5,  6,          7,          9,         10,
					  12, 14, 15, 0x80000000, 0x80000001, 0xffffffff };
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		g_assert_cmpuint(rig_simple(&rig, types[i], 0, 512, 0), ==, BLK_S_UNSUPP);
		g_assert_cmpuint(rig_simple(&rig, types[i], 0, 0, 512), ==, BLK_S_UNSUPP);
		g_assert_cmpuint(rig_simple(&rig, types[i], 0, 0, 0), ==, BLK_S_UNSUPP);
	}
	g_assert_cmpuint(rig.block.count, ==, 0);
	rig_release(&rig);
}

static void test_flush(const void *features)
{
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_FLUSH, 0, 0, 0), ==, BLK_S_OK);
	g_assert_cmpuint(rig_last(&rig)->op, ==, BLOCK_FLUSH);
	/* Its sector is reserved, and data with it is ignored. */
	g_assert_cmpuint(rig_simple(&rig, BLK_T_FLUSH, UINT64_MAX, 700, 3), ==, BLK_S_OK);
	g_assert_cmpuint(rig.block.counted[BLOCK_FLUSH], ==, 2);
	rig_release(&rig);
}

/* A header that is too short, or no byte for the status: the device needs a reset. */
static void test_break(const void *features)
{
	static const struct vdriver_buf bad[][2] = {
		{ { 0, 15, false }, { 64, 1, true } },    { { 0, 16, false }, { 64, 0, true } },
		{ { 0, 16, false }, { 64, 512, false } }, { { 0, 0, false }, { 64, 512, true } },
		{ { 0, 16, true }, { 64, 512, true } },
	};
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		const uint64_t gpa = vdriver_alloc(rig.d, 1024);
		struct vdriver_buf bufs[2] = { bad[i][0], bad[i][1] };

		memset(vdriver_ptr(rig.d, gpa, 1024), 0, 1024);
		bufs[0].gpa += gpa;
		bufs[1].gpa += gpa;
		g_assert_true(vdriver_add(rig.d, 0, bufs, 2, NULL));
		(void)vdriver_kick(rig.d, 0);
		vdriver_run(rig.d);
		g_assert_true(rig_broken(&rig));
		g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, i + 1);
		g_assert_false(vdriver_used(rig.d, 0, NULL, NULL));
		g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features | RIG_ALL));
		g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 0, 0, 512), ==, BLK_S_OK);
	}
	rig_release(&rig);
}

/* ---- edges ---- */

/* Table 1.12, blk, and lesson 3: sector + length against the capacity, without overflow. */
static void test_edges(const void *features)
{
	static const struct {
		uint64_t sector;
		size_t len;
		bool ok;
	} cases[] = {
		{ 0, 0, true },
		{ 0, 512, true },
		{ 0, 511, false },
		{ 0, 513, false },
		{ 0, 1, false },
		{ RIG_SECTORS - 1, 512, true },
		{ RIG_SECTORS - 1, 1024, false },
		{ RIG_SECTORS, 512, false },
		{ RIG_SECTORS - 8, 4096, true },
		{ RIG_SECTORS - 7, 4096, false },
		{ UINT64_MAX, 512, false },
		{ UINT64_MAX / 512, 512, false },
		{ UINT64_MAX / 512 + 1, 512, false },
		{ UINT64_MAX / 512 - 1, 512, false },
		{ UINT64_MAX / 2 + 1, 512, false },
		{ 1ull << 55, 512, false },
		{ 1ull << 32, 512, false },
		{ 0x80000000, 512, false },
	};
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const unsigned code = cases[i].ok ? BLK_S_OK : BLK_S_IOERR;

		g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, cases[i].sector, 0, cases[i].len), ==,
				 code);
		g_assert_cmpuint(rig_simple(&rig, BLK_T_OUT, cases[i].sector, cases[i].len, 0), ==,
				 code);
	}
	rig_release(&rig);
}

/* Lesson 3, on: buffers that overlap add up to more than 4 GiB, and near 2^32. */
static void test_lesson_3(const void *features)
{
	struct vdriver_buf bufs[10];
	struct rig_request req;
	struct rig rig;

	rig_prepare(&rig);
	rig.block.info.size = 1ull << 50;
	rig_start(&rig, *(const uint64_t *)features);
	for (unsigned write = 0; write < 2; write++) {
		for (unsigned last = 32; last > 0; last -= 8) {
			unsigned count = 0;

			rig_make(&rig, &req, write, 0, 0, 0);
			bufs[count++] = (struct vdriver_buf){ req.out_gpa, 16, false };
			for (unsigned i = 0; i < 7; i++)
				bufs[count++] =
					(struct vdriver_buf){ VDRIVER_BORDER, 64 << 20, !write };
			bufs[count++] = (struct vdriver_buf){ VDRIVER_BORDER, last << 20, !write };
			bufs[count++] = (struct vdriver_buf){ req.in_gpa, 1, true };
			g_assert_true(vdriver_add(rig.d, 0, bufs, count, &req));
			(void)vdriver_kick(rig.d, 0);
			g_assert_cmpuint(rig_run(&rig), ==, 1);
			g_assert_cmpuint(*req.status, ==, BLK_S_OK);
			g_assert_cmpuint(rig_last(&rig)->len, ==, (7 * 64 + last) << 20);
		}
	}
	rig_release(&rig);
}

static bool is_dirty(struct rig *rig, const void *host)
{
	const uint64_t gpa = mem_gpa(vdriver_mem(rig->d), host);

	return atomic_load(mem_page_flags(vdriver_mem(rig->d), gpa)) & MEM_PAGE_DIRTY;
}

/* More than one request may move: an error, and mem is told of the status byte, not of gigabytes. */
static void test_too_much(const void *features)
{
	struct vdriver_buf bufs[62];
	struct rig_request req;
	struct rig rig;

	rig_prepare(&rig);
	rig.block.info.size = 1ull << 50;
	rig_start(&rig, *(const uint64_t *)features);
	rig_make(&rig, &req, BLK_T_IN, 0, 0, 0);
	bufs[0] = (struct vdriver_buf){ req.out_gpa, 16, false };
	for (unsigned i = 1; i < 61; i++)
		bufs[i] = (struct vdriver_buf){ 0, 128 << 20, true };
	bufs[61] = (struct vdriver_buf){ req.in_gpa, 1, true };
	mem_dirty_log(vdriver_mem(rig.d), true);
	g_assert_true(vdriver_add(rig.d, 0, bufs, 62, &req));
	(void)vdriver_kick(rig.d, 0);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_IOERR);
	g_assert_cmpuint(req.used, ==, 0);
	g_assert_cmpuint(rig.block.count, ==, 0);
	g_assert_true(is_dirty(&rig, req.status));
	g_assert_false(is_dirty(&rig, vdriver_ptr(rig.d, 0, 1)));
	rig_release(&rig);
}

/* Lesson 17: the largest sizes that an image can tell. */
static void test_lesson_17(const void *features)
{
	static const uint64_t sizes[] = { 0,         511,       512, 1ull << 62, (1ull << 63) - 512,
					  INT64_MAX, UINT64_MAX };
	struct rig rig;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		const uint64_t sectors = sizes[i] / 512;

		rig_prepare(&rig);
		rig.block.info.size = sizes[i];
		rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
		g_assert_cmpuint(virtio_read_config(rig.dev, 0, 8), ==, sectors);
		g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, sectors, 0, 512), ==, BLK_S_IOERR);
		g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, sectors - 1, 0, 512), ==,
				 sectors ? BLK_S_OK : BLK_S_IOERR);
		rig_release(&rig);
	}
}

/* Lesson 13, block sizes: sectors are 512 bytes whatever the block is; parts of blocks are errors. */
static void test_lesson_13_block(const void *features)
{
	struct rig rig;

	rig_prepare(&rig);
	rig.config.logical_block = 4096;
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 8), ==, RIG_SECTORS);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 8, 0, 4096), ==, BLK_S_OK);
	g_assert_cmpuint(rig_last(&rig)->off, ==, 4096);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 1, 0, 4096), ==, BLK_S_IOERR);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 8, 0, 512), ==, BLK_S_IOERR);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_OUT, 7, 4096, 0), ==, BLK_S_IOERR);
	g_assert_cmpuint(rig.block.count, ==, 1);
	rig_release(&rig);
}

static void test_read_only(const void *features)
{
	struct rig rig;

	rig_prepare(&rig);
	rig.block.info.read_only = true;
	rig.config.read_only = true;
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_OUT, 0, 512, 0), ==, BLK_S_IOERR);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_DISCARD, 0, 16, 0), ==, BLK_S_UNSUPP);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_WRITE_ZEROES, 0, 16, 0), ==, BLK_S_UNSUPP);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 0, 0, 512), ==, BLK_S_OK);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_FLUSH, 0, 0, 0), ==, BLK_S_OK);
	rig_release(&rig);
}

/* ---- discard, write zeroes ---- */

static void put_range(struct rig_request *req, unsigned i, uint64_t sector, uint32_t sectors,
		      uint32_t flags)
{
	uint8_t *p = req->out + 16 + (size_t)i * 16;

	put_le64(p, sector);
	put_le32(p + 8, sectors);
	put_le32(p + 12, flags);
}

static unsigned one_range(struct rig *rig, uint32_t type, uint64_t sector, uint32_t sectors,
			  uint32_t flags)
{
	struct rig_request req;

	rig_make(rig, &req, type, 0, 16, 0);
	put_range(&req, 0, sector, sectors, flags);
	return rig_do(rig, &req);
}

static void test_ranges(const void *features)
{
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	g_assert_cmpuint(one_range(&rig, BLK_T_DISCARD, 8, 16, 0), ==, BLK_S_OK);
	g_assert_cmpuint(rig_last(&rig)->op, ==, BLOCK_DISCARD);
	g_assert_cmpuint(rig_last(&rig)->off, ==, 4096);
	g_assert_cmpuint(rig_last(&rig)->len, ==, 8192);
	g_assert_cmpuint(one_range(&rig, BLK_T_WRITE_ZEROES, 1, 1, 0), ==, BLK_S_OK);
	g_assert_cmpuint(rig_last(&rig)->flags, ==, 0);
	g_assert_cmpuint(one_range(&rig, BLK_T_WRITE_ZEROES, 1, 1, 1), ==, BLK_S_OK);
	g_assert_cmpuint(rig_last(&rig)->flags, ==, BLOCK_UNMAP);

	/* As many as are allowed, empty ones among them, one after the other. */
	rig.block.count = 0;
	rig_make(&rig, &req, BLK_T_WRITE_ZEROES, 0, 256, 0);
	for (unsigned i = 0; i < 16; i++)
		put_range(&req, i, 10 * i, i % 4, i & 1);
	rig_send(&rig, 0, &req, (unsigned[]){ 3, 15, 17, 40, 41, 200, 0 }, NULL);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_OK);
	g_assert_cmpuint(rig.block.count, ==, 12);
	for (unsigned i = 0, j = 0; i < 16; i++) {
		if (i % 4 == 0)
			continue;
		g_assert_cmpuint(rig.block.log[j].off, ==, 5120 * i);
		g_assert_cmpuint(rig.block.log[j].len, ==, 512 * (i % 4));
		g_assert_cmpuint(rig.block.log[j].flags, ==, i & 1 ? BLOCK_UNMAP : 0);
		j++;
	}
	/* Only empty ones. */
	rig.block.count = 0;
	g_assert_cmpuint(one_range(&rig, BLK_T_DISCARD, 5, 0, 0), ==, BLK_S_OK);
	g_assert_cmpuint(rig.block.count, ==, 0);
	rig_release(&rig);
}

/* Table 1.12, blk: limits and flags of discard and write zeroes. */
static void test_bad_ranges(const void *features)
{
	static const uint32_t types[] = { BLK_T_DISCARD, BLK_T_WRITE_ZEROES };
	static const size_t lens[] = { 0, 1, 15, 17, 272, 512 };
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		const uint32_t type = types[i];

		g_assert_cmpuint(one_range(&rig, type, 0, 8, 2), ==, BLK_S_UNSUPP);
		g_assert_cmpuint(one_range(&rig, type, 0, 8, 0x80000000), ==, BLK_S_UNSUPP);
		g_assert_cmpuint(one_range(&rig, type, 0, 8, 3), ==, BLK_S_UNSUPP);
		g_assert_cmpuint(one_range(&rig, type, RIG_SECTORS, 1, 0), ==, BLK_S_IOERR);
		g_assert_cmpuint(one_range(&rig, type, RIG_SECTORS - 1, 2, 0), ==, BLK_S_IOERR);
		g_assert_cmpuint(one_range(&rig, type, UINT64_MAX, 1, 0), ==, BLK_S_IOERR);
		g_assert_cmpuint(one_range(&rig, type, UINT64_MAX / 512, 1, 0), ==, BLK_S_IOERR);
		g_assert_cmpuint(one_range(&rig, type, 0, UINT32_MAX, 0), ==, BLK_S_IOERR);
		g_assert_cmpuint(one_range(&rig, type, 0, (1 << 22) + 1, 0), ==, BLK_S_IOERR);
		for (unsigned j = 0; j < ARRAY_SIZE(lens); j++)
			g_assert_cmpuint(rig_simple(&rig, type, 0, lens[j], 0), ==, BLK_S_IOERR);
		/* One of them is bad: none is done. */
		rig_make(&rig, &req, type, 0, 48, 0);
		put_range(&req, 0, 0, 8, 0);
		put_range(&req, 1, 8, 8, 0);
		put_range(&req, 2, RIG_SECTORS, 8, 0);
		g_assert_cmpuint(rig_do(&rig, &req), ==, BLK_S_IOERR);
	}
	g_assert_cmpuint(one_range(&rig, BLK_T_DISCARD, 0, 8, 1), ==, BLK_S_UNSUPP);
	g_assert_cmpuint(rig.block.count, ==, 0);
	/* Not negotiated. */
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	g_assert_cmpuint(one_range(&rig, BLK_T_DISCARD, 0, 8, 0), ==, BLK_S_UNSUPP);
	g_assert_cmpuint(one_range(&rig, BLK_T_WRITE_ZEROES, 0, 8, 0), ==, BLK_S_UNSUPP);
	g_assert_cmpuint(rig.block.count, ==, 0);
	rig_release(&rig);
}

/* ---- the write cache ---- */

static bool writes_through(struct rig *rig)
{
	unsigned fua;

	g_assert_cmpuint(rig_simple(rig, BLK_T_OUT, 0, 512, 0), ==, BLK_S_OK);
	fua = rig_last(rig)->flags & BLOCK_FUA;
	if (rig->dev->features & VIRTIO_BLK_F_WRITE_ZEROES) {
		g_assert_cmpuint(one_range(rig, BLK_T_WRITE_ZEROES, 0, 8, 1), ==, BLK_S_OK);
		g_assert_cmpuint(rig_last(rig)->flags, ==, BLOCK_UNMAP | fua);
	}
	g_assert_cmpuint(rig_simple(rig, BLK_T_IN, 0, 0, 512), ==, BLK_S_OK);
	g_assert_cmpuint(rig_last(rig)->flags, ==, 0);
	g_assert_cmpint(virtio_blk_write_cache(rig->dev), ==, !fua);
	g_assert_cmpuint(virtio_read_config(rig->dev, 32, 1), ==, !fua);
	return fua;
}

static void test_write_cache(const void *features)
{
	const uint64_t ring = *(const uint64_t *)features;
	struct rig rig;

	rig_init(&rig, ring);
	g_assert_false(writes_through(&rig));
	virtio_write_config(rig.dev, 32, 1, 0);
	g_assert_true(writes_through(&rig));
	virtio_write_config(rig.dev, 32, 1, 1);
	g_assert_false(writes_through(&rig));
	virtio_write_config(rig.dev, 32, 1, 0xfe);
	g_assert_true(writes_through(&rig));
	/* A reset forgets it. */
	g_assert_true(vdriver_restart(rig.d, ring | RIG_ALL));
	g_assert_false(writes_through(&rig));
	/* A driver that cannot flush. */
	g_assert_true(vdriver_restart(rig.d, ring | VIRTIO_BLK_F_WRITE_ZEROES));
	g_assert_true(writes_through(&rig));
	virtio_write_config(rig.dev, 32, 1, 1);
	g_assert_true(writes_through(&rig));
	/* One that can, but not choose. */
	g_assert_true(vdriver_restart(rig.d, ring | VIRTIO_BLK_F_FLUSH));
	g_assert_false(writes_through(&rig));
	virtio_write_config(rig.dev, 32, 1, 0);
	g_assert_false(writes_through(&rig));
	rig_release(&rig);

	rig_prepare(&rig);
	rig.config.no_write_cache = true;
	rig_start(&rig, ring | RIG_ALL);
	g_assert_true(writes_through(&rig));
	g_assert_cmpuint(rig_simple(&rig, BLK_T_FLUSH, 0, 0, 0), ==, BLK_S_OK);
	rig_release(&rig);
}

static void test_stats(const void *features)
{
	struct disk_stats stats;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	(void)rig_simple(&rig, BLK_T_IN, 0, 0, 1024);
	(void)rig_simple(&rig, BLK_T_IN, RIG_SECTORS, 0, 1024);
	(void)rig_simple(&rig, BLK_T_OUT, 100, 4096, 0);
	(void)rig_simple(&rig, BLK_T_OUT, 10, 4096, 0);
	(void)rig_simple(&rig, BLK_T_FLUSH, 0, 0, 0);
	(void)one_range(&rig, BLK_T_DISCARD, 0, 8, 0);
	(void)one_range(&rig, BLK_T_DISCARD, 0, 8, 1);
	(void)rig_simple(&rig, BLK_T_GET_ID, 0, 0, 20);
	(void)rig_simple(&rig, 77, 0, 0, 20);
	rig.block.fail = -EIO;
	rig.now_ns += 1000;
	(void)rig_simple(&rig, BLK_T_OUT, 10, 4096, 0);
	virtio_blk_stats(rig.dev, &stats);
	g_assert_cmpuint(stats.ops[BLOCK_READ], ==, 1);
	g_assert_cmpuint(stats.bytes[BLOCK_READ], ==, 1024);
	g_assert_cmpuint(stats.invalid[BLOCK_READ], ==, 1);
	g_assert_cmpuint(stats.failed[BLOCK_READ], ==, 0);
	g_assert_cmpuint(stats.ops[BLOCK_WRITE], ==, 2);
	g_assert_cmpuint(stats.bytes[BLOCK_WRITE], ==, 8192);
	g_assert_cmpuint(stats.failed[BLOCK_WRITE], ==, 1);
	g_assert_cmpuint(stats.invalid[BLOCK_WRITE], ==, 0);
	g_assert_cmpuint(stats.ops[BLOCK_FLUSH], ==, 1);
	g_assert_cmpuint(stats.ops[BLOCK_DISCARD], ==, 1);
	g_assert_cmpuint(stats.bytes[BLOCK_DISCARD], ==, 4096);
	g_assert_cmpuint(stats.invalid[BLOCK_DISCARD], ==, 1);
	g_assert_cmpuint(stats.highest_off, ==, 100 * 512 + 4096);
	g_assert_cmpuint(stats.idle_since_ns, ==, rig.now_ns);
	/* Time counts from the ring to the ring. */
	rig.block.fail = 0;
	rig.block.hold = true;
	{
		struct rig_request req;

		rig_make(&rig, &req, BLK_T_IN, 0, 0, 512);
		rig_send(&rig, 0, &req, NULL, NULL);
		vdriver_run(rig.d);
		rig.now_ns += 777;
		fake_block_go(&rig.block);
		g_assert_cmpuint(rig_run(&rig), ==, 1);
	}
	virtio_blk_stats(rig.dev, &stats);
	g_assert_cmpuint(stats.time_ns[BLOCK_READ], ==, 777);
	rig_release(&rig);
}

int main(int argc, char **argv)
{
	static const char prefix[] = "/dev/virtio-blk";

	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/virtio-blk/config", test_config);
	g_test_add_func("/dev/virtio-blk/config-other", test_config_other);
	g_test_add_func("/dev/virtio-blk/refused", test_refused);
	rig_add(prefix, "read-write", test_read_write);
	rig_add(prefix, "1.12-split-header", test_split_header);
	rig_add(prefix, "1.12-split-status", test_split_status);
	rig_add(prefix, "empty-pieces", test_empty_pieces);
	rig_add(prefix, "long", test_long);
	rig_add(prefix, "lesson-12", test_lesson_12);
	rig_add(prefix, "lesson-13-id", test_lesson_13_id);
	rig_add(prefix, "1.12-unknown", test_unknown);
	rig_add(prefix, "flush", test_flush);
	rig_add(prefix, "break", test_break);
	rig_add(prefix, "1.12-edges", test_edges);
	rig_add(prefix, "lesson-3", test_lesson_3);
	rig_add(prefix, "too-much", test_too_much);
	rig_add(prefix, "lesson-17", test_lesson_17);
	rig_add(prefix, "lesson-13-block", test_lesson_13_block);
	rig_add(prefix, "read-only", test_read_only);
	rig_add(prefix, "ranges", test_ranges);
	rig_add(prefix, "1.12-bad-ranges", test_bad_ranges);
	rig_add(prefix, "write-cache", test_write_cache);
	rig_add(prefix, "stats", test_stats);
	return g_test_run();
}
