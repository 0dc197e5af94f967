/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-pci.c - virtio over PCI (virtio 1.2, 4.1; modern only)
 *
 * Registers are read at any offset and width, and written field by field, 64-bit ones also by their
 * halves; other writes are ignored.
 *
 * Locks: the bus's, then the device's (virtio.h), then those of interrupts. The device's lock also
 * guards what this file says it does; what a driver has selected is its own affair, and atomic.
 *
 * Notifications bypass the registers (virtio-int.h) from the first DRIVER_OK on, as long as the BAR
 * is mapped: a reset leaves them, since kicks of queues that are not enabled are ignored anyway.
 */
#include "virtio/virtio-pci.h"

#include "base/bytes.h"
#include "virtio/virtio-int.h"

enum {
	VENDOR = 0x1af4,
	DEVICE_BASE = 0x1040,
	SUBSYSTEM = 0x1100,

	BAR_MSIX = 1,
	BAR_REGISTERS = 4,
	PART_LEN = 0x1000,
	COMMON = 0,
	ISR = PART_LEN,
	DEVICE = 2 * PART_LEN,
	NOTIFY = 3 * PART_LEN,
	BAR_LEN = 4 * PART_LEN,
	NOTIFY_STRIDE = 4,

	ISR_QUEUE = 1,
	ISR_CONFIG = 2,
};

/* Capabilities (4.1.4). */
enum {
	CAP_COMMON = 1,
	CAP_NOTIFY = 2,
	CAP_ISR = 3,
	CAP_DEVICE = 4,
	CAP_WINDOW = 5,

	CAP_LEN = 2,
	CAP_TYPE = 3,
	CAP_BAR = 4,
	CAP_OFFSET = 8,
	CAP_LENGTH = 12,
	CAP_SIZE = 16,
	CAP_NOTIFY_STRIDE = 16,
	CAP_WINDOW_DATA = 16,
};

/* The common configuration (4.1.4.3). */
enum {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	DEVICE_STATUS = 0x14,
	CONFIG_GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
	QUEUE_NOTIFY_DATA = 0x38,
	QUEUE_RESET = 0x3a,
};

static const struct field {
	uint8_t off, len;
} common_fields[] = {
	{ DEVICE_FEATURE_SELECT, 4 }, { DEVICE_FEATURE, 4 },
	{ DRIVER_FEATURE_SELECT, 4 }, { DRIVER_FEATURE, 4 },
	{ CONFIG_VECTOR, 2 },         { NUM_QUEUES, 2 },
	{ DEVICE_STATUS, 1 },         { CONFIG_GENERATION, 1 },
	{ QUEUE_SELECT, 2 },          { QUEUE_SIZE, 2 },
	{ QUEUE_VECTOR, 2 },          { QUEUE_ENABLE, 2 },
	{ QUEUE_NOTIFY_OFF, 2 },      { QUEUE_DESC, 8 },
	{ QUEUE_DRIVER, 8 },          { QUEUE_DEVICE, 8 },
	{ QUEUE_NOTIFY_DATA, 2 },     { QUEUE_RESET, 2 },
};

struct virtio_pci {
	struct pci_device pci;
	struct virtio_transport transport;
	struct virtio_device *dev;
	struct io_range range;
	struct virtio_notifiers notifiers;
	unsigned window; /* the capability through which BARs are reached */

	_Atomic(uint32_t) device_feature_select, driver_feature_select;
	_Atomic(uint16_t) queue_select;

	/* guarded by the device's lock: */
	uint8_t isr;
	uint16_t config_vector, vector[VIRTIO_MAX_QUEUES];
	bool mapped, started;
	uint64_t addr; /* of the BAR */
};

/* ---- interrupts ---- */

