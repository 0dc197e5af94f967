/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luks-key.c - the master key of a LUKS header: out of its slots, into them, and away
 *
 * A slot's material is the key split into stripes of its length. Each is random but for the last,
 * which is the key combined with all others; between two, what has come together is hashed. So
 * every bit of the material is needed.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/uuid.h"
#include "block/crypt/luks.h"

enum {
	MIN_ITERATIONS = 1000,
	RATE_MS = 20,         /* that measuring this machine may take */
	QUICK_WORK = 1 << 20, /* iterations that are done at once, however slow it is */
	DIGEST_SHARE = 8,     /* looking whether a key is the right one takes that part */
	NO_SLOT = -1,
};

uint64_t luks_max_iterations;

/* Keys on their way; all of it is zeroed. */
struct key {
	uint8_t bytes[CRYPT_MAX_KEY];
};

static void key_wipe(struct key *key)
{
	secret_wipe(key, sizeof(*key));
}

static bool random_bytes(void *bytes, size_t len, GError **error)
{
	const int ret = sys_random(bytes, len);

	return ret < 0 ? error_sys(error, ret, "cannot get random bytes") : true;
}

/* ---- stripes ---- */

static void combine(uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] ^= from[i];
}

/* Each piece as long as a hash becomes the hash of its number and itself. */
static bool diffuse(enum crypt_hash hash, uint8_t *bytes, size_t len, GError **error)
{
	const size_t digest_len = crypt_digest_len(hash);
	uint8_t digest[CRYPT_MAX_DIGEST];
	uint32_t number = 0;

	for (size_t done = 0; done < len; done += digest_len) {
		const size_t n = MIN(len - done, digest_len);
		uint8_t prefix[4];

		put_be32(prefix, number++);
		if (!crypt_digest(hash, prefix, sizeof(prefix), bytes + done, n, digest, error))
			return false;
		memcpy(bytes + done, digest, n);
	}
	secret_wipe(digest, sizeof(digest));
	return true;
}

/* What all stripes but the last come together to. */
static bool gather(const struct luks_header *header, const uint8_t *material, struct key *ret,
		   GError **error)
{
	const size_t len = header->key_len;

	*ret = (struct key){ 0 };
	for (unsigned i = 0; i < LUKS_STRIPES - 1; i++) {
		combine(ret->bytes, material + i * len, len);
		if (!diffuse(header->hash, ret->bytes, len, error))
			return false;
	}
	return true;
}

static bool merge(const struct luks_header *header, const uint8_t *material, struct key *ret,
		  GError **error)
{
	const size_t len = header->key_len;

	if (!gather(header, material, ret, error))
		return false;
	combine(ret->bytes, material + (LUKS_STRIPES - 1) * len, len);
	return true;
}

static bool split(const struct luks_header *header, const struct key *key, uint8_t *ret_material,
		  GError **error)
{
	const size_t len = header->key_len;
	struct key gathered;
	const bool ok = random_bytes(ret_material, (LUKS_STRIPES - 1) * len, error) &&
			gather(header, ret_material, &gathered, error);

	if (ok) {
		combine(gathered.bytes, key->bytes, len);
		memcpy(ret_material + (LUKS_STRIPES - 1) * len, gathered.bytes, len);
	}
	key_wipe(&gathered);
	return ok;
}

/* ---- slots ---- */

/* A header can ask for years of work; what it asks for is compared with what this machine does. */
static bool check_work(const struct luks_place *place, const struct luks_header *header,
		       GError **error)
{
	uint64_t work = 0, rate;

	for (unsigned i = 0; i < LUKS_SLOTS; i++) {
		if (header->slot[i].active)
			work += (uint64_t)header->slot[i].iterations + header->digest_iterations;
	}
	if (luks_max_iterations ? work <= luks_max_iterations : work <= QUICK_WORK)
		return true;
	if (!crypt_derive_rate(header->hash, header->key_len, RATE_MS, &rate, error))
		return false;
	if (!luks_max_iterations && work / rate < LUKS_MAX_SECONDS)
		return true;
	return error_set(
		error, SOCLE_ERROR_LIMIT,
		"trying a secret on image '%s' would take %" PRIu64 " seconds, and %d are "
		"the most; erase key slots that have too many iterations where it was made",
		place->name, work / rate, LUKS_MAX_SECONDS);
}

