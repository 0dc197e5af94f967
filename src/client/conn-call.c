/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conn-call.c - calls: put together and taken apart by who makes them, any number at a time
 */
#include "client/conn-int.h"

#include <assert.h>

#include "base/error.h"
#include "base/sys.h"
#include "client/error-int.h"

enum {
	REOPEN_WAIT_MS = 30000 /* how long a call without a deadline waits for the connection */
};

static bool not_up_locked(const struct socle_conn *conn, struct socle_error **error)
{
	if (error)
		*error = conn->why ? client_error_copy(conn->why)
				   : client_error_new(SOCLE_ERR_CONNECTION_LOST, SOCLE_FROM_REMOTE,
						      "the connection is closed");
	return false;
}

/* A connection that is being opened again is waited for. */
static bool wait_until_up_locked(struct socle_conn *conn, unsigned generation, uint64_t deadline,
				 struct socle_error **error)
{
	while (conn->state == CONN_REOPENING) {
		if (!conn_wait_locked(conn, &conn->changed, deadline))
			break;
	}
	if (conn->state != CONN_UP)
		return not_up_locked(conn, error);
	return !generation || generation == conn->generation ||
	       client_error(error, SOCLE_ERR_CONNECTION_LOST,
			    "the connection was lost before the call, and is another one now");
}

/* The answer has come, or will never come, or is not waited for any more. */
static void wait_for_answer_locked(struct socle_conn *conn, struct call *call, uint64_t deadline,
				   unsigned timeout_ms)
{
	while (!call->done) {
		if (conn_wait_locked(conn, &call->answered, deadline) || call->done)
			continue;
		g_hash_table_remove(conn->calls, GUINT_TO_POINTER(call->serial));
		conn_expect_late_locked(conn, call);
		call->done = true;
		client_error(&call->error, SOCLE_ERR_OPERATION_TIMEOUT,
			     "no answer to %s within %u ms; it may yet be done",
			     link_call_name(call->procedure), timeout_ms);
	}
}

/* Put it on its way. @msg is owned from now on. */
static bool send_call(struct socle_conn *conn, struct call *call, unsigned timeout_ms,
		      uint64_t deadline, struct rpc_message *msg, struct socle_error **error)
{
	int fd = -1;
	bool up;

	/* The packet may have to wait for longer than its caller does. */
	if (call->fd && (fd = sys_dup(*call->fd)) < 0) {
		rpc_message_free(msg);
		return client_error(error, SOCLE_ERR_SYSTEM_ERROR, "cannot send descriptor %d: %s",
				    *call->fd, g_strerror(-fd));
	}

	pthread_mutex_lock(&conn->lock);
	up = wait_until_up_locked(conn, call->generation,
				  timeout_ms ? deadline : conn_deadline(REOPEN_WAIT_MS), error);
	if (up) {
		conn_cond_init(&call->answered);
		g_hash_table_insert(conn->calls, GUINT_TO_POINTER(call->serial), call);
		if (call->stream)
			stream_expect_locked(call->stream, call->serial);
		if (fd >= 0)
			conn_send_fd_locked(conn, msg, fd_steal(&fd));
		else
			conn_send_locked(conn, msg, NULL);
	}
	pthread_mutex_unlock(&conn->lock);
	fd_autoclose(&fd);
	if (!up)
		rpc_message_free(msg);
	return up;
}

static bool wait_for_answer(struct socle_conn *conn, struct call *call, unsigned timeout_ms,
			    uint64_t deadline, struct socle_error **error)
{
	pthread_mutex_lock(&conn->lock);
	wait_for_answer_locked(conn, call, deadline, timeout_ms);
	if (call->stream && !call->answer)
		stream_opened_locked(call->stream, false);
	pthread_mutex_unlock(&conn->lock);
	pthread_cond_destroy(&call->answered);
	if (call->answer)
		return true;
	assert(call->error);
	if (error)
		*error = g_steal_pointer(&call->error);
	socle_error_free(call->error);
	return false;
}

static bool read_answer(struct call *call, void *ret, struct socle_error **error)
{
	struct socle_error *server = NULL;
	GError *why = NULL;

	if (link_read_answer(call->answer, call->procedure, ret, &server, &why))
		return true;
	if (!server)
		return client_error_take(error, SOCLE_ERR_RPC, why);
	if (error)
		*error = server;
	else
		socle_error_free(server);
	return false;
}

