/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * polkit.h - ask polkit whether a process may do something
 *
 * Threads: main loop.
 */
#ifndef DAEMON_POLKIT_H
#define DAEMON_POLKIT_H

#include <glib.h>
#include <sys/types.h>

#define POLKIT_MANAGE  "org.libvirt.unix.manage"
#define POLKIT_MONITOR "org.libvirt.unix.monitor"

struct polkit_ask;

/**
 * polkit_ask_new() - ask; somebody may have to type a password for the answer
 * @end: is called once, never at once, and not behind polkit_ask_free(): @error says why not, or is
 *       NULL if the process may. No answer within a minute is no.
 */
struct polkit_ask *polkit_ask_new(pid_t pid, uid_t uid, const char *action,
				  void (*end)(void *opaque, const GError *error), void *opaque);
/* NULL is fine. */
void polkit_ask_free(struct polkit_ask *ask);

#endif
