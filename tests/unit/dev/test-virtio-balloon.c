/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-balloon.c - what the guest gives back is gone, what it did not is not
 */
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "dev/virtio-balloon.h"
#include "tests/lib/virtio-driver.h"

#include "fake.h"
#include "virtio-rig.h"

enum {
	INFLATE,
	DEFLATE,
	STATS,
	MEMORY = 129 << 20,
	/* Where tests play: behind what the driver uses. */
	PAGE0 = (70 << 20) >> 12,
	PAGES = 64,
};

#define F_STATS     (1ull << 1)
#define F_OOM       (1ull << 2)
#define F_POISON    (1ull << 4)
#define F_REPORTING (1ull << 5)

static const uint64_t second = 1000000000;

struct rig {
	uint64_t now_ns;
	struct io_loop *loop;
	struct fake_clock clock;
	struct virtio_device *dev;
	struct vdriver *d;
	struct mem *mem;
	unsigned changes;
	uint64_t actual;
	unsigned code_writes;
};

static void on_changed(void *opaque, uint64_t actual)
{
	struct rig *rig = opaque;

	rig->changes++;
	rig->actual = actual;
}

static void rig_init(struct rig *rig, uint64_t features)
{
	GError *error = NULL;

	*rig = (struct rig){ .now_ns = 5 * second };
	rig->loop = rig_loop_new(&rig->now_ns);
	fake_clock_init(&rig->clock);
	rig->dev = virtio_balloon_new(
		&(struct virtio_balloon_config){
			.loop = rig->loop,
			.clock = &rig->clock.clock,
			.memory = MEMORY,
			.deflate_on_oom = true,
			.free_page_reporting = true,
			.changed = on_changed,
			.opaque = rig,
		},
		&error);
	g_assert_no_error(error);
	rig->d = vdriver_new(&(struct vdriver_config){
		.dev = rig->dev, .loop = rig->loop, .features = features });
	rig->mem = vdriver_mem(rig->d);
	memset(vdriver_ptr(rig->d, (uint64_t)PAGE0 << 12, PAGES << 12), 0x5a, PAGES << 12);
}

static void rig_release(struct rig *rig)
{
	vdriver_free(rig->d);
	rig->dev->ops->free(rig->dev);
	io_loop_free(rig->loop);
}

static bool is_gone(struct rig *rig, unsigned page)
{
	const uint8_t *p = vdriver_ptr(rig->d, (uint64_t)(PAGE0 + page) << 12, 4096);
	unsigned zeroes = 0;

	for (unsigned i = 0; i < 4096; i++)
		zeroes += p[i] == 0;
	g_assert_true(zeroes == 0 || zeroes == 4096);
	return zeroes;
}

/* Send a list of page numbers; it comes back with nothing written. */
static void send_list(struct rig *rig, unsigned queue, const uint32_t *pages, unsigned count)
{
	g_autofree uint8_t *raw = g_malloc(count * 4 + 1);

	for (unsigned i = 0; i < count; i++)
		put_le32(raw + (size_t)i * 4, pages[i]);
	g_assert_cmpuint(vdriver_request(rig->d, queue, raw, (size_t)count * 4, NULL, 0), ==, 0);
}

static void test_inflate(const void *features)
{
	/* Runs upwards and downwards, one twice, one alone. */
	static const uint32_t list[] = { PAGE0 + 4,  PAGE0 + 5,  PAGE0 + 6,  PAGE0 + 20,
					 PAGE0 + 19, PAGE0 + 18, PAGE0 + 18, PAGE0 + 40 };
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	send_list(&rig, INFLATE, list, ARRAY_SIZE(list));
	for (unsigned i = 0; i < PAGES; i++)
		g_assert_cmpint(is_gone(&rig, i), ==,
				(i >= 4 && i <= 6) || (i >= 18 && i <= 20) || i == 40);
	send_list(&rig, DEFLATE, list, ARRAY_SIZE(list));
	memset(vdriver_ptr(rig.d, list[0] << 12, 4096), 1, 4096);
	rig_release(&rig);
}

