/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.c - procedures about the host: what it is, and how busy
 *
 * None of them waits: what they read is made up by the kernel.
 */
#include <string.h>

#include "base/error.h"
#include "manage/host-int.h"

bool host_no_flags(struct call *call, unsigned flags)
{
	if (!flags)
		return true;
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
		  "unsupported flags (0x%x); this call has none", flags);
	return false;
}

/* Clients multiply: cells, sockets, cores and threads are all CPUs there are, or one socket of them. */
static void set_topology(const struct host_facts *facts, rpc_node_get_info_ret *ret)
{
	unsigned product =
		facts->cell_count * facts->sockets * facts->dies * facts->cores * facts->threads;

	ret->nodes = ret->sockets = ret->threads = 1;
	ret->cores = ret->cpus;
	if (product != (unsigned)ret->cpus)
		return;
	ret->nodes = (int)facts->cell_count;
	ret->sockets = (int)facts->sockets;
	ret->cores = (int)(facts->dies * facts->cores);
	ret->threads = (int)facts->threads;
}

static void on_info(struct call *call, const void *args)
{
	const struct host_facts *facts = node_facts(call->node);
	rpc_node_get_info_ret ret = { .memory = facts->memory_kib, .mhz = (int)facts->mhz };
	struct host_cpumap online;

	(void)args;
	(void)g_strlcpy(ret.model, facts->arch, sizeof(ret.model));
	host_cpus_online(facts, &online);
	ret.cpus = (int)host_cpumap_count(&online);
	set_topology(facts, &ret);
	call_reply(call, &ret);
}

static void on_hostname(struct call *call, const void *args)
{
	char name[256];
	rpc_connect_get_hostname_ret ret = { name };

	(void)args;
	host_name(node_facts(call->node), name, sizeof(name));
	call_reply(call, &ret);
}

/* == Memory == */

static void on_free_memory(struct call *call, const void *args)
{
	rpc_node_get_free_memory_ret ret;
	g_autoptr(GError) error = NULL;
	struct host_memory memory;

	(void)args;
	if (!host_memory(node_facts(call->node), &memory, &error)) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	ret.freeMem = memory.free_kib * 1024;
	call_reply(call, &ret);
}

static void on_cells_free(struct call *call, const rpc_node_get_cells_free_memory_args *args)
{
	const struct host_facts *facts = node_facts(call->node);
	uint64_t cells[RPC_MAX_CELLS / 4];
	rpc_node_get_cells_free_memory_ret ret = { { 0, cells } };
	g_autoptr(GError) error = NULL;

	if (args->startCell < 0 || (unsigned)args->startCell >= facts->cell_count ||
	    args->maxcells < 1) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the host has cells 0 to %u; ask for one of them", facts->cell_count - 1);
		return;
	}
	for (unsigned i = (unsigned)args->startCell;
	     i < facts->cell_count && ret.cells.cells_len < (unsigned)args->maxcells &&
	     ret.cells.cells_len < ARRAY_SIZE(cells);
	     i++) {
		struct host_memory memory;

		if (!host_cell_memory(facts, i, &memory, &error)) {
			call_fail_error(call, RPC_FROM_QEMU, error);
			return;
		}
		cells[ret.cells.cells_len++] = memory.free_kib * 1024;
	}
	call_reply(call, &ret);
}

enum {
	ALL_CELLS = -1,
	ALL_CPUS = -1,
	MEMORY_STATS = 4, /* of all; 2 of a cell */
	CPU_STATS = 4,
};

static bool cell_of(const struct host_facts *facts, int id, unsigned *ret_cell)
{
	for (unsigned i = 0; i < facts->cell_count; i++) {
		if (id >= 0 && facts->cells[i].id == (unsigned)id) {
			*ret_cell = i;
			return true;
		}
	}
	return false;
}

