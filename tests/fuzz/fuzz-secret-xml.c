/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-secret-xml.c - definitions of secrets, by strangers
 *
 * Properties: an error has one line; what was read once is given back the same by every later reading and
 * writing; filling in twice is filling in once; what is accepted has a UUID, and says what it is for. See
 * xml-fuzz.h for the digit that an input may begin with.
 */
#include "xml-fuzz.h"

#include <assert.h>

#include "model/secret.h"

static void check_error(GError *error)
{
	if (!error)
		return;
	assert(*error->message && !strchr(error->message, '\n'));
	g_error_free(error);
}

static void try_secret(const char *xml, size_t len)
{
	GError *error = NULL;
	autoptr(secret_def) def = secret_def_parse(xml, len, 0, NULL, &error);
	autoptr(secret_def) again = NULL;
	g_autofree char *first = NULL, *second = NULL;

	check_error(error);
	if (!def)
		return;
	secret_def_fill(def);
	first = secret_def_format(def);
	error = NULL;
	if (!secret_def_check(def, &error)) {
		assert(error);
		check_error(error);
		return;
	}
	assert(g_uuid_string_is_valid(def->uuid));
	assert(def->usage.type == SECRET_USE_NONE || *secret_def_usage(def));
	again = secret_def_parse(first, strlen(first), 0, NULL, NULL);
	/* Only what was at a limit may have grown beyond it. */
	if (!again)
		return;
	secret_def_fill(again);
	second = secret_def_format(again);
	assert(!strcmp(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const bool all = xml_mode(&data, &size) == XML_ALL;

	if (all || xml_root_is((const char *)data, size, "secret"))
		try_secret((const char *)data, size);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static const struct xml_root roots[] = { { "secret", &secret_def_record } };

	return xml_mutate(roots, G_N_ELEMENTS(roots), 1, data, size, max_size, seed);
}
