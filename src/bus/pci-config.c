/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-config.c - configuration accesses by ports and ECAM, and where BARs answer
 *
 * An access is cut into pieces of 1, 2 or 4 bytes at multiples of their size; a piece lies within
 * one register. What of a device is not there reads as ones (bus, slot or function) or zeros (the
 * extended space behind the first 256 bytes).
 *
 * Which BARs are mapped:
 *
 *  (1) A BAR is wanted at its address while the command register has its decoding on and the address
 *      is not one that only stands there for a moment: 0, or what sizing leaves (all ones).
 *  (2) No BAR is mapped where it is not wanted.
 *  (3) A BAR is mapped where it is wanted unless something else is there or it goes beyond the end of
 *      the space. It is tried again whenever a BAR or a command register changes, so two BARs may be
 *      exchanged by a guest that does not switch decoding off.
 *  (4) What lies over RAM, or over a page that the engine answers itself, is mapped and never reached.
 */
#include "base/bytes.h"
#include "bus/pci-int.h"

enum {
	ACCESS_MAX = 8,

	ADDRESS_ENABLE_BIT = 31,
	ADDRESS_FUNCTION = 0x00ffff00, /* bus, device, function */
	ADDRESS_REGISTER = 0x000000fc,

	ECAM_SLOT_SHIFT = 15,
	ECAM_FUNCTION_SHIFT = 12,
	ECAM_BUS_SHIFT = 20,
	ECAM_REGISTER = 0xfff,
};

#define ADDRESS_ENABLE (1u << ADDRESS_ENABLE_BIT)

/* ---- BARs ---- */

static uint64_t bar_address(const struct pci_device *dev, unsigned bar)
{
	unsigned flags = dev->bar[bar].flags, off = PCI_BAR0 + 4 * bar;
	uint64_t addr = get_le32(&dev->config[off]);

	if (flags & PCI_BAR_64)
		addr |= (uint64_t)get_le32(&dev->config[off + 4]) << 32;
	/* Below the size nothing is writable: there stand the flags. */
	return addr & ~(dev->bar[bar].size - 1);
}

static bool bar_wanted(const struct pci_device *dev, unsigned bar)
{
	const struct pci_bar *b = &dev->bar[bar];
	uint64_t highest = b->flags & PCI_BAR_64 ? UINT64_MAX : UINT32_MAX;
	unsigned need = b->flags & PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;

	return get_le16(&dev->config[PCI_COMMAND]) & need && b->addr &&
	       b->addr + (b->size - 1) != highest;
}

static struct io_space *bar_space(const struct pci_device *dev, unsigned bar)
{
	const struct pci_bus_config *config = &dev->bus->config;

	return dev->bar[bar].flags & PCI_BAR_IO ? config->pio : config->mmio;
}

static void bar_unmap_locked(struct pci_device *dev, unsigned bar)
{
	struct pci_bar *b = &dev->bar[bar];

	if (!b->mapped)
		return;
	io_space_remove(bar_space(dev, bar), b->range);
	b->mapped = false;
	if (dev->ops->bar_mapped)
		dev->ops->bar_mapped(dev, bar, b->range->base, false);
}

static void bar_map_locked(struct pci_device *dev, unsigned bar)
{
	struct pci_bar *b = &dev->bar[bar];

	b->range->base = b->addr;
	b->mapped = io_space_add(bar_space(dev, bar), b->range, NULL);
	if (b->mapped && dev->ops->bar_mapped)
		dev->ops->bar_mapped(dev, bar, b->addr, true);
}

void pci_bars_unmap_locked(struct pci_device *dev)
{
	for (unsigned bar = 0; bar < PCI_BARS; bar++)
		bar_unmap_locked(dev, bar);
}

/* Read the BARs; what is mapped and should not be is not any more. */
static void give_up_locked(struct pci_device *dev)
{
	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		struct pci_bar *b = &dev->bar[bar];

		if (!b->size)
			continue;
		b->addr = bar_address(dev, bar);
		if (b->mapped && (b->range->base != b->addr || !bar_wanted(dev, bar)))
			bar_unmap_locked(dev, bar);
	}
}

static void take_up_locked(struct pci_device *dev)
{
	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		const struct pci_bar *b = &dev->bar[bar];

		if (b->size && !b->mapped && bar_wanted(dev, bar))
			bar_map_locked(dev, bar);
	}
}

void pci_bars_update_locked(struct pci_bus *bus)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		if (bus->slot[slot])
			give_up_locked(bus->slot[slot]);
	}
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		if (bus->slot[slot])
			take_up_locked(bus->slot[slot]);
	}
}

/* ---- one piece of an access ---- */

/* Is one of [off, off + size) among [start, start + len)? */
static bool touches(unsigned off, unsigned size, unsigned start, unsigned len)
{
	return off < start + len && start < off + size;
}

/* Do these bytes belong to the device, not to the bus? */
static bool is_devices(const struct pci_device *dev, unsigned off)
{
	return off >= PCI_HEADER_LEN &&
	       !(dev->express_cap && touches(off, 1, dev->express_cap, PCI_EXPRESS_LEN)) &&
	       !(dev->msix && touches(off, 1, dev->msix_cap, PCI_MSIX_LEN));
}

static uint32_t read_piece_locked(struct pci_device *dev, unsigned off, unsigned size)
{
	uint32_t value = 0;

	if (off >= PCI_CONFIG_LEN)
		return 0;
	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)dev->config[off + i] << (8 * i);
	if (touches(off, size, PCI_STATUS, 1) && atomic_load(&dev->intx_level))
		value |= (uint32_t)PCI_STATUS_INTERRUPT << (8 * (PCI_STATUS - off));
	if (dev->ops->config_read && is_devices(dev, off))
		value = dev->ops->config_read(dev, off, size, value);
	return value;
}

