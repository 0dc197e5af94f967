/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rbd.c - an image of a Ceph cluster
 *
 * librbd has threads of its own, is called from any, and calls back when a request is done: that is put on the
 * queue's loop. It looks after connections and sends again what was lost; it is told how long it may take.
 *
 * What the guest does not flush may be in librbd's cache, as it may be in that of a disk.
 */
#include <errno.h>
#include <rados/librados.h>
#include <rbd/librbd.h>
#include <string.h>

#include "base/error.h"
#include "base/library.h"
#include "block/block-int.h"
#include "block/crypt/secret.h"
#include "block/remote/remote.h"
#include "block/remote/url.h"

#define RADOS_LIBRARY "librados.so.2"
#define RBD_LIBRARY   "librbd.so.1"

#define RADOS_CALLS(X)               \
	X(rados_conf_read_file)      \
	X(rados_conf_set)            \
	X(rados_connect)             \
	X(rados_create)              \
	X(rados_ioctx_create)        \
	X(rados_ioctx_destroy)       \
	X(rados_ioctx_set_namespace) \
	X(rados_shutdown)

#define RBD_CALLS(X)                 \
	X(rbd_aio_create_completion) \
	X(rbd_aio_discard)           \
	X(rbd_aio_flush)             \
	X(rbd_aio_get_return_value)  \
	X(rbd_aio_readv)             \
	X(rbd_aio_release)           \
	X(rbd_aio_write_zeroes)      \
	X(rbd_aio_writev)            \
	X(rbd_close)                 \
	X(rbd_get_size)              \
	X(rbd_open)                  \
	X(rbd_open_read_only)        \
	X(rbd_resize)

static struct ceph_library {
#define X(call) __typeof__(call) *call;
	RADOS_CALLS(X)
	RBD_CALLS(X)
#undef X
} ceph;

struct rbd {
	struct block base;
	rados_t cluster;
	rados_ioctx_t pool;
	rbd_image_t image;
	_Atomic unsigned
		inside; /* callbacks that may still touch a loop, and requests that are to come to one */
};

enum step {
	STEP_REQUEST,
	STEP_FLUSH, /* of what has to be durable */
};

static struct rbd *rbd_of(struct block *block)
{
	return container_of(block, struct rbd, base);
}

#define X(call) { #call, offsetof(struct ceph_library, call) },
static const struct library_call rados_calls[] = { RADOS_CALLS(X) };
static const struct library_call rbd_calls[] = { RBD_CALLS(X) };
#undef X

static bool load(GError **error)
{
	static struct library rados = {
		.file = RADOS_LIBRARY,
		.package = "librados2",
		.calls = rados_calls,
		.count = G_N_ELEMENTS(rados_calls),
		.table = &ceph,
	};
	static struct library rbd = {
		.file = RBD_LIBRARY,
		.package = "librbd1",
		.calls = rbd_calls,
		.count = G_N_ELEMENTS(rbd_calls),
		.table = &ceph,
	};

	return library_load(&rados, error) && library_load(&rbd, error);
}

/* == Requests == */

static void start(struct block_request *req, enum step step);

static void tell(void *opaque)
{
	struct block_request *req = opaque;
	const bool durable = req->flags & BLOCK_FUA && !req->queue->block->no_flush &&
			     (req->op == BLOCK_WRITE || req->op == BLOCK_WRITE_ZEROES);

	if (!req->result && durable && req->step == STEP_REQUEST)
		start(req, STEP_FLUSH);
	else
		req->done(req, req->result);
}

/* On a thread of librbd's. */
static void on_complete(rbd_completion_t completion, void *opaque)
{
	struct block_request *req = opaque;
	struct rbd *rbd = rbd_of(req->queue->block);
	const ssize_t ret = ceph.rbd_aio_get_return_value(completion);

	ceph.rbd_aio_release(completion);
	req->result = ret < 0 ? (int)ret : 0;
	req->work = (struct io_work){ .fn = tell, .opaque = req };
	io_loop_post(req->queue->loop, &req->work);
	/* The request may be gone by now, but not the image. */
	atomic_fetch_sub(&rbd->inside, 1);
}

static int submit_step(struct rbd *rbd, struct block_request *req, rbd_completion_t completion)
{
	if (req->step == STEP_FLUSH)
		return ceph.rbd_aio_flush(rbd->image, completion);
	switch (req->op) {
	case BLOCK_READ:
		return ceph.rbd_aio_readv(rbd->image, req->iov, (int)req->iov_count, req->off,
					  completion);
	case BLOCK_WRITE:
		return ceph.rbd_aio_writev(rbd->image, req->iov, (int)req->iov_count, req->off,
					   completion);
	case BLOCK_DISCARD:
		return ceph.rbd_aio_discard(rbd->image, req->off, req->len, completion);
	case BLOCK_WRITE_ZEROES:
		return ceph.rbd_aio_write_zeroes(
			rbd->image, req->off, req->len, completion,
			req->flags & BLOCK_UNMAP ? 0 : RBD_WRITE_ZEROES_FLAG_THICK_PROVISION, 0);
	case BLOCK_FLUSH:
		return ceph.rbd_aio_flush(rbd->image, completion);
	case BLOCK_OP_COUNT:
		break;
	}
	return -EINVAL;
}

static void start(struct block_request *req, enum step step)
{
	struct rbd *rbd = rbd_of(req->queue->block);
	rbd_completion_t completion = NULL;
	int ret = ceph.rbd_aio_create_completion(req, on_complete, &completion);

	req->step = step;
	if (ret >= 0) {
		atomic_fetch_add(&rbd->inside, 1);
		ret = submit_step(rbd, req, completion);
		if (ret >= 0)
			return;
		atomic_fetch_sub(&rbd->inside, 1);
		ceph.rbd_aio_release(completion);
	}
	block_ready(req->queue, req, ret);
}

