/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hotplug64.c - devices that come and go while a disk and two cards are busy; test-hotplug.py starts it
 *
 * As the DSDT's code would: the SCI tells that GPE 1 is pending, then ports at 0xae00 tell which
 * slots have a new device and which should be let go, and let go they are by the third. Each
 * device is used when it comes, in another way each time. Every other disk goes with requests
 * under way, without having been reset.
 */
#include "virtio/virtio.h"

enum {
	SCI = 9,
	GPE_STATUS = 0x60c,
	GPE_ENABLE = 0x60e,
	GPE_PCI = 1 << 1,

	INSERTED = 0xae00,
	ASKED = 0xae04,
	EJECT = 0xae08,

	CARD_A = 0,
	CARD_B,
	CARD_NEW,
};

static struct queue busy = { .size = RING }, coming = { .size = RING };
static volatile int pending;
static unsigned turn;

void step(const char *where, const char *what, int ok)
{
	if (ok)
		return;
	print("%s, %s: WRONG\n", where, what);
	guest_exit(1);
}

static void on_wire(unsigned gsi)
{
	if (gsi != SCI || !(inb(GPE_STATUS) & GPE_PCI))
		return;
	outb(GPE_STATUS, GPE_PCI);
	pending = 1;
}

static void came(unsigned slot)
{
	struct device *d = device_in_slot(slot);
	const struct mode *mode = &modes[turn++ % MODES];
	int ok = 0;

	if (d && d->type == TYPE_BLK)
		ok = blk_start(d, mode->features, &coming) && blk_write_and_read(&coming, 0, turn);
	else if (d && d->type == TYPE_NET)
		ok = net_start(CARD_NEW, d, mode->features) && net_arp(CARD_NEW);
	print("in %u: %s\n", slot, ok ? "ok" : "WRONG");
}

static void goes(unsigned slot)
{
	struct device *d = device_in_slot(slot);

	if (d && d->type == TYPE_BLK && turn & 1)
		blk_start_many(&coming);
	else if (d)
		step("device", "stops", device_reset(d));
	outl(EJECT, 1u << slot);
	step("slot", "empty", pci_read(slot, 0, 4) == ~0u);
}

static void look(void)
{
	u32 inserted, asked;

	pending = 0;
	inserted = inl(INSERTED);
	asked = inl(ASKED);
	for (unsigned slot = 1; slot < 32; slot++) {
		if (inserted >> slot & 1)
			came(slot);
		if (asked >> slot & 1)
			goes(slot);
	}
}

static void start_busy_devices(void)
{
	for (unsigned i = 0; i < device_count; i++) {
		struct device *d = &devices[i];

		if (d->type == TYPE_BLK)
			step("disk", "start", blk_start(d, modes[3].features, &busy));
		else if (d->type == TYPE_NET)
			step("card", "start",
			     net_start(config8(d, 5) == 2 ? CARD_A : CARD_B, d, modes[1].features));
	}
	/* Before, frames are lost, as on a cable that is not plugged in; on a busy host it may be
	 * plugged in later than we start. */
	step("links", "are up", net_link_up(CARD_A) && net_link_up(CARD_B));
}

int main(void)
{
	irq_init();
	wire_handler = on_wire;
	irq_route(SCI);
	outb(GPE_ENABLE, GPE_PCI);
	devices_find();
	start_busy_devices();
	print("ready\n");
	for (u32 round = 0;; round++) {
		step("disk", "is busy", blk_write_and_read(&busy, round % 64 * 8, round));
		step("cards", "are busy",
		     net_pass(CARD_A, CARD_B, 60 + round % 1000, round) &&
			     net_pass(CARD_B, CARD_A, 60, round));
		irq_window();
		if (pending)
			look();
	}
}
