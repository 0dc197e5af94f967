/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioapic.c - I/O APIC with 24 inputs in software
 *
 * A wire that is "true" asserts its interrupt, whatever polarity the guest has chosen: devices do
 * not know polarity. Version 0x11 as KVM's: no EOI register, so level-triggered interrupts end by
 * the broadcast of the local APIC, ioapic_eoi().
 *
 * Level-triggered: fires when the wire is up, the entry unmasked and remote IRR clear; sets remote
 * IRR, which the EOI clears, and then looks again. Edge-triggered: fires when the wire goes up; an
 * edge that comes while the entry is masked is lost.
 */
#include "cpu/ioapic.h"

#include <pthread.h>

#include "base/error.h"
#include "cpu/cpu.h"

#define REDIR_VECTOR     0x000ffu
#define REDIR_LOGICAL    0x00800u
#define REDIR_STATUS     0x01000u /* read only, always idle here */
#define REDIR_REMOTE_IRR 0x04000u /* read only */
#define REDIR_LEVEL      0x08000u
#define REDIR_MASKED     0x10000u
#define REDIR_VALID      (UINT64_C(0xff) << 56 | 0x1ffffu)

enum {
	REG_SELECT = 0x00,
	REG_WINDOW = 0x10,
	INDEX_ID = 0x00,
	INDEX_VERSION = 0x01,
	INDEX_ARBITRATION = 0x02,
	INDEX_REDIR = 0x10,
	VERSION = 0x11 | (IOAPIC_PINS - 1) << 16,
};

struct ioapic {
	struct io_range range;
	struct io_space *mmio;
	struct lapic_set *lapics;

	pthread_mutex_t lock; /* of all that follows; messages are sent with it held */
	uint64_t redir[IOAPIC_PINS];
	uint32_t lines; /* levels of the wires */
	uint32_t id, select;
};

DATA_PATH static bool send_locked(struct ioapic *ioapic, unsigned pin)
{
	uint64_t redir = ioapic->redir[pin];
	enum lapic_delivery delivery = (redir >> 8) & 7;
	bool vectored = delivery == LAPIC_FIXED || delivery == LAPIC_LOWEST;
	struct lapic_message msg = {
		.dest = (uint32_t)(redir >> 56),
		.logical = (redir & REDIR_LOGICAL) != 0,
		.delivery = delivery,
		.level = vectored && redir & REDIR_LEVEL,
		.assert_ = true,
		.vector = (uint8_t)(redir & REDIR_VECTOR),
	};

	if (delivery == LAPIC_SIPI)
		return false;
	return lapic_set_deliver(ioapic->lapics, &msg) > 0;
}

/* A level-triggered input that may fire does. */
DATA_PATH static void serve_level_locked(struct ioapic *ioapic, unsigned pin)
{
	uint64_t redir = ioapic->redir[pin];

	if (!(redir & REDIR_LEVEL) || redir & (REDIR_MASKED | REDIR_REMOTE_IRR) ||
	    !(ioapic->lines & 1u << pin))
		return;
	if (send_locked(ioapic, pin))
		ioapic->redir[pin] |= REDIR_REMOTE_IRR;
}

DATA_PATH void ioapic_set_line(struct ioapic *ioapic, unsigned pin, bool level)
{
	uint32_t bit, before;

	if (pin >= IOAPIC_PINS)
		return;
	bit = 1u << pin;
	pthread_mutex_lock(&ioapic->lock);
	before = ioapic->lines;
	ioapic->lines = level ? before | bit : before & ~bit;
	if (ioapic->redir[pin] & REDIR_LEVEL)
		serve_level_locked(ioapic, pin);
	else if (level && !(before & bit) && !(ioapic->redir[pin] & REDIR_MASKED))
		(void)send_locked(ioapic, pin);
	pthread_mutex_unlock(&ioapic->lock);
}

DATA_PATH void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
	pthread_mutex_lock(&ioapic->lock);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t redir = ioapic->redir[pin];

		if (!(redir & REDIR_REMOTE_IRR) || (redir & REDIR_VECTOR) != vector)
			continue;
		ioapic->redir[pin] &= ~(uint64_t)REDIR_REMOTE_IRR;
		serve_level_locked(ioapic, pin);
	}
	pthread_mutex_unlock(&ioapic->lock);
}

DATA_PATH static uint32_t read_window_locked(const struct ioapic *ioapic)
{
	unsigned at = ioapic->select - INDEX_REDIR;

	switch (ioapic->select) {
	case INDEX_ID:
	case INDEX_ARBITRATION:
		return ioapic->id << 24;
	case INDEX_VERSION:
		return VERSION;
	default:
		if (at >= 2 * IOAPIC_PINS)
			return 0;
		return (uint32_t)(ioapic->redir[at / 2] >> (at % 2 * 32));
	}
}

