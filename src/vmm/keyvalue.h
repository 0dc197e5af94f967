/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keyvalue.h - options that are lists: "path=/x,readonly=on", on the command line and in QMP
 *
 * A comma within a value is written twice. An item may be a word without '='. The same list is made
 * of a JSON object, so that --disk, device_add and blockdev-add are read by the same code: numbers
 * become text, true and false "on" and "off", members of inner objects "outer.inner", arrays items
 * with the same key.
 *
 * Who reads a list takes items from it by name; what nobody took is unknown to all of them.
 */
#ifndef VMM_KEYVALUE_H
#define VMM_KEYVALUE_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	KEYVALUE_MAX = 48
};

struct keyvalue {
	unsigned count;
	struct {
		char *key, *value; /* value NULL: a word alone */
		bool taken;
	} item[KEYVALUE_MAX];
};

/* On success keyvalue_release() is the caller's. Keys are not empty, and there once only unless
 * @repeatable (NULL-terminated, or NULL) has them. */
bool keyvalue_parse(struct keyvalue *ret_list, const char *text, const char *const *repeatable,
		    GError **error);
bool keyvalue_from_json(struct keyvalue *ret_list, const json_t *object, GError **error);
void keyvalue_release(struct keyvalue *list);

/* Put an item behind the others. */
bool keyvalue_add(struct keyvalue *list, const char *key, const char *value, GError **error);

/* The value, or NULL if there is no such key, or it is a word. Not taken. */
const char *keyvalue_get(const struct keyvalue *list, const char *key);
/* Is there such a word alone? Not taken. */
bool keyvalue_has_word(const struct keyvalue *list, const char *word);

/*
 * Take an item: false only if it is there and no good, which @error tells; the result is unchanged
 * if it is not there. keyvalue_take() returns the value, or NULL; each call the next of that key.
 */
const char *keyvalue_take(struct keyvalue *list, const char *key);
bool keyvalue_take_word(struct keyvalue *list, const char *word);
bool keyvalue_take_bool(struct keyvalue *list, const char *key, bool *ret, GError **error);
bool keyvalue_take_uint(struct keyvalue *list, const char *key, uint64_t min, uint64_t max,
			uint64_t *ret, GError **error);
bool keyvalue_take_unsigned(struct keyvalue *list, const char *key, unsigned min, unsigned max,
			    unsigned *ret, GError **error);
/* With K, M, G, T. */
bool keyvalue_take_size(struct keyvalue *list, const char *key, uint64_t *ret, GError **error);
/* One of @names (NULL-terminated): its index. */
bool keyvalue_take_choice(struct keyvalue *list, const char *key, const char *const *names,
			  unsigned *ret, GError **error);
/* A copy of a value that must not be empty. */
bool keyvalue_take_text(struct keyvalue *list, const char *key, char **ret, GError **error);

/* Has everything been taken? Else @error names the first that was not, and what @known there is. */
bool keyvalue_done(const struct keyvalue *list, const char *known, GError **error);

#endif
