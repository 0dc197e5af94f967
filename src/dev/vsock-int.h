/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock-int.h - what the parts of virtio-vsock share
 *
 * virtio-vsock.c  packets to and from the driver, life of the device
 * vsock-conn.c    connections: table, credit, buffers, the ends of their lives
 * vsock-unix.c    Unix sockets: clients of the host, and servers that a guest connects to
 *
 * All of it runs on the device's loop, under its lock.
 */
#ifndef DEV_VSOCK_INT_H
#define DEV_VSOCK_INT_H

#include <sys/queue.h>

#include "base/unix-listener.h"
#include "dev/virtio-vsock.h"

enum {
	VSOCK_MAX_CONNS = 1024,
	VSOCK_BUCKETS = 256,
	VSOCK_MAX_REFUSALS = 128,
	VSOCK_BUF = 128 * 1024, /* what we take of the guest before the host's end reads it */
	VSOCK_MAX_PACKET = 64 * 1024,
	VSOCK_LINE_MAX = 32,
	VSOCK_HOST_CID = 2,
};

/* The header of each packet (virtio 1.2, 5.10.6). */
enum {
	HEADER_SRC_CID = 0,
	HEADER_DST_CID = 8,
	HEADER_SRC_PORT = 16,
	HEADER_DST_PORT = 20,
	HEADER_DATA_LEN = 24,
	HEADER_TYPE = 28,
	HEADER_OP = 30,
	HEADER_FLAGS = 32,
	HEADER_BUF_ALLOC = 36,
	HEADER_FWD_CNT = 40,
	HEADER_LEN = 44,

	TYPE_STREAM = 1,

	OP_REQUEST = 1,
	OP_RESPONSE = 2,
	OP_RST = 3,
	OP_SHUTDOWN = 4,
	OP_RW = 5,
	OP_CREDIT_UPDATE = 6,
	OP_CREDIT_REQUEST = 7,

	SHUTDOWN_RECEIVE = 1, /* the sender will receive no more */
	SHUTDOWN_SEND = 2,
};

enum conn_state {
	CONN_FREE,
	CONN_GREET,   /* a client of the host, which has not said its port yet */
	CONN_REQUEST, /* ... which has; the guest has not answered */
	CONN_OPEN,
	CONN_DRAIN, /* the guest has let it go; what it sent is on its way to the host */
	CONN_DEAD,  /* the guest is to hear that it is no more */
};

/* What a connection has to tell the guest, in this order. */
enum {
	TELL_REQUEST = 1 << 0,
	TELL_RESPONSE = 1 << 1,
	TELL_RST = 1 << 2,
	TELL_DATA = 1 << 3, /* the host's end may have some */
	TELL_SHUTDOWN = 1 << 4,
	TELL_CREDIT = 1 << 5,
	TELL_CREDIT_REQUEST = 1 << 6,
};

struct vsock_conn {
	struct vsock *vsock;
	enum conn_state state;
	uint32_t host_port, guest_port;
	struct io_watch watch;
	bool watched;
	unsigned tell;
	uint64_t deadline_ns;          /* IO_TIMER_NEVER: it may take its time */
	TAILQ_ENTRY(vsock_conn) ready; /* stands there while it has to tell something */
	bool is_ready, in_table;
	struct vsock_conn *next; /* in its bucket, or free */

	/* To the guest: it has room for peer_alloc - (sent - peer_fwd) bytes. */
	uint32_t peer_alloc, peer_fwd, sent;
	bool asked; /* for credit, since it had none */
	/* From the guest: bytes taken, handed on, and handed on as it knows. */
	uint32_t taken, fwd, told_fwd;
	/* taken - fwd bytes are here, from buf[head] on. */
	uint8_t *buf;
	uint32_t head;

	unsigned host_shut, guest_shut; /* SHUTDOWN_ of the two ends */
	bool host_closed;               /* our shutdown(SHUT_WR) was made */
	char line[VSOCK_LINE_MAX];
	unsigned line_len;
};

/* A packet that met no connection: its answer. */
struct vsock_refusal {
	uint64_t dst_cid;
	uint32_t host_port, guest_port;
	uint16_t type;
};

struct vsock {
	struct virtio_device dev;
	struct io_loop *loop;
	uint64_t cid;
	char *path;
	struct unix_listener *listener;
	struct io_watch listen_watch;
	struct io_timer tick; /* looks for deadlines */
	bool ticking;
	struct io_work purge_work;
	bool purge; /* the driver is gone: so must be all connections */
	bool tell_reset;

	struct vsock_conn *conns, *free;
	struct vsock_conn *bucket[VSOCK_BUCKETS];
	TAILQ_HEAD(, vsock_conn) ready;
	uint8_t *bufs; /* VSOCK_BUF for each connection; reserved, committed where touched */
	uint32_t next_port;
	struct vsock_refusal refusal[VSOCK_MAX_REFUSALS];
	unsigned refusal_head, refusals;
};

/* ---- vsock-conn.c ---- */

/* A connection that has @fd, taken over; NULL: there are too many, @fd is closed. */
struct vsock_conn *vsock_conn_new(struct vsock *vsock, int fd, enum conn_state state);
struct vsock_conn *vsock_conn_find(struct vsock *vsock, uint32_t host_port, uint32_t guest_port);
/* Give it its ports. */
void vsock_conn_insert(struct vsock_conn *conn, uint32_t host_port, uint32_t guest_port);
void vsock_conn_free(struct vsock_conn *conn);
/* The end: the guest is told by RST. */
void vsock_conn_reset(struct vsock_conn *conn);
void vsock_conn_tell(struct vsock_conn *conn, unsigned tell);
/* Nothing more to tell, for now. */
void vsock_conn_told(struct vsock_conn *conn);
/* It must have moved on before @ms have passed. */
void vsock_conn_deadline(struct vsock_conn *conn, unsigned ms);
/* Watch for what it waits for. */
void vsock_conn_watch(struct vsock_conn *conn);
uint32_t vsock_conn_credit(const struct vsock_conn *conn);
/* Bytes of the guest: false if it must not send them. */
bool vsock_conn_take(struct vsock_conn *conn, const struct virtq_chain *chain, size_t off,
		     size_t len);
/* Fill a list with bytes of the host: how many; 0: none, and what comes of it is done. */
size_t vsock_conn_read(struct vsock_conn *conn, const struct iovec *iov, unsigned count);
/* The guest's SHUTDOWN and RST. */
void vsock_conn_guest_shut(struct vsock_conn *conn, unsigned flags);
void vsock_conn_guest_reset(struct vsock_conn *conn);
/* All of them; nobody is told. */
void vsock_conn_free_all(struct vsock *vsock);
void vsock_tick(void *opaque);

/* ---- vsock-unix.c ---- */

void vsock_on_client(void *opaque, unsigned events);
/* A client of the host writes its first line. */
void vsock_greet(struct vsock_conn *conn);
/* The guest has answered it. */
void vsock_answer(struct vsock_conn *conn);
/* A guest wants to reach @host_port. NULL: nobody is there, or no room for it. */
struct vsock_conn *vsock_connect(struct vsock *vsock, uint32_t host_port, uint32_t guest_port);

/* ---- virtio-vsock.c ---- */

/* Give the guest what there is to tell. */
void vsock_rx_run(struct vsock *vsock);
/* If the driver that had the connections is gone, so are they. Who is called by the loop begins with
 * this: it is not known whether the work that was posted for it comes before or after. */
void vsock_purge(struct vsock *vsock);

#endif
