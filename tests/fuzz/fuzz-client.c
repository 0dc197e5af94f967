/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-client.c - bytes of a hostile server, to a client that calls, listens and has a stream
 *
 * The input is what the server sends, cut by records: a byte of length n, then n bytes of a packet's
 * body, whose header is made to be an answer to the call that waits, an event, or a packet of the
 * stream, by the byte in front; or all of it as it is. There is no thread: who waits reads. Property:
 * each call ends, with an answer or an error, never with both or neither; nothing is lost.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "client/conn-int.h"
#include "client/object-int.h"
#include "client/socle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A server that lives in the input. */
struct hostile {
	struct transport transport;
	const uint8_t *data; /* what is left of the input */
	size_t size;
	bool raw; /* the input as it is */
	uint8_t packet[28 + 255 * 4];
	size_t len, sent;
	uint32_t call_serial, stream_serial;
	int32_t call_procedure, stream_procedure;
};

enum {
	AS_ANSWER,
	AS_ERROR,
	AS_EVENT,
	AS_STREAM,
	AS_HOLE,
	AS_PING,
	AS_COUNT,
};

static ssize_t hostile_send(struct transport *transport, const void *data, size_t len)
{
	struct hostile *h = container_of(transport, struct hostile, transport);
	const uint8_t *p = data;

	/* Calls leave whole. */
	if (len >= 28 && get_be32(p + 16) == RPC_TYPE_CALL) {
		h->call_procedure = (int32_t)get_be32(p + 12);
		h->call_serial = get_be32(p + 20);
		if (h->call_procedure == RPC_PROC_DOMAIN_OPEN_CONSOLE) {
			h->stream_procedure = h->call_procedure;
			h->stream_serial = h->call_serial;
		}
	}
	return (ssize_t)len;
}

static void put_header(struct hostile *h, unsigned kind, uint8_t detail, size_t body)
{
	static const uint32_t types[AS_COUNT] = { RPC_TYPE_REPLY,       RPC_TYPE_REPLY,
						  RPC_TYPE_MESSAGE,     RPC_TYPE_STREAM,
						  RPC_TYPE_STREAM_HOLE, RPC_TYPE_MESSAGE };
	bool stream = kind == AS_STREAM || kind == AS_HOLE;
	int32_t procedure = stream ? h->stream_procedure : h->call_procedure;

	if (kind == AS_EVENT)
		procedure = RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE + detail % 32;
	if (kind == AS_PING)
		procedure = 1 + detail % 2;
	h->len = 28 + body;
	h->sent = 0;
	put_be32(h->packet, (uint32_t)h->len);
	put_be32(h->packet + 4,
		 kind == AS_PING ? (uint32_t)RPC_PROGRAM_KEEPALIVE : (uint32_t)RPC_PROGRAM_REMOTE);
	put_be32(h->packet + 8, RPC_VERSION);
	put_be32(h->packet + 12, (uint32_t)procedure);
	put_be32(h->packet + 16, types[kind]);
	put_be32(h->packet + 20, stream ? h->stream_serial : h->call_serial);
	put_be32(h->packet + 24, kind == AS_ERROR ? 1u : stream ? detail % 4u : 0u);
}

/* Return: false at the end of the input. */
static bool next_packet(struct hostile *h)
{
	size_t body;

	if (h->size < 3)
		return false;
	body = MIN((size_t)h->data[2] * 4, h->size - 3);
	put_header(h, h->data[0] % AS_COUNT, h->data[1], body);
	memcpy(h->packet + 28, h->data + 3, body);
	h->data += 3 + body;
	h->size -= 3 + body;
	return true;
}

static ssize_t take(const uint8_t **from, size_t *left, void *data, size_t len)
{
	size_t n = MIN(len, *left);

	memcpy(data, *from, n);
	*from += n;
	*left -= n;
	return (ssize_t)n;
}

static ssize_t hostile_recv(struct transport *transport, void *data, size_t len)
{
	struct hostile *h = container_of(transport, struct hostile, transport);
	const uint8_t *from;
	size_t left;
	ssize_t n;

	if (h->raw)
		return h->size > 0 ? take(&h->data, &h->size, data, len) : -EPIPE;
	if (h->sent == h->len && !next_packet(h))
		return -EPIPE;
	from = h->packet + h->sent;
	left = h->len - h->sent;
	n = take(&from, &left, data, len);
	h->sent += (size_t)n;
	return n;
}

static void hostile_free(struct transport *transport)
{
	g_free(container_of(transport, struct hostile, transport));
}

static const struct transport_ops hostile_ops = {
	.send = hostile_send,
	.recv = hostile_recv,
	.free = hostile_free,
};

/* == The client == */

static void one_or_the_other(bool ok, struct socle_error **error)
{
	assert(ok == !*error);
	socle_error_free(*error);
	*error = NULL;
}

static void on_event(struct socle_conn *conn, const struct socle_event *event, void *opaque)
{
	(void)conn;
	*(size_t *)opaque += event->domain ? strlen(socle_domain_name(event->domain)) : 1;
}

static void listen_to_all(struct socle_conn *conn, size_t *count)
{
	for (int id = 0; id < SOCLE_EVENT_DOMAIN_COUNT; id += 3) {
		struct socle_error *error = NULL;
		int rc = socle_event_register(conn, (enum socle_event_id)id, NULL, on_event, count,
					      NULL, &error);

		one_or_the_other(rc >= 0, &error);
	}
}

