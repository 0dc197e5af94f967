/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-interface.c - the step check, of network interfaces
 */
#include <string.h>

#include "model/check-int.h"
#include "model/fields-int.h"

static bool same_mac(const struct domain_interface *a, const struct domain_interface *b)
{
	return !g_ascii_strcasecmp(a->mac.address, b->mac.address);
}

static bool check_mac(const struct check *c, const struct domain_interface *interface,
		      unsigned index)
{
	const char *mac = interface->mac.address;

	if (!is_mac(mac))
		return wrong(c, "the MAC address '%.64s' is none; leave <mac> out to get one", mac);
	if (g_ascii_xdigit_value(mac[1]) & 1)
		return wrong(c,
			     "the MAC address '%s' is one of a group; make its second digit even",
			     mac);
	for (unsigned i = 0; i < index; i++) {
		if (same_mac(&c->domain->devices.interfaces[i], interface))
			return wrong(
				c, "two interfaces have the MAC address '%s'; leave one <mac> out",
				mac);
	}
	for (unsigned i = 0; c->others && i < c->others->devices.interface_count; i++) {
		if (same_mac(&c->others->devices.interfaces[i], interface))
			return wrong(c,
				     "the domain has an interface '%s' already; give this one "
				     "another MAC address",
				     mac);
	}
	return true;
}

static bool check_user(const struct check *c, const struct domain_interface *interface)
{
	static const char *const protocols[] = { "tcp", "udp", NULL };

	for (unsigned i = 0; i < interface->forward_count; i++) {
		const struct port_forward *forward = &interface->forwards[i];

		if (!is_one_of(forward->proto, protocols))
			return wrong(c,
				     "interface '%s': a <portForward> wants proto='tcp' or 'udp'",
				     interface->mac.address);
		for (unsigned j = 0; j < forward->range_count; j++) {
			const struct forward_range *range = &forward->ranges[j];

			if (!range->start.set ||
			    (range->end.set && range->end.value < range->start.value))
				return wrong(c,
					     "interface '%s': a <range> starts where it says and "
					     "ends behind that",
					     interface->mac.address);
			if (range->exclude == TRI_YES)
				return refuse(c,
					      "interface '%s': ports are not taken out of a range; "
					      "write the ranges that remain",
					      interface->mac.address);
		}
	}
	if (interface->backend.type && !strcmp(interface->backend.type, "passt"))
		notes_add(c->notes, "interface '%s': its user network is not passt's",
			  interface->mac.address);
	return true;
}

static bool check_source(const struct check *c, const struct domain_interface *interface)
{
	static const char *const direct_modes[] = { "bridge", "private", "vepa", "passthrough",
						    NULL };
	const char *mac = interface->mac.address;

	switch (interface->type) {
	case INTERFACE_USER:
		return check_user(c, interface);
	case INTERFACE_NETWORK:
		if (!interface->source.network)
			return wrong(c,
				     "interface '%s' names no network; give <source network=.../>",
				     mac);
		if (!c->support->networks)
			notes_add(c->notes,
				  "interface '%s' is on the network '%.64s'; bridges cannot be "
				  "made here, so it becomes a user network of its own",
				  mac, interface->source.network);
		return true;
	case INTERFACE_BRIDGE:
		if (!interface->source.bridge)
			return wrong(c, "interface '%s' names no bridge; give <source bridge=.../>",
				     mac);
		return c->support->bridges ||
		       lacking(c,
			       "interface '%s' is on the bridge '%.64s', and taps may not be made; "
			       "run as root or give type='user'",
			       mac, interface->source.bridge);
	case INTERFACE_DIRECT:
		if (!interface->source.dev)
			return wrong(c,
				     "interface '%s' names no interface of the host; give "
				     "<source dev=.../>",
				     mac);
		if (interface->source.mode && !is_one_of(interface->source.mode, direct_modes))
			return wrong(c,
				     "interface '%s': the mode '%.64s' is not known; give bridge, "
				     "private, vepa or passthrough",
				     mac, interface->source.mode);
		return c->support->bridges ||
		       lacking(c,
			       "interface '%s' is on '%.64s' of the host, which is for root only; "
			       "run as root or give type='user'",
			       mac, interface->source.dev);
	case INTERFACE_ETHERNET:
		return c->support->bridges ||
		       lacking(c,
			       "interface '%s' is a tap, and taps may not be made; run as root or "
			       "give type='user'",
			       mac);
	case INTERFACE_SERVER:
	case INTERFACE_CLIENT:
	case INTERFACE_UDP:
		return interface->source.port.set ||
		       wrong(c, "interface '%s' has no port; give it in <source>", mac);
	case INTERFACE_ABSENT:
	case INTERFACE_VHOSTUSER:
	case INTERFACE_INTERNAL:
	case INTERFACE_MCAST:
	case INTERFACE_HOSTDEV:
	case INTERFACE_VDPA:
	case INTERFACE_NULL:
	case INTERFACE_VDS:
	case INTERFACE_COUNT:
		break;
	}
	return refuse(c,
		      "interface '%s' is of type '%s', which is not there; give network, bridge or "
		      "user",
		      mac, interface_type_names[interface->type]);
}

