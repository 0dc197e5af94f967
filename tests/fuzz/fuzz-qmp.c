/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-qmp.c - bytes of a QMP client through framing, parser, argument check and dispatch
 *
 * The first byte says how the rest is split. Properties: what is sent are lines, each a JSON object
 * with "return" or "error"; and the answers are the same when the bytes come all at once.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "base/error.h"
#include "monitor/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static json_t *run_echo(void *opaque, const json_t *args, GError **error)
{
	(void)opaque;
	(void)error;
	return json_deep_copy(args);
}

static json_t *run_fail(void *opaque, const json_t *args, GError **error)
{
	(void)opaque;
	error_set(error, SOCLE_ERROR_NOT_FOUND, "there is no %.10s",
		  json_string_value(json_object_get(args, "name")));
	return NULL;
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
	{ .name = "fail", .args = { { "name", QMP_STRING, false } }, .run = run_fail },
};

static const struct qmp_config config = {
	.commands = commands,
	.count = G_N_ELEMENTS(commands),
	.package = "fuzz",
};

static void on_send(void *opaque, const char *line, size_t len)
{
	json_t *answer = json_loadb(line, len, 0, NULL);

	assert(len > 2 && !memcmp(line + len - 2, "\r\n", 2) && !memchr(line, '\n', len - 1));
	assert(json_object_get(answer, "return") || json_object_get(answer, "error"));
	json_decref(answer);
	g_string_append_len(opaque, line, (gssize)len);
}

/* The answers to these bytes, when they come in pieces of @step. */
static GString *converse(const uint8_t *data, size_t size, size_t step)
{
	GString *out = g_string_new(NULL);
	autoptr(qmp_session) session = qmp_session_new(&config, on_send, out);
	size_t off = 0;

	while (off < size) {
		size_t end = MIN(size, off + step);

		while (off < end) {
			size_t taken =
				qmp_session_feed(session, (const char *)data + off, end - off);

			assert(taken > 0 && taken <= end - off);
			off += taken;
		}
	}
	return out;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libFuzzer says what it looks like */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* The same input shall do the same each time. */
	json_object_seed(1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	GString *whole, *pieces;

	if (size < 1)
		return 0;
	whole = converse(data + 1, size - 1, size);
	pieces = converse(data + 1, size - 1, data[0] % 16u + 1);
	assert(g_string_equal(whole, pieces));
	g_string_free(whole, TRUE);
	g_string_free(pieces, TRUE);
	return 0;
}
