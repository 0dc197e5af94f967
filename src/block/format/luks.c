/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luks.c - an encrypted disk as such: a LUKS header, and behind it a raw image in cipher text
 *
 * Sectors have numbers that count from the payload on. What a file does not have (a hole, or what
 * it has grown by) is noise to the guest, so nothing here is told as zero, and zeroes are written.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/luks-options.h"
#include "block/format/format.h"

enum {
	CHUNK = 1 << 20, /* encrypted at a time */
};

struct luks_image {
	struct image base;
	struct block_file *file; /* of the image: base.file is not there before it is open */
	char *name;
	struct luks_header header;
	struct crypt_cipher *cipher; /* NULL: locked */
	uint64_t payload;            /* bytes: where it begins */
};

static struct luks_image *luks_of(struct image *image)
{
	return container_of(image, struct luks_image, base);
}

static void luks_close(struct image *image)
{
	struct luks_image *luks = luks_of(image);

	crypt_cipher_free(luks->cipher);
	g_free(luks->name);
	g_free(luks);
}

static bool probe(const uint8_t *head, size_t len, uint64_t size, struct block_file *file)
{
	(void)size;
	(void)file;
	return luks_probe(head, len);
}

static struct luks_place place_of(const struct luks_image *luks)
{
	return (struct luks_place){
		.name = luks->name,
		.file = luks->file,
		.len = (uint64_t)luks->header.payload_sector * CRYPT_SECTOR,
	};
}

static struct image *luks_open(const char *path, struct block_file *file, unsigned flags,
			       GError **error)
{
	const int64_t size = block_file_size(file);
	struct luks_place place = { .name = path, .file = file, .len = (uint64_t)MAX(size, 0) };
	struct luks_header header;
	struct luks_image *luks;
	uint64_t payload;

	(void)flags;
	if (size < 0) {
		error_sys(error, (int)size, "cannot find out the size of image '%s'", path);
		return NULL;
	}
	if (!luks_read(&place, &header, error))
		return NULL;
	payload = (uint64_t)header.payload_sector * CRYPT_SECTOR;
	if (payload > place.len) {
		error_set(error, SOCLE_ERROR_CORRUPT,
			  "image '%s' has %" PRIu64 " bytes, and its LUKS header says that data "
			  "begins at %" PRIu64 "; was it cut off?",
			  path, place.len, payload);
		return NULL;
	}
	luks = g_new0(struct luks_image, 1);
	luks->base.size = (place.len - payload) & ~(uint64_t)(CRYPT_SECTOR - 1);
	luks->base.encrypted = luks->base.locked = true;
	luks->file = file;
	luks->name = g_strdup(path);
	luks->header = header;
	luks->payload = payload;
	return &luks->base;
}

static bool luks_open_by(struct image *image, const struct secret *secret, GError **error)
{
	struct luks_image *luks = luks_of(image);
	const struct luks_place place = place_of(luks);

	luks->cipher = luks_unlock(&place, &luks->header, secret, error);
	image->locked = !luks->cipher;
	return luks->cipher;
}

/* ---- data ---- */

static bool need_cipher(const struct luks_image *luks, GError **error)
{
	return luks->cipher ||
	       error_set(error, SOCLE_ERROR_DENIED,
			 "image '%s' is encrypted, and its secret was not given", luks->name);
}

/* Whole sectors, in place. */
static bool read_sectors(struct luks_image *luks, uint64_t off, void *buf, size_t len,
			 GError **error)
{
	int ret = block_file_read(luks->file, luks->payload + off, buf, len);

	if (!ret)
		ret = crypt_cipher_decrypt(luks->cipher, off / CRYPT_SECTOR, buf, len);
	return ret < 0 ? error_sys(error, ret, "cannot read image '%s'", luks->name) : true;
}

static bool luks_read_data(struct image *image, uint64_t off, void *buf, size_t len, GError **error)
{
	struct luks_image *luks = luks_of(image);
	uint8_t sector[CRYPT_SECTOR];

	if (!need_cipher(luks, error))
		return false;
	for (size_t n; len; off += n, len -= n, buf = (uint8_t *)buf + n) {
		const size_t in = off % CRYPT_SECTOR;

		if (!in && len >= CRYPT_SECTOR) {
			n = len - len % CRYPT_SECTOR;
			if (!read_sectors(luks, off, buf, n, error))
				return false;
			continue;
		}
		n = MIN(len, CRYPT_SECTOR - in);
		if (!read_sectors(luks, off - in, sector, sizeof(sector), error))
			return false;
		memcpy(buf, sector + in, n);
	}
	return true;
}

