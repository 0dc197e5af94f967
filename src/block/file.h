/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file.h - a file that a format reads and writes in place, call by call
 *
 * The seam below the synchronous half of formats (docs/design/0007-qcow2.md): a file of the host,
 * bytes in memory, or what a test puts in between to record or to fail.
 *
 * Errors are -errno: who calls knows what the bytes were for.
 *
 * Threads: reads may come from several at once, while nobody else does anything; all others one at
 * a time.
 */
#ifndef BLOCK_FILE_H
#define BLOCK_FILE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "block/dio.h"
#include "block/mark.h"

struct block_file;

struct block_file_ops {
	/* How many bytes there were, fewer than @len only at the end of the file; or -errno. */
	ssize_t (*read)(struct block_file *file, uint64_t off, void *buf, size_t len);
	/* All of it, or -errno and any part of it. The file grows as needed. */
	int (*write)(struct block_file *file, uint64_t off, const void *buf, size_t len);
	/* What was written until now survives a power cut. Once it failed it always fails. */
	int (*sync)(struct block_file *file);
	/* Bytes, or -errno. */
	int64_t (*size)(struct block_file *file);
	/* Grow by zeroes, or cut. A device cannot: -ENOTSUP. */
	int (*resize)(struct block_file *file, uint64_t size);
	/* Reads as zero from now on, and takes no space; within the size. -ENOTSUP: cannot. */
	int (*punch)(struct block_file *file, uint64_t off, uint64_t len);
	/*
	 * From @off on, below the size: is there data, or a hole that reads as zero, and for how
	 * many bytes (*ret_len > 0, may go behind the end). Who cannot tell says data.
	 */
	int (*extent)(struct block_file *file, uint64_t off, uint64_t *ret_len, bool *ret_data);
	/* Let space be there, which reads as zero; the file is long enough. -ENOTSUP: cannot. */
	int (*allocate)(struct block_file *file, uint64_t off, uint64_t len);
	/* Bytes that it takes on the host. */
	int64_t (*allocated)(struct block_file *file);
	void (*close)(struct block_file *file);
};

struct block_file {
	const struct block_file_ops *ops;
	struct block_mark mark; /* that writes are held against */
};

enum {
	BLOCK_FILE_WRITE = 1 << 0,
	BLOCK_FILE_CREATE = 1 << 1,   /* there must be none of that name; implies WRITE */
	BLOCK_FILE_DIRECT = 1 << 2,   /* past the page cache */
	BLOCK_FILE_SHARED = 1 << 3,   /* others may write to it meanwhile */
	BLOCK_FILE_NO_LOCK = 1 << 4,  /* nor is anybody told that it is in use */
	BLOCK_FILE_NO_FLUSH = 1 << 5, /* sync() does nothing */
	BLOCK_FILE_CHAR = 1 << 6,     /* a character device will do */
};

/* A file or a block device of the host; locked as QEMU does it (lock.c). */
struct block_file *block_file_open(const char *path, unsigned flags, GError **error);
/*
 * The file of the host that is open as @fd, once more, whatever has become of its name; @fd_writes:
 * it is open for writing there. The locks pass over: one of the two is to be closed soon.
 */
struct block_file *block_file_again(int fd, bool fd_writes, const char *path, unsigned flags,
				    GError **error);
/* The same with locks of its own, for a descriptor that has none; @path is what it is called. */
struct block_file *block_file_of_fd(int fd, const char *path, unsigned flags, GError **error);
/* -errno of a sync that failed, by which all fail from then on; 0: none has. */
int block_file_sync_error(struct block_file *file);
void block_file_set_sync_error(struct block_file *file, int err);
/* Bytes in memory, to be read, which stay the caller's and must not go before the file. */
struct block_file *block_file_memory(const uint8_t *bytes, size_t len);
/*
 * A file in memory, empty, of at most @limit bytes: -ENOSPC beyond. It takes memory only where it is
 * not zero.
 */
struct block_file *block_file_scratch(size_t limit);
/* NULL is fine. */
void block_file_close(struct block_file *file);
DEFINE_AUTOPTR(block_file, block_file_close);

int64_t block_file_size(struct block_file *file);
/* All of it: what lies behind the end reads as zero. 0 or -errno. */
int block_file_read(struct block_file *file, uint64_t off, void *buf, size_t len);
int block_file_write(struct block_file *file, uint64_t off, const void *buf, size_t len);
int block_file_sync(struct block_file *file);
int block_file_resize(struct block_file *file, uint64_t size);
/* By a hole, or by writing where there can be none. The file grows to the end of the range. */
int block_file_zero(struct block_file *file, uint64_t off, uint64_t len);
/* As block_file_zero(), but does nothing where it would have to write. Within the size. */
int block_file_punch(struct block_file *file, uint64_t off, uint64_t len);
/* Writes them, wherever it is. The file grows. */
int block_file_write_zeroes(struct block_file *file, uint64_t off, uint64_t len);
/* Within the size: there will be space to write to. Writes zeroes if there is no other way. */
int block_file_allocate(struct block_file *file, uint64_t off, uint64_t len);
/*
 * Of a new file: let the file system allocate such pieces (bytes; 0: as it likes), and overwrite in
 * place. Most know neither, and nothing is said then.
 */
void block_file_hint(struct block_file *file, uint64_t extent, bool nocow);
/* Bytes that it takes on the host; or -errno. */
int64_t block_file_allocated(struct block_file *file);
/* Of a file of the host; -1: it is none. Stays the file's. */
int block_file_fd(struct block_file *file);
/* What I/O on that has to fit. */
struct dio_align block_file_align(struct block_file *file);
/* Do both stand for the same file of the host? */
bool block_file_is_same(struct block_file *a, struct block_file *b);
int block_file_extent(struct block_file *file, uint64_t off, uint64_t *ret_len, bool *ret_data);

#endif
