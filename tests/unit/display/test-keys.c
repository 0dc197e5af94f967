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

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/display/keys/names", test_names);
	g_test_add_func("/display/keys/linux", test_linux);
	return g_test_run();
}
