/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.c - address spaces for port and memory-mapped I/O: who answers at an address
 *
 * The ranges of a space stand in a sorted table. There are two tables and a generation number, whose
 * lowest bit says which of the two is in force. A writer, one at a time, fills the other table and
 * then counts the generation up. A reader takes the generation, searches its table, copies what it
 * has found, and takes the generation again: if it is another one, the table may have been refilled
 * under it, and it starts over. So a change allocates nothing and frees nothing, however often the
 * guest moves its BARs, and readers write nowhere.
 *
 * Why that is right:
 *
 *  (1) A reader that has seen generation g (acquire) sees at least the table of g: its entries were
 *      stored before g was (release).
 *  (2) The table of g is written next for g + 2, hence after g + 1 was stored. Entries are stored
 *      with release and loaded with acquire, which on x86 are plain moves. So a reader that has
 *      loaded one value of g + 2 sees g + 1 or more when it looks again, and starts over. What it
 *      believes is therefore the table of g, whole.
 *  (3) A search among values of two generations goes nowhere bad: it looks at indices below one count
 *      that fits the table it was loaded from, halves what is left each time, and follows no pointer
 *      before (2) is certain.
 *  (4) A reader starts over only if a writer has come through meanwhile, and never waits for one that
 *      stands still in the middle. A change is an exit of a vCPU long, a search some nanoseconds.
 *
 * A table that has become too small is replaced by one twice as large. The old one stays, since a
 * reader may be in it, until the space goes; all old ones together are smaller than what is in use.
 * Their number follows the ranges that there are at a time, which no guest can make.
 */
#include "bus/io.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"

enum {
	TABLE_MIN = 64 /* entries of the first tables */
};

struct entry {
	_Atomic(uint64_t) base, len, reach; /* reach: len and the overhang */
	_Atomic(struct io_range *) range;
};

/* What a search has found. */
struct found {
	uint64_t base;
	struct io_range *range; /* NULL: nobody */
};

struct table {
	struct table *older; /* that it has replaced */
	size_t room;
	_Atomic(size_t) count;
	struct entry entry[]; /* ascending, not overlapping */
};

struct io_space {
	char *name;
	uint64_t limit;
	pthread_mutex_t lock; /* writers: guards what follows against each other */
	_Atomic(uint64_t) generation;
	_Atomic(struct table *) table[2]; /* [generation % 2] is in force */
};

static struct table *table_new(size_t room, struct table *older)
{
	struct table *t = g_malloc0(sizeof(*t) + room * sizeof(t->entry[0]));

	t->room = room;
	t->older = older;
	return t;
}

static void table_free(struct table *t)
{
	struct table *older;

	for (; t; t = older) {
		older = t->older;
		g_free(t);
	}
}

struct io_space *io_space_new(const char *name, uint64_t limit)
{
	struct io_space *space = g_new0(struct io_space, 1);

	space->name = g_strdup(name);
	space->limit = limit;
	pthread_mutex_init(&space->lock, NULL);
	for (unsigned i = 0; i < 2; i++)
		atomic_init(&space->table[i], table_new(TABLE_MIN, NULL));
	return space;
}

void io_space_free(struct io_space *space)
{
	if (!space)
		return;
	for (unsigned i = 0; i < 2; i++)
		table_free(atomic_load(&space->table[i]));
	pthread_mutex_destroy(&space->lock);
	g_free(space->name);
	g_free(space);
}

static const struct table *table_locked(struct io_space *space)
{
	uint64_t generation = atomic_load_explicit(&space->generation, memory_order_relaxed);

	return atomic_load_explicit(&space->table[generation & 1], memory_order_relaxed);
}

/* The table that is not in force, with room for @count entries. */
static struct table *spare_locked(struct io_space *space, size_t count)
{
	uint64_t next = atomic_load_explicit(&space->generation, memory_order_relaxed) + 1;
	struct table *t = atomic_load_explicit(&space->table[next & 1], memory_order_relaxed);

	if (t->room < count) {
		t = table_new(MAX(count, 2 * t->room), t);
		atomic_store_explicit(&space->table[next & 1], t, memory_order_release);
	}
	return t;
}

/* The spare table, which has @count entries now, comes into force. */
static void publish_locked(struct io_space *space, struct table *t, size_t count)
{
	uint64_t next = atomic_load_explicit(&space->generation, memory_order_relaxed) + 1;

	atomic_store_explicit(&t->count, count, memory_order_release);
	atomic_store_explicit(&space->generation, next, memory_order_release);
}

static void entry_set(struct entry *e, struct io_range *range)
{
	atomic_store_explicit(&e->base, range->base, memory_order_release);
	atomic_store_explicit(&e->len, range->len, memory_order_release);
	atomic_store_explicit(&e->reach, range->len + range->overhang, memory_order_release);
	atomic_store_explicit(&e->range, range, memory_order_release);
}

