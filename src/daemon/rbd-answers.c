/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rbd-answers.c - what Ceph's programs say of a pool, in JSON
 */
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "daemon/pools-int.h"

/* NULL: @error says why. */
static json_t *parse(const char *text, GError **error)
{
	json_t *answer = json_loads(text, 0, NULL);

	if (!answer)
		error_set(error, SOCLE_ERROR_FAILED,
			  "what rbd and rados say is no JSON; are they Ceph's?");
	return answer;
}

/* Some versions write numbers as texts. */
static uint64_t number_in(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);
	json_int_t number =
		text ? (json_int_t)g_ascii_strtoll(text, NULL, 10) : json_integer_value(value);

	return number > 0 ? (uint64_t)number : 0;
}

bool rbd_answer_names(const char *text, GPtrArray *names, GError **error)
{
	json_t *answer = parse(text, error), *item;
	size_t i;

	json_array_foreach(answer, i, item)
	{
		const char *name = json_string_value(item);

		if (name && (storage_vol_name_check(name, NULL) || depot_is_part(name)))
			g_ptr_array_add(names, g_strdup(name));
	}
	json_decref(answer);
	return answer != NULL;
}

bool rbd_answer_size(const char *text, uint64_t *ret_bytes, GError **error)
{
	json_t *answer = parse(text, error);

	if (answer)
		*ret_bytes = number_in(answer, "size");
	json_decref(answer);
	return answer != NULL;
}

/* As libvirt has it: what there is of the cluster, and what of it is the pool's. */
bool rbd_answer_usage(const char *text, const char *pool, struct pool_usage *ret_usage,
		      bool *ret_found, GError **error)
{
	json_t *answer = parse(text, error), *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "pools"), i, item)
	{
		if (g_strcmp0(json_string_value(json_object_get(item, "name")), pool) != 0)
			continue;
		*ret_usage = (struct pool_usage){ number_in(answer, "total_space") * 1024,
						  number_in(item, "size_bytes"),
						  number_in(answer, "total_avail") * 1024 };
		*ret_found = true;
	}
	json_decref(answer);
	return answer != NULL;
}
