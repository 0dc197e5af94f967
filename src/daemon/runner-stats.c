/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-stats.c - what a machine has used so far
 *
 * The system tells of CPU time and memory, at once. For disks, cards and the guest's own view of its
 * memory the machine is asked; what it does not tell in RUNNER_QUERY_MS is left out.
 */
#include <string.h>

#include "base/cleanup.h"
#include "daemon/runner-int.h"

/* libvirt's VIR_DOMAIN_MEMORY_STAT_... */
enum {
	TAG_SWAP_IN = 0,
	TAG_SWAP_OUT = 1,
	TAG_MAJOR_FAULT = 2,
	TAG_MINOR_FAULT = 3,
	TAG_UNUSED = 4,
	TAG_AVAILABLE = 5,
	TAG_ACTUAL_BALLOON = 6,
	TAG_RSS = 7,
	TAG_USABLE = 8,
	TAG_LAST_UPDATE = 9,
	TAG_DISK_CACHES = 10,
	TAG_HUGETLB_PGALLOC = 11,
	TAG_HUGETLB_PGFAIL = 12,
};

struct query {
	struct runner *runner;
	struct machine_stats *stats;
	struct task *task;
	unsigned calls;
};

static void answered(struct query *query)
{
	if (--query->calls)
		return;
	task_end(query->task, NULL);
	g_free(query);
}

static uint64_t number(const json_t *object, const char *key)
{
	const json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

/* == Of the system == */

static void query_cpu(struct runner *runner, struct machine_stats *stats,
		      const struct process_usage *usage)
{
	const struct runner_cgroup_ops *ops = runner->config->cgroups;

	stats->cpu_ns = usage->cpu_ns;
	stats->user_ns = usage->user_ns;
	stats->system_ns = usage->system_ns;
	if (runner->cgroup)
		(void)ops->cpu(runner->cgroup, &stats->cpu_ns, &stats->user_ns, &stats->system_ns);
	stats->valid |= MACHINE_QUERY_CPU;
}

static void add_memory(struct machine_stats *stats, int tag, uint64_t value)
{
	if (stats->memory_count == MACHINE_MEMORY_TAGS)
		return;
	stats->memory[stats->memory_count].tag = tag;
	stats->memory[stats->memory_count].value = value;
	stats->memory_count++;
}

static uint64_t balloon_kib(const struct runner *runner)
{
	const struct domain *live = runner->machine.dom->live;

	if (runner->balloon)
		return runner->balloon / 1024;
	return live ? (uint64_t)live->memory.value : 0;
}

static void query_memory(struct runner *runner, struct machine_stats *stats,
			 const struct process_usage *usage)
{
	stats->balloon_kib = balloon_kib(runner);
	stats->rss_kib = usage->rss_kib;
	add_memory(stats, TAG_ACTUAL_BALLOON, stats->balloon_kib);
	add_memory(stats, TAG_RSS, stats->rss_kib);
	stats->valid |= MACHINE_QUERY_MEMORY;
}

static void query_vcpus(struct runner *runner, struct machine_stats *stats)
{
	if (!runner->tid_count)
		return;
	stats->vcpus = g_new0(struct machine_vcpu_stats, runner->tid_count);
	stats->vcpu_count = runner->tid_count;
	for (unsigned i = 0; i < runner->tid_count; i++) {
		struct process_thread_usage usage = { .host_cpu = -1 };

		/* A machine that was never let run has no such threads. */
		if (runner->tids[i] > 0)
			(void)process_thread_usage(runner->process, runner->tids[i], &usage);
		stats->vcpus[i] = (struct machine_vcpu_stats){ .time_ns = usage.time_ns,
							       .wait_ns = usage.wait_ns,
							       .delay_ns = usage.wait_ns,
							       .host_cpu = usage.host_cpu };
	}
	stats->valid |= MACHINE_QUERY_VCPUS;
}

/* == Of the machine == */

static struct machine_disk_stats *disk_of(struct query *query, const json_t *object)
{
	const char *path = json_string_value(json_object_get(object, "qdev"));
	const char *slash = path ? strrchr(path, '/') : NULL;
	unsigned index;

	if (!slash || !query->runner->machine.dom->live ||
	    !runner_disk(query->runner, slash + 1, &index) || index >= query->stats->disk_count)
		return NULL;
	return &query->stats->disks[index];
}

static void on_disk_counts(void *opaque, json_t *result, const GError *error)
{
	struct query *query = opaque;
	json_t *disk;
	size_t i;

	json_array_foreach(result, i, disk)
	{
		struct machine_disk_stats *to = disk_of(query, disk);
		const json_t *s = json_object_get(disk, "stats");

		if (!to)
			continue;
		to->rd_req = number(s, "rd_operations");
		to->rd_bytes = number(s, "rd_bytes");
		to->rd_ns = number(s, "rd_total_time_ns");
		to->wr_req = number(s, "wr_operations");
		to->wr_bytes = number(s, "wr_bytes");
		to->wr_ns = number(s, "wr_total_time_ns");
		to->fl_req = number(s, "flush_operations");
		to->fl_ns = number(s, "flush_total_time_ns");
		to->errors = number(s, "failed_rd_operations") + number(s, "failed_wr_operations") +
			     number(s, "failed_flush_operations");
		to->known = true;
	}
	if (!error)
		query->stats->valid |= MACHINE_QUERY_DISKS;
	answered(query);
}

static void on_disk_sizes(void *opaque, json_t *result, const GError *error)
{
	struct query *query = opaque;
	json_t *disk;
	size_t i;

	(void)error;
	json_array_foreach(result, i, disk)
	{
		struct machine_disk_stats *to = disk_of(query, disk);
		const json_t *image = json_object_get(json_object_get(disk, "inserted"), "image");

		if (!to)
			continue;
		to->capacity = number(image, "virtual-size");
		to->allocation = number(image, "actual-size");
		to->physical = to->allocation;
	}
	answered(query);
}

static void on_cards(void *opaque, json_t *result, const GError *error)
{
	struct query *query = opaque;
	const struct domain *live = query->runner->machine.dom->live;
	json_t *card;
	size_t i;

	json_array_foreach(result, i, card)
	{
		const char *name = json_string_value(json_object_get(card, "name"));

		for (unsigned n = 0;
		     live && n < query->stats->card_count && n < live->devices.interface_count;
		     n++) {
			if (g_strcmp0(live->devices.interfaces[n].info.alias.name, name) != 0)
				continue;
			query->stats->cards[n] = (struct machine_card_stats){
				.rx_bytes = number(card, "rx-bytes"),
				.rx_packets = number(card, "rx-packets"),
				.rx_drop = number(card, "rx-dropped"),
				.tx_bytes = number(card, "tx-bytes"),
				.tx_packets = number(card, "tx-packets"),
				.tx_drop = number(card, "tx-dropped"),
			};
		}
	}
	if (!error)
		query->stats->valid |= MACHINE_QUERY_CARDS;
	answered(query);
}

static void on_guest_memory(void *opaque, json_t *result, const GError *error)
{
	static const struct {
		const char *name;
		int tag;
		unsigned unit;
	} known[] = {
		{ "stat-swap-in", TAG_SWAP_IN, 1024 },
		{ "stat-swap-out", TAG_SWAP_OUT, 1024 },
		{ "stat-major-faults", TAG_MAJOR_FAULT, 1 },
		{ "stat-minor-faults", TAG_MINOR_FAULT, 1 },
		{ "stat-free-memory", TAG_UNUSED, 1024 },
		{ "stat-total-memory", TAG_AVAILABLE, 1024 },
		{ "stat-available-memory", TAG_USABLE, 1024 },
		{ "stat-disk-caches", TAG_DISK_CACHES, 1024 },
		{ "stat-htlb-pgalloc", TAG_HUGETLB_PGALLOC, 1 },
		{ "stat-htlb-pgfail", TAG_HUGETLB_PGFAIL, 1 },
	};
	struct query *query = opaque;
	const json_t *values = json_object_get(result, "stats");

	(void)error;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const json_t *value = json_object_get(values, known[i].name);

		/* -1: the guest did not tell. */
		if (json_is_integer(value) && json_integer_value(value) >= 0)
			add_memory(query->stats, known[i].tag,
				   (uint64_t)json_integer_value(value) / known[i].unit);
	}
	if (number(result, "last-update"))
		add_memory(query->stats, TAG_LAST_UPDATE, number(result, "last-update"));
	answered(query);
}

