/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.c - the PCI Express root complex: describing devices, plugging them, INTx
 *
 * Wires are level-triggered and shared: a GSI is up while any device pulls at it. Which do stands
 * in a set of slots under irq_lock, and the level is told to the sink under it too, so that of two
 * changes the later one is told last. Whoever changes what a wire depends on changes that first and
 * then calls pci_intx_update(), which looks at all of it again: the last to come sees everything.
 */
#include "bus/pci.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/error.h"
#include "bus/pci-int.h"

enum {
	COMMAND_WRITABLE = 0x0547, /* I/O, memory, master, parity, SERR#, INTx disable */
	STATUS_CLEARS = 0xf900,    /* errors that we never report */

	CACHE_LINE_SIZE = 0x0c,
	LATENCY_TIMER = 0x0d,

	/* Express capability, PCI Express Base 4.0, 7.5.3; offsets in it */
	EXPRESS_FLAGS = 0x02,
	EXPRESS_FLAGS_RCIEP = 2 | 9 << 4, /* version 2, root complex integrated endpoint */
	EXPRESS_CAPABILITIES = 0x04,
	EXPRESS_ROLE_BASED_ERRORS = 1 << 15,
	EXPRESS_CONTROL = 0x08,
	EXPRESS_CONTROL_INITIAL = 0x2810,
	EXPRESS_CONTROL_WRITABLE = 0x781f,
	EXPRESS_STATUS = 0x0a,
	EXPRESS_STATUS_CLEARS = 0x000f,

	HOST_BRIDGE_PAM = 0x59, /* of an i440FX */
	HOST_BRIDGE_PAM_LAST = 0x5f,

	ADDRESS_PORT = 0xcf8,
	DATA_PORT = 0xcfc,
};

#define ECAM_LEN (256ull << 20)

/* ---- describing a device ---- */

static void add_express(struct pci_device *dev)
{
	unsigned cap = pci_add_capability(dev, PCI_CAP_EXPRESS, PCI_EXPRESS_LEN);

	dev->express_cap = cap;
	put_le16(&dev->config[cap + EXPRESS_FLAGS], EXPRESS_FLAGS_RCIEP);
	put_le32(&dev->config[cap + EXPRESS_CAPABILITIES], EXPRESS_ROLE_BASED_ERRORS);
	put_le16(&dev->config[cap + EXPRESS_CONTROL], EXPRESS_CONTROL_INITIAL);
	put_le16(&dev->writable[cap + EXPRESS_CONTROL], EXPRESS_CONTROL_WRITABLE);
	put_le16(&dev->clears[cap + EXPRESS_STATUS], EXPRESS_STATUS_CLEARS);
}

void pci_device_init(struct pci_device *dev, const struct pci_device_ops *ops,
		     const struct pci_ids *ids)
{
	*dev = (struct pci_device){ .ops = ops, .cap_end = PCI_HEADER_LEN };
	put_le16(&dev->config[PCI_VENDOR], ids->vendor);
	put_le16(&dev->config[PCI_DEVICE], ids->device);
	put_le32(&dev->config[PCI_REVISION], ids->class_code << 8 | ids->revision);
	put_le16(&dev->config[PCI_SUBSYSTEM_VENDOR], ids->subsystem_vendor);
	put_le16(&dev->config[PCI_SUBSYSTEM], ids->subsystem);
	dev->config[PCI_INTERRUPT_PIN] = ids->intx ? 1 : 0;
	put_le16(&dev->writable[PCI_COMMAND], COMMAND_WRITABLE);
	put_le16(&dev->clears[PCI_STATUS], STATUS_CLEARS);
	dev->writable[PCI_INTERRUPT_LINE] = 0xff;
	dev->writable[CACHE_LINE_SIZE] = 0xff;
	if (ids->express)
		add_express(dev);
	else
		dev->writable[LATENCY_TIMER] = 0xff;
}

unsigned pci_add_capability(struct pci_device *dev, uint8_t id, unsigned len)
{
	unsigned cap = dev->cap_end;

	len = (len + 3) & ~3u;
	assert(!dev->bus && len >= 4 && len <= PCI_CONFIG_LEN - cap);
	dev->config[cap] = id;
	dev->config[dev->cap_last ? dev->cap_last + 1 : PCI_CAPABILITIES] = (uint8_t)cap;
	dev->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
	dev->cap_last = cap;
	dev->cap_end = cap + len;
	return cap;
}

void pci_add_bar(struct pci_device *dev, unsigned bar, uint64_t size, unsigned flags,
		 struct io_range *range)
{
	bool wide = flags & PCI_BAR_64, io = flags & PCI_BAR_IO;
	unsigned off = PCI_BAR0 + 4 * bar;
	uint64_t mask = ~(size - 1);

