/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-clients.c - clients that come, talk, are slow, silent or noisy, lie, and go
 */
#include "daemon/clients.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/error.h"
#include "daemon/policy.h"
#include "manage/node.h"

#include "wire.h"

struct fixture {
	struct node *node;
	struct clients_config config;
	struct clients *clients;
	struct clients_door door;
	unsigned changes;
};

static struct node *on_open(void *opaque, const char *uri, GError **error)
{
	struct fixture *f = opaque;

	if (!strcmp(uri, "no:///such"))
		error_set(error, SOCLE_ERROR_NOT_FOUND, "there are no machines there");
	return strcmp(uri, "no:///such") ? f->node : NULL;
}

static void on_changed(void *opaque)
{
	((struct fixture *)opaque)->changes++;
}

static void setup(struct fixture *f, const void *data)
{
	struct node_config node = { .uri = "qemu:///system", .type = "QEMU" };

	(void)data;
	f->node = node_new(&node);
	f->config = (struct clients_config){
		.max_clients = 100,
		.max_anonymous = 50,
		.only_uid = (uid_t)-1,
		.open = on_open,
		.changed = on_changed,
		.opaque = f,
	};
	f->door = (struct clients_door){ .local = true };
	f->clients = clients_new(&f->config);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	clients_free(f->clients, 0);
	clients_free(NULL, 0);
	node_free(f->node);
}

/* With other limits. */
static void renew(struct fixture *f)
{
	clients_free(f->clients, 0);
	f->clients = clients_new(&f->config);
}

/* Somebody comes, who is of this user: for a test that root runs, if it is another one. */
static void come_as(struct fixture *f, struct wire *wire, uid_t uid)
{
	const uid_t us = geteuid();
	int fds[2];

	/* Who it is the kernel notes when the sockets are made. */
	g_assert_cmpint(seteuid(uid), ==, 0);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	g_assert_cmpint(seteuid(us), ==, 0);
	g_assert_cmpint(sys_set_nonblock(fds[0]), ==, 0);
	clients_add(f->clients, fds[0], &f->door);
	wire_init(wire, fds[1]);
}

static void come(struct fixture *f, struct wire *wire)
{
	come_as(f, wire, geteuid());
}

static void come_and_open(struct fixture *f, struct wire *wire)
{
	come(f, wire);
	g_assert_cmpint(wire_open(wire, "qemu:///system", NULL), ==, 0);
}

/* Until there are so many. */
static void expect_count(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < 1000 && clients_count(f->clients) != count; i++) {
		settle();
		g_usleep(1000);
	}
	g_assert_cmpuint(clients_count(f->clients), ==, count);
}

static void test_talk(struct fixture *f, const void *data)
{
	g_autofree char *text = NULL;
	struct wire a, b;

	(void)data;
	come_and_open(f, &a);
	come(f, &b);
	g_assert_cmpuint(clients_count(f->clients), ==, 2);
	g_assert_cmpint(wire_call(&a, RPC_PROC_CONNECT_GET_TYPE), ==, 0);
	g_assert_cmpint(wire_open(&b, "no:///such", &text), ==, RPC_CODE_NO_CONNECT);
	g_assert_cmpstr(text, ==, "there are no machines there");
	g_assert_cmpint(wire_call(&a, RPC_PROC_CONNECT_CLOSE), ==, 0);
	wire_release(&a);
	expect_count(f, 1);
	wire_release(&b);
	expect_count(f, 0);
	g_assert_cmpuint(f->changes, ==, 4);
}

/* A byte at a time, then three calls in one write. */
static void test_pieces(struct fixture *f, const void *data)
{
	g_autoptr(GByteArray) three = g_byte_array_new();
	struct rpc_message *msg;
	struct wire wire;

	(void)data;
	come_and_open(f, &wire);
	msg = wire_message_xdr(&wire, RPC_PROC_CONNECT_GET_TYPE, NULL, NULL);
	for (size_t i = 0; i < rpc_message_packet(msg).len; i++) {
		g_assert_cmpint(sys_write(wire.fd, rpc_message_packet(msg).p + i, 1), ==, 1);
		settle();
	}
	g_assert_cmpint(wire_status(&wire, NULL), ==, 0);
	for (unsigned i = 0; i < 3; i++)
		g_byte_array_append(three, rpc_message_packet(msg).p,
				    (guint)rpc_message_packet(msg).len);
	rpc_message_free(msg);
	g_assert_cmpint(sys_write_full(wire.fd, three->data, three->len), ==, three->len);
	for (unsigned i = 0; i < 3; i++)
		g_assert_cmpint(wire_status(&wire, NULL), ==, 0);
	wire_release(&wire);
}

