/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load-bzimage.c - Linux' own format: Documentation/arch/x86/boot.rst and zero-page.rst
 *
 * A bzImage is real-mode code with the setup header, then a 64-bit program that unpacks the real
 * kernel (an ELF file) and enters it. Where the compression is known, that is done here, many times
 * faster than in the guest: the ELF file is unpacked straight to where it is linked, and entered
 * where the program would enter it, in the same state. It is not moved to a random address, as that
 * program may do; nothing else depends on it.
 */
#include "base/sys.h"
#include "machine/boot-int.h"

/* Offsets in the file and, as the header is copied, in the zero page. */
enum {
	ZP_ACPI_RSDP = 0x070,
	ZP_EXT_RAMDISK_IMAGE = 0x0c0,
	ZP_EXT_RAMDISK_SIZE = 0x0c4,
	ZP_E820_COUNT = 0x1e8,
	HDR_START = 0x1f1,
	HDR_SETUP_SECTS = 0x1f1,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP = 0x201, /* its second byte is the length of what follows */
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_TYPE_OF_LOADER = 0x210,
	HDR_LOADFLAGS = 0x211,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMD_LINE_PTR = 0x228,
	HDR_INITRD_ADDR_MAX = 0x22c,
	HDR_KERNEL_ALIGNMENT = 0x230,
	HDR_RELOCATABLE = 0x234,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PAYLOAD_OFFSET = 0x248,
	HDR_PAYLOAD_LENGTH = 0x24c,
	HDR_SETUP_DATA = 0x250,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_MIN_END = 0x264,
	HDR_MAX_END = 0x290,
	ZP_E820 = 0x2d0,
	ZP_E820_ENTRY = 20,
	ZP_SIZE = 4096,

	VERSION_MIN = 0x20c, /* since Linux 3.8: xloadflags */
	LOADED_HIGH = 0x01,
	CAN_USE_HEAP = 0x80,
	XLF_KERNEL_64 = 0x01,
	LOADER_UNKNOWN = 0xff,

	SETUP_RNG_SEED = 9,
	SETUP_DATA_HEAD = 16,
	SEED_SIZE = 32,

	ENTRY_64 = 0x200,
};

struct bzimage {
	uint8_t header[HDR_MAX_END]; /* the file's first bytes; zero behind the header */
	unsigned header_end;
	uint64_t code_off, code_size; /* the program */
	uint64_t payload_off, payload_size;
	uint64_t unpacked_size;
	enum unpack_kind packing;
};

static bool check_header(const struct boot_file *file, const uint8_t *h, GError **error)
{
	const unsigned version = get_le16(h + HDR_VERSION);

	if (version < VERSION_MIN)
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "uses boot protocol %u.%u, older than 2.12: "
				   "give a kernel of Linux 3.8 or newer",
				   version >> 8, version & 0xff);
	if (!(get_le16(h + HDR_XLOADFLAGS) & XLF_KERNEL_64))
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "is a 32-bit kernel, which Socle cannot boot directly: "
				   "give a 64-bit (x86-64) one");
	if (!(h[HDR_LOADFLAGS] & LOADED_HIGH))
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "is a zImage, made for loading below 640 KiB: give a bzImage");
	return true;
}

/* Where is the packed kernel, how is it packed, and how large will it be? */
static bool find_payload(const struct boot_file *file, struct bzimage *bz, uint64_t limit,
			 GError **error)
{
	const uint64_t off = get_le32(bz->header + HDR_PAYLOAD_OFFSET);
	const uint64_t size = get_le32(bz->header + HDR_PAYLOAD_LENGTH);
	uint8_t magic[UNPACK_MAGIC_SIZE], tail[4];

	bz->payload_off = bz->code_off + off;
	bz->payload_size = size;
	bz->packing = UNPACK_NONE;
	if (size < sizeof(magic) + sizeof(tail))
		return true;
	if (!boot_file_read(file, bz->payload_off + size - sizeof(tail), tail, sizeof(tail),
			    error) ||
	    !boot_file_read(file, bz->payload_off, magic, sizeof(magic), error))
		return false;
	bz->packing = unpack_detect(magic, sizeof(magic));
	bz->unpacked_size = get_le32(tail);
	/* gzip ends in the size by itself, for the others the kernel's makefile appends it. */
	if (bz->packing != UNPACK_GZIP)
		bz->payload_size -= sizeof(tail);
	if (bz->packing != UNPACK_NONE && (bz->unpacked_size == 0 || bz->unpacked_size > limit))
		return boot_refuse(file, error, SOCLE_ERROR_LIMIT,
				   "says that it unpacks to %" PRIu64
				   " bytes, which no kernel does: it is damaged",
				   bz->unpacked_size);
	return true;
}

