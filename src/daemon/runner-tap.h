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
/* Is it one on an interface of the host (macvtap)? */
bool tap_is_direct(const struct domain_interface *card);

/**
 * tap_open() - a tap of the host, as the definition wants it: in its bridge, with its MTU, up
 * @card: its <target dev=/> is what the tap is called then
 *
 * The tap is there as long as the descriptor is open, here or in the machine.
 *
 * Return: the descriptor, or -1 with @error
 */
int tap_open(struct domain_interface *card, GError **error);
/**
 * tap_make() - the same without a descriptor, for a machine that runs and opens it by its name
 * @uid: whom the machine runs as
 *
 * It is there until tap_remove().
 */
bool tap_make(struct domain_interface *card, uid_t uid, GError **error);
/* What does not go with its descriptor goes; others' taps stay. */
void tap_remove(const struct domain_interface *card);

#endif
