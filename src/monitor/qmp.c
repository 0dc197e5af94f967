/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp.c - QEMU's machine protocol: one conversation with a client
 *
 * The wording of errors that clients are known to look at is QEMU's.
 */
#include "monitor/qmp.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "monitor/json-frame.h"

struct qmp_session {
	struct qmp_config config;
	void (*send)(void *opaque, const char *line, size_t len);
	void *opaque;
	struct json_frame *frame;
	bool negotiated;
	struct qmp_request *request; /* given to start() and not answered yet, or NULL */
};

struct qmp_request {
	struct qmp_session *session; /* NULL: the client has left */
	json_t *id;                  /* or NULL */
};

static const char *const class_generic = "GenericError";
static const char *const class_not_found = "CommandNotFound";

static const char *const type_names[] = {
	[QMP_STRING] = "string", [QMP_INT] = "integer", [QMP_BOOL] = "boolean",
	[QMP_OBJECT] = "object", [QMP_ARRAY] = "array", [QMP_STRING_ARRAY] = "array of strings",
};

struct qmp_session *qmp_session_new(const struct qmp_config *config,
				    void (*send)(void *opaque, const char *line, size_t len),
				    void *opaque)
{
	struct qmp_session *session = g_new(struct qmp_session, 1);

	*session = (struct qmp_session){
		.config = *config,
		.send = send,
		.opaque = opaque,
		.frame = json_frame_new(),
	};
	return session;
}

void qmp_session_free(struct qmp_session *session)
{
	if (!session)
		return;
	if (session->request)
		session->request->session = NULL;
	json_frame_free(session->frame);
	g_free(session);
}

bool qmp_session_ready(const struct qmp_session *session)
{
	return session->negotiated;
}

/* As a line; takes @message over. */
static char *format_line(json_t *message)
{
	json_auto_t *owned = message;
	char *text = json_dumps(owned, 0);
	char *line;

	/* Only strings that are no UTF-8 and missing memory fail, and neither gets here. */
	assert(text);
	line = g_strconcat(text, "\r\n", NULL);
	free(text);
	return line;
}

static void send_message(struct qmp_session *session, json_t *message)
{
	g_autofree char *line = format_line(message);

	session->send(session->opaque, line, strlen(line));
}

json_t *qmp_version(const struct qmp_config *config)
{
	return json_pack("{s:{s:i,s:i,s:i},s:s}", "qemu", "major", (int)config->major, "minor",
			 (int)config->minor, "micro", (int)config->micro, "package",
			 config->package);
}

void qmp_session_greet(struct qmp_session *session)
{
	send_message(session, json_pack("{s:{s:o,s:[]}}", "QMP", "version",
					qmp_version(&session->config), "capabilities"));
}

char *qmp_event_format(const char *name, const json_t *data)
{
	uint64_t ns = sys_realtime_ns();
	json_t *event = json_pack("{s:{s:I,s:I},s:s}", "timestamp", "seconds",
				  (json_int_t)(ns / 1000000000u), "microseconds",
				  (json_int_t)(ns / 1000u % 1000000u), "event", name);

	if (data)
		json_object_set_new(event, "data", json_deep_copy(data));
	return format_line(event);
}

/* A sentence may quote what the client sent, and be cut in the middle of a character. */
static json_t *text_value(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	return json_string(valid);
}

static void send_error(struct qmp_session *session, json_t *id, const char *class, const char *text)
{
	json_t *message =
		json_pack("{s:{s:s,s:o}}", "error", "class", class, "desc", text_value(text));

	if (id)
		json_object_set(message, "id", id);
	send_message(session, message);
}

G_GNUC_PRINTF(4, 5)
static void send_errorf(struct qmp_session *session, json_t *id, const char *class, const char *fmt,
			...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	send_error(session, id, class, text);
}

static void send_return(struct qmp_session *session, json_t *id, json_t *result)
{
	json_t *message = json_pack("{s:o}", "return", result);

	if (id)
		json_object_set(message, "id", id);
	send_message(session, message);
}

bool qmp_session_busy(const struct qmp_session *session)
{
	return session->request;
}

static const char *class_of(const GError *error)
{
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND))
		return "DeviceNotFound";
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_NOT_ACTIVE))
		return "DeviceNotActive";
	return class_generic;
}

static void answer(struct qmp_session *session, json_t *id, json_t *result, const GError *error)
{
	if (result)
		send_return(session, id, result);
	else
		send_error(session, id, class_of(error), error->message);
}

void qmp_request_answer(struct qmp_request *request, json_t *result, const GError *error)
{
	if (request->session) {
		request->session->request = NULL;
		answer(request->session, request->id, result, error);
	} else {
		json_decref(result);
	}
	json_decref(request->id);
	g_free(request);
}

static bool has_type(const json_t *value, enum qmp_type type)
{
	size_t i;
	json_t *item;

	switch (type) {
	case QMP_STRING:
		return json_is_string(value);
	case QMP_INT:
		return json_is_integer(value);
	case QMP_BOOL:
		return json_is_boolean(value);
	case QMP_OBJECT:
		return json_is_object(value);
	case QMP_ARRAY:
		return json_is_array(value);
	case QMP_STRING_ARRAY:
		if (!json_is_array(value))
			return false;
		json_array_foreach(value, i, item)
		{
			if (!json_is_string(item))
				return false;
		}
		return true;
	}
	return false;
}

static const struct qmp_arg *find_arg(const struct qmp_arg *args, const char *name)
{
	for (size_t i = 0; i < QMP_MAX_ARGS && args[i].name; i++) {
		if (!strcmp(args[i].name, name))
			return &args[i];
	}
	return NULL;
}

