/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-dnsmasq.c - the process that gives addresses and names to a network's guests
 *
 * It has written its pid file when it answers; if it ends before, the last line of its log is why. It is
 * no part of the daemon: it is found again by number and start time, and watched by a pidfd.
 */
#include "daemon/network-dnsmasq.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/folders.h"
#include "daemon/process.h"
#include "daemon/runner-spawn.h"
#include "model/network.h"

enum {
	READY_MS = 10000,
	LOOK_MS = 10,
	AGAIN_MS = 500, /* before the next start, and twice that behind each failure ... */
	AGAIN_MAX_MS = 30000,
	WELL_S = 60,  /* ... until it has run for so long */
	END_MS = 100, /* nobody else is served meanwhile */
	LOG_MAX = 1024 * 1024,
};

struct dnsmasq {
	struct dnsmasq_places places; /* our own copies */
	char *name;                   /* the network's bridge, for messages */
	char *config;                 /* the text that it runs with */
	struct process *process;
	gint64 since; /* monotonic, of its start */
	guint look, again;
	unsigned again_ms, waited_ms;
	void (*ready)(void *opaque, const GError *error);
	void (*changed)(void *opaque);
	void *opaque;
};

/* == Files == */

static char *path_of(const struct dnsmasq *d, const char *name)
{
	return g_build_filename(d->places.folder, name, NULL);
}

/* It reads them again as another user than we are. */
static bool write_file(const struct dnsmasq *d, const char *name, const char *text, GError **error)
{
	g_autofree char *path = path_of(d, name), *fresh = g_strconcat(path, ".new", NULL);
	autofd int fd = -1;
	ssize_t n;
	int r;

	(void)sys_unlink(fresh);
	fd = sys_open(fresh, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return error_sys(error, fd, "cannot write '%s'", fresh);
	n = sys_write_full(fd, text, strlen(text));
	r = n < 0 ? (int)n : sys_chmod(fresh, 0644);
	if (r >= 0)
		r = sys_rename(fresh, path);
	if (r < 0)
		(void)sys_unlink(fresh);
	return r >= 0 || error_sys(error, r, "cannot write '%s'", path);
}

static bool write_files(struct dnsmasq *d, const struct network *network, GError **error)
{
	g_autofree char *hosts = dnsmasq_hosts(network), *names = dnsmasq_names(network);
	g_autofree char *leases = g_path_get_dirname(d->places.leases);
	g_autofree char *config = dnsmasq_config(network, &d->places);

	if (!folders_make(d->places.folder, 0755, error) || !folders_make(leases, 0755, error) ||
	    !write_file(d, "hosts", hosts, error) || !write_file(d, "names", names, error) ||
	    !write_file(d, "dnsmasq.conf", config, error))
		return false;
	g_free(d->config);
	d->config = g_steal_pointer(&config);
	return true;
}

/* The last line that it has said, for g_free(). */
static char *last_words(const struct dnsmasq *d)
{
	g_autofree char *path = path_of(d, "log"), *text = NULL;
	char *line;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return g_strdup("it said nothing");
	g_strchomp(text);
	line = strrchr(text, '\n');
	line = g_utf8_make_valid(line ? line + 1 : text, -1);
	return *line ? line : g_strdup("it said nothing");
}

/* == The process == */

static void stop_timers(struct dnsmasq *d)
{
	guint *const timers[] = { &d->look, &d->again };

	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		if (*timers[i])
			g_source_remove(*timers[i]);
		*timers[i] = 0;
	}
}

static bool start(struct dnsmasq *d, GError **error);

/* May free @d. */
static void tell_ready(struct dnsmasq *d, const GError *error)
{
	void (*ready)(void *opaque, const GError *error) = d->ready;

	d->ready = NULL;
	if (ready)
		ready(d->opaque, error);
}

static gboolean on_again(gpointer opaque);

/* A network that is there is not left without it. */
static void start_later(struct dnsmasq *d)
{
	d->again_ms = CLAMP(d->again_ms * 2, AGAIN_MS, AGAIN_MAX_MS);
	d->again = g_timeout_add(d->again_ms, on_again, d);
}

static gboolean on_again(gpointer opaque)
{
	struct dnsmasq *d = opaque;
	g_autoptr(GError) error = NULL;

	d->again = 0;
	if (!start(d, &error)) {
		log_warning("dnsmasq of '%s' cannot be started: %s", d->name, error->message);
		start_later(d);
	}
	return G_SOURCE_REMOVE;
}

