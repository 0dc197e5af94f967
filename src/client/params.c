/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * params.c - lists of typed parameters
 *
 * A list is kept as the protocol has it; what callers see is a second array, whose texts are the
 * first one's.
 */
#include "client/params-int.h"

#include <limits.h>
#include <string.h>

#include "client/error-int.h"
#include "rpc/param.h"

struct socle_params {
	struct rpc_params wire;
	GArray *seen; /* struct socle_param, as many as wire has */
};

static struct socle_param see(const rpc_param *item)
{
	struct socle_param param = {
		.name = item->field,
		.type = (enum socle_param_type)item->value.type,
	};

	switch (param.type) {
	case SOCLE_PARAM_INT:
		param.value.i = item->value.rpc_param_value_u.i;
		break;
	case SOCLE_PARAM_UINT:
		param.value.ui = item->value.rpc_param_value_u.ui;
		break;
	case SOCLE_PARAM_LLONG:
		param.value.l = item->value.rpc_param_value_u.l;
		break;
	case SOCLE_PARAM_ULLONG:
		param.value.ul = item->value.rpc_param_value_u.ul;
		break;
	case SOCLE_PARAM_DOUBLE:
		param.value.d = item->value.rpc_param_value_u.d;
		break;
	case SOCLE_PARAM_BOOLEAN:
		param.value.b = item->value.rpc_param_value_u.b != 0;
		break;
	case SOCLE_PARAM_STRING:
		param.value.s = item->value.rpc_param_value_u.s;
		break;
	default:
		/* XDR takes no other type. */
		g_assert_not_reached();
	}
	return param;
}

static void see_new_ones(struct socle_params *params)
{
	for (unsigned i = params->seen->len; i < params->wire.count; i++) {
		struct socle_param param = see(&params->wire.items[i]);

		g_array_append_val(params->seen, param);
	}
}

struct socle_params *socle_params_new(void)
{
	struct socle_params *params = g_new(struct socle_params, 1);

	rpc_params_init(&params->wire);
	params->seen = g_array_new(FALSE, FALSE, sizeof(struct socle_param));
	return params;
}

void socle_params_free(struct socle_params *params)
{
	if (!params)
		return;
	rpc_params_release(&params->wire);
	g_array_free(params->seen, TRUE);
	g_free(params);
}

struct socle_params *client_params_take(rpc_param **items, unsigned *count)
{
	struct socle_params *params = socle_params_new();

	params->wire = (struct rpc_params){ .items = *items, .count = *count, .room = *count };
	*items = NULL;
	*count = 0;
	see_new_ones(params);
	return params;
}

rpc_param *client_params_wire(const struct socle_params *params, unsigned *ret_count)
{
	*ret_count = params ? params->wire.count : 0;
	return params ? params->wire.items : NULL;
}

void client_params_add_stat(struct socle_params *params, const char *name, uint64_t value)
{
	g_autofree char *cut = g_strndup(name, RPC_PARAM_NAME_MAX);

	rpc_params_add_ullong(&params->wire, cut[0] != '\0' ? cut : "?", value);
	see_new_ones(params);
}

size_t socle_params_count(const struct socle_params *params)
{
	return params ? params->seen->len : 0;
}

const struct socle_param *socle_params_get(const struct socle_params *params, size_t index)
{
	if (index >= socle_params_count(params))
		return NULL;
	return &g_array_index(params->seen, struct socle_param, index);
}

const struct socle_param *socle_params_find(const struct socle_params *params, const char *name)
{
	for (size_t i = 0; i < socle_params_count(params); i++) {
		const struct socle_param *param =
			&g_array_index(params->seen, struct socle_param, i);

		if (!strcmp(param->name, name))
			return param;
	}
	return NULL;
}

/* The value as sign and size; false for what is no whole number. */
static bool get_whole(const struct socle_param *param, bool *ret_negative, uint64_t *ret_value)
{
	int64_t value;

	if (!param)
		return false;
	switch (param->type) {
	case SOCLE_PARAM_INT:
		value = param->value.i;
		break;
	case SOCLE_PARAM_UINT:
		value = param->value.ui;
		break;
	case SOCLE_PARAM_LLONG:
		value = param->value.l;
		break;
	case SOCLE_PARAM_BOOLEAN:
		value = param->value.b;
		break;
	case SOCLE_PARAM_ULLONG:
		*ret_negative = false;
		*ret_value = param->value.ul;
		return true;
	case SOCLE_PARAM_DOUBLE:
	case SOCLE_PARAM_STRING:
	default:
		return false;
	}
	*ret_negative = value < 0;
	*ret_value = (uint64_t)value;
	return true;
}

bool socle_params_get_int64(const struct socle_params *params, const char *name, int64_t *ret_value)
{
	bool negative;
	uint64_t value;

	if (!get_whole(socle_params_find(params, name), &negative, &value) ||
	    (!negative && value > INT64_MAX))
		return false;
	*ret_value = (int64_t)value;
	return true;
}

