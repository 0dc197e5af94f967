/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpc-server.c - a server for libvirt's clients, made of the rpc room alone; two domains stand still
 *
 * usage: rpc-server SOCKET. It says "ready" when clients can come, and serves one after the other.
 * There is a bit of each kind: answers, errors, typed parameters, a stream, an event, keepalive, and
 * connections that are read-only.
 */
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <glib.h>

#include "base/error.h"
#include "base/sys.h"
#include "rpc/frame.h"
#include "rpc/param.h"
#include "rpc/procedure.h"
#include "rpc/stream.h"

static char running_name[] = "running", stopped_name[] = "stopped", mime_text[] = "image/png";
static rpc_domain domains[] = {
	{ .name = running_name, .uuid = "socle-test-dom-1", .id = 7 },
	{ .name = stopped_name, .uuid = "socle-test-dom-2", .id = -1 },
};

struct client {
	int fd;
	enum rpc_access has;
	bool wants_events;
	struct rpc_header call;
	const struct rpc_procedure *proc;
	void *args;
};

static bool send_message(struct client *client, struct rpc_message *msg)
{
	struct span packet = rpc_message_packet(msg);
	bool ok = sys_write_full(client->fd, packet.p, packet.len) >= 0;

	rpc_message_free(msg);
	return ok;
}

static bool refuse(struct client *client, enum rpc_from from, enum rpc_code code, const char *text)
{
	return send_message(client, rpc_message_new_error(&client->call, from, code, text));
}

/* @body is of the type that the procedure's answer has; NULL: it has none. */
static bool answer(struct client *client, void *body)
{
	struct rpc_header header = rpc_header_answer(&client->call, RPC_STATUS_OK);
	struct rpc_message *msg = rpc_message_new(&header);
	g_autoptr(GError) error = NULL;

	if (body && !rpc_message_put_xdr(msg, client->proc->ret.xdr, body, &error)) {
		rpc_message_free(msg);
		return refuse(client, RPC_FROM_RPC, RPC_CODE_RPC, error->message);
	}
	return send_message(client, msg);
}

static bool answer_stats(struct client *client)
{
	rpc_domain_stats_record record = { .dom = domains[0] };
	rpc_connect_get_all_domain_stats_ret ret = { .retStats = { 1, &record } };
	struct rpc_params params;
	bool ok;

	rpc_params_init(&params);
	rpc_params_add_int(&params, "state.state", 1);
	rpc_params_add_ullong(&params, "balloon.maximum", 1048576);
	rpc_params_add_double(&params, "test.double", 2.5);
	rpc_params_add_boolean(&params, "test.flag", true);
	rpc_params_add_string(&params, "net.0.name", "tap0");
	record.params.params_val = params.items;
	record.params.params_len = params.count;
	ok = answer(client, &ret);
	rpc_params_release(&params);
	return ok;
}

/* The stream is as long as 3 packets; the client's own finish is answered elsewhere. */
static bool answer_screenshot(struct client *client)
{
	char *mime = mime_text;
	rpc_domain_screenshot_ret ret = { .mime = &mime };
	g_autofree char *data = g_strnfill(RPC_STREAM_DATA_MAX, 'p');
	static const size_t parts[] = { RPC_STREAM_DATA_MAX, 1, 5000, 0 };
	bool ok = answer(client, &ret);

	for (size_t i = 0; ok && i < G_N_ELEMENTS(parts); i++)
		ok = send_message(client, rpc_stream_new_data(&client->call, data, parts[i], NULL));
	return ok;
}

static bool answer_register(struct client *client)
{
	rpc_connect_domain_event_callback_register_any_ret ret = { .callbackID = 4 };

	client->wants_events = true;
	return answer(client, &ret);
}

/*
 * A client drops an event that comes right behind the answer to its registration: it has not noted
 * the number yet. So each ping brings one, which is sent by a client who waits.
 */
