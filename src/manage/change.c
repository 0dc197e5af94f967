/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.c - changes of a definition, of what runs, or of both: all or nothing
 *
 *  1. Both are tried on copies; what is refused has changed nothing.
 *  2. The new definition is kept, then what is to run.
 *  3. The machine is told. If it refuses, the old ones are put back.
 */
#include "manage/handler-int.h"

#include "base/error.h"

struct changing {
	const struct change *change;
	unsigned flags;
	bool live, config;
	struct domain *old_config, *old_live;
	GError *why;
};

static void changing_free(void *data)
{
	struct changing *c = data;

	domain_free(c->old_config);
	domain_free(c->old_live);
	g_clear_error(&c->why);
	g_free(c);
}

/* False: the domain is not in the state for these flags, and the call has failed. */
static bool choose(struct call *call, unsigned flags, bool *ret_live, bool *ret_config)
{
	const struct vm *vm = call->vm;
	bool active = vm_active(vm);

	*ret_live = flags & AFFECT_LIVE || (!(flags & AFFECT_BOTH) && active);
	*ret_config = flags & AFFECT_CONFIG || (!(flags & AFFECT_BOTH) && !active);
	if (*ret_live && !vm->dom.machine) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "Requested operation is not valid: domain '%s' is not running; change "
			  "its configuration instead",
			  vm->dom.name);
		return false;
	}
	if (*ret_config && !vm->dom.config) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "Requested operation is not valid: transient domains do not have any "
			  "persistent config; define '%s' first",
			  vm->dom.name);
		return false;
	}
	return true;
}

/* What matters was kept before, or the machine can be asked for it. */
static void finish_kept(struct call *call, const GError *error)
{
	struct changing *c = call->data;

	(void)error;
	if (c->change->done)
		c->change->done(call, c->live, c->config);
	else
		call_reply(call, NULL);
}

static void finish(struct call *call)
{
	struct changing *c = call->data;

	if (c->live)
		vm_keep_status_for(call->vm, call_task(call, finish_kept));
	else
		finish_kept(call, NULL);
}

static void put_back(struct domain **now, struct domain **old)
{
	if (*old) {
		domain_free(*now);
		*now = g_steal_pointer(old);
	}
}

static void put_back_kept(struct call *call, const GError *error)
{
	struct changing *c = call->data;

	if (error)
		g_warning("domain '%s': its old definition cannot be kept again: %s",
			  call->vm->dom.name, error->message);
	call_fail_error(call, RPC_FROM_QEMU, c->why);
}

static void machine_told(struct call *call, const GError *error)
{
	struct changing *c = call->data;
	struct vm *vm = call->vm;

	vm->before = NULL;
	if (!error) {
		/* The machine has it, so it is done, whatever its definition says. */
		if (c->change->machine_first && vm_active(vm) &&
		    !c->change->apply(call, vm->dom.live, &c->why))
			g_warning(
				"domain '%s': its machine has changed, and what is told of it has "
				"not: %s",
				vm->dom.name, c->why->message);
		finish(call);
		return;
	}
	c->why = g_error_copy(error);
	if (vm_active(vm) && c->old_live) {
		put_back(&vm->dom.live, &c->old_live);
		vm_keep_status(vm);
	}
	if (!c->config) {
		call_fail_error(call, RPC_FROM_QEMU, c->why);
		return;
	}
	put_back(&vm->dom.config, &c->old_config);
	vm_keep_config(vm, call_task(call, put_back_kept));
}

static void do_tell_machine(struct call *call)
{
	struct changing *c = call->data;
	struct machine *machine = call->vm->dom.machine;

	if (c->change->machine)
		c->change->machine(call, machine, call_task(call, machine_told));
	else
		machine_told(call, NULL);
}

static void live_kept(struct call *call, const GError *error)
{
	g_autoptr(GError) why = NULL;

	if (error)
		error_set(&why, SOCLE_ERROR_FAILED, "the state of domain '%s' cannot be kept: %s",
			  call->vm->dom.name, error->message);
	else if (!call->vm->dom.machine)
		error_set(&why, SOCLE_ERROR_STATE, "domain '%s' has ended meanwhile",
			  call->vm->dom.name);
	if (why)
		machine_told(call, why);
	else
		do_tell_machine(call);
}

