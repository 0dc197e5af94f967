/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-thread.c - threads: name, signals, end
 */
#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

struct report {
	char name[16];
	int id;
	bool blocked; /* SIGINT, SIGTERM, SIGUSR1, SIGCHLD */
	bool crash_blocked;
	atomic_uint hits, ready, stop;
};

static void report_main(void *arg)
{
	struct report *r = arg;
	sigset_t mask;

	pthread_getname_np(pthread_self(), r->name, sizeof(r->name));
	r->id = thread_id_self();
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	r->blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) &&
		     sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGCHLD);
	r->crash_blocked = sigismember(&mask, SIGSEGV) || sigismember(&mask, SIGABRT);
}

static void test_start(void)
{
	struct report r = { .id = 0 };
	GError *error = NULL;
	struct thread *thread = thread_start("vcpu-0", report_main, &r, &error);
	sigset_t mask;

	g_assert_no_error(error);
	g_assert_nonnull(thread);
	thread_join(thread);
	g_assert_cmpstr(r.name, ==, "vcpu-0");
	g_assert_cmpint(r.id, >, 0);
	g_assert_cmpint(r.id, !=, thread_id_self());
	g_assert_true(r.blocked);
	/* A crash must reach the handler that restores the terminal. */
	g_assert_false(r.crash_blocked);
	/* Not so in who started it. */
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	g_assert_false(sigismember(&mask, SIGTERM));
}

static void test_long_name(void)
{
	struct report r = { .id = 0 };

	thread_join(thread_start("a-name-much-too-long", report_main, &r, NULL));
	g_assert_cmpstr(r.name, ==, "a-name-much-too");
}

static atomic_uint signals;

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&signals, 1);
}

static void wait_main(void *arg)
{
	struct report *r = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	atomic_store(&r->ready, 1);
	while (!atomic_load(&signals))
		;
}

static void test_signal(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct report r = { .id = 0 };
	struct thread *thread;

	sigaction(SIGUSR2, &sa, NULL);
	thread = thread_start("signalled", wait_main, &r, NULL);
	g_assert_nonnull(thread);
	while (!atomic_load(&r.ready))
		;
	g_assert_cmpuint(thread_cpu_ns(thread), >, 0);
	thread_signal(thread, SIGUSR2);
	thread_join(thread);
	g_assert_cmpuint(atomic_load(&signals), ==, 1);
}

static void test_join_nothing(void)
{
	thread_join(NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/thread/start", test_start);
	g_test_add_func("/thread/long-name", test_long_name);
	g_test_add_func("/thread/signal", test_signal);
	g_test_add_func("/thread/join-nothing", test_join_nothing);
	return g_test_run();
}
