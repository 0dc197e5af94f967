/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret.c - what is told of a secret, in libvirt's XML: never its value
 */
#include "model/secret.h"

#include <string.h>

#include "base/error.h"
#include "base/uuid.h"
#include "model/fields-int.h"
#include "model/parse-int.h"
#include "model/say-int.h"

enum {
	USAGE_MAX = 4096
};

static const char *const use_names[] = { "none", "volume", "ceph", "iscsi", "tls", "vtpm", NULL };
static_assert(ARRAY_SIZE(use_names) == SECRET_USE_COUNT + 1, "a name for each, and NULL");

static const char *const use_words[] = { NULL, "volume", "ceph", "iscsi", "tls", "vtpm", NULL };
static_assert(ARRAY_SIZE(use_words) == SECRET_USE_COUNT + 1, "a name for each, and NULL");

#define T secret_usage
static const struct field usage_fields[] = {
	F_ENUM("@type", type, use_words),
	F_TEXT("volume", volume),
	F_TEXT("name", name),
	F_TEXT("target", target),
};
#undef T
static const struct record usage_record = RECORD(secret_usage, usage_fields);

#define T secret_def
static const struct field secret_fields[] = {
	F_ENUM("@ephemeral", ephemeral, yes_no_names),
	F_ENUM("@private", private, yes_no_names),
	F_TEXT("uuid", uuid),
	F_TEXT("description", description),
	F_STRUCT("usage", usage, usage_record),
};
#undef T
const struct record secret_def_record = RECORD(secret_def, secret_fields);

struct secret_def *secret_def_parse(const char *xml, size_t len, unsigned flags,
				    struct notes *notes, GError **error)
{
	struct field_parse how = { .notes = notes, .strict = flags & SECRET_PARSE_STRICT };

	return document_parse(&secret_def_record, "secret", xml, len, &how, error);
}

void secret_def_fill(struct secret_def *def)
{
	if (!def->uuid)
		def->uuid = g_uuid_string_random();
	if (def->ephemeral == TRI_ABSENT)
		def->ephemeral = TRI_NO;
	if (def->private == TRI_ABSENT)
		def->private = TRI_NO;
}

const char *secret_def_usage(const struct secret_def *def)
{
	const struct secret_usage *usage = &def->usage;
	const char *text = NULL;

	switch (usage->type) {
	case SECRET_USE_VOLUME:
		text = usage->volume;
		break;
	case SECRET_USE_ISCSI:
		text = usage->target;
		break;
	case SECRET_USE_CEPH:
	case SECRET_USE_TLS:
	case SECRET_USE_VTPM:
		text = usage->name;
		break;
	case SECRET_USE_NONE:
	case SECRET_USE_COUNT:
		break;
	}
	return text ? text : "";
}

bool secret_def_check(const struct secret_def *def, GError **error)
{
	const char *usage = secret_def_usage(def);
	uint8_t uuid[UUID_BYTES];

	if (!uuid_read(def->uuid, uuid))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "'%.64s' is no UUID of a secret; leave <uuid> out, and one is "
				   "made up",
				   def->uuid);
	if (def->usage.type != SECRET_USE_NONE && !*usage)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "the <usage> of secret '%s' does not say what it is for; give "
				   "<volume>, <name> or <target>, as belongs to type '%s'",
				   def->uuid, use_names[def->usage.type]);
	if (strlen(usage) > USAGE_MAX)
		return model_error(error, SOCLE_ERROR_LIMIT,
				   "the <usage> of secret '%s' is longer than %d bytes; give a "
				   "shorter one",
				   def->uuid, USAGE_MAX);
	return true;
}

char *secret_def_format(const struct secret_def *def)
{
	return document_format(&secret_def_record, def, "secret", 0);
}

void secret_def_free(struct secret_def *def)
{
	document_free(&secret_def_record, def);
}
