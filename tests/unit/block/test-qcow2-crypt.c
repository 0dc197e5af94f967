/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-crypt.c - encrypted qcow2 images: what is in the file, who may open them, the old AES
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/thread.h"
#include "block/crypt/luks.h"
#include "block/qcow2/qcow2-int.h"
#include "qcow2-lab.h"

enum {
	K = 1024,
	H_CRYPT = 32,
	THREADS = 4,
	ROUNDS = 200,
};

static const struct lab_options plain = {
	.cluster_bits = 16, .refcount_bits = 16, .version = 3, .size = 1 << 20, .encrypted = true
};

static bool file_has(struct tap *tap, const void *bytes, size_t len)
{
	const size_t size = (size_t)block_file_size(tap->inner);
	g_autofree uint8_t *all = g_malloc(size);

	g_assert_cmpint(block_file_read(tap->inner, 0, all, size), ==, 0);
	return memmem(all, size, bytes, len);
}

/* The guest's bytes are nowhere in the file, with and without the cluster's copy. */
static void test_hidden(void)
{
	static const char text[512] = "this must not be found";
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	char back[512];

	g_assert_true(image_write(lab->image, 70 * K, text, sizeof(text), NULL));
	g_assert_true(qcow2_snapshot_create(lab->image, "s", 0, NULL));
	g_assert_true(image_write(lab->image, 72 * K, text, sizeof(text), NULL));
	g_assert_true(image_flush(lab->image, NULL));
	g_assert_true(image_read(lab->image, 70 * K, back, sizeof(back), NULL));
	g_assert_cmpmem(back, sizeof(back), text, sizeof(text));
	g_assert_false(file_has(tap, text, 22));
	g_assert_true(lab_check(tap->inner, false, NULL));
}

/* Any offset and length can be read. */
static void test_pieces(void)
{
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);

	lab_do(lab, LAB_WRITE, 60 * K, 20 * K, 7);
	for (unsigned i = 0; i < 40; i++) {
		const uint64_t off = 60 * K + i * 37, len = 1 + i * 211;
		g_autofree uint8_t *back = g_malloc(len);

		g_assert_true(image_read(lab->image, off, back, len, NULL));
		g_assert_cmpmem(back, len, lab->model + off, len);
	}
}

static void refuse(struct tap *tap, unsigned flags, const struct image_keys *keys,
		   enum error_kind kind)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(image_open_file_keys("lab", &tap->base, "qcow2", flags, keys, &error));
	g_assert_error(error, SOCLE_ERROR, (int)kind);
}

