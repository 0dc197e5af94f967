/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secrets.c - secrets as a user names them: --object, and QMP's object-add and object-del
 */
#include "vmm/secrets.h"

#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "vmm/commands-int.h"
#include "vmm/options-devices.h"
#include "vmm/options.h"
#include "vmm/vmm-int.h"

const char secret_keys[] = "id, data, file, format";

bool secrets_add(GPtrArray *secrets, struct keyvalue *list, GError **error)
{
	const char *id = keyvalue_take(list, "id");
	const char *data = keyvalue_take(list, "data"), *file = keyvalue_take(list, "file");
	const char *format = keyvalue_take(list, "format");
	struct secret *secret;

	if (!id || !*id)
		return error_set(error, SOCLE_ERROR_USAGE, "a secret needs an id; give id=ID");
	if (secret_find(secrets, id, NULL))
		return error_set(error, SOCLE_ERROR_EXISTS, "there is a secret '%s' already", id);
	if (!keyvalue_done(list, secret_keys, error))
		return false;
	secret = secret_read(id, data, file, format, error);
	if (!secret)
		return false;
	g_ptr_array_add(secrets, secret);
	return true;
}

bool secrets_remove(GPtrArray *secrets, const char *id, GError **error)
{
	/* Images that it has opened have their keys already. */
	for (unsigned i = 0; i < secrets->len; i++) {
		const struct secret *secret = g_ptr_array_index(secrets, i);

		if (!strcmp(secret->id, id)) {
			g_ptr_array_remove_index(secrets, i);
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_NOT_FOUND, "object '%s' not found", id);
}

bool set_object(struct options *options, const char *value, GError **error)
{
	struct keyvalue list = { 0 };
	bool ok = keyvalue_parse(&list, value, NULL, error);

	if (ok && !keyvalue_take_word(&list, "secret"))
		ok = error_set(error, SOCLE_ERROR_UNSUPPORTED,
			       "the only objects are secrets; give --object "
			       "secret,id=ID,file=FILE");
	ok = ok && secrets_add(options->secrets, &list, error);
	keyvalue_release(&list);
	return ok;
}

json_t *run_object_add(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	struct keyvalue list;
	const char *type;
	bool ok;

	if (!keyvalue_from_json(&list, args, error))
		return NULL;
	type = keyvalue_take(&list, "qom-type");
	ok = !strcmp(type, "secret") || error_set(error, SOCLE_ERROR_UNSUPPORTED,
						  "Invalid parameter '%s': the only objects are "
						  "of qom-type secret",
						  type);
	ok = ok && secrets_add(vmm->options->secrets, &list, error);
	keyvalue_release(&list);
	return ok ? json_object() : NULL;
}

json_t *run_object_del(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const char *id = json_string_value(json_object_get(args, "id"));

	return secrets_remove(vmm->options->secrets, id, error) ? json_object() : NULL;
}
