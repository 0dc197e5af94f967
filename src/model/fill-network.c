/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fill-network.c - the step fill in, of a network
 */
#include "model/fields-int.h"
#include "model/fill-int.h"
#include "model/network.h"

void network_fill(struct network *network, const struct support *support)
{
	const enum forward_mode mode = network_mode(network);

	if (!network->uuid)
		network->uuid = g_uuid_string_random();
	if (network->forward.set && network->forward.mode == FORWARD_MODE_ABSENT)
		network->forward.mode = mode;
	if (!network_has_own_bridge(network))
		return;
	if (network->bridge.stp == TRI_ABSENT)
		network->bridge.stp = TRI_YES;
	number_default(&network->bridge.delay, 0);
	/* So that guests see the same host after each start. */
	if (!network->mac.address && !support->test) {
		guint32 n = g_random_int();

		network->mac.address = g_strdup_printf("52:54:00:%02x:%02x:%02x", n & 0xff,
						       n >> 8 & 0xff, n >> 16 & 0xff);
	}
}
