/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.h - what programs keep in a definition: an element for each of their namespaces
 */
#ifndef MODEL_METADATA_H
#define MODEL_METADATA_H

#include <glib.h>
#include <stdbool.h>

/* The element of namespace @uri in @metadata, which is <metadata> as text or NULL; NULL: there is none. */
char *metadata_get(const char *metadata, const char *uri);

/**
 * metadata_set() - put @xml in the place of the element of namespace @uri
 * @metadata: <metadata> as text, or NULL; replaced
 * @key:      the prefix that the namespace gets
 * @xml:      an element; NULL takes the old one out
 */
bool metadata_set(char **metadata, const char *key, const char *uri, const char *xml,
		  GError **error);

#endif
