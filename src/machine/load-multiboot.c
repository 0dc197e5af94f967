/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load-multiboot.c - kernels that follow the Multiboot Specification 0.6.96
 *
 * A header in the first 8 KiB says that it is one. What to load where is told by the header itself
 * (flag 16) or by the ELF headers of the file, of either class. As with GRUB and QEMU the command
 * line begins with the kernel's own name, and a module's with the module's.
 */
#include "machine/boot-int.h"

enum {
	HEADER_MAGIC = 0x1badb002,
	LOADER_MAGIC = 0x2badb002,

	HEADER_SIZE = 12,
	HEADER_ADDRESSES = 32, /* with the addresses */
	FLAG_UNKNOWN = 0xfff8, /* of the low 16 bits, which must be understood, all but these: */
	/* 0 align modules, 1 tell memory, 2 video mode (as text we have none) */
	FLAG_ADDRESSES = 1 << 16,

	INFO_MEMORY = 1 << 0,
	INFO_CMDLINE = 1 << 2,
	INFO_MODULES = 1 << 3,
	INFO_MEMMAP = 1 << 6,
	INFO_LOADER = 1 << 9,

	INFO_SIZE = 120, /* 116, and to a multiple of 8 */
	MODULE_SIZE = 16,
	MEMMAP_SIZE = 24,
};

static const char loader_name[] = "socle";

struct multiboot {
	bool from_header; /* else by ELF headers */
	uint64_t off, file_size, addr, mem_size;
	uint64_t entry;
	struct elf elf;
};

int multiboot_find(struct span head)
{
	for (size_t i = 0; i + HEADER_SIZE <= MIN(head.len, BOOT_HEAD_SIZE); i += 4) {
		const uint8_t *p = head.p + i;

		if (get_le32(p) == HEADER_MAGIC &&
		    get_le32(p) + get_le32(p + 4) + get_le32(p + 8) == 0)
			return (int)i;
	}
	return -1;
}

static bool bad(const struct boot_file *file, GError **error, const char *what)
{
	return boot_refuse(file, error, SOCLE_ERROR_CORRUPT, "has a bad multiboot header: %s",
			   what);
}

/* The addresses in the header: [load_addr, load_end) from the file, zeroes up to bss_end. */
static bool parse_addresses(const struct boot_file *file, struct span head, unsigned at,
			    struct multiboot *mb, GError **error)
{
	const uint8_t *p = head.p + at + HEADER_SIZE;
	uint64_t header_addr, load, load_end, bss_end, before;

	if (!span_has(head, at, HEADER_ADDRESSES))
		return bad(file, error, "it is cut off");
	header_addr = get_le32(p);
	load = get_le32(p + 4);
	load_end = get_le32(p + 8);
	bss_end = get_le32(p + 12);
	if (header_addr < load || header_addr - load > at)
		return bad(file, error, "it is not where it says");
	before = header_addr - load;
	mb->off = at - before;
	mb->addr = load;
	mb->file_size = load_end ? load_end - load : file->size - mb->off;
	if (load_end && load_end < load)
		return bad(file, error, "its end is before its start");
	if (mb->file_size > file->size - mb->off)
		return boot_file_read(file, mb->off, NULL, mb->file_size, error);
	if (bss_end && bss_end < load + mb->file_size)
		return bad(file, error, "its end is before the end of its data");
	mb->mem_size = bss_end ? bss_end - load : mb->file_size;
	if (mb->mem_size == 0)
		return bad(file, error, "it has nothing to load");
	mb->entry = get_le32(p + 16);
	if (mb->entry < load || mb->entry - load >= mb->mem_size)
		return bad(file, error, "its entry point is not in what it loads");
	mb->from_header = true;
	return true;
}

/* An entry point is a physical address here; a virtual one is translated, as GRUB does. */
static bool find_entry(const struct elf *elf, uint64_t *ret_entry)
{
	for (unsigned i = 0; i < elf->count; i++) {
		const struct elf_segment *segment = &elf->segment[i];

		if (elf->entry >= segment->vaddr &&
		    elf->entry - segment->vaddr < segment->mem_size) {
			*ret_entry = elf->entry - segment->vaddr + segment->paddr;
			return true;
		}
	}
	*ret_entry = elf->entry;
	return elf_has(elf, elf->entry);
}

