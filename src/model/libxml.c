/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxml.c - libxml2 is loaded
 */
#include "model/libxml-int.h"

#include "base/library.h"

/* What its headers describe: other versions have other contexts of parsers. */
#define LIBXML_FILE (LIBXML_VERSION < 21400 ? "libxml2.so.2" : "libxml2.so.16")

static struct libxml table;

const struct libxml *const libxml = &table;

static void begin(void)
{
	libxml->InitParser();
}

bool libxml_load(GError **error)
{
	static const struct library_call calls[] = {
#define X(call) { "xml" #call, offsetof(struct libxml, call) },
		LIBXML_CALLS(X)
#undef X
	};
	static struct library library = {
		.file = LIBXML_FILE,
		.package = "libxml2",
		.calls = calls,
		.count = G_N_ELEMENTS(calls),
		.table = &table,
		.begin = begin,
	};

	return library_load(&library, error);
}
