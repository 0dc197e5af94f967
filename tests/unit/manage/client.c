/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.c - a client for tests: calls go in as bytes, messages come out
 */
#include "client.h"

#include <string.h>
#include <unistd.h>

#include "rpc/procedure.h"

static struct node *open_node(void *opaque, const char *uri, const struct peer *peer,
			      GError **error)
{
	(void)uri;
	(void)peer;
	(void)error;
	return opaque;
}

struct server *test_server(struct node *node)
{
	struct server_config config = { .open = open_node, .opaque = node };

	return server_new(&config);
}

static void take_message(void *opaque, struct rpc_message *msg, const int *fds, unsigned fd_count)
{
	struct test_client *c = opaque;

	g_queue_push_tail(&c->messages, msg);
	for (unsigned i = 0; i < fd_count; i++)
		(void)close(fds[i]);
}

static void take_close(void *opaque)
{
	struct test_client *c = opaque;

	c->closed = true;
}

static struct test_client *new_by(struct server *server, bool read_only, unsigned uid)
{
	struct test_client *c = g_new0(struct test_client, 1);
	struct peer_config config = { .read_only = read_only,
				      .secure = true,
				      .local = true,
				      .who = "a test",
				      .uid = uid,
				      .send = take_message,
				      .close = take_close,
				      .opaque = c };

	c->server = server;
	c->peer = peer_new(server, &config);
	return c;
}

struct test_client *client_new(struct server *server, bool read_only)
{
	return new_by(server, read_only, 0);
}

void client_free(struct test_client *c)
{
	peer_free(c->peer);
	g_queue_clear_full(&c->messages, (GDestroyNotify)rpc_message_free);
	g_free(c->error);
	g_free(c);
}

void client_feed(struct test_client *c, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len && !c->closed) {
		size_t room, n;
		uint8_t *at = peer_buffer(c->peer, &room);

		n = MIN(room, len);
		if (!n)
			break;
		memcpy(at, p, n);
		if (!peer_filled(c->peer, n, NULL))
			c->closed = true;
		p += n;
		len -= n;
	}
}

static struct rpc_header call_header(struct test_client *c, int proc)
{
	return (struct rpc_header){ .program = RPC_PROGRAM_REMOTE,
				    .version = RPC_VERSION,
				    .procedure = proc,
				    .type = RPC_TYPE_CALL,
				    .serial = ++c->serial };
}

static uint32_t send_message(struct test_client *c, struct rpc_message *msg)
{
	struct span packet = rpc_message_packet(msg);

	client_feed(c, packet.p, packet.len);
	rpc_message_free(msg);
	return c->serial;
}

uint32_t client_send(struct test_client *c, int proc, const void *body, size_t len)
{
	struct rpc_header header = call_header(c, proc);
	struct rpc_message *msg = rpc_message_new(&header);

	g_assert_true(rpc_message_put_bytes(msg, body, len, NULL));
	return send_message(c, msg);
}

uint32_t client_send_xdr(struct test_client *c, int proc, xdrproc_t xdr, const void *args)
{
	struct rpc_header header = call_header(c, proc);
	struct rpc_message *msg = rpc_message_new(&header);

	if (xdr)
		g_assert_true(rpc_message_put_xdr(msg, xdr, (void *)(uintptr_t)args, NULL));
	return send_message(c, msg);
}

uint32_t client_send_fd(struct test_client *c, int proc, xdrproc_t xdr, const void *args, int fd)
{
	struct rpc_header header = call_header(c, proc);
	struct rpc_message *msg;
	uint32_t serial;

	header.type = RPC_TYPE_CALL_WITH_FDS;
	msg = rpc_message_new(&header);
	g_assert_true(rpc_message_put_fds(msg, 1, NULL));
	g_assert_true(rpc_message_put_xdr(msg, xdr, (void *)(uintptr_t)args, NULL));
	serial = send_message(c, msg);
	g_assert_cmpuint(peer_wants_fds(c->peer), ==, 1);
	peer_add_fd(c->peer, fd);
	return serial;
}

static void look(struct rpc_message *msg, struct rpc_received *received)
{
	g_assert_true(rpc_received_init(received, rpc_message_packet(msg), NULL));
}

struct rpc_message *client_take(struct test_client *c, uint32_t serial)
{
	for (GList *l = c->messages.head; l; l = l->next) {
		struct rpc_received received;
		struct rpc_message *msg = l->data;

		look(msg, &received);
		if (received.header.serial == serial && received.header.type != RPC_TYPE_MESSAGE) {
			g_queue_delete_link(&c->messages, l);
			return msg;
		}
	}
	return NULL;
}

struct rpc_message *client_wait(struct test_client *c, uint32_t serial)
{
	gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
	struct rpc_message *msg;

	while (!(msg = client_take(c, serial))) {
		g_assert_cmpint(g_get_monotonic_time(), <, end);
		g_main_context_iteration(NULL, TRUE);
	}
	return msg;
}

bool client_read(struct test_client *c, struct rpc_message *msg, xdrproc_t xdr, void *ret,
		 size_t size)
{
	struct rpc_received received;
	rpc_error error;
	bool ok;

	look(msg, &received);
	g_clear_pointer(&c->error, g_free);
	c->code = c->from = 0;
	ok = received.header.status != RPC_STATUS_ERROR;
	if (!ok) {
		g_assert_true(rpc_received_get(&received, rpc_error, &error, NULL));
		c->error = g_strdup(error.message ? *error.message : "");
		c->code = error.code;
		c->from = error.domain;
		rpc_body_release(rpc_error, &error);
	} else if (ret) {
		g_assert_true(rpc_received_get_xdr(&received, xdr, ret, size, NULL));
	}
	rpc_message_free(msg);
	return ok;
}

