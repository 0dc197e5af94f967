/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create.c - an empty file becomes an empty qcow2 image
 *
 * The smallest image there is, without a byte for the guest, is written by hand; it then grows as
 * any other.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/crypt/luks-options.h"
#include "block/qcow2/qcow2-int.h"

const struct image_option qcow2_options[] = {
	{ "compat", "1.1|0.10", "version 3, or 2 for old programs" },
	{ "cluster_size", "SIZE", "bytes, 512 to 2M" },
	{ "refcount_bits", "N", "width of reference counts, 1 to 64" },
	{ "lazy_refcounts", "on|off", "write counts late; a power cut means a repair" },
	{ "extended_l2", "on|off", "32 subclusters in each cluster" },
	{ "preallocation", "off|metadata|falloc|full", "what is allocated at once" },
	{ "compression_type", "zlib|zstd", "for clusters that are written compressed" },
	{ "data_file", "FILE", "where the guest's data is" },
	{ "data_file_raw", "on|off", "keep the data file a raw image of its own" },
	{ "encrypt.format", "luks|aes", "encrypt it; aes does not protect it" },
	{ "encrypt.key-secret", "ID", "of the --object secret that opens it" },
	{ "encryption", "on|off", "the old name of encrypt.format=aes" },
	LUKS_OPTION_ROWS("encrypt."),
	{ NULL, NULL, NULL },
};

enum {
	NAMES_BITS = 12, /* clusters of so many bits have the names of features */
};

/* ---- words ---- */

static bool take_bool(const struct image_create *what, const char *name, bool *ret, GError **error)
{
	const char *value = image_create_option(what, name, "off");

	*ret = !strcmp(value, "on");
	return *ret || !strcmp(value, "off") ||
	       error_set(error, SOCLE_ERROR_USAGE, "Parameter '%s' expects 'on' or 'off'", name);
}

/* One of @words; its number. */
static bool take_word(const struct image_create *what, const char *name, const char *const *words,
		      unsigned *ret, GError **error)
{
	const char *value = image_create_option(what, name, words[0]);

	for (unsigned i = 0; words[i]; i++) {
		if (!strcmp(words[i], value)) {
			*ret = i;
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_USAGE, "Parameter '%s' does not accept value '%s'",
			 strcmp(name, "compat") != 0 ? name : "version", value);
}

/* Bytes, as in 512, 0x200, 64k, 0.5M; 0: it is no such number. */
static uint64_t parse_bytes(const char *text)
{
	static const char units[] = "bBkKmM";
	const bool hex = g_str_has_prefix(text, "0x");
	const size_t digits = strspn(text, "0123456789.");
	const char *unit;
	char *end;
	double value;

	if (hex || !digits) {
		const uint64_t number = hex ? strtoull(text, &end, 16) : 0;

		return hex && !*end ? number : 0;
	}
	value = g_ascii_strtod(text, &end);
	unit = *end ? strchr(units, *end) : units;
	if (end != text + digits || !unit || (*end && end[1]))
		return 0;
	value = ldexp(value, 10 * (int)((unit - units) / 2));
	return value < (double)(1 << 30) ? (uint64_t)value : 0;
}

/* A power of two; its exponent. */
static bool take_power(const struct image_create *what, const char *name, const char *otherwise,
		       unsigned low, unsigned high, unsigned *ret)
{
	const uint64_t value = parse_bytes(image_create_option(what, name, otherwise));

	for (unsigned bits = low; bits <= high; bits++) {
		if (value == UINT64_C(1) << bits) {
			*ret = bits;
			return true;
		}
	}
	return false;
}

static bool take_sizes(const struct image_create *what, struct qcow2_header *h, GError **error)
{
	const char *const otherwise =
		!g_strcmp0(image_create_option(what, "extended_l2", NULL), "on") ? "128k" : "64k";

	if (!take_power(what, "cluster_size", otherwise, QCOW2_MIN_CLUSTER_BITS,
			QCOW2_MAX_CLUSTER_BITS, &h->cluster_bits))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Cluster size must be a power of two between %d and %dk",
				 1 << QCOW2_MIN_CLUSTER_BITS, 1 << (QCOW2_MAX_CLUSTER_BITS - 10));
	return take_power(what, "refcount_bits", "16", 0, QCOW2_MAX_REFCOUNT_ORDER,
			  &h->refcount_order) ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "Refcount width must be a power of two and may not exceed 64 bits");
}