static bool parse(const struct boot_file *file, struct multiboot *mb, GError **error)
{
	const uint64_t size = MIN(file->size, BOOT_HEAD_SIZE);
	g_autofree uint8_t *bytes = g_malloc(BOOT_HEAD_SIZE);
	struct boot_stream stream = { .file = file };
	struct span head = { bytes, (size_t)size };
	uint32_t flags;
	int at;

	*mb = (struct multiboot){ 0 };
	if (!boot_file_read(file, 0, bytes, size, error))
		return false;
	at = multiboot_find(head);
	if (at < 0)
		return bad(file, error, "there is none in the first 8 KiB");
	flags = get_le32(bytes + at + 4);
	if (flags & FLAG_UNKNOWN)
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "demands multiboot features that are not known (flags 0x%x)",
				   flags & 0xffff);
	if (flags & FLAG_ADDRESSES)
		return parse_addresses(file, head, (unsigned)at, mb, error);
	if (size < 4 || memcmp(bytes, "\177ELF", 4) != 0)
		return bad(file, error, "it has no addresses, and the file is no ELF file either");
	if (!elf_parse(&stream, &mb->elf, error))
		return false;
	if (!find_entry(&mb->elf, &mb->entry) || mb->entry > UINT32_MAX)
		return bad(file, error, "the entry point is not in what is loaded below 4 GiB");
	return true;
}

bool multiboot_check(const struct boot_file *file, GError **error)
{
	g_autofree struct multiboot *mb = g_new(struct multiboot, 1);

	return parse(file, mb, error);
}

static bool load_kernel(const struct boot_file *file, struct boot_layout *layout,
			const struct multiboot *mb, GError **error)
{
	struct boot_stream stream = { .file = file };

	if (!mb->from_header)
		return elf_claim(&mb->elf, layout, file, error) &&
		       elf_copy(&mb->elf, &stream, layout->mem, error);
	return boot_claim(layout, file, mb->addr, mb->mem_size, error) &&
	       boot_copy(layout->mem, mb->addr, &stream, mb->off, mb->file_size, error) &&
	       boot_zero(layout->mem, mb->addr + mb->file_size, mb->mem_size - mb->file_size,
			 error);
}

/* Modules come behind the kernel, in their order, each on a page of its own. */
static bool load_modules(const struct boot *boot, struct boot_layout *layout, uint64_t *ret_addr,
			 GError **error)
{
	uint64_t from = MEMMAP_HIGH;

	for (unsigned i = 0; i < layout->count; i++)
		from = MAX(from, layout->range[i].addr + layout->range[i].size);
	for (unsigned i = 0; i < boot->module_count; i++) {
		const struct boot_file *file = &boot->module[i].file;
		struct boot_stream stream = { .file = file };

		if (!boot_place(layout, file->size, MEM_PAGE_SIZE, from, MEMMAP_HOLE, false,
				&ret_addr[i]))
			return boot_refuse(file, error, SOCLE_ERROR_LIMIT,
					   "of %" PRIu64 " MiB does not fit into the "
					   "machine's memory: give the machine at least %" PRIu64
					   " MiB with --memory",
					   (file->size + BOOT_MIB - 1) / BOOT_MIB,
					   (from + file->size) / BOOT_MIB + 1);
		if (!boot_copy(layout->mem, ret_addr[i], &stream, 0, file->size, error))
			return false;
		from = ret_addr[i] + file->size;
	}
	return true;
}

/* KiB of RAM from @addr on, as far as it is without a gap. */
static uint32_t kib_at(const struct memmap *map, uint64_t addr)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_entry *entry = &map->entry[i];

		if (entry->type == E820_RAM && entry->addr <= addr &&
		    addr - entry->addr < entry->size)
			return (uint32_t)((entry->addr + entry->size - addr) / 1024);
	}
	return 0;
}

