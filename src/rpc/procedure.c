/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procedure.c - the procedures and events of remote.x and qemu.x, and what a packet's header asks for
 */
#include "rpc/procedure.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static int by_number(const void *key, const void *member)
{
	int number = *(const int *)key, other = ((const struct rpc_procedure *)member)->number;

	return (number > other) - (number < other);
}

const struct rpc_procedure *rpc_procedure_find(int number)
{
	return bsearch(&number, rpc_procedures, rpc_procedures_count, sizeof(rpc_procedures[0]),
		       by_number);
}

const struct rpc_procedure *rpc_qemu_procedure_find(int number)
{
	return bsearch(&number, rpc_qemu_procedures, rpc_qemu_procedures_count,
		       sizeof(rpc_qemu_procedures[0]), by_number);
}

bool rpc_procedure_may_be_called(const struct rpc_procedure *proc, const void *args,
				 enum rpc_access has)
{
	enum rpc_access wants = proc->access;
	uint32_t word;

	if (proc->write_mask != 0) {
		assert(proc->write_off + sizeof(word) <= proc->args.size);
		memcpy(&word, (const char *)args + proc->write_off, sizeof(word));
		if (word & proc->write_mask)
			wants = RPC_ACCESS_WRITE;
	}
	return wants != RPC_ACCESS_EVENT && wants <= has;
}

static enum rpc_sort sort_keepalive(const struct rpc_header *header, GError **error)
{
	if (header->version == RPC_VERSION && header->type == RPC_TYPE_MESSAGE) {
		if (header->procedure == RPC_KEEPALIVE_PING)
			return RPC_SORT_PING;
		if (header->procedure == RPC_KEEPALIVE_PONG)
			return RPC_SORT_PONG;
	}
	error_set(error, SOCLE_ERROR_UNSUPPORTED, "a keepalive that is neither ping nor pong");
	return RPC_SORT_DROP;
}

/* @qemu: that program is spoken, too. */
static bool is_known(const struct rpc_header *header, bool qemu, GError **error)
{
	if ((header->program == RPC_PROGRAM_REMOTE ||
	     (qemu && header->program == RPC_PROGRAM_QEMU)) &&
	    header->version == RPC_VERSION)
		return true;
	return error_set(error, SOCLE_ERROR_UNSUPPORTED, "Cannot find program %u version %u",
			 header->program, header->version);
}

static const struct rpc_procedure *find(const struct rpc_header *header)
{
	return header->program == RPC_PROGRAM_QEMU ? rpc_qemu_procedure_find(header->procedure)
						   : rpc_procedure_find(header->procedure);
}

static bool is_stream(const struct rpc_header *header)
{
	return header->program == RPC_PROGRAM_REMOTE &&
	       (header->type == RPC_TYPE_STREAM || header->type == RPC_TYPE_STREAM_HOLE);
}

enum rpc_sort rpc_sort_for_server(const struct rpc_header *header,
				  const struct rpc_procedure **ret_proc, GError **error)
{
	const struct rpc_procedure *proc;
	bool call = header->type == RPC_TYPE_CALL || header->type == RPC_TYPE_CALL_WITH_FDS;

	if (header->program == RPC_PROGRAM_KEEPALIVE)
		return sort_keepalive(header, error);
	if (!is_known(header, true, error))
		return call ? RPC_SORT_REFUSE : RPC_SORT_DROP;
	if (is_stream(header))
		return RPC_SORT_STREAM;
	if (!call) {
		error_set(error, SOCLE_ERROR_CORRUPT,
			  "a client sends calls and streams, not type %u", header->type);
		return RPC_SORT_DROP;
	}
	if (header->status != RPC_STATUS_OK) {
		error_set(error, SOCLE_ERROR_CORRUPT, "a call has status 0, not %u",
			  header->status);
		return RPC_SORT_REFUSE;
	}
	proc = find(header);
	if (!proc || proc->access == RPC_ACCESS_EVENT) {
		/* The client library looks for these words, and falls back to older calls. */
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "unknown procedure: %d",
			  header->procedure);
		return RPC_SORT_REFUSE;
	}
	*ret_proc = proc;
	return RPC_SORT_CALL;
}

enum rpc_sort rpc_sort_for_client(const struct rpc_header *header,
				  const struct rpc_procedure **ret_proc, GError **error)
{
	const struct rpc_procedure *proc;
	bool event = header->type == RPC_TYPE_MESSAGE;

	if (header->program == RPC_PROGRAM_KEEPALIVE)
		return sort_keepalive(header, error);
	/* What only servers speak to a client of ours, it has not asked for. */
	if (!is_known(header, false, error))
		return RPC_SORT_DROP;
	if (is_stream(header))
		return RPC_SORT_STREAM;
	if (!event && header->type != RPC_TYPE_REPLY && header->type != RPC_TYPE_REPLY_WITH_FDS) {
		error_set(error, SOCLE_ERROR_CORRUPT,
			  "a server sends answers, events and streams, not type %u", header->type);
		return RPC_SORT_DROP;
	}
	proc = rpc_procedure_find(header->procedure);
	if (!proc || (proc->access == RPC_ACCESS_EVENT) != event) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "%s %d is not known",
			  event ? "event" : "answer to procedure", header->procedure);
		return RPC_SORT_DROP;
	}
	*ret_proc = proc;
	return event ? RPC_SORT_EVENT : RPC_SORT_REPLY;
}
