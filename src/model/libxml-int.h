/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxml-int.h - libxml2, loaded by the first document that is read
 *
 * With all that it needs (ICU), this takes half as long as a short command of ours takes in all; many of
 * them read no document.
 */
#ifndef MODEL_LIBXML_INT_H
#define MODEL_LIBXML_INT_H

#include <glib.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdbool.h>

/* The functions, without their "xml"; Free is a variable of the library, which points to one. */
#define LIBXML_CALLS(X)       \
	X(AddChild)           \
	X(BufferContent)      \
	X(BufferCreate)       \
	X(BufferFree)         \
	X(CtxtGetLastError)   \
	X(CtxtReadMemory)     \
	X(DocCopyNode)        \
	X(DocGetRootElement)  \
	X(DocSetRootElement)  \
	X(FirstElementChild)  \
	X(Free)               \
	X(FreeDoc)            \
	X(FreeNode)           \
	X(FreeParserCtxt)     \
	X(GetLineNo)          \
	X(GetNoNsProp)        \
	X(InitParser)         \
	X(NewDoc)             \
	X(NewDocNode)         \
	X(NewNs)              \
	X(NewParserCtxt)      \
	X(NodeDump)           \
	X(NodeListGetString)  \
	X(SAX2EndElementNs)   \
	X(SAX2StartElementNs) \
	X(SearchNs)           \
	X(SetNs)              \
	X(StopParser)         \
	X(UnlinkNode)         \
	X(ValidateNCName)

struct libxml {
#define X(call) typeof(xml##call) *call;
	LIBXML_CALLS(X)
#undef X
};

/* Of who has a document: xml_read() has loaded it. */
extern const struct libxml *const libxml;

/* False: it is not installed. */
bool libxml_load(GError **error);

#endif