DATA_PATH static void interrupt(struct virtio_transport *transport, int index)
{
	struct virtio_pci *p = container_of(transport, struct virtio_pci, transport);
	unsigned vector = index < 0 ? p->config_vector : p->vector[index];

	p->isr |= index < 0 ? ISR_CONFIG : ISR_QUEUE;
	if (!pci_msix_enabled(&p->pci))
		pci_irq_set(&p->pci, true);
	else if (vector != PCI_MSIX_NONE)
		pci_msix_notify(&p->pci, vector);
}

static uint8_t read_isr(struct virtio_pci *p)
{
	uint8_t isr;

	virtio_lock(p->dev);
	isr = p->isr;
	p->isr = 0;
	pci_irq_set(&p->pci, false);
	virtio_unlock(p->dev);
	return isr;
}

/* The transport's own part of a reset. */
static void reset_registers(struct virtio_pci *p)
{
	virtio_lock(p->dev);
	p->isr = 0;
	pci_irq_set(&p->pci, false);
	p->config_vector = PCI_MSIX_NONE;
	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
		p->vector[i] = PCI_MSIX_NONE;
	virtio_unlock(p->dev);
}

/* ---- notifications ---- */

static void update_notifiers_locked(struct virtio_pci *p)
{
	struct io_notify first = { .mmio = true, .addr = p->addr + NOTIFY };

	if (p->mapped && p->started)
		virtio_notifiers_set(&p->notifiers, &first, NOTIFY_STRIDE);
	else
		virtio_notifiers_clear(&p->notifiers);
}

static void bar_mapped(struct pci_device *pci, unsigned bar, uint64_t addr, bool mapped)
{
	struct virtio_pci *p = container_of(pci, struct virtio_pci, pci);

	if (bar != BAR_REGISTERS)
		return;
	virtio_lock(p->dev);
	p->mapped = mapped;
	p->addr = addr;
	update_notifiers_locked(p);
	virtio_unlock(p->dev);
}

/* ---- common configuration ---- */

static unsigned selected(struct virtio_pci *p)
{
	return atomic_load(&p->queue_select);
}

static uint16_t read_vector(struct virtio_pci *p, bool config)
{
	unsigned queue = selected(p);
	uint16_t vector = PCI_MSIX_NONE;

	virtio_lock(p->dev);
	if (config)
		vector = p->config_vector;
	else if (queue < p->dev->queue_count)
		vector = p->vector[queue];
	virtio_unlock(p->dev);
	return vector;
}

static void write_vector(struct virtio_pci *p, bool config, uint16_t vector)
{
	unsigned queue = selected(p);

	if (vector > p->dev->queue_count)
		vector = PCI_MSIX_NONE;
	virtio_lock(p->dev);
	if (p->dev->resetting)
		;
	else if (config)
		p->config_vector = vector;
	else if (queue < p->dev->queue_count)
		p->vector[queue] = vector;
	virtio_unlock(p->dev);
}

static uint64_t read_queue(struct virtio_pci *p, unsigned field)
{
	struct virtq_setup setup;

	if (!virtio_read_queue(p->dev, selected(p), &setup))
		return 0;
	switch (field) {
	case QUEUE_SIZE:
		return setup.size;
	case QUEUE_ENABLE:
		return setup.enabled;
	case QUEUE_DESC:
		return setup.desc;
	case QUEUE_DRIVER:
		return setup.driver;
	case QUEUE_DEVICE:
		return setup.device;
	default: /* QUEUE_NOTIFY_OFF, QUEUE_NOTIFY_DATA */
		return selected(p);
	}
}

