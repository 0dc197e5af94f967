/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-calls.c - which procedures are answered, which are refused, which are not there, and why
 *
 * The tables are complete: who makes one more procedure work takes it out here. Each is called for an object that
 * there is, of a driver "test" of its own, with zeroes for all else.
 */
#include <string.h>

#include "base/bytes.h"
#include "client.h"
#include "rpc/procedure.h"

/* What virsh, virt-install, virt-manager, virt-top, cockpit and exporters ask. */
static const short asked[] = {
	1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  11,  12,  13,  14,  15,  16,  17,  18,
	19,  20,  21,  22,  23,  24,  25,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,
	37,  38,  39,  40,  41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51,  52,  53,  54,
	55,  56,  57,  59,  60,  64,  65,  66,  67,  68,  69,  70,  71,  72,  73,  74,  75,  76,
	77,  78,  79,  80,  81,  82,  83,  84,  85,  86,  87,  88,  89,  90,  91,  92,  93,  94,
	95,  96,  97,  98,  99,  100, 101, 102, 110, 111, 112, 113, 114, 115, 116, 117, 121, 122,
	125, 128, 130, 149, 150, 151, 152, 153, 154, 155, 156, 157, 159, 160, 161, 163, 164, 174,
	182, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194, 196, 197, 198, 199, 200,
	201, 202, 203, 204, 205, 206, 208, 209, 210, 211, 212, 219, 223, 225, 226, 227, 228, 229,
	230, 231, 232, 233, 234, 243, 244, 245, 246, 249, 251, 252, 253, 258, 260, 262, 264, 265,
	271, 272, 273, 274, 275, 277, 281, 282, 283, 284, 285, 291, 293, 298, 302, 303, 305, 306,
	307, 312, 313, 314, 315, 316, 317, 318, 319, 322, 323, 324, 328, 331, 333, 334, 341, 342,
	343, 344, 348, 349, 350, 353, 354, 358, 360, 361, 362, 368, 369, 370, 373, 374, 375, 376,
	377, 378, 379, 391, 392, 403, 418, 426, 432, 436,
};

struct exception {
	int number;
	const char *why;
};

#define X(name, why)                 \
	{                            \
		RPC_PROC_##name, why \
	}

/* Nobody of those asks for them: clients hear "unknown procedure", and take it for "not supported". */
static const struct exception unknown[] = {
	X(DOMAIN_SEND_PROCESS_SIGNAL, "for containers"),
	X(DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, "migration"),
	X(DOMAIN_CREATE_XML_WITH_FILES, "for containers"),
	X(DOMAIN_CREATE_WITH_FILES, "for containers"),
	X(DOMAIN_FD_ASSOCIATE, "disks are named by path"),
	X(DOMAIN_PIN_IOTHREAD, "each disk has a thread of its own, which is not pinned"),
	X(DOMAIN_ADD_IOTHREAD, "the same"),
	X(DOMAIN_DEL_IOTHREAD, "the same"),
	X(DOMAIN_CHECKPOINT_CREATE_XML, "backups"),
	X(DOMAIN_CHECKPOINT_GET_XML_DESC, "backups"),
	X(DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN, "backups"),
	X(DOMAIN_CHECKPOINT_GET_PARENT, "backups"),
	X(DOMAIN_CHECKPOINT_DELETE, "backups"),
	X(DOMAIN_BACKUP_BEGIN, "backups"),
	X(DOMAIN_BACKUP_GET_XML_DESC, "backups"),
};

