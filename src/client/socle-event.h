/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-event.h - what happens to domains, networks, pools and secrets, and to the connection
 *
 * Events wait in the library until socle_conn_dispatch() calls back, on the caller's thread. A
 * program with a loop of its own polls socle_conn_event_fd() and dispatches with a timeout of 0.
 */
#ifndef CLIENT_SOCLE_EVENT_H
#define CLIENT_SOCLE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-conn.h"
#include "client/socle-domain.h"
#include "client/socle-error.h"
#include "client/socle-network.h"
#include "client/socle-params.h"
#include "client/socle-pool.h"
#include "client/socle-secret.h"

/* Kinds of events. The union in struct socle_event has a member for each that says more. */
enum socle_event_id {
	SOCLE_EVENT_LIFECYCLE = 0,
	SOCLE_EVENT_REBOOT = 1,
	SOCLE_EVENT_RTC_CHANGE = 2,
	SOCLE_EVENT_WATCHDOG = 3,
	SOCLE_EVENT_IO_ERROR = 4,
	SOCLE_EVENT_GRAPHICS = 5,
	SOCLE_EVENT_IO_ERROR_REASON = 6,
	SOCLE_EVENT_CONTROL_ERROR = 7,
	SOCLE_EVENT_BLOCK_JOB = 8, /* disk named by its path */
	SOCLE_EVENT_DISK_CHANGE = 9,
	SOCLE_EVENT_TRAY_CHANGE = 10,
	SOCLE_EVENT_PMWAKEUP = 11,
	SOCLE_EVENT_PMSUSPEND = 12,
	SOCLE_EVENT_BALLOON_CHANGE = 13,
	SOCLE_EVENT_PMSUSPEND_DISK = 14,
	SOCLE_EVENT_DEVICE_REMOVED = 15,
	SOCLE_EVENT_BLOCK_JOB_2 = 16, /* disk named by its target, such as "vda" */
	SOCLE_EVENT_TUNABLE = 17,
	SOCLE_EVENT_AGENT_LIFECYCLE = 18,
	SOCLE_EVENT_DEVICE_ADDED = 19,
	SOCLE_EVENT_MIGRATION_ITERATION = 20,
	SOCLE_EVENT_JOB_COMPLETED = 21,
	SOCLE_EVENT_DEVICE_REMOVAL_FAILED = 22,
	SOCLE_EVENT_METADATA_CHANGE = 23,
	SOCLE_EVENT_BLOCK_THRESHOLD = 24,
	SOCLE_EVENT_MEMORY_FAILURE = 25,
	SOCLE_EVENT_MEMORY_DEVICE_SIZE_CHANGE = 26,
	SOCLE_EVENT_DOMAIN_COUNT, /* those above are a domain's */

	SOCLE_EVENT_NETWORK_LIFECYCLE = 100,
	SOCLE_EVENT_NETWORK_END, /* those above are a network's */

	SOCLE_EVENT_POOL_LIFECYCLE = 200,
	SOCLE_EVENT_POOL_REFRESH = 201, /* its volumes may be others now */
	SOCLE_EVENT_POOL_END,           /* those above are a pool's */

	SOCLE_EVENT_SECRET_LIFECYCLE = 300,
	SOCLE_EVENT_SECRET_VALUE_CHANGED = 301, /* it has got another one */
	SOCLE_EVENT_SECRET_END,                 /* those above are a secret's */

	/* Of the connection itself; the server is not asked. */
	SOCLE_EVENT_CLOSED = 1000,   /* for good */
	SOCLE_EVENT_LOST = 1001,     /* it is being opened again */
	SOCLE_EVENT_REOPENED = 1002, /* and is there again; events between the two are not known */
	SOCLE_EVENT_DROPPED = 1003,  /* nobody has dispatched, and some events were thrown away */
};

/* For SOCLE_EVENT_LIFECYCLE; see socle_event_lifecycle_name() and _detail_name(). */
enum socle_lifecycle {
	SOCLE_LIFECYCLE_DEFINED = 0,
	SOCLE_LIFECYCLE_UNDEFINED = 1,
	SOCLE_LIFECYCLE_STARTED = 2,
	SOCLE_LIFECYCLE_SUSPENDED = 3,
	SOCLE_LIFECYCLE_RESUMED = 4,
	SOCLE_LIFECYCLE_STOPPED = 5,
	SOCLE_LIFECYCLE_SHUTDOWN = 6,
	SOCLE_LIFECYCLE_PMSUSPENDED = 7,
	SOCLE_LIFECYCLE_CRASHED = 8,
};

/* For SOCLE_EVENT_NETWORK_LIFECYCLE; see socle_event_network_name(). There are no details. */
enum socle_network_lifecycle {
	SOCLE_NETWORK_DEFINED = 0,
	SOCLE_NETWORK_UNDEFINED = 1,
	SOCLE_NETWORK_STARTED = 2,
	SOCLE_NETWORK_STOPPED = 3,
};