static uint64_t read_field(struct virtio_pci *p, unsigned field)
{
	switch (field) {
	case DEVICE_FEATURE_SELECT:
		return atomic_load(&p->device_feature_select);
	case DEVICE_FEATURE:
		return virtio_read_features(p->dev, atomic_load(&p->device_feature_select));
	case DRIVER_FEATURE_SELECT:
		return atomic_load(&p->driver_feature_select);
	case DRIVER_FEATURE:
		return virtio_read_driver_features(p->dev, atomic_load(&p->driver_feature_select));
	case CONFIG_VECTOR:
		return read_vector(p, true);
	case QUEUE_VECTOR:
		return read_vector(p, false);
	case NUM_QUEUES:
		return p->dev->queue_count;
	case DEVICE_STATUS:
		return virtio_read_status(p->dev);
	case CONFIG_GENERATION:
		return virtio_read_generation(p->dev) & 0xff;
	case QUEUE_SELECT:
		return selected(p);
	case QUEUE_RESET:
		return virtio_queue_resetting(p->dev, selected(p));
	default:
		return read_queue(p, field);
	}
}

/* The fields that have bytes of [off, off + size). */
static uint64_t read_common(struct virtio_pci *p, unsigned off, unsigned size)
{
	uint64_t result = 0;

	for (size_t i = 0; i < ARRAY_SIZE(common_fields); i++) {
		const struct field *f = &common_fields[i];
		uint64_t value;

		if (f->off >= off + size || off >= f->off + (unsigned)f->len)
			continue;
		value = read_field(p, f->off);
		if (f->off >= off)
			result |= value << (f->off - off) * 8;
		else
			result |= value >> (off - f->off) * 8;
	}
	return result;
}

static void write_status(struct virtio_pci *p, uint8_t status)
{
	virtio_write_status(p->dev, status);
	if (!status)
		reset_registers(p);
	if (!(status & VIRTIO_STATUS_DRIVER_OK))
		return;
	virtio_lock(p->dev);
	if (p->dev->status & VIRTIO_STATUS_DRIVER_OK) {
		p->started = true;
		update_notifiers_locked(p);
	}
	virtio_unlock(p->dev);
}

/* Bytes [off, off + size) of a queue's description; an address by itself or one half of it. */
static void write_queue(struct virtio_pci *p, unsigned off, unsigned size, uint64_t value)
{
	struct virtq_setup setup;
	uint64_t *addr = &setup.desc;
	unsigned shift = off % 8 * 8;

	if (!virtio_read_queue(p->dev, selected(p), &setup))
		return;
	if (off == QUEUE_SIZE) {
		setup.size = (uint16_t)value;
	} else {
		if (off >= QUEUE_DEVICE)
			addr = &setup.device;
		else if (off >= QUEUE_DRIVER)
			addr = &setup.driver;
		if (size == 4)
			value = (*addr & ~((uint64_t)UINT32_MAX << shift)) | value << shift;
		*addr = value;
	}
	virtio_write_queue(p->dev, selected(p), &setup);
}

static void write_field(struct virtio_pci *p, unsigned field, uint64_t value)
{
	switch (field) {
	case DEVICE_FEATURE_SELECT:
		atomic_store(&p->device_feature_select, (uint32_t)value);
		break;
	case DRIVER_FEATURE_SELECT:
		atomic_store(&p->driver_feature_select, (uint32_t)value);
		break;
	case DRIVER_FEATURE:
		virtio_write_features(p->dev, atomic_load(&p->driver_feature_select),
				      (uint32_t)value);
		break;
	case CONFIG_VECTOR:
		write_vector(p, true, (uint16_t)value);
		break;
	case QUEUE_VECTOR:
		write_vector(p, false, (uint16_t)value);
		break;
	case DEVICE_STATUS:
		write_status(p, (uint8_t)value);
		break;
	case QUEUE_SELECT:
		atomic_store(&p->queue_select, (uint16_t)value);
		break;
	case QUEUE_SIZE:
		write_queue(p, field, 2, value);
		break;
	case QUEUE_ENABLE:
		if (value == 1)
			virtio_enable_queue(p->dev, selected(p));
		break;
	case QUEUE_RESET:
		if (value == 1)
			virtio_reset_queue(p->dev, selected(p));
		break;
	default:
		break;
	}
}

