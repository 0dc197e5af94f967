/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file-ids.h - which files paths lead to, asked of the host without waiting for ever
 *
 * Threads: main loop.
 */
#ifndef DAEMON_FILE_IDS_H
#define DAEMON_FILE_IDS_H

#include "base/cleanup.h"
#include "manage/pool.h"

struct file_asker;
struct stat;

struct file_id file_id_of(const struct stat *st);

/* @patience_ms: how long a path may take, about. */
struct file_asker *file_asker_new(unsigned patience_ms);
/* As pool_ops' identify(). */
void file_asker_ask(struct file_asker *asker, GPtrArray *paths, struct file_id *ret_ids,
		    struct task *task);
/* Nothing is waited for any more: @refuse ends each task. */
void file_asker_finish(struct file_asker *asker, void (*refuse)(struct task *task));
/* Behind that, or when nothing is under way. */
void file_asker_free(struct file_asker *asker);
DEFINE_AUTOPTR(file_asker, file_asker_free);

#endif
