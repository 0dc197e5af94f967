/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands.c - the QMP commands of socle-vm
 *
 * Names, arguments and answers are those of QEMU (qapi/NAME.json there, 10.0). What QEMU's schema
 * requires and this machine does not have is left out only where it is optional.
 */
#include "vmm/commands.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cpu/cpu.h"
#include "kvm/kvm.h"
#include "machine/machine.h"
#include "vmm/commands-int.h"
#include "vmm/dump.h"
#include "vmm/hmp.h"
#include "vmm/vmm-int.h"

/* The QEMU whose dialect we speak. */
enum {
	QMP_MAJOR = 10,
	QMP_MINOR = 0,
	QMP_MICRO = 0
};

#define CPU_PATH "/machine/unattached/device[%u]"

static json_t *run_query_commands(void *opaque, const json_t *args, GError **error);

static json_t *run_query_version(void *opaque, const json_t *args, GError **error)
{
	struct qmp_config config = commands_config(opaque);

	(void)args;
	(void)error;
	return qmp_version(&config);
}

static json_t *run_query_status(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;

	(void)args;
	(void)error;
	return json_pack("{s:b,s:s}", "running", machine_status(vmm->machine) == MACHINE_RUNNING,
			 "status", vmm_run_state(vmm));
}

static json_t *run_query_name(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;

	(void)args;
	(void)error;
	return json_pack("{s:s*}", "name", vmm->options->name);
}

static json_t *run_query_uuid(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const char *uuid = vmm->options->uuid;

	(void)args;
	(void)error;
	return json_pack("{s:s}", "UUID", uuid ? uuid : "00000000-0000-0000-0000-000000000000");
}

static json_t *run_query_cpus_fast(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	json_t *list = json_array();

	(void)args;
	(void)error;
	for (unsigned i = 0; i < machine_cpus(vmm->machine); i++) {
		g_autofree char *path = g_strdup_printf(CPU_PATH, i);

		json_array_append_new(list,
				      json_pack("{s:i,s:s,s:i,s:s,s:{s:i,s:i,s:i}}", "cpu-index",
						(int)i, "qom-path", path, "thread-id",
						machine_cpu_thread(vmm->machine, i), "target",
						"x86_64", "props", "socket-id", 0, "core-id",
						(int)i, "thread-id", 0));
	}
	return list;
}

static json_t *run_query_kvm(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;

	(void)args;
	(void)error;
	return json_pack("{s:b,s:b}", "enabled", vmm->engine == &kvm_cpu_ops, "present", 1);
}

/* Is @name among what the client wants? An absent list means everything. */
static bool wanted(const json_t *list, const char *name)
{
	size_t i;
	json_t *item;

	if (!list)
		return true;
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (text && !strcmp(text, name))
			return true;
	}
	return false;
}

static void add_stat(json_t *list, const json_t *names, const char *stat, const char *suffix,
		     uint64_t value)
{
	g_autofree char *name = g_strconcat(stat, suffix, NULL);

	if (wanted(names, name))
		json_array_append_new(
			list, json_pack("{s:s,s:I}", "name", name, "value", (json_int_t)value));
}

static json_t *format_stats(const struct cpu_stats *stats, const json_t *names)
{
	json_t *list = json_array();

	add_stat(list, names, "instructions", "", stats->instructions);
	for (unsigned s = 0; s < CPU_STAT_COUNT; s++) {
		add_stat(list, names, cpu_stat_names[s], "_exits", stats->count[s]);
		add_stat(list, names, cpu_stat_names[s], "_ns", stats->ns[s]);
	}
	return list;
}

static json_t *stats_of_cpus(struct vmm *vmm, const json_t *vcpus, const json_t *names)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < machine_cpus(vmm->machine); i++) {
		g_autofree char *path = g_strdup_printf(CPU_PATH, i);
		struct cpu_stats stats;

		if (!wanted(vcpus, path))
			continue;
		machine_cpu_stats(vmm->machine, i, &stats);
		json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "provider",
						      vmm->engine->name, "qom-path", path, "stats",
						      format_stats(&stats, names)));
	}
	return list;
}

