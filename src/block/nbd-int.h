/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd-int.h - the two halves of the NBD server: negotiation and transmission
 */
#ifndef BLOCK_NBD_INT_H
#define BLOCK_NBD_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "block/nbd-server.h"

enum {
	NBD_CONTEXT_ALLOCATION = 1, /* our number for "base:allocation" */
};

/* What comes after an option; a bool as well: false is the end. */
enum nbd_next {
	NBD_END = false,
	NBD_AGAIN = true,
	NBD_GO,
};

struct nbd_client {
	struct nbd_server *server;
	int fd;
	struct thread *thread;
	atomic_bool gone; /* its thread is at its end */
	bool no_zeroes, structured, allocation;
	uint8_t *buf; /* of buf_len bytes, for what is read and written */
	size_t buf_len;
};

struct nbd_server {
	struct image *image;
	char *name, *description;
	bool read_only;
	pthread_rwlock_t lock; /* of the image: reads are shared, all else is not */
	struct nbd_client *client[NBD_MAX_CLIENTS];
	unsigned count;
};

/* All of it, or the client is gone. */
bool nbd_receive(struct nbd_client *client, void *buf, size_t len);
bool nbd_send(struct nbd_client *client, const void *buf, size_t len);

/* Serve requests until the client goes. */
void nbd_transmit(struct nbd_client *client);

#endif
