/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.c - a file that is changed, and another one that has what it was
 */
#include "img/journal.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

enum {
	HEAD_LEN = 24, /* of the journal */
	RECORD_LEN = 16,
	MAX_RECORD = 1 << 20, /* bytes that one has of the file */
};

static const uint8_t magic[16] = "socle-journal-1\n"; /* without an end */

struct journal {
	struct block_file base;
	struct block_file *file, *log;
	uint64_t end;  /* of the log */
	uint64_t size; /* of the file, before */
};

static uint32_t checksum(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * 16777619u;
	return sum;
}

static struct journal *journal_of(struct block_file *base)
{
	return container_of(base, struct journal, base);
}

/* ---- keeping ---- */

static int keep_part(struct journal *journal, uint64_t off, size_t len)
{
	g_autofree uint8_t *record = g_malloc(RECORD_LEN + len);
	int ret = block_file_read(journal->file, off, record + RECORD_LEN, len);

	if (ret < 0)
		return ret;
	put_le64(record, off);
	put_le32(record + 8, (uint32_t)len);
	put_le32(record + 12, checksum(record + RECORD_LEN, len));
	ret = block_file_write(journal->log, journal->end, record, RECORD_LEN + len);
	if (!ret)
		journal->end += RECORD_LEN + len;
	return ret;
}

/* What the file had before; what is behind its old end is cut off again. */
static int keep(struct journal *journal, uint64_t off, uint64_t len)
{
	uint64_t end = off < journal->size ? off + MIN(len, journal->size - off) : off;
	int ret = 0;

	while (!ret && off < end) {
		size_t n = MIN(end - off, MAX_RECORD);

		ret = keep_part(journal, off, n);
		off += n;
	}
	return ret < 0 ? ret : block_file_sync(journal->log);
}

static ssize_t journal_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	return journal_of(base)->file->ops->read(journal_of(base)->file, off, buf, len);
}

static int journal_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	int ret = keep(journal_of(base), off, len);

	return ret < 0 ? ret : block_file_write(journal_of(base)->file, off, buf, len);
}

static int journal_sync(struct block_file *base)
{
	return block_file_sync(journal_of(base)->file);
}

static int64_t journal_size(struct block_file *base)
{
	return block_file_size(journal_of(base)->file);
}

static int journal_resize(struct block_file *base, uint64_t size)
{
	struct journal *journal = journal_of(base);
	int ret = size < journal->size ? keep(journal, size, journal->size - size) : 0;

	return ret < 0 ? ret : block_file_resize(journal->file, size);
}

static int journal_punch(struct block_file *base, uint64_t off, uint64_t len)
{
	int ret = keep(journal_of(base), off, len);

	return ret < 0 ? ret : journal_of(base)->file->ops->punch(journal_of(base)->file, off, len);
}

static int journal_extent(struct block_file *base, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	return block_file_extent(journal_of(base)->file, off, ret_len, ret_data);
}

static int journal_allocate(struct block_file *base, uint64_t off, uint64_t len)
{
	/* What is there is not changed by that. */
	return journal_of(base)->file->ops->allocate(journal_of(base)->file, off, len);
}

static int64_t journal_allocated(struct block_file *base)
{
	return block_file_allocated(journal_of(base)->file);
}

static void journal_close(struct block_file *base)
{
	struct journal *journal = journal_of(base);

	block_file_close(journal->log);
	block_file_close(journal->file);
	g_free(journal);
}

static const struct block_file_ops journal_ops = {
	.read = journal_read,
	.write = journal_write,
	.sync = journal_sync,
	.size = journal_size,
	.resize = journal_resize,
	.punch = journal_punch,
	.extent = journal_extent,
	.allocate = journal_allocate,
	.allocated = journal_allocated,
	.close = journal_close,
};

