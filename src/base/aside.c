/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.c - work that may take its time, or never end, on a thread of its own
 *
 * The work is freed by the later one of its thread, when it has returned, and aside_drop(). Who is the
 * later one is settled under the lock: dropped and returned are never taken back.
 *
 * Work waits in a queue for a thread. As many as there are CPUs are woken or made for it at once, as it is often
 * short and comes in rows; when it has waited for a moment all the same (others compute, or hang), or
 * somebody waits for it, it gets one more. So nothing waits for another for longer than that. A thread that finds
 * no work waits for a second before it ends ("idle").
 */
#include "base/aside.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"

enum {
	IDLE_MAX = 32, /* about what one client may ask for together */
	IDLE_S = 1,
	PATIENCE_US = 1000, /* how long work waits for one of the threads that are busy */
};

struct helper {
	struct thread *thread;
	char name[16]; /* of the work before */
	pthread_cond_t more;
	bool called; /* it is to look into the queue */
	GList link;  /* of idle ones, while it is idle */
};

/* Guards the threads, and what waits for one. */
static pthread_mutex_t crew_lock = PTHREAD_MUTEX_INITIALIZER;
static GQueue idle = G_QUEUE_INIT;  /* of struct helper, the youngest first */
static GQueue queue = G_QUEUE_INIT; /* of struct aside, the oldest first */
static unsigned busy;               /* threads that are not idle ... */
static unsigned coming;             /* ... and have not looked into the queue yet */
static unsigned enough;             /* busy ones, for the CPUs; 0: not known yet */

struct aside {
	struct aside_work work;
	GSource *bell;    /* NULL: nobody wants to be told */
	GList link;       /* in the queue, while it is waiting */
	bool waiting;     /* for a thread */
	gint64 queued_us; /* since then */

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

static void run(struct aside *aside)
{
	bool dropped;

	aside->work.fn(aside->work.arg);
	pthread_mutex_lock(&aside->lock);
	aside->returned = true;
	dropped = aside->dropped;
	if (!dropped && aside->bell)
		g_source_set_ready_time(aside->bell, 0);
	pthread_cond_broadcast(&aside->end);
	pthread_mutex_unlock(&aside->lock);
	/* If it was not, it may be gone by now. */
	if (dropped)
		aside_free(aside);
}

/* == Threads == */

static struct aside *take_locked(void)
{
	GList *link = g_queue_pop_head_link(&queue);
	struct aside *aside = link ? link->data : NULL;

	if (aside)
		aside->waiting = false;
	return aside;
}

/* Wait to be called. False: nobody has, for long; or too many wait already. */
static bool rest_locked(struct helper *helper)
{
	struct timespec until;
	int err = 0;

	if (idle.length >= IDLE_MAX)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	busy--;
	g_queue_push_head_link(&idle, &helper->link);
	while (!helper->called && err != ETIMEDOUT)
		err = pthread_cond_clockwait(&helper->more, &crew_lock, CLOCK_MONOTONIC, &until);
	/* Who calls it takes it off the list. */
	if (!helper->called) {
		g_queue_unlink(&idle, &helper->link);
		busy++;
	}
	return helper->called;
}

/* NULL: there is nothing to do, and the thread ends. */
static struct aside *next_work(struct helper *helper)
{
	struct aside *aside;