/* For SOCLE_EVENT_POOL_LIFECYCLE; see socle_event_pool_name(). There are no details. */
enum socle_pool_lifecycle {
	SOCLE_POOL_DEFINED = 0,
	SOCLE_POOL_UNDEFINED = 1,
	SOCLE_POOL_STARTED = 2,
	SOCLE_POOL_STOPPED = 3,
	SOCLE_POOL_CREATED = 4, /* what it is on was built */
	SOCLE_POOL_DELETED = 5,
};

/* For SOCLE_EVENT_SECRET_LIFECYCLE; see socle_event_secret_name(). There are no details. */
enum socle_secret_lifecycle {
	SOCLE_SECRET_DEFINED = 0,
	SOCLE_SECRET_UNDEFINED = 1,
};

/* Why a connection has ended. */
enum socle_close_reason {
	SOCLE_CLOSE_ERROR = 0,
	SOCLE_CLOSE_EOF = 1,
	SOCLE_CLOSE_KEEPALIVE = 2,
	SOCLE_CLOSE_CLIENT = 3,
};

/* One end of a connection to a display. */
struct socle_event_address {
	int family; /* 0 IPv4, 1 IPv6, 2 Unix */
	const char *node;
	const char *service;
};

/* Who is at the display. */
struct socle_event_identity {
	const char *type;
	const char *name;
};

/* An event. All of it belongs to the library, and is gone when the callback returns. */
struct socle_event {
	enum socle_event_id id;
	int callback_id;
	/* Whose it is: one of these; none for events of the connection. */
	struct socle_domain *domain;
	struct socle_network *network;
	struct socle_pool *pool;
	struct socle_secret *secret;
	union {
		struct {
			int event; /* enum socle_lifecycle, of a network, pool or secret theirs */
			int detail;
		} lifecycle;
		struct {
			int64_t offset_s;
		} rtc_change;
		struct {
			int action; /* 0 none, 1 pause, 2 reset, 3 off, 4 shutdown, 5 debug, 6 NMI */
		} watchdog;
		struct {
			const char *path;
			const char *alias;
			int action;         /* 0 none, 1 pause, 2 report */
			const char *reason; /* NULL for SOCLE_EVENT_IO_ERROR */
		} io_error;                 /* SOCLE_EVENT_IO_ERROR, _IO_ERROR_REASON */
		struct {
			int phase; /* 0 connect, 1 initialize, 2 disconnect */
			struct socle_event_address local;
			struct socle_event_address remote;
			const char *auth;
			const struct socle_event_identity *subject;
			unsigned subject_count;
		} graphics;
		struct {
			const char *disk;
			int type;   /* enum socle_block_job_type */
			int status; /* 0 completed, 1 failed, 2 cancelled, 3 ready */
		} block_job;        /* SOCLE_EVENT_BLOCK_JOB, _BLOCK_JOB_2 */
		struct {
			const char *old_path; /* or NULL */
			const char *new_path; /* or NULL */
			const char *alias;
			int reason; /* 0 changed, 1 dropped: it was missing at the start */
		} disk_change;
		struct {
			const char *alias;
			int reason; /* 0 open, 1 closed */
		} tray_change;
		struct {
			int reason;
		} pm; /* SOCLE_EVENT_PMWAKEUP, _PMSUSPEND, _PMSUSPEND_DISK */
		struct {
			uint64_t actual_kib;
		} balloon_change;
		struct {
			const char *alias;
		} device; /* SOCLE_EVENT_DEVICE_ADDED, _REMOVED, _REMOVAL_FAILED */
		struct {
			const struct socle_params *params;
		} tunable; /* SOCLE_EVENT_TUNABLE, _JOB_COMPLETED */
		struct {
			int state; /* 1 connected, 2 disconnected */
			int reason;
		} agent_lifecycle;
		struct {
			int iteration;
		} migration_iteration;
		struct {
			int type;        /* enum socle_metadata_type */
			const char *uri; /* or NULL */
		} metadata_change;
		struct {
			const char *disk;
			const char *path; /* or NULL */
			uint64_t threshold;
			uint64_t excess;
		} block_threshold;
		struct {
			int recipient; /* 0 hypervisor, 1 guest */
			int action;    /* 0 ignored, 1 injected, 2 fatal, 3 reset */
			unsigned flags;
		} memory_failure;
		struct {
			const char *alias;
			uint64_t size_kib;
		} memory_device_size;
		struct {
			int reason; /* enum socle_close_reason */
		} closed;           /* SOCLE_EVENT_CLOSED, _LOST */
		struct {
			const char *problem; /* why some could not be registered again, or NULL */
		} reopened;
		struct {
			uint64_t count;
		} dropped;
	} u;
};

/* Called by socle_conn_dispatch(). It may call the library, but not socle_conn_dispatch(). */
typedef void socle_event_fn(struct socle_conn *conn, const struct socle_event *event, void *opaque);

