/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handler-int.h - what handlers of domains share: flags, queries, changes
 */
#ifndef MANAGE_HANDLER_INT_H
#define MANAGE_HANDLER_INT_H

#include "manage/vm-int.h"
#include "rpc/param.h"

enum {
	QUERY_MS = 2000, /* a machine that takes longer is answered for without its numbers */

	/* libvirt's VIR_DOMAIN_AFFECT_... */
	AFFECT_CURRENT = 0,
	AFFECT_LIVE = 1 << 0,
	AFFECT_CONFIG = 1 << 1,
	AFFECT_BOTH = AFFECT_LIVE | AFFECT_CONFIG,
	AFFECT_STRINGS = 1 << 2, /* of typed parameters: the client takes texts */
};

/* False: a flag is not known, and the call has failed. */
bool call_flags(struct call *call, unsigned flags, unsigned known);
/* In a filter: is something what one bit or more of a group ask for? @is has the bit of the group it is. */
static inline bool list_in_group(unsigned flags, unsigned group, unsigned is)
{
	return !(flags & group) || flags & is;
}
/* The end of a call whose task has ended, that says nothing but yes. */
void call_done(struct call *call, const GError *error);
void call_unsupported(struct call *call, const char *what);

/* == Queries == */

/* The definition that a query is about, by its flags; NULL: the call has failed. */
const struct domain *call_which(struct call *call, struct vm *vm, unsigned flags);

/**
 * call_query() - ask the machine, if there is one, and go on with call_stats()
 *
 * @answer is called with what is known after QUERY_MS, or earlier; it answers by call_query_reply().
 */
void call_query(struct call *call, struct vm *vm, unsigned what, void (*answer)(struct call *call));
const struct machine_stats *call_stats(struct call *call);
void call_query_reply(struct call *call, const void *ret);
void call_query_fail(struct call *call, enum rpc_code code, const char *fmt, ...)
	G_GNUC_PRINTF(3, 4);

/* == Changes of a definition, of what runs, or of both == */

struct change {
	/* Change @domain as the call's arguments say. */
	bool (*apply)(struct call *call, struct domain *domain, GError **error);
	/* Tell the machine; its live definition is changed before, or with @machine_first afterwards. */
	void (*machine)(struct call *call, struct machine *machine, struct task *task);
	bool machine_first;
	bool machine_only; /* the machine itself changes its live definition */
	/* What else is to be done when all has been; then it answers. NULL: just answers. */
	void (*done)(struct call *call, bool live, bool config);
};

/* All or nothing, as a job. @change is static, @flags are of AFFECT_... */
void call_change(struct call *call, struct vm *vm, const struct change *change, unsigned flags);

/* == What is the same of domains and of networks == */

/* A title, a description, or the element of a program (metadata.c); @type is libvirt's. g_free() it. */
char *metadata_text(const char *description, const char *title, const char *metadata, int type,
		    const char *uri);
/* Where a domain or a network has them. */
struct metadata_place {
	char **description, **title, **metadata;
};
bool metadata_change_text(const struct metadata_place *place, int type, const char *text,
			  const char *key, const char *uri, GError **error);
/* How many CPUs the guest uses, by its agent; and let it use as many as the call says (guest-info.c). */
void call_guest_cpu_count(struct call *call, struct vm *vm);
void call_guest_cpu_wish(struct call *call, struct vm *vm);
/* How much may go through a card, as libvirt's parameters have it (card.c). */
void card_add_params(struct domain_interface *card, struct rpc_params *params);
bool card_set_params(struct domain_interface *card, const rpc_param *list, unsigned count,
		     GError **error);

#endif
