/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-header.c - headers of qcow2 images: there and back, and each field off by itself
 */
#include "block/qcow2/header.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

enum {
	CLUSTER = 65536,
	FILE_SIZE = 5 * CLUSTER,
};

/* What qemu-img makes: header, refcount table, refcount block, L1. */
static struct qcow2_header model(uint32_t version)
{
	return (struct qcow2_header){
		.version = version,
		.cluster_bits = 16,
		.refcount_order = 4,
		.size = UINT64_C(3) << 30,
		.l1_off = 3 * CLUSTER,
		.l1_size = 6,
		.reftable_off = CLUSTER,
		.reftable_clusters = 1,
		.extensions = NULL,
	};
}

static uint8_t *format(struct qcow2_header *header)
{
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	GError *error = NULL;
	uint8_t *bytes;

	if (!header->extensions)
		header->extensions = none;
	bytes = qcow2_header_format(header, &error);
	g_assert_no_error(error);
	if (header->extensions == none)
		header->extensions = NULL;
	return bytes;
}

static struct qcow2_header *parse(const uint8_t *bytes)
{
	GError *error = NULL;
	struct qcow2_header *header = qcow2_header_parse("x", bytes, CLUSTER, FILE_SIZE, &error);

	g_assert_no_error(error);
	return header;
}

/* It is refused, with one sentence that has these words. */
static void refused(const uint8_t *bytes, const char *words)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(qcow2_header_parse("x", bytes, CLUSTER, FILE_SIZE, &error));
	g_assert_nonnull(error);
	if (!strstr(error->message, words))
		g_error("'%s' is not in '%s'", words, error->message);
}

static void test_versions(void)
{
	for (uint32_t version = 2; version <= 3; version++) {
		struct qcow2_header want = model(version);
		g_autofree uint8_t *bytes = format(&want);
		autoptr(qcow2_header) got = parse(bytes);

		g_assert_cmpuint(got->version, ==, version);
		g_assert_cmpuint(got->cluster_bits, ==, 16);
		g_assert_cmpuint(got->refcount_order, ==, 4);
		g_assert_cmpuint(got->size, ==, want.size);
		g_assert_cmpuint(got->l1_off, ==, want.l1_off);
		g_assert_cmpuint(got->l1_size, ==, want.l1_size);
		g_assert_cmpuint(got->reftable_off, ==, want.reftable_off);
		g_assert_cmpuint(got->reftable_clusters, ==, 1);
		g_assert_null(got->backing_file);
		g_assert_cmpuint(got->extensions->len, ==, 0);
	}
}

static void test_everything(void)
{
	static const uint8_t tail[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct qcow2_extension unknown = { 0x12345678, g_bytes_new_static("odd", 3) };
	g_autoptr(GPtrArray) extensions = g_ptr_array_new();
	g_autoptr(GBytes) tail_bytes = g_bytes_new_static(tail, sizeof(tail));
	struct qcow2_header want = model(3);
	g_autofree uint8_t *bytes = NULL, *again = NULL;
	autoptr(qcow2_header) got = NULL;
	char base[] = "base.img", raw[] = "raw", data[] = "data";

	g_ptr_array_add(extensions, &unknown);
	want.extensions = extensions;
	want.tail = tail_bytes;
	want.backing_file = base;
	want.backing_format = raw;
	want.data_file = data;
	want.crypt = QCOW2_CRYPT_LUKS;
	want.luks_off = 2 * CLUSTER;
	want.luks_len = 2 * CLUSTER;
	want.bitmaps = 3;
	want.bitmaps_off = 4 * CLUSTER;
	want.bitmaps_size = 100;
	want.autoclear = QCOW2_AUTOCLEAR_BITMAPS;
	want.compatible = QCOW2_LAZY_REFCOUNTS;
	want.incompatible = QCOW2_DATA_FILE | QCOW2_COMPRESSION | QCOW2_EXTENDED_L2 | QCOW2_DIRTY;
	want.l1_size = 12;
	want.compression = QCOW2_ZSTD;
	want.snapshots = 2;
	want.snapshots_off = 4 * CLUSTER;
	bytes = format(&want);
	got = parse(bytes);
	g_assert_cmpstr(got->backing_file, ==, "base.img");
	g_assert_cmpstr(got->backing_format, ==, "raw");
	g_assert_cmpstr(got->data_file, ==, "data");
	g_assert_cmpuint(got->luks_len, ==, want.luks_len);
	g_assert_cmpuint(got->bitmaps, ==, 3);
	g_assert_cmpuint(got->bitmaps_size, ==, 100);
	g_assert_cmpuint(got->snapshots, ==, 2);
	g_assert_true(got->compression == QCOW2_ZSTD);
	g_assert_cmpuint(got->extensions->len, ==, 1);
	g_assert_true(g_bytes_equal(got->tail, tail_bytes));
	again = format(got);
	g_assert_cmpmem(again, CLUSTER, bytes, CLUSTER);
	g_bytes_unref(unknown.data);
}

/* A field of @len bytes at @off, and what is said when it is @value. */
static const struct field {
	unsigned off, len;
	uint64_t value;
	const char *words;
} fields[] = {
	{ 0, 4, 0x51464900, "no qcow2 image" },
	{ 4, 4, 1, "version 1" },
	{ 4, 4, 4, "version 4" },
	{ 8, 8, CLUSTER, "outside its header" },
	{ 8, 8, 16, "outside its header" },
	{ 16, 4, UINT32_MAX, "outside its header" },
	{ 20, 4, 8, "2^8 bytes" },
	{ 20, 4, 22, "2^22 bytes" },
	{ 20, 4, UINT32_MAX, "bytes" },
	{ 24, 8, UINT64_MAX, "nobody can have" },
	{ 24, 8, UINT64_C(1) << 62, "Image is too big" },
	{ 32, 4, 3, "unknown way" },
	{ 32, 4, 2, "no LUKS header" },
	{ 36, 4, 5, "6 are needed" },
	{ 36, 4, UINT32_MAX, "are the most" },
	{ 40, 8, 3 * CLUSTER + 8, "L1 table at" },
	{ 40, 8, FILE_SIZE, "L1 table at" },
	{ 40, 8, UINT64_MAX - CLUSTER + 1, "L1 table at" },
	{ 48, 8, 0, "reference count table at" },
	{ 48, 8, FILE_SIZE, "reference count table at" },
	{ 56, 4, 0, "table of 0 bytes" },
	{ 56, 4, 5, "reference count table at" },
	/* Of 8 MiB, which it may have; and of one cluster more. */
	{ 56, 4, 128, "reference count table at" },
	{ 56, 4, 129, "are the most" },
	{ 56, 4, UINT32_MAX, "are the most" },
	{ 60, 4, 1, "list of snapshots" },
	{ 60, 4, 65537, "65537 snapshots" },
	{ 72, 8, 1 << 5, "Unknown incompatible feature: 20" },
	{ 72, 8, UINT64_C(1) << 63, "Unknown incompatible feature: 8000000000000000" },
	{ 72, 8, QCOW2_COMPRESSION, "in two ways" },
	{ 96, 4, 7, "2^7 bits" },
	{ 100, 4, 96, "header of 96 bytes" },
	{ 100, 4, 108, "header of 108 bytes" },
	{ 100, 4, CLUSTER + 8, "cannot be" },
	{ 104, 1, 1, "in two ways" },
	{ 104, 1, 2, "in two ways" },
};

static void test_fields(void)
{
	struct qcow2_header good = model(3);
	g_autofree uint8_t *bytes = format(&good);
	char base[] = "base";

	/* A backing file, so that its name's place can be wrong. */
	good.backing_file = base;
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct field *field = &fields[i];
		g_autofree uint8_t *broken = format(&good);

		for (unsigned n = 0; n < field->len; n++)
			broken[field->off + n] =
				(uint8_t)(field->value >> (8 * (field->len - 1 - n)));
		refused(broken, field->words);
	}
}

