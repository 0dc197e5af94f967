/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * job-ends.c - what becomes of disks and chains when a job is over
 *
 * What was copied is durable before anything refers to it; images leave the chain when nothing does
 * any more. So whatever fails here, or ends the process, leaves a chain that reads as before.
 */
#include "base/error.h"
#include "base/log.h"
#include "block/chain.h"
#include "block/keep.h"
#include "vmm/jobs.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

/* An image that was opened for writing is for reading only again. */
static void close_for_writing(struct block *block, struct image *image)
{
	struct image *front = block_image(block);
	g_autoptr(GError) error = NULL;

	if (!image || image == front || !(image->flags & IMAGE_WRITE))
		return;
	if (!image_chain_reopen(&front, image, false, &error))
		log_warning("image '%s' stays open for writing: %s", image->path, error->message);
}

/* The disk goes over to @to, which has @from's chain or its own behind it. */
static void hand_over(struct vmm *vmm, struct vmm_node *from, struct vmm_node *to)
{
	struct block *block = from->block;

	from->block = to->block;
	to->block = block;
	node_move_user(vmm, from, to);
}

/* ---- mirror ---- */

/* A copy of the top alone takes what is behind the source; a copy of nothing the source itself. */
static bool give_chain(struct vmm_job *job)
{
	struct image *source = block_image(job->node->block);
	struct image *target = block_image(job->target->block);

	if (job->sync == IMAGE_JOB_FULL || target->backing)
		return false;
	if (job->sync == IMAGE_JOB_TOP) {
		target->backing = g_steal_pointer(&source->backing);
		return true;
	}
	target->backing = source;
	block_set_image(job->node->block, NULL);
	return true;
}

static bool end_mirror(struct vmm_job *job, GError **error)
{
	struct vmm_node *node = job->node, *target = job->target;
	bool given;

	if (!image_flush(block_image(target->block), error))
		return false;
	if (!job->pivot)
		return true;
	given = give_chain(job);
	block_exchange(node->block, target->block);
	hand_over(job->vmm, node, target);
	if (job->owns_target)
		target->implicit = node->implicit;
	if (given) {
		/* What is left of the source alone is nothing that can be read. */
		g_clear_pointer(&node->block, block_close);
		node_move_chain(job->vmm, node, target);
	}
	node_name_chain(job->vmm, target);
	if (!given && node->implicit)
		node_retire(job->vmm, node);
	return true;
}

/* ---- commit ---- */

static bool end_commit_active(struct vmm_job *job, GError **error)
{
	struct vmm *vmm = job->vmm;
	struct vmm_node *node = job->node;
	struct image *front = block_image(node->block);
	struct vmm_node *base = node_lookup(vmm, job->base->node_name);

	if (!image_flush(job->base, error))
		return false;
	if (!job->pivot) {
		close_for_writing(node->block, job->base);
		return true;
	}
	image_chain_cut(&front, NULL, job->base);
	block_set_image(node->block, front);
	base->front = NULL;
	hand_over(vmm, node, base);
	base->implicit = node->implicit;
	node_move_chain(vmm, node, base);
	node->front = NULL;
	node_name_chain(vmm, base);
	node_retire(vmm, node);
	return true;
}

/* The image that names those that were merged names the base; it is opened for writing for that. */
static bool note_base(struct block *block, struct image *above, const struct image *base,
		      const char *name, GError **error)
{
	struct image *front = block_image(block);
	const bool was_writable = above->flags & IMAGE_WRITE;
	bool ok;

	if (!was_writable)
		above = image_chain_reopen(&front, above, true, error);
	ok = above && image_chain_note(above, base, name, error);
	if (ok)
		image_chain_cut(&front, above, (struct image *)(uintptr_t)base);
	if (above && !was_writable)
		close_for_writing(block, above);
	return ok;
}

static bool end_commit(struct vmm_job *job, GError **error)
{
	struct block *block = job->node->block;
	struct image *above = image_chain_above(block_image(block), job->top);

	if (!image_flush(job->base, error) ||
	    !note_base(block, above, job->base, job->backing_name, error))
		return false;
	close_for_writing(block, job->base);
	node_name_chain(job->vmm, job->node);
	return true;
}

/* ---- stream ---- */

static bool end_stream(struct vmm_job *job, GError **error)
{
	struct block *block = job->node->block;

	if (!note_base(block, block_image(block), job->base, job->backing_name, error))
		return false;
	node_name_chain(job->vmm, job->node);
	return true;
}

/* ---- all ---- */

bool job_end_well(struct vmm_job *job, GError **error)
{
	switch (job->kind) {
	case JOB_COMMIT:
		return end_commit(job, error);
	case JOB_COMMIT_ACTIVE:
		return end_commit_active(job, error);
	case JOB_MIRROR:
		return end_mirror(job, error);
	case JOB_STREAM:
		return end_stream(job, error);
	case JOB_KIND_COUNT:
		break;
	}
	return true;
}

void job_end_badly(struct vmm_job *job)
{
	if (job->kind == JOB_COMMIT || job->kind == JOB_COMMIT_ACTIVE)
		close_for_writing(job->node->block, job->base);
}