/* The sum over all CPUs. */
static json_t *stats_of_machine(struct vmm *vmm, const json_t *names)
{
	struct cpu_stats sum = { 0 };

	for (unsigned i = 0; i < machine_cpus(vmm->machine); i++) {
		struct cpu_stats stats;

		machine_cpu_stats(vmm->machine, i, &stats);
		sum.instructions += stats.instructions;
		for (unsigned s = 0; s < CPU_STAT_COUNT; s++) {
			sum.count[s] += stats.count[s];
			sum.ns[s] += stats.ns[s];
		}
	}
	return json_pack("[{s:s,s:o}]", "provider", vmm->engine->name, "stats",
			 format_stats(&sum, names));
}

/* Does the filter @providers let our one provider through, and with which names? */
static bool pick_provider(const json_t *providers, const char *name, const json_t **ret_names,
			  GError **error)
{
	size_t i;
	json_t *item;

	*ret_names = NULL;
	if (!providers)
		return true;
	json_array_foreach(providers, i, item)
	{
		const char *provider = json_string_value(json_object_get(item, "provider"));
		const json_t *names = json_object_get(item, "names");

		if (!provider || (names && !json_is_array(names)))
			return error_set(
				error, SOCLE_ERROR_USAGE,
				"Invalid parameter type for 'providers', expected: objects "
				"with 'provider' and 'names'");
		if (!strcmp(provider, name)) {
			*ret_names = names;
			return true;
		}
	}
	return false;
}

static json_t *run_query_stats(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const char *target = json_string_value(json_object_get(args, "target"));
	const json_t *names = NULL;
	GError *local = NULL;

	if (!g_str_equal(target, "vm") && !g_str_equal(target, "vcpu") &&
	    !g_str_equal(target, "cryptodev")) {
		error_set(error, SOCLE_ERROR_USAGE, "Parameter 'target' does not accept value '%s'",
			  target);
		return NULL;
	}
	if (!pick_provider(json_object_get(args, "providers"), vmm->engine->name, &names, &local)) {
		if (!local)
			return json_array();
		g_propagate_error(error, local);
		return NULL;
	}
	if (!strcmp(target, "vm"))
		return stats_of_machine(vmm, names);
	if (!strcmp(target, "vcpu"))
		return stats_of_cpus(vmm, json_object_get(args, "vcpus"), names);
	return json_array();
}

static void add_schema(json_t *list, const char *stat, const char *suffix, bool time)
{
	g_autofree char *name = g_strconcat(stat, suffix, NULL);
	json_t *schema = json_pack("{s:s,s:s,s:i}", "name", name, "type", "cumulative", "exponent",
				   time ? -9 : 0);

	if (time) {
		json_object_set_new(schema, "base", json_integer(10));
		json_object_set_new(schema, "unit", json_string("seconds"));
	}
	json_array_append_new(list, schema);
}

static json_t *run_query_stats_schemas(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const char *provider = json_string_value(json_object_get(args, "provider"));
	json_t *stats;

	(void)error;
	if (provider && !g_str_equal(provider, vmm->engine->name))
		return json_array();
	stats = json_array();
	add_schema(stats, "instructions", "", false);
	for (unsigned s = 0; s < CPU_STAT_COUNT; s++) {
		add_schema(stats, cpu_stat_names[s], "_exits", false);
		add_schema(stats, cpu_stat_names[s], "_ns", true);
	}
	return json_pack("[{s:s,s:s,s:O},{s:s,s:s,s:o}]", "provider", vmm->engine->name, "target",
			 "vcpu", "stats", stats, "provider", vmm->engine->name, "target", "vm",
			 "stats", stats);
}

static void start_stop(void *opaque, const json_t *args, struct qmp_request *request)
{
	struct vmm *vmm = opaque;

	(void)args;
	vmm_stop(vmm);
	if (vmm->stopping)
		g_ptr_array_add(vmm->stops, request);
	else
		qmp_request_answer(request, json_object(), NULL);
}

static json_t *run_cont(void *opaque, const json_t *args, GError **error)
{
	(void)args;
	if (!dump_permits(opaque, error))
		return NULL;
	vmm_cont(opaque);
	return json_object();
}

static json_t *run_system_powerdown(void *opaque, const json_t *args, GError **error)
{
	(void)args;
	(void)error;
	vmm_power_button(opaque);
	return json_object();
}

static json_t *run_system_reset(void *opaque, const json_t *args, GError **error)
{
	(void)args;
	return vmm_reset(opaque, error) ? json_object() : NULL;
}

static json_t *run_quit(void *opaque, const json_t *args, GError **error)
{
	(void)args;
	(void)error;
	vmm_end(opaque, VMM_EXIT_OK, false, "host-qmp-quit");
	return json_object();
}

