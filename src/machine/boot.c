/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.c - what kind of kernel a file is, and who loads it
 *
 * Files stay open from boot_open() on and are read again for each start, so nothing of them is kept
 * in memory while the guest runs. boot_open() reads headers only, unless the whole file is
 * compressed: then what is in it is unpacked to a mapping, which lives until it has been loaded.
 */
#include "machine/boot.h"

#include <elf.h>
#include <malloc.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "machine/boot-int.h"

static const char kinds_known[] = "bzImage, ELF with a PVH note, multiboot";

/* ---- kernels that are compressed files --------------------------------------------------- */

/* Unpack the kernel file to boot->plain. */
static bool unpack_file(struct boot *boot, GError **error)
{
	autoptr(unpack) unpack = NULL;
	const size_t room = (size_t)boot->limit;
	void *bytes = NULL;
	size_t got, keep;
	int r;

	unpack = unpack_new(boot->packed, &boot->kernel, 0, boot->kernel.size, boot->limit, error);
	if (!unpack)
		return false;
	r = sys_mmap(&bytes, room, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r < 0)
		return error_sys(error, r, "no memory to unpack kernel '%s'", boot->kernel.name);
	if (!unpack_read(unpack, bytes, room, &got, error) || !unpack_finish(unpack, 0, error)) {
		sys_munmap(bytes, room);
		return false;
	}
	keep = MAX((got + MEM_PAGE_SIZE - 1) & ~((size_t)MEM_PAGE_SIZE - 1), MEM_PAGE_SIZE);
	if (keep < room)
		sys_munmap((uint8_t *)bytes + keep, room - keep);
	boot_file_memory(&boot->plain, "kernel", (struct span){ bytes, got });
	boot->plain.mapped = MIN(keep, room);
	g_free(boot->plain.name);
	boot->plain.name = g_strdup(boot->kernel.name);
	if (got == 0)
		return boot_refuse(&boot->kernel, error, SOCLE_ERROR_CORRUPT,
				   "is a compressed file with nothing in it");
	return true;
}

/* The kernel's own bytes, unpacked if need be; NULL on error. */
static const struct boot_file *image(struct boot *boot, GError **error)
{
	if (boot->packed == UNPACK_NONE)
		return &boot->kernel;
	if (!boot->plain.mapped && !unpack_file(boot, error))
		return NULL;
	return &boot->plain;
}

/* ---- what is it? ------------------------------------------------------------------------- */

static bool has_at(struct span head, size_t off, const char *bytes, size_t len)
{
	return span_has(head, off, len) && memcmp(head.p + off, bytes, len) == 0;
}

/* Something that people take for a kernel, and why it is none for this machine; or NULL. */
static const char *known_stranger(struct span head)
{
	if (has_at(head, 0x38, "ARM\x64", 4))
		return "is a kernel for 64-bit ARM: this is an x86-64 machine, "
		       "give it an x86-64 kernel";
	if (has_at(head, 0x24, "\x18\x28\x6f\x01", 4))
		return "is a kernel for 32-bit ARM: this is an x86-64 machine, "
		       "give it an x86-64 kernel";
	if (has_at(head, 0x38, "RSC\x05", 4))
		return "is a kernel for RISC-V: this is an x86-64 machine, "
		       "give it an x86-64 kernel";
	if (has_at(head, 0, "\x27\x05\x19\x56", 4))
		return "is an image for U-Boot: give the bzImage that it was made of";
	if (has_at(head, 0, "MZ", 2))
		return "is a program for EFI firmware, not a bzImage: "
		       "give the Linux kernel that it was made of";
	if (has_at(head, 0x8001, "CD001", 5) || has_at(head, 0, "QFI\xfb", 4))
		return "is a disk image: give a kernel (bzImage, ELF with a PVH note, multiboot)";
	if (has_at(head, 0, "070701", 6))
		return "is an initramfs: give it with --initrd, and a kernel with --kernel";
	if (has_at(head, 0x1fe, "\x55\xaa", 2))
		return "is a boot sector or real-mode code, no kernel that Socle knows "
		       "(bzImage, ELF with a PVH note, multiboot)";
	return NULL;
}

