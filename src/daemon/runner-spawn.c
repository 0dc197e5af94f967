/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-spawn.c - start a program that is to outlive us, as somebody with fewer rights
 *
 * Between fork() and execve() the child has the locks of threads that it does not have, so it uses
 * nothing but system calls, on what was prepared before.
 */
#include "daemon/runner-spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/account.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"

enum {
	GROUPS_MAX = 64,
	FILES_MAX = 65536,
	EXIT_CANNOT_RUN = 127,
};

struct prepared {
	const struct spawn *what;
	char **env;
	int null;
	gid_t groups[GROUPS_MAX];
	int group_count;
	char user[16]; /* in figures */
};

/* == In the child == */

static void say(const char *text)
{
	(void)!sys_write(STDERR_FILENO, text, strlen(text));
}

static void __attribute__((noreturn)) give_up(const char *what, const char *path, int r)
{
	const char *reason = strerrordesc_np(-r);

	say("socle-vm: ");
	say(what);
	if (path) {
		say(" '");
		say(path);
		say("'");
	}
	say(": ");
	say(reason ? reason : "it failed");
	say("\n");
	_exit(EXIT_CANNOT_RUN);
}

/* Say which folder on the way to it, or which right of its own, is in the way. */
static void __attribute__((noreturn))
refuse(const struct prepared *p, const struct spawn_path *path)
{
	const int r = sys_last_error();
	static char part[4096]; /* the child has one thread */
	const char *slash = path->path;

	if (r != -EACCES)
		give_up(path->write ? "cannot read and write" : "cannot read", path->path, r);
	say("socle-vm: user ");
	say(p->user);
	say(path->write ? " may not read and write '" : " may not read '");
	say(path->path);
	say("'");
	while ((slash = strchr(slash + 1, '/'))) {
		const size_t len = (size_t)(slash - path->path);

		if (len >= sizeof(part))
			break;
		memcpy(part, path->path, len);
		part[len] = '\0';
		if (access(part, X_OK) < 0) {
			say(": folder '");
			say(part);
			say("' does not let it through; let it by chmod or setfacl, or move the "
			    "file\n");
			_exit(EXIT_CANNOT_RUN);
		}
	}
	say(": the file's own permissions, or a security module; change its owner or mode, or the "
	    "user that machines run as\n");
	_exit(EXIT_CANNOT_RUN);
}

static void drop_rights(const struct prepared *p)
{
	const struct spawn *what = p->what;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!what->uid)
		return;
	if (setgroups((size_t)p->group_count, p->groups) < 0 || setgid(what->gid) < 0 ||
	    setuid(what->uid) < 0)
		give_up("cannot become user", p->user, sys_last_error());
	for (unsigned i = 0; i < what->path_count; i++) {
		const int mode = what->paths[i].write ? R_OK | W_OK : R_OK;

		if (access(what->paths[i].path, mode) < 0)
			refuse(p, &what->paths[i]);
	}
}

static void set_limits(void)
{
	struct rlimit files;

	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = MIN(files.rlim_max, FILES_MAX);
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void reset_signals(void)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &usual, NULL);
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn)) child(const struct prepared *p)
{
	const struct spawn *what = p->what;

	reset_signals();
	(void)setsid();
	(void)dup2(p->null, STDIN_FILENO);
	(void)dup2(p->null, STDOUT_FILENO);
	(void)dup2(what->log, STDERR_FILENO);
	/* Whatever a library has opened without saying so. */
	(void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	for (unsigned i = 0; i < what->fd_count; i++)
		(void)fcntl(what->fds[i], F_SETFD, 0);
	(void)umask(0077);
	set_limits();
	drop_rights(p);
	if (chdir(what->dir) < 0)
		give_up("cannot go to", what->dir, sys_last_error());
	(void)execve(what->argv[0], what->argv, p->env);
	give_up("cannot run", what->argv[0], sys_last_error());
}

/* == In the daemon == */

/* What a machine may know of our environment. */
static char **make_env(void)
{
	static const char *const kept[] = { "PATH=",         "TMPDIR=",       "LANG=",
					    "LC_ALL=",       "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
					    "TSAN_OPTIONS=", "LSAN_OPTIONS=" };
	GPtrArray *env = g_ptr_array_new();

	for (char **e = environ; e && *e; e++) {
		for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
			if (g_str_has_prefix(*e, kept[i]))
				g_ptr_array_add(env, g_strdup(*e));
		}
	}
	g_ptr_array_add(env, NULL);
	return (char **)g_ptr_array_free(env, FALSE);
}

/* All groups of the user, for /dev/kvm. */
static void find_groups(struct prepared *p)
{
	g_autofree char *user = account_user_name(p->what->uid);

	p->group_count = GROUPS_MAX;
	if (!user || getgrouplist(user, p->what->gid, p->groups, &p->group_count) < 0) {
		p->groups[0] = p->what->gid;
		p->group_count = 1;
	}
}

int spawn(const struct spawn *what, GError **error)
{
	autofd int null = sys_open("/dev/null", O_RDWR, 0);
	g_auto(GStrv) env = make_env();
	struct prepared p = { .what = what, .env = env, .null = null };
	int pid;

	if (null < 0) {
		error_sys(error, null, "cannot open '/dev/null'");
		return -1;
	}
	g_snprintf(p.user, sizeof(p.user), "%u", (unsigned)(what->uid ? what->uid : getuid()));
	if (what->uid)
		find_groups(&p);
	pid = sys_fork();
	if (pid == 0)
		child(&p);
	if (pid < 0) {
		error_sys(error, pid, "cannot start '%s'", what->argv[0]);
		return -1;
	}
	return pid;
}
