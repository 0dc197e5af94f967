/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * meta.c - the tables of an image, cached, and written after what they point to
 *
 * A page has one slot where it can be. One that must leave while it is dirty takes all others with
 * it: a flush is two syncs, whatever it writes.
 */
#include "block/format/meta.h"

#include <string.h>

#include "base/cleanup.h"

enum {
	SECTOR = 512,
	SECTORS = META_PAGE / SECTOR,
};

struct meta_page {
	uint64_t off;
	unsigned dirty; /* bits: sectors */
	uint8_t bytes[META_PAGE];
};

void meta_init(struct meta *meta, struct block_file *file)
{
	*meta = (struct meta){ .file = file, .lock = PTHREAD_MUTEX_INITIALIZER };
}

void meta_release(struct meta *meta)
{
	for (unsigned i = 0; i < META_PAGES; i++)
		g_clear_pointer(&meta->pages[i], g_free);
}

static struct meta_page **slot_of(struct meta *meta, uint64_t off)
{
	const uint64_t number = off / META_PAGE;

	return &meta->pages[(number ^ number / META_PAGES) % META_PAGES];
}

static int write_page(struct meta *meta, struct meta_page *page)
{
	for (unsigned i = 0; i < SECTORS;) {
		const size_t off = (size_t)i * SECTOR;
		unsigned n = 0;
		int ret;

		while (i + n < SECTORS && page->dirty >> (i + n) & 1)
			n++;
		if (!n) {
			i++;
			continue;
		}
		ret = block_file_write(meta->file, page->off + off, page->bytes + off,
				       (size_t)n * SECTOR);
		if (ret < 0)
			return ret;
		i += n;
	}
	page->dirty = 0;
	return 0;
}

static int flush_locked(struct meta *meta)
{
	int ret = block_file_sync(meta->file);

	if (ret < 0 || !meta->dirty)
		return ret;
	for (unsigned i = 0; i < META_PAGES && ret >= 0; i++)
		if (meta->pages[i] && meta->pages[i]->dirty)
			ret = write_page(meta, meta->pages[i]);
	if (ret < 0)
		return ret;
	meta->dirty = false;
	return block_file_sync(meta->file);
}

int meta_flush(struct meta *meta)
{
	int ret;

	pthread_mutex_lock(&meta->lock);
	ret = flush_locked(meta);
	pthread_mutex_unlock(&meta->lock);
	return ret;
}

static int get_locked(struct meta *meta, uint64_t off, struct meta_page **ret_page)
{
	struct meta_page **slot = slot_of(meta, off);
	struct meta_page *page = *slot;
	const uint64_t start = off - off % META_PAGE;
	int ret = 0;

	if (page && page->off == start) {
		*ret_page = page;
		return 0;
	}
	if (page && page->dirty)
		ret = flush_locked(meta);
	if (ret < 0)
		return ret;
	if (!page)
		page = *slot = g_new0(struct meta_page, 1);
	/* Of nothing, should the read fail. */
	page->off = UINT64_MAX;
	ret = block_file_read(meta->file, start, page->bytes, META_PAGE);
	if (ret < 0)
		return ret;
	page->off = start;
	*ret_page = page;
	return 0;
}

static void mark(struct meta_page *page, size_t in, size_t len)
{
	for (size_t i = in / SECTOR; i <= (in + len - 1) / SECTOR; i++)
		page->dirty |= 1u << i;
}

/* One of @to and @from, the other is NULL. */
static int transfer(struct meta *meta, uint64_t off, uint8_t *to, const uint8_t *from, size_t len)
{
	int ret = 0;

	pthread_mutex_lock(&meta->lock);
	for (size_t done = 0, n; done < len; done += n) {
		const size_t in = (off + done) % META_PAGE;
		struct meta_page *page;

		n = MIN(len - done, META_PAGE - in);
		ret = get_locked(meta, off + done, &page);
		if (ret < 0)
			break;
		if (to) {
			memcpy(to + done, page->bytes + in, n);
			continue;
		}
		memcpy(page->bytes + in, from + done, n);
		mark(page, in, n);
		meta->dirty = true;
	}
	pthread_mutex_unlock(&meta->lock);
	return ret;
}

int meta_read(struct meta *meta, uint64_t off, void *buf, size_t len)
{
	return transfer(meta, off, buf, NULL, len);
}

int meta_write(struct meta *meta, uint64_t off, const void *buf, size_t len)
{
	return transfer(meta, off, NULL, buf, len);
}

int meta_write_now(struct meta *meta, uint64_t off, const void *buf, size_t len)
{
	int ret = block_file_write(meta->file, off, buf, len);

	pthread_mutex_lock(&meta->lock);
	while (len && ret >= 0) {
		const size_t in = off % META_PAGE, n = MIN(len, META_PAGE - in);
		struct meta_page *page = *slot_of(meta, off);

		if (page && page->off == off - in)
			memcpy(page->bytes + in, buf, n);
		buf = (const uint8_t *)buf + n;
		off += n;
		len -= n;
	}
	pthread_mutex_unlock(&meta->lock);
	return ret;
}
