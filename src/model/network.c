/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network.c - reading, writing, copying of networks, and what their definitions mean
 */
#include "model/network.h"

#include <string.h>

#include "model/fields-int.h"
#include "model/parse-int.h"

struct network *network_parse(const char *xml, size_t len, unsigned flags, struct notes *notes,
			      GError **error)
{
	struct field_parse how = { .notes = notes,
				   .strict = flags & NETWORK_PARSE_STRICT,
				   .kept = flags & NETWORK_PARSE_KEPT };

	return document_parse(&network_record, "network", xml, len, &how, error);
}

char *network_format(const struct network *network, unsigned flags)
{
	return document_format(&network_record, network, "network",
			       flags & NETWORK_FORMAT_INACTIVE ? 0 : FIELD_LIVE);
}

struct network *network_copy(const struct network *network)
{
	struct network *copy = g_new(struct network, 1);

	record_copy(&network_record, copy, network);
	return copy;
}

void network_free(struct network *network)
{
	document_free(&network_record, network);
}

enum forward_mode network_mode(const struct network *network)
{
	if (!network->forward.set)
		return FORWARD_MODE_ABSENT;
	return network->forward.mode == FORWARD_MODE_ABSENT ? FORWARD_NAT : network->forward.mode;
}

bool network_has_own_bridge(const struct network *network)
{
	switch (network_mode(network)) {
	case FORWARD_MODE_ABSENT:
	case FORWARD_NAT:
	case FORWARD_ROUTE:
	case FORWARD_OPEN:
		return true;
	case FORWARD_BRIDGE:
	case FORWARD_PRIVATE:
	case FORWARD_VEPA:
	case FORWARD_PASSTHROUGH:
	case FORWARD_HOSTDEV:
	case FORWARD_MODE_COUNT:
	default:
		return false;
	}
}

int network_prefix(const char *address, const char *netmask, const struct number *prefix)
{
	struct inet inet;

	if (!inet_parse(address, &inet))
		return -1;
	if (netmask)
		return inet.v6 || prefix->set ? -1 : inet_prefix_of_mask(netmask);
	if (prefix->set)
		return prefix->value <= inet_bits(&inet) ? (int)prefix->value : -1;
	if (inet.v6)
		return 64;
	/* What the class of the address says, as libvirt takes it. */
	return inet.bytes[0] < 128 ? 8 : inet.bytes[0] < 192 ? 16 : 24;
}

int64_t network_lease_seconds(const struct dhcp_lease *lease)
{
	if (!lease->expiry.set)
		return 3600;
	if (lease->unit && !strcmp(lease->unit, "seconds"))
		return lease->expiry.value;
	if (lease->unit && !strcmp(lease->unit, "hours"))
		return lease->expiry.value * 3600;
	return lease->expiry.value * 60;
}

const struct portgroup *network_portgroup(const struct network *network, const char *name)
{
	for (unsigned i = 0; i < network->portgroup_count; i++) {
		const struct portgroup *group = &network->portgroups[i];

		if (name ? !g_strcmp0(group->name, name) : group->is_default == TRI_YES)
			return group;
	}
	return NULL;
}

bool network_is_device_name(const char *name)
{
	if (!name || !*name || strlen(name) > BRIDGE_NAME_MAX || *name == '-' || *name == '.')
		return false;
	/* With these the kernel's switches mean all that there is, or is to come. */
	if (!strcmp(name, "all") || !strcmp(name, "default"))
		return false;
	for (const char *p = name; *p; p++) {
		if (!g_ascii_isalnum(*p) && !strchr("-_.", *p))
			return false;
	}
	return true;
}
