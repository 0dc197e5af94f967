/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * script.c - machines and a store that do what a test says, when it says so
 */
#include "script.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "manage/dom.h"
#include "model/domain.h"
#include "model/snapshot.h"

struct script script;

struct script_machine {
	struct machine machine;
	struct task *start;
};

void script_reset(void)
{
	for (unsigned i = 0; i < STORE_KIND_COUNT; i++) {
		if (script.kept[i])
			g_hash_table_unref(script.kept[i]);
	}
	g_queue_clear(&script.held);
	g_queue_clear(&script.store_held);
	g_free(script.asked);
	memset(&script, 0, sizeof(script));
	for (unsigned i = 0; i < STORE_KIND_COUNT; i++)
		script.kept[i] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void end(struct task *task, const char *fail)
{
	g_autoptr(GError) error = NULL;

	if (fail)
		error_set(&error, SOCLE_ERROR_FAILED, "%s", fail);
	task_end(task, error);
}

static void do_task(struct task *task)
{
	const char *fail = g_steal_pointer(&script.fail);

	if (script.hold)
		g_queue_push_tail(&script.held, task);
	else
		end(task, fail);
}

static void release(GQueue *held, const char *fail)
{
	struct task *task = g_queue_pop_head(held);

	g_assert_nonnull(task);
	end(task, fail);
}

void script_release(const char *fail)
{
	release(&script.held, fail);
}

void script_store_release(const char *fail)
{
	release(&script.store_held, fail);
}

static struct machine *script_start(struct dom *dom, unsigned flags, struct task *task)
{
	struct script_machine *m;
	(void)flags;

	if (script.fail && !script.hold) {
		end(task, g_steal_pointer(&script.fail));
		return NULL;
	}
	m = g_new0(struct script_machine, 1);
	m->machine = (struct machine){ .ops = &script_machines, .dom = dom };
	script.last = dom;
	script.machines++;
	script.started++;
	do_task(task);
	return &m->machine;
}

static struct machine *script_find(struct dom *dom, const char *state, struct task *task)
{
	if (strcmp(state, "alive") != 0) {
		end(task, "it is not there any more");
		return NULL;
	}
	return script_start(dom, 0, task);
}

static char *script_state(struct machine *machine)
{
	(void)machine;
	return g_strdup("alive");
}

static void script_free(struct machine *machine)
{
	/* A machine that is gone ends its tasks. */
	while (script.held.length)
		script_release("the machine is gone");
	script.machines--;
	g_free(container_of(machine, struct script_machine, machine));
}

static void script_destroy(struct machine *machine, bool graceful, struct task *task)
{
	(void)machine;
	(void)graceful;
	script.destroyed++;
	end(task, NULL);
}

static void script_pause(struct machine *machine, struct task *task)
{
	(void)machine;
	script.paused++;
	do_task(task);
}

static void script_resume(struct machine *machine, struct task *task)
{
	(void)machine;
	do_task(task);
}

static void script_plug(struct machine *machine, struct domain *device, struct task *task)
{
	(void)machine;
	(void)device;
	script.plugged++;
	do_task(task);
}

static void script_update(struct machine *machine, const char *alias, struct domain *device,
			  bool force, struct task *task)
{
	(void)machine;
	(void)alias;
	(void)device;
	(void)force;
	do_task(task);
}

static void script_tune(struct machine *machine, struct task *task)
{
	(void)machine;
	do_task(task);
}

static void script_query(struct machine *machine, unsigned what, struct machine_stats *stats,
			 struct task *task)
{
	(void)machine;
	stats->cpu_ns = 1000000;
	stats->valid = what & MACHINE_QUERY_CPU;
	if (script.hold_queries)
		g_queue_push_tail(&script.held, task);
	else
		end(task, NULL);
}

static void script_agent(struct machine *machine, const char *command, char **ret_answer,
			 struct task *task)
{
	(void)machine;
	g_free(script.asked);
	script.asked = g_strdup(command);
	*ret_answer = g_strdup(script.agent);
	end(task, script.agent ? NULL : "nobody answers");
}

static void script_snapshot(struct machine *machine, const struct snapshot *snapshot,
			    struct task *task)
{
	(void)machine;
	(void)snapshot;
	script.taken++;
	do_task(task);
}

static void script_offline_snapshot(struct dom *dom, const struct snapshot *snapshot,
				    struct task *task)
{
	(void)dom;
	(void)snapshot;
	script.taken++;
	do_task(task);
}

static void script_offline_revert(struct dom *dom, const struct snapshot *snapshot, bool again,
				  struct task *task)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(dom->machine);
	g_assert_nonnull(snapshot->domain);
	script.reverted++;
	script.reverted_again = again;
	if (!script.fail_revert) {
		do_task(task);
		return;
	}
	error_set(&error, script.fail_partly ? SOCLE_ERROR_PARTLY : SOCLE_ERROR_FAILED, "%s",
		  script.fail_revert);
	task_end(task, error);
}

