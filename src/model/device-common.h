/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-common.h - what all devices share: alias, address, place in the boot order
 */
#ifndef MODEL_DEVICE_COMMON_H
#define MODEL_DEVICE_COMMON_H

#include "model/value.h"

/* What becomes of a device in a machine. */
enum device_fate {
	FATE_HONOURED,
	FATE_MAPPED,   /* the machine has something else in its place */
	FATE_LEFT_OUT, /* the machine does without */
	FATE_COUNT
};

enum address_type {
	ADDRESS_ABSENT,
	ADDRESS_PCI,
	ADDRESS_DRIVE,
	ADDRESS_VIRTIO_SERIAL,
	ADDRESS_USB,
	ADDRESS_ISA,
	ADDRESS_CCID,
	ADDRESS_VIRTIO_MMIO,
	ADDRESS_COUNT
};

struct device_address {
	enum address_type type;
	struct number domain, bus, slot, function; /* PCI; of a drive, USB: the bus */
	enum tristate multifunction;
	struct number controller, target, unit; /* drive, virtio-serial */
	char *port;                             /* virtio-serial, USB */
	struct number iobase, irq;              /* ISA */
};

struct device_alias {
	char *name;
};

struct device_info {
	struct device_alias alias;
	struct device_address address;
	enum device_fate fate; /* from the step check, not in XML */
};

struct device_boot {
	struct number order;
	char *loadparm;
};

#endif
