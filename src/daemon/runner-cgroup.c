/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-cgroup.c - control groups of the room host, as runner.h wants them
 *
 * At a start a limit that this host does not offer is told and the machine runs without it; who asks for
 * a limit of a machine that runs is refused.
 */
#include "daemon/runner-cgroup.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "host/cgroup.h"
#include "host/cpumap.h"
#include "host/process.h"
#include "manage/dom.h"
#include "model/domain.h"

enum {
	PERIOD_US = 100000 /* what the kernel takes if nobody says */
};

struct runner_cgroup {
	struct host_cgroup *group;
};

/* == Limits of the definition == */

/* What one vCPU may have is there for each. */
static bool set_quota(struct host_cgroup *group, const struct domain *d, GError **error)
{
	const struct domain_cputune *t = &d->cputune;
	const int64_t cpus = d->vcpu.current.set ? d->vcpu.current.value : d->vcpu.count.value;

	if (t->global_quota.set)
		return host_cgroup_set_quota(
			group, t->global_period.set ? (uint64_t)t->global_period.value : PERIOD_US,
			t->global_quota.value, error);
	if (!t->quota.set)
		return true;
	return host_cgroup_set_quota(group, t->period.set ? (uint64_t)t->period.value : PERIOD_US,
				     t->quota.value > 0 ? t->quota.value * MAX(cpus, 1) : -1,
				     error);
}

static bool set_cpu(struct host_cgroup *group, const struct domain *d, GError **error)
{
	if (d->cputune.shares.set &&
	    !host_cgroup_set_shares(group, (uint64_t)d->cputune.shares.value, error))
		return false;
	return set_quota(group, d, error);
}

static bool set_cpus(struct host_cgroup *group, const struct domain *d, GError **error)
{
	g_autofree char *cpus = NULL;
	struct host_cpumap map;

	/* The kernel does not know of CPUs that are taken out. */
	if (!d->vcpu.cpuset || !host_cpumap_parse(&map, d->vcpu.cpuset))
		return true;
	cpus = host_cpumap_format(&map);
	return host_cgroup_set_cpus(group, cpus, error);
}

static uint64_t limit(const struct number *number)
{
	return number->set && number->value > 0 ? (uint64_t)number->value : HOST_NO_LIMIT;
}

static bool set_memory(struct host_cgroup *group, const struct domain *d, GError **error)
{
	const struct domain_memtune *t = &d->memtune;
	const struct host_memory_limits limits = {
		.hard_kib = limit(&t->hard_limit),
		.soft_kib = limit(&t->soft_limit),
		.swap_hard_kib = limit(&t->swap_hard_limit),
	};

	if (!t->hard_limit.set && !t->soft_limit.set && !t->swap_hard_limit.set)
		return true;
	return host_cgroup_set_memory(group, &limits, error);
}

static bool set_device(struct host_cgroup *group, const struct blkio_device *device, GError **error)
{
	const struct host_io_limits limits = {
		.read_bytes = limit(&device->read_bytes_sec),
		.write_bytes = limit(&device->write_bytes_sec),
		.read_ops = limit(&device->read_iops_sec),
		.write_ops = limit(&device->write_iops_sec),
	};
	struct stat st;
	int r = sys_stat(device->path, &st);

	if (r < 0)
		return error_sys(error, r, "<blkiotune>: cannot look at '%s'", device->path);
	if (!S_ISBLK(st.st_mode))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "<blkiotune>: '%s' is no disk; give a block device, as /dev/sda",
				 device->path);
	if (!host_cgroup_set_io_limits(group, major(st.st_rdev), minor(st.st_rdev), &limits, error))
		return false;
	return !device->weight.set ||
	       host_cgroup_set_device_weight(group, major(st.st_rdev), minor(st.st_rdev),
					     limit(&device->weight), error);
}

