/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret-keep.c - what is kept of secrets over restarts of the daemon; the files are as in keep.c
 *
 * A definition and its value are two files, so that who looks at the one need not see the other. Both can be
 * read by the daemon's user only, as all that a store has. Of an ephemeral secret neither is kept.
 */
#include <string.h>

#include "base/error.h"
#include "base/uuid.h"
#include "manage/keep-int.h"
#include "manage/secret-int.h"

static void save(struct secret_entry *secret, enum store_kind kind, const char *text,
		 struct task *task)
{
	const struct node_config *config = &secret->node->config;

	if (!config->store)
		task_end(task, NULL);
	else if (text)
		config->store->save(config->store_opaque, kind, secret->uuid_text, text, task);
	else
		config->store->remove(config->store_opaque, kind, secret->uuid_text, task);
}

void secret_keep_def(struct secret_entry *secret, struct task *task)
{
	const bool kept = secret->def->ephemeral != TRI_YES;
	g_autofree char *xml = secret_def_format(secret->def);
	g_autofree char *text =
		kept ? g_strdup_printf("%ssocle secret\n%s%s", keep_head_start, keep_head_end, xml)
		     : NULL;

	save(secret, STORE_SECRET, text, task);
}

void secret_keep_value(struct secret_entry *secret, struct task *task)
{
	const bool kept = secret->value && secret->def->ephemeral != TRI_YES;
	size_t len = 0;
	const void *bytes = kept ? g_bytes_get_data(secret->value, &len) : NULL;
	char *coded = kept ? g_base64_encode(bytes, len) : NULL;
	char *text = kept ? g_strdup_printf("%ssocle secret-value\n%s%s\n", keep_head_start,
					    keep_head_end, coded)
			  : NULL;

	save(secret, STORE_SECRET_VALUE, text, task);
	if (!kept)
		return;
	explicit_bzero(coded, strlen(coded));
	explicit_bzero(text, strlen(text));
	g_free(coded);
	g_free(text);
}

void secret_keep_nothing(struct secret_entry *secret, struct task *task)
{
	save(secret, STORE_SECRET, NULL, task);
}

/* == What was kept == */

static bool load_def(struct node *node, const char *key, const char *xml, GError **error)
{
	autoptr(secret_def) def = secret_def_parse(xml, strlen(xml), 0, NULL, error);

	if (!def)
		return false;
	secret_def_fill(def);
	if (!secret_def_check(def, error))
		return false;
	if (g_ascii_strcasecmp(def->uuid, key) != 0)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "its <uuid> is not the one that it is kept under");
	(void)secret_entry_new(node, g_steal_pointer(&def));
	return true;
}

static bool load_value(struct node *node, const char *key, const char *coded, GError **error)
{
	uint8_t uuid[UUID_BYTES];
	struct secret_entry *secret = uuid_read(key, uuid) ? secret_by_uuid(node, uuid) : NULL;
	guchar *bytes;
	size_t len;

	if (!secret)
		return error_set(error, SOCLE_ERROR_NOT_FOUND, "its secret is not there any more");
	bytes = g_base64_decode(coded, &len);
	g_clear_pointer(&secret->value, g_bytes_unref);
	secret->value = secret_bytes(bytes, len);
	explicit_bzero(bytes, len);
	g_free(bytes);
	return true;
}

bool secret_load(struct node *node, enum store_kind kind, const char *key, const char *text,
		 GError **error)
{
	const bool value = kind == STORE_SECRET_VALUE;
	const char *body = keep_check_head(text, value ? "secret-value" : "secret", error);

	return body && (value ? load_value : load_def)(node, key, body, error);
}
