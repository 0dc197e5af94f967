/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * header.c - the header of a qcow2 image and its extensions: from bytes, checked
 *
 * Fixed fields, then extensions up to one of type 0, then (anywhere behind) the backing file's name;
 * all in the first cluster.
 */
#include "block/qcow2/header.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/header-int.h"

struct parse {
	const char *name;
	const uint8_t *bytes;
	size_t len; /* of what may be looked at: not beyond the first cluster */
	uint64_t file_size;
	struct qcow2_header *header;
	GError **error;
};

static bool bad(const struct parse *p, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* "image 'x' ...". False. */
static bool bad(const struct parse *p, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	return error_set(p->error, SOCLE_ERROR_CORRUPT, "image '%s' %s", p->name, text);
}

static uint64_t cluster_size(const struct qcow2_header *header)
{
	return UINT64_C(1) << header->cluster_bits;
}

unsigned qcow2_header_cluster_bits(const uint8_t *bytes, size_t len)
{
	uint32_t bits;

	if (len < QCOW2_V2_LEN || get_be32(bytes + H_MAGIC) != QCOW2_MAGIC)
		return 0;
	bits = get_be32(bytes + H_CLUSTER_BITS);
	return bits >= QCOW2_MIN_CLUSTER_BITS && bits <= QCOW2_MAX_CLUSTER_BITS ? bits : 0;
}

static void extension_free(void *opaque)
{
	struct qcow2_extension *extension = opaque;

	g_bytes_unref(extension->data);
	g_free(extension);
}

static struct qcow2_header *header_new(void)
{
	struct qcow2_header *header = g_new0(struct qcow2_header, 1);

	header->extensions = g_ptr_array_new_with_free_func(extension_free);
	return header;
}

void qcow2_header_add_names(struct qcow2_header *header)
{
	static const struct {
		uint8_t type, bit;
		const char *name;
	} names[] = {
		{ 0, 0, "dirty bit" },
		{ 0, 1, "corrupt bit" },
		{ 0, 2, "external data file" },
		{ 0, 3, "compression type" },
		{ 0, 4, "extended L2 entries" },
		{ 1, 0, "lazy refcounts" },
		{ 2, 0, "bitmaps" },
		{ 2, 1, "raw external data" },
	};
	uint8_t table[sizeof(names) / sizeof(names[0]) * FEATURE_LEN] = { 0 };
	struct qcow2_extension *extension = g_new(struct qcow2_extension, 1);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint8_t *at = table + i * FEATURE_LEN;

		at[0] = names[i].type;
		at[1] = names[i].bit;
		memcpy(at + 2, names[i].name, strlen(names[i].name));
	}
	*extension = (struct qcow2_extension){ EXT_FEATURES, g_bytes_new(table, sizeof(table)) };
	g_ptr_array_set_free_func(header->extensions, extension_free);
	g_ptr_array_add(header->extensions, extension);
}

void qcow2_header_free(struct qcow2_header *header)
{
	if (!header)
		return;
	g_free(header->backing_file);
	g_free(header->backing_format);
	g_free(header->data_file);
	g_clear_pointer(&header->tail, g_bytes_unref);
	g_ptr_array_unref(header->extensions);
	g_free(header);
}

/* ---- extensions ---- */

/* A name that has no NUL and is not empty, into *ret, which is set once at most. */
static bool take_name(const struct parse *p, const char *what, const uint8_t *data, size_t len,
		      char **ret)
{
	if (*ret)
		return bad(p, "names its %s twice", what);
	if (!len || len > QCOW2_MAX_NAME || memchr(data, 0, len))
		return bad(p, "has a name of its %s that is empty, too long, or has a NUL", what);
	*ret = g_strndup((const char *)data, len);
	return true;
}

/* Does a table lie within the file? The file may end in its last cluster. */
static bool check_table(const struct parse *p, const char *what, uint64_t off, uint64_t len)
{
	const uint64_t mask = cluster_size(p->header) - 1;
	const uint64_t end = (p->file_size + mask) & ~mask;

	if (!off || off & mask || off > end || len > end - off)
		return bad(p, "has a %s at %#" PRIx64 ", which is not where one can be", what, off);
	return true;
}