static void on_ended(void *opaque)
{
	struct dnsmasq *d = opaque;
	g_autofree char *words = last_words(d);
	const bool well = g_get_monotonic_time() - d->since > (gint64)WELL_S * G_USEC_PER_SEC;
	int status;

	stop_timers(d);
	(void)process_status(d->process, &status);
	g_clear_pointer(&d->process, process_free);
	if (d->ready) {
		g_autoptr(GError) error = NULL;

		error_set(
			&error, SOCLE_ERROR_FAILED, "dnsmasq ends at once: %s%s", words,
			strstr(words, "in use")
				? "; another program answers all of this host's interfaces, which "
				  "'ss -lnptu' shows: let it listen on its own ones only"
				: "");
		tell_ready(d, error);
		return;
	}
	/* The first time it is no use to wait. */
	d->again_ms = well || !d->again_ms ? 0 : MIN(d->again_ms * 2, AGAIN_MAX_MS);
	log_warning("dnsmasq of '%s' has ended (%s), and is started again", d->name, words);
	d->again = g_timeout_add(d->again_ms, on_again, d);
	d->again_ms = MAX(d->again_ms, AGAIN_MS);
}

/* Its pid file: it answers. */
static gboolean on_look(gpointer opaque)
{
	struct dnsmasq *d = opaque;
	g_autofree char *path = path_of(d, "pid");
	g_autoptr(GError) error = NULL;

	d->waited_ms += LOOK_MS;
	if (g_file_test(path, G_FILE_TEST_EXISTS)) {
		d->look = 0;
		tell_ready(d, NULL);
		return G_SOURCE_REMOVE;
	}
	if (d->waited_ms < READY_MS)
		return G_SOURCE_CONTINUE;
	d->look = 0;
	error_set(&error, SOCLE_ERROR_FAILED, "dnsmasq does not say within %d s that it is ready",
		  READY_MS / 1000);
	tell_ready(d, error);
	return G_SOURCE_REMOVE;
}

static int open_log(const struct dnsmasq *d, GError **error)
{
	g_autofree char *path = path_of(d, "log");
	struct stat st;
	int fd;

	if (sys_stat(path, &st) == 0 && st.st_size > LOG_MAX)
		(void)sys_unlink(path);
	fd = sys_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
	if (fd < 0)
		error_sys(error, fd, "cannot write '%s'", path);
	return fd;
}

static bool start(struct dnsmasq *d, GError **error)
{
	g_autofree char *config =
		g_strconcat("--conf-file=", d->places.folder, "/dnsmasq.conf", NULL);
	g_autofree char *pid_file = path_of(d, "pid");
	char *const argv[] = { (char *)(uintptr_t)d->places.program, config,
			       (char *)(uintptr_t) "--keep-in-foreground", NULL };
	autofd int log = open_log(d, error);
	struct spawn what = { .argv = argv, .dir = d->places.folder, .log = log };
	int pid;

	if (log < 0)
		return false;
	(void)sys_unlink(pid_file);
	pid = spawn(&what, error);
	if (pid < 0)
		return false;
	d->since = g_get_monotonic_time();
	d->waited_ms = 0;
	d->process = process_open(pid, 0, on_ended, d, error);
	if (!d->process) {
		/* One that is not watched is not to be there. */
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return false;
	}
	d->look = g_timeout_add(LOOK_MS, on_look, d);
	if (d->changed)
		d->changed(d->opaque);
	return true;
}

static struct dnsmasq *make(const struct network *network, const struct dnsmasq_places *places,
			    void (*changed)(void *opaque), void *opaque)
{
	struct dnsmasq *d = g_new0(struct dnsmasq, 1);

	d->places = (struct dnsmasq_places){ g_strdup(places->program), g_strdup(places->folder),
					     g_strdup(places->leases), g_strdup(places->user) };
	d->name = g_strdup(network->bridge.name);
	d->changed = changed;
	d->opaque = opaque;
	return d;
}

static bool check_program(const struct dnsmasq_places *places, GError **error)
{
	return places->program ||
	       error_set(error, SOCLE_ERROR_NOT_FOUND,
			 "there is no program 'dnsmasq' for its addresses and names; install the "
			 "package dnsmasq-base");
}

