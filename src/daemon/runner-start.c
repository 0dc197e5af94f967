/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-start.c - a machine begins
 *
 *	runner_start()    folder, log, control group, arguments, process
 *	on_ready          its monitor has said hello: all that can fail has not
 *	runner_started()  what only it knows is asked: names of ptys, threads of CPUs
 *	runner_begun()    the client hears of it
 *
 * If the process ends before, the last line of what it said is the reason. The guest does not run
 * before it is told to, which is behind the moment when the machine's state was given to be kept. So if
 * the daemon ends meanwhile, what is left is a process whose guest has not run yet, and the next
 * start of the machine ends it: its pid file tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/runner-args.h"
#include "daemon/runner-int.h"
#include "daemon/runner-spawn.h"
#include "daemon/runner-tap.h"
#include "host/process.h"
#include "manage/secret.h"

enum {
	START_MS = 30000,
	ORPHAN_MS = 2000,
	ORPHAN_LOOK_MS = 2,
};

static bool make_folder(const char *path, int mode, GError **error)
{
	if (g_mkdir_with_parents(path, mode) < 0)
		return error_sys(error, sys_last_error(), "cannot create folder '%s'", path);
	return true;
}

/* A folder that is the machine's own. */
static bool make_folders(struct runner *runner, GError **error)
{
	const struct runner_config *config = runner->config;
	int r;

	if (!make_folder(config->run_dir, 0711, error) ||
	    !make_folder(config->log_dir, 0700, error) || !make_folder(runner->dir, 0700, error))
		return false;
	r = sys_chmod(runner->dir, 0700);
	if (r >= 0 && config->uid)
		r = sys_chown(runner->dir, config->uid, config->gid);
	if (r < 0)
		return error_sys(error, r, "cannot make '%s' the machine's own", runner->dir);
	return true;
}

/* A vCPU has a thread once the guest may run. */
bool runner_guest_has_run(long pid)
{
	return host_thread_named("", (pid_t)pid, "vcpu0") > 0;
}

/* The file is in a folder of the machine, which may have written anything there. */
static bool is_ours(const struct runner *runner, long pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%ld", pid);
	struct stat st;

	return pid > 1 && pid <= INT_MAX && sys_stat(path, &st) == 0 &&
	       st.st_uid == runner_uid(runner);
}

/*
 * The process of a start that no daemon has seen the end of. It has a lock on its pid file, which stays
 * open in orphan until it has ended.
 */
static bool end_orphan(struct runner *runner, GError **error)
{
	g_autofree char *path = g_build_filename(runner->dir, "pid", NULL);
	autofd int fd = sys_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	char text[16] = "";
	long pid;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (sys_read_full(fd, text, sizeof(text) - 1) <= 0)
		return true;
	pid = strtol(text, NULL, 10);
	if (!is_ours(runner, pid))
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "'%s' names process %ld, which is no machine; remove the folder",
				 path, pid);
	if (runner_guest_has_run(pid))
		return error_set(
			error, SOCLE_ERROR_BUSY,
			"the machine runs already, as process %ld, which this daemon does not "
			"know; shut its guest down, or 'kill %ld'",
			pid, pid);
	machine_log_say(runner->log, "ending process %ld, whose start no daemon has waited for",
			pid);
	(void)kill((pid_t)pid, SIGKILL);
	runner->orphan = fd_steal(&fd);
	runner->orphan_pid = pid;
	return true;
}

static void add_path(GArray *paths, const char *path, bool write)
{
	const struct spawn_path one = { path, write };

	if (path && path[0] == '/')
		g_array_append_val(paths, one);
}

