/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc.h - a screen for VNC clients (RFC 6143, by libvncserver)
 *
 * Threads: main loop. Each client has a thread, so that none waits for another, and nobody for one.
 */
#ifndef DISPLAY_VNC_H
#define DISPLAY_VNC_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct surface;
struct vnc;

enum {
	VNC_CLIENTS = 16,
	VNC_PASSWORD_LEN = 8, /* so much of one counts */

	VNC_LEFT = 1 << 0, /* buttons */
	VNC_MIDDLE = 1 << 1,
	VNC_RIGHT = 1 << 2,
};

struct vnc_ops {
	/* Somebody looks: draw what has changed. */
	void (*look)(void *opaque);
	/* A key (display/keys.h). */
	void (*key)(void *opaque, uint8_t number, bool down);
	/* The mouse went right and down, its wheel towards the user; buttons as they are now. */
	void (*pointer)(void *opaque, int dx, int dy, int dz, unsigned buttons);
	/* A client has come, or goes; @address: "127.0.0.1", or "" if it has none. */
	void (*client)(void *opaque, const char *address, bool came);
};

struct vnc_config {
	struct surface *surface; /* drawn by the main loop; must outlive the server */
	const char *name;        /* what clients show in their title, copied */
	bool password; /* is one asked for? Until vnc_set_password() nobody comes in then */
	const struct vnc_ops *ops;
	void *opaque;
};

struct vnc *vnc_new(const struct vnc_config *config, GError **error);
/* All clients go. NULL is fine. */
void vnc_free(struct vnc *vnc);
DEFINE_AUTOPTR(vnc, vnc_free);

/* Take clients from a listening socket, which is not blocking; it is taken over, also on failure. */
bool vnc_listen(struct vnc *vnc, int fd, GError **error);
/* A client that is connected already; the descriptor is taken over. @trusted: needs no password. */
bool vnc_add_client(struct vnc *vnc, int fd, bool trusted, GError **error);

/* NULL: nobody comes in. False: the server asks for none. */
bool vnc_set_password(struct vnc *vnc, const char *password, GError **error);
/* It counts until then: CLOCK_REALTIME in seconds; INT64_MAX for ever. */
void vnc_expire_password(struct vnc *vnc, int64_t when);
void vnc_disconnect_all(struct vnc *vnc);
unsigned vnc_client_count(const struct vnc *vnc);

#endif