struct dnsmasq *dnsmasq_new(const struct network *network, const struct dnsmasq_places *places,
			    void (*ready)(void *opaque, const GError *error),
			    void (*changed)(void *opaque), void *opaque, GError **error)
{
	struct dnsmasq *d;

	if (!check_program(places, error))
		return NULL;
	d = make(network, places, changed, opaque);
	d->ready = ready;
	if (write_files(d, network, error) && start(d, error))
		return d;
	/* With its files, and before anybody is told of it. */
	d->ready = NULL;
	dnsmasq_end(d);
	return NULL;
}

/* One whose start no daemon has seen the end of, by the file that it was started with; 0: there is none. */
static int orphan(const struct dnsmasq *d)
{
	g_autofree char *word =
		g_strconcat("--conf-file=", d->places.folder, "/dnsmasq.conf", NULL);
	g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename("/proc", name, "cmdline", NULL);
		g_autofree char *line = NULL;
		size_t len;

		if (g_ascii_isdigit(*name) && g_file_get_contents(path, &line, &len, NULL) &&
		    memmem(line, len, word, strlen(word) + 1))
			return (int)g_ascii_strtoll(name, NULL, 10);
	}
	return 0;
}

struct dnsmasq *dnsmasq_find(const struct network *network, const struct dnsmasq_places *places,
			     int pid, uint64_t start_time, void (*changed)(void *opaque),
			     void *opaque)
{
	struct dnsmasq *d = make(network, places, changed, opaque);
	g_autoptr(GError) error = NULL;

	d->since = g_get_monotonic_time();
	d->config = dnsmasq_config(network, &d->places);
	if (pid > 1 && start_time)
		d->process = process_open(pid, start_time, on_ended, d, NULL);
	if (!d->process) {
		pid = orphan(d);
		d->process = pid ? process_open(pid, 0, on_ended, d, NULL) : NULL;
	}
	if (d->process)
		return d;
	log_info("dnsmasq of '%s' has ended while there was no daemon, and is started again",
		 d->name);
	if (!check_program(places, &error) || !write_files(d, network, &error) ||
	    !start(d, &error)) {
		log_warning("dnsmasq of '%s' cannot be started: %s", d->name, error->message);
		start_later(d);
	}
	return d;
}

static void signal_and_wait(struct dnsmasq *d, int number)
{
	if (!process_signal(d->process, number, NULL))
		return;
	for (unsigned i = 0; i < END_MS && !process_ended(d->process); i++)
		g_usleep(1000);
}

/* It takes some ms. One that takes longer is killed: leases are in their file already, and there is nothing else. */
static void end_process(struct dnsmasq *d)
{
	if (!d->process)
		return;
	signal_and_wait(d, SIGTERM);
	if (!process_ended(d->process))
		signal_and_wait(d, SIGKILL);
	(void)process_status(d->process, &(int){ 0 });
	g_clear_pointer(&d->process, process_free);
}

bool dnsmasq_restart(struct dnsmasq *d, GError **error)
{
	stop_timers(d);
	end_process(d);
	if (start(d, error))
		return true;
	start_later(d);
	return false;
}

bool dnsmasq_update(struct dnsmasq *d, const struct network *network, GError **error)
{
	g_autofree char *before = g_strdup(d->config);

	if (!write_files(d, network, error))
		return false;
	if (!strcmp(before, d->config) && d->process)
		return process_signal(d->process, SIGHUP, error);
	return dnsmasq_restart(d, error);
}

bool dnsmasq_process(const struct dnsmasq *d, int *ret_pid, uint64_t *ret_start)
{
	if (!d || !d->process)
		return false;
	*ret_pid = process_pid(d->process);
	*ret_start = process_start(d->process);
	return true;
}

void dnsmasq_end(struct dnsmasq *d)
{
	static const char *const names[] = { "dnsmasq.conf", "hosts", "names", "pid", "log" };

	if (!d)
		return;
	stop_timers(d);
	end_process(d);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		g_autofree char *path = path_of(d, names[i]);

		(void)sys_unlink(path);
	}
	(void)sys_rmdir(d->places.folder);
	dnsmasq_free(d);
}

void dnsmasq_free(struct dnsmasq *d)
{
	if (!d)
		return;
	stop_timers(d);
	process_free(d->process);
	g_free((char *)(uintptr_t)d->places.program);
	g_free((char *)(uintptr_t)d->places.folder);
	g_free((char *)(uintptr_t)d->places.leases);
	g_free((char *)(uintptr_t)d->places.user);
	g_free(d->name);
	g_free(d->config);
	g_free(d);
}
