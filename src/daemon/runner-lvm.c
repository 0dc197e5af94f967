/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-lvm.c - internal snapshots of disks that are logical volumes: lvm2 keeps them
 *
 * The snapshot "S" of a disk on volume V is volume "V.S". Of one disk it is of one moment without anybody's
 * help; a machine with several stands still meanwhile. Going back is for a machine that is off: V becomes
 * what V.S is, and V.S is taken anew, so that one can go back again. If one of several cannot go back those before
 * it are told, and have V.S again: going back once more takes up the rest. So it does behind a daemon that was
 * killed: of a disk that had gone back V.S is missing, and is all that is left to do.
 *
 * That a machine stands still for us is kept before it does: the next daemon lets it go on. Each V.S has a tag
 * of this one snapshot, so that what is left of it can be told from others of the same name.
 */
#include <inttypes.h>
#include <string.h>

#include "base/aside.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/lvm.h"
#include "daemon/runner-int.h"
#include "model/snapshot.h"

enum act {
	TAKE,
	CHECK,       /* could one go back, if nobody used it? */
	CHECK_AGAIN, /* can one go back now? */
	GO_BACK,     /* of one disk: without a new V.S */
	DROP,
	UNDO, /* drop, if it was made by this TAKE */
};

struct volumes {
	struct task task; /* of the machine that goes on */
	struct task *then;
	struct dom *dom; /* of a machine that stands still, or NULL */
	struct aside *aside;
	enum act act;
	bool again;       /* some of the disks may have gone back before */
	GPtrArray *paths; /* of the disks */
	char *suffix, *tag;
	GError *error;
};

static void volumes_free(void *opaque)
{
	struct volumes *v = opaque;

	g_ptr_array_unref(v->paths);
	g_free(v->suffix);
	g_free(v->tag);
	g_clear_error(&v->error);
	g_free(v);
}

/* A snapshot's name may have letters that a volume's has not. */
static char *suffix_of(const char *name)
{
	GString *text = g_string_new(".");

	for (const char *p = name; *p; p++) {
		if (g_ascii_isalnum(*p) || strchr("_.-", *p))
			g_string_append_c(text, *p);
		else
			g_string_append_printf(text, "+%02X", (unsigned char)*p);
	}
	return g_string_free(text, FALSE);
}

/* [the thread] */
static bool act_on(const struct volumes *v, enum act act, const char *path, GError **error)
{
	g_autofree char *group = NULL, *origin = NULL, *snapshot = NULL;
	g_autoptr(GError) why = NULL;

	if (!lvm_place(path, &group, &origin, &why))
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"'%s' cannot hold a snapshot, since it is no logical volume (%s); ask "
			"for an external one",
			path, why->message);
	snapshot = g_strconcat(origin, v->suffix, NULL);
	if (act == TAKE)
		return lvm_snapshot(group, snapshot, origin, 0, v->tag, error);
	if (act == UNDO)
		return lvm_remove_tagged(group, snapshot, v->tag, error);
	if (act == CHECK || act == CHECK_AGAIN)
		return lvm_restore_check(group, snapshot, act == CHECK, error);
	if (act == GO_BACK)
		return lvm_restore(group, snapshot, error);
	if (lvm_remove(group, snapshot, false, &why) ||
	    g_error_matches(why, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND))
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

