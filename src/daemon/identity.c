/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * identity.c - who is at the other end of a socket
 *
 * The groups are those that the process had when it connected, as the kernel knows them: no name
 * service is asked, which could hang.
 */
#include "daemon/identity.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

enum {
	GROUPS_FEW = 64
};

static void add_groups(struct identity *identity, int fd, gid_t first)
{
	socklen_t len = GROUPS_FEW * sizeof(gid_t);
	gid_t *groups = g_malloc(sizeof(gid_t) + len);
	int r = sys_getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &len);

	if (r == -ERANGE) {
		groups = g_realloc(groups, sizeof(gid_t) + len);
		r = sys_getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &len);
	}
	groups[0] = first;
	identity->groups = groups;
	identity->group_count = 1 + (r < 0 ? 0 : (unsigned)(len / sizeof(gid_t)));
}

static bool init_local(struct identity *identity, int fd, GError **error)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int r = sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);

	if (r < 0)
		return error_sys(error, r, "the kernel does not tell who it is");
	identity->local = true;
	identity->uid = cred.uid;
	identity->pid = cred.pid;
	add_groups(identity, fd, cred.gid);
	identity->origin = g_strdup_printf("uid %u", (unsigned)cred.uid);
	identity->who = g_strdup_printf("uid %u, pid %d", (unsigned)cred.uid, (int)cred.pid);
	return true;
}

static bool init_remote(struct identity *identity, int fd, GError **error)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getpeername(fd, (struct sockaddr *)&addr, &len) < 0 ||
	    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return error_set(error, SOCLE_ERROR_FAILED, "it has gone");
	identity->uid = (uid_t)-1;
	identity->origin = g_strdup_printf("address %s", host);
	identity->who = g_strdup_printf("address %s, port %s", host, port);
	return true;
}

bool identity_init(struct identity *identity, int fd, bool local, GError **error)
{
	*identity = (struct identity){ 0 };
	return local ? init_local(identity, fd, error) : init_remote(identity, fd, error);
}

void identity_release(struct identity *identity)
{
	g_free(identity->groups);
	g_free(identity->origin);
	g_free(identity->who);
	*identity = (struct identity){ 0 };
}
