/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.h - disk images: an asynchronous interface in front of files, devices and formats
 *
 * A struct block is an open image: a node in QEMU's words. Formats (raw now, qcow2 with its own
 * issue) and the null back end stand behind struct block_ops. A guest's disk submits from its loop
 * through a struct block_queue of its own; a format may have state there.
 *
 * Images are hostile: a format is named by the user, never guessed for a writable image.
 *
 * Threads: [main] = control functions, off the data path; [loop] = on the loop of the queue. A
 * block may have several queues on several loops.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/io-loop.h"

struct block;
struct block_queue;

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,
	BLOCK_DISCARD,      /* contents become undefined, space may be given back */
	BLOCK_WRITE_ZEROES, /* reads as zero afterwards */
	BLOCK_OP_COUNT,
};

enum {
	BLOCK_FUA = 1 << 0,   /* WRITE, WRITE_ZEROES: durable when done */
	BLOCK_UNMAP = 1 << 1, /* WRITE_ZEROES: space may be given back */
};

/* A request, embedded in what asks for it. Set the first part, the rest is the back end's. */
struct block_request {
	enum block_op op;
	unsigned flags;
	uint64_t off, len;       /* bytes; multiples of info.request_alignment, within the size */
	const struct iovec *iov; /* READ, WRITE: @len bytes in all; lives until done() */
	unsigned iov_count;
	/* [loop] 0 or -errno, all of it or an error. Never called from inside block_submit(). */
	void (*done)(struct block_request *req, int result);
	/* private */
	struct block_queue *queue;
	struct block_request *next;
	union {
		struct io_op io;
		struct io_work work;
	};
	int result;
	unsigned step;
	uint64_t progress; /* bytes that are done */
	union {
		void *bounce;
		unsigned tokens[2];   /* of epochs that it is inside of */
		uint64_t deadline_ns; /* of one that another host does */
	};
	struct iovec tail[1];
};

struct block_info {
	uint64_t size;              /* bytes */
	uint32_t request_alignment; /* of off and len: 512 or 4096 */
	uint32_t physical_block;    /* what the host prefers: 512 to 64 KiB */
	uint32_t discard_alignment;
	bool read_only, direct, discard; /* discard: space really is given back */
	bool fixed_size;                 /* a device: block_resize() looks how large it is */
};

enum block_discard {
	BLOCK_DISCARD_UNMAP,  /* give space back */
	BLOCK_DISCARD_IGNORE, /* discards do nothing */
};

struct remote_login;
struct secret;

struct block_open {
	const char *node_name; /* for messages and the monitor */
	/* A file or a device; of another host a URL (remote/url.h); NULL for format "null" */
	const char *path;
	const struct remote_login *login; /* to another host; or NULL */
	/* "raw", "qcow2", "null" (reads zeroes, loses writes; for benchmarks) */
	const char *format;
	bool read_only;
	bool direct;   /* O_DIRECT: past the host's page cache */
	bool no_flush; /* ignore flushes: fast and unsafe, for scratch machines */
	bool shared;   /* do not insist on being the only writer; all must say so */
	bool backing;  /* files that the image names may be opened */
	bool detached; /* they are not opened: something will be put there before it is read */
	bool snapshot; /* what is written goes to a temporary file, and away with it */
	/* What opens encrypted images of the chain, the front one's first; NULL: none. */
	const struct secret *const *secrets;
	unsigned secret_count;
	enum block_discard discard;
	uint64_t null_size; /* format "null" */
};

/* What a format implements. All [main] unless said otherwise. */
struct block_ops {
	const char *format;
	bool takes_secrets;  /* its images may be encrypted */
	bool flushes_itself; /* flushes come also with no_flush: there is more to it than a sync */
	/* Open, and fill in size and info of block-int.h; the rest of it is block_open()'s. */
	struct block *(*open)(const struct block_open *options, GError **error);
	void (*close)(struct block *block);
	/* Grow or shrink; no request lies beyond it. NULL: cannot. */
	bool (*resize)(struct block *block, uint64_t size, GError **error);
	/* Bytes that the host has allocated. NULL: none. */
	uint64_t (*allocated)(struct block *block);
	/* State for a loop, its base zeroed; NULL: the plain struct, freed by g_free(). */
	struct block_queue *(*queue_new)(struct block *block, struct io_loop *loop);
	void (*queue_free)(struct block_queue *queue);
	/* [loop] Checked already: within the size, aligned, not read-only, @len > 0. */
	void (*submit)(struct block_queue *queue, struct block_request *req);
};

struct block *block_open(const struct block_open *options, GError **error);
/* All its queues are freed. NULL is fine. */
void block_close(struct block *block);
DEFINE_AUTOPTR(block, block_close);
bool block_format_is_known(const char *name);
/* Names of the formats, for messages: "raw, null". */
const char *block_format_names(void);

const char *block_node_name(const struct block *block);
const char *block_path(const struct block *block);   /* "" if it has none */
const char *block_format(const struct block *block); /* "raw" */
/* [any] The size may change by block_resize(). */
void block_info(const struct block *block, struct block_info *ret_info);
/* [main] Bytes that the host has allocated for it. */
uint64_t block_allocated(const struct block *block);
/* [main] Can it become that large? */
bool block_resize_check(const struct block *block, uint64_t size, GError **error);
/* [main] No request lies beyond @size: a disk is told first (virtio_blk_shrink()). A device is as
 * large as it is: its size is read anew. */
bool block_resize(struct block *block, uint64_t size, GError **error);

/*
 * [main] Notice a write into the image's file that ends behind @off: once. 0: no more. Of formats with a map it is
 * what the image takes of its file, not what the guest sees. It belongs to the file: another one in its place
 * has none.
 */
void block_set_threshold(struct block *block, uint64_t off);
uint64_t block_threshold(struct block *block);
/* [main] How many bytes behind it that was, since it was asked last; 0: it has not been. */
uint64_t block_beyond_threshold(struct block *block);

/* [main] A queue on a loop; fails only for want of resources. */
struct block_queue *block_queue_new(struct block *block, struct io_loop *loop, GError **error);
/* [main] It has no requests. NULL is fine. */
void block_queue_free(struct block_queue *queue);
DEFINE_AUTOPTR(block_queue, block_queue_free);
struct block *block_queue_block(const struct block_queue *queue);

/* [loop] Never fails: errors come by done(): -EIO, -ENOSPC, -EINVAL (alignment, range), -EROFS.
 * Requests submitted in one round of the loop go to the kernel together. */
void block_submit(struct block_queue *queue, struct block_request *req);

#endif
