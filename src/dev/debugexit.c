/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debugexit.c - debug exit: test guests end the machine by writing a byte to port 0xf4
 */
#include "dev/debugexit.h"

#include "bus/io.h"

struct debugexit {
	struct io_range range;
	struct io_space *pio;
	void (*call)(void *opaque, uint8_t status);
	void *opaque;
};

static uint64_t debugexit_read(struct io_range *range, uint64_t off, unsigned size)
{
	(void)range;
	(void)off;
	(void)size;
	return 0; /* unlike an empty port, so that a guest can see that it is there */
}

static void debugexit_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct debugexit *debugexit = container_of(range, struct debugexit, range);

	(void)size;
	if (off == 0)
		debugexit->call(debugexit->opaque, (uint8_t)value);
}

static const struct io_ops debugexit_ops = { .read = debugexit_read, .write = debugexit_write };

struct debugexit *debugexit_new(struct io_space *pio, void (*call)(void *opaque, uint8_t status),
				void *opaque, GError **error)
{
	struct debugexit *debugexit = g_new(struct debugexit, 1);

	*debugexit = (struct debugexit){
		.range = { .ops = &debugexit_ops,
			   .base = DEBUGEXIT_PORT,
			   .len = DEBUGEXIT_PORTS,
			   .name = "debugexit" },
		.call = call,
		.opaque = opaque,
	};
	if (!io_space_add(pio, &debugexit->range, error)) {
		debugexit_free(debugexit);
		return NULL;
	}
	debugexit->pio = pio;
	return debugexit;
}

void debugexit_free(struct debugexit *debugexit)
{
	if (!debugexit)
		return;
	if (debugexit->pio)
		io_space_remove(debugexit->pio, &debugexit->range);
	g_free(debugexit);
}
