/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link-open.c - the first calls of a link: who we are, what the server can, and what is to be opened
 *
 * The order is that of libvirt's own clients: AUTH_LIST before all else, CONNECT_OPEN before all but
 * the question for keepalive.
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

static bool call(const struct opening *o, int procedure, void *args, void *ret)
{
	struct socle_error *server = NULL;
	GError *why = NULL;

	if (link_call(o->link, procedure, args, ret, o->deadline, &server, &why))
		return true;
	if (!server)
		return client_error_take(o->error, SOCLE_ERR_NO_CONNECT, why);
	if (o->error)
		*o->error = server;
	else
		socle_error_free(server);
	return false;
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

/* A server that does not know features has none. */
static bool has_feature(const struct opening *o, int feature, bool *ret_has)
{
	rpc_connect_supports_feature_args args = { .feature = feature };
	rpc_connect_supports_feature_ret ret;
	struct socle_error *server = NULL;
	GError *why = NULL;

	*ret_has = false;
	if (link_call(o->link, RPC_PROC_CONNECT_SUPPORTS_FEATURE, &args, &ret, o->deadline, &server,
		      &why)) {
		*ret_has = ret.supported != 0;
		return true;
	}
	if (!server)
		return client_error_take(o->error, SOCLE_ERR_NO_CONNECT, why);
	socle_error_free(server);
	return true;
}

bool link_open(struct link *link, const char *name, bool readonly, uint64_t deadline,
	       struct link_features *ret_features, struct socle_error **error)
{
	const struct opening o = { link, deadline, error };
	char *text = (char *)(uintptr_t)name;
	rpc_connect_open_args args = { .name = &text, .flags = readonly };
	struct link_features f;

	if (!authenticate(&o) || !has_feature(&o, RPC_FEATURE_KEEPALIVE, &f.keepalive) ||
	    !call(&o, RPC_PROC_CONNECT_OPEN, &args, NULL) ||
	    !has_feature(&o, RPC_FEATURE_EVENT_CALLBACKS, &f.event_callbacks) ||
	    !has_feature(&o, RPC_FEATURE_CLOSE_CALLBACK, &f.close_callback))
		return false;
	if (f.close_callback && !call(&o, RPC_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, NULL, NULL))
		return false;
	*ret_features = f;
	return true;
}
