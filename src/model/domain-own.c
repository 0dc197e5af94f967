/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-own.c - what is Socle's own in a domain's <metadata>: templates, and what is made of them
 */
#include "model/domain-own.h"

#include <string.h>

#include "model/domain.h"
#include "model/metadata.h"
#include "model/xml-int.h"

DEFINE_AUTOPTR(_xmlDoc, xml_doc_free);

void domain_own_release(struct domain_own *own)
{
	g_clear_pointer(&own->linked, g_ptr_array_unref);
}

void domain_own_read(const struct domain *domain, struct domain_own *ret)
{
	/* Most domains have none, and nothing has to be parsed to see that. */
	bool any = domain->metadata && strstr(domain->metadata, DOMAIN_OWN_NAMESPACE);
	g_autofree char *xml = any ? metadata_get(domain->metadata, DOMAIN_OWN_NAMESPACE) : NULL;
	autoptr(_xmlDoc) doc = xml ? xml_read(xml, strlen(xml), &xml_limits_kept, NULL) : NULL;
	xmlNode *root = doc ? libxml->DocGetRootElement(doc) : NULL;

	*ret = (struct domain_own){ .linked = g_ptr_array_new_with_free_func(g_free) };
	for (xmlNode *node = root ? root->children : NULL; node; node = node->next) {
		xmlChar *path;

		if (node->type != XML_ELEMENT_NODE)
			continue;
		ret->is_template |= !strcmp((const char *)node->name, "template");
		if (strcmp((const char *)node->name, "linked") != 0)
			continue;
		path = libxml->GetNoNsProp(node, xml_str("path"));
		if (path)
			g_ptr_array_add(ret->linked, g_strdup((const char *)path));
		xml_free(path);
	}
}

char *domain_own_text(const struct domain_own *own)
{
	g_autoptr(GString) xml = g_string_new("<domain>");

	if (!own->is_template && !own->linked->len)
		return NULL;
	if (own->is_template)
		g_string_append(xml, "<template/>");
	for (unsigned i = 0; i < own->linked->len; i++) {
		g_autofree char *path = g_markup_escape_text(own->linked->pdata[i], -1);

		g_string_append_printf(xml, "<linked path=\"%s\"/>", path);
	}
	g_string_append(xml, "</domain>");
	return g_strdup(xml->str);
}

void domain_own_write(struct domain *domain, const struct domain_own *own)
{
	g_autofree char *xml = domain_own_text(own);

	/* Metadata that cannot be read were never taken. */
	(void)metadata_set(&domain->metadata, "socle", DOMAIN_OWN_NAMESPACE, xml, NULL);
}

bool domain_is_template(const struct domain *domain)
{
	struct domain_own own;

	domain_own_read(domain, &own);
	domain_own_release(&own);
	return own.is_template;
}

static bool has(const struct domain_own *own, const char *path)
{
	for (unsigned i = 0; i < own->linked->len; i++) {
		if (!strcmp(own->linked->pdata[i], path))
			return true;
	}
	return false;
}

void domain_add_linked(struct domain *domain, const char *path)
{
	struct domain_own own;

	domain_own_read(domain, &own);
	if (!has(&own, path))
		g_ptr_array_add(own.linked, g_strdup(path));
	domain_own_write(domain, &own);
	domain_own_release(&own);
}
