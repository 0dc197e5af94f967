/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-int.h - inside the PCI root complex
 *
 * pci.c describes devices, plugs them and drives INTx; pci-config.c answers configuration accesses
 * and maps BARs; pci-place.c is what firmware would do; pci-msix.c has tables of messages.
 *
 * Locks, in the order in which they are taken: bus->lock, a device's own, then bus->irq_lock or
 * msix->lock. Under the last two only the irq_sink is called.
 */
#ifndef BUS_PCI_INT_H
#define BUS_PCI_INT_H

#include <pthread.h>

#include "bus/pci.h"

enum {
	PCI_HEADER_LEN = 0x40,

	PCI_STATUS_INTERRUPT = 1 << 3,
	PCI_STATUS_CAPABILITIES = 1 << 4,

	PCI_EXPRESS_LEN = 0x3c,

	PCI_MSIX_LEN = 12,
	PCI_MSIX_CONTROL = 2, /* offset in the capability */
	PCI_MSIX_CONTROL_MASK = 1 << 14,
	PCI_MSIX_CONTROL_ENABLE = 1 << 15,
};

struct pci_bus {
	struct pci_bus_config config;
	struct io_range address, data, ecam;
	struct pci_device host_bridge;

	pthread_mutex_t lock; /* guards what follows, and configuration and BARs of all devices */
	uint32_t selected;    /* what port 0xcf8 holds */
	struct pci_device *slot[PCI_SLOTS];

	pthread_mutex_t irq_lock; /* guards what follows, and pci_device.bus against interrupts */
	uint32_t asserted[PCI_PINS]; /* by which slots a wire is pulled */
};

/* pci.c */
/* The wire follows what the device wants and what the guest allows. */
void pci_intx_update(struct pci_device *dev);
/* The command register or MSI-X changed. */
void pci_control_changed_locked(struct pci_device *dev);

/* pci-config.c */
extern const struct io_ops pci_address_ops, pci_data_ops, pci_ecam_ops;
/* BARs answer where configuration says. */
void pci_bars_update_locked(struct pci_bus *bus);
void pci_bars_unmap_locked(struct pci_device *dev);

/* pci-place.c */
/* All devices; one that does not fit stays without a place. */
void pci_place_all_locked(struct pci_bus *bus);

/* pci-msix.c */
void pci_msix_free(struct pci_msix *msix);
/* Messages go to @sink; NULL: nowhere. */
void pci_msix_connect(struct pci_device *dev, struct irq_sink *sink);
void pci_msix_reset(struct pci_device *dev);
/* Control bits as configuration has them now. */
void pci_msix_control_changed(struct pci_device *dev, bool enabled, bool blocked);

#endif
