/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dial-int.h - get a transport to the server that a URI names
 */
#ifndef CLIENT_DIAL_INT_H
#define CLIENT_DIAL_INT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "client/transport-int.h"
#include "client/uri-int.h"

/* What a connection is opened with, and opened again. Tests have one of their own. */
struct dialer;

struct dialer_ops {
	/**
	 * dial() - connect
	 * @ret_name: what to ask the server for, for g_free()
	 * @again:    it is not the first time: do not start a daemon
	 */
	struct transport *(*dial)(struct dialer *dialer, bool again, uint64_t deadline,
				  char **ret_name, GError **error);
	void (*free)(struct dialer *dialer);
};

struct dialer {
	const struct dialer_ops *ops;
	bool slow;           /* a person may be asked for a password: no deadline */
	unsigned timeout_ms; /* for opening; 0: the usual one */
};

/* @uri is owned from now on. */
struct dialer *dialer_new(struct uri *uri, bool readonly, bool autostart);
void dialer_free(struct dialer *dialer);

/* == The ways == */

/* A socket of this host; the daemon of the session is started if there is none. */
struct transport *dial_unix(const struct uri *uri, bool readonly, bool autostart, uint64_t deadline,
			    char **ret_name, GError **error);

/* TCP, with TLS or without. */
struct transport *dial_net(const struct uri *uri, uint64_t deadline, GError **error);

/* A program that talks to the daemon: ssh, or whatever ?command= says. */
struct transport *dial_program(const struct uri *uri, bool readonly, GError **error);

/* What ssh is called with, a NULL behind the last; for g_strfreev(). */
char **dial_ssh_words(const struct uri *uri, bool readonly);

/* Sockets to try in turn, for g_strfreev(); names of what to ask for go with them in @ret_names. */
char **dial_unix_sockets(const struct uri *uri, bool readonly, char ***ret_names);

#endif
