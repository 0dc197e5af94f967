/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-commit.c - changes are made durable by the log first, by their files later
 *
 * The short way of a batch is one write into the log, which waits for the disk. From here on the
 * changes survive a crash, of the daemon or the host; that is all their clients wait for. What the files
 * are to be is "owed" to them: the last text of each, until it is in place. So a file that is changed
 * often, or removed again, is not written each time.
 *
 * If that write fails, or there may be no room for what the files are owed, the log is emptied, and the
 * batch goes the long way of store-files.c, which syncs each file and knows what to say of each.
 *
 * Others may fill the disk before the files have what they are owed. So room is kept for that, the reserve
 * (store-reserve.h), which is given up then, and made again when there is room. Should that not do, a daemon
 * starts all the same, and takes what is owed for what the files have.
 *
 * The log is emptied when it is full, and when nothing has come for a while: all that is owed is put in
 * place, all files that it has changes of are synced, and their folders. So
 *
 *  (1) a file that is not in the log, "dirty", is on the disk.
 *  (2) nothing goes the long way while the log has anything: after a crash the log would undo it.
 *  (3) a log that cannot be emptied is "stuck": there are no changes until it can be.
 *  (4) what is owed is dirty.
 *  (5) what is owed fits into the reserve, unless that was given up for it.
 *
 * States (store_is_in_run()) go the long way always, which does not sync them: they have to outlive the
 * daemon, not the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/store-int.h"
#include "daemon/store-reserve.h"
#include "daemon/store-wal.h"

struct store_commit {
	const struct store_folders *folders;
	struct wal wal;
	struct reserve reserve;
	/* By their keys: struct store_change, the last of each file that the log has any of. */
	GHashTable *dirty[STORE_KIND_COUNT];
	GQueue owed;      /* of those that are not in place yet, the oldest first */
	size_t owed_size; /* bytes of their texts */
	bool stuck;
};

static size_t text_size(const struct store_change *change)
{
	return change->text ? strlen(change->text) : 0;
}

/* == What the files are owed == */

/* The text of @change goes along. */
static void owe(struct store_commit *commit, struct store_change *change)
{
	GHashTable *dirty = commit->dirty[change->kind];
	struct store_change *last = g_hash_table_lookup(dirty, change->key);

	if (!last) {
		last = store_change_new(change->kind, change->key, NULL);
		store_change_set_path(last, commit->folders);
		g_hash_table_insert(dirty, last->key, last);
		last->placed = true;
	}
	if (last->placed)
		g_queue_push_tail(&commit->owed, last);
	else
		commit->owed_size -= text_size(last);
	commit->owed_size += text_size(change);
	g_free(last->text);
	last->text = g_steal_pointer(&change->text);
	last->has_text = last->text != NULL;
	last->placed = false;
}

bool store_commit_owes(const struct store_commit *commit)
{
	return commit->owed.length > 0;
}

static int pay_one(struct store_commit *commit)
{
	struct store_change *change = g_queue_peek_head(&commit->owed);
	int r = store_place(commit->folders, change);

	if (r < 0)
		return r;
	(void)g_queue_pop_head(&commit->owed);
	commit->owed_size -= text_size(change);
	g_clear_pointer(&change->text, g_free);
	change->placed = true;
	return 0;
}

bool store_commit_pay(struct store_commit *commit)
{
	return !store_commit_owes(commit) || pay_one(commit) == 0;
}

/* How many blocks of @size the files take at most that are owed, and @count more with @len bytes: of each the
 * last one is not full, and its name may need another one. */
static uint64_t blocks_owed(const struct store_commit *commit, size_t len, unsigned count,
			    unsigned long size)
{
	return (len + commit->owed_size) / size + 2 * ((uint64_t)count + commit->owed.length);
}

/* Could all files of a folder be written that are owed to any, and these? */
static bool has_room(const struct store_commit *commit, enum store_kind kind, size_t len,
		     unsigned count)
{
	struct statvfs vfs;

	if (sys_statvfs(commit->folders->path[kind], &vfs) < 0 || vfs.f_frsize == 0)
		return false;
	/* Some file systems have no table of inodes, and say that there are none. */
	return vfs.f_bavail >= blocks_owed(commit, len, count, vfs.f_frsize) &&
	       (vfs.f_files == 0 || vfs.f_favail >= (uint64_t)count + commit->owed.length);
}

/* And if others take that room? What is owed goes to its files if it must, for these to fit. */
static bool has_reserve(struct store_commit *commit, size_t len, unsigned count)
{
	const uint64_t blocks = RESERVE_SIZE / RESERVE_BLOCK;

	if (!reserve_is_there(&commit->reserve))
		return false;
	while (blocks_owed(commit, len, count, RESERVE_BLOCK) > blocks) {
		if (!store_commit_owes(commit) || pay_one(commit) < 0)
			return false;
	}
	return true;
}

static bool has_room_for(struct store_commit *commit, struct store_change *const *changes,
			 unsigned count)
{
	size_t len = 0;
	unsigned texts = 0;

	for (unsigned i = 0; i < count; i++) {
		len += text_size(changes[i]);
		texts += changes[i]->text != NULL;
	}
	/* They are folders of one. */
	return has_reserve(commit, len, texts) &&
	       (!texts || has_room(commit, changes[0]->kind, len, texts));
}

/* == Emptying the log == */

static int sync_file(const char *path)
{
	autofd int fd = sys_open(path, O_RDONLY, 0);

	return fd < 0 ? fd : sys_fsync(fd);
}

