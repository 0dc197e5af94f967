/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp.h - QEMU's machine protocol: one conversation with a client
 *
 * Greeting, negotiation, requests with ids, answers, errors, events, as docs/interop/qmp-spec of
 * QEMU has them. The commands themselves come from outside, as a table. A session knows no socket:
 * bytes go in by qmp_session_feed() and out by a callback.
 *
 * Threads: main loop.
 */
#ifndef MONITOR_QMP_H
#define MONITOR_QMP_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

enum qmp_type {
	QMP_STRING,
	QMP_INT,
	QMP_BOOL,
	QMP_OBJECT,
	QMP_ARRAY,
	QMP_STRING_ARRAY,
};

struct qmp_arg {
	const char *name;
	enum qmp_type type;
	bool optional;
};

enum {
	QMP_MAX_ARGS = 20
};

/* A request that is being served. */
struct qmp_request;

struct qmp_command {
	const char *name;
	/* What it takes, up to the first without a name; requests with anything else are refused. */
	struct qmp_arg args[QMP_MAX_ARGS];
	bool open; /* what else there is run() checks itself */
	/* Do it. @args has what @args above allows and nothing else. The answer, which is the
	 * caller's from now on (json_object() if there is nothing to say), or NULL with @error. */
	json_t *(*run)(void *opaque, const json_t *args, GError **error);
	/* Instead of run(), for what takes its time: qmp_request_answer() must follow, at once or
	 * later. Until then the session is busy: answers come in the order of the requests. */
	void (*start)(void *opaque, const json_t *args, struct qmp_request *request);
};

/* Is what is @given, an object, as @args has it? @open: what is not known is let through. */
bool qmp_check_args(const struct qmp_arg *args, bool open, const json_t *given, GError **error);

struct qmp_config {
	const struct qmp_command *commands;
	size_t count;
	void *opaque;                 /* for run() */
	unsigned major, minor, micro; /* of the QEMU whose dialect is spoken */
	const char *package;          /* who we are: "socle 0.1.0" */
};

struct qmp_session;

/* @config is copied, what it points to is not. @send gets whole lines. */
struct qmp_session *qmp_session_new(const struct qmp_config *config,
				    void (*send)(void *opaque, const char *line, size_t len),
				    void *opaque);
void qmp_session_free(struct qmp_session *session);
DEFINE_AUTOPTR(qmp_session, qmp_session_free);

/* Say hello. */
void qmp_session_greet(struct qmp_session *session);

/**
 * qmp_session_feed() - take bytes from the client, up to the end of the first message
 *
 * Return: how many bytes were taken: at least 1 if @len is
 */
size_t qmp_session_feed(struct qmp_session *session, const char *buf, size_t len);

/* Does a request wait for its answer? Then nothing may be fed. */
bool qmp_session_busy(const struct qmp_session *session);

/* Has it negotiated, so that events make sense? */
bool qmp_session_ready(const struct qmp_session *session);

/* The answer, which is taken over, or NULL with @error. Frees @request; nothing is sent if the client
 * has left. */
void qmp_request_answer(struct qmp_request *request, json_t *result, const GError *error);

/* An event as a line, for any number of sessions; @data may be NULL. g_free() it. */
char *qmp_event_format(const char *name, const json_t *data);

/* { "major": ..., "minor": ..., "micro": ... } and package, as greeting and query-version have. */
json_t *qmp_version(const struct qmp_config *config);

#endif
