/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats.c - the numbers of all domains in one answer
 *
 * All machines are asked at once, and the answer goes out when all have told theirs or when a moment has
 * passed: a machine that hangs costs its own numbers, and nobody else's. What is known without
 * asking is always told.
 */
#include <string.h>

#include "manage/handler-int.h"
#include "manage/list-int.h"
#include "manage/timer-int.h"

enum {
	STATS_STATE = 1 << 0,
	STATS_CPU = 1 << 1,
	STATS_BALLOON = 1 << 2,
	STATS_VCPU = 1 << 3,
	STATS_CARDS = 1 << 4,
	STATS_DISKS = 1 << 5,
	STATS_IOTHREAD = 1 << 7,
	STATS_KNOWN = 0x7ff,
	STATS_MS = 1000,
};

#define STATS_NOWAIT  (1u << 29)
#define STATS_BACKING (1u << 30)
#define STATS_ENFORCE (1u << 31)

struct collection;

struct entry {
	struct collection *all;
	struct vm *vm;
	struct machine_stats stats;
	bool asked, told;
	struct task task;
};

struct collection {
	struct call *call;
	unsigned wanted; /* of STATS_ */
	struct entry *entries;
	unsigned count, pending;
	bool answered;
};

/* == Parameters, whose names and texts are somebody else's == */

struct writer {
	GArray *params; /* of rpc_param, for all domains */
	GStringChunk *names;
};

static rpc_param *add(struct writer *w, const char *name, enum rpc_param_type type)
{
	rpc_param param = { .field = (char *)(uintptr_t)name, .value = { .type = (int)type } };

	g_array_append_val(w->params, param);
	return &g_array_index(w->params, rpc_param, w->params->len - 1);
}

static void add_int(struct writer *w, const char *name, int value)
{
	add(w, name, RPC_PARAM_INT)->value.rpc_param_value_u.i = value;
}

static void add_uint(struct writer *w, const char *name, unsigned value)
{
	add(w, name, RPC_PARAM_UINT)->value.rpc_param_value_u.ui = value;
}

static void add_u64(struct writer *w, const char *name, uint64_t value)
{
	add(w, name, RPC_PARAM_ULLONG)->value.rpc_param_value_u.ul = value;
}

static void add_text(struct writer *w, const char *name, const char *value)
{
	add(w, name, RPC_PARAM_STRING)->value.rpc_param_value_u.s = (char *)(uintptr_t)value;
}

/* "block.3.rd.reqs": the same for all domains, so there are few of them. */
static const char *numbered(struct writer *w, const char *group, unsigned n, const char *member)
{
	char name[64];

	g_snprintf(name, sizeof(name), "%s.%u.%s", group, n, member);
	return g_string_chunk_insert_const(w->names, name);
}

/* == Groups == */

static void write_cpu(struct writer *w, const struct machine_stats *stats)
{
	if (!(stats->valid & MACHINE_QUERY_CPU))
		return;
	add_u64(w, "cpu.time", stats->cpu_ns);
	add_u64(w, "cpu.user", stats->user_ns);
	add_u64(w, "cpu.system", stats->system_ns);
}

static void write_balloon(struct writer *w, const struct domain *domain,
			  const struct machine_stats *stats)
{
	/* libvirt's tags in order, each with its name here. */
	static const char *const tags[] = {
		[0] = "balloon.swap_in",         [1] = "balloon.swap_out",
		[2] = "balloon.major_fault",     [3] = "balloon.minor_fault",
		[4] = "balloon.unused",          [5] = "balloon.available",
		[8] = "balloon.usable",          [9] = "balloon.last-update",
		[10] = "balloon.disk_caches",    [11] = "balloon.hugetlb_pgalloc",
		[12] = "balloon.hugetlb_pgfail",
	};
	bool valid = stats->valid & MACHINE_QUERY_MEMORY;

	add_u64(w, "balloon.current",
		valid && stats->balloon_kib ? stats->balloon_kib
					    : (uint64_t)domain->current_memory.value);
	add_u64(w, "balloon.maximum", (uint64_t)domain->memory.value);
	if (!valid)
		return;
	for (unsigned i = 0; i < MIN(stats->memory_count, MACHINE_MEMORY_TAGS); i++) {
		int tag = stats->memory[i].tag;

		if (tag >= 0 && (size_t)tag < ARRAY_SIZE(tags) && tags[tag])
			add_u64(w, tags[tag], stats->memory[i].value);
	}
	if (stats->rss_kib)
		add_u64(w, "balloon.rss", stats->rss_kib);
}

static void write_vcpus(struct writer *w, const struct domain *domain,
			const struct machine_stats *stats)
{
	const struct domain_vcpu *vcpu = &domain->vcpu;

	add_uint(w, "vcpu.current",
		 (unsigned)(vcpu->current.set ? vcpu->current.value : vcpu->count.value));
	add_uint(w, "vcpu.maximum", (unsigned)vcpu->count.value);
	if (!(stats->valid & MACHINE_QUERY_VCPUS))
		return;
	for (unsigned i = 0; i < stats->vcpu_count; i++) {
		add_int(w, numbered(w, "vcpu", i, "state"), 1); /* running */
		add_u64(w, numbered(w, "vcpu", i, "time"), stats->vcpus[i].time_ns);
		add_u64(w, numbered(w, "vcpu", i, "wait"), stats->vcpus[i].wait_ns);
		add_u64(w, numbered(w, "vcpu", i, "delay"), stats->vcpus[i].delay_ns);
	}
}

