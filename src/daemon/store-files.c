/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-files.c - files that are replaced as a whole or not at all
 *
 * For several changes at once, in steps; what is lost with the host anyway (store_is_in_run()) is not
 * synced, since it has to survive the daemon only:
 *
 *	1. write   each new text into a file of its own beside the old one, .KEY.N.new
 *	2. fsync   of each
 *	3. place   in order: the old file gets a second name .KEY.N.old; rename(2) the new one over
 *		   it. A removal is a rename to that name.
 *	4. fsync   of each folder, once. If that fails, step 3 is taken back, last change first.
 *	5. remove  the second names
 *
 * A killed daemon leaves names with a dot in front, which mean nothing: those of step 1 and 2 were
 * never told to be there, and those of step 3 are replaced or removed by then.
 *
 * store-commit.c has another way for most changes: its log stands for steps 2 and 4, and nothing is
 * ever taken back, so store_place() needs no second names.
 *
 * In any crash: (1) KEY.xml has a whole text, since it was on the disk before it got that name; (2)
 * a change that was told to be done is on the disk, since its folder was.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/store-int.h"
#include "daemon/store.h"

static const char *const folder_names[] = {
	[STORE_DOMAIN] = "domains",
	[STORE_STATUS] = "status",
	[STORE_SNAPSHOTS] = "snapshots",
	[STORE_NETWORK] = "networks",
	[STORE_NETWORK_STATUS] = "network-status",
	[STORE_POOL] = "pools",
	[STORE_POOL_STATUS] = "pool-status",
	[STORE_SECRET] = "secrets",
	[STORE_SECRET_VALUE] = "secret-values",
};

static_assert(ARRAY_SIZE(folder_names) == STORE_KIND_COUNT, "a folder for each kind");

/* Step 1 of a change that has a text. */
static int write_fresh(struct store_change *change, const char *fresh)
{
	ssize_t n;

	change->fd = sys_open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (change->fd < 0)
		return change->fd;
	change->fresh = g_strdup(fresh);
	n = sys_write_full(change->fd, change->text, strlen(change->text));
	return n < 0 ? (int)n : 0;
}

/* Step 2. */
static void sync_fresh(struct store_change *change)
{
	if (change->fd < 0)
		return;
	if (!change->err && !store_is_in_run(change->kind))
		change->err = sys_fsync(change->fd);
	fd_autoclose(&change->fd);
}

/* Give the old file a second name, for the way back. */
static int keep_former(struct store_change *change, const char *former)
{
	int r = sys_link(change->path, former);

	if (r == -EEXIST) {
		(void)sys_unlink(former);
		r = sys_link(change->path, former);
	}
	if (r == -ENOENT)
		return 0;
	change->replaced = true;
	/* Some file systems have no second names. */
	if (r == -EPERM || r == -EOPNOTSUPP || r == -EMLINK)
		return 0;
	if (r == 0)
		change->former = g_strdup(former);
	return r;
}

/* Step 3. */
static int place(struct store_change *change, const char *former)
{
	int r = 0;

	if (change->text) {
		r = keep_former(change, former);
		if (r == 0)
			r = sys_rename(change->fresh, change->path);
		if (r < 0)
			return r;
		g_clear_pointer(&change->fresh, g_free);
	} else {
		r = sys_rename(change->path, former);
		if (r < 0 && r != -ENOENT)
			return r;
		change->replaced = r == 0;
		change->former = change->replaced ? g_strdup(former) : NULL;
	}
	change->placed = true;
	return 0;
}

/* Step 3 backwards. What goes wrong here cannot be helped: the disk is failing. */
static void take_back(struct store_change *change, int err)
{
	int r = 0;

	if (change->former)
		r = sys_rename(change->former, change->path);
	else if (change->replaced)
		r = -EOPNOTSUPP;
	else if (change->text)
		r = sys_unlink(change->path);
	if (r < 0)
		log_warning("'%s' has a text that its writer was told is not there: %s",
			    change->path, g_strerror(-r));
	else
		g_clear_pointer(&change->former, g_free);
	change->placed = false;
	change->err = err;
}

static void sync_folder(const struct store_folders *folders, enum store_kind kind,
			struct store_change **changes, unsigned count)
{
	bool any = false;
	int err;

	for (unsigned i = 0; i < count && !any; i++)
		any = changes[i]->kind == kind && changes[i]->placed;
	if (!any)
		return;
	err = sys_fsync(folders->fd[kind]);
	if (err == 0)
		return;
	for (unsigned i = count; i-- > 0;) {
		if (changes[i]->kind == kind && changes[i]->placed)
			take_back(changes[i], err);
	}
}

