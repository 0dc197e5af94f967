/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2.h - what qcow2 images can do beyond image.h: snapshots, repair, changes of the format
 *
 * A struct image here is one that image_qcow2_ops opened (image->ops == &image_qcow2_ops).
 * What changes an image needs IMAGE_WRITE, flushes first, and is durable when it returns.
 *
 * Threads: as for image_write(): one at a time, and nobody else meanwhile.
 */
#ifndef BLOCK_QCOW2_QCOW2_H
#define BLOCK_QCOW2_QCOW2_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/image.h"
#include "block/qcow2/check.h"
#include "block/qcow2/header.h"

extern const struct image_ops image_qcow2_ops;

/* The header as it is now; stays the image's, until it is changed. */
const struct qcow2_header *qcow2_get_header(struct image *image);

/*
 * The data file of an image that was opened with IMAGE_DATA_LATER, whatever name it has for that;
 * @owned goes with the image, or with an error.
 */
bool qcow2_use_data(struct image *image, struct block_file *owned, const char *name,
		    GError **error);

/* ---- the short way: a disk's own I/O ---- */

struct qcow2_direct {
	uint64_t host; /* where the bytes are in the file @fd */
	int fd;
	struct dio_align align; /* what I/O there has to fit */
	unsigned token;         /* for qcow2_direct_end() */
};

/*
 * Where [off, off + len) lies as it is, to be read, or to be overwritten in place. False: that is not
 * so, or not known without I/O, or who wants to overwrite meets somebody who is busy with the image;
 * then image_read() or image_write() do it. True: the bytes stay where they are until
 * qcow2_direct_end(); who changes the image in a way that this must not meet waits for it.
 *
 * Threads: any, at any time.
 */
bool qcow2_direct_begin(struct image *image, uint64_t off, uint64_t len, bool write,
			struct qcow2_direct *ret);
void qcow2_direct_end(struct image *image, unsigned token, bool written);

/* ---- internal snapshots ---- */

struct qcow2_snapshot {
	char *id, *name;    /* no NUL within; an id is a decimal number if we made it */
	uint64_t disk_size; /* bytes, of the image at that time */
	uint64_t vm_size;   /* bytes of the machine's state that was saved with it; 0: none */
	int64_t date_s;     /* since 1970 */
	uint32_t date_ns;
	uint64_t vm_clock_ns; /* that the machine had been running */
	uint64_t icount;      /* UINT64_MAX: not recorded */

	/* The engine's. */
	uint64_t l1_off;
	uint32_t l1_size;
	GBytes *extra; /* what we do not know of it, kept */
};

/* Array of struct qcow2_snapshot, in the order of the image; stays the image's, until changed. */
const GPtrArray *qcow2_snapshots(struct image *image);

/* What there is by that id or, if there is none, by that name; NULL with @error. */
const struct qcow2_snapshot *qcow2_snapshot_find(struct image *image, const char *id_or_name,
						 GError **error);

/* Of what the image has now. Two may have the same name. @date_us: since 1970. */
bool qcow2_snapshot_create(struct image *image, const char *name, int64_t date_us, GError **error);
/* The image has the contents and the size of that time again; what it had is lost. */
bool qcow2_snapshot_apply(struct image *image, const char *id_or_name, GError **error);
/* For an image that is open for reading only: until it is closed it has what it had then. */
bool qcow2_snapshot_show(struct image *image, const char *id_or_name, GError **error);
bool qcow2_snapshot_delete(struct image *image, const char *id_or_name, GError **error);

/* ---- the state of a machine ---- */

/* Where it begins, among the bytes that the guest sees: behind all that it can. */
uint64_t qcow2_state_off(struct image *image);
/* At @off of it; of images of other formats, too, which have none. Absent bytes are zero. */
bool qcow2_state_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error);
/* It goes when the image grows. */
bool qcow2_state_write(struct image *image, uint64_t off, const void *buf, size_t len,
		       GError **error);

/* ---- bitmaps ---- */

struct qcow2_bitmap {
	char *name;
	uint32_t granularity_bits;
	bool in_use; /* it was not saved: says nothing */
	bool automatic;
};

/*
 * Array of struct qcow2_bitmap, for g_ptr_array_unref(); empty if there are none. While an
 * image is written to its automatic ones are in_use: they are in memory, and written back at the end.
 */
GPtrArray *qcow2_bitmaps(struct image *image, GError **error);