static bool take_bitmaps(const struct parse *p, const uint8_t *data, size_t len)
{
	struct qcow2_header *header = p->header;

	if (header->bitmaps)
		return bad(p, "has two lists of bitmaps");
	if (len != EXT_BITMAPS_LEN || get_be32(data + 4))
		return bad(p, "has a list of bitmaps of an unknown kind");
	/* Who did not know bitmaps has written to it: they say nothing any more. */
	if (!(header->autoclear & QCOW2_AUTOCLEAR_BITMAPS))
		return true;
	header->bitmaps = get_be32(data);
	header->bitmaps_size = get_be64(data + 8);
	header->bitmaps_off = get_be64(data + 16);
	if (!header->bitmaps || header->bitmaps > QCOW2_MAX_BITMAPS)
		return bad(p, "has %u bitmaps; there can be 1 to %d", header->bitmaps,
			   QCOW2_MAX_BITMAPS);
	return check_table(p, "list of bitmaps", header->bitmaps_off, header->bitmaps_size);
}

static bool take_luks(const struct parse *p, const uint8_t *data, size_t len)
{
	struct qcow2_header *header = p->header;

	if (header->luks_off || len != EXT_LUKS_LEN || header->crypt != QCOW2_CRYPT_LUKS)
		return bad(p, "has a LUKS header of an unknown kind, two, or one without need");
	header->luks_off = get_be64(data);
	header->luks_len = get_be64(data + 8);
	return check_table(p, "LUKS header", header->luks_off, header->luks_len);
}

static bool take_extension(const struct parse *p, uint32_t type, const uint8_t *data, size_t len)
{
	struct qcow2_header *header = p->header;
	struct qcow2_extension *extension;

	switch (type) {
	case EXT_BACKING_FORMAT:
		/* Who adds one means it: the last counts, as for QEMU. */
		g_clear_pointer(&header->backing_format, g_free);
		return take_name(p, "backing file's format", data, len, &header->backing_format);
	case EXT_DATA_FILE:
		return take_name(p, "data file", data, len, &header->data_file);
	case EXT_BITMAPS:
		return take_bitmaps(p, data, len);
	case EXT_LUKS:
		return take_luks(p, data, len);
	case EXT_GAP:
		return true;
	default:
		extension = g_new(struct qcow2_extension, 1);
		*extension = (struct qcow2_extension){ type, g_bytes_new(data, len) };
		g_ptr_array_add(header->extensions, extension);
		return true;
	}
}

static bool parse_extensions(const struct parse *p, size_t off, size_t end)
{
	while (end - off >= EXT_HEADER_LEN) {
		const uint32_t type = get_be32(p->bytes + off);
		const uint32_t len = get_be32(p->bytes + off + 4);
		const size_t padded = ((size_t)len + 7) & ~(size_t)7;

		if (type == EXT_END)
			return true;
		off += EXT_HEADER_LEN;
		if (len > end - off)
			return bad(p, "has a header extension (%#x) that does not fit", type);
		if (!take_extension(p, type, p->bytes + off, len))
			return false;
		off += MIN(padded, end - off);
	}
	return true;
}

/* The name that the image itself has for a feature, or NULL. */
static char *feature_name(const struct qcow2_header *header, unsigned bit)
{
	for (unsigned i = 0; i < header->extensions->len; i++) {
		const struct qcow2_extension *extension = g_ptr_array_index(header->extensions, i);
		size_t len;
		const uint8_t *entry = g_bytes_get_data(extension->data, &len);

		/* The last entry may end with its name. */
		for (; extension->type == EXT_FEATURES && len > 2; len -= MIN(len, FEATURE_LEN)) {
			if (!entry[0] && entry[1] == bit) {
				g_autofree char *name =
					g_strndup((const char *)entry + 2,
						  MIN(len - 2, (size_t)FEATURE_NAME_LEN));

				return g_strescape(name, NULL);
			}
			entry += FEATURE_LEN;
		}
	}
	return NULL;
}

/* Names, and then the bits that have none. */
static char *feature_names(const struct qcow2_header *header, uint64_t features)
{
	GString *names = g_string_new(NULL);
	uint64_t rest = 0;

	for (; features; features &= features - 1) {
		const unsigned bit = (unsigned)__builtin_ctzll(features);
		g_autofree char *name = feature_name(header, bit);

		if (name)
			g_string_append_printf(names, "%s%s", names->len ? ", " : "", name);
		else
			rest |= UINT64_C(1) << bit;
	}
	if (rest)
		g_string_append_printf(names, "%sUnknown incompatible feature: %" PRIx64,
				       names->len ? ", " : "", rest);
	return g_string_free(names, FALSE);
}

/* ---- fixed fields ---- */

