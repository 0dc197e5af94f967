/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.c - what a repair changes, so that it can be taken back
 */
#include "img/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"

static const char head[] = "socle-img journal 1\n";

struct journal {
	struct block_file base;
	struct block_file *file;
	int fd;
	unsigned changes;
};

static struct journal *journal_of(struct block_file *base)
{
	return container_of(base, struct journal, base);
}

static int append(struct journal *journal, const void *buf, size_t len)
{
	ssize_t n = sys_write_full(journal->fd, buf, len);

	return n < 0 ? (int)n : n == (ssize_t)len ? 0 : -EIO;
}

/* Note what [off, off + len) holds, as far as the file goes. */
static int note(struct journal *journal, uint64_t off, uint64_t len)
{
	int64_t size = block_file_size(journal->file);
	int ret = size < 0 ? (int)size : 0;

	if (!ret && off >= (uint64_t)size)
		return 0; /* nothing was there; the size tells it */
	if (!ret)
		len = MIN(len, (uint64_t)size - off);
	while (!ret && len) {
		uint64_t n = MIN(len, (uint64_t)1 << 20);
		g_autofree uint8_t *old = g_malloc(n);
		g_autofree char *line = g_strdup_printf("at %" PRIu64 " %" PRIu64 "\n", off, n);

		ret = block_file_read(journal->file, off, old, n);
		if (!ret)
			ret = append(journal, line, strlen(line));
		if (!ret)
			ret = append(journal, old, n);
		if (!ret)
			ret = append(journal, "\n", 1);
		journal->changes++;
		off += n;
		len -= n;
	}
	return ret ? ret : sys_fdatasync(journal->fd);
}

static ssize_t journal_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	struct block_file *file = journal_of(base)->file;

	return file->ops->read(file, off, buf, len);
}

static int journal_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	int ret = note(journal_of(base), off, len);

	return ret ? ret : block_file_write(journal_of(base)->file, off, buf, len);
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
	int64_t old = block_file_size(journal->file);
	int ret = old < 0 ? (int)old : 0;

	if (!ret && size < (uint64_t)old)
		ret = note(journal, size, (uint64_t)old - size);
	return ret ? ret : block_file_resize(journal->file, size);
}

static int journal_punch(struct block_file *base, uint64_t off, uint64_t len)
{
	struct block_file *file = journal_of(base)->file;
	int ret = note(journal_of(base), off, len);

	return ret ? ret : file->ops->punch(file, off, len);
}

static int journal_extent(struct block_file *base, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	return block_file_extent(journal_of(base)->file, off, ret_len, ret_data);
}

static int journal_allocate(struct block_file *base, uint64_t off, uint64_t len)
{
	struct block_file *file = journal_of(base)->file;

	return file->ops->allocate(file, off, len);
}

static int64_t journal_allocated(struct block_file *base)
{
	return block_file_allocated(journal_of(base)->file);
}

static void journal_close(struct block_file *base)
{
	struct journal *journal = journal_of(base);

	block_file_close(journal->file);
	fd_autoclose(&journal->fd);
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

struct block_file *journal_new(struct block_file *owned, const char *path, GError **error)
{
	autoptr(block_file) file = owned;
	int64_t size = block_file_size(file);
	g_autofree char *line = g_strdup_printf("%ssize %" PRId64 "\n", head, size);
	struct journal *journal;
	int ret;

	if (size < 0) {
		error_sys(error, (int)size, "cannot find out the size of the image");
		return NULL;
	}
	journal = g_new0(struct journal, 1);
	journal->base.ops = &journal_ops;
	journal->file = g_steal_pointer(&file);
	journal->fd = sys_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ret = journal->fd < 0 ? journal->fd : append(journal, line, strlen(line));
	if (ret < 0) {
		error_sys(error, ret, "cannot make the journal '%s'", path);
		journal_close(&journal->base);
		return NULL;
	}
	return &journal->base;
}

unsigned journal_changes(struct block_file *file)
{
	return journal_of(file)->changes;
}

/* ---- undoing ---- */

struct change {
	uint64_t off, len;
	size_t at; /* of the old bytes, in the journal */
};

static bool bad(const char *path, GError **error)
{
	return error_set(error, SOCLE_ERROR_CORRUPT, "'%s' is no journal of socle-img", path);
}

/* A journal that was cut in the middle ends before the change that it was for. */
static GArray *parse(const char *path, const char *text, size_t len, uint64_t *ret_size,
		     GError **error)
{
	GArray *changes = g_array_new(FALSE, FALSE, sizeof(struct change));
	size_t pos = strlen(head);
	char *end;

	if (len < pos + 6 || memcmp(text, head, pos) != 0 || memcmp(text + pos, "size ", 5) != 0)
		goto bad;
	*ret_size = g_ascii_strtoull(text + pos + 5, &end, 10);
	if (*end != '\n' || *ret_size > INT64_MAX)
		goto bad;
	pos = (size_t)(end + 1 - text);
	while (pos + 3 < len) {
		struct change change;

		if (memcmp(text + pos, "at ", 3) != 0)
			goto bad;
		change.off = g_ascii_strtoull(text + pos + 3, &end, 10);
		if (!*end)
			break;
		if (*end != ' ')
			goto bad;
		change.len = g_ascii_strtoull(end + 1, &end, 10);
		if (!*end)
			break;
		change.at = (size_t)(end + 1 - text);
		if (*end != '\n' || change.off > INT64_MAX || change.len > INT64_MAX)
			goto bad;
		if (change.at > len || change.len + 1 > len - change.at)
			break;
		g_array_append_val(changes, change);
		pos = change.at + change.len + 1;
	}
	return changes;
bad:
	(void)bad(path, error);
	g_array_unref(changes);
	return NULL;
}

bool journal_undo(struct block_file *file, const char *path, unsigned *ret_changes, GError **error)
{
	g_autofree char *text = NULL;
	g_autoptr(GArray) changes = NULL;
	uint64_t size = 0;
	size_t len;
	int ret = 0;

	if (!g_file_get_contents(path, &text, &len, error))
		return false;
	changes = parse(path, text, len, &size, error);
	if (!changes)
		return false;
	for (unsigned i = changes->len; !ret && i > 0; i--) {
		const struct change *change = &g_array_index(changes, struct change, i - 1);

		ret = block_file_write(file, change->off, text + change->at, change->len);
	}
	if (!ret && block_file_size(file) != (int64_t)size)
		ret = block_file_resize(file, size);
	if (!ret)
		ret = block_file_sync(file);
	if (ret < 0)
		return error_sys(error, ret, "cannot undo all of '%s'; try again", path);
	*ret_changes = changes->len;
	return true;
}
