/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qmp.c - a conversation in QMP: greeting, negotiation, arguments, ids, errors, events
 */
#include <string.h>

#include <glib.h>

#include "base/error.h"
#include "monitor/qmp.h"

static json_t *run_echo(void *opaque, const json_t *args, GError **error)
{
	(void)opaque;
	(void)error;
	return json_pack("{s:O}", "args", args);
}

static json_t *run_fail(void *opaque, const json_t *args, GError **error)
{
	const char *kind = json_string_value(json_object_get(args, "kind"));

	(void)opaque;
	error_set(error,
		  !kind                 ? SOCLE_ERROR_STATE
		  : strcmp(kind, "job") ? SOCLE_ERROR_NOT_FOUND
					: SOCLE_ERROR_NOT_ACTIVE,
		  "no \xc3 such %s", kind ? kind : "luck");
	return NULL;
}

/* The request that start_later() was given. */
static struct qmp_request *later;

static void start_later(void *opaque, const json_t *args, struct qmp_request *request)
{
	(void)opaque;
	(void)args;
	later = request;
}

static const struct qmp_command commands[] = {
	{ .name = "echo",
	  .args = { { "s", QMP_STRING, true },
		    { "i", QMP_INT, true },
		    { "b", QMP_BOOL, true },
		    { "o", QMP_OBJECT, true },
		    { "a", QMP_ARRAY, true },
		    { "sa", QMP_STRING_ARRAY, true } },
	  .run = run_echo },
	{ .name = "fail", .args = { { "kind", QMP_STRING, true } }, .run = run_fail },
	{ .name = "later", .start = start_later },
	{ .name = "need", .args = { { "x", QMP_INT, false } }, .run = run_echo },
};

static const struct qmp_config config = {
	.commands = commands,
	.count = G_N_ELEMENTS(commands),
	.major = 1,
	.minor = 2,
	.micro = 3,
	.package = "test",
};

static void on_send(void *opaque, const char *line, size_t len)
{
	g_assert_true(len > 2 && !strcmp(line + len - 2, "\r\n"));
	g_string_append_len(opaque, line, (gssize)len - 2);
	g_string_append_c(opaque, '\n');
}

static void feed(struct qmp_session *session, const char *text, size_t len)
{
	while (len > 0) {
		size_t taken = qmp_session_feed(session, text, len);

		g_assert_cmpuint(taken, >, 0);
		g_assert_cmpuint(taken, <=, len);
		text += taken;
		len -= taken;
	}
}

/* What a session that has negotiated answers. */
static char *answer(const char *request)
{
	GString *out = g_string_new(NULL);
	autoptr(qmp_session) session = qmp_session_new(&config, on_send, out);
	static const char hello[] = "{\"execute\":\"qmp_capabilities\"}";

	feed(session, hello, strlen(hello));
	g_assert_cmpstr(out->str, ==, "{\"return\": {}}\n");
	g_string_truncate(out, 0);
	feed(session, request, strlen(request));
	return g_string_free(out, FALSE);
}

#define GENERIC(desc) "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" desc "\"}}\n"

