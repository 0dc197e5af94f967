/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.c - what a client has asked: its answer, its deadline, its turn
 */
#include "manage/call.h"

#include <assert.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/error.h"
#include "manage/peer-int.h"
#include "manage/timer-int.h"
#include "manage/vm-int.h"

enum {
	CALL_QUEUE_MAX = 64 /* calls of clients that wait for their turn at one object */
};

static void task_ended(struct task *task, const GError *error)
{
	struct call *call = container_of(task, struct call, task);
	call_next next = call->next;

	assert(next);
	call->next = NULL;
	call_enter(call);
	next(call, error);
	call_leave(call);
}

struct call *call_new(struct node *node)
{
	struct call *call = g_new0(struct call, 1);

	call->node = node;
	call->answered = true;
	call->task.end = task_ended;
	call->link.data = call->peer_link.data = call;
	return call;
}

struct call *call_new_received(struct peer *peer, struct node *node,
			       const struct rpc_header *header, const struct rpc_procedure *proc)
{
	struct call *call = call_new(node);

	call->answered = false;
	call->peer = peer;
	call->header = *header;
	call->proc = proc;
	g_queue_push_tail_link(&peer->calls, &call->peer_link);
	peer->open_calls++;
	return call;
}

static void leave_peer(struct call *call)
{
	struct peer *peer = call->peer;

	if (!peer)
		return;
	call->peer = NULL;
	g_queue_unlink(&peer->calls, &call->peer_link);
	peer->open_calls--;
	peer_changed(peer);
}

void call_forget_peer(struct call *call)
{
	leave_peer(call);
	call->answered = true;
	if (call->forsaken)
		call->forsaken(call);
}

static void call_free(struct call *call)
{
	if (call->args) {
		rpc_body_release_xdr(call->proc->args.xdr, call->args, call->proc->args.size);
		g_free(call->args);
	}
	for (unsigned i = 0; i < call->fd_count; i++) {
		if (call->fds[i] >= 0)
			(void)close(call->fds[i]);
	}
	g_free(call->fds);
	if (call->data_free)
		call->data_free(call->data);
	if (call->subject_free)
		call->subject_free(call->subject);
	object_unref(call->object);
	g_free(call);
}

void call_enter(struct call *call)
{
	call->entered++;
}

void call_leave(struct call *call)
{
	if (--call->entered == 0 && call->finished)
		call_free(call);
}

/* The call is over: the next one of its object has its turn. */
static void finish(struct call *call)
{
	struct object *object = call->object;

	assert(!call->next && !call->finished);
	call->finished = true;
	leave_peer(call);
	timer_stop(&call->deadline);
	call_enter(call);
	if (call->queued) {
		g_queue_unlink(&object->jobs, &call->link);
		object->client_jobs -= call->proc != NULL;
		object_next_job(object);
	}
	call_leave(call);
}

/* == Answers == */

static void answer_error(struct call *call, enum rpc_from from, enum rpc_code code,
			 const char *text)
{
	if (!call->answered && call->peer)
		peer_send(call->peer, rpc_message_new_error(&call->header, from, code, text), NULL,
			  0);
	call->answered = true;
	leave_peer(call);
}

static void answer(struct call *call, const void *ret, const int *fds, unsigned count)
{
	struct rpc_header header = rpc_header_answer(&call->header, RPC_STATUS_OK);
	struct rpc_message *msg;
	g_autoptr(GError) error = NULL;
	bool ok = true;

	if (count)
		header.type = RPC_TYPE_REPLY_WITH_FDS;
	msg = rpc_message_new(&header);
	if (count)
		ok = rpc_message_put_fds(msg, count, &error);
	if (ok && call->proc->ret.xdr) {
		assert(ret);
		ok = rpc_message_put_xdr(msg, call->proc->ret.xdr, (void *)(uintptr_t)ret, &error);
	}
	if (!ok) {
		rpc_message_free(msg);
		answer_error(call, RPC_FROM_RPC, RPC_CODE_RPC, error->message);
		for (unsigned i = 0; i < count; i++)
			(void)close(fds[i]);
		return;
	}
	peer_send(call->peer, msg, fds, count);
	call->answered = true;
	leave_peer(call);
}

void call_reply_fds(struct call *call, const void *ret, const int *fds, unsigned count)
{
	if (!call->answered && call->peer) {
		answer(call, ret, fds, count);
	} else {
		for (unsigned i = 0; i < count; i++)
			(void)close(fds[i]);
	}
	finish(call);
}

void call_reply(struct call *call, const void *ret)
{
	call_reply_fds(call, ret, NULL, 0);
}

void call_fail(struct call *call, enum rpc_code code, enum rpc_from from, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	answer_error(call, from, code, text);
	finish(call);
}

