/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret-int.h - secrets, as this room sees them
 *
 * What is told of one is its definition. Its value is bytes that only leave by SECRET_GET_VALUE, unless it is
 * private, and by node_password(). They are in no message, and zeroed when they go.
 */
#ifndef MANAGE_SECRET_INT_H
#define MANAGE_SECRET_INT_H

#include "manage/call.h"
#include "manage/node-int.h"
#include "manage/object-int.h"
#include "manage/secret.h"
#include "model/secret.h"
#include "rpc/procedure.h"

struct secret_entry {
	struct object object;
	struct node *node;
	uint8_t uuid[16];
	char uuid_text[37];
	struct secret_def *def;
	GBytes *value; /* or NULL */
};

static inline struct secret_entry *secret_of(struct object *object)
{
	return container_of(object, struct secret_entry, object);
}

/* == Tables (secret.c) == */

/* @def is taken over. */
struct secret_entry *secret_entry_new(struct node *node, struct secret_def *def);
void secret_entry_remove(struct secret_entry *secret);
struct secret_entry *secret_by_uuid(const struct node *node, const uint8_t uuid[16]);
struct secret_entry *secret_by_usage(const struct node *node, enum secret_use type,
				     const char *usage);
rpc_secret secret_handle(const struct secret_entry *secret);
/* Bytes that are zeroed when nobody has them any more. */
GBytes *secret_bytes(const void *bytes, size_t len);
/* All of a node, when it ends. */
void secrets_let_go(struct node *node);
/* The secret that a client names, or NULL: then the call has failed. */
struct secret_entry *call_secret(struct call *call, const rpc_secret *handle);

/* == Kept (secret-keep.c): each ends its task, also if there is no store == */

void secret_keep_def(struct secret_entry *secret, struct task *task);
/* Also that there is none. */
void secret_keep_value(struct secret_entry *secret, struct task *task);
void secret_keep_nothing(struct secret_entry *secret, struct task *task);
bool secret_load(struct node *node, enum store_kind kind, const char *key, const char *text,
		 GError **error);

#endif