/* Table 1.12, balloon: page numbers out of range; the border of two regions; the rest still counts. */
static void test_range(const void *features)
{
	static const uint32_t list[] = {
		PAGE0,
		UINT32_MAX,
		VDRIVER_HOLE >> 12,
		(VDRIVER_HOLE >> 12) - 1,
		0x80000000,
		VDRIVER_END >> 12,
		(VDRIVER_END >> 12) - 1,
		(VDRIVER_END >> 12) - 1 + 0,
		(VDRIVER_BORDER >> 12) - 1,
		VDRIVER_BORDER >> 12,
		(VDRIVER_BORDER >> 12) + 1,
		PAGE0 + 1,
		0xfee00,
	};
	struct rig rig;
	uint8_t *border;

	rig_init(&rig, *(const uint64_t *)features);
	*(uint8_t *)vdriver_ptr(rig.d, VDRIVER_END - 4096, 1) = 1;
	*(uint8_t *)vdriver_ptr(rig.d, VDRIVER_HOLE - 1, 1) = 1;
	border = vdriver_ptr(rig.d, VDRIVER_BORDER - 1, 1);
	*border = 1;
	send_list(&rig, INFLATE, list, ARRAY_SIZE(list));
	g_assert_true(is_gone(&rig, 0) && is_gone(&rig, 1) && !is_gone(&rig, 2));
	g_assert_cmpuint(*(uint8_t *)vdriver_ptr(rig.d, VDRIVER_END - 4096, 1), ==, 0);
	g_assert_cmpuint(*(uint8_t *)vdriver_ptr(rig.d, VDRIVER_HOLE - 1, 1), ==, 0);
	g_assert_cmpuint(*border, ==, 0);
	g_assert_cmpuint(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET, ==, 0);
	rig_release(&rig);
}

/* Odd lengths, nothing, and only writable buffers. */
static void test_odd(const void *features)
{
	struct rig rig;
	uint8_t raw[7], in[16];

	rig_init(&rig, *(const uint64_t *)features);
	put_le32(raw, PAGE0);
	memset(raw + 4, 0xff, 3);
	g_assert_cmpuint(vdriver_request(rig.d, INFLATE, raw, 7, NULL, 0), ==, 0);
	g_assert_true(is_gone(&rig, 0));
	g_assert_cmpuint(vdriver_request(rig.d, INFLATE, raw, 3, NULL, 0), ==, 0);
	g_assert_cmpuint(vdriver_request(rig.d, INFLATE, NULL, 0, in, sizeof(in)), ==, 0);
	g_assert_cmpuint(vdriver_request(rig.d, STATS + 1, raw, 7, NULL, 0), ==, 0);
	rig_release(&rig);
}

/* Lesson 3: a list of nearly 4 GiB of numbers costs a bounded time. */
static void test_lesson_3(const void *features)
{
	struct vdriver_buf bufs[8];
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct vdriver_buf){ VDRIVER_BORDER - (32 << 20), 64 << 20, false };
	for (unsigned i = 0; i < 8; i++)
		g_assert_true(vdriver_add(rig.d, INFLATE, bufs, ARRAY_SIZE(bufs), NULL));
	(void)vdriver_kick(rig.d, INFLATE);
	vdriver_run(rig.d);
	for (unsigned i = 0; i < 8; i++)
		g_assert_true(vdriver_used(rig.d, INFLATE, NULL, NULL));
	rig_release(&rig);
}

static void on_code(void *opaque, uint64_t gpa, uint64_t len)
{
	struct rig *rig = opaque;

	g_assert_cmpuint(gpa, ==, (uint64_t)(PAGE0 + 3) << 12);
	g_assert_cmpuint(len, ==, 4096);
	rig->code_writes++;
}

/* Decoded code of a page that is given back is dropped, and the page is dirty. */
static void test_told(const void *features)
{
	static const struct mem_code_ops code_ops = { on_code };
	static const uint32_t list[] = { PAGE0 + 2, PAGE0 + 3, PAGE0 + 4 };
	uint64_t bitmap = 0;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	rig.mem->code_ops = &code_ops;
	rig.mem->code_opaque = &rig;
	atomic_fetch_or(mem_page_flags(rig.mem, (uint64_t)(PAGE0 + 3) << 12), MEM_PAGE_CODE);
	mem_dirty_log(rig.mem, true);
	send_list(&rig, INFLATE, list, ARRAY_SIZE(list));
	g_assert_cmpuint(rig.code_writes, ==, 1);
	mem_dirty_fetch(rig.mem, (uint64_t)PAGE0 << 12, PAGES, &bitmap);
	g_assert_cmphex(bitmap, ==, 0x1c);
	rig_release(&rig);
}

