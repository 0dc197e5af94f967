/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi-hotplug.c - which PCI slots have changed, told to the DSDT's code
 *
 * The two registers of news are words of atomic bits: whoever reads, takes. Registers are read and
 * written by 32 bits; any other access reads as 0 and does nothing, so that no news gets lost to
 * half a read.
 */
#include "dev/acpi-hotplug.h"

#include <assert.h>
#include <stdatomic.h>

#include "bus/io.h"

struct acpi_hotplug {
	struct acpi_hotplug_config config;
	struct io_range range;
	atomic_uint inserted, asked; /* a bit for each slot */
};

static uint64_t hotplug_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct acpi_hotplug *hotplug = container_of(range, struct acpi_hotplug, range);

	if (size == 4 && off == ACPI_HOTPLUG_INSERTED)
		return atomic_exchange(&hotplug->inserted, 0);
	if (size == 4 && off == ACPI_HOTPLUG_ASKED)
		return atomic_exchange(&hotplug->asked, 0);
	return 0;
}

static void hotplug_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct acpi_hotplug *hotplug = container_of(range, struct acpi_hotplug, range);

	if (size == 4 && off == ACPI_HOTPLUG_EJECT && value != 0)
		hotplug->config.eject(hotplug->config.opaque, (uint32_t)value);
}

static const struct io_ops hotplug_ops = { .read = hotplug_read, .write = hotplug_write };

struct acpi_hotplug *acpi_hotplug_new(const struct acpi_hotplug_config *config, GError **error)
{
	struct acpi_hotplug *hotplug = g_new(struct acpi_hotplug, 1);

	*hotplug = (struct acpi_hotplug){
		.config = *config,
		.range = { .ops = &hotplug_ops,
			   .base = config->base,
			   .len = ACPI_HOTPLUG_PORTS,
			   .name = "acpi-hotplug" },
	};
	if (!io_space_add(config->pio, &hotplug->range, error)) {
		g_free(hotplug);
		return NULL;
	}
	return hotplug;
}

void acpi_hotplug_free(struct acpi_hotplug *hotplug)
{
	if (!hotplug)
		return;
	io_space_remove(hotplug->config.pio, &hotplug->range);
	g_free(hotplug);
}

void acpi_hotplug_reset(struct acpi_hotplug *hotplug)
{
	atomic_store(&hotplug->inserted, 0);
	atomic_store(&hotplug->asked, 0);
}

void acpi_hotplug_insert(struct acpi_hotplug *hotplug, unsigned slot)
{
	assert(slot < 32);
	atomic_fetch_and(&hotplug->asked, ~(1u << slot));
	atomic_fetch_or(&hotplug->inserted, 1u << slot);
}

void acpi_hotplug_ask(struct acpi_hotplug *hotplug, unsigned slot)
{
	assert(slot < 32);
	atomic_fetch_or(&hotplug->asked, 1u << slot);
}

void acpi_hotplug_forget(struct acpi_hotplug *hotplug, unsigned slot)
{
	assert(slot < 32);
	atomic_fetch_and(&hotplug->inserted, ~(1u << slot));
	atomic_fetch_and(&hotplug->asked, ~(1u << slot));
}
