/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.c - the life of a machine, from power-on to power-off
 *
 *             machine_start           machine_pause
 *   PRELAUNCH ------------> RUNNING <--------------> PAUSED
 *                             |       machine_resume   |
 *                             | guest: power-off,      | (asked for before the pause)
 *                             | crash, debug exit      |
 *                             v                        |
 *                           STOPPED <------------------+
 *                             |
 *                             +-- machine_reset --> RUNNING, or PAUSED if it was paused
 *
 * Which of them it is follows from the reasons that hold the vCPUs (run.h); nothing else is kept.
 *
 * Neither a pause nor a reset waits for I/O of devices on the main loop, for that may take its time or
 * never end. The vCPUs are held, the devices are told, and machine_devices_quiet() does the rest when
 * the last request has ended, which is at once if there is none.
 */
#include "machine/machine.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "bus/pci.h"
#include "dev/acpi-pm.h"
#include "dev/debugcon.h"
#include "dev/fw-cfg.h"
#include "dev/i8042.h"
#include "dev/pit.h"
#include "dev/port-a.h"
#include "dev/port-b.h"
#include "dev/rtc.h"
#include "dev/serial.h"
#include "dev/vga.h"
#include "machine/acpi.h"
#include "machine/boot.h"
#include "machine/firmware.h"
#include "machine/machine-int.h"
#include "machine/slots.h"

enum {
	LAPIC_REG_ID = 0x20,
	LAPIC_ID_SHIFT = 24
};

void machine_tell(struct machine *machine, const struct machine_event *event)
{
	if (machine->config.event)
		machine->config.event(machine->config.opaque, event);
}

/* Into memory, where a kernel finds them. */
static bool write_tables(struct machine *machine, const struct acpi_config *config, GError **error)
{
	g_autoptr(GByteArray) tables = acpi_build(config, MEMMAP_ACPI);
	int err;

	if (tables->len > MEMMAP_ACPI_END - MEMMAP_ACPI)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "ACPI tables of %u bytes do not fit: give fewer CPUs",
				 tables->len);
	err = mem_write(machine->mem, MEMMAP_ACPI, tables->data, tables->len);
	if (err)
		return error_sys(error, err, "cannot write the ACPI tables");
	return true;
}

static bool describe(struct machine *machine, GError **error)
{
	struct acpi_config config = {
		.cpus = machine->config.cpus,
		.pm_base = PC_PM_PORT,
		.sci = PC_SCI,
		.serial_base = PC_SERIAL_PORT,
		.serial_irq = PC_SERIAL_IRQ,
		.rtc_irq = PC_RTC_IRQ,
		.ecam = MEMMAP_ECAM,
		.window32 = machine->map.window32,
		.window32_end = machine->map.window32_end,
		.window64 = machine->map.window64,
		.window64_end = machine->map.window64_end,
		.hotplug_base = PC_HOTPLUG_PORT,
		.generation_id = machine->config.generation_id ? machine->map.generation : 0,
		.vga = machine->vga,
		.keyboard = machine->i8042,
		.keyboard_irq = PC_KEYBOARD_IRQ,
		.mouse_irq = PC_MOUSE_IRQ,
		.pics = machine->config.firmware,
	};
	int err = 0;

	for (unsigned pin = 0; pin < PCI_PINS; pin++)
		config.pci_gsi[pin] = machine_pci_gsi(machine, pin);
	slots_describe(machine->slots, &config);
	if (machine->config.generation_id)
		err = mem_write(machine->mem, machine->map.generation, machine->generation,
				PC_GENERATION_LEN);
	if (err)
		return error_sys(error, err, "cannot write the generation ID");
	if (!machine->config.firmware)
		return write_tables(machine, &config, error);
	firmware_tell(machine, &config);
	return true;
}

/* What vCPU 0 is to execute is in memory, and @state in front of it. */
static bool load(struct machine *machine, struct x86_state *state, GError **error)
{
	*state = *machine->reset_boot;
	/* RESET is where firmware begins. */
	if (machine->config.firmware)
		return firmware_place(machine->config.firmware, machine->mem, error);
	return !machine->config.boot || boot_load(machine->config.boot, machine->mem, &machine->map,
						  MEMMAP_ACPI, state, error);
}

static void reset_firmware_chips(struct machine *machine)
{
	if (!machine->config.firmware)
		return;
	fw_cfg_reset(machine->fw_cfg);
	debugcon_reset(machine->debugcon);
	port_a_reset(machine->port_a);
	pit_reset(machine->pit);
}

