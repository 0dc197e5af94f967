/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-keep.c - what is kept of networks over restarts of the daemon, in the manner of keep.c
 */
#include <string.h>

#include "base/error.h"
#include "manage/keep-int.h"
#include "manage/net-int.h"

static void save(struct net *net, enum store_kind kind, const char *text, struct task *task)
{
	const struct node_config *config = &net->virtnet.node->config;

	if (config->store)
		config->store->save(config->store_opaque, kind, net->virtnet.uuid_text, text, task);
	else
		task_end(task, NULL);
}

static void forget(struct net *net, enum store_kind kind, struct task *task)
{
	const struct node_config *config = &net->virtnet.node->config;

	if (config->store)
		config->store->remove(config->store_opaque, kind, net->virtnet.uuid_text, task);
	else
		task_end(task, NULL);
}

void net_keep_config(struct net *net, struct task *task)
{
	g_autofree char *xml = NULL, *text = NULL;

	/* Without a store no text is needed. */
	if (!net->virtnet.node->config.store) {
		task_end(task, NULL);
		return;
	}
	xml = network_format(net->virtnet.config, NETWORK_FORMAT_INACTIVE);
	text = g_strdup_printf("%ssocle network\nautostart %s\n%s%s", keep_head_start,
			       net->autostart ? "yes" : "no", keep_head_end, xml);
	save(net, STORE_NETWORK, text, task);
}

void net_keep_no_config(struct net *net, struct task *task)
{
	forget(net, STORE_NETWORK, task);
}

/* == The file of an active one: the last state wins, one write at a time == */

void net_save_status(struct net *net, struct task *task)
{
	struct virtnet *v = &net->virtnet;
	const struct network_ops *ops = v->node->config.networks;
	g_autofree char *state = NULL, *xml = NULL, *text = NULL;

	if (!v->live || !v->node->config.store) {
		forget(net, STORE_NETWORK_STATUS, task);
		return;
	}
	state = v->made && ops->state ? ops->state(v) : g_strdup("");
	xml = network_format(v->live, NETWORK_FORMAT_INACTIVE);
	text = g_strdup_printf("%ssocle network-status\nstate %s\n%s%s", keep_head_start, state,
			       keep_head_end, xml);
	save(net, STORE_NETWORK_STATUS, text, task);
}

static void status_written(struct task *task, const GError *error)
{
	struct net *net = container_of(task, struct net, status_task);

	if (error)
		g_warning("network '%s': its state cannot be kept: %s", net->virtnet.name,
			  error->message);
	if (net->status_again) {
		net->status_again = false;
		net_save_status(net, &net->status_task);
		return;
	}
	net->status_busy = false;
	object_unref(&net->object);
}

void net_keep_status(struct net *net)
{
	if (!net->virtnet.node->config.store)
		return;
	if (net->status_busy) {
		net->status_again = true;
		return;
	}
	net->status_busy = true;
	object_ref(&net->object);
	net->status_task.end = status_written;
	net_save_status(net, &net->status_task);
}

void virtnet_changed(struct virtnet *virtnet)
{
	net_keep_status(net_of(virtnet));
}

/* == What was kept == */

static struct network *load_xml(struct node *node, const char *key, const char *xml, GError **error)
{
	autoptr(network) network = network_parse(xml, strlen(xml), NETWORK_PARSE_KEPT, NULL, error);

	if (!network)
		return NULL;
	network_fill(network, &node->config.support);
	if (!network->name || g_ascii_strcasecmp(network->uuid, key) != 0) {
		error_set(error, SOCLE_ERROR_CORRUPT,
			  "its <uuid> is not the one that it is kept under");
		return NULL;
	}
	return network_check(network, NULL, error) ? g_steal_pointer(&network) : NULL;
}

/* The one that has this key, or a new one; NULL: another one has the name. */
static struct net *net_for(struct node *node, const struct network *network, GError **error)
{
	struct net *net;
	uint8_t uuid[16];

	net_read_uuid(network->uuid, uuid);
	net = net_by_uuid(node, uuid);
	if (net)
		return net;
	if (!net_by_name(node, network->name))
		return net_new(node, network);
	error_set(error, SOCLE_ERROR_EXISTS,
		  "there is a network '%s' already; give one of them another name", network->name);
	return NULL;
}

bool net_load(struct node *node, const char *key, const char *text, GError **error)
{
	const char *xml = keep_check_head(text, "network", error);
	autoptr(network) network = xml ? load_xml(node, key, xml, error) : NULL;
	struct net *net = network ? net_for(node, network, error) : NULL;

	if (!net)
		return false;
	net_choose_bridge(node, network);
	network_free(net->virtnet.config);
	net->virtnet.config = g_steal_pointer(&network);
	net->autostart = keep_head_yes(text, "autostart");
	return true;
}

bool net_load_status(struct node *node, const char *key, const char *text, GError **error)
{
	const char *xml = keep_check_head(text, "network-status", error);
	autoptr(network) network = xml ? load_xml(node, key, xml, error) : NULL;
	struct net *net = network ? net_for(node, network, error) : NULL;

	if (!net)
		return false;
	network_free(net->virtnet.live);
	net->virtnet.live = g_steal_pointer(&network);
	g_free(net->found_state);
	net->found_state = keep_head_value(text, "state");
	if (!net->found_state)
		net->found_state = g_strdup("");
	return true;
}
