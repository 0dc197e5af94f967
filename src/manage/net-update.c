/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-update.c - a network changes: parts of it, and what programs keep with it
 *
 * It is tried on copies, kept, then told to what makes the network, and taken back if that refuses.
 */
#include <string.h>

#include "base/error.h"
#include "manage/handler-int.h"
#include "manage/net-int.h"

struct update {
	struct network *config, *live; /* the new ones, then the old ones; NULL: not changed */
	unsigned what;                 /* AFFECT_... */
	bool (*apply)(struct call *call, struct network *network, GError **error);
	void (*done)(struct call *call);
};

static void update_free(void *data)
{
	struct update *update = data;

	network_free(update->config);
	network_free(update->live);
	g_free(update);
}

static void swap(struct network **a, struct network **b)
{
	struct network *old = *a;

	if (!*b)
		return;
	*a = *b;
	*b = old;
}

static void update_done(struct call *call)
{
	const struct update *update = call->data;

	if (update->done)
		update->done(call);
	call_reply(call, NULL);
}

/* It is so; a definition that is kept is what the next start is made of. */
static void update_saved(struct call *call, const GError *error)
{
	if (error)
		g_warning("network '%s': its state cannot be kept: %s",
			  net_of_call(call)->virtnet.name, error->message);
	update_done(call);
}

static void update_made(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);
	struct update *update = call->data;

	if (error) {
		swap(&net->virtnet.live, &update->live);
		call_fail_error(call, RPC_FROM_NETWORK, error);
		return;
	}
	net_save_status(net, call_task(call, update_saved));
}

static void update_kept(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);
	const struct network_ops *ops = net->virtnet.node->config.networks;
	struct update *update = call->data;

	if (error) {
		swap(&net->virtnet.config, &update->config);
		net_not_kept(call, error);
		return;
	}
	if (!update->live || !net_active(net)) {
		update_done(call);
		return;
	}
	swap(&net->virtnet.live, &update->live);
	if (ops->update)
		ops->update(&net->virtnet, call_task(call, update_made));
	else
		update_made(call, NULL);
}

static struct network *updated(struct call *call, const struct network *from, GError **error)
{
	const struct update *update = call->data;
	autoptr(network) copy = network_copy(from);

	if (!update->apply(call, copy, error) || !network_check(copy, NULL, error))
		return NULL;
	return g_steal_pointer(&copy);
}

static void fail_update(struct call *call, const GError *error)
{
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_STATE))
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_NETWORK,
			  "Requested operation is not valid: %s", error->message);
	else if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED))
		call_fail(call, RPC_CODE_NO_SUPPORT, RPC_FROM_NETWORK, "%s", error->message);
	else
		net_fail_xml(call, error);
}

static void update_run(struct call *call)
{
	struct net *net = net_of_call(call);
	struct virtnet *v = &net->virtnet;
	struct update *update = call->data;
	unsigned what = update->what;
	g_autoptr(GError) error = NULL;

	if (!call_net_still_there(call))
		return;
	if (what == AFFECT_CURRENT)
		what = v->live ? AFFECT_LIVE : AFFECT_CONFIG;
	if ((what & AFFECT_LIVE && !v->live) || (what & AFFECT_CONFIG && !v->config)) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_NETWORK, "network '%s' is %s",
			  v->name,
			  what & AFFECT_LIVE && !v->live
				  ? "not active; start it, or change its definition"
				  : "transient and has no definition; change what is active");
		return;
	}
	if (what & AFFECT_LIVE)
		update->live = updated(call, v->live, &error);
	if (!error && what & AFFECT_CONFIG)
		update->config = updated(call, v->config, &error);
	if (error) {
		fail_update(call, error);
		return;
	}
	if (!update->config) {
		update_kept(call, NULL);
		return;
	}
	swap(&v->config, &update->config);
	net_keep_config(net, call_task(call, update_kept));
}

/* Change what @what says by @apply; @done: it is so. */
static void change(struct call *call, struct net *net, unsigned what,
		   bool (*apply)(struct call *call, struct network *network, GError **error),
		   void (*done)(struct call *call))
{
	struct update *update = call_data(call, sizeof(struct update));

	*update = (struct update){ .what = what, .apply = apply, .done = done };
	call->data_free = update_free;
	call_job_object(call, &net->object, update_run);
}

/* == Parts == */

static bool apply_update(struct call *call, struct network *network, GError **error)
{
	const rpc_network_update_args *args = call->args;

	return network_update(network, args->command, args->section, args->parentIndex, args->xml,
			      strlen(args->xml), error);
}

static void on_update(struct call *call, const rpc_network_update_args *args)
{
	struct net *net = call_net(call, &args->net);

	if (net && call_flags(call, args->flags, AFFECT_BOTH))
		change(call, net, args->flags, apply_update, NULL);
}

/* == Metadata == */

static bool apply_metadata(struct call *call, struct network *network, GError **error)
{
	const rpc_network_set_metadata_args *args = call->args;
	const struct metadata_place place = { &network->description, &network->title,
					      &network->metadata };

	return metadata_change_text(&place, args->type, args->metadata ? *args->metadata : NULL,
				    args->key ? *args->key : NULL, args->uri ? *args->uri : NULL,
				    error);
}

static void tell_metadata(struct call *call)
{
	const rpc_network_set_metadata_args *args = call->args;

	event_network_metadata(net_of_call(call), args->type, args->uri ? *args->uri : NULL);
}

static void on_set_metadata(struct call *call, const rpc_network_set_metadata_args *args)
{
	struct net *net = call_net(call, &args->net);

	if (net && call_flags(call, args->flags, AFFECT_BOTH))
		change(call, net, args->flags, apply_metadata, tell_metadata);
}

static void on_get_metadata(struct call *call, const rpc_network_get_metadata_args *args)
{
	const struct net *net = call_net(call, &args->net);
	const struct virtnet *v = net ? &net->virtnet : NULL;
	const struct network *network;
	rpc_network_get_metadata_ret ret;
	g_autofree char *text = NULL;

	if (!net || !call_flags(call, args->flags, AFFECT_BOTH))
		return;
	network = args->flags & AFFECT_CONFIG ? v->config
		  : args->flags & AFFECT_LIVE ? v->live
					      : net_shown(net);
	if (!network || (args->flags & AFFECT_BOTH) == AFFECT_BOTH) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_NETWORK,
			  "network '%s' has not what is asked about; ask without flags", v->name);
		return;
	}
	text = metadata_text(network->description, network->title, network->metadata, args->type,
			     args->uri ? *args->uri : NULL);
	if (!text) {
		call_fail(call, RPC_CODE_NO_NETWORK_METADATA, RPC_FROM_NETWORK,
			  "Requested metadata element is not present in network '%s'", v->name);
		return;
	}
	ret.metadata = text;
	call_reply(call, &ret);
}

const struct call_entry net_update_handlers[] = {
	HANDLE(RPC_PROC_NETWORK_UPDATE, rpc_network_update_args, on_update),
	HANDLE(RPC_PROC_NETWORK_SET_METADATA, rpc_network_set_metadata_args, on_set_metadata),
	HANDLE(RPC_PROC_NETWORK_GET_METADATA, rpc_network_get_metadata_args, on_get_metadata),
	HANDLERS_END,
};
