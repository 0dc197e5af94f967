/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * acceptor.h - takes clients from a listening socket, with patience
 *
 * While accept(2) fails for want of descriptors or memory, the client stays in the queue and the
 * socket readable: who waits for that would spin. So the socket stands behind a descriptor of ours,
 * which then stays silent for a while. The client waits.
 *
 * Threads: the one that waits for the descriptor.
 */
#ifndef BASE_ACCEPTOR_H
#define BASE_ACCEPTOR_H

#include <glib.h>

#include "base/cleanup.h"

struct acceptor;

/* @fd listens and is not blocking; it is taken over, also when this fails. */
struct acceptor *acceptor_new(int fd, GError **error);
void acceptor_free(struct acceptor *acceptor);
DEFINE_AUTOPTR(acceptor, acceptor_free);

/* For poll: readable when there may be a client. */
int acceptor_fd(const struct acceptor *acceptor);
/* The next client, non-blocking, or -errno. -EAGAIN: there is none, or it has to wait. */
int acceptor_accept(struct acceptor *acceptor);

#endif
