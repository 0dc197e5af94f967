/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine-int.h - what a machine consists of: pc.c puts it together, machine.c lives its life
 */
#ifndef MACHINE_MACHINE_INT_H
#define MACHINE_MACHINE_INT_H

#include "cpu/cpu.h"
#include "dev/clock.h"
#include "machine/machine.h"
#include "machine/memmap.h"
#include "machine/run.h"

struct acpi_pm;
struct debugexit;
struct kbc;
struct rtc;
struct serial;

/* Ports and interrupts (GSIs); the tables tell the guest. */
enum {
	PC_SERIAL_PORT = 0x3f8,
	PC_SERIAL_IRQ = 4,
	PC_RTC_IRQ = 8,
	PC_PM_PORT = 0x600,
	PC_SCI = 9,
};

struct machine {
	struct machine_config config;
	struct dev_clock *clock;
	struct mem *mem;
	struct memmap map;
	struct io_space *pio, *mmio;
	struct cpu_engine *engine;

	struct serial *serial;
	struct rtc *rtc;
	struct acpi_pm *pm;
	struct kbc *kbc;
	struct debugexit *debugexit;

	struct run *run;
	/* What RESET makes of vCPU 0 and of the others, whose APIC ID is filled in. */
	struct x86_state *reset_boot, *reset_other;
	struct cpu_chip_state reset_chips;
};

/* Take down what there is; pc.c. */
void machine_dismantle(struct machine *machine);
/* A request of the guest; machine.c. */
void machine_requested(void *opaque, const struct machine_event *event);
/* As after power-on, except for clocks and most of the memory: devices and chips reset, tables and
 * kernel in place, vCPU 0 in front of the kernel. No vCPU executes; machine.c. */
bool machine_restart(struct machine *machine, GError **error);

#endif
