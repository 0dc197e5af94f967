/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-kind.c - events of domains, networks, pools and secrets: each kind has calls of its own, all
 * alike
 */
#include <string.h>

#include "client/conn-int.h"
#include "rpc/remote.h"

static const struct event_kind domain_kind = {
	.first = SOCLE_EVENT_LIFECYCLE,
	.end = SOCLE_EVENT_DOMAIN_COUNT,
	.ask = RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
	.stop = RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
};

static const struct event_kind network_kind = {
	.first = SOCLE_EVENT_NETWORK_LIFECYCLE,
	.end = SOCLE_EVENT_NETWORK_END,
	.ask = RPC_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY,
	.stop = RPC_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
};

static const struct event_kind pool_kind = {
	.first = SOCLE_EVENT_POOL_LIFECYCLE,
	.end = SOCLE_EVENT_POOL_END,
	.ask = RPC_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
	.stop = RPC_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY,
};

static const struct event_kind secret_kind = {
	.first = SOCLE_EVENT_SECRET_LIFECYCLE,
	.end = SOCLE_EVENT_SECRET_END,
	.ask = RPC_PROC_CONNECT_SECRET_EVENT_REGISTER_ANY,
	.stop = RPC_PROC_CONNECT_SECRET_EVENT_DEREGISTER_ANY,
};

static const struct event_kind *const kinds[] = { &domain_kind, &network_kind, &pool_kind,
						  &secret_kind };

const struct event_kind *event_kind_of(int id)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (id >= kinds[i]->first && id < kinds[i]->end)
			return kinds[i];
	}
	return NULL;
}

const struct event_kind *event_kind_by_call(int procedure)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i]->ask == procedure)
			return kinds[i];
	}
	return NULL;
}

void event_args_init(struct event_args *args, int id, const struct event_subject *of)
{
	const struct event_kind *kind = event_kind_of(id);
	int number = kind ? id - kind->first : id;
	void *uuid;

	memset(args, 0, sizeof(*args));
	if (kind == &network_kind) {
		args->u.network.eventID = number;
		args->u.network.net = of->one ? &args->object.network : NULL;
		args->object.network.name = of->name;
		uuid = args->object.network.uuid;
	} else if (kind == &pool_kind) {
		args->u.pool.eventID = number;
		args->u.pool.pool = of->one ? &args->object.pool : NULL;
		args->object.pool.name = of->name;
		uuid = args->object.pool.uuid;
	} else if (kind == &secret_kind) {
		args->u.secret.eventID = number;
		args->u.secret.secret = of->one ? &args->object.secret : NULL;
		args->object.secret.usageType = of->id;
		args->object.secret.usageID = of->name;
		uuid = args->object.secret.uuid;
	} else {
		args->u.domain.eventID = number;
		args->u.domain.dom = of->one ? &args->object.domain : NULL;
		args->object.domain.name = of->name;
		args->object.domain.id = of->id;
		uuid = args->object.domain.uuid;
	}
	memcpy(uuid, of->uuid, sizeof(of->uuid));
}
