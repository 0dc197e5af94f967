/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.c - a file in memory: somebody's bytes, or pages that are there once they are not zero
 *
 * Tests and fuzzers make thousands of images a second, most of which are holes: nothing is allocated
 * or cleared for those.
 */
#include <errno.h>
#include <string.h>

#include "block/file.h"

static int memory_nothing(struct block_file *base)
{
	(void)base;
	return 0;
}

/* ---- somebody's bytes ---- */

struct memory_file {
	struct block_file base;
	const uint8_t *bytes;
	size_t len;
};

static struct memory_file *memory_of(struct block_file *base)
{
	return container_of(base, struct memory_file, base);
}

static ssize_t memory_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	struct memory_file *file = memory_of(base);
	size_t n = off < file->len ? MIN(len, file->len - (size_t)off) : 0;

	if (n)
		memcpy(buf, file->bytes + off, n);
	return (ssize_t)n;
}

static int64_t memory_size(struct block_file *base)
{
	return (int64_t)memory_of(base)->len;
}

static int memory_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	(void)base;
	(void)off;
	(void)buf;
	(void)len;
	return -EBADF;
}

static int memory_resize(struct block_file *base, uint64_t size)
{
	(void)base;
	(void)size;
	return -EBADF;
}

static int memory_range(struct block_file *base, uint64_t off, uint64_t len)
{
	(void)base;
	(void)off;
	(void)len;
	return -EBADF;
}

static int memory_extent(struct block_file *base, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	(void)base;
	*ret_len = INT64_MAX - off;
	*ret_data = true;
	return 0;
}

static void memory_close(struct block_file *base)
{
	g_free(memory_of(base));
}

static const struct block_file_ops memory_ops = {
	.read = memory_read,
	.write = memory_write,
	.sync = memory_nothing,
	.size = memory_size,
	.resize = memory_resize,
	.punch = memory_range,
	.extent = memory_extent,
	.allocate = memory_range,
	.allocated = memory_size,
	.close = memory_close,
};

struct block_file *block_file_memory(const uint8_t *bytes, size_t len)
{
	struct memory_file *file = g_new(struct memory_file, 1);

	*file = (struct memory_file){ { &memory_ops, { 0 } }, bytes, len };
	return &file->base;
}

/* ---- pages ---- */

enum {
	PAGE_BITS = 12,
	PAGE = 1 << PAGE_BITS,
	MIN_PAGES = 64,
};

struct scratch_file {
	struct block_file base;
	uint8_t **pages; /* NULL: reads as zero; so do those from @room on */
	size_t room, made;
	uint64_t len, limit;
};

static struct scratch_file *scratch_of(struct block_file *base)
{
	return container_of(base, struct scratch_file, base);
}

static uint8_t *page_at(const struct scratch_file *file, uint64_t off)
{
	const uint64_t i = off >> PAGE_BITS;

	return i < file->room ? file->pages[i] : NULL;
}

/* What of [off, off + len) lies in the page of @off. */
static size_t in_page(uint64_t off, uint64_t len)
{
	return (size_t)MIN(len, PAGE - off % PAGE);
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return !len || (!bytes[0] && !memcmp(bytes, bytes + 1, len - 1));
}

static ssize_t scratch_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	struct scratch_file *file = scratch_of(base);
	const size_t all = off < file->len ? (size_t)MIN(len, file->len - off) : 0;
	uint8_t *to = buf;

	for (size_t done = 0, n; done < all; done += n) {
		const uint8_t *page = page_at(file, off + done);

		n = in_page(off + done, all - done);
		if (page)
			memcpy(to + done, page + (off + done) % PAGE, n);
		else
			memset(to + done, 0, n);
	}
	return (ssize_t)all;
}

static int64_t scratch_size(struct block_file *base)
{
	return (int64_t)scratch_of(base)->len;
}

/* The page of @off, made if need be. */
static uint8_t *make_page(struct scratch_file *file, uint64_t off, bool clear)
{
	const size_t i = (size_t)(off >> PAGE_BITS);

	if (i >= file->room) {
		const size_t room = MAX(MAX(2 * file->room, i + 1), (size_t)MIN_PAGES);

		file->pages = g_renew(uint8_t *, file->pages, room);
		memset(file->pages + file->room, 0, (room - file->room) * sizeof(*file->pages));
		file->room = room;
	}
	if (!file->pages[i]) {
		file->pages[i] = clear ? g_malloc0(PAGE) : g_malloc(PAGE);
		file->made++;
	}
	return file->pages[i];
}

static int scratch_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	struct scratch_file *file = scratch_of(base);
	const uint8_t *from = buf;

	if (off > file->limit || len > file->limit - off)
		return -ENOSPC;
	file->len = MAX(file->len, off + len);
	for (size_t done = 0, n; done < len; done += n) {
		n = in_page(off + done, len - done);
		if (page_at(file, off + done) || !is_zero(from + done, n))
			memcpy(make_page(file, off + done, n < PAGE) + (off + done) % PAGE,
			       from + done, n);
	}
	return 0;
}

/* Within the pages that there may be. */
static void clear(struct scratch_file *file, uint64_t off, uint64_t end)
{
	end = MIN(end, (uint64_t)file->room << PAGE_BITS);
	for (uint64_t n; off < end; off += n) {
		uint8_t *page = page_at(file, off);

		n = in_page(off, end - off);
		if (page && n < PAGE) {
			memset(page + off % PAGE, 0, n);
		} else if (page) {
			g_free(page);
			file->pages[off >> PAGE_BITS] = NULL;
			file->made--;
		}
	}
}

static int scratch_resize(struct block_file *base, uint64_t size)
{
	struct scratch_file *file = scratch_of(base);

	if (size > file->limit)
		return -ENOSPC;
	if (size < file->len)
		clear(file, size, file->len);
	file->len = size;
	return 0;
}

static int scratch_punch(struct block_file *base, uint64_t off, uint64_t len)
{
	struct scratch_file *file = scratch_of(base);

	if (off < file->len)
		clear(file, off, off + MIN(len, file->len - off));
	return 0;
}

static int scratch_extent(struct block_file *base, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	struct scratch_file *file = scratch_of(base);
	const bool data = page_at(file, off);
	uint64_t end = off;

	while (end < file->len && !page_at(file, end) == !data)
		end = (end | (PAGE - 1)) + 1;
	*ret_data = data;
	*ret_len = MAX(end - off, UINT64_C(1));
	return 0;
}

static int scratch_allocate(struct block_file *base, uint64_t off, uint64_t len)
{
	(void)base;
	(void)off;
	(void)len;
	return 0;
}

static int64_t scratch_allocated(struct block_file *base)
{
	return (int64_t)(scratch_of(base)->made << PAGE_BITS);
}

static void scratch_close(struct block_file *base)
{
	struct scratch_file *file = scratch_of(base);

	for (size_t i = 0; i < file->room; i++)
		g_free(file->pages[i]);
	g_free(file->pages);
	g_free(file);
}

static const struct block_file_ops scratch_ops = {
	.read = scratch_read,
	.write = scratch_write,
	.sync = memory_nothing,
	.size = scratch_size,
	.resize = scratch_resize,
	.punch = scratch_punch,
	.extent = scratch_extent,
	.allocate = scratch_allocate,
	.allocated = scratch_allocated,
	.close = scratch_close,
};

struct block_file *block_file_scratch(size_t limit)
{
	struct scratch_file *file = g_new0(struct scratch_file, 1);

	file->base.ops = &scratch_ops;
	file->limit = limit;
	return &file->base;
}
