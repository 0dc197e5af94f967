/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secret.h - what opens encrypted images: bytes with a name, which are zeroed when they go
 *
 * Nothing here logs a secret, and no message has one in it.
 *
 * Threads: any; a secret does not change.
 */
#ifndef BLOCK_CRYPT_SECRET_H
#define BLOCK_CRYPT_SECRET_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

enum {
	SECRET_MAX = 64 << 10, /* bytes, also of a file that has one */
};

struct secret {
	char *id;
	uint8_t *bytes; /* followed by a NUL that is not counted */
	size_t len;
};

struct secret *secret_new(const char *id, const void *bytes, size_t len);
/* NULL is fine. */
void secret_free(void *secret);
DEFINE_AUTOPTR(secret, secret_free);

/**
 * secret_read() - as `--object secret,id=ID,data=TEXT|file=FILE,format=raw|base64` says
 * @data:   the secret itself, or NULL
 * @file:   the file that has it, all of which counts, line ends included; or NULL
 * @format: "raw", "base64"; NULL is raw
 */
struct secret *secret_read(const char *id, const char *data, const char *file, const char *format,
			   GError **error);

/* In an array of struct secret. NULL: @error says that there is none. */
const struct secret *secret_find(const GPtrArray *secrets, const char *id, GError **error);

/* Zero what the compiler thinks is not needed any more. */
void secret_wipe(void *bytes, size_t len);
/* The same for a string, which is freed then; NULL is fine. */
void secret_wipe_text(char *text);

#endif