static void test_answers(void)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{ "{\"execute\":\"echo\"}", "{\"return\": {\"args\": {}}}\n" },
		{ "{\"execute\":\"echo\",\"arguments\":{}}{\"execute\":\"echo\"}",
		  "{\"return\": {\"args\": {}}}\n{\"return\": {\"args\": {}}}\n" },
		{ "{\"id\":{\"x\":[1,null,\"\xc3\xa4\"]},\"execute\":\"echo\"}",
		  "{\"return\": {\"args\": {}}, \"id\": {\"x\": [1, null, \"\xc3\xa4\"]}}\n" },
		{ "{\"execute\":\"echo\",\"arguments\":{\"s\":\"\",\"i\":-1,\"b\":false,\"o\":{},"
		  "\"a\":[1],\"sa\":[\"x\"]}}",
		  "{\"return\": {\"args\": {\"s\": \"\", \"i\": -1, \"b\": false, \"o\": {}, "
		  "\"a\": [1], \"sa\": [\"x\"]}}}\n" },
		{ "{\"execute\":\"echo\",\"arguments\":{\"s\":1}}",
		  GENERIC("Invalid parameter type for 's', expected: string") },
		{ "{\"execute\":\"echo\",\"arguments\":{\"i\":1.5}}",
		  GENERIC("Invalid parameter type for 'i', expected: integer") },
		{ "{\"execute\":\"echo\",\"arguments\":{\"b\":0}}",
		  GENERIC("Invalid parameter type for 'b', expected: boolean") },
		{ "{\"execute\":\"echo\",\"arguments\":{\"o\":[]}}",
		  GENERIC("Invalid parameter type for 'o', expected: object") },
		{ "{\"execute\":\"echo\",\"arguments\":{\"a\":{}}}",
		  GENERIC("Invalid parameter type for 'a', expected: array") },
		{ "{\"execute\":\"echo\",\"arguments\":{\"sa\":[\"x\",1]}}",
		  GENERIC("Invalid parameter type for 'sa', expected: array of strings") },
		{ "{\"execute\":\"echo\",\"arguments\":{\"z\":1}}",
		  GENERIC("Parameter 'z' is unexpected") },
		{ "{\"execute\":\"need\"}", GENERIC("Parameter 'x' is missing") },
		{ "{\"execute\":\"need\",\"arguments\":{\"x\":7}}",
		  "{\"return\": {\"args\": {\"x\": 7}}}\n" },
		{ "{\"execute\":\"none\",\"id\":1}", "{\"error\": {\"class\": \"CommandNotFound\", "
						     "\"desc\": \"The command none has not "
						     "been found\"}, \"id\": 1}\n" },
		{ "{\"execute\":\"qmp_capabilities\"}",
		  "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Capabilities "
		  "negotiation "
		  "is already complete, command ignored\"}}\n" },
		{ "{\"execute\":\"fail\"}", GENERIC("no \xef\xbf\xbd such luck") },
		{ "{\"execute\":\"fail\",\"arguments\":{\"kind\":\"disk\"}}",
		  "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no \xef\xbf\xbd such "
		  "disk\"}}\n" },
		{ "{\"execute\":\"fail\",\"arguments\":{\"kind\":\"job\"}}",
		  "{\"error\": {\"class\": \"DeviceNotActive\", \"desc\": \"no \xef\xbf\xbd such "
		  "job\"}}\n" },
		{ "[]", GENERIC("QMP input must be a JSON object") },
		{ "{}", GENERIC("QMP input lacks member 'execute'") },
		{ "{\"execute\":1}", GENERIC("QMP input member 'execute' must be a string") },
		{ "{\"execute\":\"echo\",\"arguments\":1}",
		  GENERIC("QMP input member 'arguments' must be an object") },
		{ "{\"execute\":\"echo\",\"extra\":1}",
		  GENERIC("QMP input member 'extra' is unexpected") },
		{ "{\"exec-oob\":\"echo\"}", GENERIC("QMP input member 'exec-oob' is unexpected") },
		{ "nonsense\n", GENERIC("JSON parse error, invalid syntax") },
		{ "{\"execute\":\"echo\",\"id\":\"\\u00e4\\n\"}",
		  "{\"return\": {\"args\": {}}, \"id\": \"\xc3\xa4\\n\"}\n" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = answer(cases[i].request);

		g_assert_cmpstr(text, ==, cases[i].answer);
	}
}

/* Whatever jansson finds wrong: one error for one message. */
static void test_parse_errors(void)
{
	static const char *const bad[] = {
		"{\"a\":nul}",
		"[01]",
		"{\"a\":\"\\q\"}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":\"\xc3(\"}",
		"{\"\xed\xa0\x80\":1}",
		"[1e999]",
		"[99999999999999999999]",
		"{\"\\u0000\":1}",
		"[\"\\ud800\"]",
		"[-]",
		"[1.]",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *request = g_strconcat(bad[i], "{\"execute\":\"echo\"}", NULL);
		g_autofree char *text = answer(request);
		g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

		g_assert_cmpuint(g_strv_length(lines), ==, 3);
		g_assert_true(g_str_has_prefix(lines[0],
					       "{\"error\": {\"class\": \"GenericError\", "
					       "\"desc\": \"JSON parse error, "));
		g_assert_cmpstr(lines[1], ==, "{\"return\": {\"args\": {}}}");
	}
}

static void test_negotiation(void)
{
	static const char requests[] =
		"{\"execute\":\"echo\"}"
		"{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}"
		"{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":1}}"
		"{\"execute\":\"qmp_capabilities\",\"arguments\":{\"x\":1}}"
		"{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]},\"id\":1}";
	GString *out = g_string_new(NULL);
	autoptr(qmp_session) session = qmp_session_new(&config, on_send, out);

	qmp_session_greet(session);
	g_assert_cmpstr(out->str, ==,
			"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 1, \"minor\": 2, "
			"\"micro\": 3}, \"package\": \"test\"}, \"capabilities\": []}}\n");
	g_string_truncate(out, 0);
	g_assert_false(qmp_session_ready(session));
	feed(session, requests, strlen(requests));
	g_assert_true(qmp_session_ready(session));
	g_assert_cmpstr(
		out->str, ==,
		"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Expecting "
		"capabilities negotiation with 'qmp_capabilities'\"}}\n" GENERIC(
			"Capability oob not available")
			GENERIC("Invalid parameter type for 'enable', expected: array of strings")
				GENERIC("Parameter 'x' is unexpected") "{\"return\": {}, \"id\": "
								       "1}\n");
	g_string_free(out, TRUE);
}

