/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem.h - guest memory: from guest-physical addresses to host pointers, and who wrote what
 *
 * A guest's RAM is a few regions (below and above the hole), added before the vCPUs start and then
 * fixed: look-ups need no lock. Each 4 KiB page has a byte of flags:
 *
 *   MEM_PAGE_DIRTY  written since the last mem_dirty_fetch(), while logging is on
 *   MEM_PAGE_CODE   the software engine holds decoded code of it and wants to hear of writes
 *   MEM_PAGE_CODE_READY  beside it: every vCPU of that engine knows
 *
 * Whoever writes guest RAM except a vCPU of the KVM engine does it through mem_write() or a
 * mem_ptr_write() pointer, so that both flags are honoured.
 *
 * Threads: look-ups and copies from any; the set-up functions before the first vCPU runs;
 * mem_dirty_* from the main loop.
 */
#ifndef MEM_MEM_H
#define MEM_MEM_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

enum {
	MEM_PAGE_SHIFT = 12,
	MEM_PAGE_SIZE = 1 << MEM_PAGE_SHIFT,
	MEM_MAX_REGIONS = 8,
};

enum {
	MEM_PAGE_DIRTY = 1,
	MEM_PAGE_CODE = 2,
	MEM_PAGE_CODE_READY = 4,
};

struct mem_region {
	uint64_t gpa;            /* of the first byte; page aligned, as is size */
	uint64_t size;           /* bytes */
	uint8_t *host;           /* the whole region, mapped lazily */
	_Atomic(uint8_t) *flags; /* one for each page */
};

/* The software engine, told of writes by others to pages that hold decoded code. */
struct mem_code_ops {
	/* [gpa, gpa + len) is within one page and has just been written. Any thread. */
	void (*written)(void *opaque, uint64_t gpa, uint64_t len);
};

struct mem {
	unsigned count;
	struct mem_region region[MEM_MAX_REGIONS]; /* ascending, not overlapping */
	atomic_bool dirty_log;                     /* MEM_PAGE_DIRTY is being kept */
	const struct mem_code_ops *code_ops;       /* NULL: nobody wants to know */
	void *code_opaque;
};

struct mem *mem_new(void);
void mem_free(struct mem *mem);
DEFINE_AUTOPTR(mem, mem_free);

/**
 * mem_add_ram() - give the guest zeroed RAM
 * @gpa, @size: page aligned; must not overlap other regions
 *
 * Host memory is reserved, not committed: pages come with the first touch.
 */
bool mem_add_ram(struct mem *mem, uint64_t gpa, uint64_t size, GError **error);

/* All regions forget their contents (zero again), as at power-on. vCPUs are paused. */
void mem_clear(struct mem *mem);

/* Sum of all regions in bytes. */
uint64_t mem_size(const struct mem *mem);

/* The region that holds [gpa, gpa + len) wholly, or NULL. @len 0 counts as 1. */
static inline const struct mem_region *mem_find(const struct mem *mem, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < mem->count; i++) {
		const struct mem_region *r = &mem->region[i];

		if (gpa - r->gpa < r->size && len <= r->size - (gpa - r->gpa))
			return r;
	}
	return NULL;
}

/* For reading only: the host address of [gpa, gpa + len), or NULL if it is not all RAM. */
static inline const void *mem_ptr(const struct mem *mem, uint64_t gpa, uint64_t len)
{
	const struct mem_region *r = mem_find(mem, gpa, len);

	return r ? r->host + (gpa - r->gpa) : NULL;
}

/* The guest's address of what is RAM at @host, or UINT64_MAX. */
static inline uint64_t mem_gpa(const struct mem *mem, const void *host)
{
	for (unsigned i = 0; i < mem->count; i++) {
		const struct mem_region *r = &mem->region[i];

		if ((uintptr_t)host - (uintptr_t)r->host < r->size)
			return r->gpa + ((uintptr_t)host - (uintptr_t)r->host);
	}
	return UINT64_MAX;
}

/* The flags byte of the page that holds @gpa, or NULL. */
static inline _Atomic(uint8_t) *mem_page_flags(const struct mem *mem, uint64_t gpa)
{
	const struct mem_region *r = mem_find(mem, gpa, 1);

	return r ? &r->flags[(gpa - r->gpa) >> MEM_PAGE_SHIFT] : NULL;
}

/**
 * mem_ptr_write() - the host address of [gpa, gpa + len) for a device that will write there
 *
 * Call mem_written() for the same range when the bytes are in place.
 * Return: NULL if it is not all RAM
 */
void *mem_ptr_write(struct mem *mem, uint64_t gpa, uint64_t len);
void mem_written(struct mem *mem, uint64_t gpa, uint64_t len);

/* Copy between host and guest; 0, or -EFAULT without any effect if the range is not all RAM. */
int mem_read(const struct mem *mem, uint64_t gpa, void *buf, uint64_t len);
int mem_write(struct mem *mem, uint64_t gpa, const void *buf, uint64_t len);

/* Start keeping MEM_PAGE_DIRTY (all pages clean), or stop. The engine must be told as well:
 * cpu_ops.dirty_log does both. */
void mem_dirty_log(struct mem *mem, bool on);

/**
 * mem_dirty_fetch() - which pages of a range were written, and mark them clean
 * @gpa:    page aligned, inside one region with @pages
 * @bitmap: (pages + 63) / 64 words; bits are ORed in
 */
void mem_dirty_fetch(struct mem *mem, uint64_t gpa, uint64_t pages, uint64_t *bitmap);

#endif
