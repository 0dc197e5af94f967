/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i6300esb.c - watchdog timer of the Intel 6300ESB I/O controller hub (datasheet 300641-004, 16)
 *
 * A counter runs down twice, from preload value 1 and then from preload value 2; in free running
 * mode only from the second. The driver reloads it in time, or the output goes low: expired() is
 * called, and the timer stands still until it is enabled anew. Registers take a write only after
 * 0x80 and 0x86 were written to the reload register.
 *
 * Left out: the interrupt after the first stage (Linux switches it off), and toggling of the output
 * in free running mode.
 *
 *  (1) The timer runs exactly while stage is not 0; then the dev_timer is set to due_ns, unless the
 *      machine is held.
 *  (2) timed_out survives a reset, so that the driver can tell why it was started.
 */
#include "dev/i6300esb.h"

#include <pthread.h>

enum {
	VENDOR_INTEL = 0x8086,
	DEVICE_ESB_9 = 0x25ab,
	CLASS_SYSTEM_OTHER = 0x088000,

	/* Configuration space */
	CONFIG = 0x60,
	CONFIG_NO_OUTPUT = 1 << 5,
	CONFIG_FAST = 1 << 2, /* counts PCI clocks / 2^5, else / 2^15 */
	CONFIG_INT_TYPE = 3,
	LOCK = 0x68,
	LOCK_LOCKED = 1 << 0, /* LOCK is read-only until a reset */
	LOCK_ENABLE = 1 << 1,
	LOCK_FREE_RUNNING = 1 << 2,

	/* The BAR */
	BAR = 0,
	BAR_LEN = 16,
	PRELOAD1 = 0x0,
	PRELOAD2 = 0x4,
	RELOAD = 0xc,
	RELOAD_UNLOCK1 = 0x80,
	RELOAD_UNLOCK2 = 0x86,
	RELOAD_NOW = 1 << 8,
	RELOAD_TIMED_OUT = 1 << 9, /* a written 1 clears it */

	PRELOAD_MAX = 0xfffff,
	SLOW_SHIFT = 15,
	FAST_SHIFT = 5,
	PCI_MHZ = 33,
};

struct i6300esb {
	struct pci_device pci;
	struct io_range range;
	struct i6300esb_config config;
	struct dev_timer *timer;

	pthread_mutex_t lock; /* guards all below */
	uint8_t lock_reg, config_reg;
	uint32_t preload[2];
	unsigned unlocked; /* how far the sequence has come: 2 lets the next write through */
	bool timed_out;
	unsigned stage; /* 1, 2; 0: the timer stands still */
	uint64_t due_ns;
	bool held;
	uint64_t held_ns; /* since when */
};

/* What is left of the stage that begins now. */
static uint64_t stage_ns(const struct i6300esb *esb)
{
	unsigned shift = esb->config_reg & CONFIG_FAST ? FAST_SHIFT : SLOW_SHIFT;
	uint64_t clocks = (uint64_t)(esb->preload[esb->stage - 1] + 1) << shift;

	return clocks * 1000 / PCI_MHZ;
}

static void set_timer_locked(struct i6300esb *esb)
{
	dev_timer_set(esb->timer, esb->stage && !esb->held ? esb->due_ns : DEV_TIMER_NEVER);
}

static void begin_stage_locked(struct i6300esb *esb, unsigned stage)
{
	uint64_t now = esb->held ? esb->held_ns : dev_clock_monotonic_ns(esb->config.clock);

	esb->stage = stage;
	if (stage)
		esb->due_ns = now + stage_ns(esb);
	set_timer_locked(esb);
}

static void restart_locked(struct i6300esb *esb)
{
	begin_stage_locked(esb, esb->lock_reg & LOCK_FREE_RUNNING ? 2 : 1);
}

/* [main] */
static void i6300esb_due(void *opaque)
{
	struct i6300esb *esb = opaque;
	bool expired = false;

	pthread_mutex_lock(&esb->lock);
	if (!esb->stage || esb->held || dev_clock_monotonic_ns(esb->config.clock) < esb->due_ns) {
		set_timer_locked(esb);
	} else if (esb->stage == 1) {
		begin_stage_locked(esb, 2);
	} else {
		begin_stage_locked(esb, 0);
		esb->lock_reg = 0;
		esb->timed_out = true;
		expired = !(esb->config_reg & CONFIG_NO_OUTPUT);
	}
	pthread_mutex_unlock(&esb->lock);
	if (expired)
		esb->config.expired(esb->config.opaque);
}

/* ---- registers in memory ---- */

static uint64_t esb_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct i6300esb *esb = container_of(range, struct i6300esb, range);
	uint64_t value = 0;

	(void)size;
	pthread_mutex_lock(&esb->lock);
	if (off == PRELOAD1)
		value = esb->preload[0];
	else if (off == PRELOAD2)
		value = esb->preload[1];
	else if (off == RELOAD && esb->timed_out)
		value = RELOAD_TIMED_OUT;
	pthread_mutex_unlock(&esb->lock);
	return value;
}