bool qmp_check_args(const struct qmp_arg *args, bool open, const json_t *given, GError **error)
{
	const char *name;
	json_t *value;

	for (size_t i = 0; i < QMP_MAX_ARGS && args[i].name; i++) {
		if (!args[i].optional && !json_object_get(given, args[i].name))
			return error_set(error, SOCLE_ERROR_USAGE, "Parameter '%s' is missing",
					 args[i].name);
	}
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		const struct qmp_arg *arg = find_arg(args, name);

		if (!arg && open)
			continue;
		if (!arg)
			return error_set(error, SOCLE_ERROR_USAGE, "Parameter '%s' is unexpected",
					 name);
		if (!has_type(value, arg->type))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "Invalid parameter type for '%s', expected: %s", name,
					 type_names[arg->type]);
	}
	return true;
}

/* The one command that belongs to the protocol: it ends the negotiation. */
static void negotiate(struct qmp_session *session, json_t *id, json_t *args)
{
	static const struct qmp_arg known[QMP_MAX_ARGS] = {
		{ "enable", QMP_STRING_ARRAY, true },
	};
	g_autoptr(GError) error = NULL;
	const json_t *enable;

	if (session->negotiated) {
		send_error(session, id, class_not_found,
			   "Capabilities negotiation is already complete, command ignored");
		return;
	}
	if (!qmp_check_args(known, false, args, &error)) {
		send_error(session, id, class_generic, error->message);
		return;
	}
	enable = json_object_get(args, "enable");
	if (json_array_size(enable) > 0) {
		send_errorf(session, id, class_generic, "Capability %s not available",
			    json_string_value(json_array_get(enable, 0)));
		return;
	}
	session->negotiated = true;
	send_return(session, id, json_object());
}

static const struct qmp_command *find_command(const struct qmp_config *config, const char *name)
{
	for (size_t i = 0; i < config->count; i++) {
		if (!strcmp(config->commands[i].name, name))
			return &config->commands[i];
	}
	return NULL;
}

static void execute(struct qmp_session *session, json_t *id, const char *name, json_t *args)
{
	const struct qmp_command *command;
	g_autoptr(GError) error = NULL;
	json_t *result;

	if (!strcmp(name, "qmp_capabilities")) {
		negotiate(session, id, args);
		return;
	}
	if (!session->negotiated) {
		send_error(session, id, class_not_found,
			   "Expecting capabilities negotiation with 'qmp_capabilities'");
		return;
	}
	command = find_command(&session->config, name);
	if (!command) {
		send_errorf(session, id, class_not_found, "The command %s has not been found",
			    name);
		return;
	}
	if (!qmp_check_args(command->args, command->open, args, &error)) {
		send_error(session, id, class_generic, error->message);
		return;
	}
	if (command->start) {
		struct qmp_request *request = g_new(struct qmp_request, 1);

		*request = (struct qmp_request){ session, json_incref(id) };
		session->request = request;
		command->start(session->config.opaque, args, request);
		return;
	}
	result = command->run(session->config.opaque, args, &error);
	answer(session, id, result, error);
}

static void dispatch(struct qmp_session *session, json_t *request)
{
	json_auto_t *no_args = NULL;
	json_t *args, *id, *command, *value;
	const char *name;

	if (!json_is_object(request)) {
		send_error(session, NULL, class_generic, "QMP input must be a JSON object");
		return;
	}
	id = json_object_get(request, "id");
	json_object_foreach(request, name, value)
	{
		if (!g_str_equal(name, "id") && !g_str_equal(name, "execute") &&
		    !g_str_equal(name, "arguments")) {
			send_errorf(session, id, class_generic,
				    "QMP input member '%s' is unexpected", name);
			return;
		}
	}
	command = json_object_get(request, "execute");
	if (!command) {
		send_error(session, id, class_generic, "QMP input lacks member 'execute'");
		return;
	}
	if (!json_is_string(command)) {
		send_error(session, id, class_generic,
			   "QMP input member 'execute' must be a string");
		return;
	}
	args = json_object_get(request, "arguments");
	if (args && !json_is_object(args)) {
		send_error(session, id, class_generic,
			   "QMP input member 'arguments' must be an object");
		return;
	}
	if (!args) {
		no_args = json_object();
		args = no_args;
	}
	execute(session, id, json_string_value(command), args);
}

static void message(struct qmp_session *session)
{
	json_error_t why;
	size_t len;
	const char *text = json_frame_text(session->frame, &len);
	json_auto_t *request = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

	if (request)
		dispatch(session, request);
	else
		send_errorf(session, NULL, class_generic, "JSON parse error, %s", why.text);
}

size_t qmp_session_feed(struct qmp_session *session, const char *buf, size_t len)
{
	enum json_frame_result result;
	size_t taken = json_frame_feed(session->frame, buf, len, &result);

	switch (result) {
	case JSON_FRAME_MORE:
		break;
	case JSON_FRAME_MESSAGE:
		message(session);
		break;
	case JSON_FRAME_INVALID:
		send_error(session, NULL, class_generic, "JSON parse error, invalid syntax");
		break;
	case JSON_FRAME_TOO_LONG:
		send_errorf(session, NULL, class_generic,
			    "JSON parse error, the message is longer than %d bytes",
			    JSON_FRAME_MAX_SIZE);
		break;
	case JSON_FRAME_TOO_DEEP:
		send_errorf(session, NULL, class_generic,
			    "JSON parse error, more than %d levels of nesting",
			    JSON_FRAME_MAX_DEPTH);
		break;
	}
	return taken;
}
