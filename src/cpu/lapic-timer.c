/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lapic-timer.c - the timer of a local APIC: one-shot, periodic, TSC deadline
 *
 * Intel SDM vol. 3 section 11.5.4. The state of a running timer is the moment of its next expiry,
 * lapic->deadline; counts are computed from it. The engine is told of each change and calls
 * lapic_timer_expire() when the moment has come.
 *
 * Late calls: a periodic timer fires once, however many periods were missed, and goes on in its
 * rhythm. Kernels account time by a clock, not by ticks; a burst of ticks would only delay more.
 */
#include "cpu/lapic-int.h"

enum {
	/* Shorter periods are lengthened, else a guest could keep its vCPU's thread busy with
	 * nothing but expiries. KVM draws such a line too. */
	MIN_PERIOD_NS = 100000,
	NS_PER_TICK = 1000000000 / LAPIC_TIMER_HZ,
};

DATA_PATH static enum lapic_timer_mode mode_of(uint32_t lvt)
{
	return (lvt & LVT_MODE) >> LVT_MODE_SHIFT;
}

DATA_PATH static enum lapic_timer_mode timer_mode(const struct lapic *l)
{
	return mode_of(atomic_load_explicit(&l->lvt[LVT_TIMER], memory_order_relaxed));
}

DATA_PATH static uint64_t now_ns(const struct lapic *l)
{
	return l->set->ops->now_ns(l->set->opaque);
}

/* Nanoseconds for one count. Bits 3, 1 and 0: 2, 4 ... 128, 1. */
DATA_PATH static uint64_t count_ns(const struct lapic *l)
{
	unsigned code = (l->timer_divide & 3) | (l->timer_divide & 8) >> 1;

	return UINT64_C(1) * NS_PER_TICK << ((code + 1) & 7);
}

DATA_PATH static uint64_t period_ns(const struct lapic *l)
{
	uint64_t ns = l->timer_count * count_ns(l);

	return timer_mode(l) == TIMER_PERIODIC && ns < MIN_PERIOD_NS ? MIN_PERIOD_NS : ns;
}

DATA_PATH static void set_deadline(struct lapic *l, uint64_t deadline)
{
	if (atomic_exchange(&l->deadline, deadline) != deadline)
		l->set->ops->timer_changed(l->set->opaque, l->cpu, deadline);
}

DATA_PATH uint64_t lapic_timer_deadline(const struct lapic *l)
{
	return atomic_load(&l->deadline);
}

DATA_PATH void lapic_timer_reset(struct lapic *l)
{
	l->timer_count = 0;
	l->timer_divide = 0;
	l->tsc_deadline = 0;
	set_deadline(l, 0);
}

DATA_PATH void lapic_timer_lvt(struct lapic *l, uint32_t old, uint32_t now)
{
	bool was_tsc = mode_of(old) == TIMER_TSC_DEADLINE;
	bool is_tsc = mode_of(now) == TIMER_TSC_DEADLINE;

	/* One-shot and periodic may be exchanged while the timer runs; it is asked when it
	 * expires. From or to TSC deadline disarms. */
	if (was_tsc != is_tsc) {
		l->timer_count = 0;
		l->tsc_deadline = 0;
		set_deadline(l, 0);
	}
}

DATA_PATH void lapic_timer_set_count(struct lapic *l, uint32_t count)
{
	if (timer_mode(l) == TIMER_TSC_DEADLINE)
		return;
	l->timer_count = count;
	set_deadline(l, count ? now_ns(l) + period_ns(l) : 0);
}

DATA_PATH uint32_t lapic_timer_current(const struct lapic *l)
{
	uint64_t deadline = atomic_load(&l->deadline), now, left, count;

	if (!deadline || timer_mode(l) == TIMER_TSC_DEADLINE)
		return 0;
	now = now_ns(l);
	if (now < deadline)
		left = deadline - now;
	else if (timer_mode(l) == TIMER_PERIODIC)
		left = period_ns(l) - (now - deadline) % period_ns(l);
	else
		left = 0;
	count = (left + count_ns(l) - 1) / count_ns(l);
	/* A lengthened period has more nanoseconds than counts. */
	return count < l->timer_count ? (uint32_t)count : l->timer_count;
}

DATA_PATH void lapic_timer_set_divide(struct lapic *l, uint32_t divide)
{
	uint32_t current = lapic_timer_current(l);

	l->timer_divide = divide & 0xb;
	if (current)
		set_deadline(l, now_ns(l) + current * count_ns(l));
}

DATA_PATH uint64_t lapic_timer_tsc_deadline(const struct lapic *l)
{
	return timer_mode(l) == TIMER_TSC_DEADLINE ? l->tsc_deadline : 0;
}

/* When the armed TSC deadline will be reached; fires if that has happened already. */
DATA_PATH static void follow_tsc(struct lapic *l)
{
	uint64_t ns, now;

	if (l->set->ops->tsc(l->set->opaque, l->cpu) >= l->tsc_deadline) {
		l->tsc_deadline = 0;
		set_deadline(l, 0);
		lapic_raise_lvt(l, LVT_TIMER);
		return;
	}
	/* Rounding may put it in the past, and 0 would mean never. */
	ns = l->set->ops->tsc_to_ns(l->set->opaque, l->cpu, l->tsc_deadline);
	now = now_ns(l);
	set_deadline(l, ns > now ? ns : now + 1);
}

DATA_PATH void lapic_timer_set_tsc_deadline(struct lapic *l, uint64_t tsc)
{
	if (timer_mode(l) != TIMER_TSC_DEADLINE)
		return;
	l->tsc_deadline = tsc;
	if (tsc)
		follow_tsc(l);
	else
		set_deadline(l, 0);
}

DATA_PATH void lapic_timer_expire(struct lapic *l)
{
	uint64_t deadline = atomic_load(&l->deadline), now = now_ns(l), period;

	if (!deadline)
		return;
	if (now < deadline) {
		/* Too early: ask again. */
		l->set->ops->timer_changed(l->set->opaque, l->cpu, deadline);
		return;
	}
	switch (timer_mode(l)) {
	case TIMER_TSC_DEADLINE:
		follow_tsc(l);
		return;
	case TIMER_PERIODIC:
		period = period_ns(l);
		set_deadline(l, deadline + period * (1 + (now - deadline) / period));
		break;
	case TIMER_ONE_SHOT:
		set_deadline(l, 0);
		break;
	}
	lapic_raise_lvt(l, LVT_TIMER);
}

void lapic_timer_restore(struct lapic *l, uint32_t current, uint64_t tsc_deadline)
{
	if (timer_mode(l) == TIMER_TSC_DEADLINE) {
		l->timer_count = 0;
		l->tsc_deadline = tsc_deadline;
		if (tsc_deadline)
			follow_tsc(l);
		else
			set_deadline(l, 0);
		return;
	}
	l->tsc_deadline = 0;
	if (current > l->timer_count)
		current = l->timer_count;
	if (current)
		set_deadline(l, now_ns(l) + current * count_ns(l));
	else if (l->timer_count && timer_mode(l) == TIMER_PERIODIC)
		set_deadline(l, now_ns(l) + period_ns(l));
	else
		set_deadline(l, 0);
}