bool socle_params_get_uint64(const struct socle_params *params, const char *name,
			     uint64_t *ret_value)
{
	bool negative;
	uint64_t value;

	if (!get_whole(socle_params_find(params, name), &negative, &value) || negative)
		return false;
	*ret_value = value;
	return true;
}

const char *socle_params_get_string(const struct socle_params *params, const char *name)
{
	const struct socle_param *param = socle_params_find(params, name);

	return param && param->type == SOCLE_PARAM_STRING ? param->value.s : NULL;
}

static bool name_is_fine(const char *name, struct socle_error **error)
{
	size_t len;

	if (!client_has(name, "name of a parameter", error))
		return false;
	len = strlen(name);
	if (len < 1 || len > RPC_PARAM_NAME_MAX)
		return client_error(error, SOCLE_ERR_INVALID_ARG,
				    "the name '%.80s' of a parameter has %zu bytes: use 1 to %d",
				    name, len, RPC_PARAM_NAME_MAX);
	return true;
}

int socle_params_add(struct socle_params *params, const struct socle_param *param,
		     struct socle_error **error)
{
	struct rpc_params *wire = &params->wire;

	if (!name_is_fine(param->name, error))
		return -1;
	switch (param->type) {
	case SOCLE_PARAM_INT:
		rpc_params_add_int(wire, param->name, param->value.i);
		break;
	case SOCLE_PARAM_UINT:
		rpc_params_add_uint(wire, param->name, param->value.ui);
		break;
	case SOCLE_PARAM_LLONG:
		rpc_params_add_llong(wire, param->name, param->value.l);
		break;
	case SOCLE_PARAM_ULLONG:
		rpc_params_add_ullong(wire, param->name, param->value.ul);
		break;
	case SOCLE_PARAM_DOUBLE:
		rpc_params_add_double(wire, param->name, param->value.d);
		break;
	case SOCLE_PARAM_BOOLEAN:
		rpc_params_add_boolean(wire, param->name, param->value.b);
		break;
	case SOCLE_PARAM_STRING:
		if (!client_has(param->value.s, "text of a parameter", error))
			return -1;
		rpc_params_add_string(wire, param->name, param->value.s);
		break;
	default:
		client_error(error, SOCLE_ERR_INVALID_ARG,
			     "parameter '%s' has type %d: there are 1 to 7", param->name,
			     (int)param->type);
		return -1;
	}
	see_new_ones(params);
	return 0;
}

static bool read_double(const char *text, double *ret_value)
{
	char *end;

	*ret_value = g_ascii_strtod(text, &end);
	return end != text && *end == '\0';
}

static bool read_boolean(const char *text, bool *ret_value)
{
	static const char *const yes[] = { "yes", "on", "true", "1", NULL };
	static const char *const no[] = { "no", "off", "false", "0", NULL };

	*ret_value = g_strv_contains(yes, text);
	return *ret_value || g_strv_contains(no, text);
}

static bool read_value(const char *text, struct socle_param *param)
{
	int64_t l;
	uint64_t ul;

	switch (param->type) {
	case SOCLE_PARAM_INT:
		if (!g_ascii_string_to_signed(text, 10, INT_MIN, INT_MAX, &l, NULL))
			return false;
		param->value.i = (int)l;
		return true;
	case SOCLE_PARAM_LLONG:
		if (!g_ascii_string_to_signed(text, 10, INT64_MIN, INT64_MAX, &l, NULL))
			return false;
		param->value.l = l;
		return true;
	case SOCLE_PARAM_UINT:
		if (!g_ascii_string_to_unsigned(text, 10, 0, UINT_MAX, &ul, NULL))
			return false;
		param->value.ui = (unsigned)ul;
		return true;
	case SOCLE_PARAM_ULLONG:
		if (!g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, &ul, NULL))
			return false;
		param->value.ul = ul;
		return true;
	case SOCLE_PARAM_DOUBLE:
		return read_double(text, &param->value.d);
	case SOCLE_PARAM_BOOLEAN:
		return read_boolean(text, &param->value.b);
	case SOCLE_PARAM_STRING:
	default:
		param->value.s = text;
		return true;
	}
}

int socle_params_add_text(struct socle_params *params, const char *name, enum socle_param_type type,
			  const char *text, struct socle_error **error)
{
	static const char *const kinds[] = {
		[SOCLE_PARAM_INT] = "a whole number of 32 bits",
		[SOCLE_PARAM_UINT] = "a whole number from 0 of 32 bits",
		[SOCLE_PARAM_LLONG] = "a whole number of 64 bits",
		[SOCLE_PARAM_ULLONG] = "a whole number from 0 of 64 bits",
		[SOCLE_PARAM_DOUBLE] = "a number",
		[SOCLE_PARAM_BOOLEAN] = "yes or no",
	};
	struct socle_param param = { .name = name, .type = type };

	if (!name_is_fine(name, error) || !client_has(text, "value of a parameter", error))
		return -1;
	if (!read_value(text, &param)) {
		client_error(error, SOCLE_ERR_INVALID_ARG, "parameter '%s' is %s, not '%s'", name,
			     kinds[type], text);
		return -1;
	}
	return socle_params_add(params, &param, error);
}
