/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-copy.c - what images have goes into another one, by any number of threads
 */
#include "img/copy.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"

enum {
	SIZE = 6 << 20
};

/* Data, holes of many lengths, and zeroes that are written. */
static uint8_t *contents_new(void)
{
	uint8_t *bytes = g_malloc0(SIZE);
	GRand *rand = g_rand_new_with_seed(7);

	for (unsigned i = 0; i < 40; i++) {
		size_t off = (size_t)g_rand_int_range(rand, 0, SIZE - 70000) & ~(size_t)511;
		size_t len = (size_t)g_rand_int_range(rand, 1, 70000);

		memset(bytes + off, g_rand_int_range(rand, 0, 4), len);
	}
	g_rand_free(rand);
	return bytes;
}

static struct image *target_new(const char *format, GHashTable *options)
{
	struct block_file *file = block_file_scratch(64 << 20);
	struct image_create what = { .path = "scratch", .size = SIZE, .options = options };
	GError *error = NULL;
	struct image *image;

	image_format_find(format, &error)->create(file, &what, &error);
	g_assert_no_error(error);
	image = image_open_file("scratch", file, format, IMAGE_WRITE, &error);
	g_assert_no_error(error);
	return image;
}

static void copy_and_compare(const char *format, const struct copy *how)
{
	g_autofree uint8_t *bytes = contents_new();
	g_autofree uint8_t *read = g_malloc(SIZE);
	autoptr(image) a = NULL;
	autoptr(image) b = NULL;
	autoptr(image) target = target_new(format, NULL);
	const size_t cut = (3 << 20) + 512; /* of the two sources */
	struct copy copy = *how;
	GError *error = NULL;

	a = image_open_file("a", block_file_memory(bytes, cut), "raw", 0, &error);
	b = image_open_file("b", block_file_memory(bytes + cut, SIZE - cut), "raw", 0, &error);
	copy.sources[0] = a;
	copy.sources[1] = b;
	copy.count = 2;
	copy.len = SIZE;
	copy.target = target;
	copy_run(&copy, &error);
	g_assert_no_error(error);
	g_assert_true(image_read(target, 0, read, SIZE, &error));
	g_assert_true(!memcmp(bytes, read, SIZE));
}

static void test_formats(void)
{
	static const char *const formats[] = { "raw", "qcow2", "vdi" };

	for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
		for (unsigned threads = 1; threads <= COPY_MAX_THREADS; threads *= 4) {
			struct copy copy = { .threads = threads, .sparse = 4096 };

			copy.target_is_zero = threads > 1;
			copy_and_compare(formats[i], &copy);
			copy.sparse = threads > 4 ? 0 : 512;
			copy_and_compare(formats[i], &copy);
		}
	}
}

static void test_packed(void)
{
	for (unsigned threads = 1; threads <= COPY_MAX_THREADS; threads *= 2) {
		const struct copy copy = {
			.threads = threads, .sparse = 4096, .compress = true, .target_is_zero = true
		};

		copy_and_compare("qcow2", &copy);
	}
}

/* A source that cannot be read here and there: reads of it fail, whoever makes them. */
static ssize_t broken_read(struct block_file *file, uint64_t off, void *buf, size_t len)
{
	(void)file;
	if (off <= SIZE / 2 && off + len > SIZE / 2)
		return -EIO;
	memset(buf, 5, len);
	return (ssize_t)len;
}

static int64_t broken_size(struct block_file *file)
{
	(void)file;
	return SIZE;
}

static int broken_extent(struct block_file *file, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	(void)file;
	*ret_len = SIZE - off;
	*ret_data = true;
	return 0;
}

static void broken_close(struct block_file *file)
{
	(void)file;
}

static const struct block_file_ops broken_ops = {
	.read = broken_read,
	.size = broken_size,
	.extent = broken_extent,
	.close = broken_close,
};

static void test_unreadable(void)
{
	struct block_file file = { .ops = &broken_ops };
	g_autofree uint8_t *read = g_malloc(SIZE);
	autoptr(image) source = image_open_file("broken", &file, "raw", 0, NULL);

	for (unsigned threads = 1; threads <= 8; threads *= 2) {
		g_autoptr(GError) error = NULL;
		autoptr(image) target = target_new("raw", NULL);
		struct copy copy = { .sources = { source },
				     .count = 1,
				     .len = SIZE,
				     .target = target,
				     .threads = threads,
				     .sparse = 4096 };

		g_assert_false(copy_run(&copy, &error));
		g_assert_cmpstr(error->message, ==,
				"cannot read image 'broken': Input/output error");
		copy.salvage = true;
		g_assert_true(copy_run(&copy, NULL));
		g_assert_true(image_read(target, 0, read, SIZE, NULL));
		for (size_t i = 0; i < SIZE; i++)
			g_assert_cmpuint(read[i], ==, i / 512 == SIZE / 2 / 512 ? 0 : 5);
	}
}

/* A target that becomes full. */
static void test_full(void)
{
	g_autofree uint8_t *bytes = g_malloc(SIZE);
	autoptr(image) source = NULL;

	memset(bytes, 9, SIZE);
	source = image_open_file("source", block_file_memory(bytes, SIZE), "raw", 0, NULL);
	for (unsigned threads = 1; threads <= 8; threads *= 2) {
		g_autoptr(GError) error = NULL;
		struct block_file *file = block_file_scratch(3 << 20);
		const struct image_create what = { .path = "small", .size = SIZE };
		autoptr(image) target = NULL;
		struct copy copy = { .sources = { source },
				     .count = 1,
				     .len = SIZE,
				     .threads = threads,
				     .sparse = 4096 };

		g_assert_true(image_format_find("qcow2", NULL)->create(file, &what, NULL));
		target = image_open_file("small", file, "qcow2", IMAGE_WRITE, NULL);
		copy.target = target;
		g_assert_false(copy_run(&copy, &error));
		g_assert_nonnull(strstr(error->message, "No space left"));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/img/copy/formats", test_formats);
	g_test_add_func("/img/copy/packed", test_packed);
	g_test_add_func("/img/copy/unreadable", test_unreadable);
	g_test_add_func("/img/copy/full", test_full);
	return g_test_run();
}