static void write_common(struct virtio_pci *p, unsigned off, unsigned size, uint64_t value)
{
	if (off >= QUEUE_DESC && off < QUEUE_NOTIFY_DATA) {
		if ((size == 4 || size == 8) && off % size == 0)
			write_queue(p, off, size, value);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(common_fields); i++) {
		if (common_fields[i].off == off && common_fields[i].len == size)
			write_field(p, off, value);
	}
}

/* ---- the BAR ---- */

static uint64_t registers_read(struct io_range *range, uint64_t off64, unsigned size)
{
	struct virtio_pci *p = container_of(range, struct virtio_pci, range);
	unsigned off = (unsigned)off64;

	if (off >= NOTIFY)
		return 0;
	if (off >= DEVICE)
		return virtio_read_config(p->dev, off - DEVICE, size);
	if (off >= ISR)
		return off == ISR ? read_isr(p) : 0;
	return read_common(p, off, size);
}

static void registers_write(struct io_range *range, uint64_t off64, unsigned size, uint64_t value)
{
	struct virtio_pci *p = container_of(range, struct virtio_pci, range);
	unsigned off = (unsigned)off64;

	/* The address says which queue; so does the value, but that is not seen by everybody. */
	if (off >= NOTIFY)
		virtio_kick(p->dev, (off - NOTIFY) / NOTIFY_STRIDE);
	else if (off >= DEVICE)
		virtio_write_config(p->dev, off - DEVICE, size, value);
	else if (off < ISR)
		write_common(p, off, size, value);
}

static const struct io_ops registers_ops = {
	.read = registers_read,
	.write = registers_write,
};

/* ---- the window in configuration space (4.1.4.9) ---- */

/* Is this an access to the window's data, and where does it lead? */
static bool window_access(struct virtio_pci *p, unsigned off, uint32_t *ret_off, unsigned *ret_size)
{
	const uint8_t *cap = p->pci.config + p->window;
	uint32_t size = get_le32(cap + CAP_LENGTH);

	*ret_off = get_le32(cap + CAP_OFFSET);
	*ret_size = size;
	return off == p->window + CAP_WINDOW_DATA && cap[CAP_BAR] == BAR_REGISTERS &&
	       (size == 1 || size == 2 || size == 4) && *ret_off % size == 0 && *ret_off < BAR_LEN;
}

static uint32_t config_read(struct pci_device *pci, unsigned off, unsigned size, uint32_t value)
{
	struct virtio_pci *p = container_of(pci, struct virtio_pci, pci);
	uint8_t *data = pci->config + p->window + CAP_WINDOW_DATA;
	unsigned bar_size;
	uint32_t bar_off;

	if (!window_access(p, off, &bar_off, &bar_size))
		return value;
	put_le32(data, (uint32_t)registers_read(&p->range, bar_off, bar_size));
	return size == 4 ? get_le32(data) : size == 2 ? get_le16(data) : *data;
}

static void config_written(struct pci_device *pci, unsigned off, unsigned size)
{
	struct virtio_pci *p = container_of(pci, struct virtio_pci, pci);
	uint32_t value = get_le32(pci->config + p->window + CAP_WINDOW_DATA), bar_off;
	unsigned bar_size;

	(void)size;
	if (!window_access(p, off, &bar_off, &bar_size))
		return;
	if (bar_size < 4)
		value &= (1u << bar_size * 8) - 1;
	registers_write(&p->range, bar_off, bar_size, value);
}

/* ---- life ---- */

static void pci_reset(struct pci_device *pci)
{
	struct virtio_pci *p = container_of(pci, struct virtio_pci, pci);

	virtio_reset(p->dev);
	reset_registers(p);
	atomic_store(&p->device_feature_select, 0);
	atomic_store(&p->driver_feature_select, 0);
	atomic_store(&p->queue_select, 0);
	virtio_lock(p->dev);
	p->started = false;
	update_notifiers_locked(p);
	virtio_unlock(p->dev);
}

