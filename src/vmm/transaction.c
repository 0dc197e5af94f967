/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transaction.c - QMP: snapshots of several disks at the same moment, or none at all
 *
 * All disks get keepers, one after the other. Then everything that takes its time and can fail is
 * done: overlays are made. Then all disks are held, so that from the last one on no request of
 * any of them is under way; what was written is flushed, snapshots inside of images are made. If all
 * of that went well the overlays are put in front, which cannot fail.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "vmm/block-args.h"
#include "vmm/commands-int.h"
#include "vmm/nodes.h"
#include "vmm/overlay.h"
#include "vmm/vmm-int.h"

enum action_kind {
	ACTION_OPEN,
	ACTION_CREATE,
	ACTION_INSIDE,
	ACTION_ABORT,
	ACTION_KIND_COUNT,
};

/* How far it is. */
enum action_state {
	ACTION_NEW,
	ACTION_READY, /* it has its overlay, or could have its snapshot */
	ACTION_HELD,  /* its disk waits */
};

struct action {
	enum action_kind kind;
	enum action_state state;
	const json_t *data;
	char *name; /* of the node; NULL: it has none */
	struct overlay overlay;
};

struct transaction {
	struct vmm *vmm;
	struct qmp_request *request;
	json_t *args;
	struct action *actions;
	unsigned count, next; /* the next one whose disk gets its keeper, or loses it */
	GError *error;
};

static const char *const kind_names[ACTION_KIND_COUNT] = {
	[ACTION_OPEN] = "blockdev-snapshot",
	[ACTION_CREATE] = "blockdev-snapshot-sync",
	[ACTION_INSIDE] = "blockdev-snapshot-internal-sync",
	[ACTION_ABORT] = "abort",
};

static struct vmm_node *node_of(struct transaction *t, const struct action *action, GError **error)
{
	return node_find(t->vmm, action->name, error);
}

/* ---- the end ---- */

static void transaction_free(struct transaction *t)
{
	for (unsigned i = 0; i < t->count; i++)
		g_free(t->actions[i].name);
	g_free(t->actions);
	json_decref(t->args);
	g_clear_error(&t->error);
	g_free(t);
}

static void answer(struct transaction *t)
{
	qmp_request_answer(t->request, t->error ? NULL : json_object(), t->error);
	transaction_free(t);
}

/* After a failure: the others lose their keepers again, too. */
static void unkeep_next(void *opaque, const GError *unused)
{
	struct transaction *t = opaque;

	(void)unused;
	while (t->next > 0) {
		const struct action *action = &t->actions[--t->next];
		struct vmm_node *node = action->name ? node_lookup(t->vmm, action->name) : NULL;

		if (node && node->block) {
			node_unkeep(t->vmm, node, unkeep_next, t);
			return;
		}
	}
	answer(t);
}

/* ---- all at once ---- */

static bool prepare(struct transaction *t, struct action *action, GError **error)
{
	struct vmm_node *node;
	bool ok = false;

	if (action->kind == ACTION_ABORT)
		return error_set(error, SOCLE_ERROR_FAILED,
				 "Transaction aborted using Abort action");
	node = node_of(t, action, error);
	if (!node || !node_is_free(node, error))
		return false;
	if (action->kind == ACTION_OPEN)
		ok = overlay_open(&action->overlay, t->vmm, node, action->data, error);
	else if (action->kind == ACTION_CREATE)
		ok = overlay_create(&action->overlay, t->vmm, node, action->data, error);
	else
		ok = inside_claim(node, error);
	if (ok)
		action->state = ACTION_READY;
	return ok;
}

static bool hold(struct transaction *t, struct action *action, GError **error)
{
	const bool ok = action->kind == ACTION_INSIDE
				? inside_create(node_of(t, action, NULL), action->data, error)
				: overlay_hold(&action->overlay, error);

	if (ok)
		action->state = ACTION_HELD;
	return ok;
}

static void finish(struct transaction *t, struct action *action, bool well)
{
	struct vmm_node *node;

	if (action->kind != ACTION_INSIDE) {
		if (well)
			overlay_put(&action->overlay, t->vmm);
		else
			overlay_drop(&action->overlay, t->vmm);
		return;
	}
	node = node_of(t, action, NULL);
	if (well)
		inside_keep(node);
	else if (action->state == ACTION_HELD)
		inside_undo(node, action->data);
	inside_end(node);
}

static bool execute(struct transaction *t, GError **error)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < t->count; i++)
		ok = prepare(t, &t->actions[i], error);
	for (unsigned i = 0; ok && i < t->count; i++)
		ok = hold(t, &t->actions[i], error);
	for (unsigned i = 0; i < t->count; i++) {
		if (t->actions[i].state != ACTION_NEW)
			finish(t, &t->actions[i], ok);
	}
	return ok;
}

/* ---- the beginning ---- */

static void keep_next(void *opaque, const GError *error)
{
	struct transaction *t = opaque;

	if (error)
		t->error = g_error_copy(error);
	while (!t->error && t->next < t->count) {
		struct action *action = &t->actions[t->next++];
		struct vmm_node *node = action->name ? node_of(t, action, &t->error) : NULL;

		if (node && node_is_free(node, &t->error)) {
			node_keep(t->vmm, node, keep_next, t);
			return;
		}
	}
	if (!t->error)
		(void)execute(t, &t->error);
	if (t->error)
		unkeep_next(t, NULL);
	else
		answer(t);
}

/* The node that an action is about, by the argument that its kind has for that. */
static bool find_node(struct vmm *vmm, struct action *action, GError **error)
{
	const char *name = arg_text(action->data, "node-name");
	struct vmm_node *node;

	if (action->kind == ACTION_ABORT)
		return true;
	if (action->kind == ACTION_OPEN)
		name = arg_text(action->data, "node");
	else if (!name)
		name = arg_text(action->data, "device");
	node = node_find_device(vmm, name ? name : "", error);
	if (!node || !node_may_change(node, error))
		return false;
	action->name = g_strdup(node->name);
	return true;
}

static bool take_action(struct vmm *vmm, struct action *ret, const json_t *from, GError **error)
{
	const json_t *data = json_object_get(from, "data");
	const char *type = arg_text(from, "type");
	unsigned kind = 0;

	if (!type || !json_is_object(data))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "an action has a 'type', and 'data' for it");
	while (kind < ACTION_KIND_COUNT && strcmp(kind_names[kind], type) != 0)
		kind++;
	if (kind == ACTION_KIND_COUNT)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Parameter 'type' does not accept value '%s'", type);
	if (kind != ACTION_ABORT && !command_check(type, data, error))
		return false;
	ret->kind = (enum action_kind)kind;
	ret->data = data;
	return find_node(vmm, ret, error);
}

void start_transaction(void *opaque, const json_t *args, struct qmp_request *request)
{
	struct transaction *t = g_new0(struct transaction, 1);
	const json_t *list, *action;
	size_t i;

	t->vmm = opaque;
	t->request = request;
	t->args = json_deep_copy(args);
	list = json_object_get(t->args, "actions");
	t->count = (unsigned)json_array_size(list);
	t->actions = g_new0(struct action, t->count);
	json_array_foreach(list, i, action)
	{
		if (!take_action(t->vmm, &t->actions[i], action, &t->error)) {
			answer(t);
			return;
		}
	}
	keep_next(t, NULL);
}