static void ask(struct query *query, const char *command, json_t *args, qmp_client_fn fn)
{
	query->calls++;
	runner_call(query->runner, command, args, RUNNER_QUERY_MS, fn, query);
}

static void ask_balloon(struct query *query)
{
	const struct domain_devices *d = &query->runner->machine.dom->live->devices;
	g_autofree char *path = NULL;

	if (!d->memballoon_count || !strcmp(d->memballoons[0].model, "none"))
		return;
	path = g_strconcat("/machine/peripheral/", d->memballoons[0].info.alias.name, NULL);
	ask(query, "qom-get", json_pack("{s:s,s:s}", "path", path, "property", "guest-stats"),
	    on_guest_memory);
}

void runner_query(struct machine *machine, unsigned what, struct machine_stats *stats,
		  struct task *task)
{
	struct runner *runner = runner_of(machine);
	const struct domain *live = machine->dom->live;
	struct query *query = g_new0(struct query, 1);
	struct process_usage usage;

	*query = (struct query){ .runner = runner, .stats = stats, .task = task, .calls = 1 };
	if (runner->process && process_usage(runner->process, &usage)) {
		if (what & MACHINE_QUERY_CPU)
			query_cpu(runner, stats, &usage);
		if (what & MACHINE_QUERY_MEMORY)
			query_memory(runner, stats, &usage);
		if (what & MACHINE_QUERY_VCPUS)
			query_vcpus(runner, stats);
	}
	/* Without a connection nothing would be told but that. */
	if (live && runner->qmp) {
		if (what & MACHINE_QUERY_MEMORY)
			ask_balloon(query);
		if (what & MACHINE_QUERY_DISKS) {
			stats->disks = g_new0(struct machine_disk_stats, live->devices.disk_count);
			stats->disk_count = live->devices.disk_count;
			ask(query, "query-blockstats", NULL, on_disk_counts);
			ask(query, "query-block", NULL, on_disk_sizes);
		}
		if (what & MACHINE_QUERY_CARDS) {
			stats->cards =
				g_new0(struct machine_card_stats, live->devices.interface_count);
			stats->card_count = live->devices.interface_count;
			ask(query, "x-query-cards", NULL, on_cards);
		}
	}
	answered(query);
}
