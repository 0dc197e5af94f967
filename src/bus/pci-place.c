/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-place.c - what firmware does before an operating system starts: BARs get their places
 *
 * Large ones first, each at a multiple of its size, so that nothing is lost between them. Memory
 * BARs get whole pages, since a guest maps pages to drivers and processes. What is placed already
 * is read from the BARs, where a guest can write anything: the search for a gap moves upwards past
 * one of them each time, so it ends.
 */
#include "base/bytes.h"
#include "base/error.h"
#include "bus/pci-int.h"

/* 64-bit BARs from this size on are put above 4 GiB: the window below is small. */
#define LARGE_BAR (2ull << 20)

struct window {
	uint64_t start, end; /* end: not part of it */
};

static uint64_t granule(const struct pci_bar *b)
{
	return b->flags & PCI_BAR_IO ? 4 : 4096;
}

/* Move *at, where @len bytes are wanted, behind @b if that is in the way. Was it? */
static bool pass_by(const struct pci_bar *b, unsigned flags, uint64_t len, uint64_t *at)
{
	uint64_t last = b->addr + (b->size - 1);

	if (!b->size || !b->addr || (b->flags ^ flags) & PCI_BAR_IO)
		return false;
	if (b->addr > *at + (len - 1) || *at > last)
		return false;
	/* Beyond 2^64 it comes round to 0. */
	*at = (last + 1 + (len - 1)) & ~(len - 1);
	return true;
}

/* The first place that is free for @want; false: there is none. */
static bool find_place_locked(struct pci_bus *bus, const struct pci_bar *want, struct window w,
			      uint64_t *ret_addr)
{
	uint64_t len = MAX(want->size, granule(want)), at = (w.start + (len - 1)) & ~(len - 1);
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned i = 0; i < PCI_SLOTS * PCI_BARS; i++) {
			const struct pci_device *dev = bus->slot[i / PCI_BARS];

			if (at < w.start || at >= w.end || len > w.end - at)
				return false;
			if (!dev)
				i += PCI_BARS - 1;
			else if (pass_by(&dev->bar[i % PCI_BARS], want->flags, len, &at))
				moved = true;
		}
	}
	*ret_addr = at;
	return true;
}

static void put_address(struct pci_device *dev, unsigned bar, uint64_t addr)
{
	uint8_t *low = &dev->config[PCI_BAR0 + 4 * bar];
	uint32_t flags = get_le32(low) & ~get_le32(&dev->writable[PCI_BAR0 + 4 * bar]);

	put_le32(low, (uint32_t)addr | flags);
	if (dev->bar[bar].flags & PCI_BAR_64)
		put_le32(low + 4, (uint32_t)(addr >> 32));
	dev->bar[bar].addr = addr;
}

static bool place_locked(struct pci_bus *bus, struct pci_device *dev, unsigned bar)
{
	const struct pci_bus_config *c = &bus->config;
	const struct pci_bar *b = &dev->bar[bar];
	struct window ports = { c->ports, c->ports_end };
	struct window low = { c->window32, c->window32_end };
	struct window high = { c->window64, c->window64_end };
	bool wide = b->flags & PCI_BAR_64, large = wide && b->size >= LARGE_BAR;
	uint64_t addr;
	bool ok;

	if (b->flags & PCI_BAR_IO)
		ok = find_place_locked(bus, b, ports, &addr);
	else
		ok = find_place_locked(bus, b, large ? high : low, &addr) ||
		     (wide && find_place_locked(bus, b, large ? low : high, &addr));
	if (ok)
		put_address(dev, bar, addr);
	return ok;
}

static void forget_places(struct pci_device *dev)
{
	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		if (dev->bar[bar].size)
			put_address(dev, bar, 0);
	}
}

/* What firmware writes into a device beside its BARs. */
static void enable_locked(struct pci_bus *bus, struct pci_device *dev)
{
	unsigned command = get_le16(&dev->config[PCI_COMMAND]);

	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		if (dev->bar[bar].size)
			command |= dev->bar[bar].flags & PCI_BAR_IO ? PCI_COMMAND_IO
								    : PCI_COMMAND_MEMORY;
	}
	put_le16(&dev->config[PCI_COMMAND], (uint16_t)command);
	if (dev->config[PCI_INTERRUPT_PIN])
		dev->config[PCI_INTERRUPT_LINE] = (uint8_t)pci_gsi(bus, dev->slot);
}

/* The BARs of one size. */
static bool place_size_locked(struct pci_bus *bus, struct pci_device *dev, uint64_t size)
{
	bool ok = true;

	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		if (dev->bar[bar].size == size)
			ok &= place_locked(bus, dev, bar);
	}
	return ok;
}

/* Of @only, or (NULL) of all. False: one of them has no place. */
static bool place_by_size_locked(struct pci_bus *bus, struct pci_device *only)
{
	uint64_t sizes = 0; /* powers of two: which there are */
	bool ok = true;

	for (unsigned i = 0; i < PCI_SLOTS * PCI_BARS; i++) {
		if (bus->slot[i / PCI_BARS])
			sizes |= bus->slot[i / PCI_BARS]->bar[i % PCI_BARS].size;
	}
	while (sizes) {
		uint64_t size = UINT64_C(1) << (63 - __builtin_clzll(sizes));

		sizes &= ~size;
		for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
			struct pci_device *dev = bus->slot[slot];

			if (dev && (!only || dev == only))
				ok &= place_size_locked(bus, dev, size);
		}
	}
	return ok;
}

void pci_place_all_locked(struct pci_bus *bus)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		if (bus->slot[slot])
			forget_places(bus->slot[slot]);
	}
	(void)place_by_size_locked(bus, NULL);
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		if (bus->slot[slot])
			enable_locked(bus, bus->slot[slot]);
	}
	pci_bars_update_locked(bus);
}

bool pci_place_bars(struct pci_bus *bus, struct pci_device *dev, GError **error)
{
	bool ok;

	pthread_mutex_lock(&bus->lock);
	forget_places(dev);
	ok = place_by_size_locked(bus, dev);
	if (ok)
		enable_locked(bus, dev);
	else
		forget_places(dev);
	pci_bars_update_locked(bus);
	pthread_mutex_unlock(&bus->lock);
	if (!ok)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "no room is left in the PCI windows for the device in slot %u",
				 dev->slot);
	return true;
}
