/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-keys.c - keys of the console, and of top
 */
#include <string.h>

#include "cli/console-keys.h"
#include "cli/top.h"

/* What the guest gets of @bytes, and how it ends. */
static enum console_action feed(struct console_keys *keys, const char *bytes, char *ret_guest,
				size_t *ret_rest)
{
	const uint8_t *at = (const uint8_t *)bytes;
	size_t len = strlen(bytes), count;
	enum console_action action =
		console_keys_feed(keys, &at, &len, (uint8_t *)ret_guest, &count);

	ret_guest[count] = '\0';
	*ret_rest = len;
	return action;
}

static void test_console(void)
{
	struct console_keys keys = { .escape = CONSOLE_CTRL_BRACKET };
	char guest[64];
	size_t rest;

	g_assert_cmpint(feed(&keys, "ls\r", guest, &rest), ==, CONSOLE_PASS);
	g_assert_cmpstr(guest, ==, "ls\r");
	g_assert_cmpint(feed(&keys,
			     "ab\x1d"
			     "cd",
			     guest, &rest),
			==, CONSOLE_LEAVE);
	g_assert_cmpstr(guest, ==, "ab");
	g_assert_cmpuint(rest, ==, 2);
	/* Ctrl-A and its letter may come in two pieces. */
	g_assert_cmpint(feed(&keys, "a\x01", guest, &rest), ==, CONSOLE_PASS);
	g_assert_cmpstr(guest, ==, "a");
	g_assert_cmpint(feed(&keys, "x", guest, &rest), ==, CONSOLE_LEAVE);
	g_assert_cmpint(feed(&keys, "\x01\x18", guest, &rest), ==, CONSOLE_LEAVE);
	g_assert_cmpint(feed(&keys, "\x01h.", guest, &rest), ==, CONSOLE_HELP);
	g_assert_cmpuint(rest, ==, 1);
	g_assert_cmpint(feed(&keys, "\x01\x01x", guest, &rest), ==, CONSOLE_PASS);
	g_assert_cmpstr(guest, ==, "\x01x");
	/* Another letter is used up. */
	g_assert_cmpint(feed(&keys, "\x01zy", guest, &rest), ==, CONSOLE_PASS);
	g_assert_cmpstr(guest, ==, "y");
	keys.escape = -1;
	g_assert_cmpint(feed(&keys, "\x1d", guest, &rest), ==, CONSOLE_PASS);
	g_assert_cmpstr(guest, ==, "\x1d");
}

static void test_escape(void)
{
	static const char *const wrong[] = { "", "^", "x", "^]]", "^m", "^J", "^a", "^1" };
	g_autofree char *name = console_keys_name(0x1d);
	int escape = 0;

	g_assert_cmpstr(name, ==, "Ctrl-]");
	g_assert_null(console_keys_name(-1));
	g_assert_true(console_keys_escape("^]", &escape));
	g_assert_cmpint(escape, ==, 0x1d);
	g_assert_true(console_keys_escape("^q", &escape));
	g_assert_cmpint(escape, ==, 0x11);
	g_assert_true(console_keys_escape("none", &escape));
	g_assert_cmpint(escape, ==, -1);
	for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++)
		g_assert_false(console_keys_escape(wrong[i], &escape));
}

static void type(struct top_state *state, const char *bytes)
{
	for (; *bytes; bytes++)
		top_key(state, (uint8_t)*bytes);
}

static void test_top(void)
{
	struct top_state state;

	top_state_init(&state, 2000);
	g_assert_cmpint(state.sort, ==, TOP_CPU);
	type(&state, "m");
	g_assert_cmpint(state.sort, ==, TOP_MEMORY);
	type(&state, "nRa");
	g_assert_cmpint(state.sort, ==, TOP_NAME);
	g_assert_true(state.reverse && state.all);
	type(&state, "+");
	g_assert_cmpuint(state.delay_ms, ==, 4000);
	type(&state, "-----------------");
	g_assert_cmpuint(state.delay_ms, ==, TOP_DELAY_MIN_MS);
	type(&state, "?");
	g_assert_cmpint(state.mode, ==, TOP_HELP);
	type(&state, "q"); /* any key goes back, and does nothing else */
	g_assert_cmpint(state.mode, ==, TOP_SHOW);
	g_assert_false(state.quit);
	type(&state, " ");
	g_assert_true(state.refresh);
	type(&state, "q");
	g_assert_true(state.quit);
	top_state_init(&state, 2000);
	type(&state, "\x03");
	g_assert_true(state.quit);
}

static void test_top_filter(void)
{
	struct top_state state;

	top_state_init(&state, 2000);
	type(&state, "/weq\x7f"
		     "b\r");
	g_assert_cmpstr(state.filter, ==, "web");
	g_assert_cmpint(state.mode, ==, TOP_SHOW);
	g_assert_false(state.quit);
	/* Esc takes back what was typed, and then all of it. */
	type(&state, "/x\033");
	top_key_pause(&state);
	g_assert_cmpstr(state.filter, ==, "web");
	type(&state, "\033");
	top_key_pause(&state);
	g_assert_cmpstr(state.filter, ==, "");
	type(&state, "/\xc3\xa4\x7f");
	g_assert_cmpstr(state.filter, ==, "");
	type(&state, "\x7f");
	for (unsigned i = 0; i < 200; i++)
		type(&state, "x");
	g_assert_cmpuint(strlen(state.filter), ==, TOP_FILTER_MAX);
	type(&state, "\x15"
		     "ab\x03");
	g_assert_cmpstr(state.filter, ==, "");
	g_assert_false(state.quit);
}

static void test_top_scroll(void)
{
	struct top_state state;

	top_state_init(&state, 2000);
	state.page = 10;
	type(&state, "\033[B\033OBj");
	g_assert_cmpuint(state.scroll, ==, 3);
	type(&state, "\033[6~");
	g_assert_cmpuint(state.scroll, ==, 13);
	type(&state, "\033[5~\033[A");
	g_assert_cmpuint(state.scroll, ==, 2);
	type(&state, "\033[H");
	g_assert_cmpuint(state.scroll, ==, 0);
	type(&state, "\033[A");
	g_assert_cmpuint(state.scroll, ==, 0);
	/* Sequences that mean nothing, long ones, halves of some. */
	type(&state, "\033[1;5C\033[200~\033[999999999999999999999999q");
	g_assert_false(state.quit);
	type(&state, "\033[");
	top_key_pause(&state);
	type(&state, "m");
	g_assert_cmpint(state.sort, ==, TOP_MEMORY);
	type(&state, "\033q"); /* Esc, and q */
	g_assert_true(state.quit);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cli/keys/console", test_console);
	g_test_add_func("/cli/keys/escape", test_escape);
	g_test_add_func("/cli/keys/top", test_top);
	g_test_add_func("/cli/keys/top-filter", test_top_filter);
	g_test_add_func("/cli/keys/top-scroll", test_top_scroll);
	return g_test_run();
}
