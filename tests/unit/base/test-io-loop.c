/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-io-loop.c - the loop in both kinds: calls, watches, timers, ops, failures on demand
 *
 * Each case runs on io_uring and on threads. Where the host permits no io_uring, that half is
 * skipped.
 */
#include "base/io-loop.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/sys.h"
#include "base/thread.h"

static uint64_t test_now(void *opaque)
{
	return *(uint64_t *)opaque;
}

/* A manual loop whose clock is *now, or the host's. */
static struct io_loop *manual_loop(const void *kind, uint64_t *now)
{
	GError *error = NULL;
	struct io_loop *loop = io_loop_new_manual((enum io_loop_kind)GPOINTER_TO_INT(kind),
						  now ? test_now : NULL, now, &error);

	g_assert_no_error(error);
	return loop;
}

static struct io_loop *thread_loop(const void *kind)
{
	GError *error = NULL;
	struct io_loop *loop =
		io_loop_new("test-loop", (enum io_loop_kind)GPOINTER_TO_INT(kind), &error);

	g_assert_no_error(error);
	return loop;
}

static void settle(struct io_loop *loop)
{
	while (io_loop_run(loop, false))
		;
}

/* Calls */

struct note {
	struct io_work work;
	struct io_loop *loop;
	GString *log;
	char letter;
	struct note *then; /* posted by the call */
};

#define NOTE(name) .work = { .fn = note_run, .opaque = &(name) }, .loop = loop, .log = log

static void note_run(void *opaque)
{
	struct note *note = opaque;

	g_string_append_c(note->log, note->letter);
	if (note->then)
		io_loop_post(note->loop, &note->then->work);
}

static void test_post(const void *kind)
{
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	GString *log = g_string_new(NULL);
	struct note c = { NOTE(c), .letter = 'c', .then = NULL };
	struct note b = { NOTE(b), .letter = 'b', .then = &c };
	struct note a = { NOTE(a), .letter = 'a', .then = NULL };

	g_assert_true(io_loop_is_current(loop));
	g_assert_false(io_loop_run(loop, false));
	io_loop_post(loop, &b.work);
	io_loop_post(loop, &a.work);
	io_loop_post(loop, &b.work);
	/* In order, each once; what a call posts is for the next round, also if that may wait. */
	g_assert_true(io_loop_run(loop, true));
	g_assert_cmpstr(log->str, ==, "ba");
	g_assert_true(io_loop_run(loop, true));
	g_assert_cmpstr(log->str, ==, "bac");
	g_assert_false(io_loop_run(loop, false));
	g_string_free(log, true);
}

struct endless {
	struct io_work work;
	struct io_loop *loop;
	unsigned runs, heard;
};

static void endless_run(void *opaque)
{
	struct endless *e = opaque;

	e->runs++;
	io_loop_post(e->loop, &e->work);
}

static void endless_heard(void *opaque, unsigned events)
{
	struct endless *e = opaque;

	g_assert_cmpuint(events, ==, POLLIN);
	e->heard++;
}

static void test_no_starving(const void *kind)
{
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	struct endless e = { .work = { .fn = endless_run, .opaque = &e }, .loop = loop };
	autofd int fd = sys_eventfd(1, 0);
	struct io_watch watch = { .fd = fd, .fn = endless_heard, .opaque = &e };

	io_watch_add(loop, &watch, POLLIN);
	io_loop_post(loop, &e.work);
	for (int i = 0; i < 10; i++)
		g_assert_true(io_loop_run(loop, true));
	g_assert_cmpuint(e.runs, ==, 10);
	g_assert_cmpuint(e.heard, >=, 9);
	io_watch_remove(loop, &watch);
}

enum {
	POSTERS = 4,
	POSTS = 50000
};

struct poster {
	struct io_loop *loop;
	struct io_work work;
	struct thread *thread;
	atomic_uint asked;
	unsigned served, runs; /* loop only */
};

static void poster_served(void *opaque)
{
	struct poster *p = opaque;

	p->runs++;
	p->served = atomic_load_explicit(&p->asked, memory_order_relaxed);
}

static void poster_main(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < POSTS; i++) {
		atomic_fetch_add_explicit(&p->asked, 1, memory_order_relaxed);
		io_loop_post(p->loop, &p->work);
		/* Now and then let the loop fall asleep. */
		if (i % 64 == 0)
			g_thread_yield();
	}
}

static void nothing(void *opaque)
{
	*(bool *)opaque = true;
}

