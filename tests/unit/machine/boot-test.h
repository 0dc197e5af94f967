/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot-test.h - tiny kernels of all kinds made in memory, and a guest to load them into
 */
#ifndef BOOT_TEST_H
#define BOOT_TEST_H

#include <bzlib.h>
#include <elf.h>
#include <glib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "machine/boot-int.h"

enum {
	TEST_LIMIT = 64 << 20,
	TEST_RSDP = 0xe1230,
};

/* ---- bytes ------------------------------------------------------------------------------- */

static inline struct span span_of(const GByteArray *bytes)
{
	return (struct span){ bytes->data, bytes->len };
}

static inline GByteArray *bytes_zero(size_t len)
{
	GByteArray *bytes = g_byte_array_sized_new((unsigned)len);

	(void)g_byte_array_set_size(bytes, (unsigned)len);
	if (len)
		memset(bytes->data, 0, len);
	return bytes;
}

static inline void bytes_add(GByteArray *bytes, const void *p, size_t len)
{
	(void)g_byte_array_append(bytes, p, (unsigned)len);
}

/* Bytes that compress, but not to nothing; the same for the same @seed. */
static inline GByteArray *bytes_noise(size_t len, uint32_t seed)
{
	GByteArray *bytes = bytes_zero(len);

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes->data[i] = (uint8_t)((seed >> 24) & (i & 64 ? 0x0f : 0xff));
	}
	return bytes;
}

/* ---- compressors ------------------------------------------------------------------------- */

static inline void pack_lz4(GByteArray *out, struct span in)
{
	enum {
		BLOCK = 8 << 20
	};
	static const uint8_t magic[4] = { 0x02, 0x21, 0x4c, 0x18 };
	g_autofree char *packed = g_malloc(LZ4_COMPRESSBOUND(BLOCK));
	uint8_t head[4];

	bytes_add(out, magic, sizeof(magic));
	for (size_t off = 0; off < in.len; off += BLOCK) {
		const int len = LZ4_compress_default((const char *)in.p + off, packed,
						     (int)MIN(BLOCK, in.len - off),
						     LZ4_COMPRESSBOUND(BLOCK));

		g_assert_cmpint(len, >, 0);
		put_le32(head, (uint32_t)len);
		bytes_add(out, head, sizeof(head));
		bytes_add(out, packed, (size_t)len);
	}
}

static inline size_t pack_gzip(uint8_t *out, size_t room, struct span in)
{
	z_stream z = { 0 };

	z.next_in = (uint8_t *)(uintptr_t)in.p;
	z.avail_in = (unsigned)in.len;
	z.next_out = out;
	z.avail_out = (unsigned)room;
	g_assert_cmpint(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), ==, Z_OK);
	g_assert_cmpint(deflate(&z, Z_FINISH), ==, Z_STREAM_END);
	g_assert_cmpint(deflateEnd(&z), ==, Z_OK);
	return z.total_out;
}

static inline size_t pack_lzma(uint8_t *out, size_t room, struct span in, bool alone)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	size_t len;

	g_assert_false(lzma_lzma_preset(&options, 1));
	if (alone)
		g_assert_cmpint(lzma_alone_encoder(&s, &options), ==, LZMA_OK);
	else
		g_assert_cmpint(lzma_easy_encoder(&s, 1, LZMA_CHECK_CRC32), ==, LZMA_OK);
	s.next_in = in.p;
	s.avail_in = in.len;
	s.next_out = out;
	s.avail_out = room;
	g_assert_cmpint(lzma_code(&s, LZMA_FINISH), ==, LZMA_STREAM_END);
	len = s.total_out;
	lzma_end(&s);
	return len;
}