/* Append a string to the block; where it is for the guest. */
static uint32_t add_string(GByteArray *block, uint64_t base, const char *text)
{
	const uint32_t at = (uint32_t)base + block->len;

	(void)g_byte_array_append(block, (const uint8_t *)text, (unsigned)strlen(text) + 1);
	return at;
}

/* GDT, info, modules, memory map and then strings, all in one block of bytes for address @base. */
static GByteArray *make_info(const struct boot *boot, const struct memmap *map,
			     const uint64_t *modules, uint64_t base)
{
	const unsigned mods = BOOT_GDT_SIZE + INFO_SIZE;
	const unsigned memmap = mods + boot->module_count * MODULE_SIZE;
	const unsigned strings = memmap + map->count * MEMMAP_SIZE;
	g_autofree char *cmdline = NULL;
	GByteArray *block = g_byte_array_new();
	uint32_t at;

	(void)g_byte_array_set_size(block, strings);
	memset(block->data, 0, strings);
	/* The array may move when a string is added, so each time from block->data. */
	for (size_t i = 0; i < boot->module_count; i++) {
		const uint64_t end = modules[i] + boot->module[i].file.size;
		uint8_t *p;

		at = add_string(block, base, boot->module[i].cmdline);
		p = block->data + mods + i * MODULE_SIZE;
		put_le32(p, (uint32_t)modules[i]);
		put_le32(p + 4, (uint32_t)end);
		put_le32(p + 8, at);
	}
	for (size_t i = 0; i < map->count; i++) {
		uint8_t *p = block->data + memmap + i * MEMMAP_SIZE;

		put_le32(p, MEMMAP_SIZE - 4);
		put_le64(p + 4, map->entry[i].addr);
		put_le64(p + 12, map->entry[i].size);
		put_le32(p + 20, map->entry[i].type);
	}
	cmdline = *boot->cmdline ? g_strdup_printf("%s %s", boot->kernel.name, boot->cmdline)
				 : g_strdup(boot->kernel.name);
	at = add_string(block, base, cmdline);
	put_le32(block->data + BOOT_GDT_SIZE + 16, at);
	at = add_string(block, base, loader_name);
	put_le32(block->data + BOOT_GDT_SIZE + 64, at);

	put_le32(block->data + BOOT_GDT_SIZE,
		 INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MEMMAP | INFO_LOADER);
	put_le32(block->data + BOOT_GDT_SIZE + 4, kib_at(map, 0));
	put_le32(block->data + BOOT_GDT_SIZE + 8, kib_at(map, MEMMAP_HIGH));
	put_le32(block->data + BOOT_GDT_SIZE + 20, boot->module_count);
	put_le32(block->data + BOOT_GDT_SIZE + 24, (uint32_t)base + mods);
	put_le32(block->data + BOOT_GDT_SIZE + 44, map->count * MEMMAP_SIZE);
	put_le32(block->data + BOOT_GDT_SIZE + 48, (uint32_t)base + memmap);
	return block;
}

bool multiboot_load(const struct boot *boot, const struct boot_file *file,
		    struct boot_layout *layout, struct x86_state *state, GError **error)
{
	g_autofree struct multiboot *mb = g_new(struct multiboot, 1);
	g_autoptr(GByteArray) block = NULL;
	uint64_t modules[BOOT_MAX_MODULES], base;

	if (!parse(file, mb, error) || !load_kernel(file, layout, mb, error) ||
	    !load_modules(boot, layout, modules, error))
		return false;

	block = make_info(boot, layout->map, modules, 0);
	if (!boot_place(layout, block->len, 16, BOOT_MULTIBOOT_INFO, MEMMAP_HOLE, false, &base))
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "no room for the boot information of kernel '%s': give the "
				 "machine more memory with --memory",
				 boot->kernel.name);
	g_byte_array_unref(block);
	block = make_info(boot, layout->map, modules, base);
	if (!boot_put(layout->mem, base, block->data, block->len, error) ||
	    !boot_enter_32(layout->mem, state, base, (uint32_t)mb->entry, error))
		return false;
	state->gpr[X86_RAX] = LOADER_MAGIC;
	state->gpr[X86_RBX] = base + BOOT_GDT_SIZE;
	return true;
}
