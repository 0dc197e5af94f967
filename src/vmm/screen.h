/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screen.h - the machine's screen, for those who look: QMP's screendump, and VNC
 *
 * Threads: main loop.
 */
#ifndef VMM_SCREEN_H
#define VMM_SCREEN_H

#include <glib.h>
#include <stdbool.h>

struct screen;
struct surface;
struct vmm;

/* Where VNC clients come in. */
enum vnc_listen {
	VNC_LISTEN_NOWHERE, /* by add_client only */
	VNC_LISTEN_TCP,
	VNC_LISTEN_UNIX,
	VNC_LISTEN_FD, /* a socket that listens */
};

struct vnc_option {
	bool on; /* is there a server at all? */
	enum vnc_listen listen;
	char *host; /* VNC_LISTEN_TCP: in figures or a name */
	unsigned port;
	char *path;
	unsigned fd;
	bool password;
};

/* "HOST:PORT", "unix=PATH", "fd=N" or "none", and password=on. */
bool vnc_option_parse(struct vnc_option *option, const char *value, GError **error);
void vnc_option_release(struct vnc_option *option);

/* Of a machine that has a screen; as the options have it. */
struct screen *screen_new(struct vmm *vmm, GError **error);
/* NULL is fine. Before the machine is freed. */
void screen_free(struct screen *screen);

/* What is on it now, for surface_free(); NULL: there is none. */
struct surface *screen_copy(struct vmm *vmm, GError **error);

#endif