/* Step 5, and what a change that failed has left. */
static void clean_up(struct store_change *change)
{
	fd_autoclose(&change->fd);
	if (change->fresh)
		(void)sys_unlink(change->fresh);
	if (change->former)
		(void)sys_unlink(change->former);
	g_clear_pointer(&change->fresh, g_free);
	g_clear_pointer(&change->former, g_free);
}

static char *fresh_name(const struct store_folders *folders, const struct store_change *change,
			unsigned i)
{
	return g_strdup_printf("%s/.%s.%u.new", folders->path[change->kind], change->key, i);
}

static int place_one(const struct store_folders *folders, struct store_change *change, unsigned i)
{
	g_autofree char *former =
		g_strdup_printf("%s/.%s.%u.old", folders->path[change->kind], change->key, i);

	return place(change, former);
}

void store_carry_out(const struct store_folders *folders, struct store_change **changes,
		     unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *fresh = fresh_name(folders, changes[i], i);

		changes[i]->err = changes[i]->text ? write_fresh(changes[i], fresh) : 0;
	}
	for (unsigned i = 0; i < count; i++)
		sync_fresh(changes[i]);
	for (unsigned i = 0; i < count; i++) {
		if (!changes[i]->err)
			changes[i]->err = place_one(folders, changes[i], i);
	}
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++) {
		if (!store_is_in_run(kind))
			sync_folder(folders, kind, changes, count);
	}
	for (unsigned i = 0; i < count; i++)
		clean_up(changes[i]);
}

int store_place(const struct store_folders *folders, struct store_change *change)
{
	g_autofree char *fresh = fresh_name(folders, change, 0);
	int r;

	if (change->text) {
		r = write_fresh(change, fresh);
		r = r < 0 ? r : sys_rename(change->fresh, change->path);
		if (r == 0)
			g_clear_pointer(&change->fresh, g_free);
	} else {
		r = sys_unlink(change->path);
		r = r == -ENOENT ? 0 : r;
	}
	clean_up(change);
	return r;
}

/* == Changes == */

struct store_change *store_change_new(enum store_kind kind, const char *key, const char *text)
{
	struct store_change *change = g_new(struct store_change, 1);

	*change = (struct store_change){
		.kind = kind,
		.key = g_strdup(key),
		.text = g_strdup(text),
		.fd = -1,
	};
	return change;
}

void store_change_set_path(struct store_change *change, const struct store_folders *folders)
{
	change->path = g_strconcat(folders->path[change->kind], "/", change->key, ".xml", NULL);
}

void store_change_free(struct store_change *change)
{
	g_free(change->key);
	g_free(change->text);
	g_free(change->path);
	g_free(change->fresh);
	g_free(change->former);
	g_free(change);
}

/* == Folders == */

static bool make_folder(const char *path, bool *ret_is_new, GError **error)
{
	int r = sys_mkdir(path, 0700);

	*ret_is_new = r >= 0;
	if (r < 0 && r != -EEXIST)
		return error_sys(error, r, "cannot make folder '%s'", path);
	return true;
}

/* Names of the kind that the steps above make. */
static void remove_leftovers(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *full = g_strconcat(path, "/", name, NULL);

		if (name[0] == '.' &&
		    (g_str_has_suffix(name, ".new") || g_str_has_suffix(name, ".old")))
			(void)sys_unlink(full);
	}
	if (dir)
		g_dir_close(dir);
}

static bool folder_open(struct store_folders *folders, enum store_kind kind, const char *parent,
			GError **error)
{
	char *path = g_strconcat(parent, "/", folder_names[kind], NULL);

	folders->path[kind] = path;
	if (!make_folder(path, &folders->is_new[kind], error))
		return false;
	folders->fd[kind] = sys_open(path, O_RDONLY | O_DIRECTORY, 0);
	if (folders->fd[kind] < 0)
		return error_sys(error, folders->fd[kind], "cannot open folder '%s'", path);
	remove_leftovers(path);
	return true;
}

/* The names of our folders are to be on the disk, too. */
static bool sync_parent(const char *path, GError **error)
{
	autofd int fd = sys_open(path, O_RDONLY | O_DIRECTORY, 0);
	int r = fd < 0 ? fd : sys_fsync(fd);

	return r < 0 ? error_sys(error, r, "cannot keep folder '%s' on the disk", path) : true;
}

bool store_folders_init(struct store_folders *folders, const char *state, const char *run,
			GError **error)
{
	bool ok = true;

	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++)
		folders->fd[kind] = -1;
	for (unsigned kind = 0; kind < STORE_KIND_COUNT && ok; kind++)
		ok = folder_open(folders, kind, store_is_in_run(kind) ? run : state, error);
	if (ok && sync_parent(state, error))
		return true;
	store_folders_release(folders);
	return false;
}

void store_folders_release(struct store_folders *folders)
{
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++) {
		g_clear_pointer(&folders->path[kind], g_free);
		fd_autoclose(&folders->fd[kind]);
	}
}
