/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.c - lists of keys and values for socle-vm
 */
#include "daemon/keys.h"

#include <inttypes.h>
#include <stdarg.h>

struct keys keys_text(void)
{
	return (struct keys){ .text = g_string_new(NULL) };
}

struct keys keys_object(void)
{
	return (struct keys){ .object = json_object() };
}

static void next(struct keys *keys)
{
	if (keys->count++)
		g_string_append_c(keys->text, ',');
}

static void quote(struct keys *keys, const char *text)
{
	for (; *text; text++) {
		if (*text == ',')
			g_string_append_c(keys->text, ',');
		g_string_append_c(keys->text, *text);
	}
}

void keys_word(struct keys *keys, const char *word)
{
	if (!keys->text)
		return;
	next(keys);
	quote(keys, word);
}

/* On the command line all is text; an object has its own kinds. */
static void put(struct keys *keys, const char *key, const char *text, json_t *value)
{
	if (keys->text) {
		next(keys);
		g_string_append(keys->text, key);
		g_string_append_c(keys->text, '=');
		quote(keys, text);
		json_decref(value);
	} else {
		json_object_set_new(keys->object, key, value);
	}
}

void keys_add(struct keys *keys, const char *key, const char *value)
{
	g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;

	if (value)
		put(keys, key, value, json_string(valid));
}

void keys_printf(struct keys *keys, const char *key, const char *fmt, ...)
{
	g_autofree char *value = NULL;
	va_list args;

	va_start(args, fmt);
	value = g_strdup_vprintf(fmt, args);
	va_end(args);
	keys_add(keys, key, value);
}

void keys_bool(struct keys *keys, const char *key, bool value)
{
	put(keys, key, value ? "on" : "off", json_boolean(value));
}

void keys_number(struct keys *keys, const char *key, int64_t value)
{
	g_autofree char *text = g_strdup_printf("%" PRId64, value);

	put(keys, key, text, json_integer(value));
}

void keys_append(struct keys *keys, const char *key, const char *value)
{
	json_t *list;

	if (keys->text) {
		keys_add(keys, key, value);
		return;
	}
	list = json_object_get(keys->object, key);
	if (!list) {
		list = json_array();
		json_object_set_new(keys->object, key, list);
	}
	json_array_append_new(list, json_string(value));
}
