/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-tap.h - taps for machines, which have not the right to make them
 *
 * Threads: main loop.
 */
#ifndef DAEMON_RUNNER_TAP_H
#define DAEMON_RUNNER_TAP_H

#include <glib.h>
#include <stdbool.h>

#include "model/domain.h"

/* Does a card of this kind want a tap? */
bool tap_wanted(const struct domain_interface *card);

/**
 * tap_open() - a tap of the host, as the definition wants it: in its bridge, with its MTU, up
 * @card: its <target dev=/> is what the tap is called then
 *
 * The tap is there as long as the descriptor is open, here or in the machine.
 *
 * Return: the descriptor, or -1 with @error
 */
int tap_open(struct domain_interface *card, GError **error);

#endif
