/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iscsi.h - libiscsi's programs, which reach a target without the kernel: what they are told, and what they say
 *
 * Names of hosts and targets were checked before: they have nothing in them that ends a part of a URL.
 *
 * Threads: any.
 */
#ifndef HOST_ISCSI_H
#define HOST_ISCSI_H

#include <glib.h>

/* "HOST:PORT", as URLs have it. */
char *iscsi_portal(const char *host, unsigned port);

/* Vectors for host_tool_run(), g_strfreev() them. @port 0: the usual one; @initiator: NULL: any. */
char **iscsi_argv_list(const char *host, unsigned port, const char *initiator);
char **iscsi_argv_size(const char *host, unsigned port, const char *initiator, const char *target,
		       unsigned lun);

/* What the list says: names of targets, owned. */
GPtrArray *iscsi_parse_targets(const char *text);
/* Numbers of the disks of a target, unsigned; NULL: there is no such target. g_array_unref() it. */
GArray *iscsi_parse_disks(const char *text, const char *target);

#endif
