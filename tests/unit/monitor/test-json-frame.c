/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-json-frame.c - cutting streams into messages: limits, errors, any split
 */
#include <string.h>

#include <glib.h>

#include "monitor/json-frame.h"

/*
 * What a stream becomes, as text: each message in parentheses, errors as '!' (invalid), '>' (too
 * long), '^' (too deep).
 */
static void describe(GString *out, struct json_frame *frame, const char *buf, size_t len)
{
	while (len > 0) {
		enum json_frame_result result;
		size_t taken = json_frame_feed(frame, buf, len, &result), text_len;
		const char *text;

		g_assert_cmpuint(taken, >, 0);
		g_assert_cmpuint(taken, <=, len);
		buf += taken;
		len -= taken;
		switch (result) {
		case JSON_FRAME_MORE:
			g_assert_cmpuint(len, ==, 0);
			break;
		case JSON_FRAME_MESSAGE:
			text = json_frame_text(frame, &text_len);
			g_assert_cmpuint(text_len, <=, JSON_FRAME_MAX_SIZE);
			g_string_append_c(out, '(');
			g_string_append_len(out, text, (gssize)text_len);
			g_string_append_c(out, ')');
			break;
		case JSON_FRAME_INVALID:
			g_string_append_c(out, '!');
			break;
		case JSON_FRAME_TOO_LONG:
			g_string_append_c(out, '>');
			break;
		case JSON_FRAME_TOO_DEEP:
			g_string_append_c(out, '^');
			break;
		}
	}
}

static char *describe_all(const char *buf, size_t len)
{
	autoptr(json_frame) frame = json_frame_new();
	GString *out = g_string_new(NULL);

	describe(out, frame, buf, len);
	return g_string_free(out, FALSE);
}

static void test_streams(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "{}", "({})" },
		{ " \r\n{}[]\t{ }", "({})([])({ })" },
		{ "{\"a\":[1,-2.5e+3,true,null,{\"b\":\"c\"}]}",
		  "({\"a\":[1,-2.5e+3,true,null,{\"b\":\"c\"}]})" },
		{ "{\"}\\\"{\": \"]\"}", "({\"}\\\"{\": \"]\"})" },
		{ "{\n \"a\":\n {\n }\n}", "({\n \"a\":\n {\n }\n})" },
		/* Words, numbers and escapes are the parser's. */
		{ "[nul]{\"\\q\":01}", "([nul])({\"\\q\":01})" },
		/* What is wrong is so up to the end of the line. */
		{ "garbage {}\n{}", "!({})" },
		{ "1\n\"x\"\n}{}\n{}", "!!!({})" },
		{ "{a}{}\n{}", "!({})" },
		{ "{\"a\" 1}\n{}", "!({})" },
		{ "{\"a\":}\n{}", "!({})" },
		{ "{\"a\":1,}\n{}", "!({})" },
		{ "{,}\n{}", "!({})" },
		{ "{1:2}\n{}", "!({})" },
		{ "{\"a\":1 2}\n{}", "!({})" },
		{ "[1,]\n[]", "!([])" },
		{ "[1 \"a\"]\n[]", "!([])" },
		{ "[:]\n[]", "!([])" },
		{ "[}\n[]", "!([])" },
		{ "{]\n[]", "!([])" },
		{ "['a']\n[]", "!([])" },
		/* A string does not span lines, so its end is not waited for. */
		{ "{\"a\":\"\n{}", "!({})" },
		{ "{\"a\":\"\\\n{}", "!({})" },
		/* An object that was not finished, and the next one. */
		{ "{\"a\":1\n{\"b\":2}", "!({\"b\":2})" },
		{ "{\"a\":1\n  {\"b\":2}", "!({\"b\":2})" },
		{ "{\"a\":1 {\"b\":2}\n{}", "!({})" },
		/* The byte that makes a fresh start. */
		{ "{\"a\":\xff{}", "!({})" },
		{ "{\"a\":\"\xff{}", "!({})" },
		{ "xyz\xff{}", "!({})" },
		{ "\xff{}", "!({})" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *out = describe_all(cases[i].in, strlen(cases[i].in));

		g_assert_cmpstr(out, ==, cases[i].out);
	}
}

static void test_nul(void)
{
	static const char in[] = "{\"a\0b\":1}\n\0\n{}";
	g_autofree char *out = describe_all(in, sizeof(in) - 1);

	g_assert_cmpstr(out, ==, "!!({})");
}

