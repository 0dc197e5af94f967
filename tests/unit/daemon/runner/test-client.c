/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-client.c - the QMP client, with a machine that is us
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/qmp-client.h"

#define HELLO "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define READY "{\"return\": {}, \"id\": 0}\r\n"

struct lab {
	struct qmp_client *client;
	int peer;
	GString *said; /* what the client told, as words */
	bool free_on_event;
};

static void on_ready(void *opaque)
{
	struct lab *lab = opaque;

	g_string_append(lab->said, "ready ");
}

static void on_event(void *opaque, const char *name, const json_t *data)
{
	struct lab *lab = opaque;

	g_string_append_printf(lab->said, "%s%s ", name, data ? "+" : "");
	if (lab->free_on_event)
		g_clear_pointer(&lab->client, qmp_client_free);
}

static void on_lost(void *opaque, const GError *error)
{
	struct lab *lab = opaque;

	g_string_append_printf(lab->said, "lost:%s ", error->message);
	g_clear_pointer(&lab->client, qmp_client_free);
}

static const struct qmp_client_ops ops = { on_ready, on_event, on_lost };

static void on_answer(void *opaque, json_t *result, const GError *error)
{
	struct lab *lab = opaque;

	if (error)
		g_string_append_printf(lab->said, "error:%s ", error->message);
	else if (json_is_integer(result))
		g_string_append_printf(lab->said, "%d ", (int)json_integer_value(result));
	else
		g_string_append(lab->said, "ok ");
}

static void lab_open(struct lab *lab)
{
	int fds[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==,
			0);
	*lab = (struct lab){ .peer = fds[1], .said = g_string_new(NULL) };
	lab->client = qmp_client_new(fds[0], &ops, lab);
}

static void lab_close(struct lab *lab)
{
	qmp_client_free(lab->client);
	fd_autoclose(&lab->peer);
	g_string_free(lab->said, TRUE);
}