static void rbd_submit(struct block_queue *queue, struct block_request *req)
{
	if (req->op == BLOCK_WRITE || req->op == BLOCK_WRITE_ZEROES)
		block_mark_note(&queue->block->mark, req->off + req->len);
	start(req, STEP_REQUEST);
}

/* A thread of librbd's may still be about to wake the queue's loop, which has done the request by now. */
static void rbd_queue_free(struct block_queue *queue)
{
	while (atomic_load(&rbd_of(queue->block)->inside))
		g_thread_yield();
	g_free(queue);
}

/* == Opening == */

static void rbd_block_close(struct block *block)
{
	struct rbd *rbd = rbd_of(block);

	if (rbd->image)
		(void)ceph.rbd_close(rbd->image);
	if (rbd->pool)
		ceph.rados_ioctx_destroy(rbd->pool);
	if (rbd->cluster)
		ceph.rados_shutdown(rbd->cluster);
	g_free(rbd);
}

static int set_number(rados_t cluster, const char *name, unsigned value)
{
	char text[16];

	g_snprintf(text, sizeof(text), "%u", value);
	return ceph.rados_conf_set(cluster, name, text);
}

/* What Ceph's own file says, then what we were told, and that nothing takes for ever. */
static int configure(rados_t cluster, const struct remote_url *url,
		     const struct remote_login *login)
{
	int ret = ceph.rados_conf_read_file(cluster, NULL);

	if (ret == -ENOENT && *url->host)
		ret = 0;
	if (ret >= 0 && *url->host)
		ret = ceph.rados_conf_set(cluster, "mon_host", url->host);
	if (ret >= 0 && login->password) {
		char *key = g_base64_encode(login->password->bytes, login->password->len);

		ret = ceph.rados_conf_set(cluster, "key", key);
		secret_wipe_text(key);
	}
	/* Its messages are not for a machine's log, and nobody is to talk to it. */
	(void)ceph.rados_conf_set(cluster, "log_to_stderr", "false");
	(void)ceph.rados_conf_set(cluster, "err_to_stderr", "false");
	(void)ceph.rados_conf_set(cluster, "log_file", "");
	(void)ceph.rados_conf_set(cluster, "admin_socket", "");
	(void)set_number(cluster, "client_mount_timeout", REMOTE_OPEN_S);
	(void)set_number(cluster, "rados_mon_op_timeout", REMOTE_PATIENCE_S);
	(void)set_number(cluster, "rados_osd_op_timeout", REMOTE_PATIENCE_S);
	return ret;
}

static bool reach(struct rbd *rbd, const struct remote_url *url, const struct block_open *options,
		  GError **error)
{
	const struct remote_login none = { 0 };
	const struct remote_login *login = options->login ? options->login : &none;
	const char *user = login->user ? login->user : url->user;
	int ret = ceph.rados_create(&rbd->cluster, user ? user : "admin");

	if (ret >= 0)
		ret = configure(rbd->cluster, url, login);
	if (ret < 0)
		return error_sys(error, ret, "cannot set up what reaches image '%s'",
				 options->path);
	ret = ceph.rados_connect(rbd->cluster);
	if (ret < 0)
		return error_sys(error, ret,
				 "cannot reach the cluster of image '%s' as user '%s' (are its "
				 "monitors there, and is the key right?)",
				 options->path, user ? user : "admin");
	return true;
}

static bool open_image(struct rbd *rbd, const struct remote_url *url,
		       const struct block_open *options, GError **error)
{
	int ret = ceph.rados_ioctx_create(rbd->cluster, url->name, &rbd->pool);
	uint64_t size = 0;

	if (ret < 0)
		return error_sys(error, ret, "cannot open Ceph's pool '%s'", url->name);
	if (url->space)
		ceph.rados_ioctx_set_namespace(rbd->pool, url->space);
	ret = (options->read_only ? ceph.rbd_open_read_only : ceph.rbd_open)(rbd->pool, url->image,
									     &rbd->image, NULL);
	if (ret >= 0)
		ret = ceph.rbd_get_size(rbd->image, &size);
	if (ret < 0)
		return error_sys(error, ret, "cannot open image '%s'", options->path);
	/* What there is of the last sector has nobody who could use it. */
	rbd->base.size = MIN(size, (uint64_t)INT64_MAX) / 512 * 512;
	return true;
}

static struct block *rbd_block_open(const struct block_open *options, GError **error)
{
	autoptr(remote_url) url = remote_url_parse(options->path, error);
	struct rbd *rbd;

	if (!url || !load(error))
		return NULL;
	rbd = g_new0(struct rbd, 1);
	rbd->base.info = (struct block_info){
		.request_alignment = 512,
		.physical_block = 4096,
		.discard_alignment = 64 << 10,
		.read_only = options->read_only,
		.direct = true,
		.discard = !options->read_only,
	};
	if (reach(rbd, url, options, error) && open_image(rbd, url, options, error))
		return &rbd->base;
	rbd_block_close(&rbd->base);
	return NULL;
}

static bool rbd_block_resize(struct block *block, uint64_t size, GError **error)
{
	const int ret = ceph.rbd_resize(rbd_of(block)->image, size);

	if (ret < 0)
		return error_sys(error, ret, "cannot resize image '%s'", block->path);
	atomic_store(&block->size, size);
	return true;
}

const struct block_ops block_rbd_ops = {
	.format = "raw",
	.open = rbd_block_open,
	.close = rbd_block_close,
	.resize = rbd_block_resize,
	.queue_free = rbd_queue_free,
	.submit = rbd_submit,
};
