/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2.c - qcow2 images: what once went wrong somewhere, limits, and what must be refused
 */
#include "block/qcow2/qcow2.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "block/qcow2/check.h"
#include "block/qcow2/qcow2-int.h"
#include "qcow2-lab.h"

enum {
	K = 1024,
	H_L1_OFF = 40,
	H_REFTABLE_OFF = 48,
	H_FEATURES = 72,
	H_AUTOCLEAR = 88,
};

static const struct lab_options plain = {
	.cluster_bits = 16, .refcount_bits = 16, .version = 3, .size = 1 << 20
};

static uint64_t get(struct tap *tap, uint64_t off)
{
	uint8_t bytes[8];

	g_assert_cmpint(block_file_read(tap->inner, off, bytes, 8), ==, 0);
	return get_be64(bytes);
}

static void put(struct tap *tap, uint64_t off, uint64_t value)
{
	uint8_t bytes[8];

	put_be64(bytes, value);
	g_assert_cmpint(block_file_write(tap->inner, off, bytes, 8), ==, 0);
}

/* QEMU 7.2 writes the second compressed cluster over the plain one. */
static void test_packed_over_freed(void)
{
	struct lab_options options = plain;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = NULL;

	options.size = 42008064;
	lab = lab_make(&options, tap);
	lab_do(lab, LAB_PACKED, 0, 64 * K, 219);
	lab_do(lab, LAB_ZERO, 0, 64 * K, 0);
	lab_do(lab, LAB_WRITE, 128 * K, 64 * K, 254);
	lab_do(lab, LAB_PACKED, 256 * K, 64 * K, 235);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
	/* The same after the freed one is free. */
	lab_do(lab, LAB_ZERO, 256 * K, 64 * K, 0);
	lab_do(lab, LAB_FLUSH, 0, 0, 0);
	lab_do(lab, LAB_WRITE, 320 * K, 128 * K, 1);
	lab_do(lab, LAB_PACKED, 512 * K, 64 * K, 3);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
}

static void test_map_empty(void)
{
	g_autoptr(GHashTable) none = g_hash_table_new(g_str_hash, g_str_equal);
	const struct image_create what = { .path = "lab",
					   .size = UINT64_C(1) << 40,
					   .options = none };
	g_autoptr(GError) error = NULL;
	autoptr(tap) tap = tap_new();
	autoptr(image) image = NULL;
	struct image_extent extent;

	g_assert_true(image_qcow2_ops.create(&tap->base, &what, &error));
	image = image_open_file("lab", &tap->base, "qcow2", 0, &error);
	g_assert_no_error(error);
	g_assert_true(image_map(image, 0, what.size, &extent, &error));
	g_assert_cmpuint(extent.len, ==, what.size);
	g_assert_cmpint(extent.kind, ==, IMAGE_ABSENT);
	g_assert_cmpint(block_file_size(tap->inner), <, 1 << 20);
}

/* Two clusters of a table of blocks are 8 MiB in clusters of 512 bytes and counts of 64 bits. */
static void test_tables_grow(void)
{
	const struct lab_options options = {
		.cluster_bits = 9, .refcount_bits = 64, .version = 3, .size = 6 << 20, .slots = 16
	};
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&options, tap);
	const struct qcow2_header *header = qcow2_get_header(lab->image);
	const uint32_t before = header->reftable_clusters;

	for (uint64_t off = 0; off < options.size; off += 64 * K)
		lab_do(lab, LAB_WRITE, off, 64 * K, (uint32_t)off);
	g_assert_cmpuint(header->reftable_clusters, >, before);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
	lab_do(lab, LAB_RESIZE, 0, 40 << 20, 0);
	lab_do(lab, LAB_RESIZE, 0, 100 * K, 0);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
	lab_do(lab, LAB_REOPEN, 0, 0, 0);
}

