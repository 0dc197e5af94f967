/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate.c - procedures of migration, which there is none of yet: clients tell their users so
 */
#include "manage/handler-int.h"

static void refuse(struct call *call, const void *args)
{
	(void)args;
	call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
		  "machines cannot be migrated while they run yet; shut the domain down, copy its "
		  "definition and its disks, and start it there");
}

const struct call_entry migrate_handlers[] = {
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_BEGIN3_PARAMS, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_PREPARE3_PARAMS, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_PERFORM3_PARAMS, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_FINISH3_PARAMS, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_CONFIRM3_PARAMS, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_SET_MAX_DOWNTIME, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_GET_MAX_DOWNTIME, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_SET_MAX_SPEED, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_GET_MAX_SPEED, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_GET_COMPRESSION_CACHE, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_SET_COMPRESSION_CACHE, refuse),
	HANDLE_BARE(RPC_PROC_DOMAIN_MIGRATE_START_POST_COPY, refuse),
	HANDLERS_END,
};
