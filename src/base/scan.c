/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan.c - texts that are taken apart from left to right
 */
#include "base/scan.h"

#include <glib.h>
#include <string.h>

bool scan_text(const char **at, const char *text)
{
	if (!g_str_has_prefix(*at, text))
		return false;
	*at += strlen(text);
	return true;
}

bool scan_number(const char **at, uint64_t max, uint64_t *ret)
{
	const char *p = *at;
	uint64_t number = 0;

	for (; g_ascii_isdigit(*p); p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (digit > max || number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (p == *at)
		return false;
	*at = p;
	*ret = number;
	return true;
}

bool scan_word(const char **at, char **ret)
{
	size_t len = strcspn(*at, " \t\r\n");

	if (!len)
		return false;
	*ret = g_strndup(*at, len);
	*at += len;
	return true;
}

bool scan_is_base64(const char *text)
{
	const size_t len = strlen(text);
	size_t letters = 0, pads = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n' || text[i] == '\r')
			continue;
		if (text[i] == '=')
			pads++;
		else if (pads || (!g_ascii_isalnum(text[i]) && text[i] != '+' && text[i] != '/'))
			return false;
		letters++;
	}
	return pads <= 2 && letters % 4 == 0;
}
