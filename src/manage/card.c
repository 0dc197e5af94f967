/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * card.c - a domain's network cards: what went through them, and how much may
 */
#include <string.h>

#include "base/error.h"
#include "manage/disk-int.h"

/* By the name of its tap, its MAC address or its alias; -1: there is none. */
static int card_index(const struct domain *domain, const char *name)
{
	for (unsigned i = 0; i < domain->devices.interface_count; i++) {
		const struct domain_interface *card = &domain->devices.interfaces[i];

		if (!g_strcmp0(card->target.dev, name) || !g_strcmp0(card->info.alias.name, name) ||
		    (card->mac.address && !g_ascii_strcasecmp(card->mac.address, name)))
			return (int)i;
	}
	return -1;
}

static int call_card(struct call *call, const struct domain *domain, const char *name)
{
	int i = card_index(domain, name);

	if (i < 0)
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the domain has no interface '%.200s'; name its target or MAC address",
			  name);
	return i;
}

/* == Statistics == */

static void answer_stats(struct call *call)
{
	const rpc_domain_interface_stats_args *args = call->args;
	const struct machine_stats *stats = call_stats(call);
	const struct domain *live = call->vm->dom.live;
	int i = live ? card_index(live, args->device) : -1;
	const struct machine_card_stats *s;
	rpc_domain_interface_stats_ret ret;

	if (!(stats->valid & MACHINE_QUERY_CARDS) || i < 0 || (unsigned)i >= stats->card_count) {
		call_query_fail(call, RPC_CODE_OPERATION_FAILED,
				"domain '%s' does not tell about its interfaces now; try again",
				call->vm->dom.name);
		return;
	}
	s = &stats->cards[i];
	ret = (rpc_domain_interface_stats_ret){
		.rx_bytes = (int64_t)s->rx_bytes,
		.rx_packets = (int64_t)s->rx_packets,
		.rx_errs = (int64_t)s->rx_errs,
		.rx_drop = (int64_t)s->rx_drop,
		.tx_bytes = (int64_t)s->tx_bytes,
		.tx_packets = (int64_t)s->tx_packets,
		.tx_errs = (int64_t)s->tx_errs,
		.tx_drop = (int64_t)s->tx_drop,
	};
	call_query_reply(call, &ret);
}

static void on_stats(struct call *call, const rpc_domain_interface_stats_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_card(call, vm->dom.live, args->device) >= 0)
		call_query(call, vm, MACHINE_QUERY_CARDS, answer_stats);
}

/* == How much may go through == */

#define BAND(name, member)                                                \
	{                                                                 \
		name, offsetof(struct domain_interface, bandwidth.member) \
	}
static const struct {
	const char *name;
	size_t offset;
} bands[] = {
	BAND("inbound.average", inbound.average),   BAND("inbound.peak", inbound.peak),
	BAND("inbound.burst", inbound.burst),       BAND("inbound.floor", inbound.floor),
	BAND("outbound.average", outbound.average), BAND("outbound.peak", outbound.peak),
	BAND("outbound.burst", outbound.burst),
};

static struct number *band_at(struct domain_interface *card, size_t i)
{
	return (struct number *)(void *)((char *)card + bands[i].offset);
}

void card_add_params(struct domain_interface *card, struct rpc_params *params)
{
	for (size_t i = 0; i < ARRAY_SIZE(bands); i++)
		rpc_params_add_uint(params, bands[i].name, (unsigned)band_at(card, i)->value);
}

/* As clients know it: who gives the average of a way gives all of it, and 0 is no limit. */
static bool is_replaced(const rpc_param *list, unsigned count, const char *name)
{
	const int way_len = (int)strcspn(name, ".");
	g_autofree char *average = g_strdup_printf("%.*s.average", way_len, name);

	return rpc_params_find(list, count, average, RPC_PARAM_UINT, NULL) != NULL;
}

bool card_set_params(struct domain_interface *card, const rpc_param *list, unsigned count,
		     GError **error)
{
	struct rpc_param_spec specs[ARRAY_SIZE(bands)];

	for (size_t i = 0; i < ARRAY_SIZE(bands); i++)
		specs[i] = (struct rpc_param_spec){ bands[i].name, RPC_PARAM_UINT, false };
	if (!rpc_params_check(list, count, specs, ARRAY_SIZE(specs), error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(bands); i++) {
		const rpc_param *param =
			rpc_params_find(list, count, bands[i].name, RPC_PARAM_UINT, NULL);
		struct number *n = band_at(card, i);

		if (param && param->value.rpc_param_value_u.ui)
			*n = number_of(param->value.rpc_param_value_u.ui);
		else if (param || is_replaced(list, count, bands[i].name))
			*n = (struct number){ 0 };
	}
	return true;
}

static void on_get_params(struct call *call, const rpc_domain_get_interface_parameters_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	const struct domain *domain;
	rpc_domain_get_interface_parameters_ret ret;
	struct rpc_params params;
	int index;

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH | AFFECT_STRINGS))
		return;
	domain = call_which(call, vm, args->flags);
	if (!domain)
		return;
	index = call_card(call, domain, args->device);
	if (index < 0)
		return;
	rpc_params_init(&params);
	card_add_params(&domain->devices.interfaces[index], &params);
	ret.nparams = (int)params.count;
	ret.params.params_val = params.items;
	ret.params.params_len = MIN(params.count, (unsigned)MAX(args->nparams, 0));
	call_reply(call, &ret);
	rpc_params_release(&params);
}

static bool apply_params(struct call *call, struct domain *domain, GError **error)
{
	const rpc_domain_set_interface_parameters_args *args = call->args;
	int index = card_index(domain, args->device);

	if (index < 0)
		return error_set(error, SOCLE_ERROR_USAGE, "the domain has no interface '%.200s'",
				 args->device);
	return card_set_params(&domain->devices.interfaces[index], args->params.params_val,
			       args->params.params_len, error);
}

static void tell_params(struct call *call, struct machine *machine, struct task *task)
{
	const rpc_domain_set_interface_parameters_args *args = call->args;
	const struct domain *live = machine->dom->live;
	int index = card_index(live, args->device);

	tell_device(call, machine, &live->devices.interfaces[index].info, task);
}

static const struct change params_change = { .apply = apply_params, .machine = tell_params };

static void on_set_params(struct call *call, const rpc_domain_set_interface_parameters_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_change(call, vm, &params_change, args->flags);
}

const struct call_entry card_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_INTERFACE_STATS, rpc_domain_interface_stats_args, on_stats),
	HANDLE(RPC_PROC_DOMAIN_GET_INTERFACE_PARAMETERS, rpc_domain_get_interface_parameters_args,
	       on_get_params),
	HANDLE(RPC_PROC_DOMAIN_SET_INTERFACE_PARAMETERS, rpc_domain_set_interface_parameters_args,
	       on_set_params),
	HANDLERS_END,
};
