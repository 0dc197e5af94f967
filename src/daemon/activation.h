/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * activation.h - what a service manager as systemd gives us in the environment, and wants to hear
 */
#ifndef DAEMON_ACTIVATION_H
#define DAEMON_ACTIVATION_H

enum {
	ACTIVATION_FIRST_FD = 3
};

/* How many listening sockets we were given, from ACTIVATION_FIRST_FD on. Once: they are then ours,
 * and no process that we start finds them. */
unsigned activation_fds(void);

/* "READY=1", "STOPPING=1". Nobody may be there to hear it. */
void activation_notify(const char *what);

#endif
