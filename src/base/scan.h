/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan.h - texts that are taken apart from left to right: what sscanf() does, with numbers that do not overflow
 *
 * Most functions take what stands at *@at and move *@at behind it. False: that is not what stands there, and
 * nothing has changed.
 *
 * Threads: any.
 */
#ifndef BASE_SCAN_H
#define BASE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

/* These very characters. */
bool scan_text(const char **at, const char *text);
/* Decimal digits, of a number up to @max. */
bool scan_number(const char **at, uint64_t max, uint64_t *ret);
/* All up to white space or the end, at least one character; g_free() it. */
bool scan_word(const char **at, char **ret);

/* Of a whole text: is it base64? Its letters, '=' only at the end, line ends anywhere. */
bool scan_is_base64(const char *text);

#endif