static struct rpc_message *new_message(struct socle_conn *conn, struct call *call, void *args,
				       struct socle_error **error)
{
	GError *why = NULL;
	struct rpc_message *msg;

	call->serial = atomic_fetch_add(&conn->next_serial, 1);
	msg = link_new_call(call->serial, call->procedure, args, call->fd ? 1 : 0, &why);
	if (!msg)
		client_error_take(error, SOCLE_ERR_INVALID_ARG, why);
	return msg;
}

/* On success and on failure of the server the answer stays with the call. */
static bool call_and_read(struct socle_conn *conn, struct call *call, unsigned timeout_ms,
			  void *args, void *ret, struct socle_error **error)
{
	struct rpc_message *msg = new_message(conn, call, args, error);
	uint64_t deadline = conn_deadline(timeout_ms);

	return msg && send_call(conn, call, timeout_ms, deadline, msg, error) &&
	       wait_for_answer(conn, call, timeout_ms, deadline, error) &&
	       read_answer(call, ret, error);
}

bool conn_call_begin(struct socle_conn *conn, struct call *call, void *args,
		     struct socle_error **error)
{
	struct rpc_message *msg = new_message(conn, call, args, error);
	unsigned timeout_ms = atomic_load(&conn->timeout_ms);

	return msg && send_call(conn, call, timeout_ms, conn_deadline(timeout_ms), msg, error);
}

bool conn_call_end(struct socle_conn *conn, struct call *call, void *ret,
		   struct socle_error **error)
{
	unsigned timeout_ms = atomic_load(&conn->timeout_ms);
	bool ok = wait_for_answer(conn, call, timeout_ms, conn_deadline(timeout_ms), error) &&
		  read_answer(call, ret, error);

	packet_free(call->answer);
	return ok;
}

bool conn_call_for(struct socle_conn *conn, struct call *call, unsigned timeout_ms, void *args,
		   void *ret, struct socle_error **error)
{
	bool ok = call_and_read(conn, call, timeout_ms, args, ret, error);

	packet_free(call->answer);
	return ok;
}

bool conn_call(struct socle_conn *conn, int procedure, void *args, void *ret,
	       struct socle_error **error)
{
	struct call call = { .procedure = procedure };

	return conn_call_for(conn, &call, atomic_load(&conn->timeout_ms), args, ret, error);
}

bool conn_call_fd(struct socle_conn *conn, int procedure, void *args, int *ret_fd,
		  struct socle_error **error)
{
	struct call call = { .procedure = procedure };
	bool ok = call_and_read(conn, &call, atomic_load(&conn->timeout_ms), args, NULL, error);

	if (ok)
		*ret_fd = packet_take_fd(call.answer);
	packet_free(call.answer);
	return ok;
}

/* The number of a callback is there before any event that comes behind it is looked at. */
static void learn_number_locked(struct call *call)
{
	rpc_connect_domain_event_callback_register_any_ret ret;
	struct rpc_received copy = call->answer->received;

	if (copy.header.status == RPC_STATUS_OK &&
	    rpc_received_get(&copy, rpc_connect_domain_event_callback_register_any_ret, &ret, NULL))
		call->handler->server_id = ret.callbackID;
}

void conn_answer_locked(struct socle_conn *conn, struct packet *packet)
{
	uint32_t serial = packet->received.header.serial;
	struct call *call = g_hash_table_lookup(conn->calls, GUINT_TO_POINTER(serial));

	/* Late: who called does not wait any more. */
	if (!call) {
		conn_answer_late_locked(conn, packet);
		packet_free(packet);
		return;
	}
	g_hash_table_remove(conn->calls, GUINT_TO_POINTER(serial));
	call->answer = packet;
	call->done = true;
	if (call->handler)
		learn_number_locked(call);
	if (call->stream)
		stream_opened_locked(call->stream, packet->received.header.status == RPC_STATUS_OK);
	pthread_cond_signal(&call->answered);
}

void conn_fail_calls_locked(struct socle_conn *conn, const char *why)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, conn->calls);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct call *call = value;

		client_error(&call->error, SOCLE_ERR_CONNECTION_LOST,
			     "no answer to %s, and it is not known whether it was done: %s",
			     link_call_name(call->procedure), why);
		call->done = true;
		pthread_cond_signal(&call->answered);
	}
	g_hash_table_remove_all(conn->calls);
	g_hash_table_remove_all(conn->late);
}
