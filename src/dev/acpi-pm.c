/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi-pm.c - ACPI fixed hardware and general purpose events (ACPI 6.4, chapter 4.8)
 *
 * There is no SMI command port, so the machine is always in ACPI mode and SCI_EN always 1. The PM
 * timer is read without the lock: some guests do little else.
 *
 *  (1) The SCI line is high exactly while a status bit is set whose enable bit is set, of PM1
 *      or of the GPE block.
 *  (2) TMR_STS is right up to the timer's half turn number half_seen. A timer of the host runs only
 *      while TMR_EN is set and TMR_STS is not.
 */
#include "dev/acpi-pm.h"

#include <assert.h>
#include <pthread.h>

#include "bus/io.h"

enum {
	STS_TMR = 0x0001,
	STS_GBL = 0x0020,
	STS_PWRBTN = 0x0100,
	STS_RTC = 0x0400,
	/* The RTC's event never comes, but Linux (rtc_cmos) complains if it cannot be enabled. */
	EN_ALL = STS_TMR | STS_GBL | STS_PWRBTN | STS_RTC,

	CNT_SCI_EN = 0x0001,
	CNT_BM_RLD = 0x0002,
	CNT_SLP_TYP = 0x1c00,
	CNT_SLP_TYP_SHIFT = 10,
	CNT_SLP_EN = 0x2000,

	RESET_CPU = 0x04,
	RESET_KEPT = 0x0e,
};

struct acpi_pm {
	struct acpi_pm_config config;
	struct io_range event, control, count, gpe, reset;
	unsigned added; /* how many of the ranges are */
	uint64_t start_ns;
	uint32_t mask; /* of the PM timer */
	struct dev_timer *timer;

	pthread_mutex_t lock; /* guards all below */
	uint16_t sts, en, cnt;
	uint16_t gpe_sts, gpe_en;
	uint8_t reset_value;
	uint64_t half_seen;
	bool level; /* of the SCI */
};

/* Ticks since the device was made, not yet cut to its width. */
DATA_PATH static uint64_t ticks_now(const struct acpi_pm *pm)
{
	uint64_t ns = dev_clock_monotonic_ns(pm->config.clock) - pm->start_ns;

	return ns / 1000000000 * ACPI_PM_TIMER_HZ + ns % 1000000000 * ACPI_PM_TIMER_HZ / 1000000000;
}

/* How often the timer's highest bit has changed. */
static uint64_t half_turns(const struct acpi_pm *pm)
{
	return ticks_now(pm) / (pm->mask / 2 + 1);
}

static uint64_t half_turn_ns(const struct acpi_pm *pm, uint64_t half)
{
	uint64_t ticks = half * (pm->mask / 2 + 1);

	return pm->start_ns + ticks / ACPI_PM_TIMER_HZ * 1000000000 +
	       ticks % ACPI_PM_TIMER_HZ * 1000000000 / ACPI_PM_TIMER_HZ + 1;
}

static void catch_up_locked(struct acpi_pm *pm)
{
	uint64_t half = half_turns(pm);

	if (half != pm->half_seen)
		pm->sts |= STS_TMR;
	pm->half_seen = half;
}

/* Line and timer follow the registers. */
static void update_locked(struct acpi_pm *pm)
{
	bool level = (pm->sts & pm->en) || (pm->gpe_sts & pm->gpe_en);

	if (level != pm->level) {
		pm->level = level;
		irq_line_set(&pm->config.sci, level);
	}
	if (pm->en & ~pm->sts & STS_TMR)
		dev_timer_set(pm->timer, half_turn_ns(pm, pm->half_seen + 1));
	else
		dev_timer_set(pm->timer, DEV_TIMER_NEVER);
}

static void timer_expired(void *opaque)
{
	struct acpi_pm *pm = opaque;

	pthread_mutex_lock(&pm->lock);
	catch_up_locked(pm);
	update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
}

/* Registers may be read and written by the byte. */
static uint64_t event_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct acpi_pm *pm = container_of(range, struct acpi_pm, event);
	uint64_t value;

	(void)size;
	pthread_mutex_lock(&pm->lock);
	catch_up_locked(pm);
	update_locked(pm);
	value = (uint64_t)pm->en << 16 | pm->sts;
	pthread_mutex_unlock(&pm->lock);
	return value >> (8 * off);
}

static void event_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = container_of(range, struct acpi_pm, event);
	uint32_t mask = (uint32_t)(((uint64_t)1 << (8 * size)) - 1) << (8 * off);
	uint32_t bits = (uint32_t)(value << (8 * off));

	pthread_mutex_lock(&pm->lock);
	catch_up_locked(pm);
	/* Status bits are cleared by writing 1. */
	pm->sts &= (uint16_t)~bits;
	pm->en = (uint16_t)(((pm->en & ~(mask >> 16)) | bits >> 16) & EN_ALL);
	update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
}

static const struct io_ops event_ops = { .read = event_read, .write = event_write };

static uint64_t control_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct acpi_pm *pm = container_of(range, struct acpi_pm, control);
	uint64_t value;

	(void)size;
	pthread_mutex_lock(&pm->lock);
	value = pm->cnt;
	pthread_mutex_unlock(&pm->lock);
	return value >> (8 * off);
}

