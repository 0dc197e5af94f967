/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-bandwidth.c - how much may go through a network card of a machine
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/table.h"

static const char *const ways[] = { "inbound", "outbound" };
static const char *const numbers[] = { "average", "peak", "burst" };

static char *name_of(unsigned way, unsigned number)
{
	return g_strconcat(ways[way], ".", numbers[number], NULL);
}

/* "1000,2000,500" */
static bool add_way(struct socle_params *params, unsigned way, const char *text, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	const unsigned count = g_strv_length(parts);

	for (unsigned i = 0; i < count; i++) {
		struct socle_param param = { .type = SOCLE_PARAM_UINT };
		g_autofree char *name = NULL;
		uint64_t value;

		if (i >= ARRAY_SIZE(numbers) ||
		    !g_ascii_string_to_unsigned(parts[i], 10, 0, UINT32_MAX, &value, NULL))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "'--%s %s': give AVERAGE[,PEAK[,BURST]], in KiB (a "
					 "second), or 0: no limit",
					 ways[way], text);
		name = name_of(way, i);
		param.name = name;
		param.value.ui = (unsigned)value;
		(void)socle_params_add(params, &param, NULL);
	}
	return count > 0 ||
	       error_set(error, SOCLE_ERROR_USAGE, "'--%s' is empty; give AVERAGE", ways[way]);
}

static int set(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
	       GError **error)
{
	SOCLE_AUTO(params) params = socle_params_new();
	struct socle_error *why = NULL;

	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		const char *text = cli_args_value(args, ways[way]);

		if (text && !add_way(params, way, text, error))
			return CLI_USAGE;
	}
	if (socle_domain_set_tune(dom, SOCLE_TUNE_INTERFACE, cli_args_word(args, 1), params,
				  cli_affect(args), &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	cli_done_machine(cli, dom, "bandwidth", "has the card's bandwidth as it is now");
	return CLI_OK;
}

static int show(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		GError **error)
{
	struct socle_error *why = NULL;
	SOCLE_AUTO(params)
	params = socle_domain_get_tune(dom, SOCLE_TUNE_INTERFACE, cli_args_word(args, 1),
				       cli_affect(args), &why);
	autoptr(table) table = table_new("WAY|>AVERAGE|>PEAK|>BURST");
	json_t *list;

	if (!params)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	list = json_array();
	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		json_t *row = json_pack("{s:s}", "way", ways[way]);

		table_add(table, ways[way]);
		for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
			g_autofree char *name = name_of(way, i);
			uint64_t value = 0;

			(void)socle_params_get_uint64(params, name, &value);
			json_object_set_new(row, numbers[i], json_integer((json_int_t)value));
			table_take(table, value ? g_strdup_printf("%" PRIu64, value) : NULL);
		}
		json_array_append_new(list, row);
	}
	cli_out_list(cli, list, table, "no limits");
	return CLI_OK;
}

static int run_bandwidth(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);

	if (!dom)
		return CLI_FAILED;
	return cli_args_has(args, ways[0]) || cli_args_has(args, ways[1])
		       ? set(cli, args, dom, error)
		       : show(cli, args, dom, error);
}

const struct cli_command cli_vm_bandwidth = {
	.noun = "vm",
	.verb = "bandwidth",
	.names = "domiftune",
	.arguments = "MACHINE CARD",
	.summary = "Show or change how much may go through a card: KiB a second, KiB for the burst",
	.options = (const struct cli_option[]){ CLI_ROW_LIVE,
						CLI_ROW_CONFIG,
						{ "inbound", 0, "AVERAGE[,PEAK[,BURST]]", CLI_TEXT,
						  "what the guest gets; 0: as much as it can" },
						{ "outbound", 0, "AVERAGE[,PEAK[,BURST]]", CLI_TEXT,
						  "what the guest sends" },
						CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_TEXT },
	.min = 2,
	.max = 2,
	.flags = CLI_BARE,
	.run = run_bandwidth,
};
