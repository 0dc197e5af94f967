/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * header-format.c - the header of a qcow2 image, back into bytes
 *
 * A disk writes a sector as a whole, and the sectors of one write in any order. What does not fit into
 * the first sector is therefore written where the header that is there has nothing, and the first
 * sector after it: until then the old header holds, from then on the new one. Extensions follow each
 * other without a hole, so one of type EXT_GAP leads over what lies in between.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/header-int.h"
#include "block/qcow2/header.h"

enum {
	SECTOR = 512,
};

struct format {
	uint8_t *bytes;
	size_t off, len;       /* of the part that is being filled */
	size_t tail, tail_end; /* that comes then; tail 0: none */
	bool full;
};

/* Go on in the tail. */
static void begin_tail(struct format *f)
{
	f->off = f->tail;
	f->len = f->tail_end;
	f->tail = 0;
}

/* Room for that many bytes, zeroed; padded to 8. */
static uint8_t *format_take(struct format *f, size_t len)
{
	const size_t padded = (len + 7) & ~(size_t)7;
	uint8_t *at = f->bytes + f->off;

	if (f->full || f->off > f->len || padded > f->len - f->off) {
		f->full = true;
		return NULL;
	}
	memset(at, 0, padded);
	f->off += padded;
	return at;
}

/* The header of an extension with so many bytes; before the tail there is always room for one more. */
static uint8_t *extension_take(struct format *f, uint32_t type, size_t len)
{
	const size_t padded = EXT_HEADER_LEN + ((len + 7) & ~(size_t)7);
	const size_t spare = f->tail && type != EXT_END ? EXT_HEADER_LEN : 0;

	if (f->tail && f->off + padded + spare > f->len) {
		uint8_t *gap = format_take(f, EXT_HEADER_LEN);

		if (!gap)
			return NULL;
		put_be32(gap, EXT_GAP);
		put_be32(gap + 4, (uint32_t)(f->tail - f->off));
		begin_tail(f);
	}
	return format_take(f, EXT_HEADER_LEN + len);
}

static uint8_t *format_extension(struct format *f, uint32_t type, const void *data, size_t len)
{
	uint8_t *at = extension_take(f, type, len);

	if (!at)
		return NULL;
	put_be32(at, type);
	put_be32(at + 4, (uint32_t)len);
	at += EXT_HEADER_LEN;
	if (data)
		memcpy(at, data, len);
	return at;
}

static void format_extensions(struct format *f, const struct qcow2_header *h, bool names)
{
	uint8_t *at;

	if (h->backing_format)
		(void)format_extension(f, EXT_BACKING_FORMAT, h->backing_format,
				       strlen(h->backing_format));
	if (h->data_file)
		(void)format_extension(f, EXT_DATA_FILE, h->data_file, strlen(h->data_file));
	if (h->luks_off) {
		at = format_extension(f, EXT_LUKS, NULL, EXT_LUKS_LEN);
		if (at) {
			put_be64(at, h->luks_off);
			put_be64(at + 8, h->luks_len);
		}
	}
	if (h->bitmaps) {
		at = format_extension(f, EXT_BITMAPS, NULL, EXT_BITMAPS_LEN);
		if (at) {
			put_be32(at, h->bitmaps);
			put_be64(at + 8, h->bitmaps_size);
			put_be64(at + 16, h->bitmaps_off);
		}
	}
	for (unsigned i = 0; i < h->extensions->len; i++) {
		const struct qcow2_extension *extension = g_ptr_array_index(h->extensions, i);

		if (extension->type == EXT_FEATURES && !names)
			continue;
		(void)format_extension(f, extension->type, g_bytes_get_data(extension->data, NULL),
				       g_bytes_get_size(extension->data));
	}
	(void)format_extension(f, EXT_END, NULL, 0);
}

static void format_fields(uint8_t *b, const struct qcow2_header *h)
{
	put_be32(b + H_MAGIC, QCOW2_MAGIC);
	put_be32(b + H_VERSION, h->version);
	put_be32(b + H_CLUSTER_BITS, h->cluster_bits);
	put_be64(b + H_SIZE, h->size);
	put_be32(b + H_CRYPT, h->crypt);
	put_be32(b + H_L1_SIZE, h->l1_size);
	put_be64(b + H_L1_OFF, h->l1_off);
	put_be64(b + H_REFTABLE_OFF, h->reftable_off);
	put_be32(b + H_REFTABLE_CLUSTERS, h->reftable_clusters);
	put_be32(b + H_SNAPSHOTS, h->snapshots);
	put_be64(b + H_SNAPSHOTS_OFF, h->snapshots_off);
}

static void format_features(uint8_t *b, const struct qcow2_header *h)
{
	put_be64(b + H_INCOMPATIBLE, h->incompatible);
	put_be64(b + H_COMPATIBLE, h->compatible);
	put_be64(b + H_AUTOCLEAR, h->autoclear);
}

static void format_v3(uint8_t *b, const struct qcow2_header *h, size_t len)
{
	format_features(b, h);
	put_be32(b + H_REFCOUNT_ORDER, h->refcount_order);
	put_be32(b + H_LEN, (uint32_t)len);
	b[H_COMPRESSION] = (uint8_t)h->compression;
	if (h->tail)
		memcpy(b + H_KNOWN_LEN, g_bytes_get_data(h->tail, NULL), len - H_KNOWN_LEN);
}

void qcow2_header_update(const struct qcow2_header *header, uint8_t *bytes)
{
	format_fields(bytes, header);
	if (header->version < 3)
		return;
	format_features(bytes, header);
	put_be32(bytes + H_REFCOUNT_ORDER, header->refcount_order);
}

