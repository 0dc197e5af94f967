/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uuid.c - UUIDs as text and as 16 bytes
 */
#include "base/uuid.h"

#include <glib.h>

bool uuid_read(const char *text, uint8_t ret[UUID_BYTES])
{
	unsigned digits = 0;

	for (; *text; text++) {
		int digit = g_ascii_xdigit_value(*text);

		if (*text == '-' && digits % 2 == 0)
			continue;
		if (digit < 0 || digits == 2 * UUID_BYTES)
			return false;
		ret[digits / 2] = (uint8_t)(ret[digits / 2] << 4 | digit);
		digits++;
	}
	return digits == 2 * UUID_BYTES;
}

void uuid_write(const uint8_t uuid[UUID_BYTES], char ret[UUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*ret++ = '-';
		*ret++ = digits[uuid[i] >> 4];
		*ret++ = digits[uuid[i] & 15];
	}
	*ret = 0;
}
