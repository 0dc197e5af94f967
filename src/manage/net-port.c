/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-port.c - ports of networks: cards of machines that run, seen from the network's side
 */
#include <string.h>

#include "base/error.h"
#include "manage/disk-int.h"
#include "manage/handler-int.h"
#include "manage/net-int.h"

struct ports {
	const struct net *net;
	rpc_network_port *list;
	unsigned count, max;
	const uint8_t *uuid; /* of the one that is looked for */
	struct vm *vm;
	struct domain_interface *card;
};

static bool add_port(struct vm *vm, struct domain_interface *card, void *opaque)
{
	struct ports *ports = opaque;
	rpc_network_port *port = &ports->list[ports->count];

	(void)vm;
	if (ports->count == ports->max)
		return true;
	port->net = net_handle(ports->net);
	net_read_uuid(card->source.portid, (uint8_t *)port->uuid);
	ports->count++;
	return false;
}

static void on_ports(struct call *call, const rpc_network_list_all_ports_args *args)
{
	const struct net *net = call_net(call, &args->net);
	struct ports ports = { .net = net };
	rpc_network_list_all_ports_ret ret = { .ret = 0 };
	g_autofree rpc_network_port *list = NULL;

	if (!net || !call_flags(call, args->flags, 0))
		return;
	ports.max = MIN(net_connections(net), RPC_MAX_NETWORK_PORTS);
	ports.list = list = g_new0(rpc_network_port, MAX(ports.max, 1));
	net_each_card(net, add_port, &ports);
	ret.ret = ports.count;
	ret.ports.ports_val = list;
	ret.ports.ports_len = args->need_results ? ports.count : 0;
	call_reply(call, &ret);
}

static bool is_port(struct vm *vm, struct domain_interface *card, void *opaque)
{
	struct ports *ports = opaque;
	uint8_t uuid[16];

	net_read_uuid(card->source.portid, uuid);
	if (memcmp(uuid, ports->uuid, sizeof(uuid)) != 0)
		return false;
	ports->vm = vm;
	ports->card = card;
	return true;
}

/* False: the call has failed. */
static bool find_port(struct call *call, const struct net *net, const char *uuid,
		      struct ports *ret_ports)
{
	*ret_ports = (struct ports){ .net = net, .uuid = (const uint8_t *)uuid };
	net_each_card(net, is_port, ret_ports);
	if (ret_ports->card)
		return true;
	call_fail(call, RPC_CODE_NO_NETWORK_PORT, RPC_FROM_NETWORK,
		  "network '%s' has no port with this uuid", net->virtnet.name);
	return false;
}

static void on_port_by_uuid(struct call *call, const rpc_network_port_lookup_by_uuid_args *args)
{
	const struct net *net = call_net(call, &args->net);
	rpc_network_port_lookup_by_uuid_ret ret;
	struct ports ports;

	if (!net || !find_port(call, net, args->uuid, &ports))
		return;
	ret.port.net = net_handle(net);
	memcpy(ret.port.uuid, args->uuid, sizeof(ret.port.uuid));
	call_reply(call, &ret);
}

static void on_port_xml(struct call *call, const rpc_network_port_get_xml_desc_args *args)
{
	const struct net *net = call_net(call, &args->port.net);
	rpc_network_port_get_xml_desc_ret ret;
	g_autofree char *xml = NULL;
	struct network_port port;
	struct ports ports;

	if (!net || !call_flags(call, args->flags, 0) ||
	    !find_port(call, net, args->port.uuid, &ports))
		return;
	port = (struct network_port){
		.uuid = ports.card->source.portid,
		.owner = ports.vm->dom.name,
		.owner_uuid = ports.vm->dom.uuid_text,
		.portgroup = ports.card->source.portgroup,
		.mac = ports.card->mac.address,
		.bridge = ports.card->source.bridge,
		.dev = ports.card->source.dev,
		.bandwidth = &ports.card->bandwidth,
	};
	xml = network_port_format(&port);
	ret.xml = xml;
	call_reply(call, &ret);
}