static void call_for_texts(struct socle_conn *conn, struct socle_domain *dom)
{
	struct socle_error *error = NULL;
	char *xml = socle_domain_xml(dom, 0, &error), **texts = NULL;
	int count;

	one_or_the_other(xml != NULL, &error);
	free(xml);
	count = socle_domain_messages(dom, 0, &texts, &error);
	one_or_the_other(count >= 0, &error);
	socle_strings_free(texts);
	texts = NULL;
	count = socle_conn_cpu_models(conn, "x", 0, &texts, &error);
	one_or_the_other(count >= 0, &error);
	socle_strings_free(texts);
}

static void call_for_lists(struct socle_conn *conn, struct socle_domain *dom)
{
	struct socle_error *error = NULL;
	struct socle_domain **doms = NULL;
	struct socle_domain_stats *stats = NULL;
	struct socle_interface *ifaces = NULL;
	struct socle_fsinfo *info = NULL;
	struct socle_vcpu *vcpus = NULL;
	unsigned char *maps = NULL;

	one_or_the_other(socle_domain_list(conn, 0, &doms, &error) >= 0, &error);
	socle_domains_free(doms);
	one_or_the_other(socle_domain_all_stats(conn, NULL, 0, 0, &stats, &error) >= 0, &error);
	socle_domain_stats_free(stats);
	one_or_the_other(socle_domain_interface_addresses(dom, 0, 0, &ifaces, &error) >= 0, &error);
	socle_interfaces_free(ifaces);
	one_or_the_other(socle_domain_fsinfo(dom, 0, &info, &error) >= 0, &error);
	socle_fsinfo_free(info);
	one_or_the_other(socle_domain_vcpu_info(dom, &vcpus, &maps, 3, &error) >= 0, &error);
	free(vcpus);
	free(maps);
}

static void call_for_numbers(struct socle_conn *conn, struct socle_domain *dom)
{
	struct socle_error *error = NULL;
	struct socle_cpumap map = { NULL, 0, 0 };
	struct socle_memory_stats stats;
	struct socle_params *params;
	struct socle_snapshot *snap;

	one_or_the_other(socle_node_cpu_map(conn, 0, &map, &error) >= 0, &error);
	socle_cpumap_release(&map);
	one_or_the_other(socle_domain_memory_stats(dom, 0, &stats, &error) >= 0, &error);
	params = socle_domain_get_tune(dom, SOCLE_TUNE_MEMORY, NULL, 0, &error);
	one_or_the_other(params != NULL, &error);
	socle_params_free(params);
	params = socle_node_memory_stats(conn, 0, 0, &error);
	one_or_the_other(params != NULL, &error);
	socle_params_free(params);
	snap = socle_snapshot_current(dom, 0, &error);
	one_or_the_other(snap != NULL, &error);
	socle_snapshot_unref(snap);
}

static void use_stream(struct socle_domain *dom)
{
	struct socle_error *error = NULL;
	struct socle_stream *stream = socle_domain_console(dom, NULL, 0, 0, &error);
	char some[64];
	int64_t hole;
	ssize_t n;

	one_or_the_other(stream != NULL, &error);
	if (!stream)
		return;
	do {
		n = socle_stream_recv(stream, some, sizeof(some), NULL);
		if (n == SOCLE_STREAM_HOLE && socle_stream_recv_hole(stream, &hole, NULL) == 0)
			assert(hole >= 0);
	} while (n > 0 || n == SOCLE_STREAM_HOLE);
	(void)socle_stream_send(stream, "x", 1, NULL);
	(void)socle_stream_finish(stream, NULL);
	socle_stream_unref(stream);
}

static void use_all(struct socle_conn *conn)
{
	rpc_domain wire = { .name = (char *)(uintptr_t) "vm" };
	struct socle_domain *dom = domain_new(conn, &wire);
	size_t count = 0;

	listen_to_all(conn, &count);
	call_for_texts(conn, dom);
	use_stream(dom);
	call_for_lists(conn, dom);
	call_for_numbers(conn, dom);
	while (socle_conn_dispatch(conn, 0, NULL) > 0)
		;
	socle_domain_unref(dom);
}

/* A dialer that is never used again. */
static void no_free(struct dialer *dialer)
{
	(void)dialer;
}

static const struct dialer_ops no_dialer_ops = { .free = no_free };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dialer dialer = { .ops = &no_dialer_ops };
	bool keepalive = true;
	struct hostile *h = g_new0(struct hostile, 1);
	struct link *link;
	struct socle_conn *conn;

	h->transport = (struct transport){ .ops = &hostile_ops, .fd = -1 };
	if (size > 0) {
		h->raw = data[0] & 1;
		h->data = data + 1;
		h->size = size - 1;
	}
	link = link_new(&h->transport);
	/* The first calls are made by the same code that others are, but with nothing between. */
	if (size > 0 && (data[0] & 2) &&
	    !link_open(link, "test:///default", false, UINT64_MAX, &keepalive, NULL)) {
		link_free(link);
		return 0;
	}
	conn = conn_new(link, keepalive, &dialer, 0, true, NULL);
	assert(conn);
	use_all(conn);
	socle_conn_unref(conn);
	return 0;
}
