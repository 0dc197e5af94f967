/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conn-late.c - what a server does for nobody is undone: streams, callbacks of events
 *
 * A call that opens a stream or registers a callback may be given up before its answer comes. Then
 * nobody would ever end what the answer tells of: so its number is kept, and the answer is answered.
 * With the link all of it goes, on both sides.
 */
#include "client/conn-int.h"
#include "client/error-int.h"
#include "rpc/remote.h"
#include "rpc/stream.h"

void conn_expect_late_locked(struct socle_conn *conn, const struct call *call)
{
	if (call->stream || call->handler)
		g_hash_table_insert(conn->late, GUINT_TO_POINTER(call->serial),
				    GINT_TO_POINTER(call->procedure));
}

void conn_deregister_locked(struct socle_conn *conn, const struct event_kind *kind, int server_id)
{
	/* All kinds look alike. */
	rpc_connect_domain_event_callback_deregister_any_args args = { .callbackID = server_id };
	uint32_t serial = atomic_fetch_add(&conn->next_serial, 1);
	struct rpc_message *msg;

	msg = link_new_call(serial, kind->stop, &args, 0, NULL);
	/* Its answer is nobody's. */
	if (msg)
		conn_send_locked(conn, msg, NULL);
}

void conn_answer_late_locked(struct socle_conn *conn, struct packet *packet)
{
	void *serial = GUINT_TO_POINTER(packet->received.header.serial);
	int procedure = GPOINTER_TO_INT(g_hash_table_lookup(conn->late, serial));
	const struct event_kind *kind = event_kind_by_call(procedure);
	rpc_connect_domain_event_callback_register_any_ret ret;

	g_hash_table_remove(conn->late, serial);
	/* Also an answer that lies about its procedure is none to be undone. */
	if (procedure != packet->received.header.procedure ||
	    packet->received.header.status != RPC_STATUS_OK)
		return;
	if (!kind)
		conn_send_locked(conn, rpc_stream_new_abort(&packet->received.header), NULL);
	else if (rpc_received_get(&packet->received,
				  rpc_connect_domain_event_callback_register_any_ret, &ret, NULL))
		conn_deregister_locked(conn, kind, ret.callbackID);
}
