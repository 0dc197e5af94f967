/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * account.h - users and groups of the host, by name or number
 *
 * Asks the host's name service, which may be a server far away: it may take its time.
 *
 * Threads: any.
 */
#ifndef BASE_ACCOUNT_H
#define BASE_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

/* False: there is none, and nothing is returned. What is not wanted is NULL. */
bool account_user(const char *name, uid_t *ret_uid, gid_t *ret_gid);
bool account_group(const char *name, gid_t *ret_gid);
/* For g_free(); NULL: there is none. */
char *account_user_name(uid_t uid);
char *account_group_name(gid_t gid);

#endif