DATA_PATH static void write_window_locked(struct ioapic *ioapic, uint32_t value)
{
	const uint64_t read_only = REDIR_STATUS | REDIR_REMOTE_IRR;
	unsigned at = ioapic->select - INDEX_REDIR, pin = at / 2;
	uint64_t redir;

	if (ioapic->select == INDEX_ID)
		ioapic->id = value >> 24 & 0xf;
	if (at >= 2 * IOAPIC_PINS)
		return;
	redir = ioapic->redir[pin];
	if (at % 2)
		redir = (redir & UINT32_MAX) | (uint64_t)value << 32;
	else
		redir = (redir & (UINT64_C(0xffffffff) << 32 | read_only)) |
			(value & ~read_only & UINT32_MAX);
	redir &= REDIR_VALID;
	/* Kernels end a stuck interrupt by making the entry edge triggered for a moment. */
	if (!(redir & REDIR_LEVEL))
		redir &= ~(uint64_t)REDIR_REMOTE_IRR;
	ioapic->redir[pin] = redir;
	serve_level_locked(ioapic, pin);
}

DATA_PATH static uint64_t mmio_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct ioapic *ioapic = container_of(range, struct ioapic, range);
	uint32_t value = 0;

	(void)size;
	pthread_mutex_lock(&ioapic->lock);
	if (off == REG_SELECT)
		value = ioapic->select;
	else if (off == REG_WINDOW)
		value = read_window_locked(ioapic);
	pthread_mutex_unlock(&ioapic->lock);
	return value;
}

DATA_PATH static void mmio_write(struct io_range *range, uint64_t off, unsigned size,
				 uint64_t value)
{
	struct ioapic *ioapic = container_of(range, struct ioapic, range);

	(void)size;
	pthread_mutex_lock(&ioapic->lock);
	if (off == REG_SELECT)
		ioapic->select = value & 0xff;
	else if (off == REG_WINDOW)
		write_window_locked(ioapic, (uint32_t)value);
	pthread_mutex_unlock(&ioapic->lock);
}

static const struct io_ops mmio_ops = { .read = mmio_read, .write = mmio_write };

struct ioapic *ioapic_new(struct io_space *mmio, struct lapic_set *lapics, GError **error)
{
	struct ioapic *ioapic = g_new0(struct ioapic, 1);

	ioapic->range = (struct io_range){
		.ops = &mmio_ops, .base = IOAPIC_BASE, .len = IOAPIC_LEN, .name = "ioapic"
	};
	ioapic->mmio = mmio;
	ioapic->lapics = lapics;
	pthread_mutex_init(&ioapic->lock, NULL);
	ioapic_reset(ioapic);
	if (!io_space_add(mmio, &ioapic->range, error)) {
		ioapic->mmio = NULL;
		ioapic_free(ioapic);
		return NULL;
	}
	return ioapic;
}

void ioapic_free(struct ioapic *ioapic)
{
	if (!ioapic)
		return;
	if (ioapic->mmio)
		io_space_remove(ioapic->mmio, &ioapic->range);
	pthread_mutex_destroy(&ioapic->lock);
	g_free(ioapic);
}

void ioapic_reset(struct ioapic *ioapic)
{
	pthread_mutex_lock(&ioapic->lock);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic->redir[pin] = REDIR_MASKED;
	ioapic->id = 0;
	ioapic->select = 0;
	/* The wires belong to the devices: they stay as they are. */
	pthread_mutex_unlock(&ioapic->lock);
}

void ioapic_get_state(struct ioapic *ioapic, struct cpu_chip_state *state)
{
	pthread_mutex_lock(&ioapic->lock);
	state->ioapic_id = ioapic->id;
	state->ioapic_select = ioapic->select;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		state->ioapic_redir[pin] = ioapic->redir[pin];
	state->ioapic_irr = ioapic->lines;
	pthread_mutex_unlock(&ioapic->lock);
}

/* Fires nothing: an interrupt on its way is in the state of a local APIC. */
void ioapic_set_state(struct ioapic *ioapic, const struct cpu_chip_state *state)
{
	pthread_mutex_lock(&ioapic->lock);
	ioapic->id = state->ioapic_id & 0xf;
	ioapic->select = state->ioapic_select & 0xff;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t redir = state->ioapic_redir[pin] & REDIR_VALID & ~(uint64_t)REDIR_STATUS;

		if (!(redir & REDIR_LEVEL))
			redir &= ~(uint64_t)REDIR_REMOTE_IRR;
		ioapic->redir[pin] = redir;
	}
	ioapic->lines = state->ioapic_irr & ((1u << IOAPIC_PINS) - 1);
	pthread_mutex_unlock(&ioapic->lock);
}
