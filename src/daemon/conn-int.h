/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn-int.h - what conn.c and conn-output.c share
 */
#ifndef DAEMON_CONN_INT_H
#define DAEMON_CONN_INT_H

#include "daemon/conn.h"

/* What waits for the client: a packet, and behind it descriptors, each with a byte of zero. */
struct outgoing {
	struct rpc_message *msg;
	int *fds;
	unsigned fd_count, fd_sent;
};

struct output {
	int fd;
	struct tls_session *tls; /* or NULL */
	GQueue queue;            /* of struct outgoing */
	size_t off;              /* bytes of the first one that were sent */
	size_t queued;           /* memory of all that were not, in bytes */
	size_t *total;           /* of all clients */
};

void output_init(struct output *output, int fd, struct tls_session *tls, size_t *total);
/* What was not sent is dropped. */
void output_release(struct output *output);
/* @msg and @fds are taken over. */
void output_add(struct output *output, struct rpc_message *msg, const int *fds, unsigned fd_count);
/* Send what the socket takes now. 0: all, or as much as it takes; -errno: the client is gone. */
int output_flush(struct output *output);

#endif
