/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-boot.c - any bytes as a kernel: bzImage, ELF, multiboot and the decompressors
 *
 * Whatever they are, boot_open() and boot_load() say yes, with a CPU that starts in RAM, or no, with
 * a reason. A kernel that boots once boots again.
 */
#include <assert.h>

#include "machine/boot-int.h"

enum {
	MEMORY = 64 << 20,
	LIMIT = 16 << 20,
	RSDP = 0xe0000
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool load(struct boot *boot, struct mem *mem, const struct memmap *map)
{
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
	g_autoptr(GError) error = NULL;
	const bool ok = boot_load(boot, mem, map, RSDP, state, &error);

	assert(ok == !error);
	assert(!ok || mem_find(mem, state->rip, 1));
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t initrd[5000] = "070701";
	static struct mem *mem;
	static struct memmap map;
	g_autoptr(GError) error = NULL;
	autoptr(boot) boot = NULL;

	if (!mem) {
		mem = mem_new();
		if (!memmap_build(mem, MEMORY, 0, &map, NULL))
			return 0;
	}
	boot = boot_open_memory((struct span){ data, size },
				(struct span){ initrd, sizeof(initrd) }, "console=ttyS0", LIMIT,
				&error);
	assert(!boot == !!error);
	if (!boot)
		return 0;
	if (load(boot, mem, &map))
		assert(load(boot, mem, &map));
	mem_clear(mem);
	return 0;
}
