/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/debugexit.h"

#include "bus/io.h"

static void keep(void *opaque, uint8_t status)
{
	GArray *statuses = opaque;

	g_array_append_val(statuses, status);
}

static void test_statuses(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GArray) statuses = g_array_new(FALSE, FALSE, 1);
	autoptr(io_space) pio = io_space_new("ports", 0x10000);
	autoptr(debugexit) debugexit = debugexit_new(pio, keep, statuses, &error);

	g_assert_no_error(error);
	g_assert_nonnull(debugexit);
	g_assert_cmphex(io_read(pio, 0xf4, 1), ==, 0);
	io_write(pio, 0xf4, 1, 0);
	io_write(pio, 0xf4, 1, 0x7f);
	io_write(pio, 0xf4, 4, 0x12345678);
	io_write(pio, 0xf5, 1, 1);
	g_assert_cmpmem(statuses->data, statuses->len, "\0\x7f\x78", 3);
	g_assert_null(debugexit_new(pio, keep, statuses, &error));
	g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/debugexit/statuses", test_statuses);
	return g_test_run();
}
