/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.h - boot loaders: from kernel files to bytes in guest memory and a CPU about to run them
 *
 * Kernels are hostile files: everything is checked against the file's length and the guest's RAM.
 * Opened once; loaded at each start of the guest, so that a reboot finds a fresh kernel.
 *
 * Threads: main loop, vCPUs not running.
 */
#ifndef MACHINE_BOOT_H
#define MACHINE_BOOT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "cpu/state.h"
#include "machine/memmap.h"
#include "mem/mem.h"

enum boot_kind {
	BOOT_BZIMAGE_UNPACKED, /* its payload was unpacked here: an ELF vmlinux, 64-bit entry */
	BOOT_BZIMAGE,          /* entered at its own 64-bit decompressor */
	BOOT_PVH,              /* ELF with a note XEN_ELFNOTE_PHYS32_ENTRY */
	BOOT_MULTIBOOT,        /* multiboot 1, ELF32 or the header's own addresses */
};

struct boot_config {
	const char *kernel;  /* path */
	const char *initrd;  /* path or NULL; for multiboot: "FILE [ARGS][,FILE [ARGS]]..." */
	const char *cmdline; /* NULL: empty */
};

struct boot;

/* Read the files and find out what they are. Strings are copied. */
struct boot *boot_open(const struct boot_config *config, GError **error);
void boot_free(struct boot *boot);
DEFINE_AUTOPTR(boot, boot_free);

enum boot_kind boot_kind(const struct boot *boot);

/**
 * boot_load() - write kernel, initrd and boot parameters into guest memory
 * @mem:   zeroed where it matters not; ACPI tables are already in place and not touched
 * @map:   what RAM there is
 * @rsdp:  guest-physical address of the ACPI root pointer, handed to the kernel
 * @state: in: after RESET; out: the boot CPU about to execute the kernel's first instruction
 */
bool boot_load(struct boot *boot, struct mem *mem, const struct memmap *map, uint64_t rsdp,
	       struct x86_state *state, GError **error);

#endif