static bool parse(const struct boot_file *file, uint64_t limit, struct bzimage *bz, GError **error)
{
	uint8_t *h = bz->header;
	uint64_t sectors;

	if (!boot_file_read(file, 0, h, HDR_MAX_END, error) || !check_header(file, h, error))
		return false;
	bz->header_end = HDR_MAGIC + h[HDR_JUMP];
	if (bz->header_end < HDR_MIN_END)
		return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
				   "is damaged: its header is too short; take a fresh copy");
	bz->header_end = MIN(bz->header_end, HDR_MAX_END);
	memset(h + bz->header_end, 0, HDR_MAX_END - bz->header_end);

	sectors = h[HDR_SETUP_SECTS] ? h[HDR_SETUP_SECTS] : 4;
	bz->code_off = (sectors + 1) * 512;
	if (bz->code_off + ENTRY_64 >= file->size)
		return boot_file_read(file, bz->code_off, NULL, ENTRY_64 + 1, error);
	bz->code_size = file->size - bz->code_off;
	return find_payload(file, bz, limit, error);
}

bool bzimage_check(const struct boot_file *file, uint64_t limit, enum boot_kind *ret_kind,
		   GError **error)
{
	struct bzimage bz = { 0 };

	if (!parse(file, limit, &bz, error))
		return false;
	*ret_kind = bz.packing == UNPACK_NONE ? BOOT_BZIMAGE : BOOT_BZIMAGE_UNPACKED;
	return true;
}

/* Unpack the kernel to where it is linked. */
static bool load_unpacked(const struct boot_file *file, const struct bzimage *bz,
			  struct boot_layout *layout, uint64_t *ret_entry, GError **error)
{
	autoptr(unpack) unpack = unpack_new(bz->packing, file, bz->payload_off, bz->payload_size,
					    bz->unpacked_size, error);
	struct boot_stream stream = { .file = file, .unpack = unpack };
	struct elf elf;

	if (!unpack || !elf_parse(&stream, &elf, error))
		return false;
	if (!elf.is_64 || !elf_has(&elf, elf.entry))
		return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
				   "has a payload that is no 64-bit kernel: it is damaged");
	if (!elf_claim(&elf, layout, file, error) || !elf_copy(&elf, &stream, layout->mem, error) ||
	    !unpack_finish(unpack, bz->unpacked_size, error))
		return false;
	*ret_entry = elf.entry;
	return true;
}

/* Load the program that unpacks; it wants init_size bytes from its own start on. */
static bool load_packed(const struct boot_file *file, const struct bzimage *bz,
			struct boot_layout *layout, uint64_t *ret_entry, GError **error)
{
	const uint64_t preferred = get_le64(bz->header + HDR_PREF_ADDRESS);
	const uint64_t align = get_le32(bz->header + HDR_KERNEL_ALIGNMENT);
	const uint64_t size = MAX(get_le32(bz->header + HDR_INIT_SIZE), bz->code_size);
	struct boot_stream stream = { .file = file };
	uint64_t addr = preferred;

	if (align == 0 || (align & (align - 1)) != 0)
		return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
				   "is damaged: its alignment is no power of two; "
				   "take a fresh copy");
	if (boot_is_free(layout, preferred, size) || !bz->header[HDR_RELOCATABLE] ||
	    !boot_place(layout, size, align, MEMMAP_HIGH, MEMMAP_HOLE, false, &addr)) {
		if (!boot_claim(layout, file, preferred, size, error))
			return false;
	}
	*ret_entry = addr + ENTRY_64;
	return boot_copy(layout->mem, addr, &stream, bz->code_off, bz->code_size, error);
}

