/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lapic-route.c - messages to local APICs: who is meant, and what it does to them
 *
 * Everything here may run in any thread. It changes an APIC of another only by setting bits in
 * irr, tmr, requests and esr_pending, then raises lapic->maybe where irr is concerned, then kicks.
 */
#include "cpu/lapic-int.h"

#include "cpu/msr.h"

#define MSI_ADDR_MASK    0xfff00000u
#define MSI_ADDR_BASE    0xfee00000u
#define MSI_ADDR_HINT    (1u << 3)
#define MSI_ADDR_LOGICAL (1u << 2)
#define MSI_DATA_LEVEL   (1u << 15)
#define MSI_DATA_ASSERT  (1u << 14)
#define ICR_LOGICAL      (1u << 11)
#define ICR_ASSERT       (1u << 14)
#define ICR_LEVEL        (1u << 15)

enum {
	DEST_ALL_XAPIC = 0xff,
	DFR_FLAT = 0xf,
	DFR_CLUSTER = 0x0
};
#define DEST_ALL_X2APIC 0xffffffffu

DATA_PATH static void kick(struct lapic *l)
{
	l->set->ops->kick(l->set->opaque, l->cpu);
}

DATA_PATH void lapic_raise(struct lapic *l, uint8_t vector, bool level)
{
	uint32_t bit = 1u << (vector % 32);

	if (vector < VECTOR_FIRST) {
		lapic_error(l, ESR_RECEIVE_ILLEGAL_VECTOR);
		return;
	}
	/* The trigger mode must be right before the vector can be taken. */
	if (level)
		atomic_fetch_or(&l->tmr[vector / 32], bit);
	else if (atomic_load(&l->tmr[vector / 32]) & bit)
		atomic_fetch_and(&l->tmr[vector / 32], ~bit);
	atomic_fetch_or(&l->irr[vector / 32], bit);
	atomic_store(&l->maybe, true);
	kick(l);
}

DATA_PATH static void request(struct lapic *l, uint32_t bits)
{
	atomic_fetch_or(&l->requests, bits);
	kick(l);
}

/* An INIT makes an earlier SIPI void. */
DATA_PATH static void request_init(struct lapic *l)
{
	uint32_t old = atomic_load(&l->requests);

	while (!atomic_compare_exchange_weak(
		&l->requests, &old, (old & 0xffu & ~(uint32_t)LAPIC_REQ_SIPI) | LAPIC_REQ_INIT))
		;
	kick(l);
}

DATA_PATH static void request_sipi(struct lapic *l, uint8_t vector)
{
	uint32_t old = atomic_load(&l->requests);

	while (!atomic_compare_exchange_weak(
		&l->requests, &old, (old & 0xffu) | LAPIC_REQ_SIPI | (uint32_t)vector << 8))
		;
	kick(l);
}

/* True if the APIC took it. */
DATA_PATH static bool accept(struct lapic *l, const struct lapic_message *msg)
{
	switch (msg->delivery) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST:
		if (!(atomic_load(&l->svr) & SVR_ENABLED))
			return false;
		lapic_raise(l, msg->vector, msg->level);
		return true;
	case LAPIC_NMI:
		request(l, LAPIC_REQ_NMI);
		return true;
	case LAPIC_INIT:
		if (msg->assert_)
			request_init(l);
		return true;
	case LAPIC_SIPI:
		request_sipi(l, msg->vector);
		return true;
	case LAPIC_EXTINT:
		request(l, LAPIC_REQ_EXTINT);
		return true;
	case LAPIC_SMI: /* there is no SMM */
		return true;
	}
	return false;
}

DATA_PATH void lapic_raise_lvt(struct lapic *l, enum lapic_lvt which)
{
	uint32_t lvt = atomic_load(&l->lvt[which]);
	struct lapic_message msg = { .delivery = (lvt & LVT_DELIVERY) >> 8, .assert_ = true };

	if (lvt & LVT_MASKED)
		return;
	msg.vector = (uint8_t)(lvt & LVT_VECTOR);
	(void)accept(l, &msg);
}

DATA_PATH bool lapic_lint0_open(const struct lapic *l)
{
	uint32_t lvt = atomic_load(&l->lvt[LVT_LINT0]);

	if (!lapic_enabled(l))
		return l->cpu == 0;
	return (lvt & (LVT_MASKED | LVT_DELIVERY)) == (uint32_t)LAPIC_EXTINT << 8;
}

DATA_PATH void lapic_set_lint0(struct lapic_set *set, bool level)
{
	atomic_store(&set->lint0, level);
	for (unsigned i = 0; level && i < set->cpus; i++) {
		struct lapic *l = &set->lapic[i];

		if (lapic_lint0_open(l)) {
			atomic_store(&l->maybe, true);
			kick(l);
		} else if (lapic_enabled(l) &&
			   (atomic_load(&l->lvt[LVT_LINT0]) & LVT_DELIVERY) >> 8 != LAPIC_EXTINT) {
			lapic_raise_lvt(l, LVT_LINT0);
		}
	}
}

DATA_PATH void lapic_error(struct lapic *l, uint32_t esr_bits)
{
	uint32_t lvt = atomic_load(&l->lvt[LVT_ERROR]);

	atomic_fetch_or(&l->esr_pending, esr_bits);
	/* A bad vector in the error entry itself must not go round in circles. */
	if ((lvt & LVT_VECTOR) >= VECTOR_FIRST)
		lapic_raise_lvt(l, LVT_ERROR);
}