/* False: it does not fit. @names: of features, too, which are for messages only. */
static bool format_all(struct format *f, const struct qcow2_header *h, bool names)
{
	const size_t tail = h->tail ? g_bytes_get_size(h->tail) : 0;
	const size_t len = h->version == 2 ? QCOW2_V2_LEN : H_KNOWN_LEN + tail;
	const size_t name_len = h->backing_file ? strlen(h->backing_file) : 0;
	uint8_t *bytes = format_take(f, len), *at;

	if (!bytes)
		return false;
	format_fields(bytes, h);
	if (h->version == 3)
		format_v3(bytes, h, len);
	format_extensions(f, h, names);
	if (f->tail && f->off + name_len > f->len)
		begin_tail(f);
	if (name_len) {
		const size_t off = f->off;

		at = format_take(f, name_len);
		if (at) {
			memcpy(at, h->backing_file, name_len);
			put_be64(bytes + H_BACKING_OFF, off);
			put_be32(bytes + H_BACKING_LEN, (uint32_t)name_len);
		}
	}
	return !f->full;
}

uint8_t *qcow2_header_format(const struct qcow2_header *header, GError **error)
{
	const size_t cluster = (size_t)1 << header->cluster_bits;
	g_autofree uint8_t *bytes = g_malloc0(cluster);
	struct format f = { .bytes = bytes, .len = cluster };

	if (format_all(&f, header, true))
		return g_steal_pointer(&bytes);
	error_set(
		error, SOCLE_ERROR_LIMIT,
		"the header does not fit into a cluster of %zu bytes; shorten the names in it, or "
		"take larger clusters",
		cluster);
	return NULL;
}

/* ---- in place of another one ---- */

/* What a header has behind the first sector lies between these. */
struct used {
	size_t begin, end;
};

static void use(struct used *used, size_t begin, size_t end)
{
	if (end <= SECTOR)
		return;
	used->begin = MIN(used->begin, MAX(begin, (size_t)SECTOR));
	used->end = MAX(used->end, end);
}

/* The header has been parsed: it is what it should be. */
static struct used find_used(const uint8_t *b, size_t cluster)
{
	const size_t name = (size_t)get_be64(b + H_BACKING_OFF),
		     name_len = get_be32(b + H_BACKING_LEN);
	const size_t end = name && name_len ? name : cluster;
	struct used used = { cluster, SECTOR };
	size_t off = get_be32(b + H_VERSION) == 2 ? QCOW2_V2_LEN : get_be32(b + H_LEN);

	use(&used, 0, off);
	while (end - off >= EXT_HEADER_LEN) {
		const uint32_t type = get_be32(b + off);
		const size_t len = get_be32(b + off + 4), padded = (len + 7) & ~(size_t)7;

		use(&used, off,
		    off + EXT_HEADER_LEN + (type == EXT_GAP || type == EXT_END ? 0 : len));
		if (type == EXT_END || len > end - off - EXT_HEADER_LEN)
			break;
		off += EXT_HEADER_LEN;
		off += MIN(padded, end - off);
	}
	if (end == name)
		use(&used, name, name + name_len);
	return used;
}

static bool try_tail(uint8_t *bytes, const struct qcow2_header *header, size_t begin, size_t end,
		     bool names)
{
	struct format f = { .bytes = bytes, .len = SECTOR, .tail = begin, .tail_end = end };

	return format_all(&f, header, names);
}

/* Where such a header would end if it were in one piece. */
static size_t end_of_whole(const struct qcow2_header *header, size_t cluster)
{
	g_autofree uint8_t *bytes = qcow2_header_format(header, NULL);

	return bytes ? find_used(bytes, cluster).end : SECTOR;
}

uint8_t *qcow2_header_replace(const struct qcow2_header *header, const uint8_t *old, GError **error)
{
	const size_t cluster = (size_t)1 << header->cluster_bits;
	const struct used used = find_used(old, cluster);
	const size_t behind = (used.end + 7) & ~(size_t)7;
	/* Best where it leaves room for being tidied up. */
	const size_t far = MAX(behind, (end_of_whole(header, cluster) + 7) & ~(size_t)7);
	const struct {
		size_t begin, end;
	} rooms[] = {
		{ SECTOR, used.begin & ~(size_t)7 },
		{ far, cluster },
		{ behind, cluster },
	};

	for (unsigned i = 0; i < 2 * G_N_ELEMENTS(rooms); i++) {
		g_autofree uint8_t *bytes = g_memdup2(old, cluster);
		const bool names = i < G_N_ELEMENTS(rooms);
		const unsigned room = i % G_N_ELEMENTS(rooms);

		memset(bytes, 0, SECTOR);
		if (try_tail(bytes, header, rooms[room].begin, rooms[room].end, names))
			return g_steal_pointer(&bytes);
	}
	error_set(error, SOCLE_ERROR_LIMIT,
		  "the header has no room in a cluster of %zu bytes to be changed in one step; "
		  "shorten the names in it, or convert the image to one with larger clusters",
		  cluster);
	return NULL;
}

uint8_t *qcow2_header_tidy(const struct qcow2_header *header, const uint8_t *old)
{
	const size_t cluster = (size_t)1 << header->cluster_bits;
	g_autofree uint8_t *bytes = qcow2_header_format(header, NULL);
	size_t end;

	if (!bytes)
		return NULL;
	end = find_used(bytes, cluster).end;
	if (end > find_used(old, cluster).begin || !memcmp(bytes, old, end))
		return NULL;
	/* What is in use behind it stays until the first sector does not lead there any more. */
	memcpy(bytes + end, old + end, cluster - end);
	return g_steal_pointer(&bytes);
}