/* NULL stands for zeroes. */
static bool write_data(struct luks_image *luks, uint64_t off, const void *buf, uint64_t len,
		       GError **error)
{
	g_autofree uint8_t *chunk = g_malloc(MIN(len, (uint64_t)CHUNK));

	if (!need_cipher(luks, error))
		return false;
	for (uint64_t done = 0; done < len;) {
		const size_t n = (size_t)MIN(len - done, (uint64_t)CHUNK);
		int ret;

		if (buf)
			memcpy(chunk, (const uint8_t *)buf + done, n);
		else
			memset(chunk, 0, n);
		ret = crypt_cipher_encrypt(luks->cipher, (off + done) / CRYPT_SECTOR, chunk, n);
		if (!ret)
			ret = block_file_write(luks->file, luks->payload + off + done, chunk, n);
		if (ret < 0)
			return error_sys(error, ret, "cannot write image '%s'", luks->name);
		done += n;
	}
	return true;
}

static bool luks_write_data(struct image *image, uint64_t off, const void *buf, size_t len,
			    GError **error)
{
	return write_data(luks_of(image), off, buf, len, error);
}

static bool luks_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error)
{
	(void)unmap;
	return write_data(luks_of(image), off, NULL, len, error);
}

static bool luks_flush(struct image *image, GError **error)
{
	const int ret = block_file_sync(luks_of(image)->file);

	return ret < 0 ? error_sys(error, ret, "cannot flush image '%s'", luks_of(image)->name)
		       : true;
}

static bool luks_map(struct image *image, uint64_t off, uint64_t len,
		     struct image_extent *ret_extent, GError **error)
{
	(void)image;
	(void)off;
	(void)error;
	ret_extent->len = len;
	ret_extent->kind = IMAGE_DATA;
	return true;
}

static bool luks_resize(struct image *image, uint64_t size, GError **error)
{
	struct luks_image *luks = luks_of(image);
	int ret;

	if (size > (uint64_t)INT64_MAX - luks->payload)
		return error_set(error, SOCLE_ERROR_LIMIT, "image '%s' would be too large",
				 luks->name);
	ret = block_file_resize(luks->file, luks->payload + size);
	if (ret < 0)
		return error_sys(error, ret, "cannot resize image '%s'", luks->name);
	image->size = size;
	return true;
}

/* ---- new images ---- */

static const struct image_option options[] = {
	LUKS_OPTION_ROWS(""),
	{ "key-secret", "ID", "of the --object secret that opens it" },
	{ "preallocation", "off|falloc|full", "whether space is allocated, or zeroes written" },
	{ NULL, NULL, NULL },
};

static bool luks_create_image(struct block_file *file, const struct image_create *what,
			      GError **error)
{
	static const char *const words[] = { "off", "falloc", "full", NULL };
	struct luks_place place = { .name = what->path, .file = file };
	struct luks_options luks;
	unsigned how = 0;
	int ret = 0;

	if (!format_no_backing(what, "LUKS", error) ||
	    !format_option_choice(what, "preallocation", words, &how, error) ||
	    !luks_options_take(what, "", &luks, error))
		return false;
	if (!what->secret)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Parameter 'key-secret' is required for cipher");
	place.len = luks_len(&luks);
	if (what->size > (uint64_t)INT64_MAX - place.len)
		return error_set(error, SOCLE_ERROR_LIMIT, "image '%s' would be too large",
				 what->path);
	if (!format_resize(file, what, place.len + what->size, error) ||
	    !luks_create(&place, &luks, what->secret, error))
		return false;
	if (how == 1)
		ret = block_file_allocate(file, place.len, what->size);
	else if (how == 2)
		ret = block_file_write_zeroes(file, place.len, what->size);
	return ret < 0 ? error_sys(error, ret, "cannot create image '%s'", what->path) : true;
}

const struct luks_header *luks_image_header(struct image *image)
{
	return image->ops == &luks_image_ops ? &luks_of(image)->header : NULL;
}

const struct image_ops luks_image_ops = {
	.format = "luks",
	.create_options = options,
	.new_is_noise = true,
	.probe = probe,
	.open = luks_open,
	.unlock = luks_open_by,
	.create = luks_create_image,
	.close = luks_close,
	.read = luks_read_data,
	.write = luks_write_data,
	.zero = luks_zero,
	.flush = luks_flush,
	.map = luks_map,
	.resize = luks_resize,
};
