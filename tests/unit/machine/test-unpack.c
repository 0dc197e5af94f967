/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-unpack.c - every compression, whole, in pieces, cut off, damaged, too large
 */
#include "boot-test.h"

static struct boot_file file_of(const GByteArray *bytes)
{
	struct boot_file file;

	boot_file_memory(&file, "kernel", span_of(bytes));
	return file;
}

/* Unpack all in steps of @step; the text of the error, or NULL and the result in @out. */
static char *unpack_all(enum unpack_kind kind, const GByteArray *packed, size_t len, size_t step,
			uint64_t limit, uint64_t exact, GByteArray *out)
{
	struct boot_file file = file_of(packed);
	g_autoptr(GError) error = NULL;
	autoptr(unpack) unpack = unpack_new(kind, &file, 0, len, limit, &error);
	g_autofree uint8_t *buf = g_malloc(step);
	size_t got = 0;
	bool ok = true;

	g_assert_nonnull(unpack);
	do {
		ok = unpack_read(unpack, buf, step, &got, &error);
		if (ok && out)
			bytes_add(out, buf, got);
	} while (ok && got == step);
	ok = ok && unpack_finish(unpack, exact, &error);
	boot_file_release(&file);
	g_assert_true(ok == !error);
	return ok ? NULL : g_strdup(error->message);
}

static void round_trip(enum unpack_kind kind, size_t size, size_t step)
{
	g_autoptr(GByteArray) plain = bytes_noise(size, 7);
	g_autoptr(GByteArray) packed = pack(kind, span_of(plain));
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autofree char *text = NULL;

	g_assert_cmpint(unpack_detect(packed->data, packed->len), ==, kind);
	text = unpack_all(kind, packed, packed->len, step, size, size, out);
	g_assert_cmpstr(text, ==, NULL);
	g_assert_cmpmem(out->data, out->len, plain->data, plain->len);
}

static void test_round_trip(const void *data)
{
	const enum unpack_kind kind = (enum unpack_kind)GPOINTER_TO_INT(data);

	round_trip(kind, 1, 1);
	round_trip(kind, 3000, 1);
	round_trip(kind, 3000, 7);
	round_trip(kind, 300000, 4096);
	round_trip(kind, 300000, 1 << 20);
}

/* LZ4: blocks that go straight to the caller, and blocks that do not. */
static void test_lz4_blocks(void)
{
	round_trip(UNPACK_LZ4, 20 << 20, 20 << 20);
	round_trip(UNPACK_LZ4, 20 << 20, 5 << 20);
	round_trip(UNPACK_LZ4, 16 << 20, 9 << 20);
}

static void test_lz4_joined(void)
{
	g_autoptr(GByteArray) plain = bytes_noise(1000, 7), packed = g_byte_array_new();
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autofree char *text = NULL;

	pack_lz4(packed, (struct span){ plain->data, 400 });
	pack_lz4(packed, (struct span){ plain->data + 400, 600 });
	text = unpack_all(UNPACK_LZ4, packed, packed->len, 4096, 4096, 0, out);
	g_assert_cmpstr(text, ==, NULL);
	g_assert_cmpmem(out->data, out->len, plain->data, plain->len);
}

