/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot-place.c - who gets which guest memory, and the way of the bytes into it
 */
#include "machine/boot-int.h"

static bool range_overlaps(const struct boot_range *range, uint64_t addr, uint64_t size)
{
	return addr < range->addr + range->size && range->addr < addr + size;
}

/* The memory map's RAM entry that holds all of it, or NULL. Empty ranges have a place too. */
static const struct memmap_entry *find_ram(const struct boot_layout *layout, uint64_t addr,
					   uint64_t size)
{
	for (unsigned i = 0; i < layout->map->count; i++) {
		const struct memmap_entry *entry = &layout->map->entry[i];

		if (entry->type == E820_RAM && addr >= entry->addr &&
		    addr - entry->addr < entry->size && size <= entry->size - (addr - entry->addr))
			return entry;
	}
	return NULL;
}

bool boot_is_ram(const struct boot_layout *layout, uint64_t addr, uint64_t size)
{
	return find_ram(layout, addr, size) && mem_find(layout->mem, addr, size);
}

bool boot_is_free(const struct boot_layout *layout, uint64_t addr, uint64_t size)
{
	if (!boot_is_ram(layout, addr, size))
		return false;
	for (unsigned i = 0; i < layout->count; i++) {
		if (range_overlaps(&layout->range[i], addr, size))
			return false;
	}
	return true;
}

/* The range is free. */
static bool take(struct boot_layout *layout, uint64_t addr, uint64_t size)
{
	if (layout->count == BOOT_MAX_RANGES)
		return false;
	layout->range[layout->count++] = (struct boot_range){ addr, size };
	return true;
}

/* How much memory the machine must have so that there is RAM up to @end, or 0 if none would do. */
static uint64_t memory_for(uint64_t addr, uint64_t size)
{
	uint64_t end = addr + size;

	if (end < addr)
		return 0;
	if (addr >= MEMMAP_ABOVE_4G)
		end -= MEMMAP_ABOVE_4G - MEMMAP_HOLE;
	else if (addr < MEMMAP_HIGH || end > MEMMAP_HOLE)
		return 0;
	return end <= MEMMAP_MAX_RAM ? (end + BOOT_MIB - 1) / BOOT_MIB : 0;
}

bool boot_claim(struct boot_layout *layout, const struct boot_file *file, uint64_t addr,
		uint64_t size, GError **error)
{
	uint64_t needed;

	if (boot_is_free(layout, addr, size)) {
		if (take(layout, addr, size))
			return true;
		return boot_refuse(file, error, SOCLE_ERROR_LIMIT, "has too many parts");
	}
	if (boot_is_ram(layout, addr, size))
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "wants the memory at 0x%" PRIx64 ", which is taken: "
				   "link it at 1 MiB or above, without overlaps",
				   addr);
	needed = memory_for(addr, size);
	if (needed == 0)
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "wants 0x%" PRIx64 " bytes of memory at 0x%" PRIx64
				   ", where this machine never has RAM: "
				   "link it for an address from 1 MiB to 3 GiB",
				   size, addr);
	return boot_refuse(file, error, SOCLE_ERROR_LIMIT,
			   "needs more memory than the machine has: give it at least "
			   "%" PRIu64 " MiB with --memory",
			   needed);
}

/* The lowest or highest aligned place for @size bytes in [from, to) that hits no range taken. */
static bool place_within(const struct boot_layout *layout, uint64_t size, uint64_t align,
			 uint64_t from, uint64_t to, bool high, uint64_t *ret_addr)
{
	const uint64_t mask = ~(align - 1);
	uint64_t addr;

	/* Each round leaves one range behind for good, so this ends. */
	for (unsigned round = 0; round <= BOOT_MAX_RANGES; round++) {
		const struct boot_range *hit = NULL;

		if (from > to || to - from < size)
			return false;
		if (high) {
			addr = (to - size) & mask;
		} else {
			if (from > UINT64_MAX - align)
				return false;
			addr = (from + align - 1) & mask;
		}
		if (addr < from || addr > to - size)
			return false;
		for (unsigned i = 0; i < layout->count && !hit; i++) {
			if (range_overlaps(&layout->range[i], addr, size))
				hit = &layout->range[i];
		}
		if (!hit) {
			*ret_addr = addr;
			return true;
		}
		if (high)
			to = hit->addr;
		else
			from = hit->addr + hit->size;
	}
	return false;
}

