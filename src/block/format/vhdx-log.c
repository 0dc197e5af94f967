/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhdx-log.c - what a VHDX image's log says that should be in the file
 *
 * The log is a ring of sectors of 4 KiB. An entry is a header with descriptors behind it, then a
 * sector of data for each descriptor that is not one of zeroes. What counts is the newest sequence
 * of entries, numbered one by one, from that to which the last one's tail points up to the last.
 *
 * The ring is read twice in a row, so that no entry has a seam. Checksums are most of the work;
 * what may be summed up is limited, lest entries over entries keep us for hours.
 */
#include "block/format/vhdx-log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/format/format.h"

enum {
	SECTOR = 4096,
	MAX_LOG = 32 << 20,
	MAX_PATCHES = 1 << 16,
	MAX_SUMS = 8, /* times the log's length */

	E_CHECKSUM = 4,
	E_LEN = 8,
	E_TAIL = 12,
	E_SEQUENCE = 16,
	E_DESCRIPTORS = 24,
	E_GUID = 32,
	E_FILE_END = 56, /* to which the file must be grown */
	E_HEADER_LEN = 64,

	DESCRIPTOR_LEN = 32,
	DATA_HEAD = 8,
	DATA_TAIL = 4,
};

/* All @len bytes at @off, from @data or zeroes. */
struct patch {
	uint64_t off, len;
	uint8_t *data;
};

struct vhdx_log {
	GArray *patches; /* of struct patch, in order */
	uint64_t file_end;
};

struct entry {
	uint32_t off, len, tail, descriptors, descriptor_sectors;
	uint64_t sequence;
};

struct scan {
	const char *name;
	const uint8_t *ring; /* twice */
	uint32_t len;
	const uint8_t *guid;
	uint64_t sums;         /* bytes that may still be summed up */
	struct entry *entries; /* for each sector; len 0: none */
	GError **error;
};

static void patch_clear(void *opaque)
{
	g_free(((struct patch *)opaque)->data);
}

void vhdx_log_free(struct vhdx_log *log)
{
	if (!log)
		return;
	g_array_unref(log->patches);
	g_free(log);
}

/* ---- finding ---- */

static bool are_descriptors(const struct scan *scan, const struct entry *entry)
{
	const uint8_t *at = scan->ring + entry->off + E_HEADER_LEN;
	const uint8_t *data = scan->ring + entry->off + (size_t)entry->descriptor_sectors * SECTOR;
	const uint8_t *end = scan->ring + entry->off + entry->len;

	for (uint32_t i = 0; i < entry->descriptors; i++, at += DESCRIPTOR_LEN) {
		if (get_le64(at + 24) != entry->sequence || get_le64(at + 16) % SECTOR)
			return false;
		if (!memcmp(at, "zero", 4) && !(get_le64(at + 8) % SECTOR))
			continue;
		if (memcmp(at, "desc", 4) != 0 || data == end || memcmp(data, "data", 4) != 0 ||
		    get_le32(data + 4) != entry->sequence >> 32 ||
		    get_le32(data + SECTOR - DATA_TAIL) != (uint32_t)entry->sequence)
			return false;
		data += SECTOR;
	}
	return data == end;
}

static bool parse_entry(struct scan *scan, uint32_t off, struct entry *ret)
{
	const uint8_t *at = scan->ring + off;
	struct entry entry = {
		.off = off,
		.len = get_le32(at + E_LEN),
		.tail = get_le32(at + E_TAIL),
		.descriptors = get_le32(at + E_DESCRIPTORS),
		.sequence = get_le64(at + E_SEQUENCE),
	};

	if (memcmp(at, "loge", 4) != 0 || memcmp(at + E_GUID, scan->guid, 16) != 0 || !entry.len ||
	    entry.len % SECTOR || entry.len > scan->len || entry.tail % SECTOR ||
	    entry.tail >= scan->len || !entry.sequence ||
	    entry.descriptors > entry.len / DESCRIPTOR_LEN || entry.len > scan->sums)
		return false;
	entry.descriptor_sectors =
		(E_HEADER_LEN + entry.descriptors * DESCRIPTOR_LEN + SECTOR - 1) / SECTOR;
	if (entry.descriptor_sectors > entry.len / SECTOR)
		return false;
	scan->sums -= entry.len;
	if (format_crc32c(at, entry.len, E_CHECKSUM) != get_le32(at + E_CHECKSUM) ||
	    !are_descriptors(scan, &entry))
		return false;
	*ret = entry;
	return true;
}

