/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conn-int.h - inside a connection: calls in flight, streams, events, and the thread that reads
 *
 * All of it is guarded by one lock, which nobody holds while he waits for the network, decodes an
 * answer or calls back. Calls wait on conditions of their own; all else waits on `changed`.
 *
 *  (1) Only the I/O thread (conn-io.c) reads the link, and only it throws the link away. Before there is
 *      one (SOCLE_OPEN_BRIEF) one of those who wait does so: he drives. The thread begins when he has stopped.
 *  (2) Whoever has something to send puts it into `out` and sends what goes at once; the I/O thread
 *      sends the rest. So packets leave in the order in which they were put there.
 *  (3) The I/O thread never calls back, and owns no handle: what comes for others is kept as packets.
 *  (4) A call is in `calls` from before it is sent until it is answered, given up or lost.
 */
#ifndef CLIENT_CONN_INT_H
#define CLIENT_CONN_INT_H

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/dial-int.h"
#include "client/link-int.h"
#include "client/socle-conn.h"
#include "client/socle-event.h"
#include "client/socle-stream.h"
#include "rpc/procedure.h"
#include "rpc/remote.h"

enum {
	CONN_EVENTS_MAX = 65536,         /* that wait for socle_conn_dispatch() */
	CONN_EVENT_BYTES_MAX = 64 << 20, /* and all of them together */
	CONN_STREAM_PAUSE = 8 << 20,     /* bytes received: no more is read without calls */
	CONN_STREAM_MAX = 256 << 20,     /* bytes received for one stream: it is given up */
	CONN_STREAM_OUT_MAX = 1 << 20,   /* bytes of one stream that wait to be sent */
};

enum conn_state {
	CONN_UP,
	CONN_REOPENING,
	CONN_CLOSED, /* for good */
};

struct handler;

/* A call in flight; it belongs to who waits for it. */
struct call {
	uint32_t serial;
	int procedure;
	pthread_cond_t answered;
	bool done;
	struct packet *answer;       /* NULL if it failed */
	struct socle_error *error;   /* why it failed */
	struct handler *handler;     /* a registration: learns its number as soon as it is there */
	struct socle_stream *stream; /* a call that opens one */
	const int *fd;               /* goes with it; NULL: none does */
	unsigned generation;         /* it is for this link only; 0: for any */
};

/* Something that waits to be sent. */
struct out {
	struct rpc_message *msg;
	int fd; /* behind it, ours; or -1 */
	size_t sent;
	bool pong;
	struct socle_stream *stream; /* whose bytes these are; NULL if it has gone */
};

/* Something that waits for socle_conn_dispatch(). */
struct queued {
	struct packet *packet; /* of the server, or NULL for an event of the connection */
	enum socle_event_id id;
	int reason;    /* of SOCLE_EVENT_CLOSED, _LOST */
	char *problem; /* of SOCLE_EVENT_REOPENED, or NULL */
	int handler;   /* whom it is for, or one of these */
};

enum {
	QUEUED_BY_NUMBER = -1, /* whom the server's number says */
	QUEUED_FOR_NOBODY = -2,
};

/* A domain, network, pool or secret whose events are wanted, or all of them. */
struct event_subject {
	bool one;
	char *name; /* of a secret: what it is for */
	unsigned char uuid[16];
	int id; /* of a domain; of a secret enum socle_secret_usage */
};

/* Somebody who wants to be told. */
struct handler {
	unsigned refs; /* the list of the connection, who registers it, and who is calling back */
	int id;        /* ours: stays when the connection is opened again */
	enum socle_event_id event;
	int server_id; /* the server's, -1 if it has none */
	struct event_subject of;
	socle_event_fn *fn;
	void *opaque;
	void (*release)(void *opaque);
};

/* A descriptor that is readable while something is so. */
struct flag_fd {
	int fd;
	bool set;
};

struct socle_conn {
	atomic_uint refs;
	struct dialer *dialer;
	bool readonly;
	bool reconnect;
	bool threadless; /* tests: who waits for an answer reads it himself, and nobody else */
	atomic_uint next_serial;
	atomic_uint timeout_ms;
	int wake_fd;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	enum conn_state state;
	struct thread *io; /* NULL: not needed yet */
	bool driven;       /* somebody who waits does the work of the I/O thread */
	bool more;         /* may be there to be read, without poll() telling of it */
	bool stopping;
	bool dialing; /* the I/O thread is busy with dial() or with the first calls */
	bool orphan;  /* nobody waits for the I/O thread: it frees all when it ends */
	bool secure;
	bool local;              /* as the transport's; stays as it is */
	struct socle_error *why; /* the connection ended, or is being opened again */
	struct link *link;       /* while it is up */
	unsigned generation;     /* of the link, from 1 on: numbers of the server are its */
	bool keepalive;          /* the server answers pings */
	char *broken;            /* why the link is of no use any more, or NULL */
	GHashTable *calls;       /* of struct call, by serial */
	GHashTable *streams;     /* of struct socle_stream, by serial */
	GHashTable *late;    /* procedures, by serial of calls that were given up (conn-late.c) */
	size_t stream_bytes; /* that were received for all of them */
	GQueue out;
	unsigned keepalive_ms;
	unsigned keepalive_count;
	unsigned pings; /* without an answer */
	uint64_t heard_ns, pinged_ns, heard_bytes;

