/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp-client.c - QEMU's machine protocol, from the client's side
 *
 * The server sends a message a line. A line is kept until its end, at most QMP_CLIENT_LINE_MAX bytes.
 * Callbacks may free the client: while one is under way the struct stays, and is "gone".
 */
#include "daemon/qmp-client.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"

enum {
	READ_SIZE = 64 * 1024
};

struct call {
	struct qmp_client *client;
	json_int_t id;
	char *command;
	qmp_client_fn fn;
	void *opaque;
	guint timer;
};

/* A descriptor that goes with the byte at @at of to_send. */
struct gift {
	size_t at;
	int fd;
};

struct qmp_client {
	const struct qmp_client_ops *ops;
	void *opaque;
	int fd; /* -1: lost */
	guint in, out;
	unsigned busy; /* callbacks under way */
	bool gone, greeted, ready;
	json_int_t next_id;
	GQueue calls;     /* of struct call, in the order in which they were made */
	GString *line;    /* that has begun to come */
	GString *to_send; /* what the socket has not taken */
	GString *waiting; /* requests, until it is ready */
	GQueue gifts;     /* of struct gift, in their order; none while it is not ready */
	GError *broken;   /* found while writing: told by the main loop */
	guint broken_idle;
};

static void unref(struct qmp_client *client)
{
	if (--client->busy || !client->gone)
		return;
	g_string_free(client->line, TRUE);
	g_string_free(client->to_send, TRUE);
	g_string_free(client->waiting, TRUE);
	g_clear_error(&client->broken);
	g_free(client);
}

static void call_free(struct call *call)
{
	if (call->timer)
		g_source_remove(call->timer);
	g_free(call->command);
	g_free(call);
}

/* It is in no list any more. */
static void call_end(struct call *call, json_t *result, const GError *error)
{
	if (call->fn)
		call->fn(call->opaque, result, error);
	call_free(call);
}

static void drop_gift(void *opaque)
{
	struct gift *gift = opaque;

	fd_autoclose(&gift->fd);
	g_free(gift);
}

static void disconnect(struct qmp_client *client)
{
	g_queue_clear_full(&client->gifts, drop_gift);
	if (client->in)
		g_source_remove(client->in);
	if (client->out)
		g_source_remove(client->out);
	if (client->broken_idle)
		g_source_remove(client->broken_idle);
	client->in = client->out = client->broken_idle = 0;
	fd_autoclose(&client->fd);
	client->ready = false;
}

static void fail_calls(struct qmp_client *client, const GError *error)
{
	struct call *call;

	while ((call = g_queue_pop_head(&client->calls)))
		call_end(call, NULL, error);
}

/* The end of the connection. */
static void lose(struct qmp_client *client, const GError *error)
{
	disconnect(client);
	client->busy++;
	fail_calls(client, error);
	if (!client->gone)
		client->ops->lost(client->opaque, error);
	unref(client);
}

/* ---- out ---- */

static gboolean on_broken(gpointer opaque)
{
	struct qmp_client *client = opaque;
	g_autoptr(GError) error = g_steal_pointer(&client->broken);

	client->broken_idle = 0;
	lose(client, error);
	return G_SOURCE_REMOVE;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer opaque);

/* Up to the next byte that goes with a descriptor, or that with its own. */
static ssize_t send_piece(struct qmp_client *client)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct gift *gift = g_queue_peek_head(&client->gifts);
	const bool given = gift && gift->at == 0;
	const size_t len = gift && !given ? gift->at : client->to_send->len;
	struct iovec iov = { client->to_send->str, given ? 1 : len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = &control.align;
	ssize_t n;

	if (given) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &gift->fd, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	n = sys_sendmsg(client->fd, &msg, MSG_DONTWAIT);
	if (n <= 0)
		return n;
	if (given)
		drop_gift(g_queue_pop_head(&client->gifts));
	for (GList *l = client->gifts.head; l; l = l->next)
		((struct gift *)l->data)->at -= (size_t)n;
	g_string_erase(client->to_send, 0, n);
	return n;
}

static void flush(struct qmp_client *client)
{
	ssize_t n = 0;

	while (client->to_send->len) {
		n = send_piece(client);
		/* Behind a descriptor, or before it, there may be more; else that was all it takes. */
		if (n <= 0)
			break;
	}
	if (n < 0 && n != -EAGAIN && !client->broken_idle) {
		error_sys(&client->broken, (int)n, "cannot write to the monitor of the machine");
		client->broken_idle = g_idle_add(on_broken, client);
	}
	if (client->to_send->len && !client->out)
		client->out = g_unix_fd_add(client->fd, G_IO_OUT, on_writable, client);
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer opaque)
{
	struct qmp_client *client = opaque;

	(void)fd;
	(void)condition;
	flush(client);
	if (client->to_send->len && !client->broken)
		return G_SOURCE_CONTINUE;
	client->out = 0;
	return G_SOURCE_REMOVE;
}

