/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp-client.h - QEMU's machine protocol, from the client's side
 *
 * Over a descriptor that is connected. Calls may be made before the other side has said hello; they
 * are sent when it has. Nothing waits: answers, events and the end come by callbacks. What the other
 * side sends is bounded, and a mess of his ends the connection with one sentence.
 *
 * A call may have a deadline. Its answer is then not waited for any more; when it comes all the same it
 * is dropped.
 *
 * Threads: main loop (the default GMainContext).
 */
#ifndef DAEMON_QMP_CLIENT_H
#define DAEMON_QMP_CLIENT_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/cleanup.h"

enum {
	QMP_CLIENT_LINE_MAX = 4 * 1024 * 1024, /* bytes of an answer */
	QMP_CLIENT_CALLS_MAX = 1024,           /* that wait for their answers */
};

struct qmp_client;

/* All may free the client. */
struct qmp_client_ops {
	/* It has said hello, and is ours. */
	void (*ready)(void *opaque);
	/* @data: an object, or NULL. */
	void (*event)(void *opaque, const char *name, const json_t *data);
	/* The connection has ended; all calls had their errors, and new ones get one at once. */
	void (*lost)(void *opaque, const GError *error);
};

/* @result is borrowed; it is NULL exactly if @error is not. */
typedef void (*qmp_client_fn)(void *opaque, json_t *result, const GError *error);

/* @fd is taken over. Nothing is called back before the main loop has its turn. */
struct qmp_client *qmp_client_new(int fd, const struct qmp_client_ops *ops, void *opaque);
/* All calls that wait get an error. NULL is fine. */
void qmp_client_free(struct qmp_client *client);
DEFINE_AUTOPTR(qmp_client, qmp_client_free);

bool qmp_client_ready(const struct qmp_client *client);

/**
 * qmp_client_call() - execute a command of the machine
 * @args:        an object, taken over; or NULL
 * @deadline_ms: 0: as long as it takes
 * @fn:          called once, never before this has returned; NULL: nobody wants to know
 */
void qmp_client_call(struct qmp_client *client, const char *command, json_t *args,
		     unsigned deadline_ms, qmp_client_fn fn, void *opaque);
/* getfd: the machine has @fd by this name for the calls behind this one. @fd is taken over; if it does not
 * get there, they fail. */
void qmp_client_give_fd(struct qmp_client *client, const char *name, int fd);

#endif