/* Each takes 40 bytes at least, and a file that has not so many has not so many snapshots. */
static void test_snapshots_beyond(void)
{
	struct qcow2_header header = model(3);
	g_autofree uint8_t *fits = NULL, *beyond = NULL;
	autoptr(qcow2_header) parsed = NULL;

	header.snapshots_off = 4 * CLUSTER;
	header.snapshots = CLUSTER / 40;
	fits = format(&header);
	parsed = parse(fits);
	header.snapshots++;
	beyond = format(&header);
	refused(beyond, "list of snapshots at");
}

static void test_extensions(void)
{
	autoptr(qcow2_header) last = NULL;
	struct qcow2_header good = model(3);
	g_autofree uint8_t *bytes = format(&good);
	uint8_t *ext = bytes + 112;
	static const char name[] = "telepathy";

	/* Longer than the cluster. */
	put_be32(ext, 0x11111111);
	put_be32(ext + 4, CLUSTER);
	refused(bytes, "does not fit");
	/* The name of a feature is the image's. */
	put_be32(ext, 0x6803f857);
	put_be32(ext + 4, 48);
	ext[8] = 0;
	ext[9] = 40;
	memcpy(ext + 10, name, sizeof(name));
	put_be64(bytes + 72, UINT64_C(1) << 40);
	refused(bytes, "telepathy");
	ext[11] = '\n';
	refused(bytes, "t\\nlepathy");
	put_be64(bytes + 72, 0);
	/* Twice: a backing file's format may be, and the last counts. */
	for (unsigned i = 0; i < 2; i++) {
		put_be32(ext + i * 16, 0xe2792aca);
		put_be32(ext + i * 16 + 4, 3);
		memcpy(ext + i * 16 + 8, i ? "vdi" : "raw", 3);
	}
	last = parse(bytes);
	g_assert_cmpstr(last->backing_format, ==, "vdi");
	for (unsigned i = 0; i < 2; i++)
		put_be32(ext + i * 16, 0x44415441);
	refused(bytes, "twice");
	for (unsigned i = 0; i < 2; i++)
		put_be32(ext + i * 16, 0xe2792aca);
	/* With a NUL. */
	ext[9] = 0;
	refused(bytes, "has a NUL");
}

/* Bitmaps of an image that was written to by somebody who did not know them do not count. */
static void test_bitmaps_void(void)
{
	struct qcow2_header want = model(3);
	g_autofree uint8_t *bytes = NULL;
	autoptr(qcow2_header) got = NULL;

	want.bitmaps = 1;
	want.bitmaps_off = 4 * CLUSTER;
	want.bitmaps_size = 64;
	bytes = format(&want);
	got = parse(bytes);
	g_assert_cmpuint(got->bitmaps, ==, 0);
}

static void test_no_room(void)
{
	g_autofree char *base = g_strnfill(500, 'b');
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	struct qcow2_header header = model(3);

	header.cluster_bits = 9;
	header.backing_file = base;
	header.extensions = none;
	g_assert_null(qcow2_header_format(&header, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qcow2-header/versions", test_versions);
	g_test_add_func("/qcow2-header/everything", test_everything);
	g_test_add_func("/qcow2-header/fields", test_fields);
	g_test_add_func("/qcow2-header/snapshots-beyond", test_snapshots_beyond);
	g_test_add_func("/qcow2-header/extensions", test_extensions);
	g_test_add_func("/qcow2-header/bitmaps-void", test_bitmaps_void);
	g_test_add_func("/qcow2-header/no-room", test_no_room);
	return g_test_run();
}
