/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net-int.h - what back ends share
 */
#ifndef NET_NET_INT_H
#define NET_NET_INT_H

#include "net/net.h"

struct net_user;

/* The back end behind a capture file, or @net itself. */
struct net_backend *net_dump_inner(struct net_backend *net);

/* NULL with @error set if it is another kind of network. */
struct net_user *net_user_from(struct net_backend *net, GError **error);

#endif
