/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread.c - start a thread that has a name, and wait for its end
 */
#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

struct thread {
	pthread_t id;
	void (*fn)(void *arg);
	void *arg;
	char name[16];
};

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS };

static void *thread_main(void *opaque)
{
	struct thread *thread = opaque;

	(void)pthread_setname_np(pthread_self(), thread->name);
	thread->fn(thread->arg);
	return NULL;
}

struct thread *thread_start(const char *name, void (*fn)(void *arg), void *arg, GError **error)
{
	struct thread *thread = g_new(struct thread, 1);
	sigset_t all, old;
	int err;

	*thread = (struct thread){ .fn = fn, .arg = arg };
	g_strlcpy(thread->name, name, sizeof(thread->name));
	/* The new thread inherits the mask: signals are for the main loop. But for those that tell
	 * of a thread's own crash, which would end the process past its handlers if blocked. */
	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
		sigdelset(&all, crash_signals[i]);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread->id, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		error_sys(error, -err, "cannot start thread '%s'", name);
		g_free(thread);
		return NULL;
	}
	return thread;
}

void thread_join(struct thread *thread)
{
	if (!thread)
		return;
	pthread_join(thread->id, NULL);
	g_free(thread);
}

void thread_detach(struct thread *thread)
{
	pthread_detach(thread->id);
	g_free(thread);
}

void thread_set_own_name(const char *name)
{
	(void)pthread_setname_np(pthread_self(), name);
}

void thread_signal(struct thread *thread, int sig)
{
	(void)pthread_kill(thread->id, sig);
}

unsigned long long thread_cpu_ns(struct thread *thread)
{
	struct timespec ts;
	clockid_t clock;

	if (pthread_getcpuclockid(thread->id, &clock) || clock_gettime(clock, &ts) < 0)
		return 0;
	return (unsigned long long)ts.tv_sec * 1000000000u + (unsigned long long)ts.tv_nsec;
}

int thread_id_self(void)
{
	return gettid();
}