	assert(!dev->bus && bar < PCI_BARS && !(wide && (io || bar + 1 == PCI_BARS)));
	assert(!dev->bar[bar].size && size >= (io ? 4 : 16) && (size & (size - 1)) == 0);
	assert(wide || size <= (io ? 0x100u : 0x80000000u));
	dev->bar[bar] = (struct pci_bar){ .size = size, .flags = flags, .range = range };
	range->len = size;
	put_le32(&dev->writable[off], (uint32_t)mask);
	put_le32(&dev->config[off],
		 (io ? 1u : 0u) | (wide ? 4u : 0u) | (flags & PCI_BAR_PREFETCH ? 8u : 0u));
	if (wide)
		put_le32(&dev->writable[off + 4], (uint32_t)(mask >> 32));
}

void pci_device_release(struct pci_device *dev)
{
	assert(!dev->bus);
	pci_msix_free(dev->msix);
	dev->msix = NULL;
}

/* ---- INTx ---- */

/* The first of the pins that end at the same GSI as slot @slot's INTA#: wires are told apart by it. */
DATA_PATH static unsigned wire_of(const struct pci_bus *bus, unsigned slot)
{
	unsigned pin = slot % PCI_PINS, first = 0;

	while (bus->config.gsi[first] != bus->config.gsi[pin])
		first++;
	return first;
}

unsigned pci_gsi(const struct pci_bus *bus, unsigned slot)
{
	return bus->config.gsi[slot % PCI_PINS];
}

DATA_PATH void pci_intx_update(struct pci_device *dev)
{
	/* Unplugging sets it to NULL under irq_lock; the bus outlives whoever is in here. */
	struct pci_bus *bus = __atomic_load_n(&dev->bus, __ATOMIC_ACQUIRE);
	uint32_t bit, before;
	unsigned wire;

	if (!bus)
		return;
	pthread_mutex_lock(&bus->irq_lock);
	if (__atomic_load_n(&dev->bus, __ATOMIC_RELAXED) == bus) {
		bit = 1u << dev->slot;
		wire = wire_of(bus, dev->slot);
		before = bus->asserted[wire];
		if (atomic_load(&dev->intx_level) && !atomic_load(&dev->intx_masked))
			bus->asserted[wire] |= bit;
		else
			bus->asserted[wire] &= ~bit;
		if (!before != !bus->asserted[wire])
			bus->config.sink->ops->set_line(bus->config.sink, bus->config.gsi[wire],
							bus->asserted[wire]);
	}
	pthread_mutex_unlock(&bus->irq_lock);
}

DATA_PATH void pci_irq_set(struct pci_device *dev, bool level)
{
	if (atomic_exchange(&dev->intx_level, level) != level)
		pci_intx_update(dev);
}

void pci_control_changed_locked(struct pci_device *dev)
{
	unsigned command = get_le16(&dev->config[PCI_COMMAND]), control = 0;

	if (dev->msix)
		control = get_le16(&dev->config[dev->msix_cap + PCI_MSIX_CONTROL]);
	atomic_store(&dev->intx_masked,
		     command & PCI_COMMAND_INTX_DISABLE || control & PCI_MSIX_CONTROL_ENABLE);
	pci_intx_update(dev);
	if (dev->msix)
		pci_msix_control_changed(dev, control & PCI_MSIX_CONTROL_ENABLE,
					 control & PCI_MSIX_CONTROL_MASK ||
						 !(command & PCI_COMMAND_MASTER));
}

/* ---- slots ---- */

static void put_in(struct pci_bus *bus, struct pci_device *dev, unsigned slot)
{
	memcpy(dev->initial, dev->config, sizeof(dev->initial));
	pthread_mutex_lock(&bus->lock);
	dev->slot = slot;
	bus->slot[slot] = dev;
	__atomic_store_n(&dev->bus, bus, __ATOMIC_RELEASE);
	pci_msix_connect(dev, bus->config.sink);
	pci_control_changed_locked(dev);
	pthread_mutex_unlock(&bus->lock);
}

/* Nothing of the bus refers to @dev any more. */
static void take_out(struct pci_bus *bus, struct pci_device *dev)
{
	pthread_mutex_lock(&bus->lock);
	pci_bars_unmap_locked(dev);
	bus->slot[dev->slot] = NULL;
	/* What could not be mapped because @dev was there can be now. */
	pci_bars_update_locked(bus);
	pthread_mutex_unlock(&bus->lock);

	pci_msix_connect(dev, NULL);
	atomic_store(&dev->intx_masked, true);
	pci_intx_update(dev);
	pthread_mutex_lock(&bus->irq_lock);
	__atomic_store_n(&dev->bus, NULL, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&bus->irq_lock);
}