static void test_post_threads(const void *kind)
{
	autoptr(io_loop) loop = thread_loop(kind);
	struct poster posters[POSTERS] = { 0 };
	bool called = false;

	g_assert_false(io_loop_is_current(loop));
	for (int i = 0; i < POSTERS; i++) {
		posters[i].loop = loop;
		posters[i].work = (struct io_work){ .fn = poster_served, .opaque = &posters[i] };
		posters[i].thread = thread_start("poster", poster_main, &posters[i], NULL);
		g_assert_nonnull(posters[i].thread);
	}
	for (int i = 0; i < POSTERS; i++)
		thread_join(posters[i].thread);
	io_loop_call(loop, nothing, &called);
	g_assert_true(called);
	/* The last post of each has been served, and none more often than asked for. */
	for (int i = 0; i < POSTERS; i++) {
		g_assert_cmpuint(posters[i].served, ==, POSTS);
		g_assert_cmpuint(posters[i].runs, <=, POSTS);
		g_assert_cmpuint(posters[i].runs, >, 0);
	}
}

static void count_one(void *opaque)
{
	(*(unsigned *)opaque)++;
}

struct counter {
	struct io_work work;
	unsigned *count;
};

struct many {
	struct io_loop *loop;
	struct counter counters[1000];
	unsigned *count;
};

static void many_main(void *arg)
{
	struct many *many = arg;

	for (size_t i = 0; i < ARRAY_SIZE(many->counters); i++) {
		many->counters[i].work = (struct io_work){ .fn = count_one, .opaque = many->count };
		io_loop_post(many->loop, &many->counters[i].work);
	}
}

/* Calls that are all different run each exactly once. */
static void test_post_exact(const void *kind)
{
	autoptr(io_loop) loop = thread_loop(kind);
	struct many *many = g_new0(struct many, POSTERS);
	struct thread *threads[POSTERS];
	unsigned count = 0;
	bool called = false;

	for (int i = 0; i < POSTERS; i++) {
		many[i].loop = loop;
		many[i].count = &count;
		threads[i] = thread_start("poster", many_main, &many[i], NULL);
		g_assert_nonnull(threads[i]);
	}
	for (int i = 0; i < POSTERS; i++)
		thread_join(threads[i]);
	io_loop_call(loop, nothing, &called);
	g_assert_cmpuint(count, ==, POSTERS * ARRAY_SIZE(many->counters));
	g_free(many);
}

/* Each call finds the loop asleep, or nearly: none may be lost. */
static void test_call(const void *kind)
{
	autoptr(io_loop) loop = thread_loop(kind);
	unsigned count = 0;

	for (unsigned i = 0; i < 2000; i++) {
		io_loop_call(loop, count_one, &count);
		g_assert_cmpuint(count, ==, i + 1);
	}
}

/* Watches */

struct ear {
	struct io_watch watch;
	struct io_loop *loop;
	unsigned calls, last;
	struct io_watch *remove; /* in the call */
	bool drain;
};

static void ear_heard(void *opaque, unsigned events)
{
	struct ear *ear = opaque;
	uint64_t value;

	ear->calls++;
	ear->last = events;
	if (ear->drain)
		g_assert_cmpint(sys_read(ear->watch.fd, &value, 8), ==, 8);
	if (ear->remove)
		io_watch_remove(ear->loop, ear->remove);
}

static void ear_open(struct ear *ear, struct io_loop *loop, int fd)
{
	*ear = (struct ear){
		.watch = { .fd = fd, .fn = ear_heard, .opaque = ear },
		.loop = loop,
	};
}

static void test_watch(const void *kind)
{
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	autofd int fd = sys_eventfd(0, 0);
	uint64_t one = 1;
	struct ear ear;

	ear_open(&ear, loop, fd);
	io_watch_add(loop, &ear.watch, POLLIN);
	settle(loop);
	g_assert_cmpuint(ear.calls, ==, 0);

	/* Level-triggered: again and again until it is drained. */
	g_assert_cmpint(sys_write(fd, &one, 8), ==, 8);
	for (unsigned i = 1; i <= 5; i++) {
		g_assert_true(io_loop_run(loop, true));
		g_assert_cmpuint(ear.calls, ==, i);
		g_assert_cmpuint(ear.last, ==, POLLIN);
	}
	ear.drain = true;
	g_assert_true(io_loop_run(loop, true));
	settle(loop);
	g_assert_cmpuint(ear.calls, ==, 6);
	ear.drain = false;

	/* Deaf, then more than before, then less. */
	io_watch_set(loop, &ear.watch, 0);
	g_assert_cmpint(sys_write(fd, &one, 8), ==, 8);
	settle(loop);
	g_assert_cmpuint(ear.calls, ==, 6);
	io_watch_set(loop, &ear.watch, POLLIN | POLLOUT);
	g_assert_true(io_loop_run(loop, true));
	g_assert_cmpuint(ear.calls, ==, 7);
	g_assert_cmpuint(ear.last, ==, POLLIN | POLLOUT);
	io_watch_set(loop, &ear.watch, POLLOUT);
	while (ear.calls == 7)
		(void)io_loop_run(loop, true);
	g_assert_cmpuint(ear.last, ==, POLLOUT);
	io_watch_remove(loop, &ear.watch);
	settle(loop);
	g_assert_cmpuint(ear.calls, ==, 8);
}