static void script_revert_check(struct dom *dom, const struct snapshot *snapshot, bool again,
				struct task *task)
{
	(void)dom;
	(void)again;
	g_assert_nonnull(snapshot->domain);
	do_task(task);
}

static void script_snapshot_drop(struct dom *dom, const struct snapshot *snapshot,
				 struct task *task)
{
	(void)dom;
	g_assert_nonnull(snapshot->domain);
	script.dropped++;
	do_task(task);
}

static void script_snapshot_undo(struct dom *dom, const struct snapshot *snapshot,
				 struct task *task)
{
	(void)dom;
	g_assert_nonnull(snapshot->domain);
	script.undone++;
	do_task(task);
}

const struct machine_ops script_machines = {
	.snapshot = script_snapshot,
	.offline_snapshot = script_offline_snapshot,
	.revert_check = script_revert_check,
	.offline_revert = script_offline_revert,
	.snapshot_drop = script_snapshot_drop,
	.snapshot_undo = script_snapshot_undo,
	.name = "script",
	.start = script_start,
	.find = script_find,
	.state = script_state,
	.free = script_free,
	.destroy = script_destroy,
	.pause = script_pause,
	.resume = script_resume,
	.plug = script_plug,
	.update = script_update,
	.tune = script_tune,
	.query = script_query,
	.agent = script_agent,
};

static void store_end(struct task *task)
{
	if (script.store_hold)
		g_queue_push_tail(&script.store_held, task);
	else
		end(task, script.store_fail);
}

static void store_save(void *opaque, enum store_kind kind, const char *key, const char *text,
		       struct task *task)
{
	(void)opaque;
	if (!script.store_fail)
		g_hash_table_replace(script.kept[kind], g_strdup(key), g_strdup(text));
	script.saves++;
	store_end(task);
}

static void store_remove(void *opaque, enum store_kind kind, const char *key, struct task *task)
{
	(void)opaque;
	if (!script.store_fail)
		g_hash_table_remove(script.kept[kind], key);
	store_end(task);
}

const struct store_ops script_store = { .save = store_save, .remove = store_remove };

/* == Networks == */

static void net_start(void *opaque, struct virtnet *net, struct task *task)
{
	(void)opaque;
	if (!script.fail) {
		net->made = net;
		script.networks++;
	}
	do_task(task);
}

static void net_find(void *opaque, struct virtnet *net, const char *state, struct task *task)
{
	g_assert_cmpstr(state, ==, "made by script");
	script.found++;
	net_start(opaque, net, task);
}

static char *net_state(struct virtnet *net)
{
	(void)net;
	return g_strdup("made by script");
}

static void net_free(struct virtnet *net)
{
	g_assert_nonnull(net->made);
	script.networks--;
	while (script.held.length)
		script_release("the network was let go");
}

static void net_do(struct virtnet *net, struct task *task)
{
	(void)net;
	do_task(task);
}

static bool net_join(struct virtnet *net, const struct domain_interface *card, GError **error)
{
	(void)net;
	(void)card;
	(void)error;
	script.joined++;
	return true;
}

const struct network_ops script_networks = {
	.start = net_start,
	.find = net_find,
	.state = net_state,
	.free = net_free,
	.stop = net_do,
	.update = net_do,
	.join = net_join,
};

struct node *script_node(bool store, unsigned deadline_ms)
{
	static struct network_ops user_networks;
	struct node_config config = { .uri = "test:///script",
				      .type = "TEST",
				      .machines = &script_machines,
				      .networks = script.user ? &user_networks : &script_networks,
				      .store = store ? &script_store : NULL,
				      .support = { .test = !script.real,
						   .emulator = "/usr/bin/socle-vm" },
				      .deadline_ms = deadline_ms };

	user_networks = script_networks;
	user_networks.is_user = true;
	return node_new(&config);
}

void script_load(struct node *node)
{
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++) {
		GHashTableIter iter;
		void *key, *text;
		g_autoptr(GHashTable) copy =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

		g_hash_table_iter_init(&iter, script.kept[kind]);
		while (g_hash_table_iter_next(&iter, &key, &text))
			g_hash_table_insert(copy, g_strdup(key), g_strdup(text));
		g_hash_table_iter_init(&iter, copy);
		while (g_hash_table_iter_next(&iter, &key, &text)) {
			g_autoptr(GError) error = NULL;

			node_load(node, kind, key, text, &error);
			g_assert_no_error(error);
		}
	}
}
