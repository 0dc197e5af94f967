/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.c - the host that a daemon runs on
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/params.h"

/* What a daemon tells of itself; texts that it does not know are NULL. */
struct host_facts {
	char *hostname, *type, *uri;
	uint64_t version, lib_version;
	struct socle_node_info node;
	uint64_t free_bytes;
};

static void facts_release(struct host_facts *facts)
{
	free(facts->hostname);
	free(facts->type);
	free(facts->uri);
}

static bool facts_get(struct cli *cli, struct host_facts *facts, GError **error)
{
	struct socle_error *why = NULL;

	*facts = (struct host_facts){ 0 };
	if (!cli_connect(cli, error))
		return false;
	if (socle_node_info(cli->conn, &facts->node, &why) < 0)
		return cli_fail(error, why, NULL);
	facts->hostname = socle_conn_hostname(cli->conn, NULL);
	facts->type = socle_conn_type(cli->conn, NULL);
	facts->uri = socle_conn_uri(cli->conn, NULL);
	(void)socle_conn_version(cli->conn, &facts->version, NULL);
	(void)socle_conn_lib_version(cli->conn, &facts->lib_version, NULL);
	(void)socle_node_free_memory(cli->conn, &facts->free_bytes, NULL);
	return true;
}

static char *version_text(uint64_t version)
{
	return g_strdup_printf("%" PRIu64 ".%" PRIu64 ".%" PRIu64, version / 1000000,
			       version / 1000 % 1000, version % 1000);
}

static void facts_json(const struct host_facts *facts)
{
	g_autofree char *version = version_text(facts->version);
	g_autofree char *lib_version = version_text(facts->lib_version);

	cli_out_json(json_pack(
		"{s:o, s:o, s:o, s:s, s:s, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I}",
		"hostname", cli_json_string(facts->hostname), "uri", cli_json_string(facts->uri),
		"type", cli_json_string(facts->type), "version", version, "libvirt_level",
		lib_version, "cpu_model", cli_json_string(facts->node.model), "cpus",
		(int)facts->node.cpus, "mhz", (int)facts->node.mhz, "nodes", (int)facts->node.nodes,
		"sockets", (int)facts->node.sockets, "cores", (int)facts->node.cores, "threads",
		(int)facts->node.threads, "memory", (json_int_t)facts->node.memory_kib * 1024,
		"free_memory", (json_int_t)facts->free_bytes));
}

static void fact(const char *what, const char *value)
{
	g_autofree char *plain = cli_plain(value ? value : "-");

	cli_out("%-13s %s\n", what, plain);
}

static void facts_out(const struct host_facts *facts)
{
	const struct socle_node_info *node = &facts->node;
	g_autofree char *version = version_text(facts->version);
	g_autofree char *lib_version = version_text(facts->lib_version);
	g_autofree char *total = cli_size(node->memory_kib * 1024);
	g_autofree char *unused = cli_size(facts->free_bytes);

	fact("host", facts->hostname);
	fact("URI", facts->uri);
	cli_out("%-13s %s %s, level of libvirt %s\n", "hypervisor", facts->type ? facts->type : "-",
		version, lib_version);
	fact("CPU", node->model);
	cli_out("%-13s %u: %u cell%s of %u socket%s, %u core%s, %u thread%s\n", "CPUs", node->cpus,
		node->nodes, node->nodes == 1 ? "" : "s", node->sockets,
		node->sockets == 1 ? "" : "s", node->cores, node->cores == 1 ? "" : "s",
		node->threads, node->threads == 1 ? "" : "s");
	if (node->mhz)
		cli_out("%-13s %u MHz\n", "speed", node->mhz);
	cli_out("%-13s %s, %s free\n", "memory", total, unused);
}

static int run_info(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct host_facts facts;

	(void)args;
	if (!facts_get(cli, &facts, error))
		return CLI_FAILED;
	if (cli->output == OUTPUT_JSON)
		facts_json(&facts);
	else if (cli->output == OUTPUT_NAME)
		cli_out_name(facts.hostname);
	else
		facts_out(&facts);
	facts_release(&facts);
	return CLI_OK;
}

