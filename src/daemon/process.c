/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process.c - a process that is watched, whether or not it is our child
 */
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/error.h"
#include "base/sys.h"

/* Of /proc/PID/stat, behind the name in brackets. */
enum {
	STAT_USER = 11,
	STAT_SYSTEM = 12,
	STAT_START = 19,
	STAT_CPU = 36,
	STAT_FIELDS = 37,
};

struct process {
	int pid, fd;
	uint64_t start;
	guint source;
	void (*ended)(void *opaque);
	void *opaque;
};

/* A small file of /proc; false: its process is gone. */
static bool read_text(const char *path, char *buf, size_t size)
{
	autofd int fd = sys_open(path, O_RDONLY, 0);
	ssize_t n = fd < 0 ? fd : sys_read_full(fd, buf, size - 1);

	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

static bool read_stat(const char *path, uint64_t fields[STAT_FIELDS])
{
	char text[1024], *p;

	/* The name may have spaces and brackets, so the last bracket counts. */
	if (!read_text(path, text, sizeof(text)))
		return false;
	p = strrchr(text, ')');
	if (!p || strlen(p) < 4)
		return false;
	p += 3; /* the state, a letter, is no number */
	for (unsigned i = 1; i < STAT_FIELDS; i++) {
		char *end;

		fields[i] = strtoull(p, &end, 10);
		if (end == p)
			return false;
		p = end;
	}
	return true;
}

static uint64_t start_time(int pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
	uint64_t fields[STAT_FIELDS] = { 0 };

	return read_stat(path, fields) ? fields[STAT_START] : 0;
}

static gboolean on_ended(gint fd, GIOCondition condition, gpointer opaque)
{
	struct process *process = opaque;

	(void)fd;
	(void)condition;
	process->source = 0;
	process->ended(process->opaque);
	return G_SOURCE_REMOVE;
}

static bool not_found(int pid, GError **error)
{
	return error_set(error, SOCLE_ERROR_NOT_FOUND, "process %d has ended", pid);
}

struct process *process_open(int pid, uint64_t start, void (*ended)(void *opaque), void *opaque,
			     GError **error)
{
	autofd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct process *process;
	uint64_t now;
	int r;

	if (fd < 0) {
		r = sys_last_error();
		if (r == -ESRCH)
			not_found(pid, error);
		else
			error_sys(error, r, "cannot watch process %d", pid);
		return NULL;
	}
	/* Behind pidfd_open(): what is read belongs to what the descriptor stands for, or has ended. */
	now = start_time(pid);
	if (start && now != start) {
		not_found(pid, error);
		return NULL;
	}
	process = g_new(struct process, 1);
	*process = (struct process){
		.pid = pid, .fd = fd_steal(&fd), .start = now, .ended = ended, .opaque = opaque
	};
	process->source = g_unix_fd_add(process->fd, G_IO_IN, on_ended, process);
	return process;
}

void process_free(struct process *process)
{
	if (!process)
		return;
	if (process->source)
		g_source_remove(process->source);
	fd_autoclose(&process->fd);
	g_free(process);
}

int process_pid(const struct process *process)
{
	return process->pid;
}

uint64_t process_start(const struct process *process)
{
	return process->start;
}

bool process_ended(const struct process *process)
{
	struct pollfd p = { .fd = process->fd, .events = POLLIN };

	return sys_poll(&p, 1, 0) > 0;
}

bool process_signal(const struct process *process, int sig, GError **error)
{
	if (syscall(SYS_pidfd_send_signal, process->fd, sig, NULL, 0) == 0)
		return true;
	return error_sys(error, sys_last_error(), "cannot send signal %d to process %d", sig,
			 process->pid);
}

enum process_end process_status(struct process *process, int *ret)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PIDFD, (id_t)process->fd, &info, WEXITED | WNOHANG) < 0 || !info.si_pid)
		return PROCESS_UNKNOWN;
	*ret = info.si_status;
	return info.si_code == CLD_EXITED ? PROCESS_EXITED : PROCESS_KILLED;
}

/* The kernel counts ticks here, but nanoseconds for the whole. */
static uint64_t cpu_time(int pid)
{
	struct timespec spec;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &spec) < 0)
		return 0;
	return (uint64_t)spec.tv_sec * 1000000000 + (uint64_t)spec.tv_nsec;
}

bool process_usage(const struct process *process, struct process_usage *ret)
{
	const uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	g_autofree char *stat = g_strdup_printf("/proc/%d/stat", process->pid);
	g_autofree char *statm = g_strdup_printf("/proc/%d/statm", process->pid);
	uint64_t fields[STAT_FIELDS] = { 0 }, pages = 0;
	char text[128];

	if (!read_stat(stat, fields) || fields[STAT_START] != process->start ||
	    !read_text(statm, text, sizeof(text)) || sscanf(text, "%*u %" SCNu64, &pages) != 1)
		return false;
	*ret = (struct process_usage){
		.cpu_ns = cpu_time(process->pid),
		.user_ns = fields[STAT_USER] * tick,
		.system_ns = fields[STAT_SYSTEM] * tick,
		.rss_kib = pages * ((uint64_t)sysconf(_SC_PAGESIZE) / 1024),
	};
	return true;
}

bool process_thread_usage(const struct process *process, int tid, struct process_thread_usage *ret)
{
	g_autofree char *stat = g_strdup_printf("/proc/%d/task/%d/stat", process->pid, tid);
	g_autofree char *sched = g_strdup_printf("/proc/%d/task/%d/schedstat", process->pid, tid);
	uint64_t fields[STAT_FIELDS] = { 0 }, run = 0, wait = 0;
	char text[128];

	if (!read_stat(stat, fields) || !read_text(sched, text, sizeof(text)) ||
	    sscanf(text, "%" SCNu64 " %" SCNu64, &run, &wait) != 2)
		return false;
	*ret = (struct process_thread_usage){ .time_ns = run,
					      .wait_ns = wait,
					      .host_cpu = (int)fields[STAT_CPU] };
	return true;
}