	GQueue events; /* of struct queued */
	size_t event_bytes;
	uint64_t events_dropped;
	struct flag_fd event_fd;
	GPtrArray *handlers;
	int next_handler;
	unsigned registering;
	bool dispatching;
};

/* == conn.c == */

/* A connection that is up; @link and @dialer are owned from now on. */
struct socle_conn *conn_new(struct link *link, bool keepalive, struct dialer *dialer,
			    unsigned flags, bool threadless, struct socle_error **error);
/* Dial, and make the first calls. */
struct link *conn_dial(struct dialer *dialer, bool readonly, bool again, bool *ret_keepalive,
		       struct socle_error **error);
/* @dialer is owned from now on. */
struct socle_conn *conn_open_dialer(struct dialer *dialer, unsigned flags,
				    struct socle_error **error);
void conn_destroy(struct socle_conn *conn);

/* Wait on a condition of the connection; false after the deadline. */
bool conn_wait_locked(struct socle_conn *conn, pthread_cond_t *cond, uint64_t deadline);
void conn_cond_init(pthread_cond_t *cond);
/* UINT64_MAX for 0. */
uint64_t conn_deadline(unsigned timeout_ms);

bool flag_fd_init(struct flag_fd *flag, GError **error);
void flag_fd_set(struct flag_fd *flag, bool set);
void flag_fd_release(struct flag_fd *flag);

/* == conn-io.c == */

/* There is to be an I/O thread from now on. */
void conn_need_io_locked(struct socle_conn *conn);
/* Do the next thing that the I/O thread would do if there were one, waiting for it up to the deadline. */
void conn_drive_locked(struct socle_conn *conn, uint64_t deadline);
/* Let the I/O thread look again; it has. */
void conn_wake(struct socle_conn *conn);
void conn_rest(struct socle_conn *conn);
/* Put it into the queue, and send what goes. */
void conn_send_locked(struct socle_conn *conn, struct rpc_message *msg,
		      struct socle_stream *stream);
/* The same with a descriptor, which is taken over. */
void conn_send_fd_locked(struct socle_conn *conn, struct rpc_message *msg, int fd);
void conn_out_free(struct out *out);
/* Read and handle what is there. Return: false if the link is broken. */
bool conn_read_locked(struct socle_conn *conn, bool *ret_more);
/* The link is of no use any more: all that depends on it fails. */
void conn_lost_locked(struct socle_conn *conn, enum socle_close_reason reason, const char *why);

/* == conn-reopen.c == */

/* [I/O thread] Try until it is up again, or the connection is to be closed. */
void conn_reopen(struct socle_conn *conn);

/* == conn-call.c == */

/**
 * conn_call() - call a procedure and wait for the answer
 * @args: as the table of procedures has them, or NULL if there are none
 * @ret:  the same; for rpc_body_release() on success
 * @fd:   NULL, or set to a descriptor that has come with the answer, -1 if none has
 */
bool conn_call(struct socle_conn *conn, int procedure, void *args, void *ret,
	       struct socle_error **error);
bool conn_call_fd(struct socle_conn *conn, int procedure, void *args, int *ret_fd,
		  struct socle_error **error);
bool conn_call_for(struct socle_conn *conn, struct call *call, unsigned timeout_ms, void *args,
		   void *ret, struct socle_error **error);

/*
 * The same in two steps, so that several calls are on their way together: each that was begun is to be
 * ended. @call has its procedure, and nothing else yet.
 */
bool conn_call_begin(struct socle_conn *conn, struct call *call, void *args,
		     struct socle_error **error);
bool conn_call_end(struct socle_conn *conn, struct call *call, void *ret,
		   struct socle_error **error);

