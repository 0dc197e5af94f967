/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-stream.c - streams: both ways, ends, holes, and that nobody has to take what he does not read
 */
#include <poll.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "base/thread.h"
#include "fake.h"
#include "rpc/stream.h"

enum {
	PACKET_COST = RPC_STREAM_DATA_MAX + (int)sizeof(struct packet),
	/* The pause comes behind the last of so many large ones. */
	PACKETS_TO_PAUSE = (CONN_STREAM_PAUSE + PACKET_COST - 1) / PACKET_COST,
};

/* A server of streams: answers the opening, and does as the name of the console says. */
struct server {
	pthread_mutex_t lock;
	GByteArray *got;
	struct rpc_header call; /* of the stream that is open */
	unsigned finishes;
	unsigned aborts;
	struct rpc_header
		late; /* the call of a stream that is answered before the next other one */
	int64_t holes;
	bool stalled; /* takes nothing for now */
	pthread_cond_t go;
};

static void data(struct fake *fake, const struct rpc_header *call, const char *text)
{
	fake_send(fake, rpc_stream_new_data(call, text, strlen(text), NULL));
}

static void many(struct fake *fake, const struct rpc_header *call, size_t packets)
{
	g_autofree char *bytes = g_strnfill(RPC_STREAM_DATA_MAX, 'm');

	for (size_t i = 0; i < packets; i++)
		data(fake, call, bytes);
}

static void say_goodbye(struct fake *fake, const struct rpc_header *call, const char *name)
{
	if (!strcmp(name, "abort"))
		fake_send(fake, rpc_message_new_error(call, RPC_FROM_STREAMS,
						      RPC_CODE_OPERATION_FAILED, "torn"));
	else if (!strcmp(name, "finish"))
		fake_send(fake, rpc_stream_new_finish(call));
	else if (strcmp(name, "open") != 0)
		fake_send(fake, rpc_stream_new_data(call, NULL, 0, NULL));
}

static void play(struct fake *fake, const struct rpc_header *call, const char *name)
{
	if (!strcmp(name, "echo") || !strcmp(name, "stall"))
		return;
	if (!strcmp(name, "hole")) {
		data(fake, call, "a");
		fake_send(fake, rpc_stream_new_hole(call, 4096, NULL));
		data(fake, call, "b");
	} else if (!strcmp(name, "bad-hole")) {
		struct rpc_header bad = *call;

		bad.type = RPC_TYPE_STREAM_HOLE;
		bad.status = RPC_STATUS_CONTINUE;
		fake_send(fake, rpc_message_new(&bad));
		return;
	} else if (!strcmp(name, "many")) {
		many(fake, call, 80);
	} else if (!strcmp(name, "enough")) {
		many(fake, call, PACKETS_TO_PAUSE);
	} else {
		data(fake, call, "hello ");
		data(fake, call, "world");
	}
	say_goodbye(fake, call, name);
}

static void open_stream(struct fake *fake, struct server *s, const struct rpc_received *packet)
{
	struct rpc_received copy = *packet;
	rpc_domain_open_console_args args;

	g_assert_true(rpc_received_get(&copy, rpc_domain_open_console_args, &args, NULL));
	s->call = packet->header;
	s->call.type = RPC_TYPE_STREAM;
	s->stalled = !strcmp(*args.dev_name, "stall");
	if (!strcmp(*args.dev_name, "late")) {
		s->late = packet->header;
		rpc_body_release(rpc_domain_open_console_args, &args);
		return;
	}
	/* Holes that are none, before there is a stream. */
	if (!strcmp(*args.dev_name, "torn"))
		play(fake, &s->call, "bad-hole");
	/* libvirtd sends data by another thread than the answer. */
	if (!strcmp(*args.dev_name, "early"))
		play(fake, &s->call, *args.dev_name);
	fake_reply(fake, packet, "");
	if (strcmp(*args.dev_name, "early") != 0)
		play(fake, &s->call, *args.dev_name);
	rpc_body_release(rpc_domain_open_console_args, &args);
}

