/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty.c - memory slots of the KVM engine, and which pages vCPUs wrote
 *
 * A slot for each region of RAM, with the region's number. While pages are logged, KVM keeps either
 * a bitmap for each slot or a ring for each vCPU. What it tells is moved into the page flags of
 * struct mem, where the writes of devices are; mem_dirty_fetch() then answers for both.
 *
 * An entry of a ring goes clean -> dirty (KVM) -> to be reset (we) -> clean (KVM_RESET_DIRTY_RINGS).
 *  (1) ring_next of a vCPU is the first entry that we have not taken; all before it are taken.
 *  (2) A vCPU whose ring is full leaves KVM_RUN and takes its entries itself.
 */
#include <errno.h>
#include <linux/kvm.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "kvm/kvm-int.h"
#include "mem/mem.h"

static int set_slot(struct cpu_engine *engine, unsigned slot, bool dirty_log)
{
	const struct mem_region *region = &engine->config.mem->region[slot];
	struct kvm_userspace_memory_region arg = {
		.slot = slot,
		.flags = dirty_log ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = region->gpa,
		.memory_size = region->size,
		.userspace_addr = (uintptr_t)region->host,
	};

	return sys_ioctl(engine->vm_fd, KVM_SET_USER_MEMORY_REGION, &arg);
}

int kvm_set_slots(struct cpu_engine *engine, bool dirty_log)
{
	for (unsigned slot = 0; slot < engine->config.mem->count; slot++) {
		int r = set_slot(engine, slot, dirty_log);

		if (r < 0)
			return r;
	}
	return 0;
}

DATA_PATH static void mark_dirty(struct cpu_engine *engine, unsigned slot, uint64_t page)
{
	const struct mem *mem = engine->config.mem;

	if (slot < mem->count && page < mem->region[slot].size >> MEM_PAGE_SHIFT)
		atomic_fetch_or_explicit(&mem->region[slot].flags[page], MEM_PAGE_DIRTY,
					 memory_order_relaxed);
}

/* ---- rings ---- */

DATA_PATH static unsigned ring_take_locked(struct vcpu *vcpu)
{
	unsigned mask = vcpu->engine->ring_entries - 1, taken = 0;

	for (;; taken++, vcpu->ring_next++) {
		struct kvm_dirty_gfn *entry = &vcpu->ring[vcpu->ring_next & mask];

		/* Pairs with KVM's release: the flag is seen after the rest of the entry. */
		if (!(__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
			return taken;
		mark_dirty(vcpu->engine, entry->slot, entry->offset);
		__atomic_store_n(&entry->flags, (uint32_t)KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
	}
}

/*
 * Call it also when there was nothing to take: a pending signal makes KVM leave entries that it was
 * to reset, without saying so.
 */
DATA_PATH static int ring_reset_locked(struct cpu_engine *engine)
{
	return sys_ioctl_int(engine->vm_fd, KVM_RESET_DIRTY_RINGS, 0);
}

/*
 * A ring can be full with nothing in it for us when the main loop was faster. When that stays so,
 * KVM has written over entries that were not reset yet (seen where ring 0 is emulated: many writes
 * happen there between two looks at the ring) and neither side finds the other again.
 */
DATA_PATH bool kvm_ring_harvest(struct vcpu *vcpu)
{
	enum {
		FRUITLESS_MAX = 100
	};
	struct cpu_engine *engine = vcpu->engine;
	bool fruit;

	pthread_mutex_lock(&engine->ring_lock);
	fruit = ring_take_locked(vcpu) > 0;
	fruit |= ring_reset_locked(engine) > 0;
	pthread_mutex_unlock(&engine->ring_lock);
	vcpu->ring_fruitless = fruit ? 0 : vcpu->ring_fruitless + 1;
	return vcpu->ring_fruitless <= FRUITLESS_MAX;
}

static int harvest_rings(struct cpu_engine *engine)
{
	int r;

	pthread_mutex_lock(&engine->ring_lock);
	for (unsigned i = 0; i < engine->config.cpus; i++) {
		if (engine->vcpu[i])
			(void)ring_take_locked(engine->vcpu[i]);
	}
	r = ring_reset_locked(engine);
	pthread_mutex_unlock(&engine->ring_lock);
	return r < 0 ? r : 0;
}

/* ---- bitmap ---- */

/* KVM hands out the log of a whole slot, and forgets it. */
static int harvest_bitmap(struct cpu_engine *engine, unsigned slot)
{
	uint64_t pages = engine->config.mem->region[slot].size >> MEM_PAGE_SHIFT;
	uint64_t words = (pages + 63) / 64;
	g_autofree uint64_t *bitmap = g_try_new0(uint64_t, words);
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };
	int r;

	if (!bitmap)
		return -ENOMEM;
	r = sys_ioctl(engine->vm_fd, KVM_GET_DIRTY_LOG, &log);
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < words; i++) {
		for (uint64_t word = bitmap[i]; word; word &= word - 1)
			mark_dirty(engine, slot, i * 64 + (unsigned)__builtin_ctzll(word));
	}
	return 0;
}

/* ---- the seam ---- */

int kvm_dirty_log(struct cpu_engine *engine, bool on)
{
	int r;

	if (on == engine->dirty_log)
		return 0;
	if (on)
		mem_dirty_log(engine->config.mem, true);
	r = kvm_set_slots(engine, on);
	if (r < 0) {
		/* Logging is all or nothing; what can still fail here has just worked. */
		(void)kvm_set_slots(engine, !on);
		if (on)
			mem_dirty_log(engine->config.mem, false);
		return r;
	}
	/* What the rings still hold must not be told when logging starts anew. */
	if (!on && engine->ring_entries)
		(void)harvest_rings(engine);
	if (!on)
		mem_dirty_log(engine->config.mem, false);
	engine->dirty_log = on;
	return 0;
}

int kvm_dirty_fetch(struct cpu_engine *engine, uint64_t gpa, uint64_t pages, uint64_t *bitmap)
{
	struct mem *mem = engine->config.mem;
	const struct mem_region *region = mem_find(mem, gpa, pages << MEM_PAGE_SHIFT);
	int r;

	if (!region || pages > region->size >> MEM_PAGE_SHIFT)
		return -EFAULT;
	if (!engine->dirty_log)
		return -EINVAL;
	if (engine->ring_entries)
		r = harvest_rings(engine);
	else
		r = harvest_bitmap(engine, (unsigned)(region - mem->region));
	if (r < 0)
		return r;
	mem_dirty_fetch(mem, gpa, pages, bitmap);
	return 0;
}
