/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-aside.c - work on a thread of its own: its end, limits, and what is left behind
 */
#include <glib.h>
#include <semaphore.h>

#include "base/aside.h"
#include "base/sys.h"

struct job {
	sem_t go, freed;
	pthread_t thread, freed_by;
	unsigned value, ended;
	struct aside *aside; /* end() drops it */
};

static void job_init(struct job *job, unsigned go)
{
	*job = (struct job){ 0 };
	sem_init(&job->go, 0, go);
	sem_init(&job->freed, 0, 0);
}

static void job_wait(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

static void job_run(void *arg)
{
	struct job *job = arg;

	job_wait(&job->go);
	job->thread = pthread_self();
	job->value = 42;
}

static void job_end(void *arg)
{
	struct job *job = arg;

	g_assert_cmpuint(job->value, ==, 42);
	job->ended++;
	g_clear_pointer(&job->aside, aside_drop);
}

static void job_free(void *arg)
{
	struct job *job = arg;

	job->freed_by = pthread_self();
	sem_post(&job->freed);
}

static struct aside *start(struct job *job, bool tell)
{
	g_autoptr(GError) error = NULL;
	struct aside *aside = aside_start(&(struct aside_work){ .name = "test",
								.fn = job_run,
								.end = tell ? job_end : NULL,
								.free = job_free,
								.arg = job },
					  &error);

	g_assert_no_error(error);
	return aside;
}

static bool is_freed(struct job *job)
{
	return sem_trywait(&job->freed) == 0;
}

/* The main loop hears of it once, and may drop it there. */
static void test_told(void)
{
	struct job job;

	job_init(&job, 1);
	job.aside = start(&job, true);
	while (!job.ended)
		g_main_context_iteration(NULL, TRUE);
	while (g_main_context_iteration(NULL, FALSE))
		;
	g_assert_cmpuint(job.ended, ==, 1);
	g_assert_false(pthread_equal(job.thread, pthread_self()));
	g_assert_true(is_freed(&job));
	g_assert_true(pthread_equal(job.freed_by, pthread_self()));
}

static void test_wait(void)
{
	uint64_t begin = sys_monotonic_ns();
	struct aside *aside;
	struct job job;

	job_init(&job, 0);
	aside = start(&job, true);
	g_assert_false(aside_wait(aside, begin));
	g_assert_false(aside_wait(aside, begin + 20000000));
	g_assert_cmpuint(sys_monotonic_ns(), >=, begin + 20000000);
	sem_post(&job.go);
	g_assert_true(aside_wait(aside, UINT64_MAX));
	g_assert_cmpuint(job.value, ==, 42);
	g_assert_false(is_freed(&job));
	/* Dropped before the main loop was told: it is told no more. */
	aside_drop(aside);
	g_assert_true(is_freed(&job));
	while (g_main_context_iteration(NULL, FALSE))
		;
	g_assert_cmpuint(job.ended, ==, 0);
}

/* What hangs is left behind, and frees its own when it comes back. */
static void test_left_behind(void)
{
	struct job job;

	job_init(&job, 0);
	aside_drop(start(&job, true));
	g_assert_false(is_freed(&job));
	sem_post(&job.go);
	job_wait(&job.freed);
	g_assert_true(pthread_equal(job.freed_by, job.thread));
	while (g_main_context_iteration(NULL, FALSE))
		;
	g_assert_cmpuint(job.ended, ==, 0);
	aside_drop(NULL);
}

/* Drop and return meet at all times. */
static void test_race(void)
{
	static struct job jobs[500];

	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
		struct aside *aside;

		job_init(&jobs[i], 1);
		aside = start(&jobs[i], i % 2);
		/* Not by yielding: on a busy host each time of that may be a whole slice. */
		for (volatile unsigned spin = 0; spin < i % 50 * 1000; spin++)
			;
		aside_drop(aside);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
		job_wait(&jobs[i].freed);
		g_assert_cmpuint(jobs[i].value, ==, 42);
		g_assert_cmpuint(jobs[i].ended, ==, 0);
	}
}

/* How many of @jobs had a thread that one before them had had. */
static unsigned count_again(const struct job *jobs, unsigned count)
{
	unsigned again = 0;

	for (unsigned i = 1; i < count; i++) {
		bool had = false;

		for (unsigned k = 0; k < i; k++)
			had |= pthread_equal(jobs[i].thread, jobs[k].thread);
		again += had;
	}
	return again;
}

/* Work in a row shares threads; work beside other work that hangs is done. */
static void test_threads(void)
{
	struct job jobs[20];
	struct aside *asides[2];

	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
		job_init(&jobs[i], 1);
		asides[0] = start(&jobs[i], false);
		g_assert_true(aside_wait(asides[0], UINT64_MAX));
		aside_drop(asides[0]);
		/* It is idle a moment later. */
		g_usleep(5000);
	}
	g_assert_cmpuint(count_again(jobs, G_N_ELEMENTS(jobs)), >, 5);
	for (unsigned i = 0; i < 2; i++) {
		job_init(&jobs[i], 0);
		asides[i] = start(&jobs[i], false);
	}
	sem_post(&jobs[1].go);
	g_assert_true(aside_wait(asides[1], UINT64_MAX));
	sem_post(&jobs[0].go);
	g_assert_true(aside_wait(asides[0], UINT64_MAX));
	aside_drop(asides[0]);
	aside_drop(asides[1]);
	/* Behind a second there is nobody, and all goes on. */
	g_usleep(1300000);
	job_init(&jobs[0], 1);
	asides[0] = start(&jobs[0], false);
	g_assert_true(aside_wait(asides[0], UINT64_MAX));
	aside_drop(asides[0]);
}

/* Work that hangs keeps nobody: neither who is waited for, nor who the main loop is to be told of. */
static void test_hanging(void)
{
	static struct job hung[40];
	struct job waited, told;
	struct aside *asides[G_N_ELEMENTS(hung)], *aside;

	for (unsigned i = 0; i < G_N_ELEMENTS(hung); i++) {
		job_init(&hung[i], 0);
		asides[i] = start(&hung[i], false);
	}
	job_init(&waited, 1);
	aside = start(&waited, false);
	g_assert_true(aside_wait(aside, UINT64_MAX));
	aside_drop(aside);
	job_init(&told, 1);
	told.aside = start(&told, true);
	while (!told.ended)
		g_main_context_iteration(NULL, TRUE);
	for (unsigned i = 0; i < G_N_ELEMENTS(hung); i++)
		sem_post(&hung[i].go);
	for (unsigned i = 0; i < G_N_ELEMENTS(hung); i++) {
		g_assert_true(aside_wait(asides[i], UINT64_MAX));
		aside_drop(asides[i]);
	}
}

/* What comes in a row is done by few threads. */
static void test_row(void)
{
	static struct job jobs[200];
	struct aside *asides[G_N_ELEMENTS(jobs)];

	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
		job_init(&jobs[i], 1);
		asides[i] = start(&jobs[i], false);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
		g_assert_true(aside_wait(asides[i], UINT64_MAX));
		aside_drop(asides[i]);
	}
	g_assert_cmpuint(count_again(jobs, G_N_ELEMENTS(jobs)), >, 100);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/aside/told", test_told);
	g_test_add_func("/aside/wait", test_wait);
	g_test_add_func("/aside/left-behind", test_left_behind);
	g_test_add_func("/aside/race", test_race);
	g_test_add_func("/aside/threads", test_threads);
	g_test_add_func("/aside/hanging", test_hanging);
	g_test_add_func("/aside/row", test_row);
	return g_test_run();
}
