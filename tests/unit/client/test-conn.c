/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-conn.c - connections: opening, calls in flight together, deadlines, the end, opening again
 */
#include <string.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "base/thread.h"
#include "client/object-int.h"
#include "fake.h"

#define CALLS 8

static void assert_error(struct socle_error *error, int code, const char *words)
{
	g_assert_nonnull(error);
	g_assert_cmpint(socle_error_code(error), ==, code);
	if (!strstr(socle_error_message(error), words))
		g_error("'%s' does not say '%s'", socle_error_message(error), words);
	socle_error_free(error);
}

/* == Opening == */

static void test_open(void)
{
	struct fake fake;
	struct socle_conn *conn;

	fake_init(&fake, NULL);
	conn = fake_connect(&fake, SOCLE_OPEN_READONLY);
	g_assert_true(socle_conn_is_alive(conn));
	g_assert_true(socle_conn_is_encrypted(conn));
	socle_conn_unref(socle_conn_ref(conn));
	socle_conn_unref(conn);
	g_assert_cmpuint(fake.closes, ==, 1);
	fake_hang_up(&fake);
	fake_release(&fake);
}

static void test_readonly(void)
{
	struct fake fake;
	struct socle_conn *conn;

	fake_init(&fake, NULL);
	conn = fake_connect(&fake, SOCLE_OPEN_READONLY);
	pthread_mutex_lock(&fake.lock);
	g_assert_cmpstr(fake.opened, ==, "test:///default");
	g_assert_cmpuint(fake.opened_flags, ==, 1);
	pthread_mutex_unlock(&fake.lock);
	socle_conn_unref(conn);
	fake_release(&fake);
}

static void test_auth(void)
{
	struct fake fake;
	struct socle_error *error = NULL;

	fake_init(&fake, NULL);
	fake.auth = RPC_AUTH_POLKIT;
	socle_conn_unref(fake_connect(&fake, 0));
	fake.auth = RPC_AUTH_SASL;
	g_assert_null(conn_open_dialer(&fake.dialer, 0, &error));
	assert_error(error, SOCLE_ERR_AUTH_UNAVAILABLE, "(SASL)");
	fake.unreachable = true;
	error = NULL;
	g_assert_null(conn_open_dialer(&fake.dialer, 0, &error));
	assert_error(error, SOCLE_ERR_NO_CONNECT, "nobody is there");
	fake_release(&fake);
}

static void assert_refuses(bool open_first)
{
	struct fake fake;
	struct socle_error *error = NULL;

	fake_init(&fake, NULL);
	fake.refusal = "there is no such driver";
	fake.open_first = open_first;
	g_assert_null(conn_open_dialer(&fake.dialer, 0, &error));
	assert_error(error, SOCLE_ERR_NO_CONNECT, "there is no such driver");
	g_assert_null(conn_open_dialer(&fake.dialer, 0, NULL));
	fake_release(&fake);
}

static void test_open_refused(void)
{
	assert_refuses(false);
	assert_refuses(true);
}

/* It is there, takes all, and says nothing. */
static void test_mute(void)
{
	struct fake fake;
	struct socle_error *error = NULL;

	fake_init(&fake, NULL);
	fake.mute = true;
	fake.dialer.timeout_ms = 1;
	g_assert_null(conn_open_dialer(&fake.dialer, 0, &error));
	assert_error(error, SOCLE_ERR_NO_CONNECT, "does not answer in time");
	fake_release(&fake);
}

static void test_bad_uris(void)
{
	struct socle_error *error = NULL;

	g_assert_null(socle_conn_open("not a uri", 0, &error));
	assert_error(error, SOCLE_ERR_INVALID_ARG, "no URI");
	error = NULL;
	g_assert_null(socle_conn_open("test+unix:///default?socket=/nonexistent", 0, &error));
	assert_error(error, SOCLE_ERR_NO_CONNECT, "/nonexistent");
	error = NULL;
	g_assert_null(socle_conn_open("test+unix:///default", 1 << 5, &error));
	assert_error(error, SOCLE_ERR_INVALID_ARG, "0x20");
	g_assert_null(socle_conn_open("test+unix:///default?socket=/nonexistent", 0, NULL));
}

/* == Calls == */

/* Keeps all calls until there are so many, and answers the last one first. */
struct keeper {
	unsigned wanted;
	unsigned count;
	struct rpc_received calls[CALLS];
	int numbers[CALLS];
};

