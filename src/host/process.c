/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c - what the kernel tells of a process and its threads
 */
#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "host/read-int.h"

enum {
	STAT_MAX = 1024
};

/* Numbers behind the name in a stat file, by their place in proc(5). */
enum {
	STAT_STATE = 3,
	STAT_UTIME = 14,
	STAT_STIME = 15,
	STAT_THREADS = 20,
	STAT_START = 22,
	STAT_RSS = 24,
	STAT_CPU = 39,
	STAT_END = 40,
};

static const uint64_t tick_ns = UINT64_C(10) * 1000 * 1000; /* USER_HZ is 100 on x86 */

struct stat_line {
	char name[HOST_COMM_MAX];
	char state;
	uint64_t value[STAT_END]; /* what is negative is 0 */
};

/* A name may have spaces and brackets in it; the last bracket ends it. */
static bool parse_stat(const char *text, struct stat_line *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	const char *p;

	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return false;
	memset(ret, 0, sizeof(*ret));
	(void)g_snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(close - open - 1), open + 1);
	ret->state = close[2];
	p = close + 3;
	for (unsigned i = STAT_STATE + 1; i < STAT_END && *p == ' '; i++) {
		p++;
		if (*p == '-')
			p += 1 + strspn(p + 1, "0123456789");
		else if (!(p = host_scan_number(p, &ret->value[i])))
			return false;
	}
	return true;
}

/*
 * A process that is not there has no folder, and reading one that ends is -ESRCH. What else is in the way,
 * too many open files perhaps, tells nothing of the process.
 */
static int read_stat(const char *root, pid_t pid, pid_t tid, struct stat_line *ret)
{
	char text[STAT_MAX];
	int len;

	if (tid)
		len = host_read_text(text, sizeof(text), root, "/proc/%d/task/%d/stat", pid, tid);
	else
		len = host_read_text(text, sizeof(text), root, "/proc/%d/stat", pid);
	if (len < 0 && len != -ENOENT)
		return len;
	return len > 0 && parse_stat(text, ret) ? 0 : -ESRCH;
}

int host_process(const char *root, pid_t pid, struct host_process *ret)
{
	struct stat_line stat;
	int err = read_stat(root, pid, 0, &stat);

	if (err)
		return err;
	*ret = (struct host_process){
		.state = stat.state,
		.start = stat.value[STAT_START] ? stat.value[STAT_START] : 1,
		.user_ns = stat.value[STAT_UTIME] * tick_ns,
		.system_ns = stat.value[STAT_STIME] * tick_ns,
		.rss_kib = stat.value[STAT_RSS] * 4,
		.threads = (unsigned)MIN(stat.value[STAT_THREADS], UINT32_MAX),
	};
	return 0;
}

int host_thread(const char *root, pid_t pid, pid_t tid, struct host_thread *ret)
{
	struct stat_line stat;
	int err = read_stat(root, pid, tid, &stat);
	const char *p;
	char text[128];

	if (err)
		return err;
	*ret = (struct host_thread){
		.tid = tid,
		.state = stat.state,
		.cpu = stat.value[STAT_CPU] < INT32_MAX ? (int)stat.value[STAT_CPU] : -1,
		.user_ns = stat.value[STAT_UTIME] * tick_ns,
		.system_ns = stat.value[STAT_STIME] * tick_ns,
	};
	memcpy(ret->name, stat.name, sizeof(ret->name));
	if (host_read_text(text, sizeof(text), root, "/proc/%d/task/%d/schedstat", pid, tid) <= 0)
		return 0;
	p = host_scan_number(text, &ret->run_ns);
	if (p && *p == ' ')
		(void)host_scan_number(p + 1, &ret->wait_ns);
	return 0;
}

/* For each thread; ends when @each does not return 0. */
static int walk(const char *root, pid_t pid, int (*each)(pid_t tid, void *opaque), void *opaque)
{
	char path[HOST_PATH_MAX];
	const char *name;
	int ret = 0;
	GDir *dir;

	(void)g_snprintf(path, sizeof(path), "%s/proc/%d/task", root, pid);
	dir = g_dir_open(path, 0, NULL);
	if (!dir)
		return -ESRCH;
	while (ret == 0 && (name = g_dir_read_name(dir)) != NULL) {
		uint64_t tid;
		const char *end = host_scan_number(name, &tid);

		if (end && !*end && tid > 0 && tid <= INT32_MAX)
			ret = each((pid_t)tid, opaque);
	}
	g_dir_close(dir);
	return ret;
}

struct find_thread {
	const char *root, *name;
	pid_t pid, found;
};

static int find_one(pid_t tid, void *opaque)
{
	struct find_thread *f = opaque;
	char name[HOST_COMM_MAX + 8];

	host_read_text(name, sizeof(name), f->root, "/proc/%d/task/%d/comm", f->pid, tid);
	if (strcmp(name, f->name) != 0)
		return 0;
	f->found = tid;
	return 1;
}

pid_t host_thread_named(const char *root, pid_t pid, const char *name)
{
	struct find_thread f = { .root = root, .name = name, .pid = pid };
	int ret = walk(root, pid, find_one, &f);

	return ret == 1 ? f.found : -ESRCH;
}

int host_process_open(const char *root, pid_t pid, uint64_t start)
{
	struct host_process process;
	autofd int fd = -1;
	int err;

	if (pid <= 0)
		return -ESRCH;
	fd = sys_pidfd_open(pid);
	if (fd < 0)
		return fd;
	if (!start)
		return fd_steal(&fd);
	/* Whoever has the number now is whom the descriptor stands for, or has ended. */
	err = host_process(root, pid, &process);
	if (err)
		return err;
	return process.start == start && !host_process_ended(fd) ? fd_steal(&fd) : -ESRCH;
}

bool host_process_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return sys_poll(&p, 1, 0) > 0;
}

int host_pin_thread(pid_t tid, const uint8_t *map, size_t len)
{
	return sys_set_affinity(tid, map, len);
}
