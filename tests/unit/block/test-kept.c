/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-kept.c - qcow2 images as a disk uses them: many requests at a time, the short way and the
 * long one
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "block/qcow2/bitmap-int.h"
#include "image.h"

enum {
	LANES = 8,
	LANE_LEN = 1 << 20,
	SIZE = LANES * LANE_LEN,
	SECTOR = 512,
	MOST = 128, /* sectors of a request */
	ROUNDS = 300,
};

/* One request at a time, in a part of the image of its own. */
struct lane {
	struct shot shot;
	uint64_t base, off, len; /* bytes; off: in the image */
	uint8_t *model, *buf;
	struct iovec iov[3];
	unsigned left;
};

static void fill_iov(struct lane *lane)
{
	size_t cut = g_test_rand_bit() ? 0 : lane->len / 3 / 16 * 16;

	lane->iov[0] = (struct iovec){ lane->buf, cut };
	lane->iov[1] = (struct iovec){ lane->buf + cut, lane->len - cut };
	lane->shot.req.iov = cut ? &lane->iov[0] : &lane->iov[1];
	lane->shot.req.iov_count = cut ? 2 : 1;
}

static void begin(struct block_queue *queue, struct lane *lane)
{
	static const enum block_op ops[] = { BLOCK_READ,  BLOCK_READ,    BLOCK_WRITE,
					     BLOCK_WRITE, BLOCK_DISCARD, BLOCK_WRITE_ZEROES,
					     BLOCK_FLUSH };
	uint64_t sectors = LANE_LEN / SECTOR;
	uint64_t at = (uint64_t)g_test_rand_int_range(0, (int)sectors);
	uint64_t count = (uint64_t)g_test_rand_int_range(1, MOST + 1);
	struct block_request *req = &lane->shot.req;

	memset(req, 0, sizeof(*req));
	req->op = ops[g_test_rand_int_range(0, G_N_ELEMENTS(ops))];
	lane->off = lane->base + at * SECTOR;
	lane->len = MIN(count, sectors - at) * SECTOR;
	if (req->op == BLOCK_WRITE) {
		memset(lane->buf, g_test_rand_int_range(1, 256), lane->len);
		memcpy(lane->model + at * SECTOR, lane->buf, lane->len);
	} else if (req->op == BLOCK_WRITE_ZEROES) {
		memset(lane->model + at * SECTOR, 0, lane->len);
		req->flags = g_test_rand_bit() ? BLOCK_UNMAP : 0;
	}
	if (req->op != BLOCK_READ)
		req->flags |= g_test_rand_int_range(0, 8) ? 0 : BLOCK_FUA;
	if (req->op != BLOCK_FLUSH) {
		req->off = lane->off;
		req->len = lane->len;
	}
	fill_iov(lane);
	lane->left--;
	shot_submit(queue, &lane->shot);
}

static void finish(struct lane *lane)
{
	uint8_t *model = lane->model + (lane->off - lane->base);

	g_assert_cmpint(lane->shot.result, ==, 0);
	if (lane->shot.req.op == BLOCK_READ)
		g_assert_cmpmem(lane->buf, lane->len, model, lane->len);
	/* Whether a discard made zeroes of it is the image's business: asked in the end. */
	if (lane->shot.req.op == BLOCK_DISCARD)
		memset(model, 0, lane->len);
}

/* A discard of whole sectors may leave the parts of clusters as they were: write zeroes over it. */
static void settle(struct io_loop *loop, struct block_queue *queue, struct lane *lane)
{
	struct shot shot = {
		.req = { .op = BLOCK_WRITE_ZEROES, .off = lane->off, .len = lane->len }
	};

	if (lane->shot.req.op == BLOCK_DISCARD)
		g_assert_cmpint(shot_run(loop, queue, &shot), ==, 0);
}

static void run_lanes(struct io_loop *loop, struct block_queue *queue, struct lane *lanes)
{
	unsigned running = 0;
	bool wait = true;

	for (unsigned i = 0; i < LANES; i++, running++)
		begin(queue, &lanes[i]);
	while (running) {
		(void)io_loop_run(loop, wait);
		wait = true;
		for (unsigned i = 0; i < LANES; i++) {
			struct lane *lane = &lanes[i];

			if (!lane->shot.told)
				continue;
			/* The loop runs in settle(), too: the others are looked at again. */
			wait = false;
			lane->shot.told = 0;
			finish(lane);
			settle(loop, queue, lane);
			if (lane->left)
				begin(queue, lane);
			else
				running--;
		}
	}
}

