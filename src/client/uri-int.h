/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uri-int.h - what a URI says about the way to a daemon
 */
#ifndef CLIENT_URI_INT_H
#define CLIENT_URI_INT_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"

enum uri_way {
	URI_LOCAL, /* a server in this process */
	URI_UNIX,
	URI_TCP,
	URI_TLS,
	URI_SSH,
	URI_EXT, /* a command that talks to the daemon */
};

enum uri_mode {
	URI_MODE_AUTO,
	URI_MODE_LEGACY, /* the one socket of libvirtd */
	URI_MODE_DIRECT, /* the socket of the hypervisor's own daemon */
};

enum uri_proxy {
	URI_PROXY_AUTO, /* a helper if it is there, else netcat */
	URI_PROXY_NETCAT,
	URI_PROXY_NATIVE, /* virt-ssh-helper, or socle-ssh-helper */
};

enum uri_known_hosts {
	URI_KNOWN_HOSTS_NORMAL, /* as ssh is configured */
	URI_KNOWN_HOSTS_AUTO,   /* a host that is not known is, from now on */
	URI_KNOWN_HOSTS_IGNORE, /* whoever it is */
};

struct uri {
	char *name; /* for the server: without transport, host, and what is meant for us; may be "" */
	char *scheme; /* without transport, such as "qemu" */
	enum uri_way way;
	bool chosen; /* nobody has said which; others than ours may do */
	bool session;
	char *host;    /* without brackets, or NULL */
	char *user;    /* or NULL */
	unsigned port; /* 0: the usual one */
	/* Parameters. Texts are NULL if missing. */
	enum uri_mode mode;
	enum uri_proxy proxy;
	char *socket;
	char *command;
	char *netcat;
	char *keyfile;
	char *pkipath;
	enum uri_known_hosts known_hosts;
	bool no_verify;
	bool no_tty;
};

/**
 * uri_parse() - take a URI apart
 * @text: NULL or "": the environment and the user say which
 *
 * Return: for uri_free(); NULL with one sentence in @error
 */
struct uri *uri_parse(const char *text, GError **error);
void uri_free(struct uri *uri);
DEFINE_AUTOPTR(uri, uri_free);

#endif
