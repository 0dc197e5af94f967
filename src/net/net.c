/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.c - the host's end of a network card: thin wrappers
 */
#include "net/net.h"

#include "base/error.h"

bool net_attach(struct net_backend *net, struct io_loop *loop, const struct net_front *front,
		void *opaque, GError **error)
{
	if (net->attached)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "the %s network is in use by another card; give each card a "
				 "network of its own",
				 net->ops->type);
	if (!net->ops->attach(net, loop, front, opaque, error))
		return false;
	net->attached = true;
	return true;
}

void net_detach(struct net_backend *net)
{
	if (!net->attached)
		return;
	net->ops->detach(net);
	net->attached = false;
}

char *net_describe(struct net_backend *net)
{
	return net->ops->describe(net);
}

void net_free(struct net_backend *net)
{
	if (!net)
		return;
	net_detach(net);
	net->ops->free(net);
}
