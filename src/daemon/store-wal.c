/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-wal.c - the file of a write-ahead log
 *
 * It is written past the page cache, with O_DSYNC: one system call, a tenth less than with fdatasync(2).
 *
 * It has a fixed size and is full of zeroes or of what was there before; all of it was written once,
 * so that writing into it changes no metadata. Batches follow one another, each at a multiple of
 * BLOCK, so that a write which is cut off cannot harm the batch before:
 *
 *	magic    8   "SOCLEW1\n"
 *	epoch    8   the same in all batches since the log was emptied, and never again
 *	len      4   bytes behind the head
 *	count    4   changes
 *	sum     32   SHA-256 of the 24 bytes above and of what is behind the head
 *	then for each change: kind 4, length of the text 4 (ffffffff: the file is removed), key 36, text
 *
 * Numbers are big endian. The log ends at the first batch that is not whole or of another epoch.
 */
#include "daemon/store-wal.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"

enum {
	SIZE = 1024 * 1024,
	BLOCK = 4096,
	SUMMED = 24, /* bytes of the head */
	HEAD = SUMMED + 32,
	KEY = 36,
	CHANGE = 8 + KEY, /* bytes of one without its text */
};

static const char magic[8] = "SOCLEW1\n";
static const uint32_t removed = UINT32_MAX;

static uint64_t new_epoch(void)
{
	return (uint64_t)g_random_int() << 32 | g_random_int();
}

/* == Writing == */

/* By GnuTLS, which uses the CPU's own instructions. False: it cannot. */
static bool put_sum(const uint8_t *head, const uint8_t *body, size_t len, uint8_t sum[32])
{
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
		return false;
	(void)gnutls_hash(hash, head, SUMMED);
	(void)gnutls_hash(hash, body, len);
	gnutls_hash_deinit(hash, sum);
	return true;
}

/* Whole blocks, aligned in memory as well; they are on the disk then. */
static int write_blocks(struct wal *wal, const void *data, size_t len, off_t off)
{
	ssize_t n = wal->direct < 0 ? -EINVAL : sys_pwrite(wal->direct, data, len, off);
	bool direct = n != -EINVAL;

	/* Some file systems say only now that they do not take it. */
	if (!direct) {
		fd_autoclose(&wal->direct);
		n = sys_pwrite(wal->fd, data, len, off);
	}
	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return -EIO;
	return direct ? 0 : sys_fdatasync(wal->fd);
}

static size_t size_of(struct store_change *const *changes, unsigned count)
{
	size_t size = HEAD;

	for (unsigned i = 0; i < count; i++)
		size += CHANGE + (changes[i]->text ? strlen(changes[i]->text) : 0);
	return size;
}

static uint8_t *put_change(uint8_t *p, const struct store_change *change)
{
	size_t len = change->text ? strlen(change->text) : 0;

	put_be32(p, change->kind);
	put_be32(p + 4, change->text ? (uint32_t)len : removed);
	memcpy(p + 8, change->key, KEY);
	if (len)
		memcpy(p + CHANGE, change->text, len);
	return p + CHANGE + len;
}

int wal_append(struct wal *wal, struct store_change *const *changes, unsigned count)
{
	size_t size = size_of(changes, count);
	size_t whole = (size + BLOCK - 1) / BLOCK * BLOCK;
	uint8_t *batch, *p;
	int r;

	if (wal->fd < 0 || whole > (size_t)(SIZE - wal->end))
		return -EFBIG;
	batch = g_aligned_alloc0(1, whole, BLOCK);
	memcpy(batch, magic, sizeof(magic));
	put_be64(batch + 8, wal->epoch);
	put_be32(batch + 16, (uint32_t)(size - HEAD));
	put_be32(batch + 20, count);
	p = batch + HEAD;
	for (unsigned i = 0; i < count; i++)
		p = put_change(p, changes[i]);
	r = put_sum(batch, batch + HEAD, size - HEAD, batch + SUMMED)
		    ? write_blocks(wal, batch, whole, wal->end)
		    : -EOPNOTSUPP;
	g_aligned_free(batch);
	if (r == 0)
		wal->next = wal->end + (off_t)whole;
	return r;
}

int wal_clear(struct wal *wal)
{
	static const _Alignas(BLOCK) uint8_t zeroes[BLOCK];
	int r = wal->fd < 0 ? 0 : write_blocks(wal, zeroes, sizeof(zeroes), 0);

	if (r < 0)
		return r;
	wal->end = wal->next = 0;
	wal->epoch = new_epoch();
	return 0;
}

/* == Reading == */

/* Take one off what is left of a batch. NULL: it makes no sense. */
static struct store_change *get_change(const uint8_t **p, size_t *left)
{
	struct store_change *change;
	g_autofree char *key = NULL;
	uint32_t kind, len;
	bool gone;

