/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * params.c - lists of typed parameters are printed
 */
#include "cli/params.h"

#include <inttypes.h>

static json_t *value_json(const struct socle_param *param)
{
	switch (param->type) {
	case SOCLE_PARAM_INT:
		return json_integer(param->value.i);
	case SOCLE_PARAM_UINT:
		return json_integer(param->value.ui);
	case SOCLE_PARAM_LLONG:
		return json_integer(param->value.l);
	case SOCLE_PARAM_ULLONG:
		if (param->value.ul > INT64_MAX)
			return json_sprintf("%" PRIu64, param->value.ul);
		return json_integer((json_int_t)param->value.ul);
	case SOCLE_PARAM_DOUBLE:
		return json_real(param->value.d);
	case SOCLE_PARAM_BOOLEAN:
		return json_boolean(param->value.b);
	case SOCLE_PARAM_STRING:
	default:
		return cli_json_string(param->value.s);
	}
}

json_t *params_json(const struct socle_params *params)
{
	json_t *object = json_object();

	for (size_t i = 0; i < socle_params_count(params); i++) {
		const struct socle_param *param = socle_params_get(params, i);
		g_autofree char *name = g_utf8_make_valid(param->name, -1);
		json_t *value = value_json(param);

		/* NULL for a number that is none. */
		json_object_set_new(object, name, value ? value : json_null());
	}
	return object;
}

static char *value_text(const struct socle_param *param)
{
	switch (param->type) {
	case SOCLE_PARAM_INT:
		return g_strdup_printf("%d", param->value.i);
	case SOCLE_PARAM_UINT:
		return g_strdup_printf("%u", param->value.ui);
	case SOCLE_PARAM_LLONG:
		return g_strdup_printf("%" PRId64, param->value.l);
	case SOCLE_PARAM_ULLONG:
		return g_strdup_printf("%" PRIu64, param->value.ul);
	case SOCLE_PARAM_DOUBLE:
		return g_strdup_printf("%.6f", param->value.d);
	case SOCLE_PARAM_BOOLEAN:
		return g_strdup(param->value.b ? "yes" : "no");
	case SOCLE_PARAM_STRING:
	default:
		return cli_plain(param->value.s);
	}
}

void params_out(const struct socle_params *params, const char *indent)
{
	for (size_t i = 0; i < socle_params_count(params); i++) {
		const struct socle_param *param = socle_params_get(params, i);
		g_autofree char *name = cli_plain(param->name), *value = value_text(param);

		cli_out("%s%s=%s\n", indent, name, value);
	}
}