static void entry_copy(struct entry *to, const struct entry *from)
{
	atomic_store_explicit(&to->base, from->base, memory_order_release);
	atomic_store_explicit(&to->len, from->len, memory_order_release);
	atomic_store_explicit(&to->reach, from->reach, memory_order_release);
	atomic_store_explicit(&to->range, from->range, memory_order_release);
}

/* Where in the table in force @range belongs; false: it cannot be added. */
static bool find_place_locked(struct io_space *space, const struct io_range *range, size_t *ret_at,
			      GError **error)
{
	const struct table *t = table_locked(space);
	uint64_t base = range->base, len = range->len;
	size_t at = 0;

	if (!len || base >= space->limit || len > space->limit - base)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "%s: '%s' at 0x%" PRIx64 " with 0x%" PRIx64
				 " bytes does not fit below 0x%" PRIx64,
				 space->name, range->name, base, len, space->limit);
	for (size_t i = 0; i < t->count; i++) {
		uint64_t other = t->entry[i].base;

		if (base < other + t->entry[i].len && other < base + len)
			return error_set(error, SOCLE_ERROR_EXISTS,
					 "%s: '%s' at 0x%" PRIx64 " overlaps '%s' at 0x%" PRIx64,
					 space->name, range->name, base, t->entry[i].range->name,
					 other);
		if (other < base)
			at = i + 1;
	}
	*ret_at = at;
	return true;
}

bool io_space_add(struct io_space *space, struct io_range *range, GError **error)
{
	const struct table *old;
	struct table *t;
	size_t at = 0, count;
	bool ok;

	pthread_mutex_lock(&space->lock);
	ok = find_place_locked(space, range, &at, error);
	if (ok) {
		old = table_locked(space);
		count = old->count;
		t = spare_locked(space, count + 1);
		for (size_t i = 0; i < count; i++)
			entry_copy(&t->entry[i < at ? i : i + 1], &old->entry[i]);
		entry_set(&t->entry[at], range);
		publish_locked(space, t, count + 1);
	}
	pthread_mutex_unlock(&space->lock);
	return ok;
}

void io_space_remove(struct io_space *space, struct io_range *range)
{
	const struct table *old;
	struct table *t;
	size_t at = 0, count;

	pthread_mutex_lock(&space->lock);
	old = table_locked(space);
	count = old->count;
	while (at < count && old->entry[at].range != range)
		at++;
	if (at < count) {
		t = spare_locked(space, count - 1);
		for (size_t i = 0; i < count - 1; i++)
			entry_copy(&t->entry[i], &old->entry[i < at ? i : i + 1]);
		publish_locked(space, t, count - 1);
	}
	pthread_mutex_unlock(&space->lock);
}

/* Who holds all bytes of [addr, addr + size), as far as this table tells. */
DATA_PATH static struct found search(const struct table *t, uint64_t addr, unsigned size)
{
	size_t low = 0, high = atomic_load_explicit(&t->count, memory_order_acquire);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct entry *e = &t->entry[mid];
		uint64_t base = atomic_load_explicit(&e->base, memory_order_acquire);

		if (addr < base) {
			high = mid;
		} else if (addr - base >= atomic_load_explicit(&e->len, memory_order_acquire)) {
			low = mid + 1;
		} else {
			uint64_t reach = atomic_load_explicit(&e->reach, memory_order_acquire);

			if (size > reach - (addr - base))
				break;
			return (struct found){ base, atomic_load_explicit(&e->range,
									  memory_order_acquire) };
		}
	}
	return (struct found){ 0, NULL };
}

DATA_PATH static struct found look_up(struct io_space *space, uint64_t addr, unsigned size)
{
	uint64_t seen, now = atomic_load_explicit(&space->generation, memory_order_acquire);
	struct found found;

	do {
		seen = now;
		found = search(atomic_load_explicit(&space->table[seen & 1], memory_order_acquire),
			       addr, size);
		now = atomic_load_explicit(&space->generation, memory_order_acquire);
	} while (unlikely(now != seen));
	return found;
}

DATA_PATH static uint64_t ones(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (size * 8)) - 1;
}

DATA_PATH uint64_t io_read(struct io_space *space, uint64_t addr, unsigned size)
{
	struct found found = look_up(space, addr, size);

	if (!found.range || !found.range->ops->read)
		return ones(size);
	return found.range->ops->read(found.range, addr - found.base, size) & ones(size);
}

DATA_PATH void io_write(struct io_space *space, uint64_t addr, unsigned size, uint64_t value)
{
	struct found found = look_up(space, addr, size);

	if (found.range && found.range->ops->write)
		found.range->ops->write(found.range, addr - found.base, size, value & ones(size));
}
