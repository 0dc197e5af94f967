/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vol-raw.c - what a volume is: what the storage says, but raw if a machine has it as a raw disk
 *
 * A guest can write the header of an image to its raw disk, and name a file of the host in it; so what a
 * machine has as raw is that, whatever its bytes say. Definitions name a path, and more than one leads to a
 * file (vol-protect.c). So where a volume looks like an image, and no raw disk has its path, it is asked what
 * the paths of raw disks lead to.
 *
 * Who lists a pool asks for many volumes together, and each needs that of all machines. So it is asked in
 * rounds: who comes while one is on its way waits for the next one, which answers all of them. A round begins
 * behind those whom it answers, so nothing that it finds is old.
 */
#include <assert.h>
#include <string.h>

#include "manage/pool-int.h"
#include "manage/vm-int.h"
#include "model/domain.h"

/* A question for a volume. */
struct looking {
	struct task task;  /* of the storage */
	struct pool *pool; /* held */
	char *name, *path;
	struct storage_vol **ret_vol;
	struct file_id id;
	struct task *then;
};

/* There is one for a node. */
struct raw_round {
	struct task task;
	struct node *node;
	GPtrArray *waiting; /* of struct looking: for the next one */
	GPtrArray *asked;   /* the same, of this one; NULL: there is none on its way */
	GPtrArray *paths;   /* char *: of all raw disks */
	struct file_id *ids;
};

static bool disk_is_raw(const struct domain_disk *disk)
{
	return !disk->driver.type || !strcmp(disk->driver.type, "raw");
}

/* == By name == */

static bool has_raw_path(const struct domain *domain, const char *path)
{
	for (unsigned i = 0; domain && i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];

		if (disk->type != DISK_VOLUME && disk_is_raw(disk) &&
		    !g_strcmp0(disk_path(disk), path))
			return true;
	}
	return false;
}

static bool has_raw(const struct domain *domain, const struct looking *looking)
{
	for (unsigned i = 0; domain && i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];
		const struct disk_source *source = &disk->source;
		bool it = disk->type == DISK_VOLUME
				  ? !g_strcmp0(source->pool, looking->pool->name) &&
					    !g_strcmp0(source->volume, looking->name)
				  : !g_strcmp0(disk_path(disk), looking->path);

		if (it && disk_is_raw(disk))
			return true;
	}
	return false;
}

static bool is_raw_by_name(const struct looking *looking)
{
	const GPtrArray *vms = looking->pool->node->vms;

	for (unsigned i = 0; i < vms->len; i++) {
		const struct vm *vm = vms->pdata[i];

		if (has_raw(vm->dom.config, looking) || has_raw(vm->dom.live, looking))
			return true;
	}
	return false;
}

/* == By what paths lead to == */

/* @but: whose paths are there already. */
static void add_raw_disks(GPtrArray *paths, struct node *node, const struct domain *domain,
			  const struct domain *but)
{
	for (unsigned i = 0; domain && i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];
		char *path = disk_is_raw(disk) && !(but && has_raw_path(but, disk_path(disk)))
				     ? node_disk_path(node, disk)
				     : NULL;

		if (path)
			g_ptr_array_add(paths, path);
	}
}

static void looking_end(struct looking *looking, const GError *error)
{
	struct task *then = looking->then;

	object_unref(&looking->pool->object);
	g_free(looking->name);
	g_free(looking->path);
	g_free(looking);
	task_end(then, error);
}

static void round_start(struct raw_round *round);

/* Those that were asked for have their answers. */
static void round_ended(struct task *task, const GError *error)
{
	struct raw_round *round = container_of(task, struct raw_round, task);
	g_autoptr(GPtrArray) asked = g_steal_pointer(&round->asked);
	g_autoptr(GPtrArray) paths = g_steal_pointer(&round->paths);
	g_autofree struct file_id *ids = g_steal_pointer(&round->ids);

	for (unsigned i = 0; !error && i < asked->len; i++) {
		struct looking *looking = asked->pdata[i];
		bool raw = false;

		for (unsigned n = 0; n < paths->len && !raw; n++)
			raw = file_id_same(&looking->id, &ids[n]);
		if (raw)
			storage_vol_take_raw(*looking->ret_vol);
	}
	if (round->waiting->len)
		round_start(round);
	for (unsigned i = 0; i < asked->len; i++)
		looking_end(asked->pdata[i], error);
}

static void round_start(struct raw_round *round)
{
	const GPtrArray *vms = round->node->vms;

	round->asked = g_steal_pointer(&round->waiting);
	round->waiting = g_ptr_array_new();
	round->paths = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < vms->len; i++) {
		const struct vm *vm = vms->pdata[i];

		add_raw_disks(round->paths, round->node, vm->dom.config, NULL);
		add_raw_disks(round->paths, round->node, vm->dom.live, vm->dom.config);
	}
	round->ids = g_new0(struct file_id, round->paths->len);
	if (round->paths->len)
		node_identify(round->node, round->paths, round->ids, &round->task);
	else
		task_end(&round->task, NULL);
}

static void await_round(struct looking *looking)
{
	struct node *node = looking->pool->node;

	if (!node->raw_round) {
		node->raw_round = g_new0(struct raw_round, 1);
		node->raw_round->task.end = round_ended;
		node->raw_round->node = node;
		node->raw_round->waiting = g_ptr_array_new();
	}
	g_ptr_array_add(node->raw_round->waiting, looking);
	if (!node->raw_round->asked)
		round_start(node->raw_round);
}

void raw_round_free(struct raw_round *round)
{
	if (!round)
		return;
	assert(!round->asked);
	g_ptr_array_unref(round->waiting);
	g_free(round);
}

/* == The question == */

static void looked(struct task *task, const GError *error)
{
	struct looking *looking = container_of(task, struct looking, task);

	if (error || storage_vol_is_raw(*looking->ret_vol)) {
		looking_end(looking, error);
	} else if (is_raw_by_name(looking)) {
		storage_vol_take_raw(*looking->ret_vol);
		looking_end(looking, NULL);
	} else {
		await_round(looking);
	}
}

void pool_look(struct pool *pool, const char *name, struct storage_vol **ret_vol, struct task *task)
{
	struct looking *looking = g_new(struct looking, 1);

	*looking = (struct looking){ .task.end = looked,
				     .pool = pool,
				     .name = g_strdup(name),
				     .path = vol_path(pool, name),
				     .ret_vol = ret_vol,
				     .then = task };
	object_ref(&pool->object);
	pool->storage->ops->look(pool->storage, looking->name, ret_vol, &looking->id,
				 &looking->task);
}
