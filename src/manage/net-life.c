/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-life.c - how a network begins and ends, whoever wants it
 *
 * Both are jobs. A network begins when a client says so, when the host has started, or when a machine that has a
 * card in it starts.
 */
#include <string.h>

#include "base/error.h"
#include "manage/net-int.h"

static bool taken(const struct node *node, const struct network *network, const char *name)
{
	const struct network_ops *ops = node->config.networks;

	for (unsigned i = 0; i < node->nets->len; i++) {
		const struct virtnet *v = &((struct net *)node->nets->pdata[i])->virtnet;

		/* Its own is what it has already. */
		if (!g_ascii_strcasecmp(v->uuid_text, network->uuid))
			continue;
		if ((v->config && !g_strcmp0(v->config->bridge.name, name)) ||
		    (v->live && !g_strcmp0(v->live->bridge.name, name)))
			return true;
	}
	return ops && ops->is_taken && ops->is_taken(node->config.networks_opaque, name);
}

void net_choose_bridge(struct node *node, struct network *network)
{
	if (!network_has_own_bridge(network) || network->bridge.name)
		return;
	for (unsigned i = 0; i < UINT16_MAX && !network->bridge.name; i++) {
		g_autofree char *name = g_strdup_printf("virbr%u", i);

		if (!taken(node, network, name))
			network->bridge.name = g_steal_pointer(&name);
	}
}

/* == Begin == */

static bool join_card(struct vm *vm, struct domain_interface *card, void *opaque)
{
	struct virtnet *v = opaque;
	const struct network_ops *ops = v->node->config.networks;
	g_autoptr(GError) error = NULL;

	if (ops->join && card->target.dev && !ops->join(v, card, &error))
		g_message("network '%s': '%s' of domain '%s' is not in it: %s", v->name,
			  card->target.dev, vm->dom.name, error->message);
	return false;
}

void virtnet_anew(struct virtnet *v)
{
	net_each_card(net_of(v), join_card, v);
}

/* The definition that it had goes. */
static void set_inactive(struct net *net)
{
	network_free(net->virtnet.live);
	net->virtnet.live = NULL;
}

/* It goes on all the same; the next daemon would not know it. */
static void start_kept(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);

	if (error)
		g_warning("network '%s': its state cannot be kept: %s", net->virtnet.name,
			  error->message);
	event_network(net, NET_STARTED);
	net->start_next(call, NULL);
}

static void started(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);

	net->starting = false;
	if (error) {
		set_inactive(net);
		net_keep_status(net);
		net->start_next(call, error);
		return;
	}
	/* Machines may run that were in it before it ended. */
	net_each_card(net, join_card, &net->virtnet);
	net_save_status(net, call_task(call, start_kept));
}

/* A daemon that is killed from here on leaves something that the next one knows of, and completes. */
static void start_told(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);
	const struct node_config *config = &net->virtnet.node->config;
	g_autoptr(GError) copy = error ? g_error_copy(error) : NULL;

	if (!copy) {
		config->networks->start(config->networks_opaque, &net->virtnet,
					call_task(call, started));
		return;
	}
	g_prefix_error(&copy, "its state cannot be kept: ");
	started(call, copy);
}

void net_start(struct call *call, struct network *network, call_next next)
{
	struct net *net = net_of_call(call);

	net->virtnet.live = network;
	net->starting = true;
	net->start_next = next;
	net_save_status(net, call_task(call, start_told));
}

/* == End == */

static void stop_kept(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);
	call_next next = net->start_next;

	if (error)
		g_warning("network '%s': that it has ended cannot be kept: %s", net->virtnet.name,
			  error->message);
	event_network(net, NET_STOPPED);
	if (!net->virtnet.config)
		net_forget(net);
	next(call, NULL);
}

static void stopped(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);

	if (error) {
		net->start_next(call, error);
		return;
	}
	net->virtnet.node->config.networks->free(&net->virtnet);
	net->virtnet.made = NULL;
	set_inactive(net);
	net_save_status(net, call_task(call, stop_kept));
}

void net_stop(struct call *call, call_next next)
{
	struct net *net = net_of_call(call);

	net->start_next = next;
	net->virtnet.node->config.networks->stop(&net->virtnet, call_task(call, stopped));
}

/* == On demand == */

struct want {
	struct task *task; /* NULL: it has ended */
};

static void want_end(struct want *want, const GError *error)
{
	struct task *task = g_steal_pointer(&want->task);

	if (task)
		task_end(task, error);
}

/* What waits is never forgotten, also if its turn does not come. */
static void want_free(void *data)
{
	g_autoptr(GError) error = NULL;

	error_set(&error, SOCLE_ERROR_STATE, "the daemon is being stopped");
	want_end(data, error);
	g_free(data);
}

static void wanted(struct call *call, const GError *error)
{
	const struct net *net = net_of_call(call);
	g_autoptr(GError) copy = error ? g_error_copy(error) : NULL;

	g_prefix_error(&copy,
		       "network '%s' is not active, and cannot be started: ", net->virtnet.name);
	want_end(call->data, copy);
	call_reply(call, NULL);
}

static void want_run(struct call *call)
{
	struct net *net = net_of_call(call);
	g_autoptr(GError) error = NULL;

	if (net_active(net)) {
		want_end(call->data, NULL);
		call_reply(call, NULL);
		return;
	}
	if (net->object.gone || !net->virtnet.config) {
		error_set(&error, SOCLE_ERROR_NOT_FOUND, "it is not there any more");
		wanted(call, error);
		return;
	}
	net_start(call, network_copy(net->virtnet.config), wanted);
}

void net_want(struct net *net, struct task *task)
{
	struct call *call = call_new(net->virtnet.node);
	struct want *want = call_data(call, sizeof(*want));

	want->task = task;
	call->data_free = want_free;
	call_job_object(call, &net->object, want_run);
}

/* == At the daemon's start == */

static void found(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);

	net->starting = false;
	if (error) {
		g_warning("network '%s' is not there any more: %s", net->virtnet.name,
			  error->message);
		set_inactive(net);
		net_keep_status(net);
		if (!net->virtnet.config)
			net_remove(net);
	} else {
		net_each_card(net, join_card, &net->virtnet);
		net_keep_status(net);
	}
	call_reply(call, NULL);
}

static void find_run(struct call *call)
{
	struct net *net = net_of_call(call);
	const struct node_config *config = &net->virtnet.node->config;
	g_autofree char *state = g_steal_pointer(&net->found_state);
	g_autoptr(GError) error = NULL;

	if (config->networks && config->networks->find) {
		net->starting = true;
		config->networks->find(config->networks_opaque, &net->virtnet, state,
				       call_task(call, found));
		return;
	}
	error_set(&error, SOCLE_ERROR_UNSUPPORTED, "networks of this kind end with their daemon");
	found(call, error);
}

static void autostarted(struct task *task, const GError *error)
{
	if (error)
		g_warning("%s", error->message);
	g_free(task);
}

void nets_loaded(struct node *node, bool autostart)
{
	/* One that is not there any more takes itself out. */
	g_autoptr(GPtrArray) nets = g_ptr_array_copy(node->nets, NULL, NULL);

	for (unsigned i = 0; i < nets->len; i++) {
		struct net *net = nets->pdata[i];

		if (net->found_state) {
			call_job_object(call_new(node), &net->object, find_run);
		} else if (autostart && net->autostart && node->config.networks) {
			struct task *task = g_new(struct task, 1);

			task->end = autostarted;
			net_want(net, task);
		}
	}
}