DATA_PATH static bool logical_match(const struct lapic *l, uint32_t dest, bool dest_x2apic)
{
	uint32_t ldr = atomic_load(&l->ldr);

	if (lapic_is_x2apic(l)) {
		/* Eight bits from a device mean cluster 0. */
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffffu) != 0;
	}
	if (dest_x2apic && dest > 0xff)
		return false;
	ldr >>= 24;
	switch (atomic_load(&l->dfr) >> 28) {
	case DFR_FLAT:
		return (ldr & dest) != 0;
	case DFR_CLUSTER:
		return ldr >> 4 == dest >> 4 && (ldr & dest & 0xfu) != 0;
	default:
		return false;
	}
}

DATA_PATH static bool is_meant(const struct lapic *l, const struct lapic_message *msg,
			       const struct lapic *source, enum lapic_shorthand shorthand)
{
	switch (shorthand) {
	case DEST_SELF:
		return l == source;
	case DEST_ALL:
		return true;
	case DEST_OTHERS:
		return l != source;
	case DEST_FIELD:
		break;
	}
	if (msg->dest == (msg->dest_x2apic ? DEST_ALL_X2APIC : DEST_ALL_XAPIC))
		return true;
	if (msg->logical)
		return logical_match(l, msg->dest, msg->dest_x2apic);
	return msg->dest == l->cpu;
}

/* One of those meant, each in turn. */
DATA_PATH static unsigned route_lowest(struct lapic_set *set, const struct lapic_message *msg,
				       const struct lapic *source, enum lapic_shorthand shorthand)
{
	unsigned turn = atomic_fetch_add_explicit(&set->turn, 1, memory_order_relaxed);

	for (unsigned i = 0; i < set->cpus; i++) {
		struct lapic *l = &set->lapic[(turn + i) % set->cpus];

		if (lapic_enabled(l) && is_meant(l, msg, source, shorthand) && accept(l, msg))
			return 1;
	}
	return 0;
}

DATA_PATH unsigned lapic_route(struct lapic_set *set, const struct lapic_message *msg,
			       const struct lapic *source, enum lapic_shorthand shorthand)
{
	unsigned taken = 0;

	if (msg->delivery == LAPIC_LOWEST)
		return route_lowest(set, msg, source, shorthand);
	for (unsigned i = 0; i < set->cpus; i++) {
		struct lapic *l = &set->lapic[i];

		if (lapic_enabled(l) && is_meant(l, msg, source, shorthand) && accept(l, msg))
			taken++;
	}
	return taken;
}

DATA_PATH unsigned lapic_set_deliver(struct lapic_set *set, const struct lapic_message *msg)
{
	return lapic_route(set, msg, NULL, DEST_FIELD);
}

DATA_PATH unsigned lapic_set_msi(struct lapic_set *set, uint64_t addr, uint32_t data)
{
	struct lapic_message msg = {
		.dest = (uint32_t)(addr >> 12) & 0xff,
		.logical = (addr & MSI_ADDR_LOGICAL) != 0,
		.delivery = (data >> 8) & 7,
		.level = (data & MSI_DATA_LEVEL) != 0,
		.assert_ = true,
		.vector = (uint8_t)data,
	};

	if (addr >> 32 || (addr & MSI_ADDR_MASK) != MSI_ADDR_BASE)
		return 0;
	/* Level signalled messages have a message for the falling edge too. */
	if (msg.level && !(data & MSI_DATA_ASSERT))
		return 0;
	if (msg.delivery == LAPIC_FIXED && addr & MSI_ADDR_HINT)
		msg.delivery = LAPIC_LOWEST;
	if (msg.delivery == LAPIC_SIPI)
		return 0;
	return lapic_set_deliver(set, &msg);
}

DATA_PATH static bool is_vectored(enum lapic_delivery delivery)
{
	return delivery == LAPIC_FIXED || delivery == LAPIC_LOWEST;
}

DATA_PATH void lapic_send_icr(struct lapic *l)
{
	bool x2apic = lapic_is_x2apic(l);
	/* The trigger mode counts for INIT only: its level de-assert is an old way to synchronise
	 * arbitration IDs, and ignored. IPIs are edge triggered. */
	struct lapic_message msg = {
		.dest = x2apic ? l->icr_high : l->icr_high >> 24,
		.dest_x2apic = x2apic,
		.logical = (l->icr_low & ICR_LOGICAL) != 0,
		.delivery = (l->icr_low >> 8) & 7,
		.assert_ = !(l->icr_low & ICR_LEVEL) || l->icr_low & ICR_ASSERT,
		.vector = (uint8_t)l->icr_low,
	};

	if (is_vectored(msg.delivery) && msg.vector < VECTOR_FIRST) {
		lapic_error(l, ESR_SEND_ILLEGAL_VECTOR);
		return;
	}
	(void)lapic_route(l->set, &msg, l, (l->icr_low >> 18) & 3);
}

DATA_PATH void lapic_send_self(struct lapic *l, uint8_t vector)
{
	struct lapic_message msg = { .delivery = LAPIC_FIXED, .assert_ = true, .vector = vector };

	if (vector < VECTOR_FIRST)
		lapic_error(l, ESR_SEND_ILLEGAL_VECTOR);
	else
		(void)lapic_route(l->set, &msg, l, DEST_SELF);
}
