/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup-limits.c - what a machine may use, written as either kind of hierarchy wants it
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "host/cgroup-int.h"

/* Where a limit goes; NULL with an error if nowhere. */
static const char *limit_path(const struct host_cgroup *group, enum host_controller controller,
			      const char *what, bool *ret_unified, GError **error)
{
	const char *path = cgroup_path(group, controller, ret_unified);

	if (!path)
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "cannot limit a machine's %s: %s", what,
			  group->groups->missing ? group->groups->missing
						 : "the host has no control groups for it");
	return path;
}

static bool written(int err, const char *path, const char *what, GError **error)
{
	return !err ||
	       error_sys(error, err, "cannot set the %s of the control group '%s'", what, path);
}

bool host_cgroup_set_shares(struct host_cgroup *group, uint64_t shares, GError **error)
{
	static const char what[] = "share of CPU time";
	bool unified;
	const char *path = limit_path(group, HOST_CPU, what, &unified, error);
	int err;

	if (!path)
		return false;
	if (unified)
		err = cgroup_write(path, "cpu.weight", "%" PRIu64,
				   CLAMP(shares, UINT64_C(1), UINT64_C(10000)));
	else
		err = cgroup_write(path, "cpu.shares", "%" PRIu64,
				   CLAMP(shares, UINT64_C(2), UINT64_C(262144)));
	return written(err, path, what, error);
}

/* In v1 each file is checked against what the other has, so first there is no limit. */
static int set_quota_v1(const char *path, uint64_t period_us, int64_t quota_us)
{
	int err = cgroup_write(path, "cpu.cfs_quota_us", "-1");

	if (!err)
		err = cgroup_write(path, "cpu.cfs_period_us", "%" PRIu64, period_us);
	if (!err && quota_us >= 0)
		err = cgroup_write(path, "cpu.cfs_quota_us", "%" PRIi64, quota_us);
	return err;
}

bool host_cgroup_set_quota(struct host_cgroup *group, uint64_t period_us, int64_t quota_us,
			   GError **error)
{
	static const char what[] = "quota of CPU time";
	bool unified;
	const char *path = limit_path(group, HOST_CPU, what, &unified, error);
	int err;

	if (!path)
		return false;
	if (!unified)
		err = set_quota_v1(path, period_us, quota_us);
	else if (quota_us < 0)
		err = cgroup_write(path, "cpu.max", "max %" PRIu64, period_us);
	else
		err = cgroup_write(path, "cpu.max", "%" PRIi64 " %" PRIu64, quota_us, period_us);
	return written(err, path, what, error);
}

bool host_cgroup_set_cpus(struct host_cgroup *group, const char *cpus, GError **error)
{
	static const char what[] = "set of CPUs";
	bool unified;
	const char *path = limit_path(group, HOST_CPUSET, what, &unified, error);
	g_autofree char *all = NULL;

	if (!path)
		return false;
	if (!*cpus && !unified) {
		/* Empty is nothing here. */
		g_autofree char *above = g_path_get_dirname(path);
		g_autofree char *file = g_strconcat(above, "/cpuset.cpus", NULL);

		if (!g_file_get_contents(file, &all, NULL, error))
			return false;
		cpus = g_strstrip(all);
	}
	/* A write of nothing at all is none. */
	return written(cgroup_write(path, "cpuset.cpus", "%s\n", cpus), path, what, error);
}

static int write_limit(const char *path, const char *file, uint64_t kib, const char *none)
{
	if (kib == HOST_NO_LIMIT || kib > INT64_MAX / 1024)
		return cgroup_write(path, file, "%s", none);
	return cgroup_write(path, file, "%" PRIu64, kib * 1024);
}

/* A host without swap, or without a count of it, has no such file; no limit is then none. */
static int write_swap(const char *path, const char *file, uint64_t kib, bool any, const char *none)
{
	int err = any ? write_limit(path, file, kib, none) : cgroup_write(path, file, "%s", none);

	return err == -ENOENT && !any ? 0 : err;
}

static int set_memory_v2(const char *path, const struct host_memory_limits *limits)
{
	bool swap = limits->swap_hard_kib != HOST_NO_LIMIT;
	/* Here swap has a limit of its own. */
	uint64_t swap_kib = limits->swap_hard_kib > limits->hard_kib
				    ? limits->swap_hard_kib - limits->hard_kib
				    : 0;
	int err = write_limit(path, "memory.high", limits->soft_kib, "max");

	if (!err)
		err = write_limit(path, "memory.max", limits->hard_kib, "max");
	if (err)
		return err;
	if (swap && !swap_kib)
		return cgroup_write(path, "memory.swap.max", "0");
	return write_swap(path, "memory.swap.max", swap_kib, swap, "max");
}

