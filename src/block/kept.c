/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kept.c - images of formats with metadata, as a disk uses them
 *
 * Each image has a thread, its keeper, on which all functions of image.h run, one request after the
 * other (docs/design/0007-qcow2.md). A request travels to it and back as a call that is wanted on a
 * loop, so there is neither a list nor a lock here. What needs no more than a look into a table in
 * memory goes the short way: the disk's own loop reads or overwrites the file.
 *
 * What an image cannot tell by a number (it is corrupt, say) is -EIO for the guest, and the first time
 * one sentence in the log.
 */
#include <errno.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "block/crypt/secret.h"
#include "block/kept-int.h"
#include "block/qcow2/qcow2.h"
#include "block/remote/remote.h"
#include "block/remote/url.h"

enum {
	BOUNCE_LEN = 1 << 20,
	BOUNCE_ALIGN = 4096,
};

/* ---- [keeper] ---- */

static bool read_piece(struct kept *kept, struct block_request *req, uint64_t done, size_t len,
		       GError **error)
{
	if (!image_read(kept->image, req->off + done, kept->bounce, len, error))
		return false;
	(void)block_iov_write(req, done, kept->bounce, len);
	return true;
}

static bool write_piece(struct kept *kept, struct block_request *req, uint64_t done, size_t len,
			GError **error)
{
	(void)block_iov_read(req, done, kept->bounce, len);
	return image_write(kept->image, req->off + done, kept->bounce, len, error);
}

static bool move(struct kept *kept, struct block_request *req, GError **error)
{
	bool reads = req->op == BLOCK_READ;

	if (req->iov_count == 1)
		return reads ? image_read(kept->image, req->off, req->iov->iov_base, req->len,
					  error)
			     : image_write(kept->image, req->off, req->iov->iov_base, req->len,
					   error);
	for (uint64_t done = 0, len; done < req->len; done += len) {
		len = MIN(req->len - done, (uint64_t)BOUNCE_LEN);
		if (!(reads ? read_piece : write_piece)(kept, req, done, len, error))
			return false;
	}
	return true;
}

static bool execute(struct kept *kept, struct block_request *req, GError **error)
{
	bool ok = false;

	switch (req->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		ok = move(kept, req, error);
		break;
	case BLOCK_FLUSH:
		return image_flush(kept->image, error);
	case BLOCK_DISCARD:
		return image_discard(kept->image, req->off, req->len, error);
	case BLOCK_WRITE_ZEROES:
		ok = image_zero(kept->image, req->off, req->len, req->flags & BLOCK_UNMAP, error);
		break;
	case BLOCK_OP_COUNT:
		break;
	}
	if (ok && req->flags & BLOCK_FUA)
		ok = image_flush(kept->image, error);
	return ok;
}

static void tell(void *opaque)
{
	struct block_request *req = opaque;

	req->done(req, req->result);
}

/* Whether or not it went well: what is there then is what has to be carried over. */
static void tell_job(struct kept *kept, const struct block_request *req)
{
	if (kept->job && req->op != BLOCK_READ && req->op != BLOCK_FLUSH)
		block_job_written(kept->job, req->off, req->len);
}

static void serve(void *opaque)
{
	struct block_request *req = opaque;
	struct kept *kept = kept_of(req->queue->block);
	g_autoptr(GError) error = NULL;
	const bool ok = execute(kept, req, &error);

	req->result = 0;
	tell_job(kept, req);
	if (!ok) {
		req->result = error->domain == SYS_ERROR ? -error->code : -EIO;
		if (error->domain != SYS_ERROR && !kept->told) {
			log_warning("%s", error->message);
			kept->told = true;
		}
	}
	req->work = (struct io_work){ .fn = tell, .opaque = req };
	io_loop_post(req->queue->loop, &req->work);
}

/* ---- [loop] ---- */

static void go_to_keeper(struct block_queue *queue, struct block_request *req)
{
	req->work = (struct io_work){ .fn = serve, .opaque = req };
	io_loop_post(kept_of(queue->block)->keeper, &req->work);
}

static void end_direct(struct kept *kept, struct block_request *req, bool written)
{
	qcow2_direct_end(kept->image, req->tokens[1], written);
	epoch_leave(kept->epoch, req->tokens[0]);
}

/* Some of it only: the file may end in the middle of a cluster. The keeper does it anew. */
static void direct_done(struct io_op *io, ssize_t result)
{
	struct block_request *req = container_of(io, struct block_request, io);

	end_direct(kept_of(req->queue->block), req, req->op == BLOCK_WRITE);
	if (result >= 0 && (uint64_t)result < req->len)
		go_to_keeper(req->queue, req);
	else
		req->done(req, result < 0 ? (int)result : 0);
}

