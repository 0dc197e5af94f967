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

struct acpi_config;
struct acpi_hotplug;
struct acpi_pm;
struct debugcon;
struct debugexit;
struct fw_cfg;
struct i8042;
struct kbc;
struct pit;
struct port_a;
struct port_b;
struct rtc;
struct serial;
struct slots;

/* Ports and interrupts (GSIs); the tables tell the guest. */
enum {
	PC_SERIAL_PORT = 0x3f8,
	PC_SERIAL_IRQ = 4,
	PC_KEYBOARD_IRQ = 1,
	PC_MOUSE_IRQ = 12,
	PC_RTC_IRQ = 8,
	PC_PM_PORT = 0x600,
	PC_SCI = 9,
	PC_PIT_IRQ = 0,
	PC_HOTPLUG_PORT = 0xae00,
	PC_PCI_PORTS = 0xc000, /* BARs of PCI devices that are ports */
	PC_PCI_PORTS_END = 0xf000,
	PC_PCI_GSI = 16, /* and the next 3; with firmware as slots of a PIIX: 11, 10, 10, 11 */
	PC_PCI_IRQ = 10,
	PC_PIC_LEVEL = 1 << PC_SCI | 1 << PC_PCI_IRQ | 1 << (PC_PCI_IRQ + 1),
	PC_VIRTIO_GSI = 20, /* and the next 3: virtio devices with registers in memory */
	PC_VIRTIO_GSIS = 4,
	PC_MAX_VIRTIO = 8, /* of them */
	PC_GENERATION_LEN = 16,
	PC_UUID_LEN = 16,
};

struct machine {
	struct machine_config config;
	struct dev_clock *clock;
	struct mem *mem;
	struct memmap map;
	struct io_space *pio, *mmio;
	struct io_idle idle;
	struct cpu_engine *engine;

	struct serial *serial;
	struct rtc *rtc;
	struct acpi_pm *pm;
	struct i8042 *i8042; /* with firmware or a screen; or */
	struct kbc *kbc;     /* its reset wire alone */
	struct port_b *port_b;
	/* Only with firmware: */
	struct fw_cfg *fw_cfg;
	struct debugcon *debugcon;
	struct port_a *port_a;
	struct pit *pit;
	struct debugexit *debugexit;
	struct pci_bus *pci;
	struct pci_device *vga; /* NULL: no screen; the bus has it */
	struct slots *slots;
	uint8_t generation[PC_GENERATION_LEN]; /* if config.generation_id */
	uint8_t uuid[PC_UUID_LEN];             /* if config.uuid */

	struct run *run;
	/* What RESET makes of vCPU 0 and of the others, whose APIC ID is filled in. */
	struct x86_state *reset_boot, *reset_other;
	struct cpu_chip_state reset_chips;

	/* What waits for devices. */
	bool pausing, resetting;
	struct machine_event reset; /* to be told */
};

/* Where pin INTA# of slot @pin (of the first four) ends; pc.c. */
unsigned machine_pci_gsi(const struct machine *machine, unsigned pin);
/* Fill what the firmware reads, with the ACPI tables of @tables; firmware-cfg.c. */
void firmware_tell(struct machine *machine, struct acpi_config *tables);
/* What it is to boot: devices may have come since. */
void firmware_tell_boot(struct machine *machine);
/* Take down what there is; pc.c. */
void machine_dismantle(struct machine *machine);
/* Tell the one who uses the machine, who may free it; machine.c. */
void machine_tell(struct machine *machine, const struct machine_event *event);
/* A request of the guest; machine.c. */
void machine_requested(void *opaque, const struct machine_event *event);
/* [main] I/O of devices has ended: go on with what waited for it; machine.c. */
void machine_devices_quiet(struct machine *machine);
/* As after power-on, except for clocks and most of the memory: devices and chips reset, tables and
 * kernel in place, vCPU 0 in front of the kernel. No vCPU executes; machine.c. */
bool machine_restart(struct machine *machine, GError **error);

#endif