static json_t *run_human_monitor_command(void *opaque, const json_t *args, GError **error)
{
	g_autofree char *text = NULL;
	g_autofree char *valid = NULL;

	(void)error;
	text = hmp_execute(opaque, json_string_value(json_object_get(args, "command-line")));
	valid = g_utf8_make_valid(text, -1);
	return json_string(valid);
}

/* In the order of their names. */
static const struct qmp_command command_table[] = {
	{ .name = "add_client",
	  .args = { { "protocol", QMP_STRING, false },
		    { "fdname", QMP_STRING, false },
		    { "skipauth", QMP_BOOL, true },
		    { "tls", QMP_BOOL, true } },
	  .run = run_add_client },
	{ .name = "announce-self", .open = true, .run = run_announce_self },
	{ .name = "balloon", .args = { { "value", QMP_INT, false } }, .run = run_balloon },
	{ .name = "block-commit",
	  .args = { { "job-id", QMP_STRING, true },
		    { "device", QMP_STRING, false },
		    { "base-node", QMP_STRING, true },
		    { "base", QMP_STRING, true },
		    { "top-node", QMP_STRING, true },
		    { "top", QMP_STRING, true },
		    { "backing-file", QMP_STRING, true },
		    { "on-error", QMP_STRING, true },
		    { "speed", QMP_INT, true },
		    { "filter-node-name", QMP_STRING, true },
		    { "auto-finalize", QMP_BOOL, true },
		    { "auto-dismiss", QMP_BOOL, true } },
	  .start = start_block_commit },
	{ .name = "block-job-cancel",
	  .args = { { "device", QMP_STRING, false }, { "force", QMP_BOOL, true } },
	  .run = run_job_cancel },
	{ .name = "block-job-complete",
	  .args = { { "device", QMP_STRING, false } },
	  .run = run_job_complete },
	{ .name = "block-job-dismiss",
	  .args = { { "id", QMP_STRING, false } },
	  .run = run_job_dismiss },
	{ .name = "block-job-finalize",
	  .args = { { "id", QMP_STRING, false } },
	  .run = run_job_finalize },
	{ .name = "block-job-pause",
	  .args = { { "device", QMP_STRING, false } },
	  .run = run_job_pause },
	{ .name = "block-job-resume",
	  .args = { { "device", QMP_STRING, false } },
	  .run = run_job_resume },
	{ .name = "block-job-set-speed",
	  .args = { { "device", QMP_STRING, false }, { "speed", QMP_INT, false } },
	  .run = run_block_job_set_speed },
	{ .name = "block-stream",
	  .args = { { "job-id", QMP_STRING, true },
		    { "device", QMP_STRING, false },
		    { "base", QMP_STRING, true },
		    { "base-node", QMP_STRING, true },
		    { "backing-file", QMP_STRING, true },
		    { "bottom", QMP_STRING, true },
		    { "on-error", QMP_STRING, true },
		    { "speed", QMP_INT, true },
		    { "filter-node-name", QMP_STRING, true },
		    { "auto-finalize", QMP_BOOL, true },
		    { "auto-dismiss", QMP_BOOL, true } },
	  .start = start_block_stream },
	{ .name = "block_resize",
	  .args = { { "device", QMP_STRING, true },
		    { "node-name", QMP_STRING, true },
		    { "size", QMP_INT, false } },
	  .start = start_block_resize },
	{ .name = "block-set-write-threshold",
	  .args = { { "device", QMP_STRING, true },
		    { "node-name", QMP_STRING, true },
		    { "write-threshold", QMP_INT, false } },
	  .run = run_block_set_write_threshold },
	{ .name = "block_set_io_throttle", .open = true, .run = run_block_set_io_throttle },
	{ .name = "blockdev-add",
	  .args = { { "driver", QMP_STRING, false } },
	  .open = true,
	  .run = run_blockdev_add },
	{ .name = "blockdev-change-medium",
	  .args = { { "device", QMP_STRING, true },
		    { "id", QMP_STRING, true },
		    { "filename", QMP_STRING, false },
		    { "format", QMP_STRING, true },
		    { "force", QMP_BOOL, true },
		    { "read-only-mode", QMP_STRING, true } },
	  .start = start_blockdev_change_medium },
	{ .name = "blockdev-close-tray",
	  .args = { { "device", QMP_STRING, true }, { "id", QMP_STRING, true } },
	  .run = run_blockdev_close_tray },
	{ .name = "blockdev-del",
	  .args = { { "node-name", QMP_STRING, false } },
	  .run = run_blockdev_del },
	{ .name = "blockdev-insert-medium",
	  .args = { { "id", QMP_STRING, false }, { "node-name", QMP_STRING, false } },
	  .start = start_blockdev_insert_medium },
	{ .name = "blockdev-mirror",
	  .args = { { "job-id", QMP_STRING, true },
		    { "device", QMP_STRING, false },
		    { "target", QMP_STRING, false },
		    { "replaces", QMP_STRING, true },
		    { "sync", QMP_STRING, false },
		    { "granularity", QMP_INT, true },
		    { "buf-size", QMP_INT, true },
		    { "on-source-error", QMP_STRING, true },
		    { "on-target-error", QMP_STRING, true },
		    { "copy-mode", QMP_STRING, true },
		    { "speed", QMP_INT, true },
		    { "filter-node-name", QMP_STRING, true },
		    { "auto-finalize", QMP_BOOL, true },
		    { "auto-dismiss", QMP_BOOL, true } },
	  .start = start_blockdev_mirror },
	{ .name = "blockdev-open-tray",
	  .args = { { "device", QMP_STRING, true },
		    { "id", QMP_STRING, true },
		    { "force", QMP_BOOL, true } },
	  .run = run_blockdev_open_tray },
	{ .name = "blockdev-remove-medium",
	  .args = { { "id", QMP_STRING, false } },
	  .start = start_blockdev_remove_medium },
	{ .name = "blockdev-snapshot",
	  .args = { { "node", QMP_STRING, false }, { "overlay", QMP_STRING, false } },
	  .start = start_blockdev_snapshot },
	{ .name = "blockdev-snapshot-delete-internal-sync",
	  .args = { { "device", QMP_STRING, false },
		    { "id", QMP_STRING, true },
		    { "name", QMP_STRING, true } },
	  .run = run_blockdev_snapshot_delete_internal_sync },
	{ .name = "blockdev-snapshot-internal-sync",
	  .args = { { "device", QMP_STRING, false }, { "name", QMP_STRING, false } },
	  .run = run_blockdev_snapshot_internal_sync },
	{ .name = "blockdev-snapshot-sync",
	  .args = { { "device", QMP_STRING, true },
		    { "node-name", QMP_STRING, true },
		    { "snapshot-file", QMP_STRING, false },
		    { "snapshot-node-name", QMP_STRING, true },
		    { "format", QMP_STRING, true },
		    { "mode", QMP_STRING, true } },
	  .start = start_blockdev_snapshot_sync },
	{ .name = "closefd", .args = { { "fdname", QMP_STRING, false } }, .run = run_closefd },
	{ .name = "cont", .run = run_cont },
	{ .name = "device_add",
	  .args = { { "driver", QMP_STRING, false } },
	  .open = true,
	  .run = run_device_add },
	{ .name = "device_del", .args = { { "id", QMP_STRING, false } }, .run = run_device_del },
	{ .name = "drive-mirror",
	  .args = { { "job-id", QMP_STRING, true },
		    { "device", QMP_STRING, false },
		    { "target", QMP_STRING, false },
		    { "replaces", QMP_STRING, true },
		    { "sync", QMP_STRING, false },
		    { "granularity", QMP_INT, true },
		    { "buf-size", QMP_INT, true },
		    { "on-source-error", QMP_STRING, true },
		    { "on-target-error", QMP_STRING, true },
		    { "copy-mode", QMP_STRING, true },
		    { "format", QMP_STRING, true },
		    { "node-name", QMP_STRING, true },
		    { "mode", QMP_STRING, true },
		    { "unmap", QMP_BOOL, true },
		    { "speed", QMP_INT, true },
		    { "auto-finalize", QMP_BOOL, true },
		    { "auto-dismiss", QMP_BOOL, true } },
	  .start = start_drive_mirror },
	{ .name = "dump-guest-memory",
	  .args = { { "paging", QMP_BOOL, false },
		    { "protocol", QMP_STRING, false },
		    { "detach", QMP_BOOL, true },
		    { "begin", QMP_INT, true },
		    { "length", QMP_INT, true },
		    { "format", QMP_STRING, true } },
	  .start = start_dump_guest_memory },
	{ .name = "eject",
	  .args = { { "device", QMP_STRING, true },
		    { "id", QMP_STRING, true },
		    { "force", QMP_BOOL, true } },
	  .start = start_eject },
	{ .name = "expire_password",
	  .args = { { "protocol", QMP_STRING, false },
		    { "time", QMP_STRING, false },
		    { "display", QMP_STRING, true } },
	  .run = run_expire_password },
	{ .name = "getfd", .args = { { "fdname", QMP_STRING, false } }, .run = run_getfd },
	{ .name = "human-monitor-command",
	  .args = { { "command-line", QMP_STRING, false }, { "cpu-index", QMP_INT, true } },
	  .run = run_human_monitor_command },
	{ .name = "inject-nmi", .run = run_inject_nmi },
	{ .name = "input-send-event",
	  .args = { { "device", QMP_STRING, true },
		    { "head", QMP_INT, true },
		    { "events", QMP_ARRAY, false } },
	  .run = run_input_send_event },
	{ .name = "job-cancel", .args = { { "id", QMP_STRING, false } }, .run = run_job_cancel },
	{ .name = "job-complete",
	  .args = { { "id", QMP_STRING, false } },
	  .run = run_job_complete },
	{ .name = "job-dismiss", .args = { { "id", QMP_STRING, false } }, .run = run_job_dismiss },
	{ .name = "job-finalize",
	  .args = { { "id", QMP_STRING, false } },
	  .run = run_job_finalize },
	{ .name = "job-pause", .args = { { "id", QMP_STRING, false } }, .run = run_job_pause },
	{ .name = "job-resume", .args = { { "id", QMP_STRING, false } }, .run = run_job_resume },
	{ .name = "memsave",
	  .args = { { "val", QMP_INT, false },
		    { "size", QMP_INT, false },
		    { "filename", QMP_STRING, false },
		    { "cpu-index", QMP_INT, true } },
	  .run = run_memsave },
	{ .name = "netdev_add",
	  .args = { { "type", QMP_STRING, false }, { "id", QMP_STRING, false } },
	  .open = true,
	  .start = start_netdev_add },
	{ .name = "netdev_del", .args = { { "id", QMP_STRING, false } }, .run = run_netdev_del },
	{ .name = "object-add",
	  .args = { { "qom-type", QMP_STRING, false }, { "id", QMP_STRING, false } },
	  .open = true,
	  .run = run_object_add },
	{ .name = "object-del", .args = { { "id", QMP_STRING, false } }, .run = run_object_del },
	{ .name = "pmemsave",
	  .args = { { "val", QMP_INT, false },
		    { "size", QMP_INT, false },
		    { "filename", QMP_STRING, false } },
	  .run = run_pmemsave },
	{ .name = "qom-get",
	  .args = { { "path", QMP_STRING, false }, { "property", QMP_STRING, false } },
	  .run = run_qom_get },
	{ .name = "qom-set",
	  .args = { { "path", QMP_STRING, false }, { "property", QMP_STRING, false } },
	  .open = true,
	  .run = run_qom_set },
	{ .name = "query-balloon", .run = run_query_balloon },
	{ .name = "query-block", .run = run_query_block },
	{ .name = "query-block-jobs", .run = run_query_block_jobs },
	{ .name = "query-blockstats",
	  .args = { { "query-nodes", QMP_BOOL, true } },
	  .run = run_query_blockstats },
	{ .name = "query-chardev", .run = run_query_chardev },
	{ .name = "query-commands", .run = run_query_commands },
	{ .name = "query-cpus-fast", .run = run_query_cpus_fast },
	{ .name = "query-dump", .run = run_query_dump },
	{ .name = "query-dump-guest-memory-capability",
	  .run = run_query_dump_guest_memory_capability },
	{ .name = "query-jobs", .run = run_query_jobs },
	{ .name = "query-kvm", .run = run_query_kvm },
	{ .name = "query-name", .run = run_query_name },
	{ .name = "query-named-block-nodes",
	  .args = { { "flat", QMP_BOOL, true } },
	  .run = run_query_named_block_nodes },
	{ .name = "query-pci", .run = run_query_pci },
	{ .name = "query-rx-filter",
	  .args = { { "name", QMP_STRING, true } },
	  .run = run_query_rx_filter },
	{ .name = "query-stats",
	  .args = { { "target", QMP_STRING, false },
		    { "vcpus", QMP_STRING_ARRAY, true },
		    { "providers", QMP_ARRAY, true } },
	  .run = run_query_stats },
	{ .name = "query-stats-schemas",
	  .args = { { "provider", QMP_STRING, true } },
	  .run = run_query_stats_schemas },
	{ .name = "query-status", .run = run_query_status },
	{ .name = "query-uuid", .run = run_query_uuid },
	{ .name = "query-version", .run = run_query_version },
	{ .name = "query-vnc", .run = run_query_vnc },
	{ .name = "quit", .run = run_quit },
	{ .name = "screendump",
	  .args = { { "filename", QMP_STRING, true },
		    { "x-fdname", QMP_STRING, true }, /* ours: a descriptor of getfd instead */
		    { "device", QMP_STRING, true },
		    { "head", QMP_INT, true },
		    { "format", QMP_STRING, true } },
	  .start = start_screendump },
	{ .name = "send-key",
	  .args = { { "keys", QMP_ARRAY, false }, { "hold-time", QMP_INT, true } },
	  .run = run_send_key },
	{ .name = "set_link",
	  .args = { { "name", QMP_STRING, false }, { "up", QMP_BOOL, false } },
	  .run = run_set_link },
	{ .name = "set_password",
	  .args = { { "protocol", QMP_STRING, false },
		    { "password", QMP_STRING, false },
		    { "connected", QMP_STRING, true },
		    { "display", QMP_STRING, true } },
	  .run = run_set_password },
	{ .name = "stop", .start = start_stop },
	{ .name = "system_powerdown", .run = run_system_powerdown },
	{ .name = "system_reset", .run = run_system_reset },
	{ .name = "transaction",
	  .args = { { "actions", QMP_ARRAY, false }, { "properties", QMP_OBJECT, true } },
	  .start = start_transaction },
	{ .name = "watchdog-set-action",
	  .args = { { "action", QMP_STRING, false } },
	  .run = run_watchdog_set_action },
	/* QEMU does not have these; ours. */
	{ .name = "x-block-read",
	  .args = { { "device", QMP_STRING, false },
		    { "offset", QMP_INT, false },
		    { "size", QMP_INT, false } },
	  .run = run_block_read },
	{ .name = "x-dump-cancel", .run = run_dump_cancel },
	{ .name = "x-memory-read",
	  .args = { { "address", QMP_INT, false },
		    { "size", QMP_INT, false },
		    { "virtual", QMP_BOOL, true },
		    { "cpu-index", QMP_INT, true } },
	  .run = run_memory_read },
	{ .name = "x-query-cards", .run = run_query_cards },
	{ .name = "x-set-card-limits",
	  .args = { { "name", QMP_STRING, false },
		    { "tx-bps", QMP_INT, false },
		    { "rx-bps", QMP_INT, false },
		    { "tx-peak", QMP_INT, true },
		    { "rx-peak", QMP_INT, true },
		    { "tx-burst", QMP_INT, true },
		    { "rx-burst", QMP_INT, true } },
	  .run = run_set_card_limits },
	/* QEMU has these for people only (hostfwd_add of its human monitor); ours. */
	{ .name = "x-hostfwd-add",
	  .args = { { "netdev", QMP_STRING, true }, { "forward", QMP_STRING, false } },
	  .run = run_hostfwd_add },
	{ .name = "x-hostfwd-remove",
	  .args = { { "netdev", QMP_STRING, true }, { "forward", QMP_STRING, false } },
	  .run = run_hostfwd_remove },
};

static json_t *run_query_commands(void *opaque, const json_t *args, GError **error)
{
	json_t *list = json_array();

	(void)opaque;
	(void)args;
	(void)error;
	for (size_t i = 0; i < ARRAY_SIZE(command_table); i++)
		json_array_append_new(list, json_pack("{s:s}", "name", command_table[i].name));
	json_array_append_new(list, json_pack("{s:s}", "name", "qmp_capabilities"));
	return list;
}

bool command_check(const char *name, const json_t *args, GError **error)
{
	for (size_t i = 0; i < ARRAY_SIZE(command_table); i++) {
		const struct qmp_command *command = &command_table[i];

		if (!strcmp(command->name, name))
			return qmp_check_args(command->args, command->open, args, error);
	}
	return error_set(error, SOCLE_ERROR_USAGE, "there is no command '%s'", name);
}

struct qmp_config commands_config(struct vmm *vmm)
{
	return (struct qmp_config){
		.commands = command_table,
		.count = ARRAY_SIZE(command_table),
		.opaque = vmm,
		.major = QMP_MAJOR,
		.minor = QMP_MINOR,
		.micro = QMP_MICRO,
		.package = "socle " SOCLE_VERSION,
	};
}