static void write_unlocked_locked(struct i6300esb *esb, uint64_t off, unsigned size, uint64_t value)
{
	if (off == RELOAD) {
		if (value & RELOAD_TIMED_OUT)
			esb->timed_out = false;
		if (value & RELOAD_NOW && esb->stage)
			restart_locked(esb);
	} else if ((off == PRELOAD1 || off == PRELOAD2) && size == 4) {
		/* Counts from the next reload on. */
		esb->preload[off / 4] = value & PRELOAD_MAX;
	}
}

static void esb_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct i6300esb *esb = container_of(range, struct i6300esb, range);

	pthread_mutex_lock(&esb->lock);
	if (off == RELOAD && value == RELOAD_UNLOCK1) {
		esb->unlocked = 1;
	} else if (off == RELOAD && value == RELOAD_UNLOCK2 && esb->unlocked == 1) {
		esb->unlocked = 2;
	} else {
		if (esb->unlocked == 2)
			write_unlocked_locked(esb, off, size, value);
		esb->unlocked = 0;
	}
	pthread_mutex_unlock(&esb->lock);
}

static const struct io_ops esb_io_ops = { .read = esb_read, .write = esb_write };

/* ---- registers in configuration space ---- */

static uint32_t esb_config_read(struct pci_device *pci, unsigned off, unsigned size, uint32_t value)
{
	struct i6300esb *esb = container_of(pci, struct i6300esb, pci);

	(void)size;
	if (off == LOCK) {
		pthread_mutex_lock(&esb->lock);
		value = (value & ~0xffu) | esb->lock_reg;
		pthread_mutex_unlock(&esb->lock);
	}
	return value;
}

static void esb_config_written(struct pci_device *pci, unsigned off, unsigned size)
{
	struct i6300esb *esb = container_of(pci, struct i6300esb, pci);
	bool was_enabled;

	(void)size;
	pthread_mutex_lock(&esb->lock);
	if (off == CONFIG) {
		esb->config_reg = pci->config[CONFIG];
	} else if (off == LOCK && !(esb->lock_reg & LOCK_LOCKED)) {
		was_enabled = esb->lock_reg & LOCK_ENABLE;
		esb->lock_reg = pci->config[LOCK];
		if (!(esb->lock_reg & LOCK_ENABLE))
			begin_stage_locked(esb, 0);
		else if (!was_enabled)
			restart_locked(esb);
	}
	pthread_mutex_unlock(&esb->lock);
}

static void esb_reset_locked(struct i6300esb *esb)
{
	esb->lock_reg = esb->config_reg = 0;
	esb->preload[0] = esb->preload[1] = PRELOAD_MAX;
	esb->unlocked = 0;
	begin_stage_locked(esb, 0);
}

static void esb_reset(struct pci_device *pci)
{
	struct i6300esb *esb = container_of(pci, struct i6300esb, pci);

	pthread_mutex_lock(&esb->lock);
	esb_reset_locked(esb);
	pthread_mutex_unlock(&esb->lock);
}

static void esb_free(struct pci_device *pci)
{
	struct i6300esb *esb = container_of(pci, struct i6300esb, pci);

	dev_timer_free(esb->timer);
	pci_device_release(pci);
	pthread_mutex_destroy(&esb->lock);
	g_free(esb);
}

static const struct pci_device_ops esb_ops = {
	.config_read = esb_config_read,
	.config_written = esb_config_written,
	.reset = esb_reset,
	.free = esb_free,
};

struct pci_device *i6300esb_new(const struct i6300esb_config *config)
{
	static const struct pci_ids ids = {
		.vendor = VENDOR_INTEL,
		.device = DEVICE_ESB_9,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = CLASS_SYSTEM_OTHER,
	};
	struct i6300esb *esb = g_new0(struct i6300esb, 1);

	esb->range = (struct io_range){ .ops = &esb_io_ops, .name = "i6300esb" };
	esb->config = *config;
	pthread_mutex_init(&esb->lock, NULL);
	esb->timer = dev_timer_new(config->clock, i6300esb_due, esb);
	pci_device_init(&esb->pci, &esb_ops, &ids);
	esb->pci.writable[CONFIG] = CONFIG_NO_OUTPUT | CONFIG_FAST | CONFIG_INT_TYPE;
	esb->pci.writable[LOCK] = LOCK_LOCKED | LOCK_ENABLE | LOCK_FREE_RUNNING;
	pci_add_bar(&esb->pci, BAR, BAR_LEN, 0, &esb->range);
	esb_reset_locked(esb);
	return &esb->pci;
}

void i6300esb_hold(struct pci_device *pci, bool hold)
{
	struct i6300esb *esb = container_of(pci, struct i6300esb, pci);
	uint64_t now = dev_clock_monotonic_ns(esb->config.clock);

	pthread_mutex_lock(&esb->lock);
	if (hold && !esb->held)
		esb->held_ns = now;
	else if (!hold && esb->held)
		esb->due_ns += now - esb->held_ns;
	esb->held = hold;
	set_timer_locked(esb);
	pthread_mutex_unlock(&esb->lock);
}
