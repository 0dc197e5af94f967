/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * folders.c - what a daemon needs of its surroundings before it starts
 */
#include "daemon/folders.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/sys.h"

bool folders_make(const char *path, mode_t mode, GError **error)
{
	g_autofree char *parent = NULL;
	int r = sys_mkdir(path, mode);

	if (r == -ENOENT) {
		parent = g_path_get_dirname(path);
		if (!folders_make(parent, mode == 0700 ? 0711 : mode, error))
			return false;
		r = sys_mkdir(path, mode);
	}
	if (r < 0 && r != -EEXIST)
		return error_sys(error, r, "cannot make folder '%s'", path);
	return true;
}

void folders_raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