static void test_keys(void)
{
	autoptr(tap) tap = tap_new();
	autoptr(tap) open = tap_new();
	struct lab_options other = plain;
	autoptr(secret) wrong = secret_new("w", "wrong", 5);
	const struct secret *secrets[] = { wrong, wrong };
	const struct image_keys keys = { .secrets = secrets, .count = 1 },
				two = { .secrets = secrets, .count = 2 };
	struct lab *lab = lab_make(&plain, tap);
	struct image *image;
	g_autoptr(GError) error = NULL;
	uint8_t buf[512] = { 0 };

	lab_do(lab, LAB_WRITE, 0, 4096, 1);
	lab_free(lab);
	refuse(tap, 0, NULL, SOCLE_ERROR_DENIED);
	refuse(tap, 0, &keys, SOCLE_ERROR_DENIED);
	refuse(tap, IMAGE_LOCKED, &keys, SOCLE_ERROR_DENIED);
	refuse(tap, IMAGE_BACKING, &two, SOCLE_ERROR_DENIED);

	/* Its metadata is everybody's. */
	image = image_open_file("lab", &tap->base, "qcow2", IMAGE_WRITE | IMAGE_LOCKED, &error);
	g_assert_no_error(error);
	g_assert_false(image_read(image, 0, buf, sizeof(buf), &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	g_assert_false(image_write(image, 0, buf, sizeof(buf), NULL));
	g_assert_true(qcow2_snapshot_create(image, "s", 0, NULL));
	g_assert_true(image_resize(image, 2 << 20, NULL));
	image_close(image);
	g_assert_true(lab_check(tap->inner, false, NULL));

	/* Who thinks that it is encrypted must learn that it is not, before it gets what is secret. */
	other.encrypted = false;
	lab_free(lab_make(&other, open));
	refuse(open, IMAGE_WRITE, &keys, SOCLE_ERROR_USAGE);
	image = image_open_file_keys("lab", &open->base, "qcow2", 0, &keys, NULL);
	g_assert_nonnull(image);
	image_close(image);
}

/* A hole in the file is not what a guest reads. */
static void test_preallocated(void)
{
	static const char *const kinds[] = { "metadata", "full" };

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(kinds); i++) {
		g_autoptr(GHashTable) words = g_hash_table_new(g_str_hash, g_str_equal);
		autoptr(tap) tap = tap_new();
		autoptr(secret) secret = secret_new("s", "x", 1);
		const struct secret *secrets[] = { secret };
		const struct image_keys keys = { .secrets = secrets, .count = 1 };
		const struct image_create what = {
			.path = "x", .size = 300 * K, .options = words, .secret = secret
		};
		static const uint8_t zero[2 * K];
		uint8_t buf[2 * K];
		GError *error = NULL;
		struct image *image;

#define PUT(name, value) \
	g_hash_table_insert(words, (void *)(uintptr_t)(name), (void *)(uintptr_t)(value))
		PUT("encrypt.format", "luks");
		PUT("encrypt.iter-time", "1");
		PUT("preallocation", kinds[i / 2]);
		PUT("compat", i % 2 ? "0.10" : "1.1");
#undef PUT
		image_qcow2_ops.create(&tap->base, &what, &error);
		g_assert_no_error(error);
		image = image_open_file_keys("x", &tap->base, "qcow2", IMAGE_WRITE, &keys, &error);
		g_assert_no_error(error);
		for (uint64_t off = 0; off < 300 * K; off += sizeof(buf)) {
			g_assert_true(
				image_read(image, off, buf, MIN(sizeof(buf), 300 * K - off), NULL));
			g_assert_cmpmem(buf, K, zero, K);
		}
		memset(buf, 1, sizeof(buf));
		g_assert_true(image_write(image, 100 * K, buf, sizeof(buf), NULL));
		g_assert_true(image_read(image, 99 * K, buf, sizeof(buf), NULL));
		g_assert_cmpmem(buf, K, zero, K);
		g_assert_cmpint(buf[K], ==, 1);
		image_close(image);
		g_assert_true(lab_check(tap->inner, false, NULL));
	}
}

/* ---- the old AES ---- */

/* An image as QEMU makes it: plain, with another number in its header, and the data encrypted. */
static struct tap *old_image(uint8_t *ret_data, size_t len, const uint8_t key[CRYPT_MAX_KEY])
{
	static const struct crypt_method method = { CRYPT_AES_128, CRYPT_CBC, CRYPT_PLAIN64, 0 };
	autoptr(crypt_cipher) cipher = crypt_cipher_new(&method, key, NULL);
	struct lab_options options = plain;
	struct tap *tap = tap_new();
	struct lab *lab;
	g_autofree uint8_t *bytes = g_malloc(len);
	uint8_t crypt[4];

	options.encrypted = false;
	lab = lab_make(&options, tap);
	for (size_t i = 0; i < len; i++)
		ret_data[i] = (uint8_t)(i >> 3);
	memcpy(bytes, ret_data, len);
	g_assert_cmpint(crypt_cipher_encrypt(cipher, 64 * K / 512, bytes, len), ==, 0);
	g_assert_true(image_write(lab->image, 64 * K, bytes, len, NULL));
	lab_free(lab);
	put_be32(crypt, QCOW2_CRYPT_AES);
	g_assert_cmpint(block_file_write(tap->inner, H_CRYPT, crypt, 4), ==, 0);
	return tap;
}

static void test_old(void)
{
	const uint8_t key[CRYPT_MAX_KEY] = "sixteen bytes or";
	static uint8_t data[8 * K], back[8 * K];
	autoptr(tap) tap = old_image(data, sizeof(data), key);
	autoptr(secret) secret = secret_new("s", "sixteen bytes or more", 21);
	const struct secret *secrets[] = { secret };
	const struct image_keys keys = { .secrets = secrets, .count = 1 };
	g_autoptr(GError) error = NULL;
	struct image *image = image_open_file_keys("x", &tap->base, "qcow2", 0, &keys, &error);

	g_assert_no_error(error);
	g_assert_true(image_read(image, 64 * K, back, sizeof(back), NULL));
	g_assert_cmpmem(back, sizeof(back), data, sizeof(data));
	g_assert_true(image_read(image, 64 * K + 100, back, 1000, NULL));
	g_assert_cmpmem(back, 1000, data + 100, 1000);
	image_close(image);
}

/* Sectors have the numbers that the guest knows, wherever in the file they are. */
static void test_old_written(void)
{
	static const struct crypt_method method = { CRYPT_AES_128, CRYPT_CBC, CRYPT_PLAIN64, 0 };
	static const uint8_t key[CRYPT_MAX_KEY] = "sixteen bytes or";
	static uint8_t data[8 * K], back[8 * K], plain_bytes[2 * K];
	autoptr(tap) tap = old_image(data, sizeof(data), key);
	autoptr(secret) secret = secret_new("s", key, 16);
	autoptr(crypt_cipher) cipher = crypt_cipher_new(&method, key, NULL);
	const struct secret *secrets[] = { secret };
	const struct image_keys keys = { .secrets = secrets, .count = 1 };
	struct image *image =
		image_open_file_keys("x", &tap->base, "qcow2", IMAGE_WRITE, &keys, NULL);
	uint64_t off;

	g_assert_nonnull(image);
	memset(plain_bytes, 7, sizeof(plain_bytes));
	/* In place, and then a copy of what a snapshot has. */
	g_assert_true(image_write(image, 65 * K, plain_bytes, 512, NULL));
	g_assert_true(qcow2_snapshot_create(image, "s", 0, NULL));
	g_assert_true(image_write(image, 66 * K, plain_bytes, sizeof(plain_bytes), NULL));
	g_assert_true(image_zero(image, 71 * K, 512, false, NULL));
	memset(data + K, 7, 512);
	memset(data + 2 * K, 7, sizeof(plain_bytes));
	memset(data + 7 * K, 0, 512);
	g_assert_true(image_read(image, 64 * K, back, sizeof(back), NULL));
	g_assert_cmpmem(back, sizeof(back), data, sizeof(data));
	image_close(image);
	g_assert_cmpint(crypt_cipher_encrypt(cipher, 66 * K / 512, plain_bytes, 512), ==, 0);
	for (off = 0; off < (uint64_t)block_file_size(tap->inner); off += 512) {
		g_assert_cmpint(block_file_read(tap->inner, off, back, 512), ==, 0);
		if (!memcmp(back, plain_bytes, 512))
			break;
	}
	g_assert_cmpint(off, <, block_file_size(tap->inner));
	g_assert_cmpint(off, !=, 66 * K);
	g_assert_true(lab_check(tap->inner, false, NULL));
}

/* ---- others ---- */

/* Compressed clusters are not encrypted, and nobody here makes any. */
static void test_packed(void)
{
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	g_autofree uint8_t *zeroes = g_malloc0(64 * K), *out = g_malloc(64 * K);
	struct lab_options options = plain;
	autoptr(tap) other = tap_new();
	struct lab *from;
	ssize_t len;

	options.encrypted = false;
	from = lab_make(&options, other);
	len = image_qcow2_ops.pack(from->image, zeroes, out);
	lab_free(from);
	g_assert_cmpint(len, >, 0);
	g_assert_cmpint(image_qcow2_ops.pack(lab->image, zeroes, out), ==, 0);
	g_assert_false(image_qcow2_ops.write_packed(lab->image, 0, out, (size_t)len, NULL));
}

/* The short way of disks would show them what is in the file. */
static void test_no_short_way(void)
{
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	struct image_extent extent;
	struct qcow2_direct direct;

	lab_do(lab, LAB_WRITE, 0, 64 * K, 1);
	g_assert_false(qcow2_direct_begin(lab->image, 0, 4096, false, &direct));
	g_assert_false(qcow2_direct_begin(lab->image, 0, 4096, true, &direct));
	g_assert_true(image_map(lab->image, 0, 64 * K, &extent, NULL));
	g_assert_cmpint(extent.kind, ==, IMAGE_DATA);
	g_assert_false(extent.has_host_off);
}

struct reader {
	struct lab *lab;
	struct thread *thread;
	unsigned seed;
};

static void read_all(void *opaque)
{
	const struct reader *reader = opaque;
	uint8_t buf[2048];

	for (unsigned i = 0; i < ROUNDS; i++) {
		const uint64_t off = (reader->seed + i) * 7919 % (1024 * K - sizeof(buf));

		g_assert_true(image_read(reader->lab->image, off, buf, sizeof(buf), NULL));
		g_assert_cmpmem(buf, sizeof(buf), reader->lab->model + off, sizeof(buf));
	}
}

static void test_threads(void)
{
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_make(&plain, tap);
	struct reader readers[THREADS];

	lab_do(lab, LAB_WRITE, 0, 1024 * K, 1);
	for (unsigned i = 0; i < THREADS; i++) {
		readers[i] = (struct reader){ .lab = lab, .seed = i * 1000 };
		readers[i].thread = thread_start("reader", read_all, &readers[i], NULL);
		g_assert_nonnull(readers[i].thread);
	}
	for (unsigned i = 0; i < THREADS; i++)
		thread_join(readers[i].thread);
}

/* A header that lies breaks no check, and is told by whoever wants the data. */
static void test_broken_header(void)
{
	autoptr(tap) tap = tap_new();
	struct lab *lab = lab_make(&plain, tap);
	const uint64_t at = qcow2_get_header(lab->image)->luks_off;
	struct image *image;

	lab_free(lab);
	g_assert_cmpint(block_file_write(tap->inner, at, "NONE", 4), ==, 0);
	refuse(tap, 0, lab_keys(&plain), SOCLE_ERROR_CORRUPT);
	refuse(tap, IMAGE_LOCKED, NULL, SOCLE_ERROR_CORRUPT);
	g_assert_true(lab_check(tap->inner, false, NULL));
	image = image_open_file("x", &tap->base, "qcow2", IMAGE_CHECK | IMAGE_LOCKED, NULL);
	g_assert_nonnull(image);
	g_assert_true(image->encrypted);
	g_assert_null(qcow2_get_luks(image));
	image_close(image);
}

int main(int argc, char **argv)
{
	qcow2_test_checks = true;
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/qcow2/crypt/hidden", test_hidden);
	g_test_add_func("/block/qcow2/crypt/pieces", test_pieces);
	g_test_add_func("/block/qcow2/crypt/keys", test_keys);
	g_test_add_func("/block/qcow2/crypt/preallocated", test_preallocated);
	g_test_add_func("/block/qcow2/crypt/old", test_old);
	g_test_add_func("/block/qcow2/crypt/old-written", test_old_written);
	g_test_add_func("/block/qcow2/crypt/packed", test_packed);
	g_test_add_func("/block/qcow2/crypt/no-short-way", test_no_short_way);
	g_test_add_func("/block/qcow2/crypt/threads", test_threads);
	g_test_add_func("/block/qcow2/crypt/broken-header", test_broken_header);
	return g_test_run();
}
