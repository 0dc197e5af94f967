/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-acceptor.c - clients of a listening socket, also when there is no descriptor for them
 */
#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include "base/acceptor.h"
#include "base/error.h"
#include "base/sys.h"

struct fixture {
	struct acceptor *acceptor;
	struct sockaddr_in addr;
};

static void setup(struct fixture *f, const void *data)
{
	socklen_t len = sizeof(f->addr);
	g_autoptr(GError) error = NULL;
	int fd = sys_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)data;
	f->addr = (struct sockaddr_in){ .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	g_assert_cmpint(sys_bind(fd, (void *)&f->addr, len), ==, 0);
	g_assert_cmpint(getsockname(fd, (void *)&f->addr, &len), ==, 0);
	g_assert_cmpint(sys_listen(fd, 8), ==, 0);
	f->acceptor = acceptor_new(fd, &error);
	g_assert_no_error(error);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	acceptor_free(f->acceptor);
	acceptor_free(NULL);
}

static int connect_one(struct fixture *f)
{
	int fd = sys_socket(AF_INET, SOCK_STREAM, 0);

	g_assert_cmpint(sys_connect(fd, (void *)&f->addr, sizeof(f->addr)), ==, 0);
	return fd;
}

static bool readable(struct fixture *f, int timeout_ms)
{
	struct pollfd fd = { .fd = acceptor_fd(f->acceptor), .events = POLLIN };

	return sys_poll(&fd, 1, timeout_ms) == 1;
}

static void take_client(struct fixture *f)
{
	int fd = acceptor_accept(f->acceptor);

	g_assert_cmpint(fd, >=, 0);
	fd_autoclose(&fd);
}

static void test_clients(struct fixture *f, const void *data)
{
	autofd int a = -1, b = -1;

	(void)data;
	g_assert_false(readable(f, 0));
	g_assert_cmpint(acceptor_accept(f->acceptor), ==, -EAGAIN);
	a = connect_one(f);
	b = connect_one(f);
	for (unsigned i = 0; i < 2; i++) {
		g_assert_true(readable(f, 10000));
		take_client(f);
	}
	g_assert_false(readable(f, 0));
}

/* A client that cannot be accepted waits, and nobody spins meanwhile; then it is taken. */
static void test_patience(struct fixture *f, const void *data)
{
	static const int errs[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS };

	(void)data;
	for (unsigned i = 0; i < G_N_ELEMENTS(errs); i++) {
		autofd int client = connect_one(f);
		uint64_t begin;

		g_assert_true(readable(f, 10000));
		sys_fail_nth(SYS_ACCEPT, 1, errs[i]);
		begin = sys_monotonic_ns();
		g_assert_cmpint(acceptor_accept(f->acceptor), ==, -EAGAIN);
		g_assert_true(readable(f, 10000));
		g_assert_cmpuint(sys_monotonic_ns() - begin, >=, 100000000);
		take_client(f);
		g_assert_false(readable(f, 0));
	}
	sys_fail_nth(SYS_ACCEPT, 1, ECONNABORTED);
	g_assert_cmpint(acceptor_accept(f->acceptor), ==, -EAGAIN);
}

/*
 * No descriptor at all is left, and what is closed is gone at once: as when other threads open what
 * they find. Rounds are few.
 */
static void test_no_descriptors(struct fixture *f, const void *data)
{
	autofd int client = connect_one(f);
	struct rlimit before, limit;
	unsigned rounds = 0;
	uint64_t end;

	(void)data;
	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
	limit = before;
	limit.rlim_cur = 3;
	g_assert_true(readable(f, 10000));
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	end = sys_monotonic_ns() + 500000000;
	while (sys_monotonic_ns() < end) {
		/* poll(2) takes no more descriptors than the limit is: one. */
		if (readable(f, 20))
			g_assert_cmpint(acceptor_accept(f->acceptor), ==, -EAGAIN);
		rounds += readable(f, 0);
	}
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
	g_assert_cmpuint(rounds, <=, 1);
	g_assert_true(readable(f, 10000));
	take_client(f);
}

static void test_failing_calls(void)
{
	static const enum sys_call calls[] = { SYS_TIMERFD, SYS_EPOLL };

	for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
		g_autoptr(GError) error = NULL;

		sys_fail_nth(calls[i], 1, EMFILE);
		g_assert_null(acceptor_new(sys_socket(AF_INET, SOCK_STREAM, 0), &error));
		g_assert_error(error, SYS_ERROR, EMFILE);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/acceptor/clients", struct fixture, NULL, setup, test_clients, teardown);
	g_test_add("/acceptor/patience", struct fixture, NULL, setup, test_patience, teardown);
	g_test_add("/acceptor/no-descriptors", struct fixture, NULL, setup, test_no_descriptors,
		   teardown);
	g_test_add_func("/acceptor/failing-calls", test_failing_calls);
	return g_test_run();
}
