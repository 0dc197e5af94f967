/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load-elf.c - ELF images: their headers, their segments, and kernels with a PVH entry point
 *
 * Segments go to their physical addresses (p_paddr): in Linux one of them, the per-CPU data, has
 * the virtual address 0. PVH: xen/include/public/arch-x86/hvm/start_info.h and docs/misc/pvh.pandoc
 * of Xen.
 *
 * Packed images are read from the start to the end, each segment straight to its place. That works
 * as program headers come first and the segments are sorted, which is so for every Linux kernel.
 */
#include <elf.h>

#include "machine/boot-int.h"

enum {
	NOTE_MAX = 1 << 20,
	XEN_NOTE_PHYS32_ENTRY = 18,

	PVH_MAGIC = 0x336ec578,
	PVH_VERSION = 1,
	PVH_INFO_SIZE = 56,
	PVH_MODULE_SIZE = 32,
	PVH_MEMMAP_SIZE = 24,
};

/* A program header, of either class. */
struct header {
	uint32_t type;
	uint64_t align;
	struct elf_segment segment;
};

static struct header get_header(const uint8_t *p, bool is_64)
{
	if (is_64)
		return (struct header){
			.type = get_le32(p + offsetof(Elf64_Phdr, p_type)),
			.align = get_le64(p + offsetof(Elf64_Phdr, p_align)),
			.segment = {
				.off = get_le64(p + offsetof(Elf64_Phdr, p_offset)),
				.file_size = get_le64(p + offsetof(Elf64_Phdr, p_filesz)),
				.mem_size = get_le64(p + offsetof(Elf64_Phdr, p_memsz)),
				.paddr = get_le64(p + offsetof(Elf64_Phdr, p_paddr)),
				.vaddr = get_le64(p + offsetof(Elf64_Phdr, p_vaddr)),
			},
		};
	return (struct header){
		.type = get_le32(p + offsetof(Elf32_Phdr, p_type)),
		.align = get_le32(p + offsetof(Elf32_Phdr, p_align)),
		.segment = {
			.off = get_le32(p + offsetof(Elf32_Phdr, p_offset)),
			.file_size = get_le32(p + offsetof(Elf32_Phdr, p_filesz)),
			.mem_size = get_le32(p + offsetof(Elf32_Phdr, p_memsz)),
			.paddr = get_le32(p + offsetof(Elf32_Phdr, p_paddr)),
			.vaddr = get_le32(p + offsetof(Elf32_Phdr, p_vaddr)),
		},
	};
}

static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_ARM:
		return "32-bit ARM";
	case EM_AARCH64:
		return "64-bit ARM";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC:
	case EM_PPC64:
		return "PowerPC";
	case EM_S390:
		return "s390";
	case EM_MIPS:
		return "MIPS";
	case EM_LOONGARCH:
		return "LoongArch";
	case EM_IA_64:
		return "Itanium";
	default:
		return "other";
	}
}

static bool bad(const struct boot_file *file, GError **error, const char *what)
{
	return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
			   "is a damaged ELF file (%s): take a fresh copy", what);
}

/* The notes of one PT_NOTE: is PVH's among them? */
static bool find_note(const struct boot_file *file, const struct header *header, struct elf *elf,
		      GError **error)
{
	const uint64_t align = header->align == 8 ? 8 : 4, size = header->segment.file_size;
	g_autofree uint8_t *notes = NULL;
	uint64_t pos = 0;

	if (size > NOTE_MAX)
		return bad(file, error, "its notes are too large");
	if (!span_has((struct span){ NULL, file->size }, header->segment.off, size))
		return boot_file_read(file, header->segment.off, NULL, size, error);
	notes = g_malloc(size + 1);
	if (!boot_file_read(file, header->segment.off, notes, size, error))
		return false;
	while (size - pos >= sizeof(Elf32_Nhdr)) {
		const uint8_t *note = notes + pos;
		const uint64_t name_size = get_le32(note);
		const uint64_t desc_size = get_le32(note + 4);
		const uint64_t desc = (sizeof(Elf32_Nhdr) + name_size + align - 1) & ~(align - 1);
		const uint64_t len = (desc + desc_size + align - 1) & ~(align - 1);

		if (desc + desc_size > size - pos)
			return bad(file, error, "its notes are cut off");
		if (get_le32(note + 8) == XEN_NOTE_PHYS32_ENTRY && name_size == 4 &&
		    memcmp(note + sizeof(Elf32_Nhdr), "Xen", 4) == 0 &&
		    (desc_size == 4 || desc_size == 8)) {
			elf->has_pvh = true;
			elf->pvh_entry =
				desc_size == 8 ? get_le64(note + desc) : get_le32(note + desc);
			return true;
		}
		if (len > size - pos)
			break;
		pos += len;
	}
	return true;
}

