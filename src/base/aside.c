/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.c - work that may take its time, or never end, on a thread of its own
 *
 * The work is freed by the later one of its thread, when it has returned, and aside_drop(). Who is the
 * later one is settled under the lock: dropped and returned are never taken back.
 *
 * A thread whose work has returned waits for the next for a second ("idle"), as work is often short and
 * comes in rows. Work that comes while no thread is idle gets a new one, so none waits for another.
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
};

struct helper {
	struct thread *thread;
	char name[16];       /* of the work before */
	pthread_cond_t more; /* ->next is there */
	struct aside *next;
	GList link; /* of idle ones, while it is idle */
};

/* Between two pieces of work, the youngest first. */
static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static GQueue idle = G_QUEUE_INIT;

struct aside {
	struct aside_work work;
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

/* Wait for the next work. NULL: none has come. */
static struct aside *next_work(struct helper *helper)
{
	struct timespec until;
	struct aside *next;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	pthread_mutex_lock(&idle_lock);
	if (idle.length < IDLE_MAX) {
		g_queue_push_head_link(&idle, &helper->link);
		while (!helper->next && err != ETIMEDOUT)
			err = pthread_cond_clockwait(&helper->more, &idle_lock, CLOCK_MONOTONIC,
						     &until);
		/* Who gives it work takes it off the list. */
		if (!helper->next)
			g_queue_unlink(&idle, &helper->link);
	}
	next = g_steal_pointer(&helper->next);
	pthread_mutex_unlock(&idle_lock);
	return next;
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
	struct aside *aside = g_steal_pointer(&helper->next);

	for (; aside; aside = next_work(helper)) {
		take_name(helper, aside);
		run(aside);
	}
	/* Behind its start: ->thread is there. */
	pthread_mutex_lock(&idle_lock);
	pthread_mutex_unlock(&idle_lock);
	thread_detach(helper->thread);
	pthread_cond_destroy(&helper->more);
	g_free(helper);
}

static bool helper_start(struct aside *aside, GError **error)
{
	struct helper *helper = g_new(struct helper, 1);
	bool ok;

	*helper = (struct helper){ .more = PTHREAD_COND_INITIALIZER,
				   .next = aside,
				   .link.data = helper };
	g_strlcpy(helper->name, aside->work.name, sizeof(helper->name));
	pthread_mutex_lock(&idle_lock);
	helper->thread = thread_start(helper->name, helper_run, helper, error);
	ok = helper->thread;
	pthread_mutex_unlock(&idle_lock);
	if (!ok)
		g_free(helper);
	return ok;
}

/* False: nobody is idle. */
static bool give_to_idle(struct aside *aside)
{
	GList *link;

	pthread_mutex_lock(&idle_lock);
	link = g_queue_pop_head_link(&idle);
	if (link) {
		struct helper *helper = link->data;

		helper->next = aside;
		pthread_cond_signal(&helper->more);
	}
	pthread_mutex_unlock(&idle_lock);
	return link;
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
				 .lock = PTHREAD_MUTEX_INITIALIZER,
				 .end = PTHREAD_COND_INITIALIZER };
	if (work->end) {
		aside->bell = g_source_new(&bell_funcs, sizeof(struct bell));
		((struct bell *)aside->bell)->aside = aside;
		g_source_set_static_name(aside->bell, "work aside");
		g_source_attach(aside->bell, NULL);
	}
	if (give_to_idle(aside) || helper_start(aside, error))
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
	if (returned)
		aside_free(aside);
}
