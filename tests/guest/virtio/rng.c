/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rng.c - entropy (virtio 1.2, 5.4)
 */
#include "virtio.h"

static struct queue requests = { .index = 0, .size = 16 };
static struct queue *const all[1] = { &requests };
static u8 data[2][64] __attribute__((aligned(64)));

void rng_test(struct device *d)
{
	for (unsigned i = 0; i < MODES; i++) {
		struct part first = { data[0], 64, 1 },
			    second[2] = { { data[1], 32, 1 }, { data[1] + 32, 32, 1 } };

		fill(data, 0, sizeof(data));
		step(modes[i].name, "start an entropy source",
		     device_start(d, modes[i].features, all, 1));
		step(modes[i].name, "entropy",
		     queue_do(&requests, &first, 1) == 64 && queue_do(&requests, second, 2) == 64 &&
			     irq_wait(queue_irqs(&requests), 1));
		step(modes[i].name, "it differs",
		     !same(data[0], data[1], 64) && !zero(data[0], 32) && !zero(data[1] + 32, 32));
	}
	device_reset(d);
}
