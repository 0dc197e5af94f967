/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-mmio.c - virtio over memory-mapped registers (virtio 1.2, 4.2; version 2 only)
 *
 * Registers are 32 bits wide and taken at that width only; others read as 0. The configuration
 * behind them takes any. Notifications bypass the register from DRIVER_OK on (virtio-int.h).
 */
#include "virtio/virtio-mmio.h"

#include "virtio/virtio-int.h"

enum {
	MAGIC_VALUE = 0x000,
	VERSION = 0x004,
	DEVICE_ID = 0x008,
	VENDOR_ID = 0x00c,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030,
	QUEUE_NUM_MAX = 0x034,
	QUEUE_NUM = 0x038,
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC = 0x080,
	QUEUE_DRIVER = 0x090,
	QUEUE_DEVICE = 0x0a0,
	QUEUE_DEVICE_HIGH = 0x0a4,
	SHM_LEN = 0x0b0,
	SHM_BASE_HIGH = 0x0bc,
	QUEUE_RESET = 0x0c0,
	CONFIG_GENERATION = 0x0fc,
	CONFIG = 0x100,

	MAGIC = 0x74726976,  /* "virt" */
	VENDOR = 0x4c434f53, /* "SOCL" */
	INTERRUPT_QUEUE = 1,
	INTERRUPT_CONFIG = 2,
};

struct virtio_mmio {
	struct virtio_transport transport;
	struct virtio_device *dev;
	struct virtio_mmio_config config;
	struct io_range range;
	struct virtio_notifiers notifiers;

	_Atomic(uint32_t) device_features_sel, driver_features_sel, queue_sel;

	uint32_t interrupt_status; /* guarded by the device's lock */
};

/* The device's lock is held. */
DATA_PATH static void update_line(struct virtio_mmio *m)
{
	irq_line_set(&m->config.irq, m->interrupt_status != 0);
}

DATA_PATH static void interrupt(struct virtio_transport *transport, int index)
{
	struct virtio_mmio *m = container_of(transport, struct virtio_mmio, transport);

	m->interrupt_status |= index < 0 ? INTERRUPT_CONFIG : INTERRUPT_QUEUE;
	update_line(m);
}

static void acknowledge(struct virtio_mmio *m, uint32_t bits)
{
	virtio_lock(m->dev);
	m->interrupt_status &= ~bits;
	update_line(m);
	virtio_unlock(m->dev);
}

static uint32_t read_interrupt_status(struct virtio_mmio *m)
{
	uint32_t status;

	virtio_lock(m->dev);
	status = m->interrupt_status;
	virtio_unlock(m->dev);
	return status;
}

static void write_status(struct virtio_mmio *m, uint32_t status)
{
	struct io_notify first = {
		.mmio = true,
		.addr = m->config.base + QUEUE_NOTIFY,
		.size = 4,
		.match = true,
	};

	if (status > UINT8_MAX)
		return;
	virtio_write_status(m->dev, (uint8_t)status);
	if (!status)
		acknowledge(m, UINT32_MAX);
	if (!(status & VIRTIO_STATUS_DRIVER_OK))
		return;
	virtio_lock(m->dev);
	if (m->dev->status & VIRTIO_STATUS_DRIVER_OK)
		virtio_notifiers_set(&m->notifiers, &first, 0);
	virtio_unlock(m->dev);
}

static uint32_t read_queue(struct virtio_mmio *m, unsigned off)
{
	unsigned queue = atomic_load(&m->queue_sel);
	struct virtq_setup setup;

	if (!virtio_read_queue(m->dev, queue, &setup))
		return 0;
	/* Drivers read this to be sure that the device leaves the memory alone (4.2.2.2). */
	if (off == QUEUE_READY)
		return setup.enabled || virtio_queue_resetting(m->dev, queue);
	return virtq_max_size(m->dev->queue[queue]);
}

static uint32_t read_register(struct virtio_mmio *m, unsigned off)
{
	/* No shared memory: its length and base are all ones (4.2.2.1). */
	if (off >= SHM_LEN && off <= SHM_BASE_HIGH)
		return UINT32_MAX;
	switch (off) {
	case MAGIC_VALUE:
		return MAGIC;
	case VERSION:
		return 2;
	case DEVICE_ID:
		return m->dev->type;
	case VENDOR_ID:
		return VENDOR;
	case DEVICE_FEATURES:
		return virtio_read_features(m->dev, atomic_load(&m->device_features_sel));
	case QUEUE_NUM_MAX:
	case QUEUE_READY:
		return read_queue(m, off);
	case INTERRUPT_STATUS:
		return read_interrupt_status(m);
	case STATUS:
		return virtio_read_status(m->dev);
	case QUEUE_RESET:
		return virtio_queue_resetting(m->dev, atomic_load(&m->queue_sel));
	case CONFIG_GENERATION:
		return virtio_read_generation(m->dev);
	default:
		return 0;
	}
}

