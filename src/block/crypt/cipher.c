/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cipher.c - sectors of an image, encrypted and back; and keys that are made of passphrases
 *
 * A handle of the library has the vector of the sector that it is at, so each thread needs one of
 * its own: those that are not in use wait in a list.
 */
#include "block/crypt/cipher.h"

#include <assert.h>
#include <errno.h>
#include <gcrypt.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/crypt/secret.h"

enum {
	MAX_BLOCK = 16,     /* bytes of a cipher's block */
	RATE_MIN = 1 << 10, /* iterations */
};

struct context {
	gcry_cipher_hd_t data, essiv; /* the latter NULL: none */
	struct context *next;
};

struct crypt_cipher {
	struct crypt_method method;
	size_t block; /* bytes */
	uint8_t key[CRYPT_MAX_KEY], essiv_key[CRYPT_MAX_DIGEST];
	pthread_mutex_t lock; /* guards what follows */
	struct context *idle;
};

static const struct algorithm {
	const char *family;
	int library;
	size_t key_len, block;
} algorithms[] = {
	[CRYPT_AES_128] = { "aes", GCRY_CIPHER_AES128, 16, 16 },
	[CRYPT_AES_192] = { "aes", GCRY_CIPHER_AES192, 24, 16 },
	[CRYPT_AES_256] = { "aes", GCRY_CIPHER_AES256, 32, 16 },
	[CRYPT_CAST5_128] = { "cast5", GCRY_CIPHER_CAST5, 16, 8 },
	[CRYPT_SERPENT_128] = { "serpent", GCRY_CIPHER_SERPENT128, 16, 16 },
	[CRYPT_SERPENT_192] = { "serpent", GCRY_CIPHER_SERPENT192, 24, 16 },
	[CRYPT_SERPENT_256] = { "serpent", GCRY_CIPHER_SERPENT256, 32, 16 },
	[CRYPT_TWOFISH_128] = { "twofish", GCRY_CIPHER_TWOFISH128, 16, 16 },
	[CRYPT_TWOFISH_256] = { "twofish", GCRY_CIPHER_TWOFISH, 32, 16 },
};
static_assert(ARRAY_SIZE(algorithms) == CRYPT_ALGORITHM_COUNT, "an algorithm without a row");

static const int hashes[] = {
	[CRYPT_MD5] = GCRY_MD_MD5,          [CRYPT_SHA1] = GCRY_MD_SHA1,
	[CRYPT_SHA224] = GCRY_MD_SHA224,    [CRYPT_SHA256] = GCRY_MD_SHA256,
	[CRYPT_SHA384] = GCRY_MD_SHA384,    [CRYPT_SHA512] = GCRY_MD_SHA512,
	[CRYPT_RIPEMD160] = GCRY_MD_RMD160,
};
static_assert(ARRAY_SIZE(hashes) == CRYPT_HASH_COUNT, "a hash without a row");

const char *const crypt_algorithm_names[] = {
	[CRYPT_AES_128] = "aes-128",         [CRYPT_AES_192] = "aes-192",
	[CRYPT_AES_256] = "aes-256",         [CRYPT_CAST5_128] = "cast5-128",
	[CRYPT_SERPENT_128] = "serpent-128", [CRYPT_SERPENT_192] = "serpent-192",
	[CRYPT_SERPENT_256] = "serpent-256", [CRYPT_TWOFISH_128] = "twofish-128",
	[CRYPT_TWOFISH_256] = "twofish-256", NULL,
};
static_assert(ARRAY_SIZE(crypt_algorithm_names) == CRYPT_ALGORITHM_COUNT + 1, "a name is missing");

const char *const crypt_mode_names[] = {
	[CRYPT_CBC] = "cbc",
	[CRYPT_XTS] = "xts",
	NULL,
};
static_assert(ARRAY_SIZE(crypt_mode_names) == CRYPT_MODE_COUNT + 1, "a name is missing");

const char *const crypt_ivgen_names[] = {
	[CRYPT_PLAIN] = "plain",
	[CRYPT_PLAIN64] = "plain64",
	[CRYPT_ESSIV] = "essiv",
	NULL,
};
static_assert(ARRAY_SIZE(crypt_ivgen_names) == CRYPT_IVGEN_COUNT + 1, "a name is missing");

const char *const crypt_hash_names[] = {
	[CRYPT_MD5] = "md5",
	[CRYPT_SHA1] = "sha1",
	[CRYPT_SHA224] = "sha224",
	[CRYPT_SHA256] = "sha256",
	[CRYPT_SHA384] = "sha384",
	[CRYPT_SHA512] = "sha512",
	[CRYPT_RIPEMD160] = "ripemd160",
	NULL,
};
static_assert(ARRAY_SIZE(crypt_hash_names) == CRYPT_HASH_COUNT + 1, "a name is missing");

