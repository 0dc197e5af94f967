/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/port-b.h"

#include "bus/io.h"

static void test_reason(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(io_space) pio = io_space_new("ports", 0x10000);
	const struct port_b_config config = { .pio = pio };
	autoptr(port_b) port_b = port_b_new(&config, &error);

	g_assert_no_error(error);
	g_assert_nonnull(port_b);
	/* No error of memory or bus, also when a handler has cleared and enabled them. */
	g_assert_cmphex(io_read(pio, 0x61, 1), ==, PORT_B_TIMER_OUT);
	io_write(pio, 0x61, 1, 0xff);
	g_assert_cmphex(io_read(pio, 0x61, 1) & (PORT_B_BUS_ERROR | PORT_B_MEMORY_ERROR), ==, 0);
	g_assert_null(port_b_new(&config, &error));
	g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/port-b/reason", test_reason);
	return g_test_run();
}