/* What the process has to open, to be told in good words if it may not. */
static GArray *paths_of(const struct domain *live)
{
	GArray *paths = g_array_new(FALSE, FALSE, sizeof(struct spawn_path));

	add_path(paths, live->os.kernel, false);
	add_path(paths, live->os.initrd, false);
	for (unsigned i = 0; i < live->devices.disk_count; i++) {
		const struct domain_disk *disk = &live->devices.disks[i];

		if (disk->info.fate != FATE_LEFT_OUT)
			add_path(paths, disk_path(disk), !disk->readonly && !disk->transient.set);
	}
	return paths;
}

static int run(struct runner *runner, char *const *argv, const GArray *fds, GError **error)
{
	const struct runner_config *config = runner->config;
	g_autoptr(GArray) paths = paths_of(runner->machine.dom->live);
	autofd int log = machine_log_open(runner->log, error);
	struct spawn what = {
		.argv = argv,
		.dir = runner->dir,
		.log = log,
		.fds = (const int *)(const void *)fds->data,
		.fd_count = fds->len,
		.uid = config->uid,
		.gid = config->gid,
		.paths = (const struct spawn_path *)(const void *)paths->data,
		.path_count = paths->len,
	};

	if (log < 0)
		return -1;
	for (unsigned i = 0; i < paths->len; i++)
		runner_grant(runner, what.paths[i].path, what.paths[i].write);
	machine_log_command(runner->log, argv);
	runner->log_from = machine_log_size(runner->log);
	return spawn(&what, error);
}

/* The process is only just beginning, so there is nothing yet that would count elsewhere. */
static bool open_cgroup(struct runner *runner, int pid, GError **error)
{
	const struct runner_config *config = runner->config;

	if (!config->cgroups)
		return true;
	runner->cgroup = config->cgroups->open(config->cgroups_opaque, runner->machine.dom, pid,
					       false, error);
	return runner->cgroup;
}

/* The start fails, for this reason, when the process has ended. */
static void fail(struct runner *runner, GError *why)
{
	if (runner->begin_error)
		g_error_free(why);
	else
		runner->begin_error = why;
	(void)process_signal(runner->process, SIGKILL, NULL);
}

static gboolean on_deadline(gpointer opaque)
{
	struct runner *runner = opaque;

	runner->deadline = 0;
	fail(runner, g_error_new(SOCLE_ERROR, SOCLE_ERROR_FAILED,
				 "the machine was not there in time, and was ended; its log '%s' "
				 "may say why",
				 runner->log));
	return G_SOURCE_REMOVE;
}

static void close_fd(void *fd)
{
	fd_autoclose(fd);
}

/* Taps of the cards, by their places, -1: none; @fds: those there are, which are closed with it. */
static int *open_taps(struct domain *live, GArray *fds, GError **error)
{
	struct domain_devices *d = &live->devices;
	g_autofree int *taps = g_new(int, d->interface_count + 1);

	for (unsigned i = 0; i < d->interface_count; i++) {
		taps[i] = -1;
		if (!tap_wanted(&d->interfaces[i]))
			continue;
		taps[i] = tap_open(&d->interfaces[i], error);
		if (taps[i] < 0)
			return NULL;
		g_array_append_val(fds, taps[i]);
	}
	return g_steal_pointer(&taps);
}

/* A file in memory that has the password of a disk's host; -1 with @error. */
static int open_secret(const struct node *node, const struct domain_disk *disk, GError **error)
{
	g_autofree char *of = g_strdup_printf("disk '%s'", disk->target.dev);
	g_autoptr(GBytes) password =
		node_password(node, disk_auth(disk), disk_is_ceph(disk), of, error);
	autofd int fd = -1;
	size_t len = 0;
	ssize_t n;

	if (!password)
		return -1;
	fd = sys_memfd("secret");
	n = fd < 0 ? fd : 0;
	if (fd >= 0) {
		const void *bytes = g_bytes_get_data(password, &len);

		n = sys_write_full(fd, bytes, len);
	}
	if (n < 0) {
		error_sys(error, (int)n, "cannot hand over the password of %s", of);
		return -1;
	}
	return fd_steal(&fd);
}

