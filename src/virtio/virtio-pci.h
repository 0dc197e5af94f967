/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-pci.h - virtio over PCI (virtio 1.2, 4.1; modern only)
 *
 * BAR 1 has MSI-X, BAR 4 (64 bits, prefetchable, 16 KiB): common configuration at 0, ISR at 0x1000,
 * device configuration at 0x2000, notifications from 0x3000 on, 4 bytes a queue. A vector for the
 * configuration and one for each queue; INTA# for drivers without MSI-X.
 *
 * Threads: main loop, as pci.h has it.
 */
#ifndef VIRTIO_VIRTIO_PCI_H
#define VIRTIO_VIRTIO_PCI_H

#include "bus/notify.h"
#include "bus/pci.h"
#include "virtio/virtio.h"

struct virtio_pci_config {
	struct mem *mem;
	struct io_notifier notifier;
};

/**
 * virtio_pci_new() - a PCI device in front of a virtio device
 * @dev: taken over: it is freed with the PCI device
 *
 * Return: a device for pci_plug(), which then owns it; cannot fail
 */
struct pci_device *virtio_pci_new(struct virtio_device *dev,
				  const struct virtio_pci_config *config);

#endif