static char *repeat(char c, size_t count)
{
	char *text = g_malloc(count + 1);

	memset(text, c, count);
	text[count] = '\0';
	return text;
}

static void test_depth(void)
{
	g_autofree char *open = repeat('[', JSON_FRAME_MAX_DEPTH);
	g_autofree char *close = repeat(']', JSON_FRAME_MAX_DEPTH);
	g_autofree char *good = g_strconcat(open, close, NULL);
	g_autofree char *bad = g_strconcat(open, "[]", close, "\n[]", NULL);
	g_autofree char *good_out = describe_all(good, strlen(good));
	g_autofree char *bad_out = describe_all(bad, strlen(bad));
	g_autofree char *expected = g_strconcat("(", good, ")", NULL);

	g_assert_cmpstr(good_out, ==, expected);
	g_assert_cmpstr(bad_out, ==, "^([])");
}

static void test_length(void)
{
	g_autofree char *fill = repeat('x', JSON_FRAME_MAX_SIZE - 4);
	g_autofree char *good = g_strconcat("[\"", fill, "\"]", NULL);
	g_autofree char *bad = g_strconcat("[\"", fill, "x\"]{}", NULL);
	g_autofree char *worse = g_strconcat("[\"", fill, fill, fill, "]\n{}", NULL);
	g_autofree char *good_out = describe_all(good, strlen(good));
	g_autofree char *bad_out = describe_all(bad, strlen(bad));
	g_autofree char *worse_out = describe_all(worse, strlen(worse));

	g_assert_cmpuint(strlen(good), ==, JSON_FRAME_MAX_SIZE);
	g_assert_cmpuint(strlen(good_out), ==, JSON_FRAME_MAX_SIZE + 2);
	/* Followed to its end, so that what comes right behind is understood. */
	g_assert_cmpstr(bad_out, ==, ">({})");
	g_assert_cmpstr(worse_out, ==, ">({})");
}

/* A stream of pieces that are right or wrong, in the order that chance gives. */
static GString *random_stream(void)
{
	static const char *const pieces[] = {
		"{",     "}", "[",    "]",        "\"",
		"\"a\"", ":", ",",    "1",        "true",
		"\n",    " ", "\\",   "\xff",     "{\"a\":1}",
		"[[]]",  "x", "\x01", "\"\\\"\"", "{\"execute\":\"stop\"}\n",
	};
	GString *stream = g_string_new(NULL);
	int count = g_test_rand_int_range(1, 60);

	for (int i = 0; i < count; i++)
		g_string_append(stream, pieces[g_test_rand_int_range(0, G_N_ELEMENTS(pieces))]);
	return stream;
}

/* However the stream comes in, it becomes the same. */
static void test_splits(void)
{
	for (int round = 0; round < 3000; round++) {
		GString *stream = random_stream();
		g_autofree char *whole = describe_all(stream->str, stream->len);
		autoptr(json_frame) frame = json_frame_new();
		GString *pieces = g_string_new(NULL);
		size_t off = 0;

		while (off < stream->len) {
			size_t len = (size_t)g_test_rand_int_range(1, 8);

			len = MIN(len, stream->len - off);
			describe(pieces, frame, stream->str + off, len);
			off += len;
		}
		g_assert_cmpstr(pieces->str, ==, whole);
		g_string_free(pieces, TRUE);
		g_string_free(stream, TRUE);
	}
}

/* After whatever it was, a new line and a message are understood. */
static void test_resync(void)
{
	for (int round = 0; round < 3000; round++) {
		GString *stream = random_stream();
		g_autofree char *out = NULL;

		/* The first ends a string, the second an object that it had been in. */
		g_string_append(stream, "\n\xff\n{\"z\":0}");
		out = describe_all(stream->str, stream->len);
		g_assert_true(g_str_has_suffix(out, "({\"z\":0})"));
		g_string_free(stream, TRUE);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/monitor/json-frame/streams", test_streams);
	g_test_add_func("/monitor/json-frame/nul", test_nul);
	g_test_add_func("/monitor/json-frame/depth", test_depth);
	g_test_add_func("/monitor/json-frame/length", test_length);
	g_test_add_func("/monitor/json-frame/splits", test_splits);
	g_test_add_func("/monitor/json-frame/resync", test_resync);
	return g_test_run();
}
