/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * suggest.h - which name was meant, when there is none of that spelling
 */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stddef.h>

/* Letters to be changed, inserted, left out or swapped with their neighbours; case does not count. */
unsigned suggest_distance(const char *a, const char *b);

/* The one of @names that is nearest to @word, or NULL if none is near. */
const char *suggest_among(const char *const *names, size_t count, const char *word);

#endif