enum qcow2_bitmap_change {
	QCOW2_BITMAP_ADD, /* clear, automatic */
	QCOW2_BITMAP_REMOVE,
	QCOW2_BITMAP_CLEAR,
	QCOW2_BITMAP_ENABLE, /* automatic */
	QCOW2_BITMAP_DISABLE,
};

/* @granularity: of one that is added, 2^n bytes (9 to 31). Guest data is not changed. */
bool qcow2_bitmap_change(struct image *image, const char *name, enum qcow2_bitmap_change what,
			 unsigned granularity, GError **error);

/* Where @source of the image @from, which may be the same, says that something was written, so does
 * @name from now on. Granularities may differ, sizes may not. */
bool qcow2_bitmap_merge(struct image *image, const char *name, struct image *from,
			const char *source, GError **error);
/* Bytes that they take at most in an image with such clusters. */
uint64_t qcow2_bitmaps_size(const GPtrArray *bitmaps, uint64_t image_size, uint64_t cluster);

/* ---- repair ---- */

enum qcow2_repair {
	QCOW2_REPAIR_LEAKS, /* only what loses nothing: counts that are too high go down */
	QCOW2_REPAIR_ALL,
};

struct qcow2_repaired {
	uint64_t leaks, corruptions; /* that were there, and are not any more */
};

/**
 * qcow2_repair() - make the counts and flags of an image what its tables say
 * @name:      for messages
 * @file:      the image, not open as a struct image
 * @before:    what was found, or NULL
 * @after:     what is still wrong
 *
 * Clears the dirty bit, and with QCOW2_REPAIR_ALL the corrupt bit, once nothing is wrong any more.
 *
 * Return: false with @error if it could not be read or written
 */
bool qcow2_repair(const char *name, struct block_file *file, enum qcow2_repair what,
		  const struct qcow2_check_listener *listener, struct qcow2_check *before,
		  struct qcow2_check *after, struct qcow2_repaired *ret, GError **error);

/* ---- space ---- */

enum qcow2_preallocation {
	QCOW2_PREALLOCATE_OFF,
	QCOW2_PREALLOCATE_METADATA, /* tables say where it will be */
	QCOW2_PREALLOCATE_FALLOC,   /* and the host has the space */
	QCOW2_PREALLOCATE_FULL,     /* and zeroes are written */
};

/* From @off to the end nothing has been written yet: it is new. */
bool qcow2_preallocate_new(struct image *image, uint64_t off, enum qcow2_preallocation how,
			   GError **error);
/* ---- encryption ---- */

struct luks_header;

/* Of an image that has a LUKS header; NULL: none. Stays the image's. */
const struct luks_header *qcow2_get_luks(struct image *image);

struct qcow2_key_change {
	const struct secret *added;  /* gets a slot; NULL: slots are erased */
	const struct secret *secret; /* one that opens the image; NULL: not needed */
	int slot;                    /* LUKS_ANY_SLOT: the first free one; all that @secret opens */
	unsigned iter_time_ms;       /* of @added */
	bool force;                  /* what the slot has is lost, even if it is the last one */
};

/* The image may be locked. */
bool qcow2_change_keys(struct image *image, const struct qcow2_key_change *what, GError **error);

/* ---- changes of the format ---- */

/* All that it has itself goes, but for its snapshots: what is behind it is seen again. */
bool qcow2_empty(struct image *image, GError **error);

struct qcow2_amend {
	uint32_t version;       /* 2, 3; 0: as it is */
	int lazy_refcounts;     /* 0, 1; -1: as it is */
	unsigned refcount_bits; /* 1 to 64, a power of two; 0: as it is */
	int data_file_raw;      /* 0, 1; -1: as it is */
};

bool qcow2_amend(struct image *image, const struct qcow2_amend *what, GError **error);

/*
 * Something is going to stand behind an image that has nothing there yet: until it is closed zeroes
 * are noted as such, and not as what is absent.
 */
void qcow2_expect_backing(struct image *image);
/* For a rebase: only what is noted in the header; NULL: none. The open chain stays as it is. */
bool qcow2_set_backing(struct image *image, const char *file, const char *format, GError **error);

/* ---- measure ---- */

/* How many bytes an image with these options would need at most, with those of its data file. */
struct qcow2_measure {
	uint64_t required;
	uint64_t fully_allocated;
};

#define QCOW2_NO_SOURCE UINT64_MAX /* nothing is to be copied into it */

/* @options: as for image_create; @data: clusters that would be written, or QCOW2_NO_SOURCE. */
bool qcow2_measure(uint64_t size, uint64_t data, GHashTable *options, struct qcow2_measure *ret,
		   GError **error);

#endif
