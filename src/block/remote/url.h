/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * url.h - names of images that other hosts keep
 *
 *	iscsi://[USER@]HOST[:PORT]/TARGET/LUN
 *	rbd://[USER@][MONITOR[:PORT][,MONITOR[:PORT]...]]/POOL[/NAMESPACE]/IMAGE
 *
 * What has a special meaning in a part is written as %XX. A password has no place here: names are shown.
 * Without a monitor, Ceph's own configuration file says where those are.
 *
 * Threads: any.
 */
#ifndef BLOCK_REMOTE_URL_H
#define BLOCK_REMOTE_URL_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"

enum remote_kind {
	REMOTE_ISCSI,
	REMOTE_RBD,
	REMOTE_KIND_COUNT,
};

enum {
	REMOTE_URL_MAX = 4096,  /* bytes of all of it */
	REMOTE_PART_MAX = 255,  /* and of a part; libiscsi has no room for more */
	REMOTE_LUN_MAX = 16383, /* what the simple way to address them has room for */
};

struct remote_url {
	enum remote_kind kind;
	char *user;          /* or NULL */
	char *host;          /* ISCSI: with its port; RBD: monitors, "" if there are none */
	char *name;          /* of the target; of the pool */
	char *space, *image; /* RBD; the space or NULL */
	unsigned lun;        /* ISCSI */
};

/* Is it meant as one? Paths are not: they begin with a slash, a dot or a name without "://". */
bool remote_url_is(const char *text);
struct remote_url *remote_url_parse(const char *text, GError **error);
char *remote_url_format(const struct remote_url *url);
/* One more for ->host; an address of IPv6 gets its brackets. @port 0: the usual one. */
void remote_url_add_host(GString *hosts, const char *name, unsigned port);
/* NULL is fine. */
void remote_url_free(struct remote_url *url);
DEFINE_AUTOPTR(remote_url, remote_url_free);

#endif
