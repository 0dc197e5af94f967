/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dom.h - a domain: a definition, a machine that is made of it, or both
 *
 * For those who implement machine.h. A domain that is not active has no live definition, one that is
 * transient no other.
 *
 * Threads: main loop.
 */
#ifndef MANAGE_DOM_H
#define MANAGE_DOM_H

#include <stdbool.h>
#include <stdint.h>

#include "manage/machine.h"

struct domain;
struct node;

/* libvirt's numbers. */
enum dom_state {
	DOM_NOSTATE = 0,
	DOM_RUNNING = 1,
	DOM_BLOCKED = 2,
	DOM_PAUSED = 3,
	DOM_SHUTDOWN = 4,
	DOM_SHUTOFF = 5,
	DOM_CRASHED = 6,
	DOM_PMSUSPENDED = 7,
};

struct dom {
	struct node *node;
	uint8_t uuid[16];
	char uuid_text[37];
	char *name;
	struct domain *config; /* what is started the next time; NULL: transient */
	struct domain *live;   /* what runs; NULL: not active */
	int id;                /* -1: not active */
	enum dom_state state;
	int reason;              /* of the state; libvirt's numbers */
	struct machine *machine; /* NULL: not active */
};

#endif
