/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.c - what programs keep in a definition: an element for each of their namespaces
 */
#include "model/metadata.h"

#include <string.h>

#include "base/error.h"
#include "model/xml-int.h"

DEFINE_AUTOPTR(_xmlDoc, xml_doc_free);

/* What there is is part of a definition, which has its own limits. */
static xmlDoc *read_kept(const char *text, GError **error)
{
	return xml_read(text, strlen(text), &xml_limits_kept, error);
}

static xmlNode *find(xmlNode *root, const char *uri)
{
	for (xmlNode *child = root->children; child; child = child->next) {
		if (child->type == XML_ELEMENT_NODE && child->ns && child->ns->href &&
		    !strcmp((const char *)child->ns->href, uri))
			return child;
	}
	return NULL;
}

char *metadata_get(const char *metadata, const char *uri)
{
	autoptr(_xmlDoc) doc = metadata ? read_kept(metadata, NULL) : NULL;
	xmlNode *node = doc ? find(libxml->DocGetRootElement(doc), uri) : NULL;

	return node ? xml_dump(node) : NULL;
}

/* All elements without a namespace of their own get this one. */
static void inject(xmlNode *node, xmlNs *ns)
{
	if (node->type != XML_ELEMENT_NODE)
		return;
	if (!node->ns)
		libxml->SetNs(node, ns);
	/* The reader has bounded the depth. */
	for (xmlNode *child = node->children; child; child = child->next)
		inject(child, ns);
}

static bool add(xmlDoc *doc, const char *key, const char *uri, const char *xml, GError **error)
{
	autoptr(_xmlDoc) new = xml_read(xml, strlen(xml), &xml_limits_sent, error);
	xmlNode *root, *copy;
	xmlNs *ns;

	if (!new)
		return false;
	if (libxml->ValidateNCName(xml_str(key), 0) != 0)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"the key '%.64s' is no prefix of a namespace; choose one of letters", key);
	root = libxml->DocGetRootElement(new);
	ns = libxml->NewNs(root, xml_str(uri), xml_str(key));
	if (!ns)
		ns = libxml->SearchNs(new, root, xml_str(key));
	if (!ns || strcmp((const char *)ns->href, uri) != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the prefix '%.64s' stands for another namespace in the metadata; "
				 "choose another key",
				 key);
	inject(root, ns);
	copy = libxml->DocCopyNode(root, doc, 1);
	if (!copy || !libxml->AddChild(libxml->DocGetRootElement(doc), copy))
		return error_set(error, SOCLE_ERROR_FAILED, "the metadata cannot be added");
	return true;
}

bool metadata_set(char **metadata, const char *key, const char *uri, const char *xml,
		  GError **error)
{
	const char *text = *metadata ? *metadata : "<metadata/>";
	autoptr(_xmlDoc) doc = read_kept(text, error);
	xmlNode *root, *old;

	if (!doc)
		return false;
	root = libxml->DocGetRootElement(doc);
	old = find(root, uri);
	if (old) {
		libxml->UnlinkNode(old);
		libxml->FreeNode(old);
	}
	if (xml && !add(doc, key, uri, xml, error))
		return false;
	g_free(*metadata);
	*metadata = libxml->FirstElementChild(root) ? xml_dump(root) : NULL;
	return true;
}