static void keep(struct fake *fake, const struct rpc_received *packet)
{
	struct keeper *k = fake->opaque;

	if (packet->header.procedure != RPC_PROC_CONNECT_GET_MAX_VCPUS)
		return;
	k->calls[k->count] = *packet;
	/* The argument is a text such as "5": its first character. */
	k->numbers[k->count++] = packet->body.p[8] - '0';
	if (k->count < k->wanted)
		return;
	while (k->count > 0) {
		g_autofree char *spec = g_strdup_printf("i%d", k->numbers[--k->count]);

		fake_reply(fake, &k->calls[k->count], spec);
	}
}

struct caller {
	struct socle_conn *conn;
	int number;
	int got;
};

static void call_once(void *opaque)
{
	struct caller *c = opaque;
	char text[2] = { (char)('0' + c->number), '\0' };

	c->got = socle_conn_max_vcpus(c->conn, text, NULL);
}

static void run_callers(struct socle_conn *conn, unsigned count, void (*fn)(void *opaque),
			struct caller *callers)
{
	struct thread *threads[CALLS];

	for (unsigned i = 0; i < count; i++) {
		callers[i] = (struct caller){ .conn = conn, .number = (int)i, .got = -2 };
		threads[i] = thread_start("caller", fn, &callers[i], NULL);
		g_assert_nonnull(threads[i]);
	}
	for (unsigned i = 0; i < count; i++)
		thread_join(threads[i]);
}

/* None is answered before all are there: so they are in flight together. */
static void test_pipelined(void)
{
	struct fake fake;
	struct keeper keeper = { .wanted = CALLS };
	struct caller callers[CALLS];
	struct socle_conn *conn;

	fake_init(&fake, keep);
	fake.opaque = &keeper;
	conn = fake_connect(&fake, 0);
	run_callers(conn, CALLS, call_once, callers);
	for (int i = 0; i < CALLS; i++)
		g_assert_cmpint(callers[i].got, ==, i);
	socle_conn_unref(conn);
	fake_release(&fake);
}

static void call_often(void *opaque)
{
	struct caller *c = opaque;

	c->got = 0;
	for (int i = 0; i < 200; i++) {
		char text[2] = { (char)('0' + (c->number + i) % 10), '\0' };

		if (socle_conn_max_vcpus(c->conn, text, NULL) == (c->number + i) % 10)
			c->got++;
	}
}

static void test_threads(void)
{
	struct fake fake;
	struct keeper keeper = { .wanted = 1 };
	struct caller callers[CALLS];
	struct socle_conn *conn;

	fake_init(&fake, keep);
	fake.opaque = &keeper;
	conn = fake_connect(&fake, 0);
	run_callers(conn, CALLS, call_often, callers);
	for (int i = 0; i < CALLS; i++)
		g_assert_cmpint(callers[i].got, ==, 200);
	socle_conn_unref(conn);
	fake_release(&fake);
}

/* The first answer is late; it is that of nobody when it comes. */
static void answer_second_first(struct fake *fake, const struct rpc_received *packet)
{
	struct keeper *k = fake->opaque;

	if (packet->header.procedure != RPC_PROC_CONNECT_GET_MAX_VCPUS)
		return;
	k->calls[k->count++] = *packet;
	if (k->count == 2) {
		fake_reply(fake, &k->calls[0], "i1");
		fake_reply(fake, &k->calls[1], "i2");
	}
}

static void test_deadline(void)
{
	struct fake fake;
	struct keeper keeper = { .count = 0 };
	struct socle_error *error = NULL;
	struct socle_conn *conn;

	fake_init(&fake, answer_second_first);
	fake.opaque = &keeper;
	conn = fake_connect(&fake, 0);
	socle_conn_set_timeout(conn, 1);
	g_assert_cmpint(socle_conn_max_vcpus(conn, "1", &error), ==, -1);
	assert_error(error, SOCLE_ERR_OPERATION_TIMEOUT, "within 1 ms");
	socle_conn_set_timeout(conn, 0);
	g_assert_cmpint(socle_conn_max_vcpus(conn, "2", &error), ==, 2);
	socle_conn_unref(conn);
	fake_release(&fake);
}

/* == What makes no sense == */