static void send_report(struct rig *rig, unsigned queue, uint64_t gpa, uint32_t len)
{
	uint32_t used;

	g_assert_true(vdriver_add(rig->d, queue, &(struct vdriver_buf){ gpa, len, true }, 1, NULL));
	(void)vdriver_kick(rig->d, queue);
	vdriver_run(rig->d);
	g_assert_true(vdriver_used(rig->d, queue, NULL, &used));
	g_assert_cmpuint(used, ==, 0);
}

/* Table 1.12, balloon: reports are of whole pages of RAM. Old and new numbers of the queue. */
static void test_report(const void *features)
{
	struct rig rig;

	for (unsigned queue = 3; queue <= 4; queue++) {
		rig_init(&rig, *(const uint64_t *)features | F_REPORTING | F_STATS);
		send_report(&rig, queue, (uint64_t)(PAGE0 + 8) << 12, 4 << 12);
		send_report(&rig, queue, ((uint64_t)(PAGE0 + 20) << 12) + 1, (3 << 12) - 2);
		send_report(&rig, queue, ((uint64_t)(PAGE0 + 30) << 12) + 1, 4095);
		send_report(&rig, queue, ((uint64_t)(PAGE0 + 31) << 12), 4095);
		for (unsigned i = 0; i < PAGES; i++)
			g_assert_cmpint(is_gone(&rig, i), ==, (i >= 8 && i < 12) || i == 21);
		rig_release(&rig);
	}
	/* A driver without statistics counts one queue less. */
	rig_init(&rig, *(const uint64_t *)features | F_REPORTING);
	send_report(&rig, 2, (uint64_t)PAGE0 << 12, 1 << 12);
	g_assert_true(is_gone(&rig, 0));
	rig_release(&rig);
	/* Not negotiated. */
	rig_init(&rig, *(const uint64_t *)features | F_STATS);
	send_report(&rig, 3, (uint64_t)PAGE0 << 12, 1 << 12);
	g_assert_false(is_gone(&rig, 0));
	rig_release(&rig);
}

/* Across two regions, and out of RAM, where the queue breaks. */
static void test_report_border(const void *features)
{
	struct rig rig;
	uint8_t *p;

	rig_init(&rig, *(const uint64_t *)features | F_REPORTING | F_STATS);
	p = vdriver_ptr(rig.d, VDRIVER_BORDER - 4096, 4096);
	*p = 1;
	*(uint8_t *)vdriver_ptr(rig.d, VDRIVER_BORDER, 1) = 2;
	send_report(&rig, 3, VDRIVER_BORDER - 4096, 8192);
	g_assert_cmpuint(*p, ==, 0);
	g_assert_cmpuint(*(uint8_t *)vdriver_ptr(rig.d, VDRIVER_BORDER, 1), ==, 0);
	*(uint8_t *)vdriver_ptr(rig.d, VDRIVER_HOLE - 4096, 1) = 3;
	vdriver_raw(rig.d, 3, &(struct vdriver_desc){ VDRIVER_HOLE - 4096, 8192, VDRIVER_WRITE, 0 },
		    1);
	vdriver_run(rig.d);
	g_assert_cmpuint(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET, !=, 0);
	g_assert_cmpuint(*(uint8_t *)vdriver_ptr(rig.d, VDRIVER_HOLE - 4096, 1), ==, 3);
	rig_release(&rig);
}

/* Pages that the guest poisons must not become zero. */
static void test_poison(const void *features)
{
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features | F_REPORTING | F_STATS | F_POISON);
	virtio_write_config(rig.dev, 12, 4, 0xaaaaaaaa);
	g_assert_cmphex(virtio_read_config(rig.dev, 12, 4), ==, 0xaaaaaaaa);
	send_report(&rig, 3, (uint64_t)PAGE0 << 12, 1 << 12);
	g_assert_false(is_gone(&rig, 0));
	virtio_write_config(rig.dev, 12, 4, 0);
	send_report(&rig, 3, (uint64_t)PAGE0 << 12, 1 << 12);
	g_assert_true(is_gone(&rig, 0));
	rig_release(&rig);
}

