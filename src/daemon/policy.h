/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.h - who may do what
 *
 * A file of rules; the first that fits a client decides:
 *
 *	[operators]
 *	group = operators;staff
 *	access = write
 *
 *	[everybody else]
 *	access = read
 *
 * A rule fits if each of its keys fits: user (names or numbers), group (also those that the client
 * has besides its first one) and dn (patterns of a certificate's name). If none fits, whoever could
 * connect may do what the socket is for.
 *
 * Threads: main loop.
 */
#ifndef DAEMON_POLICY_H
#define DAEMON_POLICY_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"

enum policy_access {
	POLICY_NONE,
	POLICY_READ,
	POLICY_WRITE,
};

/* A client, as far as it is known. */
struct policy_who {
	bool local; /* uid and groups are known */
	uid_t uid;
	const gid_t *groups; /* the first one and all others */
	unsigned group_count;
	const char *dn; /* of its certificate, or NULL */
};

struct policy;

/* The rules of a file. Names of users and groups are looked up now. */
struct policy *policy_load(const char *path, GError **error);
/* The same of a text; @name for errors. */
struct policy *policy_parse(const char *text, size_t len, GError **error);
void policy_free(struct policy *policy);
DEFINE_AUTOPTR(policy, policy_free);

/* What the client may do, at most @most. @policy NULL: there are no rules. */
enum policy_access policy_decide(const struct policy *policy, const struct policy_who *who,
				 enum policy_access most);

/* Does one of the patterns, with semicolons between them, fit the name? */
bool policy_dn_matches(const char *patterns, const char *dn);

#endif
