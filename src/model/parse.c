/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parse.c - the step parse of domains, devices, snapshots and capabilities
 */
#include <string.h>

#include "model/capabilities.h"
#include "model/domain.h"
#include "model/fields-int.h"
#include "model/parse-int.h"
#include "model/say-int.h"
#include "model/snapshot.h"

DEFINE_AUTOPTR(_xmlDoc, xml_doc_free);

static bool root_is(const xmlNode *root, const char *name, GError **error)
{
	if (!root->ns && !strcmp((const char *)root->name, name))
		return true;
	return model_error(error, SOCLE_ERROR_USAGE,
			   "the document is a <%.64s>, and a <%s> is wanted; send that",
			   (const char *)root->name, name);
}

void *document_parse(const struct record *record, const char *root, const char *xml, size_t len,
		     const struct field_parse *how, GError **error)
{
	autoptr(_xmlDoc) doc =
		xml_read(xml, len, how->kept ? &xml_limits_kept : &xml_limits_sent, error);
	void *rec;

	if (!doc || !root_is(libxml->DocGetRootElement(doc), root, error))
		return NULL;
	rec = g_malloc0(record->size);
	if (record_parse(record, rec, libxml->DocGetRootElement(doc), how, error))
		return rec;
	document_free(record, rec);
	return NULL;
}

void document_free(const struct record *record, void *rec)
{
	if (!rec)
		return;
	record_release(record, rec);
	g_free(rec);
}

struct domain *domain_parse(const char *xml, size_t len, unsigned flags, struct notes *notes,
			    GError **error)
{
	struct field_parse how = { .notes = notes,
				   .strict = flags & DOMAIN_PARSE_STRICT,
				   .kept = flags & DOMAIN_PARSE_KEPT };

	return document_parse(&domain_record, "domain", xml, len, &how, error);
}

/* Give the root a parent, so that the table of all devices finds out which one it is. */
static bool parse_device(struct domain *domain, xmlDoc *doc, const struct field_parse *how,
			 GError **error)
{
	xmlNode *root = libxml->DocGetRootElement(doc), *devices;
	bool known = false;

	for (unsigned i = 0; i < devices_record.count; i++) {
		const struct field *field = &devices_record.fields[i];

		known |= (field->kind == FIELD_LIST || field->kind == FIELD_KEEP) && !root->ns &&
			 !strcmp(field->name, (const char *)root->name);
	}
	if (!known)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "there is no device <%.64s>; send a <disk>, an <interface> ...",
				   (const char *)root->name);
	devices = libxml->NewDocNode(doc, NULL, xml_str("devices"), NULL);
	if (!devices)
		g_error("out of memory");
	(void)libxml->DocSetRootElement(doc, devices);
	(void)libxml->AddChild(devices, root);
	return record_parse(&devices_record, &domain->devices, devices, how, error);
}

struct domain *domain_parse_device(const char *xml, size_t len, unsigned flags, struct notes *notes,
				   GError **error)
{
	struct field_parse how = { .notes = notes, .strict = flags & DOMAIN_PARSE_STRICT };
	autoptr(_xmlDoc) doc = xml_read(xml, len, &xml_limits_sent, error);
	struct domain *domain;

	if (!doc)
		return NULL;
	domain = g_new0(struct domain, 1);
	if (parse_device(domain, doc, &how, error))
		return domain;
	domain_free(domain);
	return NULL;
}

struct snapshot *snapshot_parse(const char *xml, size_t len, unsigned flags, struct notes *notes,
				GError **error)
{
	struct field_parse how = { .notes = notes,
				   .strict = flags & SNAPSHOT_PARSE_STRICT,
				   .kept = flags & SNAPSHOT_PARSE_KEPT };

	return document_parse(&snapshot_record, "domainsnapshot", xml, len, &how, error);
}

bool domain_check_text(const struct domain *domain, GError **error)
{
	g_autofree char *xml = domain_format(domain, DOMAIN_FORMAT_SECURE);
	autoptr(domain) again = domain_parse(xml, strlen(xml), 0, NULL, error);

	return again != NULL;
}

bool snapshot_check_text(const struct snapshot *snapshot, GError **error)
{
	g_autofree char *xml = snapshot_format(snapshot, DOMAIN_FORMAT_SECURE);
	autoptr(snapshot) again =
		snapshot_parse(xml, strlen(xml), SNAPSHOT_PARSE_KEPT, NULL, error);

	return again != NULL;
}

struct capabilities *capabilities_parse(const char *xml, size_t len, struct notes *notes,
					GError **error)
{
	struct field_parse how = { .notes = notes };

	return document_parse(&capabilities_record, "capabilities", xml, len, &how, error);
}

struct domain_caps *domain_caps_parse(const char *xml, size_t len, struct notes *notes,
				      GError **error)
{
	struct field_parse how = { .notes = notes };

	return document_parse(&domain_caps_record, "domainCapabilities", xml, len, &how, error);
}
