/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.h - the PCI Express root complex: one bus, its configuration space, BARs, MSI-X and INTx
 *
 * Sources: PCI Local Bus 3.0 (header 6.1, BARs 6.2.5, MSI-X 6.8.2), PCI Express Base 4.0 (7.2.2
 * ECAM, 7.5.3 PCI Express capability).
 *
 * One bus, 32 slots, function 0 of each; slot 0 is the host bridge, made with the bus. Endpoints
 * are root complex integrated. Their configuration is reached through ports 0xcf8/0xcfc and through
 * ECAM. A device embeds struct pci_device, describes its registers with the functions below, and is
 * plugged in; from then on the bus answers for it, maps its BARs where the guest puts them, and
 * calls its ops.
 *
 * Threads: set-up functions on the main loop before the device is plugged. Configuration accesses
 * come from vCPUs; the bus has one lock, under which ops are called and BARs move. An op may take
 * the device's lock, so nobody who holds that may access configuration. pci_irq_set() and
 * pci_msix_notify() from any thread, with any device's lock held (the bus never calls a device
 * with its interrupt lock held). Plugging and unplugging on the main loop while no vCPU executes.
 */
#ifndef BUS_PCI_H
#define BUS_PCI_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "bus/io.h"
#include "bus/irq.h"

struct pci_bus;
struct pci_device;
struct pci_msix;

enum {
	PCI_SLOTS = 32,
	PCI_BARS = 6,
	PCI_CONFIG_LEN = 256, /* what a device describes; extended space above it is empty */
	PCI_PINS = 4,
	PCI_MAX_VECTORS = 2048,

	PCI_MSIX_NONE = 0xffff,
};

/* Registers of the header that others name. */
enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x09,
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM_VENDOR = 0x2c,
	PCI_SUBSYSTEM = 0x2e,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,

	PCI_COMMAND_IO = 1 << 0,
	PCI_COMMAND_MEMORY = 1 << 1,
	PCI_COMMAND_MASTER = 1 << 2,
	PCI_COMMAND_INTX_DISABLE = 1 << 10,

	PCI_CAP_VENDOR = 0x09,
	PCI_CAP_EXPRESS = 0x10,
	PCI_CAP_MSIX = 0x11,
};

enum pci_bar_flags {
	PCI_BAR_IO = 1 << 0,
	PCI_BAR_64 = 1 << 1, /* takes the next BAR too */
	PCI_BAR_PREFETCH = 1 << 2,
};

struct pci_device_ops {
	/*
	 * The guest reads or has written configuration bytes at [off, off + size) of the device's
	 * own: capabilities such as PCI_CAP_VENDOR, and all else behind the header. @value is what
	 * the bus has, the result what the guest gets. @size is 1, 2 or 4, @off a multiple of it.
	 * NULL: plain memory. Header, BARs, MSI-X and Express are the bus's business.
	 */
	uint32_t (*config_read)(struct pci_device *dev, unsigned off, unsigned size,
				uint32_t value);
	void (*config_written)(struct pci_device *dev, unsigned off, unsigned size);
	/* BAR @bar answers at @addr from now on, or (@mapped false) does not any more. May be NULL. */
	void (*bar_mapped)(struct pci_device *dev, unsigned bar, uint64_t addr, bool mapped);
	/* A vector was unmasked, masked, enabled, or pointed elsewhere: hint for irqfds. Not always
	 * under the bus's lock: on any vCPU's thread, on several at a time. May be NULL. */
	void (*msix_changed)(struct pci_device *dev, unsigned vector);
	/* The machine is reset: the device's own registers. The bus has reset configuration, BARs
	 * and MSI-X. No vCPU executes, the bus's lock is not held. May be NULL. */
	void (*reset)(struct pci_device *dev);
	/* Unplugged: free everything, the last by pci_device_release(). On the main loop, no vCPU
	 * executes, the bus's lock is not held; interrupts do nothing any more. */
	void (*free)(struct pci_device *dev);
};

struct pci_bar {
	uint64_t size; /* power of two; 0: there is none */
	unsigned flags;
	struct io_range *range; /* whose ops answer; its base and len are the bus's to set */
	uint64_t addr;          /* where the guest has put it */
	bool mapped; /* it answers there: decoding is on, and nobody else was there first */
};

struct pci_ids {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code; /* 24 bits: class, subclass, interface */
	uint8_t revision;
	bool express; /* gets an Express capability (root complex integrated endpoint) */
	bool intx;    /* has INTA# */
};

