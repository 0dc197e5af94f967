/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h - a temporary image file, and requests that are run to their end, for tests
 */
#ifndef TESTS_BLOCK_IMAGE_H
#define TESTS_BLOCK_IMAGE_H

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/sys.h"
#include "block/block.h"

/* A request that counts how often it has been told. */
struct shot {
	struct block_request req;
	unsigned told;
	int result;
};

static inline void shot_done(struct block_request *req, int result)
{
	struct shot *shot = container_of(req, struct shot, req);

	shot->told++;
	shot->result = result;
}

static inline void shot_submit(struct block_queue *queue, struct shot *shot)
{
	shot->told = 0;
	shot->req.done = shot_done;
	block_submit(queue, &shot->req);
	g_assert_cmpuint(shot->told, ==, 0);
}

static inline int shot_run(struct io_loop *loop, struct block_queue *queue, struct shot *shot)
{
	shot_submit(queue, shot);
	while (!shot->told)
		(void)io_loop_run(loop, true);
	g_assert_cmpuint(shot->told, ==, 1);
	return shot->result;
}

/* A file of @size bytes in the folder for temporary files, named in *ret_path. */
static inline void image_make(char **ret_path, uint64_t size)
{
	int fd = g_file_open_tmp("socle-image-XXXXXX", ret_path, NULL);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(sys_ftruncate(fd, (off_t)size), ==, 0);
	close(fd);
}

static inline struct io_loop *image_loop(enum io_loop_kind kind)
{
	GError *error = NULL;
	struct io_loop *loop = io_loop_new_manual(kind, NULL, NULL, &error);

	g_assert_no_error(error);
	return loop;
}

static inline bool image_have_uring(void)
{
	struct io_loop *loop = io_loop_new_manual(IO_LOOP_URING, NULL, NULL, NULL);

	io_loop_free(loop);
	return loop;
}

static inline bool image_have_direct(void)
{
	g_autofree char *path = NULL;
	struct block_open options = { .format = "raw", .direct = true };
	struct block *block;

	image_make(&path, 8192);
	options.path = path;
	block = block_open(&options, NULL);
	g_unlink(path);
	block_close(block);
	return block;
}

#endif