/* Of the disks, by their places, -1: none; as open_taps(). Nobody else can read them, and no file has them. */
static int *open_secrets(const struct dom *dom, GArray *fds, GError **error)
{
	const struct domain_devices *d = &dom->live->devices;
	g_autofree int *secrets = g_new(int, d->disk_count + 1);

	for (unsigned i = 0; i < d->disk_count; i++) {
		const struct domain_disk *disk = &d->disks[i];

		secrets[i] = -1;
		if (disk->type != DISK_NETWORK || !auth_is_set(disk_auth(disk)))
			continue;
		secrets[i] = open_secret(dom->node, disk, error);
		if (secrets[i] < 0)
			return NULL;
		g_array_append_val(fds, secrets[i]);
	}
	return g_steal_pointer(&secrets);
}

/* == Its file: a daemon that ends now is to be able to find it == */

void runner_keeping_end(struct runner *runner)
{
	if (runner->keeping)
		runner->keeping->runner = NULL;
	runner->keeping = NULL;
}

static void kept(struct task *task, const GError *error)
{
	g_autofree struct runner_keeping *keeping = container_of(task, struct runner_keeping, task);
	struct runner *runner = keeping->runner;

	if (!runner)
		return;
	runner->keeping = NULL;
	if (error)
		fail(runner, g_error_copy(error));
	else if (runner->ready)
		runner_started(runner);
}

static gboolean on_keep(gpointer opaque)
{
	struct runner_keeping *keeping = opaque;

	if (keeping->runner)
		machine_keep(keeping->runner->machine.dom, &keeping->task);
	else
		g_free(keeping);
	return G_SOURCE_REMOVE;
}

/* As soon as it can be: when start() has returned. */
static void keep(struct runner *runner)
{
	runner->keeping = g_new(struct runner_keeping, 1);
	*runner->keeping = (struct runner_keeping){ .task.end = kept, .runner = runner };
	g_idle_add_full(G_PRIORITY_DEFAULT, on_keep, runner->keeping, NULL);
}

/* == The process == */

static bool launch(struct runner *runner, GError **error)
{
	struct dom *dom = runner->machine.dom;
	const struct runner_config *config = runner->config;
	g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
	g_autofree int *taps = NULL, *secrets = NULL;
	int vnc_fd;
	g_autoptr(GError) why = NULL;
	struct runner_places places = {
		.program = config->program,
		.dir = runner->dir,
		.engine = config->engine,
		.paused = true,
	};
	g_auto(GStrv) argv = NULL;
	int pid;

	(void)sys_unlink(runner->exit_file);
	runner_produce(dom->live, runner->dir);
	g_array_set_clear_func(fds, close_fd);
	taps = open_taps(dom->live, fds, error);
	if (!taps)
		return false;
	places.taps = taps;
	secrets = open_secrets(dom, fds, error);
	if (!secrets)
		return false;
	places.secrets = secrets;
	if (!runner_open_vnc(dom->live, runner->dir, &vnc_fd, error))
		return false;
	places.vnc_fd = vnc_fd;
	if (vnc_fd >= 0)
		g_array_append_val(fds, vnc_fd);
	argv = runner_argv(dom->live, &places, error);
	if (!argv)
		return false;
	pid = run(runner, argv, fds, error);
	if (pid < 0) {
		runner_grants_end(runner);
		return false;
	}
	runner->process = process_open(pid, 0, runner_on_ended, runner, error);
	if (!runner->process) {
		/* Of a child that has only just begun nothing keeps us waiting. */
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		runner_grants_end(runner);
		return false;
	}
	runner->deadline =
		g_timeout_add(config->start_ms ? config->start_ms : START_MS, on_deadline, runner);
	runner_connect(runner);
	keep(runner);
	if (!open_cgroup(runner, pid, &why))
		fail(runner, g_steal_pointer(&why));
	return true;
}