bool boot_place(struct boot_layout *layout, uint64_t size, uint64_t align, uint64_t min,
		uint64_t max, bool high, uint64_t *ret_addr)
{
	const unsigned count = layout->map->count;
	uint64_t addr;

	for (unsigned i = 0; i < count; i++) {
		const struct memmap_entry *entry = &layout->map->entry[high ? count - 1 - i : i];

		if (entry->type != E820_RAM ||
		    !place_within(layout, size, align, MAX(min, entry->addr),
				  MIN(max, entry->addr + entry->size), high, &addr) ||
		    !mem_find(layout->mem, addr, size))
			continue;
		if (!take(layout, addr, size))
			return false;
		*ret_addr = addr;
		return true;
	}
	return false;
}

bool boot_place_initrd(struct boot_layout *layout, const struct boot_file *initrd, uint64_t max,
		       uint64_t *ret_addr, GError **error)
{
	const uint64_t mib = (initrd->size + BOOT_MIB - 1) / BOOT_MIB;
	struct boot_stream stream = { .file = initrd };
	uint64_t kernel_end = MEMMAP_HIGH, needed;

	if (boot_place(layout, initrd->size, MEM_PAGE_SIZE, MEMMAP_HIGH, max, true, ret_addr))
		return boot_copy(layout->mem, *ret_addr, &stream, 0, initrd->size, error);

	for (unsigned i = 0; i < layout->count; i++) {
		const struct boot_range *range = &layout->range[i];

		if (range->addr + range->size <= max)
			kernel_end = MAX(kernel_end, range->addr + range->size);
	}
	needed = kernel_end / BOOT_MIB + mib + 1;
	if (needed > max / BOOT_MIB)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "%s '%s' of %" PRIu64 " MiB does not fit: the kernel "
				 "takes none that ends above %" PRIu64 " MiB; make it smaller",
				 initrd->what, initrd->name, mib, max / BOOT_MIB);
	return error_set(error, SOCLE_ERROR_LIMIT,
			 "%s '%s' of %" PRIu64 " MiB does not fit into the machine's "
			 "memory: give the machine at least %" PRIu64 " MiB with --memory",
			 initrd->what, initrd->name, mib, needed);
}

static void *writable(struct mem *mem, uint64_t addr, uint64_t len, GError **error)
{
	void *host = mem_ptr_write(mem, addr, len);

	if (!host)
		(void)error_set(error, SOCLE_ERROR_LIMIT,
				"no guest memory at 0x%" PRIx64
				" for boot parameters: give the machine more with --memory",
				addr);
	return host;
}

bool boot_copy(struct mem *mem, uint64_t addr, struct boot_stream *from, uint64_t off, uint64_t len,
	       GError **error)
{
	void *host;

	if (len == 0)
		return true;
	host = writable(mem, addr, len, error);
	if (!host || !boot_stream_read(from, off, host, len, error))
		return false;
	mem_written(mem, addr, len);
	return true;
}

bool boot_put(struct mem *mem, uint64_t addr, const void *bytes, uint64_t len, GError **error)
{
	void *host = writable(mem, addr, len, error);

	if (!host)
		return false;
	memcpy(host, bytes, len);
	mem_written(mem, addr, len);
	return true;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

bool boot_zero(struct mem *mem, uint64_t addr, uint64_t len, GError **error)
{
	uint8_t *host;
	uint64_t done = 0;

	if (len == 0)
		return true;
	host = writable(mem, addr, len, error);
	if (!host)
		return false;
	while (done < len) {
		const uint64_t page_left = MEM_PAGE_SIZE - ((addr + done) % MEM_PAGE_SIZE);
		const size_t n = MIN(page_left, len - done);

		if (!is_zero(host + done, n)) {
			memset(host + done, 0, n);
			mem_written(mem, addr + done, n);
		}
		done += n;
	}
	return true;
}

bool boot_put_cmdline(struct boot_layout *layout, const struct boot *boot, uint64_t max,
		      GError **error)
{
	const size_t len = strlen(boot->cmdline);
	uint64_t addr;

	max = MIN(max, BOOT_CMDLINE_MAX - 1);
	if (len > max)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "the command line has %zu bytes and kernel '%s' takes %" PRIu64
				 ": shorten --append",
				 len, boot->kernel.name, max);
	if (!boot_place(layout, len + 1, 1, BOOT_CMDLINE, BOOT_CMDLINE + BOOT_CMDLINE_MAX, false,
			&addr) ||
	    addr != BOOT_CMDLINE)
		return boot_refuse(&boot->kernel, error, SOCLE_ERROR_UNSUPPORTED,
				   "wants the memory at 0x%x, which is the command line's: "
				   "link it at 1 MiB or above",
				   BOOT_CMDLINE);
	return boot_put(layout->mem, BOOT_CMDLINE, boot->cmdline, len + 1, error);
}
