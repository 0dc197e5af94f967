/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opts.c - lists of the command line: NAME=VALUE,... and JSON, and the secrets of --object
 */
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "img/img.h"

/* ---- words ---- */

char *img_next_word(const char **p)
{
	GString *word = g_string_new(NULL);

	for (; **p; (*p)++) {
		if (**p == ',' && (*p)[1] != ',')
			break;
		if (**p == ',')
			(*p)++;
		g_string_append_c(word, **p);
	}
	if (**p)
		(*p)++;
	return g_string_free(word, FALSE);
}

/* It may have been a secret. */
static void wipe_value(void *text)
{
	secret_wipe_text(text);
}

GHashTable *img_parse_list(const char *what, const char *text, const char *implied, GError **error)
{
	g_autoptr(GHashTable) list =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, wipe_value);

	for (bool first = true; *text; first = false) {
		char *word = img_next_word(&text);
		char *equals = strchr(word, '=');

		if (equals)
			g_hash_table_insert(list, g_strndup(word, (gsize)(equals - word)),
					    g_strdup(equals + 1));
		else if (first && implied)
			g_hash_table_insert(list, g_strdup(implied), g_strdup(word));
		else
			error_set(error, SOCLE_ERROR_USAGE,
				  "the words of %s are NAME=VALUE; a ',' within a value is "
				  "written twice",
				  what);
		secret_wipe_text(word);
		if (!equals && !(first && implied))
			return NULL;
	}
	return g_steal_pointer(&list);
}

/* Do all of them have one of these names? */
static bool check_names(GHashTable *list, const char *const *names, const char *what,
			GError **error)
{
	g_autofree char *all = g_strjoinv(", ", (char **)(uintptr_t)names);
	GHashTableIter iter;
	void *name;

	g_hash_table_iter_init(&iter, list);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (!g_strv_contains(names, name))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "%s has no option '%s'; there are %s", what,
					 (const char *)name, all);
	}
	return true;
}

/* ---- secrets ---- */

struct secret *img_parse_object(const char *text, GError **error)
{
	static const char *const names[] = { "qom-type", "id", "data", "file", "format", NULL };
	g_autoptr(GHashTable) list = img_parse_list("--object", text, "qom-type", error);
	const char *type, *id;

	if (!list || !check_names(list, names, "a secret", error))
		return NULL;
	type = g_hash_table_lookup(list, "qom-type");
	id = g_hash_table_lookup(list, "id");
	if (!type || strcmp(type, "secret") != 0) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "the only objects are secrets: --object secret,id=ID,file=FILE");
		return NULL;
	}
	if (!id || !*id) {
		error_set(error, SOCLE_ERROR_USAGE, "a secret needs an id: --object secret,id=ID");
		return NULL;
	}
	return secret_read(id, g_hash_table_lookup(list, "data"), g_hash_table_lookup(list, "file"),
			   g_hash_table_lookup(list, "format"), error);
}

/* ---- JSON ---- */

/* Strings in single quotes, as QEMU takes them, become those that JSON has. */
static char *double_quotes(const char *text)
{
	GString *out = g_string_new(NULL);
	char quote = 0;

	for (; *text; text++) {
		if (*text == '\\' && text[1]) {
			if (!(quote == '\'' && text[1] == '\''))
				g_string_append_c(out, '\\');
			g_string_append_c(out, *++text);
		} else if (!quote && (*text == '"' || *text == '\'')) {
			quote = *text;
			g_string_append_c(out, '"');
		} else if (quote && *text == quote) {
			quote = 0;
			g_string_append_c(out, '"');
		} else if (quote == '\'' && *text == '"') {
			g_string_append(out, "\\\"");
		} else {
			g_string_append_c(out, *text);
		}
	}
	return g_string_free(out, FALSE);
}

/* What is within an object is named through it: "file.filename". */
static bool flatten(json_t *object, const char *prefix, GHashTable *list, GError **error)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		g_autofree char *name = g_strconcat(prefix, key, NULL);
		g_autofree char *below = g_strconcat(name, ".", NULL);
		char *text = NULL;

		if (json_is_object(value) && flatten(value, below, list, error))
			continue;
		if (json_is_object(value))
			return false;
		if (json_is_string(value))
			text = g_strdup(json_string_value(value));
		else if (json_is_integer(value))
			text = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
		else if (json_is_boolean(value))
			text = g_strdup(json_is_true(value) ? "on" : "off");
		else
			return error_set(error, SOCLE_ERROR_USAGE,
					 "'%s' is neither a string nor a number, on or off", name);
		g_hash_table_insert(list, g_steal_pointer(&name), text);
	}
	return true;
}

GHashTable *img_parse_json(const char *text, GError **error)
{
	g_autoptr(GHashTable) list =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, wipe_value);
	g_autofree char *strict = double_quotes(text);
	json_error_t cause;
	json_t *object = json_loads(strict, JSON_REJECT_DUPLICATES, &cause);
	bool ok;

	if (!object) {
		error_set(error, SOCLE_ERROR_USAGE, "Could not parse the JSON options: %s",
			  cause.text);
		return NULL;
	}
	ok = json_is_object(object)
		     ? flatten(object, "", list, error)
		     : error_set(error, SOCLE_ERROR_USAGE,
				 "Could not parse the JSON options: an object is wanted");
	json_decref(object);
	return ok ? g_steal_pointer(&list) : NULL;
}

char *img_list_json(GHashTable *list)
{
	g_autofree void **keys = g_hash_table_get_keys_as_array(list, NULL);
	json_t *object = json_object();
	g_autofree char *text = NULL;
	char *name;

	for (unsigned i = 0; keys[i]; i++)
		json_object_set_new(object, keys[i],
				    img_json_string(g_hash_table_lookup(list, keys[i])));
	text = json_dumps(object, JSON_SORT_KEYS);
	json_decref(object);
	name = g_strconcat("json:", text, NULL);
	return name;
}
