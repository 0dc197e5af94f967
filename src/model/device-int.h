/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-int.h - all devices of a domain in a row, and the slots of its PCI bus
 */
#ifndef MODEL_DEVICE_INT_H
#define MODEL_DEVICE_INT_H

#include <glib.h>

#include "model/device.h"

struct device_ref {
	struct device_info *info;
	const char *kind; /* the element's name */
	const char *name; /* which one: a target, a model, or "" */
	bool on_pci;      /* the machine has it in a slot of its PCI bus */
};

/* Return the devices, an array of struct device_ref; good until a device is added or removed. */
GArray *device_refs(struct domain_devices *devices);

/* The slots of bus 0 that the addresses of @devices name, a bit for each. */
uint32_t device_slots(struct domain_devices *devices);

#endif