/* ---- the library ---- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static bool library_ready;

/* Secrets are not locked into memory here, so it need not reserve any. */
static void start_library(void)
{
	library_ready = gcry_check_version(GCRYPT_VERSION) != NULL;
	(void)gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	(void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

static bool need_library(GError **error)
{
	pthread_once(&library_once, start_library);
	return library_ready ||
	       error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "the crypto library libgcrypt is older than %s, with which this program "
			 "was built; install that one",
			 GCRYPT_VERSION);
}

static bool library_failed(gcry_error_t code, const char *what, GError **error)
{
	return error_set(error, SOCLE_ERROR_FAILED, "cannot %s: %s", what, gcry_strerror(code));
}

/* ---- methods ---- */

const char *crypt_algorithm_family(enum crypt_algorithm algorithm)
{
	return algorithms[algorithm].family;
}

size_t crypt_key_len(const struct crypt_method *method)
{
	return algorithms[method->algorithm].key_len * (method->mode == CRYPT_XTS ? 2 : 1);
}

size_t crypt_digest_len(enum crypt_hash hash)
{
	return gcry_md_get_algo_dlen(hashes[hash]);
}

/* The cipher of that family whose key is as long as the hash. */
static const struct algorithm *essiv_algorithm(const struct crypt_method *method)
{
	const struct algorithm *own = &algorithms[method->algorithm];
	const size_t len = crypt_digest_len(method->ivgen_hash);

	for (unsigned i = 0; i < ARRAY_SIZE(algorithms); i++) {
		if (algorithms[i].key_len == len && !strcmp(algorithms[i].family, own->family))
			return &algorithms[i];
	}
	return NULL;
}

bool crypt_method_check(const struct crypt_method *method, GError **error)
{
	if (method->mode == CRYPT_XTS && algorithms[method->algorithm].block != MAX_BLOCK)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "%s has blocks that are too short for mode xts; take cbc",
				 crypt_algorithm_names[method->algorithm]);
	if (method->ivgen == CRYPT_ESSIV && !essiv_algorithm(method))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "essiv with %s needs a hash that is as long as one of its keys, "
				 "which %s is not; take plain64",
				 crypt_algorithm_names[method->algorithm],
				 crypt_hash_names[method->ivgen_hash]);
	return true;
}

/* ---- contexts ---- */

static void context_free(struct context *context)
{
	if (!context)
		return;
	gcry_cipher_close(context->data);
	gcry_cipher_close(context->essiv);
	g_free(context);
}

static gcry_error_t open_handle(gcry_cipher_hd_t *ret, const struct algorithm *algorithm, int mode,
				const uint8_t *key, size_t key_len)
{
	gcry_error_t code = gcry_cipher_open(ret, algorithm->library, mode, 0);

	return code ? code : gcry_cipher_setkey(*ret, key, key_len);
}

static gcry_error_t context_new(const struct crypt_cipher *cipher, struct context **ret)
{
	const struct crypt_method *method = &cipher->method;
	struct context *context = g_new0(struct context, 1);
	gcry_error_t code =
		open_handle(&context->data, &algorithms[method->algorithm],
			    method->mode == CRYPT_XTS ? GCRY_CIPHER_MODE_XTS : GCRY_CIPHER_MODE_CBC,
			    cipher->key, crypt_key_len(method));

	if (!code && method->ivgen == CRYPT_ESSIV)
		code = open_handle(&context->essiv, essiv_algorithm(method), GCRY_CIPHER_MODE_ECB,
				   cipher->essiv_key, crypt_digest_len(method->ivgen_hash));
	if (code) {
		context_free(context);
		return code;
	}
	*ret = context;
	return 0;
}

static struct context *take_context(struct crypt_cipher *cipher)
{
	struct context *context;

	pthread_mutex_lock(&cipher->lock);
	context = cipher->idle;
	if (context)
		cipher->idle = context->next;
	pthread_mutex_unlock(&cipher->lock);
	if (!context && context_new(cipher, &context) != 0)
		return NULL;
	return context;
}

static void give_context(struct crypt_cipher *cipher, struct context *context)
{
	pthread_mutex_lock(&cipher->lock);
	context->next = cipher->idle;
	cipher->idle = context;
	pthread_mutex_unlock(&cipher->lock);
}

/* ---- ciphers ---- */