/* What only version 3 has. */
static bool check_version(const struct qcow2_header *h, GError **error)
{
	if (h->version >= 3)
		return true;
	if (h->compatible & QCOW2_LAZY_REFCOUNTS)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Lazy refcounts only supported with compatibility level 1.1 and "
				 "above (use version=v3 or greater)");
	if (h->refcount_order != 4)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Different refcount widths than 16 bits require compatibility "
				 "level 1.1 or above (use version=v3 or greater)");
	return (!h->incompatible && !h->autoclear) ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "extended_l2, data_file and compression_type are only supported with "
			 "compatibility level 1.1 and above (use version=v3 or greater)");
}

static bool take_features(const struct image_create *what, struct qcow2_header *h, GError **error)
{
	static const char *const compats[] = { "1.1", "v3", "0.10", "v2", NULL };
	static const char *const types[] = { "zlib", "zstd", NULL };
	unsigned compat, type;
	bool lazy, extended, raw;

	if (!take_word(what, "compat", compats, &compat, error) ||
	    !take_word(what, "compression_type", types, &type, error) ||
	    !take_bool(what, "lazy_refcounts", &lazy, error) ||
	    !take_bool(what, "extended_l2", &extended, error) ||
	    !take_bool(what, "data_file_raw", &raw, error))
		return false;
	h->version = compat < 2 ? 3 : 2;
	h->compression = type ? QCOW2_ZSTD : QCOW2_ZLIB;
	h->data_file = g_strdup(image_create_option(what, "data_file", NULL));
	h->compatible = lazy ? QCOW2_LAZY_REFCOUNTS : 0;
	h->incompatible = (type ? QCOW2_COMPRESSION : 0) | (extended ? QCOW2_EXTENDED_L2 : 0) |
			  (h->data_file ? QCOW2_DATA_FILE : 0);
	h->autoclear = raw ? QCOW2_AUTOCLEAR_RAW_DATA : 0;
	if (!check_version(h, error))
		return false;
	if (raw && (!h->data_file || what->backing_file))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "data_file_raw needs a data_file, and no backing file");
	if (h->data_file && (!*h->data_file || strlen(h->data_file) > QCOW2_MAX_NAME))
		return error_set(error, SOCLE_ERROR_USAGE, "the name of the data_file is too long");
	return true;
}

struct qcow2_header *qcow2_create_header(const struct image_create *what, GError **error)
{
	autoptr(qcow2_header) h = g_new0(struct qcow2_header, 1);

	h->extensions = g_ptr_array_new();
	h->backing_file = g_strdup(what->backing_file);
	h->backing_format = g_strdup(what->backing_format);
	if (!take_sizes(what, h, error) || !take_features(what, h, error))
		return NULL;
	if (h->incompatible & QCOW2_EXTENDED_L2 && h->cluster_bits < QCOW2_MIN_EXTENDED_BITS) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "extended_l2 needs a cluster_size of 16k or more");
		return NULL;
	}
	if (h->backing_file && (!*h->backing_file || strlen(h->backing_file) > QCOW2_MAX_NAME)) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "the name of the backing file is empty or longer than %d bytes",
			  QCOW2_MAX_NAME);
		return NULL;
	}
	/* Not where they would take the room that other names need. */
	if (h->version >= 3 && h->cluster_bits >= NAMES_BITS)
		qcow2_header_add_names(h);
	return g_steal_pointer(&h);
}

bool qcow2_create_preallocation(const struct image_create *what, enum qcow2_preallocation *ret,
				GError **error)
{
	static const char *const words[] = { "off", "metadata", "falloc", "full", NULL };
	unsigned how;

	if (!take_word(what, "preallocation", words, &how, error))
		return false;
	*ret = (enum qcow2_preallocation)how;
	return true;
}

/* ---- the smallest image ---- */

/* Header, table of counts, one block of them. */
static bool write_smallest(struct block_file *file, const char *name, struct qcow2_header *h,
			   GError **error)
{
	enum {
		CLUSTERS = 3
	};
	const size_t size = (size_t)1 << h->cluster_bits;
	const unsigned bits = 1u << h->refcount_order;
	g_autofree uint8_t *bytes = g_malloc0(CLUSTERS * size), *head = NULL;
	int ret;

	h->reftable_off = size;
	h->reftable_clusters = 1;
	head = qcow2_header_format(h, error);
	if (!head)
		return false;
	memcpy(bytes, head, size);
	put_be64(bytes + size, 2 * size);
	for (unsigned i = 0; i < CLUSTERS; i++) {
		/* The lowest bit of each: of the first byte of narrow ones, or of the last one. */
		if (bits < 8)
			bytes[2 * size + i * bits / 8] |= (uint8_t)(1u << i * bits % 8);
		else
			bytes[2 * size + (i + 1) * bits / 8 - 1] = 1;
	}
	ret = block_file_write(file, 0, bytes, CLUSTERS * size);
	return ret < 0 ? error_sys(error, ret, "cannot create image '%s'", name) : true;
}

