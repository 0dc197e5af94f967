/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-image.c - images call by call: raw ones, and the checks in front of all
 */
#include "block/image.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"

enum {
	SIZE = 1 << 20
};

static char *folder_new(void)
{
	char *folder = g_dir_make_tmp("socle-image-XXXXXX", NULL);

	g_assert_nonnull(folder);
	return folder;
}

/* A raw image of SIZE bytes in a folder of its own. */
static char *raw_new(const char *folder, const char *preallocation)
{
	char *path = g_build_filename(folder, "disk", NULL);
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	struct image_create what = { .path = path, .size = SIZE, .options = options };
	GError *error = NULL;

	if (preallocation)
		g_hash_table_insert(options, (char *)(uintptr_t) "preallocation",
				    (char *)(uintptr_t)preallocation);
	image_create("raw", &what, &error);
	g_assert_no_error(error);
	return path;
}

static void folder_remove(char *folder, char *path)
{
	g_unlink(path);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
	g_free(path);
	g_free(folder);
}

static void test_raw(void)
{
	char *folder = folder_new(), *path = raw_new(folder, NULL);
	GError *error = NULL;
	struct image *image = image_open(path, "raw", IMAGE_WRITE, &error);
	static uint8_t buf[4096], back[4096];
	struct image_extent extent;

	g_assert_no_error(error);
	g_assert_cmpuint(image->size, ==, SIZE);
	memset(buf, 7, sizeof(buf));
	g_assert_true(image_write(image, 65536, buf, sizeof(buf), &error));
	g_assert_true(image_read(image, 65536, back, sizeof(back), &error));
	g_assert_cmpmem(buf, sizeof(buf), back, sizeof(back));
	/* Not a whole sector can be read, too. */
	g_assert_true(image_read(image, 65535, back, 2, &error));
	g_assert_cmpuint(back[0], ==, 0);
	g_assert_cmpuint(back[1], ==, 7);

	g_assert_true(image_map_chain(image, 65536, SIZE - 65536, &extent, &error));
	g_assert_cmpint(extent.kind, ==, IMAGE_DATA);
	g_assert_true(extent.has_host_off);
	g_assert_cmpuint(extent.host_off, ==, 65536);
	g_assert_cmpstr(extent.file, ==, path);

	g_assert_true(image_zero(image, 65536, 4096, true, &error));
	g_assert_true(image_read(image, 65536, back, sizeof(back), &error));
	for (unsigned i = 0; i < sizeof(back); i++)
		g_assert_cmpuint(back[i], ==, 0);
	g_assert_true(image_resize(image, 2 * SIZE, &error));
	g_assert_true(image_write(image, 2 * SIZE - 4096, buf, 4096, &error));
	g_assert_true(image_flush(image, &error));
	g_assert_no_error(error);
	image_close(image);
	folder_remove(folder, path);
}

static void test_ranges(void)
{
	char *folder = folder_new(), *path = raw_new(folder, NULL);
	struct image *image = image_open(path, "raw", IMAGE_WRITE, NULL);
	uint8_t buf[1024] = { 0 };
	struct image_extent extent;
	GError *error = NULL;

	g_assert_false(image_read(image, SIZE - 512, buf, 1024, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	g_clear_error(&error);
	g_assert_false(image_read(image, UINT64_MAX - 511, buf, 1024, NULL));
	g_assert_false(image_write(image, SIZE, buf, 512, NULL));
	g_assert_false(image_write(image, 1, buf, 512, NULL));
	g_assert_false(image_zero(image, 512, SIZE, true, NULL));
	g_assert_false(image_discard(image, 512, UINT64_MAX - 511, NULL));
	g_assert_false(image_map(image, SIZE, 512, &extent, NULL));
	g_assert_false(image_resize(image, 1, NULL));
	image_close(image);

	image = image_open(path, NULL, 0, &error);
	g_assert_no_error(error);
	g_assert_false(image_write(image, 0, buf, 512, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	g_clear_error(&error);
	image_close(image);
	folder_remove(folder, path);
}

static void test_refusals(void)
{
	static const char *const names[] = { "json:{\"driver\":\"raw\"}", "nbd://host/disk" };
	char *folder = folder_new(), *path = raw_new(folder, NULL);
	struct image_create what = { .path = path, .size = SIZE };
	GError *error = NULL;

	g_assert_null(image_open(path, NULL, IMAGE_WRITE, &error));
	g_assert_nonnull(strstr(error->message, "not guessed"));
	g_clear_error(&error);
	g_assert_null(image_open(path, "qed", 0, &error));
	g_assert_nonnull(strstr(error->message, "there is no image format 'qed'; those there are"));
	g_clear_error(&error);
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_assert_null(image_open(names[i], "raw", 0, &error));
		g_assert_nonnull(strstr(error->message, "is no file"));
		g_clear_error(&error);
	}
	/* What is there is not overwritten, and not removed. */
	g_assert_false(image_create("raw", &what, &error));
	g_assert_error(error, SYS_ERROR, EEXIST);
	g_clear_error(&error);
	g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
	folder_remove(folder, path);
}

/* Nothing is left of an image that could not be created. */
static void test_create_fails(void)
{
	char *folder = folder_new(), *path = g_build_filename(folder, "disk", NULL);
	struct image_create what = { .path = path, .size = SIZE };

	for (unsigned n = 1;; n++) {
		bool ok;

		sys_fail_nth(SYS_FTRUNCATE, n, ENOSPC);
		ok = image_create("raw", &what, NULL);
		if (sys_fail_pending(SYS_FTRUNCATE)) {
			sys_fail_nth(SYS_FTRUNCATE, 0, 0);
			g_assert_true(ok);
			break;
		}
		g_assert_false(ok);
		g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
	}
	folder_remove(folder, path);
}

static void test_preallocation(void)
{
	static const char *const ways[] = { "off", "falloc", "full" };

	for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
		char *folder = folder_new(), *path = raw_new(folder, ways[i]);
		struct image *image = image_open(path, "raw", 0, NULL);

		g_assert_cmpuint(image->size, ==, SIZE);
		g_assert_true((block_file_allocated(image->file) >= SIZE) == (i > 0));
		image_close(image);
		folder_remove(folder, path);
	}
}

static void test_resolve(void)
{
	static const struct {
		const char *path, *name, *result;
	} cases[] = {
		{ "disk", "base", "base" },           { "/a/disk", "base", "/a/base" },
		{ "a/disk", "../base", "a/../base" }, { "a/disk", "/base", "/base" },
		{ "/disk", "base", "/base" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *result = image_resolve(cases[i].path, cases[i].name);

		g_assert_cmpstr(result, ==, cases[i].result);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/image/raw", test_raw);
	g_test_add_func("/block/image/ranges", test_ranges);
	g_test_add_func("/block/image/refusals", test_refusals);
	g_test_add_func("/block/image/create-fails", test_create_fails);
	g_test_add_func("/block/image/preallocation", test_preallocation);
	g_test_add_func("/block/image/resolve", test_resolve);
	return g_test_run();
}
