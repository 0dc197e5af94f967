/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pc.c - the whole machine, put together in the order in which it starts
 *
 * Ports:  0x61 NMI reason · 0x64 kbc (reset), or 0x60 i8042 · 0x70 rtc · 0xf4 debugexit · 0x3f8 serial ·
 *         0x600 ACPI · 0xcf8 PCI configuration · 0xcf9 reset · 0xae00 hot plug ·
 *         0xc000 to 0xefff BARs · with a screen 0x1ce and 0x3b0 to 0x3df
 * GSIs:   4 serial · 8 rtc · 9 ACPI SCI (level) · 16 to 19 PCI (level) · 20 to 23 virtio devices
 *         with registers in memory (level)
 *
 * Memory is in memmap.h. Without firmware there are no 8259s and no PIT: their ports read as all ones,
 * which is how Linux finds out. With firmware there are, beside it:
 *
 * Ports:  0x20, 0xa0, 0x4d0 8259s (the engine's) · 0x40 PIT · 0x92 reset · 0x402 debug console ·
 *         0x510 fw_cfg
 * GSIs:   0 PIT, at the I/O APIC's pin 2 · 1 keyboard · 12 mouse · 10 and 11 PCI (level), not 16 to
 *         19, so that guests which know nothing of ACPI have it, too
 */
#include "machine/machine-int.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "bus/io.h"
#include "bus/pci.h"
#include "cpu/cpu.h"
#include "dev/acpi-pm.h"
#include "dev/debugcon.h"
#include "dev/debugexit.h"
#include "dev/fw-cfg.h"
#include "dev/i8042.h"
#include "dev/kbc.h"
#include "dev/pit.h"
#include "dev/port-a.h"
#include "dev/port-b.h"
#include "dev/rtc.h"
#include "dev/serial.h"
#include "dev/vga.h"
#include "machine/firmware.h"
#include "machine/slots.h"

#define PIO_LIMIT  0x10000ull
#define MMIO_LIMIT (1ull << 52) /* what a page table entry can name */

/* [any] What devices ask for on a vCPU's thread. */
static void guest_power_off(void *opaque)
{
	struct machine *machine = opaque;

	run_request(machine->run, MACHINE_POWEROFF, 0);
}

static void guest_reset(void *opaque)
{
	struct machine *machine = opaque;

	run_request(machine->run, MACHINE_RESET, 0);
}

static void guest_debug_exit(void *opaque, uint8_t status)
{
	struct machine *machine = opaque;

	run_request(machine->run, MACHINE_DEBUG_EXIT, status);
}

static bool add_memory(struct machine *machine, GError **error)
{
	machine->idle = IO_IDLE_INITIALIZER;
	machine->mem = mem_new();
	machine->pio = io_space_new("ports", PIO_LIMIT);
	machine->mmio = io_space_new("memory", MMIO_LIMIT);
	return memmap_build(machine->mem, machine->config.memory,
			    machine->config.firmware ? firmware_size(machine->config.firmware) : 0,
			    &machine->map, error);
}

static bool add_engine(struct machine *machine, GError **error)
{
	const struct cpu_config config = {
		.cpus = machine->config.cpus,
		.model = machine->config.model,
		.mem = machine->mem,
		.pio = machine->pio,
		.mmio = machine->mmio,
		.idle = &machine->idle,
		.pics = machine->config.firmware,
	};

	if (config.cpus < 1 || config.cpus > CPU_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "a machine with %u CPUs is not possible: give 1 to %d",
				 config.cpus, CPU_MAX);
	machine->engine = machine->config.engine->open(&config, error);
	return machine->engine;
}

static bool add_serial(struct machine *machine, struct irq_sink *sink, GError **error)
{
	const struct serial_config config = {
		.pio = machine->pio,
		.base = PC_SERIAL_PORT,
		.irq = { sink, PC_SERIAL_IRQ },
		.chr = machine->config.serial,
		.clock = machine->clock,
	};

	machine->serial = serial_new(&config, error);
	return machine->serial;
}

static bool add_rtc(struct machine *machine, struct irq_sink *sink, GError **error)
{
	uint64_t below = MIN(machine->config.memory, MEMMAP_HOLE);
	const struct rtc_config config = {
		.pio = machine->pio,
		.irq = { sink, PC_RTC_IRQ },
		.clock = machine->clock,
		.ram_below_4g = below,
		.ram_above_4g = machine->config.memory - below,
		.other_cpus = machine->config.cpus - 1,
	};

	machine->rtc = rtc_new(&config, error);
	return machine->rtc;
}

/* Who boots a kernel without firmware and a screen has no use for a keyboard, and only the way to reset. */
static bool add_keyboard(struct machine *machine, struct irq_sink *sink, GError **error)
{
	const struct i8042_config config = {
		.pio = machine->pio,
		.keyboard = { sink, PC_KEYBOARD_IRQ },
		.mouse = { sink, PC_MOUSE_IRQ },
		.reset = guest_reset,
		.opaque = machine,
	};

	if (machine->config.firmware || machine->config.vga)
		machine->i8042 = i8042_new(&config, error);
	else
		machine->kbc = kbc_new(machine->pio, guest_reset, machine, error);
	return machine->i8042 || machine->kbc;
}

static bool add_power(struct machine *machine, struct irq_sink *sink, GError **error)
{
	const struct acpi_pm_config config = {
		.pio = machine->pio,
		.base = PC_PM_PORT,
		.sci = { sink, PC_SCI },
		.clock = machine->clock,
		.power_off = guest_power_off,
		.reset = guest_reset,
		.opaque = machine,
	};
	const struct port_b_config port_b = {
		.pio = machine->pio,
		.pit = machine->pit,
		.clock = machine->clock,
	};

	machine->pm = acpi_pm_new(&config, error);
	if (!machine->pm)
		return false;
	machine->port_b = port_b_new(&port_b, error);
	if (!machine->port_b || !add_keyboard(machine, sink, error))
		return false;
	if (!machine->config.debug_exit)
		return true;
	machine->debugexit = debugexit_new(machine->pio, guest_debug_exit, machine, error);
	return machine->debugexit;
}

static void firmware_says(void *opaque, const char *text)
{
	(void)opaque;
	log_debug("firmware: %s", text);
}

/* What only firmware needs. */
static bool add_firmware(struct machine *machine, struct irq_sink *sink, GError **error)
{
	const struct pit_config pit = {
		.pio = machine->pio,
		.irq = { sink, PC_PIT_IRQ },
		.clock = machine->clock,
	};

	if (!machine->config.firmware)
		return true;
	machine->pit = pit_new(&pit, error);
	if (!machine->pit)
		return false;
	machine->port_a = port_a_new(machine->pio, guest_reset, machine, error);
	if (!machine->port_a)
		return false;
	machine->debugcon = debugcon_new(machine->pio, firmware_says, NULL, error);
	if (!machine->debugcon)
		return false;
	machine->fw_cfg = fw_cfg_new(machine->pio, machine->mem, error);
	return machine->fw_cfg;
}

unsigned machine_pci_gsi(const struct machine *machine, unsigned pin)
{
	if (!machine->config.firmware)
		return PC_PCI_GSI + pin;
	/* As PC firmware counts: slot 1 begins. */
	return PC_PCI_IRQ + (pin + PCI_PINS - 1) % PCI_PINS / 2;
}

static bool add_pci(struct machine *machine, struct irq_sink *sink, GError **error)
{
	struct pci_bus_config config = {
		.pio = machine->pio,
		.mmio = machine->mmio,
		.sink = sink,
		.ecam = MEMMAP_ECAM,
		.window32 = machine->map.window32,
		.window32_end = machine->map.window32_end,
		.window64 = machine->map.window64,
		.window64_end = machine->map.window64_end,
		.ports = PC_PCI_PORTS,
		.ports_end = PC_PCI_PORTS_END,
		.firmware = machine->config.firmware,
	};

	for (unsigned pin = 0; pin < PCI_PINS; pin++)
		config.gsi[pin] = machine_pci_gsi(machine, pin);
	machine->pci = pci_bus_new(&config, error);
	return machine->pci;
}

static bool add_vga(struct machine *machine, GError **error)
{
	const struct vga_config config = { .pio = machine->pio, .mmio = machine->mmio };
	struct pci_device *vga;

	if (!machine->config.vga)
		return true;
	vga = vga_new(&config, error);
	if (!vga)
		return false;
	if (!pci_plug(machine->pci, vga, machine->config.vga_slot, error)) {
		g_prefix_error(error, "the screen finds no place: ");
		vga->ops->free(vga);
		return false;
	}
	machine->vga = vga;
	return true;
}

/* The state in which the engine makes things is what a reset goes back to. */
static bool keep_reset_state(struct machine *machine, GError **error)
{
	const struct cpu_ops *ops = machine->config.engine;
	int err;

	machine->reset_boot = g_new0(struct x86_state, 1);
	err = ops->vcpu_get_state(run_vcpu(machine->run, 0), machine->reset_boot);
	if (!err && machine->config.cpus > 1) {
		machine->reset_other = g_new0(struct x86_state, 1);
		err = ops->vcpu_get_state(run_vcpu(machine->run, 1), machine->reset_other);
	}
	if (!err)
		err = ops->get_chips(machine->engine, &machine->reset_chips);
	/* Wires of PCI, and the SCI, as firmware for this board would set it. */
	if (machine->config.firmware)
		machine->reset_chips.pic[1].elcr = PC_PIC_LEVEL >> 8;
	if (err)
		return error_sys(error, err, "cannot read the state of the new machine");
	return true;
}

static bool add_cpus(struct machine *machine, GError **error)
{
	const struct run_config config = {
		.ops = machine->config.engine,
		.engine = machine->engine,
		.cpus = machine->config.cpus,
		.clock = machine->clock,
		.requested = machine_requested,
		.opaque = machine,
	};

	machine->run = run_new(&config, error);
	return machine->run && keep_reset_state(machine, error);
}

struct machine *machine_new(const struct machine_config *config, GError **error)
{
	autoptr(machine) machine = g_new0(struct machine, 1);
	struct irq_sink *sink;

	machine->config = *config;
	if (config->generation_id)
		machine->config.generation_id =
			memcpy(machine->generation, config->generation_id, PC_GENERATION_LEN);
	if (config->uuid)
		machine->config.uuid = memcpy(machine->uuid, config->uuid, PC_UUID_LEN);
	machine->clock = dev_clock_host();
	if (!add_memory(machine, error) || !add_engine(machine, error))
		return NULL;
	sink = config->engine->irq_sink(machine->engine);
	if (!add_firmware(machine, sink, error) || !add_serial(machine, sink, error) ||
	    !add_rtc(machine, sink, error) || !add_power(machine, sink, error) ||
	    !add_pci(machine, sink, error) || !add_vga(machine, error))
		return NULL;
	if (!add_cpus(machine, error))
		return NULL;
	machine->slots = slots_new(machine, sink, error);
	if (!machine->slots || !machine_restart(machine, error))
		return NULL;
	/* Last, and it cannot fail: until then the devices are the caller's. */
	slots_fill(machine->slots);
	if (config->firmware)
		firmware_tell_boot(machine);
	machine->config.devices = NULL;
	machine->config.device_count = 0;
	return g_steal_pointer(&machine);
}

void machine_dismantle(struct machine *machine)
{
	run_free(machine->run);
	slots_free(machine->slots);
	pci_bus_free(machine->pci);
	debugexit_free(machine->debugexit);
	port_b_free(machine->port_b);
	kbc_free(machine->kbc);
	i8042_free(machine->i8042);
	acpi_pm_free(machine->pm);
	rtc_free(machine->rtc);
	serial_free(machine->serial);
	fw_cfg_free(machine->fw_cfg);
	debugcon_free(machine->debugcon);
	port_a_free(machine->port_a);
	pit_free(machine->pit);
	machine->config.engine->close(machine->engine);
	io_space_free(machine->mmio);
	io_space_free(machine->pio);
	mem_free(machine->mem);
	g_free(machine->reset_boot);
	g_free(machine->reset_other);
}
