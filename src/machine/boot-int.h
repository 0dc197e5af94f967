/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot-int.h - what the boot loaders share: files, places in guest memory, CPU states
 *
 * Low memory as the loaders leave it (all of it is RAM to the guest's eyes, free once it has read
 * what is there):
 *
 *   0x00500  GDT: null, null, code 0x10, data 0x18, TSS 0x20
 *   0x06000  PVH: start info; its module list at 0x6040
 *   0x07000  bzImage: zero page (struct boot_params); PVH: memory map
 *   0x08000  bzImage: setup_data with the seed; the stack ends at 0x8ff0
 *   0x09000  page tables: PML4, PDPT, four page directories: the first 4 GiB, 2 MiB pages
 *   0x20000  command line
 *
 * A multiboot kernel may ask for any of that memory itself. So there everything is in one block,
 * at 0x9000 if that is free.
 *
 * A loader works in this order: boot_claim() what has a fixed address, boot_place() the rest, and
 * only then write. Ranges that are claimed once are never given away again, so nothing overlaps.
 */
#ifndef MACHINE_BOOT_INT_H
#define MACHINE_BOOT_INT_H

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "machine/boot.h"
#include "machine/unpack.h"

enum {
	BOOT_GDT = 0x500,
	BOOT_PVH_INFO = 0x6000,
	BOOT_PVH_MODULES = 0x6040,
	BOOT_PVH_MEMMAP = 0x7000,
	BOOT_ZERO_PAGE = 0x7000,
	BOOT_SETUP_DATA = 0x8000,
	BOOT_STACK = 0x8ff0,
	BOOT_PAGE_TABLES = 0x9000,
	BOOT_LOW_END = 0xf000, /* behind the page tables */
	BOOT_MULTIBOOT_INFO = 0x9000,
	BOOT_CMDLINE = 0x20000,
	BOOT_CMDLINE_MAX = 0x10000, /* with its final zero */

	BOOT_CODE_SELECTOR = 0x10,
	BOOT_DATA_SELECTOR = 0x18,
	BOOT_TSS_SELECTOR = 0x20,
	BOOT_GDT_SIZE = 0x30,

	BOOT_HEAD_SIZE = 8192, /* how far a multiboot header may be from the start */
	BOOT_MAX_SEGMENTS = 64,
	BOOT_MAX_MODULES = 32,
	BOOT_MAX_RANGES = BOOT_MAX_SEGMENTS + BOOT_MAX_MODULES + 8,
};

#define BOOT_MAX_FILE ((uint64_t)1 << 30) /* of a kernel, and of what it unpacks to */
#define BOOT_MIB      ((uint64_t)1 << 20)

/* ---- files ------------------------------------------------------------------------------- */

/*
 * A kernel, an initrd or a module. Files are read in pieces and never mapped: a file that becomes
 * shorter meanwhile gives an error, where a mapping would give SIGBUS.
 */
struct boot_file {
	const char *what; /* "kernel", "initrd", "module": begins each message */
	char *name;       /* as the user wrote it */
	int fd;           /* -1: @bytes */
	struct span bytes;
	uint64_t size;
	size_t mapped; /* length of the mapping of ours that @bytes is in, or 0 */
};

bool boot_file_open(struct boot_file *file, const char *what, const char *path, GError **error);
/* Bytes of somebody else, who keeps them. */
void boot_file_memory(struct boot_file *file, const char *what, struct span bytes);
void boot_file_release(struct boot_file *file);

/* Exactly @len bytes from @off, or an error. */
bool boot_file_read(const struct boot_file *file, uint64_t off, void *buf, uint64_t len,
		    GError **error);

/* "kernel 'x' <text>"; returns false. The text goes on a sentence: "is empty". */
bool boot_refuse(const struct boot_file *file, GError **error, enum error_kind kind,
		 const char *fmt, ...) G_GNUC_PRINTF(4, 5);

/* A file to be read as it is, in any order, or what it unpacks to, from the start to the end. */
struct boot_stream {
	const struct boot_file *file;
	struct unpack *unpack; /* NULL: as it is */
};

bool boot_stream_read(struct boot_stream *stream, uint64_t off, void *buf, uint64_t len,
		      GError **error);

/* ---- the opened kernel ------------------------------------------------------------------- */

struct boot_module {
	struct boot_file file;
	char *cmdline;
};

struct boot {
	enum boot_kind kind;
	char *cmdline;
	struct boot_file kernel;
	/* The kernel file is compressed as a whole: how, and what is in it while it is needed. */
	enum unpack_kind packed;
	struct boot_file plain;
	uint64_t limit; /* of unpacked bytes */
	unsigned module_count;
	struct boot_module module[BOOT_MAX_MODULES];
};