static void test_size(const void *features)
{
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	g_assert_cmpuint(virtio_balloon_actual(rig.dev), ==, MEMORY);
	virtio_balloon_set_target(rig.dev, MEMORY - (10 << 20));
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 1);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 4), ==, (10 << 20) >> 12);
	virtio_balloon_set_target(rig.dev, MEMORY - (10 << 20));
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 1);
	/* Neither more than there is, nor can the driver write the target. */
	virtio_balloon_set_target(rig.dev, UINT64_MAX);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 4), ==, 0);
	virtio_write_config(rig.dev, 0, 4, 77);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 4), ==, 0);

	virtio_write_config(rig.dev, 4, 4, 256);
	g_assert_cmpuint(virtio_balloon_actual(rig.dev), ==, MEMORY - (1 << 20));
	fake_clock_advance(&rig.clock, 0);
	g_assert_cmpuint(rig.changes, ==, 1);
	g_assert_cmpuint(rig.actual, ==, MEMORY - (1 << 20));
	/* At most once a second, and the last one is told. */
	for (unsigned i = 0; i < 100; i++) {
		virtio_write_config(rig.dev, 4, 4, 1000 + i);
		fake_clock_advance(&rig.clock, second / 100 - 1);
	}
	g_assert_cmpuint(rig.changes, ==, 1);
	fake_clock_advance(&rig.clock, second);
	g_assert_cmpuint(rig.changes, ==, 2);
	g_assert_cmpuint(rig.actual, ==, MEMORY - 1099 * 4096);
	/* Nonsense. */
	virtio_write_config(rig.dev, 4, 4, UINT32_MAX);
	g_assert_cmpuint(virtio_balloon_actual(rig.dev), ==, 0);
	/* Reset: it is all there again. */
	virtio_balloon_set_target(rig.dev, MEMORY / 2);
	vdriver_reset(rig.d);
	g_assert_cmpuint(virtio_balloon_actual(rig.dev), ==, MEMORY);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 4), ==, MEMORY / 2 / 4096);
	fake_clock_advance(&rig.clock, 2 * second);
	g_assert_cmpuint(rig.actual, ==, MEMORY);
	rig_release(&rig);
}

static void add_stats(struct rig *rig, uint64_t gpa, unsigned tag, uint64_t value)
{
	uint8_t *p = vdriver_ptr(rig->d, gpa, 30);

	put_le16(p, (uint16_t)tag);
	put_le64(p + 2, value);
	put_le16(p + 10, BALLOON_STAT_TOTAL_MEMORY);
	put_le64(p + 12, 1ull << 40);
	put_le16(p + 20, 0xfffe); /* unknown */
	put_le64(p + 22, 1);
	g_assert_true(vdriver_add(rig->d, STATS, &(struct vdriver_buf){ gpa, 30, false }, 1, NULL));
	(void)vdriver_kick(rig->d, STATS);
	vdriver_run(rig->d);
}

static void test_stats(const void *features)
{
	struct balloon_stats stats;
	struct rig rig;
	uint64_t gpa;

	rig_init(&rig, *(const uint64_t *)features | F_STATS);
	gpa = vdriver_alloc(rig.d, 64);
	virtio_balloon_stats(rig.dev, &stats);
	g_assert_cmpint(stats.updated_s, ==, 0);
	g_assert_cmphex(stats.value[BALLOON_STAT_FREE_MEMORY], ==, UINT64_MAX);

	add_stats(&rig, gpa, BALLOON_STAT_FREE_MEMORY, 12345);
	g_assert_false(vdriver_used(rig.d, STATS, NULL, NULL));
	virtio_balloon_stats(rig.dev, &stats);
	g_assert_cmpuint(stats.value[BALLOON_STAT_FREE_MEMORY], ==, 12345);
	g_assert_cmpuint(stats.value[BALLOON_STAT_TOTAL_MEMORY], ==, 1ull << 40);
	g_assert_cmphex(stats.value[BALLOON_STAT_SWAP_IN], ==, UINT64_MAX);
	g_assert_cmpint(stats.updated_s, ==, 1700000000);

	/* Each two seconds the buffer goes back, and comes again. */
	virtio_balloon_set_poll(rig.dev, 2);
	g_assert_cmpuint(virtio_balloon_poll(rig.dev), ==, 2);
	fake_clock_advance(&rig.clock, 2 * second - 1);
	g_assert_false(vdriver_used(rig.d, STATS, NULL, NULL));
	fake_clock_advance(&rig.clock, 1);
	g_assert_true(vdriver_used(rig.d, STATS, NULL, NULL));
	/* A driver that is slow is asked when it has a buffer. */
	fake_clock_advance(&rig.clock, 6 * second);
	add_stats(&rig, gpa, BALLOON_STAT_FREE_MEMORY, 54321);
	fake_clock_advance(&rig.clock, 2 * second);
	g_assert_true(vdriver_used(rig.d, STATS, NULL, NULL));
	virtio_balloon_stats(rig.dev, &stats);
	g_assert_cmpuint(stats.value[BALLOON_STAT_FREE_MEMORY], ==, 54321);
	g_assert_cmpint(stats.updated_s, ==, 1700000008);

	virtio_balloon_set_poll(rig.dev, 0);
	add_stats(&rig, gpa, BALLOON_STAT_FREE_MEMORY, 1);
	fake_clock_advance(&rig.clock, 100 * second);
	g_assert_false(vdriver_used(rig.d, STATS, NULL, NULL));
	/* Two buffers: the first comes back. Then a reset with one held. */
	add_stats(&rig, gpa, BALLOON_STAT_FREE_MEMORY, 2);
	g_assert_true(vdriver_used(rig.d, STATS, NULL, NULL));
	g_assert_false(vdriver_used(rig.d, STATS, NULL, NULL));
	rig_release(&rig);
}

