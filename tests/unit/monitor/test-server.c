/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-server.c - QMP on a socket: clients in turn, clients that do not read, sockets left behind
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/unix-listener.h"
#include "monitor/qmp-server.h"

static json_t *run_fill(void *opaque, const json_t *args, GError **error)
{
	g_autofree char *text = g_strnfill(20000, 'x');

	(void)opaque;
	(void)args;
	(void)error;
	return json_string(text);
}

static unsigned counted;

static json_t *run_count(void *opaque, const json_t *args, GError **error)
{
	(void)opaque;
	(void)args;
	(void)error;
	return json_integer(++counted);
}

static struct qmp_request *later;

static void start_later(void *opaque, const json_t *args, struct qmp_request *request)
{
	(void)opaque;
	(void)args;
	later = request;
}

static const struct qmp_command commands[] = {
	{ .name = "fill", .run = run_fill },
	{ .name = "later", .start = start_later },
	{ .name = "count", .run = run_count },
};

static const struct qmp_config config = {
	.commands = commands,
	.count = G_N_ELEMENTS(commands),
	.package = "test",
};

static const char negotiation[] = "{\"execute\":\"qmp_capabilities\"}";

static int client_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct sockaddr *any = (const void *)&addr;
	int fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	g_assert_cmpint(sys_connect(fd, any, sizeof(addr)), ==, 0);
	return fd;
}

/* Let the server work until this client can read something; returns it. */
static char *client_read(int fd)
{
	enum {
		LEN = 65536
	};
	g_autofree char *buf = g_malloc(LEN);
	ssize_t n;

	while ((n = sys_read(fd, buf, LEN)) == -EAGAIN)
		g_main_context_iteration(NULL, TRUE);
	g_assert_cmpint(n, >=, 0);
	return g_strndup(buf, (gsize)n);
}

static void client_negotiate(int fd)
{
	g_autofree char *greeting = client_read(fd);
	g_autofree char *done = NULL;

	g_assert_true(g_str_has_prefix(greeting, "{\"QMP\""));
	g_assert_cmpint(sys_write(fd, negotiation, strlen(negotiation)), >, 0);
	done = client_read(fd);
	g_assert_cmpstr(done, ==, "{\"return\": {}}\r\n");
}

