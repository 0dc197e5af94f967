/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem.c - guest memory: from guest-physical addresses to host pointers, and who wrote what
 *
 * Both the RAM of a region and its flags are reserved address space without commitment: a guest
 * may be given 1 TiB, and costs what it touches.
 *
 * Who writes and who looks. A writer stores its bytes, then looks at the flags of the page. The
 * software engine sets MEM_PAGE_CODE, then reads the bytes that it decodes; the main loop sets
 * dirty_log or takes MEM_PAGE_DIRTY away, then reads the bytes that it saves. In each pair at least
 * one of the two must see the other, so a full barrier stands between store and look: here it is
 * the read-modify-write of the flags byte, which is a barrier on x86 and, unlike a fence, is
 * understood by ThreadSanitizer. Others who look first must do as much.
 */
#include "mem/mem.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/sys.h"

#ifdef __SANITIZE_THREAD__
/* Part of the runtime of ThreadSanitizer. */
void AnnotateBenignRaceSized(const char *file, int line, const volatile void *mem, size_t size,
			     const char *what);
#endif

/* Host and guest addresses agree in the bits below this, or huge pages could not be used. */
static const uint64_t huge_size = 2u << 20;

struct mem *mem_new(void)
{
	return g_new0(struct mem, 1);
}

void mem_free(struct mem *mem)
{
	if (!mem)
		return;
	for (unsigned i = 0; i < mem->count; i++) {
		struct mem_region *r = &mem->region[i];

		sys_munmap(r->host, r->size);
		sys_munmap((void *)(uintptr_t)r->flags, r->size >> MEM_PAGE_SHIFT);
	}
	g_free(mem);
}

static int reserve(void **ret_p, uint64_t len)
{
	return sys_mmap(ret_p, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* Reserve room for [gpa, gpa + size), of which the lower address bits are those of gpa. */
static int reserve_ram(uint64_t gpa, uint64_t size, uint8_t **ret_host)
{
	uint64_t head, slack = huge_size;
	void *p;
	uint8_t *start;
	int err;

	if (size < huge_size)
		slack = 0;
	err = reserve(&p, size + slack);
	if (err)
		return err;
	start = p;
	if (slack) {
		head = (gpa - (uintptr_t)start) & (huge_size - 1);
		if (head)
			sys_munmap(start, head);
		sys_munmap(start + head + size, slack - head);
		start += head;
	}
	/* Both are only advice: kernels without huge pages refuse the first. */
	(void)sys_madvise(start, size, MADV_HUGEPAGE);
	(void)sys_madvise(start, size, MADV_DONTDUMP);
#ifdef __SANITIZE_THREAD__
	/* What vCPUs do to RAM at the same time is between them: the guest's locks are not seen. */
	AnnotateBenignRaceSized(__FILE__, __LINE__, start, size, "guest RAM");
#endif
	*ret_host = start;
	return 0;
}

static bool check_range(const struct mem *mem, uint64_t gpa, uint64_t size, GError **error)
{
	if (!size || (gpa | size) % MEM_PAGE_SIZE || gpa + size < gpa)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "RAM of 0x%" PRIx64 " bytes at 0x%" PRIx64
				 " is not made of whole pages",
				 size, gpa);
	if (mem->count == MEM_MAX_REGIONS)
		return error_set(error, SOCLE_ERROR_LIMIT, "more than %d regions of RAM",
				 MEM_MAX_REGIONS);
	for (unsigned i = 0; i < mem->count; i++) {
		const struct mem_region *r = &mem->region[i];

		if (gpa < r->gpa + r->size && r->gpa < gpa + size)
			return error_set(error, SOCLE_ERROR_EXISTS,
					 "RAM at 0x%" PRIx64 " overlaps the RAM at 0x%" PRIx64, gpa,
					 r->gpa);
	}
	return true;
}

bool mem_add_ram(struct mem *mem, uint64_t gpa, uint64_t size, GError **error)
{
	struct mem_region region = { .gpa = gpa, .size = size };
	void *flags;
	unsigned at;
	int err;

	if (!check_range(mem, gpa, size, error))
		return false;
	err = reserve_ram(gpa, size, &region.host);
	if (err)
		return error_sys(error, err, "cannot reserve %" PRIu64 " MiB of guest RAM",
				 size >> 20);
	err = reserve(&flags, size >> MEM_PAGE_SHIFT);
	if (err) {
		sys_munmap(region.host, size);
		return error_sys(error, err, "cannot reserve page flags for guest RAM");
	}
	region.flags = flags;
	for (at = mem->count; at > 0 && mem->region[at - 1].gpa > gpa; at--)
		mem->region[at] = mem->region[at - 1];
	mem->region[at] = region;
	mem->count++;
	return true;
}

uint64_t mem_size(const struct mem *mem)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < mem->count; i++)
		sum += mem->region[i].size;
	return sum;
}

