/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/kbc.h"

#include "bus/io.h"

static void count(void *opaque)
{
	++*(unsigned *)opaque;
}

static void test_reset(void)
{
	g_autoptr(GError) error = NULL;
	unsigned resets = 0;
	autoptr(io_space) pio = io_space_new("ports", 0x10000);
	autoptr(kbc) kbc = kbc_new(pio, count, &resets, &error);

	g_assert_no_error(error);
	g_assert_nonnull(kbc);
	/* No controller: what Linux reads when it waits for the input buffer, or probes. */
	g_assert_cmphex(io_read(pio, 0x64, 1), ==, 0xff);
	g_assert_cmphex(io_read(pio, 0x60, 1), ==, 0xff);
	io_write(pio, 0x64, 1, 0xaa);
	io_write(pio, 0x60, 1, 0xfe);
	g_assert_cmpuint(resets, ==, 0);
	io_write(pio, 0x64, 1, 0xfe);
	g_assert_cmpuint(resets, ==, 1);
	g_assert_null(kbc_new(pio, count, &resets, &error));
	g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/kbc/reset", test_reset);
	return g_test_run();
}
