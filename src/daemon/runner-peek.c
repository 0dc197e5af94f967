/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-peek.c - what stands in a guest's memory and on its disks
 *
 * A machine that runs is asked for piece by piece. The disks of one that is off are read by the room block, on a
 * thread of its own, into memory of that thread: who has asked may be gone before it comes.
 */
#include <inttypes.h>
#include <string.h>

#include "base/aside.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "block/image.h"
#include "daemon/runner-int.h"

enum {
	PIECE = 256 * 1024, /* what the machine gives at once */
};

struct peek {
	struct runner *runner;
	char *alias; /* of the disk; NULL: memory */
	bool is_virtual;
	uint64_t at;
	uint8_t *buf;
	size_t len;
	struct task *task;
};

static void ask(struct peek *peek);

static size_t piece_of(const struct peek *peek)
{
	return MIN(peek->len, PIECE);
}

static void peek_end(struct peek *peek, const GError *error)
{
	struct task *task = peek->task;

	g_free(peek->alias);
	g_free(peek);
	task_end(task, error);
}

static bool take(struct peek *peek, const json_t *result, GError **error)
{
	const char *text = json_string_value(json_object_get(result, "data"));
	size_t len = 0;
	g_autofree uint8_t *bytes = text ? g_base64_decode(text, &len) : NULL;

	if (!bytes || len != piece_of(peek))
		return error_set(error, SOCLE_ERROR_FAILED,
				 "the machine answered with %zu bytes instead of %zu", (size_t)len,
				 piece_of(peek));
	memcpy(peek->buf, bytes, len);
	peek->buf += len;
	peek->at += len;
	peek->len -= len;
	return true;
}

static void on_piece(void *opaque, json_t *result, const GError *error)
{
	struct peek *peek = opaque;
	g_autoptr(GError) bad = NULL;

	if (error || !take(peek, result, &bad))
		peek_end(peek, error ? error : bad);
	else if (peek->len == 0)
		peek_end(peek, NULL);
	else
		ask(peek);
}

static void ask(struct peek *peek)
{
	/* JSON's integers are signed: the upper half of the addresses is negative. */
	const json_int_t at = (json_int_t)peek->at, len = (json_int_t)piece_of(peek);

	if (peek->alias)
		runner_call(peek->runner, "x-block-read",
			    json_pack("{s:s,s:I,s:I}", "device", peek->alias, "offset", at, "size",
				      len),
			    0, on_piece, peek);
	else
		runner_call(peek->runner, "x-memory-read",
			    json_pack("{s:I,s:I,s:b}", "address", at, "size", len, "virtual",
				      (int)peek->is_virtual),
			    0, on_piece, peek);
}

void runner_memory_read(struct machine *machine, uint64_t address, bool is_virtual, void *buf,
			size_t len, struct task *task)
{
	struct peek *peek = g_new(struct peek, 1);

	*peek = (struct peek){ .runner = runner_of(machine),
			       .is_virtual = is_virtual,
			       .at = address,
			       .buf = buf,
			       .len = len,
			       .task = task };
	ask(peek);
}

void runner_block_read(struct machine *machine, unsigned disk, uint64_t off, void *buf, size_t len,
		       struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autoptr(GError) error = NULL;
	const char *alias = runner_disk_alias(runner, disk, &error);
	struct peek *peek;

	if (!alias) {
		task_end(task, error);
		return;
	}
	peek = g_new(struct peek, 1);
	*peek = (struct peek){ .runner = runner,
			       .alias = g_strdup(alias),
			       .at = off,
			       .buf = buf,
			       .len = len,
			       .task = task };
	ask(peek);
}

/* == Off == */

struct offline_peek {
	struct task *task;
	struct aside *aside;
	char *path, *format;
	uint64_t off;
	uint8_t *bytes; /* the thread's */
	void *buf;      /* who asked */
	size_t len;
	GError *error;
};

static void offline_free(void *opaque)
{
	struct offline_peek *peek = opaque;

	g_free(peek->path);
	g_free(peek->format);
	g_free(peek->bytes);
	g_clear_error(&peek->error);
	g_free(peek);
}

/* [the thread] */
static void work(void *opaque)
{
	struct offline_peek *peek = opaque;
	autoptr(image) image = image_open(peek->path, peek->format, IMAGE_BACKING, &peek->error);

	if (!image)
		return;
	if (peek->off > image->size || peek->len > image->size - peek->off)
		error_set(&peek->error, SOCLE_ERROR_USAGE,
			  "the disk has %" PRIu64 " bytes; there are not %zu at offset %" PRIu64,
			  image->size, peek->len, peek->off);
	else
		(void)image_read(image, peek->off, peek->bytes, peek->len, &peek->error);
}

static void worked(void *opaque)
{
	struct offline_peek *peek = opaque;

	if (!peek->error)
		memcpy(peek->buf, peek->bytes, peek->len);
	task_end(peek->task, peek->error);
	aside_drop(peek->aside);
}

void runner_offline_block_read(struct dom *dom, unsigned disk, uint64_t off, void *buf, size_t len,
			       struct task *task)
{
	const struct domain_disk *found = &dom->config->devices.disks[disk];
	const char *path = disk_path(found);
	struct offline_peek *peek;
	g_autoptr(GError) error = NULL;

	if (!path) {
		error_set(&error, SOCLE_ERROR_NOT_FOUND, "there is no image in this drive");
		task_end(task, error);
		return;
	}
	peek = g_new(struct offline_peek, 1);
	*peek = (struct offline_peek){
		.task = task,
		.path = g_strdup(path),
		.format = g_strdup(found->driver.type ? found->driver.type : "raw"),
		.off = off,
		.bytes = g_malloc(len),
		.buf = buf,
		.len = len,
	};
	peek->aside = aside_start(&(const struct aside_work){ .name = "peek",
							      .fn = work,
							      .end = worked,
							      .free = offline_free,
							      .arg = peek },
				  &error);
	if (!peek->aside) {
		task_end(task, error);
		offline_free(peek);
	}
}
