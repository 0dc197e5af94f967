/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * suggest.c - which name was meant, when there is none of that spelling
 */
#include "cli/suggest.h"

#include <glib.h>
#include <string.h>

enum {
	LONGEST = 64 /* of longer words only the start counts */
};

unsigned suggest_distance(const char *a, const char *b)
{
	size_t len_a = strnlen(a, LONGEST), len_b = strnlen(b, LONGEST);
	/* Rows for the letters of @a up to this one, the one before, and that before it. */
	unsigned rows[3][LONGEST + 1];
	unsigned *now = rows[0], *last = rows[1], *older = rows[2];

	for (size_t j = 0; j <= len_b; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= len_a; i++) {
		unsigned *free_row = older;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= len_b; j++) {
			char x = g_ascii_tolower(a[i - 1]), y = g_ascii_tolower(b[j - 1]);

			now[j] = MIN(MIN(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == g_ascii_tolower(b[j - 2]) &&
			    y == g_ascii_tolower(a[i - 2]))
				now[j] = MIN(now[j], older[j - 2] + 1);
		}
		older = last;
		last = now;
		now = free_row;
	}
	return last[len_b];
}

const char *suggest_among(const char *const *names, size_t count, const char *word)
{
	size_t len = strnlen(word, LONGEST);
	unsigned nearest = len <= 2 ? 1 : 1 + (unsigned)(len - 1) / 3;
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = suggest_distance(names[i], word);

		/* All letters changed is no likeness. */
		if (distance > nearest || distance >= MAX(len, strlen(names[i])))
			continue;
		if (!found || distance < nearest) {
			nearest = distance;
			found = names[i];
		}
	}
	return found;
}