static bool detect_elf(struct boot *boot, const struct boot_file *file, bool is_multiboot,
		       GError **error)
{
	struct boot_stream stream = { .file = file };
	g_autofree struct elf *elf = g_new(struct elf, 1);

	if (!elf_parse(&stream, elf, error))
		return false;
	if (elf->has_pvh) {
		boot->kind = BOOT_PVH;
		return true;
	}
	if (is_multiboot) {
		boot->kind = BOOT_MULTIBOOT;
		return multiboot_check(file, error);
	}
	if (elf->is_64)
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "is an x86-64 ELF file without a PVH note: for Linux set "
				   "CONFIG_PVH=y, or give the bzImage of the same build");
	return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
			   "is a 32-bit ELF file with neither a PVH note nor a multiboot header: "
			   "give a kernel that Socle knows (%s)",
			   kinds_known);
}

static bool detect(struct boot *boot, const struct boot_file *file, GError **error)
{
	const uint64_t size = MIN(file->size, BOOT_HEAD_SIZE);
	g_autofree uint8_t *bytes = g_malloc(BOOT_HEAD_SIZE);
	const struct span head = { bytes, (size_t)size };
	const char *stranger;

	if (!boot_file_read(file, 0, bytes, size, error))
		return false;
	if (has_at(head, 0x1fe, "\x55\xaa", 2) && has_at(head, 0x202, "HdrS", 4))
		return bzimage_check(file, boot->limit, &boot->kind, error);
	if (has_at(head, 0, ELFMAG, SELFMAG))
		return detect_elf(boot, file, multiboot_find(head) >= 0, error);
	if (multiboot_find(head) >= 0) {
		boot->kind = BOOT_MULTIBOOT;
		return multiboot_check(file, error);
	}
	stranger = known_stranger(head);
	if (stranger)
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED, "%s", stranger);
	return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
			   "is no kernel that Socle knows (%s)", kinds_known);
}

/* What the kernel file is; boot->kernel is open. */
static bool detect_kernel(struct boot *boot, GError **error)
{
	uint8_t magic[UNPACK_MAGIC_SIZE];
	const uint64_t size = MIN(boot->kernel.size, sizeof(magic));
	const struct boot_file *file;

	if (boot->kernel.size > BOOT_MAX_FILE)
		return boot_refuse(&boot->kernel, error, SOCLE_ERROR_LIMIT,
				   "has %" PRIu64 " MiB, more than any kernel (%" PRIu64
				   " MiB): give the kernel, not a disk image",
				   boot->kernel.size / BOOT_MIB, BOOT_MAX_FILE / BOOT_MIB);
	if (!boot_file_read(&boot->kernel, 0, magic, size, error))
		return false;
	boot->packed = unpack_detect(magic, (size_t)size);
	file = image(boot, error);
	return file && detect(boot, file, error);
}

/* ---- opening ----------------------------------------------------------------------------- */

static struct boot *boot_new(const char *cmdline, uint64_t limit)
{
	struct boot *boot = g_new0(struct boot, 1);

	boot->cmdline = g_strdup(cmdline ? cmdline : "");
	boot->limit = limit;
	boot->kernel.fd = -1;
	boot->plain.fd = -1;
	return boot;
}

static bool add_module(struct boot *boot, const char *what, const char *path, const char *cmdline,
		       GError **error)
{
	struct boot_module *module = &boot->module[boot->module_count];

	if (boot->module_count == BOOT_MAX_MODULES)
		return error_set(error, SOCLE_ERROR_LIMIT, "more than %d modules: load fewer",
				 BOOT_MAX_MODULES);
	if (!boot_file_open(&module->file, what, path, error))
		return false;
	module->cmdline = g_strdup(cmdline);
	boot->module_count++;
	return true;
}