static int compare_segments(const void *a, const void *b)
{
	const uint64_t x = ((const struct elf_segment *)a)->off;
	const uint64_t y = ((const struct elf_segment *)b)->off;

	return (x > y) - (x < y);
}

static bool add_segment(const struct boot_file *file, const struct elf_segment *segment,
			struct elf *elf, GError **error)
{
	if (segment->mem_size == 0)
		return true;
	if (segment->file_size > segment->mem_size)
		return bad(file, error, "a segment has more bytes than room");
	if (segment->off + segment->file_size < segment->off ||
	    segment->paddr + segment->mem_size < segment->paddr)
		return bad(file, error, "a segment has no end");
	if (elf->count == BOOT_MAX_SEGMENTS)
		return bad(file, error, "it has too many segments");
	elf->segment[elf->count++] = *segment;
	return true;
}

/* The ELF header proper: for us, and where are the program headers? */
static bool parse_ident(struct boot_stream *stream, struct elf *elf, uint64_t *ret_off,
			unsigned *ret_count, GError **error)
{
	const struct boot_file *file = stream->file;
	uint8_t head[sizeof(Elf64_Ehdr)] = { 0 };
	unsigned machine, type, size;

	if (!boot_stream_read(stream, 0, head, sizeof(Elf32_Ehdr), error))
		return false;
	if (memcmp(head, ELFMAG, SELFMAG) != 0)
		return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
				   "has a payload that is no ELF file: it is damaged");
	elf->is_64 = head[EI_CLASS] == ELFCLASS64;
	if (!elf->is_64 && head[EI_CLASS] != ELFCLASS32)
		return bad(file, error, "neither 32-bit nor 64-bit");
	if (elf->is_64 && !boot_stream_read(stream, sizeof(Elf32_Ehdr), head + sizeof(Elf32_Ehdr),
					    sizeof(Elf64_Ehdr) - sizeof(Elf32_Ehdr), error))
		return false;
	type = get_le16(head + offsetof(Elf64_Ehdr, e_type));
	machine = get_le16(head + offsetof(Elf64_Ehdr, e_machine));
	if (head[EI_DATA] == ELFDATA2MSB) {
		type = get_be16(head + offsetof(Elf64_Ehdr, e_type));
		machine = get_be16(head + offsetof(Elf64_Ehdr, e_machine));
	}
	if ((machine != EM_X86_64 && machine != EM_386) || head[EI_DATA] != ELFDATA2LSB)
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "is for %s machines (ELF machine %u): "
				   "this is an x86-64 machine, give it an x86-64 kernel",
				   machine_name(machine), machine);
	if (type != ET_EXEC && type != ET_DYN)
		return boot_refuse(
			file, error, SOCLE_ERROR_UNSUPPORTED,
			"is an ELF file but not an executable one (a module or an object "
			"file?): give a kernel image");
	if (elf->is_64) {
		elf->entry = get_le64(head + offsetof(Elf64_Ehdr, e_entry));
		*ret_off = get_le64(head + offsetof(Elf64_Ehdr, e_phoff));
		*ret_count = get_le16(head + offsetof(Elf64_Ehdr, e_phnum));
		size = get_le16(head + offsetof(Elf64_Ehdr, e_phentsize));
	} else {
		elf->entry = get_le32(head + offsetof(Elf32_Ehdr, e_entry));
		*ret_off = get_le32(head + offsetof(Elf32_Ehdr, e_phoff));
		*ret_count = get_le16(head + offsetof(Elf32_Ehdr, e_phnum));
		size = get_le16(head + offsetof(Elf32_Ehdr, e_phentsize));
	}
	if (size != (elf->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || *ret_count == 0)
		return bad(file, error, "it has no program headers");
	if (*ret_count > 2 * BOOT_MAX_SEGMENTS)
		return bad(file, error, "it has too many program headers");
	return true;
}

bool elf_parse(struct boot_stream *stream, struct elf *ret_elf, GError **error)
{
	struct elf *elf = ret_elf;
	g_autofree uint8_t *headers = NULL;
	uint64_t off = 0;
	unsigned count = 0;
	size_t size;

	*elf = (struct elf){ 0 };
	if (!parse_ident(stream, elf, &off, &count, error))
		return false;
	size = elf->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	headers = g_malloc(count * size);
	if (!boot_stream_read(stream, off, headers, count * size, error))
		return false;
	for (unsigned i = 0; i < count; i++) {
		const struct header header = get_header(headers + i * size, elf->is_64);

		if (header.type == PT_LOAD &&
		    !add_segment(stream->file, &header.segment, elf, error))
			return false;
		if (header.type == PT_NOTE && !stream->unpack && !elf->has_pvh &&
		    !find_note(stream->file, &header, elf, error))
			return false;
	}
	if (elf->count == 0)
		return bad(stream->file, error, "it has nothing to load");
	qsort(elf->segment, elf->count, sizeof(elf->segment[0]), compare_segments);
	return true;
}