/* Size, or a half of an address. */
static void write_queue(struct virtio_mmio *m, unsigned off, uint32_t value)
{
	unsigned queue = atomic_load(&m->queue_sel), shift = off % 8 * 8;
	struct virtq_setup setup;
	uint64_t *addr = &setup.desc;

	if (!virtio_read_queue(m->dev, queue, &setup))
		return;
	if (off == QUEUE_NUM) {
		setup.size = value <= UINT16_MAX ? (uint16_t)value : 0;
	} else {
		if (off >= QUEUE_DEVICE)
			addr = &setup.device;
		else if (off >= QUEUE_DRIVER)
			addr = &setup.driver;
		*addr = (*addr & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
	}
	virtio_write_queue(m->dev, queue, &setup);
}

static void write_register(struct virtio_mmio *m, unsigned off, uint32_t value)
{
	switch (off) {
	case DEVICE_FEATURES_SEL:
		atomic_store(&m->device_features_sel, value);
		break;
	case DRIVER_FEATURES:
		virtio_write_features(m->dev, atomic_load(&m->driver_features_sel), value);
		break;
	case DRIVER_FEATURES_SEL:
		atomic_store(&m->driver_features_sel, value);
		break;
	case QUEUE_SEL:
		atomic_store(&m->queue_sel, value);
		break;
	case QUEUE_NUM:
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
	case QUEUE_DRIVER:
	case QUEUE_DRIVER + 4:
	case QUEUE_DEVICE:
	case QUEUE_DEVICE_HIGH:
		write_queue(m, off, value);
		break;
	case QUEUE_READY:
		if (value == 1)
			virtio_enable_queue(m->dev, atomic_load(&m->queue_sel));
		else if (value == 0)
			virtio_disable_queue(m->dev, atomic_load(&m->queue_sel));
		break;
	case QUEUE_NOTIFY:
		/* With NOTIFICATION_DATA there is more above the queue's index. */
		virtio_kick(m->dev, value & UINT16_MAX);
		break;
	case INTERRUPT_ACK:
		acknowledge(m, value);
		break;
	case STATUS:
		write_status(m, value);
		break;
	case QUEUE_RESET:
		if (value == 1)
			virtio_reset_queue(m->dev, atomic_load(&m->queue_sel));
		break;
	default:
		break;
	}
}

static uint64_t registers_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct virtio_mmio *m = container_of(range, struct virtio_mmio, range);

	if (off >= CONFIG)
		return virtio_read_config(m->dev, (unsigned)off - CONFIG, size);
	return size == 4 && off % 4 == 0 ? read_register(m, (unsigned)off) : 0;
}

static void registers_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct virtio_mmio *m = container_of(range, struct virtio_mmio, range);

	if (off >= CONFIG)
		virtio_write_config(m->dev, (unsigned)off - CONFIG, size, value);
	else if (size == 4 && off % 4 == 0)
		write_register(m, (unsigned)off, (uint32_t)value);
}

static const struct io_ops registers_ops = {
	.read = registers_read,
	.write = registers_write,
};

struct virtio_mmio *virtio_mmio_new(struct virtio_device *dev,
				    const struct virtio_mmio_config *config, GError **error)
{
	struct virtio_mmio *m = g_new0(struct virtio_mmio, 1);

	m->dev = dev;
	m->config = *config;
	m->transport.interrupt = interrupt;
	m->range = (struct io_range){
		.ops = &registers_ops,
		.base = config->base,
		.len = VIRTIO_MMIO_LEN,
		.name = "virtio-mmio",
	};
	if (!io_space_add(config->mmio, &m->range, error)) {
		g_free(m);
		return NULL;
	}
	virtio_notifiers_init(&m->notifiers, dev, &config->notifier);
	virtio_attach(dev, config->mem, &m->transport);
	return m;
}

void virtio_mmio_reset(struct virtio_mmio *m)
{
	virtio_reset(m->dev);
	acknowledge(m, UINT32_MAX);
	atomic_store(&m->device_features_sel, 0);
	atomic_store(&m->driver_features_sel, 0);
	atomic_store(&m->queue_sel, 0);
}

void virtio_mmio_free(struct virtio_mmio *m)
{
	if (!m)
		return;
	io_space_remove(m->config.mmio, &m->range);
	virtio_lock(m->dev);
	virtio_notifiers_clear(&m->notifiers);
	virtio_unlock(m->dev);
	virtio_detach(m->dev);
	virtio_notifiers_release(&m->notifiers);
	m->dev->ops->free(m->dev);
	g_free(m);
}
