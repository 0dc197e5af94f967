/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luks-options.h - what the user says of a new LUKS header
 *
 * Threads: any; nothing is shared.
 */
#ifndef BLOCK_CRYPT_LUKS_OPTIONS_H
#define BLOCK_CRYPT_LUKS_OPTIONS_H

#include "block/crypt/luks.h"
#include "block/image.h"

enum {
	LUKS_ITER_TIME_MS = 2000, /* if nobody says anything */
};

/* Rows for the options of a format; @prefix stands in front of their names. */
#define LUKS_OPTION_ROWS(prefix)                                                                   \
	{ prefix "cipher-alg", "NAME", "aes-256, aes-128, serpent-256, twofish-256, ..." },        \
		{ prefix "cipher-mode", "xts|cbc", "how blocks of a sector follow each other" },   \
		{ prefix "ivgen-alg", "plain64|plain|essiv", "what a sector begins with" },        \
		{ prefix "ivgen-hash-alg", "NAME", "hash of the key for essiv (default sha256)" }, \
		{ prefix "hash-alg", "NAME",                                                       \
		  "sha256, sha512, sha1, ...; makes a key of the secret" },                        \
	{                                                                                          \
		prefix "iter-time", "MS", "that making the key takes (default 2000)"               \
	}

/* The options that are called so behind @prefix ("encrypt."), or what is usual. */
bool luks_options_take(const struct image_create *what, const char *prefix,
		       struct luks_options *ret, GError **error);
/* The same of a time alone, as `iter-time` has it; @text NULL: the usual one. */
bool luks_iter_time(const char *text, unsigned *ret_ms, GError **error);

#endif
