/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow1.c - the first version of qcow, to be read: two levels of tables, no counts
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/format/format.h"
#include "block/format/sparse.h"

enum {
	MAGIC = 0x514649fb,
	HEADER_LEN = 48,
	MAX_L1 = 1 << 26, /* bytes */
	MAX_NAME = 1023,

	H_MAGIC = 0,
	H_VERSION = 4,
	H_BACKING_OFF = 8,
	H_BACKING_LEN = 16,
	H_SIZE = 24,
	H_CLUSTER_BITS = 32,
	H_L2_BITS = 33,
	H_CRYPT = 36,
	H_L1_OFF = 40,
};

#define COMPRESSED (UINT64_C(1) << 63)

struct qcow1 {
	struct sparse s;
	unsigned cluster_bits, l2_bits;
	uint64_t l1_off;
};

static struct qcow1 *qcow1_of(struct sparse *s)
{
	return container_of(s, struct qcow1, s);
}

static bool qcow1_probe(const uint8_t *head, size_t len, uint64_t size, struct block_file *file)
{
	(void)size;
	(void)file;
	return len >= HEADER_LEN && get_be32(head + H_MAGIC) == MAGIC &&
	       get_be32(head + H_VERSION) == 1;
}

static bool qcow1_lookup(struct sparse *s, uint64_t index, struct sparse_block *ret, GError **error)
{
	const struct qcow1 *qcow = qcow1_of(s);
	const uint64_t in = index & ((UINT64_C(1) << qcow->l2_bits) - 1);
	uint64_t entry;
	uint8_t bytes[8];

	if (!sparse_meta_read(s, qcow->l1_off + (index >> qcow->l2_bits) * 8, bytes, 8,
			      "the L1 table", error))
		return false;
	entry = get_be64(bytes);
	if (!entry) {
		ret->kind = IMAGE_ABSENT;
		ret->count = (UINT64_C(1) << qcow->l2_bits) - in;
		return true;
	}
	if (entry % 8 || entry >= s->end)
		return sparse_bad(s, error,
				  "has an L2 table at %#" PRIx64 ", which is not where one can be",
				  entry);
	if (!sparse_meta_read(s, entry + in * 8, bytes, 8, "an L2 table", error))
		return false;
	entry = get_be64(bytes);
	ret->kind = entry ? IMAGE_DATA : IMAGE_ABSENT;
	ret->compressed = entry & COMPRESSED;

	ret->host_off = entry;
	if (ret->compressed) {
		ret->host_off = entry & ((UINT64_C(1) << (63 - qcow->cluster_bits)) - 1);
		ret->packed_len = (uint32_t)(entry >> (63 - qcow->cluster_bits) &
					     ((UINT64_C(1) << qcow->cluster_bits) - 1));
	}
	return true;
}

static bool qcow1_unpack(struct sparse *s, const struct sparse_block *block, uint8_t *out,
			 GError **error)
{
	g_autofree uint8_t *packed = g_malloc(block->packed_len + 1);
	int ret = block_file_read(s->file, block->host_off, packed, block->packed_len);

	if (ret < 0)
		return error_sys(error, ret, "cannot read data of image '%s'", s->name);
	if (!format_inflate(packed, block->packed_len, out, s->block_size, -12))
		return sparse_bad(s, error, "has compressed data at %#" PRIx64 " that are none",
				  block->host_off);
	return true;
}

static const struct sparse_ops qcow1_sparse_ops = {
	.lookup = qcow1_lookup,
	.unpack = qcow1_unpack,
};

static bool parse_fields(struct qcow1 *qcow, const uint8_t *h, GError **error)
{
	const uint64_t size = get_be64(h + H_SIZE);
	struct sparse *s = &qcow->s;
	uint64_t l1_len;
	unsigned reach_bits;

	if (!qcow1_probe(h, HEADER_LEN, 0, NULL))
		return sparse_bad(s, error, "is no qcow image of version 1");
	if (get_be32(h + H_CRYPT))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is encrypted, which is not supported for qcow of "
				 "version 1; convert it with qemu-img",
				 s->name);
	qcow->cluster_bits = h[H_CLUSTER_BITS];
	qcow->l2_bits = h[H_L2_BITS];
	qcow->l1_off = get_be64(h + H_L1_OFF);
	if (qcow->cluster_bits < 9 || qcow->cluster_bits > 16 || qcow->l2_bits < 6 ||
	    qcow->l2_bits > 13)
		return sparse_bad(s, error,
				  "has clusters of 2^%u bytes and L2 tables of 2^%u entries; 9 to "
				  "16 and 6 to 13 are possible",
				  qcow->cluster_bits, qcow->l2_bits);
	if (size > INT64_MAX)
		return sparse_bad(s, error, "says that it has %" PRIu64 " bytes", size);
	reach_bits = qcow->cluster_bits + qcow->l2_bits;
	l1_len = ((size >> reach_bits) + !!(size & ((UINT64_C(1) << reach_bits) - 1))) * 8;
	if (l1_len > MAX_L1 || qcow->l1_off % 8 || l1_len > s->end ||
	    qcow->l1_off > s->end - l1_len)
		return sparse_bad(s, error,
				  "has an L1 table of %" PRIu64 " bytes at %#" PRIx64
				  ", which cannot be",
				  l1_len, qcow->l1_off);
	s->base.size = size & ~UINT64_C(511);
	s->block_size = UINT64_C(1) << qcow->cluster_bits;
	s->base.cluster_size = (uint32_t)s->block_size;
	s->begin = HEADER_LEN;
	return true;
}

static bool parse_backing(struct qcow1 *qcow, const uint8_t *h, GError **error)
{
	const uint64_t off = get_be64(h + H_BACKING_OFF);
	const uint32_t len = get_be32(h + H_BACKING_LEN);
	char name[MAX_NAME + 1] = { 0 };

	if (!off || !len)
		return true;
	if (len > MAX_NAME || off > qcow->s.end)
		return sparse_bad(&qcow->s, error,
				  "has a name of %u bytes for its backing file at "
				  "%#" PRIx64 ", which cannot be",
				  len, off);
	if (!sparse_meta_read(&qcow->s, off, name, len, "the backing file's name", error))
		return false;
	if (strlen(name) != len)
		return sparse_bad(&qcow->s, error, "has a NUL in the name of its backing file");
	qcow->s.base.backing_file = g_strdup(name);
	return true;
}

static struct image *qcow1_open(const char *path, struct block_file *file, unsigned flags,
				GError **error)
{
	struct qcow1 *qcow = g_new0(struct qcow1, 1);
	uint8_t h[HEADER_LEN];

	(void)flags;
	if (sparse_init(&qcow->s, path, file, &qcow1_sparse_ops, error) &&
	    sparse_meta_read(&qcow->s, 0, h, sizeof(h), "the header", error) &&
	    parse_fields(qcow, h, error) && parse_backing(qcow, h, error))
		return &qcow->s.base;
	sparse_release(&qcow->s);
	g_free(qcow);
	return NULL;
}

const struct image_ops qcow1_image_ops = {
	.format = "qcow",
	.probe = qcow1_probe,
	.open = qcow1_open,
	.close = sparse_close,
	.read = sparse_read,
	.write = sparse_write,
	.zero = sparse_zero,
	.discard = sparse_discard,
	.flush = sparse_flush,
	.map = sparse_map,
};
