/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup-stats.c - what a machine has used, read from either kind of hierarchy
 */
#include <string.h>

#include "host/cgroup-int.h"
#include "host/read-int.h"

/* The value of "key 123" in a file of such lines. */
struct keyed {
	const char *key;
	uint64_t *value;
};

static bool read_keyed(const char *path, const char *file, const struct keyed *keyed,
		       unsigned count)
{
	struct host_lines lines;
	const char *line;

	if (!host_lines_open(&lines, path, "/%s", file))
		return false;
	while ((line = host_lines_next(&lines)) != NULL) {
		for (unsigned i = 0; i < count; i++) {
			size_t len = strlen(keyed[i].key);

			if (!strncmp(line, keyed[i].key, len) && line[len] == ' ')
				(void)host_scan_number(line + len + 1, keyed[i].value);
		}
	}
	host_lines_close(&lines);
	return true;
}

static bool cpu_v2(const char *path, struct host_cgroup_cpu *ret)
{
	uint64_t total = 0, user = 0, system = 0, throttled = 0, periods = 0;
	const struct keyed keyed[] = {
		{ "usage_usec", &total },     { "user_usec", &user },
		{ "system_usec", &system },   { "throttled_usec", &throttled },
		{ "nr_throttled", &periods },
	};

	if (!read_keyed(path, "cpu.stat", keyed, G_N_ELEMENTS(keyed)))
		return false;
	*ret = (struct host_cgroup_cpu){ total * 1000, user * 1000, system * 1000, throttled * 1000,
					 periods };
	return true;
}

static bool cpu_v1(const struct host_cgroup *group, const char *path, struct host_cgroup_cpu *ret)
{
	static const uint64_t tick_ns = UINT64_C(10) * 1000 * 1000; /* USER_HZ is 100 on x86 */
	uint64_t total, user = 0, system = 0, throttled = 0, periods = 0;
	const struct keyed times[] = { { "user", &user }, { "system", &system } };
	const struct keyed stat[] = { { "throttled_time", &throttled },
				      { "nr_throttled", &periods } };
	const char *cpu;
	bool unified;

	if (!host_read_number(&total, path, "/cpuacct.usage"))
		return false;
	(void)read_keyed(path, "cpuacct.stat", times, G_N_ELEMENTS(times));
	cpu = cgroup_path(group, HOST_CPU, &unified);
	if (cpu && !unified)
		(void)read_keyed(cpu, "cpu.stat", stat, G_N_ELEMENTS(stat));
	*ret = (struct host_cgroup_cpu){ total, user * tick_ns, system * tick_ns, throttled,
					 periods };
	return true;
}

bool host_cgroup_cpu(const struct host_cgroup *group, struct host_cgroup_cpu *ret)
{
	bool unified;
	const char *path = cgroup_path(group, HOST_CPUACCT, &unified);

	if (!path)
		return false;
	return unified ? cpu_v2(path, ret) : cpu_v1(group, path, ret);
}

bool host_cgroup_memory(const struct host_cgroup *group, uint64_t *ret_kib)
{
	bool unified;
	const char *path = cgroup_path(group, HOST_MEMORY, &unified);
	uint64_t bytes;

	if (!path || !host_read_number(&bytes, path, "/%s",
				       unified ? "memory.current" : "memory.usage_in_bytes"))
		return false;
	*ret_kib = bytes / 1024;
	return true;
}

/* "8:0 rbytes=1 wbytes=2 ..." for each disk. */
static bool io_v2(const char *path, struct host_cgroup_io *ret)
{
	struct host_cgroup_io io = { 0 };
	const struct keyed keyed[] = {
		{ "rbytes=", &io.read_bytes },
		{ "wbytes=", &io.write_bytes },
		{ "rios=", &io.read_ops },
		{ "wios=", &io.write_ops },
	};
	struct host_lines lines;
	const char *line;

	if (!host_lines_open(&lines, path, "/io.stat"))
		return false;
	while ((line = host_lines_next(&lines)) != NULL) {
		for (unsigned i = 0; i < G_N_ELEMENTS(keyed); i++) {
			const char *p = strstr(line, keyed[i].key);
			uint64_t value;

			/* No key is the end of another: they stand behind a space. */
			if (p && p > line && p[-1] == ' ' &&
			    host_scan_number(p + strlen(keyed[i].key), &value))
				*keyed[i].value += value;
		}
	}
	host_lines_close(&lines);
	*ret = io;
	return true;
}

/* "8:0 Read 1" for each disk, and a "Total 3" in the end. */
static bool io_v1_file(const char *path, const char *file, uint64_t *ret_read, uint64_t *ret_write)
{
	struct host_lines lines;
	const char *line;

	if (!host_lines_open(&lines, path, "/%s", file))
		return false;
	while ((line = host_lines_next(&lines)) != NULL) {
		const char *word = strchr(line, ' ');
		uint64_t value;

		if (!word)
			continue;
		if (g_str_has_prefix(word, " Read ") && host_scan_number(word + 6, &value))
			*ret_read += value;
		else if (g_str_has_prefix(word, " Write ") && host_scan_number(word + 7, &value))
			*ret_write += value;
	}
	host_lines_close(&lines);
	return true;
}

static bool io_v1(const char *path, struct host_cgroup_io *ret)
{
	struct host_cgroup_io io = { 0 };

	if (!io_v1_file(path, "blkio.throttle.io_service_bytes", &io.read_bytes, &io.write_bytes))
		return false;
	(void)io_v1_file(path, "blkio.throttle.io_serviced", &io.read_ops, &io.write_ops);
	*ret = io;
	return true;
}

bool host_cgroup_io(const struct host_cgroup *group, struct host_cgroup_io *ret)
{
	bool unified;
	const char *path = cgroup_path(group, HOST_IO, &unified);

	if (!path)
		return false;
	return unified ? io_v2(path, ret) : io_v1(path, ret);
}
