/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime-dir.h - where sockets are: the same for a daemon and for who looks for it
 */
#ifndef DAEMON_RUNTIME_DIR_H
#define DAEMON_RUNTIME_DIR_H

#include <stdbool.h>

/**
 * runtime_dir() - the folder in which "socle/socled-sock" is
 *
 * A session's is $XDG_RUNTIME_DIR, which a command over ssh may lack: then it is /run/user/UID, if that is
 * there and ours, else a folder at home. g_free() it.
 */
char *runtime_dir(bool session);

#endif