static gboolean on_deadline(gpointer opaque)
{
	struct call *call = opaque;
	struct qmp_client *client = call->client;
	g_autoptr(GError) error = NULL;

	call->timer = 0;
	g_queue_remove(&client->calls, call);
	error_set(&error, SOCLE_ERROR_BUSY, "the machine does not answer '%s'", call->command);
	client->busy++;
	call_end(call, NULL, error);
	unref(client);
	return G_SOURCE_REMOVE;
}

static gboolean on_refused(gpointer opaque)
{
	struct call *call = opaque;
	struct qmp_client *client = call->client;
	g_autoptr(GError) error = NULL;

	call->timer = 0;
	g_queue_remove(&client->calls, call);
	if (client->fd < 0)
		error_set(&error, SOCLE_ERROR_STATE,
			  "there is no connection to the machine's monitor; try again");
	else
		error_set(&error, SOCLE_ERROR_BUSY,
			  "%d commands wait for the machine's answers; try again later",
			  QMP_CLIENT_CALLS_MAX);
	client->busy++;
	call_end(call, NULL, error);
	unref(client);
	return G_SOURCE_REMOVE;
}

void qmp_client_call(struct qmp_client *client, const char *command, json_t *args,
		     unsigned deadline_ms, qmp_client_fn fn, void *opaque)
{
	const bool refused =
		client->fd < 0 || g_queue_get_length(&client->calls) >= QMP_CLIENT_CALLS_MAX;
	struct call *call = g_new0(struct call, 1);
	json_auto_t *request = json_object();
	GString *out = client->ready ? client->to_send : client->waiting;
	char *text;

	*call = (struct call){ .client = client,
			       .id = ++client->next_id,
			       .command = g_strdup(command),
			       .fn = fn,
			       .opaque = opaque };
	g_queue_push_tail(&client->calls, call);
	json_object_set_new(request, "execute", json_string(command));
	if (args)
		json_object_set_new(request, "arguments", args);
	json_object_set_new(request, "id", json_integer(call->id));
	if (refused) {
		call->timer = g_idle_add(on_refused, call);
		return;
	}
	if (deadline_ms)
		call->timer = g_timeout_add(deadline_ms, on_deadline, call);
	text = json_dumps(request, JSON_COMPACT);
	if (text)
		g_string_append_printf(out, "%s\n", text);
	free(text);
	if (client->ready)
		flush(client);
}

void qmp_client_give_fd(struct qmp_client *client, const char *name, int fd)
{
	struct gift *gift;

	if (client->fd < 0 || !client->ready) {
		fd_autoclose(&fd);
		return;
	}
	gift = g_new(struct gift, 1);
	*gift = (struct gift){ .at = client->to_send->len, .fd = fd };
	g_queue_push_tail(&client->gifts, gift);
	qmp_client_call(client, "getfd", json_pack("{s:s}", "fdname", name), 0, NULL, NULL);
}

/* ---- in ---- */

