/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luks-options.c - what the user says of a new LUKS header
 */
#include "block/crypt/luks-options.h"

#include <string.h>

#include "base/error.h"

/* One of @names: its number; @otherwise if the user said nothing. */
static bool take_name(const struct image_create *what, const char *prefix, const char *name,
		      const char *const *names, unsigned otherwise, unsigned *ret, GError **error)
{
	g_autofree char *full = g_strconcat(prefix, name, NULL);
	const char *value = image_create_option(what, full, names[otherwise]);
	g_autofree char *all = g_strjoinv(", ", (char **)(uintptr_t)names);

	for (unsigned i = 0; names[i]; i++) {
		if (!strcmp(names[i], value)) {
			*ret = i;
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_USAGE, "%s is one of %s, not '%s'", full, all, value);
}

bool luks_iter_time(const char *text, unsigned *ret_ms, GError **error)
{
	uint64_t ms = LUKS_ITER_TIME_MS;

	if (text && !g_ascii_string_to_unsigned(text, 10, 1, LUKS_MAX_ITER_TIME_MS, &ms, NULL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "iter-time is a number of milliseconds from 1 to %d, not '%s'",
				 LUKS_MAX_ITER_TIME_MS, text);
	*ret_ms = (unsigned)ms;
	return true;
}

bool luks_options_take(const struct image_create *what, const char *prefix,
		       struct luks_options *ret, GError **error)
{
	g_autofree char *time = g_strconcat(prefix, "iter-time", NULL);
	unsigned algorithm, mode, ivgen, ivgen_hash, hash;

	if (!take_name(what, prefix, "cipher-alg", crypt_algorithm_names, CRYPT_AES_256, &algorithm,
		       error) ||
	    !take_name(what, prefix, "cipher-mode", crypt_mode_names, CRYPT_XTS, &mode, error) ||
	    !take_name(what, prefix, "ivgen-alg", crypt_ivgen_names, CRYPT_PLAIN64, &ivgen,
		       error) ||
	    !take_name(what, prefix, "ivgen-hash-alg", crypt_hash_names, CRYPT_SHA256, &ivgen_hash,
		       error) ||
	    !take_name(what, prefix, "hash-alg", crypt_hash_names, CRYPT_SHA256, &hash, error) ||
	    !luks_iter_time(image_create_option(what, time, NULL), &ret->iter_time_ms, error))
		return false;
	ret->method = (struct crypt_method){
		.algorithm = (enum crypt_algorithm)algorithm,
		.mode = (enum crypt_mode)mode,
		.ivgen = (enum crypt_ivgen)ivgen,
		.ivgen_hash = (enum crypt_hash)ivgen_hash,
	};
	ret->hash = (enum crypt_hash)hash;
	if (crypt_key_len(&ret->method) * LUKS_STRIPES % CRYPT_SECTOR)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "%s in mode cbc has key slots that are no whole sectors, on which "
				 "QEMU aborts; take mode xts, or keys of 128 or 256 bits",
				 crypt_algorithm_names[algorithm]);
	return crypt_method_check(&ret->method, error);
}
