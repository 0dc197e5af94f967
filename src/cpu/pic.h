/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pic.h - the two interrupt controllers of a PC before the APIC, in software (Intel 8259A data
 * sheet; the registers that choose edge or level: PIIX3 data sheet 2.5.12)
 *
 * The second one is at input 2 of the first, so there are 15 wires: 0 to 15 without 2. What the
 * pair has to tell goes to one wire, INTR; the vector is asked for when an interrupt is taken.
 *
 * Threads: any; it has a lock of its own, under which output() is called.
 */
#ifndef CPU_PIC_H
#define CPU_PIC_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"

enum {
	PIC_WIRES = 16,
	PIC_CASCADE = 2 /* no wire */
};

struct cpu_chip_state;
struct io_space;
struct pic;

/* Adds itself to @pio, which must outlive it. @output hears of each change of INTR. */
struct pic *pic_new(struct io_space *pio, void (*output)(void *opaque, bool level), void *opaque,
		    GError **error);
void pic_free(struct pic *pic);
DEFINE_AUTOPTR(pic, pic_free);

void pic_set_line(struct pic *pic, unsigned wire, bool level);
/* A CPU takes the interrupt: its vector; -1: INTR has fallen meanwhile. */
int pic_ack(struct pic *pic);

void pic_get_state(struct pic *pic, struct cpu_chip_state *state);
/* Impossible values are cut to what can be. */
void pic_set_state(struct pic *pic, const struct cpu_chip_state *state);

#endif
