/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-kind-int.h - events of what are no domains: who has asked for them, and who is told
 *
 * The events of a kind are numbered from its base on among subscriptions, away from those of domains.
 */
#ifndef MANAGE_EVENT_KIND_INT_H
#define MANAGE_EVENT_KIND_INT_H

#include "manage/call.h"

struct event_kind {
	const char *noun;
	enum rpc_from from;
	int base, count;
};

/* A client wants event number @event of the kind, of one object or of all (@uuid NULL). */
void event_kind_register(struct call *call, const struct event_kind *kind, int event,
			 const void *uuid);
void event_kind_deregister(struct call *call, const struct event_kind *kind, int callback);
/* Tell those who have asked. @message is a procedure's number, whose @body begins with the callback's. */
void event_kind_emit(struct node *node, const struct event_kind *kind, int event, const void *uuid,
		     int message, void *body);

#endif
