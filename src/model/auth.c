/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth.c - <auth>: who asks another host for its disks, and which secret has the password
 */
#include "model/auth.h"

#include "base/error.h"
#include "model/fields-int.h"
#include "model/say-int.h"

#define T auth_secret
static const struct field secret_fields[] = {
	F_TEXT("@type", type),
	F_TEXT("@uuid", uuid),
	F_TEXT("@usage", usage),
};
#undef T
static const struct record secret_record = RECORD(auth_secret, secret_fields);

#define T auth
static const struct field auth_fields[] = {
	F_TEXT("@type", type),
	F_TEXT("@username", username),
	F_STRUCT("secret", secret, secret_record),
};
#undef T
const struct record auth_record = RECORD(auth, auth_fields);

bool auth_check(const struct auth *auth, const char *of, GError **error)
{
	const struct auth_secret *secret = &auth->secret;

	if (!auth->username || !*auth->username)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "<auth> of %s names nobody; give username='...'", of);
	if (!secret->usage == !secret->uuid)
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"<auth> of %s needs <secret usage='...'/> or <secret uuid='...'/>, "
			"and not both",
			of);
	return true;
}

void auth_copy(struct auth *to, const struct auth *from)
{
	record_copy(&auth_record, to, from);
}

void auth_release(struct auth *auth)
{
	record_release(&auth_record, auth);
}
