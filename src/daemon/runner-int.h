/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-int.h - a machine's process, for the files that implement machine_ops
 *
 * A runner lives from start() or find() until free(). Whatever waits for the process gets an error
 * before free() has returned, so a pointer to the runner in a callback of QMP is always good.
 *
 * Threads: main loop.
 */
#ifndef DAEMON_RUNNER_INT_H
#define DAEMON_RUNNER_INT_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "daemon/process.h"
#include "daemon/qmp-client.h"
#include "daemon/runner.h"
#include "manage/dom.h"
#include "model/domain.h"

enum {
	RUNNER_QUERY_MS = 500, /* a machine that does not answer within this is left out */
};

/* A block job that we have started, or found. */
struct runner_job {
	char *alias; /* of its disk, and the job's id */
	enum machine_block_job type;
	bool ready, cancelled;
	/* Of block_job_abort(): ends with the job. NULL: nobody waits. */
	struct task *abort;
	bool going_over;         /* without having been asked */
	bool of_snapshot;        /* it goes over by itself when nobody waits for it any more */
	struct merging *merging; /* of runner-merge.c: who waits for its end, or that it is ready */
};

/* What is known of the start goes into the machine's file; the guest runs behind that. */
struct runner_keeping {
	struct task task;
	struct runner *runner; /* NULL: it is gone */
};

struct runner {
	struct machine machine;
	const struct runner_config *config;
	char *dir, *monitor, *exit_file, *log;
	off_t log_from; /* where what this process said begins */
	struct process *process;
	int found_pid; /* whom find() looks for, until it is process */
	uint64_t found_start;
	guint watch_timer;
	struct runner_cgroup *cgroup;
	struct qmp_client *qmp; /* NULL: there is no connection, for now */
	guint connect_timer, log_timer, deadline, kill_timer;
	unsigned connect_ms; /* how long it waits before the next attempt */
	struct task *begin;  /* of start() or find(), until it has ended */
	unsigned begin_calls;
	GError *begin_error;
	bool finding, paused; /* start it so; or it is, as far as was told */
	bool begin_paused;
	bool standing;       /* it is paused by us, for a moment of which clients know nothing */
	bool found_standing; /* for the daemon before this one, which does not come back to it */
	GPtrArray *destroys; /* struct task, of destroy() */
	bool ended;
	int *tids; /* of the vCPUs */
	unsigned tid_count;
	uint64_t balloon;         /* bytes; 0: not known */
	GPtrArray *jobs;          /* struct runner_job */
	GPtrArray *grants;        /* paths of files that it may open because of us */
	GPtrArray *agents;        /* of runner-agent.c: what is asked of the guest's agent */
	GPtrArray *media;         /* of runner-medium.c: changes that wait for the guest */
	struct runner_dump *dump; /* NULL: it is not being dumped */
	char *left_dump;          /* an unfinished one of an earlier daemon, or NULL */
	guint changed_idle;
	struct runner_keeping *keeping; /* NULL: it is kept, or was not begun */
	bool ready;                     /* the monitor waits for that */
	int orphan;                     /* the pid file of a process that ends first; -1: none */
	long orphan_pid;
	unsigned orphan_ms; /* how long it has been waited for */
	guint orphan_timer;
	GQueue no_calls; /* that could not be made, and are to be told so */
	guint no_call_idle;
};

static inline struct runner *runner_of(struct machine *machine)
{
	return container_of(machine, struct runner, machine);
}

/* == runner.c == */

struct runner *runner_new(struct dom *dom);
void runner_free(struct machine *machine);
/* Is there a connection, so that an answer is one? */
bool runner_connected(const struct runner *runner);
/* A command whose answer ends @task. */
void runner_command(struct runner *runner, const char *command, json_t *args, struct task *task);
/* The same with an answer for @fn; an error at the next turn of the loop if there is no connection. */
void runner_call(struct runner *runner, const char *command, json_t *args, unsigned deadline_ms,
		 qmp_client_fn fn, void *opaque);
/* The machine gets a descriptor by this name, for the command that is called next. @fd is taken over. */
void runner_give_fd(struct runner *runner, const char *name, int fd);
/* machine_changed(), soon and once. */
void runner_changed(struct runner *runner);
/* The start or the finding has ended. With @error the runner is freed. */
void runner_begun(struct runner *runner, const GError *error);
struct domain_disk *runner_disk(struct runner *runner, const char *alias, unsigned *ret_index);
/* Whom the machine runs as. */
uid_t runner_uid(const struct runner *runner);
/* The alias of a disk of the live definition; NULL with @error. */
const char *runner_disk_alias(struct runner *runner, unsigned disk, GError **error);