static void test_events(void)
{
	json_auto_t *data = json_pack("{s:b}", "guest", 1);
	g_autofree char *with = qmp_event_format("SHUTDOWN", data);
	g_autofree char *without = qmp_event_format("STOP", NULL);
	json_auto_t *parsed = json_loads(with, 0, NULL);
	json_t *stamp = json_object_get(parsed, "timestamp");

	g_assert_cmpint(json_integer_value(json_object_get(stamp, "seconds")), >, 1500000000);
	g_assert_cmpint(json_integer_value(json_object_get(stamp, "microseconds")), <, 1000000);
	g_assert_cmpstr(json_string_value(json_object_get(parsed, "event")), ==, "SHUTDOWN");
	g_assert_true(json_equal(json_object_get(parsed, "data"), data));
	g_assert_true(g_str_has_suffix(without, "\"event\": \"STOP\"}\r\n"));
}

/* What takes its time makes the session busy, and may be answered when the client has left. */
static void test_later(void)
{
	static const char negotiate[] = "{\"execute\":\"qmp_capabilities\"}";
	static const char request[] = "{\"execute\":\"later\",\"id\":1}";
	g_autoptr(GString) out = g_string_new(NULL);
	struct qmp_session *session = qmp_session_new(&config, on_send, out);
	g_autoptr(GError) error = NULL;

	feed(session, negotiate, strlen(negotiate));
	g_assert_false(qmp_session_busy(session));
	g_string_truncate(out, 0);
	feed(session, request, strlen(request));
	g_assert_true(qmp_session_busy(session));
	g_assert_cmpstr(out->str, ==, "");
	qmp_request_answer(later, json_integer(5), NULL);
	g_assert_false(qmp_session_busy(session));
	g_assert_cmpstr(out->str, ==, "{\"return\": 5, \"id\": 1}\n");
	g_string_truncate(out, 0);
	feed(session, request, strlen(request));
	qmp_session_free(session);
	error_set(&error, SOCLE_ERROR_STATE, "too late");
	qmp_request_answer(later, NULL, error);
	g_assert_cmpstr(out->str, ==, "");
}

/* Answers do not depend on how requests were split. */
static void test_splits(void)
{
	static const char *const pieces[] = {
		"{\"execute\":\"echo\"}",
		"{\"execute\":\"echo\",\"id\":7}\n",
		"{\"execute\":",
		"\"need\"",
		",\"arguments\":{\"x\":",
		"3}}",
		"nonsense",
		"\n",
		"\xff",
		"{",
		"}",
		"[]",
	};

	for (int round = 0; round < 1000; round++) {
		GString *stream = g_string_new(NULL), *out = g_string_new(NULL);
		g_autofree char *whole = NULL;
		autoptr(qmp_session) session = qmp_session_new(&config, on_send, out);
		static const char hello[] = "{\"execute\":\"qmp_capabilities\"}";
		int count = g_test_rand_int_range(1, 30);

		for (int i = 0; i < count; i++)
			g_string_append(stream,
					pieces[g_test_rand_int_range(0, G_N_ELEMENTS(pieces))]);
		whole = answer(stream->str);
		feed(session, hello, strlen(hello));
		g_string_truncate(out, 0);
		for (size_t off = 0; off < stream->len;) {
			size_t len = (size_t)g_test_rand_int_range(1, 12);

			len = MIN(len, stream->len - off);
			feed(session, stream->str + off, len);
			off += len;
		}
		g_assert_cmpstr(out->str, ==, whole);
		g_string_free(out, TRUE);
		g_string_free(stream, TRUE);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/monitor/qmp/answers", test_answers);
	g_test_add_func("/monitor/qmp/parse-errors", test_parse_errors);
	g_test_add_func("/monitor/qmp/negotiation", test_negotiation);
	g_test_add_func("/monitor/qmp/events", test_events);
	g_test_add_func("/monitor/qmp/later", test_later);
	g_test_add_func("/monitor/qmp/splits", test_splits);
	return g_test_run();
}
