/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp-server.h - QMP on a Unix socket: one client at a time, the others wait
 *
 * Never waits for a client. Answers queue up while the client does not read, and then no more
 * requests of it are read; events beyond QMP_SERVER_MAX_QUEUE bytes are dropped.
 *
 * Threads: main loop (the default GMainContext).
 */
#ifndef MONITOR_QMP_SERVER_H
#define MONITOR_QMP_SERVER_H

#include <glib.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "monitor/qmp.h"

enum {
	QMP_SERVER_HIGH_WATER = 64 * 1024, /* unread answers with which requests are read no more */
	QMP_SERVER_MAX_QUEUE = 1024 * 1024,
};

struct qmp_server;

/* @config is copied, what it points to is not. */
struct qmp_server *qmp_server_new(const struct qmp_config *config, const char *path,
				  GError **error);
/* Tell the client what it can be told within a moment, and end. NULL is fine. */
void qmp_server_free(struct qmp_server *server);
DEFINE_AUTOPTR(qmp_server, qmp_server_free);

/* The descriptor that came with what was read last, the caller's from now on; -1: there was none, or
 * @server is NULL. */
int qmp_server_take_fd(struct qmp_server *server);

/* Tell who listens. @data is taken over and may be NULL, as may @server. */
void qmp_server_event(struct qmp_server *server, const char *name, json_t *data);

#endif
