/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-events.h - what devices tell, and what becomes of it: events, a pause, an end
 *
 * Threads: main loop, except on_panic().
 */
#ifndef VMM_DEVICE_EVENTS_H
#define VMM_DEVICE_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct disk_error;

/* @opaque is the struct vmm_device. */
void on_disk_error(void *opaque, const struct disk_error *error);
void on_filter_changed(void *opaque);
/* In commands-medium.c. */
void on_tray_moved(void *opaque, bool open);
void on_balloon_changed(void *opaque, uint64_t actual);

/* @opaque is the struct vmm. What event-limit.h lets through; @data is taken over. */
void tell_disk_error(void *opaque, json_t *data);
void tell_watchdog(void *opaque, json_t *data);
void tell_crash_loaded(void *opaque, json_t *data);
void on_watchdog(void *opaque);
/* [any vCPU] */
void on_panic(void *opaque, unsigned event);
/* [main] After on_panic(). */
void panic_told(void *opaque);

#endif
