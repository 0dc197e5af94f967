/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keyvalue.c - values of options that are lists: "unix=/run/x,name=y"
 */
#include "vmm/keyvalue.h"

#include <string.h>

#include "base/error.h"

/* Copy up to a comma that is not doubled, and go behind it. */
static char *take_item(const char **text, bool *ret_more)
{
	GString *item = g_string_new(NULL);
	const char *p = *text;

	for (*ret_more = false; *p && !*ret_more; p++) {
		*ret_more = p[0] == ',' && p[1] != ',';
		if (*ret_more)
			continue;
		if (*p == ',')
			p++;
		g_string_append_c(item, *p);
	}
	*text = p;
	return g_string_free(item, FALSE);
}

static bool add_item(struct keyvalue *list, const char *item, GError **error)
{
	const char *equals = strchr(item, '=');
	g_autofree char *key = equals ? g_strndup(item, (gsize)(equals - item)) : g_strdup(item);

	if (!*key)
		return error_set(error, SOCLE_ERROR_USAGE, "there is an empty item");
	if (list->count == KEYVALUE_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT, "there are more than %d items",
				 KEYVALUE_MAX);
	for (unsigned i = 0; i < list->count; i++) {
		if (!strcmp(list->item[i].key, key))
			return error_set(error, SOCLE_ERROR_USAGE, "'%s' is given twice", key);
	}
	list->item[list->count].key = g_steal_pointer(&key);
	list->item[list->count].value = equals ? g_strdup(equals + 1) : NULL;
	list->count++;
	return true;
}

bool keyvalue_parse(struct keyvalue *ret_list, const char *text, GError **error)
{
	struct keyvalue list = { 0 };
	bool more;

	do {
		g_autofree char *item = take_item(&text, &more);

		if (!add_item(&list, item, error)) {
			keyvalue_release(&list);
			return false;
		}
	} while (more);
	*ret_list = list;
	return true;
}

void keyvalue_release(struct keyvalue *list)
{
	for (unsigned i = 0; i < list->count; i++) {
		g_free(list->item[i].key);
		g_free(list->item[i].value);
	}
	list->count = 0;
}

const char *keyvalue_get(const struct keyvalue *list, const char *key)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (!strcmp(list->item[i].key, key))
			return list->item[i].value;
	}
	return NULL;
}

bool keyvalue_has_word(const struct keyvalue *list, const char *word)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (!strcmp(list->item[i].key, word) && !list->item[i].value)
			return true;
	}
	return false;
}
