/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.c - nobody else writes to an image that is in use
 *
 * QEMU's protocol (block/file-posix.c there), so that its programs and ours refuse each other. For
 * each kind of access there are two bytes in the file: who does it has a shared lock on the first,
 * who does not want others to do it has one on the second. All locks are taken first, then one
 * looks for conflicts; of two who come at once, one or both give up. The locks belong to the open
 * file description, and go with it.
 */
#include <errno.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/block-int.h"

enum access_kind {
	ACCESS_CONSISTENT_READ,
	ACCESS_WRITE,
	ACCESS_WRITE_UNCHANGED, /* the same bytes as before */
	ACCESS_RESIZE,
	ACCESS_COUNT,
};

enum {
	BYTE_USED = 100,
	BYTE_UNSHARED = 200
};

static int take_locks(int fd, unsigned used, unsigned unshared)
{
	for (int i = 0; i < ACCESS_COUNT; i++) {
		int ret = 0;

		if (used & 1u << i)
			ret = sys_lock_byte(fd, BYTE_USED + i);
		if (ret >= 0 && unshared & 1u << i)
			ret = sys_lock_byte(fd, BYTE_UNSHARED + i);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* 1: somebody does what we do not share, or does not share what we do. */
static int find_conflict(int fd, unsigned used, unsigned unshared)
{
	for (int i = 0; i < ACCESS_COUNT; i++) {
		int ret = 0;

		if (used & 1u << i)
			ret = sys_byte_is_locked(fd, BYTE_UNSHARED + i);
		if (!ret && unshared & 1u << i)
			ret = sys_byte_is_locked(fd, BYTE_USED + i);
		if (ret)
			return ret;
	}
	return 0;
}

static unsigned what_is_used(bool read_only)
{
	return 1u << ACCESS_CONSISTENT_READ | (read_only ? 0 : 1u << ACCESS_WRITE);
}

static unsigned what_is_unshared(bool shared)
{
	return shared ? 0 : 1u << ACCESS_WRITE | 1u << ACCESS_RESIZE;
}

static bool conclude(int ret, const char *path, bool read_only, bool shared, GError **error)
{
	if (!ret)
		return true;
	if (ret > 0 || ret == -EAGAIN || ret == -EACCES)
		return error_set(
			error, SOCLE_ERROR_BUSY, "image '%s' is in use by another process (%s)",
			path,
			read_only ? "shared=on reads it while others write"
				  : "several may have it open if all say read-only=on, or all "
				    "say shared=on");
	/* A file system without locks: the user says that he knows who writes. */
	if (shared)
		return true;
	return error_sys(error, ret, "cannot lock image '%s' (shared=on does without)", path);
}

bool block_lock(int fd, const char *path, bool read_only, bool shared, GError **error)
{
	const unsigned used = what_is_used(read_only), unshared = what_is_unshared(shared);
	int ret = take_locks(fd, used, unshared);

	if (!ret)
		ret = find_conflict(fd, used, unshared);
	return conclude(ret, path, read_only, shared, error);
}

/* Who does more than @old must ask the others; until then @old's own locks would be in the way. */
bool block_lock_again(int fd, int old, bool old_read_only, const char *path, bool read_only,
		      bool shared, GError **error)
{
	const unsigned used = what_is_used(read_only), unshared = what_is_unshared(shared);
	int ret = take_locks(fd, used, unshared);

	if (!ret && !read_only && old_read_only) {
		for (int i = 0; i < ACCESS_COUNT && !ret; i++)
			ret = sys_unlock_byte(old, BYTE_UNSHARED + i);
		if (!ret)
			ret = find_conflict(fd, used, unshared);
		if (ret)
			(void)take_locks(old, 0, unshared);
	}
	return conclude(ret, path, read_only, shared, error);
}
