/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvpanic.c - a guest tells that it has crashed
 *
 * One register of a byte: it reads as the events that we know, a write tells of one. Of two at once
 * the panic is told, since nothing follows it.
 */
#include "dev/pvpanic.h"

#include <glib.h>

enum {
	PVPANIC_VENDOR = 0x1b36,
	PVPANIC_DEVICE = 0x0011,
	PVPANIC_CLASS = 0x088000, /* system peripheral, other */
	PVPANIC_BAR = 0,
	PVPANIC_BAR_LEN = 16,
	PVPANIC_EVENTS = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED,
};

struct pvpanic {
	struct pci_device pci;
	struct io_range range;
	void (*told)(void *opaque, unsigned event);
	void *opaque;
};

static uint64_t pvpanic_read(struct io_range *range, uint64_t off, unsigned size)
{
	(void)range;
	(void)size;
	return off == 0 ? PVPANIC_EVENTS : 0;
}

static void pvpanic_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	const struct pvpanic *pvpanic = container_of(range, struct pvpanic, range);

	(void)size;
	if (off != 0)
		return;
	if (value & PVPANIC_PANICKED)
		pvpanic->told(pvpanic->opaque, PVPANIC_PANICKED);
	else if (value & PVPANIC_CRASH_LOADED)
		pvpanic->told(pvpanic->opaque, PVPANIC_CRASH_LOADED);
}

static const struct io_ops pvpanic_io_ops = { .read = pvpanic_read, .write = pvpanic_write };

static void pvpanic_free(struct pci_device *pci)
{
	struct pvpanic *pvpanic = container_of(pci, struct pvpanic, pci);

	pci_device_release(pci);
	g_free(pvpanic);
}

static const struct pci_device_ops pvpanic_ops = { .free = pvpanic_free };

struct pci_device *pvpanic_new(void (*told)(void *opaque, unsigned event), void *opaque)
{
	static const struct pci_ids ids = {
		.vendor = PVPANIC_VENDOR,
		.device = PVPANIC_DEVICE,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = PVPANIC_CLASS,
		.revision = 1,
	};
	struct pvpanic *pvpanic = g_new0(struct pvpanic, 1);

	pvpanic->range = (struct io_range){ .ops = &pvpanic_io_ops, .name = "pvpanic" };
	pvpanic->told = told;
	pvpanic->opaque = opaque;
	pci_device_init(&pvpanic->pci, &pvpanic_ops, &ids);
	pci_add_bar(&pvpanic->pci, PVPANIC_BAR, PVPANIC_BAR_LEN, 0, &pvpanic->range);
	return &pvpanic->pci;
}
