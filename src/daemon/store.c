/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.c - definitions and states in files: the thread that writes them, and its queue
 *
 * A change is in one of three places: in the queue, in the thread's hands, in the list of those that
 * are done, for which the bell rings on the main loop. It moves in order, so texts of one key do.
 */
#include "daemon/store.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"
#include "daemon/store-int.h"

enum {
	PLACE_MS = 20,    /* behind a change it is put in its file */
	SETTLE_MS = 1000, /* behind the last change all is put on the disk */
};

struct store {
	struct store_folders folders;
	struct store_commit *commit;
	struct thread *thread;
	GPtrArray *owed;             /* what files were to be when it began, and could not */
	bool settled;                /* [thread] all is in files that are on the disk */
	int64_t place_at, settle_at; /* [thread] when, in us */
	GSource *bell;
	int bell_fd;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more;
	GPtrArray *queue, *done; /* of struct store_change */
	bool ending;
};

struct bell {
	GSource source;
	struct store *store;
};

/* Wait until there is more. False: it is @at, in us of g_get_monotonic_time(). */
static bool wait_until(struct store *store, int64_t at)
{
	struct timespec until = { .tv_sec = at / G_USEC_PER_SEC,
				  .tv_nsec = at % G_USEC_PER_SEC * 1000 };

	return pthread_cond_timedwait(&store->more, &store->lock, &until) != ETIMEDOUT;
}

/* If it could not be, that is tried again. */
static void set_settled(struct store *store, bool settled)
{
	store->settled = settled;
	store->settle_at = store->place_at =
		g_get_monotonic_time() + SETTLE_MS * G_TIME_SPAN_MILLISECOND;
}

/* Until there is more. When nothing comes for a while, what is in the log goes to its files, one by one. */
static void wait_for_more(struct store *store)
{
	bool owes = store_commit_owes(store->commit);

	if (store->settled) {
		pthread_cond_wait(&store->more, &store->lock);
		return;
	}
	if (wait_until(store, owes ? MIN(store->place_at, store->settle_at) : store->settle_at))
		return;
	pthread_mutex_unlock(&store->lock);
	if (!owes || !store_commit_pay(store->commit))
		set_settled(store, store_commit_settle(store->commit));
	pthread_mutex_lock(&store->lock);
}

static void ring(struct store *store)
{
	static const uint64_t one = 1;

	/* Not g_source_set_ready_time(): the main loop would wake up and wait for GLib's lock. */
	if (sys_write(store->bell_fd, &one, sizeof(one)) < 0)
		g_source_set_ready_time(store->bell, 0);
}

/* [thread] */
static void commit_batch(struct store *store, GPtrArray *batch)
{
	const bool owed = store_commit_owes(store->commit);

	store_commit(store->commit, (struct store_change **)batch->pdata, batch->len);
	store->settled = false;
	store->settle_at = g_get_monotonic_time() + SETTLE_MS * G_TIME_SPAN_MILLISECOND;
	if (!owed)
		store->place_at = g_get_monotonic_time() + PLACE_MS * G_TIME_SPAN_MILLISECOND;
}

static void run(void *opaque)
{
	struct store *store = opaque;

	pthread_mutex_lock(&store->lock);
	while (!store->ending || store->queue->len) {
		GPtrArray *batch = store->queue;

		if (!batch->len) {
			wait_for_more(store);
			continue;
		}
		store->queue = g_ptr_array_new();
		pthread_mutex_unlock(&store->lock);
		commit_batch(store, batch);
		pthread_mutex_lock(&store->lock);
		g_ptr_array_extend_and_steal(store->done, batch);
		pthread_mutex_unlock(&store->lock);
		ring(store);
		pthread_mutex_lock(&store->lock);
	}
	pthread_mutex_unlock(&store->lock);
	(void)store_commit_settle(store->commit);
}

static void change_end(struct store_change *change)
{
	g_autoptr(GError) error = NULL;

	if (change->err < 0)
		error_sys(&error, change->err,
			  "cannot %s '%s', so nothing was changed (mend what follows, and try "
			  "again)",
			  change->text ? "write" : "remove", change->path);
	task_end(change->task, error);
	store_change_free(change);
}

/* Tell those who wait; they may ask for more. */
static void tell_done(struct store *store)
{
	GPtrArray *done;

	pthread_mutex_lock(&store->lock);
	done = store->done;
	store->done = g_ptr_array_new();
	pthread_mutex_unlock(&store->lock);
	for (unsigned i = 0; i < done->len; i++)
		change_end(g_ptr_array_index(done, i));
	g_ptr_array_unref(done);
}

