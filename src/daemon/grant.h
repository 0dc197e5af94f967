/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grant.h - a file for machines, which run as a user who may not open it
 *
 * The file's owner stays who he is: the user gets an entry in the file's access control list. A mark
 * beside it, "trusted.socle.machines", which root alone sees, names the machines that it is there for;
 * with the last of them both go. So a file that several machines share is theirs until the last one
 * ends, and a daemon that was killed, or a host, leaves nothing that could not be taken back.
 *
 * Machines are hostile: a folder may be theirs. A symbolic link is followed only if nobody but root can
 * have made it, and names inside of images are never looked at.
 *
 * Threads: any.
 */
#ifndef DAEMON_GRANT_H
#define DAEMON_GRANT_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	GRANT_ACL_MAX = 1024 /* bytes of a list that is changed; longer ones are left alone */
};

/* A list as the kernel has it in system.posix_acl_access. */
struct grant_acl {
	uint8_t bytes[GRANT_ACL_MAX];
	size_t len;
};

/* One that says what @mode says. */
void grant_acl_of_mode(struct grant_acl *acl, mode_t mode);
/* May @uid, with @gid, do @need (4 read, 2 write)? Groups of his besides are not looked at. */
bool grant_acl_allows(const struct grant_acl *acl, uid_t owner, gid_t group, uid_t uid, gid_t gid,
		      unsigned need);
/* Let @uid do it. Nobody else can do more than before. False: it makes no sense, or has no room. */
bool grant_acl_add(struct grant_acl *acl, uid_t uid, unsigned need);
/* Take the entry of @uid away. */
bool grant_acl_remove(struct grant_acl *acl, uid_t uid);

/**
 * grant() - let a user open a file, for a machine
 * @machine: its UUID
 *
 * Return: true if there is something to take back. Where it cannot be done nothing is: who tries to open
 *         the file will be told
 */
bool grant(const char *path, const char *machine, uid_t uid, gid_t gid, bool write);
/* The machine does not need it any more. */
void grant_end(const char *path, const char *machine, uid_t uid);

#endif
