/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block-args.h - what commands on images have in common: their arguments, a node that gets a keeper
 *
 * Threads: main loop.
 */
#ifndef VMM_BLOCK_ARGS_H
#define VMM_BLOCK_ARGS_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "monitor/qmp.h"

struct image;
struct job_options;
struct vmm;
struct vmm_node;

/* NULL if it is not there. */
const char *arg_text(const json_t *args, const char *name);
bool arg_bool(const json_t *args, const char *name, bool otherwise);
/* One of @names (NULL-terminated); @otherwise if it is not there. */
bool arg_choice(const json_t *args, const char *name, const char *const *names, unsigned otherwise,
		unsigned *ret, GError **error);
/* Refuse those that are there, of @names (NULL-terminated). */
bool arg_refuse(const json_t *args, const char *const *names, GError **error);

/* job-id, speed, on-error (or on-source-error, on-target-error), auto-finalize, auto-dismiss. */
bool job_options_take(struct job_options *ret, const json_t *args, GError **error);

/* What is done with a node that has a keeper, and with which nothing else is done. */
typedef bool (*node_command)(struct vmm *vmm, struct vmm_node *node, const json_t *args,
			     GError **error);
/* Called once: NULL, or why it has failed. */
typedef void (*node_command_end)(void *opaque, const GError *error);

/*
 * Do something with a node, which the argument @key names, or its disk, as soon as it has a keeper; @end
 * may be called at once. If it fails the node loses its keeper again.
 */
void node_command_run(struct vmm *vmm, const char *key, const json_t *args, node_command fn,
		      node_command_end end, void *opaque);
/* The end is the answer to @request. */
void node_command_start(struct vmm *vmm, const char *key, const json_t *args,
			struct qmp_request *request, node_command fn);

/* commands-job.c, commands-snapshot.c: with their arguments as QMP has them. */
bool node_commit(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error);
bool node_stream(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error);
bool node_drive_mirror(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error);
bool node_snapshot_sync(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error);
/* The disk's image into the one right behind it, which the disk goes on with when that is done. */
bool node_commit_top(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error);

#endif
