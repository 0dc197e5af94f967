/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process.c - a process that is watched, whether or not it is our child
 */
#include "daemon/process.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/wait.h>
#include <time.h>

#include "base/error.h"
#include "base/sys.h"
#include "host/process.h"

struct process {
	int pid, fd;
	uint64_t start;
	guint source;
	void (*ended)(void *opaque);
	void *opaque;
};

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
	autofd int fd = host_process_open("", pid, start);
	struct host_process now = { 0 };
	struct process *process;

	if (fd < 0) {
		if (fd == -ESRCH)
			not_found(pid, error);
		else
			error_sys(error, fd, "cannot watch process %d", pid);
		return NULL;
	}
	/* One that has ended meanwhile is told of by its descriptor. */
	(void)host_process("", pid, &now);
	process = g_new(struct process, 1);
	*process = (struct process){ .pid = pid,
				     .fd = fd_steal(&fd),
				     .start = start ? start : now.start,
				     .ended = ended,
				     .opaque = opaque };
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
	return host_process_ended(process->fd);
}

bool process_signal(const struct process *process, int sig, GError **error)
{
	const int r = sys_pidfd_signal(process->fd, sig);

	if (r >= 0)
		return true;
	return error_sys(error, r, "cannot send signal %d to process %d", sig, process->pid);
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
	struct host_process now;

	if (host_process("", process->pid, &now) < 0 || now.start != process->start)
		return false;
	*ret = (struct process_usage){
		.cpu_ns = cpu_time(process->pid),
		.user_ns = now.user_ns,
		.system_ns = now.system_ns,
		.rss_kib = now.rss_kib,
	};
	return true;
}

bool process_thread_usage(const struct process *process, int tid, struct process_thread_usage *ret)
{
	struct host_thread now;

	if (host_thread("", process->pid, tid, &now) < 0)
		return false;
	*ret = (struct process_thread_usage){ .time_ns = now.run_ns,
					      .wait_ns = now.wait_ns,
					      .host_cpu = now.cpu };
	return true;
}
