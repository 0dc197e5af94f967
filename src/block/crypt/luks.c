/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luks.c - headers of LUKS version 1: from bytes, checked, and back
 */
#include "block/crypt/luks.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"

static const uint8_t magic[6] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };

enum {
	/* Offsets of the fields. */
	H_VERSION = 6,
	H_CIPHER = 8,
	H_MODE = 40,
	H_HASH = 72,
	H_PAYLOAD = 104,
	H_KEY_LEN = 108,
	H_DIGEST = 112,
	H_DIGEST_SALT = 132,
	H_DIGEST_ITERATIONS = 164,
	H_UUID = 168,
	H_SLOTS = 208,
	NAME_LEN = 32,
	UUID_LEN = 40,

	/* And within a slot. */
	S_STATE = 0,
	S_ITERATIONS = 4,
	S_SALT = 8,
	S_KEY_SECTOR = 40,
	S_STRIPES = 44,
	SLOT_LEN = 48,

	SECTOR = 512,
	ALIGN = 8, /* sectors, of key material and payload in new headers */

	STATE_ACTIVE = 0x00ac71f3,
	STATE_FREE = 0x0000dead,
};

bool luks_probe(const uint8_t *head, size_t len)
{
	return len >= LUKS_HEADER_LEN && !memcmp(head, magic, sizeof(magic)) &&
	       get_be16(head + H_VERSION) == 1;
}

static bool bad(const struct luks_place *place, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* "the LUKS header of image 'x' ...". False. */
static bool bad(const struct luks_place *place, GError **error, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	return error_set(error, SOCLE_ERROR_CORRUPT, "the LUKS header of image '%s' %s",
			 place->name, text);
}

static bool unknown(const struct luks_place *place, const char *what, const char *name,
		    GError **error)
{
	g_autofree char *shown = g_strescape(name, NULL);

	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "image '%s' is encrypted with %s '%s', which is not known here; convert "
			 "it where it is",
			 place->name, what, shown);
}

/* ---- names ---- */