/* The short way, past the keeper. While somebody is on it the image is the one that it is. */
static bool submit_direct(struct block_queue *queue, struct block_request *req)
{
	struct kept *kept = kept_of(queue->block);
	bool write = req->op == BLOCK_WRITE;
	struct qcow2_direct direct;

	if ((req->op != BLOCK_READ && !write) || req->flags & BLOCK_FUA)
		return false;
	if (!epoch_enter(kept->epoch, &req->tokens[0]))
		return false;
	if (kept->image->ops != &image_qcow2_ops ||
	    !qcow2_direct_begin(kept->image, req->off, req->len, write, &direct)) {
		epoch_leave(kept->epoch, req->tokens[0]);
		return false;
	}
	if (write)
		block_mark_note(&kept->image->file->mark, direct.host + req->len);
	req->tokens[1] = direct.token;
	if (!block_iov_fits(req, direct.align) || direct.host & (direct.align.len - 1)) {
		end_direct(kept, req, false);
		return false;
	}
	req->io = (struct io_op){
		.kind = write ? IO_OP_WRITEV : IO_OP_READV,
		.fd = direct.fd,
		.off = direct.host,
		.iov = req->iov,
		.iov_count = req->iov_count,
		.cached = direct.align.len == 1,
		.done = direct_done,
	};
	io_op_submit(queue->loop, &req->io);
	return true;
}

static void kept_submit(struct block_queue *queue, struct block_request *req)
{
	if (!submit_direct(queue, req))
		go_to_keeper(queue, req);
}

/* ---- [main] ---- */

static void add_timer(void *opaque)
{
	struct kept *kept = opaque;

	io_timer_add(kept->keeper, &kept->job_timer);
}

static void remove_timer(void *opaque)
{
	struct kept *kept = opaque;

	io_timer_remove(kept->keeper, &kept->job_timer);
}

static void kept_close(struct block *block)
{
	struct kept *kept = kept_of(block);
	g_autoptr(GError) error = NULL;

	io_loop_call(kept->keeper, remove_timer, kept);
	io_loop_free(kept->keeper);
	if (kept->image && kept->image->flags & IMAGE_WRITE && !image_flush(kept->image, &error))
		log_warning("%s", error->message);
	image_close(kept->image);
	pthread_cond_destroy(&kept->changed);
	pthread_mutex_destroy(&kept->lock);
	g_aligned_free(kept->bounce);
	epoch_free(kept->epoch);
	g_free(kept);
}

unsigned kept_image_flags(const struct block_open *options)
{
	return (options->read_only ? 0 : IMAGE_WRITE) | (options->backing ? IMAGE_BACKING : 0) |
	       (options->direct ? IMAGE_DIRECT : 0) | (options->shared ? IMAGE_SHARED : 0) |
	       (options->no_flush ? IMAGE_NO_FLUSH : 0);
}

static bool names_others(const struct image *image, const struct block_open *options,
			 GError **error)
{
	if (!image->backing_file || options->backing || options->detached)
		return true;
	return error_set(error, SOCLE_ERROR_DENIED,
			 "image '%s' has '%s' behind it; say backing=on if that may be opened",
			 options->path, image->backing_file);
}

struct block *kept_new(struct image *owned, const struct block_open *options, GError **error)
{
	autoptr(image) image = owned;
	struct kept *kept;
	struct io_loop *keeper = image ? io_loop_new("keeper", IO_LOOP_THREADS, error) : NULL;

	if (!keeper)
		return NULL;
	kept = g_new0(struct kept, 1);
	kept->keeper = keeper;
	kept->epoch = epoch_new();
	kept->bounce = g_aligned_alloc(1, BOUNCE_LEN, BOUNCE_ALIGN);
	kept->image = g_steal_pointer(&image);
	kept->job_work = (struct io_work){ .fn = block_job_run, .opaque = kept };
	kept->job_timer = (struct io_timer){ .fn = block_job_run, .opaque = kept };
	pthread_mutex_init(&kept->lock, NULL);
	pthread_cond_init(&kept->changed, NULL);
	io_loop_call(keeper, add_timer, kept);
	kept->base.size = kept->image->size;
	kept->base.format = kept->image->ops->format;
	kept->base.info = (struct block_info){
		.request_alignment = 512,
		.physical_block = 4096,
		.read_only = options->read_only,
		.direct = options->direct,
		.discard = !options->read_only && kept->image->ops->discard,
		.discard_alignment = MAX(kept->image->cluster_size, 512u),
	};
	return &kept->base;
}

/* Nobody is to begin to rely on it; who has such an image gets at what is in it. */
static bool check_encryption(struct image *image, unsigned flags, GError **error)
{
	return !(flags & IMAGE_WRITE) || image->ops != &image_qcow2_ops ||
	       qcow2_get_header(image)->crypt != QCOW2_CRYPT_AES ||
	       error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "image '%s' is encrypted in a way that does not protect it, and machines "
			 "only read it; convert it to one with encrypt.format=luks",
			 image->path);
}

static struct image *open_file(const struct block_open *options, unsigned flags,
			       const struct image_keys *keys, GError **error)
{
	struct block_file *file;

	if (!remote_url_is(options->path))
		return image_open_keys(options->path, options->format, flags, keys, error);
	file = remote_file_open(options->path, options->login, image_file_flags(flags), error);
	return file ? image_open_file_keys(options->path, file, options->format, flags, keys, error)
		    : NULL;
}

