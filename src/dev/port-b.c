/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port-b.c - system control port B of a PC: the reason of an NMI, and the timer's counter 2
 */
#include "dev/port-b.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "bus/io.h"
#include "dev/pit.h"

enum {
	REFRESH_NS = 15085
};

struct port_b {
	struct port_b_config config;
	struct io_range range;
	atomic_bool speaker;
	bool added;
};

static uint64_t port_b_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct port_b *port_b = container_of(range, struct port_b, range);
	struct pit *pit = port_b->config.pit;
	uint64_t value = 0;

	(void)off;
	(void)size;
	if (!pit)
		return PORT_B_TIMER_OUT;
	if (pit_gate(pit))
		value |= PORT_B_TIMER_GATE;
	if (atomic_load(&port_b->speaker))
		value |= PORT_B_SPEAKER;
	if (dev_clock_monotonic_ns(port_b->config.clock) / REFRESH_NS % 2)
		value |= PORT_B_REFRESH;
	if (pit_out(pit))
		value |= PORT_B_TIMER_OUT;
	return value;
}

static void port_b_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct port_b *port_b = container_of(range, struct port_b, range);

	(void)off;
	(void)size;
	if (!port_b->config.pit)
		return;
	atomic_store(&port_b->speaker, (value & PORT_B_SPEAKER) != 0);
	pit_set_gate(port_b->config.pit, value & PORT_B_TIMER_GATE);
}

static const struct io_ops port_b_ops = { .read = port_b_read, .write = port_b_write };

struct port_b *port_b_new(const struct port_b_config *config, GError **error)
{
	struct port_b *port_b = g_new(struct port_b, 1);

	*port_b = (struct port_b){
		.config = *config,
		.range = { .ops = &port_b_ops, .base = PORT_B_PORT, .len = 1, .name = "port-b" },
	};
	port_b->added = io_space_add(config->pio, &port_b->range, error);
	if (!port_b->added) {
		port_b_free(port_b);
		return NULL;
	}
	return port_b;
}

void port_b_free(struct port_b *port_b)
{
	if (!port_b)
		return;
	if (port_b->added)
		io_space_remove(port_b->config.pio, &port_b->range);
	g_free(port_b);
}

void port_b_reset(struct port_b *port_b)
{
	atomic_store(&port_b->speaker, false);
}
