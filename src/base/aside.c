/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.c - work that may take its time, or never end, on a thread of its own
 *
 * The work is freed by the later one of its thread, when it has returned, and aside_drop(). Who is the
 * later one is settled under the lock: dropped and returned are never taken back.
 */
#include "base/aside.h"

#include <pthread.h>

#include "base/thread.h"

struct aside {
	struct aside_work work;
	struct thread *thread;
	GSource *bell; /* NULL: nobody wants to be told */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t end;
	bool returned, dropped;
};

struct bell {
	GSource source;
	struct aside *aside;
};

static void aside_free(struct aside *aside)
{
	if (aside->work.free)
		aside->work.free(aside->work.arg);
	pthread_cond_destroy(&aside->end);
	pthread_mutex_destroy(&aside->lock);
	g_free(aside);
}

static void run(void *opaque)
{
	struct aside *aside = opaque;
	bool dropped;

	aside->work.fn(aside->work.arg);
	pthread_mutex_lock(&aside->lock);
	aside->returned = true;
	dropped = aside->dropped;
	if (!dropped && aside->bell)
		g_source_set_ready_time(aside->bell, 0);
	pthread_cond_broadcast(&aside->end);
	pthread_mutex_unlock(&aside->lock);
	if (!dropped)
		return;
	thread_detach(aside->thread);
	aside_free(aside);
}

static int bell_dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
	struct aside *aside = ((struct bell *)source)->aside;

	(void)callback;
	(void)opaque;
	g_source_set_ready_time(source, -1);
	/* Behind the lock, so that all is seen that the thread has written. */
	if (aside_wait(aside, UINT64_MAX))
		aside->work.end(aside->work.arg);
	/* The work may be gone now, the source lives until we return. */
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs bell_funcs = { .dispatch = bell_dispatch };

static void bell_free(struct aside *aside)
{
	if (!aside->bell)
		return;
	g_source_destroy(aside->bell);
	g_source_unref(aside->bell);
	aside->bell = NULL;
}

struct aside *aside_start(const struct aside_work *work, GError **error)
{
	struct aside *aside = g_new(struct aside, 1);

	*aside = (struct aside){ .work = *work,
				 .lock = PTHREAD_MUTEX_INITIALIZER,
				 .end = PTHREAD_COND_INITIALIZER };
	if (work->end) {
		aside->bell = g_source_new(&bell_funcs, sizeof(struct bell));
		((struct bell *)aside->bell)->aside = aside;
		g_source_set_static_name(aside->bell, "work aside");
		g_source_attach(aside->bell, NULL);
	}
	/* The thread looks at ->thread only after it has had the lock. */
	pthread_mutex_lock(&aside->lock);
	aside->thread = thread_start(work->name, run, aside, error);
	pthread_mutex_unlock(&aside->lock);
	if (aside->thread)
		return aside;
	bell_free(aside);
	aside->work.free = NULL;
	aside_free(aside);
	return NULL;
}

bool aside_wait(struct aside *aside, uint64_t deadline_ns)
{
	const struct timespec deadline = {
		.tv_sec = (time_t)(deadline_ns / 1000000000),
		.tv_nsec = (long)(deadline_ns % 1000000000),
	};
	bool returned;
	int err = 0;

	pthread_mutex_lock(&aside->lock);
	while (!aside->returned && !err) {
		if (deadline_ns == UINT64_MAX)
			err = pthread_cond_wait(&aside->end, &aside->lock);
		else
			err = pthread_cond_clockwait(&aside->end, &aside->lock, CLOCK_MONOTONIC,
						     &deadline);
	}
	returned = aside->returned;
	pthread_mutex_unlock(&aside->lock);
	return returned;
}

void aside_drop(struct aside *aside)
{
	bool returned;

	if (!aside)
		return;
	pthread_mutex_lock(&aside->lock);
	aside->dropped = true;
	returned = aside->returned;
	/* Under the lock: the thread rings no bell that goes. */
	bell_free(aside);
	pthread_mutex_unlock(&aside->lock);
	if (!returned)
		return;
	thread_join(aside->thread);
	aside_free(aside);
}
