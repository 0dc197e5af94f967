/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump.h - a guest's memory and its CPUs as an ELF core file
 */
#ifndef VMM_DUMP_H
#define VMM_DUMP_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mem;
struct vmm;
struct x86_state;

/* What is written, by dump-file.c; borrowed, and nobody changes any of it meanwhile. */
struct dump_file {
	const struct mem *mem;
	const struct x86_state *const *cpus;
	unsigned cpu_count;
	int fd;
	atomic_bool cancel;        /* set by anybody: end soon, with an error */
	_Atomic(uint64_t) written; /* bytes of memory, holes included */
};

/**
 * dump_file_write() - the whole file, from its beginning [any thread]
 *
 * One PT_NOTE: for each CPU a NT_PRSTATUS as the kernel has it in its cores, then for each CPU QEMU's
 * note with system registers. One PT_LOAD for each region of memory; addresses are physical. Pages of
 * zeroes are holes.
 */
bool dump_file_write(struct dump_file *file, GError **error);

/* [main] The guest must not run while it is dumped. False: it must not now. */
bool dump_permits(struct vmm *vmm, GError **error);
/* [main] Somebody wants the machine to stand still, who is to be obeyed when the dump is over. */
void dump_stays(struct vmm *vmm);
/* [main] A pause has come to its end, or will not. */
void dump_quiet(struct vmm *vmm);
/* [main] The process ends: so does a dump, and who waits for it is told. */
void dump_end(struct vmm *vmm);

#endif
