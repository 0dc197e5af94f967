/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio64.c - virtio devices as a driver sees them, on two CPUs: virtio/virtio.h tells what
 *
 * run-virtio.py starts it, with the devices that it looks for, and does what control() asks for.
 */
#include "virtio/virtio.h"

static struct device *user, *link_a, *link_b;

void step(const char *where, const char *what, int ok)
{
	print("%s, %s: %s\n", where, what, ok ? "ok" : "WRONG");
	guest_failures += !ok;
}

void ap_main(int number)
{
	(void)number;
	irq_init_cpu();
	blk_ap();
}

/* Which card is which: by the end of their addresses. */
static void note_card(struct device *d)
{
	switch (config8(d, 5)) {
	case 1:
		user = d;
		break;
	case 2:
		link_a = d;
		break;
	case 3:
		link_b = d;
		break;
	default:
		break;
	}
}

static void each(u32 type, void (*test)(struct device *d))
{
	for (unsigned i = 0; i < device_count; i++) {
		if (devices[i].type == type)
			test(&devices[i]);
	}
}

int main(void)
{
	irq_init();
	guest_start_aps(1);
	devices_find();
	for (unsigned i = 0; i < device_count; i++)
		print("device of type %u %s\n", devices[i].type,
		      devices[i].mmio ? "in memory" : "on PCI");
	each(TYPE_RNG, rng_test);
	each(TYPE_CONSOLE, console_test);
	each(TYPE_BLK, blk_test);
	each(TYPE_NET, note_card);
	if (user)
		net_test_user(user);
	if (link_a && link_b)
		net_test_pair(link_a, link_b);
	step("all", "done", control("bye"));
	return guest_failures;
}