/* == runner-monitor.c: the connection == */

/* Connect, as soon as it is possible; runner_started() or runner_found() follows. */
void runner_connect(struct runner *runner);
void runner_disconnect(struct runner *runner);

/* == runner-start.c, runner-find.c == */

struct machine *runner_start(struct dom *dom, unsigned flags, struct task *task);
struct machine *runner_find(struct dom *dom, const char *state, struct task *task);
char *runner_state(struct machine *machine);
/* Not begun, kept, or let go: whatever waits for the file does not any more. */
void runner_keeping_end(struct runner *runner);
/* The connection is there: ask what has to be known. */
void runner_started(struct runner *runner);
void runner_found(struct runner *runner);
void runner_look(struct runner *runner);
/* What a query has to tell in both cases; each counts in begin_calls. */
void runner_ask_basics(struct runner *runner);

/* == runner-end.c == */

/* The process has ended. */
void runner_on_ended(void *opaque);
void runner_destroy(struct machine *machine, bool graceful, struct task *task);
/* It has ended, and that is known: its folder goes. */
void runner_remove_files(const struct runner *runner);
/* How it ended, in a sentence for g_free(). */
char *runner_end_reason(struct runner *runner, enum machine_end *ret_end);

/* == runner-grant.c: files for a machine that runs as somebody else == */

/* Let it open a file, if it may not anyway. */
void runner_grant(struct runner *runner, const char *path, bool write);
void runner_grant_end(struct runner *runner, const char *path);
void runner_grants_end(struct runner *runner);
/* As a word of its state, for g_free(). */
char *runner_grants_format(const struct runner *runner);
void runner_grants_take(struct runner *runner, const char *text);

/* == runner-events.c == */

void runner_event(struct runner *runner, const char *name, const json_t *data);

/* == runner-power.c == */

void runner_pause(struct machine *machine, struct task *task);
void runner_resume(struct machine *machine, struct task *task);
void runner_shutdown(struct machine *machine, enum machine_shutdown how, struct task *task);
void runner_reboot(struct machine *machine, enum machine_shutdown how, struct task *task);
void runner_reset(struct machine *machine, struct task *task);
void runner_nmi(struct machine *machine, struct task *task);
void runner_set_memory(struct machine *machine, uint64_t kib, struct task *task);
void runner_tune(struct machine *machine, struct task *task);
void runner_monitor(struct machine *machine, const char *command, char **ret_answer,
		    struct task *task);

/* == runner-stats.c == */

void runner_query(struct machine *machine, unsigned what, struct machine_stats *stats,
		  struct task *task);

/* == runner-device.c == */

void runner_plug(struct machine *machine, struct domain *device, struct task *task);
void runner_unplug(struct machine *machine, const char *alias, struct task *task);
void runner_update(struct machine *machine, const char *alias, struct domain *device, bool force,
		   struct task *task);
/* What stood behind a device that is gone is taken away. */
void runner_unplugged(struct runner *runner, const char *alias);

/* == runner-medium.c == */

void runner_change_medium(struct runner *runner, const struct domain_disk *now,
			  struct domain_disk *disk, bool force, struct task *task);
void runner_media_end(struct runner *runner);

/* == runner-peek.c == */

void runner_memory_read(struct machine *machine, uint64_t address, bool is_virtual, void *buf,
			size_t len, struct task *task);
void runner_block_read(struct machine *machine, unsigned disk, uint64_t off, void *buf, size_t len,
		       struct task *task);
void runner_offline_block_read(struct dom *dom, unsigned disk, uint64_t off, void *buf, size_t len,
			       struct task *task);

/* == runner-dump.c == */

void runner_core_dump(struct machine *machine, const char *path, struct task *task);
void runner_core_dump_query(struct machine *machine, struct machine_dump_info *info,
			    struct task *task);
void runner_core_dump_abort(struct machine *machine, struct task *task);
void runner_dump_event(struct runner *runner, const json_t *data);
/* The connection is new: what has become of it? */
void runner_dump_look(struct runner *runner);
/* The machine is gone. */
void runner_dump_end(struct runner *runner);
/* The unfinished file, for runner_state(), escaped; g_free() it. The next daemon removes it. */
char *runner_dump_format(const struct runner *runner);
void runner_dump_take(struct runner *runner, const char *text);
/* What an earlier daemon has left of one. */
void runner_dump_remove_left(struct runner *runner);

/* == runner-job.c == */