struct pci_device {
	const struct pci_device_ops *ops;
	/* Below: the bus's and the functions' below. */
	struct pci_bus *bus; /* NULL: not plugged */
	unsigned slot;
	uint8_t config[PCI_CONFIG_LEN];
	uint8_t writable[PCI_CONFIG_LEN]; /* bits that the guest may change */
	uint8_t clears[PCI_CONFIG_LEN];   /* bits that a written 1 clears */
	uint8_t initial[PCI_CONFIG_LEN];  /* of config, for reset; taken when it is plugged */
	unsigned cap_last, cap_end;       /* newest capability, end of all of them */
	unsigned express_cap;             /* 0: has none */
	struct pci_bar bar[PCI_BARS];
	struct pci_msix *msix; /* NULL: has none */
	unsigned msix_cap;
	atomic_bool intx_level;  /* what the device wants */
	atomic_bool intx_masked; /* by INTX_DISABLE or MSI-X */
};

/* Describing a device, in this order, before it is plugged. */
void pci_device_init(struct pci_device *dev, const struct pci_device_ops *ops,
		     const struct pci_ids *ids);
/* A capability of @len bytes, of which the first two are filled in; its offset. */
unsigned pci_add_capability(struct pci_device *dev, uint8_t id, unsigned len);
/* @range has ops and name; @size is a power of two, at least 16 (ports: 4). */
void pci_add_bar(struct pci_device *dev, unsigned bar, uint64_t size, unsigned flags,
		 struct io_range *range);
/* MSI-X with its table and pending bits in a 32-bit BAR of its own. */
void pci_add_msix(struct pci_device *dev, unsigned bar, unsigned vectors);
/* Frees what the functions above made; not the device. It is not plugged. */
void pci_device_release(struct pci_device *dev);

/* [any] Is MSI-X switched on by the guest? */
bool pci_msix_enabled(const struct pci_device *dev);
/* [any] Send vector @vector, or remember it while it is masked or the device may not master the
 * bus (a message is a write). Out of range, or MSI-X is switched off: nothing. */
void pci_msix_notify(struct pci_device *dev, unsigned vector);
/* [any] The wire INTA#. Disabled by the command register or while MSI-X is switched on it stays
 * down, and comes up later. */
void pci_irq_set(struct pci_device *dev, bool level);

struct pci_bus_config {
	struct io_space *pio, *mmio;
	struct irq_sink *sink;
	unsigned gsi[PCI_PINS]; /* level-triggered; pin P of slot S goes to gsi[(S + P) % 4] */
	uint64_t ecam;          /* 256 MiB from here */
	/* From here up to, and not with, end: */
	uint64_t window32, window32_end; /* where 32-bit BARs are put, and small 64-bit ones */
	uint64_t window64, window64_end;
	uint16_t ports, ports_end; /* where I/O BARs are put */
	/* The guest's firmware places BARs at a reset, not the bus; and the host bridge is one that
	 * PC firmware knows, i440FX, whose registers for what is RAM below 1 MiB change nothing. */
	bool firmware;
	/* Port 0xcf9, which lies inside the address register, is not the bus's: see overhang. */
};

struct pci_bus *pci_bus_new(const struct pci_bus_config *config, GError **error);
/* Unplugs and frees all devices. */
void pci_bus_free(struct pci_bus *bus);
DEFINE_AUTOPTR(pci_bus, pci_bus_free);

/* As firmware leaves it: all devices reset, BARs placed, memory and I/O decoding on; or, if there is
 * firmware, as it finds it. */
void pci_bus_reset(struct pci_bus *bus);

/**
 * pci_plug() - put a device into a slot, its BARs not placed (pci_bus_reset() or the guest does)
 * @slot: 1 to 31, or 0: the first that is free
 *
 * Takes the device over, also its end. Fails if the slot is taken or there is none.
 */
bool pci_plug(struct pci_bus *bus, struct pci_device *dev, unsigned slot, GError **error);
/* Take it out and free it. */
void pci_unplug(struct pci_bus *bus, struct pci_device *dev);
/* Place the BARs of one device and switch its decoding on, as firmware does for a device that is
 * there at the start. Fails if a window is full; then none is placed. */
bool pci_place_bars(struct pci_bus *bus, struct pci_device *dev, GError **error);
/* What is in a slot, or NULL. */
struct pci_device *pci_at(struct pci_bus *bus, unsigned slot);
/* [any] A BAR as it is at this moment. */
struct pci_bar pci_bar_get(struct pci_device *dev, unsigned bar);
/* The GSI of its INTA#. */
unsigned pci_gsi(const struct pci_bus *bus, unsigned slot);

#endif