/* All of a region has changed. Flags are written only where they must be: they are mapped lazily. */
static void region_changed(struct mem *mem, const struct mem_region *r)
{
	bool log = atomic_load(&mem->dirty_log);
	uint64_t pages = r->size >> MEM_PAGE_SHIFT;

	if (!log && !mem->code_ops)
		return;
	for (uint64_t i = 0; i < pages; i++) {
		uint8_t flags = atomic_load_explicit(&r->flags[i], memory_order_relaxed);

		if (log)
			atomic_fetch_or(&r->flags[i], MEM_PAGE_DIRTY);
		if (flags & MEM_PAGE_CODE && mem->code_ops)
			mem->code_ops->written(mem->code_opaque, r->gpa + (i << MEM_PAGE_SHIFT),
					       MEM_PAGE_SIZE);
	}
}

void mem_clear(struct mem *mem)
{
	for (unsigned i = 0; i < mem->count; i++) {
		struct mem_region *r = &mem->region[i];

		/* Refused for locked memory, which has to be zeroed by hand. */
		if (sys_madvise(r->host, r->size, MADV_DONTNEED) < 0)
			memset(r->host, 0, r->size);
		region_changed(mem, r);
	}
}

DATA_PATH void *mem_ptr_write(struct mem *mem, uint64_t gpa, uint64_t len)
{
	const struct mem_region *r = mem_find(mem, gpa, len);

	return r ? r->host + (gpa - r->gpa) : NULL;
}

DATA_PATH static void page_written(struct mem *mem, _Atomic(uint8_t) *flags, uint64_t gpa,
				   uint64_t len)
{
	/* Adds nothing: it is the barrier between the bytes and the look at flags and dirty_log. */
	uint8_t old = atomic_fetch_or(flags, 0);

	if (unlikely(atomic_load(&mem->dirty_log)) && !(old & MEM_PAGE_DIRTY))
		atomic_fetch_or(flags, MEM_PAGE_DIRTY);
	if (unlikely(old & MEM_PAGE_CODE) && mem->code_ops)
		mem->code_ops->written(mem->code_opaque, gpa, len);
}

DATA_PATH void mem_written(struct mem *mem, uint64_t gpa, uint64_t len)
{
	const struct mem_region *r = len ? mem_find(mem, gpa, len) : NULL;

	if (!r)
		return;
	while (len) {
		uint64_t part = MEM_PAGE_SIZE - gpa % MEM_PAGE_SIZE;

		if (part > len)
			part = len;
		page_written(mem, &r->flags[(gpa - r->gpa) >> MEM_PAGE_SHIFT], gpa, part);
		gpa += part;
		len -= part;
	}
}

DATA_PATH int mem_read(const struct mem *mem, uint64_t gpa, void *buf, uint64_t len)
{
	const void *p = mem_ptr(mem, gpa, len);

	if (!p)
		return -EFAULT;
	if (len)
		memcpy(buf, p, len);
	return 0;
}

DATA_PATH int mem_write(struct mem *mem, uint64_t gpa, const void *buf, uint64_t len)
{
	void *p = mem_ptr_write(mem, gpa, len);

	if (!p)
		return -EFAULT;
	if (len)
		memcpy(p, buf, len);
	mem_written(mem, gpa, len);
	return 0;
}

void mem_dirty_log(struct mem *mem, bool on)
{
	for (unsigned i = 0; on && i < mem->count; i++) {
		const struct mem_region *r = &mem->region[i];
		uint64_t pages = r->size >> MEM_PAGE_SHIFT;

		for (uint64_t page = 0; page < pages; page++) {
			if (atomic_load(&r->flags[page]) & MEM_PAGE_DIRTY)
				atomic_fetch_and(&r->flags[page], (uint8_t)~MEM_PAGE_DIRTY);
		}
	}
	atomic_store(&mem->dirty_log, on);
}

void mem_dirty_fetch(struct mem *mem, uint64_t gpa, uint64_t pages, uint64_t *bitmap)
{
	const struct mem_region *r = mem_find(mem, gpa, pages << MEM_PAGE_SHIFT);
	_Atomic(uint8_t) *flags;

	assert(r && gpa % MEM_PAGE_SIZE == 0);
	flags = &r->flags[(gpa - r->gpa) >> MEM_PAGE_SHIFT];
	for (uint64_t i = 0; i < pages; i++) {
		if (!(atomic_load(&flags[i]) & MEM_PAGE_DIRTY))
			continue;
		/* First clean, then the caller reads: a write in between is dirty once more. */
		atomic_fetch_and(&flags[i], (uint8_t)~MEM_PAGE_DIRTY);
		bitmap[i / 64] |= UINT64_C(1) << (i % 64);
	}
}
