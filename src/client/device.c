/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.c - devices of domains: plugged and unplugged; network cards, keys, console, display
 */
#include "client/socle-device.h"

#include "client/error-int.h"
#include "client/object-int.h"

/* == Hot plug == */

int socle_domain_attach_device(struct socle_domain *dom, const char *xml, unsigned flags,
			       struct socle_error **error)
{
	rpc_domain_attach_device_flags_args args = {
		.dom = domain_wire(dom),
		.xml = TEXT(xml),
		.flags = flags,
	};

	if (!client_has(xml, "XML", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_ATTACH_DEVICE_FLAGS, domain_attach_device_flags, &args,
			 error);
}

int socle_domain_detach_device(struct socle_domain *dom, const char *xml, unsigned flags,
			       struct socle_error **error)
{
	rpc_domain_detach_device_flags_args args = {
		.dom = domain_wire(dom),
		.xml = TEXT(xml),
		.flags = flags,
	};

	if (!client_has(xml, "XML", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_DETACH_DEVICE_FLAGS, domain_detach_device_flags, &args,
			 error);
}

int socle_domain_detach_device_alias(struct socle_domain *dom, const char *alias, unsigned flags,
				     struct socle_error **error)
{
	rpc_domain_detach_device_alias_args args = {
		.dom = domain_wire(dom),
		.alias = TEXT(alias),
		.flags = flags,
	};

	if (!client_has(alias, "alias", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_DETACH_DEVICE_ALIAS, domain_detach_device_alias, &args,
			 error);
}

int socle_domain_update_device(struct socle_domain *dom, const char *xml, unsigned flags,
			       struct socle_error **error)
{
	rpc_domain_update_device_flags_args args = {
		.dom = domain_wire(dom),
		.xml = TEXT(xml),
		.flags = flags,
	};

	if (!client_has(xml, "XML", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_UPDATE_DEVICE_FLAGS, domain_update_device_flags, &args,
			 error);
}

/* == Network cards == */

int socle_domain_interface_stats(struct socle_domain *dom, const char *device,
				 struct socle_interface_stats *ret_stats,
				 struct socle_error **error)
{
	rpc_domain_interface_stats_args args = { .dom = domain_wire(dom), .device = TEXT(device) };
	rpc_domain_interface_stats_ret ret;

	if (!client_has(device, "device", error) ||
	    !CALL(dom->conn, DOMAIN_INTERFACE_STATS, domain_interface_stats, &args, &ret, error))
		return -1;
	*ret_stats = (struct socle_interface_stats){
		.rx_bytes = ret.rx_bytes,
		.rx_packets = ret.rx_packets,
		.rx_errs = ret.rx_errs,
		.rx_drop = ret.rx_drop,
		.tx_bytes = ret.tx_bytes,
		.tx_packets = ret.tx_packets,
		.tx_errs = ret.tx_errs,
		.tx_drop = ret.tx_drop,
	};
	return 0;
}

static struct socle_interface copy_interface(const rpc_domain_interface *wire)
{
	struct socle_interface iface = {
		.name = g_strdup(wire->name),
		.mac = wire->hwaddr ? g_strdup(*wire->hwaddr) : NULL,
		.count = wire->addrs.addrs_len,
	};

	iface.addresses = g_new0(struct socle_address, (size_t)iface.count + 1);
	for (unsigned i = 0; i < iface.count; i++)
		iface.addresses[i] = (struct socle_address){
			.type = wire->addrs.addrs_val[i].type,
			.address = g_strdup(wire->addrs.addrs_val[i].addr),
			.prefix = wire->addrs.addrs_val[i].prefix,
		};
	return iface;
}

int socle_domain_interface_addresses(struct socle_domain *dom, unsigned source, unsigned flags,
				     struct socle_interface **ret_ifaces,
				     struct socle_error **error)
{
	rpc_domain_interface_addresses_args args = {
		.dom = domain_wire(dom),
		.source = source,
		.flags = flags,
	};
	rpc_domain_interface_addresses_ret ret;
	unsigned count;

