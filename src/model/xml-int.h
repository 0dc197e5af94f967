/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml-int.h - reading and writing XML text, within limits
 *
 * All documents come from strangers. Nothing is fetched, no entity is defined, and a document that is
 * larger, deeper or richer in elements than any honest one is refused while it is read.
 */
#ifndef MODEL_XML_INT_H
#define MODEL_XML_INT_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "model/libxml-int.h"

struct xml_limits {
	size_t size; /* bytes of a document */
	unsigned depth;
	unsigned nodes; /* elements and attributes */
};

/* Of what strangers send, and of what we have kept: two such documents with something around them. */
extern const struct xml_limits xml_limits_sent, xml_limits_kept;

/* Return the document, to be freed with xml_doc_free(), or NULL. */
xmlDoc *xml_read(const char *text, size_t len, const struct xml_limits *limits, GError **error);

static inline void xml_doc_free(xmlDoc *doc)
{
	if (doc)
		libxml->FreeDoc(doc);
}

/* A string that the library has made, or NULL. */
static inline void xml_free(xmlChar *text)
{
	if (text)
		(*libxml->Free)(text);
}

/* Our text as the library has it. */
static inline const xmlChar *xml_str(const char *text)
{
	return (const xmlChar *)text;
}

/* The element with all that is in it, as text that stands alone: namespaces are declared in it. */
char *xml_dump(xmlNode *node);

/* Output: elements two columns deeper than their parent, attributes in single quotes. */
struct xml_out {
	GString *text;
	unsigned depth;
	bool open; /* the last start tag lacks its '>' */
};

void xml_out_start(struct xml_out *out, const char *name);
void xml_out_attr(struct xml_out *out, const char *name, const char *value);
/* The content of an element that has nothing but text. */
void xml_out_text(struct xml_out *out, const char *name, const char *text);
/* An element that xml_dump() has made. */
void xml_out_raw(struct xml_out *out, const char *raw);
/* @text is NULL, or the element's own text, which then is all that is in it. */
void xml_out_end(struct xml_out *out, const char *name, const char *text);

#endif