/* Answered by a sentence that says what to do instead. */
static const struct exception refused[] = {
	X(DOMAIN_SAVE, "the state of a machine is not written yet"),
	X(DOMAIN_SAVE_FLAGS, "the same"),
	X(DOMAIN_SAVE_PARAMS, "the same"),
	X(DOMAIN_SAVE_IMAGE_GET_XML_DESC, "the same"),
	X(DOMAIN_SAVE_IMAGE_DEFINE_XML, "the same"),
	X(DOMAIN_MANAGED_SAVE, "the same"),
	X(DOMAIN_RESTORE, "the same"),
	X(DOMAIN_RESTORE_FLAGS, "the same"),
	X(DOMAIN_RESTORE_PARAMS, "the same"),
	X(DOMAIN_MIGRATE_BEGIN3_PARAMS, "the same"),
	X(DOMAIN_MIGRATE_PREPARE3_PARAMS, "the same"),
	X(DOMAIN_MIGRATE_PERFORM3_PARAMS, "the same"),
	X(DOMAIN_MIGRATE_FINISH3_PARAMS, "the same"),
	X(DOMAIN_MIGRATE_CONFIRM3_PARAMS, "the same"),
	X(DOMAIN_MIGRATE_SET_MAX_DOWNTIME, "the same"),
	X(DOMAIN_MIGRATE_GET_MAX_DOWNTIME, "the same"),
	X(DOMAIN_MIGRATE_SET_MAX_SPEED, "the same"),
	X(DOMAIN_MIGRATE_GET_MAX_SPEED, "the same"),
	X(DOMAIN_MIGRATE_GET_COMPRESSION_CACHE, "the same"),
	X(DOMAIN_MIGRATE_SET_COMPRESSION_CACHE, "the same"),
	X(DOMAIN_MIGRATE_START_POST_COPY, "the same"),
	X(CONNECT_FIND_STORAGE_POOL_SOURCES, "of a type without a name"),
	X(NETWORK_UPDATE, "of section 0, which is none"),
	X(CONNECT_SET_IDENTITY, "who a client is is the daemon's word"),
	X(CONNECT_DOMAIN_XML_FROM_NATIVE, "there is no other form"),
	X(CONNECT_DOMAIN_XML_TO_NATIVE, "there is no other form"),
	X(NODE_SUSPEND_FOR_DURATION, "the host is not ours"),
	X(NODE_SET_MEMORY_PARAMETERS, "the host is not ours"),
	X(NODE_ALLOC_PAGES, "the host is not ours"),
	X(NODE_GET_SEV_INFO, "no such machines"),
	X(DOMAIN_SET_VCPU, "CPUs do not come and go"),
	X(DOMAIN_SET_NUMA_PARAMETERS, "no such machines"),
	X(DOMAIN_PM_SUSPEND_FOR_DURATION, "no such machines"),
	X(INTERFACE_DEFINE_XML, "no such objects"),
	X(NWFILTER_DEFINE_XML, "no such objects"),
	X(NETWORK_PORT_CREATE_XML, "ports are cards"),
	X(NETWORK_PORT_DELETE, "ports are cards"),
};

static bool has(const struct exception *list, size_t count, int number)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i].number == number)
			return true;
	}
	return false;
}

/* == Arguments: a handle of the kind that the name begins with, and zeroes == */

static bool begins(const char *name, const char *const *list)
{
	for (; *list; list++) {
		if (g_str_has_prefix(name, *list))
			return true;
	}
	return false;
}

static void put_handle(uint8_t *body, const char *name, const uint8_t *uuid, bool has_id)
{
	size_t len = strlen(name);

	put_be32(body, (uint32_t)len);
	memcpy(body + 4, name, len);
	memcpy(body + 4 + (len + 3) / 4 * 4, uuid, 16);
	if (has_id)
		put_be32(body + 20 + (len + 3) / 4 * 4, 1);
}

static void find_net(struct test_client *c, const char *name, uint8_t ret_uuid[16])
{
	rpc_network_lookup_by_name_args args = { (char *)(uintptr_t)name };
	rpc_network_lookup_by_name_ret ret;

	g_assert_true(client_ask(c, RPC_PROC_NETWORK_LOOKUP_BY_NAME, network_lookup_by_name, &args,
				 &ret));
	memcpy(ret_uuid, ret.net.uuid, 16);
	rpc_body_release_xdr((xdrproc_t)xdr_rpc_network_lookup_by_name_ret, &ret, sizeof(ret));
}

static void find_pool(struct test_client *c, const char *name, uint8_t ret_uuid[16])
{
	rpc_storage_pool_lookup_by_name_args args = { (char *)(uintptr_t)name };
	rpc_storage_pool_lookup_by_name_ret ret;

	g_assert_true(client_ask(c, RPC_PROC_STORAGE_POOL_LOOKUP_BY_NAME,
				 storage_pool_lookup_by_name, &args, &ret));
	memcpy(ret_uuid, ret.pool.uuid, 16);
	rpc_body_release_xdr((xdrproc_t)xdr_rpc_storage_pool_lookup_by_name_ret, &ret, sizeof(ret));
}