static bool answer_ping(struct client *client)
{
	rpc_domain_event_callback_lifecycle_msg event = {
		.callbackID = 4, .dom = domains[0], .event = 3, .detail = 0
	};
	struct rpc_header header = { .program = RPC_PROGRAM_REMOTE,
				     .version = RPC_VERSION,
				     .procedure = RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
				     .type = RPC_TYPE_MESSAGE,
				     .serial = 1 };
	struct rpc_message *msg;

	if (!send_message(client, rpc_message_new_keepalive(RPC_KEEPALIVE_PONG)))
		return false;
	if (!client->wants_events)
		return true;
	msg = rpc_message_new(&header);
	return rpc_message_put(msg, rpc_domain_event_callback_lifecycle_msg, &event, NULL) &&
	       send_message(client, msg);
}

static bool answer_lookup(struct client *client)
{
	const rpc_domain_lookup_by_name_args *args = client->args;

	for (size_t i = 0; i < G_N_ELEMENTS(domains); i++) {
		rpc_domain_lookup_by_name_ret ret = { .dom = domains[i] };

		if (!strcmp(domains[i].name, args->name))
			return answer(client, &ret);
	}
	return refuse(client, RPC_FROM_QEMU, RPC_CODE_NO_DOMAIN, "Domain not found: no such name");
}

static bool answer_feature(struct client *client)
{
	const rpc_connect_supports_feature_args *args = client->args;
	int f = args->feature;
	rpc_connect_supports_feature_ret ret = { .supported =
							 f == 9 || f == 10 || f == 14 || f == 15 };

	return answer(client, &ret);
}

static bool answer_domain(struct client *client)
{
	rpc_connect_list_all_domains_ret list = { { G_N_ELEMENTS(domains), domains },
						  G_N_ELEMENTS(domains) };
	rpc_domain_get_info_ret info = { .state = 1,
					 .maxMem = 1048576,
					 .memory = 524288,
					 .nrVirtCpu = 258,
					 .cpuTime = 5000000000 };
	/* The argument comes back whole. */
	const rpc_domain_get_state_args *state_args = client->args;
	rpc_domain_get_state_ret state = { .state = 1, .reason = 1 };

	switch (client->proc->number) {
	case RPC_PROC_CONNECT_LIST_ALL_DOMAINS:
		return answer(client, &list);
	case RPC_PROC_DOMAIN_LOOKUP_BY_NAME:
		return answer_lookup(client);
	case RPC_PROC_DOMAIN_GET_INFO:
		return answer(client, &info);
	case RPC_PROC_DOMAIN_GET_STATE:
		if (!memcmp(state_args->dom.uuid, domains[1].uuid, sizeof(rpc_uuid)))
			state = (rpc_domain_get_state_ret){ .state = 5, .reason = 2 };
		return answer(client, &state);
	case RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS:
		return answer_stats(client);
	case RPC_PROC_DOMAIN_SCREENSHOT:
		return answer_screenshot(client);
	case RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY:
		return answer_register(client);
	case RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY:
		return answer(client, NULL);
	default: {
		g_autofree char *text =
			g_strdup_printf("unknown procedure: %d", client->proc->number);

		return refuse(client, RPC_FROM_RPC, RPC_CODE_RPC, text);
	}
	}
}

static bool answer_call(struct client *client)
{
	rpc_auth_type none = RPC_AUTH_NONE;
	rpc_auth_list_ret auth = { { 1, &none } };
	char type[] = "QEMU";
	rpc_connect_get_type_ret type_ret = { .type = type };
	rpc_connect_get_version_ret version = { .hv_ver = 7002000 };
	rpc_connect_get_lib_version_ret lib_version = { .lib_ver = 9000000 };
	rpc_node_get_info_ret node = { .model = "x86_64",
				       .memory = 4194304,
				       .cpus = 6,
				       .mhz = 2400,
				       .nodes = 1,
				       .sockets = 1,
				       .cores = 3,
				       .threads = 2 };
	const rpc_connect_open_args *open = client->args;

	switch (client->proc->number) {
	case RPC_PROC_AUTH_LIST:
		client->has = RPC_ACCESS_READ;
		return answer(client, &auth);
	case RPC_PROC_CONNECT_OPEN:
		client->has = open->flags & 1 ? RPC_ACCESS_READ : RPC_ACCESS_WRITE;
		return answer(client, NULL);
	case RPC_PROC_CONNECT_CLOSE:
	case RPC_PROC_CONNECT_REGISTER_CLOSE_CALLBACK:
	case RPC_PROC_CONNECT_UNREGISTER_CLOSE_CALLBACK:
		return answer(client, NULL);
	case RPC_PROC_CONNECT_SUPPORTS_FEATURE:
		return answer_feature(client);
	case RPC_PROC_CONNECT_GET_TYPE:
		return answer(client, &type_ret);
	case RPC_PROC_CONNECT_GET_VERSION:
		return answer(client, &version);
	case RPC_PROC_CONNECT_GET_LIB_VERSION:
		return answer(client, &lib_version);
	case RPC_PROC_NODE_GET_INFO:
		return answer(client, &node);
	default:
		return answer_domain(client);
	}
}

