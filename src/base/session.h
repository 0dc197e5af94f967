/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h - where socled is, that of this user's session or of the system, and starting the former
 *
 * The same for the daemon and for all who look for it.
 */
#ifndef BASE_SESSION_H
#define BASE_SESSION_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * session_runtime_dir() - the folder in which "socle/socled-sock" is
 * @session: of this user; false: of the system
 *
 * A session's is $XDG_RUNTIME_DIR, if it is ours and not that of the user we have been before. Without it,
 * as over ssh or in a container, it is /run/user/UID if that is there and ours, else ~/.cache. g_free() it.
 */
char *session_runtime_dir(bool session);

/* The socket of a daemon; the system's has one for clients that only read. g_free() it. */
char *session_socket(bool session, bool readonly);

/* What session_start() starts: $SOCLED_PATH, or where our programs are. NULL: nothing. g_free() it. */
char *session_program(void);

/**
 * session_start() - start socled --session, which does not end with us, and connect to it
 * @socket:   where it will listen
 * @deadline: of sys_monotonic_ns(); UINT64_MAX: as long as it usually takes
 *
 * Return: the descriptor, or -1 with @error set. Two who do this at once get the same daemon
 */
int session_start(const char *socket, uint64_t deadline, GError **error);

#endif
