/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iso.h - files on the image of a CD, which nobody has to mount for that
 *
 * Threads: any.
 */
#ifndef CLI_ISO_H
#define CLI_ISO_H

#include <glib.h>
#include <stdbool.h>

/* Does it look like one? */
bool iso_is(int fd);
/*
 * What the file at @path has, as a file without a name here; -1 with SOCLE_ERROR_NOT_FOUND, or an error of
 * the image's: it is hostile. @path has no slash in front.
 */
int iso_open_file(int fd, const char *path, GError **error);

#endif