static void check_image(const char *path, const struct lane *lanes)
{
	const struct qcow2_check_listener listener = { .found = NULL };
	struct block_file *file = block_file_open(path, 0, NULL);
	g_autofree uint8_t *buf = g_malloc(LANE_LEN);
	struct qcow2_check check;
	GError *error = NULL;
	struct image *image;

	g_assert_true(qcow2_check_file(path, file, &listener, &check, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(check.corruptions, ==, 0);
	g_assert_cmpuint(check.leaks, ==, 0);
	block_file_close(file);
	image = image_open(path, "qcow2", IMAGE_BACKING, &error);
	g_assert_no_error(error);
	for (unsigned i = 0; i < LANES; i++) {
		g_assert_true(image_read(image, lanes[i].base, buf, LANE_LEN, NULL));
		g_assert_cmpmem(buf, LANE_LEN, lanes[i].model, LANE_LEN);
	}
	image_close(image);
}

static void add_bitmap(const char *path)
{
	g_autoptr(GError) error = NULL;
	struct image *image = image_open(path, "qcow2", IMAGE_WRITE | IMAGE_BACKING, &error);

	g_assert_no_error(error);
	qcow2_bitmap_change(image, "b", QCOW2_BITMAP_ADD, 9, &error);
	g_assert_no_error(error);
	image_close(image);
}

/* Whatever has changed is marked, by whichever way it went. */
static void check_bitmap(const char *path, const struct lane *lanes)
{
	g_autoptr(GError) error = NULL;
	struct image *image = image_open(path, "qcow2", IMAGE_BACKING, &error);
	g_autoptr(GPtrArray) list = qcow2_bitmap_load(qcow2_of(image), &error);
	uint8_t before[SECTOR];
	struct qcow2_bits bits;
	unsigned at;

	g_assert_no_error(error);
	g_assert_true(qcow2_bitmap_find(qcow2_of(image), list, "b", &at, &error));
	g_assert_true(qcow2_bits_read(qcow2_of(image), g_ptr_array_index(list, at), &bits, &error));
	memset(before, 0x5a, sizeof(before));
	for (uint64_t off = 0; off < LANES * (uint64_t)LANE_LEN; off += SECTOR) {
		const uint8_t *now = lanes[off / LANE_LEN].model + off % LANE_LEN;

		if (memcmp(now, before, SECTOR) != 0)
			g_assert_true(bits.bytes[off / SECTOR / 8] >> off / SECTOR % 8 & 1);
	}
	qcow2_bits_release(&bits);
	image_close(image);
}

static void lanes_init(struct lane *lanes, uint8_t byte)
{
	for (unsigned i = 0; i < LANES; i++) {
		lanes[i] = (struct lane){ .base = i * (uint64_t)LANE_LEN, .left = ROUNDS };
		lanes[i].model = g_malloc(LANE_LEN);
		memset(lanes[i].model, byte, LANE_LEN);
		lanes[i].buf = g_aligned_alloc(MOST, SECTOR, 4096);
	}
}

static void lanes_free(struct lane *lanes)
{
	for (unsigned i = 0; i < LANES; i++) {
		g_free(lanes[i].model);
		g_aligned_free(lanes[i].buf);
	}
}

static void make_images(const char *folder, char **ret_base, char **ret_top)
{
	g_autofree uint8_t *buf = g_malloc(SIZE);
	struct image_create what = { .size = SIZE };
	GError *error = NULL;
	struct image *image;

	*ret_base = g_build_filename(folder, "base", NULL);
	*ret_top = g_build_filename(folder, "top", NULL);
	what.path = *ret_base;
	image_create("raw", &what, &error);
	g_assert_no_error(error);
	image = image_open(*ret_base, "raw", IMAGE_WRITE, &error);
	memset(buf, 0x5a, SIZE);
	g_assert_true(image_write(image, 0, buf, SIZE, &error));
	image_close(image);
	what.path = *ret_top;
	what.backing_file = "base";
	what.backing_format = "raw";
	image_create("qcow2", &what, &error);
	g_assert_no_error(error);
}

struct mode {
	enum io_loop_kind kind;
	bool direct;
};

static void test_many(gconstpointer opaque)
{
	const struct mode *mode = opaque;
	g_autofree char *folder = g_dir_make_tmp("socle-kept-XXXXXX", NULL);
	g_autofree char *base = NULL, *top = NULL;
	struct block_open open = { .node_name = "disk0", .format = "qcow2" };
	struct io_loop *loop = image_loop(mode->kind);
	struct block_queue *queue;
	struct lane lanes[LANES];
	GError *error = NULL;
	struct block *block;

	make_images(folder, &base, &top);
	add_bitmap(top);
	open.path = top;
	g_assert_null(block_open(&open, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_DENIED); /* backing=on is missing */
	g_clear_error(&error);
	open.backing = true;
	open.direct = mode->direct;
	block = block_open(&open, &error);
	g_assert_no_error(error);
	queue = block_queue_new(block, loop, &error);
	lanes_init(lanes, 0x5a);
	run_lanes(loop, queue, lanes);
	block_queue_free(queue);
	block_close(block);
	check_image(top, lanes);
	check_bitmap(top, lanes);
	lanes_free(lanes);
	io_loop_free(loop);
	g_unlink(top);
	g_unlink(base);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* What is written to a snapshot is there while it is open, and nowhere afterwards. */
static void test_snapshot(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-kept-XXXXXX", NULL);
	g_autofree char *base = NULL, *top = NULL;
	struct block_open open = { .node_name = "disk0", .format = "raw", .snapshot = true };
	struct io_loop *loop = image_loop(IO_LOOP_THREADS);
	static uint8_t buf[4096], back[4096];
	const struct iovec to = { buf, sizeof(buf) }, from = { back, sizeof(back) };
	struct shot shot = { .req = {
				     .op = BLOCK_WRITE, .len = 4096, .iov = &to, .iov_count = 1 } };
	struct block_queue *queue;
	GError *error = NULL;
	struct block *block;
	struct image *image;

	make_images(folder, &base, &top);
	open.path = base;
	block = block_open(&open, &error);
	g_assert_no_error(error);
	queue = block_queue_new(block, loop, &error);
	g_assert_cmpint(shot_run(loop, queue, &shot), ==, 0);
	shot.req = (struct block_request){ .op = BLOCK_WRITE_ZEROES, .off = 65536, .len = 65536 };
	g_assert_cmpint(shot_run(loop, queue, &shot), ==, 0);
	shot.req = (struct block_request){
		.op = BLOCK_READ, .off = 0, .len = 4096, .iov = &from, .iov_count = 1
	};
	g_assert_cmpint(shot_run(loop, queue, &shot), ==, 0);
	g_assert_cmpmem(buf, 4096, back, 4096);
	shot.req.off = 65536;
	g_assert_cmpint(shot_run(loop, queue, &shot), ==, 0);
	g_assert_cmpmem(buf, 4096, back, 4096);
	shot.req.off = 4096;
	g_assert_cmpint(shot_run(loop, queue, &shot), ==, 0);
	g_assert_cmpuint(back[0], ==, 0x5a);
	block_queue_free(queue);
	block_close(block);
	image = image_open(base, "raw", 0, &error);
	g_assert_true(image_read(image, 0, back, 4096, NULL));
	g_assert_cmpuint(back[0], ==, 0x5a);
	image_close(image);
	io_loop_free(loop);
	g_unlink(top);
	g_unlink(base);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* A guest's bytes are not in the file of its temporary image if its own one is encrypted. */
static void test_encrypted_snapshot(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-kept-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "x", NULL);
	g_autoptr(GHashTable) words = g_hash_table_new(g_str_hash, g_str_equal);
	autoptr(secret) secret = secret_new("s", "x", 1);
	const struct secret *secrets[] = { secret };
	const struct image_create what = {
		.path = path, .size = SIZE, .options = words, .secret = secret
	};
	struct block_open open = { .node_name = "disk0",
				   .path = path,
				   .format = "qcow2",
				   .snapshot = true,
				   .secrets = secrets,
				   .secret_count = 1 };
	struct io_loop *loop = image_loop(IO_LOOP_THREADS);
	static uint8_t buf[4096], back[4096];
	const struct iovec to = { buf, sizeof(buf) }, from = { back, sizeof(back) };
	struct shot shot = { .req = {
				     .op = BLOCK_WRITE, .len = 4096, .iov = &to, .iov_count = 1 } };
	GError *error = NULL;
	struct block_queue *queue;
	struct block *block;

	g_hash_table_insert(words, (void *)(uintptr_t) "encrypt.format",
			    (void *)(uintptr_t) "luks");
	g_hash_table_insert(words, (void *)(uintptr_t) "encrypt.iter-time",
			    (void *)(uintptr_t) "1");
	image_create("qcow2", &what, &error);
	g_assert_no_error(error);
	block = block_open(&open, &error);
	g_assert_no_error(error);
	queue = block_queue_new(block, loop, &error);
	memset(buf, 0x5a, sizeof(buf));
	g_assert_cmpint(shot_run(loop, queue, &shot), ==, 0);
	shot.req = (struct block_request){
		.op = BLOCK_READ, .len = 4096, .iov = &from, .iov_count = 1
	};
	g_assert_cmpint(shot_run(loop, queue, &shot), ==, 0);
	g_assert_cmpmem(buf, 4096, back, 4096);
	/* A LUKS header is half a megabyte at least; a plain one would take no more than this. */
	g_assert_cmpuint(block_allocated(block), >, 4 * 65536 + 65536);
	block_queue_free(queue);
	block_close(block);

	open.snapshot = false;
	open.format = "raw";
	g_assert_null(block_open(&open, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	g_clear_error(&error);
	io_loop_free(loop);
	g_unlink(path);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* The short way is taken for what is allocated, and a flush behind it is one. */
static void test_short_way(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-kept-XXXXXX", NULL);
	g_autofree char *base = NULL, *top = NULL;
	struct block_open open = { .node_name = "disk0", .format = "qcow2", .backing = true };
	struct io_loop *loop = image_loop(IO_LOOP_THREADS);
	static uint8_t buf[4096];
	const struct iovec iov = { buf, sizeof(buf) };
	struct shot write = {
		.req = { .op = BLOCK_WRITE, .len = 4096, .iov = &iov, .iov_count = 1 }
	};
	struct shot flush = { .req = { .op = BLOCK_FLUSH } };
	struct block *block;
	struct block_queue *queue;

	make_images(folder, &base, &top);
	open.path = top;
	block = block_open(&open, NULL);
	queue = block_queue_new(block, loop, NULL);
	g_assert_cmpint(shot_run(loop, queue, &write), ==, 0);
	g_assert_cmpint(shot_run(loop, queue, &flush), ==, 0);
	/* The keeper would write by another call. */
	sys_fail_nth(SYS_PWRITEV, 1, ENOSPC);
	g_assert_cmpint(shot_run(loop, queue, &write), ==, -ENOSPC);
	g_assert_cmpint(shot_run(loop, queue, &write), ==, 0);
	sys_fail_nth(SYS_FDATASYNC, 1, EIO);
	g_assert_cmpint(shot_run(loop, queue, &flush), ==, -EIO);
	/* What the kernel has lost once is lost. */
	g_assert_cmpint(shot_run(loop, queue, &flush), ==, -EIO);
	block_queue_free(queue);
	block_close(block);
	io_loop_free(loop);
	g_unlink(top);
	g_unlink(base);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void test_resize(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-kept-XXXXXX", NULL);
	g_autofree char *base = NULL, *top = NULL;
	struct block_open open = { .node_name = "disk0", .format = "qcow2", .backing = true };
	GError *error = NULL;
	struct block_info info;
	struct block *block;

	make_images(folder, &base, &top);
	open.path = top;
	block = block_open(&open, &error);
	g_assert_no_error(error);
	g_assert_true(block_resize(block, 2 * SIZE, &error));
	block_info(block, &info);
	g_assert_cmpuint(info.size, ==, 2 * SIZE);
	g_assert_cmpuint(block_allocated(block), >, 0);
	g_assert_cmpuint(block_allocated(block), <, SIZE);
	block_close(block);
	g_unlink(top);
	g_unlink(base);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = { { IO_LOOP_THREADS, false },
					     { IO_LOOP_THREADS, true },
					     { IO_LOOP_URING, false },
					     { IO_LOOP_URING, true } };
	const bool uring = image_have_uring(), direct = image_have_direct();

	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/block/kept/many-threads", &modes[0], test_many);
	if (direct)
		g_test_add_data_func("/block/kept/many-threads-direct", &modes[1], test_many);
	if (uring)
		g_test_add_data_func("/block/kept/many-uring", &modes[2], test_many);
	if (uring && direct)
		g_test_add_data_func("/block/kept/many-uring-direct", &modes[3], test_many);
	g_test_add_func("/block/kept/snapshot", test_snapshot);
	g_test_add_func("/block/kept/encrypted-snapshot", test_encrypted_snapshot);
	g_test_add_func("/block/kept/short-way", test_short_way);
	g_test_add_func("/block/kept/resize", test_resize);
	return g_test_run();
}