bool pci_plug(struct pci_bus *bus, struct pci_device *dev, unsigned slot, GError **error)
{
	assert(!dev->bus);
	if (slot >= PCI_SLOTS)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "there is no PCI slot %u: give 1 to %d, or 0 for any", slot,
				 PCI_SLOTS - 1);
	if (slot && bus->slot[slot])
		return error_set(error, SOCLE_ERROR_EXISTS, "PCI slot %u is taken", slot);
	for (unsigned i = 1; !slot && i < PCI_SLOTS; i++) {
		if (!bus->slot[i])
			slot = i;
	}
	if (!slot)
		return error_set(error, SOCLE_ERROR_LIMIT, "all PCI slots are taken");
	put_in(bus, dev, slot);
	return true;
}

void pci_unplug(struct pci_bus *bus, struct pci_device *dev)
{
	assert(dev->bus == bus && dev->slot != 0);
	take_out(bus, dev);
	dev->ops->free(dev);
}

struct pci_device *pci_at(struct pci_bus *bus, unsigned slot)
{
	return slot < PCI_SLOTS ? bus->slot[slot] : NULL;
}

struct pci_bar pci_bar_get(struct pci_device *dev, unsigned bar)
{
	struct pci_bus *bus = dev->bus;
	struct pci_bar result;

	if (!bus)
		return dev->bar[bar];
	pthread_mutex_lock(&bus->lock);
	result = dev->bar[bar];
	pthread_mutex_unlock(&bus->lock);
	return result;
}

/* ---- the bus ---- */

static const struct pci_device_ops host_bridge_ops = { 0 };

static void host_bridge_init(struct pci_device *dev, bool firmware)
{
	pci_device_init(dev, &host_bridge_ops,
			&(struct pci_ids){
				.vendor = firmware ? 0x8086 : 0x1b36,
				.device = firmware ? 0x1237 : 0x0008,
				.subsystem_vendor = 0x1af4,
				.subsystem = 0x1100,
				.class_code = 0x060000,
			});
	if (!firmware)
		return;
	/* Two bits, readable and writable, for each half; of the first one half only. */
	dev->writable[HOST_BRIDGE_PAM] = 0x30;
	for (unsigned off = HOST_BRIDGE_PAM + 1; off <= HOST_BRIDGE_PAM_LAST; off++)
		dev->writable[off] = 0x33;
}

struct pci_bus *pci_bus_new(const struct pci_bus_config *config, GError **error)
{
	autoptr(pci_bus) bus = g_new(struct pci_bus, 1);

	*bus = (struct pci_bus){
		.config = *config,
		.address = { .ops = &pci_address_ops,
			     .base = ADDRESS_PORT,
			     .len = 1,
			     .overhang = 3,
			     .name = "pci-address" },
		.data = { .ops = &pci_data_ops, .base = DATA_PORT, .len = 4, .name = "pci-data" },
		.ecam = { .ops = &pci_ecam_ops,
			  .base = config->ecam,
			  .len = ECAM_LEN,
			  .name = "pci-ecam" },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.irq_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	host_bridge_init(&bus->host_bridge, config->firmware);
	put_in(bus, &bus->host_bridge, 0);
	if (!io_space_add(config->pio, &bus->address, error) ||
	    !io_space_add(config->pio, &bus->data, error) ||
	    !io_space_add(config->mmio, &bus->ecam, error))
		return NULL;
	return g_steal_pointer(&bus);
}

void pci_bus_free(struct pci_bus *bus)
{
	if (!bus)
		return;
	for (unsigned slot = 1; slot < PCI_SLOTS; slot++) {
		if (bus->slot[slot])
			pci_unplug(bus, bus->slot[slot]);
	}
	take_out(bus, &bus->host_bridge);
	pci_device_release(&bus->host_bridge);
	io_space_remove(bus->config.mmio, &bus->ecam);
	io_space_remove(bus->config.pio, &bus->data);
	io_space_remove(bus->config.pio, &bus->address);
	pthread_mutex_destroy(&bus->irq_lock);
	pthread_mutex_destroy(&bus->lock);
	g_free(bus);
}

void pci_bus_reset(struct pci_bus *bus)
{
	struct pci_device *dev;

	pthread_mutex_lock(&bus->lock);
	bus->selected = 0;
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		dev = bus->slot[slot];
		if (!dev)
			continue;
		pci_bars_unmap_locked(dev);
		memcpy(dev->config, dev->initial, sizeof(dev->config));
		atomic_store(&dev->intx_level, false);
		pci_msix_reset(dev);
		pci_control_changed_locked(dev);
	}
	pthread_mutex_unlock(&bus->lock);

	/* A device may wait for its I/O here, so not under the lock; no vCPU runs. */
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		dev = bus->slot[slot];
		if (dev && dev->ops->reset)
			dev->ops->reset(dev);
	}

	pthread_mutex_lock(&bus->lock);
	if (bus->config.firmware)
		pci_bars_update_locked(bus);
	else
		pci_place_all_locked(bus);
	pthread_mutex_unlock(&bus->lock);
}
