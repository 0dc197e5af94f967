/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exit-file.c - how a machine ended, in a file for whoever was not there
 */
#include "vmm/exit-file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"

bool exit_file_write(const char *path, int status, const char *reason, const char *report,
		     GError **error)
{
	g_autofree char *temp = g_strdup_printf("%s.%d", path, (int)getpid());
	g_autofree char *line = g_strdup(report ? report : "");
	g_autofree char *text = NULL;
	autofd int fd = -1;
	int r;

	/* Of a report with a CPU's state the first line says it. */
	line[strcspn(line, "\n")] = '\0';
	text = g_strdup_printf("%d %s\n%s%s", status, reason, line, *line ? "\n" : "");
	fd = sys_open(temp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	r = fd < 0 ? fd : (int)sys_write_full(fd, text, strlen(text));
	if (r >= 0)
		r = sys_rename(temp, path);
	if (r >= 0)
		return true;
	(void)sys_unlink(temp);
	return error_sys(error, r, "cannot write '%s'", path);
}