/* Call with types that are checked; the answer is not looked at if @ret is NULL. */
#define CALL(conn, NAME, name, args, ret, error)                            \
	conn_call(conn, RPC_PROC_##NAME, RPC_BODY(rpc_##name##_args, args), \
		  RPC_BODY(rpc_##name##_ret, ret), error)
#define CALL_ARGS(conn, NAME, name, args, error) \
	(conn_call(conn, RPC_PROC_##NAME, RPC_BODY(rpc_##name##_args, args), NULL, error) ? 0 : -1)
#define CALL_RET(conn, NAME, name, ret, error) \
	conn_call(conn, RPC_PROC_##NAME, NULL, RPC_BODY(rpc_##name##_ret, ret), error)

/* A text for the wire, which does not change it; one that may be missing. */
#define TEXT(text)     ((char *)(uintptr_t)(text))
#define OPTIONAL(text) ((text) ? (rpc_text *)(uintptr_t) & (text) : NULL)

void conn_answer_locked(struct socle_conn *conn, struct packet *packet);
void conn_fail_calls_locked(struct socle_conn *conn, const char *why);

/* == conn-late.c == */

/* It is given up; what its answer brings is to be undone. */
void conn_expect_late_locked(struct socle_conn *conn, const struct call *call);
/* An answer that nobody waits for. */
void conn_answer_late_locked(struct socle_conn *conn, struct packet *packet);
struct event_kind;
/* Let the server forget a callback, and do not wait for it. */
void conn_deregister_locked(struct socle_conn *conn, const struct event_kind *kind, int server_id);

/* == event.c, event-queue.c == */

void conn_queue_event_locked(struct socle_conn *conn, struct packet *packet);
void conn_queue_local_locked(struct socle_conn *conn, enum socle_event_id id, int reason,
			     const char *problem);
void queued_free(struct queued *queued);
void handler_unref(struct handler *handler);
/* The next event, or NULL. */
struct queued *conn_next_event_locked(struct socle_conn *conn);
void conn_event_fd_locked(struct socle_conn *conn);
struct handler *conn_find_handler_locked(const struct socle_conn *conn, int id);
/* The server's numbers are about to change: what waits is for those who have them now. */
void conn_bind_events_locked(struct socle_conn *conn);

/* == event-kind.c == */

/* Events of domains, of networks, of pools, of secrets. Callbacks of one kind have numbers of their own. */
struct event_kind {
	int first, end; /* enum socle_event_id; the server counts from 0 on */
	int ask, stop;  /* the calls: who wants to be told, and no more */
};

/* NULL: the server is not asked for such. */
const struct event_kind *event_kind_of(int id);
/* By the call that asks, or NULL. */
const struct event_kind *event_kind_by_call(int procedure);

/* What a call that asks has; answers of all kinds look like that for domains. */
struct event_args {
	union {
		rpc_connect_domain_event_callback_register_any_args domain;
		rpc_connect_network_event_register_any_args network;
		rpc_connect_storage_pool_event_register_any_args pool;
		rpc_connect_secret_event_register_any_args secret;
	} u;
	union {
		rpc_domain domain;
		rpc_network network;
		rpc_storage_pool pool;
		rpc_secret secret;
	} object;
};

/* Lent by @of. */
void event_args_init(struct event_args *args, int id, const struct event_subject *of);

/* == event-decode.c == */

/* The kind of an event of the server, its callback's number; false for what we do not know. */
bool event_peek(const struct packet *packet, enum socle_event_id *ret_id, int *ret_server_id);
/* Decode and call back; false if it makes no sense. */
bool event_tell(struct socle_conn *conn, struct packet *packet, const struct handler *handler);

/* == stream.c == */

/**
 * stream_open_call() - call a procedure that opens a stream
 * @args, @ret: as in conn_call()
 *
 * Return: for socle_stream_unref(); NULL on failure
 */
struct socle_stream *stream_open_call(struct socle_conn *conn, int procedure, void *args, void *ret,
				      unsigned flags, struct socle_error **error);
/* The same, and *@fd goes with the call; NULL: none. */
struct socle_stream *stream_open_call_fd(struct socle_conn *conn, int procedure, void *args,
					 void *ret, const int *fd, unsigned flags,
					 struct socle_error **error);
void stream_packet_locked(struct socle_conn *conn, struct packet *packet);
/* So many bytes of it have left the queue. */
void stream_sent_locked(struct socle_stream *stream, size_t len);
void stream_fail_all_locked(struct socle_conn *conn, const char *why);
/* Its call is about to be sent: from now on packets may come for it, also before the answer. */
void stream_expect_locked(struct socle_stream *stream, uint32_t serial);
/* Its call has been answered, or never will be. */
void stream_opened_locked(struct socle_stream *stream, bool ok);

#endif