/* "FILE [ARGS][,FILE [ARGS]]..." */
static bool add_modules(struct boot *boot, const char *list, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(list, ",", -1);

	for (unsigned i = 0; parts[i]; i++) {
		g_autofree char *path = g_strndup(parts[i], strcspn(parts[i], " "));

		if (!*path)
			return error_set(error, SOCLE_ERROR_USAGE,
					 "module %u of '%s' has no name: write them as "
					 "FILE [ARGS][,FILE [ARGS]]...",
					 i + 1, list);
		if (!add_module(boot, "module", path, parts[i], error))
			return false;
	}
	return true;
}

struct boot *boot_open(const struct boot_config *config, GError **error)
{
	autoptr(boot) boot = boot_new(config->cmdline, BOOT_MAX_FILE);

	if (!boot_file_open(&boot->kernel, "kernel", config->kernel, error) ||
	    !detect_kernel(boot, error))
		return NULL;
	if (config->initrd && boot->kind == BOOT_MULTIBOOT) {
		if (!add_modules(boot, config->initrd, error))
			return NULL;
	} else if (config->initrd) {
		if (!add_module(boot, "initrd", config->initrd, "", error))
			return NULL;
	}
	return g_steal_pointer(&boot);
}

struct boot *boot_open_memory(struct span kernel, struct span initrd, const char *cmdline,
			      uint64_t limit, GError **error)
{
	autoptr(boot) boot = boot_new(cmdline, limit);

	boot_file_memory(&boot->kernel, "kernel", kernel);
	if (!detect_kernel(boot, error))
		return NULL;
	if (initrd.p) {
		boot_file_memory(&boot->module[0].file, "initrd", initrd);
		boot->module[0].cmdline = g_strdup("initrd");
		boot->module_count = 1;
	}
	return g_steal_pointer(&boot);
}

void boot_free(struct boot *boot)
{
	if (!boot)
		return;
	for (unsigned i = 0; i < boot->module_count; i++) {
		boot_file_release(&boot->module[i].file);
		g_free(boot->module[i].cmdline);
	}
	boot_file_release(&boot->plain);
	boot_file_release(&boot->kernel);
	g_free(boot->cmdline);
	g_free(boot);
}

enum boot_kind boot_kind(const struct boot *boot)
{
	return boot->kind;
}

/* ---- loading ----------------------------------------------------------------------------- */

/* Files may have changed since they were opened; a new size counts from now on. */
static bool refresh(struct boot_file *file, GError **error)
{
	int64_t size;

	if (file->fd < 0)
		return true;
	size = sys_file_size(file->fd);
	if (size < 0)
		return error_sys(error, (int)size, "cannot read %s '%s'", file->what, file->name);
	if (size == 0)
		return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
				   "has become empty: it is being written, start again");
	file->size = (uint64_t)size;
	return true;
}

static bool load(struct boot *boot, struct boot_layout *layout, uint64_t rsdp,
		 struct x86_state *state, GError **error)
{
	const struct boot_file *file;

	if (!refresh(&boot->kernel, error))
		return false;
	for (unsigned i = 0; i < boot->module_count; i++) {
		if (!refresh(&boot->module[i].file, error))
			return false;
	}
	file = image(boot, error);
	if (!file)
		return false;
	switch (boot->kind) {
	case BOOT_BZIMAGE:
	case BOOT_BZIMAGE_UNPACKED:
		return bzimage_load(boot, file, layout, rsdp, state, error);
	case BOOT_PVH:
		return pvh_load(boot, file, layout, rsdp, state, error);
	case BOOT_MULTIBOOT:
		return multiboot_load(boot, file, layout, state, error);
	}
	return false;
}

bool boot_load(struct boot *boot, struct mem *mem, const struct memmap *map, uint64_t rsdp,
	       struct x86_state *state, GError **error)
{
	g_autofree struct boot_layout *layout = g_new0(struct boot_layout, 1);
	bool ok;

	layout->mem = mem;
	layout->map = map;
	ok = load(boot, layout, rsdp, state, error);
	boot_file_release(&boot->plain);
	/* Decompressors allocate megabytes; the allocator would keep them for ever. */
	(void)malloc_trim(0);
	return ok;
}