static bool set_io(struct host_cgroup *group, const struct domain *d, GError **error)
{
	const struct domain_blkiotune *t = &d->blkiotune;

	if (t->weight.set && t->weight.value > 0 &&
	    !host_cgroup_set_io_weight(group, (uint64_t)t->weight.value, error))
		return false;
	for (unsigned i = 0; i < t->device_count; i++) {
		if (!set_device(group, &t->devices[i], error))
			return false;
	}
	return true;
}

static bool (*const setters[])(struct host_cgroup *group, const struct domain *d,
			       GError **error) = { set_cpu, set_cpus, set_memory, set_io };

/* == Pins: of threads, by the scheduler == */

/* The step check has looked at the text. */
static bool pin(int tid, const char *cpus, GError **error)
{
	struct host_cpumap map;
	int r;

	if (tid <= 0 || !host_cpumap_parse(&map, cpus) || host_cpumap_end(&map) == 0)
		return true;
	r = host_pin_thread(tid, map.bits, sizeof(map.bits));
	return r == 0 || error_sys(error, r, "cannot pin a CPU of the machine to '%s'", cpus);
}

static bool set_pins(const struct domain *d, int pid, const int *tids, unsigned count,
		     GError **error)
{
	const struct domain_cputune *t = &d->cputune;

	if (t->emulator.cpuset && !pin(pid, t->emulator.cpuset, error))
		return false;
	for (unsigned i = 0; i < t->pin_count; i++) {
		const int64_t cpu = t->pins[i].vcpu.value;

		if (cpu >= 0 && cpu < count && !pin(tids[cpu], t->pins[i].cpuset, error))
			return false;
	}
	return true;
}

/* == The seam == */

static void cgroup_close(struct runner_cgroup *group, bool gone)
{
	g_autoptr(GError) error = NULL;

	if (gone && !host_cgroup_remove(group->group, &error))
		log_debug("%s", error->message);
	host_cgroup_free(group->group);
	g_free(group);
}

static struct runner_cgroup *cgroup_open(void *opaque, struct dom *dom, int pid, bool found,
					 GError **error)
{
	struct runner_cgroup *group = g_new0(struct runner_cgroup, 1);

	group->group = host_cgroup_new(opaque, dom->name, dom->uuid_text, found ? pid : 0, error);
	if (!group->group) {
		g_free(group);
		return NULL;
	}
	if (found)
		return group;
	if (!host_cgroup_add(group->group, pid, error)) {
		cgroup_close(group, true);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(setters); i++) {
		g_autoptr(GError) local = NULL;

		if (!setters[i](group->group, dom->live, &local))
			log_warning("machine '%s' runs without a limit: %s", dom->name,
				    local->message);
	}
	return group;
}

static bool cgroup_tune(struct runner_cgroup *group, struct dom *dom, int pid, const int *tids,
			unsigned count, GError **error)
{
	for (size_t i = 0; i < ARRAY_SIZE(setters); i++) {
		if (!setters[i](group->group, dom->live, error))
			return false;
	}
	return set_pins(dom->live, pid, tids, count, error);
}

static bool cgroup_pin(struct dom *dom, int pid, const int *tids, unsigned count, GError **error)
{
	return set_pins(dom->live, pid, tids, count, error);
}

static bool cgroup_cpu(struct runner_cgroup *group, uint64_t *ret_ns, uint64_t *ret_user_ns,
		       uint64_t *ret_system_ns)
{
	struct host_cgroup_cpu cpu;

	if (!host_cgroup_cpu(group->group, &cpu))
		return false;
	*ret_ns = cpu.total_ns;
	*ret_user_ns = cpu.user_ns;
	*ret_system_ns = cpu.system_ns;
	return true;
}

const struct runner_cgroup_ops runner_host_cgroups = {
	.open = cgroup_open,
	.tune = cgroup_tune,
	.pin = cgroup_pin,
	.cpu = cgroup_cpu,
	.close = cgroup_close,
};