bool client_call_xdr(struct test_client *c, int proc, xdrproc_t args_xdr, const void *args,
		     xdrproc_t ret_xdr, void *ret, size_t ret_size)
{
	uint32_t serial = client_send_xdr(c, proc, args_xdr, args);

	return client_read(c, client_wait(c, serial), ret_xdr, ret, ret_size);
}

bool client_event_xdr(struct test_client *c, int proc, xdrproc_t xdr, void *msg, size_t size)
{
	for (GList *l = c->messages.head; l; l = l->next) {
		struct rpc_received received;
		struct rpc_message *m = l->data;

		look(m, &received);
		if (received.header.type != RPC_TYPE_MESSAGE || received.header.procedure != proc)
			continue;
		g_assert_true(rpc_received_get_xdr(&received, xdr, msg, size, NULL));
		g_queue_delete_link(&c->messages, l);
		rpc_message_free(m);
		return true;
	}
	return false;
}

unsigned client_pending(const struct test_client *c)
{
	return c->messages.length;
}

static struct test_client *open_connection(struct test_client *c)
{
	rpc_connect_open_args args = { .flags = 0 };

	g_assert_true(client_call_xdr(c, RPC_PROC_AUTH_LIST, NULL, NULL, NULL, NULL, 0));
	g_assert_true(client_call(c, RPC_PROC_CONNECT_OPEN, connect_open, &args));
	return c;
}

struct test_client *client_open(struct server *server, bool read_only)
{
	return open_connection(client_new(server, read_only));
}

struct test_client *client_open_by(struct server *server, unsigned uid)
{
	return open_connection(new_by(server, false, uid));
}

void turn(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static gboolean stop(void *data)
{
	*(bool *)data = true;
	return G_SOURCE_REMOVE;
}

void turn_ms(unsigned ms)
{
	bool over = false;

	g_timeout_add(ms, stop, &over);
	while (!over)
		g_main_context_iteration(NULL, TRUE);
}

/* == Domains == */

char *test_xml(const char *name, const char *uuid, const char *more)
{
	return g_strdup_printf("<domain type='test'><name>%s</name>%s%s%s<memory>1024</memory>"
			       "<os><type>hvm</type></os>%s</domain>",
			       name, uuid ? "<uuid>" : "", uuid ? uuid : "", uuid ? "</uuid>" : "",
			       more ? more : "");
}

static rpc_domain keep(rpc_domain *dom)
{
	rpc_domain kept = *dom;

	kept.name = (char *)(uintptr_t)g_intern_string(dom->name);
	return kept;
}

rpc_domain client_define(struct test_client *c, const char *xml)
{
	rpc_domain_define_xml_args args = { .xml = (char *)(uintptr_t)xml };
	rpc_domain_define_xml_ret ret;
	rpc_domain dom;

	if (!client_ask(c, RPC_PROC_DOMAIN_DEFINE_XML, domain_define_xml, &args, &ret))
		g_error("%s", c->error);
	dom = keep(&ret.dom);
	rpc_body_release(rpc_domain_define_xml_ret, &ret);
	return dom;
}

bool client_find(struct test_client *c, const char *name, rpc_domain *ret_dom)
{
	rpc_domain_lookup_by_name_args args = { .name = (char *)(uintptr_t)name };
	rpc_domain_lookup_by_name_ret ret;

	if (!client_ask(c, RPC_PROC_DOMAIN_LOOKUP_BY_NAME, domain_lookup_by_name, &args, &ret))
		return false;
	if (ret_dom)
		*ret_dom = keep(&ret.dom);
	rpc_body_release(rpc_domain_lookup_by_name_ret, &ret);
	return true;
}

int client_state(struct test_client *c, rpc_domain dom, int *ret_reason)
{
	rpc_domain_get_state_args args = { .dom = dom };
	rpc_domain_get_state_ret ret;

	if (!client_ask(c, RPC_PROC_DOMAIN_GET_STATE, domain_get_state, &args, &ret))
		return -1;
	if (ret_reason)
		*ret_reason = ret.reason;
	return ret.state;
}

bool client_do(struct test_client *c, int proc, rpc_domain dom)
{
	/* Each of them begins with the domain; flags of zero stand behind it. */
	rpc_domain_reboot_args args = { .dom = dom };

	return client_call_xdr(c, proc, (xdrproc_t)xdr_rpc_domain_reboot_args, &args, NULL, NULL,
			       0);
}

char *client_xml(struct test_client *c, rpc_domain dom, unsigned flags)
{
	rpc_domain_get_xml_desc_args args = { .dom = dom, .flags = flags };
	rpc_domain_get_xml_desc_ret ret;
	char *xml;

	if (!client_ask(c, RPC_PROC_DOMAIN_GET_XML_DESC, domain_get_xml_desc, &args, &ret))
		return NULL;
	xml = g_strdup(ret.xml);
	rpc_body_release(rpc_domain_get_xml_desc_ret, &ret);
	return xml;
}