static gboolean on_orphan(gpointer opaque)
{
	struct runner *runner = opaque;
	g_autoptr(GError) error = NULL;
	const bool ended = flock(runner->orphan, LOCK_EX | LOCK_NB) == 0;
	bool ok;

	runner->orphan_ms += ORPHAN_LOOK_MS;
	if (!ended && runner->orphan_ms < ORPHAN_MS)
		return G_SOURCE_CONTINUE;
	/* The lock is the next process's. */
	fd_autoclose(&runner->orphan);
	runner->orphan_timer = 0;
	if (ended)
		ok = launch(runner, &error);
	else
		ok = error_set(&error, SOCLE_ERROR_BUSY,
			       "process %ld of an earlier start of this machine does not end; look "
			       "what keeps it, and try again",
			       runner->orphan_pid);
	if (!ok)
		runner_begun(runner, error);
	return G_SOURCE_REMOVE;
}

static bool start(struct runner *runner, GError **error)
{
	if (!make_folders(runner, error))
		return false;
	machine_log_rotate(runner->log, &runner->config->log);
	if (!end_orphan(runner, error))
		return false;
	if (runner->orphan < 0)
		return launch(runner, error);
	runner->orphan_timer = g_timeout_add(ORPHAN_LOOK_MS, on_orphan, runner);
	return true;
}

struct machine *runner_start(struct dom *dom, unsigned flags, struct task *task)
{
	struct runner *runner = runner_new(dom);
	g_autoptr(GError) error = NULL;

	runner->begin = task;
	runner->paused = flags & MACHINE_START_PAUSED;
	if (start(runner, &error))
		return &runner->machine;
	for (unsigned i = 0; i < dom->live->devices.interface_count; i++)
		tap_remove(&dom->live->devices.interfaces[i]);
	runner_begun(runner, error);
	return NULL;
}

/* == What only the machine knows == */

static void asked(struct runner *runner)
{
	if (--runner->begin_calls)
		return;
	/* These were no answers: it begins anew with another connection, or the process has ended. */
	if (!runner_connected(runner))
		return;
	if (runner->begin && !runner->finding)
		runner_begun(runner, NULL);
	else
		runner_look(runner);
}

/* The terminal behind a port, as /dev/pts/N. */
static void give_tty(struct domain_char *chr, const char *path)
{
	if (chr->type != CHAR_PTY)
		return;
	g_free(chr->tty);
	chr->tty = g_strdup(path);
	if (!chr->source_count) {
		chr->sources = g_new0(struct char_source, 1);
		chr->source_count = 1;
	}
	g_free(chr->sources[0].path);
	chr->sources[0].path = g_strdup(path);
}

/* The port that socle-vm calls serial0, console0 ..., in the order of the command line. */
static void take_char(struct domain_devices *d, const char *label, const char *pty)
{
	unsigned n = 0;

	if (!strcmp(label, "serial0") && d->serial_count) {
		give_tty(&d->serials[0], pty);
		if (d->console_count && !g_strcmp0(d->consoles[0].target.type, "serial"))
			give_tty(&d->consoles[0], pty);
	}
	for (unsigned i = 0; i < d->console_count + d->channel_count; i++) {
		struct domain_char *chr =
			i < d->console_count ? &d->consoles[i] : &d->channels[i - d->console_count];
		g_autofree char *own = NULL;

		if (chr->info.fate == FATE_LEFT_OUT || g_strcmp0(chr->target.type, "virtio") != 0)
			continue;
		own = g_strdup_printf("console%u", n++);
		if (!strcmp(label, own))
			give_tty(chr, pty);
	}
}

/* "pty:/dev/pts/N": it is opened by us, so it is nothing else. */
static bool is_pty(const char *text)
{
	static const char prefix[] = "pty:/dev/pts/";
	const char *number = text + sizeof(prefix) - 1;

	return g_str_has_prefix(text, prefix) && *number && !number[strspn(number, "0123456789")];
}

