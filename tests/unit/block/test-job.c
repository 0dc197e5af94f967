/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-job.c - jobs on images that are written to meanwhile
 */
#include "block/job.h"

#include <string.h>

enum {
	SIZE = 4 << 20,
	SECTOR = 512,
};

static struct image *scratch(void)
{
	struct block_file *file = block_file_scratch(2 * SIZE);
	GError *error = NULL;
	struct image *image;

	g_assert_cmpint(block_file_resize(file, SIZE), ==, 0);
	image = image_open_file("scratch", file, "raw", IMAGE_WRITE, &error);
	g_assert_no_error(error);
	return image;
}

/* A write as a guest makes it, while @job is under way. */
static void change(struct image *image, struct image_job *job)
{
	static uint8_t buf[64 * SECTOR];
	uint64_t off = (uint64_t)g_test_rand_int_range(0, SIZE / SECTOR - 64) * SECTOR;
	uint64_t len = (uint64_t)g_test_rand_int_range(1, 64) * SECTOR;
	GError *error = NULL;

	memset(buf, g_test_rand_int_range(0, 256), len);
	if (g_test_rand_bit())
		image_write(image, off, buf, len, &error);
	else
		image_zero(image, off, len, true, &error);
	g_assert_no_error(error);
	g_assert_true(image_job_written(job, off, len, &error));
}

static void same(struct image *a, struct image *b, bool same)
{
	g_autofree uint8_t *x = g_malloc(SIZE), *y = g_malloc(SIZE);

	g_assert_true(image_read(a, 0, x, SIZE, NULL));
	g_assert_true(image_read(b, 0, y, SIZE, NULL));
	g_assert_true((memcmp(x, y, SIZE) == 0) == same);
}

static void test_mirror(void)
{
	struct image *source = scratch(), *target = scratch();
	struct image_job *job = image_job_mirror(source, target, IMAGE_JOB_FULL);
	struct image_job_progress progress = { .ready = false };
	uint64_t last = 0;
	GError *error = NULL;

	for (unsigned i = 0; i < 50; i++)
		change(source, job);
	/* What the target had before goes. */
	g_assert_true(image_write(target, 12 * SECTOR, "x", 0, NULL));
	while (!progress.ready) {
		g_assert_true(image_job_step(job, &progress, &error));
		g_assert_cmpuint(progress.done, >, last);
		g_assert_cmpuint(progress.done, <=, progress.total);
		last = progress.done;
		change(source, job);
	}
	same(source, target, true);
	/* It stays a copy. */
	for (unsigned i = 0; i < 50; i++)
		change(source, job);
	g_assert_true(image_job_step(job, &progress, &error));
	g_assert_true(progress.ready);
	same(source, target, true);
	image_job_free(job);
	image_close(source);
	image_close(target);
}

static void test_from_now_on(void)
{
	struct image *source = scratch(), *target = scratch();
	struct image_job *job = image_job_mirror(source, target, IMAGE_JOB_NONE);
	static uint8_t buf[SECTOR] = { 1 }, back[SECTOR];
	struct image_job_progress progress;

	g_assert_true(image_write(source, 0, buf, SECTOR, NULL));
	g_assert_true(image_job_step(job, &progress, NULL));
	g_assert_true(progress.ready);
	g_assert_true(image_write(source, SECTOR, buf, SECTOR, NULL));
	g_assert_true(image_job_written(job, SECTOR, SECTOR, NULL));
	g_assert_true(image_read(target, 0, back, SECTOR, NULL));
	g_assert_cmpuint(back[0], ==, 0);
	g_assert_true(image_read(target, SECTOR, back, SECTOR, NULL));
	g_assert_cmpuint(back[0], ==, 1);
	image_job_free(job);
	image_close(source);
	image_close(target);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/job/mirror", test_mirror);
	g_test_add_func("/block/job/from-now-on", test_from_now_on);
	return g_test_run();
}
