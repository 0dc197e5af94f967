/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-iov.c - lists of memory, against one plain row of bytes
 */
#include "base/iov.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

enum {
	LEN = 64,
	PIECES = 8,
};

/* @row cut into pieces, some of them empty. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the pieces may be written to */
static void cut(GRand *rand, struct iovec *iov, uint8_t *row)
{
	size_t done = 0;

	for (unsigned i = 0; i < PIECES; i++) {
		size_t n = (size_t)g_rand_int_range(rand, 0, LEN / 4);

		if (n > LEN - done || i == PIECES - 1)
			n = LEN - done;
		iov[i] = (struct iovec){ n ? row + done : NULL, n };
		done += n;
	}
}

static void test_random(void)
{
	GRand *rand = g_rand_new_with_seed(1);

	for (unsigned i = 0; i < 20000; i++) {
		uint8_t row[LEN], plain[LEN], buf[LEN] = { 0 };
		struct iovec iov[PIECES], *p = iov;
		size_t off = (size_t)g_rand_int_range(rand, 0, LEN + 9);
		size_t len = (size_t)g_rand_int_range(rand, 0, LEN + 1);
		size_t n = off > LEN ? 0 : MIN(len, LEN - off);
		unsigned count = PIECES;

		for (unsigned k = 0; k < LEN; k++)
			row[k] = plain[k] = (uint8_t)g_rand_int(rand);
		cut(rand, iov, row);
		g_assert_cmpuint(iov_len(iov, PIECES), ==, LEN);
		g_assert_cmpuint(iov_copy_out(iov, PIECES, off, buf, len), ==, n);
		g_assert_cmpmem(buf, n, plain + (n ? off : 0), n);
		for (unsigned k = 0; k < LEN; k++)
			buf[k] = (uint8_t)~k;
		g_assert_cmpuint(iov_copy_in(iov, PIECES, off, buf, len), ==, n);
		memcpy(plain + (n ? off : 0), buf, n);
		g_assert_cmpmem(row, LEN, plain, LEN);
		g_assert_cmpuint(iov_zero(iov, PIECES, off, len), ==, n);
		memset(plain + (n ? off : 0), 0, n);
		g_assert_cmpmem(row, LEN, plain, LEN);
		iov_skip(&p, &count, off);
		g_assert_cmpuint(iov_len(p, count), ==, off > LEN ? 0 : LEN - off);
		if (off < LEN)
			g_assert_true(iov_copy_out(p, count, 0, buf, 1) == 1 && *buf == row[off]);
	}
	g_rand_free(rand);
}

static void test_too_long(void)
{
	const struct iovec iov[] = { { NULL, SIZE_MAX - 1 }, { NULL, 2 } };

	g_assert_cmpuint(iov_len(iov, 1), ==, SIZE_MAX - 1);
	g_assert_cmpuint(iov_len(iov, 2), ==, SIZE_MAX);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/iov/random", test_random);
	g_test_add_func("/iov/too-long", test_too_long);
	return g_test_run();
}
