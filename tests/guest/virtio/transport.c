/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transport.c - find virtio devices and talk to their registers (virtio 1.2, 3.1, 4.1, 4.2)
 *
 * Devices with registers in memory are where the machine's map has them: from 0xfeb00000 on, 512
 * bytes each, device N with GSI 20 + N % 4. Those on PCI have GSI 16 + slot % 4 for INTA#.
 */
#include "virtio.h"

struct device devices[MAX_DEVICES];
unsigned device_count;

enum {
	MMIO_BASE = 0xfeb00000u,
	MMIO_LEN = 0x200,
	MMIO_MAGIC = 0x74726976,
	MMIO_MAX = 8,

	NOTHING = 0xffff,
	ACKNOWLEDGE = 1,
	DRIVER = 2,
	DRIVER_OK = 4,
	FEATURES_OK = 8,
};

/* Offsets on PCI (4.1.4.3) and in memory (4.2.2). */
enum {
	P_DEVICE_FEATURE_SELECT = 0x00,
	P_DEVICE_FEATURE = 0x04,
	P_DRIVER_FEATURE_SELECT = 0x08,
	P_DRIVER_FEATURE = 0x0c,
	P_CONFIG_VECTOR = 0x10,
	P_STATUS = 0x14,
	P_QUEUE_SELECT = 0x16,
	P_QUEUE_SIZE = 0x18,
	P_QUEUE_VECTOR = 0x1a,
	P_QUEUE_ENABLE = 0x1c,
	P_QUEUE_NOTIFY_OFF = 0x1e,
	P_QUEUE_DESC = 0x20,
	P_QUEUE_DRIVER = 0x28,
	P_QUEUE_DEVICE = 0x30,
	P_QUEUE_RESET = 0x3a,

	M_DEVICE_FEATURE = 0x10,
	M_DEVICE_FEATURE_SELECT = 0x14,
	M_DRIVER_FEATURE = 0x20,
	M_DRIVER_FEATURE_SELECT = 0x24,
	M_QUEUE_SELECT = 0x30,
	M_QUEUE_MAX = 0x34,
	M_QUEUE_SIZE = 0x38,
	M_QUEUE_READY = 0x44,
	M_NOTIFY = 0x50,
	M_STATUS = 0x70,
	M_QUEUE_DESC = 0x80,
	M_QUEUE_DRIVER = 0x90,
	M_QUEUE_DEVICE = 0xa0,
	M_QUEUE_RESET = 0xc0,
	M_CONFIG = 0x100,
};

/* ---- finding ---- */

static struct device *new_device(void)
{
	struct device *d = &devices[device_count];

	d->base_vector = 0x40 + 16 * device_count;
	if (d->base_vector >= 0x80)
		d->base_vector += 16;
	device_count++;
	return d;
}

static u64 part_addr(unsigned slot, unsigned cap)
{
	u64 addr = pci_bar(slot, pci_read(slot, cap + 4, 1)) + pci_read(slot, cap + 8, 4);

	map_registers(addr);
	return addr;
}

static void find_parts(struct device *d)
{
	unsigned slot = d->slot, cap = 0;

	while ((cap = pci_next_capability(slot, cap, 9))) {
		switch (pci_read(slot, cap + 3, 1)) {
		case 1:
			d->regs = part_addr(slot, cap);
			break;
		case 2:
			d->notify = part_addr(slot, cap);
			d->notify_stride = pci_read(slot, cap + 16, 4);
			break;
		case 3:
			d->isr = part_addr(slot, cap);
			break;
		case 4:
			d->config = part_addr(slot, cap);
			break;
		default:
			break;
		}
	}
	cap = pci_next_capability(slot, 0, 0x11);
	if (cap) {
		u32 table = pci_read(slot, cap + 4, 4), pending = pci_read(slot, cap + 8, 4);

		d->table = pci_bar(slot, table & 7) + (table & ~7u);
		d->pending = pci_bar(slot, pending & 7) + (pending & ~7u);
		map_registers(d->table);
		map_registers(d->pending);
	}
}

static struct device *known_in_slot(unsigned slot)
{
	for (unsigned i = 0; i < device_count; i++) {
		if (!devices[i].mmio && devices[i].slot == slot)
			return &devices[i];
	}
	return 0;
}

