/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/keys.h"

#include <glib.h>
#include <linux/input-event-codes.h>

static void test_names(void)
{
	g_assert_cmphex(keys_by_name("esc"), ==, 0x01);
	g_assert_cmphex(keys_by_name("ret"), ==, 0x1c);
	g_assert_cmphex(keys_by_name("up"), ==, 0xc8);
	g_assert_cmphex(keys_by_name("asterisk"), ==, keys_by_name("kp_multiply"));
	g_assert_cmphex(keys_by_name(""), ==, 0);
	g_assert_cmphex(keys_by_name("any"), ==, 0);
}

/* Up to 88 Linux' codes are the numbers, except for those that no key had. */
static void test_linux(void)
{
	for (unsigned code = 1; code <= KEY_F12; code++) {
		if (code != 84 && code != KEY_ZENKAKUHANKAKU)
			g_assert_cmphex(keys_by_linux(code), ==, code);
	}
	g_assert_cmphex(keys_by_linux(KEY_RIGHTCTRL), ==, 0x9d);
	g_assert_cmphex(keys_by_linux(KEY_SYSRQ), ==, KEYS_PRINT);
	g_assert_cmphex(keys_by_linux(KEY_PAUSE), ==, KEYS_PAUSE);
	g_assert_cmphex(keys_by_linux(0), ==, 0);
	g_assert_cmphex(keys_by_linux(UINT32_MAX), ==, 0);
}

static void test_keysyms(void)
{
	g_assert_cmphex(keys_by_keysym('a'), ==, keys_by_name("a"));
	g_assert_cmphex(keys_by_keysym('A'), ==, keys_by_name("a"));
	g_assert_cmphex(keys_by_keysym('!'), ==, keys_by_name("1"));
	g_assert_cmphex(keys_by_keysym('~'), ==, keys_by_name("grave_accent"));
	g_assert_cmphex(keys_by_keysym('\\'), ==, keys_by_name("backslash"));
	g_assert_cmphex(keys_by_keysym('z'), ==, keys_by_name("z"));
	g_assert_cmphex(keys_by_keysym('?'), ==, keys_by_name("slash"));
	g_assert_cmphex(keys_by_keysym(' '), ==, keys_by_name("spc"));
	g_assert_cmphex(keys_by_keysym(0xff0d), ==, keys_by_name("ret"));
	g_assert_cmphex(keys_by_keysym(0xffbe), ==, keys_by_name("f1"));
	g_assert_cmphex(keys_by_keysym(0xffc8), ==, keys_by_name("f11"));
	g_assert_cmphex(keys_by_keysym(0xff52), ==, keys_by_name("up"));
	for (uint32_t keysym = 0; keysym < ' '; keysym++)
		g_assert_cmphex(keys_by_keysym(keysym), ==, 0);
	g_assert_cmphex(keys_by_keysym(UINT32_MAX), ==, 0);
	/* Each printable character is somewhere. */
	for (uint32_t keysym = ' '; keysym < 0x7f; keysym++)
		g_assert_cmphex(keys_by_keysym(keysym), !=, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/display/keys/names", test_names);
	g_test_add_func("/display/keys/linux", test_linux);
	g_test_add_func("/display/keys/keysyms", test_keysyms);
	return g_test_run();
}
