/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtc.h - real-time clock with 128 bytes of CMOS memory, ports 0x70 and 0x71
 *
 * Threads: made, reset and freed on the main loop; the ports are used by any vCPU.
 */
#ifndef DEV_RTC_H
#define DEV_RTC_H

#include <glib.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "bus/irq.h"
#include "dev/clock.h"

struct io_space;
struct rtc;

enum {
	RTC_PORT = 0x70,
	RTC_PORTS = 2,
	RTC_CENTURY = 0x32
};

struct rtc_config {
	struct io_space *pio;
	struct irq_line irq;
	struct dev_clock *clock;
	uint64_t ram_below_4g, ram_above_4g; /* bytes, told to firmware in the usual cells */
	unsigned other_cpus;                 /* besides the first one; the same */
};

/* Starts with the host's time in UTC. What the configuration points to must outlive the device. */
struct rtc *rtc_new(const struct rtc_config *config, GError **error);
void rtc_free(struct rtc *rtc);
DEFINE_AUTOPTR(rtc, rtc_free);

/* As the reset line does: no interrupts; time and memory stay, a battery keeps them. */
void rtc_reset(struct rtc *rtc);

#endif