static inline GByteArray *pack(enum unpack_kind kind, struct span in)
{
	const size_t room = in.len + in.len / 8 + 4096;
	g_autofree uint8_t *buf = g_malloc(room);
	GByteArray *out = g_byte_array_new();
	unsigned bz2_len = (unsigned)room;
	size_t len = 0;

	switch (kind) {
	case UNPACK_GZIP:
		len = pack_gzip(buf, room, in);
		break;
	case UNPACK_XZ:
		len = pack_lzma(buf, room, in, false);
		break;
	case UNPACK_LZMA:
		len = pack_lzma(buf, room, in, true);
		break;
	case UNPACK_LZ4:
		pack_lz4(out, in);
		break;
	case UNPACK_ZSTD:
		len = ZSTD_compress(buf, room, in.p, in.len, 3);
		g_assert_false(ZSTD_isError(len));
		break;
	case UNPACK_BZIP2:
		g_assert_cmpint(BZ2_bzBuffToBuffCompress((char *)buf, &bz2_len,
							 (char *)(uintptr_t)in.p, (unsigned)in.len,
							 1, 0, 0),
				==, BZ_OK);
		len = bz2_len;
		break;
	case UNPACK_NONE:
	case UNPACK_KIND_COUNT:
		memcpy(buf, in.p, in.len);
		len = in.len;
		break;
	}
	bytes_add(out, buf, len);
	return out;
}

/* ---- ELF --------------------------------------------------------------------------------- */

struct test_segment {
	uint32_t type;
	uint64_t vaddr, paddr;
	const void *bytes;
	uint64_t file_size, mem_size;
};

struct test_elf {
	bool is_32;
	unsigned machine; /* 0: the one of the class */
	unsigned type;    /* 0: executable */
	uint64_t entry;
	unsigned count;
	struct test_segment segment[8];
};

static inline GByteArray *make_elf(const struct test_elf *elf)
{
	const size_t head = elf->is_32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);
	const size_t entry = elf->is_32 ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
	GByteArray *out = bytes_zero(head + elf->count * entry);
	const unsigned type = elf->type ? elf->type : ET_EXEC;
	const unsigned machine =
		elf->machine ? elf->machine : (unsigned)(elf->is_32 ? EM_386 : EM_X86_64);

	if (elf->is_32) {
		Elf32_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1 },
				 .e_type = (uint16_t)type,
				 .e_machine = (uint16_t)machine,
				 .e_version = 1,
				 .e_entry = (uint32_t)elf->entry,
				 .e_phoff = sizeof(h),
				 .e_ehsize = sizeof(h),
				 .e_phentsize = sizeof(Elf32_Phdr),
				 .e_phnum = (uint16_t)elf->count };
		memcpy(out->data, &h, sizeof(h));
	} else {
		Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
				 .e_type = (uint16_t)type,
				 .e_machine = (uint16_t)machine,
				 .e_version = 1,
				 .e_entry = elf->entry,
				 .e_phoff = sizeof(h),
				 .e_ehsize = sizeof(h),
				 .e_phentsize = sizeof(Elf64_Phdr),
				 .e_phnum = (uint16_t)elf->count };
		memcpy(out->data, &h, sizeof(h));
	}
	for (unsigned i = 0; i < elf->count; i++) {
		const struct test_segment *s = &elf->segment[i];
		const Elf32_Phdr p32 = { .p_type = s->type,
					 .p_offset = out->len,
					 .p_vaddr = (uint32_t)s->vaddr,
					 .p_paddr = (uint32_t)s->paddr,
					 .p_filesz = (uint32_t)s->file_size,
					 .p_memsz = (uint32_t)s->mem_size,
					 .p_align = 4 };
		const Elf64_Phdr p64 = { .p_type = s->type,
					 .p_offset = out->len,
					 .p_vaddr = s->vaddr,
					 .p_paddr = s->paddr,
					 .p_filesz = s->file_size,
					 .p_memsz = s->mem_size,
					 .p_align = 4 };

		memcpy(out->data + head + i * entry,
		       elf->is_32 ? (const void *)&p32 : (const void *)&p64, entry);
		bytes_add(out, s->bytes, s->file_size);
	}
	return out;
}

/* A note of Xen's with a descriptor of 4 or 8 bytes; 16 + @desc_size bytes long. */
static inline void make_pvh_note(uint8_t *note, uint64_t entry, unsigned desc_size)
{
	put_le32(note, 4);
	put_le32(note + 4, desc_size);
	put_le32(note + 8, 18);
	memcpy(note + 12, "Xen", 4);
	if (desc_size == 8)
		put_le64(note + 16, entry);
	else
		put_le32(note + 16, (uint32_t)entry);
}

