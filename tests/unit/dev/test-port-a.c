/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/port-a.h"

#include "bus/io.h"

static void on_reset(void *opaque)
{
	++*(unsigned *)opaque;
}

static void test_all(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(io_space) pio = io_space_new("ports", 0x10000);
	unsigned resets = 0;
	autoptr(port_a) port_a = port_a_new(pio, on_reset, &resets, &error);

	g_assert_no_error(error);
	g_assert_cmphex(io_read(pio, 0x92, 1), ==, PORT_A_LINE20);
	/* What is written is kept, but for the reset, which is done. */
	io_write(pio, 0x92, 1, 0x00);
	g_assert_cmphex(io_read(pio, 0x92, 1), ==, 0x00);
	g_assert_cmpuint(resets, ==, 0);
	io_write(pio, 0x92, 1, 0x83);
	g_assert_cmpuint(resets, ==, 1);
	g_assert_cmphex(io_read(pio, 0x92, 1), ==, 0x82);
	port_a_reset(port_a);
	g_assert_cmphex(io_read(pio, 0x92, 1), ==, PORT_A_LINE20);
	g_assert_null(port_a_new(pio, on_reset, &resets, &error));
	g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/port-a/all", test_all);
	return g_test_run();
}
