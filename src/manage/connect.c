/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connect.c - the procedures of a connection itself: who, what can you do, which machines
 */
#include <string.h>

#include "manage/node-int.h"
#include "manage/peer-int.h"

static void on_auth_list(struct call *call, const void *args)
{
	rpc_auth_type types[] = { RPC_AUTH_NONE };
	rpc_auth_list_ret ret = { { ARRAY_SIZE(types), types } };

	(void)args;
	/* Who may connect at all was decided before there was a peer. */
	if (call->peer && call->peer->has == RPC_ACCESS_NONE)
		call->peer->has = RPC_ACCESS_READ;
	call_reply(call, &ret);
}

/* Nobody is told to, so who does is no libvirt client; who he is was decided by where he came in. */
static void on_other_auth(struct call *call, const void *args)
{
	(void)args;
	call_fail(call, RPC_CODE_AUTH_FAILED, RPC_FROM_AUTH,
		  "this way to prove who one is is not offered; take one that AUTH_LIST names");
}

/* Clients of all ages come through with these: which they ask and which they do not. */
static void on_feature(struct call *call, const rpc_connect_supports_feature_args *args)
{
	static const bool has[] = {
		[4] = true,  [6] = true,  [7] = true,  [8] = true,  [9] = true,  [10] = true,
		[11] = true, [12] = true, [13] = true, [14] = true, [15] = true, [16] = true,
	};
	int n = args->feature;
	rpc_connect_supports_feature_ret ret = {
		.supported = n >= 0 && (size_t)n < ARRAY_SIZE(has) && has[n],
	};

	if (n == RPC_FEATURE_VOL_BY_STREAM || n == RPC_FEATURE_VOL_NO_SYNC)
		ret.supported = true;
	else if (n == RPC_FEATURE_VOL_BY_FD)
		ret.supported = call->peer && peer_is_ourselves(call->peer);
	if (call->peer && n == RPC_FEATURE_KEEPALIVE)
		call->peer->keepalive = true;
	call_reply(call, &ret);
}

/*
 * What libvirt's client tells of itself. Only the first counts: 2 stands for a user's own daemon, 4 for one
 * that it would have started, as every client without root's rights does for a session.
 */
enum {
	OPEN_READ_ONLY = 1 << 0,
	OPEN_FLAGS = 7u
};

static void on_open(struct call *call, const rpc_connect_open_args *args)
{
	struct peer *peer = call->peer;
	const struct server_config *config = &peer->server->config;
	const char *uri = args->name ? *args->name : "";
	g_autoptr(GError) error = NULL;
	struct node *node;

	if (peer->node) {
		call_fail(call, RPC_CODE_INTERNAL, RPC_FROM_RPC, "connection already open");
		peer_close(peer);
		return;
	}
	if (args->flags & ~OPEN_FLAGS) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_RPC,
			  "unsupported flags (0x%x) for opening a connection",
			  args->flags & ~OPEN_FLAGS);
		return;
	}
	node = config->open(config->opaque, uri, peer, &error);
	if (!node) {
		enum rpc_code code = call_code_of(error);

		call_fail(call, code == RPC_CODE_ACCESS_DENIED ? code : RPC_CODE_NO_CONNECT,
			  RPC_FROM_RPC, "%s", error->message);
		return;
	}
	peer->node = node;
	peer->has = peer->config.read_only || args->flags & OPEN_READ_ONLY ? RPC_ACCESS_READ
									   : RPC_ACCESS_WRITE;
	g_ptr_array_add(node->peers, peer);
	call_reply(call, NULL);
}

/* Behind its answer the connection is closed: who keeps it open after this is not waited for. */
static void on_close(struct call *call, const void *args)
{
	struct peer *peer = call->peer;

	(void)args;
	call_reply(call, NULL);
	peer_close(peer);
}

static void on_get_type(struct call *call, const void *args)
{
	rpc_connect_get_type_ret ret = { .type = (char *)(uintptr_t)call->node->config.type };

	(void)args;
	call_reply(call, &ret);
}

/* virt-install compares the first with versions of QEMU. */
static void on_get_version(struct call *call, const void *args)
{
	rpc_connect_get_version_ret ret = { .hv_ver =
						    call->node->config.support.test ? 2 : 7002000 };

	(void)args;
	call_reply(call, &ret);
}

static void on_get_lib_version(struct call *call, const void *args)
{
	rpc_connect_get_lib_version_ret ret = { .lib_ver = 9000000 };

	(void)args;
	call_reply(call, &ret);
}

static void on_get_uri(struct call *call, const void *args)
{
	rpc_connect_get_uri_ret ret = { .uri = (char *)(uintptr_t)call->node->config.uri };

	(void)args;
	call_reply(call, &ret);
}

static void on_is_secure(struct call *call, const void *args)
{
	rpc_connect_is_secure_ret ret = { .secure = call->peer->config.secure };

	(void)args;
	call_reply(call, &ret);
}

static void on_register_close(struct call *call, const void *args)
{
	(void)args;
	if (call->peer->wants_close_event) {
		call_fail(call, RPC_CODE_INTERNAL, RPC_FROM_RPC,
			  "the close callback is already registered");
		return;
	}
	call->peer->wants_close_event = true;
	call_reply(call, NULL);
}

static void on_unregister_close(struct call *call, const void *args)
{
	(void)args;
	if (!call->peer->wants_close_event) {
		call_fail(call, RPC_CODE_INTERNAL, RPC_FROM_RPC,
			  "the close callback is not registered");
		return;
	}
	call->peer->wants_close_event = false;
	call_reply(call, NULL);
}

/* Whose word counts was decided by who is connected, not by what he says. */
static void on_set_identity(struct call *call, const rpc_connect_set_identity_args *args)
{
	(void)args;
	call_fail(call, RPC_CODE_NO_SUPPORT, RPC_FROM_RPC,
		  "a client cannot choose who it is; connect as that user");
}

const struct call_entry connect_handlers[] = {
	HANDLE_BARE(RPC_PROC_AUTH_LIST, on_auth_list),
	HANDLE_BARE(RPC_PROC_AUTH_POLKIT, on_other_auth),
	HANDLE_BARE(RPC_PROC_AUTH_SASL_INIT, on_other_auth),
	HANDLE_BARE(RPC_PROC_AUTH_SASL_START, on_other_auth),
	HANDLE_BARE(RPC_PROC_AUTH_SASL_STEP, on_other_auth),
	HANDLE(RPC_PROC_CONNECT_SUPPORTS_FEATURE, rpc_connect_supports_feature_args, on_feature),
	HANDLE(RPC_PROC_CONNECT_OPEN, rpc_connect_open_args, on_open),
	HANDLE_BARE(RPC_PROC_CONNECT_CLOSE, on_close),
	HANDLE_BARE(RPC_PROC_CONNECT_GET_TYPE, on_get_type),
	HANDLE_BARE(RPC_PROC_CONNECT_GET_VERSION, on_get_version),
	HANDLE_BARE(RPC_PROC_CONNECT_GET_LIB_VERSION, on_get_lib_version),
	HANDLE_BARE(RPC_PROC_CONNECT_GET_URI, on_get_uri),
	HANDLE_BARE(RPC_PROC_CONNECT_IS_SECURE, on_is_secure),
	HANDLE_BARE(RPC_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, on_register_close),
	HANDLE_BARE(RPC_PROC_CONNECT_UNREGISTER_CLOSE_CALLBACK, on_unregister_close),
	HANDLE(RPC_PROC_CONNECT_SET_IDENTITY, rpc_connect_set_identity_args, on_set_identity),
	HANDLERS_END,
};
