/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * netlink.h - to be told by the kernel when others change something
 *
 * Threads: any.
 */
#ifndef HOST_NETLINK_H
#define HOST_NETLINK_H

#include <stdint.h>

/* A descriptor that is readable when something of @groups of @protocol has changed, for netlink_drain(). -errno: none. */
int netlink_watch(int protocol, uint32_t groups);
/* Take what there is: that something has changed is all that counts. */
void netlink_drain(int fd);

#endif
