/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2-tap.c - a file between a qcow2 image and its bytes in memory: records, and fails
 */
#include "qcow2-lab.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

enum {
	FILE_LIMIT = 512 << 20,
};

static struct tap *tap_of(struct block_file *file)
{
	return container_of(file, struct tap, base);
}

/* Who counts and records, for both files of an image. */
static struct tap *first_of(struct tap *tap)
{
	return tap->first ? tap->first : tap;
}

/* Is it this call that fails? */
static bool fails(struct tap *tap)
{
	struct tap *first = first_of(tap);

	if (!first->fail_at || --first->fail_at)
		return false;
	first->failed = true;
	return true;
}

static int failure(const struct tap *tap)
{
	return -(tap->first ? tap->first : tap)->fail_with;
}

static void log_event(struct tap *tap, enum tap_event_kind kind, uint64_t off, const void *data,
		      uint64_t len)
{
	struct tap_event event = { .kind = kind, .second = tap->first, .off = off, .len = len };
	GArray *log = first_of(tap)->log;

	if (!log)
		return;
	event.data = data ? g_memdup2(data, len) : NULL;
	g_array_append_val(log, event);
}

static ssize_t tap_read(struct block_file *file, uint64_t off, void *buf, size_t len)
{
	struct tap *tap = tap_of(file);

	return fails(tap) ? failure(tap) : tap->inner->ops->read(tap->inner, off, buf, len);
}

static int tap_write(struct block_file *file, uint64_t off, const void *buf, size_t len)
{
	struct tap *tap = tap_of(file);

	if (fails(tap)) {
		if (first_of(tap)->short_write)
			(void)tap->inner->ops->write(tap->inner, off, buf, len / 2);
		return failure(tap);
	}
	log_event(tap, TAP_WRITE, off, buf, len);
	return tap->inner->ops->write(tap->inner, off, buf, len);
}

static int tap_sync(struct block_file *file)
{
	struct tap *tap = tap_of(file);

	if (fails(tap))
		return failure(tap);
	log_event(tap, TAP_SYNC, 0, NULL, 0);
	return 0;
}

static int64_t tap_size(struct block_file *file)
{
	return block_file_size(tap_of(file)->inner);
}

static int tap_resize(struct block_file *file, uint64_t size)
{
	struct tap *tap = tap_of(file);

	if (fails(tap))
		return failure(tap);
	log_event(tap, TAP_RESIZE, size, NULL, 0);
	return block_file_resize(tap->inner, size);
}

static int tap_punch(struct block_file *file, uint64_t off, uint64_t len)
{
	struct tap *tap = tap_of(file);

	if (fails(tap)) {
		first_of(tap)->harmless = true;
		return failure(tap);
	}
	log_event(tap, TAP_PUNCH, off, NULL, len);
	return tap->inner->ops->punch(tap->inner, off, len);
}

static int tap_allocate(struct block_file *file, uint64_t off, uint64_t len)
{
	struct tap *tap = tap_of(file);

	return fails(tap) ? failure(tap) : block_file_allocate(tap->inner, off, len);
}

static int tap_extent(struct block_file *file, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	return block_file_extent(tap_of(file)->inner, off, ret_len, ret_data);
}

static int64_t tap_allocated(struct block_file *file)
{
	return block_file_allocated(tap_of(file)->inner);
}

static void tap_close(struct block_file *file)
{
	(void)file;
}

static const struct block_file_ops tap_ops = {
	.read = tap_read,
	.write = tap_write,
	.sync = tap_sync,
	.size = tap_size,
	.resize = tap_resize,
	.punch = tap_punch,
	.extent = tap_extent,
	.allocate = tap_allocate,
	.allocated = tap_allocated,
	.close = tap_close,
};

struct tap *tap_new(void)
{
	struct tap *tap = g_new0(struct tap, 1);

	tap->base.ops = &tap_ops;
	tap->inner = block_file_scratch(FILE_LIMIT);
	return tap;
}

static struct block_file *copy_of(struct block_file *file)
{
	struct block_file *copy = block_file_scratch(FILE_LIMIT);
	const uint64_t size = (uint64_t)block_file_size(file);
	static uint8_t bytes[64 << 10];

	g_assert_cmpint(block_file_resize(copy, size), ==, 0);
	for (uint64_t off = 0, len; off < size; off += len) {
		bool data;

		g_assert_cmpint(block_file_extent(file, off, &len, &data), ==, 0);
		len = MIN(len, size - off);
		if (!data)
			continue;
		len = MIN(len, sizeof(bytes));
		g_assert_cmpint(block_file_read(file, off, bytes, len), ==, 0);
		g_assert_cmpint(block_file_write(copy, off, bytes, len), ==, 0);
	}
	return copy;
}

struct tap *tap_copy(struct tap *tap)
{
	struct tap *copy = g_new0(struct tap, 1);

	copy->base.ops = &tap_ops;
	copy->inner = copy_of(tap->inner);
	if (tap->second) {
		copy->second = tap_copy(tap->second);
		copy->second->first = copy;
	}
	return copy;
}

struct tap *tap_second(struct tap *tap)
{
	if (!tap->second) {
		tap->second = tap_new();
		tap->second->first = tap;
	}
	return tap->second;
}

static void event_clear(void *opaque)
{
	struct tap_event *event = opaque;

	g_free(event->data);
}

void tap_free(struct tap *tap)
{
	if (!tap)
		return;
	tap_free(tap->second);
	block_file_close(tap->inner);
	g_clear_pointer(&tap->log, g_array_unref);
	g_free(tap);
}

void tap_record(struct tap *tap)
{
	tap->log = g_array_new(FALSE, FALSE, sizeof(struct tap_event));
	g_array_set_clear_func(tap->log, event_clear);
}

void tap_replay(struct tap *tap, const struct tap_event *event)
{
	struct block_file *file = (event->second ? tap_second(tap) : tap)->inner;
	int ret = 0;

	if (event->kind == TAP_WRITE)
		ret = block_file_write(file, event->off, event->data, event->len);
	else if (event->kind == TAP_PUNCH)
		ret = block_file_punch(file, event->off, event->len);
	else if (event->kind == TAP_RESIZE)
		ret = block_file_resize(file, event->off);
	g_assert_cmpint(ret, ==, 0);
}
