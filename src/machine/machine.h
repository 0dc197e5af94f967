/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.h - one modern PC: CPUs, memory, chips, and its life from power-on to power-off
 *
 * Threads: all functions on the main loop (the default GMainContext), events too. Each vCPU has a
 * thread of its own, started by machine_start() and ended by machine_free().
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "cpu/cpu.h"
#include "dev/chardev.h"
#include "machine/boot.h"

struct firmware;
struct machine;
struct pci_bus;
struct pci_device;
struct surface;
struct virtio_device;

enum machine_event_kind {
	MACHINE_POWEROFF,   /* the guest switched the machine off (ACPI S5) */
	MACHINE_RESET,      /* a reset; done already, unless the guest asked for it and no_reboot */
	MACHINE_QUIET,      /* after machine_pause(): no device writes memory any more */
	MACHINE_CRASH,      /* triple fault; the vCPUs are stopped, their state can be read */
	MACHINE_DEBUG_EXIT, /* the guest wrote to the debug exit port; @status */
	MACHINE_FAILED,     /* the engine gave up, or a reset that had to wait failed; @text */
	MACHINE_UNPLUGGED,  /* a device is gone and freed; its id is @text. vCPUs run on afterwards.
			     * Told at once: the listener must forget it, and not call the machine */
};

struct machine_event {
	enum machine_event_kind kind;
	unsigned cpu;     /* which vCPU it was, where that is known */
	bool guest;       /* MACHINE_RESET: the guest asked for it */
	uint8_t status;   /* MACHINE_DEBUG_EXIT: the byte that was written */
	const char *text; /* MACHINE_FAILED: one sentence; MACHINE_UNPLUGGED: who */
};

/* A device for one of the machine's buses. */
struct machine_device {
	const char *id;               /* unique, copied */
	struct virtio_device *virtio; /* either this */
	struct pci_device *pci;       /* or this; taken over on success */
	bool mmio;                    /* virtio: registers in memory, told by ACPI, not PCI; at most
				       * 8. Not for machine_plug() */
	unsigned slot;                /* on PCI; 0: the first that is free */
	unsigned boot_index;          /* firmware boots the lowest first; 0: not asked to */
	const char *boot_unit;        /* what firmware calls the disk in it; a constant */
};

struct machine_device_info {
	const char *id;
	struct pci_device *pci;       /* NULL: on MMIO */
	struct virtio_device *virtio; /* NULL: is none */
	unsigned slot, gsi;
	bool leaving; /* the guest was asked to let it go */
};

struct machine_config {
	const struct cpu_ops *engine;
	const struct cpu_model *model;
	unsigned cpus;
	uint64_t memory;                 /* bytes */
	struct boot *boot;               /* borrowed; NULL with firmware */
	const struct firmware *firmware; /* borrowed; NULL: the kernel is loaded by us */
	const struct firmware *vga_bios; /* borrowed; with firmware and a VGA */
	bool boot_menu;                  /* of firmware; it waits so long for a key: */
	unsigned boot_menu_wait_ms;
	const uint8_t *uuid;    /* 16 bytes for firmware, as they are written; or NULL */
	struct chardev *serial; /* borrowed; NULL: the port is there, nobody listens */
	bool vga;               /* there is a screen, and a keyboard */
	unsigned vga_slot;      /* on PCI; 0: the first that is free */
	bool debug_exit;        /* port 0xf4 ends the machine */
	bool no_reboot;         /* a reset request stops the vCPUs and is only told */
	const struct machine_device *devices; /* there from the start; if machine_new() fails none
					       * was taken over */
	unsigned device_count;
	const uint8_t *generation_id; /* 16 bytes of a VM generation ID; NULL: has none */
	/* [main] Something happened, perhaps inside a call of the machine, as the last thing that it
	 * does. Except after a MACHINE_RESET that was done, vCPUs are stopped. */
	void (*event)(void *opaque, const struct machine_event *event);
	void *opaque;
};

enum machine_status {
	MACHINE_PRELAUNCH,
	MACHINE_RUNNING,
	MACHINE_PAUSED,
	MACHINE_STOPPED, /* powered off, crashed or failed: only a reset brings it back */
};

/* Build it all, load the kernel. The configuration is copied. */
struct machine *machine_new(const struct machine_config *config, GError **error);
void machine_free(struct machine *machine);
DEFINE_AUTOPTR(machine, machine_free);

bool machine_start(struct machine *machine, GError **error);
/* Wait until no vCPU executes. Requests of devices come to their end, perhaps later: MACHINE_QUIET
 * tells, unless machine_resume() comes before. */
void machine_pause(struct machine *machine);
void machine_resume(struct machine *machine);
/* As the reset button. Keeps running, or keeps being paused. MACHINE_RESET tells when it is done: at
 * once, or when I/O that is under way has ended; until then no vCPU executes. */
bool machine_reset(struct machine *machine, GError **error);
/* Before the end: stop the vCPUs for good, reset the devices, and wait for their I/O at most so long.
 * NULL, or which device still has some; then machine_free() would wait, too. */
const char *machine_quiesce(struct machine *machine, unsigned timeout_ms);
/* A non-maskable interrupt for every CPU, as the button of a server does. */
void machine_nmi(struct machine *machine);
/* Has it a keyboard and a mouse? The next two may be called only then. */
bool machine_has_keyboard(const struct machine *machine);
/* The user presses or releases a key (display/keys.h). */
void machine_key(struct machine *machine, uint8_t number, bool down);
/* The mouse moved right, down, its wheel towards the user; buttons (I8042_LEFT ...) as they are. */
void machine_mouse(struct machine *machine, int dx, int dy, int dz, unsigned buttons);
/* Draw what has changed on it since the last time; @surface is the same each time. */
void machine_draw(struct machine *machine, struct surface *surface);
/* Press the ACPI power button. */
void machine_power_button(struct machine *machine);
enum machine_status machine_status(const struct machine *machine);

/* Put a device in while the machine runs; the guest is told. On failure it is still the caller's. */
bool machine_plug(struct machine *machine, const struct machine_device *device, GError **error);
/* Ask the guest to let a device go; MACHINE_UNPLUGGED follows when it has, or at the next reset. */
bool machine_unplug(struct machine *machine, const char *id, GError **error);
/* Device number @index, in the order in which they came; false: there is none. */
bool machine_device_at(struct machine *machine, unsigned index,
		       struct machine_device_info *ret_info);
struct pci_bus *machine_pci(struct machine *machine);

/* A new VM generation ID of 16 bytes: the guest is told that it is another machine's copy. Fails if
 * it was made without one. */
bool machine_set_generation_id(struct machine *machine, const uint8_t *id, GError **error);

unsigned machine_cpus(const struct machine *machine);
uint64_t machine_memory(const struct machine *machine);
struct mem *machine_mem(struct machine *machine);
/* The host's thread number of a vCPU, 0 before machine_start(). */
int machine_cpu_thread(const struct machine *machine, unsigned cpu);
bool machine_cpu_halted(const struct machine *machine, unsigned cpu);
void machine_cpu_stats(const struct machine *machine, unsigned cpu, struct cpu_stats *ret_stats);
/* Pauses for the moment if it runs. */
bool machine_cpu_state(struct machine *machine, unsigned cpu, struct x86_state *ret_state,
		       GError **error);

#endif
