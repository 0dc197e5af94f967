/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-commit.c - changes are made durable by the log first, by their files later
 *
 * The short way of a batch:
 *
 *	1. write   each new text beside the old one
 *	2. log     all of them: one write, which waits for the disk. From here on they survive a crash.
 *	3. place   each, as store-files.c does
 *
 * If anything at all fails, what was placed is taken back, the log is emptied, and the batch goes the
 * long way of store-files.c, which syncs each file and knows what to say of each.
 *
 * The log is emptied when it is full, and when nothing has come for a while: all files that it
 * has changes of are synced, and their folders. So
 *
 *  (1) a file that is not in the log, "dirty", is on the disk.
 *  (2) nothing goes the long way while the log has anything: after a crash the log would undo it.
 *  (3) a log that cannot be emptied is "stuck": there are no changes until it can be.
 *
 * States (store_is_in_run()) go the long way always, which does not sync them: they have to outlive the
 * daemon, not the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/store-int.h"
#include "daemon/store-wal.h"

struct store_commit {
	const struct store_folders *folders;
	struct wal wal;
	/* Paths of files that the log has changes of, and whether the last one was a text. */
	GHashTable *dirty[STORE_KIND_COUNT];
	bool stuck;
};

/* == Emptying the log == */

static int sync_file(const char *path)
{
	autofd int fd = sys_open(path, O_RDONLY, 0);

	return fd < 0 ? fd : sys_fsync(fd);
}

static int sync_dirty(struct store_commit *commit)
{
	int r = 0;

	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++) {
		GHashTableIter iter;
		void *path, *has_text;

		g_hash_table_iter_init(&iter, commit->dirty[kind]);
		while (r == 0 && g_hash_table_iter_next(&iter, &path, &has_text)) {
			if (GPOINTER_TO_INT(has_text))
				r = sync_file(path);
		}
		if (r == 0 && g_hash_table_size(commit->dirty[kind]))
			r = sys_fsync(commit->folders->fd[kind]);
	}
	return r;
}

/* Do again what the log has, the long way: a file whose fsync(2) has failed may have lost its text. */
static int redo(struct store_commit *commit)
{
	g_autoptr(GPtrArray) changes =
		g_ptr_array_new_with_free_func((GDestroyNotify)store_change_free);
	int r = wal_read(&commit->wal, changes);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < changes->len; i++)
		store_change_set_path(changes->pdata[i], commit->folders);
	store_carry_out(commit->folders, (struct store_change **)changes->pdata, changes->len);
	for (unsigned i = 0; i < changes->len && r == 0; i++)
		r = ((struct store_change *)changes->pdata[i])->err;
	return r;
}

static int empty_log(struct store_commit *commit)
{
	/* Once it was stuck, fsync(2) may find nothing wrong any more with what was lost. */
	int r = commit->stuck ? -EIO : sync_dirty(commit);

	if (r < 0)
		r = redo(commit);
	if (r == 0)
		r = wal_clear(&commit->wal);
	if (r < 0 && !commit->stuck)
		log_warning("definitions cannot be kept until the disk is mended: %s",
			    g_strerror(-r));
	commit->stuck = r < 0;
	for (unsigned kind = 0; kind < STORE_KIND_COUNT && r == 0; kind++)
		g_hash_table_remove_all(commit->dirty[kind]);
	return r;
}

bool store_commit_settle(struct store_commit *commit)
{
	return wal_is_empty(&commit->wal) || empty_log(commit) == 0;
}

/* == A batch == */

/* The new texts, the log, the places. False: something has failed. */
static bool try_short_way(struct store_commit *commit, struct store_change **changes,
			  unsigned count)
{
	int r;

	store_write(commit->folders, changes, count);
	for (unsigned i = 0; i < count; i++) {
		if (changes[i]->err)
			return false;
	}
	r = wal_append(&commit->wal, changes, count);
	if (r == -EFBIG && store_commit_settle(commit))
		r = wal_append(&commit->wal, changes, count);
	if (r < 0 || !store_place(commit->folders, changes, count))
		return false;
	wal_confirm(&commit->wal);
	return true;
}

static bool short_way(struct store_commit *commit, struct store_change **changes, unsigned count)
{
	bool done = !commit->stuck && try_short_way(commit, changes, count);

	if (!done)
		store_take_back(changes, count);
	for (unsigned i = 0; i < count; i++) {
		store_clean_up(changes[i]);
		if (done)
			g_hash_table_insert(commit->dirty[changes[i]->kind],
					    g_strdup(changes[i]->path),
					    GINT_TO_POINTER(changes[i]->text != NULL));
	}
	return done;
}

static void make_durable(struct store_commit *commit, struct store_change **changes, unsigned count)
{
	int r;

	if (!count || short_way(commit, changes, count))
		return;
	/* The batch may be in the log, though it has not happened. */
	r = empty_log(commit);
	if (r == 0)
		store_carry_out(commit->folders, changes, count);
	for (unsigned i = 0; i < count && r < 0; i++)
		changes[i]->err = r;
}

void store_commit(struct store_commit *commit, struct store_change **changes, unsigned count)
{
	g_autoptr(GPtrArray) status = g_ptr_array_new(), kept = g_ptr_array_new();

	for (unsigned i = 0; i < count; i++)
		g_ptr_array_add(store_is_in_run(changes[i]->kind) ? status : kept, changes[i]);
	make_durable(commit, (struct store_change **)kept->pdata, kept->len);
	store_carry_out(commit->folders, (struct store_change **)status->pdata, status->len);
}

/* == Beginning and end == */

/* What a crash has left in the log is put in place. Without room for a log all goes the long way. */
static bool begin(struct store_commit *commit, GError **error)
{
	int r = redo(commit), why;

	if (r < 0)
		return error_sys(error, r,
				 "cannot put definitions of '%s' in place (make room or mend "
				 "the disk, and start again)",
				 commit->wal.path);
	why = wal_begin(&commit->wal);
	if (why == 0)
		return true;
	r = wal_discard(&commit->wal);
	if (r < 0)
		return error_sys(error, r, "cannot empty '%s', the log of definitions",
				 commit->wal.path);
	log_warning(
		"definitions take longer to keep until socled is started again, as there can be "
		"no log '%s': %s",
		commit->wal.path, g_strerror(-why));
	return true;
}

struct store_commit *store_commit_new(const struct store_folders *folders, const char *state,
				      GError **error)
{
	struct store_commit *commit = g_new0(struct store_commit, 1);

	commit->folders = folders;
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++)
		commit->dirty[kind] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	commit->wal.fd = commit->wal.direct = -1;
	if (wal_open(&commit->wal, state, error) && begin(commit, error))
		return commit;
	store_commit_free(commit);
	return NULL;
}

void store_commit_free(struct store_commit *commit)
{
	if (!commit)
		return;
	wal_close(&commit->wal);
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++)
		g_hash_table_unref(commit->dirty[kind]);
	g_free(commit);
}