	pthread_mutex_lock(&crew_lock);
	do {
		if (helper->called)
			coming--;
		helper->called = false;
		aside = take_locked();
	} while (!aside && rest_locked(helper));
	if (!aside)
		busy--;
	pthread_mutex_unlock(&crew_lock);
	return aside;
}

static void take_name(struct helper *helper, const struct aside *aside)
{
	if (!strcmp(helper->name, aside->work.name))
		return;
	g_strlcpy(helper->name, aside->work.name, sizeof(helper->name));
	thread_set_own_name(helper->name);
}

static void helper_run(void *opaque)
{
	struct helper *helper = opaque;
	struct aside *aside;

	/* Its start holds the lock: ->thread is there behind the first. */
	while ((aside = next_work(helper))) {
		take_name(helper, aside);
		run(aside);
	}
	thread_detach(helper->thread);
	pthread_cond_destroy(&helper->more);
	g_free(helper);
}

static bool start_locked(GError **error)
{
	struct helper *helper = g_new(struct helper, 1);

	*helper = (struct helper){ .more = PTHREAD_COND_INITIALIZER,
				   .name = "aside",
				   .called = true,
				   .link.data = helper };
	helper->thread = thread_start(helper->name, helper_run, helper, error);
	if (!helper->thread) {
		g_free(helper);
		return false;
	}
	busy++;
	coming++;
	return true;
}

/* One more thread looks for work. */
static bool call_locked(GError **error)
{
	GList *link = g_queue_pop_head_link(&idle);
	struct helper *helper;

	if (!link)
		return start_locked(error);
	helper = link->data;
	helper->called = true;
	busy++;
	coming++;
	pthread_cond_signal(&helper->more);
	return true;
}

/* == Impatience: a source of the main loop, while something waits == */

static GSource *watch;

/* A thread for each that has waited long enough; those who come later are looked at again. */
static int watch_dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
	const gint64 now = g_get_monotonic_time();
	gint64 next = -1;

	(void)callback;
	(void)opaque;
	pthread_mutex_lock(&crew_lock);
	for (const GList *l = queue.head; l; l = l->next) {
		const struct aside *aside = l->data;

		if (next < 0)
			next = now + PATIENCE_US;
		if (now - aside->queued_us < PATIENCE_US || !call_locked(NULL))
			break;
	}
	g_source_set_ready_time(source, next);
	pthread_mutex_unlock(&crew_lock);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs watch_funcs = { .dispatch = watch_dispatch };

static void watch_locked(void)
{
	if (!watch) {
		watch = g_source_new(&watch_funcs, sizeof(GSource));
		g_source_set_static_name(watch, "work that waits");
		g_source_attach(watch, NULL);
	}
	if (g_source_get_ready_time(watch) < 0)
		g_source_set_ready_time(watch, g_get_monotonic_time() + PATIENCE_US);
}

/* False: no thread could be had, and there is none. */
static bool enqueue(struct aside *aside, GError **error)
{
	bool called, ok;

	pthread_mutex_lock(&crew_lock);
	/* Asking reads a file. */
	if (!enough)
		enough = MAX(g_get_num_processors(), 2);
	aside->waiting = true;
	aside->queued_us = g_get_monotonic_time();
	g_queue_push_tail_link(&queue, &aside->link);
	called = busy < enough && call_locked(error);
	ok = called || busy;
	if (ok)
		g_clear_error(error);
	else
		g_queue_unlink(&queue, &aside->link);
	if (ok && !called)
		watch_locked();
	pthread_mutex_unlock(&crew_lock);
	return ok;
}

/* Somebody waits for it: it is the next. */
static void hurry(struct aside *aside)
{
	pthread_mutex_lock(&crew_lock);
	if (aside->waiting) {
		g_queue_unlink(&queue, &aside->link);
		g_queue_push_head_link(&queue, &aside->link);
		if (!coming)
			(void)call_locked(NULL);
	}
	pthread_mutex_unlock(&crew_lock);
}

/* == Work == */

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
				 .link.data = aside,
				 .lock = PTHREAD_MUTEX_INITIALIZER,
				 .end = PTHREAD_COND_INITIALIZER };
	if (work->end) {
		aside->bell = g_source_new(&bell_funcs, sizeof(struct bell));
		((struct bell *)aside->bell)->aside = aside;
		g_source_set_static_name(aside->bell, "work aside");
		g_source_attach(aside->bell, NULL);
	}
	if (enqueue(aside, error))
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
	if (!aside->returned)
		hurry(aside);
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
	if (returned)
		aside_free(aside);
}