static void test_seek(const void *data)
{
	const enum unpack_kind kind = (enum unpack_kind)GPOINTER_TO_INT(data);
	g_autoptr(GByteArray) plain = bytes_noise(200000, 7);
	g_autoptr(GByteArray) packed = pack(kind, span_of(plain));
	struct boot_file file = file_of(packed);
	g_autoptr(GError) error = NULL;
	autoptr(unpack) unpack = unpack_new(kind, &file, 0, packed->len, plain->len, &error);
	uint8_t buf[100];
	size_t got;

	g_assert_true(unpack_seek(unpack, 150000, &error));
	g_assert_cmpuint(unpack_pos(unpack), ==, 150000);
	g_assert_true(unpack_read(unpack, buf, sizeof(buf), &got, &error));
	g_assert_cmpmem(buf, got, plain->data + 150000, 100);
	g_assert_false(unpack_seek(unpack, 200001, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	boot_file_release(&file);
}

/* The exact size is known, as in a kernel: nothing shorter than all may pass. */
static void test_truncated(const void *data)
{
	const enum unpack_kind kind = (enum unpack_kind)GPOINTER_TO_INT(data);
	g_autoptr(GByteArray) plain = bytes_noise(700, 7);
	g_autoptr(GByteArray) packed = pack(kind, span_of(plain));

	for (size_t len = 0; len < packed->len; len++) {
		g_autofree char *text =
			unpack_all(kind, packed, len, 4096, plain->len, plain->len, NULL);

		g_assert_nonnull(text);
		g_assert_true(g_str_has_prefix(text, "kernel 'kernel' is damaged: its "));
	}
}

/* Each bit flipped: an error, or (where there is no checksum) something of the right size. */
static void test_damaged(const void *data)
{
	const enum unpack_kind kind = (enum unpack_kind)GPOINTER_TO_INT(data);
	g_autoptr(GByteArray) plain = bytes_noise(700, 7);
	g_autoptr(GByteArray) packed = pack(kind, span_of(plain));
	unsigned refused = 0;

	for (size_t bit = 0; bit < (size_t)packed->len * 8; bit++) {
		g_autoptr(GByteArray) out = g_byte_array_new();
		g_autofree char *text = NULL;

		packed->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		text = unpack_all(kind, packed, packed->len, 4096, plain->len, plain->len, out);
		packed->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (text)
			refused++;
		else
			g_assert_cmpuint(out->len, ==, plain->len);
	}
	g_assert_cmpuint(refused, >, 0);
}

static void test_limit(const void *data)
{
	const enum unpack_kind kind = (enum unpack_kind)GPOINTER_TO_INT(data);
	g_autoptr(GByteArray) plain = bytes_noise(5000, 7);
	g_autoptr(GByteArray) packed = pack(kind, span_of(plain));
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autofree char *less = NULL, *more = NULL;

	less = unpack_all(kind, packed, packed->len, 64, 4999, 0, out);
	g_assert_cmpstr(less, ==,
			"kernel 'kernel' unpacks to more than the 4999 bytes that are allowed: "
			"it is damaged or no kernel");
	g_assert_cmpuint(out->len, ==, 4999);
	more = unpack_all(kind, packed, packed->len, 64, 5001, 5001, NULL);
	g_assert_nonnull(strstr(more, "unpacks to 5000 bytes instead of 5001"));
}

static void test_detect(void)
{
	static const uint8_t lzo[] = { 0x89, 'L', 'Z', 'O', 0, 13 },
			     elf[] = { 0x7f, 'E', 'L', 'F' };

	g_assert_cmpint(unpack_detect(lzo, sizeof(lzo)), ==, UNPACK_NONE);
	g_assert_cmpint(unpack_detect(elf, sizeof(elf)), ==, UNPACK_NONE);
	g_assert_cmpint(unpack_detect(elf, 0), ==, UNPACK_NONE);
	g_assert_cmpint(unpack_detect((const uint8_t *)"BZ", 2), ==, UNPACK_NONE);
	g_assert_cmpstr(unpack_name(UNPACK_XZ), ==, "xz");
}

/* A dictionary that nobody has memory for. */
static void test_memory_limit(void)
{
	static const uint8_t huge[] = { 0x5d, 0,    0,    0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0, 0,    0,    0,    0,    0 };
	g_autoptr(GByteArray) packed = g_byte_array_new();
	g_autofree char *text = NULL;

	bytes_add(packed, huge, sizeof(huge));
	text = unpack_all(UNPACK_LZMA, packed, packed->len, 64, 4999, 0, NULL);
	g_assert_nonnull(text);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (int kind = UNPACK_NONE + 1; kind < UNPACK_KIND_COUNT; kind++) {
		static const struct {
			const char *name;
			GTestDataFunc test;
		} each[] = {
			{ "round-trip", test_round_trip }, { "seek", test_seek },
			{ "truncated", test_truncated },   { "damaged", test_damaged },
			{ "limit", test_limit },
		};

		for (size_t i = 0; i < G_N_ELEMENTS(each); i++) {
			g_autofree char *path =
				g_strdup_printf("/machine/unpack/%s/%s",
						unpack_name((enum unpack_kind)kind), each[i].name);

			g_test_add_data_func(path, GINT_TO_POINTER(kind), each[i].test);
		}
	}
	g_test_add_func("/machine/unpack/lz4/blocks", test_lz4_blocks);
	g_test_add_func("/machine/unpack/lz4/joined", test_lz4_joined);
	g_test_add_func("/machine/unpack/detect", test_detect);
	g_test_add_func("/machine/unpack/memory-limit", test_memory_limit);
	return g_test_run();
}
