/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model.c - copying and freeing of this room's structs
 */
#include "model/capabilities.h"
#include "model/domain.h"
#include "model/fields-int.h"
#include "model/parse-int.h"
#include "model/snapshot.h"

struct domain *domain_copy(const struct domain *domain)
{
	struct domain *copy = g_new(struct domain, 1);

	record_copy(&domain_record, copy, domain);
	return copy;
}

void domain_free(struct domain *domain)
{
	document_free(&domain_record, domain);
}

void snapshot_free(struct snapshot *snapshot)
{
	document_free(&snapshot_record, snapshot);
}

void capabilities_free(struct capabilities *capabilities)
{
	document_free(&capabilities_record, capabilities);
}

void domain_caps_free(struct domain_caps *caps)
{
	document_free(&domain_caps_record, caps);
}
