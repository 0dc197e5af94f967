/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node.c - the machines of a host
 */
#include "manage/node.h"

#include <assert.h>
#include <string.h>

#include "manage/net-int.h"
#include "manage/peer-int.h"
#include "manage/pool-int.h"
#include "manage/secret-int.h"
#include "manage/stream-int.h"
#include "manage/timer-int.h"
#include "manage/vm-int.h"

/* A UUID is random, or people count in its last digits. */
static guint hash_uuid(const void *key)
{
	guint words[4], hash = 0;

	memcpy(words, key, sizeof(words));
	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
		hash = hash * 31 + words[i];
	return hash;
}

static gboolean same_uuid(const void *a, const void *b)
{
	return !memcmp(a, b, 16);
}

struct node *node_new(const struct node_config *config)
{
	struct node *node = g_new0(struct node, 1);

	node->config = *config;
	node->by_uuid = g_hash_table_new(hash_uuid, same_uuid);
	node->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	node->by_id = g_hash_table_new(g_direct_hash, g_direct_equal);
	node->vms = g_ptr_array_new();
	node->nets = g_ptr_array_new();
	node->pools = g_ptr_array_new();
	node->secrets = g_ptr_array_new();
	node->peers = g_ptr_array_new();
	node->next_id = 1;
	return node;
}

/* What waits is told; what runs ends when its machine is let go. */
static void let_go(struct vm *vm)
{
	struct machine *machine = vm->dom.machine;
	struct call *call;

	vm_ref(vm);
	while ((call = g_queue_peek_tail(&vm->object.jobs)) && !call->running)
		call_fail(call, RPC_CODE_OPERATION_ABORTED, RPC_FROM_QEMU,
			  "the daemon is being stopped");
	vm_close_streams(vm);
	vm->dom.machine = NULL;
	assert(!vm->status_busy);
	if (machine)
		machine->ops->free(machine);
	vm_remove(vm);
	vm_unref(vm);
}

void node_free(struct node *node)
{
	if (!node)
		return;
	while (node->peers->len)
		peer_forget_node(node->peers->pdata[0]);
	timer_stop(&node->pools_timer);
	/* First: what starts a machine may wait for one. */
	nets_let_go(node);
	while (node->vms->len)
		let_go(node->vms->pdata[node->vms->len - 1]);
	pools_let_go(node);
	raw_round_free(node->raw_round);
	secrets_let_go(node);
	g_hash_table_unref(node->by_uuid);
	g_hash_table_unref(node->by_name);
	g_hash_table_unref(node->by_id);
	g_ptr_array_unref(node->vms);
	g_ptr_array_unref(node->nets);
	g_ptr_array_unref(node->pools);
	g_ptr_array_unref(node->secrets);
	g_ptr_array_unref(node->peers);
	g_free(node);
}

void *node_machines_opaque(const struct node *node)
{
	return node->config.machines_opaque;
}

unsigned node_active(const struct node *node)
{
	return node->active;
}

unsigned node_deadline(const struct node *node)
{
	return node->config.deadline_ms ? node->config.deadline_ms : NODE_DEADLINE_MS;
}