static bool set_state(struct machine *machine, unsigned cpu, const struct x86_state *state,
		      GError **error)
{
	int err = machine->config.engine->vcpu_set_state(run_vcpu(machine->run, cpu), state);

	if (err)
		return error_sys(error, err, "cannot set the state of CPU %u", cpu);
	return true;
}

/*
 * vCPU 0 in @boot, the others waiting for it. In a row, because an engine takes TSCs that are set
 * within a second of each other for the same.
 */
static bool set_states(struct machine *machine, const struct x86_state *boot, GError **error)
{
	if (!set_state(machine, 0, boot, error))
		return false;
	for (unsigned i = 1; i < machine->config.cpus; i++) {
		put_le32(machine->reset_other->lapic + LAPIC_REG_ID, i << LAPIC_ID_SHIFT);
		if (!set_state(machine, i, machine->reset_other, error))
			return false;
	}
	return true;
}

static bool reset_chips(struct machine *machine, GError **error)
{
	const struct cpu_ops *ops = machine->config.engine;
	struct cpu_chip_state now, chips = machine->reset_chips;
	int err = ops->get_chips(machine->engine, &now);

	/* Clocks go on. */
	if (!err) {
		chips.clock_ns = now.clock_ns;
		err = ops->set_chips(machine->engine, &chips);
	}
	if (err)
		return error_sys(error, err, "cannot reset the interrupt controller");
	return true;
}

bool machine_restart(struct machine *machine, GError **error)
{
	g_autofree struct x86_state *state = g_new(struct x86_state, 1);

	serial_reset(machine->serial);
	rtc_reset(machine->rtc);
	acpi_pm_reset(machine->pm);
	port_b_reset(machine->port_b);
	if (machine->i8042)
		i8042_reset(machine->i8042);
	reset_firmware_chips(machine);
	slots_reset(machine->slots);
	return reset_chips(machine, error) && describe(machine, error) &&
	       load(machine, state, error) && set_states(machine, state, error);
}

/* The devices are reset: now the rest. RUN_HOLD_RESET is set. */
static bool finish_reset(struct machine *machine, GError **error)
{
	bool ok = machine_restart(machine, error);

	machine->resetting = false;
	if (ok)
		run_release(machine->run, RUN_HOLD_STOPPED);
	else
		run_hold(machine->run, RUN_HOLD_STOPPED);
	run_release(machine->run, RUN_HOLD_RESET);
	return ok;
}

static void go_on_with_reset(struct machine *machine)
{
	struct machine_event failed = { .kind = MACHINE_FAILED };
	g_autoptr(GError) error = NULL;

	if (!slots_try_reset(machine->slots))
		return;
	if (finish_reset(machine, &error)) {
		machine_tell(machine, &machine->reset);
		return;
	}
	failed.text = error->message;
	machine_tell(machine, &failed);
}

static void go_on_with_pause(struct machine *machine)
{
	const struct machine_event event = { .kind = MACHINE_QUIET };

	if (!slots_quiet(machine->slots))
		return;
	machine->pausing = false;
	machine_tell(machine, &event);
}

void machine_devices_quiet(struct machine *machine)
{
	/* Whoever is told may free the machine, but not of this. */
	if (machine->pausing)
		go_on_with_pause(machine);
	if (machine->resetting)
		go_on_with_reset(machine);
}

void machine_requested(void *opaque, const struct machine_event *event)
{
	struct machine *machine = opaque;
	struct machine_event told = *event;

	told.guest = true;
	if (event->kind == MACHINE_RESET && !machine->config.no_reboot) {
		run_hold(machine->run, RUN_HOLD_RESET);
		run_release(machine->run, RUN_HOLD_REQUEST);
		machine->resetting = true;
		machine->reset = told;
		go_on_with_reset(machine);
		return;
	}
	run_hold(machine->run, RUN_HOLD_STOPPED);
	run_release(machine->run, RUN_HOLD_REQUEST);
	/* Last: whoever is told may free the machine. */
	machine_tell(machine, &told);
}

void machine_free(struct machine *machine)
{
	if (!machine)
		return;
	machine_dismantle(machine);
	g_free(machine);
}

bool machine_start(struct machine *machine, GError **error)
{
	return run_start(machine->run, error);
}

void machine_pause(struct machine *machine)
{
	run_hold(machine->run, RUN_HOLD_PAUSED);
	slots_pause(machine->slots, true);
	machine->pausing = true;
	go_on_with_pause(machine);
}

