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
	TAP_MARK, /* the test's: @off is its number */
};

struct tap_event {
	enum tap_event_kind kind;
	uint64_t off, len; /* of TAP_RESIZE: off is the size */
	uint8_t *data;     /* of TAP_WRITE */
};

struct tap {
	struct block_file base;
	struct block_file *inner;
	GArray *log;      /* struct tap_event, or NULL: not recorded */
	unsigned fail_at; /* this call fails, 1 the next one; 0: none */
	int fail_with;    /* positive errno */
	bool failed;
	bool harmless;    /* it was one that gives space back, which may fail in silence */
	bool short_write; /* a write that fails has written half */
};

struct tap *tap_new(size_t limit);
/* A file with these bytes, which are copied. */
struct tap *tap_from(const uint8_t *bytes, size_t len, size_t limit);
void tap_free(struct tap *tap);
DEFINE_AUTOPTR(tap, tap_free);
void tap_record(struct tap *tap);
void tap_mark(struct tap *tap, uint64_t number);

/* ---- sequences ---- */

struct lab_options {
	unsigned cluster_bits, refcount_bits, version;
	bool lazy, extended, zstd, encrypted;
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
	LAB_JUDGE, /* compare all, check */
	LAB_KINDS,
};

struct lab_op {
	enum lab_kind kind;
	uint64_t off, len; /* of RESIZE: the size in len; of APPLY, DELETE: which, in off */
	uint32_t fill;
	bool dropped;
};

struct lab {
	struct lab_options options;
	struct tap *tap;
	struct image *image;
	uint8_t *backing;
	uint8_t *model;
	uint64_t size;
	GPtrArray *snapshots; /* struct lab_snapshot */
	uint64_t count;       /* of operations */
};

struct lab_snapshot {
	char *name;
	uint8_t *model;
	uint64_t size;
};

void lab_options_random(GRand *rand, struct lab_options *ret);
char *lab_options_text(const struct lab_options *options);
/* Random operations for an image of that size. */
GArray *lab_ops_random(GRand *rand, const struct lab_options *options, bool snapshots);
char *lab_op_text(const struct lab_op *op);

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
bool lab_judge(struct lab *lab, GError **error);
/* By check.c: neither leak nor corruption, or only leaks. */
bool lab_check(struct block_file *file, bool leaks_are_fine, GError **error);

#endif