struct block_file *journal_new(struct block_file *file, struct block_file *log, const char *name,
			       GError **error)
{
	struct journal *journal = g_new0(struct journal, 1);
	int64_t size = block_file_size(file);
	uint8_t head[HEAD_LEN];
	int ret = size < 0 ? (int)size : 0;

	*journal = (struct journal){
		.base.ops = &journal_ops,
		.file = file,
		.log = log,
		.end = HEAD_LEN,
	};
	if (!ret) {
		journal->size = (uint64_t)size;
		memcpy(head, magic, sizeof(magic));
		put_le64(head + 16, journal->size);
		ret = block_file_write(log, 0, head, sizeof(head));
	}
	if (ret < 0) {
		error_sys(error, ret, "cannot write journal '%s'", name);
		journal_close(&journal->base);
		return NULL;
	}
	return &journal->base;
}

bool journal_is_empty(struct block_file *file)
{
	return journal_of(file)->end == HEAD_LEN;
}

/* ---- undoing ---- */

struct record {
	uint64_t at; /* of its bytes in the log */
	uint64_t off;
	uint32_t len;
};

/* All complete records; what comes behind the last one was being written when all ended. */
static int find_records(struct block_file *log, uint64_t size, GArray *records)
{
	g_autofree uint8_t *bytes = g_malloc(MIN(size, (uint64_t)MAX_RECORD));
	uint64_t at = HEAD_LEN;

	while (at + RECORD_LEN <= size) {
		uint8_t head[RECORD_LEN];
		struct record record;
		int ret = block_file_read(log, at, head, sizeof(head));

		if (ret < 0)
			return ret;
		record = (struct record){ at + RECORD_LEN, get_le64(head), get_le32(head + 8) };
		if (!record.len || record.len > MAX_RECORD || record.len > size - record.at ||
		    record.off > (uint64_t)INT64_MAX - record.len)
			break;
		ret = block_file_read(log, record.at, bytes, record.len);
		if (ret < 0)
			return ret;
		if (checksum(bytes, record.len) != get_le32(head + 12))
			break;
		g_array_append_val(records, record);
		at = record.at + record.len;
	}
	return 0;
}

/* The newest first, so that the oldest counts. */
static int write_back(struct block_file *file, struct block_file *log, const GArray *records,
		      uint64_t size)
{
	g_autofree uint8_t *bytes = NULL;
	uint32_t most = 0;
	int ret = 0;

	for (unsigned i = 0; i < records->len; i++)
		most = MAX(most, g_array_index(records, struct record, i).len);
	bytes = g_malloc(most);
	for (unsigned i = records->len; !ret && i-- > 0;) {
		const struct record *record = &g_array_index(records, struct record, i);

		ret = block_file_read(log, record->at, bytes, record->len);
		if (!ret)
			ret = block_file_write(file, record->off, bytes, record->len);
	}
	if (!ret)
		ret = block_file_resize(file, size);
	/* A device has the size that it has. */
	if (ret == -ENOTSUP)
		ret = 0;
	return ret < 0 ? ret : block_file_sync(file);
}

bool journal_undo(struct block_file *file, struct block_file *log, const char *name, GError **error)
{
	g_autoptr(GArray) records = g_array_new(FALSE, FALSE, sizeof(struct record));
	int64_t size = block_file_size(log);
	uint8_t head[HEAD_LEN];
	int ret = size < 0 ? (int)size : block_file_read(log, 0, head, sizeof(head));

	if (ret < 0)
		return error_sys(error, ret, "cannot read journal '%s'", name);
	if (memcmp(head, magic, sizeof(magic)) != 0 || get_le64(head + 16) > INT64_MAX)
		return error_set(error, SOCLE_ERROR_CORRUPT, "'%s' is not a journal", name);
	ret = find_records(log, (uint64_t)size, records);
	if (!ret)
		ret = write_back(file, log, records, get_le64(head + 16));
	return ret < 0 ? error_sys(error, ret, "cannot undo what journal '%s' has", name) : true;
}
