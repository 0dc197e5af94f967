/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret.c - secrets in the table of their node; what they are needed for
 */
#include "manage/secret.h"

#include <string.h>

#include "base/error.h"
#include "base/uuid.h"
#include "manage/secret-int.h"
#include "model/auth.h"

static void secret_entry_free(struct object *object);

static const struct object_kind secret_kind = {
	"secret",
	RPC_FROM_SECRET,
	"wait until it is done",
	secret_entry_free,
};

struct secret_entry *secret_entry_new(struct node *node, struct secret_def *def)
{
	struct secret_entry *secret = g_new0(struct secret_entry, 1);

	secret->node = node;
	secret->def = def;
	/* The step check has looked at it. */
	(void)uuid_read(def->uuid, secret->uuid);
	uuid_write(secret->uuid, secret->uuid_text);
	object_init(&secret->object, &secret_kind, secret->uuid_text);
	g_ptr_array_add(node->secrets, secret);
	return secret;
}

static void secret_entry_free(struct object *object)
{
	struct secret_entry *secret = secret_of(object);

	secret_def_free(secret->def);
	g_clear_pointer(&secret->value, g_bytes_unref);
	g_free(secret);
}

void secret_entry_remove(struct secret_entry *secret)
{
	if (secret->object.gone)
		return;
	secret->object.gone = true;
	g_ptr_array_remove(secret->node->secrets, secret);
	object_unref(&secret->object);
}

/* Hosts have some, one for each target and cluster: the list is the table. */
struct secret_entry *secret_by_uuid(const struct node *node, const uint8_t uuid[16])
{
	for (unsigned i = 0; i < node->secrets->len; i++) {
		struct secret_entry *secret = node->secrets->pdata[i];

		if (!memcmp(secret->uuid, uuid, sizeof(secret->uuid)))
			return secret;
	}
	return NULL;
}

struct secret_entry *secret_by_usage(const struct node *node, enum secret_use type,
				     const char *usage)
{
	for (unsigned i = 0; i < node->secrets->len; i++) {
		struct secret_entry *secret = node->secrets->pdata[i];

		if (secret->def->usage.type == type && type != SECRET_USE_NONE &&
		    !strcmp(secret_def_usage(secret->def), usage))
			return secret;
	}
	return NULL;
}

rpc_secret secret_handle(const struct secret_entry *secret)
{
	rpc_secret handle = { .usageType = (int)secret->def->usage.type,
			      .usageID = (char *)(uintptr_t)secret_def_usage(secret->def) };

	memcpy(handle.uuid, secret->uuid, sizeof(handle.uuid));
	return handle;
}

/* == Values == */

struct box {
	size_t len;
	uint8_t bytes[];
};

static void box_free(void *opaque)
{
	struct box *box = opaque;

	explicit_bzero(box->bytes, box->len);
	g_free(box);
}

GBytes *secret_bytes(const void *bytes, size_t len)
{
	struct box *box = g_malloc0(sizeof(*box) + len + 1);

	box->len = len;
	if (len)
		memcpy(box->bytes, bytes, len);
	return g_bytes_new_with_free_func(box->bytes, len, box_free, box);
}

static const struct secret_entry *find(const struct node *node, const struct auth_secret *which,
				       bool ceph)
{
	uint8_t uuid[UUID_BYTES];

	if (which->usage)
		return secret_by_usage(node, ceph ? SECRET_USE_CEPH : SECRET_USE_ISCSI,
				       which->usage);
	return which->uuid && uuid_read(which->uuid, uuid) ? secret_by_uuid(node, uuid) : NULL;
}

GBytes *node_password(const struct node *node, const struct auth *auth, bool ceph, const char *of,
		      GError **error)
{
	const struct auth_secret *which = &auth->secret;
	const char *name = which->usage ? which->usage : which->uuid ? which->uuid : "";
	const struct secret_entry *secret = find(node, which, ceph);

	if (!secret)
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "%s needs the secret '%s', which is not there; define it "
			  "(secret-define), and give it its value (secret-set-value)",
			  of, name);
	else if (!secret->value)
		error_set(error, SOCLE_ERROR_STATE,
			  "%s needs the secret '%s', which has no value; give it one "
			  "(secret-set-value)",
			  of, name);
	else
		return g_bytes_ref(secret->value);
	return NULL;
}

/* == Life == */

void secrets_let_go(struct node *node)
{
	while (node->secrets->len) {
		struct secret_entry *secret = node->secrets->pdata[node->secrets->len - 1];
		struct call *call;

		object_ref(&secret->object);
		while ((call = g_queue_peek_tail(&secret->object.jobs)) && !call->running)
			call_fail(call, RPC_CODE_OPERATION_ABORTED, RPC_FROM_SECRET,
				  "the daemon is being stopped");
		secret_entry_remove(secret);
		object_unref(&secret->object);
	}
}

struct secret_entry *call_secret(struct call *call, const rpc_secret *handle)
{
	struct secret_entry *secret = secret_by_uuid(call->node, (const uint8_t *)handle->uuid);
	char text[UUID_TEXT_SIZE];

	if (secret)
		return secret;
	uuid_write((const uint8_t *)handle->uuid, text);
	call_fail(call, RPC_CODE_NO_SECRET, RPC_FROM_SECRET,
		  "Secret not found: no secret with matching uuid '%s'", text);
	return NULL;
}
