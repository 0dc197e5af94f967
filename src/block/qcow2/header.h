/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * header.h - the header of a qcow2 image and its extensions: from bytes, checked, and back
 *
 * Source: QEMU's docs/interop/qcow2.txt. All numbers in the file are big-endian.
 *
 * What is parsed is hostile. What a successful parse promises: offsets are aligned to clusters and
 * lie within the file, tables are no longer than the limits below, strings have no NUL and are not
 * empty, the image uses no feature that is not named here. Whether tables overlap is not looked at.
 *
 * Threads: any; nothing is shared.
 */
#ifndef BLOCK_QCOW2_HEADER_H
#define BLOCK_QCOW2_HEADER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "block/file.h"

enum {
	QCOW2_MIN_CLUSTER_BITS = 9,
	QCOW2_MAX_CLUSTER_BITS = 21,
	QCOW2_MIN_EXTENDED_BITS = 14, /* of clusters with subclusters */
	QCOW2_MAX_REFCOUNT_ORDER = 6,
	QCOW2_MAX_L1 = 32 << 20, /* bytes, as QEMU has it; so are the next ones */
	QCOW2_MAX_REFTABLE = 8 << 20,
	QCOW2_MAX_SNAPSHOTS = 65536,
	QCOW2_MAX_BITMAPS = 65535,
	QCOW2_MAX_NAME = 1023, /* bytes of a file's name */
	QCOW2_V2_LEN = 72,
	QCOW2_V3_LEN = 104, /* at least */
};

/* Incompatible features: who does not know one must not open the image. */
enum {
	QCOW2_DIRTY = 1 << 0,       /* refcounts may be wrong */
	QCOW2_CORRUPT = 1 << 1,     /* must not be written to */
	QCOW2_DATA_FILE = 1 << 2,   /* guest data is in another file */
	QCOW2_COMPRESSION = 1 << 3, /* compression_type is not zlib */
	QCOW2_EXTENDED_L2 = 1 << 4, /* subclusters */
	QCOW2_INCOMPATIBLE = (1 << 5) - 1,
};

/* Compatible ones, and those that a writer who does not know them clears. */
enum {
	QCOW2_LAZY_REFCOUNTS = 1 << 0,
	QCOW2_AUTOCLEAR_BITMAPS = 1 << 0,
	QCOW2_AUTOCLEAR_RAW_DATA = 1 << 1, /* the data file is a raw image of its own */
	QCOW2_AUTOCLEAR = QCOW2_AUTOCLEAR_BITMAPS | QCOW2_AUTOCLEAR_RAW_DATA,
};

enum qcow2_crypt {
	QCOW2_CRYPT_NONE,
	QCOW2_CRYPT_AES,
	QCOW2_CRYPT_LUKS,
};

enum qcow2_compression {
	QCOW2_ZLIB,
	QCOW2_ZSTD,
};

/* An extension that is not known here, or a table of feature names; kept as it is. */
struct qcow2_extension {
	uint32_t type;
	GBytes *data;
};

struct qcow2_header {
	uint32_t version; /* 2 or 3 */
	uint32_t cluster_bits, refcount_order;
	uint64_t size; /* bytes that the guest sees */
	enum qcow2_crypt crypt;
	enum qcow2_compression compression;
	uint64_t l1_off, reftable_off, snapshots_off; /* 0: none */
	uint32_t l1_size;                             /* entries */
	uint32_t reftable_clusters, snapshots;
	uint64_t incompatible, compatible, autoclear;
	char *backing_file, *backing_format, *data_file; /* or NULL; not to be trusted */
	/* Bitmaps; 0: none. They count only with QCOW2_AUTOCLEAR_BITMAPS. */
	uint32_t bitmaps;
	uint64_t bitmaps_off, bitmaps_size;
	uint64_t luks_off, luks_len; /* 0: none */
	GBytes *tail;                /* fields behind those known here, or NULL */
	GPtrArray *extensions;       /* struct qcow2_extension */
};

/**
 * qcow2_header_parse() - read and check a header
 * @name:        of the image, for messages
 * @bytes, @len: the file's first bytes; as many as a cluster has, or all there are. QCOW2_V2_LEN
 *               suffice to learn how many that is: qcow2_header_cluster_bits().
 * @file_size:   of the file
 *
 * Return: the header, for qcow2_header_free(), or NULL with @error
 */
struct qcow2_header *qcow2_header_parse(const char *name, const uint8_t *bytes, size_t len,
					uint64_t file_size, GError **error);
/* For who does not know a feature: what all of them are called. */
void qcow2_header_add_names(struct qcow2_header *header);
void qcow2_header_free(struct qcow2_header *header);
DEFINE_AUTOPTR(qcow2_header, qcow2_header_free);

/* The same, from the start of @file. */
struct qcow2_header *qcow2_header_read(const char *name, struct block_file *file, GError **error);

/* How large are its clusters (2^n bytes)? 0: it is no qcow2 image that can be read. */
unsigned qcow2_header_cluster_bits(const uint8_t *bytes, size_t len);

/**
 * qcow2_header_format() - the first cluster of an image with this header
 *
 * Return: a whole cluster, for g_free(), or NULL with @error if it has no room for all
 */
uint8_t *qcow2_header_format(const struct qcow2_header *header, GError **error);

/**
 * qcow2_header_replace() - the same for an image that has another header already
 * @old: the first cluster as it is, which has been parsed
 *
 * Return: a first cluster that can replace @old without a moment that has neither: what differs
 * behind the first sector is written and synced, then the first sector is written. NULL with @error
 * if there is no room for that.
 */
uint8_t *qcow2_header_replace(const struct qcow2_header *header, const uint8_t *old,
			      GError **error);

/**
 * qcow2_header_tidy() - what is to follow such a replacement
 *
 * Return: a first cluster that has the header in one piece, and can replace @old in the same way; NULL
 * if that is so already, or if there is no room for it yet
 */
uint8_t *qcow2_header_tidy(const struct qcow2_header *header, const uint8_t *old);

/* Put the numbers that change while an image is open into the first sector of its header. */
void qcow2_header_update(const struct qcow2_header *header, uint8_t *bytes);

#endif
