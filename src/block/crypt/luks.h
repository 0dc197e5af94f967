/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luks.h - headers of LUKS version 1: what is encrypted how, and the keys that passphrases open
 *
 * Source: the LUKS1 on-disk format specification, 1.2.3. All numbers in the header are big-endian.
 *
 * A random master key encrypts the data. Each of eight slots may have a copy of it, encrypted with a
 * key that is made of a passphrase and spread over 4,000 stripes, so that a slot which was
 * overwritten in part is gone as a whole. Who has a passphrase has the master key: erasing a slot
 * does not help against somebody who has kept a copy of the header.
 *
 * Headers are hostile. What luks_read() promises: slots lie between the header and the payload, do
 * not overlap and are within the place; the cipher is one that there is. How long the header lets
 * us work is looked at before the work begins.
 *
 * Threads: any; who changes a header is alone with it.
 */
#ifndef BLOCK_CRYPT_LUKS_H
#define BLOCK_CRYPT_LUKS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "block/crypt/cipher.h"
#include "block/crypt/secret.h"
#include "block/file.h"

enum {
	LUKS_HEADER_LEN = 592, /* bytes */
	LUKS_SLOTS = 8,
	LUKS_STRIPES = 4000,
	LUKS_SALT_LEN = 32,
	LUKS_DIGEST_LEN = 20,
	LUKS_ANY_SLOT = -1,
	LUKS_MAX_SECONDS = 120, /* that trying a secret may take, if all slots are tried */
	LUKS_MAX_ITER_TIME_MS = 10000,
};

/* Where a header is, with its key material. */
struct luks_place {
	const char *name; /* of the image, for messages */
	struct block_file *file;
	uint64_t off, len;
};

struct luks_slot {
	bool active;
	uint32_t iterations;
	uint8_t salt[LUKS_SALT_LEN];
	uint32_t key_sector; /* from the begin of the header */
	uint32_t stripes;
};

struct luks_header {
	struct crypt_method method;
	enum crypt_hash hash; /* of keys that are made of passphrases */
	uint32_t payload_sector, key_len;
	uint8_t digest[LUKS_DIGEST_LEN], digest_salt[LUKS_SALT_LEN];
	uint32_t digest_iterations;
	char uuid[41];
	struct luks_slot slot[LUKS_SLOTS];
};

/* What a new header says. */
struct luks_options {
	struct crypt_method method;
	enum crypt_hash hash;
	unsigned iter_time_ms; /* that making a key of a passphrase takes on this machine */
};

/* ---- luks.c ---- */

/* Does a file that begins so have such a header? */
bool luks_probe(const uint8_t *head, size_t len);
bool luks_read(const struct luks_place *place, struct luks_header *ret, GError **error);
/* Bytes that a header of that kind takes, with its key material: where the payload begins. */
uint64_t luks_len(const struct luks_options *options);
/* Fill in all but digest, salts and iterations; no slot is active. */
void luks_header_init(const struct luks_options *options, struct luks_header *ret);
/* Bytes that a slot's key material has. */
size_t luks_material_len(const struct luks_header *header);
bool luks_header_write(const struct luks_place *place, const struct luks_header *header,
		       GError **error);
/* All of a slot but for whether it is active; then only that. Neither is synced. */
bool luks_slot_write(const struct luks_place *place, const struct luks_header *header, unsigned i,
		     GError **error);
bool luks_slot_write_state(const struct luks_place *place, const struct luks_header *header,
			   unsigned i, GError **error);

/* ---- luks-key.c ---- */

/* Who asks for more than that many iterations is refused; 0: only by the time. For fuzzing. */
extern uint64_t luks_max_iterations;

/* The cipher of the payload; NULL with SOCLE_ERROR_DENIED: the secret opens no slot. */
struct crypt_cipher *luks_unlock(const struct luks_place *place, const struct luks_header *header,
				 const struct secret *secret, GError **error);

/* A new header, and its first slot for @secret. Not synced. */
bool luks_create(const struct luks_place *place, const struct luks_options *options,
		 const struct secret *secret, GError **error);

/*
 * Let @added open it, too: in slot @slot, or in the first that is free (LUKS_ANY_SLOT). @force: the
 * slot may be in use, and is lost. Durable on return; a power cut leaves the slot inactive.
 */
bool luks_add_slot(const struct luks_place *place, struct luks_header *header,
		   const struct secret *secret, const struct secret *added, int slot,
		   unsigned iter_time_ms, bool force, GError **error);

/*
 * Erase slot @slot, or with LUKS_ANY_SLOT all that @secret opens. @force: even the last one, which
 * makes the data unreadable for ever. Key material is overwritten before the slot is said to be
 * free.
 */
bool luks_erase_slots(const struct luks_place *place, struct luks_header *header,
		      const struct secret *secret, int slot, bool force, GError **error);

#endif