static bool parse_fields(const struct parse *p)
{
	struct qcow2_header *h = p->header;
	const uint8_t *b = p->bytes;

	h->size = get_be64(b + H_SIZE);
	h->crypt = (enum qcow2_crypt)get_be32(b + H_CRYPT);
	h->l1_size = get_be32(b + H_L1_SIZE);
	h->l1_off = get_be64(b + H_L1_OFF);
	h->reftable_off = get_be64(b + H_REFTABLE_OFF);
	h->reftable_clusters = get_be32(b + H_REFTABLE_CLUSTERS);
	h->snapshots = get_be32(b + H_SNAPSHOTS);
	h->snapshots_off = get_be64(b + H_SNAPSHOTS_OFF);
	h->refcount_order = V2_REFCOUNT_ORDER;
	if (h->crypt > QCOW2_CRYPT_LUKS)
		return bad(p, "is encrypted in an unknown way (%u)", h->crypt);
	return true;
}

/* The fields that version 3 has behind those of version 2; how long is the header? 0: bad. */
static size_t parse_v3(const struct parse *p)
{
	struct qcow2_header *h = p->header;
	const uint8_t *b = p->bytes;
	size_t len;

	if (p->len < QCOW2_V3_LEN)
		return bad(p, "ends in its header");
	h->incompatible = get_be64(b + H_INCOMPATIBLE);
	h->compatible = get_be64(b + H_COMPATIBLE);
	h->autoclear = get_be64(b + H_AUTOCLEAR);
	h->refcount_order = get_be32(b + H_REFCOUNT_ORDER);
	len = get_be32(b + H_LEN);
	if (len < QCOW2_V3_LEN || len % 8 || len > p->len)
		return bad(p, "has a header of %zu bytes, which cannot be", len);
	if (h->refcount_order > QCOW2_MAX_REFCOUNT_ORDER)
		return bad(p, "has reference counts of 2^%u bits; 64 bits are the most",
			   h->refcount_order);
	if (len > H_COMPRESSION)
		h->compression = (enum qcow2_compression)b[H_COMPRESSION];
	if (len > H_KNOWN_LEN)
		h->tail = g_bytes_new(b + H_KNOWN_LEN, len - H_KNOWN_LEN);
	return len;
}

static bool check_features(const struct parse *p)
{
	const struct qcow2_header *h = p->header;
	const uint64_t unknown = h->incompatible & ~(uint64_t)QCOW2_INCOMPATIBLE;

	if (unknown) {
		g_autofree char *names = feature_names(h, unknown);

		return error_set(p->error, SOCLE_ERROR_UNSUPPORTED,
				 "Unsupported qcow2 feature(s): %s", names);
	}
	if (h->compression > QCOW2_ZSTD ||
	    (h->compression != QCOW2_ZLIB) != !!(h->incompatible & QCOW2_COMPRESSION))
		return bad(p, "says in two ways how it is compressed (type %u)", h->compression);
	if (h->incompatible & QCOW2_EXTENDED_L2 && h->cluster_bits < QCOW2_MIN_EXTENDED_BITS)
		return bad(p, "has subclusters in clusters of less than 16 KiB");
	if (h->crypt == QCOW2_CRYPT_LUKS && !h->luks_off)
		return bad(p, "is encrypted, and has no LUKS header");
	if (h->data_file && !(h->incompatible & QCOW2_DATA_FILE))
		return bad(p, "names a data file, and does not use one");
	if (h->backing_file && h->incompatible & QCOW2_DATA_FILE &&
	    h->autoclear & QCOW2_AUTOCLEAR_RAW_DATA)
		return bad(p, "has a raw data file and a backing file");
	return true;
}

/* ---- tables ---- */