/* Do the entries from its tail on, numbered without a gap, lead to @head? */
static bool is_sequence(const struct scan *scan, const struct entry *head)
{
	const struct entry *at = &scan->entries[head->tail / SECTOR];

	while (at->len && at->sequence < head->sequence) {
		const struct entry *next =
			&scan->entries[((uint64_t)at->off + at->len) % scan->len / SECTOR];

		if (!next->len || next->sequence != at->sequence + 1)
			return false;
		at = next;
	}
	return at == head;
}

static const struct entry *find_head(struct scan *scan)
{
	const uint32_t sectors = scan->len / SECTOR;
	const struct entry *best = NULL;

	for (uint32_t i = 0; i < sectors; i++)
		(void)parse_entry(scan, i * SECTOR, &scan->entries[i]);
	for (uint32_t i = 0; i < sectors; i++) {
		const struct entry *entry = &scan->entries[i];

		if (entry->len && (!best || entry->sequence > best->sequence) &&
		    is_sequence(scan, entry))
			best = entry;
	}
	return best;
}

/* ---- reading ---- */

/* The first 8 bytes and the last 4 stand in the descriptor, and numbers in their place. */
static uint8_t *restore_sector(const uint8_t *descriptor, const uint8_t *data)
{
	uint8_t *sector = g_malloc(SECTOR);

	memcpy(sector, data, SECTOR);
	memcpy(sector, descriptor + 8, DATA_HEAD);
	memcpy(sector + SECTOR - DATA_TAIL, descriptor + 4, DATA_TAIL);
	return sector;
}

static bool take_entry(struct vhdx_log *log, const struct scan *scan, const struct entry *entry)
{
	const uint8_t *at = scan->ring + entry->off;
	const uint8_t *data = at + (size_t)entry->descriptor_sectors * SECTOR;

	log->file_end = MAX(log->file_end, get_le64(at + E_FILE_END));
	at += E_HEADER_LEN;
	for (uint32_t i = 0; i < entry->descriptors; i++, at += DESCRIPTOR_LEN) {
		struct patch patch = { .off = get_le64(at + 16), .len = SECTOR };

		if (!memcmp(at, "zero", 4))
			patch.len = get_le64(at + 8);
		if (patch.off > INT64_MAX || patch.len > INT64_MAX - patch.off ||
		    log->patches->len == MAX_PATCHES)
			return error_set(scan->error, SOCLE_ERROR_LIMIT,
					 "image '%s' has a log with too many changes, or such that "
					 "lie beyond all files",
					 scan->name);
		if (!memcmp(at, "desc", 4)) {
			patch.data = restore_sector(at, data);
			data += SECTOR;
		}
		g_array_append_val(log->patches, patch);
	}
	return true;
}

static struct vhdx_log *take_sequence(const struct scan *scan, const struct entry *head)
{
	autoptr(vhdx_log) log = g_new0(struct vhdx_log, 1);
	const struct entry *at = &scan->entries[head->tail / SECTOR];

	log->patches = g_array_new(FALSE, FALSE, sizeof(struct patch));
	g_array_set_clear_func(log->patches, patch_clear);
	while (take_entry(log, scan, at)) {
		if (at == head)
			return log->file_end <= INT64_MAX ? g_steal_pointer(&log) : NULL;
		at = &scan->entries[((uint64_t)at->off + at->len) % scan->len / SECTOR];
	}
	return NULL;
}