/* ---- bzImage ----------------------------------------------------------------------------- */

struct test_bzimage {
	struct span payload; /* packed, without the size behind it */
	bool no_tail;        /* gzip: the size is part of it */
	uint32_t unpacked_size;
	uint16_t version;    /* 0: 2.15 */
	uint16_t xloadflags; /* 0: 64-bit */
	bool is_32, is_low, is_fixed;
	uint64_t pref_address; /* 0: 16 MiB */
	uint32_t init_size;    /* 0: 1 MiB */
	uint32_t alignment;    /* 0: 2 MiB */
	uint32_t initrd_max;   /* 0: 0x7fffffff */
};

static inline GByteArray *make_bzimage(const struct test_bzimage *bz)
{
	enum {
		SECTORS = 2,
		CODE = (SECTORS + 1) * 512,
		PAYLOAD = 0x240
	};
	GByteArray *out = bytes_zero(CODE + PAYLOAD);
	uint8_t *h = out->data, tail[4];

	memset(h + CODE, 0xc0, PAYLOAD);
	h[0x1f1] = SECTORS;
	put_le16(h + 0x1fe, 0xaa55);
	h[0x200] = 0xeb;
	h[0x201] = 0x6a;
	put_le32(h + 0x202, 0x53726448); /* "HdrS" */
	put_le16(h + 0x206, bz->version ? bz->version : 0x20f);
	h[0x211] = bz->is_low ? 0 : 1;
	put_le32(h + 0x22c, bz->initrd_max ? bz->initrd_max : 0x7fffffff);
	put_le32(h + 0x230, bz->alignment ? bz->alignment : 0x200000);
	h[0x234] = !bz->is_fixed;
	put_le16(h + 0x236, bz->is_32 ? 0 : 0x7f);
	put_le32(h + 0x238, 2047);
	put_le32(h + 0x248, PAYLOAD);
	put_le32(h + 0x24c, (uint32_t)(bz->payload.len + (bz->no_tail ? 0 : 4)));
	put_le64(h + 0x258, bz->pref_address ? bz->pref_address : 0x1000000);
	put_le32(h + 0x260, bz->init_size ? bz->init_size : 0x100000);
	bytes_add(out, bz->payload.p, bz->payload.len);
	put_le32(tail, bz->unpacked_size);
	if (!bz->no_tail)
		bytes_add(out, tail, sizeof(tail));
	return out;
}

/* A bzImage of a packed ELF kernel of two segments at 16 MiB and 17 MiB; the latter has 64 bytes
 * more in memory than in the file. */
static inline GByteArray *make_linux(enum unpack_kind kind)
{
	g_autoptr(GByteArray) text = bytes_noise(5000, 1), data = bytes_noise(300, 2);
	const struct test_elf vmlinux = {
		.entry = 0x1000010,
		.count = 2,
		.segment = { { PT_LOAD, 0xffffffff81000000, 0x1000000, text->data, 5000, 5000 },
			     { PT_LOAD, 0, 0x1100000, data->data, 300, 364 } },
	};
	g_autoptr(GByteArray) elf = make_elf(&vmlinux);
	g_autoptr(GByteArray) packed = pack(kind, span_of(elf));
	const struct test_bzimage bz = {
		.payload = span_of(packed),
		.no_tail = kind == UNPACK_GZIP,
		.unpacked_size = elf->len,
	};

	return make_bzimage(&bz);
}

/* ---- multiboot --------------------------------------------------------------------------- */

static inline void make_multiboot_header(uint8_t *p, uint32_t flags)
{
	put_le32(p, 0x1badb002);
	put_le32(p + 4, flags);
	put_le32(p + 8, -(0x1badb002u + flags));
}

/* ---- a guest ----------------------------------------------------------------------------- */

struct guest {
	struct mem *mem;
	struct memmap map;
	struct x86_state *state; /* too large for a stack frame */
};