struct nonsense {
	const char *name;
	void (*on_packet)(struct fake *fake, const struct rpc_received *packet);
	int code;
	const char *words;
};

static void wrong_procedure(struct fake *fake, const struct rpc_received *packet)
{
	struct rpc_received copy = *packet;

	copy.header.procedure = RPC_PROC_CONNECT_GET_TYPE;
	fake_reply(fake, &copy, "s:x");
}

static void error_without_body(struct fake *fake, const struct rpc_received *packet)
{
	struct rpc_header header = rpc_header_answer(&packet->header, RPC_STATUS_ERROR);

	fake_send(fake, rpc_message_new(&header));
}

static void wrong_status(struct fake *fake, const struct rpc_received *packet)
{
	struct rpc_header header = rpc_header_answer(&packet->header, RPC_STATUS_CONTINUE);

	fake_send(fake, rpc_message_new(&header));
}

static void negative_count(struct fake *fake, const struct rpc_received *packet)
{
	fake_reply(fake, packet, "i-5");
}

static void bad_length(struct fake *fake, const struct rpc_received *packet)
{
	static const uint8_t bytes[] = { 0, 0, 0, 5, 1 };

	(void)packet;
	fake_send_bytes(fake, bytes, sizeof(bytes));
}

static void huge_length(struct fake *fake, const struct rpc_received *packet)
{
	static const uint8_t bytes[] = { 0x7f, 0xff, 0xff, 0xff };

	(void)packet;
	fake_send_bytes(fake, bytes, sizeof(bytes));
}

static void no_word(struct fake *fake, const struct rpc_received *packet)
{
	(void)packet;
	fake_hang_up(fake);
}

static void code_zero(struct fake *fake, const struct rpc_received *packet)
{
	fake_error(fake, packet, 0, "nothing");
}

static const struct nonsense nonsense[] = {
	{ "wrong-procedure", wrong_procedure, SOCLE_ERR_RPC,
	  "answers CONNECT_GET_TYPE where CONNECT_GET_MAX_VCPUS" },
	{ "error-without-body", error_without_body, SOCLE_ERR_RPC, "does not say why" },
	{ "wrong-status", wrong_status, SOCLE_ERR_RPC, "status 2" },
	{ "negative-count", negative_count, SOCLE_ERR_RPC, "-5" },
	{ "bad-length", bad_length, SOCLE_ERR_CONNECTION_LOST, "not known whether it was done" },
	{ "huge-length", huge_length, SOCLE_ERR_CONNECTION_LOST, "not known whether it was done" },
	{ "hangs-up", no_word, SOCLE_ERR_CONNECTION_LOST, "has closed the connection" },
	{ "code-zero", code_zero, SOCLE_ERR_INTERNAL, "nothing" },
};

static void only_the_call(struct fake *fake, const struct rpc_received *packet)
{
	const struct nonsense *n = fake->opaque;

	if (packet->header.procedure == RPC_PROC_CONNECT_GET_MAX_VCPUS)
		n->on_packet(fake, packet);
}

static void test_nonsense(const void *opaque)
{
	const struct nonsense *n = opaque;
	struct fake fake;
	struct socle_error *error = NULL;
	struct socle_conn *conn;

	fake_init(&fake, only_the_call);
	fake.opaque = (void *)(uintptr_t)n;
	conn = fake_connect(&fake, 0);
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, &error), ==, -1);
	assert_error(error, n->code, n->words);
	/* What was lost stays lost, and says so at once. */
	if (n->code == SOCLE_ERR_CONNECTION_LOST) {
		error = NULL;
		g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, &error), ==, -1);
		assert_error(error, SOCLE_ERR_CONNECTION_LOST, "the connection is closed");
		g_assert_false(socle_conn_is_alive(conn));
	}
	socle_conn_unref(conn);
	fake_release(&fake);
}

/* == Arguments == */

static void test_no_text(void)
{
	struct fake fake;
	struct socle_error *error = NULL;
	struct socle_conn *conn;

	fake_init(&fake, NULL);
	conn = fake_connect(&fake, 0);
	g_assert_null(socle_domain_by_name(conn, NULL, &error));
	assert_error(error, SOCLE_ERR_INVALID_ARG, "NULL");
	error = NULL;
	g_assert_null(socle_domain_by_uuid_text(conn, "0123", &error));
	assert_error(error, SOCLE_ERR_INVALID_ARG, "'0123' is no UUID");
	error = NULL;
	g_assert_null(
		socle_domain_by_uuid_text(conn, "01234567-89ab-cdef-fedc-ba98765432100", &error));
	assert_error(error, SOCLE_ERR_INVALID_ARG, "no UUID");
	socle_conn_unref(conn);
	fake_release(&fake);
}

