/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent-int.h - a question to the agent in a guest, and another one behind it
 *
 * What comes back is a stranger's: texts are bounded here, all else is the caller's business.
 */
#ifndef MANAGE_AGENT_INT_H
#define MANAGE_AGENT_INT_H

#include <jansson.h>

#include "manage/handler-int.h"

/* @value belongs to the call. */
typedef void (*agent_next)(struct call *call, json_t *value);

/* Ask, and go on with what it returns; else the call has failed. @arguments is taken over; NULL: none. */
void agent_ask(struct call *call, struct vm *vm, const char *command, json_t *arguments,
	       agent_next next);
/* The same, but an agent that refuses is no error: NULL for @next. */
void agent_ask_softly(struct call *call, struct vm *vm, const char *command, agent_next next);
/* In a function that got an answer, whose value is gone: ask again. @soft: as agent_ask_softly(). */
void agent_ask_again(struct call *call, const char *command, json_t *arguments, bool soft,
		     agent_next next);
/* What the call keeps from one question to the next, from agent_ask() on. */
void agent_set_data(struct call *call, void *data, GDestroyNotify data_free);
void *agent_data(const struct call *call);
/* The end of the call: there is no agent, or what it says makes no sense. */
void agent_fail(struct call *call, const char *why);
/* A member, or NULL; texts that nobody has a use for are none. */
const char *agent_text(json_t *object, const char *key);
/* An end of a call that says nothing but yes. */
void agent_done(struct call *call, json_t *value);

#endif
