/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth.h - <auth>: who asks another host for its disks, and which secret has the password
 */
#ifndef MODEL_AUTH_H
#define MODEL_AUTH_H

#include <glib.h>
#include <stdbool.h>

#include "model/value.h"

struct auth_secret {
	char *type; /* of a disk: iscsi, ceph */
	char *usage, *uuid;
};

struct auth {
	char *type; /* of a pool: chap, ceph */
	char *username;
	struct auth_secret secret;
};

static inline bool auth_is_set(const struct auth *auth)
{
	return auth->username || auth->type || auth->secret.usage || auth->secret.uuid;
}

/* The step check: has it a user and one secret? @of: "disk 'vda'", for messages. */
bool auth_check(const struct auth *auth, const char *of, GError **error);
void auth_copy(struct auth *to, const struct auth *from);
void auth_release(struct auth *auth);

#endif