struct device *device_in_slot(unsigned slot)
{
	u32 id = pci_read(slot, 0, 4);
	struct device *d = known_in_slot(slot);

	if (id != pci_read_ports(slot, 0))
		step("pci", "ECAM and ports agree", 0);
	if ((id & 0xffff) != 0x1af4 || id >> 16 < 0x1040)
		return 0;
	if (!d && device_count == MAX_DEVICES)
		return 0;
	if (!d)
		d = new_device();
	d->type = (id >> 16) - 0x1040;
	d->slot = slot;
	d->gsi = 16 + slot % 4;
	pci_write(slot, 4, 2, 0x406); /* memory, master, no INTx */
	find_parts(d);
	return d;
}

static void find_on_pci(void)
{
	for (unsigned slot = 1; slot < 32; slot++)
		(void)device_in_slot(slot);
}

static void find_in_memory(void)
{
	for (unsigned n = 0; n < MMIO_MAX && device_count < MAX_DEVICES; n++) {
		u64 base = MMIO_BASE + n * MMIO_LEN;
		struct device *d;

		if (read32(base) != MMIO_MAGIC || read32(base + 4) != 2 || !read32(base + 8))
			continue;
		d = new_device();
		d->type = read32(base + 8);
		d->mmio = 1;
		d->regs = base;
		d->config = base + M_CONFIG;
		d->gsi = 20 + n % 4;
		irq_route(d->gsi);
	}
}

void devices_find(void)
{
	find_on_pci();
	find_in_memory();
}

/* ---- registers ---- */

static void write_status(struct device *d, u8 status)
{
	if (d->mmio)
		write32(d->regs + M_STATUS, status);
	else
		write8(d->regs + P_STATUS, status);
}

u8 device_status(struct device *d)
{
	return d->mmio ? (u8)read32(d->regs + M_STATUS) : read8(d->regs + P_STATUS);
}

u64 device_offers(struct device *d)
{
	u64 features = 0;

	for (u32 i = 0; i < 2; i++) {
		write32(d->regs + (d->mmio ? M_DEVICE_FEATURE_SELECT : P_DEVICE_FEATURE_SELECT), i);
		features |= (u64)read32(d->regs + (d->mmio ? M_DEVICE_FEATURE : P_DEVICE_FEATURE))
			    << 32 * i;
	}
	return features;
}

static void accept(struct device *d, u64 features)
{
	d->features = features;
	for (u32 i = 0; i < 2; i++) {
		write32(d->regs + (d->mmio ? M_DRIVER_FEATURE_SELECT : P_DRIVER_FEATURE_SELECT), i);
		write32(d->regs + (d->mmio ? M_DRIVER_FEATURE : P_DRIVER_FEATURE),
			(u32)(features >> 32 * i));
	}
}

int device_reset(struct device *d)
{
	unsigned cpu = cpu_number(), start = ticks[cpu];

	write_status(d, 0);
	while (device_status(d)) {
		irq_window();
		if (ticks[cpu] - start > MAX_TICKS)
			return 0;
	}
	return 1;
}

static void select(struct device *d, unsigned queue)
{
	if (d->mmio)
		write32(d->regs + M_QUEUE_SELECT, queue);
	else
		write16(d->regs + P_QUEUE_SELECT, (u16)queue);
}

static void write_addr(u64 at, const void *p)
{
	write32(at, (u32)(u64)p);
	write32(at + 4, (u32)((u64)p >> 32));
}

static int enable_in_memory(struct queue *q)
{
	u64 regs = q->dev->regs;

	if (read32(regs + M_QUEUE_MAX) < q->size)
		return 0;
	write32(regs + M_QUEUE_SIZE, q->size);
	write_addr(regs + M_QUEUE_DESC, q->ring);
	write_addr(regs + M_QUEUE_DRIVER, q->ring + 1024);
	write_addr(regs + M_QUEUE_DEVICE, q->ring + 2048);
	write32(regs + M_QUEUE_READY, 1);
	return read32(regs + M_QUEUE_READY) == 1;
}

