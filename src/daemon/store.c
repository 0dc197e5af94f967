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
#include <time.h>

#include "base/error.h"
#include "base/thread.h"
#include "daemon/store-int.h"

enum {
	SETTLE_S = 1
};

struct store {
	struct store_folders folders;
	struct store_commit *commit;
	struct thread *thread;
	bool settled; /* [thread] all is in the files */
	GSource *bell;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more;
	GPtrArray *queue, *done; /* of struct store_change */
	bool ending;
};

struct bell {
	GSource source;
	struct store *store;
};

/* Until there is more. When nothing comes for a while, all that is in the log goes to its files. */
static void wait_for_more(struct store *store)
{
	struct timespec until;

	if (store->settled) {
		pthread_cond_wait(&store->more, &store->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SETTLE_S;
	if (pthread_cond_timedwait(&store->more, &store->lock, &until) != ETIMEDOUT)
		return;
	pthread_mutex_unlock(&store->lock);
	store->settled = store_commit_settle(store->commit);
	pthread_mutex_lock(&store->lock);
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
		store_commit(store->commit, (struct store_change **)batch->pdata, batch->len);
		store->settled = false;
		pthread_mutex_lock(&store->lock);
		g_ptr_array_extend_and_steal(store->done, batch);
		g_source_set_ready_time(store->bell, 0);
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
	(void)callback;
	(void)opaque;
	g_source_set_ready_time(source, -1);
	tell_done(((struct bell *)source)->store);
	return G_SOURCE_CONTINUE;
}

static GSource *bell_new(struct store *store)
{
	static GSourceFuncs funcs = { .dispatch = on_bell };
	GSource *source = g_source_new(&funcs, sizeof(struct bell));

	((struct bell *)source)->store = store;
	g_source_set_static_name(source, "store");
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

struct store *store_new(const char *state, const char *run_dir, GError **error)
{
	struct store *store = g_new0(struct store, 1);

	if (!store_folders_init(&store->folders, state, run_dir, error)) {
		g_free(store);
		return NULL;
	}
	store->commit = store_commit_new(&store->folders, state, error);
	if (!store->commit) {
		store_folders_release(&store->folders);
		g_free(store);
		return NULL;
	}
	store->settled = true;
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
	store_commit_free(store->commit);
	store_folders_release(&store->folders);
	g_free(store);
}

void store_load(struct store *store,
		bool (*load)(void *opaque, enum store_kind kind, const char *key, const char *text,
			     GError **error),
		void *opaque, struct store_count *ret_count)
{
	store_load_folders(&store->folders, load, opaque, ret_count);
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
	pthread_cond_signal(&store->more);
	pthread_mutex_unlock(&store->lock);
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