static void stream_packet(struct fake *fake, struct server *s, const struct rpc_received *packet)
{
	struct rpc_stream_packet said;

	while (s->stalled)
		pthread_cond_wait(&s->go, &s->lock);
	g_assert_true(rpc_stream_read(packet, &said, NULL));
	switch (said.what) {
	case RPC_STREAM_DATA:
		g_byte_array_append(s->got, said.data.p, (guint)said.data.len);
		if (said.data.len < 100)
			fake_send(fake,
				  rpc_stream_new_data(&s->call, said.data.p, said.data.len, NULL));
		break;
	case RPC_STREAM_HOLE:
		s->holes += said.length;
		break;
	case RPC_STREAM_FINISH:
		s->finishes++;
		fake_send(fake, rpc_stream_new_finish(&s->call));
		break;
	case RPC_STREAM_ABORT:
		s->aborts++;
		break;
	case RPC_STREAM_END:
	default:
		g_assert_not_reached();
	}
}

static void answer_type(struct fake *fake, struct server *s, const struct rpc_received *packet)
{
	if (s->late.procedure) {
		const struct rpc_received late = { .header = s->late };

		fake_reply(fake, &late, "");
		s->late.procedure = 0;
	}
	fake_reply(fake, packet, "s:x");
}

static void on_packet(struct fake *fake, const struct rpc_received *packet)
{
	struct server *s = fake->opaque;

	pthread_mutex_lock(&s->lock);
	if (packet->header.type == RPC_TYPE_STREAM || packet->header.type == RPC_TYPE_STREAM_HOLE)
		stream_packet(fake, s, packet);
	else if (packet->header.procedure == RPC_PROC_DOMAIN_OPEN_CONSOLE)
		open_stream(fake, s, packet);
	else if (packet->header.procedure == RPC_PROC_DOMAIN_LOOKUP_BY_NAME)
		fake_reply(fake, packet, "D");
	else if (packet->header.procedure == RPC_PROC_CONNECT_GET_TYPE)
		answer_type(fake, s, packet);
	else if (packet->header.procedure == RPC_PROC_CONNECT_GET_HOSTNAME)
		fake_hang_up(fake);
	pthread_mutex_unlock(&s->lock);
}

struct world {
	struct fake fake;
	struct server server;
	struct socle_conn *conn;
	struct socle_stream *stream;
	struct socle_error *error;
};

static void world_open(struct world *w, const char *name, unsigned flags, bool hoards)
{
	struct socle_domain *dom;

	*w = (struct world){
		.server = { .lock = PTHREAD_MUTEX_INITIALIZER,
			    .go = PTHREAD_COND_INITIALIZER,
			    .got = g_byte_array_new() },
	};
	fake_init(&w->fake, on_packet);
	w->fake.opaque = &w->server;
	w->fake.hoards = hoards;
	w->conn = fake_connect(&w->fake, 0);
	dom = socle_domain_by_name(w->conn, "vm", NULL);
	w->stream = socle_domain_console(dom, name, 0, flags, NULL);
	g_assert_nonnull(w->stream);
	socle_domain_unref(dom);
}

static void world_init(struct world *w, const char *name, unsigned flags)
{
	world_open(w, name, flags, false);
}

static void world_release(struct world *w)
{
	socle_error_free(w->error);
	socle_stream_unref(w->stream);
	socle_conn_unref(w->conn);
	fake_release(&w->fake);
	g_byte_array_unref(w->server.got);
}

/* When this returns the server has seen all that was sent before. */
static void sync_with_server(struct world *w)
{
	free(socle_conn_type(w->conn, NULL));
}

static char *receive_all(struct world *w)
{
	GString *all = g_string_new(NULL);
	char some[7];
	ssize_t n;

	while ((n = socle_stream_recv(w->stream, some, sizeof(some), &w->error)) > 0)
		g_string_append_len(all, some, n);
	g_string_append_printf(all, "|%d", (int)n);
	return g_string_free(all, FALSE);
}

