/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keyvalue.c - options that are lists: "path=/x,readonly=on", on the command line and in QMP
 */
#include "vmm/keyvalue.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "vmm/options.h"

enum {
	JSON_DEPTH = 4
};

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

bool keyvalue_add(struct keyvalue *list, const char *key, const char *value, GError **error)
{
	if (list->count == KEYVALUE_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT, "there are more than %d items",
				 KEYVALUE_MAX);
	list->item[list->count].key = g_strdup(key);
	list->item[list->count].value = g_strdup(value);
	list->item[list->count].taken = false;
	list->count++;
	return true;
}

static bool has_key(const struct keyvalue *list, const char *key)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (!strcmp(list->item[i].key, key))
			return true;
	}
	return false;
}

static bool add_item(struct keyvalue *list, const char *item, const char *const *repeatable,
		     GError **error)
{
	const char *equals = strchr(item, '=');
	g_autofree char *key = equals ? g_strndup(item, (size_t)(equals - item)) : g_strdup(item);

	if (!*key)
		return error_set(error, SOCLE_ERROR_USAGE, "there is an empty item");
	if (has_key(list, key) && !(repeatable && g_strv_contains(repeatable, key)))
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is given twice", key);
	return keyvalue_add(list, key, equals ? equals + 1 : NULL, error);
}

bool keyvalue_parse(struct keyvalue *ret_list, const char *text, const char *const *repeatable,
		    GError **error)
{
	struct keyvalue list = { 0 };
	bool more;

	do {
		g_autofree char *item = take_item(&text, &more);

		if (!add_item(&list, item, repeatable, error)) {
			keyvalue_release(&list);
			return false;
		}
	} while (more);
	*ret_list = list;
	return true;
}

static bool add_json(struct keyvalue *list, const char *key, const json_t *value, unsigned depth,
		     GError **error);

static bool add_members(struct keyvalue *list, const char *prefix, const json_t *object,
			unsigned depth, GError **error)
{
	void *iter;

	/* The iterator does not change what it goes over, whatever its type says. */
	for (iter = json_object_iter((json_t *)(uintptr_t)object); iter;
	     iter = json_object_iter_next((json_t *)(uintptr_t)object, iter)) {
		const char *name = json_object_iter_key(iter);
		g_autofree char *key =
			prefix ? g_strconcat(prefix, ".", name, NULL) : g_strdup(name);

		if (!*name)
			return error_set(error, SOCLE_ERROR_USAGE, "a member has no name");
		if (!add_json(list, key, json_object_iter_value(iter), depth, error))
			return false;
	}
	return true;
}

static bool add_elements(struct keyvalue *list, const char *key, const json_t *array,
			 unsigned depth, GError **error)
{
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item)
	{
		/* QEMU's StringList: [{"str": "..."}] */
		const json_t *text = json_is_object(item) ? json_object_get(item, "str") : item;

		if (!json_is_string(text))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "Invalid parameter type for '%s', expected: array of "
					 "strings",
					 key);
		if (!add_json(list, key, text, depth, error))
			return false;
	}
	return true;
}

static bool add_json(struct keyvalue *list, const char *key, const json_t *value, unsigned depth,
		     GError **error)
{
	char number[24];

	if (depth == 0)
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is nested too deeply", key);
	switch (json_typeof(value)) {
	case JSON_STRING:
		return keyvalue_add(list, key, json_string_value(value), error);
	case JSON_INTEGER:
		g_snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			   json_integer_value(value));
		return keyvalue_add(list, key, number, error);
	case JSON_TRUE:
		return keyvalue_add(list, key, "on", error);
	case JSON_FALSE:
		return keyvalue_add(list, key, "off", error);
	case JSON_OBJECT:
		return add_members(list, key, value, depth - 1, error);
	case JSON_ARRAY:
		return add_elements(list, key, value, depth - 1, error);
	case JSON_REAL:
	case JSON_NULL:
		break;
	}
	return error_set(error, SOCLE_ERROR_USAGE,
			 "Invalid parameter type for '%s', expected: string, integer or boolean",
			 key);
}

