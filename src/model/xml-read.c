/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml-read.c - text to a tree, within limits
 *
 * The limits are kept in the callbacks that the parser makes for each element, so what is too much is
 * never in memory. A document type is refused when its first word is seen: nothing can define an
 * entity then, and there is nothing to be fetched.
 */
#include <stdarg.h>
#include <string.h>

#include "model/say-int.h"
#include "model/xml-int.h"

const struct xml_limits xml_limits_sent = { .size = 1 << 20, .depth = 32, .nodes = 20000 };
const struct xml_limits xml_limits_kept = { .size = 4 << 20, .depth = 40, .nodes = 60000 };

struct reading {
	const struct xml_limits *limits;
	unsigned depth;
	unsigned nodes;
	char *refused; /* why we stopped the parser, or NULL */
};

G_GNUC_PRINTF(2, 3)
static void stop(xmlParserCtxt *ctxt, const char *fmt, ...)
{
	struct reading *reading = ctxt->_private;
	va_list ap;

	va_start(ap, fmt);
	if (!reading->refused)
		reading->refused = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	libxml->StopParser(ctxt);
}

/*
 * The library writes the name of a namespace as it is, so what a quoted string cannot hold would make a
 * text of it that nobody can read. RFC 3986 has none of these in a URI.
 */
static bool namespaces_can_be_written(xmlParserCtxt *ctxt, int count, const xmlChar **pairs)
{
	for (int i = 0; i < count; i++) {
		/* Without a name: xmlns='' */
		const char *uri = pairs[2 * i + 1] ? (const char *)pairs[2 * i + 1] : "";

		if (!uri[strcspn(uri, "<>\" \t\r\n")])
			continue;
		stop(ctxt,
		     "the name of a namespace in line %d has white space, quotes or angle "
		     "brackets, which "
		     "no URI has; take them out",
		     ctxt->input ? ctxt->input->line : 1);
		return false;
	}
	return true;
}

/* NOLINTNEXTLINE(readability-function-size): its type is libxml's */
static void on_start(void *opaque, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
		     int namespaces, const xmlChar **namespace_pairs, int attributes, int defaulted,
		     const xmlChar **values)
{
	xmlParserCtxt *ctxt = opaque;
	struct reading *reading = ctxt->_private;

	if (reading->refused || !namespaces_can_be_written(ctxt, namespaces, namespace_pairs))
		return;
	reading->nodes += 1 + (unsigned)namespaces + (unsigned)attributes;
	if (++reading->depth > reading->limits->depth) {
		stop(ctxt, "its elements are nested more than %u deep; take the innermost out",
		     reading->limits->depth);
		return;
	}
	if (reading->nodes > reading->limits->nodes) {
		stop(ctxt, "it has more than %u elements and attributes; take some out",
		     reading->limits->nodes);
		return;
	}
	libxml->SAX2StartElementNs(opaque, name, prefix, uri, namespaces, namespace_pairs,
				   attributes, defaulted, values);
}

static void on_end(void *opaque, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	xmlParserCtxt *ctxt = opaque;
	struct reading *reading = ctxt->_private;

	if (reading->refused)
		return;
	reading->depth--;
	libxml->SAX2EndElementNs(opaque, name, prefix, uri);
}

static void on_doctype(void *opaque, const xmlChar *name, const xmlChar *external,
		       const xmlChar *system)
{
	(void)name;
	(void)external;
	(void)system;
	stop(opaque, "it has a document type, which could define entities; remove <!DOCTYPE ...>");
}

/* Say what the parser found, in our words around its own. */
static bool set_reason(GError **error, xmlParserCtxt *ctxt, const struct reading *reading)
{
	const xmlError *last = libxml->CtxtGetLastError(ctxt);
	g_autofree char *what = g_strdup(last && last->message ? last->message : "it is empty");

	if (reading->refused)
		return model_error(error, SOCLE_ERROR_LIMIT, "cannot take the XML: %s",
				   reading->refused);
	g_strdelimit(g_strchomp(what), "\n", ' ');
	return model_error(error, SOCLE_ERROR_USAGE, "cannot read the XML: line %d: %s",
			   last ? last->line : 1, what);
}

static bool text_is_plausible(const char *text, size_t len, size_t max, GError **error)
{
	if (len > max)
		return model_error(
			error, SOCLE_ERROR_LIMIT,
			"cannot take the XML: it has %zu bytes, and %zu are the most; make "
			"it smaller",
			len, max);
	/* This refuses NUL bytes, too. */
	if (!g_utf8_validate(text, (gssize)len, NULL))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "cannot read the XML: it is not UTF-8; convert it");
	return true;
}

xmlDoc *xml_read(const char *text, size_t len, const struct xml_limits *limits, GError **error)
{
	struct reading reading = { .limits = limits };
	xmlParserCtxt *ctxt;
	xmlDoc *doc;

	if (!text_is_plausible(text, len, limits->size, error) || !libxml_load(error))
		return NULL;
	ctxt = libxml->NewParserCtxt();
	if (!ctxt)
		g_error("out of memory");
	ctxt->_private = &reading;
	ctxt->sax->startElementNs = on_start;
	ctxt->sax->endElementNs = on_end;
	ctxt->sax->internalSubset = on_doctype;
	ctxt->sax->externalSubset = on_doctype;
	/* It is UTF-8, whatever it says. Told so by name, the library would convert it to UTF-8. */
	doc = libxml->CtxtReadMemory(ctxt, text, (int)len, NULL, NULL,
				     XML_PARSE_IGNORE_ENC | XML_PARSE_NONET | XML_PARSE_NOERROR |
					     XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
	if (!doc || reading.refused || !libxml->DocGetRootElement(doc)) {
		(void)set_reason(error, ctxt, &reading);
		xml_doc_free(doc);
		doc = NULL;
	}
	g_free(reading.refused);
	libxml->FreeParserCtxt(ctxt);
	return doc;
}

char *xml_dump(xmlNode *node)
{
	xmlDoc *doc = libxml->NewDoc(xml_str("1.0"));
	xmlBuffer *buffer = libxml->BufferCreate();
	xmlNode *copy;
	char *text;

	/* The copy declares what namespaces it uses, wherever they were declared. */
	copy = libxml->DocCopyNode(node, doc, 1);
	if (!copy || !buffer)
		g_error("out of memory");
	(void)libxml->DocSetRootElement(doc, copy);
	(void)libxml->NodeDump(buffer, doc, copy, 0, 0);
	text = g_strdup((const char *)libxml->BufferContent(buffer));
	libxml->BufferFree(buffer);
	libxml->FreeDoc(doc);
	return text;
}