static void write_cards(struct writer *w, const struct domain *domain,
			const struct machine_stats *stats)
{
	bool valid = stats->valid & MACHINE_QUERY_CARDS;

	add_uint(w, "net.count", domain->devices.interface_count);
	for (unsigned i = 0; i < domain->devices.interface_count; i++) {
		const struct domain_interface *card = &domain->devices.interfaces[i];
		const struct machine_card_stats *s;
		const char *name = card->target.dev ? card->target.dev : card->info.alias.name;

		if (name)
			add_text(w, numbered(w, "net", i, "name"), name);
		if (!valid || i >= stats->card_count)
			continue;
		s = &stats->cards[i];
		add_u64(w, numbered(w, "net", i, "rx.bytes"), s->rx_bytes);
		add_u64(w, numbered(w, "net", i, "rx.pkts"), s->rx_packets);
		add_u64(w, numbered(w, "net", i, "rx.errs"), s->rx_errs);
		add_u64(w, numbered(w, "net", i, "rx.drop"), s->rx_drop);
		add_u64(w, numbered(w, "net", i, "tx.bytes"), s->tx_bytes);
		add_u64(w, numbered(w, "net", i, "tx.pkts"), s->tx_packets);
		add_u64(w, numbered(w, "net", i, "tx.errs"), s->tx_errs);
		add_u64(w, numbered(w, "net", i, "tx.drop"), s->tx_drop);
	}
}

static void write_disk(struct writer *w, unsigned i, const struct machine_disk_stats *s)
{
	add_u64(w, numbered(w, "block", i, "rd.reqs"), s->rd_req);
	add_u64(w, numbered(w, "block", i, "rd.bytes"), s->rd_bytes);
	add_u64(w, numbered(w, "block", i, "rd.times"), s->rd_ns);
	add_u64(w, numbered(w, "block", i, "wr.reqs"), s->wr_req);
	add_u64(w, numbered(w, "block", i, "wr.bytes"), s->wr_bytes);
	add_u64(w, numbered(w, "block", i, "wr.times"), s->wr_ns);
	add_u64(w, numbered(w, "block", i, "fl.reqs"), s->fl_req);
	add_u64(w, numbered(w, "block", i, "fl.times"), s->fl_ns);
	add_u64(w, numbered(w, "block", i, "allocation"), s->allocation);
	add_u64(w, numbered(w, "block", i, "capacity"), s->capacity);
	add_u64(w, numbered(w, "block", i, "physical"), s->physical);
}

static void write_disks(struct writer *w, const struct domain *domain,
			const struct machine_stats *stats)
{
	add_uint(w, "block.count", domain->devices.disk_count);
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];
		const char *path = disk_path(disk);

		add_text(w, numbered(w, "block", i, "name"),
			 disk->target.dev ? disk->target.dev : "");
		if (path)
			add_text(w, numbered(w, "block", i, "path"), path);
		if (disk->source.index.set)
			add_uint(w, numbered(w, "block", i, "backingIndex"),
				 (unsigned)disk->source.index.value);
		if (stats->valid & MACHINE_QUERY_DISKS && i < stats->disk_count &&
		    stats->disks[i].known)
			write_disk(w, i, &stats->disks[i]);
	}
}

static void write_entry(struct writer *w, const struct collection *all, const struct entry *entry)
{
	static const struct machine_stats nothing;
	const struct machine_stats *stats = entry->told ? &entry->stats : &nothing;
	const struct domain *domain = vm_shown(entry->vm);

	if (all->wanted & STATS_STATE) {
		add_int(w, "state.state", (int)entry->vm->dom.state);
		add_int(w, "state.reason", entry->vm->dom.reason);
	}
	if (!domain)
		return;
	if (all->wanted & STATS_CPU)
		write_cpu(w, stats);
	if (all->wanted & STATS_BALLOON)
		write_balloon(w, domain, stats);
	if (all->wanted & STATS_VCPU)
		write_vcpus(w, domain, stats);
	if (all->wanted & STATS_CARDS && vm_active(entry->vm))
		write_cards(w, domain, stats);
	if (all->wanted & STATS_DISKS)
		write_disks(w, domain, stats);
	if (all->wanted & STATS_IOTHREAD && vm_active(entry->vm))
		add_uint(w, "iothread.count", 0);
}

/* == The answer == */