static void on_chars(void *opaque, json_t *result, const GError *error)
{
	struct runner *runner = opaque;
	struct domain *live = runner->machine.dom->live;
	json_t *chr;
	size_t i;

	(void)error;
	json_array_foreach(result, i, chr)
	{
		const char *label = json_string_value(json_object_get(chr, "label"));
		const char *name = json_string_value(json_object_get(chr, "filename"));

		if (live && label && name && is_pty(name))
			take_char(&live->devices, label, name + strlen("pty:"));
	}
	asked(runner);
}

/* Whom the host does not let pin runs all the same. */
static void pin(struct runner *runner)
{
	const struct runner_cgroup_ops *ops = runner->config->cgroups;
	struct dom *dom = runner->machine.dom;
	g_autoptr(GError) error = NULL;

	if (runner->cgroup && dom->live && !runner->finding &&
	    !ops->pin(dom, process_pid(runner->process), runner->tids, runner->tid_count, &error))
		machine_log_say(runner->log, "running without pins: %s", error->message);
}

static void on_cpus(void *opaque, json_t *result, const GError *error)
{
	struct runner *runner = opaque;
	const unsigned count = (unsigned)MIN(json_array_size(result), DOMAIN_VCPUS_MAX);

	(void)error;
	if (count) {
		g_free(runner->tids);
		runner->tids = g_new0(int, count);
		runner->tid_count = count;
	}
	for (unsigned i = 0; i < count; i++)
		runner->tids[i] = (int)json_integer_value(
			json_object_get(json_array_get(result, i), "thread-id"));
	pin(runner);
	asked(runner);
}

static void on_balloon(void *opaque, json_t *result, const GError *error)
{
	struct runner *runner = opaque;

	(void)error;
	if (result)
		runner->balloon = (uint64_t)json_integer_value(json_object_get(result, "actual"));
	asked(runner);
}

static void on_link(void *opaque, json_t *result, const GError *error)
{
	(void)result;
	(void)error;
	asked(opaque);
}

static void on_cont(void *opaque, json_t *result, const GError *error)
{
	struct runner *runner = opaque;

	(void)result;
	/* Then the process ends, too. */
	if (error && !runner->begin_error)
		runner->begin_error = g_error_copy(error);
	asked(runner);
}

/* A cable that is not plugged in. */
static void set_links(struct runner *runner)
{
	const struct domain *live = runner->machine.dom->live;

	for (unsigned i = 0; live && i < live->devices.interface_count; i++) {
		const struct domain_interface *card = &live->devices.interfaces[i];

		if (card->link.state != LINK_DOWN)
			continue;
		runner->begin_calls++;
		runner_call(runner, "set_link",
			    json_pack("{s:s,s:b}", "name", card->info.alias.name, "up", 0), 0,
			    on_link, runner);
	}
}

/* Nobody comes in without it; if it is not taken, that is all. */
static void set_password(struct runner *runner)
{
	struct domain *live = runner->machine.dom->live;
	const struct domain_graphics *graphics = live ? runner_vnc(live) : NULL;

	if (!graphics || !graphics->passwd)
		return;
	runner->begin_calls++;
	runner_set_password(runner, graphics, on_link, runner);
}

void runner_ask_basics(struct runner *runner)
{
	runner->begin_calls += 3;
	runner_call(runner, "query-chardev", NULL, 0, on_chars, runner);
	runner_call(runner, "query-cpus-fast", NULL, 0, on_cpus, runner);
	runner_call(runner, "query-balloon", NULL, 0, on_balloon, runner);
}

void runner_started(struct runner *runner)
{
	runner->ready = true;
	if (runner->keeping)
		return;
	/* In this order: cables before the guest runs, CPUs behind that. */
	set_links(runner);
	set_password(runner);
	if (!runner->paused) {
		runner->begin_calls++;
		runner_call(runner, "cont", NULL, 0, on_cont, runner);
	}
	runner_ask_basics(runner);
}