static bool take_call(struct client *client, struct rpc_received *received)
{
	const struct rpc_layout *layout = &client->proc->args;
	g_autofree void *args = g_malloc0(MAX(layout->size, 1));
	g_autoptr(GError) error = NULL;
	bool ok;

	if (layout->xdr && !rpc_received_get_xdr(received, layout->xdr, args, layout->size, &error))
		return refuse(client, RPC_FROM_RPC, RPC_CODE_RPC, error->message);
	client->args = args;
	if (rpc_procedure_may_be_called(client->proc, args, client->has))
		ok = answer_call(client);
	else
		ok = refuse(client, RPC_FROM_RPC, RPC_CODE_OPERATION_DENIED,
			    "operation forbidden: the connection is read-only");
	if (layout->xdr)
		rpc_body_release_xdr(layout->xdr, args, layout->size);
	return ok;
}

/* Return false when the connection is to be closed. */
static bool take_packet(struct client *client, struct span packet)
{
	struct rpc_received received;
	struct rpc_stream_packet part;
	g_autoptr(GError) error = NULL;

	if (!rpc_received_init(&received, packet, &error))
		return false;
	client->call = received.header;
	switch (rpc_sort_for_server(&received.header, &client->proc, &error)) {
	case RPC_SORT_CALL:
		return take_call(client, &received);
	case RPC_SORT_REFUSE:
		return refuse(client, RPC_FROM_RPC, RPC_CODE_RPC, error->message);
	case RPC_SORT_STREAM:
		if (!rpc_stream_read(&received, &part, &error) || part.what != RPC_STREAM_FINISH)
			return true;
		return send_message(client, rpc_stream_new_finish(&received.header));
	case RPC_SORT_PING:
		return answer_ping(client);
	case RPC_SORT_PONG:
	case RPC_SORT_DROP:
	case RPC_SORT_REPLY:
	case RPC_SORT_EVENT:
		return true;
	}
	return false;
}

static void serve(int fd)
{
	struct client client = { .fd = fd };
	autoptr(rpc_frame) frame = rpc_frame_new();
	bool ok = true;

	while (ok) {
		size_t room;
		uint8_t *buffer = rpc_frame_buffer(frame, &room);
		ssize_t got = sys_read(fd, buffer, room);
		g_autoptr(GError) error = NULL;

		if (got <= 0)
			return;
		switch (rpc_frame_filled(frame, (size_t)got, &error)) {
		case RPC_FRAME_MORE:
			break;
		case RPC_FRAME_PACKET:
			ok = take_packet(&client, rpc_frame_packet(frame));
			break;
		case RPC_FRAME_BROKEN:
			ok = false;
			break;
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autofd int listener = -1;

	if (argc != 2 || strlen(argv[1]) >= sizeof(addr.sun_path)) {
		(void)fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
		return 1;
	}
	memcpy(addr.sun_path, argv[1], strlen(argv[1]));
	listener = sys_socket(AF_UNIX, SOCK_STREAM, 0);
	if (listener < 0 || sys_bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    sys_listen(listener, 5) < 0) {
		(void)fprintf(stderr, "cannot listen on '%s'\n", argv[1]);
		return 1;
	}
	printf("ready\n");
	(void)fflush(stdout);
	for (;;) {
		autofd int fd = sys_accept(listener, 0);

		if (fd < 0)
			return 1;
		serve(fd);
	}
}