/* Here that of both is never below that of memory, so first there is none. */
static int set_memory_v1(const char *path, const struct host_memory_limits *limits)
{
	static const char both[] = "memory.memsw.limit_in_bytes";
	bool swap = limits->swap_hard_kib != HOST_NO_LIMIT;
	int err = write_swap(path, both, 0, false, "-1");

	if (!err)
		err = write_limit(path, "memory.limit_in_bytes", limits->hard_kib, "-1");
	if (!err)
		err = write_limit(path, "memory.soft_limit_in_bytes", limits->soft_kib, "-1");
	if (!err && swap)
		err = write_swap(path, both, limits->swap_hard_kib, true, "-1");
	return err;
}

bool host_cgroup_set_memory(struct host_cgroup *group, const struct host_memory_limits *limits,
			    GError **error)
{
	static const char what[] = "memory";
	bool unified;
	const char *path = limit_path(group, HOST_MEMORY, what, &unified, error);

	if (!path)
		return false;
	return written(unified ? set_memory_v2(path, limits) : set_memory_v1(path, limits), path,
		       what, error);
}

/* The kernel has a file of weights for each of two schedulers, or neither. */
static int write_weight(const char *path, const char *file, const char *bfq, const char *prefix,
			uint64_t weight, uint64_t most)
{
	int err = cgroup_write(path, file, "%s%" PRIu64, prefix, MIN(weight, most));

	if (err == -ENOENT)
		err = cgroup_write(path, bfq, "%s%" PRIu64, prefix, MIN(weight, UINT64_C(1000)));
	return err;
}

bool host_cgroup_set_io_weight(struct host_cgroup *group, uint64_t weight, GError **error)
{
	static const char what[] = "weight of disk access";
	bool unified;
	const char *path = limit_path(group, HOST_IO, what, &unified, error);
	int err;

	if (!path)
		return false;
	if (unified)
		err = write_weight(path, "io.weight", "io.bfq.weight", "default ", MAX(weight, 1),
				   10000);
	else
		err = write_weight(path, "blkio.weight", "blkio.bfq.weight", "", MAX(weight, 10),
				   1000);
	return written(err, path, what, error);
}

bool host_cgroup_set_device_weight(struct host_cgroup *group, unsigned major, unsigned minor,
				   uint64_t weight, GError **error)
{
	static const char what[] = "weight of access to a disk";
	bool unified;
	const char *path = limit_path(group, HOST_IO, what, &unified, error);
	g_autofree char *device = g_strdup_printf("%u:%u ", major, minor);
	int err;

	if (!path)
		return false;
	if (!unified)
		err = write_weight(path, "blkio.weight_device", "blkio.bfq.weight_device", device,
				   weight, 1000);
	else if (weight)
		err = write_weight(path, "io.weight", "io.bfq.weight", device, weight, 10000);
	else
		err = cgroup_write(path, "io.weight", "%sdefault", device);
	return written(err, path, what, error);
}

static void append_limit(GString *text, const char *key, uint64_t value)
{
	if (value == HOST_NO_LIMIT)
		g_string_append_printf(text, " %s=max", key);
	else
		g_string_append_printf(text, " %s=%" PRIu64, key, value);
}

static int set_io_v2(const char *path, unsigned major, unsigned minor,
		     const struct host_io_limits *limits)
{
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_append_printf(text, "%u:%u", major, minor);
	append_limit(text, "rbps", limits->read_bytes);
	append_limit(text, "wbps", limits->write_bytes);
	append_limit(text, "riops", limits->read_ops);
	append_limit(text, "wiops", limits->write_ops);
	return cgroup_write(path, "io.max", "%s", text->str);
}

static int set_io_v1(const char *path, unsigned major, unsigned minor,
		     const struct host_io_limits *limits)
{
	const struct {
		const char *file;
		uint64_t value;
	} files[] = {
		{ "blkio.throttle.read_bps_device", limits->read_bytes },
		{ "blkio.throttle.write_bps_device", limits->write_bytes },
		{ "blkio.throttle.read_iops_device", limits->read_ops },
		{ "blkio.throttle.write_iops_device", limits->write_ops },
	};
	int err = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(files) && !err; i++)
		err = cgroup_write(path, files[i].file, "%u:%u %" PRIu64, major, minor,
				   files[i].value);
	return err;
}

bool host_cgroup_set_io_limits(struct host_cgroup *group, unsigned major, unsigned minor,
			       const struct host_io_limits *limits, GError **error)
{
	static const char what[] = "rate of disk access";
	bool unified;
	const char *path = limit_path(group, HOST_IO, what, &unified, error);

	if (!path)
		return false;
	return written(unified ? set_io_v2(path, major, minor, limits)
			       : set_io_v1(path, major, minor, limits),
		       path, what, error);
}