const struct cli_command cli_host_info = {
	.noun = "host",
	.verb = "info",
	.names = "nodeinfo",
	.arguments = "",
	.summary = "Show the host, its daemon, its CPUs and memory",
	.run = run_info,
};

/* ---- URI ---- */

static int run_uri(struct cli *cli, const struct cli_args *args, GError **error)
{
	g_autofree char *uri = NULL;

	(void)args;
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	uri = cli_uri(cli, error);
	if (!uri)
		return CLI_FAILED;
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o}", "uri", cli_json_string(uri)));
	else
		cli_out("%s\n", uri);
	return CLI_OK;
}

const struct cli_command cli_host_uri = {
	.noun = "host",
	.verb = "uri",
	.names = "uri",
	.arguments = "",
	.summary = "Print the URI by which virsh and others come to the same daemon",
	.run = run_uri,
};

/* ---- documents ---- */

static int xml_out(const struct cli *cli, char *xml, struct socle_error *why, GError **error)
{
	if (!xml)
		return cli_fail(error, why, NULL);
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o}", "xml", cli_json_string(xml)));
	else
		cli_out_text(xml);
	free(xml);
	return CLI_OK;
}

static int run_capabilities(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct socle_error *why = NULL;

	(void)args;
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	return xml_out(cli, socle_conn_capabilities(cli->conn, &why), why, error);
}

const struct cli_command cli_host_capabilities = {
	.noun = "host",
	.verb = "capabilities",
	.names = "capabilities",
	.arguments = "",
	.summary = "Print what host and daemon can do, as XML",
	.run = run_capabilities,
};

static int run_domain_capabilities(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct socle_error *why = NULL;

	if (!cli_connect(cli, error))
		return CLI_FAILED;
	return xml_out(cli,
		       socle_conn_domain_capabilities(cli->conn, NULL, cli_args_value(args, "arch"),
						      cli_args_value(args, "machine"),
						      cli_args_value(args, "type"), 0, &why),
		       why, error);
}

const struct cli_command cli_host_domain_capabilities = {
	.noun = "host",
	.verb = "domain-capabilities",
	.names = "domcapabilities",
	.arguments = "",
	.summary = "Print what a machine can have here, as XML",
	.options =
		(const struct cli_option[]){
			{ "arch", 0, "ARCH", CLI_TEXT, "such as x86_64" },
			{ "machine", 0, "MACHINE", CLI_TEXT, "such as q35" },
			{ "type", 0, "kvm|qemu", CLI_TEXT, "of virtualization" },
			CLI_ROW_END },
	.run = run_domain_capabilities,
};

/* ---- stats ---- */

/* What a daemon has no numbers of is left out, unless that is all. */
static int run_stats(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(params) cpu = NULL;
	SOCLE_AUTO(params) memory = NULL;
	struct socle_error *why = NULL;

	(void)args;
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	memory = socle_node_memory_stats(cli->conn, SOCLE_ALL_CELLS, 0, NULL);
	cpu = socle_node_cpu_stats(cli->conn, SOCLE_ALL_CPUS, 0, memory ? NULL : &why);
	if (!cpu && !memory)
		return cli_fail(error, why, NULL);
	if (cli->output == OUTPUT_JSON) {
		json_t *cpu_json = params_json(cpu), *memory_json = params_json(memory);

		cli_out_json(
			json_pack("{s:o, s:o}", "cpu_ns", cpu_json, "memory_kib", memory_json));
		return CLI_OK;
	}
	if (cpu)
		cli_out("CPU time in ns\n");
	params_out(cpu, "  ");
	if (memory)
		cli_out("memory in KiB\n");
	params_out(memory, "  ");
	return CLI_OK;
}

const struct cli_command cli_host_stats = {
	.noun = "host",
	.verb = "stats",
	.names = "nodecpustats nodememstats",
	.arguments = "",
	.summary = "Print how busy the host's CPUs and memory are",
	.run = run_stats,
};
