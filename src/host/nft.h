/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nft.h - the host's rules for packets, by nftables' own library and language
 *
 * All is about the network namespace of the caller.
 *
 * Threads: main.
 */
#ifndef HOST_NFT_H
#define HOST_NFT_H

#include <glib.h>
#include <stdbool.h>

/* Carry out @text, all of it or nothing. */
bool nft_apply(const char *text, GError **error);
/* What 'nft -a -s @command' prints, for g_free(), or NULL with @error: there is no such thing. */
char *nft_list(const char *command, GError **error);
/* A descriptor that is readable when somebody has changed rules, for netlink_drain(). -errno: none. */
int nft_watch(void);

#endif
