/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * param.c - lists of typed parameters: made for an answer, looked up and checked in a call
 */
#include "rpc/param.h"

#include <assert.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

static const char *const type_names[] = {
	[RPC_PARAM_INT] = "int",         [RPC_PARAM_UINT] = "unsigned int",
	[RPC_PARAM_LLONG] = "long long", [RPC_PARAM_ULLONG] = "unsigned long long",
	[RPC_PARAM_DOUBLE] = "double",   [RPC_PARAM_BOOLEAN] = "boolean",
	[RPC_PARAM_STRING] = "string",
};
static_assert(ARRAY_SIZE(type_names) == RPC_PARAM_STRING + 1, "each type has a name");

void rpc_params_init(struct rpc_params *params)
{
	*params = (struct rpc_params){ 0 };
}

void rpc_params_release(struct rpc_params *params)
{
	for (unsigned i = 0; i < params->count; i++) {
		g_free(params->items[i].field);
		if (params->items[i].value.type == RPC_PARAM_STRING)
			g_free(params->items[i].value.rpc_param_value_u.s);
	}
	g_free(params->items);
	rpc_params_init(params);
}

/* One more of this name and type; its value is set by who called. */
static rpc_param *append(struct rpc_params *params, const char *name, enum rpc_param_type type)
{
	rpc_param *item;

	assert(name[0] != '\0' && strlen(name) <= RPC_PARAM_NAME_MAX);
	if (params->count == params->room) {
		params->room = MAX(16, params->room * 2);
		params->items = g_renew(rpc_param, params->items, params->room);
	}
	item = &params->items[params->count++];
	*item = (rpc_param){ .field = g_strdup(name), .value.type = (int)type };
	return item;
}

void rpc_params_add_int(struct rpc_params *params, const char *name, int value)
{
	append(params, name, RPC_PARAM_INT)->value.rpc_param_value_u.i = value;
}

void rpc_params_add_uint(struct rpc_params *params, const char *name, unsigned value)
{
	append(params, name, RPC_PARAM_UINT)->value.rpc_param_value_u.ui = value;
}

void rpc_params_add_llong(struct rpc_params *params, const char *name, int64_t value)
{
	append(params, name, RPC_PARAM_LLONG)->value.rpc_param_value_u.l = value;
}

void rpc_params_add_ullong(struct rpc_params *params, const char *name, uint64_t value)
{
	append(params, name, RPC_PARAM_ULLONG)->value.rpc_param_value_u.ul = value;
}

void rpc_params_add_double(struct rpc_params *params, const char *name, double value)
{
	append(params, name, RPC_PARAM_DOUBLE)->value.rpc_param_value_u.d = value;
}

void rpc_params_add_boolean(struct rpc_params *params, const char *name, bool value)
{
	append(params, name, RPC_PARAM_BOOLEAN)->value.rpc_param_value_u.b = value;
}

void rpc_params_add_string(struct rpc_params *params, const char *name, const char *value)
{
	append(params, name, RPC_PARAM_STRING)->value.rpc_param_value_u.s = g_strdup(value);
}

static const struct rpc_param_spec *find_spec(const struct rpc_param_spec *specs, size_t count,
					      const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(specs[i].name, name))
			return &specs[i];
	}
	return NULL;
}

static bool check_one(const rpc_param *item, const struct rpc_param_spec *spec, bool seen,
		      GError **error)
{
	if (strlen(item->field) > RPC_PARAM_NAME_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "parameter '%.20s...' has a name of more than %d bytes",
				 item->field, RPC_PARAM_NAME_MAX);
	if (!spec)
		return error_set(error, SOCLE_ERROR_USAGE, "parameter '%s' is not known here",
				 item->field);
	if (item->value.type != (int)spec->type)
		return error_set(
			error, SOCLE_ERROR_USAGE, "parameter '%s' has to be a %s, not a %s",
			item->field, type_names[spec->type],
			item->value.type >= RPC_PARAM_INT && item->value.type <= RPC_PARAM_STRING
				? type_names[item->value.type]
				: "nothing");
	if (seen && !spec->repeated)
		return error_set(error, SOCLE_ERROR_USAGE, "parameter '%s' is there twice",
				 item->field);
	return true;
}

bool rpc_params_check(const rpc_param *items, unsigned count, const struct rpc_param_spec *specs,
		      size_t specs_count, GError **error)
{
	g_autofree bool *seen = g_new0(bool, specs_count + 1);

	for (unsigned i = 0; i < count; i++) {
		const struct rpc_param_spec *spec = find_spec(specs, specs_count, items[i].field);
		size_t k = spec ? (size_t)(spec - specs) : specs_count;

		if (!check_one(&items[i], spec, seen[k], error))
			return false;
		seen[k] = true;
	}
	return true;
}

const rpc_param *rpc_params_find(const rpc_param *items, unsigned count, const char *name,
				 enum rpc_param_type type, const rpc_param *after)
{
	for (unsigned i = after ? (unsigned)(after - items) + 1 : 0; i < count; i++) {
		if (items[i].value.type == (int)type && !strcmp(items[i].field, name))
			return &items[i];
	}
	return NULL;
}