static void test_too_long(void)
{
	struct fake fake;
	struct socle_error *error = NULL;
	struct socle_conn *conn;
	g_autofree char *text = g_strnfill(RPC_MAX_TEXT + 1, 'x');

	fake_init(&fake, NULL);
	conn = fake_connect(&fake, 0);
	g_assert_null(socle_domain_define(conn, text, 0, &error));
	assert_error(error, SOCLE_ERR_INVALID_ARG, "longer than the protocol allows");
	g_assert_true(socle_conn_is_alive(conn));
	socle_conn_unref(conn);
	fake_release(&fake);
}

static void test_values(void)
{
	rpc_secret wire = { .usageID = (char *)(uintptr_t) "" };
	struct fake fake;
	struct socle_error *error = NULL;
	struct socle_conn *conn;
	struct socle_secret *secret;
	g_autofree char *bytes = g_malloc0(RPC_MAX_SECRET_VALUE + 1);

	fake_init(&fake, NULL);
	conn = fake_connect(&fake, 0);
	secret = client_secret_new(conn, &wire);
	g_assert_cmpint(socle_secret_set_value(secret, bytes, RPC_MAX_SECRET_VALUE + 1, 0, &error),
			==, -1);
	assert_error(error, SOCLE_ERR_INVALID_ARG, "65537 bytes is more than the 65536");
	error = NULL;
	g_assert_cmpint(socle_secret_set_value(secret, NULL, 1, 0, &error), ==, -1);
	assert_error(error, SOCLE_ERR_INVALID_ARG, "NULL");
	socle_secret_value_free(NULL, 0);
	socle_secret_unref(secret);
	socle_conn_unref(conn);
	fake_release(&fake);
}

/* == Keepalive == */

static void ping_until_pong(struct fake *fake, const struct rpc_received *packet)
{
	atomic_uint *pongs = fake->opaque;

	if (packet->header.program == RPC_PROGRAM_KEEPALIVE) {
		(*pongs)++;
		return;
	}
	fake_send(fake, rpc_message_new_keepalive(RPC_KEEPALIVE_PING));
	fake_reply(fake, packet, "i4");
}

static void test_pong(void)
{
	struct fake fake;
	atomic_uint pongs = 0;
	struct socle_conn *conn;

	fake_init(&fake, ping_until_pong);
	fake.opaque = &pongs;
	conn = fake_connect(&fake, 0);
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, NULL), ==, 4);
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, NULL), ==, 4);
	/* The first pong has left before the second call. */
	socle_conn_unref(conn);
	fake_release(&fake);
	g_assert_cmpuint(pongs, >=, 1);
}

/* Nobody answers a call, nor the pings. */
static void fall_silent(bool open_first)
{
	struct fake fake;
	struct socle_error *error = NULL;
	struct socle_conn *conn;

	fake_init(&fake, NULL);
	fake.open_first = open_first;
	conn = fake_connect(&fake, 0);
	socle_conn_set_keepalive(conn, 1, 2);
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, &error), ==, -1);
	assert_error(error, SOCLE_ERR_CONNECTION_LOST, "not answered for too long");
	socle_conn_unref(conn);
	fake_release(&fake);
	g_assert_cmpuint(fake.pings, ==, 2);
}

static void test_silent(void)
{
	fall_silent(false);
}

/* It answers the opening first, and the question for keepalive behind it. */
static void test_silent_out_of_order(void)
{
	fall_silent(true);
}

/* Who does not know what keepalive is may be silent for as long as he likes. */
static void test_no_features(void)
{
	struct fake fake;
	struct socle_error *error = NULL;
	struct socle_conn *conn;

	fake_init(&fake, NULL);
	fake.no_features = true;
	conn = fake_connect(&fake, 0);
	socle_conn_set_keepalive(conn, 1, 2);
	socle_conn_set_timeout(conn, 20);
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, &error), ==, -1);
	assert_error(error, SOCLE_ERR_OPERATION_TIMEOUT, "no answer");
	socle_conn_unref(conn);
	fake_release(&fake);
	g_assert_cmpuint(fake.pings, ==, 0);
}

