/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tool.c - programs of the host that do something once
 *
 * What they read and write is in memory files: nobody has to feed a pipe, and none can be full.
 */
#include "host/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "host/argv-int.h"

enum {
	OUTPUT_MAX = 4 << 20
};

char **argv_new(const char *first, ...)
{
	GPtrArray *words = g_ptr_array_new();
	va_list ap;

	va_start(ap, first);
	for (const char *word = first; word; word = va_arg(ap, const char *))
		g_ptr_array_add(words, g_strdup(word));
	va_end(ap);
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

static char *search_path(void)
{
	const char *path = g_getenv("PATH");

	return g_strconcat(path ? path : "/usr/bin:/bin", ":/usr/local/sbin:/usr/sbin:/sbin", NULL);
}

static char *find(const char *program)
{
	g_autofree char *path = search_path();
	g_auto(GStrv) folders = g_strsplit(path, ":", -1);

	for (unsigned i = 0; folders[i]; i++) {
		g_autofree char *file = g_build_filename(folders[i], program, NULL);

		if (folders[i][0] == '/' && g_file_test(file, G_FILE_TEST_IS_EXECUTABLE))
			return g_steal_pointer(&file);
	}
	return NULL;
}

bool host_tool_find(const char *program, const char *package, GError **error)
{
	g_autofree char *file = find(program);

	return file ||
	       error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "the program '%s' is missing; install the package %s", program, package);
}

static char *read_all(int fd)
{
	int64_t size = MIN(sys_file_size(fd), OUTPUT_MAX);
	char *text = g_malloc0((size_t)MAX(size, 0) + 1);

	if (size > 0 && sys_lseek(fd, 0, SEEK_SET) == 0)
		(void)sys_read_full(fd, text, (size_t)size);
	return text;
}

/* Programs of lvm2 end with where their manual is, mount with where the kernel's messages are. */
static bool says_nothing(char *line)
{
	return !*g_strstrip(line) || g_str_has_prefix(line, "Run `") ||
	       g_str_has_prefix(line, "dmesg(1) ");
}

/* The last line that says something, as part of a sentence. */
static char *reason(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	unsigned n = g_strv_length(lines);

	while (n > 0 && says_nothing(lines[n - 1]))
		n--;
	if (!n)
		return g_strdup("it does not say why");
	{
		char *valid = g_utf8_make_valid(lines[n - 1], -1);

		for (char *p = valid; *p; p++) {
			if (g_ascii_iscntrl(*p))
				*p = '?';
		}
		return valid;
	}
}

/* Our threads have signals blocked, which programs would inherit: nobody could end them. One that is
 * going to be ended has a group of its own, with its helpers. [child] */
static void prepare(void *opaque)
{
	const unsigned *limit_ms = opaque;
	sigset_t none;

	if (*limit_ms)
		(void)setpgid(0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Does it end within that? Without a descriptor of it we do not know, and wait for it. */
static bool ends_within(GPid pid, unsigned limit_ms)
{
	autofd int fd = sys_pidfd_open(pid);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd < 0 || poll(&p, 1, (int)limit_ms) != 0;
}

static int wait_for(GPid pid)
{
	int status = 0;

	/* No signal interrupts it: threads have them blocked. */
	return waitpid(pid, &status, 0) < 0 ? -1 : status;
}

static bool judge(int status, const char *program, int errors, GError **error)
{
	g_autofree char *said = NULL, *why = NULL;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	said = read_all(errors);
	why = reason(said);
	return error_set(error, SOCLE_ERROR_FAILED, "%s has failed: %.500s", program, why);
}

typedef char **tool_env;

/* Something in there may be a password. */
static void free_env(char **env)
{
	for (unsigned i = 0; env && env[i]; i++)
		explicit_bzero(env[i], strlen(env[i]));
	g_strfreev(env);
}

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(tool_env, free_env, NULL)

struct how {
	const char *const *more; /* in the environment, or NULL */
	const char *input;       /* or NULL */
	unsigned limit_ms;       /* 0: none */
	bool *ret_late;          /* if there is a limit */
};

static bool run(const char *const *argv, const struct how *how, char **ret_output, GError **error)
{
	g_autofree char *file = find(argv[0]), *path = search_path();
	g_auto(GStrv) words = g_strdupv((char **)(uintptr_t)argv);
	g_auto(tool_env) env = g_environ_setenv(g_get_environ(), "LC_ALL", "C", TRUE);
	autofd int in = sys_memfd("input"), out = -1, errors = -1;
	GPid pid;

	out = sys_memfd("output");
	errors = sys_memfd("errors");
	if (in < 0 || out < 0 || errors < 0)
		return error_sys(error,
				 in < 0    ? in
				 : out < 0 ? out
					   : errors,
				 "cannot run the program '%s'", argv[0]);
	if (how->input &&
	    (sys_write_full(in, how->input, strlen(how->input)) < 0 || sys_lseek(in, 0, SEEK_SET)))
		return error_set(error, SOCLE_ERROR_FAILED, "cannot run the program '%s'", argv[0]);
	if (!file)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "the program '%s' is missing; install the package it is in",
				 argv[0]);
	g_free(words[0]);
	words[0] = g_steal_pointer(&file);
	env = g_environ_setenv(env, "PATH", path, TRUE);
	for (unsigned i = 0; how->more && how->more[i]; i++) {
		g_autofree char *name = g_strndup(how->more[i], strcspn(how->more[i], "="));

		env = g_environ_setenv(env, name, how->more[i] + strlen(name) + 1, TRUE);
	}
	if (!g_spawn_async_with_fds("/", words, env, G_SPAWN_DO_NOT_REAP_CHILD, prepare,
				    (void *)(uintptr_t)&how->limit_ms, &pid, in, out, errors,
				    error))
		return false;
	if (how->limit_ms && !ends_within(pid, how->limit_ms)) {
		(void)kill(-pid, SIGKILL);
		(void)wait_for(pid);
		*how->ret_late = true;
		return error_set(error, SOCLE_ERROR_FAILED,
				 "%s was not done within %u s, and was ended", argv[0],
				 how->limit_ms / 1000);
	}
	if (!judge(wait_for(pid), argv[0], errors, error))
		return false;
	if (ret_output)
		*ret_output = read_all(out);
	return true;
}

bool host_tool_run(const char *const *argv, const char *input, char **ret_output, GError **error)
{
	return run(argv, &(struct how){ .input = input }, ret_output, error);
}

bool host_tool_run_within(const char *const *argv, unsigned limit_ms, bool *ret_late,
			  GError **error)
{
	*ret_late = false;
	return run(argv, &(struct how){ .limit_ms = limit_ms, .ret_late = ret_late }, NULL, error);
}

bool host_tool_run_env(const char *const *argv, const char *const *more, const char *input,
		       char **ret_output, GError **error)
{
	return run(argv, &(struct how){ .more = more, .input = input }, ret_output, error);
}