static void answer(struct collection *all, void (*reply)(struct call *call, const void *ret))
{
	struct writer w = { .params = g_array_sized_new(FALSE, FALSE, sizeof(rpc_param),
							all->count * 32),
			    .names = g_string_chunk_new(1024) };
	g_autofree rpc_domain_stats_record *records =
		g_new0(rpc_domain_stats_record, MAX(all->count, 1));
	rpc_connect_get_all_domain_stats_ret ret = { { all->count, records } };
	unsigned at = 0;

	for (unsigned i = 0; i < all->count; i++) {
		unsigned before = w.params->len;

		records[i].dom = vm_handle(all->entries[i].vm);
		write_entry(&w, all, &all->entries[i]);
		records[i].params.params_len = w.params->len - before;
	}
	/* The list has its final place only now. */
	for (unsigned i = 0; i < all->count; i++) {
		records[i].params.params_val = &g_array_index(w.params, rpc_param, at);
		at += records[i].params.params_len;
	}
	all->answered = true;
	reply(all->call, &ret);
	g_array_unref(w.params);
	g_string_chunk_free(w.names);
}

static void collection_free(void *data)
{
	struct collection *all = data;

	for (unsigned i = 0; i < all->count; i++) {
		machine_stats_release(&all->entries[i].stats);
		vm_unref(all->entries[i].vm);
	}
	g_free(all->entries);
	g_free(all);
}

/* All have told, or have ended. */
static void finish(struct collection *all)
{
	if (all->answered)
		call_reply(all->call, NULL);
	else
		answer(all, call_reply);
}

static void told(struct task *task, const GError *error)
{
	struct entry *entry = container_of(task, struct entry, task);

	/* After the answer nobody reads it. */
	entry->told = !error;
	if (--entry->all->pending == 0)
		finish(entry->all);
}

static void too_late(struct call *call)
{
	answer(call->data, call_answer_late);
}

static unsigned machine_wants(unsigned wanted)
{
	return (wanted & STATS_CPU ? MACHINE_QUERY_CPU : 0u) |
	       (wanted & STATS_BALLOON ? MACHINE_QUERY_MEMORY : 0u) |
	       (wanted & STATS_VCPU ? MACHINE_QUERY_VCPUS : 0u) |
	       (wanted & STATS_CARDS ? MACHINE_QUERY_CARDS : 0u) |
	       (wanted & STATS_DISKS ? MACHINE_QUERY_DISKS : 0u);
}

static void ask_all(struct collection *all)
{
	unsigned what = machine_wants(all->wanted);

	all->pending = 1;
	for (unsigned i = 0; what && i < all->count; i++) {
		struct entry *entry = &all->entries[i];
		struct machine *machine = entry->vm->dom.machine;

		if (!machine || entry->vm->starting || !machine->ops->query)
			continue;
		all->pending++;
		entry->task.end = told;
		machine->ops->query(machine, what, &entry->stats, &entry->task);
	}
	if (--all->pending == 0)
		finish(all);
	else
		call_deadline(all->call, STATS_MS, too_late);
}

static void add_entry(struct collection *all, struct vm *vm)
{
	all->entries[all->count++] = (struct entry){ .all = all, .vm = vm_ref(vm) };
}

/* False: a domain is not there, and the call has failed. */
static bool choose(struct call *call, const rpc_connect_get_all_domain_stats_args *args)
{
	struct collection *all = call->data;
	GPtrArray *vms = call->node->vms;
	unsigned filter = args->flags & LIST_FLAGS;
	/* A domain that is named often is asked once. */
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

	all->entries = g_new0(struct entry, MAX(MAX(vms->len, args->doms.doms_len), 1));
	for (unsigned i = 0; i < args->doms.doms_len; i++) {
		struct vm *vm = call_vm(call, &args->doms.doms_val[i]);

		if (!vm)
			return false;
		if (list_wants(vm, filter) && g_hash_table_add(seen, vm))
			add_entry(all, vm);
	}
	for (unsigned i = 0; !args->doms.doms_len && i < vms->len; i++) {
		if (list_wants(vms->pdata[i], filter))
			add_entry(all, vms->pdata[i]);
	}
	if (all->count <= RPC_MAX_DOMAINS)
		return true;
	call_fail(call, RPC_CODE_RPC, RPC_FROM_RPC,
		  "there are %u domains, and %d fit into an answer; ask for fewer", all->count,
		  RPC_MAX_DOMAINS);
	return false;
}

static void on_stats(struct call *call, const rpc_connect_get_all_domain_stats_args *args)
{
	struct collection *all;

	if (!call_flags(call, args->flags,
			LIST_FLAGS | STATS_NOWAIT | STATS_BACKING | STATS_ENFORCE))
		return;
	if (args->flags & STATS_ENFORCE && args->stats & ~(unsigned)STATS_KNOWN) {
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "statistics of the kinds 0x%x are not known here",
			  args->stats & ~(unsigned)STATS_KNOWN);
		return;
	}
	all = call_data(call, sizeof(*all));
	call->data_free = collection_free;
	all->call = call;
	all->wanted = args->stats ? args->stats : STATS_KNOWN;
	if (choose(call, args))
		ask_all(all);
}

const struct call_entry stats_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, rpc_connect_get_all_domain_stats_args,
	       on_stats),
	HANDLERS_END,
};