	if (!CALL(dom->conn, DOMAIN_INTERFACE_ADDRESSES, domain_interface_addresses, &args, &ret,
		  error))
		return -1;
	count = ret.ifaces.ifaces_len;
	*ret_ifaces = g_new0(struct socle_interface, (size_t)count + 1);
	for (unsigned i = 0; i < count; i++)
		(*ret_ifaces)[i] = copy_interface(&ret.ifaces.ifaces_val[i]);
	rpc_body_release(rpc_domain_interface_addresses_ret, &ret);
	return (int)count;
}

void socle_interfaces_free(struct socle_interface *ifaces)
{
	for (size_t i = 0; ifaces && ifaces[i].name; i++) {
		for (unsigned k = 0; k < ifaces[i].count; k++)
			g_free(ifaces[i].addresses[k].address);
		g_free(ifaces[i].addresses);
		g_free(ifaces[i].name);
		g_free(ifaces[i].mac);
	}
	g_free(ifaces);
}

/* == Keys, console, display == */

int socle_domain_send_key(struct socle_domain *dom, unsigned set, unsigned hold_ms,
			  const unsigned *keys, unsigned count, unsigned flags,
			  struct socle_error **error)
{
	rpc_domain_send_key_args args = {
		.dom = domain_wire(dom),
		.codeset = set,
		.holdtime = hold_ms,
		.keycodes = { .keycodes_len = count, .keycodes_val = (u_int *)(uintptr_t)keys },
		.flags = flags,
	};

	if (count < 1 || count > RPC_MAX_DOMAIN_SEND_KEY || !keys) {
		client_error(error, SOCLE_ERR_INVALID_ARG, "%u keys together: there can be 1 to %d",
			     keys ? count : 0, RPC_MAX_DOMAIN_SEND_KEY);
		return -1;
	}
	return CALL_ARGS(dom->conn, DOMAIN_SEND_KEY, domain_send_key, &args, error);
}

int socle_domain_inject_nmi(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_inject_nmi_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_INJECT_NMI, domain_inject_nmi, &args, error);
}

struct socle_stream *socle_domain_console(struct socle_domain *dom, const char *device,
					  unsigned flags, unsigned stream_flags,
					  struct socle_error **error)
{
	rpc_domain_open_console_args args = {
		.dom = domain_wire(dom),
		.dev_name = OPTIONAL(device),
		.flags = flags,
	};

	return stream_open_call(dom->conn, RPC_PROC_DOMAIN_OPEN_CONSOLE, &args, NULL, stream_flags,
				error);
}

struct socle_stream *socle_domain_channel(struct socle_domain *dom, const char *name,
					  unsigned flags, unsigned stream_flags,
					  struct socle_error **error)
{
	rpc_domain_open_channel_args args = {
		.dom = domain_wire(dom),
		.name = OPTIONAL(name),
		.flags = flags,
	};

	return stream_open_call(dom->conn, RPC_PROC_DOMAIN_OPEN_CHANNEL, &args, NULL, stream_flags,
				error);
}

struct socle_stream *socle_domain_screenshot(struct socle_domain *dom, unsigned screen,
					     unsigned flags, unsigned stream_flags, char **ret_mime,
					     struct socle_error **error)
{
	rpc_domain_screenshot_args args = {
		.dom = domain_wire(dom),
		.screen = screen,
		.flags = flags,
	};
	rpc_domain_screenshot_ret ret;
	struct socle_stream *stream;

	stream = stream_open_call(dom->conn, RPC_PROC_DOMAIN_SCREENSHOT, &args, &ret, stream_flags,
				  error);
	if (!stream)
		return NULL;
	*ret_mime = g_strdup(ret.mime ? *ret.mime : "");
	rpc_body_release(rpc_domain_screenshot_ret, &ret);
	return stream;
}

int socle_domain_graphics_fd(struct socle_domain *dom, unsigned index, unsigned flags,
			     struct socle_error **error)
{
	rpc_domain_open_graphics_fd_args args = {
		.dom = domain_wire(dom),
		.idx = index,
		.flags = flags,
	};
	int fd = -1;

	if (!conn_call_fd(dom->conn, RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, &args, &fd, error))
		return -1;
	if (fd < 0)
		client_error(error, SOCLE_ERR_RPC, "the server's answer has no descriptor");
	return fd;
}