static void need_event_fd(struct socle_conn *conn)
{
	g_assert_cmpint(socle_conn_event_fd(conn), >=, 0);
}

static void ignore(struct socle_conn *conn, const struct socle_event *event, void *opaque)
{
	(void)conn;
	(void)event;
	(void)opaque;
}

static void need_event(struct socle_conn *conn)
{
	g_assert_cmpint(
		socle_event_register(conn, SOCLE_EVENT_CLOSED, NULL, ignore, NULL, NULL, NULL), >=,
		0);
}

static void need_keepalive(struct socle_conn *conn)
{
	socle_conn_set_keepalive(conn, 60000, 2);
}

static bool has_thread(struct socle_conn *conn)
{
	bool has;

	pthread_mutex_lock(&conn->lock);
	has = conn->io != NULL;
	pthread_mutex_unlock(&conn->lock);
	return has;
}

/* A brief connection has no thread until there is something to do while nobody waits. */
static void test_brief(void)
{
	static void (*const needs[])(struct socle_conn * conn) = { need_event_fd, need_event,
								   need_keepalive };
	struct fake fake;
	struct socle_conn *conn;
	atomic_uint pongs = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(needs); i++) {
		fake_init(&fake, ping_until_pong);
		fake.opaque = &pongs;
		conn = fake_connect(&fake, SOCLE_OPEN_BRIEF);
		g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, NULL), ==, 4);
		g_assert_false(has_thread(conn));
		needs[i](conn);
		g_assert_true(has_thread(conn));
		g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, NULL), ==, 4);
		socle_conn_unref(conn);
		fake_release(&fake);
	}
	/* Somebody has to see that it is lost. */
	fake_init(&fake, NULL);
	conn = fake_connect(&fake, SOCLE_OPEN_BRIEF | SOCLE_OPEN_RECONNECT);
	g_assert_true(has_thread(conn));
	socle_conn_unref(conn);
	fake_release(&fake);
}

/* Who waits for an answer pings by himself. */
static void test_brief_silent(void)
{
	struct fake fake;
	struct socle_error *error = NULL;
	struct socle_conn *conn;

	fake_init(&fake, NULL);
	conn = fake_connect(&fake, SOCLE_OPEN_BRIEF);
	pthread_mutex_lock(&conn->lock);
	conn->keepalive_ms = 1;
	conn->keepalive_count = 2;
	pthread_mutex_unlock(&conn->lock);
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, &error), ==, -1);
	assert_error(error, SOCLE_ERR_CONNECTION_LOST, "not answered for too long");
	g_assert_false(has_thread(conn));
	socle_conn_unref(conn);
	fake_release(&fake);
	g_assert_cmpuint(fake.pings, ==, 2);
}

/* == Descriptors == */

static void send_fd(struct fake *fake, const struct rpc_received *packet)
{
	if (packet->header.procedure == RPC_PROC_DOMAIN_LOOKUP_BY_NAME)
		fake_reply(fake, packet, "D");
	else if (packet->header.procedure == RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD)
		fake_reply_fd(fake, packet, *(int *)fake->opaque);
	else
		fake_reply(fake, packet, "i3");
}

static void test_fd(void)
{
	struct fake fake;
	int fds[2], got;
	char byte = 'x';
	struct socle_conn *conn;
	struct socle_domain *dom;

	g_assert_cmpint(sys_pipe(fds, 0), ==, 0);
	fake_init(&fake, send_fd);
	fake.opaque = &fds[0];
	conn = fake_connect(&fake, 0);
	dom = socle_domain_by_name(conn, "vm", NULL);
	got = socle_domain_graphics_fd(dom, 0, 0, NULL);
	g_assert_cmpint(got, >=, 0);
	g_assert_cmpint(sys_write(fds[1], &byte, 1), ==, 1);
	byte = 0;
	g_assert_cmpint(sys_read(got, &byte, 1), ==, 1);
	g_assert_cmpint(byte, ==, 'x');
	/* What follows is understood. */
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, NULL), ==, 3);
	fd_autoclose(&got);
	socle_domain_unref(dom);
	socle_conn_unref(conn);
	fake_release(&fake);
	fd_autoclose(&fds[0]);
	fd_autoclose(&fds[1]);
}

