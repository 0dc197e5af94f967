/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd-server.h - an image for NBD clients: qemu-nbd, qemu-img, nbdcopy, the kernel
 *
 * Source: the NBD protocol, doc/proto.md of its project: fixed newstyle negotiation, structured
 * replies, the metadata context "base:allocation".
 *
 * Each client has a thread; they take turns at the image as image.h wants it. Clients are hostile:
 * what one sends is bounded by NBD_MAX_PAYLOAD, and one that stops in the middle holds up nobody
 * else.
 *
 * Threads: one calls all of these, and does nothing with the image meanwhile.
 */
#ifndef BLOCK_NBD_SERVER_H
#define BLOCK_NBD_SERVER_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "block/image.h"

enum {
	NBD_MAX_PAYLOAD = 32 << 20,
	NBD_MAX_CLIENTS = 16,
};

struct nbd_server;

struct nbd_export {
	const char *name;        /* clients ask for it; "" is the one they get without asking */
	const char *description; /* for lists; or NULL */
	bool read_only;
};

/* @image stays the caller's, and must outlive the server. */
struct nbd_server *nbd_server_new(struct image *image, const struct nbd_export *export);
/* Disconnects all clients. NULL is fine. The image has not been flushed. */
void nbd_server_free(struct nbd_server *server);
DEFINE_AUTOPTR(nbd_server, nbd_server_free);

/* Serve a client at the other end of the socket @fd, which becomes the server's also when that
 * fails: for want of a thread, or because there are NBD_MAX_CLIENTS already. */
bool nbd_server_add(struct nbd_server *server, int fd, GError **error);
/* The same on the caller's thread, until the client goes. */
void nbd_server_run(struct nbd_server *server, int fd);
/* How many are connected. Those that have gone are cleared away. */
unsigned nbd_server_clients(struct nbd_server *server);

#endif
