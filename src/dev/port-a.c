/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port-a.c - system control port A of a PC: the gate of address line 20, and a reset
 */
#include "dev/port-a.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/io.h"

struct port_a {
	struct io_range range;
	struct io_space *pio;
	void (*reset)(void *opaque);
	void *opaque;
	_Atomic(uint8_t) value;
};

static uint64_t port_a_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct port_a *port_a = container_of(range, struct port_a, range);

	(void)off;
	(void)size;
	return atomic_load(&port_a->value);
}

static void port_a_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct port_a *port_a = container_of(range, struct port_a, range);

	(void)off;
	(void)size;
	atomic_store(&port_a->value, (uint8_t)(value & (uint64_t)~PORT_A_RESET));
	if (value & PORT_A_RESET)
		port_a->reset(port_a->opaque);
}

static const struct io_ops port_a_ops = { .read = port_a_read, .write = port_a_write };

struct port_a *port_a_new(struct io_space *pio, void (*reset)(void *opaque), void *opaque,
			  GError **error)
{
	struct port_a *port_a = g_new(struct port_a, 1);

	*port_a = (struct port_a){
		.range = { .ops = &port_a_ops, .base = PORT_A_PORT, .len = 1, .name = "port-a" },
		.reset = reset,
		.opaque = opaque,
		.value = PORT_A_LINE20,
	};
	if (!io_space_add(pio, &port_a->range, error)) {
		port_a_free(port_a);
		return NULL;
	}
	port_a->pio = pio;
	return port_a;
}

void port_a_free(struct port_a *port_a)
{
	if (!port_a)
		return;
	if (port_a->pio)
		io_space_remove(port_a->pio, &port_a->range);
	g_free(port_a);
}

void port_a_reset(struct port_a *port_a)
{
	atomic_store(&port_a->value, PORT_A_LINE20);
}