/* It goes in the middle of a packet, or with an answer on its way. */
static void test_vanish(struct fixture *f, const void *data)
{
	struct wire a, b;

	(void)data;
	come_and_open(f, &a);
	come_and_open(f, &b);
	g_assert_cmpint(sys_write(a.fd, "\0\0\0\x1c\x20", 5), ==, 5);
	settle();
	wire_release(&a);
	wire_send(&b, wire_message_xdr(&b, RPC_PROC_CONNECT_GET_TYPE, NULL, NULL));
	wire_release(&b);
	expect_count(f, 0);
}

static void test_garbage(struct fixture *f, const void *data)
{
	struct wire wire;

	(void)data;
	come(f, &wire);
	g_assert_cmpint(sys_write_full(wire.fd, "GET / HTTP/1.1\r\n\r\n", 18), ==, 18);
	g_assert_false(wire_receive(&wire));
	expect_count(f, 0);
	wire_release(&wire);
}

static void test_silent(struct fixture *f, const void *data)
{
	struct wire silent, other;

	(void)data;
	f->config.anonymous_ms = 50;
	renew(f);
	come_and_open(f, &other);
	come(f, &silent);
	/* Nothing is heard of it, and it is gone. */
	g_assert_false(wire_receive(&silent));
	expect_count(f, 1);
	g_assert_cmpint(wire_call(&other, RPC_PROC_CONNECT_GET_TYPE), ==, 0);
	wire_release(&silent);
	wire_release(&other);
}

/* The oldest goes; who has said what he wants stays. */
static void test_anonymous(struct fixture *f, const void *data)
{
	struct wire first, silent[5];

	(void)data;
	f->config.max_anonymous = 4;
	renew(f);
	come_and_open(f, &first);
	for (unsigned i = 0; i < G_N_ELEMENTS(silent); i++)
		come(f, &silent[i]);
	expect_count(f, 5);
	g_assert_false(wire_receive(&silent[0]));
	for (unsigned i = 1; i < G_N_ELEMENTS(silent); i++)
		g_assert_cmpint(wire_open(&silent[i], "", NULL), ==, 0);
	g_assert_cmpint(wire_call(&first, RPC_PROC_CONNECT_GET_TYPE), ==, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(silent); i++)
		wire_release(&silent[i]);
	wire_release(&first);
}

static void test_max(struct fixture *f, const void *data)
{
	struct wire wires[4];

	(void)data;
	f->config.max_clients = 3;
	renew(f);
	for (unsigned i = 0; i < 3; i++)
		come_and_open(f, &wires[i]);
	come(f, &wires[3]);
	g_assert_cmpint(wire_open(&wires[3], "", NULL), ==, -1);
	wire_release(&wires[0]);
	expect_count(f, 2);
	wire_release(&wires[3]);
	come_and_open(f, &wires[3]);
	for (unsigned i = 1; i < 4; i++)
		wire_release(&wires[i]);
}

/* Half of the places are for one user; the daemon's own and root have all. */
static void test_half(struct fixture *f, const void *data)
{
	enum {
		USER = 65534
	};
	struct wire theirs[3], ours[2];

	(void)data;
	if (geteuid() != 0) {
		g_test_skip("only root can come as somebody else");
		return;
	}
	f->config.max_clients = 4;
	renew(f);
	for (unsigned i = 0; i < 3; i++)
		come_as(f, &theirs[i], USER);
	expect_count(f, 2);
	g_assert_false(wire_receive(&theirs[2]));
	for (unsigned i = 0; i < 2; i++)
		come_and_open(f, &ours[i]);
	expect_count(f, 4);
	for (unsigned i = 0; i < 3; i++)
		wire_release(&theirs[i]);
	for (unsigned i = 0; i < 2; i++)
		wire_release(&ours[i]);
}

/* A session is its user's, and root may look. */
static void test_session(struct fixture *f, const void *data)
{
	g_autofree char *text = NULL;
	struct wire own, other, root;

	(void)data;
	if (geteuid() != 0) {
		g_test_skip("only root can come as somebody else");
		return;
	}
	f->config.only_uid = 65534;
	renew(f);
	come_as(f, &own, 65534);
	g_assert_cmpint(wire_open(&own, "", NULL), ==, 0);
	come_as(f, &other, 65533);
	g_assert_cmpint(wire_open(&other, "", &text), ==, RPC_CODE_ACCESS_DENIED);
	g_assert_nonnull(strstr(text, "this is the session of uid 65534"));
	come(f, &root);
	g_assert_cmpint(wire_open(&root, "", NULL), ==, 0);
	wire_release(&own);
	wire_release(&other);
	wire_release(&root);
}

