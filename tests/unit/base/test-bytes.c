/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-bytes.c - byte order at any alignment, spans, and the small words of cleanup.h
 */
#include "base/bytes.h"

#include <glib.h>

#include "base/cleanup.h"

static void test_get(void)
{
	static const uint8_t b[9] = { 0, 1, 2, 3, 4, 5, 6, 7, 0xf8 };

	g_assert_cmphex(get_le16(b + 1), ==, 0x0201);
	g_assert_cmphex(get_be16(b + 1), ==, 0x0102);
	g_assert_cmphex(get_le32(b + 1), ==, 0x04030201);
	g_assert_cmphex(get_be32(b + 1), ==, 0x01020304);
	g_assert_cmphex(get_le64(b + 1), ==, 0xf807060504030201);
	g_assert_cmphex(get_be64(b + 1), ==, 0x01020304050607f8);
}

static void test_put(void)
{
	static const uint8_t want[] = {
		0x02, 0x01, 0x01, 0x02, 0x04, 0x03, 0x02, 0x01, 0x01, 0x02, 0x03, 0x04, 0x08, 0x07,
		0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
	};
	uint8_t b[1 + sizeof(want)] = { 0 };

	put_le16(b + 1, 0x0102);
	put_be16(b + 3, 0x0102);
	put_le32(b + 5, 0x01020304);
	put_be32(b + 9, 0x01020304);
	put_le64(b + 13, 0x0102030405060708);
	put_be64(b + 21, 0x0102030405060708);
	g_assert_cmpmem(b + 1, sizeof(want), want, sizeof(want));
	g_assert_cmpuint(b[0], ==, 0);
}

static void test_span(void)
{
	static const uint8_t b[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct span s = { b, sizeof(b) }, part;

	g_assert_true(span_has(s, 0, 10));
	g_assert_true(span_has(s, 10, 0));
	g_assert_false(span_has(s, 10, 1));
	g_assert_false(span_has(s, 11, 0));
	g_assert_false(span_has(s, 0, 11));
	g_assert_false(span_has(s, 1, UINT64_MAX));
	g_assert_false(span_has(s, UINT64_MAX, 1));
	g_assert_false(span_has(s, UINT64_MAX, UINT64_MAX));

	part = span_sub(s, 3, 4);
	g_assert_true(part.p == b + 3);
	g_assert_cmpuint(part.len, ==, 4);
	g_assert_false(span_has(part, 4, 1));
	part = span_sub(s, 10, 0);
	g_assert_nonnull(part.p);
	g_assert_cmpuint(part.len, ==, 0);
	part = span_sub(s, 8, 3);
	g_assert_null(part.p);
	g_assert_cmpuint(part.len, ==, 0);
}

struct thing {
	unsigned *freed;
	int member;
};

static void thing_free(struct thing *thing)
{
	(*thing->freed)++;
}
DEFINE_AUTOPTR(thing, thing_free);

static void test_autoptr(void)
{
	unsigned freed = 0;
	struct thing thing = { .freed = &freed };

	{
		autoptr(thing) p = &thing;
		autoptr(thing) none = NULL;

		g_assert_null(none);
		g_assert_true(container_of(&p->member, struct thing, member) == &thing);
		g_assert_cmpuint(freed, ==, 0);
	}
	g_assert_cmpuint(freed, ==, 1);
	{
		autoptr(thing) p = &thing;

		g_assert_true(g_steal_pointer(&p) == &thing);
	}
	g_assert_cmpuint(freed, ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bytes/get", test_get);
	g_test_add_func("/bytes/put", test_put);
	g_test_add_func("/bytes/span", test_span);
	g_test_add_func("/bytes/autoptr", test_autoptr);
	return g_test_run();
}