static void on_memory_stats(struct call *call, const rpc_node_get_memory_stats_args *args)
{
	const struct host_facts *facts = node_facts(call->node);
	rpc_node_get_memory_stats_ret ret = { .nparams = MEMORY_STATS };
	rpc_node_get_memory_stats stats[MEMORY_STATS];
	g_autoptr(GError) error = NULL;
	struct host_memory memory;
	unsigned cell = 0;
	bool ok;

	if (!host_no_flags(call, args->flags))
		return;
	if (args->cellNum != ALL_CELLS && !cell_of(facts, args->cellNum, &cell)) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the host has no cell %d; see the cells in its capabilities",
			  args->cellNum);
		return;
	}
	if (args->cellNum != ALL_CELLS)
		ret.nparams = 2;
	if (args->nparams == 0) {
		call_reply(call, &ret);
		return;
	}
	ok = args->cellNum == ALL_CELLS ? host_memory(facts, &memory, &error)
					: host_cell_memory(facts, cell, &memory, &error);
	if (!ok) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	stats[0] = (rpc_node_get_memory_stats){ host_text("total"), memory.total_kib };
	stats[1] = (rpc_node_get_memory_stats){ host_text("free"), memory.free_kib };
	stats[2] = (rpc_node_get_memory_stats){ host_text("buffers"), memory.buffers_kib };
	stats[3] = (rpc_node_get_memory_stats){ host_text("cached"), memory.cached_kib };
	ret.nparams = MIN(ret.nparams, MAX(args->nparams, 0));
	ret.params.params_val = stats;
	ret.params.params_len = (unsigned)ret.nparams;
	call_reply(call, &ret);
}

static bool count_pages(const struct host_facts *facts, const rpc_node_get_free_pages_args *args,
			uint64_t *counts, GError **error)
{
	for (unsigned i = 0; i < args->cellCount; i++) {
		unsigned cell;

		if (!cell_of(facts, args->startCell + (int)i, &cell))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "the host has no cell %d; see the cells in its "
					 "capabilities",
					 args->startCell + (int)i);
		for (unsigned k = 0; k < args->pages.pages_len; k++) {
			if (!host_free_pages(facts, cell, args->pages.pages_val[k], counts++,
					     error))
				return false;
		}
	}
	return true;
}

static void on_free_pages(struct call *call, const rpc_node_get_free_pages_args *args)
{
	const struct host_facts *facts = node_facts(call->node);
	rpc_node_get_free_pages_ret ret = { { 0, NULL } };
	g_autofree uint64_t *counts = NULL;
	g_autoptr(GError) error = NULL;
	uint64_t count = (uint64_t)args->cellCount * args->pages.pages_len;

	if (!host_no_flags(call, args->flags))
		return;
	if (count == 0 || count > RPC_MAX_CELLS || args->startCell < 0 ||
	    args->startCell > HOST_CELLS_MAX) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the numbers of pages of %u sizes in %u cells from cell %d are not to be "
			  "had; ask for 1 to %d",
			  args->pages.pages_len, args->cellCount, args->startCell, RPC_MAX_CELLS);
		return;
	}
	counts = g_new(uint64_t, count);
	if (!count_pages(facts, args, counts, &error)) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	ret.counts.counts_len = (unsigned)count;
	ret.counts.counts_val = counts;
	call_reply(call, &ret);
}

/* There is no KSM that would be ours to tune. */
static void on_memory_parameters(struct call *call, const rpc_node_get_memory_parameters_args *args)
{
	rpc_node_get_memory_parameters_ret ret = { .nparams = 0 };

	(void)args;
	call_reply(call, &ret);
}

/* == CPUs == */

static void on_cpu_stats(struct call *call, const rpc_node_get_cpu_stats_args *args)
{
	rpc_node_get_cpu_stats_ret ret = { .nparams = CPU_STATS };
	rpc_node_get_cpu_stats stats[CPU_STATS];
	g_autoptr(GError) error = NULL;
	struct host_cpu_times times;

	if (!host_no_flags(call, args->flags))
		return;
	if (args->cpuNum < ALL_CPUS) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "there is no CPU %d; ask for one of the CPU map, or for all: %d",
			  args->cpuNum, ALL_CPUS);
		return;
	}
	if (args->nparams == 0) {
		call_reply(call, &ret);
		return;
	}
	if (!host_cpu_times(node_facts(call->node), args->cpuNum, &times, &error)) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	stats[0] = (rpc_node_get_cpu_stats){ host_text("kernel"), times.system_ns };
	stats[1] = (rpc_node_get_cpu_stats){ host_text("user"), times.user_ns };
	stats[2] = (rpc_node_get_cpu_stats){ host_text("idle"), times.idle_ns };
	stats[3] = (rpc_node_get_cpu_stats){ host_text("iowait"), times.iowait_ns };
	ret.nparams = MIN(CPU_STATS, MAX(args->nparams, 0));
	ret.params.params_val = stats;
	ret.params.params_len = (unsigned)ret.nparams;
	call_reply(call, &ret);
}