/* Counts that would begin within a cluster: nothing is counted there, and nobody writes any more. */
static void test_counts_misplaced(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	uint8_t buf[512] = { 1 };
	uint64_t table;

	lab_do(lab, LAB_WRITE, 0, 64 * K, 1);
	lab_do(lab, LAB_REOPEN, 0, 0, 0);
	lab_close(lab);
	table = get(tap, H_REFTABLE_OFF);
	put(tap, table, get(tap, table) | 512);
	g_assert_true(lab_open(lab, NULL));
	g_assert_false(image_write(lab->image, 512 * K, buf, sizeof(buf), &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	g_assert_nonnull(strstr(error->message, "where none can be"));
	lab_close(lab);
	g_assert_cmpuint(get(tap, H_FEATURES), ==, QCOW2_CORRUPT);
}

/* An entry that names the header: nothing is overwritten, and nobody writes any more. */
static void test_overlap(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	struct image *image;
	uint8_t buf[512] = { 1 };
	uint64_t l2;

	lab_do(lab, LAB_WRITE, 0, 64 * K, 1);
	lab_do(lab, LAB_REOPEN, 0, 0, 0);
	lab_close(lab);
	l2 = get(tap, get(tap, H_L1_OFF)) & ~(UINT64_C(1) << 63);
	put(tap, l2, UINT64_C(1) << 63 | get(tap, H_L1_OFF));
	g_assert_true(lab_open(lab, NULL));
	g_assert_false(image_write(lab->image, 0, buf, sizeof(buf), &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	g_clear_error(&error);
	g_assert_false(image_write(lab->image, 64 * K, buf, sizeof(buf), &error));
	g_clear_error(&error);
	lab_close(lab);
	g_assert_cmpuint(get(tap, H_FEATURES), ==, QCOW2_CORRUPT);
	g_assert_false(lab_open(lab, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	image = image_open_file("lab", &tap->base, "qcow2", 0, NULL);
	g_assert_nonnull(image);
	image_close(image);
}

static void count_copied(void *opaque, enum qcow2_finding finding, const char *text)
{
	unsigned *count = opaque;

	g_assert_cmpint(finding, ==, QCOW2_CORRUPTION);
	*count += strstr(text, "OFLAG_COPIED") != NULL;
}

static unsigned wrong_flags(struct tap *tap)
{
	unsigned count = 0;
	const struct qcow2_check_listener listener = { .found = count_copied, .opaque = &count };
	struct qcow2_check check;
	g_autoptr(GError) error = NULL;

	g_assert_true(qcow2_check_file("lab", tap->inner, &listener, &check, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(check.corruptions, ==, count);
	return count;
}

/* A flag that is not what the count says is told for each entry, of either table. */
static void test_copied_flags(void)
{
	const uint64_t flag = UINT64_C(1) << 63;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	uint64_t l1, l2;

	lab_do(lab, LAB_WRITE, 0, 256 * K, 1);
	lab_close(lab);
	g_assert_cmpuint(wrong_flags(tap), ==, 0);
	l1 = get(tap, H_L1_OFF);
	l2 = get(tap, l1) & ~flag;
	put(tap, l2 + 8, get(tap, l2 + 8) ^ flag);
	g_assert_cmpuint(wrong_flags(tap), ==, 1);
	put(tap, l2 + 24, get(tap, l2 + 24) ^ flag);
	g_assert_cmpuint(wrong_flags(tap), ==, 2);
	put(tap, l2 + 8, get(tap, l2 + 8) ^ flag);
	put(tap, l2 + 24, get(tap, l2 + 24) ^ flag);
	put(tap, l1, get(tap, l1) ^ flag);
	g_assert_cmpuint(wrong_flags(tap), ==, 1);
	put(tap, l1, get(tap, l1) ^ flag);
	g_assert_true(lab_open(lab, NULL));
	/* With a snapshot no entry has it; one that has is wrong. */
	lab_do(lab, LAB_CREATE, 0, 0, 0);
	lab_close(lab);
	g_assert_cmpuint(wrong_flags(tap), ==, 0);
	l2 = get(tap, get(tap, H_L1_OFF)) & ~flag;
	put(tap, l2, get(tap, l2) ^ flag);
	g_assert_cmpuint(wrong_flags(tap), ==, 1);
}

static void test_noise(void)
{
	enum {
		LEN = 64 * K
	};
	g_autofree uint8_t *bytes = g_malloc(LEN);
	GRand *rand = g_rand_new_with_seed(11);

	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = 0; i < LEN; i++)
			bytes[i] = (uint8_t)g_rand_int(rand);
		g_assert_true(qcow2_is_noise(bytes, LEN));
		/* Short ones are tried. */
		g_assert_false(qcow2_is_noise(bytes, 4096));
		/* The same some hundred bytes before: there is something to refer to. */
		memcpy(bytes + 40000, bytes + 39000, 1000);
		g_assert_false(qcow2_is_noise(bytes, LEN));
		/* All bytes are as frequent in the whole, and not in its parts. */
		for (size_t i = 0; i < LEN; i++)
			bytes[i] = (uint8_t)((g_rand_int(rand) & 127) | (i < LEN / 2 ? 128 : 0));
		g_assert_false(qcow2_is_noise(bytes, LEN));
		/* No byte is rare, one is more frequent. */
		for (size_t i = 0; i < LEN; i++)
			bytes[i] = i % 16 ? (uint8_t)g_rand_int(rand) : 7;
		g_assert_false(qcow2_is_noise(bytes, LEN));
	}
	memset(bytes, 5, LEN);
	g_assert_false(qcow2_is_noise(bytes, LEN));
	g_rand_free(rand);
}

/* Counts of an image that was not closed are anything. */
static void test_dirty(void)
{
	g_autoptr(GError) error = NULL;
	struct lab_options options = plain;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = NULL;
	uint64_t block;

	options.lazy = true;
	lab = lab_make(&options, tap);
	lab_do(lab, LAB_WRITE, 0, 512 * K, 1);
	lab_do(lab, LAB_FLUSH, 0, 0, 0);
	g_assert_cmpuint(get(tap, H_FEATURES), ==, QCOW2_DIRTY);
	lab_close(lab);
	g_assert_cmpuint(get(tap, H_FEATURES), ==, 0);
	put(tap, H_FEATURES, QCOW2_DIRTY);
	block = get(tap, get(tap, 48));
	put(tap, block, 0);
	put(tap, block + 8, UINT64_C(0x0003000000070001));
	(void)lab_open(lab, &error);
	g_assert_no_error(error);
	lab_close(lab);
	g_assert_cmpuint(get(tap, H_FEATURES), ==, 0);
	g_assert_true(lab_check(tap->inner, false, &error));
}

static void test_repair_lost_block(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	struct qcow2_check before, after;
	struct qcow2_repaired repaired;

	lab_do(lab, LAB_WRITE, 0, 512 * K, 1);
	lab_do(lab, LAB_CREATE, 0, 0, 0);
	lab_do(lab, LAB_WRITE, 0, 100 * K, 2);
	lab_do(lab, LAB_REOPEN, 0, 0, 0);
	lab_close(lab);
	put(tap, get(tap, 48), 0);
	g_assert_false(lab_check(tap->inner, true, NULL));
	g_assert_true(qcow2_repair("lab", &tap->base, QCOW2_REPAIR_ALL, NULL, &before, &after,
				   &repaired, &error));
	g_assert_cmpuint(repaired.corruptions, ==, before.corruptions);
	g_assert_true(lab_check(tap->inner, false, &error));
	g_assert_true(lab_open(lab, &error));
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
	lab_do(lab, LAB_APPLY, 0, 0, 0);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
}

/* Who reads changes nothing; who writes clears what he does not know, before. */
static void test_autoclear(void)
{
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	struct qcow2_repaired repaired;
	struct qcow2_check after;
	struct image *image;
	uint8_t buf[512];

	lab_close(lab);
	put(tap, H_AUTOCLEAR, 1 << 7);
	image = image_open_file("lab", &tap->base, "qcow2", 0, NULL);
	g_assert_true(image_read(image, 0, buf, sizeof(buf), NULL));
	image_close(image);
	g_assert_cmpuint(get(tap, H_AUTOCLEAR), ==, 1 << 7);
	g_assert_true(lab_open(lab, NULL));
	g_assert_cmpuint(get(tap, H_AUTOCLEAR), ==, 1 << 7);
	lab_do(lab, LAB_WRITE, 0, 512, 1);
	g_assert_cmpuint(get(tap, H_AUTOCLEAR), ==, 0);
	/* And so does a repair. */
	lab_close(lab);
	put(tap, H_AUTOCLEAR, 1 << 7);
	g_assert_true(qcow2_repair("lab", &tap->base, QCOW2_REPAIR_ALL, NULL, NULL, &after,
				   &repaired, NULL));
	g_assert_cmpuint(get(tap, H_AUTOCLEAR), ==, 0);
}

static void test_data_file(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-qcow2-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "a.qcow2", NULL);
	g_autofree char *data = g_build_filename(folder, "data", NULL), *bytes = NULL;
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	struct image_create what = { .path = path, .size = 1 << 20, .options = options };
	g_autoptr(GError) error = NULL;
	struct image *image;
	uint8_t buf[512];
	size_t len;

	g_hash_table_insert(options, (void *)(uintptr_t) "data_file", (void *)(uintptr_t) "data");
	g_hash_table_insert(options, (void *)(uintptr_t) "data_file_raw", (void *)(uintptr_t) "on");
	g_assert_true(image_create("qcow2", &what, &error));
	g_assert_null(image_open(path, "qcow2", 0, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	g_clear_error(&error);
	image = image_open(path, "qcow2", IMAGE_WRITE | IMAGE_BACKING, &error);
	g_assert_no_error(error);
	memset(buf, 7, sizeof(buf));
	g_assert_true(image_write(image, 70 * K, buf, sizeof(buf), &error));
	g_assert_false(qcow2_snapshot_create(image, "a", 0, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	image_close(image);
	g_assert_true(g_file_get_contents(data, &bytes, &len, NULL));
	g_assert_cmpuint(len, ==, 1 << 20);
	g_assert_cmpint(bytes[70 * K], ==, 7);
	g_assert_cmpint(remove(data), ==, 0);
	g_assert_cmpint(remove(path), ==, 0);
	g_assert_cmpint(remove(folder), ==, 0);
}

/* How often the call was made since count_from() was. */
static const unsigned counted_from = 1000000;

static void count_from(enum sys_call call)
{
	sys_fail_nth(call, counted_from, EIO);
}

static unsigned counted(enum sys_call call)
{
	const unsigned count = counted_from - sys_fail_pending(call);

	sys_fail_nth(call, 0, 0);
	return count;
}

/* Nobody has an image that is being made: it is synced once, and grows in a few steps. */
static void create_preallocated(const char *path, uint64_t size)
{
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	struct image_create what = { .path = path, .size = size, .options = options };
	g_autoptr(GError) error = NULL;
	unsigned syncs, resizes;

	g_hash_table_insert(options, (void *)(uintptr_t) "preallocation",
			    (void *)(uintptr_t) "metadata");
	count_from(SYS_FDATASYNC);
	count_from(SYS_FTRUNCATE);
	(void)image_create("qcow2", &what, &error);
	syncs = counted(SYS_FDATASYNC);
	resizes = counted(SYS_FTRUNCATE);
	g_assert_no_error(error);
	g_assert_cmpuint(syncs, ==, 1);
	g_assert_cmpuint(resizes, <, 20);
}

static void expect_zeroes(struct image *image, uint64_t off, uint64_t len)
{
	g_autofree uint8_t *bytes = g_malloc(len);
	g_autoptr(GError) error = NULL;

	(void)image_read(image, off, bytes, len, &error);
	g_assert_no_error(error);
	for (uint64_t i = 0; i < len; i++)
		g_assert_cmpuint(bytes[i], ==, 0);
}

/* Also where the file had something behind all that the image has in use. */
static void test_preallocation(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-qcow2-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "a.qcow2", NULL);
	g_autofree char *noise = g_strnfill(3 << 20, 'x');
	const uint64_t size = UINT64_C(3000) << 20, more = 40 << 20;
	g_autoptr(GError) error = NULL;
	struct image *image;
	FILE *file;

	create_preallocated(path, size);
	file = fopen(path, "a");
	g_assert_cmpuint(fwrite(noise, 1, 3 << 20, file), ==, 3 << 20);
	g_assert_cmpint(fclose(file), ==, 0);
	image = image_open(path, "qcow2", IMAGE_WRITE, &error);
	g_assert_no_error(error);
	g_assert_true(image_resize(image, size + more, &error));
	g_assert_true(qcow2_preallocate_new(image, size, QCOW2_PREALLOCATE_METADATA, &error));
	expect_zeroes(image, size - (1 << 20), more + (1 << 20));
	g_assert_true(image_write(image, size, noise, 1 << 20, &error));
	expect_zeroes(image, size + (1 << 20), more - (1 << 20));
	image_close(image);
	g_assert_cmpint(remove(path), ==, 0);
	g_assert_cmpint(remove(folder), ==, 0);
}

static void test_many_snapshots(void)
{
	const struct lab_options options = {
		.cluster_bits = 9, .refcount_bits = 16, .version = 3, .size = 64 * K
	};
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	g_autoptr(GError) error = NULL;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&options, tap);

	for (unsigned i = 0; i < 200; i++) {
		g_autofree char *name = g_strdup_printf("snapshot %u", i);

		lab_do(lab, LAB_WRITE, (i * 512) % options.size, 512, i);
		g_assert_true(qcow2_snapshot_create(lab->image, name, i, &error));
	}
	lab_do(lab, LAB_REOPEN, 0, 0, 0);
	g_assert_cmpuint(qcow2_snapshots(lab->image)->len, ==, 200);
	for (gint32 left = 200; left; left--) {
		const GPtrArray *all = qcow2_snapshots(lab->image);
		const struct qcow2_snapshot *s =
			g_ptr_array_index(all, (guint)g_rand_int_range(rand, 0, left));
		g_autofree char *id = g_strdup(s->id);

		g_assert_true(qcow2_snapshot_delete(lab->image, id, &error));
	}
	g_assert_null(qcow2_snapshot_find(lab->image, "snapshot 1", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
}

static gpointer read_all(gpointer opaque)
{
	struct lab *lab = opaque;
	g_autofree uint8_t *got = g_malloc(lab->size);
	bool same = true;

	for (unsigned i = 0; i < 5 && same; i++)
		same = image_read(lab->image, 0, got, lab->size, NULL) &&
		       !memcmp(got, lab->model, lab->size);
	return same ? lab : NULL;
}

static void test_threads(void)
{
	struct lab_options options = plain;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = NULL;
	GThread *threads[3];

	options.slots = 8;
	options.cluster_bits = 12;
	lab = lab_make(&options, tap);
	for (uint64_t off = 0; off < options.size; off += 16 * K) {
		lab_do(lab, LAB_PACKED, off, 4 * K, (uint32_t)off + 8);
		lab_do(lab, LAB_WRITE, off + 8 * K, 3 * K, (uint32_t)off);
	}
	lab_do(lab, LAB_FLUSH, 0, 0, 0);
	for (unsigned i = 0; i < 3; i++)
		threads[i] = g_thread_new(NULL, read_all, lab);
	for (unsigned i = 0; i < 3; i++)
		g_assert_nonnull(g_thread_join(threads[i]));
}

static void test_amend(void)
{
	struct qcow2_amend amend = { .version = 2, .lazy_refcounts = -1, .data_file_raw = -1 };
	g_autoptr(GError) error = NULL;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);

	lab_do(lab, LAB_WRITE, 0, 256 * K, 1);
	lab_do(lab, LAB_ZERO, 64 * K, 64 * K, 0);
	g_assert_true(qcow2_amend(lab->image, &amend, &error));
	lab_do(lab, LAB_REOPEN, 0, 0, 0);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
	amend.version = 3;
	amend.lazy_refcounts = 1;
	g_assert_true(qcow2_amend(lab->image, &amend, &error));
	amend.refcount_bits = 8;
	g_assert_true(qcow2_amend(lab->image, &amend, &error));
	lab_do(lab, LAB_WRITE, 64 * K, 4 * K, 1);
	lab_do(lab, LAB_REOPEN, 0, 0, 0);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
}

static void amend_width(struct lab *lab, uint32_t version, unsigned bits, const char *refused)
{
	const struct qcow2_amend amend = { version, -1, bits, -1 };
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(qcow2_amend(lab->image, &amend, &error), ==, !refused);
	if (refused)
		g_assert_cmpstr(error->message, ==, refused);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
}

/* All widths from all others, each in an image whose blocks are full and not. */
static void test_width(void)
{
	for (unsigned from = 0; from <= QCOW2_MAX_REFCOUNT_ORDER; from++) {
		struct lab_options options = plain;
		autoptr(tap) tap = tap_new();
		autoptr(lab) lab = NULL;

		options.cluster_bits = 9;
		options.refcount_bits = 1u << from;
		lab = lab_make(&options, tap);
		for (unsigned to = 0; to <= QCOW2_MAX_REFCOUNT_ORDER; to++) {
			lab_do(lab, LAB_WRITE, to * 8 * K, 7 * K + to * 512, to + 1);
			lab_do(lab, LAB_DISCARD, to * 8 * K, K, 0);
			amend_width(lab, 0, 1u << to, NULL);
			g_assert_cmpuint(qcow2_get_header(lab->image)->refcount_order, ==, to);
			lab_do(lab, LAB_REOPEN, 0, 0, 0);
			lab_do(lab, LAB_JUDGE, 0, 0, 0);
			amend_width(lab, 0, 1u << from, NULL);
		}
	}
}

static void test_width_refused(void)
{
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);

	lab_do(lab, LAB_WRITE, 0, 256 * K, 1);
	amend_width(lab, 0, 42, "Refcount width must be a power of two and may not exceed 64 bits");
	amend_width(lab, 2, 8,
		    "Refcount widths other than 16 bits require compatibility level 1.1 or above "
		    "(use compat=1.1 or greater)");
	amend_width(lab, 0, 8, NULL);
	amend_width(lab, 2, 0, "compat=0.10 requires refcount_bits=16");
	amend_width(lab, 2, 16, NULL);
	g_assert_cmpuint(qcow2_get_header(lab->image)->version, ==, 2);
	amend_width(lab, 3, 64, NULL);
	for (unsigned i = 0; i < 3; i++)
		lab_do(lab, LAB_CREATE, 0, 1, 0);
	amend_width(lab, 0, 2,
		    "Cannot decrease refcount entry width to 2 bits: Cluster at offset 0x40000 has "
		    "a refcount of 4");
	amend_width(lab, 0, 4, NULL);
	lab_do(lab, LAB_APPLY, 0, 1, 0);
	lab_do(lab, LAB_DELETE, 0, 1, 0);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
}

/* ---- bitmaps ---- */

/* Where the table of the @index-th bitmap is; all their names have one letter. */
static uint64_t bitmap_table(struct lab *lab, struct tap *tap, unsigned index)
{
	return get(tap, qcow2_get_header(lab->image)->bitmaps_off + index * 32);
}

static void add_bitmap(struct lab *lab, const char *name, unsigned granularity)
{
	g_autoptr(GError) error = NULL;

	(void)qcow2_bitmap_change(lab->image, name, QCOW2_BITMAP_ADD, granularity, &error);
	g_assert_no_error(error);
}

static void merge_bitmap(struct lab *lab, const char *name, const char *source)
{
	g_autoptr(GError) error = NULL;

	(void)qcow2_bitmap_merge(lab->image, name, lab->image, source, &error);
	g_assert_no_error(error);
}

/* Every second is of 512 bytes a bit, the others of 64 KiB. */
static void make_bitmaps(struct lab *lab, struct tap *tap)
{
	add_bitmap(lab, "a", 16);
	add_bitmap(lab, "b", 9);
	add_bitmap(lab, "c", 16);
	/* All that 'a' has is set. */
	put(tap, bitmap_table(lab, tap, 0), 1);
}

static void test_bitmap_merge(void)
{
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	uint8_t bits[257];
	uint64_t at;

	make_bitmaps(lab, tap);
	merge_bitmap(lab, "b", "a");
	at = get(tap, bitmap_table(lab, tap, 1));
	g_assert_cmpint(block_file_read(tap->inner, at, bits, sizeof(bits)), ==, 0);
	for (unsigned i = 0; i < 256; i++)
		g_assert_cmpuint(bits[i], ==, 0xff);
	g_assert_cmpuint(bits[256], ==, 0);
	/* Only the 136th sector, which is in the second 64 KiB. */
	memset(bits, 0, sizeof(bits));
	bits[17] = 1;
	g_assert_cmpint(block_file_write(tap->inner, at, bits, 256), ==, 0);
	merge_bitmap(lab, "c", "b");
	at = get(tap, bitmap_table(lab, tap, 2));
	g_assert_cmphex(get(tap, at), ==, UINT64_C(2) << 56);
	/* Nothing of what was there goes. */
	g_assert_cmpint(block_file_write(tap->inner, at, (const uint8_t[]){ 4 }, 1), ==, 0);
	merge_bitmap(lab, "c", "b");
	g_assert_cmphex(get(tap, get(tap, bitmap_table(lab, tap, 2))), ==, UINT64_C(6) << 56);
	g_assert_true(lab_check(tap->inner, 0, NULL));
}

/* A call fails, each one once: the image is one that can be repaired, at worst. */
static void test_bitmap_merge_failures(void)
{
	bool more = true;

	for (unsigned nth = 1; more; nth++) {
		g_autoptr(GError) error = NULL;
		autoptr(tap) tap = tap_new();
		autoptr(lab) lab = lab_make(&plain, tap);
		struct qcow2_check before, after;
		struct qcow2_repaired repaired;
		bool ok;

		make_bitmaps(lab, tap);
		tap->fail_at = nth;
		tap->fail_with = EIO;
		ok = qcow2_bitmap_merge(lab->image, "b", lab->image, "a", &error);
		g_assert_true(ok ? !tap->failed || tap->harmless : error != NULL);
		more = tap->failed;
		tap->fail_at = 0;
		g_clear_pointer(&lab->image, image_close);
		g_assert_true(qcow2_repair("x", tap->inner, QCOW2_REPAIR_LEAKS, NULL, &before,
					   &after, &repaired, NULL));
		g_assert_cmpuint(before.corruptions + after.corruptions + after.leaks, ==, 0);
	}
}

/* ---- the state of a machine ---- */

static void test_state(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	uint8_t in[1000], out[1000];

	memset(in, 9, sizeof(in));
	lab_do(lab, LAB_WRITE, 0, 256 * K, 1);
	g_assert_cmpuint(qcow2_state_off(lab->image), ==, 512 << 20);
	g_assert_true(qcow2_state_write(lab->image, 65000, in, sizeof(in), &error));
	g_assert_true(qcow2_state_write(lab->image, UINT64_C(1) << 40, in, sizeof(in), &error));
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
	lab_do(lab, LAB_REOPEN, 0, 0, 0);
	g_assert_true(qcow2_state_read(lab->image, 64999, out, sizeof(out), &error));
	g_assert_cmpuint(out[0], ==, 0);
	g_assert_cmpmem(out + 1, sizeof(out) - 1, in, sizeof(in) - 1);
	g_assert_true(qcow2_state_read(lab->image, UINT64_C(1) << 40, out, sizeof(out), &error));
	g_assert_cmpmem(out, sizeof(out), in, sizeof(in));
	g_assert_false(qcow2_state_write(lab->image, INT64_MAX - 10, in, sizeof(in), &error));
	g_assert_error(error, SYS_ERROR, EFBIG);
	/* What was the state is no part of a disk that grows over it. */
	lab_do(lab, LAB_RESIZE, 0, 2 << 20, 0);
	lab_do(lab, LAB_JUDGE, 0, 0, 0);
}

int main(int argc, char **argv)
{
	qcow2_test_checks = true;
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/qcow2/packed-over-freed", test_packed_over_freed);
	g_test_add_func("/block/qcow2/map-empty", test_map_empty);
	g_test_add_func("/block/qcow2/tables-grow", test_tables_grow);
	g_test_add_func("/block/qcow2/overlap", test_overlap);
	g_test_add_func("/block/qcow2/counts-misplaced", test_counts_misplaced);
	g_test_add_func("/block/qcow2/copied-flags", test_copied_flags);
	g_test_add_func("/block/qcow2/noise", test_noise);
	g_test_add_func("/block/qcow2/dirty", test_dirty);
	g_test_add_func("/block/qcow2/repair-lost-block", test_repair_lost_block);
	g_test_add_func("/block/qcow2/autoclear", test_autoclear);
	g_test_add_func("/block/qcow2/data-file", test_data_file);
	g_test_add_func("/block/qcow2/preallocation", test_preallocation);
	g_test_add_func("/block/qcow2/many-snapshots", test_many_snapshots);
	g_test_add_func("/block/qcow2/threads", test_threads);
	g_test_add_func("/block/qcow2/amend", test_amend);
	g_test_add_func("/block/qcow2/width", test_width);
	g_test_add_func("/block/qcow2/width-refused", test_width_refused);
	g_test_add_func("/block/qcow2/bitmap-merge", test_bitmap_merge);
	g_test_add_func("/block/qcow2/bitmap-merge-failures", test_bitmap_merge_failures);
	g_test_add_func("/block/qcow2/state", test_state);
	return g_test_run();
}