static void refuse_port(struct call *call, const rpc_network *handle)
{
	if (call_net(call, handle))
		call_fail(call, RPC_CODE_NO_SUPPORT, RPC_FROM_NETWORK,
			  "ports come and go with interfaces of domains; attach or detach one");
}

static void on_port_create(struct call *call, const rpc_network_port_create_xml_args *args)
{
	refuse_port(call, &args->net);
}

static void on_port_delete(struct call *call, const rpc_network_port_delete_args *args)
{
	refuse_port(call, &args->port.net);
}

/* == How much may go through == */

static void on_get_params(struct call *call, const rpc_network_port_get_parameters_args *args)
{
	const struct net *net = call_net(call, &args->port.net);
	rpc_network_port_get_parameters_ret ret;
	struct rpc_params params;
	struct ports ports;

	if (!net || !call_flags(call, args->flags, AFFECT_STRINGS) ||
	    !find_port(call, net, args->port.uuid, &ports))
		return;
	rpc_params_init(&params);
	card_add_params(ports.card, &params);
	ret.nparams = (int)params.count;
	ret.params.params_val = params.items;
	ret.params.params_len = MIN(params.count, (unsigned)MAX(args->nparams, 0));
	call_reply(call, &ret);
	rpc_params_release(&params);
}

/* The card of @domain that is this port, or NULL. */
static struct domain_interface *card_of(struct domain *domain, const char *uuid)
{
	for (unsigned i = 0; i < domain->devices.interface_count; i++) {
		struct domain_interface *card = &domain->devices.interfaces[i];
		uint8_t own[16];

		net_read_uuid(card->source.portid, own);
		if (card->source.portid && !memcmp(own, uuid, sizeof(own)))
			return card;
	}
	return NULL;
}

static bool apply_params(struct call *call, struct domain *domain, GError **error)
{
	const rpc_network_port_set_parameters_args *args = call->args;
	struct domain_interface *card = card_of(domain, args->port.uuid);

	if (!card)
		return error_set(error, SOCLE_ERROR_NOT_FOUND, "the port is gone with its card");
	return card_set_params(card, args->params.params_val, args->params.params_len, error);
}

static void tell_params(struct call *call, struct machine *machine, struct task *task)
{
	const rpc_network_port_set_parameters_args *args = call->args;
	const struct domain_interface *card = card_of(machine->dom->live, args->port.uuid);

	tell_device(call, machine, &card->info, task);
}

static const struct change params_change = { .apply = apply_params, .machine = tell_params };

static void on_set_params(struct call *call, const rpc_network_port_set_parameters_args *args)
{
	const struct net *net = call_net(call, &args->port.net);
	struct ports ports;

	if (net && call_flags(call, args->flags, 0) &&
	    find_port(call, net, args->port.uuid, &ports))
		call_change(call, ports.vm, &params_change, AFFECT_LIVE);
}

const struct call_entry net_port_handlers[] = {
	HANDLE(RPC_PROC_NETWORK_LIST_ALL_PORTS, rpc_network_list_all_ports_args, on_ports),
	HANDLE(RPC_PROC_NETWORK_PORT_LOOKUP_BY_UUID, rpc_network_port_lookup_by_uuid_args,
	       on_port_by_uuid),
	HANDLE(RPC_PROC_NETWORK_PORT_GET_XML_DESC, rpc_network_port_get_xml_desc_args, on_port_xml),
	HANDLE(RPC_PROC_NETWORK_PORT_CREATE_XML, rpc_network_port_create_xml_args, on_port_create),
	HANDLE(RPC_PROC_NETWORK_PORT_DELETE, rpc_network_port_delete_args, on_port_delete),
	HANDLE(RPC_PROC_NETWORK_PORT_GET_PARAMETERS, rpc_network_port_get_parameters_args,
	       on_get_params),
	HANDLE(RPC_PROC_NETWORK_PORT_SET_PARAMETERS, rpc_network_port_set_parameters_args,
	       on_set_params),
	HANDLERS_END,
};
