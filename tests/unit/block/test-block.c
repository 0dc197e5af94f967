/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-block.c - formats, the checks in front of requests, and the null image
 */
#include "block/block.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "image.h"

enum {
	SIZE = 1 << 20
};

struct null_image {
	struct io_loop *loop;
	struct block *block;
	struct block_queue *queue;
};

static struct null_image null_image_open(struct block_open options)
{
	GError *error = NULL;
	struct null_image image = { .loop = image_loop(IO_LOOP_THREADS) };

	options.format = "null";
	options.node_name = "disk0";
	options.null_size = SIZE;
	image.block = block_open(&options, &error);
	g_assert_no_error(error);
	image.queue = block_queue_new(image.block, image.loop, &error);
	g_assert_no_error(error);
	g_assert_true(block_queue_block(image.queue) == image.block);
	return image;
}

static void null_image_close(struct null_image *image)
{
	block_queue_free(image->queue);
	block_close(image->block);
	io_loop_free(image->loop);
}

static int ask(struct null_image *image, enum block_op op, uint64_t off, uint64_t len)
{
	static char buf[4096];
	const struct iovec iov = { buf, sizeof(buf) };
	struct shot shot = {
		.req = { .op = op, .off = off, .len = len, .iov = &iov, .iov_count = 1 }
	};

	return shot_run(image->loop, image->queue, &shot);
}

static void test_checks(void)
{
	struct null_image image = null_image_open((struct block_open){ 0 });

	for (enum block_op op = BLOCK_READ; op < BLOCK_OP_COUNT; op++) {
		if (op == BLOCK_FLUSH)
			continue;
		g_assert_cmpint(ask(&image, op, 0, 4096), ==, 0);
		g_assert_cmpint(ask(&image, op, SIZE - 4096, 4096), ==, 0);
		/* Nothing at all, up to the very end. */
		g_assert_cmpint(ask(&image, op, 0, 0), ==, 0);
		g_assert_cmpint(ask(&image, op, SIZE, 0), ==, 0);
		/* Alignment. */
		g_assert_cmpint(ask(&image, op, 1, 512), ==, -EINVAL);
		g_assert_cmpint(ask(&image, op, 512, 511), ==, -EINVAL);
		g_assert_cmpint(ask(&image, op, 256, 0), ==, -EINVAL);
		/* Range, also where sums overflow. */
		g_assert_cmpint(ask(&image, op, SIZE - 512, 1024), ==, -EINVAL);
		g_assert_cmpint(ask(&image, op, SIZE, 512), ==, -EINVAL);
		g_assert_cmpint(ask(&image, op, SIZE + 512, 0), ==, -EINVAL);
		g_assert_cmpint(ask(&image, op, 512, UINT64_MAX - 511), ==, -EINVAL);
		g_assert_cmpint(ask(&image, op, UINT64_MAX - 511, 512), ==, -EINVAL);
		g_assert_cmpint(ask(&image, op, UINT64_MAX - 511, 1024), ==, -EINVAL);
	}
	g_assert_cmpint(ask(&image, BLOCK_FLUSH, 77, UINT64_MAX), ==, 0);
	g_assert_cmpint(ask(&image, BLOCK_OP_COUNT, 0, 512), ==, -EINVAL);
	g_assert_cmpint(ask(&image, (enum block_op) - 1, 0, 512), ==, -EINVAL);
	null_image_close(&image);
}