/**
 * socle_event_register() - be told of events of a kind
 * @conn:    the connection
 * @id:      which
 * @dom:     of this domain only; NULL: of all domains, networks, pools or secrets
 * @fn:      is called back
 * @opaque:  for @fn
 * @release: NULL, or called with @opaque when @fn is not called any more
 * @error:   says why not; then @release is not called
 *
 * Return: number of the callback, 0 or more; or -1
 */
SOCLE_API int socle_event_register(struct socle_conn *conn, enum socle_event_id id,
				   struct socle_domain *dom, socle_event_fn *fn, void *opaque,
				   void (*release)(void *opaque), struct socle_error **error);

/**
 * socle_event_register_network() - be told what happens to a network
 * @conn:    the connection
 * @id:      SOCLE_EVENT_NETWORK_LIFECYCLE
 * @net:     to this one only; NULL: to all
 * @fn:      is called back
 * @opaque:  for @fn
 * @release: NULL, or called with @opaque when @fn is not called any more
 * @error:   says why not; then @release is not called
 *
 * Return: number of the callback, 0 or more; or -1
 */
SOCLE_API int socle_event_register_network(struct socle_conn *conn, enum socle_event_id id,
					   struct socle_network *net, socle_event_fn *fn,
					   void *opaque, void (*release)(void *opaque),
					   struct socle_error **error);

/**
 * socle_event_register_pool() - be told what happens to a storage pool
 * @conn:    the connection
 * @id:      SOCLE_EVENT_POOL_LIFECYCLE or SOCLE_EVENT_POOL_REFRESH
 * @pool:    to this one only; NULL: to all
 * @fn:      is called back
 * @opaque:  for @fn
 * @release: NULL, or called with @opaque when @fn is not called any more
 * @error:   says why not; then @release is not called
 *
 * Return: number of the callback, 0 or more; or -1
 */
SOCLE_API int socle_event_register_pool(struct socle_conn *conn, enum socle_event_id id,
					struct socle_pool *pool, socle_event_fn *fn, void *opaque,
					void (*release)(void *opaque), struct socle_error **error);

/**
 * socle_event_register_secret() - be told what happens to a secret
 * @conn:    the connection
 * @id:      SOCLE_EVENT_SECRET_LIFECYCLE or SOCLE_EVENT_SECRET_VALUE_CHANGED
 * @secret:  to this one only; NULL: to all
 * @fn:      is called back
 * @opaque:  for @fn
 * @release: NULL, or called with @opaque when @fn is not called any more
 * @error:   says why not; then @release is not called
 *
 * Return: number of the callback, 0 or more; or -1
 */
SOCLE_API int socle_event_register_secret(struct socle_conn *conn, enum socle_event_id id,
					  struct socle_secret *secret, socle_event_fn *fn,
					  void *opaque, void (*release)(void *opaque),
					  struct socle_error **error);

/**
 * socle_event_deregister() - be told no more
 * @conn:        the connection
 * @callback_id: of socle_event_register()
 * @error:       says why not; the callback is gone nevertheless if it was there
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_event_deregister(struct socle_conn *conn, int callback_id,
				     struct socle_error **error);

/**
 * socle_conn_dispatch() - call back for the events that have come, one thread at a time
 * @conn:       the connection
 * @timeout_ms: how long to wait for the first one; 0: not; -1: for ever
 * @error:      SOCLE_ERR_CONNECTION_LOST when the connection has ended, and all events are told
 *
 * Return: for how many events somebody was called back; 0 after the time; or -1
 */
SOCLE_API int socle_conn_dispatch(struct socle_conn *conn, int timeout_ms,
				  struct socle_error **error);

/**
 * socle_conn_event_fd() - a descriptor for poll(2), select(2) or epoll(7)
 * @conn: the connection
 *
 * It has POLLIN while there is something for socle_conn_dispatch(). Never read it or close it.
 *
 * Return: it belongs to @conn
 */
SOCLE_API int socle_conn_event_fd(struct socle_conn *conn);

/**
 * socle_event_name() - word for a kind of events, as virsh has them: "lifecycle", "block-job" ...
 * @id: which
 *
 * Return: constant; NULL for other numbers
 */
SOCLE_API const char *socle_event_name(int id);

/**
 * socle_event_lifecycle_name() - word for what happened, such as "started"
 * @event: enum socle_lifecycle
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_event_lifecycle_name(int event);

/**
 * socle_event_detail_name() - word for why it happened, such as "booted"
 * @event:  enum socle_lifecycle
 * @detail: of the event
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_event_detail_name(int event, int detail);

/**
 * socle_event_network_name() - word for what happened to a network, such as "started"
 * @event: enum socle_network_lifecycle
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_event_network_name(int event);

/**
 * socle_event_pool_name() - word for what happened to a pool, such as "started"
 * @event: enum socle_pool_lifecycle
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_event_pool_name(int event);

/**
 * socle_event_secret_name() - word for what happened to a secret, such as "defined"
 * @event: enum socle_secret_lifecycle
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_event_secret_name(int event);

#endif
