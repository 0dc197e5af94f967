/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-int.h - what the host is, for its procedures
 */
#ifndef MANAGE_HOST_INT_H
#define MANAGE_HOST_INT_H

#include "host/facts.h"
#include "manage/call.h"
#include "manage/node-int.h"

/* Of the node, or those of the driver "test". */
const struct host_facts *node_facts(const struct node *node);

/* XDR does not write through what it encodes. */
static inline char *host_text(const char *text)
{
	return (char *)(uintptr_t)(text ? text : "");
}

/* Features of the level x86-64-v2, which is the least that our CPU model of that name has. */
bool host_in_v2(const char *feature);
bool host_has_v2(const struct host_facts *facts);

/* Procedures that know no flags: false, and the call has failed, if there is one. */
bool host_no_flags(struct call *call, unsigned flags);

#endif