static inline void guest_init(struct guest *guest, uint64_t mib)
{
	g_autoptr(GError) error = NULL;

	*guest = (struct guest){ .mem = mem_new(), .state = g_new0(struct x86_state, 1) };
	g_assert_true(memmap_build(guest->mem, mib << 20, 0, &guest->map, &error));
	g_assert_no_error(error);
}

static inline void guest_release(struct guest *guest)
{
	mem_free(guest->mem);
	g_free(guest->state);
}

/* Guest bytes that are known to be RAM. */
static inline const uint8_t *at(const struct guest *guest, uint64_t gpa)
{
	const uint8_t *p = mem_ptr(guest->mem, gpa, 1);

	if (!p)
		g_error("no RAM at 0x%" PRIx64, gpa);
	return p;
}

static inline void assert_bytes(const struct guest *guest, uint64_t gpa, const void *bytes,
				size_t len)
{
	const void *p = mem_ptr(guest->mem, gpa, len);

	if (!p)
		g_error("no RAM at 0x%" PRIx64, gpa);
	g_assert_cmpmem(p, len, bytes, len);
}

/* Open from memory and load: NULL, or the text of the error. */
static inline char *try_boot(struct guest *guest, struct span kernel, struct span initrd,
			     const char *cmdline)
{
	autoptr(boot) boot = NULL;
	g_autoptr(GError) error = NULL;

	boot = boot_open_memory(kernel, initrd, cmdline, TEST_LIMIT, &error);
	if (boot && boot_load(boot, guest->mem, &guest->map, TEST_RSDP, guest->state, &error)) {
		g_assert_no_error(error);
		return NULL;
	}
	g_assert_nonnull(error);
	return g_strdup(error->message);
}

static inline void assert_boots(struct guest *guest, struct span kernel, struct span initrd,
				const char *cmdline)
{
	g_autofree char *text = try_boot(guest, kernel, initrd, cmdline);

	g_assert_cmpstr(text, ==, NULL);
}

/* It is refused in these words. */
static inline void assert_refused(struct span kernel, uint64_t mib, const char *words)
{
	g_autofree char *text = NULL;
	struct guest guest;

	guest_init(&guest, mib);
	text = try_boot(&guest, kernel, (struct span){ 0 }, "");
	g_assert_cmpstr(text, ==, words);
	guest_release(&guest);
}

static inline void assert_flat(const struct x86_segment *s, unsigned selector, unsigned access)
{
	g_assert_cmphex(s->selector, ==, selector);
	g_assert_cmphex(s->access, ==, access);
	g_assert_cmphex(s->base, ==, 0);
	g_assert_cmphex(s->limit, ==, 0xffffffff);
	g_assert_false(s->unusable);
}

static inline void assert_state_32(const struct guest *guest, uint64_t entry)
{
	const struct x86_state *s = guest->state;

	g_assert_cmphex(s->rip, ==, entry);
	g_assert_cmphex(s->rflags, ==, 2);
	g_assert_cmphex(s->cr0, ==, CR0_PE | CR0_ET);
	g_assert_cmphex(s->cr3, ==, 0);
	g_assert_cmphex(s->cr4, ==, 0);
	g_assert_cmphex(s->efer, ==, 0);
	assert_flat(&s->seg[X86_CS], 0x10, 0xc09b);
	assert_flat(&s->seg[X86_DS], 0x18, 0xc093);
	assert_flat(&s->seg[X86_ES], 0x18, 0xc093);
	assert_flat(&s->seg[X86_SS], 0x18, 0xc093);
	g_assert_cmphex(s->seg[X86_TR].limit, ==, 0x67);
	g_assert_cmphex(s->seg[X86_TR].access, ==, 0x8b);
	g_assert_cmphex(s->gdt.limit, ==, 0x2f);
	/* What is in the GDT is what is in the segment registers. */
	g_assert_cmphex(get_le64(at(guest, s->gdt.base + 0x10)), ==, 0x00cf9b000000ffff);
	g_assert_cmphex(get_le64(at(guest, s->gdt.base + 0x18)), ==, 0x00cf93000000ffff);
	g_assert_cmphex(get_le64(at(guest, s->gdt.base + 0x20)), ==, 0x00008b0000000067);
}

#endif
