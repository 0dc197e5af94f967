/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lvm64.c - a guest whose disk is a logical volume; test-lvm.py types what it is to do
 *
 *   w DIGIT  fill the first 8 sectors with the pattern of the digit, and flush
 *   r        which digit's pattern is there
 *   e DIGIT  the same at the end of the disk
 *   z        discard the first 8 sectors
 *   c        how many sectors the disk has
 *
 * When the disk gets another size it says so by itself.
 */
#include "virtio/virtio.h"

enum {
	COM1 = 0x3f8,
	LSR = 5,
	LSR_DATA = 1,
	CAPACITY = 0, /* of the configuration */
	AREA = 8,     /* sectors */
};

static struct queue disk = { .size = RING };
static struct device *device;

void step(const char *where, const char *what, int ok)
{
	if (ok)
		return;
	print("%s, %s: WRONG\n", where, what);
	guest_exit(1);
}

static int key(void)
{
	return inb(COM1 + LSR) & LSR_DATA ? inb(COM1) : 0;
}

static unsigned next_key(void)
{
	unsigned k;

	while (!(k = (unsigned)key()))
		irq_sleep();
	return k;
}

static u64 seed_of(unsigned digit)
{
	return (u64)digit << 32 | 0x5151;
}

static unsigned sectors(void)
{
	return (unsigned)config64(device, CAPACITY);
}

static void write_at(u64 sector)
{
	unsigned digit = next_key();

	step("disk", "write", blk_write(&disk, sector, seed_of(digit)));
	step("disk", "flush", blk_flush(&disk));
	print("wrote %c\n", digit);
}

static void read_first(void)
{
	for (unsigned digit = '0'; digit <= '9'; digit++) {
		if (!blk_has(&disk, 0, seed_of(digit)))
			continue;
		print("has %c\n", digit);
		return;
	}
	print("has none\n");
}

static void obey(unsigned command)
{
	switch (command) {
	case 'w':
		write_at(0);
		break;
	case 'e':
		write_at(sectors() - AREA);
		break;
	case 'r':
		read_first();
		break;
	case 'z':
		print("discard %s\n", blk_discard(&disk, 0, AREA) ? "ok" : "refused");
		break;
	case 'c':
		print("sectors %u\n", sectors());
		break;
	default:
		break;
	}
}

int main(void)
{
	unsigned told = 0;

	irq_init();
	devices_find();
	for (unsigned i = 0; i < device_count; i++) {
		if (devices[i].type == TYPE_BLK)
			device = &devices[i];
	}
	step("disk", "is there", device != 0);
	step("disk", "start", blk_start(device, modes[3].features, &disk));
	print("ready\n");
	for (;;) {
		unsigned k = (unsigned)key();

		if (device->config_irqs != told) {
			told = device->config_irqs;
			print("resized %u\n", sectors());
		}
		if (k)
			obey(k);
		else
			irq_sleep();
	}
}
