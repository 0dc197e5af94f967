/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2-lab.h - qcow2 images in memory that tests drive: a file in between, operations, a model
 *
 * The tap is a file that outlives the images on it. It can record what is written and synced, and
 * fail the n-th call. The model is a flat array of bytes, with a copy for each snapshot.
 */
#ifndef TESTS_QCOW2_LAB_H
#define TESTS_QCOW2_LAB_H

#include "block/qcow2/qcow2.h"

/* ---- tap ---- */

enum tap_event_kind {
	TAP_WRITE,
	TAP_PUNCH,
	TAP_RESIZE,
	TAP_SYNC,
};

struct tap_event {
	enum tap_event_kind kind;
	bool second;       /* of the data file */
	uint64_t off, len; /* of TAP_RESIZE: off is the size */
	uint8_t *data;     /* of TAP_WRITE */
};

struct tap {
	struct block_file base;
	struct block_file *inner;
	struct tap *second; /* the data file, or NULL; it is recorded and fails here, too */
	struct tap *first;  /* of a data file: the image's; what follows is that one's */
	GArray *log;        /* struct tap_event, or NULL: not recorded */
	unsigned fail_at;   /* this call fails, 1 the next one; 0: none */
	int fail_with;      /* positive errno */
	bool failed;
	bool harmless;    /* it was one that gives space back, which may fail in silence */
	bool short_write; /* a write that fails has written half */
};

struct tap *tap_new(void);
/* What both files have, but for the log. */
struct tap *tap_copy(struct tap *tap);
/* The data file, made if there is none. */
struct tap *tap_second(struct tap *tap);
void tap_free(struct tap *tap);
DEFINE_AUTOPTR(tap, tap_free);
void tap_record(struct tap *tap);
/* Do to @tap what was recorded. */
void tap_replay(struct tap *tap, const struct tap_event *event);

/* ---- sequences ---- */

struct lab_options {
	unsigned cluster_bits, refcount_bits, version;
	unsigned lazy, extended, zstd; /* 0 or 1 */
	unsigned data;                 /* file: 0: none; 1; 2: a raw image of its own */
	unsigned prealloc;             /* as in lab_preallocations[] */
	unsigned encrypted;            /* 0 or 1 */
	unsigned slots; /* pieces in the cache: few make it write early; 0: as always */
	uint64_t size, backing_size; /* the latter 0: none */
};

enum lab_kind {
	LAB_WRITE,
	LAB_ZERO,
	LAB_UNMAP,
	LAB_DISCARD,
	LAB_PACKED,
	LAB_READ,
	LAB_FLUSH,
	LAB_REOPEN,
	LAB_CREATE, /* a snapshot */
	LAB_APPLY,
	LAB_DELETE,
	LAB_RESIZE,
	LAB_BITMAP, /* off: enum qcow2_bitmap_change; fill: which; len: 2^n bytes */
	LAB_WIDTH,  /* of reference counts: len bits, if they fit */
	LAB_JUDGE,  /* compare all, check */
	LAB_KINDS,
};

struct lab_op {
	enum lab_kind kind;
	uint64_t off, len; /* of RESIZE: the size in len; of APPLY, DELETE: which, in off */
	uint32_t fill;
	bool dropped;
};

/* What is to be found of a bitmap. */
struct lab_bitmap {
	bool there, automatic;
	bool in_use; /* for ever: it was lost */
	bool known;  /* lab.bits has what is in it */
	unsigned granularity;
};

enum {
	LAB_BITMAPS = 3,
};

struct lab {
	struct lab_options options;
	struct tap *tap;
	struct image *image;
	uint8_t *backing;
	uint8_t *model;
	uint64_t size;
	GPtrArray *snapshots; /* struct lab_snapshot */
	struct lab_bitmap bitmaps[LAB_BITMAPS];
	GByteArray *bits[LAB_BITMAPS]; /* a byte for each; NULL: none yet */
	uint64_t count;                /* of operations */
};

struct lab_snapshot {
	char *name;
	uint8_t *model;
	uint64_t size;
};

extern const char *const lab_preallocations[4];

/* An image, and what is done to it; as text, it can be kept. */
struct lab_sequence {
	struct lab_options options;
	GArray *ops; /* struct lab_op */
};

struct lab_sequence *lab_sequence_random(GRand *rand);
/* NULL: it is none. */
struct lab_sequence *lab_sequence_parse(const char *text);
/* Without what was dropped; g_free() it. */
char *lab_sequence_text(const struct lab_sequence *sequence);
void lab_sequence_free(struct lab_sequence *sequence);
DEFINE_AUTOPTR(lab_sequence, lab_sequence_free);

/* Of encrypted images, for tests that open them by themselves. */
const struct image_keys *lab_keys(const struct lab_options *options);
/* An empty image on @tap, open; NULL with @error. */
struct lab *lab_new(const struct lab_options *options, struct tap *tap, GError **error);
/* Closes the image; the tap stays. */
void lab_free(struct lab *lab);
DEFINE_AUTOPTR(lab, lab_free);
bool lab_open(struct lab *lab, GError **error);
void lab_close(struct lab *lab);
/* @error: an operation failed, or what was read is not what the model has (SOCLE_ERROR_FAILED). */
bool lab_run(struct lab *lab, const struct lab_op *op, GError **error);

/* Have the counts of an open image so few bits that they may have no room for one more? */
bool lab_is_narrow(struct image *image);

/* lab_new() and lab_run(), for what must succeed. */
struct lab *lab_make(const struct lab_options *options, struct tap *tap);
void lab_do(struct lab *lab, enum lab_kind kind, uint64_t off, uint64_t len, uint32_t fill);
/* The model's bitmaps become those of the image. */
void lab_learn_bitmaps(struct lab *lab);
bool lab_judge(struct lab *lab, GError **error);

enum {
	LAB_LEAKS = 1 << 0,      /* are fine */
	LAB_NOT_COPIED = 1 << 1, /* so are COPIED flags that are missing */
};

/* Does the header say so? */
bool lab_is_dirty(struct block_file *file);
/* By check.c. */
bool lab_check(struct block_file *file, unsigned tolerated, GError **error);

#endif
