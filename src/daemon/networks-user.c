/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * networks-user.c - the networks of a session: each card has one of its own, inside of its machine
 */
#include "base/error.h"
#include "daemon/networks.h"
#include "model/network.h"

static void user_start(void *opaque, struct virtnet *net, struct task *task)
{
	g_autoptr(GError) error = NULL;

	if (network_has_own_bridge(net->live))
		net->made = opaque;
	else
		error_set(&error, SOCLE_ERROR_UNSUPPORTED,
			  "a session cannot reach interfaces of the host; use the system's daemon, "
			  "or "
			  "give <forward mode='nat'/>");
	task_end(task, error);
}

static void user_find(void *opaque, struct virtnet *net, const char *state, struct task *task)
{
	(void)state;
	user_start(opaque, net, task);
}

static void user_free(struct virtnet *net)
{
	(void)net;
}

static void user_done(struct virtnet *net, struct task *task)
{
	(void)net;
	task_end(task, NULL);
}

const struct network_ops network_user_ops = {
	.is_user = true,
	.start = user_start,
	.find = user_find,
	.free = user_free,
	.stop = user_done,
	.update = user_done,
};
