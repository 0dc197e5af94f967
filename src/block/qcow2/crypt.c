/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crypt.c - encrypted qcow2 images: LUKS, and the old AES, which protects nothing, for old images
 *
 * Guest data is encrypted by sectors of 512 bytes, each with its number: with LUKS that of its place
 * in the file (so a cluster that is copied is encrypted anew), with AES that which the guest knows.
 * Metadata and compressed clusters are not encrypted; so nothing is compressed here, but what others
 * have compressed is read.
 *
 * What is in the file is never taken for what the guest reads: where a file has a hole, an encrypted
 * image has noise. So zeroes are told by the map, or written.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/luks-options.h"
#include "block/qcow2/qcow2-int.h"

enum {
	CHUNK = 1 << 20, /* encrypted at a time */
	AES_KEY_LEN = 16,
};

static struct luks_place place_of(const struct qcow2 *q)
{
	return (struct luks_place){
		.name = q->name,
		.file = q->file,
		.off = q->header->luks_off,
		.len = q->header->luks_len,
	};
}

/* ---- opening ---- */

bool qcow2_crypt_open(struct qcow2 *q, unsigned flags, GError **error)
{
	const struct luks_place place = place_of(q);
	struct luks_header luks;

	if (q->header->crypt == QCOW2_CRYPT_NONE)
		return true;
	q->base.encrypted = q->base.locked = true;
	if (q->header->crypt == QCOW2_CRYPT_AES)
		return true;
	/* A check does not look at the data. */
	if (!luks_read(&place, &luks, flags & IMAGE_CHECK ? NULL : error))
		return flags & IMAGE_CHECK;
	q->luks = g_memdup2(&luks, sizeof(luks));
	return true;
}

/* The first bytes of the password are the key, or all of it and zeroes. */
static struct crypt_cipher *old_cipher(const struct secret *secret, GError **error)
{
	static const struct crypt_method method = { CRYPT_AES_128, CRYPT_CBC, CRYPT_PLAIN64, 0 };
	uint8_t key[CRYPT_MAX_KEY] = { 0 };
	struct crypt_cipher *cipher;

	memcpy(key, secret->bytes, MIN(secret->len, (size_t)AES_KEY_LEN));
	cipher = crypt_cipher_new(&method, key, error);
	secret_wipe(key, sizeof(key));
	return cipher;
}

bool qcow2_unlock(struct image *image, const struct secret *secret, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	const struct luks_place place = place_of(q);
	struct luks_header luks;

	if (q->header->crypt == QCOW2_CRYPT_AES)
		q->cipher = old_cipher(secret, error);
	else if (luks_read(&place, &luks, error)) /* for its message if that failed before */
		q->cipher = luks_unlock(&place, &luks, secret, error);
	image->locked = !q->cipher;
	return q->cipher;
}

static bool need_cipher(const struct qcow2 *q, GError **error)
{
	return q->cipher ||
	       error_set(error, SOCLE_ERROR_DENIED,
			 "image '%s' is encrypted, and its secret was not given", q->name);
}

/* ---- data ---- */

static uint64_t sector_of(const struct qcow2 *q, uint64_t off, uint64_t host)
{
	return (q->header->crypt == QCOW2_CRYPT_LUKS ? host : off) / CRYPT_SECTOR;
}

/* Whole sectors. */
static bool read_sectors(struct qcow2 *q, uint64_t off, uint64_t host, uint8_t *buf, size_t len,
			 GError **error)
{
	int ret = block_file_read(q->data, host, buf, len);

	if (!ret)
		ret = crypt_cipher_decrypt(q->cipher, sector_of(q, off, host), buf, len);
	return ret < 0 ? error_sys(error, ret, "cannot read image '%s'", q->name) : true;
}

bool qcow2_crypt_read(struct qcow2 *q, uint64_t off, uint64_t host, void *buf, size_t len,
		      GError **error)
{
	if (!need_cipher(q, error))
		return false;
	if (!(host % CRYPT_SECTOR) && !(len % CRYPT_SECTOR))
		return read_sectors(q, off, host, buf, len, error);
	while (len) {
		uint8_t sector[CRYPT_SECTOR];
		const size_t in = host % CRYPT_SECTOR, n = MIN(len, CRYPT_SECTOR - in);

		if (!read_sectors(q, off - in, host - in, sector, sizeof(sector), error))
			return false;
		memcpy(buf, sector + in, n);
		buf = (uint8_t *)buf + n;
		off += n;
		host += n;
		len -= n;
	}
	return true;
}

/*
 * [host, host + len) within whole sectors at @buf, which begin at @first, of the guest's @off: fill in
 * the rest.
 */
static bool fill_edges(struct qcow2 *q, uint64_t off, uint64_t first, uint8_t *buf, uint64_t host,
		       size_t len, GError **error)
{
	const uint64_t end = host + len, last = end & ~UINT64_C(511);

	if (host != first && !read_sectors(q, off, first, buf, CRYPT_SECTOR, error))
		return false;
	return end == last || (last == first && host != first) ||
	       read_sectors(q, off + (last - first), last, buf + (last - first), CRYPT_SECTOR,
			    error);
}

