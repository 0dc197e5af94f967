/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iscsi-int.h - a disk of an iSCSI target
 *
 * libiscsi's contexts belong to one thread, so each disk has a loop: requests travel to it and back as
 * calls that are wanted on a loop, as they do to a keeper (kept.c). There
 *
 *	a request is WAITING	in a list, until there is a connection and a place for it
 *	            FLYING	has a place (struct flight), and libiscsi a command
 *	            or is DONE	and on its way back
 *
 * A connection is DOWN, CONNECTING or UP. Invariants (all [loop]):
 *
 *  1. There is a context if the link is not DOWN.
 *  2. Commands fly only while it is UP. Who ends a context gets all of them back as cancelled, and they wait
 *     again: each is a write of the same bytes, or changes nothing, so doing it twice is doing it once.
 *  3. A new session has the old one's ISID, so a target that still has the old one ends it first: what was
 *     on its way there is not written behind what is sent now (RFC 7143, 6.3.5, session reinstatement).
 *  4. A context is never destroyed inside a call of libiscsi, which may call us: link_broken is set instead.
 *  5. The tick is set while a request waits or flies.
 */
#ifndef BLOCK_REMOTE_ISCSI_INT_H
#define BLOCK_REMOTE_ISCSI_INT_H

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <pthread.h>

#include "block/block-int.h"
#include "block/remote/remote.h"
#include "block/remote/url.h"

#define ISCSI_LIBRARY "libiscsi.so.7" /* of Debian 11 to 13: the header's */

#define ISCSI_CALLS(X)                      \
	X(iscsi_create_context)             \
	X(iscsi_destroy_context)            \
	X(iscsi_full_connect_async)         \
	X(iscsi_get_error)                  \
	X(iscsi_get_fd)                     \
	X(iscsi_get_nops_in_flight)         \
	X(iscsi_inquiry_sync)               \
	X(iscsi_logout_sync)                \
	X(iscsi_nop_out_async)              \
	X(iscsi_read16_iov_task)            \
	X(iscsi_readcapacity16_sync)        \
	X(iscsi_service)                    \
	X(iscsi_set_header_digest)          \
	X(iscsi_set_initiator_username_pwd) \
	X(iscsi_set_isid_random)            \
	X(iscsi_set_noautoreconnect)        \
	X(iscsi_set_session_type)           \
	X(iscsi_set_targetname)             \
	X(iscsi_set_timeout)                \
	X(iscsi_synchronizecache16_task)    \
	X(iscsi_unmap_task)                 \
	X(iscsi_which_events)               \
	X(iscsi_write16_iov_task)           \
	X(iscsi_writesame16_task)           \
	X(scsi_datain_unmarshall)           \
	X(scsi_free_scsi_task)

struct iscsi_library {
#define X(call) __typeof__(call) *call;
	ISCSI_CALLS(X)
#undef X
};

enum {
	FLIGHTS = 128, /* commands on their way, of one disk */
	SLICES = 130, /* pieces of memory of a command; what virtio-blk's requests have, and some */
	PIECE_MAX = 4 << 20, /* bytes that are moved by one command */
	ZERO_LEN = 64 << 10,
};

enum link {
	LINK_DOWN,
	LINK_CONNECTING,
	LINK_UP
};

struct lun;

struct flight {
	struct lun *lun;
	struct block_request *req;
	struct scsi_task *task;
	uint64_t len; /* bytes of the piece */
	struct scsi_iovec slices[SLICES];
	struct unmap_list unmap;
};

/* How a request is done; kept in its step. */
enum way {
	WAY_MOVE,   /* reads, writes */
	WAY_UNMAP,  /* discards */
	WAY_SAME,   /* zeroes: by WRITE SAME */
	WAY_ZEROES, /* or by writing them */
	WAY_SYNC,   /* flushes, and the end of what has to be durable */
};

struct lun {
	struct block base;
	struct remote_url *url;
	char *portal, *initiator, *user;
	struct secret *password;
	uint32_t isid;
	struct io_loop *loop;

	/* [loop] */
	enum link link;
	bool link_broken;
	bool target_busy; /* it has said so: nothing more is sent before the next tick */
	struct iscsi_context *context;
	struct io_watch watch;
	bool watching;
	struct io_timer tick;
	uint64_t next_try_ns, up_ns;
	unsigned ticks;
	struct flight *flights;
	unsigned free[FLIGHTS], free_count;
	struct block_request *waiting, **waiting_end;

	/* What the target is like; written by who opens it. */
	uint32_t block_len, max_unmap;
	uint64_t max_same; /* bytes */
	bool can_unmap, same_unmaps;
	_Atomic bool no_same; /* it has said so */
	uint8_t *zeroes;

	/* Who opens it waits for the first connection. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool told; /* guarded by lock, as is why */
	char *why; /* it could not be reached, or NULL */
};

static inline struct lun *lun_of(struct block *block)
{
	return container_of(block, struct lun, base);
}

/* Loaded by the first disk that is opened. */
extern const struct iscsi_library *const iscsi_calls;

/* == The connection (iscsi-link.c), [loop] == */

/* Begin to connect. */
void lun_connect(struct lun *lun);
/* Commands come back, and wait; a new try is made later. */
void lun_drop(struct lun *lun);
/* Something was given to libiscsi, or it has been told: what does it wait for? */
void lun_watch(struct lun *lun);
/* There is something to be done. */
void lun_set_tick(struct lun *lun);
void lun_on_tick(void *opaque);

/* == Requests (iscsi.c), [loop] == */

/* Send what waits, as far as there is place. */
void lun_send(struct lun *lun);
/* End those that have waited too long. */
void lun_expire(struct lun *lun);
static inline unsigned lun_flying(const struct lun *lun)
{
	return FLIGHTS - lun->free_count;
}
void lun_submit(struct block_queue *queue, struct block_request *req);

/* == Opening (iscsi-open.c), [main] == */

struct block *lun_open(const struct block_open *options, GError **error);
void lun_close(struct block *block);
bool lun_resize(struct block *block, uint64_t size, GError **error);

#endif