static int sync_dirty(struct store_commit *commit)
{
	int r = 0;

	while (r == 0 && store_commit_owes(commit))
		r = pay_one(commit);
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++) {
		GHashTableIter iter;
		void *dirty;

		g_hash_table_iter_init(&iter, commit->dirty[kind]);
		while (r == 0 && g_hash_table_iter_next(&iter, NULL, &dirty)) {
			const struct store_change *change = dirty;

			if (change->has_text)
				r = sync_file(change->path);
		}
		if (r == 0 && g_hash_table_size(commit->dirty[kind]))
			r = sys_fsync(commit->folders->fd[kind]);
	}
	return r;
}

static void forget_dirty(struct store_commit *commit)
{
	g_queue_clear(&commit->owed);
	commit->owed_size = 0;
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++)
		g_hash_table_remove_all(commit->dirty[kind]);
}

/* Files are to have what the log has, whatever they have now. */
static int owe_log(struct store_commit *commit)
{
	g_autoptr(GPtrArray) changes =
		g_ptr_array_new_with_free_func((GDestroyNotify)store_change_free);
	int r = wal_read(&commit->wal, changes);

	for (unsigned i = 0; r == 0 && i < changes->len; i++)
		owe(commit, changes->pdata[i]);
	return r;
}

/* On a full disk with the room of the reserve. A file whose fsync(2) has failed may have lost its text. */
static int sync_log(struct store_commit *commit)
{
	int r = sync_dirty(commit);

	if ((r == -ENOSPC || r == -EDQUOT) && reserve_give_up(&commit->reserve)) {
		r = owe_log(commit);
		r = r < 0 ? r : sync_dirty(commit);
	}
	return r;
}

static int redo(struct store_commit *commit)
{
	int r = owe_log(commit);

	return r < 0 ? r : sync_log(commit);
}

static int empty_log(struct store_commit *commit)
{
	/* Once it was stuck, fsync(2) may find nothing wrong any more with what was lost. */
	int r = commit->stuck ? -EIO : sync_log(commit);

	if (r < 0)
		r = redo(commit);
	if (r == 0)
		r = wal_clear(&commit->wal);
	if (r < 0 && !commit->stuck)
		log_warning("definitions cannot be kept until the disk is mended: %s",
			    g_strerror(-r));
	commit->stuck = r < 0;
	if (r < 0)
		return r;
	forget_dirty(commit);
	/* Without one all goes the long way, and this is tried again each time. */
	(void)reserve_make(&commit->reserve);
	return 0;
}

bool store_commit_is_settled(const struct store_commit *commit)
{
	return wal_is_empty(&commit->wal);
}

bool store_commit_settle(struct store_commit *commit)
{
	return store_commit_is_settled(commit) || empty_log(commit) == 0;
}

/* == A batch == */

/* False: something has failed, and the changes are as they were. */
static bool short_way(struct store_commit *commit, struct store_change **changes, unsigned count)
{
	int r;

	if (commit->stuck || !has_room_for(commit, changes, count))
		return false;
	r = wal_append(&commit->wal, changes, count);
	if (r == -EFBIG && store_commit_settle(commit))
		r = wal_append(&commit->wal, changes, count);
	if (r < 0)
		return false;
	wal_confirm(&commit->wal);
	for (unsigned i = 0; i < count; i++)
		owe(commit, changes[i]);
	return true;
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

GPtrArray *store_commit_list_owed(const struct store_commit *commit)
{
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)store_change_free);

	for (const GList *at = commit->owed.head; at; at = at->next) {
		const struct store_change *owed = at->data;

		g_ptr_array_add(list, store_change_new(owed->kind, owed->key, owed->text));
	}
	return list;
}

/* Without room for it all goes the long way. */
static bool begin_log(struct store_commit *commit, GError **error)
{
	int why = wal_begin(&commit->wal), r;

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

/* What a crash has left in the log is put in place. */
static bool begin(struct store_commit *commit, GError **error)
{
	int r = owe_log(commit);

	if (r < 0)
		return error_sys(error, r, "cannot read '%s', the log of definitions",
				 commit->wal.path);
	r = sync_log(commit);
	commit->stuck = r < 0;
	if (commit->stuck) {
		log_warning("nothing can be defined, changed or undefined until the disk of '%s' "
			    "takes what was defined last (make room or mend it): %s",
			    commit->wal.path, g_strerror(-r));
		return true;
	}
	forget_dirty(commit);
	if (!begin_log(commit, error))
		return false;
	r = reserve_make(&commit->reserve);
	if (r < 0)
		log_warning("definitions take longer to keep until there is room for '%s': %s",
			    commit->reserve.path, g_strerror(-r));
	return true;
}

/* Nobody is kept from starting by a disk that is full, but by a log that cannot be read. */
static bool open_log(struct store_commit *commit, const char *state, GError **error)
{
	reserve_init(&commit->reserve, state);
	return wal_open(&commit->wal, state, error) && begin(commit, error);
}

struct store_commit *store_commit_new(const struct store_folders *folders, const char *state,
				      GError **error)
{
	struct store_commit *commit = g_new0(struct store_commit, 1);

	commit->folders = folders;
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++)
		commit->dirty[kind] = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
							    (GDestroyNotify)store_change_free);
	commit->wal.fd = commit->wal.direct = -1;
	if (open_log(commit, state, error))
		return commit;
	store_commit_free(commit);
	return NULL;
}

void store_commit_free(struct store_commit *commit)
{
	if (!commit)
		return;
	wal_close(&commit->wal);
	reserve_release(&commit->reserve);
	g_queue_clear(&commit->owed);
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++)
		g_hash_table_unref(commit->dirty[kind]);
	g_free(commit);
}