static void write_piece_locked(struct pci_device *dev, unsigned off, unsigned size, uint32_t value)
{
	if (off >= PCI_CONFIG_LEN)
		return;
	for (unsigned i = 0; i < size; i++, value >>= 8) {
		uint8_t *byte = &dev->config[off + i], mask = dev->writable[off + i];

		*byte = (uint8_t)((*byte & ~mask) | (value & mask));
		*byte = (uint8_t)(*byte & ~(value & dev->clears[off + i]));
	}
	if (touches(off, size, PCI_COMMAND, 2) ||
	    (dev->msix && touches(off, size, dev->msix_cap + PCI_MSIX_CONTROL, 2)))
		pci_control_changed_locked(dev);
	if (touches(off, size, PCI_COMMAND, 2) || touches(off, size, PCI_BAR0, 4 * PCI_BARS))
		pci_bars_update_locked(dev->bus);
	if (dev->ops->config_written && is_devices(dev, off))
		dev->ops->config_written(dev, off, size);
}

/* ---- whole accesses ---- */

/* Who is meant by an offset in the ECAM, or NULL. */
static struct pci_device *device_at_locked(struct pci_bus *bus, uint64_t off)
{
	if (off >> ECAM_BUS_SHIFT || (off >> ECAM_FUNCTION_SHIFT & 7))
		return NULL;
	return bus->slot[off >> ECAM_SLOT_SHIFT];
}

/* How much of an access of @size bytes at @off is done at once. */
static unsigned piece_size(uint64_t off, unsigned size)
{
	unsigned piece = 4;

	while (piece > size || off % piece)
		piece /= 2;
	return piece;
}

static uint64_t access_read_locked(struct pci_bus *bus, uint64_t off, unsigned size)
{
	uint64_t result = 0;

	for (unsigned done = 0, piece; done < size && done < ACCESS_MAX; done += piece) {
		struct pci_device *dev = device_at_locked(bus, off + done);
		uint64_t value = UINT32_MAX;

		piece = piece_size(off + done, size - done);
		if (dev)
			value = read_piece_locked(dev, (off + done) & ECAM_REGISTER, piece);
		value &= (UINT64_C(1) << (8 * piece)) - 1;
		result |= value << (8 * done);
	}
	return result;
}

static void access_write_locked(struct pci_bus *bus, uint64_t off, unsigned size, uint64_t value)
{
	for (unsigned done = 0, piece; done < size && done < ACCESS_MAX; done += piece) {
		struct pci_device *dev = device_at_locked(bus, off + done);
		uint32_t part = (uint32_t)(value >> (8 * done));

		piece = piece_size(off + done, size - done);
		if (dev)
			write_piece_locked(dev, (off + done) & ECAM_REGISTER, piece, part);
	}
}

static uint64_t ecam_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct pci_bus *bus = container_of(range, struct pci_bus, ecam);
	uint64_t value;

	pthread_mutex_lock(&bus->lock);
	value = access_read_locked(bus, off, size);
	pthread_mutex_unlock(&bus->lock);
	return value;
}

static void ecam_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_bus *bus = container_of(range, struct pci_bus, ecam);

	pthread_mutex_lock(&bus->lock);
	access_write_locked(bus, off, size, value);
	pthread_mutex_unlock(&bus->lock);
}

const struct io_ops pci_ecam_ops = { .read = ecam_read, .write = ecam_write };

/* The address register takes four bytes at a time, all else at its port is nobody's. */
static uint64_t address_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct pci_bus *bus = container_of(range, struct pci_bus, address);
	uint64_t value;

	(void)off;
	if (size != 4)
		return UINT64_MAX;
	pthread_mutex_lock(&bus->lock);
	value = bus->selected;
	pthread_mutex_unlock(&bus->lock);
	return value;
}

static void address_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_bus *bus = container_of(range, struct pci_bus, address);

	(void)off;
	if (size != 4)
		return;
	pthread_mutex_lock(&bus->lock);
	bus->selected = (uint32_t)value & (ADDRESS_ENABLE | ADDRESS_FUNCTION | ADDRESS_REGISTER);
	pthread_mutex_unlock(&bus->lock);
}

const struct io_ops pci_address_ops = { .read = address_read, .write = address_write };

/* What the address register selects, as an offset in the ECAM. */
static uint64_t selected_locked(const struct pci_bus *bus)
{
	return (uint64_t)(bus->selected & ADDRESS_FUNCTION) << 4 |
	       (bus->selected & ADDRESS_REGISTER);
}

static uint64_t data_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct pci_bus *bus = container_of(range, struct pci_bus, data);
	uint64_t value = UINT64_MAX;

	pthread_mutex_lock(&bus->lock);
	if (bus->selected & ADDRESS_ENABLE)
		value = access_read_locked(bus, selected_locked(bus) + off, size);
	pthread_mutex_unlock(&bus->lock);
	return value;
}

static void data_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_bus *bus = container_of(range, struct pci_bus, data);

	pthread_mutex_lock(&bus->lock);
	if (bus->selected & ADDRESS_ENABLE)
		access_write_locked(bus, selected_locked(bus) + off, size, value);
	pthread_mutex_unlock(&bus->lock);
}

const struct io_ops pci_data_ops = { .read = data_read, .write = data_write };