static int on_bell(GSource *source, GSourceFunc callback, void *opaque)
{
	struct store *store = ((struct bell *)source)->store;
	uint64_t rung;

	(void)callback;
	(void)opaque;
	if (g_source_get_ready_time(source) >= 0)
		g_source_set_ready_time(source, -1);
	(void)sys_read(store->bell_fd, &rung, sizeof(rung));
	tell_done(store);
	return G_SOURCE_CONTINUE;
}

static GSource *bell_new(struct store *store)
{
	static GSourceFuncs funcs = { .dispatch = on_bell };
	GSource *source = g_source_new(&funcs, sizeof(struct bell));

	((struct bell *)source)->store = store;
	g_source_set_static_name(source, "store");
	/* Else GLib takes its descriptor out of those of poll(2) meanwhile, and wakes itself up twice. */
	g_source_set_can_recurse(source, TRUE);
	g_source_add_unix_fd(source, store->bell_fd, G_IO_IN);
	g_source_attach(source, g_main_context_get_thread_default());
	return source;
}

static void init_lock(struct store *store)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&store->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&store->more, &attr);
	pthread_condattr_destroy(&attr);
}

static bool open_files(struct store *store, const char *state, const char *run_dir, GError **error)
{
	if (!store_folders_init(&store->folders, state, run_dir, error))
		return false;
	store->commit = store_commit_new(&store->folders, state, error);
	if (!store->commit)
		return false;
	store->bell_fd = sys_eventfd(0, EFD_NONBLOCK);
	return store->bell_fd >= 0 ||
	       error_sys(error, store->bell_fd, "cannot make an eventfd for '%s'", state);
}

static void close_files(struct store *store)
{
	fd_autoclose(&store->bell_fd);
	store_commit_free(store->commit);
	g_clear_pointer(&store->owed, g_ptr_array_unref);
	store_folders_release(&store->folders);
	g_free(store);
}

struct store *store_new(const char *state, const char *run_dir, GError **error)
{
	struct store *store = g_new0(struct store, 1);

	store->bell_fd = -1;
	if (!open_files(store, state, run_dir, error)) {
		close_files(store);
		return NULL;
	}
	/* The thread goes on with it. */
	store->owed = store_commit_list_owed(store->commit);
	set_settled(store, store_commit_is_settled(store->commit));
	init_lock(store);
	store->queue = g_ptr_array_new();
	store->done = g_ptr_array_new();
	store->bell = bell_new(store);
	store->thread = thread_start("store", run, store, error);
	if (!store->thread)
		g_clear_pointer(&store, store_free);
	return store;
}

void store_finish(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->ending = true;
	pthread_cond_signal(&store->more);
	pthread_mutex_unlock(&store->lock);
	thread_join(store->thread);
	store->thread = NULL;
	tell_done(store);
}

void store_free(struct store *store)
{
	if (!store)
		return;
	store_finish(store);
	g_source_destroy(store->bell);
	g_source_unref(store->bell);
	g_ptr_array_unref(store->queue);
	g_ptr_array_unref(store->done);
	pthread_cond_destroy(&store->more);
	pthread_mutex_destroy(&store->lock);
	close_files(store);
}

void store_load(struct store *store,
		bool (*load)(void *opaque, enum store_kind kind, const char *key, const char *text,
			     GError **error),
		void *opaque, struct store_count *ret_count)
{
	store_load_folders(&store->folders, store->owed, load, opaque, ret_count);
}

bool store_is_new(const struct store *store, enum store_kind kind)
{
	return store->folders.is_new[kind];
}

static void refuse(struct task *task)
{
	g_autoptr(GError) error = NULL;

	error_set(&error, SOCLE_ERROR_STATE,
		  "the daemon is being stopped, so nothing was changed; try again when it is back");
	task_end(task, error);
}

/* @text NULL: remove. */
static void ask(struct store *store, enum store_kind kind, const char *key, const char *text,
		struct task *task)
{
	struct store_change *change;

	/* It becomes the name of a file. */
	g_assert(g_uuid_string_is_valid(key));
	if (!store->thread) {
		refuse(task);
		return;
	}
	change = store_change_new(kind, key, text);
	change->task = task;
	store_change_set_path(change, &store->folders);
	pthread_mutex_lock(&store->lock);
	g_ptr_array_add(store->queue, change);
	pthread_mutex_unlock(&store->lock);
	/* Behind that, so that the thread does not wake up for a lock that is taken. */
	pthread_cond_signal(&store->more);
}

static void save(void *opaque, enum store_kind kind, const char *key, const char *text,
		 struct task *task)
{
	ask(opaque, kind, key, text, task);
}

static void remove_key(void *opaque, enum store_kind kind, const char *key, struct task *task)
{
	ask(opaque, kind, key, NULL, task);
}

const struct store_ops store_file_ops = {
	.save = save,
	.remove = remove_key,
};
