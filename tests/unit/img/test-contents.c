/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-contents.c - zeroes are found, and sectors that differ
 */
#include <string.h>

#include "img/img.h"

enum {
	SIZE = 64 << 10
};

static void test_zero(void)
{
	g_autofree uint8_t *bytes = g_malloc0(1024);

	for (size_t len = 0; len <= 300; len++) {
		g_assert_true(img_is_zero(bytes + 1, len));
		for (size_t at = 0; at < len; at++) {
			bytes[1 + at] = 0x80;
			g_assert_false(img_is_zero(bytes + 1, len));
			bytes[1 + at] = 0;
		}
		/* What lies around does not count. */
		bytes[0] = bytes[1 + len] = 1;
		g_assert_true(img_is_zero(bytes + 1, len));
		bytes[1 + len] = 0;
	}
}

static void test_run(void)
{
	g_autofree uint8_t *bytes = g_malloc0(SIZE);
	bool zero;

	bytes[8192] = 1;
	g_assert_cmpuint(img_zero_run(bytes, SIZE, 4096, &zero), ==, 8192);
	g_assert_true(zero);
	g_assert_cmpuint(img_zero_run(bytes + 8192, SIZE - 8192, 4096, &zero), ==, 4096);
	g_assert_false(zero);
	g_assert_cmpuint(img_zero_run(bytes + 12288, 1000, 4096, &zero), ==, 1000);
	g_assert_true(zero);
}

static struct image *image_of(const uint8_t *bytes, size_t len)
{
	GError *error = NULL;
	struct image *image =
		image_open_file("memory", block_file_memory(bytes, len), "raw", 0, &error);

	g_assert_no_error(error);
	return image;
}

static uint64_t first_difference(struct image *a, struct image *b, uint64_t size)
{
	struct img_same same;
	uint64_t off = 0, len, differ = UINT64_MAX;

	img_same_init(&same, a, b);
	while (off < size && differ == UINT64_MAX) {
		g_assert_true(img_same_piece(&same, off, size - off, &len, &differ, NULL));
		g_assert_cmpuint(len, >, 0);
		off += len;
	}
	img_same_release(&same);
	return differ;
}

static void test_same(void)
{
	g_autofree uint8_t *one = g_malloc(SIZE);
	g_autofree uint8_t *other = g_malloc(SIZE);
	autoptr(image) a = NULL;
	autoptr(image) b = NULL;
	autoptr(image) shorter = NULL;

	memset(one, 3, SIZE);
	memset(other, 3, SIZE);
	a = image_of(one, SIZE);
	b = image_of(other, SIZE);
	shorter = image_of(other, SIZE / 2);
	g_assert_cmpuint(first_difference(a, b, SIZE), ==, UINT64_MAX);
	g_assert_cmpuint(first_difference(a, a, SIZE), ==, UINT64_MAX);
	/* Behind its end, and where there is none, are zeroes. */
	g_assert_cmpuint(first_difference(a, shorter, SIZE), ==, SIZE / 2);
	memset(one, 0, 5000);
	g_assert_cmpuint(first_difference(a, NULL, SIZE), ==, 5000 / 512 * 512);
	other[SIZE - 1] = 4;
	memset(one, 3, 5000);
	g_assert_cmpuint(first_difference(a, b, SIZE), ==, SIZE - 512);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/img/contents/zero", test_zero);
	g_test_add_func("/img/contents/run", test_run);
	g_test_add_func("/img/contents/same", test_same);
	return g_test_run();
}
