/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link-open.c - the first calls of a link: who we are, what the server can, and what is to be opened
 *
 * AUTH_LIST and its consequences come before all else, and are waited for. Then CONNECT_OPEN goes on its
 * way with the question for keepalive, the one that a server answers before it as well as behind it:
 * libvirtd gives the calls of a client to several threads, and so may take either first, or both at once.
 *
 * Two more questions of libvirt's own clients are left out. Events by numbers of callbacks came with
 * libvirt 1.2, and who is older refuses to register one. What CONNECT_REGISTER_CLOSE_CALLBACK lets a server
 * tell is of no use to us: the end of the connection itself is seen.
 */
#include "client/link-int.h"

#include "base/error.h"
#include "client/error-int.h"
#include "rpc/codes.h"

struct opening {
	struct link *link;
	uint64_t deadline;
	struct socle_error **error;
};

/* @server is owned from now on. */
static bool refused(const struct opening *o, struct socle_error *server)
{
	if (o->error)
		*o->error = server;
	else
		socle_error_free(server);
	return false;
}

static bool call(const struct opening *o, int procedure, void *args, void *ret)
{
	struct socle_error *server = NULL;
	GError *why = NULL;

	if (link_call(o->link, procedure, args, ret, o->deadline, &server, &why))
		return true;
	if (!server)
		return client_error_take(o->error, SOCLE_ERR_NO_CONNECT, why);
	return refused(o, server);
}

static bool polkit(const struct opening *o)
{
	rpc_auth_polkit_ret ret;

	if (!call(o, RPC_PROC_AUTH_POLKIT, NULL, &ret))
		return false;
	return ret.complete || client_error(o->error, SOCLE_ERR_AUTH_FAILED,
					    "the server wants more than polkit's word");
}

/* The first one that we can. */
static bool authenticate(const struct opening *o)
{
	rpc_auth_list_ret ret;
	bool sasl = false, none = false, pk = false;

	if (!call(o, RPC_PROC_AUTH_LIST, NULL, &ret))
		return false;
	for (unsigned i = 0; i < ret.types.types_len && !none && !pk; i++) {
		none = ret.types.types_val[i] == RPC_AUTH_NONE;
		pk = ret.types.types_val[i] == RPC_AUTH_POLKIT;
		sasl = sasl || ret.types.types_val[i] == RPC_AUTH_SASL;
	}
	none = none || ret.types.types_len == 0;
	rpc_body_release(rpc_auth_list_ret, &ret);
	if (none)
		return true;
	if (pk)
		return polkit(o);
	return client_error(o->error, SOCLE_ERR_AUTH_UNAVAILABLE,
			    sasl ? "the server asks for a name and a password (SASL), which this "
				   "library does not do: use ssh, or TLS with a certificate"
				 : "the server asks for a proof of who we are that is not known");
}

bool link_open(struct link *link, const char *name, bool readonly, uint64_t deadline,
	       bool *ret_keepalive, struct socle_error **error)
{
	const struct opening o = { link, deadline, error };
	char *text = (char *)(uintptr_t)name;
	rpc_connect_supports_feature_args feature = { .feature = RPC_FEATURE_KEEPALIVE };
	rpc_connect_supports_feature_ret has = { 0 };
	rpc_connect_open_args args = { .name = &text, .flags = readonly };
	struct link_call calls[] = {
		{ .procedure = RPC_PROC_CONNECT_SUPPORTS_FEATURE, .args = &feature, .ret = &has },
		{ .procedure = RPC_PROC_CONNECT_OPEN, .args = &args },
	};
	GError *why = NULL;
	bool ok;

	if (!authenticate(&o))
		return false;
	ok = link_call_all(link, calls, ARRAY_SIZE(calls), deadline, &why);
	/* A server that does not know features has none. */
	socle_error_free(calls[0].server);
	if (!ok) {
		socle_error_free(calls[1].server);
		return client_error_take(error, SOCLE_ERR_NO_CONNECT, why);
	}
	if (!calls[1].ok)
		return refused(&o, calls[1].server);
	*ret_keepalive = calls[0].ok && has.supported != 0;
	return true;
}
