/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-image-names.c - images that are no plain files: LUKS, one within another, none at all; and
 * what the user says of the images of a chain
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "block/format/format.h"
#include "block/image.h"

enum {
	K = 1024,
	SIZE = 256 * K,
	LIMIT = 16 << 20,
};

/* ---- LUKS ---- */

static struct block_file *make_luks(const struct secret *secret)
{
	g_autoptr(GHashTable) words = g_hash_table_new(g_str_hash, g_str_equal);
	const struct image_create what = {
		.path = "x", .size = SIZE, .options = words, .secret = secret
	};
	struct block_file *file = block_file_scratch(LIMIT);
	g_autoptr(GError) error = NULL;

	g_hash_table_insert(words, (void *)(uintptr_t) "iter-time", (void *)(uintptr_t) "1");
	luks_image_ops.create(file, &what, &error);
	g_assert_no_error(error);
	return file;
}

static struct image *open_luks(struct block_file *file, const struct secret *secret, unsigned flags)
{
	const struct secret *secrets[] = { secret };
	const struct image_keys keys = { .secrets = secrets, .count = 1 };
	g_autoptr(GError) error = NULL;
	struct image *image = image_open_file_keys("x", file, "luks", flags, &keys, &error);

	g_assert_no_error(error);
	return image;
}

static void test_luks(void)
{
	autoptr(secret) secret = secret_new("s", "hush", 4);
	struct block_file *file = make_luks(secret);
	g_autofree uint8_t *model = g_malloc0(SIZE), *back = g_malloc(SIZE);
	struct image *image;
	struct image_extent extent;

	g_assert_true(image_probe("x", file, NULL) == &luks_image_ops);
	image = open_luks(file, secret, IMAGE_WRITE);
	g_assert_cmpint(image->size, ==, SIZE);
	g_assert_true(image->encrypted);
	/* It begins as noise. */
	g_assert_true(image_zero(image, 0, SIZE, true, NULL));
	memset(model + 3 * K, 5, 9 * K);
	g_assert_true(image_write(image, 3 * K, model + 3 * K, 9 * K, NULL));
	memset(model + 4 * K, 0, 512);
	g_assert_true(image_zero(image, 4 * K, 512, false, NULL));
	g_assert_true(image_flush(image, NULL));
	for (unsigned i = 0; i < 50; i++) {
		const uint64_t off = i * 331, len = 1 + i * 97;

		g_assert_true(image_read(image, off, back, len, NULL));
		g_assert_cmpmem(back, len, model + off, len);
	}
	g_assert_true(image_map(image, 0, SIZE, &extent, NULL));
	g_assert_cmpint(extent.kind, ==, IMAGE_DATA);
	g_assert_cmpint(extent.len, ==, SIZE);
	g_assert_false(extent.has_host_off);
	g_assert_true(image_resize(image, 2 * SIZE, NULL));
	g_assert_cmpint(image->size, ==, 2 * SIZE);
	image_close(image);
}

