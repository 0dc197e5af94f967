/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grant.c - a file for machines, which run as a user who may not open it
 *
 * A list is a version and entries of 8 bytes: tag, rights, number, all little-endian. The order is: owner,
 * users, group, groups, mask, others. The mask bounds all but the first and the last; it has to be
 * there as soon as there are users or groups. See acl(5).
 *
 * Order of steps: first the mark, then the entry; backwards first the entry. A file with an entry of ours
 * has a mark at any time.
 */
#include "daemon/grant.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/sys.h"

/* == Lists == */

enum {
	HEAD = 4,
	ENTRY = 8,
	VERSION = 2,
	RIGHTS = 7,
};

enum {
	TAG_OWNER = 0x01,
	TAG_USER = 0x02,
	TAG_GROUP = 0x04,
	TAG_OTHER_GROUP = 0x08,
	TAG_MASK = 0x10,
	TAG_OTHERS = 0x20,
};

static const uint32_t no_id = UINT32_MAX;

static unsigned tag_at(const struct grant_acl *acl, size_t off)
{
	return get_le16(acl->bytes + off);
}

static unsigned rights_at(const struct grant_acl *acl, size_t off)
{
	return get_le16(acl->bytes + off + 2) & RIGHTS;
}

static void set_rights(struct grant_acl *acl, size_t off, unsigned rights)
{
	put_le16(acl->bytes + off + 2, (uint16_t)rights);
}

/* Where the entry is, 0: nowhere. */
static size_t find(const struct grant_acl *acl, unsigned tag, uint32_t id)
{
	for (size_t off = HEAD; off < acl->len; off += ENTRY) {
		if (tag_at(acl, off) == tag &&
		    (id == no_id || get_le32(acl->bytes + off + 4) == id))
			return off;
	}
	return 0;
}

static bool makes_sense(const struct grant_acl *acl)
{
	return acl->len >= HEAD && acl->len <= GRANT_ACL_MAX && (acl->len - HEAD) % ENTRY == 0 &&
	       get_le32(acl->bytes) == VERSION && find(acl, TAG_OWNER, no_id) &&
	       find(acl, TAG_GROUP, no_id) && find(acl, TAG_OTHERS, no_id);
}

static bool insert(struct grant_acl *acl, size_t off, unsigned tag, unsigned rights, uint32_t id)
{
	if (acl->len + ENTRY > GRANT_ACL_MAX)
		return false;
	memmove(acl->bytes + off + ENTRY, acl->bytes + off, acl->len - off);
	acl->len += ENTRY;
	put_le16(acl->bytes + off, (uint16_t)tag);
	set_rights(acl, off, rights);
	put_le32(acl->bytes + off + 4, id);
	return true;
}

static void cut(struct grant_acl *acl, size_t off)
{
	memmove(acl->bytes + off, acl->bytes + off + ENTRY, acl->len - off - ENTRY);
	acl->len -= ENTRY;
}

void grant_acl_of_mode(struct grant_acl *acl, mode_t mode)
{
	put_le32(acl->bytes, VERSION);
	acl->len = HEAD;
	(void)insert(acl, HEAD, TAG_OTHERS, mode & RIGHTS, no_id);
	(void)insert(acl, HEAD, TAG_GROUP, mode >> 3 & RIGHTS, no_id);
	(void)insert(acl, HEAD, TAG_OWNER, mode >> 6 & RIGHTS, no_id);
}

static unsigned mask_of(const struct grant_acl *acl)
{
	const size_t mask = find(acl, TAG_MASK, no_id);

	return mask ? rights_at(acl, mask) : RIGHTS;
}

bool grant_acl_allows(const struct grant_acl *acl, uid_t owner, gid_t group, uid_t uid, gid_t gid,
		      unsigned need)
{
	const unsigned mask = mask_of(acl);
	size_t off;
	bool in_group = false;

	if (!makes_sense(acl))
		return false;
	if (uid == owner)
		return (rights_at(acl, find(acl, TAG_OWNER, no_id)) & need) == need;
	off = find(acl, TAG_USER, uid);
	if (off)
		return (rights_at(acl, off) & mask & need) == need;
	for (off = HEAD; off < acl->len; off += ENTRY) {
		const unsigned tag = tag_at(acl, off);

		if ((tag != TAG_GROUP || gid != group) &&
		    (tag != TAG_OTHER_GROUP || gid != get_le32(acl->bytes + off + 4)))
			continue;
		in_group = true;
		if ((rights_at(acl, off) & mask & need) == need)
			return true;
	}
	return !in_group && (rights_at(acl, find(acl, TAG_OTHERS, no_id)) & need) == need;
}

/* The mask gets wider, and what it has kept from others is taken from them. */
static bool widen(struct grant_acl *acl, unsigned need)
{
	const size_t mask = find(acl, TAG_MASK, no_id);

	if (!mask)
		return insert(acl, find(acl, TAG_OTHERS, no_id), TAG_MASK,
			      rights_at(acl, find(acl, TAG_GROUP, no_id)) | need, no_id);
	for (size_t off = HEAD; off < acl->len; off += ENTRY) {
		if (tag_at(acl, off) & (TAG_USER | TAG_GROUP | TAG_OTHER_GROUP))
			set_rights(acl, off, rights_at(acl, off) & rights_at(acl, mask));
	}
	set_rights(acl, mask, rights_at(acl, mask) | need);
	return true;
}

