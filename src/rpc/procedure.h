/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procedure.h - the procedures and events of remote.x and qemu.x, and what a packet's header asks for
 *
 * Threads: any.
 */
#ifndef RPC_PROCEDURE_H
#define RPC_PROCEDURE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/message.h"

enum rpc_access {
	RPC_ACCESS_NONE,  /* anybody, before he has proved who he is */
	RPC_ACCESS_READ,  /* whoever is connected */
	RPC_ACCESS_WRITE, /* not on a read-only connection */
	RPC_ACCESS_EVENT, /* nobody: the server sends it */
};

/* What arguments, an answer or an event looks like; xdr is NULL if there is nothing to say. */
struct rpc_layout {
	const char *type;
	xdrproc_t xdr;
	size_t size;
};

struct rpc_procedure {
	uint32_t program; /* RPC_PROGRAM_REMOTE or RPC_PROGRAM_QEMU */
	int number;       /* enum rpc_proc, or rpc_qemu_proc */
	const char *name;
	enum rpc_access access;
	struct rpc_layout args; /* of a call; what an event says */
	struct rpc_layout ret;
	uint32_t write_mask; /* of a word in the arguments: bits for which reading is not enough */
	size_t write_off;
	bool stream; /* the answer opens a stream */
	bool fds;    /* call or answer may carry descriptors */
};

/* By number, ascending: of program remote, and of program qemu. */
extern const struct rpc_procedure rpc_procedures[], rpc_qemu_procedures[];
extern const size_t rpc_procedures_count, rpc_qemu_procedures_count;

/* The procedure or event with this number, or NULL. */
const struct rpc_procedure *rpc_procedure_find(int number);
const struct rpc_procedure *rpc_qemu_procedure_find(int number);

/**
 * rpc_procedure_may_be_called() - does the access class allow it?
 * @args:  decoded, of the type that @proc->args names; may be NULL if it names none
 * @has:   what the caller has: RPC_ACCESS_NONE before authentication, _READ or _WRITE
 *
 * Return: false for events, whoever asks
 */
bool rpc_procedure_may_be_called(const struct rpc_procedure *proc, const void *args,
				 enum rpc_access has);

enum rpc_sort {
	RPC_SORT_CALL,   /* a call of a procedure that exists (server) */
	RPC_SORT_REFUSE, /* to be answered with code RPC_CODE_RPC and the error's text (server) */
	RPC_SORT_REPLY,  /* an answer (client) */
	RPC_SORT_EVENT,  /* an event that exists (client) */
	RPC_SORT_STREAM, /* part of a stream, for rpc_stream_read() */
	RPC_SORT_PING,   /* to be answered with a pong */
	RPC_SORT_PONG,
	RPC_SORT_DROP, /* nobody waits for an answer, and there is nothing to do */
};

/**
 * rpc_sort_for_server() - what to do about a packet of a client
 * @ret_proc: for RPC_SORT_CALL, the procedure
 * @error:    for RPC_SORT_REFUSE and _DROP, says why. The connection stays open
 */
enum rpc_sort rpc_sort_for_server(const struct rpc_header *header,
				  const struct rpc_procedure **ret_proc, GError **error);

/* The same for a packet of a server, of program remote; @ret_proc for RPC_SORT_REPLY and _EVENT. */
enum rpc_sort rpc_sort_for_client(const struct rpc_header *header,
				  const struct rpc_procedure **ret_proc, GError **error);

#endif
