/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dispatch.c - from a packet to the function that handles it
 *
 * What a client may not do, and what it may not do yet, is decided here and nowhere else.
 */
#include <string.h>

#include "base/error.h"
#include "manage/peer-int.h"

enum {
	PROCEDURES_MAX = QEMU_PROCEDURES + 16
};

static const struct call_entry *const tables[] = {
	connect_handlers,
	list_handlers,
	define_handlers,
	event_handlers,
	lifecycle_handlers,
	info_handlers,
	memory_handlers,
	vcpu_handlers,
	tune_handlers,
	device_handlers,
	disk_handlers,
	block_job_handlers,
	card_handlers,
	stats_handlers,
	console_handlers,
	metadata_handlers,
	snapshot_list_handlers,
	snapshot_handlers,
	agent_handlers,
	guest_info_handlers,
	host_handlers,
	host_caps_handlers,
	host_cpu_handlers,
	host_device_handlers,
	absent_handlers,
	net_handlers,
	net_list_handlers,
	net_event_handlers,
	net_update_handlers,
	net_port_handlers,
	snapshot_delete_handlers,
	qemu_handlers,
	pool_list_handlers,
	pool_define_handlers,
	pool_life_handlers,
	secret_handlers,
	pool_event_handlers,
	vol_handlers,
	vol_change_handlers,
	peek_handlers,
	dump_handlers,
	migrate_handlers,
	snapshot_revert_handlers,
};

call_handler *dispatch_new(void)
{
	call_handler *handlers = g_new0(call_handler, PROCEDURES_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct call_entry *e = tables[i]; e->number >= 0; e++) {
			g_assert(e->number < PROCEDURES_MAX && !handlers[e->number]);
			handlers[e->number] = e->handler;
		}
	}
	return handlers;
}

static void refuse(struct peer *peer, const struct rpc_header *header, enum rpc_code code,
		   const char *text)
{
	peer_send(peer, rpc_message_new_error(header, RPC_FROM_RPC, code, text), NULL, 0);
}

/* DOMAIN_GET_XML_DESC is virDomainGetXMLDesc. */
static char *public_name(const char *name)
{
	static const char *const upper[] = { "XML", "FD", "NMI", "CPU", "URI", "UUID", "ID" };
	g_auto(GStrv) words = g_strsplit(name, "_", -1);
	GString *text = g_string_new("vir");

	for (unsigned i = 0; words[i]; i++) {
		bool keep = false;

		for (size_t k = 0; k < ARRAY_SIZE(upper); k++)
			keep |= !strcmp(words[i], upper[k]);
		g_string_append_c(text, words[i][0]);
		for (const char *p = words[i][0] ? words[i] + 1 : ""; *p; p++)
			g_string_append_c(text, keep ? *p : g_ascii_tolower(*p));
	}
	return g_string_free(text, FALSE);
}

static bool may_precede_open(const struct rpc_procedure *proc)
{
	const int number = proc->number;

	if (proc->program != RPC_PROGRAM_REMOTE)
		return false;
	return number == RPC_PROC_CONNECT_OPEN || number == RPC_PROC_CONNECT_SUPPORTS_FEATURE ||
	       number == RPC_PROC_CONNECT_CLOSE;
}

static bool is_allowed(struct peer *peer, const struct rpc_header *header,
		       const struct rpc_procedure *proc, const void *args)
{
	g_autofree char *name = NULL, *text = NULL;

	if (proc->access != RPC_ACCESS_NONE && peer->has == RPC_ACCESS_NONE) {
		refuse(peer, header, RPC_CODE_AUTH_FAILED,
		       "authentication required: ask for its ways (AUTH_LIST) first");
		return false;
	}
	if (proc->access != RPC_ACCESS_NONE && !peer->node && !may_precede_open(proc)) {
		refuse(peer, header, RPC_CODE_INTERNAL, "hypervisor connection not open");
		return false;
	}
	if (rpc_procedure_may_be_called(proc, args, peer->has) ||
	    (!peer->node && may_precede_open(proc)))
		return true;
	name = public_name(proc->name);
	text = g_strdup_printf("operation forbidden: read only access prevents %s", name);
	refuse(peer, header, RPC_CODE_OPERATION_DENIED, text);
	return false;
}

static bool has_all_fds(struct call *call)
{
	for (unsigned i = 0; i < call->fd_count; i++) {
		if (call->fds[i] >= 0)
			continue;
		call_fail(
			call, RPC_CODE_INVALID_ARG, RPC_FROM_RPC,
			"a descriptor of this call has not come: what is between client and daemon "
			"passes nothing but bytes");
		return false;
	}
	return true;
}

static void run_call(struct peer *peer, const struct rpc_header *header,
		     const struct rpc_procedure *proc, void *args)
{
	const int index =
		proc->program == RPC_PROGRAM_QEMU ? QEMU_PROCEDURES + proc->number : proc->number;
	call_handler handler = index < PROCEDURES_MAX ? peer->server->handlers[index] : NULL;
	struct call *call;

	if (!handler) {
		g_autofree char *text = g_strdup_printf("unknown procedure: %d", proc->number);

		refuse(peer, header, RPC_CODE_RPC, text);
		if (args) {
			rpc_body_release_xdr(proc->args.xdr, args, proc->args.size);
			g_free(args);
		}
		return;
	}
	call = call_new_received(peer, peer->node, header, proc);
	call->args = args;
	if (peer->fd_count) {
		call->fds = g_memdup2(peer->fds, peer->fd_count * sizeof(peer->fds[0]));
		call->fd_count = peer->fd_count;
		peer->fd_count = peer->fds_wanted = 0;
	}
	call_enter(call);
	if (has_all_fds(call))
		handler(call, args);
	call_leave(call);
}

static void take_call(struct peer *peer, struct rpc_received *received,
		      const struct rpc_procedure *proc)
{
	g_autoptr(GError) error = NULL;
	void *args = NULL;

	if (proc->args.xdr) {
		args = g_malloc0(proc->args.size);
		if (!rpc_received_get_xdr(received, proc->args.xdr, args, proc->args.size,
					  &error)) {
			g_free(args);
			refuse(peer, &received->header, RPC_CODE_RPC, error->message);
			return;
		}
	}
	if (is_allowed(peer, &received->header, proc, args)) {
		run_call(peer, &received->header, proc, args);
		return;
	}
	if (args) {
		rpc_body_release_xdr(proc->args.xdr, args, proc->args.size);
		g_free(args);
	}
}

bool dispatch_packet(struct peer *peer, struct span packet, GError **error)
{
	struct rpc_received received;
	const struct rpc_procedure *proc = NULL;
	g_autoptr(GError) why = NULL;

	if (!peer->server)
		return error_set(error, SOCLE_ERROR_STATE, "the server is closing");
	if (!rpc_received_init(&received, packet, error))
		return false;
	switch (rpc_sort_for_server(&received.header, &proc, &why)) {
	case RPC_SORT_CALL:
		take_call(peer, &received, proc);
		break;
	case RPC_SORT_REFUSE:
		refuse(peer, &received.header, RPC_CODE_RPC, why->message);
		break;
	case RPC_SORT_STREAM:
		peer_stream_packet(peer, &received);
		break;
	case RPC_SORT_PING:
		peer_send(peer, rpc_message_new_keepalive(RPC_KEEPALIVE_PONG), NULL, 0);
		break;
	case RPC_SORT_PONG:
	case RPC_SORT_DROP:
	case RPC_SORT_REPLY:
	case RPC_SORT_EVENT:
	default:
		break;
	}
	return true;
}