/* The head of the list of setup_data: 32 bytes for the guest's random number generator. */
static bool put_seed(struct mem *mem, GError **error)
{
	uint8_t data[SETUP_DATA_HEAD + SEED_SIZE] = { 0 };
	int r;

	put_le32(data + 8, SETUP_RNG_SEED);
	put_le32(data + 12, SEED_SIZE);
	r = sys_random(data + SETUP_DATA_HEAD, SEED_SIZE);
	if (r < 0)
		return error_sys(error, r, "no random numbers for the guest");
	return boot_put(mem, BOOT_SETUP_DATA, data, sizeof(data), error);
}

static bool put_zero_page(const struct boot_layout *layout, const struct bzimage *bz, uint64_t rsdp,
			  struct boot_range initrd, GError **error)
{
	g_autofree uint8_t *page = g_malloc0(ZP_SIZE);

	memcpy(page + HDR_START, bz->header + HDR_START, bz->header_end - HDR_START);
	put_le64(page + ZP_ACPI_RSDP, rsdp);
	page[HDR_TYPE_OF_LOADER] = LOADER_UNKNOWN;
	page[HDR_LOADFLAGS] |= LOADED_HIGH | CAN_USE_HEAP;
	put_le32(page + HDR_CMD_LINE_PTR, BOOT_CMDLINE);
	put_le64(page + HDR_SETUP_DATA, BOOT_SETUP_DATA);
	put_le32(page + HDR_RAMDISK_IMAGE, (uint32_t)initrd.addr);
	put_le32(page + HDR_RAMDISK_SIZE, (uint32_t)initrd.size);
	put_le32(page + ZP_EXT_RAMDISK_IMAGE, (uint32_t)(initrd.addr >> 32));
	put_le32(page + ZP_EXT_RAMDISK_SIZE, (uint32_t)(initrd.size >> 32));

	page[ZP_E820_COUNT] = (uint8_t)layout->map->count;
	for (size_t i = 0; i < layout->map->count; i++) {
		const struct memmap_entry *entry = &layout->map->entry[i];
		uint8_t *p = page + ZP_E820 + i * ZP_E820_ENTRY;

		put_le64(p, entry->addr);
		put_le64(p + 8, entry->size);
		put_le32(p + 16, entry->type);
	}
	return boot_put(layout->mem, BOOT_ZERO_PAGE, page, ZP_SIZE, error);
}

bool bzimage_load(const struct boot *boot, const struct boot_file *file, struct boot_layout *layout,
		  uint64_t rsdp, struct x86_state *state, GError **error)
{
	struct boot_range initrd = { 0, 0 };
	uint64_t entry = 0, initrd_max;
	struct bzimage bz = { 0 };

	if (!parse(file, boot->limit, &bz, error) ||
	    !boot_claim(layout, file, BOOT_GDT, BOOT_LOW_END - BOOT_GDT, error) ||
	    !boot_put_cmdline(layout, boot, get_le32(bz.header + HDR_CMDLINE_SIZE), error))
		return false;
	if (bz.packing == UNPACK_NONE ? !load_packed(file, &bz, layout, &entry, error)
				      : !load_unpacked(file, &bz, layout, &entry, error))
		return false;
	if (boot->module_count) {
		initrd_max = get_le32(bz.header + HDR_INITRD_ADDR_MAX) + 1ull;
		initrd.size = boot->module[0].file.size;
		if (!boot_place_initrd(layout, &boot->module[0].file, MIN(initrd_max, MEMMAP_HOLE),
				       &initrd.addr, error))
			return false;
	}
	if (!put_seed(layout->mem, error) || !put_zero_page(layout, &bz, rsdp, initrd, error) ||
	    !boot_enter_64(layout->mem, state, entry, error))
		return false;
	state->gpr[X86_RSI] = BOOT_ZERO_PAGE;
	return true;
}