static int enable_on_pci(struct queue *q)
{
	struct device *d = q->dev;

	if (read16(d->regs + P_QUEUE_SIZE) < q->size)
		return 0;
	write16(d->regs + P_QUEUE_SIZE, (u16)q->size);
	if (!d->intx) {
		pci_msix(d, q->index + 1, d->base_vector + q->index, q->cpu);
		write16(d->regs + P_QUEUE_VECTOR, (u16)(q->index + 1));
		if (read16(d->regs + P_QUEUE_VECTOR) != q->index + 1)
			return 0;
	}
	write_addr(d->regs + P_QUEUE_DESC, q->ring);
	write_addr(d->regs + P_QUEUE_DRIVER, q->ring + 1024);
	write_addr(d->regs + P_QUEUE_DEVICE, q->ring + 2048);
	write16(d->regs + P_QUEUE_ENABLE, 1);
	return read16(d->regs + P_QUEUE_ENABLE) == 1;
}

static int enable(struct queue *q)
{
	select(q->dev, q->index);
	return q->dev->mmio ? enable_in_memory(q) : enable_on_pci(q);
}

static void set_config_vector(struct device *d)
{
	if (d->mmio)
		return;
	if (d->intx) {
		unsigned cap = pci_next_capability(d->slot, 0, 0x11);

		pci_write(d->slot, cap + 2, 2, 0);
		pci_write(d->slot, 4, 2, 6);
		irq_route(d->gsi);
		return;
	}
	pci_write(d->slot, 4, 2, 0x406);
	pci_msix(d, 0, d->base_vector + 15, 0);
	write16(d->regs + P_CONFIG_VECTOR, 0);
}

int device_start(struct device *d, u64 want, struct queue *const *queues, unsigned count)
{
	if (!device_reset(d))
		return 0;
	d->config_irqs = d->line_irqs = 0;
	for (unsigned i = 0; i < DEVICE_QUEUES; i++)
		d->queue_irqs[i] = 0;
	write_status(d, ACKNOWLEDGE);
	write_status(d, ACKNOWLEDGE | DRIVER);
	accept(d, device_offers(d) & (want | F_VERSION_1));
	write_status(d, ACKNOWLEDGE | DRIVER | FEATURES_OK);
	if (!(device_status(d) & FEATURES_OK))
		return 0;
	set_config_vector(d);
	for (unsigned i = 0; i < count; i++) {
		queue_init(queues[i], d, queues[i]->index, queues[i]->size);
		if (!enable(queues[i]))
			return 0;
	}
	write_status(d, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
	return device_status(d) == (ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

/* With NOTIFICATION_DATA (4.1.5.2) the next position goes with it. */
void device_notify(struct device *d, const struct queue *q)
{
	u32 data = q->index;

	if (q->notify_data)
		data |= (u32)(q->next_avail & 0x7fff) << 16 |
			(q->packed ? (u32)q->avail_wrap << 31 : (u32)(q->next_avail >> 15) << 31);
	if (d->mmio)
		write32(d->regs + M_NOTIFY, data);
	else if (q->notify_data)
		write32(d->notify + q->index * d->notify_stride, data);
	else
		write16(d->notify + q->index * d->notify_stride, (u16)data);
}

/* Take a queue back (2.6.1), and set it up again. */
int queue_reset(struct queue *q)
{
	struct device *d = q->dev;
	u64 at = d->regs + (d->mmio ? M_QUEUE_RESET : P_QUEUE_RESET);
	unsigned cpu = cpu_number(), start = ticks[cpu];

	select(d, q->index);
	if (d->mmio)
		write32(at, 1);
	else
		write16(at, 1);
	while (d->mmio ? read32(at) : read16(at)) {
		irq_window();
		if (ticks[cpu] - start > MAX_TICKS)
			return 0;
	}
	queue_init(q, d, q->index, q->size);
	irq_window();
	return queue_untouched(q) && enable(q);
}

const volatile unsigned *queue_irqs(const struct queue *q)
{
	const struct device *d = q->dev;

	return d->mmio || d->intx ? &d->line_irqs : &d->queue_irqs[q->index];
}

/* ---- configuration ---- */

u8 config8(struct device *d, unsigned off)
{
	return read8(d->config + off);
}

u16 config16(struct device *d, unsigned off)
{
	return read16(d->config + off);
}

u32 config32(struct device *d, unsigned off)
{
	return read32(d->config + off);
}

u64 config64(struct device *d, unsigned off)
{
	return config32(d, off) | (u64)config32(d, off + 4) << 32;
}
