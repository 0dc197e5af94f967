/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-dispatch.c - a hostile client of the driver "test": whatever it calls, with whatever in it
 *
 * The first byte says of bits:
 *  0  the connection is a read-only one
 *  1  without the prologue
 *  2  the rest are packets as they are; otherwise records, see calls-fuzz.h
 *  3  there are an idle domain and an idle network, too, and the domain has a snapshot
 *  4  there is a volume
 *  5  the running domain's disk is being copied
 *  6  it has asked for all events
 *
 * Properties: no call has more than one answer; what a read-only client does changes nothing; another client
 * is served afterwards; and all is freed in the end, which sanitizers see.
 */
#include <assert.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "calls-fuzz.h"
#include "manage/fake-int.h"
#include "manage/node.h"
#include "manage/peer.h"
#include "rpc/procedure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

enum {
	CALLS_MAX = 512,
	MOMENTS_MAX = 1,
	MOMENT_US = 1100, /* after which a job of the driver has moved */

	READ_ONLY = 1 << 0,
	NO_PROLOGUE = 1 << 1,
	RAW = 1 << 2,
	WITH_IDLE = 1 << 3,
	WITH_VOLUME = 1 << 4,
	WITH_JOB = 1 << 5,
	WITH_EVENTS = 1 << 6,
	WORLD = WITH_IDLE | WITH_VOLUME | WITH_JOB,
};

struct client {
	struct peer *peer;
	bool closed;
	uint32_t serial;
	uint32_t streams[RECORD_NUMBER + 1]; /* the last serial of a call of each procedure */
	unsigned moments;
	uint8_t answers[CALLS_MAX + 128];
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

static void send_packet(struct client *c, const struct rpc_header *header, const void *body,
			size_t len)
{
	struct rpc_message *msg = rpc_message_new(header);
	struct span packet;

	if (rpc_message_put_bytes(msg, body, len, NULL)) {
		packet = rpc_message_packet(msg);
		feed(c, packet.p, packet.len);
	}
	rpc_message_free(msg);
}

static void call_program(struct client *c, uint32_t program, int proc, const void *body, size_t len)
{
	struct rpc_header header = {
		.program = program, .version = RPC_VERSION, .procedure = proc, .serial = ++c->serial
	};

	send_packet(c, &header, body, len);
}

static void call(struct client *c, int proc, const void *body, size_t len)
{
	call_program(c, RPC_PROGRAM_REMOTE, proc, body, len);
}

/* A call with arguments of a type. */
static void call_with(struct client *c, int proc, xdrproc_t xdr, void *args)
{
	static const struct rpc_header header;
	struct rpc_message *msg = rpc_message_new(&header);
	struct rpc_received received;

	if (!rpc_message_put_xdr(msg, xdr, args, NULL) ||
	    !rpc_received_init(&received, rpc_message_packet(msg), NULL))
		assert(!"arguments of our own cannot be put");
	call(c, proc, received.body.p, received.body.len);
	rpc_message_free(msg);
}

#define CALL(c, proc, type, ...) call_with(c, proc, (xdrproc_t)xdr_##type, &(type){ __VA_ARGS__ })

static struct client *open_client(struct server *server, bool read_only, bool prologue)
{
	struct client *c = g_new0(struct client, 1);
	struct peer_config config = { .read_only = read_only,
				      .who = "a fuzzer",
				      .send = take_message,
				      .close = take_close,
				      .opaque = c };