static void pci_free(struct pci_device *pci)
{
	struct virtio_pci *p = container_of(pci, struct virtio_pci, pci);

	virtio_lock(p->dev);
	p->mapped = false;
	update_notifiers_locked(p);
	virtio_unlock(p->dev);
	virtio_detach(p->dev);
	virtio_notifiers_release(&p->notifiers);
	p->dev->ops->free(p->dev);
	pci_device_release(pci);
	g_free(p);
}

static const struct pci_device_ops pci_ops = {
	.config_read = config_read,
	.config_written = config_written,
	.bar_mapped = bar_mapped,
	.reset = pci_reset,
	.free = pci_free,
};

static uint32_t class_of(enum virtio_type type)
{
	switch (type) {
	case VIRTIO_NET:
		return 0x020000; /* Ethernet */
	case VIRTIO_BLOCK:
	case VIRTIO_SCSI:
		return 0x010000; /* SCSI, as QEMU has it: firmware looks for mass storage */
	case VIRTIO_CONSOLE:
	case VIRTIO_VSOCK:
		return 0x078000; /* other communication */
	case VIRTIO_RNG:
	case VIRTIO_BALLOON:
	default:
		return 0x00ff00; /* none of the classes */
	}
}

static unsigned add_capability(struct virtio_pci *p, uint8_t type, unsigned more, uint32_t off,
			       uint32_t len)
{
	unsigned at = pci_add_capability(&p->pci, PCI_CAP_VENDOR, CAP_SIZE + more);
	uint8_t *cap = p->pci.config + at;

	cap[CAP_LEN] = (uint8_t)(CAP_SIZE + more);
	cap[CAP_TYPE] = type;
	cap[CAP_BAR] = len ? BAR_REGISTERS : 0;
	put_le32(cap + CAP_OFFSET, off);
	put_le32(cap + CAP_LENGTH, len);
	return at;
}

static void add_capabilities(struct virtio_pci *p)
{
	unsigned notify;

	add_capability(p, CAP_COMMON, 0, COMMON, PART_LEN);
	add_capability(p, CAP_ISR, 0, ISR, PART_LEN);
	add_capability(p, CAP_DEVICE, 0, DEVICE, PART_LEN);
	notify = add_capability(p, CAP_NOTIFY, 4, NOTIFY, PART_LEN);
	put_le32(p->pci.config + notify + CAP_NOTIFY_STRIDE, NOTIFY_STRIDE);
	p->window = add_capability(p, CAP_WINDOW, 4, 0, 0);
	p->pci.writable[p->window + CAP_BAR] = 0xff;
	memset(p->pci.writable + p->window + CAP_OFFSET, 0xff, 12);
}

struct pci_device *virtio_pci_new(struct virtio_device *dev, const struct virtio_pci_config *config)
{
	struct virtio_pci *p = g_new0(struct virtio_pci, 1);
	struct pci_ids ids = {
		.vendor = VENDOR,
		.device = (uint16_t)(DEVICE_BASE + dev->type),
		.subsystem_vendor = VENDOR,
		.subsystem = SUBSYSTEM,
		.class_code = class_of(dev->type),
		.revision = 1,
		.intx = true,
	};

	p->dev = dev;
	p->transport.interrupt = interrupt;
	p->range = (struct io_range){ .ops = &registers_ops, .name = "virtio" };
	pci_device_init(&p->pci, &pci_ops, &ids);
	add_capabilities(p);
	pci_add_msix(&p->pci, BAR_MSIX, dev->queue_count + 1);
	pci_add_bar(&p->pci, BAR_REGISTERS, BAR_LEN, PCI_BAR_64 | PCI_BAR_PREFETCH, &p->range);
	virtio_notifiers_init(&p->notifiers, dev, &config->notifier);
	reset_registers(p);
	virtio_attach(dev, config->mem, &p->transport);
	return &p->pci;
}