static void test_download(void)
{
	struct world w;
	g_autofree char *all = NULL;

	world_init(&w, "end", 0);
	all = receive_all(&w);
	g_assert_cmpstr(all, ==, "hello world|0");
	g_assert_cmpint(socle_stream_finish(w.stream, &w.error), ==, 0);
	g_assert_cmpuint(w.server.finishes, ==, 1);
	/* Once more is no harm; but there is nothing to send to. */
	g_assert_cmpint(socle_stream_finish(w.stream, &w.error), ==, 0);
	g_assert_cmpint((int)socle_stream_send(w.stream, "x", 1, &w.error), ==, -1);
	g_assert_cmpint(socle_error_code(w.error), ==, SOCLE_ERR_INVALID_STREAM);
	world_release(&w);
}

/* The server ends it by itself, or gives it up: first comes what was sent before. */
static void test_server_ends(void)
{
	struct world w;
	g_autofree char *all = NULL, *torn = NULL;

	world_init(&w, "finish", 0);
	all = receive_all(&w);
	g_assert_cmpstr(all, ==, "hello world|0");
	world_release(&w);

	world_init(&w, "abort", 0);
	torn = receive_all(&w);
	g_assert_cmpstr(torn, ==, "hello world|-1");
	g_assert_cmpstr(socle_error_message(w.error), ==, "torn");
	g_assert_cmpint(socle_error_domain(w.error), ==, SOCLE_FROM_STREAMS);
	socle_error_free(w.error);
	w.error = NULL;
	g_assert_cmpint(socle_stream_finish(w.stream, &w.error), ==, -1);
	g_assert_cmpstr(socle_error_message(w.error), ==, "torn");
	world_release(&w);
}

static void test_early(void)
{
	struct world w;
	g_autofree char *all = NULL;

	world_init(&w, "early", 0);
	all = receive_all(&w);
	g_assert_cmpstr(all, ==, "hello world|0");
	g_assert_cmpint(socle_stream_finish(w.stream, &w.error), ==, 0);
	world_release(&w);
}

static void test_both_ways(void)
{
	struct world w;
	char some[16] = "";

	world_init(&w, "echo", 0);
	for (int i = 0; i < 10; i++) {
		g_assert_cmpint((int)socle_stream_send(w.stream, "ping", 4, NULL), ==, 4);
		g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), NULL), ==, 4);
		g_assert_cmpstr(some, ==, "ping");
	}
	socle_stream_abort(w.stream);
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), &w.error), ==, -1);
	g_assert_cmpint(socle_error_code(w.error), ==, SOCLE_ERR_OPERATION_ABORTED);
	sync_with_server(&w);
	g_assert_cmpuint(w.server.aborts, ==, 1);
	world_release(&w);
}

static void test_upload(void)
{
	enum {
		SIZE = 3 * 1000 * 1000
	};
	struct world w;
	g_autofree char *bytes = g_strnfill(SIZE, 'u');

	world_init(&w, "echo", 0);
	g_assert_cmpint((int)socle_stream_send(w.stream, bytes, SIZE, NULL), ==, SIZE);
	g_assert_cmpint(socle_stream_send_hole(w.stream, 12345, NULL), ==, 0);
	g_assert_cmpint(socle_stream_send_hole(w.stream, -1, &w.error), ==, -1);
	g_assert_cmpint(socle_error_code(w.error), ==, SOCLE_ERR_INVALID_ARG);
	g_assert_cmpint(socle_stream_finish(w.stream, NULL), ==, 0);
	g_assert_cmpmem(w.server.got->data, w.server.got->len, bytes, SIZE);
	g_assert_cmpint((int)w.server.holes, ==, 12345);
	world_release(&w);
}

static void test_holes(void)
{
	struct world w;
	char some[4];
	int64_t length = 0;

	world_init(&w, "hole", 0);
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), NULL), ==, 1);
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), NULL), ==,
			SOCLE_STREAM_HOLE);
	g_assert_cmpint(socle_stream_recv_hole(w.stream, &length, NULL), ==, 0);
	g_assert_cmpint((int)length, ==, 4096);
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), NULL), ==, 1);
	g_assert_cmpint(some[0], ==, 'b');
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), NULL), ==, 0);
	g_assert_cmpint(socle_stream_recv_hole(w.stream, &length, &w.error), ==, -1);
	g_assert_cmpint(socle_error_code(w.error), ==, SOCLE_ERR_OPERATION_INVALID);
	world_release(&w);
}

