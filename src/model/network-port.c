/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network-port.c - <networkport>: what clients are told of a card of a machine in a network
 */
#include "model/fields-int.h"
#include "model/network.h"

char *network_port_format(const struct network_port *port)
{
	struct xml_out out = { .text = g_string_new(NULL) };

	xml_out_start(&out, "networkport");
	xml_out_text(&out, "uuid", port->uuid);
	xml_out_start(&out, "owner");
	xml_out_text(&out, "name", port->owner);
	xml_out_text(&out, "uuid", port->owner_uuid);
	xml_out_end(&out, "owner", NULL);
	if (port->portgroup)
		xml_out_text(&out, "group", port->portgroup);
	xml_out_start(&out, "mac");
	xml_out_attr(&out, "address", port->mac);
	xml_out_end(&out, "mac", NULL);
	if (!record_is_empty(&bandwidth_record, port->bandwidth, 0))
		record_format(&bandwidth_record, port->bandwidth, "bandwidth", &out, 0);
	if (port->bridge) {
		xml_out_start(&out, "plug");
		xml_out_attr(&out, "type", "network");
		xml_out_attr(&out, "bridge", port->bridge);
		xml_out_end(&out, "plug", NULL);
	} else if (port->dev) {
		xml_out_start(&out, "plug");
		xml_out_attr(&out, "type", "direct");
		xml_out_attr(&out, "mode", "bridge");
		xml_out_attr(&out, "dev", port->dev);
		xml_out_end(&out, "plug", NULL);
	}
	xml_out_end(&out, "networkport", NULL);
	return g_string_free(out.text, FALSE);
}
