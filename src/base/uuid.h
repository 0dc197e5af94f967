/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uuid.h - UUIDs as text and as 16 bytes
 *
 * Threads: any.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

enum {
	UUID_BYTES = 16,
	UUID_TEXT_SIZE = 37, /* with its NUL */
};

/* 32 digits; hyphens may stand between bytes. False: it is no UUID, and @ret is undefined. */
bool uuid_read(const char *text, uint8_t ret[UUID_BYTES]);
/* In small letters, with the hyphens where all expect them. */
void uuid_write(const uint8_t uuid[UUID_BYTES], char ret[UUID_TEXT_SIZE]);

#endif
