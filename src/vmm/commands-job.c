/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-job.c - QMP: block jobs, their beginning and what is done with them
 */
#include <string.h>

#include "base/error.h"
#include "block/chain.h"
#include "block/keep.h"
#include "vmm/block-args.h"
#include "vmm/commands-int.h"
#include "vmm/jobs.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

/* ---- images of a chain ---- */

static bool same_file(const char *a, const char *b)
{
	g_autofree char *full_a = g_canonicalize_filename(a, NULL);
	g_autofree char *full_b = g_canonicalize_filename(b, NULL);

	return !strcmp(full_a, full_b);
}

/* The image that an argument names, by the node's name or by the file's; @otherwise if it is not there,
 * NULL with @error if there is none. */
static struct image *find_image(struct image *front, const json_t *args, const char *key,
				struct image *otherwise, GError **error)
{
	g_autofree char *node_key = g_strconcat(key, "-node", NULL);
	const char *node = arg_text(args, node_key), *file = arg_text(args, key);
	struct image *image = front;

	if (!node && !file)
		return otherwise;
	if (node && file) {
		error_set(error, SOCLE_ERROR_USAGE, "'%s' and '%s' are mutually exclusive",
			  node_key, key);
		return NULL;
	}
	while (image && !(node ? !g_strcmp0(image->node_name, node) : same_file(image->path, file)))
		image = image->backing;
	if (!image)
		error_set(error, SOCLE_ERROR_FAILED, "Can't find '%s' in the backing chain",
			  node ? node : file);
	return image;
}

static bool is_behind(const struct image *front, const struct image *image)
{
	while (front && front->backing != image)
		front = front->backing;
	return front;
}

/* The job has the block; it is let go. */
static void begin(struct vmm_job *job, struct image_job *work)
{
	job_begin(job, work);
	block_let_go(job->node->block);
}

/* ---- block-commit ---- */

/* The base is opened for writing, and becomes large enough. */
static struct image *open_base(struct block *block, struct image *base, uint64_t size,
			       GError **error)
{
	struct image *front = block_image(block), *open;

	if (!base->ops->write) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "image '%s' of format '%s' cannot be written to", base->path,
			  base->ops->format);
		return NULL;
	}
	open = image_chain_reopen(&front, base, true, error);
	if (!open || open->size >= size || image_resize(open, size, error))
		return open;
	(void)image_chain_reopen(&front, open, false, NULL);
	return NULL;
}

static bool commit_held(struct vmm *vmm, struct vmm_node *node, const json_t *args,
			const struct job_options *options, GError **error)
{
	struct image *front = block_image(node->block), *last = front, *top, *base;
	struct vmm_job *job;

	while (last->backing && !(options->completes && last != front))
		last = last->backing;
	top = find_image(front, args, "top", front, error);
	base = top ? find_image(front, args, "base", last, error) : NULL;
	if (!base)
		return false;
	if (top == base)
		return error_set(error, SOCLE_ERROR_USAGE, "cannot commit an image into itself");
	if (!is_behind(top, base))
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is not in this backing file chain",
				 base->path);
	if (top == front && !(front->flags & IMAGE_WRITE))
		return error_set(error, SOCLE_ERROR_DENIED,
				 "image '%s' is open for reading only; commit it without the "
				 "machine",
				 front->path);
	if (top == front && arg_text(args, "backing-file"))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'backing-file' specified, but 'top' is the active layer");
	base = open_base(node->block, base, top->size, error);
	if (!base)
		return false;
	job = job_new(vmm, top == front ? JOB_COMMIT_ACTIVE : JOB_COMMIT, node, options);
	job->top = top;
	job->base = base;
	job->backing_name = g_strdup(arg_text(args, "backing-file"));
	job_begin(job, image_job_commit(top, base, base));
	return true;
}

static bool commit(struct vmm *vmm, struct vmm_node *node, const json_t *args, bool only_top,
		   GError **error)
{
	struct job_options options;
	bool ok;

	if (!job_options_take(&options, args, error) || !job_check(vmm, node, &options, error))
		return false;
	options.completes = only_top;
	block_hold(node->block);
	ok = commit_held(vmm, node, args, &options, error);
	block_let_go(node->block);
	return ok;
}

bool node_commit(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error)
{
	return commit(vmm, node, args, false, error);
}

bool node_commit_top(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error)
{
	return commit(vmm, node, args, true, error);
}

void start_block_commit(void *opaque, const json_t *args, struct qmp_request *request)
{
	node_command_start(opaque, "device", args, request, node_commit);
}

/* ---- block-stream ---- */

