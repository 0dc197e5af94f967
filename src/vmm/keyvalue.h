/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keyvalue.h - values of options that are lists: "unix=/run/x,name=y"
 *
 * A comma within a value is written twice. The first item may be a word without '='.
 */
#ifndef VMM_KEYVALUE_H
#define VMM_KEYVALUE_H

#include <glib.h>
#include <stdbool.h>

enum {
	KEYVALUE_MAX = 16
};

struct keyvalue {
	unsigned count;
	struct {
		char *key, *value; /* value NULL: a word alone */
	} item[KEYVALUE_MAX];
};

/* On success keyvalue_release() is the caller's. Keys are not empty and there once only. */
bool keyvalue_parse(struct keyvalue *ret_list, const char *text, GError **error);
void keyvalue_release(struct keyvalue *list);

/* The value, or NULL if there is no such key. */
const char *keyvalue_get(const struct keyvalue *list, const char *key);
/* Is there such a word alone? */
bool keyvalue_has_word(const struct keyvalue *list, const char *word);

#endif
