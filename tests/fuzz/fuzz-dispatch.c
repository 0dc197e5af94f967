/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-dispatch.c - a hostile client of the driver "test": whatever it calls, with whatever in it
 *
 * The first byte: bit 0 is a read-only connection, bit 1 leaves out the prologue, bit 2 means that the
 * rest are packets as they are. Otherwise they are records, two bytes of a procedure's number, two of a
 * length, and so many of a body, each of which becomes a call. Properties: no call has more than one
 * answer; what a read-only client does changes nothing; another client is served afterwards; and all
 * is freed in the end, which sanitizers see.
 */
#include <assert.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "manage/fake-int.h"
#include "manage/node.h"
#include "manage/peer.h"
#include "rpc/procedure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	CALLS_MAX = 512
};

struct client {
	struct peer *peer;
	bool closed;
	uint32_t serial;
	uint8_t answers[CALLS_MAX + 8];
	struct rpc_message *last;
};

static struct node *open_node(void *opaque, const char *uri, const struct peer *peer,
			      GError **error)
{
	(void)uri;
	(void)peer;
	(void)error;
	return opaque;
}

static void take_message(void *opaque, struct rpc_message *msg, const int *fds, unsigned fd_count)
{
	struct client *c = opaque;
	struct rpc_received received;

	assert(rpc_received_init(&received, rpc_message_packet(msg), NULL));
	if (received.header.type == RPC_TYPE_REPLY ||
	    received.header.type == RPC_TYPE_REPLY_WITH_FDS) {
		assert(received.header.serial >= ARRAY_SIZE(c->answers) ||
		       ++c->answers[received.header.serial] == 1 || c->serial == UINT32_MAX);
		rpc_message_free(c->last);
		c->last = msg;
	} else {
		rpc_message_free(msg);
	}
	for (unsigned i = 0; i < fd_count; i++)
		(void)close(fds[i]);
}

static void take_close(void *opaque)
{
	((struct client *)opaque)->closed = true;
}

static void feed(struct client *c, const uint8_t *p, size_t len)
{
	while (len && !c->closed) {
		size_t room, n;
		uint8_t *at = peer_buffer(c->peer, &room);

		n = MIN(room, len);
		if (!n || peer_wants_fds(c->peer))
			return;
		memcpy(at, p, n);
		if (!peer_filled(c->peer, n, NULL))
			c->closed = true;
		p += n;
		len -= n;
	}
}

static void call(struct client *c, int proc, const void *body, size_t len)
{
	struct rpc_header header = { .program = RPC_PROGRAM_REMOTE,
				     .version = RPC_VERSION,
				     .procedure = proc,
				     .serial = ++c->serial };
	struct rpc_message *msg = rpc_message_new(&header);
	struct span packet;

	if (rpc_message_put_bytes(msg, body, len, NULL)) {
		packet = rpc_message_packet(msg);
		feed(c, packet.p, packet.len);
	}
	rpc_message_free(msg);
}

static void open_client(struct client *c, struct server *server, bool read_only, bool prologue)
{
	struct peer_config config = { .read_only = read_only,
				      .who = "a fuzzer",
				      .send = take_message,
				      .close = take_close,
				      .opaque = c };

	memset(c, 0, sizeof(*c));
	c->peer = peer_new(server, &config);
	if (!prologue)
		return;
	call(c, RPC_PROC_AUTH_LIST, NULL, 0);
	call(c, RPC_PROC_CONNECT_OPEN, "\0\0\0\0\0\0\0\0", 8);
}

static void close_client(struct client *c)
{
	peer_free(c->peer);
	rpc_message_free(c->last);
}

static void turn(void)
{
	for (unsigned i = 0; i < 100 && g_main_context_iteration(NULL, FALSE); i++)
		;
}

/* Records become calls. */
static void run_calls(struct client *c, const uint8_t *p, size_t len)
{
	for (unsigned n = 0; n < CALLS_MAX && len >= 4; n++) {
		size_t body = MIN(get_be16(p + 2), len - 4);

		call(c, get_be16(p), p + 4, body);
		p += 4 + body;
		len -= 4 + body;
	}
}

/* What a client sees of all domains: their definitions and states. */
static GByteArray *look(struct server *server)
{
	static const uint8_t uuid[] = { 0,    0,    0,    4,    't',  'e',  's',  't',
					0x66, 0x95, 0xeb, 0x01, 0xf6, 0xa4, 0x83, 0x04,
					0x79, 0xaa, 0x97, 0xf2, 0x50, 0x2e, 0x19, 0x3f,
					0,    0,    0,    1,    0,    0,    0,    0 };
	static const int procs[] = { RPC_PROC_DOMAIN_GET_XML_DESC, RPC_PROC_DOMAIN_GET_STATE,
				     RPC_PROC_DOMAIN_GET_AUTOSTART, RPC_PROC_DOMAIN_SNAPSHOT_NUM,
				     RPC_PROC_CONNECT_LIST_ALL_DOMAINS };
	GByteArray *seen = g_byte_array_new();
	struct client c;

	open_client(&c, server, false, true);
	for (size_t i = 0; i < ARRAY_SIZE(procs); i++) {
		struct span packet;

		if (procs[i] == RPC_PROC_CONNECT_LIST_ALL_DOMAINS)
			call(&c, procs[i], "\0\0\0\1\0\0\0\0", 8);
		else
			call(&c, procs[i], uuid, sizeof(uuid));
		turn();
		assert(c.last);
		packet = rpc_message_packet(c.last);
		g_byte_array_append(seen, packet.p, (guint)packet.len);
	}
	close_client(&c);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server_config config = { .open = open_node };
	struct server *server;
	struct node *node;
	struct client c;
	g_autoptr(GByteArray) before = NULL;
	g_autoptr(GByteArray) after = NULL;
	bool read_only;

	if (size == 0)
		return 0;
	read_only = data[0] & 1;
	node = node_new_test();
	config.opaque = node;
	server = server_new(&config);
	before = look(server);
	open_client(&c, server, read_only, !(data[0] & 2));
	if (data[0] & 4) {
		/* Serials are the client's own, so answers cannot be counted. */
		c.serial = UINT32_MAX;
		feed(&c, data + 1, size - 1);
	} else {
		run_calls(&c, data + 1, size - 1);
	}
	turn();
	after = look(server);
	if (read_only)
		assert(before->len == after->len &&
		       !memcmp(before->data, after->data, before->len));
	close_client(&c);
	turn();
	server_free(server);
	node_free(node);
	turn();
	return 0;
}
