/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iscsi-open.c - a disk of an iSCSI target: opening it, what it is like, how large it is
 *
 * What a target says of itself is hostile: sizes of blocks and of commands are taken only within bounds.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/library.h"
#include "base/sys.h"
#include "block/crypt/secret.h"
#include "block/remote/iscsi-int.h"

#define PORT_OF_OLD ":3260"

static const struct library_call calls[] = {
#define X(call) { #call, offsetof(struct iscsi_library, call) },
	ISCSI_CALLS(X)
#undef X
};
static struct iscsi_library table;
static struct library library = {
	.file = ISCSI_LIBRARY,
	.package = "libiscsi7",
	.calls = calls,
	.count = G_N_ELEMENTS(calls),
	.table = &table,
};

const struct iscsi_library *const iscsi_calls = &table;

/* == Questions, on the loop: nothing flies yet, or it is waited for as well == */

struct question {
	struct lun *lun;
	uint64_t size;
	GError *error;
};

static bool check_block(const struct lun *lun, uint32_t len, GError **error)
{
	return (len >= 512 && len <= 4096 && !(len & (len - 1)) &&
		(!lun->block_len || lun->block_len == len)) ||
	       error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "disk '%s' has blocks of %u bytes; a disk here has blocks of 512 to 4096 "
			 "bytes, and keeps them",
			 lun->portal, len);
}

/* The answer to a question, which @task owns; NULL: there is none. */
static void *answer_of(struct scsi_task *task)
{
	return task && task->status == SCSI_STATUS_GOOD ? iscsi_calls->scsi_datain_unmarshall(task)
							: NULL;
}

static void forget(struct scsi_task *task)
{
	if (task)
		iscsi_calls->scsi_free_scsi_task(task);
}

static void ask_size(void *opaque)
{
	struct question *q = opaque;
	struct lun *lun = q->lun;
	struct scsi_task *task = NULL;
	const struct scsi_readcapacity16 *answer = NULL;
	uint64_t blocks;

	/* The first command of a session is told what has happened before it. */
	for (unsigned i = 0; i < 4 && !answer && lun->link == LINK_UP && !lun->link_broken; i++) {
		forget(task);
		task = iscsi_calls->iscsi_readcapacity16_sync(lun->context, (int)lun->url->lun);
		answer = answer_of(task);
	}
	if (!answer) {
		error_set(&q->error, SOCLE_ERROR_FAILED, "disk '%s' does not say how large it is",
			  lun->portal);
	} else if (check_block(lun, answer->block_length, &q->error)) {
		lun->block_len = answer->block_length;
		blocks = answer->returned_lba;
		if (blocks >= (uint64_t)INT64_MAX / lun->block_len)
			error_set(&q->error, SOCLE_ERROR_LIMIT, "disk '%s' is too large",
				  lun->portal);
		else
			q->size = (blocks + 1) * lun->block_len;
		lun->base.info.physical_block =
			MIN(lun->block_len << MIN(answer->lbppbe, 7), 64u << 10);
		lun->can_unmap = answer->lbpme;
	}
	forget(task);
	/* What has come meanwhile has been served by libiscsi. */
	lun_send(lun);
	lun_watch(lun);
}

static void ask_limits(struct lun *lun)
{
	struct scsi_task *task = iscsi_calls->iscsi_inquiry_sync(
		lun->context, (int)lun->url->lun, 1, SCSI_INQUIRY_PAGECODE_BLOCK_LIMITS, 255);
	const struct scsi_inquiry_block_limits *limits = answer_of(task);
	const uint64_t most = (32 << 20) / lun->block_len;

	lun->max_unmap = (uint32_t)most;
	lun->max_same = most * lun->block_len;
	if (limits) {
		if (limits->max_unmap)
			lun->max_unmap = MIN(lun->max_unmap, limits->max_unmap);
		if (limits->max_ws_len)
			lun->max_same = MIN(most, limits->max_ws_len) * lun->block_len;
		lun->base.info.discard_alignment =
			MIN(MAX(limits->opt_unmap_gran, 1u), (64u << 10) / lun->block_len) *
			lun->block_len;
	}
	forget(task);
}

static void ask_provisioning(struct lun *lun)
{
	struct scsi_task *task = iscsi_calls->iscsi_inquiry_sync(
		lun->context, (int)lun->url->lun, 1,
		SCSI_INQUIRY_PAGECODE_LOGICAL_BLOCK_PROVISIONING, 255);
	const struct scsi_inquiry_logical_block_provisioning *answer = answer_of(task);

	lun->can_unmap &= answer && answer->lbpu;
	/* Zeroes that are given back are zeroes only if the target says that they read so. */
	lun->same_unmaps = answer && answer->lbpws && answer->lbprz;
	forget(task);
}

static void ask_all(void *opaque)
{
	struct question *q = opaque;
	struct lun *lun = q->lun;

	ask_size(q);
	if (q->error)
		return;
	lun->base.info.discard_alignment = lun->base.info.physical_block;
	if (lun->link != LINK_UP) {
		error_set(&q->error, SOCLE_ERROR_FAILED, "disk '%s' is gone again", lun->portal);
		return;
	}
	ask_limits(lun);
	ask_provisioning(lun);
	lun_watch(lun);
}

/* == Opening == */

/* libiscsi's idea of a name: without a domain of ours, as other initiators do it. */
static char *own_name(void)
{
	GString *name = g_string_new("iqn.2026-11.org.socle:");

	for (const char *p = g_get_host_name(); *p; p++)
		g_string_append_c(name, g_ascii_isalnum(*p) || *p == '-' || *p == '.'
						? g_ascii_tolower(*p)
						: '-');
	return g_string_free(name, FALSE);
}