static bool stream_held(struct vmm *vmm, struct vmm_node *node, const json_t *args,
			const struct job_options *options, GError **error)
{
	struct image *front = block_image(node->block), *base;
	GError *local = NULL;
	struct vmm_job *job;

	base = find_image(front, args, "base", NULL, &local);
	if (local)
		return g_propagate_error(error, local), false;
	if (base == front)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is the image itself; name one that is behind it",
				 front->path);
	if (!(front->flags & IMAGE_WRITE))
		return error_set(error, SOCLE_ERROR_DENIED, "image '%s' is open for reading only",
				 front->path);
	if (!base && arg_text(args, "backing-file"))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "backing file specified, but streaming the entire chain");
	job = job_new(vmm, JOB_STREAM, node, options);
	job->base = base;
	job->backing_name = g_strdup(arg_text(args, "backing-file"));
	begin(job, image_job_stream(front, base));
	return true;
}

bool node_stream(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error)
{
	static const char *const refused[] = { "bottom", NULL };
	struct job_options options;

	if (!arg_refuse(args, refused, error) || !job_options_take(&options, args, error) ||
	    !job_check(vmm, node, &options, error))
		return false;
	if (strcmp(block_format(node->block), "qcow2") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' have nothing behind them",
				 block_format(node->block));
	block_hold(node->block);
	if (stream_held(vmm, node, args, &options, error))
		return true;
	block_let_go(node->block);
	return false;
}

void start_block_stream(void *opaque, const json_t *args, struct qmp_request *request)
{
	node_command_start(opaque, "device", args, request, node_stream);
}

/* ---- blockdev-mirror ---- */

static const char *const sync_names[] = {
	[IMAGE_JOB_FULL] = "full", [IMAGE_JOB_TOP] = "top", [IMAGE_JOB_NONE] = "none", NULL
};

static void on_target_kept(void *opaque, const GError *error)
{
	GError **ret = opaque;

	if (error)
		*ret = g_error_copy(error);
}

/* A node that nobody uses gets a keeper at once. */
static bool prepare_target(struct vmm *vmm, struct vmm_node *node, struct vmm_node *target,
			   enum image_job_sync sync, GError **error)
{
	struct block_info from, to;
	struct image *image;
	GError *local = NULL;

	if (target == node || target->front || target->user || !target->block)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "Node '%s' is in use; a copy needs one of its own", target->name);
	if (!node_is_free(target, error))
		return false;
	block_info(node->block, &from);
	block_info(target->block, &to);
	if (from.size != to.size)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Source and target image have different sizes");
	if (to.read_only)
		return error_set(error, SOCLE_ERROR_DENIED,
				 "Node '%s' is open for reading only; open it with read-only=off",
				 target->name);
	node_keep(vmm, target, on_target_kept, &local);
	if (local)
		return g_propagate_error(error, local), false;
	image = block_image(target->block);
	if (sync == IMAGE_JOB_TOP && block_image(node->block)->backing && !image->backing_file)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' names no backing file, which sync=top needs; create "
				 "it with that of the source",
				 image->path);
	return true;
}

static bool mirror_to(struct vmm *vmm, struct vmm_node *node, struct vmm_node *target, bool owns,
		      enum image_job_sync sync, const struct job_options *options, GError **error)
{
	struct image *image = block_image(node->block);
	struct vmm_job *job;

	if (!prepare_target(vmm, node, target, sync, error))
		return false;
	job = job_new(vmm, JOB_MIRROR, node, options);
	job->target = target;
	job->owns_target = owns;
	/* Without anything behind it what it has is all there is. */
	job->sync = sync == IMAGE_JOB_TOP && !image->backing ? IMAGE_JOB_FULL : sync;
	block_hold(node->block);
	begin(job, image_job_mirror(image, block_image(target->block), job->sync));
	return true;
}

static bool mirror_options(const json_t *args, unsigned *ret_sync, struct job_options *options,
			   GError **error)
{
	static const char *const refused[] = { "replaces", NULL };

	return arg_refuse(args, refused, error) &&
	       arg_choice(args, "sync", sync_names, 0, ret_sync, error) &&
	       job_options_take(options, args, error);
}

static bool mirror(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error)
{
	struct job_options options;
	struct vmm_node *target;
	unsigned sync;

	if (!mirror_options(args, &sync, &options, error) || !job_check(vmm, node, &options, error))
		return false;
	target = node_find(vmm, arg_text(args, "target"), error);
	return target &&
	       mirror_to(vmm, node, target, false, (enum image_job_sync)sync, &options, error);
}

void start_blockdev_mirror(void *opaque, const json_t *args, struct qmp_request *request)
{
	node_command_start(opaque, "device", args, request, mirror);
}

/* ---- drive-mirror ---- */

static bool create_target(struct vmm_node *node, const char *path, const char *format,
			  enum image_job_sync sync, GError **error)
{
	const struct image *source = block_image(node->block);
	const struct image *behind = sync == IMAGE_JOB_TOP    ? source->backing
				     : sync == IMAGE_JOB_NONE ? source
							      : NULL;
	g_autofree char *name = behind ? image_chain_name(path, behind->path) : NULL;
	const struct image_create what = {
		.path = path,
		.size = source->size,
		.backing_file = name,
		.backing_format = behind ? behind->ops->format : NULL,
	};

