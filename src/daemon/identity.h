/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * identity.h - who is at the other end of a socket
 */
#ifndef DAEMON_IDENTITY_H
#define DAEMON_IDENTITY_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct identity {
	bool local; /* the kernel has told uid, pid and groups */
	uid_t uid;
	pid_t pid;
	gid_t *groups; /* the first one, and all others */
	unsigned group_count;
	char *origin; /* "uid 1000", "address 192.0.2.1": whom limits count by */
	char *who;    /* "uid 1000, pid 4711": for people */
};

/* @local: a Unix socket. False with @error: the client is gone. */
bool identity_init(struct identity *identity, int fd, bool local, GError **error);
void identity_release(struct identity *identity);

#endif