static struct lun *lun_new(struct remote_url *url, const struct block_open *options)
{
	const struct remote_login none = { 0 };
	const struct remote_login *login = options->login ? options->login : &none;
	struct lun *lun = g_new0(struct lun, 1);
	const char *colon = strrchr(url->host, ':');
	const bool has_port = colon && !strchr(colon, ']');

	lun->url = url;
	lun->portal = g_strconcat(url->host, has_port ? "" : PORT_OF_OLD, NULL);
	lun->initiator = login->initiator ? g_strdup(login->initiator) : own_name();
	lun->user = g_strdup(login->user ? login->user : url->user);
	if (login->password)
		lun->password = secret_new(login->password->id, login->password->bytes,
					   login->password->len);
	lun->waiting_end = &lun->waiting;
	lun->flights = g_new0(struct flight, FLIGHTS);
	for (unsigned i = 0; i < FLIGHTS; i++) {
		lun->flights[i].lun = lun;
		lun->free[lun->free_count++] = i;
	}
	lun->zeroes = g_malloc0(ZERO_LEN);
	(void)sys_random(&lun->isid, sizeof(lun->isid));
	pthread_mutex_init(&lun->lock, NULL);
	pthread_cond_init(&lun->changed, NULL);
	lun->base.info = (struct block_info){
		.request_alignment = 512,
		.read_only = options->read_only,
		.direct = true, /* there is no cache of this host in between */
		.fixed_size = true,
	};
	return lun;
}

static void begin(void *opaque)
{
	struct lun *lun = opaque;

	lun->tick = (struct io_timer){ .fn = lun_on_tick, .opaque = lun };
	io_timer_add(lun->loop, &lun->tick);
	lun_connect(lun);
}

/* A name server may take as long as it likes: it is on the loop, and so it is waited for in lun_close(). */
static bool wait_for_link(struct lun *lun, const char *url, GError **error)
{
	struct timespec end;
	int ret = 0;
	bool ok;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += REMOTE_OPEN_S;
	pthread_mutex_lock(&lun->lock);
	while (!lun->told && !ret)
		ret = pthread_cond_timedwait(&lun->changed, &lun->lock, &end);
	ok = lun->told && !lun->why;
	if (!ok)
		error_set(error, SOCLE_ERROR_FAILED,
			  "cannot reach disk '%s': %s; is the target there, and does it let us in "
			  "(initiator '%s', user '%s')?",
			  url, lun->why ? lun->why : "nobody answers there", lun->initiator,
			  lun->user ? lun->user : "none");
	pthread_mutex_unlock(&lun->lock);
	return ok;
}

static bool find_info(struct lun *lun, GError **error)
{
	struct question q = { .lun = lun };
	struct block_info *info = &lun->base.info;

	io_loop_call(lun->loop, ask_all, &q);
	if (q.error) {
		g_propagate_error(error, q.error);
		return false;
	}
	lun->base.size = q.size;
	info->request_alignment = lun->block_len;
	info->discard = lun->can_unmap && !info->read_only;
	return true;
}

struct block *lun_open(const struct block_open *options, GError **error)
{
	autoptr(remote_url) url = remote_url_parse(options->path, error);
	struct lun *lun;

	if (!url || !library_load(&library, error))
		return NULL;
	lun = lun_new(g_steal_pointer(&url), options);
	lun->loop = io_loop_new("iscsi", IO_LOOP_AUTO, error);
	if (lun->loop) {
		io_loop_call(lun->loop, begin, lun);
		if (wait_for_link(lun, options->path, error) && find_info(lun, error))
			return &lun->base;
	}
	lun_close(&lun->base);
	return NULL;
}

/* No request is under way. Say good-bye, so that the target forgets us at once. */
static void end(void *opaque)
{
	struct lun *lun = opaque;

	io_timer_set(lun->loop, &lun->tick, IO_TIMER_NEVER);
	io_timer_remove(lun->loop, &lun->tick);
	if (lun->link == LINK_UP) {
		(void)iscsi_calls->iscsi_set_timeout(lun->context, 2);
		(void)iscsi_calls->iscsi_logout_sync(lun->context);
		lun->link = LINK_CONNECTING; /* nobody is told that it is lost */
	}
	lun_drop(lun);
}

void lun_close(struct block *block)
{
	struct lun *lun = lun_of(block);

	if (lun->loop)
		io_loop_call(lun->loop, end, lun);
	io_loop_free(lun->loop);
	pthread_cond_destroy(&lun->changed);
	pthread_mutex_destroy(&lun->lock);
	g_free(lun->why);
	g_free(lun->zeroes);
	g_free(lun->flights);
	secret_free(lun->password);
	g_free(lun->user);
	g_free(lun->initiator);
	g_free(lun->portal);
	remote_url_free(lun->url);
	g_free(lun);
}

bool lun_resize(struct block *block, uint64_t size, GError **error)
{
	struct lun *lun = lun_of(block);
	struct question q = { .lun = lun };

	io_loop_call(lun->loop, ask_size, &q);
	if (q.error) {
		g_propagate_error(error, q.error);
		return false;
	}
	atomic_store(&block->size, q.size);
	return size <= q.size ||
	       error_set(error, SOCLE_ERROR_LIMIT,
			 "disk '%s' has %" G_GUINT64_FORMAT " bytes; make it larger at its target "
			 "first",
			 block->path, q.size);
}
