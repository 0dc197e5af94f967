/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pidfile.h - our process number in a file, as long as we run
 */
#ifndef VMM_PIDFILE_H
#define VMM_PIDFILE_H

#include <glib.h>

#include "base/cleanup.h"

struct pidfile;

/**
 * pidfile_new() - write the file, whole or not at all
 *
 * It stays locked, by which others see that it is not stale. Who runs already is refused.
 *
 * Return: for pidfile_free(), or NULL with @error set
 */
struct pidfile *pidfile_new(const char *path, GError **error);
/* Remove the file, if it is still ours. NULL is fine. */
void pidfile_free(struct pidfile *pidfile);
DEFINE_AUTOPTR(pidfile, pidfile_free);

#endif
