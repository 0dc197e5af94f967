/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-reserve.c - room on the disk for what a log has and files have not yet
 */
#include "daemon/store-reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/statvfs.h>

#include "base/sys.h"

enum {
	STAT_BLOCK = 512 /* what st_blocks counts */
};

static bool has_blocks(const char *path)
{
	struct stat st;

	return sys_stat(path, &st) == 0 && st.st_size == RESERVE_SIZE &&
	       st.st_blocks >= RESERVE_SIZE / STAT_BLOCK;
}

void reserve_init(struct reserve *reserve, const char *state)
{
	reserve->path = g_build_filename(state, "reserve", NULL);
	reserve->is_there = has_blocks(reserve->path);
}

void reserve_release(struct reserve *reserve)
{
	g_clear_pointer(&reserve->path, g_free);
	reserve->is_there = false;
}

static int sync_folder(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	autofd int fd = sys_open(folder, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? fd : sys_fsync(fd);
}

/* Whoever is short of room himself is not to be brought to the end of it. */
bool reserve_fits(uint64_t blocks, uint64_t block_size)
{
	return block_size && blocks >= UINT64_C(2) * RESERVE_SIZE / block_size;
}

static int has_room(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	struct statvfs vfs;
	int r = sys_statvfs(folder, &vfs);

	if (r < 0)
		return r;
	return reserve_fits(vfs.f_bavail, vfs.f_frsize) ? 0 : -ENOSPC;
}

static int fill(int fd)
{
	int r = sys_fallocate(fd, 0, 0, RESERVE_SIZE);
	g_autofree uint8_t *zeroes = NULL;
	ssize_t n;

	if (r != -EOPNOTSUPP)
		return r;
	zeroes = g_malloc0(RESERVE_SIZE);
	n = sys_write_full(fd, zeroes, RESERVE_SIZE);
	return n < 0 ? (int)n : 0;
}

int reserve_make(struct reserve *reserve)
{
	int r = reserve->is_there ? 0 : has_room(reserve->path);
	autofd int fd = -1;

	if (reserve->is_there || r < 0)
		return r;
	fd = sys_open(reserve->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	r = fd < 0 ? fd : fill(fd);
	r = r < 0 ? r : sys_fsync(fd);
	if (r == 0)
		reserve->is_there = true;
	else if (fd >= 0)
		(void)sys_unlink(reserve->path);
	return r;
}

bool reserve_give_up(struct reserve *reserve)
{
	if (!reserve->is_there || sys_unlink(reserve->path) < 0)
		return false;
	reserve->is_there = false;
	/* Some file systems let nobody have its blocks before that. */
	(void)sync_folder(reserve->path);
	return true;
}