/* == Opening again == */

static void hang_up_once(struct fake *fake, const struct rpc_received *packet)
{
	bool *done = fake->opaque;

	if (!*done)
		fake_hang_up(fake);
	else
		fake_reply(fake, packet, "i6");
	*done = true;
}

static void test_reopen(void)
{
	struct fake fake;
	bool done = false;
	struct socle_error *error = NULL;
	struct socle_conn *conn;

	fake_init(&fake, hang_up_once);
	fake.opaque = &done;
	conn = fake_connect(&fake, SOCLE_OPEN_RECONNECT);
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, &error), ==, -1);
	assert_error(error, SOCLE_ERR_CONNECTION_LOST, "not known whether it was done");
	/* Waits until it is there again. */
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, NULL), ==, 6);
	g_assert_cmpuint(fake.sessions, ==, 2);
	socle_conn_unref(conn);
	fake_release(&fake);
}

static void test_close_while_away(void)
{
	struct fake fake;
	bool done = false;
	struct socle_error *error = NULL;
	struct socle_conn *conn;

	fake_init(&fake, hang_up_once);
	fake.opaque = &done;
	conn = fake_connect(&fake, SOCLE_OPEN_RECONNECT);
	fake.unreachable = true;
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, NULL), ==, -1);
	socle_conn_set_timeout(conn, 1);
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, &error), ==, -1);
	assert_error(error, SOCLE_ERR_CONNECTION_LOST, "being opened again");
	socle_conn_close(conn);
	error = NULL;
	g_assert_cmpint(socle_conn_max_vcpus(conn, NULL, &error), ==, -1);
	assert_error(error, SOCLE_ERR_CONNECTION_LOST, "closed");
	socle_conn_unref(conn);
	fake_release(&fake);
}

static void close_it(void *opaque)
{
	socle_conn_close(((struct caller *)opaque)->conn);
}

/* A call in flight ends when another thread closes. */
static void test_close_in_flight(void)
{
	struct fake fake;
	struct keeper keeper = { .wanted = CALLS };
	struct caller caller;
	struct thread *thread;
	struct socle_conn *conn;

	fake_init(&fake, keep);
	fake.opaque = &keeper;
	conn = fake_connect(&fake, 0);
	caller = (struct caller){ .conn = conn, .number = 1, .got = 5 };
	thread = thread_start("caller", call_once, &caller, NULL);
	close_it(&caller);
	thread_join(thread);
	g_assert_cmpint(caller.got, ==, -1);
	socle_conn_unref(conn);
	fake_release(&fake);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	fake_add_test("/client/conn/open", test_open);
	fake_add_test("/client/conn/read-only", test_readonly);
	fake_add_test("/client/conn/auth", test_auth);
	fake_add_test("/client/conn/open-refused", test_open_refused);
	fake_add_test("/client/conn/mute", test_mute);
	fake_add_test("/client/conn/bad-uris", test_bad_uris);
	fake_add_test("/client/conn/pipelined", test_pipelined);
	fake_add_test("/client/conn/threads", test_threads);
	fake_add_test("/client/conn/deadline", test_deadline);
	for (size_t i = 0; i < G_N_ELEMENTS(nonsense); i++) {
		g_autofree char *path =
			g_strdup_printf("/client/conn/nonsense/%s", nonsense[i].name);

		g_test_add_data_func(path, &nonsense[i], test_nonsense);
	}
	fake_add_test("/client/conn/no-text", test_no_text);
	fake_add_test("/client/conn/too-long", test_too_long);
	fake_add_test("/client/conn/values", test_values);
	fake_add_test("/client/conn/pong", test_pong);
	fake_add_test("/client/conn/silent", test_silent);
	fake_add_test("/client/conn/silent-out-of-order", test_silent_out_of_order);
	fake_add_test("/client/conn/no-features", test_no_features);
	g_test_add_func("/client/conn/thread", test_brief);
	g_test_add_func("/client/conn/threadless-silent", test_brief_silent);
	fake_add_test("/client/conn/descriptor", test_fd);
	fake_add_test("/client/conn/reopen", test_reopen);
	fake_add_test("/client/conn/close-while-away", test_close_while_away);
	fake_add_test("/client/conn/close-in-flight", test_close_in_flight);
	return g_test_run();
}