static void tell_machine(struct call *call)
{
	struct changing *c = call->data;
	struct vm *vm = call->vm;
	struct machine *machine = vm->dom.machine;
	g_autoptr(GError) error = NULL;

	if (!c->live) {
		finish(call);
		return;
	}
	if (!machine) {
		error_set(&error, SOCLE_ERROR_STATE, "domain '%s' has ended meanwhile",
			  vm->dom.name);
		machine_told(call, error);
		return;
	}
	if (!c->change->machine_first && !c->change->machine_only) {
		struct domain *live = domain_copy(vm->dom.live);

		if (!c->change->apply(call, live, &error)) {
			domain_free(live);
			machine_told(call, error);
			return;
		}
		c->old_live = vm->before = vm->dom.live;
		vm->dom.live = live;
	}
	/* Also with nothing new in it: where it cannot be kept now, what comes behind could not be. */
	vm_keep_status_for(vm, call_task(call, live_kept));
}

static void config_kept(struct call *call, const GError *error)
{
	struct changing *c = call->data;

	if (!error) {
		tell_machine(call);
		return;
	}
	put_back(&call->vm->dom.config, &c->old_config);
	call_fail(call, call_code_of(error), RPC_FROM_QEMU,
		  "the definition of domain '%s' cannot be kept: %s", call->vm->dom.name,
		  error->message);
}

/* Return a changed copy, or NULL. */
static struct domain *try_change(struct call *call, const struct domain *domain, GError **error)
{
	struct changing *c = call->data;
	autoptr(domain) copy = domain_copy(domain);

	if (!c->change->apply(call, copy, error) ||
	    !domain_check(copy, &call->node->config.support, 0, NULL, error) ||
	    !domain_check_text(copy, error))
		return NULL;
	return g_steal_pointer(&copy);
}

static enum rpc_code refusal_code(const GError *error)
{
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED))
		return RPC_CODE_CONFIG_UNSUPPORTED;
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND))
		return RPC_CODE_DEVICE_MISSING;
	return call_code_of(error);
}

static void change_run(struct call *call)
{
	struct changing *c = call->data;
	struct vm *vm = call->vm;
	autoptr(domain) config = NULL;
	g_autoptr(GError) error = NULL;

	if (!call_still_there(call) || !choose(call, c->flags, &c->live, &c->config))
		return;
	/* Only whether it can be done: the machine is told when the definition is kept. */
	if (c->live)
		domain_free(try_change(call, vm->dom.live, &error));
	if (c->config && !error)
		config = try_change(call, vm->dom.config, &error);
	if (error) {
		call_fail(call, refusal_code(error), RPC_FROM_QEMU, "%s", error->message);
		return;
	}
	if (!c->config) {
		tell_machine(call);
		return;
	}
	c->old_config = vm->dom.config;
	vm->dom.config = g_steal_pointer(&config);
	vm_keep_config(vm, call_task(call, config_kept));
}

void call_change(struct call *call, struct vm *vm, const struct change *change, unsigned flags)
{
	struct changing *c = call_data(call, sizeof(*c));

	call->data_free = changing_free;
	c->change = change;
	c->flags = flags;
	call_job(call, vm, change_run);
}

/* == Queries == */

const struct domain *call_which(struct call *call, struct vm *vm, unsigned flags)
{
	if ((flags & AFFECT_BOTH) == AFFECT_BOTH) {
		call_fail(
			call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			"what runs and the configuration cannot be asked for at once; choose one");
		return NULL;
	}
	if (flags & AFFECT_LIVE && !vm_active(vm)) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "Requested operation is not valid: domain '%s' is not running",
			  vm->dom.name);
		return NULL;
	}
	if (flags & AFFECT_CONFIG && !vm->dom.config) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "Requested operation is not valid: transient domain '%s' does not have "
			  "a persistent config",
			  vm->dom.name);
		return NULL;
	}
	return flags & AFFECT_CONFIG ? vm->dom.config : vm_shown(vm);
}