/* QMP's classes as our kinds. */
static int kind_of(const char *class)
{
	static const struct {
		const char *class;
		int kind;
	} kinds[] = {
		{ "CommandNotFound", SOCLE_ERROR_UNSUPPORTED },
		{ "DeviceNotFound", SOCLE_ERROR_NOT_FOUND },
		{ "DeviceNotActive", SOCLE_ERROR_NOT_ACTIVE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (class && !strcmp(class, kinds[i].class))
			return kinds[i].kind;
	}
	return SOCLE_ERROR_FAILED;
}

static void on_answer(struct qmp_client *client, json_t *message)
{
	const json_t *id = json_object_get(message, "id");
	const json_t *failure = json_object_get(message, "error");
	json_t *result = json_object_get(message, "return");
	g_autoptr(GError) error = NULL;
	struct call *call = NULL;
	const char *text;

	for (GList *l = client->calls.head; l && !call; l = l->next) {
		struct call *one = l->data;

		if (json_is_integer(id) && one->id == json_integer_value(id))
			call = one;
	}
	/* One that came behind its deadline. */
	if (!call)
		return;
	if (!result) {
		text = json_string_value(json_object_get(failure, "desc"));
		error_set(&error, kind_of(json_string_value(json_object_get(failure, "class"))),
			  "%s", text ? text : "the machine refused, and did not say why");
	}
	g_queue_remove(&client->calls, call);
	call_end(call, error ? NULL : result, error);
}

static void get_ready(struct qmp_client *client)
{
	client->ready = true;
	g_string_append_len(client->to_send, client->waiting->str, (gssize)client->waiting->len);
	g_string_truncate(client->waiting, 0);
	flush(client);
	client->ops->ready(client->opaque);
}

/* False: this is none of QMP. */
static bool on_message(struct qmp_client *client, json_t *message)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\",\"id\":0}\n";
	const json_t *id = json_object_get(message, "id");
	const char *event = json_string_value(json_object_get(message, "event"));

	if (!json_is_object(message))
		return false;
	if (!client->greeted) {
		client->greeted = json_is_object(json_object_get(message, "QMP"));
		if (!client->greeted)
			return false;
		g_string_append(client->to_send, hello);
		flush(client);
	} else if (event) {
		const json_t *data = json_object_get(message, "data");

		client->ops->event(client->opaque, event, json_is_object(data) ? data : NULL);
	} else if (!client->ready) {
		if (!json_is_integer(id) || json_integer_value(id) != 0 ||
		    !json_object_get(message, "return"))
			return false;
		get_ready(client);
	} else {
		on_answer(client, message);
	}
	return true;
}

static bool on_line(struct qmp_client *client, GError **error)
{
	json_auto_t *message =
		json_loadb(client->line->str, client->line->len, JSON_REJECT_DUPLICATES, NULL);

	g_string_truncate(client->line, 0);
	if (message && on_message(client, message))
		return true;
	return error_set(error, SOCLE_ERROR_CORRUPT,
			 "the monitor of the machine does not speak QMP");
}

static bool take(struct qmp_client *client, const char *buf, size_t len, GError **error)
{
	while (len && !client->gone) {
		const char *end = memchr(buf, '\n', len);
		size_t n = end ? (size_t)(end - buf) : len;

		if (n > QMP_CLIENT_LINE_MAX - client->line->len)
			return error_set(
				error, SOCLE_ERROR_LIMIT,
				"the monitor of the machine sent more than %d bytes without "
				"a line's end",
				QMP_CLIENT_LINE_MAX);
		g_string_append_len(client->line, buf, (gssize)n);
		n += end ? 1 : 0;
		buf += n;
		len -= n;
		if (end && client->line->len && !on_line(client, error))
			return false;
	}
	return true;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer opaque)
{
	struct qmp_client *client = opaque;
	g_autofree char *buf = g_malloc(READ_SIZE);
	g_autoptr(GError) error = NULL;
	ssize_t n = sys_read(fd, buf, READ_SIZE);
	bool ok = true;

	(void)condition;
	if (n == -EAGAIN)
		return G_SOURCE_CONTINUE;
	client->busy++;
	if (n > 0)
		ok = take(client, buf, (size_t)n, &error);
	else if (n == 0 || n == -ECONNRESET)
		ok = error_set(&error, SOCLE_ERROR_STATE, "the machine closed its monitor");
	else
		ok = error_sys(&error, (int)n, "cannot read from the monitor of the machine");
	if (!ok && !client->gone) {
		client->in = 0;
		lose(client, error);
	}
	ok = ok && !client->gone;
	unref(client);
	return ok ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* ---- both ---- */

struct qmp_client *qmp_client_new(int fd, const struct qmp_client_ops *ops, void *opaque)
{
	struct qmp_client *client = g_new(struct qmp_client, 1);

	*client = (struct qmp_client){ .ops = ops,
				       .opaque = opaque,
				       .fd = fd,
				       .busy = 1,
				       .calls = G_QUEUE_INIT,
				       .gifts = G_QUEUE_INIT,
				       .line = g_string_new(NULL),
				       .to_send = g_string_new(NULL),
				       .waiting = g_string_new(NULL) };
	(void)sys_set_nonblock(fd);
	client->in = g_unix_fd_add(fd, G_IO_IN, on_readable, client);
	return client;
}

void qmp_client_free(struct qmp_client *client)
{
	g_autoptr(GError) error = NULL;

	if (!client)
		return;
	client->gone = true;
	disconnect(client);
	error_set(&error, SOCLE_ERROR_STATE, "the machine is gone");
	fail_calls(client, error);
	unref(client);
}

bool qmp_client_ready(const struct qmp_client *client)
{
	return client->ready;
}