/* Lesson 20: a reset of the queue while its buffer is held, then the poll. */
static void test_lesson_20(const void *features)
{
	struct rig rig;
	uint64_t gpa;

	rig_init(&rig, *(const uint64_t *)features | F_STATS);
	gpa = vdriver_alloc(rig.d, 64);
	virtio_balloon_set_poll(rig.dev, 1);
	add_stats(&rig, gpa, BALLOON_STAT_FREE_MEMORY, 1);
	if (vdriver_features(rig.d) & VIRTIO_F_RING_RESET) {
		virtio_reset_queue(rig.dev, STATS);
		g_assert_false(virtio_queue_resetting(rig.dev, STATS));
		fake_clock_advance(&rig.clock, second);
		vdriver_setup_queue(rig.d, STATS);
		add_stats(&rig, gpa, BALLOON_STAT_FREE_MEMORY, 2);
		fake_clock_advance(&rig.clock, second);
		g_assert_true(vdriver_used(rig.d, STATS, NULL, NULL));
		add_stats(&rig, gpa, BALLOON_STAT_FREE_MEMORY, 3);
	}
	virtio_write_status(rig.dev, 0);
	g_assert_cmpuint(virtio_read_status(rig.dev), ==, 0);
	fake_clock_advance(&rig.clock, second);
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features | F_STATS));
	add_stats(&rig, gpa, BALLOON_STAT_FREE_MEMORY, 1);
	/* A broken device keeps the buffer until its reset. */
	vdriver_raw(rig.d, INFLATE, &(struct vdriver_desc){ VDRIVER_HOLE, 4, 0, 0 }, 1);
	vdriver_run(rig.d);
	g_assert_cmpuint(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET, !=, 0);
	fake_clock_advance(&rig.clock, 2 * second);
	rig_release(&rig);
}

static void test_offer(void)
{
	struct fake_clock clock;
	uint64_t now_ns = 0;
	struct io_loop *loop = rig_loop_new(&now_ns);
	struct virtio_device *dev;

	fake_clock_init(&clock);
	dev = virtio_balloon_new(&(struct virtio_balloon_config){ .loop = loop,
								  .clock = &clock.clock,
								  .memory = MEMORY },
				 NULL);
	g_assert_cmphex(virtio_read_features(dev, 0) & 0xff, ==, F_STATS);
	g_assert_cmpuint(dev->queue_count, ==, 3);
	g_assert_cmpuint(dev->config_len, ==, 8);
	dev->ops->free(dev);
	io_loop_free(loop);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/virtio-balloon/offer", test_offer);
	rig_add("/dev/virtio-balloon", "inflate", test_inflate);
	rig_add("/dev/virtio-balloon", "1.12-page-numbers", test_range);
	rig_add("/dev/virtio-balloon", "odd", test_odd);
	rig_add("/dev/virtio-balloon", "lesson-3", test_lesson_3);
	rig_add("/dev/virtio-balloon", "told", test_told);
	rig_add("/dev/virtio-balloon", "1.12-report", test_report);
	rig_add("/dev/virtio-balloon", "1.12-report-border", test_report_border);
	rig_add("/dev/virtio-balloon", "poison", test_poison);
	rig_add("/dev/virtio-balloon", "size", test_size);
	rig_add("/dev/virtio-balloon", "stats", test_stats);
	rig_add("/dev/virtio-balloon", "lesson-20", test_lesson_20);
	return g_test_run();
}