/* [the thread] A step of the way back, which a disk may have behind it. */
static bool step_back(const struct volumes *v, enum act act, const char *path, GError **error)
{
	g_autoptr(GError) why = NULL;

	if (act_on(v, act, path, &why) ||
	    (v->again && g_error_matches(why, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND)))
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

static bool step_back_all(struct volumes *v, enum act act, unsigned *ret_done)
{
	unsigned done = 0;

	while (done < v->paths->len && step_back(v, act, v->paths->pdata[done], &v->error))
		done++;
	*ret_done = done;
	return !v->error;
}

/* [the thread] One goes back with all, as far as can be known. */
static void go_back(struct volumes *v)
{
	unsigned done = 0, checked;

	if (step_back_all(v, CHECK_AGAIN, &checked) && !step_back_all(v, GO_BACK, &done) && done)
		g_prefix_error(
			&v->error,
			"%u of %u disks have gone back, and '%s' has not; revert the machine "
			"once more: ",
			done, v->paths->len, (char *)v->paths->pdata[done]);
	if (v->error && (done || v->again)) {
		v->error->domain = SOCLE_ERROR;
		v->error->code = SOCLE_ERROR_PARTLY;
	}
	for (unsigned i = 0; i < done; i++) {
		g_autoptr(GError) error = NULL;

		if (act_on(v, TAKE, v->paths->pdata[i], &error))
			continue;
		log_warning("'%s' has gone back, but its snapshot is used up by that: %s",
			    (char *)v->paths->pdata[i], error->message);
		if (!v->error)
			v->error = g_steal_pointer(&error);
	}
}

/* [the thread] Of all, whatever becomes of one. */
static void undo(struct volumes *v)
{
	for (unsigned i = 0; i < v->paths->len; i++) {
		g_autoptr(GError) error = NULL;

		if (!act_on(v, UNDO, v->paths->pdata[i], &error) && !v->error)
			v->error = g_steal_pointer(&error);
	}
}

/* [the thread] Snapshots are taken of all, or of none. */
static void work(void *opaque)
{
	struct volumes *v = opaque;
	unsigned done = 0;

	if (v->act == GO_BACK) {
		go_back(v);
		return;
	}
	if (v->act == UNDO) {
		undo(v);
		return;
	}
	if (v->act == CHECK) {
		(void)step_back_all(v, CHECK, &done);
		return;
	}
	while (done < v->paths->len && act_on(v, v->act, v->paths->pdata[done], &v->error))
		done++;
	while (v->error && v->act == TAKE && done-- > 0) {
		g_autoptr(GError) error = NULL;

		if (!act_on(v, DROP, v->paths->pdata[done], &error))
			log_warning("a snapshot of '%s' stays: %s", (char *)v->paths->pdata[done],
				    error->message);
	}
}

static void end(struct volumes *v)
{
	struct aside *aside = v->aside;

	task_end(v->then, v->error);
	if (aside)
		aside_drop(aside);
	else
		volumes_free(v);
}

static void set_standing(struct dom *dom, bool standing)
{
	if (!dom->machine)
		return;
	runner_of(dom->machine)->standing = standing;
	if (!standing)
		runner_changed(runner_of(dom->machine));
}

static void goes_on(struct task *task, const GError *error)
{
	struct volumes *v = container_of(task, struct volumes, task);

	set_standing(v->dom, false);
	if (error && !v->error)
		v->error = g_error_copy(error);
	end(v);
}

static void worked(void *opaque)
{
	struct volumes *v = opaque;

	v->task.end = goes_on;
	/* It may have ended meanwhile. */
	if (v->dom && v->dom->machine)
		runner_resume(v->dom->machine, &v->task);
	else
		end(v);
}

static void begin(struct volumes *v)
{
	const struct aside_work what = {
		.name = "lvm", .fn = work, .end = worked, .free = volumes_free, .arg = v
	};

	v->aside = aside_start(&what, &v->error);
	if (!v->aside)
		worked(v);
}

static void stands_still(struct task *task, const GError *error)
{
	struct volumes *v = container_of(task, struct volumes, task);

	if (!error) {
		begin(v);
		return;
	}
	set_standing(v->dom, false);
	v->error = g_error_copy(error);
	end(v);
}

/* That it is going to stand still. */
static void kept(struct task *task, const GError *error)
{
	struct volumes *v = container_of(task, struct volumes, task);

	if (!error && v->dom->machine) {
		v->task.end = stands_still;
		runner_pause(v->dom->machine, &v->task);
		return;
	}
	set_standing(v->dom, false);
	if (error)
		v->error = g_error_copy(error);
	else
		error_set(&v->error, SOCLE_ERROR_NOT_ACTIVE, "the machine has ended");
	end(v);
}

static const struct domain_disk *disk_of(const struct domain *domain,
					 const struct snapshot_disk *entry)
{
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];

		if (disk_path(disk) && !g_strcmp0(disk->target.dev, entry->name))
			return disk;
	}
	return NULL;
}

bool runner_lvm_wants(const struct domain *domain, const struct snapshot *snapshot)
{
	for (unsigned i = 0; i < snapshot->disks.count; i++) {
		const struct domain_disk *disk = disk_of(domain, &snapshot->disks.list[i]);

		if (snapshot->disks.list[i].where == SNAPSHOT_INTERNAL && disk &&
		    disk_keeps_snapshots(disk))
			return true;
	}
	return false;
}

/* @domain: whose disks, as they were at the snapshot. */
static struct volumes *volumes_new(enum act act, const struct dom *dom, const struct domain *domain,
				   const struct snapshot *snapshot, struct task *task)
{
	struct volumes *v = g_new0(struct volumes, 1);

	v->act = act;
	v->then = task;
	v->suffix = suffix_of(snapshot->name);
	v->tag =
		g_strdup_printf("socle.%s.%" PRId64, dom->uuid_text, snapshot->creation_time.value);
	v->paths = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < snapshot->disks.count; i++) {
		const struct domain_disk *disk = disk_of(domain, &snapshot->disks.list[i]);

		if (disk && snapshot->disks.list[i].where == SNAPSHOT_INTERNAL)
			g_ptr_array_add(v->paths, g_strdup(disk_path(disk)));
	}
	return v;
}

void runner_lvm_snapshot(struct machine *machine, const struct snapshot *snapshot,
			 struct task *task)
{
	struct volumes *v = volumes_new(TAKE, machine->dom, machine->dom->live, snapshot, task);

	if (v->paths->len < 2 || runner_of(machine)->paused) {
		begin(v);
		return;
	}
	v->dom = machine->dom;
	v->task.end = kept;
	set_standing(v->dom, true);
	machine_keep(v->dom, &v->task);
}

void runner_lvm_offline_snapshot(struct dom *dom, const struct snapshot *snapshot,
				 struct task *task)
{
	begin(volumes_new(TAKE, dom, dom->config, snapshot, task));
}

/* Of disks as they were then. */
static void begin_back(enum act act, const struct dom *dom, const struct snapshot *snapshot,
		       bool again, struct task *task)
{
	struct volumes *v = volumes_new(act, dom, snapshot->domain, snapshot, task);

	v->again = again;
	begin(v);
}

void runner_revert_check(struct dom *dom, const struct snapshot *snapshot, bool again,
			 struct task *task)
{
	begin_back(CHECK, dom, snapshot, again, task);
}

void runner_offline_revert(struct dom *dom, const struct snapshot *snapshot, bool again,
			   struct task *task)
{
	begin_back(GO_BACK, dom, snapshot, again, task);
}

void runner_snapshot_drop(struct dom *dom, const struct snapshot *snapshot, struct task *task)
{
	begin(volumes_new(DROP, dom, snapshot->domain, snapshot, task));
}

void runner_snapshot_undo(struct dom *dom, const struct snapshot *snapshot, struct task *task)
{
	begin(volumes_new(UNDO, dom, snapshot->domain, snapshot, task));
}
