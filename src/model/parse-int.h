/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parse-int.h - a document of one kind to its struct
 */
#ifndef MODEL_PARSE_INT_H
#define MODEL_PARSE_INT_H

#include "model/field-int.h"

/* Return a new struct of @record, read from a document whose root is <@root>, or NULL. */
void *document_parse(const struct record *record, const char *root, const char *xml, size_t len,
		     const struct field_parse *how, GError **error);
/*
 * What is plain in it (field-skim.c): texts, words and sizes; the rest is absent. NULL: it is not that simple,
 * or no such document; document_parse() knows.
 */
void *document_skim(const struct record *record, const char *root, const char *xml, size_t len);
/* Release and free what these have returned; @rec may be NULL. */
void document_free(const struct record *record, void *rec);

/* Return the text of a document. */
char *document_format(const struct record *record, const void *rec, const char *root,
		      unsigned marks);

#endif