	c->peer = peer_new(server, &config);
	if (prologue) {
		call(c, RPC_PROC_AUTH_LIST, NULL, 0);
		call(c, RPC_PROC_CONNECT_OPEN, "\0\0\0\0\0\0\0\0", 8);
	}
	return c;
}

static void close_client(struct client *c)
{
	peer_free(c->peer);
	rpc_message_free(c->last);
	g_free(c);
}

static void turn(void)
{
	for (unsigned i = 0; i < 100 && g_main_context_iteration(NULL, FALSE); i++)
		;
}

static char *unconst(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* What else than the one domain, network and pool of the driver there is. */
static void make_world(struct client *c, unsigned with)
{
	rpc_domain dom = { .name = unconst("idle") };
	rpc_storage_pool pool = { .name = unconst("default-pool") };

	if (with & WITH_IDLE) {
		memcpy(dom.uuid, idle_uuid, sizeof(dom.uuid));
		CALL(c, RPC_PROC_DOMAIN_DEFINE_XML, rpc_domain_define_xml_args,
		     .xml = unconst(idle_xml));
		CALL(c, RPC_PROC_DOMAIN_SNAPSHOT_CREATE_XML, rpc_domain_snapshot_create_xml_args,
		     .dom = dom, .xml_desc = unconst(snapshot_xml));
		CALL(c, RPC_PROC_NETWORK_DEFINE_XML, rpc_network_define_xml_args,
		     .xml = unconst(idle_net_xml));
	}
	if (with & WITH_VOLUME) {
		memcpy(pool.uuid, pool_uuid, sizeof(pool.uuid));
		CALL(c, RPC_PROC_STORAGE_VOL_CREATE_XML, rpc_storage_vol_create_xml_args,
		     .pool = pool, .xml = unconst(vol_xml));
	}
	if (with & WITH_JOB) {
		dom = (rpc_domain){ .name = unconst("test"), .id = 1 };
		memcpy(dom.uuid, test_uuid, sizeof(dom.uuid));
		CALL(c, RPC_PROC_DOMAIN_BLOCK_COPY, rpc_domain_block_copy_args, .dom = dom,
		     .path = unconst("vda"), .destxml = unconst(copy_xml));
	}
}

static void ask_for_events(struct client *c)
{
	for (int id = 0; id < 27; id++)
		CALL(c, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
		     rpc_connect_domain_event_callback_register_any_args, .eventID = id);
	CALL(c, RPC_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY,
	     rpc_connect_network_event_register_any_args, .eventID = 0);
	for (int id = 0; id < 2; id++)
		CALL(c, RPC_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
		     rpc_connect_storage_pool_event_register_any_args, .eventID = id);
}

static void run_stream(struct client *c, unsigned what, const void *body, size_t len)
{
	struct rpc_header header = { .program = RPC_PROGRAM_REMOTE,
				     .version = RPC_VERSION,
				     .procedure = what & RECORD_NUMBER,
				     .type = what & RECORD_HOLE ? RPC_TYPE_STREAM_HOLE
								: RPC_TYPE_STREAM,
				     .serial = c->streams[what & RECORD_NUMBER],
				     .status = (what & RECORD_STATUS) >> RECORD_STATUS_SHIFT };

	send_packet(c, &header, body, len);
}

static void run_record(struct client *c, unsigned what, const void *body, size_t len)
{
	struct rpc_header ping = { .program = RPC_PROGRAM_KEEPALIVE,
				   .version = RPC_VERSION,
				   .procedure = what & RECORD_NUMBER,
				   .type = RPC_TYPE_MESSAGE };

	if ((what & RECORD_KEEPALIVE) == RECORD_KEEPALIVE) {
		send_packet(c, &ping, body, len);
	} else if (what & RECORD_STREAM) {
		run_stream(c, what, body, len);
	} else if (what & RECORD_QEMU) {
		call_program(c, RPC_PROGRAM_QEMU, what & RECORD_NUMBER, body, len);
	} else if (what == RECORD_MOMENT) {
		if (c->moments++ < MOMENTS_MAX)
			g_usleep(MOMENT_US);
		turn();
	} else {
		call(c, (int)what, body, len);
		c->streams[what & RECORD_NUMBER] = c->serial;
	}
}

static void run_records(struct client *c, const uint8_t *p, size_t len)
{
	for (unsigned n = 0; n < CALLS_MAX && len >= RECORD_HEAD; n++) {
		size_t body = MIN(get_be16(p + 2), len - RECORD_HEAD);

		run_record(c, get_be16(p), p + RECORD_HEAD, body);
		p += RECORD_HEAD + body;
		len -= RECORD_HEAD + body;
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
	struct client *c;

	c = open_client(server, false, true);
	for (size_t i = 0; i < ARRAY_SIZE(procs); i++) {
		struct span packet;

		if (procs[i] == RPC_PROC_CONNECT_LIST_ALL_DOMAINS)
			call(c, procs[i], "\0\0\0\1\0\0\0\0", 8);
		else
			call(c, procs[i], uuid, sizeof(uuid));
		turn();
		assert(c->last);
		packet = rpc_message_packet(c->last);
		g_byte_array_append(seen, packet.p, (guint)packet.len);
	}
	close_client(c);
	return seen;
}

/* Whatever has happened, others are served. */
static void check_served(struct server *server)
{
	struct client *c;

	c = open_client(server, false, true);
	call(c, RPC_PROC_CONNECT_NUM_OF_DOMAINS, NULL, 0);
	turn();
	assert(c->last);
	close_client(c);
}

static void run_client(struct server *server, const uint8_t *data, size_t size)
{
	const unsigned how = data[0];
	struct client *c = open_client(server, how & READ_ONLY, !(how & NO_PROLOGUE));

	if (how & WITH_EVENTS)
		ask_for_events(c);
	if (how & RAW) {
		/* Serials are the client's own, so answers cannot be counted. */
		c->serial = UINT32_MAX;
		feed(c, data + 1, size - 1);
	} else {
		run_records(c, data + 1, size - 1);
	}
	turn();
	close_client(c);
	turn();
}

static struct server *open_world(unsigned with, struct node **ret_node)
{
	struct server_config config = { .open = open_node };
	struct server *server;
	struct client *maker;

	config.opaque = *ret_node = node_new_test();
	server = server_new(&config);
	if (with) {
		maker = open_client(server, false, true);
		make_world(maker, with);
		turn();
		close_client(maker);
	}
	return server;
}

/* What such a client does changes nothing, so the next one is served by the same world, and that is checked. */
static void run_read_only(const uint8_t *data, size_t size)
{
	static struct world {
		struct server *server;
		struct node *node;
		GByteArray *seen;
	} worlds[WORLD + 1];
	struct world *w = &worlds[data[0] & WORLD];
	g_autoptr(GByteArray) after = NULL;

	if (!w->server) {
		w->server = open_world(data[0] & WORLD, &w->node);
		w->seen = look(w->server);
	}
	run_client(w->server, data, size);
	after = look(w->server);
	assert(w->seen->len == after->len && !memcmp(w->seen->data, after->data, after->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server *server;
	struct node *node;

	if (size > 0 && (data[0] & READ_ONLY)) {
		run_read_only(data, size);
	} else if (size > 0) {
		server = open_world(data[0] & WORLD, &node);
		run_client(server, data, size);
		check_served(server);
		server_free(server);
		node_free(node);
		turn();
	}
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	/* A world costs as much as some calls do, so most go without. */
	static const uint8_t hows[] = { 0,
					0,
					0,
					READ_ONLY,
					READ_ONLY | WORLD,
					READ_ONLY | WORLD | WITH_EVENTS,
					WITH_IDLE,
					WITH_VOLUME,
					WITH_JOB,
					WITH_EVENTS,
					WORLD | WITH_EVENTS,
					NO_PROLOGUE,
					RAW };

	return calls_mutate(hows, sizeof(hows), RAW, data, size, max_size, seed);
}