static void test_luks_refused(void)
{
	autoptr(secret) secret = secret_new("s", "hush", 4);
	autoptr(secret) wrong = secret_new("w", "x", 1);
	const struct secret *secrets[] = { wrong };
	const struct image_keys keys = { .secrets = secrets, .count = 1 };
	const struct image_create plain = { .path = "x", .size = SIZE };
	autoptr(block_file) other = block_file_scratch(LIMIT);
	g_autoptr(GError) error = NULL;
	uint8_t buf[512];
	struct image *image;

	g_assert_false(luks_image_ops.create(other, &plain, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	g_clear_error(&error);
	g_assert_null(image_open_file("x", make_luks(secret), "luks", 0, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	g_clear_error(&error);
	g_assert_null(image_open_file_keys("x", make_luks(secret), "luks", 0, &keys, &error));
	g_assert_cmpstr(error->message, ==, "Invalid password, cannot unlock any keyslot");
	g_clear_error(&error);

	/* Its size is everybody's, and nothing else. */
	image = image_open_file("x", make_luks(secret), "luks", IMAGE_LOCKED | IMAGE_WRITE, NULL);
	g_assert_cmpint(image->size, ==, SIZE);
	g_assert_false(image_read(image, 0, buf, sizeof(buf), NULL));
	g_assert_false(image_write(image, 0, buf, sizeof(buf), NULL));
	image_close(image);
}

static void test_luks_cut(void)
{
	autoptr(secret) secret = secret_new("s", "hush", 4);
	struct block_file *file = make_luks(secret);
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(block_file_resize(file, (uint64_t)block_file_size(file) - SIZE - 1), ==, 0);
	g_assert_null(image_open_file("x", file, "luks", IMAGE_LOCKED, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	g_assert_nonnull(strstr(error->message, "cut off"));
}

/* ---- nothing, and nesting ---- */

static void test_null(void)
{
	struct image *image = image_null_new(SIZE, true, IMAGE_WRITE);
	uint8_t buf[1000];
	struct image_extent extent;

	memset(buf, 1, sizeof(buf));
	g_assert_true(image_write(image, 0, buf, 512, NULL));
	g_assert_true(image_read(image, 1, buf, sizeof(buf), NULL));
	g_assert_cmpint(buf[0] | buf[999], ==, 0);
	g_assert_false(image_read(image, SIZE, buf, 1, NULL));
	g_assert_true(image_map(image, 0, SIZE, &extent, NULL));
	g_assert_cmpint(extent.kind, ==, IMAGE_ZERO);
	image_close(image);
	image = image_null_new(SIZE, false, 0);
	g_assert_true(image_map(image, 0, SIZE, &extent, NULL));
	g_assert_cmpint(extent.kind, ==, IMAGE_DATA);
	g_assert_false(image_write(image, 0, buf, 512, NULL));
	image_close(image);
}

static struct image *make_qcow2(struct block_file *file, uint64_t size)
{
	const struct image_create what = { .path = "x", .size = size };
	g_autoptr(GError) error = NULL;
	struct image *image;

	image_format_find("qcow2", NULL)->create(file, &what, &error);
	g_assert_no_error(error);
	image = image_open_file("x", file, "qcow2", IMAGE_WRITE, &error);
	g_assert_no_error(error);
	return image;
}

static void test_within(void)
{
	struct image *outer = make_qcow2(block_file_scratch(LIMIT), 4 << 20);
	struct block_file *file = image_as_file(outer);
	g_autofree uint8_t *model = g_malloc0(SIZE), *back = g_malloc(SIZE);
	uint64_t len;
	bool data;

	g_assert_cmpint(block_file_size(file), ==, 4 << 20);
	for (unsigned i = 0; i < 40; i++) {
		const uint64_t off = i * 2311 % (SIZE - 8 * K), n = 1 + i * 167;

		memset(model + off, (int)i + 1, n);
		g_assert_cmpint(block_file_write(file, off, model + off, n), ==, 0);
	}
	g_assert_cmpint(block_file_zero(file, 8 * K, 4 * K), ==, 0);
	memset(model + 8 * K, 0, 4 * K);
	g_assert_cmpint(block_file_zero(file, 100, 33), ==, 0);
	memset(model + 100, 0, 33);
	g_assert_cmpint(block_file_read(file, 0, back, SIZE), ==, 0);
	g_assert_cmpmem(back, SIZE, model, SIZE);
	g_assert_cmpint(block_file_write(file, (4 << 20) - 1, model, 2), ==, -ENOSPC);
	g_assert_cmpint(block_file_resize(file, 8 << 20), ==, -ENOTSUP);
	g_assert_cmpint(block_file_extent(file, 1 << 20, &len, &data), ==, 0);
	g_assert_false(data);
	g_assert_cmpint(block_file_sync(file), ==, 0);
	block_file_close(file);
}

/* ---- chains ---- */

static void make_file(const char *name, const char *behind, const char *format, uint8_t fill)
{
	const struct image_create what = {
		.path = name, .size = SIZE, .backing_file = behind, .backing_format = format
	};
	uint8_t buf[512];
	autoptr(image) image = NULL;

	g_assert_true(image_create("qcow2", &what, NULL));
	image = image_open(name, "qcow2", IMAGE_WRITE, NULL);
	g_assert_nonnull(image);
	memset(buf, fill, sizeof(buf));
	g_assert_true(!fill || image_write(image, 0, buf, sizeof(buf), NULL));
	g_assert_true(image_flush(image, NULL));
}

/* What the user says of an image behind counts more than what the one in front says. */
static void test_chain(void)
{
	g_autofree char *folder = g_dir_make_tmp("names-XXXXXX", NULL);
	g_autofree char *front = g_build_filename(folder, "front", NULL);
	g_autofree char *one = g_build_filename(folder, "one", NULL);
	g_autofree char *two = g_build_filename(folder, "two", NULL);
	const char *paths[] = { NULL, two }, *formats[] = { NULL, "qcow2" };
	const struct image_keys keys = { .paths = paths, .formats = formats, .named = 2 };
	const struct image_keys format = { .paths = formats + 0, .formats = formats, .named = 1 };
	g_autoptr(GError) error = NULL;
	struct image *image;
	uint8_t byte;

	make_file(one, NULL, NULL, 1);
	make_file(two, NULL, NULL, 2);
	make_file(front, "one", "foo", 0);
	g_assert_null(image_open_keys(front, "qcow2", IMAGE_BACKING, &format, &error));
	g_assert_true(g_str_has_prefix(error->message, "Could not open backing file: "));
	g_clear_error(&error);
	image = image_open_keys(front, "qcow2", IMAGE_BACKING, &keys, &error);
	g_assert_no_error(error);
	g_assert_true(image_read(image, 0, &byte, 1, NULL));
	g_assert_cmpint(byte, ==, 2);
	image_close(image);
	g_assert_cmpint(g_unlink(front) | g_unlink(one) | g_unlink(two) | g_rmdir(folder), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/names/luks", test_luks);
	g_test_add_func("/block/names/luks-refused", test_luks_refused);
	g_test_add_func("/block/names/luks-cut", test_luks_cut);
	g_test_add_func("/block/names/null", test_null);
	g_test_add_func("/block/names/within", test_within);
	g_test_add_func("/block/names/chain", test_chain);
	return g_test_run();
}
