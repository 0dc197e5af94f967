/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump-file.c - a guest's memory and its CPUs as an ELF core file
 *
 * The layout is that of QEMU's dump-guest-memory with format elf for x86-64 guests (ELF-64 Object File
 * Format; elf.h; the kernel's struct elf_prstatus; QEMU's target/i386/arch_dump.c as a description of
 * its note), so what reads those reads these.
 */
#include "vmm/dump.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "cpu/msr.h"
#include "cpu/state.h"
#include "mem/mem.h"

enum {
	PIECE = 1024 * 1024,
	PRSTATUS_SIZE = 336,
	PRSTATUS_PID = 32,
	PRSTATUS_REGS = 112,
	QEMU_SIZE = 440,
	QEMU_VERSION = 1,
	NOTE_HEADER = 12,
	NAME_SIZE = 8, /* "CORE" and "QEMU", each with its end, padded */
};

/* Both kinds of a CPU. */
static const uint64_t notes_per_cpu = 2 * (NOTE_HEADER + NAME_SIZE) + PRSTATUS_SIZE + QEMU_SIZE;

static void append_le16(GByteArray *out, uint16_t value)
{
	uint8_t bytes[2];

	put_le16(bytes, value);
	g_byte_array_append(out, bytes, sizeof(bytes));
}

static void append_le32(GByteArray *out, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	g_byte_array_append(out, bytes, sizeof(bytes));
}

static void append_le64(GByteArray *out, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	g_byte_array_append(out, bytes, sizeof(bytes));
}

/* ---- headers ---- */

static void append_header(GByteArray *out, unsigned segments)
{
	static const uint8_t ident[EI_NIDENT] = { ELFMAG0,    ELFMAG1,     ELFMAG2,   ELFMAG3,
						  ELFCLASS64, ELFDATA2LSB, EV_CURRENT };

	g_byte_array_append(out, ident, sizeof(ident));
	append_le16(out, ET_CORE);
	append_le16(out, EM_X86_64);
	append_le32(out, EV_CURRENT);
	append_le64(out, 0); /* no entry */
	append_le64(out, sizeof(Elf64_Ehdr));
	append_le64(out, 0); /* no sections */
	append_le32(out, 0);
	append_le16(out, sizeof(Elf64_Ehdr));
	append_le16(out, sizeof(Elf64_Phdr));
	append_le16(out, (uint16_t)segments);
	append_le16(out, 0);
	append_le16(out, 0);
	append_le16(out, 0);
}

static void append_segment(GByteArray *out, uint32_t type, uint64_t off, uint64_t address,
			   uint64_t len)
{
	append_le32(out, type);
	append_le32(out, type == PT_LOAD ? PF_R | PF_W | PF_X : 0);
	append_le64(out, off);
	append_le64(out, address);
	append_le64(out, address);
	append_le64(out, len);
	append_le64(out, type == PT_LOAD ? len : 0);
	append_le64(out, 0);
}

/* ---- notes ---- */

static void append_note(GByteArray *out, const char *name, uint32_t type, uint32_t len)
{
	char padded[NAME_SIZE] = { 0 };

	memcpy(padded, name, strlen(name));
	append_le32(out, (uint32_t)strlen(name) + 1);
	append_le32(out, len);
	append_le32(out, type);
	g_byte_array_append(out, (const uint8_t *)padded, sizeof(padded));
}

static void append_prstatus(GByteArray *out, const struct x86_state *s, unsigned cpu)
{
	/* struct user_regs_struct. */
	const uint64_t regs[] = {
		s->gpr[15],
		s->gpr[14],
		s->gpr[13],
		s->gpr[12],
		s->gpr[X86_RBP],
		s->gpr[X86_RBX],
		s->gpr[11],
		s->gpr[10],
		s->gpr[9],
		s->gpr[8],
		s->gpr[X86_RAX],
		s->gpr[X86_RCX],
		s->gpr[X86_RDX],
		s->gpr[X86_RSI],
		s->gpr[X86_RDI],
		UINT64_MAX, /* in no system call */
		s->rip,
		s->seg[X86_CS].selector,
		s->rflags,
		s->gpr[X86_RSP],
		s->seg[X86_SS].selector,
		s->seg[X86_FS].base,
		s->seg[X86_GS].base,
		s->seg[X86_DS].selector,
		s->seg[X86_ES].selector,
		s->seg[X86_FS].selector,
		s->seg[X86_GS].selector,
	};
	uint8_t status[PRSTATUS_SIZE] = { 0 };

	static_assert(PRSTATUS_REGS + sizeof(regs) + 8 == PRSTATUS_SIZE, "pr_fpvalid ends it");
	put_le32(status + PRSTATUS_PID, cpu + 1);
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		put_le64(status + PRSTATUS_REGS + 8 * i, regs[i]);
	append_note(out, "CORE", NT_PRSTATUS, PRSTATUS_SIZE);
	g_byte_array_append(out, status, sizeof(status));
}

static void append_qemu_segment(GByteArray *out, uint32_t selector, uint32_t limit, uint32_t flags,
				uint64_t base)
{
	append_le32(out, selector);
	append_le32(out, limit);
	append_le32(out, flags);
	append_le32(out, 0);
	append_le64(out, base);
}