static struct image *open_image(const struct block_open *options, unsigned flags, GError **error)
{
	const struct image_keys keys = { .secrets = options->secrets,
					 .count = options->secret_count };
	autoptr(image) image = NULL;

	if (!options->path || !*options->path) {
		error_set(error, SOCLE_ERROR_USAGE, "an image of format '%s' needs a file name",
			  options->format);
		return NULL;
	}
	image = open_file(options, flags, &keys, error);
	if (!image)
		g_prefix_error(error, "Could not open '%s': ", options->path);
	if (!image || !names_others(image, options, error) ||
	    !check_encryption(image, flags, error))
		return NULL;
	return g_steal_pointer(&image);
}

static struct block *kept_open(const struct block_open *options, GError **error)
{
	return kept_new(open_image(options, kept_image_flags(options), error), options, error);
}

static bool is_encrypted(const struct image *image)
{
	while (image && !image->encrypted)
		image = image->backing;
	return image;
}

/* What was encrypted stays so: with a key that nobody ever knows. */
static bool encrypt_front(struct image_create *what, struct secret **ret_secret, GError **error)
{
	uint8_t key[32];
	const int ret = sys_random(key, sizeof(key));

	if (ret < 0)
		return error_sys(error, ret, "cannot make a key for a temporary image");
	*ret_secret = secret_new("temporary", key, sizeof(key));
	secret_wipe(key, sizeof(key));
	what->secret = *ret_secret;
	what->options = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(what->options, (void *)(uintptr_t) "encrypt.format",
			    (void *)(uintptr_t) "luks");
	g_hash_table_insert(what->options, (void *)(uintptr_t) "encrypt.iter-time",
			    (void *)(uintptr_t) "1");
	return true;
}

/*
 * A temporary image, as large as @behind and in front of it; its name is gone already. What guests
 * write is nobody else's business: the folder that it is made in is ours alone.
 */
static struct image *temporary_front(const struct image *behind, GError **error)
{
	g_autofree char *folder = g_dir_make_tmp("socle-snapshot-XXXXXX", error);
	g_autofree char *path = folder ? g_build_filename(folder, "front", NULL) : NULL;
	autoptr(secret) secret = NULL;
	struct image_create what = {
		.path = path,
		.size = behind->size,
		.backing_file = behind->path,
		.backing_format = behind->ops->format,
	};
	struct image_keys keys = { .secrets = &what.secret };
	struct image *front = NULL;

	if (!folder)
		return NULL;
	if ((!is_encrypted(behind) || encrypt_front(&what, &secret, error)) &&
	    image_create("qcow2", &what, error)) {
		keys.count = secret ? 1 : 0;
		front = image_open_keys(path, "qcow2", IMAGE_WRITE | IMAGE_NO_FLUSH, &keys, error);
		(void)sys_unlink(path);
	}
	g_clear_pointer(&what.options, g_hash_table_unref);
	(void)g_rmdir(folder);
	return front;
}

static struct block *snapshot_open(const struct block_open *options, GError **error)
{
	unsigned flags = kept_image_flags(options) & ~(unsigned)IMAGE_WRITE;
	autoptr(image) behind = open_image(options, flags, error);
	struct image *front = behind ? temporary_front(behind, error) : NULL;

	if (!front)
		return NULL;
	front->backing = g_steal_pointer(&behind);
	return kept_new(front, options, error);
}

struct resize {
	struct image *image;
	uint64_t size;
	bool done;
	GError **error;
};

static void resize_on_keeper(void *opaque)
{
	struct resize *resize = opaque;

	resize->done = image_resize(resize->image, resize->size, resize->error);
}

static bool kept_resize(struct block *block, uint64_t size, GError **error)
{
	struct kept *kept = kept_of(block);
	struct resize resize = { kept->image, size, false, error };

	io_loop_call(kept->keeper, resize_on_keeper, &resize);
	if (resize.done)
		atomic_store(&block->size, size);
	return resize.done;
}

static void nothing(void *opaque)
{
	(void)opaque;
}

/* The keeper may still be about to wake the queue's loop, which has done the request by now. */
static void kept_queue_free(struct block_queue *queue)
{
	io_loop_call(kept_of(queue->block)->keeper, nothing, NULL);
	g_free(queue);
}

static uint64_t kept_allocated(struct block *block)
{
	struct kept *kept = kept_of(block);

	return (uint64_t)MAX(block_file_allocated(kept->image->file), 0);
}

const struct block_ops block_qcow2_ops = {
	.format = "qcow2",
	.takes_secrets = true,
	.flushes_itself = true,
	.open = kept_open,
	.close = kept_close,
	.resize = kept_resize,
	.allocated = kept_allocated,
	.queue_free = kept_queue_free,
	.submit = kept_submit,
};

const struct block_ops block_snapshot_ops = {
	.format = "qcow2",
	.takes_secrets = true,
	.flushes_itself = true,
	.open = snapshot_open,
	.close = kept_close,
	.resize = kept_resize,
	.allocated = kept_allocated,
	.queue_free = kept_queue_free,
	.submit = kept_submit,
};
