/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options-devices.h - options of the command line that ask for a device
 */
#ifndef VMM_OPTIONS_DEVICES_H
#define VMM_OPTIONS_DEVICES_H

#include <glib.h>
#include <stdbool.h>

struct options;

/* One for each option, as the table in options.c wants it. */
bool set_object(struct options *options, const char *value, GError **error);
/* Is there something that firmware could boot from? */
bool options_have_disk(const struct options *options);
bool set_cdrom(struct options *options, const char *value, GError **error);
bool set_disk(struct options *options, const char *value, GError **error);
bool set_net(struct options *options, const char *value, GError **error);
bool set_console(struct options *options, const char *value, GError **error);
bool set_rng(struct options *options, const char *value, GError **error);
bool set_balloon(struct options *options, const char *value, GError **error);
bool set_vsock(struct options *options, const char *value, GError **error);
bool set_watchdog(struct options *options, const char *value, GError **error);
bool set_pvpanic(struct options *options, const char *value, GError **error);

/* Elements of options.devices and options.consoles. */
void device_option_free(void *opaque);
void console_option_free(void *opaque);

#endif
