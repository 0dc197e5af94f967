/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exit-file.c - how a machine ended, in a file for whoever was not there
 */
#include "vmm/exit-file.h"

#include <string.h>

#include "base/error.h"
#include "base/replace.h"

bool exit_file_write(const char *path, int status, const char *reason, const char *report,
		     GError **error)
{
	g_autofree char *line = g_strdup(report ? report : "");
	g_autofree char *text = NULL;
	int r;

	/* Of a report with a CPU's state the first line says it. */
	line[strcspn(line, "\n")] = '\0';
	text = g_strdup_printf("%d %s\n%s%s", status, reason, line, *line ? "\n" : "");
	r = file_replace(path, text, 0644);
	return r == 0 || error_sys(error, r, "cannot write '%s'", path);
}