/* One that calls and calls and takes no answer: it has to wait, and others do not. */
static void test_flood(struct fixture *f, const void *data)
{
	struct wire noisy, other;
	struct rpc_message *msg;
	unsigned sent = 0, answered = 0;
	gint64 begin, longest = 0;
	bool stuck = false;

	(void)data;
	come_and_open(f, &noisy);
	come_and_open(f, &other);
	msg = wire_message_xdr(&noisy, RPC_PROC_CONNECT_GET_TYPE, NULL, NULL);
	/* Until nothing moves any more, though all of the loop had its turn. */
	while (!stuck) {
		struct span packet = rpc_message_packet(msg);
		ssize_t n = sys_write(noisy.fd, packet.p, packet.len);

		if (n == -EAGAIN) {
			settle();
			n = sys_write(noisy.fd, packet.p, packet.len);
			stuck = n == -EAGAIN;
		}
		if (n > 0) {
			g_assert_cmpint(n, ==, packet.len);
			sent++;
		}
		if (sent % 1000 == 0) {
			begin = g_get_monotonic_time();
			g_assert_cmpint(wire_call(&other, RPC_PROC_CONNECT_GET_TYPE), ==, 0);
			longest = MAX(longest, g_get_monotonic_time() - begin);
		}
	}
	g_test_message("%u calls without an answer, the other one waited %lld us at most", sent,
		       (long long)longest);
	g_assert_cmpuint(sent, >, 1000);
	g_assert_cmpint(longest, <, 1000000);
	/* All of them have their answers. */
	while (answered < sent) {
		g_assert_cmpint(wire_status(&noisy, NULL), ==, 0);
		answered++;
	}
	g_assert_cmpint(wire_call(&noisy, RPC_PROC_CONNECT_GET_TYPE), ==, 0);
	rpc_message_free(msg);
	wire_release(&noisy);
	wire_release(&other);
}

/* == What it may == */

static void set_policy(struct fixture *f, const char *text)
{
	g_autoptr(GError) error = NULL;
	struct policy *policy = policy_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	clients_set_policy(f->clients, policy);
}

static int define(struct wire *wire)
{
	static char xml[] =
		"<domain type='qemu'><name>x</name><memory>65536</memory><os><type>hvm</type>"
		"<kernel>/k</kernel></os></domain>";
	rpc_domain_define_xml_args args = { .xml = xml };

	wire_send(wire, wire_message_xdr(wire, RPC_PROC_DOMAIN_DEFINE_XML,
					 (xdrproc_t)xdr_rpc_domain_define_xml_args, &args));
	return wire_status(wire, NULL);
}

static void test_policy(struct fixture *f, const void *data)
{
	g_autofree char *rule = g_strdup_printf("[a]\nuser=%u\naccess=read\n", (unsigned)getuid());
	g_autofree char *text = NULL;
	struct wire none, reader, writer, silent;

	(void)data;
	come_and_open(f, &writer);
	set_policy(f, "[all]\naccess=none\n");
	come(f, &none);
	g_assert_cmpint(wire_open(&none, "", &text), ==, RPC_CODE_ACCESS_DENIED);
	g_assert_nonnull(strstr(text, "the policy of this host does not let uid "));
	/* Nor anything else. */
	g_assert_cmpint(wire_call(&none, RPC_PROC_CONNECT_GET_TYPE), !=, 0);
	set_policy(f, rule);
	come_and_open(f, &reader);
	g_assert_cmpint(wire_call(&reader, RPC_PROC_CONNECT_GET_TYPE), ==, 0);
	g_assert_cmpint(define(&reader), ==, RPC_CODE_OPERATION_DENIED);
	/* Who was here before is not asked again. */
	g_assert_cmpint(define(&writer), ==, 0);
	clients_set_policy(f->clients, NULL);
	f->door.read_only = true;
	come_and_open(f, &silent);
	g_assert_cmpint(define(&silent), ==, RPC_CODE_OPERATION_DENIED);
	wire_release(&none);
	wire_release(&reader);
	wire_release(&writer);
	wire_release(&silent);
}

/* == Descriptors == */

static void send_fd(struct wire *wire, int fd)
{
	g_assert_cmpint(sys_send_fd(wire->fd, fd), ==, 1);
}

static struct rpc_message *call_with_fds(struct wire *wire, unsigned count)
{
	struct rpc_header header = {
		.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = 9999,
		.type = RPC_TYPE_CALL_WITH_FDS,
		.serial = wire->serial++,
	};
	struct rpc_message *msg = rpc_message_new(&header);

	g_assert_true(rpc_message_put_fds(msg, count, NULL));
	return msg;
}

