/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-uuid.c - UUIDs as text and as bytes
 */
#include <glib.h>
#include <string.h>

#include "base/uuid.h"

static void test_both_ways(void)
{
	static const uint8_t bytes[UUID_BYTES] = { 0x66, 0x95, 0xeb, 0x01, 0xf6, 0xa4, 0x83, 0x04,
						   0x79, 0xaa, 0x97, 0xf2, 0x50, 0x2e, 0x19, 0x3f };
	static const char *const good[] = { "6695eb01-f6a4-8304-79aa-97f2502e193f",
					    "6695EB01F6A4830479AA97F2502E193F",
					    "66-95eb01f6a4-8304-79aa97f2502e193f" };
	char text[UUID_TEXT_SIZE];

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		uint8_t read[UUID_BYTES];

		g_assert_true(uuid_read(good[i], read));
		g_assert_cmpmem(read, sizeof(read), bytes, sizeof(bytes));
	}
	uuid_write(bytes, text);
	g_assert_cmpstr(text, ==, good[0]);
}

static void test_bad(void)
{
	static const char *const bad[] = { "",
					   "6695eb01-f6a4-8304-79aa-97f2502e193",
					   "6695eb01-f6a4-8304-79aa-97f2502e193f0",
					   "6-695eb01f6a4830479aa97f2502e193f",
					   "6695eb01-f6a4-8304-79aa-97f2502e193g",
					   " 6695eb01-f6a4-8304-79aa-97f2502e193f" };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		uint8_t read[UUID_BYTES];

		g_assert_false(uuid_read(bad[i], read));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/uuid/both-ways", test_both_ways);
	g_test_add_func("/uuid/bad", test_bad);
	return g_test_run();
}