	if (*left < CHANGE)
		return NULL;
	kind = get_be32(*p);
	len = get_be32(*p + 4);
	gone = len == removed;
	len = gone ? 0 : len;
	key = g_strndup((const char *)*p + 8, KEY);
	if (kind >= STORE_KIND_COUNT || !g_uuid_string_is_valid(key) || len > *left - CHANGE)
		return NULL;
	change = store_change_new((enum store_kind)kind, key, NULL);
	if (!gone)
		change->text = g_strndup((const char *)*p + CHANGE, len);
	*p += CHANGE + len;
	*left -= CHANGE + len;
	return change;
}

static bool is_batch(const uint8_t *p, size_t left)
{
	uint8_t sum[HEAD - SUMMED];

	if (left < HEAD || memcmp(p, magic, sizeof(magic)) != 0 || get_be32(p + 16) > left - HEAD)
		return false;
	return put_sum(p, p + HEAD, get_be32(p + 16), sum) &&
	       memcmp(p + SUMMED, sum, sizeof(sum)) == 0;
}

/* All of them in @data; returns where they end. */
static size_t get_batches(const uint8_t *data, size_t len, GPtrArray *changes)
{
	size_t off = 0;

	while (off < len && is_batch(data + off, len - off)) {
		const uint8_t *p = data + off + HEAD;
		size_t left = get_be32(data + off + 16);
		struct store_change *change = NULL;

		if (get_be64(data + off + 8) != get_be64(data + 8))
			break;
		off += (HEAD + left + BLOCK - 1) / BLOCK * BLOCK;
		while (left && (change = get_change(&p, &left)))
			g_ptr_array_add(changes, change);
	}
	return MIN(off, len);
}

/* What is there, up to @ret_len bytes; *@ret_len becomes how many there are. */
static int read_all(int fd, uint8_t *data, size_t *ret_len)
{
	ssize_t n = sys_pread(fd, data, *ret_len, 0);

	if (n < 0)
		return (int)n;
	*ret_len = (size_t)n;
	return 0;
}

int wal_read(const struct wal *wal, GPtrArray *changes)
{
	g_autofree uint8_t *data = g_malloc(SIZE);
	size_t len = (size_t)wal->end;
	int r = len ? read_all(wal->fd, data, &len) : 0;

	if (r < 0)
		return r;
	return get_batches(data, len, changes) == (size_t)wal->end ? 0 : -EIO;
}

/* == Opening == */

static void open_direct(struct wal *wal)
{
	wal->direct = sys_open(wal->path, O_WRONLY | O_NOFOLLOW | O_DIRECT | O_DSYNC, 0);
}

bool wal_open(struct wal *wal, const char *state, GError **error)
{
	g_autofree uint8_t *data = NULL;
	g_autoptr(GPtrArray) changes =
		g_ptr_array_new_with_free_func((GDestroyNotify)store_change_free);
	size_t len = SIZE;
	int r = 0;

	*wal = (struct wal){ .direct = -1, .path = g_build_filename(state, "wal", NULL) };
	wal->fd = sys_open(wal->path, O_RDWR | O_NOFOLLOW, 0);
	if (wal->fd == -ENOENT)
		return true;
	data = g_malloc(SIZE);
	r = wal->fd < 0 ? wal->fd : read_all(wal->fd, data, &len);
	if (r == 0) {
		wal->end = (off_t)get_batches(data, len, changes);
		open_direct(wal);
		return true;
	}
	error_sys(error, r, "cannot read '%s', the log of definitions", wal->path);
	wal_close(wal);
	return false;
}

static int sync_name(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	autofd int fd = sys_open(folder, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? fd : sys_fsync(fd);
}

/* Make it as long as it is to be, of blocks that were written. */
static int fill(const struct wal *wal)
{
	g_autofree uint8_t *zeroes = NULL;
	int64_t size = sys_file_size(wal->fd);
	ssize_t n;
	int r;

	if (size < 0)
		return (int)size;
	if (size >= SIZE)
		return 0;
	zeroes = g_malloc0(SIZE);
	n = sys_pwrite(wal->fd, zeroes, (size_t)(SIZE - size), size);
	/* Less than that is written when the disk is full then. */
	r = n < 0 ? (int)n : n < SIZE - size ? -ENOSPC : sys_fsync(wal->fd);
	return r < 0 ? r : sync_name(wal->path);
}

int wal_begin(struct wal *wal)
{
	int r = 0;

	if (wal->fd < 0)
		wal->fd = sys_open(wal->path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	r = wal->fd < 0 ? wal->fd : fill(wal);
	if (r < 0)
		return r;
	if (wal->direct < 0)
		open_direct(wal);
	return wal_clear(wal);
}

int wal_discard(struct wal *wal)
{
	int r = sys_unlink(wal->path);

	fd_autoclose(&wal->fd);
	fd_autoclose(&wal->direct);
	wal->end = wal->next = 0;
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : sync_name(wal->path);
}

void wal_close(struct wal *wal)
{
	fd_autoclose(&wal->fd);
	fd_autoclose(&wal->direct);
	g_clear_pointer(&wal->path, g_free);
}