static uint64_t kernel_gs_base(const struct x86_state *s)
{
	for (unsigned i = 0; i < s->msr_count; i++) {
		if (s->msr[i].index == MSR_KERNEL_GS_BASE)
			return s->msr[i].value;
	}
	return 0;
}

static void append_qemu(GByteArray *out, const struct x86_state *s)
{
	static const uint8_t regs[] = { X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI,
					X86_RSP, X86_RBP, 8,       9,       10,      11,
					12,      13,      14,      15 };
	static const uint8_t segs[] = { X86_CS, X86_DS, X86_ES,  X86_FS,
					X86_GS, X86_SS, X86_LDT, X86_TR };
	const uint64_t control[] = { s->cr0, 0, s->cr2, s->cr3, s->cr4 };

	append_note(out, "QEMU", 0, QEMU_SIZE);
	append_le32(out, QEMU_VERSION);
	append_le32(out, QEMU_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		append_le64(out, s->gpr[regs[i]]);
	append_le64(out, s->rip);
	append_le64(out, s->rflags);
	for (size_t i = 0; i < ARRAY_SIZE(segs); i++) {
		const struct x86_segment *seg = &s->seg[segs[i]];

		append_qemu_segment(out, seg->selector, seg->limit, (uint32_t)seg->access << 8,
				    seg->base);
	}
	append_qemu_segment(out, 0, s->gdt.limit, 0, s->gdt.base);
	append_qemu_segment(out, 0, s->idt.limit, 0, s->idt.base);
	for (size_t i = 0; i < ARRAY_SIZE(control); i++)
		append_le64(out, control[i]);
	append_le64(out, kernel_gs_base(s));
}

/* ---- the file ---- */

static bool write_at(int fd, const uint8_t *buf, size_t len, uint64_t off, GError **error)
{
	while (len > 0) {
		const ssize_t n = sys_pwrite(fd, buf, len, (off_t)off);

		if (n <= 0)
			return error_sys(error, n < 0 ? (int)n : -ENOSPC, "cannot write the dump");
		buf += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return true;
}

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 && !memcmp(page, page + 1, MEM_PAGE_SIZE - 1);
}

/* Runs of pages that have something; what is between them stays a hole. */
static bool write_piece(const struct dump_file *file, const uint8_t *host, uint64_t len,
			uint64_t off, GError **error)
{
	for (uint64_t at = 0; at < len;) {
		uint64_t end = at;

		while (end < len && !is_zero(host + end))
			end += MEM_PAGE_SIZE;
		if (end > at && !write_at(file->fd, host + at, end - at, off + at, error))
			return false;
		at = MAX(end, at + MEM_PAGE_SIZE);
	}
	return true;
}

static bool write_region(struct dump_file *file, const struct mem_region *region, uint64_t off,
			 GError **error)
{
	for (uint64_t at = 0; at < region->size; at += PIECE) {
		const uint64_t len = MIN((uint64_t)PIECE, region->size - at);

		if (atomic_load(&file->cancel))
			return error_set(error, SOCLE_ERROR_FAILED, "the dump was given up");
		if (!write_piece(file, region->host + at, len, off + at, error))
			return false;
		atomic_fetch_add(&file->written, len);
	}
	return true;
}

static GByteArray *make_head(const struct dump_file *file, uint64_t *ret_data)
{
	const struct mem *mem = file->mem;
	const unsigned segments = mem->count + 1;
	const uint64_t notes = sizeof(Elf64_Ehdr) + segments * sizeof(Elf64_Phdr);
	const uint64_t notes_len = notes_per_cpu * file->cpu_count;
	/* Pages stand at multiples of their size, so that holes are ones for the file system, too. */
	uint64_t data = (notes + notes_len + MEM_PAGE_SIZE - 1) / MEM_PAGE_SIZE * MEM_PAGE_SIZE;
	GByteArray *head = g_byte_array_new();

	*ret_data = data;
	append_header(head, segments);
	append_segment(head, PT_NOTE, notes, 0, notes_len);
	for (unsigned i = 0; i < mem->count; i++) {
		append_segment(head, PT_LOAD, data, mem->region[i].gpa, mem->region[i].size);
		data += mem->region[i].size;
	}
	for (unsigned i = 0; i < file->cpu_count; i++)
		append_prstatus(head, file->cpus[i], i);
	for (unsigned i = 0; i < file->cpu_count; i++)
		append_qemu(head, file->cpus[i]);
	g_assert(head->len == notes + notes_len);
	return head;
}

bool dump_file_write(struct dump_file *file, GError **error)
{
	uint64_t data;
	g_autoptr(GByteArray) head = make_head(file, &data);
	int result;

	if (!write_at(file->fd, head->data, head->len, 0, error))
		return false;
	for (unsigned i = 0; i < file->mem->count; i++) {
		if (!write_region(file, &file->mem->region[i], data, error))
			return false;
		data += file->mem->region[i].size;
	}
	result = sys_ftruncate(file->fd, (off_t)data);
	if (result == 0)
		result = sys_fsync(file->fd);
	return result == 0 || error_sys(error, result, "cannot write the dump");
}