static struct crypt_cipher *slot_cipher(const struct luks_header *header,
					const struct luks_slot *slot, const struct secret *secret,
					GError **error)
{
	struct crypt_cipher *cipher = NULL;
	struct key key;

	if (crypt_derive(header->hash, secret->bytes, secret->len, slot->salt, LUKS_SALT_LEN,
			 slot->iterations, key.bytes, header->key_len, error))
		cipher = crypt_cipher_new(&header->method, key.bytes, error);
	key_wipe(&key);
	return cipher;
}

static bool digest_of(const struct luks_header *header, const struct key *key,
		      uint8_t ret[LUKS_DIGEST_LEN], GError **error)
{
	return crypt_derive(header->hash, key->bytes, header->key_len, header->digest_salt,
			    LUKS_SALT_LEN, header->digest_iterations, ret, LUKS_DIGEST_LEN, error);
}

/* The time it takes says nothing of where they differ. */
static bool same_digest(const uint8_t *a, const uint8_t *b)
{
	uint8_t differ = 0;

	for (unsigned i = 0; i < LUKS_DIGEST_LEN; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* *ret_match: the secret opens this slot, and the key is in *ret. */
static bool try_slot(const struct luks_place *place, const struct luks_header *header,
		     const struct luks_slot *slot, const struct secret *secret, struct key *ret,
		     bool *ret_match, GError **error)
{
	const size_t len = luks_material_len(header);
	g_autofree uint8_t *material = g_malloc(len);
	autoptr(crypt_cipher) cipher = NULL;
	uint8_t digest[LUKS_DIGEST_LEN];
	int n = block_file_read(place->file, place->off + (uint64_t)slot->key_sector * CRYPT_SECTOR,
				material, len);
	bool ok;

	if (n < 0)
		return error_sys(error, n, "cannot read a key slot of image '%s'", place->name);
	cipher = slot_cipher(header, slot, secret, error);
	if (!cipher)
		return false;
	n = crypt_cipher_decrypt(cipher, 0, material, len);
	ok = n < 0 ? error_sys(error, n, "cannot decrypt a key slot of image '%s'", place->name)
		   : merge(header, material, ret, error) && digest_of(header, ret, digest, error);
	secret_wipe(material, len);
	*ret_match = ok && same_digest(digest, header->digest);
	return ok;
}

/* The first slot from @from on that the secret opens, or NO_SLOT. */
static bool find_slot(const struct luks_place *place, const struct luks_header *header,
		      const struct secret *secret, unsigned from, struct key *ret_key,
		      int *ret_slot, GError **error)
{
	*ret_slot = NO_SLOT;
	for (unsigned i = from; i < LUKS_SLOTS; i++) {
		bool match = false;

		if (!header->slot[i].active)
			continue;
		if (!try_slot(place, header, &header->slot[i], secret, ret_key, &match, error))
			return false;
		if (match) {
			*ret_slot = (int)i;
			return true;
		}
	}
	return true;
}

static bool master_key(const struct luks_place *place, const struct luks_header *header,
		       const struct secret *secret, struct key *ret, GError **error)
{
	int slot;

	if (!check_work(place, header, error) ||
	    !find_slot(place, header, secret, 0, ret, &slot, error))
		return false;
	return slot != NO_SLOT ||
	       error_set(error, SOCLE_ERROR_DENIED, "Invalid password, cannot unlock any keyslot");
}

struct crypt_cipher *luks_unlock(const struct luks_place *place, const struct luks_header *header,
				 const struct secret *secret, GError **error)
{
	struct crypt_cipher *cipher = NULL;
	struct key key;

	if (master_key(place, header, secret, &key, error))
		cipher = crypt_cipher_new(&header->method, key.bytes, error);
	key_wipe(&key);
	return cipher;
}

/* ---- new slots ---- */

static bool iterations_for(enum crypt_hash hash, size_t key_len, unsigned ms, unsigned share,
			   uint32_t *ret, GError **error)
{
	uint64_t rate, n;

	if (!crypt_derive_rate(hash, key_len, MIN(ms, (unsigned)RATE_MS), &rate, error))
		return false;
	n = rate * ms / 1000 / share;
	*ret = (uint32_t)MIN(MAX(n, (uint64_t)MIN_ITERATIONS), (uint64_t)UINT32_MAX);
	return true;
}

static bool write_material(const struct luks_place *place, const struct luks_slot *slot,
			   const uint8_t *material, size_t len, GError **error)
{
	const int ret = block_file_write(
		place->file, place->off + (uint64_t)slot->key_sector * CRYPT_SECTOR, material, len);

	return ret < 0 ? error_sys(error, ret, "cannot write a key slot of image '%s'", place->name)
		       : true;
}

static bool sync_place(const struct luks_place *place, GError **error)
{
	const int ret = block_file_sync(place->file);

	return ret < 0 ? error_sys(error, ret, "cannot flush image '%s'", place->name) : true;
}

/* Salt, iterations, material; the slot is not active yet. */
static bool fill_slot(const struct luks_place *place, const struct luks_header *header,
		      struct luks_slot *slot, const struct key *key, const struct secret *secret,
		      unsigned ms, GError **error)
{
	const size_t len = luks_material_len(header);
	g_autofree uint8_t *material = g_malloc(len);
	autoptr(crypt_cipher) cipher = NULL;
	bool ok = random_bytes(slot->salt, LUKS_SALT_LEN, error) &&
		  iterations_for(header->hash, header->key_len, ms, 1, &slot->iterations, error) &&
		  split(header, key, material, error);

	if (ok)
		cipher = slot_cipher(header, slot, secret, error);
	if (cipher) {
		const int ret = crypt_cipher_encrypt(cipher, 0, material, len);

		ok = ret < 0 ? error_sys(error, ret, "cannot encrypt a key slot of image '%s'",
					 place->name)
			     : write_material(place, slot, material, len, error);
	}
	secret_wipe(material, len);
	return ok && cipher;
}

/* A random one, in the form of version 4. */
static bool make_uuid(char ret[UUID_TEXT_SIZE], GError **error)
{
	uint8_t b[16];

	if (!random_bytes(b, sizeof(b), error))
		return false;
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	uuid_write(b, ret);
	return true;
}

bool luks_create(const struct luks_place *place, const struct luks_options *options,
		 const struct secret *secret, GError **error)
{
	struct luks_header header;
	struct key key;
	bool ok;

	luks_header_init(options, &header);
	ok = crypt_method_check(&header.method, error) &&
	     random_bytes(key.bytes, header.key_len, error) &&
	     random_bytes(header.digest_salt, LUKS_SALT_LEN, error) &&
	     make_uuid(header.uuid, error) &&
	     iterations_for(header.hash, LUKS_DIGEST_LEN, options->iter_time_ms, DIGEST_SHARE,
			    &header.digest_iterations, error) &&
	     digest_of(&header, &key, header.digest, error) &&
	     fill_slot(place, &header, &header.slot[0], &key, secret, options->iter_time_ms, error);
	key_wipe(&key);
	header.slot[0].active = true;
	return ok && luks_header_write(place, &header, error);
}

/* ---- amending ---- */

static int first_free(const struct luks_header *header)
{
	for (int i = 0; i < LUKS_SLOTS; i++) {
		if (!header->slot[i].active)
			return i;
	}
	return NO_SLOT;
}

static unsigned count_active(const struct luks_header *header)
{
	unsigned n = 0;

	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		n += header->slot[i].active;
	return n;
}

static bool check_slot_number(int slot, GError **error)
{
	return (slot >= 0 && slot < LUKS_SLOTS) ||
	       error_set(error, SOCLE_ERROR_USAGE, "there are key slots 0 to %d, and no slot %d",
			 LUKS_SLOTS - 1, slot);
}

static bool erase(const struct luks_place *place, struct luks_header *header, unsigned i,
		  GError **error)
{
	const size_t len = luks_material_len(header);
	g_autofree uint8_t *noise = g_malloc(len);

	if (!random_bytes(noise, len, error) ||
	    !write_material(place, &header->slot[i], noise, len, error) ||
	    !sync_place(place, error))
		return false;
	header->slot[i].active = false;
	header->slot[i].iterations = 0;
	memset(header->slot[i].salt, 0, LUKS_SALT_LEN);
	return luks_slot_write_state(place, header, i, error) && sync_place(place, error) &&
	       luks_slot_write(place, header, i, error) && sync_place(place, error);
}

/* Which slot a new secret gets. */
static bool choose_slot(const struct luks_header *header, int slot, bool force, int *ret,
			GError **error)
{
	*ret = slot == LUKS_ANY_SLOT ? first_free(header) : slot;
	if (*ret == NO_SLOT)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "Can't add a keyslot - all keyslots are in use");
	if (!check_slot_number(*ret, error))
		return false;
	return !header->slot[*ret].active || force ||
	       error_set(error, SOCLE_ERROR_EXISTS,
			 "Refusing to overwrite active keyslot %d - please erase it first", *ret);
}

static bool put_key(const struct luks_place *place, struct luks_header *header, unsigned i,
		    const struct key *key, const struct secret *added, unsigned ms, GError **error)
{
	struct luks_slot slot = header->slot[i];

	if (slot.active && !erase(place, header, i, error))
		return false;
	slot.active = false;
	if (!fill_slot(place, header, &slot, key, added, ms, error))
		return false;
	header->slot[i] = slot;
	if (!luks_slot_write(place, header, i, error) || !sync_place(place, error))
		return false;
	header->slot[i].active = true;
	return luks_slot_write_state(place, header, i, error) && sync_place(place, error);
}

bool luks_add_slot(const struct luks_place *place, struct luks_header *header,
		   const struct secret *secret, const struct secret *added, int slot,
		   unsigned iter_time_ms, bool force, GError **error)
{
	struct key key;
	int i;
	bool ok = choose_slot(header, slot, force, &i, error) &&
		  master_key(place, header, secret, &key, error) &&
		  put_key(place, header, (unsigned)i, &key, added, iter_time_ms, error);

	key_wipe(&key);
	return ok;
}

/* Slots by bits: the one that was named, or all that the secret opens. */
static bool slots_to_erase(const struct luks_place *place, const struct luks_header *header,
			   const struct secret *secret, int slot, bool force, unsigned *ret,
			   GError **error)
{
	struct key key = { 0 };
	int found;
	bool ok = true;

	*ret = 0;
	if (slot != LUKS_ANY_SLOT) {
		if (!check_slot_number(slot, error))
			return false;
		*ret = 1u << slot;
		return header->slot[slot].active || force ||
		       error_set(error, SOCLE_ERROR_STATE,
				 "key slot %d of image '%s' is not in use", slot, place->name);
	}
	ok = check_work(place, header, error);
	for (unsigned from = 0; ok && from < LUKS_SLOTS; from = (unsigned)found + 1) {
		ok = find_slot(place, header, secret, from, &key, &found, error);
		if (!ok || found == NO_SLOT)
			break;
		*ret |= 1u << found;
	}
	key_wipe(&key);
	if (ok && !*ret)
		ok = error_set(error, SOCLE_ERROR_DENIED,
			       "No keyslots match given (old) password for erase operation");
	return ok;
}

/* Nobody could read the image again. */
static bool refuse_last(int slot, GError **error)
{
	if (slot != LUKS_ANY_SLOT)
		return error_set(error, SOCLE_ERROR_DENIED,
				 "Attempt to erase the only active keyslot %d which will erase all "
				 "the data in the image irreversibly - refusing operation",
				 slot);
	return error_set(error, SOCLE_ERROR_DENIED,
			 "All the active keyslots match the (old) password that was given and "
			 "erasing them will erase all the data in the image irreversibly - "
			 "refusing operation");
}

bool luks_erase_slots(const struct luks_place *place, struct luks_header *header,
		      const struct secret *secret, int slot, bool force, GError **error)
{
	unsigned slots;

	if (!slots_to_erase(place, header, secret, slot, force, &slots, error))
		return false;
	if ((unsigned)__builtin_popcount(slots) == count_active(header) && !force)
		return refuse_last(slot, error);
	for (unsigned i = 0; i < LUKS_SLOTS; i++) {
		if (slots & 1u << i && !erase(place, header, i, error))
			return false;
	}
	return true;
}
