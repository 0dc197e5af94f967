/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret.h - passwords that machines and storage pools need, for those who make them
 *
 * Threads: main loop; what is got may be used on any.
 */
#ifndef MANAGE_SECRET_H
#define MANAGE_SECRET_H

#include <glib.h>
#include <stdbool.h>

struct auth;
struct node;

/*
 * The password that <auth> of @of ("disk 'vda'") means, on a host of Ceph's or of iSCSI's, with a NUL behind
 * it that does not count. NULL with @error: there is none. g_bytes_unref() it; who is last zeroes it.
 */
GBytes *node_password(const struct node *node, const struct auth *auth, bool ceph, const char *of,
		      GError **error);

#endif