static void test_bad_hole(void)
{
	struct world w;
	char some[4];

	world_init(&w, "bad-hole", 0);
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), &w.error), ==, -1);
	g_assert_cmpint(socle_error_code(w.error), ==, SOCLE_ERR_RPC);
	/* The stream, not the connection. */
	sync_with_server(&w);
	g_assert_cmpuint(w.server.aborts, ==, 1);
	g_assert_true(socle_conn_is_alive(w.conn));
	world_release(&w);
}

/* == Without waiting == */

static bool is_set(struct world *w, enum socle_stream_events event)
{
	struct pollfd fd = { .fd = socle_stream_fd(w->stream, event), .events = POLLIN };

	return sys_poll(&fd, 1, 0) == 1;
}

static void test_nonblock(void)
{
	struct world w;
	char some[16];

	world_init(&w, "echo", SOCLE_STREAM_NONBLOCK);
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), NULL), ==,
			SOCLE_STREAM_AGAIN);
	g_assert_false(is_set(&w, SOCLE_STREAM_READABLE));
	g_assert_true(is_set(&w, SOCLE_STREAM_WRITABLE));
	g_assert_cmpuint(socle_stream_wait(w.stream, SOCLE_STREAM_READABLE, 0), ==, 0);
	g_assert_cmpuint(socle_stream_wait(w.stream, SOCLE_STREAM_READABLE, 1), ==, 0);
	g_assert_cmpint((int)socle_stream_send(w.stream, "abc", 3, NULL), ==, 3);
	g_assert_cmpuint(socle_stream_wait(w.stream, SOCLE_STREAM_READABLE, -1), ==,
			 SOCLE_STREAM_READABLE);
	g_assert_true(is_set(&w, SOCLE_STREAM_READABLE));
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), NULL), ==, 3);
	g_assert_false(is_set(&w, SOCLE_STREAM_READABLE));
	world_release(&w);
}

/* A server that takes nothing stops the sender, not the memory; it goes on when that does. */
static void test_full(void)
{
	enum {
		SIZE = 64 << 20
	};
	struct world w;
	g_autofree char *bytes = g_strnfill(SIZE, 'f');
	ssize_t first;

	world_init(&w, "stall", SOCLE_STREAM_NONBLOCK);
	first = socle_stream_send(w.stream, bytes, SIZE, NULL);
	g_assert_cmpint((int)first, >, 0);
	g_assert_cmpint((int)first, <, 8 << 20);
	g_assert_cmpint((int)socle_stream_send(w.stream, "x", 1, NULL), ==, SOCLE_STREAM_AGAIN);
	g_assert_false(is_set(&w, SOCLE_STREAM_WRITABLE));
	pthread_mutex_lock(&w.server.lock);
	w.server.stalled = false;
	pthread_cond_signal(&w.server.go);
	pthread_mutex_unlock(&w.server.lock);
	g_assert_cmpuint(socle_stream_wait(w.stream, SOCLE_STREAM_WRITABLE, -1), ==,
			 SOCLE_STREAM_WRITABLE);
	sync_with_server(&w);
	g_assert_cmpuint(w.server.got->len, ==, (guint)first);
	world_release(&w);
}

static void take(struct world *w, size_t packets)
{
	g_autofree char *piece = g_malloc(1 << 20);
	size_t total = 0;
	ssize_t n;

	while ((n = socle_stream_recv(w->stream, piece, 1 << 20, NULL)) > 0)
		total += (size_t)n;
	g_assert_cmpint((int)n, ==, 0);
	g_assert_cmpuint(total, ==, packets * (size_t)RPC_STREAM_DATA_MAX);
	g_assert_cmpint(socle_stream_finish(w->stream, NULL), ==, 0);
}

/* Without pings, by which it would look again. */
static void wait_until_paused(struct world *w)
{
	bool paused = false;

	socle_conn_set_keepalive(w->conn, 0, 0);
	while (!paused) {
		pthread_mutex_lock(&w->conn->lock);
		paused = w->conn->stream_bytes >= CONN_STREAM_PAUSE;
		pthread_mutex_unlock(&w->conn->lock);
		g_usleep(1000);
	}
	/* Now it sleeps. Earlier would be no harm, and no proof. */
	g_usleep(50000);
}

