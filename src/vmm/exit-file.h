/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exit-file.h - how a machine ended, in a file for whoever was not there
 */
#ifndef VMM_EXIT_FILE_H
#define VMM_EXIT_FILE_H

#include <glib.h>
#include <stdbool.h>

/* "STATUS REASON", and @report, which may be NULL, as one line behind it. The file is there as a whole
 * or not at all. */
bool exit_file_write(const char *path, int status, const char *reason, const char *report,
		     GError **error);

#endif