bool keyvalue_from_json(struct keyvalue *ret_list, const json_t *object, GError **error)
{
	struct keyvalue list = { 0 };

	if (!add_members(&list, NULL, object, JSON_DEPTH, error)) {
		keyvalue_release(&list);
		return false;
	}
	*ret_list = list;
	return true;
}

void keyvalue_release(struct keyvalue *list)
{
	for (unsigned i = 0; i < list->count; i++) {
		g_free(list->item[i].key);
		/* It may be a secret. */
		secret_wipe_text(list->item[i].value);
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

const char *keyvalue_take(struct keyvalue *list, const char *key)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (!list->item[i].taken && list->item[i].value &&
		    !strcmp(list->item[i].key, key)) {
			list->item[i].taken = true;
			return list->item[i].value;
		}
	}
	return NULL;
}

bool keyvalue_take_word(struct keyvalue *list, const char *word)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (!list->item[i].taken && !list->item[i].value &&
		    !strcmp(list->item[i].key, word)) {
			list->item[i].taken = true;
			return true;
		}
	}
	return false;
}

bool keyvalue_take_bool(struct keyvalue *list, const char *key, bool *ret, GError **error)
{
	const char *value = keyvalue_take(list, key);

	if (!value)
		return true;
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return error_set(error, SOCLE_ERROR_USAGE, "%s=%s: give on or off", key, value);
	*ret = !strcmp(value, "on");
	return true;
}

bool keyvalue_take_uint(struct keyvalue *list, const char *key, uint64_t min, uint64_t max,
			uint64_t *ret, GError **error)
{
	const char *value = keyvalue_take(list, key);

	if (!value)
		return true;
	if (!g_ascii_string_to_unsigned(value, 10, min, max, ret, NULL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "%s=%s: give a number from %" PRIu64 " to %" PRIu64, key, value,
				 min, max);
	return true;
}

bool keyvalue_take_unsigned(struct keyvalue *list, const char *key, unsigned min, unsigned max,
			    unsigned *ret, GError **error)
{
	uint64_t wide = *ret;

	if (!keyvalue_take_uint(list, key, min, max, &wide, error))
		return false;
	*ret = (unsigned)wide;
	return true;
}

bool keyvalue_take_size(struct keyvalue *list, const char *key, uint64_t *ret, GError **error)
{
	const char *value = keyvalue_take(list, key);

	if (!value)
		return true;
	if (!options_parse_size(value, ret, error)) {
		g_prefix_error(error, "%s: ", key);
		return false;
	}
	return true;
}

bool keyvalue_take_choice(struct keyvalue *list, const char *key, const char *const *names,
			  unsigned *ret, GError **error)
{
	const char *value = keyvalue_take(list, key);
	g_autofree char *all = NULL;

	if (!value)
		return true;
	for (unsigned i = 0; names[i]; i++) {
		if (!strcmp(names[i], value)) {
			*ret = i;
			return true;
		}
	}
	all = g_strjoinv(", ", (char **)(uintptr_t)names);
	return error_set(error, SOCLE_ERROR_USAGE, "%s=%s: give one of %s", key, value, all);
}

bool keyvalue_take_text(struct keyvalue *list, const char *key, char **ret, GError **error)
{
	const char *value = keyvalue_take(list, key);

	if (!value)
		return true;
	if (!*value)
		return error_set(error, SOCLE_ERROR_USAGE, "%s is empty; give it a value", key);
	g_free(*ret);
	*ret = g_strdup(value);
	return true;
}

bool keyvalue_done(const struct keyvalue *list, const char *known, GError **error)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (list->item[i].taken)
			continue;
		if (strstr(known, list->item[i].key) && !list->item[i].value)
			return error_set(error, SOCLE_ERROR_USAGE, "'%s' needs a value: %s=VALUE",
					 list->item[i].key, list->item[i].key);
		return error_set(error, SOCLE_ERROR_USAGE, "unknown key '%s'; there are %s",
				 list->item[i].key, known);
	}
	return true;
}
