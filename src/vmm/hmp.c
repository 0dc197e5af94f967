/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hmp.c - the human monitor: a few commands for the person at the terminal
 */
#include "vmm/hmp.h"

#include <glib.h>
#include <string.h>

#include "base/cleanup.h"
#include "block/block.h"
#include "cpu/cpu.h"
#include "machine/machine.h"
#include "net/net.h"
#include "vmm/backends.h"
#include "vmm/dump.h"
#include "vmm/hmp-block.h"
#include "vmm/vmm-int.h"

struct hmp_command {
	const char *words; /* what is typed, words separated by one blank */
	const char *help;
	void (*run)(struct vmm *vmm, GString *out);
};

static void run_help(struct vmm *vmm, GString *out);

static void run_status(struct vmm *vmm, GString *out)
{
	g_string_append_printf(out, "%s, on engine %s\n", vmm_run_state(vmm), vmm->engine->name);
}

static void run_cpus(struct vmm *vmm, GString *out)
{
	for (unsigned i = 0; i < machine_cpus(vmm->machine); i++)
		g_string_append_printf(out, "CPU %u: thread %d%s\n", i,
				       machine_cpu_thread(vmm->machine, i),
				       machine_cpu_halted(vmm->machine, i) ? ", halted" : "");
}

static void run_stats(struct vmm *vmm, GString *out)
{
	for (unsigned i = 0; i < machine_cpus(vmm->machine); i++) {
		struct cpu_stats stats;

		machine_cpu_stats(vmm->machine, i, &stats);
		g_string_append_printf(out, "CPU %u:\n", i);
		if (stats.instructions)
			g_string_append_printf(out, "  %-12s %14" G_GUINT64_FORMAT "\n",
					       "instructions", stats.instructions);
		for (unsigned s = 0; s < CPU_STAT_COUNT; s++) {
			if (!stats.count[s])
				continue;
			g_string_append_printf(out, "  %-12s %14" G_GUINT64_FORMAT,
					       cpu_stat_names[s], stats.count[s]);
			if (stats.ns[s])
				g_string_append_printf(out, " %14" G_GUINT64_FORMAT " us",
						       stats.ns[s] / 1000);
			g_string_append_c(out, '\n');
		}
	}
}

static void run_registers(struct vmm *vmm, GString *out)
{
	g_autofree struct x86_state *state = g_new(struct x86_state, 1);

	for (unsigned i = 0; i < machine_cpus(vmm->machine); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *text = NULL;

		if (!machine_cpu_state(vmm->machine, i, state, &error)) {
			g_string_append_printf(out, "CPU %u: %s\n", i, error->message);
			continue;
		}
		text = x86_state_format(state);
		g_string_append_printf(out, "CPU %u:\n%s", i, text);
	}
}

static void run_version(struct vmm *vmm, GString *out)
{
	(void)vmm;
	g_string_append(out, "socle " SOCLE_VERSION "\n");
}

static void run_block(struct vmm *vmm, GString *out)
{
	for (unsigned i = 0; i < vmm->nodes->len; i++) {
		const struct vmm_node *node = g_ptr_array_index(vmm->nodes, i);
		struct block_info info;

		if (!node->block) {
			if (node->front)
				g_string_append_printf(out, "%s: behind %s\n", node->name,
						       node->front->name);
			continue;
		}
		block_info(node->block, &info);
		g_string_append_printf(out, "%s (%s): %s (%s), %" G_GUINT64_FORMAT " MiB%s%s\n",
				       node->user ? node->user : "no device", node->name,
				       block_path(node->block), block_format(node->block),
				       info.size >> 20, info.read_only ? ", read-only" : "",
				       info.direct ? ", direct" : "");
	}
}

static void run_network(struct vmm *vmm, GString *out)
{
	for (unsigned i = 0; i < vmm->netdevs->len; i++) {
		const struct vmm_netdev *netdev = g_ptr_array_index(vmm->netdevs, i);
		g_autofree char *text =
			netdev->net ? net_describe(netdev->net) : g_strdup("no cable");

		g_string_append_printf(out, "%s (%s): %s\n",
				       netdev->user ? netdev->user : "no device", netdev->id, text);
	}
}

