/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port-b.c - system control port B of a PC, of which the reason of an NMI is what matters
 */
#include "dev/port-b.h"

#include "bus/io.h"

struct port_b {
	struct io_range range;
	struct io_space *pio;
};

static uint64_t port_b_read(struct io_range *range, uint64_t off, unsigned size)
{
	(void)range;
	(void)off;
	(void)size;
	return PORT_B_TIMER_OUT;
}

static const struct io_ops port_b_ops = { .read = port_b_read };

struct port_b *port_b_new(struct io_space *pio, GError **error)
{
	struct port_b *port_b = g_new(struct port_b, 1);

	*port_b = (struct port_b){
		.range = { .ops = &port_b_ops, .base = PORT_B_PORT, .len = 1, .name = "port-b" },
	};
	if (!io_space_add(pio, &port_b->range, error)) {
		port_b_free(port_b);
		return NULL;
	}
	port_b->pio = pio;
	return port_b;
}

void port_b_free(struct port_b *port_b)
{
	if (!port_b)
		return;
	if (port_b->pio)
		io_space_remove(port_b->pio, &port_b->range);
	g_free(port_b);
}