static bool write_chunk(struct qcow2 *q, uint64_t off, uint64_t host, const void *buf, size_t len,
			uint8_t *chunk, GError **error)
{
	const uint64_t first = host & ~UINT64_C(511), end = (host + len + 511) & ~UINT64_C(511);
	const uint64_t first_off = off - (host - first);
	int ret;

	if (!fill_edges(q, first_off, first, chunk, host, len, error))
		return false;
	memcpy(chunk + (host - first), buf, len);
	ret = crypt_cipher_encrypt(q->cipher, sector_of(q, first_off, first), chunk, end - first);
	if (ret < 0)
		return error_sys(error, ret, "cannot encrypt data of image '%s'", q->name);
	return qcow2_data_write_plain(q, first, chunk, end - first, error);
}

bool qcow2_crypt_write(struct qcow2 *q, uint64_t off, uint64_t host, const void *buf, size_t len,
		       GError **error)
{
	g_autofree uint8_t *chunk = g_malloc(MIN(len, (size_t)CHUNK) + 2 * CRYPT_SECTOR);

	if (!need_cipher(q, error))
		return false;
	for (size_t done = 0, n; done < len; done += n) {
		n = MIN(len - done, CHUNK - (host + done) % CRYPT_SECTOR);
		if (!write_chunk(q, off + done, host + done, (const uint8_t *)buf + done, n, chunk,
				 error))
			return false;
	}
	return true;
}

/* ---- new images ---- */

/* encryption=on is what encrypt.format=aes was called. */
static bool wanted_format(const struct image_create *what, const char **ret, GError **error)
{
	const char *old = image_create_option(what, "encryption", NULL);

	*ret = image_create_option(what, "encrypt.format", NULL);
	if (!old || !strcmp(old, "off"))
		return true;
	if (strcmp(old, "on") != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Parameter 'encryption' expects 'on' or 'off'");
	if (*ret)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Options encryption and encrypt.format are mutually exclusive");
	*ret = "aes";
	return true;
}

bool qcow2_crypt_wanted(const struct image_create *what, enum qcow2_crypt *ret,
			struct luks_options *ret_options, GError **error)
{
	const char *format;

	*ret = QCOW2_CRYPT_NONE;
	if (!wanted_format(what, &format, error))
		return false;
	if (!format)
		return !image_create_option(what, "encrypt.key-secret", NULL) ||
		       error_set(error, SOCLE_ERROR_USAGE,
				 "encrypt.key-secret needs encrypt.format=luks");
	*ret = !strcmp(format, "aes") ? QCOW2_CRYPT_AES : QCOW2_CRYPT_LUKS;
	if (*ret == QCOW2_CRYPT_LUKS && strcmp(format, "luks") != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "encrypt.format is luks, or aes for old programs, not '%s'",
				 format);
	return *ret == QCOW2_CRYPT_AES || luks_options_take(what, "encrypt.", ret_options, error);
}

static bool create_luks(struct qcow2 *q, const struct luks_options *options,
			const struct secret *secret, GError **error)
{
	const uint64_t len = luks_len(options), n = qcow2_clusters(q, len);
	struct luks_place place = { .name = q->name, .file = q->file, .len = len };
	uint64_t cluster;

	if (!qcow2_begin_change(q, error) || !qcow2_alloc_all(q, n, &cluster, error))
		return false;
	place.off = cluster << q->cluster_bits;
	if (!qcow2_file_zero(q, place.off, n << q->cluster_bits, error) ||
	    !luks_create(&place, options, secret, error) || !qcow2_flush_locked(q, error))
		return false;
	q->header->luks_off = place.off;
	q->header->luks_len = place.len;
	qcow2_use(q, place.off, place.len, QCOW2_USE_LUKS);
	return true;
}

bool qcow2_crypt_create(struct qcow2 *q, enum qcow2_crypt how, const struct luks_options *options,
			const struct secret *secret, GError **error)
{
	if (how == QCOW2_CRYPT_NONE)
		return true;
	if (how == QCOW2_CRYPT_LUKS && !create_luks(q, options, secret, error))
		return false;
	q->header->crypt = how;
	return qcow2_rewrite_header(q, error) && qcow2_crypt_open(q, 0, error);
}

/* ---- for others ---- */

const struct luks_header *qcow2_get_luks(struct image *image)
{
	return qcow2_of(image)->luks;
}

static bool change_keys(struct qcow2 *q, const struct qcow2_key_change *what, GError **error)
{
	const struct luks_place place = place_of(q);

	if (!q->luks)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has no LUKS header, and so no key slots", q->name);
	if (!q->writable)
		return error_set(error, SOCLE_ERROR_DENIED, "image '%s' is open for reading only",
				 q->name);
	if (what->added)
		return luks_add_slot(&place, q->luks, what->secret, what->added, what->slot,
				     what->iter_time_ms, what->force, error);
	return luks_erase_slots(&place, q->luks, what->secret, what->slot, what->force, error);
}

bool qcow2_change_keys(struct image *image, const struct qcow2_key_change *what, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = change_keys(q, what, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}
