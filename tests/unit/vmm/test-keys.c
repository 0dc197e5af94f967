/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-keys.c - keys of the terminal: ours among the guest's, and the line of the human monitor
 */
#include <string.h>

#include <glib.h>

#include "vmm/escape.h"
#include "vmm/line-edit.h"

/* Bytes that pass as they are; else Q, H or M in angle brackets. */
static char *filter(const char *keys)
{
	struct escape escape = { false };
	GString *out = g_string_new(NULL);

	for (; *keys; keys++) {
		switch (escape_feed(&escape, (uint8_t)*keys)) {
		case ESCAPE_PASS:
			g_string_append_c(out, *keys);
			break;
		case ESCAPE_NOTHING:
			break;
		case ESCAPE_QUIT:
			g_string_append(out, "<Q>");
			break;
		case ESCAPE_HELP:
			g_string_append(out, "<H>");
			break;
		case ESCAPE_MONITOR:
			g_string_append(out, "<M>");
			break;
		}
	}
	return g_string_free(out, FALSE);
}

static void test_escape(void)
{
	static const struct {
		const char *keys, *out;
	} cases[] = {
		{ "abc\x03\r\xff", "abc\x03\r\xff" },
		{ "a\x01xb", "a<Q>b" },
		{ "\x01X\x01\x18", "<Q><Q>" },
		{ "\x01h\x01H\x01\x08\x01?", "<H><H><H><H>" },
		{ "\x01"
		  "cx\x01"
		  "C\x01\x03",
		  "<M>x<M><M>" },
		{ "\x01\x01x", "\x01x" },
		{ "\x01\x01\x01x", "\x01<Q>" },
		{ "\x01zx", "x" },
		{ "x\x01", "x" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *out = filter(cases[i].keys);

		g_assert_cmpstr(out, ==, cases[i].out);
	}
	g_assert_nonnull(strstr(escape_help(), "Ctrl-A X"));
}

/* What a line became, '|', what was shown; NULL if it did not end. */
static char *edit(const char *keys)
{
	struct line_edit line = { .len = 0 };
	GString *echo = g_string_new(NULL);
	char *text = NULL;

	while (*keys && !line_edit_feed(&line, (uint8_t)*keys, echo))
		keys++;
	if (*keys)
		text = g_strconcat(line.text, "|", echo->str, NULL);
	g_string_free(echo, TRUE);
	return text;
}

static void test_line(void)
{
	static const struct {
		const char *keys, *text;
	} cases[] = {
		{ "\r", "|\n" },
		{ "stop\r", "stop|stop\n" },
		{ "stop\n", "stop|stop\n" },
		{ "sx\x7ftop\r", "stop|sx\b \btop\n" },
		{ "\x08\x7f\r", "|\n" },
		{ "ab\x15z\r", "z|ab\b \b\b \bz\n" },
		{ "ab\x03z\r", "z|ab\b \b\b \bz\n" },
		{ "\xc3\xa4\x7fz\r", "z|\xc3\xa4\b \bz\n" },
		{ "a\x1b[A\x1b[1;5Cb\x1bOPc\x1bxd\r", "abcd|abcd\n" },
		{ "a\x02\tb\r", "ab|ab\n" },
		{ "stop", NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = edit(cases[i].keys);

		g_assert_cmpstr(text, ==, cases[i].text);
	}
}

static void test_long_line(void)
{
	g_autofree char *keys = g_strnfill(1000, 'x');
	g_autofree char *all = g_strconcat(keys, "\r", NULL);
	g_autofree char *text = edit(all);

	g_assert_cmpuint(strcspn(text, "|"), ==, LINE_EDIT_MAX - 1);
	/* Only what was kept is shown. */
	g_assert_cmpuint(strlen(text), ==, 2 * (LINE_EDIT_MAX - 1) + 2);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vmm/keys/escape", test_escape);
	g_test_add_func("/vmm/keys/line", test_line);
	g_test_add_func("/vmm/keys/long-line", test_long_line);
	return g_test_run();
}