bool grant_acl_add(struct grant_acl *acl, uid_t uid, unsigned need)
{
	size_t off;

	if (!makes_sense(acl) || !widen(acl, need))
		return false;
	off = find(acl, TAG_USER, uid);
	if (off) {
		set_rights(acl, off, rights_at(acl, off) | need);
		return true;
	}
	/* Behind the users with smaller numbers. */
	for (off = HEAD; tag_at(acl, off) == TAG_OWNER ||
			 (tag_at(acl, off) == TAG_USER && get_le32(acl->bytes + off + 4) < uid);)
		off += ENTRY;
	return insert(acl, off, TAG_USER, need, uid);
}

bool grant_acl_remove(struct grant_acl *acl, uid_t uid)
{
	size_t off = makes_sense(acl) ? find(acl, TAG_USER, uid) : 0;

	if (!off)
		return false;
	cut(acl, off);
	/* Nobody is left whom it would bound but the group. */
	if (!find(acl, TAG_USER, no_id) && !find(acl, TAG_OTHER_GROUP, no_id) &&
	    (off = find(acl, TAG_MASK, no_id))) {
		const size_t group = find(acl, TAG_GROUP, no_id);

		set_rights(acl, group, rights_at(acl, group) & rights_at(acl, off));
		cut(acl, off);
	}
	return true;
}

/* == Files == */

static const char acl_name[] = "system.posix_acl_access", mark_name[] = "trusted.socle.machines";

/* Can root alone change what is in the folders on the way? */
static bool is_roots(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);
	struct stat st;

	if (sys_stat(dir, &st) < 0 || st.st_uid != 0 || (st.st_mode & 022) != 0)
		return false;
	return !strcmp(dir, "/") || is_roots(dir);
}

/* A descriptor that stands for the file, without opening it. */
static int open_path(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	g_autofree char *target = NULL;
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd >= 0)
		return fd;
	target = realpath(path, NULL);
	if (!target || !is_roots(path) || !is_roots(target))
		return -1;
	return (int)syscall(SYS_openat2, AT_FDCWD, target, &how, sizeof(how));
}

struct file {
	int fd;
	char path[32]; /* by which the functions for attributes reach it */
	struct stat st;
	struct grant_acl acl;
	char mark[4096]; /* "UUID UUID ... " */
};

static bool file_read(struct file *file, const char *path)
{
	ssize_t n;

	*file = (struct file){ .fd = open_path(path) };
	if (file->fd < 0)
		return false;
	(void)g_snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	if (sys_stat(file->path, &file->st) < 0 ||
	    (!S_ISREG(file->st.st_mode) && !S_ISBLK(file->st.st_mode)))
		return false;
	n = getxattr(file->path, acl_name, file->acl.bytes, sizeof(file->acl.bytes));
	if (n > 0)
		file->acl.len = (size_t)n;
	else
		grant_acl_of_mode(&file->acl, file->st.st_mode);
	n = getxattr(file->path, mark_name, file->mark, sizeof(file->mark) - 1);
	file->mark[MAX(n, 0)] = '\0';
	return true;
}

static bool write_acl(const struct file *file)
{
	return setxattr(file->path, acl_name, file->acl.bytes, file->acl.len, 0) == 0;
}

static bool write_mark(const struct file *file, const char *text)
{
	if (!*text)
		return removexattr(file->path, mark_name) == 0;
	return setxattr(file->path, mark_name, text, strlen(text), 0) == 0;
}

/* The others of a mark. */
static char *without(const char *mark, const char *machine)
{
	g_auto(GStrv) all = g_strsplit(mark, " ", -1);
	g_autoptr(GString) text = g_string_new(NULL);

	for (char **one = all; *one; one++) {
		if (**one && strcmp(*one, machine) != 0)
			g_string_append_printf(text, "%s ", *one);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static bool grant_file(struct file *file, const char *machine, uid_t uid, gid_t gid, unsigned need)
{
	g_autofree char *others = without(file->mark, machine);
	g_autofree char *mark = g_strconcat(others, machine, " ", NULL);
	const bool may =
		grant_acl_allows(&file->acl, file->st.st_uid, file->st.st_gid, uid, gid, need);

	/* Its own rights, not by us. What its owner refuses to himself he does not get from us. */
	if ((may && !*file->mark) || file->st.st_uid == uid)
		return false;
	/* Somebody has said that this user may not. */
	if (!*file->mark && find(&file->acl, TAG_USER, uid))
		return false;
	if (strlen(mark) >= sizeof(file->mark) || !write_mark(file, mark))
		return false;
	if (may || (grant_acl_add(&file->acl, uid, need) && write_acl(file)))
		return true;
	(void)write_mark(file, file->mark);
	return false;
}

bool grant(const char *path, const char *machine, uid_t uid, gid_t gid, bool write)
{
	g_autofree struct file *file = g_new(struct file, 1);
	const bool done =
		file_read(file, path) && grant_file(file, machine, uid, gid, write ? 4 | 2 : 4);

	fd_autoclose(&file->fd);
	return done;
}

void grant_end(const char *path, const char *machine, uid_t uid)
{
	g_autofree struct file *file = g_new(struct file, 1);
	g_autofree char *others = NULL;

	if (file_read(file, path) && strstr(file->mark, machine)) {
		others = without(file->mark, machine);
		if (!*others && grant_acl_remove(&file->acl, uid) && !write_acl(file))
			log_warning("user %u can still open '%s': %s", (unsigned)uid, path,
				    g_strerror(-sys_last_error()));
		else
			(void)write_mark(file, others);
	}
	fd_autoclose(&file->fd);
}