static bool check_tables(const struct parse *p)
{
	const struct qcow2_header *h = p->header;
	const unsigned entry_bits = h->incompatible & QCOW2_EXTENDED_L2 ? 4 : 3;
	const unsigned reach_bits = 2 * h->cluster_bits - entry_bits; /* of an L2 table */
	const uint64_t reach = UINT64_C(1) << reach_bits;
	const uint64_t needed = (h->size >> reach_bits) + !!(h->size & (reach - 1));
	const uint64_t reftable_len = (uint64_t)h->reftable_clusters << h->cluster_bits;

	if (h->size > INT64_MAX)
		return bad(p, "says that it has %" PRIu64 " bytes, which nobody can have", h->size);
	if (needed > QCOW2_MAX_L1 / 8)
		return error_set(p->error, SOCLE_ERROR_LIMIT, "Image is too big");
	if (h->l1_size > QCOW2_MAX_L1 / 8 || needed > h->l1_size)
		return bad(p,
			   "has an L1 table of %u entries, where %" PRIu64 " are needed and %d "
			   "are the most",
			   h->l1_size, needed, QCOW2_MAX_L1 / 8);
	if (h->l1_size && !check_table(p, "L1 table", h->l1_off, (uint64_t)h->l1_size * 8))
		return false;
	if (!reftable_len || reftable_len > QCOW2_MAX_REFTABLE)
		return bad(p,
			   "has a reference count table of %" PRIu64 " bytes; there must be "
			   "one, and %d are the most",
			   reftable_len, QCOW2_MAX_REFTABLE);
	if (!check_table(p, "reference count table", h->reftable_off, reftable_len))
		return false;
	if (h->snapshots > QCOW2_MAX_SNAPSHOTS)
		return bad(p,
			   "has a snapshot table that is too large: of its %u snapshots you can "
			   "force-remove the overhanging %u with `socle-img check -r all`",
			   h->snapshots, h->snapshots - QCOW2_MAX_SNAPSHOTS);
	return !h->snapshots || check_table(p, "list of snapshots", h->snapshots_off,
					    (uint64_t)h->snapshots * SNAPSHOT_LEN);
}

/* Where the backing file's name begins, or the end of what there is; 0: bad. */
static size_t backing_begin(const struct parse *p, size_t header_len)
{
	const uint64_t off = get_be64(p->bytes + H_BACKING_OFF);
	const uint32_t len = get_be32(p->bytes + H_BACKING_LEN);

	if (!off || !len)
		return p->len;
	if (off < header_len || off > p->len || len > p->len - off)
		return bad(p, "has the name of its backing file outside its header");
	return (size_t)off;
}

static bool parse_all(const struct parse *p)
{
	const uint32_t version = get_be32(p->bytes + H_VERSION);
	size_t len = QCOW2_V2_LEN, end;

	if (version != 2 && version != 3)
		return error_set(p->error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is qcow2 of version %u; 2 and 3 are known", p->name,
				 version);
	p->header->version = version;
	if (!parse_fields(p))
		return false;
	if (version == 3)
		len = parse_v3(p);
	end = len ? backing_begin(p, len) : 0;
	if (!end || !parse_extensions(p, len, end))
		return false;
	if (end < p->len &&
	    !take_name(p, "backing file", p->bytes + end, get_be32(p->bytes + H_BACKING_LEN),
		       &p->header->backing_file))
		return false;
	return check_features(p) && check_tables(p);
}

struct qcow2_header *qcow2_header_parse(const char *name, const uint8_t *bytes, size_t len,
					uint64_t file_size, GError **error)
{
	autoptr(qcow2_header) header = header_new();
	struct parse p = { .name = name,
			   .bytes = bytes,
			   .file_size = file_size,
			   .header = header,
			   .error = error };

	if (len < QCOW2_V2_LEN || get_be32(bytes + H_MAGIC) != QCOW2_MAGIC) {
		(void)bad(&p, "is no qcow2 image");
		return NULL;
	}
	header->cluster_bits = qcow2_header_cluster_bits(bytes, len);
	if (!header->cluster_bits) {
		(void)bad(&p, "has clusters of 2^%u bytes; 2^%d to 2^%d are possible",
			  get_be32(bytes + H_CLUSTER_BITS), QCOW2_MIN_CLUSTER_BITS,
			  QCOW2_MAX_CLUSTER_BITS);
		return NULL;
	}
	p.len = (size_t)MIN((uint64_t)len, cluster_size(header));
	return parse_all(&p) ? g_steal_pointer(&header) : NULL;
}

struct qcow2_header *qcow2_header_read(const char *name, struct block_file *file, GError **error)
{
	const int64_t size = block_file_size(file);
	g_autofree uint8_t *bytes = NULL;
	uint8_t start[QCOW2_V2_LEN];
	int ret = size < 0 ? (int)size : block_file_read(file, 0, start, sizeof(start));
	unsigned bits;
	size_t len = 0;

	if (ret >= 0) {
		bits = qcow2_header_cluster_bits(start, sizeof(start));
		len = (size_t)MIN((uint64_t)size, UINT64_C(1) << MAX(bits, QCOW2_MIN_CLUSTER_BITS));
		bytes = g_malloc(len + 1);
		ret = block_file_read(file, 0, bytes, len);
	}
	if (ret < 0) {
		error_sys(error, ret, "cannot read image '%s'", name);
		return NULL;
	}
	return qcow2_header_parse(name, bytes, len, (uint64_t)size, error);
}