static void control_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = container_of(range, struct acpi_pm, control);
	uint16_t mask = (uint16_t)((size == 1 ? 0xff : 0xffff) << (8 * off));
	uint16_t bits = (uint16_t)(value << (8 * off));
	bool sleep = bits & CNT_SLP_EN;
	unsigned type;

	pthread_mutex_lock(&pm->lock);
	bits = (uint16_t)((pm->cnt & ~mask) | bits);
	pm->cnt = (bits & (CNT_BM_RLD | CNT_SLP_TYP)) | CNT_SCI_EN;
	type = (pm->cnt & CNT_SLP_TYP) >> CNT_SLP_TYP_SHIFT;
	pthread_mutex_unlock(&pm->lock);
	if (sleep && type == ACPI_PM_SLP_TYP_S5)
		pm->config.power_off(pm->config.opaque);
}

static const struct io_ops control_ops = { .read = control_read, .write = control_write };

DATA_PATH static uint64_t count_read(struct io_range *range, uint64_t off, unsigned size)
{
	const struct acpi_pm *pm = container_of(range, struct acpi_pm, count);

	(void)size;
	return (ticks_now(pm) & pm->mask) >> (8 * off);
}

static const struct io_ops count_ops = { .read = count_read };

static uint64_t gpe_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct acpi_pm *pm = container_of(range, struct acpi_pm, gpe);
	uint64_t value;

	(void)size;
	pthread_mutex_lock(&pm->lock);
	value = (uint64_t)pm->gpe_en << 16 | pm->gpe_sts;
	pthread_mutex_unlock(&pm->lock);
	return value >> (8 * off);
}

static void gpe_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = container_of(range, struct acpi_pm, gpe);
	uint32_t mask = (uint32_t)(((uint64_t)1 << (8 * size)) - 1) << (8 * off);
	uint32_t bits = (uint32_t)(value << (8 * off));

	pthread_mutex_lock(&pm->lock);
	pm->gpe_sts &= (uint16_t)~bits;
	pm->gpe_en = (uint16_t)((pm->gpe_en & ~(mask >> 16)) | bits >> 16);
	update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
}

static const struct io_ops gpe_ops = { .read = gpe_read, .write = gpe_write };

static uint64_t reset_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct acpi_pm *pm = container_of(range, struct acpi_pm, reset);
	uint64_t value;

	(void)off;
	(void)size;
	pthread_mutex_lock(&pm->lock);
	value = pm->reset_value;
	pthread_mutex_unlock(&pm->lock);
	return value;
}

static void reset_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = container_of(range, struct acpi_pm, reset);

	(void)off;
	(void)size;
	pthread_mutex_lock(&pm->lock);
	pm->reset_value = value & RESET_KEPT;
	pthread_mutex_unlock(&pm->lock);
	if (value & RESET_CPU)
		pm->config.reset(pm->config.opaque);
}

static const struct io_ops reset_ops = { .read = reset_read, .write = reset_write };

struct acpi_pm *acpi_pm_new(const struct acpi_pm_config *config, GError **error)
{
	struct acpi_pm *pm = g_new(struct acpi_pm, 1);
	struct io_range *ranges[] = { &pm->event, &pm->control, &pm->count, &pm->gpe, &pm->reset };

	*pm = (struct acpi_pm){
		.config = *config,
		.event = { .ops = &event_ops,
			   .base = (uint64_t)config->base + ACPI_PM_EVENT,
			   .len = ACPI_PM_EVENT_LEN,
			   .name = "acpi-pm1-event" },
		.control = { .ops = &control_ops,
			     .base = (uint64_t)config->base + ACPI_PM_CONTROL,
			     .len = ACPI_PM_CONTROL_LEN,
			     .name = "acpi-pm1-control" },
		.count = { .ops = &count_ops,
			   .base = (uint64_t)config->base + ACPI_PM_TIMER,
			   .len = ACPI_PM_TIMER_LEN,
			   .name = "acpi-pm-timer" },
		.gpe = { .ops = &gpe_ops,
			 .base = (uint64_t)config->base + ACPI_PM_GPE,
			 .len = ACPI_PM_GPE_LEN,
			 .name = "acpi-gpe0" },
		.reset = { .ops = &reset_ops,
			   .base = ACPI_PM_RESET_PORT,
			   .len = 1,
			   .name = "acpi-reset" },
		.start_ns = dev_clock_monotonic_ns(config->clock),
		.mask = config->timer_24bit ? 0xffffff : 0xffffffff,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pm->timer = dev_timer_new(config->clock, timer_expired, pm);
	acpi_pm_reset(pm);
	for (; pm->added < ARRAY_SIZE(ranges); pm->added++) {
		if (!io_space_add(config->pio, ranges[pm->added], error)) {
			acpi_pm_free(pm);
			return NULL;
		}
	}
	return pm;
}

void acpi_pm_free(struct acpi_pm *pm)
{
	if (!pm)
		return;

	struct io_range *ranges[] = { &pm->event, &pm->control, &pm->count, &pm->gpe, &pm->reset };

	while (pm->added)
		io_space_remove(pm->config.pio, ranges[--pm->added]);
	dev_timer_free(pm->timer);
	pthread_mutex_destroy(&pm->lock);
	g_free(pm);
}

void acpi_pm_reset(struct acpi_pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm->sts = pm->en = 0;
	pm->gpe_sts = pm->gpe_en = 0;
	pm->cnt = CNT_SCI_EN;
	pm->reset_value = 0;
	pm->half_seen = half_turns(pm);
	update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
}

void acpi_pm_power_button(struct acpi_pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm->sts |= STS_PWRBTN;
	update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
}

void acpi_pm_gpe(struct acpi_pm *pm, unsigned gpe)
{
	assert(gpe < ACPI_PM_GPES);
	pthread_mutex_lock(&pm->lock);
	pm->gpe_sts |= (uint16_t)(1u << gpe);
	update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
}