struct crypt_cipher *crypt_cipher_new(const struct crypt_method *method, const uint8_t *key,
				      GError **error)
{
	autoptr(crypt_cipher) cipher = g_new0(struct crypt_cipher, 1);
	gcry_error_t code;

	pthread_mutex_init(&cipher->lock, NULL);
	cipher->method = *method;
	cipher->block = algorithms[method->algorithm].block;
	memcpy(cipher->key, key, crypt_key_len(method));
	if (!need_library(error) || !crypt_method_check(method, error) ||
	    (method->ivgen == CRYPT_ESSIV &&
	     !crypt_digest(method->ivgen_hash, key, crypt_key_len(method), NULL, 0,
			   cipher->essiv_key, error)))
		return NULL;
	code = context_new(cipher, &cipher->idle);
	if (code) {
		library_failed(code, "start the cipher", error);
		return NULL;
	}
	return g_steal_pointer(&cipher);
}

void crypt_cipher_free(struct crypt_cipher *cipher)
{
	if (!cipher)
		return;
	while (cipher->idle) {
		struct context *context = cipher->idle;

		cipher->idle = context->next;
		context_free(context);
	}
	pthread_mutex_destroy(&cipher->lock);
	secret_wipe(cipher, sizeof(*cipher));
	g_free(cipher);
}

static gcry_error_t set_sector(const struct crypt_cipher *cipher, const struct context *context,
			       uint64_t sector)
{
	uint8_t iv[MAX_BLOCK] = { 0 };
	gcry_error_t code = 0;

	put_le64(iv, cipher->method.ivgen == CRYPT_PLAIN ? (uint32_t)sector : sector);
	if (cipher->method.ivgen == CRYPT_ESSIV)
		code = gcry_cipher_encrypt(context->essiv, iv, cipher->block, NULL, 0);
	return code ? code : gcry_cipher_setiv(context->data, iv, cipher->block);
}

static int run(struct crypt_cipher *cipher, bool encrypt, uint64_t sector, uint8_t *buf, size_t len)
{
	struct context *context = take_context(cipher);
	gcry_error_t code = 0;

	if (!context)
		return -ENOMEM;
	for (size_t done = 0; !code && done < len; done += CRYPT_SECTOR, sector++) {
		const size_t n = MIN(len - done, (size_t)CRYPT_SECTOR);

		code = set_sector(cipher, context, sector);
		if (!code)
			code = encrypt ? gcry_cipher_encrypt(context->data, buf + done, n, NULL, 0)
				       : gcry_cipher_decrypt(context->data, buf + done, n, NULL, 0);
	}
	give_context(cipher, context);
	return code ? -EIO : 0;
}

int crypt_cipher_encrypt(struct crypt_cipher *cipher, uint64_t sector, void *buf, size_t len)
{
	return run(cipher, true, sector, buf, len);
}

int crypt_cipher_decrypt(struct crypt_cipher *cipher, uint64_t sector, void *buf, size_t len)
{
	return run(cipher, false, sector, buf, len);
}

/* ---- hashes ---- */

bool crypt_digest(enum crypt_hash hash, const void *a, size_t a_len, const void *b, size_t b_len,
		  uint8_t *ret_digest, GError **error)
{
	gcry_buffer_t parts[2] = { { 0 } };
	gcry_error_t code;

	if (!need_library(error))
		return false;
	/* They are only read. */
	parts[0].data = (void *)(uintptr_t)a;
	parts[0].len = a_len;
	parts[1].data = (void *)(uintptr_t)b;
	parts[1].len = b_len;
	code = gcry_md_hash_buffers(hashes[hash], 0, ret_digest, parts, b_len ? 2 : 1);
	return !code || library_failed(code, "hash a key", error);
}

bool crypt_derive(enum crypt_hash hash, const void *passphrase, size_t passphrase_len,
		  const uint8_t *salt, size_t salt_len, uint32_t iterations, uint8_t *ret_key,
		  size_t key_len, GError **error)
{
	gcry_error_t code;

	if (!need_library(error))
		return false;
	code = gcry_kdf_derive(passphrase, passphrase_len, GCRY_KDF_PBKDF2, hashes[hash], salt,
			       salt_len, iterations, key_len, ret_key);
	return !code || library_failed(code, "make a key of a secret", error);
}

static uint64_t thread_time_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

bool crypt_derive_rate(enum crypt_hash hash, size_t key_len, unsigned ms, uint64_t *ret_rate,
		       GError **error)
{
	static const uint8_t salt[32], passphrase[8];
	uint8_t key[CRYPT_MAX_KEY];
	uint64_t ns = 0;
	uint32_t n = RATE_MIN / 2;

	while (ns < (uint64_t)ms * 1000000 && n < UINT32_MAX / 2) {
		const uint64_t begin = thread_time_ns();

		n *= 2;
		if (!crypt_derive(hash, passphrase, sizeof(passphrase), salt, sizeof(salt), n, key,
				  key_len, error))
			return false;
		ns = thread_time_ns() - begin;
	}
	*ret_rate = MAX(n * UINT64_C(1000000000) / MAX(ns, UINT64_C(1)), UINT64_C(1));
	return true;
}