bool elf_has(const struct elf *elf, uint64_t paddr)
{
	for (unsigned i = 0; i < elf->count; i++) {
		const struct elf_segment *segment = &elf->segment[i];

		if (paddr >= segment->paddr && paddr - segment->paddr < segment->mem_size)
			return true;
	}
	return false;
}

bool elf_claim(const struct elf *elf, struct boot_layout *layout, const struct boot_file *file,
	       GError **error)
{
	const struct elf_segment *last = &elf->segment[0];

	/* The highest first: if memory is short, it says how much is needed for all. */
	for (unsigned i = 1; i < elf->count; i++) {
		if (elf->segment[i].paddr > last->paddr)
			last = &elf->segment[i];
	}
	if (!boot_claim(layout, file, last->paddr, last->mem_size, error))
		return false;
	for (unsigned i = 0; i < elf->count; i++) {
		const struct elf_segment *segment = &elf->segment[i];

		if (segment != last &&
		    !boot_claim(layout, file, segment->paddr, segment->mem_size, error))
			return false;
	}
	return true;
}

bool elf_copy(const struct elf *elf, struct boot_stream *stream, struct mem *mem, GError **error)
{
	for (unsigned i = 0; i < elf->count; i++) {
		const struct elf_segment *segment = &elf->segment[i];

		if (!boot_copy(mem, segment->paddr, stream, segment->off, segment->file_size,
			       error) ||
		    !boot_zero(mem, segment->paddr + segment->file_size,
			       segment->mem_size - segment->file_size, error))
			return false;
	}
	return true;
}

/* ---- PVH --------------------------------------------------------------------------------- */

static bool put_memmap(struct boot_layout *layout, GError **error)
{
	uint8_t table[MEMMAP_MAX_ENTRIES * PVH_MEMMAP_SIZE] = { 0 };

	for (size_t i = 0; i < layout->map->count; i++) {
		const struct memmap_entry *entry = &layout->map->entry[i];
		uint8_t *p = table + i * PVH_MEMMAP_SIZE;

		put_le64(p, entry->addr);
		put_le64(p + 8, entry->size);
		put_le32(p + 16, entry->type);
	}
	return boot_put(layout->mem, BOOT_PVH_MEMMAP, table, sizeof(table), error);
}

bool pvh_load(const struct boot *boot, const struct boot_file *file, struct boot_layout *layout,
	      uint64_t rsdp, struct x86_state *state, GError **error)
{
	struct boot_stream stream = { .file = file };
	const struct boot_module *initrd = boot->module_count ? &boot->module[0] : NULL;
	uint8_t info[PVH_INFO_SIZE] = { 0 }, module[PVH_MODULE_SIZE] = { 0 };
	uint64_t addr = 0;
	struct elf elf;

	if (!elf_parse(&stream, &elf, error))
		return false;
	if (!elf.has_pvh)
		return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
				   "has lost its PVH note since it was opened: start again");
	if (elf.pvh_entry > UINT32_MAX || !elf_has(&elf, elf.pvh_entry))
		return bad(file, error, "its PVH entry point is not in what it loads");
	if (!boot_claim(layout, file, BOOT_GDT, BOOT_LOW_END - BOOT_GDT, error) ||
	    !elf_claim(&elf, layout, file, error) ||
	    !boot_put_cmdline(layout, boot, BOOT_CMDLINE_MAX, error) ||
	    !elf_copy(&elf, &stream, layout->mem, error))
		return false;
	if (initrd && !boot_place_initrd(layout, &initrd->file, MEMMAP_HOLE, &addr, error))
		return false;

	put_le32(info, PVH_MAGIC);
	put_le32(info + 4, PVH_VERSION);
	put_le64(info + 24, BOOT_CMDLINE);
	put_le64(info + 32, rsdp);
	put_le64(info + 40, BOOT_PVH_MEMMAP);
	put_le32(info + 48, layout->map->count);
	if (initrd) {
		put_le32(info + 12, 1);
		put_le64(info + 16, BOOT_PVH_MODULES);
		put_le64(module, addr);
		put_le64(module + 8, initrd->file.size);
	}
	if (!boot_put(layout->mem, BOOT_PVH_INFO, info, sizeof(info), error) ||
	    !boot_put(layout->mem, BOOT_PVH_MODULES, module, sizeof(module), error) ||
	    !put_memmap(layout, error) ||
	    !boot_enter_32(layout->mem, state, BOOT_GDT, (uint32_t)elf.pvh_entry, error))
		return false;
	state->gpr[X86_RBX] = BOOT_PVH_INFO;
	return true;
}