/* 20 MB that nobody takes: the connection stops reading, but a call gets its answer. */
static void test_paused(void)
{
	struct world w;
	char *type;

	world_init(&w, "many", 0);
	wait_until_paused(&w);
	socle_conn_set_timeout(w.conn, 60000);
	type = socle_conn_type(w.conn, NULL);
	g_assert_cmpstr(type, ==, "x");
	free(type);
	take(&w, 80);
	world_release(&w);
}

/* The end has left the socket before the pause, and is told behind it. */
static void test_paused_ahead(void)
{
	struct world w;

	world_open(&w, "enough", 0, true);
	wait_until_paused(&w);
	take(&w, PACKETS_TO_PAUSE);
	world_release(&w);
}

static void test_paused_and_left(void)
{
	struct world w;

	world_init(&w, "many", 0);
	/* Nobody ever reads; giving it up lets the rest come, and go. */
	socle_stream_unref(w.stream);
	w.stream = NULL;
	sync_with_server(&w);
	world_release(&w);
}

/* Who called has gone when the stream is there: the server must not keep it for ever. */
static void test_late(void)
{
	struct world w;
	struct socle_domain *dom;

	world_init(&w, "echo", 0);
	dom = socle_domain_by_name(w.conn, "vm", NULL);
	socle_conn_set_timeout(w.conn, 1);
	g_assert_null(socle_domain_console(dom, "late", 0, 0, &w.error));
	g_assert_cmpint(socle_error_code(w.error), ==, SOCLE_ERR_OPERATION_TIMEOUT);
	socle_conn_set_timeout(w.conn, 0);
	/* The answer comes before that of this call, and the end of the stream before the next call. */
	sync_with_server(&w);
	sync_with_server(&w);
	g_assert_cmpuint(w.server.aborts, ==, 1);
	socle_domain_unref(dom);
	world_release(&w);
}

/* It makes no sense before its call is answered: given up at once, and ended behind the answer. */
static void test_torn(void)
{
	struct world w;
	char some[4];

	world_init(&w, "torn", 0);
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), &w.error), ==, -1);
	g_assert_cmpint(socle_error_code(w.error), ==, SOCLE_ERR_RPC);
	sync_with_server(&w);
	g_assert_cmpuint(w.server.aborts, ==, 1);
	world_release(&w);
}

static void test_lost(void)
{
	struct world w;
	char some[4];

	world_init(&w, "echo", 0);
	g_assert_null(socle_conn_hostname(w.conn, NULL));
	g_assert_cmpint((int)socle_stream_recv(w.stream, some, sizeof(some), &w.error), ==, -1);
	g_assert_cmpint(socle_error_code(w.error), ==, SOCLE_ERR_CONNECTION_LOST);
	g_assert_true(is_set(&w, SOCLE_STREAM_READABLE));
	g_assert_true(is_set(&w, SOCLE_STREAM_WRITABLE));
	world_release(&w);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	fake_add_test("/client/stream/download", test_download);
	fake_add_test("/client/stream/server-ends", test_server_ends);
	fake_add_test("/client/stream/early", test_early);
	fake_add_test("/client/stream/both-ways", test_both_ways);
	fake_add_test("/client/stream/upload", test_upload);
	fake_add_test("/client/stream/holes", test_holes);
	fake_add_test("/client/stream/bad-hole", test_bad_hole);
	fake_add_test("/client/stream/nonblock", test_nonblock);
	fake_add_test("/client/stream/full", test_full);
	fake_add_test("/client/stream/paused", test_paused);
	fake_add_test("/client/stream/paused-ahead", test_paused_ahead);
	fake_add_test("/client/stream/paused-and-left", test_paused_and_left);
	fake_add_test("/client/stream/late", test_late);
	fake_add_test("/client/stream/torn", test_torn);
	fake_add_test("/client/stream/lost", test_lost);
	return g_test_run();
}
