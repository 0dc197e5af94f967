/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vol-protect.c - volumes that templates begin with, or that others' disks refer to, stay as they are
 *
 * Each machine that needs one would be broken. Who they are stands in their definitions, so no image has to
 * be opened. They name a path, and more than one path leads to a file: pools whose folder is reached by a
 * symbolic link, hard links. So two questions are asked: by the name at once, before the call waits for its turn, and
 * in its turn what the paths lead to.
 */
#include <string.h>

#include "manage/node-int.h"
#include "manage/pool-int.h"
#include "manage/vm-int.h"
#include "model/domain-own.h"
#include "model/domain.h"

enum {
	USERS_MAX = 200, /* letters of names in a sentence */
};

/* A machine that needs the file at a path. */
struct need {
	char *machine;
	bool is_template; /* or has a disk that refers to it */
};

struct vol_guard {
	bool deletes;
	vol_change_run run;
	GArray *needs;       /* of struct need */
	GPtrArray *paths;    /* char *: theirs, then the volume's own one */
	struct file_id *ids; /* of paths */
	bool *same;          /* by index of needs: it is the volume */
};

static void need_clear(void *data)
{
	g_free(((struct need *)data)->machine);
}

static void guard_free(void *data)
{
	struct vol_guard *guard = data;

	g_ptr_array_unref(guard->paths);
	g_array_unref(guard->needs);
	g_free(guard->ids);
	g_free(guard->same);
	g_free(guard);
}

static void add(struct vol_guard *guard, char *path, const struct vm *vm, bool is_template)
{
	struct need need = { g_strdup(vm->dom.name), is_template };

	g_ptr_array_add(guard->paths, path);
	g_array_append_val(guard->needs, need);
}

static void add_machine(struct vol_guard *guard, struct node *node, const struct vm *vm)
{
	const struct domain *domain = vm->dom.config ? vm->dom.config : vm->dom.live;
	struct domain_own own;

	/* It is only just beginning. */
	if (!domain)
		return;
	domain_own_read(domain, &own);
	for (unsigned i = 0; own.is_template && i < domain->devices.disk_count; i++) {
		char *path = node_disk_path(node, &domain->devices.disks[i]);

		if (path)
			add(guard, path, vm, true);
	}
	for (unsigned i = 0; i < own.linked->len; i++)
		add(guard, g_strdup(own.linked->pdata[i]), vm, false);
	domain_own_release(&own);
}

/* What is needed now. */
static void guard_fill(struct vol_guard *guard, struct node *node)
{
	guard->paths = g_ptr_array_new_with_free_func(g_free);
	guard->needs = g_array_new(false, false, sizeof(struct need));
	g_array_set_clear_func(guard->needs, need_clear);
	for (unsigned i = 0; i < node->vms->len; i++)
		add_machine(guard, node, node->vms->pdata[i]);
	guard->same = g_new0(bool, MAX(guard->needs->len, 1));
}

/* The volume @name is the file at @path, which differs from its own one; or is just called so. */
static void refuse_template(struct call *call, const struct vol_guard *guard,
			    const struct need *need, const char *name, const char *path)
{
	g_autofree char *is = path ? g_strdup_printf("the file '%s', ", path) : g_strdup("");

	call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
		  "Requested operation is not valid: volume '%s' is %sa disk of the template "
		  "'%s'; 'socle template %s %s' %s",
		  name, is, need->machine, guard->deletes ? "delete" : "release", need->machine,
		  guard->deletes ? "deletes both" : "makes that a machine again");
}

/* Is one of those that are the same needed? Then the call has failed. @other: by another path than its own. */
static bool refuse(struct call *call, const struct vol_guard *guard, const char *name, bool other)
{
	g_autoptr(GString) users = g_string_new(NULL);
	const char *path = NULL;

	for (unsigned i = 0; i < guard->needs->len; i++) {
		const struct need *need = &g_array_index(guard->needs, struct need, i);

		if (!guard->same[i])
			continue;
		path = guard->paths->pdata[i];
		if (need->is_template) {
			refuse_template(call, guard, need, name, other ? path : NULL);
			return true;
		}
		if (users->len < USERS_MAX)
			g_string_append_printf(users, "%s'%s'", users->len ? ", " : "",
					       need->machine);
	}
	if (!path)
		return false;
	if (other)
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
			  "Requested operation is not valid: disks of %s refer to '%s', which "
			  "volume '%s' is; delete those machines first",
			  users->str, path, name);
	else
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
			  "Requested operation is not valid: disks of %s refer to volume '%s'; "
			  "delete those machines first",
			  users->str, name);
	return true;
}

bool call_vol_is_needed(struct call *call, const rpc_storage_vol *handle, bool deletes)
{
	const struct pool *pool = call_vol_pool(call, handle);
	g_autofree char *own = pool ? vol_path(pool, handle->name) : NULL;
	struct vol_guard *guard;
	bool needed;

	if (!pool)
		return true;
	guard = g_new0(struct vol_guard, 1);
	guard->deletes = deletes;
	guard_fill(guard, call->node);
	for (unsigned i = 0; i < guard->needs->len; i++)
		guard->same[i] = !strcmp(guard->paths->pdata[i], own);
	needed = refuse(call, guard, handle->name, false);
	guard_free(guard);
	return needed;
}

/* Is it any of those? */
static bool find_same(struct vol_guard *guard)
{
	const struct file_id *own = &guard->ids[guard->needs->len];
	bool any = false;

	for (unsigned i = 0; i < guard->needs->len; i++) {
		guard->same[i] = file_id_same(&guard->ids[i], own);
		any = any || guard->same[i];
	}
	return any;
}

static void identified(struct call *call, const GError *error)
{
	const struct vol *vol = vol_of(call->object);
	struct vol_guard *guard = call->subject;

	if (!error && !find_same(guard)) {
		guard->run(call, vol->pool->storage);
		return;
	}
	/* First: who is next has his turn when the call has failed. */
	vol_turn_end(call);
	if (error)
		call_fail_vol(call, vol->name, error);
	else
		(void)refuse(call, guard, vol->name, true);
}

void vol_guarded(struct call *call, struct storage *storage, bool deletes, vol_change_run run)
{
	const struct vol *vol = vol_of(call->object);
	struct vol_guard *guard = g_new0(struct vol_guard, 1);

	guard->deletes = deletes;
	guard->run = run;
	guard_fill(guard, call->node);
	call->subject = guard;
	call->subject_free = guard_free;
	if (!guard->needs->len) {
		run(call, storage);
		return;
	}
	g_ptr_array_add(guard->paths, vol_path(vol->pool, vol->name));
	guard->ids = g_new0(struct file_id, guard->paths->len);
	node_identify(call->node, guard->paths, guard->ids, call_task(call, identified));
}