static void fill(struct test_client *c, const struct rpc_procedure *proc, uint8_t *body)
{
	static const char *const no_domain[] = { "DOMAIN_LOOKUP_BY_",
						 "DOMAIN_DEFINE_XML",
						 "DOMAIN_CREATE_XML",
						 "DOMAIN_RESTORE",
						 "DOMAIN_SAVE_IMAGE",
						 "DOMAIN_MIGRATE_PREPARE",
						 "DOMAIN_MIGRATE_FINISH",
						 "DOMAIN_SNAPSHOT_",
						 "DOMAIN_CHECKPOINT_",
						 "DOMAIN_REVERT_TO_",
						 NULL };
	static const char *const domain[] = {
		"DOMAIN_SNAPSHOT_CREATE",     "DOMAIN_SNAPSHOT_NUM",
		"DOMAIN_SNAPSHOT_LIST_NAMES", "DOMAIN_SNAPSHOT_LOOKUP",
		"DOMAIN_SNAPSHOT_CURRENT",    "DOMAIN_CHECKPOINT_CREATE",
		"DOMAIN_CHECKPOINT_LOOKUP",   NULL
	};
	static const char *const no_net[] = { "NETWORK_LOOKUP_", "NETWORK_DEFINE_",
					      "NETWORK_CREATE_XML", NULL };
	static const char *const no_pool[] = { "STORAGE_POOL_LOOKUP_", "STORAGE_POOL_DEFINE_",
					       "STORAGE_POOL_CREATE_XML", NULL };
	uint8_t uuid[16];
	rpc_domain dom;

	if (proc->program != RPC_PROGRAM_REMOTE)
		return;
	if (g_str_has_prefix(proc->name, "DOMAIN_") &&
	    (!begins(proc->name, no_domain) || begins(proc->name, domain))) {
		g_assert_true(client_find(c, "test", &dom));
		put_handle(body, "test", (const uint8_t *)dom.uuid, true);
	} else if (g_str_has_prefix(proc->name, "NETWORK_") && !begins(proc->name, no_net)) {
		find_net(c, "default", uuid);
		put_handle(body, "default", uuid, false);
	} else if (g_str_has_prefix(proc->name, "STORAGE_POOL_") && !begins(proc->name, no_pool)) {
		find_pool(c, "default-pool", uuid);
		put_handle(body, "default-pool", uuid, false);
	}
}

/* The code of the answer, 0 if it is no error. */
static int ask(const struct rpc_procedure *proc)
{
	struct node *node = node_new_test();
	struct server *server = test_server(node);
	struct test_client *c = client_open(server, false);
	static uint8_t body[4096];
	int code = 0;

	memset(body, 0, sizeof(body));
	turn();
	fill(c, proc, body);
	if (!client_read(c, client_wait(c, client_send(c, proc->number, body, sizeof(body))), NULL,
			 NULL, 0))
		code = c->code;
	g_test_message("%d %s: %d %s", proc->number, proc->name, code, code ? c->error : "");
	if (code == RPC_CODE_RPC && g_str_has_prefix(c->error, "unknown procedure"))
		code = -1;
	client_free(c);
	server_free(server);
	node_free(node);
	return code;
}

static void test_all(void)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < rpc_procedures_count; i++) {
		const struct rpc_procedure *proc = &rpc_procedures[i];
		int number = proc->number, code;
		bool refuses;

		if (proc->access == RPC_ACCESS_EVENT || number == RPC_PROC_CONNECT_OPEN ||
		    number == RPC_PROC_CONNECT_CLOSE)
			continue;
		code = ask(proc);
		refuses = code == RPC_CODE_NO_SUPPORT || code == RPC_CODE_OPERATION_UNSUPPORTED ||
			  code == RPC_CODE_CONFIG_UNSUPPORTED;
		if ((code == -1) == has(unknown, ARRAY_SIZE(unknown), number) &&
		    refuses == has(refused, ARRAY_SIZE(refused), number))
			continue;
		g_test_message("^^^ not as the table says");
		wrong++;
	}
	g_assert_cmpuint(wrong, ==, 0);
}

/* What clients ask for is known. */
static void test_asked(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		g_assert_nonnull(rpc_procedure_find(asked[i]));
		g_assert_false(has(unknown, ARRAY_SIZE(unknown), asked[i]));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/calls/all", test_all);
	g_test_add_func("/calls/asked", test_asked);
	return g_test_run();
}