/* Ours was the last but theirs: when theirs is closed, the pipe ends. */
static void expect_closed(int pipe_end)
{
	struct pollfd pollfd = { .fd = pipe_end, .events = POLLIN };

	settle();
	g_assert_cmpint(sys_poll(&pollfd, 1, 1000), ==, 1);
	g_assert_true(pollfd.revents & POLLHUP);
}

static void test_fds(struct fixture *f, const void *data)
{
	struct wire wire;
	int pipes[3][2];

	(void)data;
	come_and_open(f, &wire);
	for (unsigned i = 0; i < G_N_ELEMENTS(pipes); i++)
		g_assert_cmpint(sys_pipe(pipes[i], 0), ==, 0);
	/* Two at once, in one go with the next call. */
	wire_send(&wire, call_with_fds(&wire, 2));
	for (unsigned i = 0; i < 2; i++) {
		send_fd(&wire, pipes[i][1]);
		fd_autoclose(&pipes[i][1]);
	}
	wire_send(&wire, wire_message_xdr(&wire, RPC_PROC_CONNECT_GET_TYPE, NULL, NULL));
	g_assert_cmpint(wire_status(&wire, NULL), ==, RPC_CODE_RPC);
	g_assert_cmpint(wire_status(&wire, NULL), ==, 0);
	expect_closed(pipes[0][0]);
	expect_closed(pipes[1][0]);
	/* One that nobody has announced. */
	wire_send(&wire, wire_message_xdr(&wire, RPC_PROC_CONNECT_GET_TYPE, NULL, NULL));
	send_fd(&wire, pipes[2][1]);
	fd_autoclose(&pipes[2][1]);
	while (wire_receive(&wire))
		;
	expect_count(f, 0);
	expect_closed(pipes[2][0]);
	for (unsigned i = 0; i < G_N_ELEMENTS(pipes); i++)
		fd_autoclose(&pipes[i][0]);
	wire_release(&wire);
}

/* A byte without what was to come with it is one call's loss; and who goes while we wait for them. */
static void test_fds_missing(struct fixture *f, const void *data)
{
	struct wire a, b;

	(void)data;
	come_and_open(f, &a);
	wire_send(&a, call_with_fds(&a, 1));
	g_assert_cmpint(sys_write(a.fd, "\0", 1), ==, 1);
	g_assert_cmpint(wire_status(&a, NULL), ==, RPC_CODE_RPC);
	g_assert_cmpint(wire_call(&a, RPC_PROC_CONNECT_GET_TYPE), ==, 0);
	wire_release(&a);
	come_and_open(f, &b);
	wire_send(&b, call_with_fds(&b, 1));
	settle();
	wire_release(&b);
	expect_count(f, 0);
}

/* == The end == */

static void test_farewell(struct fixture *f, const void *data)
{
	struct wire told, other, deaf;

	(void)data;
	come_and_open(f, &told);
	come_and_open(f, &other);
	come(f, &deaf);
	g_assert_cmpint(wire_call(&told, RPC_PROC_CONNECT_REGISTER_CLOSE_CALLBACK), ==, 0);
	clients_free(f->clients, 1000);
	f->clients = NULL;
	g_assert_true(wire_receive(&told));
	g_assert_cmpint(told.got.header.procedure, ==, RPC_PROC_CONNECT_EVENT_CONNECTION_CLOSED);
	g_assert_cmpuint(told.got.header.type, ==, RPC_TYPE_MESSAGE);
	g_assert_false(wire_receive(&told));
	g_assert_false(wire_receive(&other));
	g_assert_false(wire_receive(&deaf));
	wire_release(&told);
	wire_release(&other);
	wire_release(&deaf);
}

/* A client whose socket fails is one that has gone. */
static void test_failing(struct fixture *f, const void *data)
{
	static const enum sys_call calls[] = { SYS_READ, SYS_WRITE };
	struct wire wire;

	(void)data;
	for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
		come_and_open(f, &wire);
		wire_send(&wire, wire_message_xdr(&wire, RPC_PROC_CONNECT_GET_TYPE, NULL, NULL));
		sys_fail_nth(calls[i], 1, ECONNRESET);
		settle();
		g_assert_cmpuint(sys_fail_pending(calls[i]), ==, 0);
		expect_count(f, 0);
		wire_release(&wire);
	}
}

int main(int argc, char **argv)
{
#define CASE(name) g_test_add("/clients/" #name, struct fixture, NULL, setup, test_##name, teardown)

	g_test_init(&argc, &argv, NULL);
	CASE(talk);
	CASE(pieces);
	CASE(vanish);
	CASE(garbage);
	CASE(silent);
	CASE(anonymous);
	CASE(max);
	CASE(half);
	CASE(session);
	CASE(flood);
	CASE(policy);
	CASE(fds);
	CASE(fds_missing);
	CASE(farewell);
	CASE(failing);
	return g_test_run();
}
