/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fill-int.h - the step fill in, of devices
 */
#ifndef MODEL_FILL_INT_H
#define MODEL_FILL_INT_H

#include <glib.h>
#include <stdint.h>

#include "model/device.h"

static inline void text_default(char **text, const char *value)
{
	if (!*text)
		*text = g_strdup(value);
}

/* @used_slots: of the PCI bus, by devices that are not among these. */
void fill_devices(struct domain_devices *devices, uint32_t used_slots);

/* What is made for each machine goes: aliases that are not the user's, names of taps, places in networks. */
void fill_no_traces(struct domain_devices *devices);

/* A serial port and the console that stands for it are the same; each brings the other. */
void fill_console_pair(struct domain_devices *devices);

#endif
