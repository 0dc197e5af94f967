/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linked.c - machines whose disks others begin with are not started
 *
 * A linked clone begins as the disks of another machine are: who writes to those breaks it. What it refers to
 * stands in its definition, as a path, and more than one leads to a file (vol-protect.c).
 */
#include <string.h>

#include "base/error.h"
#include "manage/pool-int.h"
#include "manage/vm-int.h"
#include "model/domain-own.h"

struct linked_question {
	struct task task; /* of the pools */
	struct task *then;
	GPtrArray *targets; /* char *: the names of disks that are written to */
	GPtrArray *users;   /* char *: a machine each, whose disk refers to a file */
	GPtrArray *paths;   /* char *: of those disks, then of those files */
	struct file_id *ids;
};

static void question_free(struct linked_question *question)
{
	g_ptr_array_unref(question->targets);
	g_ptr_array_unref(question->users);
	g_ptr_array_unref(question->paths);
	g_free(question->ids);
	g_free(question);
}

static void add_disks(struct linked_question *question, struct node *node,
		      const struct domain *domain)
{
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];
		char *path = disk->readonly || disk->device == DISK_CDROM
				     ? NULL
				     : node_disk_path(node, disk);

		if (!path)
			continue;
		g_ptr_array_add(question->targets, g_strdup(disk->target.dev));
		g_ptr_array_add(question->paths, path);
	}
}

static void add_user(struct linked_question *question, const struct vm *vm)
{
	const struct domain *domain = vm->dom.config ? vm->dom.config : vm->dom.live;
	struct domain_own own;

	/* One that is only just beginning, too, has no clones. */
	if (!domain)
		return;
	domain_own_read(domain, &own);
	for (unsigned i = 0; i < own.linked->len; i++) {
		g_ptr_array_add(question->users, g_strdup(vm->dom.name));
		g_ptr_array_add(question->paths, g_strdup(own.linked->pdata[i]));
	}
	domain_own_release(&own);
}

/* By the name, or by what that leads to? */
static bool is_same(const struct linked_question *question, unsigned disk, unsigned file)
{
	return file_id_same(&question->ids[disk], &question->ids[file]) ||
	       !strcmp(question->paths->pdata[disk], question->paths->pdata[file]);
}

/* False with @error: somebody refers to one of the disks. */
static bool check(const struct linked_question *question, GError **error)
{
	for (unsigned i = 0; i < question->targets->len; i++) {
		for (unsigned n = 0; n < question->users->len; n++) {
			if (!is_same(question, i, question->targets->len + n))
				continue;
			return error_set(error, SOCLE_ERROR_STATE,
					 "a disk of '%s' begins as its disk '%s' is, and would be "
					 "broken; delete that machine first, or make another clone "
					 "of this one to go on with",
					 (const char *)question->users->pdata[n],
					 (const char *)question->targets->pdata[i]);
		}
	}
	return true;
}

static void identified(struct task *task, const GError *given)
{
	struct linked_question *question = container_of(task, struct linked_question, task);
	struct task *then = question->then;
	g_autoptr(GError) error = given ? g_error_copy(given) : NULL;

	if (!error)
		(void)check(question, &error);
	question_free(question);
	task_end(then, error);
}

void vm_check_linked(struct vm *vm, const struct domain *domain, struct task *task)
{
	struct node *node = vm->dom.node;
	struct linked_question *question = g_new0(struct linked_question, 1);
	g_autoptr(GError) error = NULL;

	question->task.end = identified;
	question->then = task;
	question->targets = g_ptr_array_new_with_free_func(g_free);
	question->users = g_ptr_array_new_with_free_func(g_free);
	question->paths = g_ptr_array_new_with_free_func(g_free);
	add_disks(question, node, domain);
	for (unsigned i = 0; question->targets->len && i < node->vms->len; i++) {
		if (node->vms->pdata[i] != vm)
			add_user(question, node->vms->pdata[i]);
	}
	question->ids = g_new0(struct file_id, MAX(question->paths->len, 1));
	/* By the name first: it is no question for the host then, nor if nobody refers to anything. */
	if (!question->users->len || !check(question, &error))
		task_end(&question->task, error);
	else
		node_identify(node, question->paths, question->ids, &question->task);
}
