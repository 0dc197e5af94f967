/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * header-int.h - where the fields of a qcow2 header are, and the types of its extensions
 */
#ifndef BLOCK_QCOW2_HEADER_INT_H
#define BLOCK_QCOW2_HEADER_INT_H

enum {
	QCOW2_MAGIC = 0x514649fb, /* "QFI\xfb" */

	/* Offsets of the fixed fields. */
	H_MAGIC = 0,
	H_VERSION = 4,
	H_BACKING_OFF = 8,
	H_BACKING_LEN = 16,
	H_CLUSTER_BITS = 20,
	H_SIZE = 24,
	H_CRYPT = 32,
	H_L1_SIZE = 36,
	H_L1_OFF = 40,
	H_REFTABLE_OFF = 48,
	H_REFTABLE_CLUSTERS = 56,
	H_SNAPSHOTS = 60,
	H_SNAPSHOTS_OFF = 64,
	H_INCOMPATIBLE = 72,
	H_COMPATIBLE = 80,
	H_AUTOCLEAR = 88,
	H_REFCOUNT_ORDER = 96,
	H_LEN = 100,
	H_COMPRESSION = 104,
	H_KNOWN_LEN = 112, /* with the padding behind the compression's type */

	V2_REFCOUNT_ORDER = 4,
	EXT_HEADER_LEN = 8,
	EXT_BITMAPS_LEN = 24,
	EXT_LUKS_LEN = 16,
	FEATURE_LEN = 48, /* of an entry in the table of names: type, bit, name */
	FEATURE_NAME_LEN = 46,

	SNAPSHOT_LEN = 40, /* of an entry in their list, at least */
};

#define EXT_END            0x00000000u
#define EXT_BACKING_FORMAT 0xe2792acau
#define EXT_FEATURES       0x6803f857u
#define EXT_BITMAPS        0x23852875u
#define EXT_LUKS           0x0537be77u
#define EXT_DATA_FILE      0x44415441u
/* Ours: nothing, as long as it is; what others do not know they skip. */
#define EXT_GAP 0x67617021u

#endif
