/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-int.h - a domain with all that this room keeps about it
 *
 * A domain is in its node's tables from when it is defined or started until it is neither. Calls
 * that hold it may see it longer: then it is "gone".
 */
#ifndef MANAGE_VM_INT_H
#define MANAGE_VM_INT_H

#include "manage/call.h"
#include "manage/dom.h"
#include "manage/node-int.h"
#include "manage/object-int.h"
#include "model/domain.h"
#include "rpc/remote.h"

struct snapshots;

struct vm {
	struct object object;
	struct dom dom;
	char *next_name; /* it is being renamed: under both it is found; NULL: it is not */
	bool autostart;
	bool updated; /* defined anew since it runs */
	bool tainted; /* somebody spoke to the machine's monitor since it runs */
	bool dumping; /* its memory is being written to a file */
	gint64 dump_since;
	bool destroying; /* whatever end is told: it was us */
	bool starting;   /* its machine is being made, or found */
	bool start_paused;
	bool making, made; /* start() has not returned; and its task has ended already */
	GError *made_error;
	call_next start_next;
	struct domain *start_of; /* until its networks are there */
	struct domain *cards_of; /* whose networks are waited for (net-card.c) */
	call_next cards_next;
	struct peer *destroy_with; /* with this client it ends */
	gint64 state_since;
	struct snapshots *snapshots; /* NULL: none */
	GPtrArray *streams;          /* open consoles; NULL: none */
	/* While a machine is told of a change: what its live definition is again if it refuses. Events
	 * of that time change both. change.c owns it; NULL: there is none. */
	struct domain *before;
	char *found_state; /* of a machine that an earlier daemon had, until it is found */
	bool status_busy, status_again;       /* the file of an active one is being written */
	bool status_failing;                  /* which has been told */
	GPtrArray *status_next, *status_told; /* struct task: who waits for it */
	struct task status_task;
	GSource *status_timer;
};

static inline struct vm *vm_of(struct dom *dom)
{
	return container_of(dom, struct vm, dom);
}

/* In @node's tables, with @config or @live, which are taken over; not both NULL. */
struct vm *vm_new(struct node *node, struct domain *config, struct domain *live);
/* Of @domain's name and UUID, which is about to become its live definition. */
struct vm *vm_new_empty(struct node *node, const struct domain *domain);
struct vm *vm_ref(struct vm *vm);
void vm_unref(struct vm *vm);
/* Out of the tables. Who has a reference sees that it is gone. */
void vm_remove(struct vm *vm);
/* Nobody else gets @name from now on; it is the domain's name when it is taken, or free again. */
void vm_reserve_name(struct vm *vm, const char *name);
void vm_take_name(struct vm *vm);
void vm_free_name(struct vm *vm);

struct vm *vm_by_uuid(struct node *node, const uint8_t uuid[16]);
struct vm *vm_by_uuid_text(struct node *node, const char *text);
struct vm *vm_by_name(struct node *node, const char *name);
struct vm *vm_by_id(struct node *node, int id);

/* The domain that a client names, or NULL: then the call has failed. */
struct vm *call_vm(struct call *call, const rpc_domain *handle);
/* The same, and it is active. */
struct vm *call_active(struct call *call, const rpc_domain *handle);
/* After a job's turn has come or a task has ended: still there? False: the call has failed. */
bool call_still_there(struct call *call);
bool call_still_active(struct call *call);

static inline bool vm_active(const struct vm *vm)
{
	return vm->dom.live != NULL;
}

/* What is to be shown of it: what runs, or else what would. */
static inline struct domain *vm_shown(const struct vm *vm)
{
	return vm->dom.live ? vm->dom.live : vm->dom.config;
}

/* How clients are told of it; borrowed texts. */
rpc_domain vm_handle(const struct vm *vm);

void vm_set_state(struct vm *vm, enum dom_state state, int reason);
/* It has a machine from now on, an id and a state; or not any more. */
void vm_set_active(struct vm *vm, int id);
void vm_set_inactive(struct vm *vm, int reason);

/* == Life (life.c) == */

/* Its client is gone: those domains that were to end with it are destroyed. */
void vms_destroy_with(struct node *node, struct peer *peer);
/**
 * vm_start() - make a machine of @call's domain, in its turn
 * @domain: of what; taken over
 * @flags:  of enum machine_start_flags
 * @next:   called when it runs, or with an error: then the domain is not active
 */
void vm_start(struct call *call, struct domain *domain, unsigned flags, call_next next);
/* Ends with an error if a disk of another machine refers to one of @domain's, which it would write to (linked.c). */
void vm_check_linked(struct vm *vm, const struct domain *domain, struct task *task);
/* If it is neither active nor defined any more it goes, with what was kept of its snapshots. */
void vm_leave(struct vm *vm);
/* The machine ends, whatever else goes on; the call is answered then. */
void vm_destroy(struct call *call, struct vm *vm, bool graceful);
/* It has ended, with all that follows from it. */
void vm_ended(struct vm *vm, enum machine_end end, const char *why);

/* == Kept (keep.c): each ends its task, also if there is no store == */

void vm_keep_config(struct vm *vm, struct task *task);
void vm_keep_no_config(struct vm *vm, struct task *task);
void vm_keep_snapshots(struct vm *vm, struct task *task);
/* The file of an active machine, whose last state wins; what fails is tried again. */
void vm_keep_status(struct vm *vm);
/* The same, and @task ends when what is so now is in the file, or with the reason why not yet. */
void vm_keep_status_for(struct vm *vm, struct task *task);

#endif