static bool check_rate(const struct check *c, const struct bandwidth_way *way, const char *mac)
{
	if (!way->average.set && (way->peak.set || way->burst.set))
		return wrong(c,
			     "interface '%s': <bandwidth> has a peak or burst without an average; "
			     "give that, too",
			     mac);
	if (way->floor.set)
		return refuse(c, "interface '%s': no bandwidth is guaranteed; remove 'floor'", mac);
	if (way->peak.set && way->peak.value < way->average.value)
		return wrong(c,
			     "interface '%s': <bandwidth> has a peak below its average; raise it",
			     mac);
	return true;
}

/* Alone in a bridge, or in a network of its own. */
static bool can_isolate(const struct domain_interface *interface)
{
	return interface->type == INTERFACE_BRIDGE || interface->type == INTERFACE_NETWORK ||
	       interface->type == INTERFACE_USER;
}

/* What protects others, or the guest, is not silently left out. */
static bool check_options(const struct check *c, const struct domain_interface *interface)
{
	const char *mac = interface->mac.address;
	g_autofree char *of = g_strdup_printf("interface '%s'", mac);
	const struct kept kept[] = {
		{ interface->kept_filterref, "filterref", "packets are not filtered; remove it" },
		{ interface->kept_vlan, "vlan", "frames are not tagged; remove it" },
		{ interface->kept_virtualport, "virtualport",
		  "the bridge is a plain one; remove it" },
		{ interface->kept_script, "script", "no script is run; remove it" },
		{ interface->kept_downscript, "downscript", "no script is run; remove it" },
		{ interface->kept_teaming, "teaming", "it has no partner; remove it" },
		{ interface->port.isolated == TRI_YES && !can_isolate(interface) ? "" : NULL,
		  "port isolated='yes'",
		  "only those of bridges and user networks are isolated; remove it" },
		{ interface->kept_coalesce, "coalesce", NULL },
		{ interface->kept_tune, "tune", NULL },
		{ interface->kept_guest, "guest", NULL },
		{ interface->kept_rom, "rom", NULL },
		{ interface->driver.kept_host, "host", NULL },
		{ interface->driver.kept_guest, "guest", NULL },
	};

	if (interface->forward_count && interface->type != INTERFACE_USER &&
	    !(interface->type == INTERFACE_NETWORK && !c->support->networks))
		return wrong(c, "interface '%s': only type='user' has a <portForward>; remove it",
			     mac);
	if (!check_rate(c, &interface->bandwidth.inbound, mac) ||
	    !check_rate(c, &interface->bandwidth.outbound, mac))
		return false;
	return check_kept(c, of, kept, G_N_ELEMENTS(kept));
}

bool check_interfaces(struct check *c)
{
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->interface_count; i++) {
		struct domain_interface *interface = &d->interfaces[i];

		if (!check_mac(c, interface, i) || !check_source(c, interface) ||
		    !check_options(c, interface))
			return false;
		interface->info.fate = interface->type == INTERFACE_NETWORK && !c->support->networks
					       ? FATE_MAPPED
					       : FATE_HONOURED;
		if (!g_str_has_prefix(interface->model.type, "virtio")) {
			interface->info.fate = FATE_MAPPED;
			notes_add(c->notes, "interface '%s' of model '%.64s' becomes a virtio card",
				  interface->mac.address, interface->model.type);
		}
	}
	return true;
}
