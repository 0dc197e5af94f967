/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhdx-log.h - what a VHDX image's log says that should be in the file
 */
#ifndef BLOCK_FORMAT_VHDX_LOG_H
#define BLOCK_FORMAT_VHDX_LOG_H

#include "block/file.h"

struct vhdx_log;

/* The changes of the log [off, off + len) whose entries carry @guid; fails if there are none. */
struct vhdx_log *vhdx_log_read(const char *name, struct block_file *file, uint64_t off,
			       uint32_t len, const uint8_t *guid, GError **error);
/* NULL is fine. */
void vhdx_log_free(struct vhdx_log *log);
DEFINE_AUTOPTR(vhdx_log, vhdx_log_free);
/* Do to the file what the log says, durably: 0 or -errno. */
int vhdx_log_apply(const struct vhdx_log *log, struct block_file *file);
/* A file to read from as if that were done. The log becomes its own; @below stays the caller's. */
struct block_file *vhdx_log_overlay(struct vhdx_log *log, struct block_file *below);

#endif
