/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-dio.c - any bytes of a file that is open past the page cache, against bytes in memory
 *
 * Where the folder for temporary files has no O_DIRECT the arithmetic is all that is tested.
 */
#include <fcntl.h>

#include "base/error.h"
#include "block/dio.h"
#include "block/file.h"
#include "image.h"

enum {
	MOST = 1 << 20, /* bytes of a file; more than a buffer's */
	OPS = 400,
};

struct lane {
	char *path;
	int fd;
	struct dio_align align;
	uint8_t *bytes; /* what the file has */
	size_t size;
};

static void lane_init(struct lane *lane, struct dio_align align)
{
	image_make(&lane->path, 0);
	lane->fd = sys_open(lane->path, O_RDWR | (image_have_direct() ? O_DIRECT : 0), 0);
	g_assert_cmpint(lane->fd, >=, 0);
	lane->align = align;
	lane->bytes = g_malloc0(MOST);
	lane->size = 0;
}

static void lane_done(struct lane *lane)
{
	close(lane->fd);
	(void)g_unlink(lane->path);
	g_free(lane->path);
	g_free(lane->bytes);
}

/* Now and then what O_DIRECT would take as it is. */
static void choose(const struct lane *lane, size_t *ret_off, size_t *ret_len, size_t *ret_skew)
{
	const unsigned most = g_test_rand_bit() ? 3000 : MOST / 2;

	*ret_off = (size_t)g_test_rand_int_range(0, MOST / 2);
	*ret_len = (size_t)g_test_rand_int_range(1, (int)most);
	*ret_skew = (size_t)g_test_rand_int_range(0, 64);
	if (g_test_rand_bit())
		*ret_skew = 0;
	if (!g_test_rand_int_range(0, 4)) {
		*ret_off &= ~(size_t)(lane->align.len - 1);
		*ret_len = (*ret_len | (lane->align.len - 1)) + 1;
	}
	*ret_len = MIN(*ret_len, MOST - *ret_off);
}

static void one_write(struct lane *lane, uint8_t *buf, size_t off, size_t len)
{
	struct stat st;

	for (size_t i = 0; i < len; i++)
		lane->bytes[off + i] = buf[i] = (uint8_t)g_test_rand_int();
	g_assert_cmpint(dio_write(lane->fd, lane->align, off, buf, len), ==, 0);
	lane->size = MAX(lane->size, off + len);
	g_assert_cmpint(sys_fstat(lane->fd, &st), ==, 0);
	g_assert_cmpuint((size_t)st.st_size, ==, lane->size);
}

static void one_read(struct lane *lane, uint8_t *buf, size_t off, size_t len)
{
	const size_t there = off < lane->size ? MIN(len, lane->size - off) : 0;

	g_assert_cmpint(dio_read(lane->fd, lane->align, off, buf, len), ==, (gssize)there);
	g_assert_cmpint(memcmp(buf, lane->bytes + off, there), ==, 0);
}

static void test_any_bytes(const void *opaque)
{
	const struct dio_align *align = opaque;
	uint8_t *buf = g_aligned_alloc(1, MOST + 64, 4096);
	struct lane lane;

	lane_init(&lane, *align);
	for (unsigned i = 0; i < OPS; i++) {
		size_t off, len, skew;

		choose(&lane, &off, &len, &skew);
		(g_test_rand_bit() ? one_write : one_read)(&lane, buf + skew, off, len);
	}
	one_read(&lane, buf, 0, MOST);
	lane_done(&lane);
	g_aligned_free(buf);
}

/* A file that is opened so says what it wants, and takes anything all the same. */
static void test_file(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *path = NULL;
	autoptr(block_file) file = NULL;
	struct dio_align align;
	char got[8];

	if (!image_have_direct()) {
		g_test_skip("no O_DIRECT in the folder for temporary files");
		return;
	}
	image_make(&path, 0);
	file = block_file_open(path, BLOCK_FILE_WRITE | BLOCK_FILE_DIRECT, &error);
	g_assert_no_error(error);
	align = block_file_align(file);
	g_assert_cmpuint(align.len, >=, 512);
	g_assert_true(fcntl(block_file_fd(file), F_GETFL) & O_DIRECT);
	g_assert_cmpint(block_file_write(file, 1000, "socle", 6), ==, 0);
	g_assert_cmpint(block_file_size(file), ==, 1006);
	g_assert_cmpint(block_file_read(file, 999, got, sizeof(got)), ==, 0);
	g_assert_cmpmem(got, sizeof(got), "\0socle\0", 8);
	(void)g_unlink(path);
}

int main(int argc, char **argv)
{
	static const struct dio_align sectors[] = { { 512, 512 }, { 4096, 4096 } };

	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/block/dio/any-bytes/512", &sectors[0], test_any_bytes);
	g_test_add_data_func("/block/dio/any-bytes/4096", &sectors[1], test_any_bytes);
	g_test_add_func("/block/dio/file", test_file);
	return g_test_run();
}
