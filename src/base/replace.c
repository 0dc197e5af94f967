/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replace.c - a small file gets a new text as a whole
 */
#include "base/replace.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"

int file_replace(const char *path, const char *text, mode_t mode)
{
	g_autofree char *temp = g_strdup_printf("%s.%d", path, (int)getpid());
	autofd int fd = sys_open(temp, O_WRONLY | O_CREAT | O_TRUNC, mode);
	int r;

	if (fd < 0)
		return fd;
	r = (int)sys_write_full(fd, text, strlen(text));
	if (r >= 0)
		r = sys_rename(temp, path);
	if (r < 0)
		(void)sys_unlink(temp);
	return MIN(r, 0);
}
