/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * account.c - users and groups of the host, by name or number
 */
#include "base/account.h"

#include <errno.h>
#include <glib.h>
#include <grp.h>
#include <pwd.h>

enum {
	ROOM_FIRST = 1024,  /* bytes for the texts of an entry */
	ROOM_MAX = 1 << 20, /* a group of some 50,000 members */
};

/* Where the texts of an entry are. */
struct room {
	char *p;
	size_t size;
};

static struct room room_new(void)
{
	return (struct room){ g_malloc(ROOM_FIRST), ROOM_FIRST };
}

/* Is it to be asked again, with more room? */
static bool more(struct room *room, int r)
{
	if (r == ERANGE && room->size < ROOM_MAX) {
		room->size *= 2;
		g_free(room->p);
		room->p = g_malloc(room->size);
		return true;
	}
	return r == EINTR;
}

bool account_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	struct room room = room_new();
	struct passwd entry, *found = NULL;

	while (more(&room, getpwnam_r(name, &entry, room.p, room.size, &found)))
		;
	g_free(room.p);
	if (!found)
		return false;
	if (ret_uid)
		*ret_uid = entry.pw_uid;
	if (ret_gid)
		*ret_gid = entry.pw_gid;
	return true;
}

bool account_group(const char *name, gid_t *ret_gid)
{
	struct room room = room_new();
	struct group entry, *found = NULL;

	while (more(&room, getgrnam_r(name, &entry, room.p, room.size, &found)))
		;
	g_free(room.p);
	if (found && ret_gid)
		*ret_gid = entry.gr_gid;
	return found;
}

char *account_user_name(uid_t uid)
{
	struct room room = room_new();
	struct passwd entry, *found = NULL;
	char *name;

	while (more(&room, getpwuid_r(uid, &entry, room.p, room.size, &found)))
		;
	name = found ? g_strdup(found->pw_name) : NULL;
	g_free(room.p);
	return name;
}

char *account_group_name(gid_t gid)
{
	struct room room = room_new();
	struct group entry, *found = NULL;
	char *name;

	while (more(&room, getgrgid_r(gid, &entry, room.p, room.size, &found)))
		;
	name = found ? g_strdup(found->gr_name) : NULL;
	g_free(room.p);
	return name;
}
