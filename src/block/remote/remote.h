/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remote.h - images that other hosts keep: disks of iSCSI targets, images of Ceph clusters
 *
 * As block.h they are asynchronous: many requests at a time, over a connection of their own. As file.h,
 * call by call, they serve formats other than raw, and copies.
 *
 * A peer may go away at any time. Requests wait for it, and are sent again when it is back; who has waited
 * for REMOTE_PATIENCE_S gets -EIO, which a disk treats as its werror and rerror say. So nothing hangs for
 * ever, and a guest's own timer is the longer one.
 *
 * Nobody else is locked out: two machines that write to one image are the administrator's to prevent.
 */
#ifndef BLOCK_REMOTE_REMOTE_H
#define BLOCK_REMOTE_REMOTE_H

#include "block/block.h"

enum {
	REMOTE_OPEN_S = 15,     /* to find the peer, be let in, and learn what is there */
	REMOTE_PATIENCE_S = 30, /* of a request */
};

struct block_file;
struct secret;

/* Who we are to the peer. */
struct remote_login {
	const char *user;              /* instead of that of the URL; or NULL */
	const char *initiator;         /* iSCSI: our name; NULL: one of this host's */
	const struct secret *password; /* CHAP's password, cephx's key in base64; or NULL */
};

/* [main] An image by its URL, as a file; @flags of file.h. block_file_close() ends the connection. */
struct block_file *remote_file_open(const char *url, const struct remote_login *login,
				    unsigned flags, GError **error);

#endif
