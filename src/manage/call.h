/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.h - what a client has asked: it is answered once, at once or later
 *
 * A handler gets the call and its decoded arguments. Somewhere on the way it ends in call_reply() or
 * call_fail(), which end the call. Until then it is there, even if its client has gone or was
 * told that it takes longer; who answers does not have to know.
 *
 * Three ways to be later:
 *  - call_job(): the call changes a domain. Calls that do run one after the other for each domain.
 *  - call_hold(): the call asks a machine something, and waits for nobody.
 *  - call_task(): something was begun, and goes on in another function when it has ended.
 *
 * Threads: main loop.
 */
#ifndef MANAGE_CALL_H
#define MANAGE_CALL_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "manage/task.h"
#include "rpc/codes.h"
#include "rpc/procedure.h"

struct call;
struct node;
struct object;
struct peer;
struct vm;

/* Goes on with a call; @error as for struct task. */
typedef void (*call_next)(struct call *call, const GError *error);

struct call {
	struct peer *peer; /* NULL: the client is gone, or nobody has asked but ourselves */
	struct node *node; /* NULL before CONNECT_OPEN */
	struct rpc_header header;
	const struct rpc_procedure *proc; /* NULL: our own */
	void *args;
	int *fds; /* descriptors that came with it; those not taken are closed */
	unsigned fd_count;

	struct object *object; /* held, by call_job() or call_hold(); may be gone meanwhile */
	struct vm *vm;         /* the same, if it is a domain */
	void *data; /* of the handler, for what is later; freed by data_free with the call */
	GDestroyNotify data_free;
	void *subject; /* the same, for what a change is about */
	GDestroyNotify subject_free;

	/* The client is gone, who might have been the only one to want it; or NULL. */
	void (*forsaken)(struct call *call);

	/* Below: call.c only. */
	bool answered, queued, running, finished, takes_long;
	unsigned entered;
	void (*run)(struct call *call);
	void (*late)(struct call *call);
	call_next next;
	struct task task;
	GSource *deadline;
	GList link;      /* in the domain's queue */
	GList peer_link; /* in the client's list of open calls */
};

/* == Answers: the call is over, and its memory is there until the function that got it has returned == */

/* @ret is of the type that the procedure answers with; NULL if there is nothing to say. */
void call_reply(struct call *call, const void *ret);
/* The same, with descriptors, which are taken over. */
void call_reply_fds(struct call *call, const void *ret, const int *fds, unsigned count);
void call_fail(struct call *call, enum rpc_code code, enum rpc_from from, const char *fmt, ...)
	G_GNUC_PRINTF(4, 5);
/* With the code that stands for the kind of @error. */
void call_fail_error(struct call *call, enum rpc_from from, const GError *error);
enum rpc_code call_code_of(const GError *error);

/* == Later == */

/**
 * call_job() - the call changes @vm: @run when all that were before it have ended
 *
 * When the node's deadline has passed the client is told that it goes on, or that it has not begun and
 * never will.
 */
void call_job(struct call *call, struct vm *vm, void (*run)(struct call *call));
/* The call needs @vm, and waits for nobody. Its client is told when the deadline has passed. */
void call_hold(struct call *call, struct vm *vm);
/* The same for objects that are no domains. */
void call_job_object(struct call *call, struct object *object, void (*run)(struct call *call));
void call_hold_object(struct call *call, struct object *object);
/* Before that: it takes as long as it has bytes to move, and there is no deadline. */
void call_takes_long(struct call *call);
/* Instead of the node's deadline: @late is called, and may answer by call_answer_late(). */
void call_deadline(struct call *call, unsigned ms, void (*late)(struct call *call));
/* Answers now; the call stays until its task has ended, and its answer then is dropped. */
void call_answer_late(struct call *call, const void *ret);
void call_fail_late(struct call *call, enum rpc_code code, enum rpc_from from, const char *text);
/* For one task at a time. */
struct task *call_task(struct call *call, call_next next);
/* @size bytes of zeroes that are freed with the call. */
void *call_data(struct call *call, size_t size);

/* == Who handles what == */

typedef void (*call_handler)(struct call *call, const void *args);

enum {
	QEMU_PROCEDURES = 512 /* program qemu's numbers stand behind these */
};

struct call_entry {
	int number;
	call_handler handler;
};

/* An entry of a table: @function takes const @type *. */
#define HANDLE(number_, type, function)                                                    \
	{                                                                                  \
		(number_), (call_handler)(1 ? (function)                                   \
					    : (void (*)(struct call *, const type *))NULL) \
	}
/* The procedure has no arguments; @function takes const void *. */
#define HANDLE_BARE(number_, function) \
	{                              \
		(number_), (function)  \
	}
#define HANDLERS_END     \
	{                \
		-1, NULL \
	}

/* The tables, each ending in HANDLERS_END; dispatch.c has the list of them. */
extern const struct call_entry connect_handlers[], list_handlers[], define_handlers[];
extern const struct call_entry event_handlers[], lifecycle_handlers[], info_handlers[];
extern const struct call_entry memory_handlers[], vcpu_handlers[], tune_handlers[];
extern const struct call_entry device_handlers[], disk_handlers[], block_job_handlers[];
extern const struct call_entry card_handlers[], stats_handlers[], console_handlers[];
extern const struct call_entry metadata_handlers[], snapshot_handlers[], agent_handlers[];
extern const struct call_entry guest_info_handlers[];
extern const struct call_entry snapshot_list_handlers[], snapshot_delete_handlers[];
extern const struct call_entry qemu_handlers[], peek_handlers[], dump_handlers[];
extern const struct call_entry migrate_handlers[], snapshot_revert_handlers[];
extern const struct call_entry host_handlers[], host_caps_handlers[], host_cpu_handlers[];
extern const struct call_entry host_device_handlers[], absent_handlers[];
extern const struct call_entry net_handlers[], net_list_handlers[], net_event_handlers[];
extern const struct call_entry net_update_handlers[], net_port_handlers[];
extern const struct call_entry pool_list_handlers[], pool_define_handlers[], pool_life_handlers[];
extern const struct call_entry secret_handlers[], pool_event_handlers[], vol_handlers[],
	vol_change_handlers[];

/* Our own call, which nobody waits for; @node is needed, @run as in call_job(). */
struct call *call_new(struct node *node);

/* == For peer.c == */

struct call *call_new_received(struct peer *peer, struct node *node,
			       const struct rpc_header *header, const struct rpc_procedure *proc);
/* Around a function that may end the call, and looks at it afterwards. */
void call_enter(struct call *call);
void call_leave(struct call *call);
/* The client is gone. */
void call_forget_peer(struct call *call);

#endif