static void run_devices(struct vmm *vmm, GString *out)
{
	struct machine_device_info info;

	for (unsigned i = 0; machine_device_at(vmm->machine, i, &info); i++) {
		if (info.pci)
			g_string_append_printf(out, "%s: PCI slot %u%s\n", info.id, info.slot,
					       info.leaving ? ", leaving" : "");
		else
			g_string_append_printf(out, "%s: in memory, GSI %u\n", info.id, info.gsi);
	}
}

static void run_name(struct vmm *vmm, GString *out)
{
	if (vmm->options->name)
		g_string_append_printf(out, "%s\n", vmm->options->name);
}

static void run_stop(struct vmm *vmm, GString *out)
{
	(void)out;
	vmm_stop(vmm);
}

static void run_cont(struct vmm *vmm, GString *out)
{
	g_autoptr(GError) error = NULL;

	if (dump_permits(vmm, &error))
		vmm_cont(vmm);
	else
		g_string_append_printf(out, "Error: %s\n", error->message);
}

static void run_reset(struct vmm *vmm, GString *out)
{
	g_autoptr(GError) error = NULL;

	if (!vmm_reset(vmm, &error))
		g_string_append_printf(out, "%s\n", error->message);
}

static void run_powerdown(struct vmm *vmm, GString *out)
{
	(void)out;
	vmm_power_button(vmm);
}

static void run_quit(struct vmm *vmm, GString *out)
{
	(void)out;
	vmm_end(vmm, VMM_EXIT_OK, false, "host-qmp-quit");
}

/* Names of QEMU's monitor that people type by habit stand behind, without help. */
static const struct hmp_command hmp_commands[] = {
	{ "info status", "does it run, and on which engine", run_status },
	{ "info cpus", "the virtual CPUs", run_cpus },
	{ "info stats", "how often guest execution was interrupted, and why", run_stats },
	{ "info registers", "registers of all virtual CPUs", run_registers },
	{ "info block", "images and the disks that have them", run_block },
	{ "info block-jobs", "what is done with them", hmp_block_jobs },
	{ "info network", "networks and the cards that have them", run_network },
	{ "info devices", "where devices are", run_devices },
	{ "info name", "the machine's name", run_name },
	{ "info version", "the version", run_version },
	{ "stop", "pause the guest", run_stop },
	{ "cont", "let it go on", run_cont },
	{ "reset", "press the reset button", run_reset },
	{ "powerdown", "press the power button", run_powerdown },
	{ "quit", "end the machine at once", run_quit },
	{ "help", "this list", run_help },
	{ "c", NULL, run_cont },
	{ "q", NULL, run_quit },
	{ "?", NULL, run_help },
	{ "info", NULL, run_help },
	{ "system_reset", NULL, run_reset },
	{ "system_powerdown", NULL, run_powerdown },
};

static void run_help(struct vmm *vmm, GString *out)
{
	(void)vmm;
	for (size_t i = 0; i < ARRAY_SIZE(hmp_commands); i++) {
		if (hmp_commands[i].help)
			g_string_append_printf(out, "%-16s %s\n", hmp_commands[i].words,
					       hmp_commands[i].help);
	}
	hmp_block_help(out);
}

/* Words with one blank between them. */
static char *normalize(const char *line)
{
	GString *words = g_string_new(NULL);

	for (; *line; line++) {
		bool blank = *line == ' ' || *line == '\t' || *line == '\r' || *line == '\n';

		if (!blank)
			g_string_append_c(words, *line);
		else if (words->len > 0 && words->str[words->len - 1] != ' ')
			g_string_append_c(words, ' ');
	}
	if (words->len > 0 && words->str[words->len - 1] == ' ')
		g_string_truncate(words, words->len - 1);
	return g_string_free(words, FALSE);
}

char *hmp_execute(struct vmm *vmm, const char *line)
{
	g_autofree char *words = normalize(line);
	g_auto(GStrv) list = g_strsplit(words, " ", -1);
	GString *out = g_string_new(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(hmp_commands); i++) {
		if (!strcmp(hmp_commands[i].words, words)) {
			hmp_commands[i].run(vmm, out);
			return g_string_free(out, FALSE);
		}
	}
	if (*words && !hmp_block_execute(vmm, list, out))
		g_string_append_printf(out, "unknown command '%s'; 'help' lists those there are\n",
				       words);
	return g_string_free(out, FALSE);
}