/* Two that are ready; whoever is called first removes the other, or itself. */
/* A connection over the loopback: only TCP has urgent data. */
static void tcp_pair(int fds[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	autofd int server = sys_socket(AF_INET, SOCK_STREAM, 0);

	g_assert_cmpint(sys_bind(server, (struct sockaddr *)&addr, len), ==, 0);
	g_assert_cmpint(sys_listen(server, 1), ==, 0);
	g_assert_cmpint(getsockname(server, (struct sockaddr *)&addr, &len), ==, 0);
	fds[0] = sys_socket(AF_INET, SOCK_STREAM, 0);
	g_assert_cmpint(sys_connect(fds[0], (struct sockaddr *)&addr, len), ==, 0);
	fds[1] = sys_accept(server, 0);
	g_assert_cmpint(fds[1], >=, 0);
}

/* Ordinary data is not urgent, whatever the kernel woke us for. */
static void test_watch_urgent(const void *kind)
{
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	struct ear ear;
	int fds[2];

	tcp_pair(fds);
	ear_open(&ear, loop, fds[1]);
	io_watch_add(loop, &ear.watch, POLLIN | POLLPRI);
	settle(loop);
	g_assert_cmpint(sys_write(fds[0], "x", 1), ==, 1);
	while (!ear.calls)
		(void)io_loop_run(loop, true);
	g_assert_cmpuint(ear.last, ==, POLLIN);
	g_assert_cmpint(send(fds[0], "!", 1, MSG_OOB), ==, 1);
	while (!(ear.last & POLLPRI))
		(void)io_loop_run(loop, true);
	io_watch_remove(loop, &ear.watch);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_watch_remove_in_call(const void *kind)
{
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	autofd int fd = sys_eventfd(1, 0), fd2 = sys_eventfd(1, 0);
	struct ear a, b;

	ear_open(&a, loop, fd);
	ear_open(&b, loop, fd2);
	a.remove = &b.watch;
	b.remove = &a.watch;
	io_watch_add(loop, &a.watch, POLLIN);
	io_watch_add(loop, &b.watch, POLLIN);
	g_assert_true(io_loop_run(loop, true));
	g_assert_cmpuint(a.calls + b.calls, ==, 1);
	if (b.calls) {
		struct ear *left = &b;

		left->remove = &b.watch;
	} else {
		a.remove = &a.watch;
	}
	g_assert_true(io_loop_run(loop, true));
	settle(loop);
	g_assert_cmpuint(a.calls + b.calls, ==, 2);
	g_assert_cmpuint(a.calls * b.calls, ==, 0);
}

/* A poll in flight holds the file no more when remove returns, and never calls again. */
static void test_watch_remove_in_flight(const void *kind)
{
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	struct ear old, fresh;
	int fds[2], fds2[2];

	g_assert_cmpint(sys_pipe(fds, O_NONBLOCK), ==, 0);
	ear_open(&old, loop, fds[0]);
	io_watch_add(loop, &old.watch, POLLIN);
	settle(loop);
	g_assert_cmpint(sys_write(fds[1], "x", 1), ==, 1); /* an event on its way */
	io_watch_remove(loop, &old.watch);
	close(fds[0]);
	(void)signal(SIGPIPE, SIG_IGN);
	g_assert_cmpint(sys_write(fds[1], "x", 1), ==, -EPIPE);
	close(fds[1]);

	/* The same numbers, another file, another watch. */
	g_assert_cmpint(sys_pipe(fds2, O_NONBLOCK), ==, 0);
	g_assert_cmpint(fds2[0], ==, fds[0]);
	ear_open(&fresh, loop, fds2[0]);
	io_watch_add(loop, &fresh.watch, POLLIN);
	settle(loop);
	g_assert_cmpuint(old.calls + fresh.calls, ==, 0);
	close(fds2[1]);
	g_assert_true(io_loop_run(loop, true));
	g_assert_cmpuint(old.calls, ==, 0);
	g_assert_cmpuint(fresh.calls, ==, 1);
	g_assert_true(fresh.last & POLLHUP);
	io_watch_remove(loop, &fresh.watch);
	close(fds2[0]);
}

static void ear_add(void *opaque)
{
	struct ear *ear = opaque;

	io_watch_add(ear->loop, &ear->watch, POLLIN);
}

static void ear_remove(void *opaque)
{
	struct ear *ear = opaque;

	io_watch_remove(ear->loop, &ear->watch);
}

/* The same for a loop with a thread, which owns its ring. */
static void test_watch_remove_thread(const void *kind)
{
	autoptr(io_loop) loop = thread_loop(kind);
	struct ear ear;
	bool called;
	int fds[2];

	(void)signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 50; i++) {
		g_assert_cmpint(sys_pipe(fds, O_NONBLOCK), ==, 0);
		ear_open(&ear, loop, fds[0]);
		io_loop_call(loop, ear_add, &ear);
		io_loop_call(loop, nothing, &called);
		io_loop_call(loop, ear_remove, &ear);
		close(fds[0]);
		g_assert_cmpint(sys_write(fds[1], "x", 1), ==, -EPIPE);
		close(fds[1]);
		g_assert_cmpuint(ear.calls, ==, 0);
	}
}

static void test_watch_many(const void *kind)
{
	enum {
		MANY = 600
	};
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	struct ear *ears = g_new0(struct ear, MANY);
	unsigned calls = 0;

	for (unsigned i = 0; i < MANY; i++) {
		ear_open(&ears[i], loop, sys_eventfd(i % 3 == 0, 0));
		g_assert_cmpint(ears[i].watch.fd, >=, 0);
		ears[i].drain = true;
		io_watch_add(loop, &ears[i].watch, POLLIN);
	}
	settle(loop);
	for (unsigned i = 0; i < MANY; i++) {
		g_assert_cmpuint(ears[i].calls, ==, i % 3 == 0);
		calls += ears[i].calls;
		io_watch_remove(loop, &ears[i].watch);
		close(ears[i].watch.fd);
	}
	g_assert_cmpuint(calls, ==, MANY / 3);
	settle(loop);
	g_free(ears);
}

/* Regular files are always ready, in both kinds. */
static void test_watch_file(const void *kind)
{
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	autofd int fd = sys_open("/proc/self/exe", O_RDONLY, 0);
	struct ear ear;

	ear_open(&ear, loop, fd);
	io_watch_add(loop, &ear.watch, POLLIN);
	for (unsigned i = 1; i <= 3; i++) {
		g_assert_true(io_loop_run(loop, true));
		g_assert_cmpuint(ear.calls, ==, i);
		g_assert_true(ear.last & POLLIN);
	}
	io_watch_set(loop, &ear.watch, 0);
	settle(loop);
	g_assert_cmpuint(ear.calls, ==, 3);
	io_watch_remove(loop, &ear.watch);
}

/* Timers */

struct alarm {
	struct io_timer timer;
	struct io_loop *loop;
	GString *log;
	char letter;
	uint64_t again;
	struct io_timer *remove;
};

static void alarm_rings(void *opaque)
{
	struct alarm *alarm = opaque;

	g_string_append_c(alarm->log, alarm->letter);
	if (alarm->again)
		io_timer_set(alarm->loop, &alarm->timer, alarm->again);
	if (alarm->remove)
		io_timer_remove(alarm->loop, alarm->remove);
}

static void test_timers(const void *kind)
{
	uint64_t now = 1000;
	autoptr(io_loop) loop = manual_loop(kind, &now);
	GString *log = g_string_new(NULL);
	struct alarm a[4] = { 0 };

	for (int i = 0; i < 4; i++) {
		a[i] = (struct alarm){ .timer = { .fn = alarm_rings, .opaque = &a[i] },
				       .loop = loop,
				       .log = log,
				       .letter = (char)('a' + i) };
		io_timer_add(loop, &a[i].timer);
	}
	g_assert_cmpuint(io_loop_now_ns(loop), ==, 1000);
	settle(loop);
	io_timer_set(loop, &a[0].timer, 1300);
	io_timer_set(loop, &a[1].timer, 1100);
	io_timer_set(loop, &a[2].timer, 1200);
	io_timer_set(loop, &a[3].timer, 1100);
	settle(loop);
	g_assert_cmpstr(log->str, ==, "");
	now = 1250;
	g_assert_true(io_loop_run(loop, true));
	g_assert_cmpstr(log->str, ==, "bdc");
	/* Moved back and forth, unset; a time that has passed; each rings once. */
	io_timer_set(loop, &a[0].timer, IO_TIMER_NEVER);
	io_timer_set(loop, &a[1].timer, 5);
	now = 2000;
	settle(loop);
	g_assert_cmpstr(log->str, ==, "bdcb");
	/* One that sets itself into the past rings once a round, and lets others ring. */
	a[0].again = 1;
	io_timer_set(loop, &a[0].timer, 1);
	io_timer_set(loop, &a[1].timer, 2);
	g_assert_true(io_loop_run(loop, true));
	g_assert_true(io_loop_run(loop, true));
	a[0].again = 0;
	settle(loop);
	g_assert_true(g_str_has_prefix(log->str, "bdcba"));
	g_assert_nonnull(strchr(log->str + 4, 'b'));
	/* One removes another that is due. */
	g_string_truncate(log, 0);
	a[2].remove = &a[3].timer;
	io_timer_set(loop, &a[2].timer, 10);
	io_timer_set(loop, &a[3].timer, 11);
	settle(loop);
	g_assert_cmpstr(log->str, ==, "c");
	for (int i = 0; i < 3; i++)
		io_timer_remove(loop, &a[i].timer);
	g_string_free(log, true);
}

struct plan {
	struct io_prepare prepare;
	struct io_loop *loop;
	uint64_t deadline;
	unsigned calls;
	struct io_prepare *remove;
};

static void plan_run(void *opaque, uint64_t *deadline_ns)
{
	struct plan *plan = opaque;

	plan->calls++;
	*deadline_ns = MIN(*deadline_ns, plan->deadline);
	if (plan->remove)
		io_prepare_remove(plan->loop, plan->remove);
	plan->remove = NULL;
}

/* A deadline that has passed does not wait; two functions, of which one removes the other. */
static void test_prepare(const void *kind)
{
	uint64_t now = 1000;
	autoptr(io_loop) loop = manual_loop(kind, &now);
	struct plan a = { .prepare = { .fn = plan_run, .opaque = &a },
			  .loop = loop,
			  .deadline = 900 };
	struct plan b = { .prepare = { .fn = plan_run, .opaque = &b },
			  .loop = loop,
			  .deadline = 1000 + 1000000 };

	io_prepare_add(loop, &a.prepare);
	io_prepare_add(loop, &b.prepare);
	g_assert_false(io_loop_run(loop, true));
	g_assert_cmpuint(a.calls, ==, 1);
	g_assert_cmpuint(b.calls, ==, 1);
	b.remove = &a.prepare;
	g_assert_false(io_loop_run(loop, true)); /* waits a millisecond */
	g_assert_cmpuint(a.calls, ==, 1);
	b.remove = &b.prepare;
	g_assert_false(io_loop_run(loop, false));
	g_assert_false(io_loop_run(loop, false));
	g_assert_cmpuint(b.calls, ==, 3);
}

static void ring_flag(void *opaque)
{
	atomic_store((atomic_bool *)opaque, true);
}

struct timer_setup {
	struct io_loop *loop;
	struct io_timer timer;
	atomic_bool rang;
};

static void timer_setup_run(void *opaque)
{
	struct timer_setup *s = opaque;

	s->timer = (struct io_timer){ .fn = ring_flag, .opaque = &s->rang };
	io_timer_add(s->loop, &s->timer);
	io_timer_set(s->loop, &s->timer, io_loop_now_ns(s->loop) + 2000000);
}

static void timer_setup_end(void *opaque)
{
	struct timer_setup *s = opaque;

	io_timer_remove(s->loop, &s->timer);
}

/* A loop that sleeps wakes up for its timer. */
static void test_timer_thread(const void *kind)
{
	autoptr(io_loop) loop = thread_loop(kind);
	struct timer_setup s = { .loop = loop };

	io_loop_call(loop, timer_setup_run, &s);
	while (!atomic_load(&s.rang))
		g_thread_yield();
	io_loop_call(loop, timer_setup_end, &s);
}

/* Ops */

struct job {
	struct io_op op;
	ssize_t result;
	bool done;
};

static void job_done(struct io_op *op, ssize_t result)
{
	struct job *job = container_of(op, struct job, op);

	g_assert_false(job->done);
	job->done = true;
	job->result = result;
}

static ssize_t run_job(struct io_loop *loop, struct io_op op)
{
	struct job job = { .op = op };

	job.op.done = job_done;
	io_op_submit(loop, &job.op);
	g_assert_false(job.done);
	while (!job.done)
		(void)io_loop_run(loop, true);
	return job.result;
}

static int temp_file(void)
{
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("socle-loop-XXXXXX", &path, NULL);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(g_unlink(path), ==, 0);
	return fd;
}

static void test_ops(const void *kind)
{
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	autofd int fd = temp_file();
	char a[512], b[1024], c[2048] = "";
	const struct iovec out[] = { { a, sizeof(a) }, { b, sizeof(b) } };
	const struct iovec in = { c, sizeof(c) };
	struct io_op op = {
		.kind = IO_OP_WRITEV, .fd = fd, .off = 512, .iov = out, .iov_count = 2
	};
	ssize_t ret;

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	g_assert_cmpint(run_job(loop, op), ==, 1536);
	op.rw_flags = RWF_DSYNC;
	g_assert_cmpint(run_job(loop, op), ==, 1536);
	g_assert_cmpint(run_job(loop, (struct io_op){ .kind = IO_OP_FDATASYNC, .fd = fd }), ==, 0);
	/* Short at the end of the file, nothing behind it. */
	op = (struct io_op){
		.kind = IO_OP_READV, .fd = fd, .off = 512, .iov = &in, .iov_count = 1
	};
	g_assert_cmpint(run_job(loop, op), ==, 1536);
	g_assert_cmpmem(c, 512, a, 512);
	g_assert_cmpmem(c + 512, 1024, b, 1024);
	op.off = 1 << 20;
	g_assert_cmpint(run_job(loop, op), ==, 0);
	/* Zeroes, as far as the file system can. */
	op = (struct io_op){ .kind = IO_OP_FALLOCATE, .fd = fd, .off = 512, .len = 512 };
	op.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	ret = run_job(loop, op);
	g_assert_true(ret == 0 || ret == -EOPNOTSUPP);
	/* Refusals come back like everything else. */
	op = (struct io_op){ .kind = IO_OP_READV, .fd = -1, .iov = &in, .iov_count = 1 };
	g_assert_cmpint(run_job(loop, op), ==, -EBADF);
	op = (struct io_op){ .kind = IO_OP_BLKDISCARD, .fd = fd, .off = 0, .len = 512 };
	g_assert_cmpint(run_job(loop, op), <, 0);
}

/* More than any queue of the kernel's holds, submitted at once. */
static void test_ops_flood(const void *kind)
{
	enum {
		FLOOD = 6000
	};
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	autofd int fd = temp_file();
	struct job *jobs = g_new0(struct job, FLOOD);
	uint32_t *values = g_new(uint32_t, FLOOD), *back = g_new0(uint32_t, FLOOD);
	struct iovec *iov = g_new(struct iovec, FLOOD);
	unsigned left = FLOOD;

	for (unsigned i = 0; i < FLOOD; i++) {
		values[i] = i * 2654435761u;
		iov[i] = (struct iovec){ &values[i], 4 };
		jobs[i].op = (struct io_op){ .kind = IO_OP_WRITEV,
					     .fd = fd,
					     .off = i * 4,
					     .iov = &iov[i],
					     .iov_count = 1,
					     .done = job_done };
		io_op_submit(loop, &jobs[i].op);
	}
	while (left) {
		(void)io_loop_run(loop, true);
		left = 0;
		for (unsigned i = 0; i < FLOOD; i++)
			left += !jobs[i].done;
	}
	for (unsigned i = 0; i < FLOOD; i++)
		g_assert_cmpint(jobs[i].result, ==, 4);
	g_assert_cmpint(sys_pread(fd, back, FLOOD * 4, 0), ==, FLOOD * 4);
	g_assert_cmpmem(back, FLOOD * 4, values, FLOOD * 4);
	g_free(iov);
	g_free(back);
	g_free(values);
	g_free(jobs);
}

/* A clock that runs by a step each time it is read. */
struct walk {
	uint64_t now, step;
	unsigned reads;
};

static uint64_t walk_now(void *opaque)
{
	struct walk *walk = opaque;

	walk->reads++;
	walk->now += walk->step;
	return walk->now;
}

static struct io_loop *walk_loop(const void *kind, struct walk *walk)
{
	GError *error = NULL;
	struct io_loop *loop = io_loop_new_manual((enum io_loop_kind)GPOINTER_TO_INT(kind),
						  walk_now, walk, &error);

	g_assert_no_error(error);
	(void)io_loop_run(loop, false);
	return loop;
}

/* Does the loop write by itself? Then it takes the time, before and after. */
static bool writes_here(struct io_loop *loop, struct walk *walk, struct io_op op)
{
	unsigned before = walk->reads;
	char value = 0;

	g_assert_cmpint(sys_pwrite(op.fd, &value, 1, (off_t)op.off), ==, 1);
	g_assert_cmpint(run_job(loop, op), ==, (ssize_t)op.iov->iov_len);
	g_assert_cmpint(sys_pread(op.fd, &value, 1, (off_t)op.off), ==, 1);
	g_assert_cmpint(value, ==, *(const char *)op.iov->iov_base);
	return walk->reads - before == 2;
}

/* Writes to the page cache are done on the spot until one of them is slow. */
static void test_ops_cached(const void *kind)
{
	struct walk walk = { .now = 1, .step = 1000 };
	autoptr(io_loop) loop = walk_loop(kind, &walk);
	autofd int fd = temp_file();
	char text[] = "x";
	const struct iovec iov = { text, 1 };
	struct io_op op = {
		.kind = IO_OP_WRITEV, .fd = fd, .iov = &iov, .iov_count = 1, .cached = true
	};

	g_assert_true(writes_here(loop, &walk, op));
	op.rw_flags = RWF_DSYNC;
	g_assert_false(writes_here(loop, &walk, op));
	op.rw_flags = 0;
	/* It takes 3 ms, as the clock has it. */
	walk.step = 3000000;
	g_assert_true(writes_here(loop, &walk, op));
	walk.step = 1000;
	g_assert_false(writes_here(loop, &walk, op));
	walk.now += 99000000;
	g_assert_false(writes_here(loop, &walk, op));
	walk.now += 2000000;
	g_assert_true(writes_here(loop, &walk, op));
	sys_fail_nth(SYS_PWRITEV, 1, ENOSPC);
	g_assert_cmpint(run_job(loop, op), ==, -ENOSPC);
}

/* A round writes by itself for two milliseconds, then others do. */
static void test_ops_cached_round(const void *kind)
{
	struct walk walk = { .now = 1, .step = 900000 };
	autoptr(io_loop) loop = walk_loop(kind, &walk);
	autofd int fd = temp_file();
	char text[] = "abcdef", back[7] = "";
	struct iovec iov[6];
	struct job jobs[6] = {};

	for (unsigned i = 0; i < 6; i++) {
		iov[i] = (struct iovec){ &text[i], 1 };
		jobs[i].op = (struct io_op){ .kind = IO_OP_WRITEV,
					     .fd = fd,
					     .off = i,
					     .iov = &iov[i],
					     .iov_count = 1,
					     .cached = true,
					     .done = job_done };
		io_op_submit(loop, &jobs[i].op);
	}
	for (unsigned i = 0; i < 6; i++) {
		while (!jobs[i].done)
			(void)io_loop_run(loop, true);
		g_assert_cmpint(jobs[i].result, ==, 1);
	}
	g_assert_cmpuint(walk.reads, ==, 3 * 2);
	g_assert_cmpint(sys_pread(fd, back, 6, 0), ==, 6);
	g_assert_cmpstr(back, ==, text);
}

static void test_ops_fail(const void *kind)
{
	autoptr(io_loop) loop = manual_loop(kind, NULL);
	autofd int fd = temp_file();
	static char buf[4096];
	const struct iovec iov = { buf, sizeof(buf) };
	struct io_op write = { .kind = IO_OP_WRITEV, .fd = fd, .iov = &iov, .iov_count = 1 };
	struct io_op read = { .kind = IO_OP_READV, .fd = fd, .iov = &iov, .iov_count = 1 };

	sys_fail_nth(SYS_PWRITEV, 2, ENOSPC);
	g_assert_cmpint(run_job(loop, write), ==, 4096);
	g_assert_cmpint(run_job(loop, write), ==, -ENOSPC);
	g_assert_cmpint(run_job(loop, write), ==, 4096);
	sys_fail_nth(SYS_PREADV, 1, EIO);
	g_assert_cmpint(run_job(loop, read), ==, -EIO);
	sys_fail_nth(SYS_PREADV, 1, SYS_SHORT);
	g_assert_cmpint(run_job(loop, read), ==, 2048);
	sys_fail_nth(SYS_FDATASYNC, 1, EIO);
	g_assert_cmpint(run_job(loop, (struct io_op){ .kind = IO_OP_FDATASYNC, .fd = fd }), ==,
			-EIO);
	sys_fail_nth(SYS_FALLOCATE, 1, EOPNOTSUPP);
	g_assert_cmpint(
		run_job(loop, (struct io_op){ .kind = IO_OP_FALLOCATE, .fd = fd, .len = 1 }), ==,
		-EOPNOTSUPP);
	g_assert_cmpint(run_job(loop, read), ==, 4096);
}

/* Life */

/* Who asks is told what a loop would find. */
static void test_try(void)
{
	struct io_loop *loop = io_loop_new_manual(IO_LOOP_AUTO, NULL, NULL, NULL);

	g_assert_cmpint(io_loop_try_uring() == 0, ==, io_loop_kind(loop) == IO_LOOP_URING);
	io_loop_free(loop);
	sys_fail_nth(SYS_URING, 1, EPERM);
	g_assert_cmpint(io_loop_try_uring(), ==, -EPERM);
}

static void test_refused(void)
{
	GError *error = NULL;
	struct io_loop *loop;

	sys_fail_nth(SYS_URING, 1, EPERM);
	g_assert_null(io_loop_new("x", IO_LOOP_URING, &error));
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, "io_uring"));
	g_clear_error(&error);
	sys_fail_nth(SYS_URING, 1, EPERM);
	loop = io_loop_new("x", IO_LOOP_AUTO, &error);
	g_assert_no_error(error);
	g_assert_cmpint(io_loop_kind(loop), ==, IO_LOOP_THREADS);
	io_loop_free(loop);
	sys_fail_nth(SYS_EPOLL, 2, ENOMEM);
	g_assert_null(io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
	sys_fail_nth(SYS_EVENTFD, 1, EMFILE);
	g_assert_null(io_loop_new("x", IO_LOOP_AUTO, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
	io_loop_free(NULL);
}

struct doze_test {
	struct io_loop *loop;
	struct io_timer timer;
	struct io_op op;
	struct iovec iov;
	char byte;
	unsigned done, due;
};

static void doze_done(struct io_op *op, ssize_t result)
{
	g_assert_cmpint(result, ==, 1);
	container_of(op, struct doze_test, op)->done++;
}

static void doze_due(void *opaque)
{
	((struct doze_test *)opaque)->due++;
}

static void doze_begin(void *opaque)
{
	struct doze_test *t = opaque;

	io_timer_add(t->loop, &t->timer);
	io_timer_set(t->loop, &t->timer, io_loop_now_ns(t->loop) + 3600 * UINT64_C(1000000000));
	io_loop_doze(t->loop, true);
	io_op_submit(t->loop, &t->op);
}

static void doze_end(void *opaque)
{
	struct doze_test *t = opaque;

	io_loop_doze(t->loop, false);
	io_timer_remove(t->loop, &t->timer);
}

static void doze_nothing(void *opaque)
{
	(void)opaque;
}

/* Calls wake a loop that dozes, however often, and what the kernel did meanwhile is seen then. */
static void test_doze(const void *kind)
{
	autoptr(io_loop) loop = io_loop_new("doze", (enum io_loop_kind)GPOINTER_TO_INT(kind), NULL);
	struct doze_test t = { .loop = loop, .timer = { .fn = doze_due, .opaque = &t } };
	int fd = sys_open("/dev/zero", O_RDONLY, 0);

	t.iov = (struct iovec){ &t.byte, 1 };
	t.op = (struct io_op){
		.kind = IO_OP_READV, .fd = fd, .iov = &t.iov, .iov_count = 1, .done = doze_done
	};
	io_loop_call(loop, doze_begin, &t);
	for (unsigned i = 0; i < 1000; i++)
		io_loop_call(loop, doze_nothing, &t);
	io_loop_call(loop, doze_end, &t);
	while (!t.done)
		io_loop_call(loop, doze_nothing, &t);
	g_assert_cmpuint(t.done, ==, 1);
	g_assert_cmpuint(t.due, ==, 0);
	fd_autoclose(&fd);
}

static const struct {
	const char *name;
	void (*fn)(const void *kind);
} cases[] = {
	{ "post", test_post },
	{ "doze", test_doze },
	{ "no-starving", test_no_starving },
	{ "post-threads", test_post_threads },
	{ "post-exact", test_post_exact },
	{ "call", test_call },
	{ "watch", test_watch },
	{ "watch-urgent", test_watch_urgent },
	{ "watch-remove-in-call", test_watch_remove_in_call },
	{ "watch-remove-in-flight", test_watch_remove_in_flight },
	{ "watch-remove-thread", test_watch_remove_thread },
	{ "watch-many", test_watch_many },
	{ "watch-file", test_watch_file },
	{ "timers", test_timers },
	{ "prepare", test_prepare },
	{ "timer-thread", test_timer_thread },
	{ "ops", test_ops },
	{ "ops-flood", test_ops_flood },
	{ "ops-cached", test_ops_cached },
	{ "ops-cached-round", test_ops_cached_round },
	{ "ops-fail", test_ops_fail },
};

int main(int argc, char **argv)
{
	struct io_loop *probe = io_loop_new_manual(IO_LOOP_URING, NULL, NULL, NULL);
	bool uring = probe;

	io_loop_free(probe);
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		g_autofree char *threads = g_strdup_printf("/io-loop/threads/%s", cases[i].name);
		g_autofree char *ring = g_strdup_printf("/io-loop/uring/%s", cases[i].name);

		g_test_add_data_func(threads, GINT_TO_POINTER(IO_LOOP_THREADS), cases[i].fn);
		if (uring)
			g_test_add_data_func(ring, GINT_TO_POINTER(IO_LOOP_URING), cases[i].fn);
	}
	g_test_add_func("/io-loop/try", test_try);
	g_test_add_func("/io-loop/refused", test_refused);
	return g_test_run();
}
