/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cipher.h - sectors of an image, encrypted and back; and keys that are made of passphrases
 *
 * The only part of the program that calls the crypto library, libgcrypt: it knows all ciphers,
 * modes and hashes that LUKS1 images have, and its AES-XTS is about ten times as fast as that of
 * nettle 3.8, which comes with GnuTLS.
 *
 * Threads: any. A cipher may be used by several at once.
 */
#ifndef BLOCK_CRYPT_CIPHER_H
#define BLOCK_CRYPT_CIPHER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

enum {
	CRYPT_SECTOR = 512, /* bytes that are encrypted together */
	CRYPT_MAX_KEY = 64, /* bytes */
	CRYPT_MAX_DIGEST = 64,
};

/* The names that users know are those of QEMU. */
enum crypt_algorithm {
	CRYPT_AES_128,
	CRYPT_AES_192,
	CRYPT_AES_256,
	CRYPT_CAST5_128,
	CRYPT_SERPENT_128,
	CRYPT_SERPENT_192,
	CRYPT_SERPENT_256,
	CRYPT_TWOFISH_128,
	CRYPT_TWOFISH_256,
	CRYPT_ALGORITHM_COUNT,
};

enum crypt_mode {
	CRYPT_CBC,
	CRYPT_XTS,
	CRYPT_MODE_COUNT,
};

/* How the number of a sector becomes what its encryption begins with. */
enum crypt_ivgen {
	CRYPT_PLAIN,   /* 32 bits of it */
	CRYPT_PLAIN64, /* 64 bits */
	CRYPT_ESSIV,   /* encrypted with a hash of the key */
	CRYPT_IVGEN_COUNT,
};

enum crypt_hash {
	CRYPT_MD5,
	CRYPT_SHA1,
	CRYPT_SHA224,
	CRYPT_SHA256,
	CRYPT_SHA384,
	CRYPT_SHA512,
	CRYPT_RIPEMD160,
	CRYPT_HASH_COUNT,
};

struct crypt_method {
	enum crypt_algorithm algorithm;
	enum crypt_mode mode;
	enum crypt_ivgen ivgen;
	enum crypt_hash ivgen_hash; /* of ESSIV */
};

/* All by their numbers, NULL behind the last. */
extern const char *const crypt_algorithm_names[];
extern const char *const crypt_mode_names[];
extern const char *const crypt_ivgen_names[];
extern const char *const crypt_hash_names[];

/* "aes", as LUKS has it, whatever the length of its key. */
const char *crypt_algorithm_family(enum crypt_algorithm algorithm);
/* Bytes of the key; XTS has two in one. */
size_t crypt_key_len(const struct crypt_method *method);
size_t crypt_digest_len(enum crypt_hash hash);
/* Do its parts go together? */
bool crypt_method_check(const struct crypt_method *method, GError **error);

struct crypt_cipher;

/* @key: crypt_key_len(@method) bytes, which are copied, and zeroed with the cipher. */
struct crypt_cipher *crypt_cipher_new(const struct crypt_method *method, const uint8_t *key,
				      GError **error);
/* NULL is fine. */
void crypt_cipher_free(struct crypt_cipher *cipher);
DEFINE_AUTOPTR(crypt_cipher, crypt_cipher_free);

/*
 * In place, by sectors from number @sector on; the last may be shorter, by multiples of 16 bytes.
 * 0 or -errno.
 */
int crypt_cipher_encrypt(struct crypt_cipher *cipher, uint64_t sector, void *buf, size_t len);
int crypt_cipher_decrypt(struct crypt_cipher *cipher, uint64_t sector, void *buf, size_t len);

/* A hash of @a and then @b. */
bool crypt_digest(enum crypt_hash hash, const void *a, size_t a_len, const void *b, size_t b_len,
		  uint8_t *ret_digest, GError **error);
/* PBKDF2 with HMAC. */
bool crypt_derive(enum crypt_hash hash, const void *passphrase, size_t passphrase_len,
		  const uint8_t *salt, size_t salt_len, uint32_t iterations, uint8_t *ret_key,
		  size_t key_len, GError **error);
/* How many iterations of crypt_derive() this machine does in a second of its CPU's time; finding
 * out takes about @ms. */
bool crypt_derive_rate(enum crypt_hash hash, size_t key_len, unsigned ms, uint64_t *ret_rate,
		       GError **error);

#endif
