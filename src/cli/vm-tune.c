/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-tune.c - memory and CPUs of a machine, and all numbers that a daemon has of it
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/params.h"

enum {
	KIB = 1024
};

static int run_set_memory(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	unsigned flags =
		cli_affect(args) | (cli_args_has(args, "maximum") ? SOCLE_MEMORY_MAXIMUM : 0);
	g_autofree char *size = NULL, *done = NULL;
	struct socle_error *why = NULL;
	uint64_t bytes;

	/* A bare number is KiB, as with virsh's setmem. */
	if (!dom || !cli_parse_size("memory", cli_args_word(args, 1), KIB, &bytes, error))
		return CLI_FAILED;
	if (bytes < KIB) {
		error_set(error, SOCLE_ERROR_USAGE, "memory '%s' is less than 1 KiB",
			  cli_args_word(args, 1));
		return CLI_USAGE;
	}
	if (socle_domain_set_memory(dom, bytes / KIB, flags, &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	size = cli_size(bytes);
	done = g_strdup_printf("has %s", size);
	cli_done_machine(cli, dom, "set-memory", done);
	return CLI_OK;
}

const struct cli_command cli_vm_set_memory = {
	.noun = "vm",
	.verb = "set-memory",
	.names = "setmem",
	.arguments = "MACHINE SIZE",
	.summary = "Change the memory of a machine, as 512M or 2G; a bare number is KiB",
	.options = (const struct cli_option[]){ CLI_ROW_LIVE,
						CLI_ROW_CONFIG,
						{ "maximum", 0, NULL, CLI_NOTHING,
						  "the most that it may have" },
						CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_TEXT },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_set_memory,
};

static int run_set_vcpus(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	unsigned flags = cli_affect(args) |
			 (cli_args_has(args, "maximum") ? SOCLE_VCPU_MAXIMUM : 0) |
			 (cli_args_has(args, "guest") ? SOCLE_VCPU_GUEST : 0);
	struct socle_error *why = NULL;
	g_autofree char *done = NULL;
	uint64_t count;

	if (!dom)
		return CLI_FAILED;
	if (!g_ascii_string_to_unsigned(cli_args_word(args, 1), 10, 1, 4096, &count, NULL)) {
		error_set(error, SOCLE_ERROR_USAGE, "'%s' is no number of CPUs; give 1 to 4096",
			  cli_args_word(args, 1));
		return CLI_USAGE;
	}
	if (socle_domain_set_vcpus(dom, (unsigned)count, flags, &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	done = g_strdup_printf("has %" PRIu64 " CPU%s", count, count == 1 ? "" : "s");
	cli_done_machine(cli, dom, "set-vcpus", done);
	return CLI_OK;
}

const struct cli_command cli_vm_set_vcpus = {
	.noun = "vm",
	.verb = "set-vcpus",
	.names = "setvcpus",
	.arguments = "MACHINE COUNT",
	.summary = "Change how many CPUs a machine has",
	.options =
		(const struct cli_option[]){
			CLI_ROW_LIVE,
			CLI_ROW_CONFIG,
			{ "maximum", 0, NULL, CLI_NOTHING, "the most that it may have" },
			{ "guest", 0, NULL, CLI_NOTHING, "by the guest's agent" },
			CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_TEXT },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_set_vcpus,
};

static void stats_out(const struct cli *cli, const struct socle_domain_stats *stats, json_t *list)
{
	g_autofree char *name = cli_name(stats->domain);

	if (cli->output == OUTPUT_JSON) {
		json_t *object = params_json(stats->params);

		json_array_append_new(
			list, json_pack("{s:o, s:s, s:o}", "name",
					cli_json_string(socle_domain_name(stats->domain)), "uuid",
					socle_domain_uuid_text(stats->domain), "stats", object));
		return;
	}
	cli_out("%s\n", name);
	if (cli->output == OUTPUT_TABLE)
		params_out(stats->params, "  ");
}

static int run_stats(struct cli *cli, const struct cli_args *args, GError **error)
{
	g_autoptr(GPtrArray) doms = cli_machines(cli, args, 0, error);
	unsigned flags = cli_args_has(args, "nowait") ? SOCLE_STATS_NOWAIT : 0;
	struct socle_domain_stats *stats = NULL;
	struct socle_error *why = NULL;
	json_t *list;
	int count;

	if (!doms || !cli_connect(cli, error))
		return CLI_FAILED;
	g_ptr_array_add(doms, NULL);
	count = socle_domain_all_stats(
		cli->conn, doms->len > 1 ? (struct socle_domain *const *)(void *)doms->pdata : NULL,
		0, flags, &stats, &why);
	g_ptr_array_set_size(doms, (int)doms->len - 1);
	if (count < 0)
		return cli_fail(error, why, NULL);
	list = json_array();
	for (int i = 0; i < count; i++)
		stats_out(cli, &stats[i], list);
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_incref(list));
	json_decref(list);
	socle_domain_stats_free(stats);
	return CLI_OK;
}

const struct cli_command cli_vm_stats = {
	.noun = "vm",
	.verb = "stats",
	.names = "domstats",
	.arguments = "[MACHINE...]",
	.summary = "Print all numbers that there are of machines",
	.options =
		(const struct cli_option[]){ { "nowait", 0, NULL, CLI_NOTHING,
					       "leave out what a busy machine would have to tell" },
					     CLI_ROW_END },
	.what = { CLI_MACHINE },
	.max = CLI_ANY_NUMBER,
	.flags = CLI_BARE,
	.run = run_stats,
};
