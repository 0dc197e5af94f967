/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/debugcon.h"

#include <string.h>

#include "bus/io.h"

static void on_line(void *opaque, const char *text)
{
	g_assert_cmpuint(strlen(text), <=, DEBUGCON_LINE);
	g_string_append_printf(opaque, "[%s]", text);
}

static void say(struct io_space *pio, const char *text)
{
	for (; *text; text++)
		io_write(pio, DEBUGCON_PORT, 1, (uint8_t)*text);
}

static void test_lines(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) heard = g_string_new(NULL);
	autoptr(io_space) pio = io_space_new("ports", 0x10000);
	autoptr(debugcon) con = debugcon_new(pio, on_line, heard, &error);

	g_assert_no_error(error);
	g_assert_cmphex(io_read(pio, DEBUGCON_PORT, 1), ==, 0xe9);
	say(pio, "one\r\ntw");
	g_assert_cmpstr(heard->str, ==, "[one]");
	say(pio, "o\n\n\033x\n");
	g_assert_cmpstr(heard->str, ==, "[one][two][][.x]");
	/* What has no end is told when there is too much of it, and at a reset. */
	g_string_truncate(heard, 0);
	for (unsigned i = 0; i < DEBUGCON_LINE + 2; i++)
		io_write(pio, DEBUGCON_PORT, 1, 'a');
	g_assert_cmpuint(heard->len, ==, DEBUGCON_LINE + 2);
	debugcon_reset(con);
	g_assert_true(g_str_has_suffix(heard->str, "a][aa]"));
	g_string_truncate(heard, 0);
	debugcon_reset(con);
	g_assert_cmpstr(heard->str, ==, "");
	g_assert_null(debugcon_new(pio, on_line, heard, &error));
	g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/debugcon/lines", test_lines);
	return g_test_run();
}
