/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iscsi-link.c - a disk of an iSCSI target: the connection, and what becomes of it
 */
#include <poll.h>
#include <string.h>

#include "base/log.h"
#include "base/sys.h"
#include "block/crypt/secret.h"
#include "block/remote/iscsi-int.h"

#define NS_PER_S UINT64_C(1000000000)

enum {
	TICK_MS = 100,
	TICKS_PER_NOP = 50, /* 5 s without an answer ... */
	NOPS_LOST = 3,      /* ... three times: it is gone */
	RETRY_S = 1,
	CONNECT_S = 10,
};

/* Whoever opens it waits for this; later it is for the log. */
static void tell(struct lun *lun, const char *why)
{
	pthread_mutex_lock(&lun->lock);
	if (!lun->told) {
		lun->told = true;
		lun->why = g_strdup(why);
		pthread_cond_broadcast(&lun->changed);
	}
	pthread_mutex_unlock(&lun->lock);
}

void lun_set_tick(struct lun *lun)
{
	io_timer_set(lun->loop, &lun->tick,
		     io_loop_now_ns(lun->loop) + TICK_MS * UINT64_C(1000000));
}

/* == The descriptor == */

static void on_event(void *opaque, unsigned events)
{
	struct lun *lun = opaque;

	if (iscsi_calls->iscsi_service(lun->context, (int)events) < 0)
		lun->link_broken = true;
	lun_send(lun);
	lun_watch(lun);
}

static void unwatch(struct lun *lun)
{
	if (!lun->watching)
		return;
	io_watch_remove(lun->loop, &lun->watch);
	lun->watching = false;
	fd_autoclose(&lun->watch.fd);
}

/*
 * libiscsi closes its descriptor when it likes, and a watch has to go before its descriptor: so we watch
 * one of our own for the same socket.
 */
static void watch_events(struct lun *lun, unsigned events)
{
	if (lun->watching) {
		io_watch_set(lun->loop, &lun->watch, events);
		return;
	}
	lun->watch = (struct io_watch){
		.fd = sys_dup(iscsi_calls->iscsi_get_fd(lun->context)),
		.fn = on_event,
		.opaque = lun,
	};
	if (lun->watch.fd < 0) {
		lun->link_broken = true;
		return;
	}
	io_watch_add(lun->loop, &lun->watch, events);
	lun->watching = true;
}

void lun_watch(struct lun *lun)
{
	if (lun->context && !lun->link_broken) {
		if (iscsi_calls->iscsi_get_fd(lun->context) < 0)
			lun->link_broken = true;
		else
			watch_events(lun, (unsigned)iscsi_calls->iscsi_which_events(lun->context));
	}
	if (lun->link_broken)
		lun_drop(lun);
}

/* == Life == */

void lun_drop(struct lun *lun)
{
	const bool was_up = lun->link == LINK_UP;
	g_autofree char *why =
		lun->context ? g_strdup(iscsi_calls->iscsi_get_error(lun->context)) : NULL;
	struct iscsi_context *context = g_steal_pointer(&lun->context);

	lun->link = LINK_DOWN;
	unwatch(lun);
	/* Commands come back here, and wait. */
	if (context)
		(void)iscsi_calls->iscsi_destroy_context(context);
	lun->link_broken = false;
	lun->next_try_ns = io_loop_now_ns(lun->loop) + RETRY_S * NS_PER_S;
	if (was_up)
		log_warning("the connection to disk '%s' is lost; it is made again",
			    lun->base.path ? lun->base.path : lun->portal);
	tell(lun, why && *why ? g_strstrip(why) : "nobody answers there");
}

static void connected(struct iscsi_context *context, int status, void *data, void *opaque)
{
	g_autofree char *why = g_strdup(iscsi_calls->iscsi_get_error(context));
	struct lun *lun = opaque;

	(void)data;
	/* It is being destroyed, or the answer of an older one. */
	if (context != lun->context)
		return;
	if (status != SCSI_STATUS_GOOD) {
		/* Later it has only got consequences to tell of. */
		tell(lun, g_strstrip(why));
		lun->link_broken = true;
		return;
	}
	(void)iscsi_calls->iscsi_set_timeout(context, REMOTE_PATIENCE_S);
	lun->link = LINK_UP;
	lun->ticks = 0;
	tell(lun, NULL);
}

static bool configure(struct lun *lun)
{
	const struct iscsi_library *lib = iscsi_calls;
	struct iscsi_context *context = lun->context;

	lib->iscsi_set_noautoreconnect(context, 1);
	return !lib->iscsi_set_targetname(context, lun->url->name) &&
	       !lib->iscsi_set_session_type(context, ISCSI_SESSION_NORMAL) &&
	       !lib->iscsi_set_header_digest(context, ISCSI_HEADER_DIGEST_NONE_CRC32C) &&
	       !lib->iscsi_set_isid_random(context, lun->isid, 0) &&
	       !lib->iscsi_set_timeout(context, CONNECT_S) &&
	       (!lun->user ||
		!lib->iscsi_set_initiator_username_pwd(
			context, lun->user, lun->password ? (char *)lun->password->bytes : ""));
}

void lun_connect(struct lun *lun)
{
	lun->context = iscsi_calls->iscsi_create_context(lun->initiator);
	lun->link = LINK_CONNECTING;
	lun->up_ns = io_loop_now_ns(lun->loop) + CONNECT_S * NS_PER_S;
	lun->link_broken =
		!lun->context || !configure(lun) ||
		iscsi_calls->iscsi_full_connect_async(lun->context, lun->portal, (int)lun->url->lun,
						      connected, lun) < 0;
	lun_set_tick(lun);
	lun_watch(lun);
}

/* Has a command been on its way for too long? Then the connection is of no use. */
static bool has_expired(const struct lun *lun)
{
	const uint64_t now = io_loop_now_ns(lun->loop);

	for (unsigned i = 0; i < FLIGHTS; i++) {
		const struct block_request *req = lun->flights[i].req;

		if (req && req->deadline_ns <= now)
			return true;
	}
	return false;
}

static void look_after(struct lun *lun)
{
	if (++lun->ticks % TICKS_PER_NOP)
		return;
	if (iscsi_calls->iscsi_get_nops_in_flight(lun->context) >= NOPS_LOST ||
	    iscsi_calls->iscsi_nop_out_async(lun->context, NULL, NULL, 0, NULL) < 0)
		lun->link_broken = true;
}

void lun_on_tick(void *opaque)
{
	struct lun *lun = opaque;
	const uint64_t now = io_loop_now_ns(lun->loop);

	if (lun->link == LINK_CONNECTING && now >= lun->up_ns)
		lun->link_broken = true;
	if (lun->link == LINK_UP) {
		look_after(lun);
		if (has_expired(lun))
			lun->link_broken = true;
	}
	lun_watch(lun);
	lun_expire(lun);
	if (lun->waiting && lun->link == LINK_DOWN && now >= lun->next_try_ns)
		lun_connect(lun);
	lun->target_busy = false;
	lun_send(lun);
	lun_watch(lun);
	if (lun->waiting || lun_flying(lun) || lun->link == LINK_CONNECTING)
		lun_set_tick(lun);
}