void runner_block_threshold(struct machine *machine, unsigned disk, uint64_t bytes,
			    struct task *task);
void runner_block_resize(struct machine *machine, unsigned disk, uint64_t bytes, struct task *task);
void runner_job_start(struct machine *machine, const struct machine_block_job_spec *spec,
		      struct task *task);
void runner_job_query(struct machine *machine, unsigned disk, struct machine_block_job_info *info,
		      struct task *task);
void runner_job_abort(struct machine *machine, unsigned disk, bool pivot, struct task *task);
void runner_job_speed(struct machine *machine, unsigned disk, uint64_t bandwidth,
		      struct task *task);
struct runner_job *runner_job_find(struct runner *runner, const char *alias);
struct runner_job *runner_job_add(struct runner *runner, const char *alias,
				  enum machine_block_job type);
void runner_job_free(void *opaque);
void runner_job_event(struct runner *runner, const char *name, const json_t *data);
/* @jobs, @disks: the answers to query-block-jobs and query-block after the daemon was away. */
void runner_jobs_found(struct runner *runner, const json_t *jobs, const json_t *disks);
/* The live definition gets the images that disks have by now. True: something was changed. */
bool runner_images_found(struct runner *runner, const json_t *disks);

/* == runner-merge.c, runner-offline-merge.c == */

void runner_merge(struct machine *machine, struct machine_merge *merge, struct task *task);
void runner_merge_end(struct machine *machine, struct machine_merge *merge, bool go_over,
		      struct task *task);
/* One of its disks is done, or cannot be. */
void runner_merge_part(struct merging *merging, const GError *error);
/* A job is ready to go over. */
void runner_merge_ready(struct runner *runner, struct runner_job *job);
void runner_offline_merge(struct dom *dom, struct machine_merge *merge, struct task *task);
void runner_merge_discard(struct dom *dom, const struct machine_merge *merge);

/* == runner-snapshot.c, runner-offline.c == */

void runner_snapshot(struct machine *machine, const struct snapshot *snapshot, struct task *task);
void runner_offline_snapshot(struct dom *dom, const struct snapshot *snapshot, struct task *task);

/* == runner-lvm.c == */

/* Is it of disks that are on devices, which may be logical volumes? */
bool runner_lvm_wants(const struct domain *domain, const struct snapshot *snapshot);
void runner_lvm_snapshot(struct machine *machine, const struct snapshot *snapshot,
			 struct task *task);
void runner_lvm_offline_snapshot(struct dom *dom, const struct snapshot *snapshot,
				 struct task *task);
void runner_revert_check(struct dom *dom, const struct snapshot *snapshot, bool again,
			 struct task *task);
void runner_offline_revert(struct dom *dom, const struct snapshot *snapshot, bool again,
			   struct task *task);
void runner_snapshot_undo(struct dom *dom, const struct snapshot *snapshot, struct task *task);
void runner_snapshot_drop(struct dom *dom, const struct snapshot *snapshot, struct task *task);

/* == runner-graphics.c == */

/* The screen that is shown, of those the definition has, or NULL. */
struct domain_graphics *runner_vnc(struct domain *live);
/* What VNC clients come in by, -1: not by a socket of ours. The live definition says where it is. */
bool runner_open_vnc(struct domain *live, const char *dir, int *ret_fd, GError **error);
/* That of @graphics, which has one. */
void runner_set_password(struct runner *runner, const struct domain_graphics *graphics,
			 qmp_client_fn fn, void *opaque);
void runner_update_vnc(struct runner *runner, const struct domain_graphics *now,
		       const struct domain_graphics *next, struct task *task);

/* == runner-screen.c == */

void runner_send_keys(struct machine *machine, const unsigned *keys, unsigned count,
		      unsigned hold_ms, struct task *task);

void runner_screenshot(struct machine *machine, unsigned screen, int fd, const char **ret_mime,
		       struct task *task);
void runner_graphics(struct machine *machine, int fd, bool trusted, struct task *task);

/* == runner-console.c, runner-agent.c == */

int runner_console(struct machine *machine, const char *alias, GError **error);
/* Connect to a Unix socket of the machine, without waiting; -1 with @error. Behind it is a process of the
 * user whom machines run as, whatever the file has become. */
int runner_connect_unix(const struct runner *runner, const char *path, GError **error);
void runner_agent(struct machine *machine, const char *command, char **ret_answer,
		  struct task *task);
void runner_agents_end(struct runner *runner);
/* Is there a channel for the agent? Its path, or NULL. */
const char *runner_agent_path(const struct runner *runner);

#endif