/* For tests: from bytes that stay where they are. initrd.p NULL: none. */
struct boot *boot_open_memory(struct span kernel, struct span initrd, const char *cmdline,
			      uint64_t limit, GError **error);

/* ---- places in guest memory -------------------------------------------------------------- */

struct boot_range {
	uint64_t addr, size;
};

struct boot_layout {
	struct mem *mem;
	const struct memmap *map;
	unsigned count;
	struct boot_range range[BOOT_MAX_RANGES]; /* taken, in no order */
};

/* Is it all RAM that the memory map shows to the guest? */
bool boot_is_ram(const struct boot_layout *layout, uint64_t addr, uint64_t size);
bool boot_is_free(const struct boot_layout *layout, uint64_t addr, uint64_t size);

/* Take a range at a fixed address for a part of @file: it must be RAM and free. */
bool boot_claim(struct boot_layout *layout, const struct boot_file *file, uint64_t addr,
		uint64_t size, GError **error);

/**
 * boot_place() - take a free range
 * @align: power of two
 * @min:   first address that may be used
 * @max:   first address behind it that may not
 * @high:  as high as possible instead of as low as possible
 *
 * Return: false if there is none
 */
bool boot_place(struct boot_layout *layout, uint64_t size, uint64_t align, uint64_t min,
		uint64_t max, bool high, uint64_t *ret_addr);

/* Place an initrd as high as possible below @max, and read it. Errors name a remedy. */
bool boot_place_initrd(struct boot_layout *layout, const struct boot_file *initrd, uint64_t max,
		       uint64_t *ret_addr, GError **error);

/* Copy from the file straight into guest memory that is RAM and was claimed or placed. */
bool boot_copy(struct mem *mem, uint64_t addr, struct boot_stream *from, uint64_t off, uint64_t len,
	       GError **error);
/* Write bytes of ours there. */
bool boot_put(struct mem *mem, uint64_t addr, const void *bytes, uint64_t len, GError **error);
/* Zero it; pages that are zero already are only read, so that they need no memory. */
bool boot_zero(struct mem *mem, uint64_t addr, uint64_t len, GError **error);
/* The command line with its final zero; @max is the longest that the kernel takes. */
bool boot_put_cmdline(struct boot_layout *layout, const struct boot *boot, uint64_t max,
		      GError **error);

/* ---- CPU states -------------------------------------------------------------------------- */

/* Long mode with the page tables of above, interrupts off. Writes GDT and tables. */
bool boot_enter_64(struct mem *mem, struct x86_state *state, uint64_t rip, GError **error);
/* Protected mode without paging, flat segments, interrupts off. Writes the GDT to @gdt. */
bool boot_enter_32(struct mem *mem, struct x86_state *state, uint64_t gdt, uint32_t eip,
		   GError **error);

/* ---- the formats ------------------------------------------------------------------------- */

/*
 * x_check(): is it one that can be booted? For boot_open(), which then knows early. x_load() reads
 * and checks everything anew: the file may have changed.
 */

/* *ret_kind is one of the two BOOT_BZIMAGE kinds. */
bool bzimage_check(const struct boot_file *file, uint64_t limit, enum boot_kind *ret_kind,
		   GError **error);
bool bzimage_load(const struct boot *boot, const struct boot_file *file, struct boot_layout *layout,
		  uint64_t rsdp, struct x86_state *state, GError **error);

bool pvh_load(const struct boot *boot, const struct boot_file *file, struct boot_layout *layout,
	      uint64_t rsdp, struct x86_state *state, GError **error);

bool multiboot_check(const struct boot_file *file, GError **error);
bool multiboot_load(const struct boot *boot, const struct boot_file *file,
		    struct boot_layout *layout, struct x86_state *state, GError **error);
/* Offset of a multiboot header in the first bytes of a file, or -1. */
int multiboot_find(struct span head);

struct elf_segment {
	uint64_t off, file_size, mem_size, paddr, vaddr;
};

struct elf {
	bool is_64;
	uint64_t entry;
	unsigned count;
	struct elf_segment segment[BOOT_MAX_SEGMENTS]; /* PT_LOAD, not empty, sorted by @off */
	bool has_pvh;
	uint64_t pvh_entry;
};

/* Read and check the headers: x86 only. PVH's note is looked for if the stream is not packed. */
bool elf_parse(struct boot_stream *stream, struct elf *ret_elf, GError **error);
/* Is the physical address in what the file loads? */
bool elf_has(const struct elf *elf, uint64_t paddr);
/* Claim the memory of all segments. */
bool elf_claim(const struct elf *elf, struct boot_layout *layout, const struct boot_file *file,
	       GError **error);
/* Copy all segments to their physical addresses. */
bool elf_copy(const struct elf *elf, struct boot_stream *stream, struct mem *mem, GError **error);

#endif
