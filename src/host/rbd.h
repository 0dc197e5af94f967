/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rbd.h - Ceph's programs: what they are told about images of a pool, and about how much there is of it
 *
 * @monitors: "HOST:PORT,HOST". Pools and images are values of options, so their names may be any.
 *
 * Threads: any.
 */
#ifndef HOST_RBD_H
#define HOST_RBD_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Vectors for host_tool_run(), g_strfreev() them; what asks is answered in JSON. */
char **rbd_argv_list(const char *monitors, const char *pool);
char **rbd_argv_info(const char *monitors, const char *pool, const char *image);
char **rbd_argv_usage(const char *monitors);
char **rbd_argv_create(const char *monitors, const char *pool, const char *image, uint64_t bytes);
char **rbd_argv_copy(const char *monitors, const char *pool, const char *image,
		     const char *new_pool, const char *new_image);
char **rbd_argv_rename(const char *monitors, const char *pool, const char *image,
		       const char *new_image);
char **rbd_argv_resize(const char *monitors, const char *pool, const char *image, uint64_t bytes,
		       bool shrink);
/* All snapshots of @image. */
char **rbd_argv_purge(const char *monitors, const char *pool, const char *image);
char **rbd_argv_remove(const char *monitors, const char *pool, const char *image);

#endif