static void turn(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static void machine_says(struct lab *lab, const char *text)
{
	g_assert_cmpint(sys_write_full(lab->peer, text, strlen(text)), ==, (ssize_t)strlen(text));
	turn();
}

static void assert_said(struct lab *lab, const char *words)
{
	g_assert_cmpstr(lab->said->str, ==, words);
	g_string_truncate(lab->said, 0);
}

/* What the client sent since the last time. */
static void assert_sent(struct lab *lab, const char *text)
{
	char buf[2048] = "";

	turn();
	(void)sys_read(lab->peer, buf, sizeof(buf) - 1);
	g_assert_cmpstr(buf, ==, text);
}

static void get_ready(struct lab *lab)
{
	machine_says(lab, HELLO);
	assert_sent(lab, "{\"execute\":\"qmp_capabilities\",\"id\":0}\n");
	machine_says(lab, READY);
	assert_said(lab, "ready ");
	g_assert_true(qmp_client_ready(lab->client));
}

static void test_calls(void)
{
	struct lab lab;

	lab_open(&lab);
	/* It waits until the machine is there. */
	qmp_client_call(lab.client, "a", NULL, 0, on_answer, &lab);
	assert_sent(&lab, "");
	get_ready(&lab);
	assert_sent(&lab, "{\"execute\":\"a\",\"id\":1}\n");
	qmp_client_call(lab.client, "b", json_pack("{s:i}", "x", 1), 0, on_answer, &lab);
	qmp_client_call(lab.client, "c", NULL, 0, on_answer, &lab);
	qmp_client_call(lab.client, "d", NULL, 0, NULL, NULL);
	assert_sent(&lab, "{\"execute\":\"b\",\"arguments\":{\"x\":1},\"id\":2}\n"
			  "{\"execute\":\"c\",\"id\":3}\n{\"execute\":\"d\",\"id\":4}\n");
	/* In any order, in pieces, with events in between, and answers that nobody wants. */
	machine_says(&lab, "{\"return\": 3, \"id\": 3}\n{\"event\": \"E\", \"da");
	machine_says(&lab, "ta\": {}}\n{\"return\": 9, \"id\": 77}\n{\"return\": 9}\n");
	machine_says(&lab,
		     "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no\"}, \"id\": 1}\n");
	machine_says(&lab, "{\"return\": 2, \"id\": 2}\n{\"event\": \"F\", \"data\": 5}\n");
	machine_says(&lab, "{\"return\": {}, \"id\": 4}\n{\"return\": {}, \"id\": 4}\n\n");
	assert_said(&lab, "3 E+ error:no 2 F ");
	lab_close(&lab);
}

static void test_errors(void)
{
	struct lab lab;

	lab_open(&lab);
	get_ready(&lab);
	qmp_client_call(lab.client, "a", NULL, 0, on_answer, &lab);
	machine_says(&lab, "{\"error\": 5, \"id\": 1}\n");
	assert_said(&lab, "error:the machine refused, and did not say why ");
	/* A call that waits when the machine goes. */
	qmp_client_call(lab.client, "b", NULL, 0, on_answer, &lab);
	fd_autoclose(&lab.peer);
	turn();
	assert_said(&lab, "error:the machine closed its monitor lost:the machine closed its "
			  "monitor ");
	lab_close(&lab);
}

static void test_freed(void)
{
	struct lab lab;

	lab_open(&lab);
	get_ready(&lab);
	qmp_client_call(lab.client, "a", NULL, 0, on_answer, &lab);
	g_clear_pointer(&lab.client, qmp_client_free);
	assert_said(&lab, "error:the machine is gone ");
	lab_close(&lab);
	/* In the middle of what is told. */
	lab_open(&lab);
	get_ready(&lab);
	qmp_client_call(lab.client, "a", NULL, 0, on_answer, &lab);
	lab.free_on_event = true;
	machine_says(&lab, "{\"event\": \"E\"}\n{\"event\": \"F\"}\n");
	assert_said(&lab, "E error:the machine is gone ");
	lab_close(&lab);
}

static void test_deadline(void)
{
	struct lab lab;

	lab_open(&lab);
	get_ready(&lab);
	qmp_client_call(lab.client, "slow", NULL, 1, on_answer, &lab);
	qmp_client_call(lab.client, "b", NULL, 0, on_answer, &lab);
	while (!lab.said->len)
		g_main_context_iteration(NULL, TRUE);
	assert_said(&lab, "error:the machine does not answer 'slow' ");
	/* What comes all the same is nobody's. */
	machine_says(&lab, "{\"return\": 1, \"id\": 1}\n{\"return\": 2, \"id\": 2}\n");
	assert_said(&lab, "2 ");
	lab_close(&lab);
}

static void assert_mess(const char *text, bool after_hello, const char *words)
{
	struct lab lab;

	lab_open(&lab);
	if (after_hello)
		get_ready(&lab);
	machine_says(&lab, text);
	if (!strstr(lab.said->str, words))
		g_error("'%s' is not in: %s", words, lab.said->str);
	g_assert_null(lab.client);
	lab_close(&lab);
}

static void test_mess(void)
{
	static const char no_qmp[] = "lost:the monitor of the machine does not speak QMP";

	assert_mess("hello\n", false, no_qmp);
	assert_mess("{}\n", false, no_qmp);
	assert_mess("[]\n", false, no_qmp);
	assert_mess("{\"QMP\": 5}\n", false, no_qmp);
	assert_mess(HELLO "{\"return\": {}, \"id\": 1}\n", false, no_qmp);
	assert_mess(HELLO "{\"error\": {}, \"id\": 0}\n", false, no_qmp);
	assert_mess("{\"return\": {}, \"return\": {}, \"id\": 1}\n", true, no_qmp);
	assert_mess("5\n", true, no_qmp);
	assert_mess("\xff\n", true, no_qmp);
}

static void test_long_line(void)
{
	g_autofree char *piece = g_strnfill(64 * 1024, ' ');
	struct lab lab;

	lab_open(&lab);
	get_ready(&lab);
	for (unsigned i = 0; lab.client && i < 2 * QMP_CLIENT_LINE_MAX / (64 * 1024); i++) {
		(void)sys_write(lab.peer, piece, 64 * 1024);
		turn();
	}
	g_assert_nonnull(strstr(lab.said->str, "bytes without a line's end"));
	lab_close(&lab);
}

static void test_many(void)
{
	g_autofree char *big = g_strnfill(4096, 'x');
	struct lab lab;

	lab_open(&lab);
	get_ready(&lab);
	/* A machine that does not read: nobody waits for it. */
	for (unsigned i = 0; i < QMP_CLIENT_CALLS_MAX; i++)
		qmp_client_call(lab.client, "a", json_pack("{s:s}", "x", big), 0, NULL, NULL);
	qmp_client_call(lab.client, "b", NULL, 0, on_answer, &lab);
	assert_said(&lab, "");
	turn();
	assert_said(&lab, "error:1024 commands wait for the machine's answers; try again later ");
	lab_close(&lab);
}

static void test_write_fails(void)
{
	struct lab lab;

	lab_open(&lab);
	get_ready(&lab);
	sys_fail_nth(SYS_WRITE, 1, EPIPE);
	qmp_client_call(lab.client, "a", NULL, 0, on_answer, &lab);
	assert_said(&lab, "");
	turn();
	assert_said(&lab, "error:cannot write to the monitor of the machine: Broken pipe "
			  "lost:cannot write to the monitor of the machine: Broken pipe ");
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/calls", test_calls);
	g_test_add_func("/client/errors", test_errors);
	g_test_add_func("/client/freed", test_freed);
	g_test_add_func("/client/deadline", test_deadline);
	g_test_add_func("/client/mess", test_mess);
	g_test_add_func("/client/long-line", test_long_line);
	g_test_add_func("/client/many", test_many);
	g_test_add_func("/client/write-fails", test_write_fails);
	return g_test_run();
}