static void drain_main_loop(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static void test_in_turn(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(qmp_server) server = qmp_server_new(&config, "sock", &error);
	autofd int first = -1;
	autofd int second = -1;
	struct stat st;
	char byte;

	g_assert_no_error(error);
	g_assert_cmpint(g_lstat("sock", &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	qmp_server_event(server, "NOBODY", NULL);
	first = client_connect("sock");
	second = client_connect("sock");
	client_negotiate(first);
	drain_main_loop();
	g_assert_cmpint(sys_read(second, &byte, 1), ==, -EAGAIN);
	fd_autoclose(&first);
	client_negotiate(second);
	/* Gone without a word, and another. */
	fd_autoclose(&second);
	first = client_connect("sock");
	client_negotiate(first);
}

/* Requests behind one that takes its time wait for it; a client that waits may leave. */
static void test_later(void)
{
	static const char request[] = "{\"execute\":\"later\"}";
	static const char both[] = "{\"execute\":\"later\"}{\"execute\":\"none\",\"id\":7}";
	g_autoptr(GError) error = NULL;
	autoptr(qmp_server) server = qmp_server_new(&config, "sock", &error);
	g_autofree char *got = NULL;
	autofd int client = -1;

	g_assert_no_error(error);
	client = client_connect("sock");
	client_negotiate(client);
	g_assert_cmpint(sys_write(client, both, strlen(both)), >, 0);
	later = NULL;
	while (!later)
		g_main_context_iteration(NULL, TRUE);
	drain_main_loop();
	qmp_request_answer(later, json_integer(3), NULL);
	drain_main_loop();
	got = client_read(client);
	g_assert_true(g_str_has_prefix(got, "{\"return\": 3}\r\n{\"id\": 7, \"error\"") ||
		      g_str_has_prefix(got, "{\"return\": 3}\r\n{\"error\""));
	g_assert_cmpint(sys_write(client, request, strlen(request)), >, 0);
	later = NULL;
	while (!later)
		g_main_context_iteration(NULL, TRUE);
	fd_autoclose(&client);
	drain_main_loop();
	qmp_request_answer(later, json_object(), NULL);
}

static void test_events(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(qmp_server) server = qmp_server_new(&config, "sock", &error);
	autofd int fd = client_connect("sock");
	g_autofree char *greeting = client_read(fd);
	g_autofree char *text = NULL;

	g_assert_nonnull(greeting);
	/* Not before it has negotiated. */
	qmp_server_event(server, "EARLY", NULL);
	g_assert_cmpint(sys_write(fd, negotiation, strlen(negotiation)), >, 0);
	text = client_read(fd);
	g_assert_cmpstr(text, ==, "{\"return\": {}}\r\n");
	qmp_server_event(server, "LATE", json_pack("{s:i}", "x", 1));
	/* What was said last arrives, too. */
	g_clear_pointer(&server, qmp_server_free);
	g_free(text);
	text = client_read(fd);
	g_assert_nonnull(strstr(text, "\"event\": \"LATE\", \"data\": {\"x\": 1}}\r\n"));
	g_assert_false(g_file_test("sock", G_FILE_TEST_EXISTS));
}

/* Requests of a client that reads no answers are not read for ever. */
static void test_deaf(void)
{
	static const char request[] = "{\"execute\":\"fill\"}";
	g_autoptr(GError) error = NULL;
	autoptr(qmp_server) server = qmp_server_new(&config, "sock", &error);
	autofd int deaf = client_connect("sock");
	autofd int next = -1;
	unsigned sent = 0, answers = 0;

	client_negotiate(deaf);
	for (;;) {
		ssize_t n = sys_write(deaf, request, strlen(request));

		drain_main_loop();
		if (n < 0)
			break;
		g_assert_cmpint(n, ==, strlen(request));
		sent++;
		g_assert_cmpuint(sent, <, 1000000);
	}
	/* Events go on, up to their limit, and then are dropped. */
	for (unsigned i = 0; i < 100000; i++)
		qmp_server_event(server, "NOISE", NULL);
	/* It wakes up, and gets an answer for each request. */
	while (answers < sent) {
		g_autofree char *text = client_read(deaf);

		g_assert_cmpint(*text, !=, 0);
		for (const char *p = text; (p = strstr(p, "{\"return\"")); p++)
			answers++;
	}
	fd_autoclose(&deaf);
	next = client_connect("sock");
	client_negotiate(next);
}

/* One that never reads again does not keep the end waiting, nor one that died. */
static void test_end_with_deaf(void)
{
	g_autoptr(GError) error = NULL;

	for (int die = 0; die < 2; die++) {
		autoptr(qmp_server) server = qmp_server_new(&config, "sock", &error);
		autofd int fd = client_connect("sock");

		g_assert_no_error(error);
		client_negotiate(fd);
		if (die)
			fd_autoclose(&fd);
		for (unsigned i = 0; i < 20000; i++)
			qmp_server_event(server, "NOISE", NULL);
		g_clear_pointer(&server, qmp_server_free);
	}
}

static void test_listener(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *long_path = g_strnfill(108, 'x');
	autoptr(unix_listener) first = unix_listener_new("sock", &error);
	struct unix_listener *second;

	g_assert_no_error(error);
	g_assert_null(unix_listener_new("sock", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_BUSY);
	g_clear_error(&error);
	g_assert_null(unix_listener_new(long_path, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	g_clear_error(&error);
	g_assert_null(unix_listener_new("no/such/folder", &error));
	g_assert_error(error, SYS_ERROR, ENOENT);
	g_clear_error(&error);

	/* A file of somebody else's that took the name is not removed. */
	g_assert_cmpint(g_rename("sock", "moved"), ==, 0);
	second = unix_listener_new("sock", &error);
	g_assert_no_error(error);
	g_clear_pointer(&first, unix_listener_free);
	g_assert_true(g_file_test("sock", G_FILE_TEST_EXISTS));
	unix_listener_free(second);
	g_assert_false(g_file_test("sock", G_FILE_TEST_EXISTS));

	/* What a dead process has left, and what is no socket. */
	second = unix_listener_new("moved", &error);
	g_assert_no_error(error);
	unix_listener_free(second);
	g_assert_true(g_file_set_contents("file", "text", -1, NULL));
	g_assert_null(unix_listener_new("file", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	g_assert_cmpint(g_unlink("file"), ==, 0);
}

/* What a client sent before it hung up is done, though nobody hears the answers. */
static void test_hang_up(void)
{
	static const char requests[] = "{\"execute\":\"later\"}{\"execute\":\"count\"}";
	g_autoptr(GError) error = NULL;
	autoptr(qmp_server) server = qmp_server_new(&config, "sock", &error);
	g_autofree char *many = g_strnfill(6000, ' ');
	autofd int client = -1, next = -1;

	g_assert_no_error(error);
	client = client_connect("sock");
	client_negotiate(client);
	/* More than is read at once. */
	g_assert_cmpint(sys_write(client, requests, strlen(requests)), >, 0);
	g_assert_cmpint(sys_write(client, many, strlen(many)), >, 0);
	g_assert_cmpint(sys_write(client, requests, strlen(requests)), >, 0);
	fd_autoclose(&client);
	counted = 0;
	later = NULL;
	for (unsigned i = 0; i < 2; i++) {
		struct qmp_request *request;

		while (!later)
			g_main_context_iteration(NULL, TRUE);
		g_assert_cmpuint(counted, ==, i);
		drain_main_loop();
		request = g_steal_pointer(&later);
		qmp_request_answer(request, json_integer(3), NULL);
		while (counted == i)
			g_main_context_iteration(NULL, TRUE);
	}
	next = client_connect("sock");
	client_negotiate(next);
}

static void test_failing_calls(void)
{
	static const enum sys_call calls[] = { SYS_SOCKET, SYS_BIND, SYS_LISTEN, SYS_EPOLL,
					       SYS_TIMERFD };

	for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
		g_autoptr(GError) error = NULL;

		sys_fail_nth(calls[i], 1, EMFILE);
		g_assert_null(unix_listener_new("sock", &error));
		g_assert_error(error, SYS_ERROR, EMFILE);
		g_assert_false(g_file_test("sock", G_FILE_TEST_EXISTS));
	}
}

int main(int argc, char **argv)
{
	g_autofree char *folder = NULL;
	int status;

	g_test_init(&argc, &argv, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	folder = g_dir_make_tmp("socle-XXXXXX", NULL);
	g_assert_cmpint(g_chdir(folder), ==, 0);
	g_test_add_func("/monitor/server/later", test_later);
	g_test_add_func("/monitor/server/in-turn", test_in_turn);
	g_test_add_func("/monitor/server/events", test_events);
	g_test_add_func("/monitor/server/deaf", test_deaf);
	g_test_add_func("/monitor/server/end-with-deaf", test_end_with_deaf);
	g_test_add_func("/monitor/server/listener", test_listener);
	g_test_add_func("/monitor/server/hang-up", test_hang_up);
	g_test_add_func("/monitor/server/failing-calls", test_failing_calls);
	status = g_test_run();
	g_assert_cmpint(g_rmdir(folder), ==, 0);
	return status;
}