static void test_read_only(void)
{
	struct null_image image = null_image_open((struct block_open){ .read_only = true });
	GError *error = NULL;

	g_assert_cmpint(ask(&image, BLOCK_READ, 0, 512), ==, 0);
	g_assert_cmpint(ask(&image, BLOCK_FLUSH, 0, 0), ==, 0);
	g_assert_cmpint(ask(&image, BLOCK_WRITE, 0, 512), ==, -EROFS);
	g_assert_cmpint(ask(&image, BLOCK_WRITE, 0, 0), ==, -EROFS);
	g_assert_cmpint(ask(&image, BLOCK_DISCARD, 0, 512), ==, -EROFS);
	g_assert_cmpint(ask(&image, BLOCK_WRITE_ZEROES, 0, 512), ==, -EROFS);
	g_assert_false(block_resize(image.block, 512, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	g_clear_error(&error);
	null_image_close(&image);
}

static void test_null(void)
{
	struct null_image image = null_image_open((struct block_open){ 0 });
	char buf[1024];
	const struct iovec iov[] = { { buf, 24 }, { buf + 24, 488 } };
	static struct shot shots[40];
	struct block_info info;
	GError *error = NULL;

	g_assert_cmpstr(block_format(image.block), ==, "null");
	g_assert_cmpstr(block_node_name(image.block), ==, "disk0");
	g_assert_cmpstr(block_path(image.block), ==, "");
	g_assert_cmpuint(block_allocated(image.block), ==, 0);

	/* Zeroes, into the buffers and nowhere else; many in one round, in order. */
	memset(buf, 'x', sizeof(buf));
	for (size_t i = 0; i < ARRAY_SIZE(shots); i++) {
		shots[i] = (struct shot){
			.req = { .op = BLOCK_READ, .len = 512, .iov = iov, .iov_count = 2 }
		};
		shot_submit(image.queue, &shots[i]);
	}
	g_assert_true(io_loop_run(image.loop, false));
	for (size_t i = 0; i < ARRAY_SIZE(shots); i++) {
		g_assert_cmpuint(shots[i].told, ==, 1);
		g_assert_cmpint(shots[i].result, ==, 0);
	}
	for (size_t i = 0; i < sizeof(buf); i++)
		g_assert_cmpint(buf[i], ==, i < 512 ? 0 : 'x');

	g_assert_true(block_resize(image.block, 4096, &error));
	block_info(image.block, &info);
	g_assert_cmpuint(info.size, ==, 4096);
	g_assert_cmpint(ask(&image, BLOCK_WRITE, 4096, 512), ==, -EINVAL);
	g_assert_false(block_resize(image.block, 4097, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	g_clear_error(&error);
	null_image_close(&image);
}

static void test_formats(void)
{
	GError *error = NULL;

	g_assert_null(block_open(&(struct block_open){ .path = "x", .format = "qcow9" }, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	g_assert_nonnull(strstr(error->message, "qcow9"));
	g_assert_nonnull(strstr(error->message, "raw"));
	g_clear_error(&error);
	g_assert_null(block_open(&(struct block_open){ .format = "raw" }, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	g_clear_error(&error);
	g_assert_null(block_open(&(struct block_open){ .format = "null", .null_size = 5 }, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	g_clear_error(&error);
	block_close(NULL);
	block_queue_free(NULL);
}

static void refuse_path(const char *path, bool read_only)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(block_open(
		&(struct block_open){
			.node_name = "n", .path = path, .format = "raw", .read_only = read_only },
		&error));
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, path));
}

/* Lesson 15: a path that leads to anything but a file or block device is refused, without waiting. */
static void test_lesson_15(void)
{
	g_autofree char *dir = g_dir_make_tmp("test-block-XXXXXX", NULL);
	g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
	g_autofree char *loop = g_build_filename(dir, "loop", NULL);
	g_autofree char *nowhere = g_build_filename(dir, "nowhere", NULL);
	const char *const paths[] = {
		dir, fifo, loop, nowhere, "/dev/null", "/dev/tty", "/proc/1/x"
	};

	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	g_assert_cmpint(symlink("loop", loop), ==, 0);
	g_assert_cmpint(symlink("missing", nowhere), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		refuse_path(paths[i], false);
		refuse_path(paths[i], true);
	}
	(void)sys_unlink(fifo);
	(void)sys_unlink(loop);
	(void)sys_unlink(nowhere);
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

/* Lesson 16: a name is a path, never a protocol; what the guest writes never becomes a format. */
static void test_lesson_16(void)
{
	static const char *const names[] = { "json:{\"driver\":\"null\"}", "nbd://127.0.0.1/x",
					     "file:/etc/passwd", "fat:rw:/", "raw:" };
	static const char qcow2[512] = "QFI\xfb\0\0\0\3";
	g_autofree char *path = NULL;
	g_autoptr(GError) error = NULL;
	struct block_info info;
	struct block *block;
	autofd int fd = -1;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		refuse_path(names[i], true);
	image_make(&path, SIZE);
	fd = sys_open(path, O_WRONLY, 0);
	g_assert_cmpint(sys_pwrite(fd, qcow2, sizeof(qcow2), 0), ==, sizeof(qcow2));
	block = block_open(&(struct block_open){ .node_name = "n", .path = path, .format = "raw" },
			   &error);
	g_assert_no_error(error);
	g_assert_cmpstr(block_format(block), ==, "raw");
	block_info(block, &info);
	g_assert_cmpuint(info.size, ==, SIZE);
	block_close(block);
	/* Nor is one guessed where none is named. */
	g_assert_null(block_open(&(struct block_open){ .node_name = "n", .path = path }, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	(void)sys_unlink(path);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/checks", test_checks);
	g_test_add_func("/block/read-only", test_read_only);
	g_test_add_func("/block/null", test_null);
	g_test_add_func("/block/formats", test_formats);
	g_test_add_func("/block/lesson-15-special-files", test_lesson_15);
	g_test_add_func("/block/lesson-16-names", test_lesson_16);
	return g_test_run();
}