static bool find_name(const char *const *names, const char *name, unsigned *ret)
{
	for (unsigned i = 0; names[i]; i++) {
		if (!strcmp(names[i], name)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* "aes" and the length of its key. */
static bool find_algorithm(const char *family, uint32_t key_len, struct crypt_method *method)
{
	for (unsigned i = 0; i < CRYPT_ALGORITHM_COUNT; i++) {
		method->algorithm = (enum crypt_algorithm)i;
		if (!strcmp(crypt_algorithm_family(method->algorithm), family) &&
		    crypt_key_len(method) == key_len)
			return true;
	}
	return false;
}

/* "xts-plain64", "cbc-essiv:sha256". */
static bool parse_mode(const char *text, struct crypt_method *method)
{
	g_auto(GStrv) parts = g_strsplit(text, "-", 2);
	char *colon = parts[0] && parts[1] ? strchr(parts[1], ':') : NULL;
	unsigned mode, ivgen, hash = CRYPT_SHA256;

	if (!parts[0] || !parts[1])
		return false;
	if (colon)
		*colon = 0;
	if (!find_name(crypt_mode_names, parts[0], &mode) ||
	    !find_name(crypt_ivgen_names, parts[1], &ivgen))
		return false;
	if (ivgen == CRYPT_ESSIV && (!colon || !find_name(crypt_hash_names, colon + 1, &hash)))
		return false;
	method->mode = (enum crypt_mode)mode;
	method->ivgen = (enum crypt_ivgen)ivgen;
	method->ivgen_hash = (enum crypt_hash)hash;
	return true;
}

static bool parse_names(const struct luks_place *place, const uint8_t *b, struct luks_header *h,
			GError **error)
{
	g_autofree char *cipher = g_strndup((const char *)b + H_CIPHER, NAME_LEN);
	g_autofree char *mode = g_strndup((const char *)b + H_MODE, NAME_LEN);
	g_autofree char *name = g_strndup((const char *)b + H_HASH, NAME_LEN);
	unsigned hash;

	if (!parse_mode(mode, &h->method))
		return unknown(place, "mode", mode, error);
	if (!find_name(crypt_hash_names, name, &hash))
		return unknown(place, "hash", name, error);
	h->hash = (enum crypt_hash)hash;
	if (h->key_len > CRYPT_MAX_KEY || !find_algorithm(cipher, h->key_len, &h->method)) {
		g_autofree char *text =
			g_strdup_printf("%s, a key of %u bytes", cipher, h->key_len);

		return unknown(place, "cipher", text, error);
	}
	if (crypt_method_check(&h->method, error))
		return true;
	g_prefix_error(error, "image '%s': ", place->name);
	return false;
}

/* ---- places ---- */

size_t luks_material_len(const struct luks_header *header)
{
	return (size_t)header->key_len * LUKS_STRIPES;
}

static uint64_t material_sectors(const struct luks_header *header)
{
	return (luks_material_len(header) + SECTOR - 1) / SECTOR;
}

static bool check_slot(const struct luks_place *place, const struct luks_header *h, unsigned i,
		       GError **error)
{
	const struct luks_slot *slot = &h->slot[i];
	const uint64_t first = slot->key_sector, sectors = material_sectors(h);
	const uint64_t first_free = (LUKS_HEADER_LEN + SECTOR - 1) / SECTOR;

	if (slot->stripes != LUKS_STRIPES)
		return bad(place, error, "says that key slot %u has %u stripes, not %d", i,
			   slot->stripes, LUKS_STRIPES);
	if (slot->active && !slot->iterations)
		return bad(place, error, "says that key slot %u has no iterations", i);
	if (first < first_free || first + sectors > h->payload_sector ||
	    first * SECTOR + luks_material_len(h) > place->len)
		return bad(place, error,
			   "has key slot %u at sector %" PRIu64 ", which is not where one can be",
			   i, first);
	for (unsigned k = 0; k < i; k++) {
		const uint64_t other = h->slot[k].key_sector;

		if (first < other + sectors && other < first + sectors)
			return bad(place, error, "has key slots %u and %u at the same place", k, i);
	}
	return true;
}

static bool parse_slot(const struct luks_place *place, const uint8_t *b, struct luks_slot *slot,
		       unsigned i, GError **error)
{
	const uint32_t state = get_be32(b + S_STATE);

	if (state != STATE_ACTIVE && state != STATE_FREE)
		return bad(place, error, "has key slot %u in an unknown state (%#x)", i, state);
	slot->active = state == STATE_ACTIVE;
	slot->iterations = get_be32(b + S_ITERATIONS);
	memcpy(slot->salt, b + S_SALT, LUKS_SALT_LEN);
	slot->key_sector = get_be32(b + S_KEY_SECTOR);
	slot->stripes = get_be32(b + S_STRIPES);
	return true;
}

/* What others may print: letters only. */
static void take_uuid(const uint8_t *b, char *ret)
{
	unsigned i = 0;

	for (; i < UUID_LEN && g_ascii_isgraph((char)b[H_UUID + i]); i++)
		ret[i] = (char)b[H_UUID + i];
	ret[i] = 0;
}

static bool parse(const struct luks_place *place, const uint8_t *b, struct luks_header *h,
		  GError **error)
{
	if (memcmp(b, magic, sizeof(magic)) != 0)
		return bad(place, error, "is none: it does not begin like one");
	if (get_be16(b + H_VERSION) != 1)
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"image '%s' is encrypted with LUKS of version %u; only version 1 is "
			"known here",
			place->name, get_be16(b + H_VERSION));
	h->payload_sector = get_be32(b + H_PAYLOAD);
	h->key_len = get_be32(b + H_KEY_LEN);
	memcpy(h->digest, b + H_DIGEST, LUKS_DIGEST_LEN);
	memcpy(h->digest_salt, b + H_DIGEST_SALT, LUKS_SALT_LEN);
	h->digest_iterations = get_be32(b + H_DIGEST_ITERATIONS);
	take_uuid(b, h->uuid);
	if (!h->digest_iterations)
		return bad(place, error, "says that its master key has no iterations");
	if (!parse_names(place, b, h, error))
		return false;
	for (unsigned i = 0; i < LUKS_SLOTS; i++) {
		if (!parse_slot(place, b + H_SLOTS + i * SLOT_LEN, &h->slot[i], i, error) ||
		    !check_slot(place, h, i, error))
			return false;
	}
	return true;
}

bool luks_read(const struct luks_place *place, struct luks_header *ret, GError **error)
{
	struct luks_header header = { 0 };
	uint8_t bytes[LUKS_HEADER_LEN];
	int n;

	if (place->len < LUKS_HEADER_LEN)
		return bad(place, error, "has %" PRIu64 " bytes, which are too few", place->len);
	n = block_file_read(place->file, place->off, bytes, sizeof(bytes));
	if (n < 0)
		return error_sys(error, n, "cannot read the LUKS header of image '%s'",
				 place->name);
	if (!parse(place, bytes, &header, error))
		return false;
	*ret = header;
	return true;
}

/* ---- and back ---- */

static uint32_t slot_sectors(const struct luks_header *header)
{
	return ((uint32_t)material_sectors(header) + ALIGN - 1) / ALIGN * ALIGN;
}

void luks_header_init(const struct luks_options *options, struct luks_header *ret)
{
	struct luks_header h = { .method = options->method, .hash = options->hash };

	h.key_len = (uint32_t)crypt_key_len(&h.method);
	for (uint32_t i = 0; i < LUKS_SLOTS; i++)
		h.slot[i] = (struct luks_slot){
			.key_sector = ALIGN + i * slot_sectors(&h),
			.stripes = LUKS_STRIPES,
		};
	h.payload_sector = ALIGN + LUKS_SLOTS * slot_sectors(&h);
	*ret = h;
}

uint64_t luks_len(const struct luks_options *options)
{
	struct luks_header header;

	luks_header_init(options, &header);
	return (uint64_t)header.payload_sector * SECTOR;
}

static bool write_at(const struct luks_place *place, uint64_t off, const void *bytes, size_t len,
		     GError **error)
{
	const int ret = block_file_write(place->file, place->off + off, bytes, len);

	return ret < 0 ? error_sys(error, ret, "cannot write the LUKS header of image '%s'",
				   place->name)
		       : true;
}

static void format_slot(const struct luks_slot *slot, uint8_t *b)
{
	put_be32(b + S_STATE, slot->active ? STATE_ACTIVE : STATE_FREE);
	put_be32(b + S_ITERATIONS, slot->iterations);
	memcpy(b + S_SALT, slot->salt, LUKS_SALT_LEN);
	put_be32(b + S_KEY_SECTOR, slot->key_sector);
	put_be32(b + S_STRIPES, slot->stripes);
}

static void put_name(uint8_t *at, const char *name)
{
	memcpy(at, name, MIN(strlen(name), (size_t)NAME_LEN - 1));
}

bool luks_header_write(const struct luks_place *place, const struct luks_header *h, GError **error)
{
	const bool essiv = h->method.ivgen == CRYPT_ESSIV;
	g_autofree char *mode = g_strdup_printf(
		"%s-%s%s%s", crypt_mode_names[h->method.mode], crypt_ivgen_names[h->method.ivgen],
		essiv ? ":" : "", essiv ? crypt_hash_names[h->method.ivgen_hash] : "");
	uint8_t b[LUKS_HEADER_LEN] = { 0 };

	memcpy(b, magic, sizeof(magic));
	put_be16(b + H_VERSION, 1);
	put_name(b + H_CIPHER, crypt_algorithm_family(h->method.algorithm));
	put_name(b + H_MODE, mode);
	put_name(b + H_HASH, crypt_hash_names[h->hash]);
	put_be32(b + H_PAYLOAD, h->payload_sector);
	put_be32(b + H_KEY_LEN, h->key_len);
	memcpy(b + H_DIGEST, h->digest, LUKS_DIGEST_LEN);
	memcpy(b + H_DIGEST_SALT, h->digest_salt, LUKS_SALT_LEN);
	put_be32(b + H_DIGEST_ITERATIONS, h->digest_iterations);
	memcpy(b + H_UUID, h->uuid, strlen(h->uuid));
	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		format_slot(&h->slot[i], b + H_SLOTS + i * SLOT_LEN);
	return write_at(place, 0, b, sizeof(b), error);
}

bool luks_slot_write(const struct luks_place *place, const struct luks_header *header, unsigned i,
		     GError **error)
{
	uint8_t b[SLOT_LEN];

	format_slot(&header->slot[i], b);
	return write_at(place, H_SLOTS + i * SLOT_LEN + S_ITERATIONS, b + S_ITERATIONS,
			SLOT_LEN - S_ITERATIONS, error);
}

bool luks_slot_write_state(const struct luks_place *place, const struct luks_header *header,
			   unsigned i, GError **error)
{
	uint8_t b[SLOT_LEN];

	format_slot(&header->slot[i], b);
	return write_at(place, H_SLOTS + i * SLOT_LEN + S_STATE, b + S_STATE, 4, error);
}