	if (source->encrypted)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is encrypted, and its copy would not be; create one "
				 "that is, and use blockdev-mirror",
				 source->path);
	if (behind && strcmp(format, "qcow2") != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "an image of format '%s' has nothing behind it; say sync=full",
				 format);
	return image_create(format, &what, error);
}

bool node_drive_mirror(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error)
{
	static const char *const modes[] = { "absolute-paths", "existing", NULL };
	const char *path = arg_text(args, "target"), *format = arg_text(args, "format");
	struct node_spec spec = { .open = node->spec.open, .format_given = true };
	struct job_options options;
	struct vmm_node *target;
	unsigned sync, mode;

	if (!mirror_options(args, &sync, &options, error) ||
	    !arg_choice(args, "mode", modes, 0, &mode, error) ||
	    !job_check(vmm, node, &options, error))
		return false;
	if (!format)
		format = block_format(node->block);
	if (!mode && !create_target(node, path, format, (enum image_job_sync)sync, error))
		return false;
	spec.open.path = path;
	spec.open.format = format;
	spec.open.node_name = arg_text(args, "node-name");
	spec.open.read_only = false;
	spec.open.backing = false;
	spec.open.detached = true;
	target = node_add(vmm, &spec, true, error);
	if (!target)
		return false;
	if (mirror_to(vmm, node, target, true, (enum image_job_sync)sync, &options, error))
		return true;
	node_drop(vmm, target);
	return false;
}

void start_drive_mirror(void *opaque, const json_t *args, struct qmp_request *request)
{
	node_command_start(opaque, "device", args, request, node_drive_mirror);
}

/* ---- what is done with jobs ---- */

/* By "device" as block-job-... have it, or by "id". */
static struct vmm_job *find_job(struct vmm *vmm, const json_t *args, GError **error)
{
	const char *device = arg_text(args, "device"), *id = arg_text(args, "id");
	struct vmm_job *job = job_find(vmm, device ? device : id);

	if (!job && device)
		error_set(error, SOCLE_ERROR_NOT_ACTIVE, "Block job '%s' not found", device);
	else if (!job)
		error_set(error, SOCLE_ERROR_FAILED, "Job not found");
	return job;
}

static json_t *done(bool ok)
{
	return ok ? json_object() : NULL;
}

json_t *run_job_cancel(void *opaque, const json_t *args, GError **error)
{
	struct vmm_job *job = find_job(opaque, args, error);
	/* job-cancel has no "force": it always does. */
	const bool force = arg_bool(args, "force", !arg_text(args, "device"));

	return done(job && job_cancel(job, force, error));
}

json_t *run_job_complete(void *opaque, const json_t *args, GError **error)
{
	struct vmm_job *job = find_job(opaque, args, error);

	return done(job && job_complete(job, error));
}

json_t *run_job_pause(void *opaque, const json_t *args, GError **error)
{
	struct vmm_job *job = find_job(opaque, args, error);

	return done(job && job_pause(job, true, error));
}

json_t *run_job_resume(void *opaque, const json_t *args, GError **error)
{
	struct vmm_job *job = find_job(opaque, args, error);

	return done(job && job_pause(job, false, error));
}

json_t *run_job_finalize(void *opaque, const json_t *args, GError **error)
{
	struct vmm_job *job = find_job(opaque, args, error);

	return done(job && job_finalize(job, error));
}

json_t *run_job_dismiss(void *opaque, const json_t *args, GError **error)
{
	struct vmm_job *job = find_job(opaque, args, error);

	return done(job && job_dismiss(job, error));
}

json_t *run_block_job_set_speed(void *opaque, const json_t *args, GError **error)
{
	const json_int_t speed = json_integer_value(json_object_get(args, "speed"));
	struct vmm_job *job = find_job(opaque, args, error);

	if (job && speed < 0) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "Parameter 'speed' expects a non-negative value");
		return NULL;
	}
	return done(job && job_set_speed(job, (uint64_t)speed, error));
}

static json_t *list_jobs(struct vmm *vmm, json_t *(*info)(struct vmm_job *job))
{
	json_t *list = json_array();

	for (unsigned i = 0; i < vmm->jobs->len; i++)
		json_array_append_new(list, info(g_ptr_array_index(vmm->jobs, i)));
	return list;
}

json_t *run_query_block_jobs(void *opaque, const json_t *args, GError **error)
{
	(void)args;
	(void)error;
	return list_jobs(opaque, job_block_info);
}

json_t *run_query_jobs(void *opaque, const json_t *args, GError **error)
{
	(void)args;
	(void)error;
	return list_jobs(opaque, job_info);
}
