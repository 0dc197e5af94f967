/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kbc.c - the one wire of a keyboard controller that guests without a keyboard use: reset
 */
#include "dev/kbc.h"

#include "bus/io.h"

struct kbc {
	struct io_range range;
	struct io_space *pio;
	void (*reset)(void *opaque);
	void *opaque;
};

static void kbc_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct kbc *kbc = container_of(range, struct kbc, range);

	(void)off;
	(void)size;
	if (value == KBC_RESET)
		kbc->reset(kbc->opaque);
}

static const struct io_ops kbc_ops = { .write = kbc_write };

struct kbc *kbc_new(struct io_space *pio, void (*reset)(void *opaque), void *opaque, GError **error)
{
	struct kbc *kbc = g_new(struct kbc, 1);

	*kbc = (struct kbc){
		.range = { .ops = &kbc_ops, .base = KBC_PORT, .len = 1, .name = "kbc" },
		.reset = reset,
		.opaque = opaque,
	};
	if (!io_space_add(pio, &kbc->range, error)) {
		kbc_free(kbc);
		return NULL;
	}
	kbc->pio = pio;
	return kbc;
}

void kbc_free(struct kbc *kbc)
{
	if (!kbc)
		return;
	if (kbc->pio)
		io_space_remove(kbc->pio, &kbc->range);
	g_free(kbc);
}