void machine_resume(struct machine *machine)
{
	machine->pausing = false;
	slots_pause(machine->slots, false);
	run_release(machine->run, RUN_HOLD_PAUSED);
}

bool machine_reset(struct machine *machine, GError **error)
{
	run_hold(machine->run, RUN_HOLD_RESET);
	/* What the guest asked for in its former life is void. */
	run_forget_request(machine->run);
	machine->resetting = true;
	machine->reset = (struct machine_event){ .kind = MACHINE_RESET };
	if (!slots_try_reset(machine->slots))
		return true;
	if (!finish_reset(machine, error))
		return false;
	machine_tell(machine, &machine->reset);
	return true;
}

const char *machine_quiesce(struct machine *machine, unsigned timeout_ms)
{
	run_hold(machine->run, RUN_HOLD_STOPPED);
	return slots_reset_within(machine->slots, timeout_ms);
}

void machine_nmi(struct machine *machine)
{
	for (unsigned i = 0; i < machine->config.cpus; i++)
		machine->config.engine->vcpu_nmi(run_vcpu(machine->run, i));
}

bool machine_has_keyboard(const struct machine *machine)
{
	return machine->i8042;
}

void machine_key(struct machine *machine, uint8_t number, bool down)
{
	i8042_key(machine->i8042, number, down);
}

void machine_mouse(struct machine *machine, int dx, int dy, int dz, unsigned buttons)
{
	i8042_move(machine->i8042, dx, dy, dz, buttons);
}

void machine_draw(struct machine *machine, struct surface *surface)
{
	vga_draw(machine->vga, surface);
}

void machine_power_button(struct machine *machine)
{
	acpi_pm_power_button(machine->pm);
}

bool machine_set_generation_id(struct machine *machine, const uint8_t *id, GError **error)
{
	int err;

	if (!machine->config.generation_id)
		return error_set(error, SOCLE_ERROR_STATE, "the machine has no generation ID");
	memcpy(machine->generation, id, PC_GENERATION_LEN);
	/* Whole, to the guest's eyes. */
	run_hold(machine->run, RUN_HOLD_BRIEF);
	err = mem_write(machine->mem, machine->map.generation, id, PC_GENERATION_LEN);
	run_release(machine->run, RUN_HOLD_BRIEF);
	if (err)
		return error_sys(error, err, "cannot write the generation ID");
	acpi_pm_gpe(machine->pm, ACPI_GPE_GENERATION);
	return true;
}

enum machine_status machine_status(const struct machine *machine)
{
	unsigned held = run_held(machine->run);

	if (held & RUN_HOLD_STOPPED)
		return MACHINE_STOPPED;
	if (held & RUN_HOLD_START)
		return MACHINE_PRELAUNCH;
	return held & RUN_HOLD_PAUSED ? MACHINE_PAUSED : MACHINE_RUNNING;
}

unsigned machine_cpus(const struct machine *machine)
{
	return machine->config.cpus;
}

uint64_t machine_memory(const struct machine *machine)
{
	return machine->config.memory;
}

struct mem *machine_mem(struct machine *machine)
{
	return machine->mem;
}

int machine_cpu_thread(const struct machine *machine, unsigned cpu)
{
	return run_thread_id(machine->run, cpu);
}

static int get_state(const struct machine *machine, unsigned cpu, struct x86_state *ret_state)
{
	int err;

	run_hold(machine->run, RUN_HOLD_BRIEF);
	err = machine->config.engine->vcpu_get_state(run_vcpu(machine->run, cpu), ret_state);
	run_release(machine->run, RUN_HOLD_BRIEF);
	return err;
}

bool machine_cpu_halted(const struct machine *machine, unsigned cpu)
{
	g_autofree struct x86_state *state = g_new(struct x86_state, 1);

	return get_state(machine, cpu, state) == 0 && state->run_state != X86_RUNNABLE;
}

void machine_cpu_stats(const struct machine *machine, unsigned cpu, struct cpu_stats *ret_stats)
{
	machine->config.engine->vcpu_stats(run_vcpu(machine->run, cpu), ret_stats);
}

bool machine_cpu_state(struct machine *machine, unsigned cpu, struct x86_state *ret_state,
		       GError **error)
{
	int err = get_state(machine, cpu, ret_state);

	if (err)
		return error_sys(error, err, "cannot read the state of CPU %u", cpu);
	return true;
}
