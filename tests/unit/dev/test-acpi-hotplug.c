/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/acpi-hotplug.h"

#include "fake.h"

enum {
	BASE = 0xae00
};

struct fixture {
	struct io_space *pio;
	struct acpi_hotplug *hotplug;
	uint32_t ejected;
	unsigned ejects;
};

static void on_eject(void *opaque, uint32_t slots)
{
	struct fixture *f = opaque;

	f->ejected = slots;
	f->ejects++;
}

static struct acpi_hotplug *new_hotplug(struct fixture *f, GError **error)
{
	return acpi_hotplug_new(
		&(struct acpi_hotplug_config){
			.pio = f->pio,
			.base = BASE,
			.eject = on_eject,
			.opaque = f,
		},
		error);
}

static void setup(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	f->pio = io_space_new("ports", 0x10000);
	f->hotplug = new_hotplug(f, &error);
	g_assert_no_error(error);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	acpi_hotplug_free(f->hotplug);
	io_space_free(f->pio);
}

static uint64_t in(struct fixture *f, unsigned off, unsigned size)
{
	return io_read(f->pio, BASE + off, size);
}

static void test_news(struct fixture *f, const void *data)
{
	(void)data;
	g_assert_cmphex(in(f, ACPI_HOTPLUG_INSERTED, 4), ==, 0);
	acpi_hotplug_insert(f->hotplug, 1);
	acpi_hotplug_insert(f->hotplug, 31);
	acpi_hotplug_ask(f->hotplug, 5);
	/* Half a read takes nothing away. */
	g_assert_cmphex(in(f, ACPI_HOTPLUG_INSERTED, 1), ==, 0);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_INSERTED, 8), ==, 0);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_INSERTED, 4), ==, 0x80000002);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_INSERTED, 4), ==, 0);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_ASKED, 4), ==, 0x20);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_ASKED, 4), ==, 0);
	/* Asking again is news again. */
	acpi_hotplug_ask(f->hotplug, 5);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_ASKED, 4), ==, 0x20);
}

static void test_void(struct fixture *f, const void *data)
{
	(void)data;
	acpi_hotplug_insert(f->hotplug, 3);
	acpi_hotplug_ask(f->hotplug, 3);
	acpi_hotplug_ask(f->hotplug, 4);
	acpi_hotplug_forget(f->hotplug, 3);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_INSERTED, 4), ==, 0);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_ASKED, 4), ==, 0x10);
	/* A successor is not asked to go. */
	acpi_hotplug_ask(f->hotplug, 3);
	acpi_hotplug_insert(f->hotplug, 3);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_ASKED, 4), ==, 0);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_INSERTED, 4), ==, 8);
	acpi_hotplug_insert(f->hotplug, 3);
	acpi_hotplug_ask(f->hotplug, 4);
	acpi_hotplug_reset(f->hotplug);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_INSERTED, 4), ==, 0);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_ASKED, 4), ==, 0);
}

static void test_eject(struct fixture *f, const void *data)
{
	(void)data;
	io_write(f->pio, BASE + ACPI_HOTPLUG_EJECT, 4, 0x80000001);
	g_assert_cmphex(f->ejected, ==, 0x80000001);
	io_write(f->pio, BASE + ACPI_HOTPLUG_EJECT, 4, 0);
	io_write(f->pio, BASE + ACPI_HOTPLUG_EJECT, 1, 2);
	io_write(f->pio, BASE + ACPI_HOTPLUG_EJECT + 2, 2, 2);
	io_write(f->pio, BASE + ACPI_HOTPLUG_INSERTED, 4, 2);
	io_write(f->pio, BASE + ACPI_HOTPLUG_ASKED, 4, 2);
	g_assert_cmpuint(f->ejects, ==, 1);
	g_assert_cmphex(in(f, ACPI_HOTPLUG_EJECT, 4), ==, 0);
}

static void test_occupied(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	g_assert_null(new_hotplug(f, &error));
	g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/dev/acpi-hotplug/news", struct fixture, NULL, setup, test_news, teardown);
	g_test_add("/dev/acpi-hotplug/void", struct fixture, NULL, setup, test_void, teardown);
	g_test_add("/dev/acpi-hotplug/eject", struct fixture, NULL, setup, test_eject, teardown);
	g_test_add("/dev/acpi-hotplug/occupied", struct fixture, NULL, setup, test_occupied,
		   teardown);
	return g_test_run();
}
