/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rbd.c - Ceph's programs: what they are told about images of a pool, and about how much there is of it
 */
#include "host/rbd.h"

#include <inttypes.h>

#include "host/argv-int.h"

static char *size_of(uint64_t bytes)
{
	return g_strdup_printf("%" PRIu64 "B", bytes);
}

char **rbd_argv_list(const char *monitors, const char *pool)
{
	return argv_new("rbd", "ls", "--mon_host", monitors, "--pool", pool, "--format", "json",
			NULL);
}

char **rbd_argv_info(const char *monitors, const char *pool, const char *image)
{
	return argv_new("rbd", "info", "--mon_host", monitors, "--pool", pool, "--image", image,
			"--format", "json", NULL);
}

char **rbd_argv_usage(const char *monitors)
{
	return argv_new("rados", "df", "--mon_host", monitors, "--format", "json", NULL);
}

char **rbd_argv_create(const char *monitors, const char *pool, const char *image, uint64_t bytes)
{
	g_autofree char *size = size_of(bytes);

	return argv_new("rbd", "create", "--mon_host", monitors, "--pool", pool, "--image", image,
			"--size", size, NULL);
}

char **rbd_argv_copy(const char *monitors, const char *pool, const char *image,
		     const char *new_pool, const char *new_image)
{
	return argv_new("rbd", "copy", "--mon_host", monitors, "--no-progress", "--pool", pool,
			"--image", image, "--dest-pool", new_pool, "--dest", new_image, NULL);
}

char **rbd_argv_rename(const char *monitors, const char *pool, const char *image,
		       const char *new_image)
{
	return argv_new("rbd", "mv", "--mon_host", monitors, "--pool", pool, "--image", image,
			"--dest-pool", pool, "--dest", new_image, NULL);
}

char **rbd_argv_resize(const char *monitors, const char *pool, const char *image, uint64_t bytes,
		       bool shrink)
{
	g_autofree char *size = size_of(bytes);

	return argv_new("rbd", "resize", "--mon_host", monitors, "--no-progress", "--pool", pool,
			"--image", image, "--size", size, shrink ? "--allow-shrink" : NULL, NULL);
}

char **rbd_argv_purge(const char *monitors, const char *pool, const char *image)
{
	return argv_new("rbd", "snap", "purge", "--mon_host", monitors, "--no-progress", "--pool",
			pool, "--image", image, NULL);
}

char **rbd_argv_remove(const char *monitors, const char *pool, const char *image)
{
	return argv_new("rbd", "remove", "--mon_host", monitors, "--no-progress", "--pool", pool,
			"--image", image, NULL);
}
