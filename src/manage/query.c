/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * query.c - a machine is asked for its numbers, and not waited for longer than a moment
 */
#include <stdarg.h>

#include "manage/handler-int.h"

struct query {
	struct machine_stats stats;
	void (*answer)(struct call *call);
	bool late; /* the machine still owes its answer */
	bool replied;
};

static const struct machine_stats nothing;

void machine_stats_release(struct machine_stats *stats)
{
	g_free(stats->vcpus);
	g_free(stats->disks);
	g_free(stats->cards);
	*stats = (struct machine_stats){ 0 };
}

static void query_free(void *data)
{
	struct query *query = data;

	machine_stats_release(&query->stats);
	g_free(query);
}

static void asked(struct call *call, const GError *error)
{
	struct query *query = call->data;

	if (error)
		query->stats.valid = 0;
	if (query->replied)
		call_reply(call, NULL);
	else
		query->answer(call);
}

static void too_late(struct call *call)
{
	struct query *query = call->data;

	query->late = true;
	query->answer(call);
}

void call_query(struct call *call, struct vm *vm, unsigned what, void (*answer)(struct call *call))
{
	struct query *query = call_data(call, sizeof(*query));
	struct machine *machine = vm->dom.machine;

	call->data_free = query_free;
	query->answer = answer;
	call_hold(call, vm);
	if (!machine || vm->starting || !machine->ops->query) {
		answer(call);
		return;
	}
	call_deadline(call, QUERY_MS, too_late);
	machine->ops->query(machine, what, &query->stats, call_task(call, asked));
}

const struct machine_stats *call_stats(struct call *call)
{
	struct query *query = call->data;

	/* While it is late it may be half written. */
	return query->late ? &nothing : &query->stats;
}

void call_query_reply(struct call *call, const void *ret)
{
	struct query *query = call->data;

	if (!query->late) {
		call_reply(call, ret);
		return;
	}
	query->replied = true;
	call_answer_late(call, ret);
}

void call_query_fail(struct call *call, enum rpc_code code, const char *fmt, ...)
{
	struct query *query = call->data;
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	if (!query->late) {
		call_fail(call, code, RPC_FROM_QEMU, "%s", text);
		return;
	}
	query->replied = true;
	call_fail_late(call, code, RPC_FROM_QEMU, text);
}