/* ---- the rest ---- */

static bool prepare_data_file(const struct image_create *what, const struct qcow2_header *h,
			      GError **error)
{
	g_autofree char *path = NULL;
	autoptr(block_file) file = NULL;
	int ret;

	if (!h->data_file || qcow2_test_data)
		return true;
	path = image_resolve(what->path, h->data_file);
	file = g_file_test(path, G_FILE_TEST_EXISTS)
		       ? block_file_open(path, BLOCK_FILE_WRITE, error)
		       : block_file_open(path, BLOCK_FILE_CREATE, error);
	if (!file)
		return false;
	ret = block_file_resize(file, 0);
	return ret < 0 ? error_sys(error, ret, "cannot empty data file '%s'", path) : true;
}

/* Zeroes that are written must be encrypted; others are said by the map. */
static bool unlock_for(struct qcow2 *q, enum qcow2_preallocation how, const struct secret *secret,
		       GError **error)
{
	return !q->base.locked || !qcow2_preallocation_writes(q, how) ||
	       qcow2_unlock(&q->base, secret, error);
}

static bool check_encrypted(const struct image_create *what, const struct qcow2_header *header,
			    GError **error)
{
	if (!what->secret)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "encrypt.format needs the secret that opens the image: give "
				 "encrypt.key-secret=ID and --object secret,id=ID,file=FILE");
	return !(header->autoclear & QCOW2_AUTOCLEAR_RAW_DATA) ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "data_file_raw does not go with encrypt.format: what is encrypted is no "
			 "raw image");
}

/* As QEMU's, the file ends with L1 if nothing is behind it. */
static bool trim(struct qcow2 *q, GError **error)
{
	const uint64_t end = q->l1.off + (uint64_t)q->l1.size * 8;
	int ret = 0;

	if (q->l1.size && qcow2_clusters(q, end) == q->end)
		ret = block_file_resize(q->file, end);
	return ret < 0 && ret != -ENOTSUP
		       ? error_sys(error, ret, "cannot create image '%s'", q->name)
		       : true;
}

bool qcow2_create(struct block_file *file, const struct image_create *what, GError **error)
{
	const unsigned flags = IMAGE_WRITE | IMAGE_BACKING;
	autoptr(qcow2_header) header = qcow2_create_header(what, error);
	struct luks_options luks;
	struct qcow2 *q;
	enum qcow2_preallocation how;
	enum qcow2_crypt crypt;
	bool ok;

	if (!header || !qcow2_create_preallocation(what, &how, error) ||
	    !qcow2_crypt_wanted(what, &crypt, &luks, error) ||
	    (crypt != QCOW2_CRYPT_NONE && !check_encrypted(what, header, error)))
		return false;
	if (header->autoclear & QCOW2_AUTOCLEAR_RAW_DATA && how == QCOW2_PREALLOCATE_OFF)
		how = QCOW2_PREALLOCATE_METADATA;
	if (!prepare_data_file(what, header, error) ||
	    !write_smallest(file, what->path, header, error))
		return false;
	q = qcow2_open_file(what->path, file, flags, error);
	if (!q)
		return false;
	q->making = true;
	ok = qcow2_l1_entries(q, what->size) <= QCOW2_MAX_L1 / 8 ||
	     error_set(error, SOCLE_ERROR_LIMIT,
		       "The image size is too large for file format 'qcow2' (try using a larger "
		       "cluster size)");
	ok = ok && qcow2_crypt_create(q, crypt, &luks, what->secret, error);
	/* Nothing that is behind it is seen before it has a size. */
	g_clear_pointer(&q->header->backing_file, g_free);
	ok = ok && qcow2_resize_locked(q, what->size, error);
	q->header->backing_file = g_strdup(what->backing_file);
	ok = ok && unlock_for(q, how, what->secret, error) &&
	     qcow2_preallocate_as(q, 0, how, error) && qcow2_flush_locked(q, error) &&
	     trim(q, error);
	/* Of its data file who asked for the image does not know. */
	q->making = q->data == q->file;
	ok = ok && qcow2_sync(q, error);
	qcow2_close(q);
	return ok;
}
