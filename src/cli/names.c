/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.c - which machine, network, pool or secret does a word mean? Its name, UUID, or the start of the UUID
 */
#include "cli/names.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "cli/output.h"
#include "cli/suggest.h"

const struct name_kind name_machine = { "machine", "machines", "socle list" };

static int by_id(const struct named *all, unsigned count, const char *word)
{
	uint64_t id;

	if (!g_ascii_string_to_unsigned(word, 10, 0, G_MAXINT, &id, NULL))
		return -1;
	for (unsigned i = 0; i < count; i++) {
		if (all[i].id >= 0 && (uint64_t)all[i].id == id)
			return (int)i;
	}
	return -1;
}

/* The hexadecimal digits of @text, with or without hyphens; false if there is anything else. */
static bool digits_of(const char *text, char ret_digits[33])
{
	unsigned count = 0;

	for (; *text; text++) {
		if (*text == '-')
			continue;
		if (!g_ascii_isxdigit(*text) || count == 32)
			return false;
		ret_digits[count++] = g_ascii_tolower(*text);
	}
	ret_digits[count] = '\0';
	return true;
}

/* How many have such a start, and the first of them. */
static unsigned by_uuid(const struct named *all, unsigned count, const char *word, int *ret_first)
{
	char digits[33], uuid[33];
	unsigned found = 0;

	if (!digits_of(word, digits) || strlen(digits) < NAMES_PREFIX_MIN)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		if (!digits_of(all[i].uuid, uuid) || !g_str_has_prefix(uuid, digits))
			continue;
		if (found++ == 0)
			*ret_first = (int)i;
	}
	return found;
}

static void not_found(const struct name_kind *kind, const struct named *all, unsigned count,
		      const char *word, const char *where, GError **error)
{
	g_autofree const char **names = g_new(const char *, count + 1);
	g_autofree char *shown = cli_plain(word), *near_shown = NULL;
	const char *near;

	for (unsigned i = 0; i < count; i++)
		names[i] = all[i].name;
	near = suggest_among(names, count, word);
	if (near) {
		near_shown = cli_plain(near);
		error_set(error, SOCLE_ERROR_NOT_FOUND, "no %s '%s'; there is '%s'", kind->one,
			  shown, near_shown);
	} else if (!count) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "no %s '%s'; there are none at %s, 'socle --connect' takes another "
			  "place",
			  kind->one, shown, where);
	} else {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "no %s '%s' at %s; '%s' shows which there are", kind->one, shown, where,
			  kind->list);
	}
}

int names_find(const struct name_kind *kind, const struct named *all, unsigned count,
	       const char *word, const char *where, GError **error)
{
	int found = -1;
	unsigned same;

	for (unsigned i = 0; i < count; i++) {
		if (!strcmp(all[i].name, word))
			return (int)i;
	}
	found = by_id(all, count, word);
	if (found >= 0)
		return found;
	same = by_uuid(all, count, word, &found);
	if (same == 1)
		return found;
	if (same > 1)
		error_set(error, SOCLE_ERROR_USAGE,
			  "'%s' is the start of the UUIDs of %u %s; give more of it, or a name",
			  word, same, kind->many);
	else
		not_found(kind, all, count, word, where, error);
	return -1;
}