enum rpc_code call_code_of(const GError *error)
{
	static const enum rpc_code codes[] = {
		[SOCLE_ERROR_FAILED] = RPC_CODE_OPERATION_FAILED,
		[SOCLE_ERROR_USAGE] = RPC_CODE_INVALID_ARG,
		[SOCLE_ERROR_NOT_FOUND] = RPC_CODE_INVALID_ARG,
		[SOCLE_ERROR_EXISTS] = RPC_CODE_OPERATION_FAILED,
		[SOCLE_ERROR_BUSY] = RPC_CODE_RESOURCE_BUSY,
		[SOCLE_ERROR_DENIED] = RPC_CODE_ACCESS_DENIED,
		[SOCLE_ERROR_UNSUPPORTED] = RPC_CODE_OPERATION_UNSUPPORTED,
		[SOCLE_ERROR_CORRUPT] = RPC_CODE_INTERNAL,
		[SOCLE_ERROR_LIMIT] = RPC_CODE_INVALID_ARG,
		[SOCLE_ERROR_STATE] = RPC_CODE_OPERATION_INVALID,
		[SOCLE_ERROR_NOT_ACTIVE] = RPC_CODE_OPERATION_INVALID,
		[SOCLE_ERROR_PARTLY] = RPC_CODE_OPERATION_FAILED,
	};

	if (error->domain == SYS_ERROR)
		return RPC_CODE_SYSTEM_ERROR;
	if (error->domain == SOCLE_ERROR && error->code >= 0 &&
	    (size_t)error->code < ARRAY_SIZE(codes))
		return codes[error->code];
	return RPC_CODE_INTERNAL;
}

void call_fail_error(struct call *call, enum rpc_from from, const GError *error)
{
	call_fail(call, call_code_of(error), from, "%s", error->message);
}

/* == Later == */

struct task *call_task(struct call *call, call_next next)
{
	assert(!call->next);
	call->next = next;
	return &call->task;
}

void *call_data(struct call *call, size_t size)
{
	assert(!call->data);
	call->data = g_malloc0(size);
	call->data_free = g_free;
	return call->data;
}

void call_answer_late(struct call *call, const void *ret)
{
	if (!call->answered && call->peer)
		answer(call, ret, NULL, 0);
	call->answered = true;
}

void call_fail_late(struct call *call, enum rpc_code code, enum rpc_from from, const char *text)
{
	answer_error(call, from, code, text);
}

static void say_late(struct call *call)
{
	const struct object *object = call->object;
	const struct object_kind *kind = object->kind;
	unsigned seconds = node_deadline(call->node) / 1000;

	if (call->queued && !call->running) {
		call_fail(call, RPC_CODE_OPERATION_TIMEOUT, kind->from,
			  "%s '%s' is busy with another operation for more than %u s: this one "
			  "was not begun; try again, or %s",
			  kind->noun, object->name, seconds, kind->remedy);
		return;
	}
	{
		g_autofree char *text = g_strdup_printf(
			"%s '%s' has not done it within %u s; it goes on, and %s events "
			"tell how it ends",
			kind->noun, object->name, seconds, kind->noun);

		answer_error(call, kind->from, RPC_CODE_OPERATION_TIMEOUT, text);
	}
}

static gboolean deadline_passed(void *data)
{
	struct call *call = data;

	g_source_unref(g_steal_pointer(&call->deadline));
	call_enter(call);
	call->late(call);
	call_leave(call);
	return G_SOURCE_REMOVE;
}

void call_deadline(struct call *call, unsigned ms, void (*late)(struct call *call))
{
	timer_stop(&call->deadline);
	call->late = late;
	call->deadline = timer_start(ms, deadline_passed, call);
}

void call_takes_long(struct call *call)
{
	call->takes_long = true;
}

void call_hold_object(struct call *call, struct object *object)
{
	assert(!call->object);
	call->object = object_ref(object);
	if (call->peer && !call->takes_long)
		call_deadline(call, node_deadline(call->node), say_late);
}

void call_hold(struct call *call, struct vm *vm)
{
	call->vm = vm;
	call_hold_object(call, &vm->object);
}

void object_next_job(struct object *object)
{
	struct call *call = g_queue_peek_head(&object->jobs);

	if (!call || call->running || object->ending)
		return;
	call->running = true;
	object->job_since = g_get_monotonic_time();
	call_enter(call);
	call->run(call);
	call_leave(call);
}

void call_job_object(struct call *call, struct object *object, void (*run)(struct call *call))
{
	/* Clients cannot fill it so that there is no place for what the object itself needs. */
	if (call->proc && object->client_jobs >= CALL_QUEUE_MAX) {
		call_fail(call, RPC_CODE_RESOURCE_BUSY, object->kind->from,
			  "%s '%s' has %d operations that wait; try again when they are done",
			  object->kind->noun, object->name, CALL_QUEUE_MAX);
		return;
	}
	call_hold_object(call, object);
	call->run = run;
	call->queued = true;
	object->client_jobs += call->proc != NULL;
	g_queue_push_tail_link(&object->jobs, &call->link);
	object_next_job(object);
}

void call_job(struct call *call, struct vm *vm, void (*run)(struct call *call))
{
	call->vm = vm;
	call_job_object(call, &vm->object, run);
}
