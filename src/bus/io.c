/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.c - address spaces for port and memory-mapped I/O: who answers at an address
 *
 * The ranges of a space stand in a sorted array that is never changed: the main loop makes a new
 * one and swaps the pointer, a vCPU takes the pointer once per access and searches what it points
 * to. A vCPU may still read an old array, so these are kept until the space goes; there are few of
 * them and they are small.
 */
#include "bus/io.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "base/error.h"

struct entry {
	uint64_t base, len;
	struct io_range *range;
};

struct table {
	struct table *older;
	size_t count;
	struct entry entry[]; /* ascending, not overlapping */
};

struct io_space {
	char *name;
	uint64_t limit;
	_Atomic(struct table *) table;
};

static struct table *table_new(size_t count)
{
	struct table *t = g_malloc0(sizeof(*t) + count * sizeof(t->entry[0]));

	t->count = count;
	return t;
}

/* From now on @t is what accesses see. */
static void publish(struct io_space *space, struct table *t)
{
	t->older = atomic_load_explicit(&space->table, memory_order_relaxed);
	atomic_store_explicit(&space->table, t, memory_order_release);
}

struct io_space *io_space_new(const char *name, uint64_t limit)
{
	struct io_space *space = g_new0(struct io_space, 1);

	space->name = g_strdup(name);
	space->limit = limit;
	publish(space, table_new(0));
	return space;
}

void io_space_free(struct io_space *space)
{
	struct table *t, *older;

	if (!space)
		return;
	for (t = atomic_load(&space->table); t; t = older) {
		older = t->older;
		g_free(t);
	}
	g_free(space->name);
	g_free(space);
}

bool io_space_add(struct io_space *space, struct io_range *range, GError **error)
{
	const struct table *old = atomic_load_explicit(&space->table, memory_order_relaxed);
	uint64_t base = range->base, len = range->len;
	struct table *t;
	size_t at = 0;

	if (!len || base >= space->limit || len > space->limit - base)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "%s: '%s' at 0x%" PRIx64 " with 0x%" PRIx64
				 " bytes does not fit below 0x%" PRIx64,
				 space->name, range->name, base, len, space->limit);
	for (size_t i = 0; i < old->count; i++) {
		const struct entry *e = &old->entry[i];

		if (base < e->base + e->len && e->base < base + len)
			return error_set(error, SOCLE_ERROR_EXISTS,
					 "%s: '%s' at 0x%" PRIx64 " overlaps '%s' at 0x%" PRIx64,
					 space->name, range->name, base, e->range->name, e->base);
		if (e->base < base)
			at = i + 1;
	}
	t = table_new(old->count + 1);
	for (size_t i = 0; i < old->count; i++)
		t->entry[i < at ? i : i + 1] = old->entry[i];
	t->entry[at] = (struct entry){ .base = base, .len = len, .range = range };
	publish(space, t);
	return true;
}

void io_space_remove(struct io_space *space, struct io_range *range)
{
	const struct table *old = atomic_load_explicit(&space->table, memory_order_relaxed);
	struct table *t;
	size_t at = 0;

	while (at < old->count && old->entry[at].range != range)
		at++;
	if (at == old->count)
		return;
	t = table_new(old->count - 1);
	for (size_t i = 0; i < t->count; i++)
		t->entry[i] = old->entry[i < at ? i : i + 1];
	publish(space, t);
}

/* Who holds all bytes of [addr, addr + size), or NULL. */
DATA_PATH static const struct entry *look_up(struct io_space *space, uint64_t addr, unsigned size)
{
	const struct table *t = atomic_load_explicit(&space->table, memory_order_acquire);
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct entry *e = &t->entry[mid];

		if (addr < e->base)
			high = mid;
		else if (addr - e->base >= e->len)
			low = mid + 1;
		else
			return size <= e->len - (addr - e->base) ? e : NULL;
	}
	return NULL;
}

DATA_PATH static uint64_t ones(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (size * 8)) - 1;
}

DATA_PATH uint64_t io_read(struct io_space *space, uint64_t addr, unsigned size)
{
	const struct entry *e = look_up(space, addr, size);

	if (!e || !e->range->ops->read)
		return ones(size);
	return e->range->ops->read(e->range, addr - e->base, size) & ones(size);
}

DATA_PATH void io_write(struct io_space *space, uint64_t addr, unsigned size, uint64_t value)
{
	const struct entry *e = look_up(space, addr, size);

	if (e && e->range->ops->write)
		e->range->ops->write(e->range, addr - e->base, size, value & ones(size));
}