struct vhdx_log *vhdx_log_read(const char *name, struct block_file *file, uint64_t off,
			       uint32_t len, const uint8_t *guid, GError **error)
{
	struct scan scan = {
		.name = name,
		.len = len,
		.guid = guid,
		.sums = (uint64_t)MAX_SUMS * len,
		.error = error,
	};
	g_autofree uint8_t *ring = len <= MAX_LOG ? g_try_malloc((size_t)2 * len) : NULL;
	g_autofree struct entry *entries = NULL;
	const struct entry *head;
	struct vhdx_log *log;
	int ret;

	if (!ring || !len || len % SECTOR) {
		error_set(error, SOCLE_ERROR_LIMIT,
			  "image '%s' has a log of %u bytes to replay; %d are the most", name, len,
			  MAX_LOG);
		return NULL;
	}
	ret = block_file_read(file, off, ring, len);
	if (ret < 0) {
		error_sys(error, ret, "cannot read the log of image '%s'", name);
		return NULL;
	}
	memcpy(ring + len, ring, len);
	entries = g_new0(struct entry, len / SECTOR);
	scan.ring = ring;
	scan.entries = entries;
	head = find_head(&scan);
	if (!head) {
		error_set(error, SOCLE_ERROR_CORRUPT,
			  "image '%s' has a log to replay in which nothing is whole", name);
		return NULL;
	}
	log = take_sequence(&scan, head);
	if (!log && error && !*error)
		error_set(error, SOCLE_ERROR_CORRUPT,
			  "image '%s' has a log that wants the file longer than files can be",
			  name);
	return log;
}

/* ---- doing ---- */

int vhdx_log_apply(const struct vhdx_log *log, struct block_file *file)
{
	int64_t size = block_file_size(file);
	int ret = size < 0 ? (int)size : 0;

	if (size >= 0 && (uint64_t)size < log->file_end)
		ret = block_file_resize(file, log->file_end);
	for (guint i = 0; i < log->patches->len && ret >= 0; i++) {
		const struct patch *patch = &g_array_index(log->patches, struct patch, i);

		if (patch->data)
			ret = block_file_write(file, patch->off, patch->data, patch->len);
		else if (patch->len)
			ret = block_file_zero(file, patch->off, patch->len);
	}
	return ret < 0 ? ret : block_file_sync(file);
}

struct overlay {
	struct block_file base;
	struct block_file *below;
	struct vhdx_log *log;
};

static struct overlay *overlay_of(struct block_file *base)
{
	return container_of(base, struct overlay, base);
}

static int64_t overlay_size(struct block_file *base)
{
	const struct overlay *overlay = overlay_of(base);
	const int64_t size = block_file_size(overlay->below);

	return size < 0 ? size : MAX(size, (int64_t)overlay->log->file_end);
}

static void patch_in(const struct patch *patch, uint64_t off, uint8_t *buf, size_t len)
{
	const uint64_t begin = MAX(off, patch->off), end = MIN(off + len, patch->off + patch->len);

	if (begin >= end)
		return;
	if (patch->data)
		memcpy(buf + (begin - off), patch->data + (begin - patch->off), end - begin);
	else
		memset(buf + (begin - off), 0, end - begin);
}

static ssize_t overlay_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	const struct overlay *overlay = overlay_of(base);
	int ret = block_file_read(overlay->below, off, buf, len);

	if (ret < 0)
		return ret;
	for (guint i = 0; i < overlay->log->patches->len; i++)
		patch_in(&g_array_index(overlay->log->patches, struct patch, i), off, buf, len);
	return (ssize_t)len;
}

static int overlay_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	(void)base;
	(void)off;
	(void)buf;
	(void)len;
	return -EBADF;
}

static int overlay_sync(struct block_file *base)
{
	(void)base;
	return 0;
}

static int overlay_resize(struct block_file *base, uint64_t size)
{
	(void)base;
	(void)size;
	return -EBADF;
}

static int overlay_punch(struct block_file *base, uint64_t off, uint64_t len)
{
	(void)base;
	(void)off;
	(void)len;
	return -EBADF;
}

static int overlay_extent(struct block_file *base, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	(void)base;
	*ret_len = INT64_MAX - off;
	*ret_data = true;
	return 0;
}

static void overlay_close(struct block_file *base)
{
	struct overlay *overlay = overlay_of(base);

	vhdx_log_free(overlay->log);
	g_free(overlay);
}

static const struct block_file_ops overlay_ops = {
	.read = overlay_read,
	.write = overlay_write,
	.sync = overlay_sync,
	.size = overlay_size,
	.resize = overlay_resize,
	.punch = overlay_punch,
	.extent = overlay_extent,
	.close = overlay_close,
};

struct block_file *vhdx_log_overlay(struct vhdx_log *log, struct block_file *below)
{
	struct overlay *overlay = g_new(struct overlay, 1);

	*overlay = (struct overlay){ { &overlay_ops, { 0 } }, below, log };
	return &overlay->base;
}
