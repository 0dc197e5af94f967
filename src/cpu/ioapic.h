/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioapic.h - I/O APIC with 24 inputs in software (Intel 82093AA data sheet; ICH9 section 13.5)
 *
 * Threads: any; it has a lock of its own.
 */
#ifndef CPU_IOAPIC_H
#define CPU_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "bus/io.h"
#include "cpu/lapic.h"

enum {
	IOAPIC_PINS = 24,
	IOAPIC_TIMER_PIN = 2, /* where a PC with 8259s has GSI 0 */
	IOAPIC_LEN = 0x1000
};
#define IOAPIC_BASE 0xfec00000u

struct ioapic;
struct cpu_chip_state;

/* Adds itself to @mmio at IOAPIC_BASE; messages go to @lapics. Both must outlive it. */
struct ioapic *ioapic_new(struct io_space *mmio, struct lapic_set *lapics, GError **error);
void ioapic_free(struct ioapic *ioapic);
DEFINE_AUTOPTR(ioapic, ioapic_free);

void ioapic_reset(struct ioapic *ioapic);
void ioapic_set_line(struct ioapic *ioapic, unsigned pin, bool level);
/* A level-triggered interrupt with this vector ended: sends again what is still asserted. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

void ioapic_get_state(struct ioapic *ioapic, struct cpu_chip_state *state);
void ioapic_set_state(struct ioapic *ioapic, const struct cpu_chip_state *state);

#endif
