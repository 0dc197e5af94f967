/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format.c - the step format of domains, devices, snapshots and capabilities
 *
 * The order is that of the tables, so the same struct is the same text, always.
 */
#include "model/capabilities.h"
#include "model/domain.h"
#include "model/fields-int.h"
#include "model/parse-int.h"
#include "model/snapshot.h"

static unsigned marks_of(unsigned flags)
{
	unsigned marks = 0;

	if (flags & DOMAIN_FORMAT_SECURE)
		marks |= FIELD_SECRET;
	if (!(flags & DOMAIN_FORMAT_INACTIVE))
		marks |= FIELD_LIVE;
	return marks;
}

char *document_format(const struct record *record, const void *rec, const char *root,
		      unsigned marks)
{
	struct xml_out out = { .text = g_string_new(NULL) };

	record_format(record, rec, root, &out, marks);
	return g_string_free(out.text, FALSE);
}

char *domain_format(const struct domain *domain, unsigned flags)
{
	return document_format(&domain_record, domain, "domain", marks_of(flags));
}

char *domain_format_devices(const struct domain *domain, unsigned flags)
{
	struct xml_out out = { .text = g_string_new(NULL) };

	record_format_children(&devices_record, &domain->devices, &out, marks_of(flags));
	return g_string_free(out.text, FALSE);
}

char *snapshot_format(const struct snapshot *snapshot, unsigned flags)
{
	return document_format(&snapshot_record, snapshot, "domainsnapshot", marks_of(flags));
}

char *capabilities_format(const struct capabilities *capabilities)
{
	return document_format(&capabilities_record, capabilities, "capabilities", 0);
}

char *domain_caps_format(const struct domain_caps *caps)
{
	return document_format(&domain_caps_record, caps, "domainCapabilities", 0);
}