static void on_cpu_map(struct call *call, const rpc_node_get_cpu_map_args *args)
{
	const struct host_facts *facts = node_facts(call->node);
	rpc_node_get_cpu_map_ret ret = { .online = 0 };
	struct host_cpumap map;

	if (!host_no_flags(call, args->flags))
		return;
	host_cpus_present(facts, &map);
	ret.ret = (int)host_cpumap_end(&map);
	host_cpus_online(facts, &map);
	if (args->need_map) {
		ret.cpumap.cpumap_len = ((unsigned)ret.ret + 7) / 8;
		ret.cpumap.cpumap_val = (char *)map.bits;
	}
	if (args->need_online)
		ret.online = host_cpumap_count(&map);
	call_reply(call, &ret);
}

/* == What others than the host decide == */

static void on_security_model(struct call *call, const void *args)
{
	bool test = call->node->config.support.test;
	/* Arrays of characters are what XDR writes back while it encodes them. */
	char model[16], doi[2];
	rpc_node_get_security_model_ret ret = { { 0, model }, { 0, doi } };

	ret.model.model_len =
		(unsigned)g_strlcpy(model, test ? "testSecurity" : "none", sizeof(model)) + 1;
	ret.doi.doi_len = (unsigned)g_strlcpy(doi, test ? "" : "0", sizeof(doi)) + 1;

	(void)args;
	call_reply(call, &ret);
}

static const struct {
	int number;
	const char *why;
} refused[] = {
	{ RPC_PROC_NODE_SUSPEND_FOR_DURATION,
	  "the host is not suspended from here, since its machines would stand still; use "
	  "'systemctl suspend' on it" },
	{ RPC_PROC_NODE_SET_MEMORY_PARAMETERS,
	  "the host's page sharing is not set from here; write to /sys/kernel/mm/ksm" },
	{ RPC_PROC_NODE_ALLOC_PAGES,
	  "pages are not reserved from here; write to /sys/kernel/mm/hugepages" },
	{ RPC_PROC_NODE_GET_SEV_INFO,
	  "machines with encrypted memory are not supported; use one without launchSecurity" },
	{ RPC_PROC_CONNECT_DOMAIN_XML_TO_NATIVE,
	  "a definition has no command line that could be used elsewhere; keep its XML" },
	{ RPC_PROC_CONNECT_DOMAIN_XML_FROM_NATIVE,
	  "command lines of other programs are not understood; write the definition as XML" },
};

static void on_refused(struct call *call, const void *args)
{
	const char *why = "this is not supported";

	(void)args;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if (refused[i].number == call->proc->number)
			why = refused[i].why;
	}
	call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU, "%s", why);
}

const struct call_entry host_handlers[] = {
	HANDLE_BARE(RPC_PROC_NODE_GET_INFO, on_info),
	HANDLE_BARE(RPC_PROC_CONNECT_GET_HOSTNAME, on_hostname),
	HANDLE_BARE(RPC_PROC_NODE_GET_FREE_MEMORY, on_free_memory),
	HANDLE(RPC_PROC_NODE_GET_CELLS_FREE_MEMORY, rpc_node_get_cells_free_memory_args,
	       on_cells_free),
	HANDLE(RPC_PROC_NODE_GET_MEMORY_STATS, rpc_node_get_memory_stats_args, on_memory_stats),
	HANDLE(RPC_PROC_NODE_GET_FREE_PAGES, rpc_node_get_free_pages_args, on_free_pages),
	HANDLE(RPC_PROC_NODE_GET_MEMORY_PARAMETERS, rpc_node_get_memory_parameters_args,
	       on_memory_parameters),
	HANDLE(RPC_PROC_NODE_GET_CPU_STATS, rpc_node_get_cpu_stats_args, on_cpu_stats),
	HANDLE(RPC_PROC_NODE_GET_CPU_MAP, rpc_node_get_cpu_map_args, on_cpu_map),
	HANDLE_BARE(RPC_PROC_NODE_GET_SECURITY_MODEL, on_security_model),
	HANDLE_BARE(RPC_PROC_NODE_SUSPEND_FOR_DURATION, on_refused),
	HANDLE_BARE(RPC_PROC_NODE_SET_MEMORY_PARAMETERS, on_refused),
	HANDLE_BARE(RPC_PROC_NODE_ALLOC_PAGES, on_refused),
	HANDLE_BARE(RPC_PROC_NODE_GET_SEV_INFO, on_refused),
	HANDLE_BARE(RPC_PROC_CONNECT_DOMAIN_XML_TO_NATIVE, on_refused),
	HANDLE_BARE(RPC_PROC_CONNECT_DOMAIN_XML_FROM_NATIVE, on_refused),
	HANDLERS_END,
};
