/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c - where socled is, that of this user's session or of the system, and starting the former
 *
 * Standard error of a daemon that starts is a pipe to us, until it listens: if it does not, it has said
 * there why. It may also have found another one that somebody else has just started; so the end of one
 * is not the end of hope.
 */
#include "base/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/program.h"
#include "base/sys.h"
#include "base/unix-connect.h"

enum {
	PATIENCE_MS = 10000, /* for a daemon that has been started */
	REST_MS = 3000,      /* for another one, when ours has ended */
	PAUSE_MS = 20,       /* between two looks at the socket */
	SAID_MAX = 1024,     /* bytes of what it says that are kept */
};

static bool is_ours(const char *dir)
{
	struct stat st;

	return sys_stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

char *session_runtime_dir(bool session)
{
	const char *given = g_getenv("XDG_RUNTIME_DIR");
	g_autofree char *usual = g_strdup_printf("/run/user/%u", (unsigned)geteuid());
	struct stat st;

	if (!session)
		return g_strdup("/run");
	/* One that is not there can still be made. */
	if (given && *given && (is_ours(given) || sys_stat(given, &st) < 0))
		return g_strdup(given);
	return is_ours(usual) ? g_steal_pointer(&usual) : g_strdup(g_get_user_cache_dir());
}

char *session_socket(bool session, bool readonly)
{
	g_autofree char *dir = session_runtime_dir(session);

	return g_strdup_printf("%s/socle/socled-sock%s", dir, readonly && !session ? "-ro" : "");
}

char *session_program(void)
{
	const char *given = g_getenv("SOCLED_PATH");

	return given && *given ? g_strdup(given) : program_find("socled");
}

/* [the new process] Away from the terminal, so that its Ctrl-C is not the daemon's. */
static void leave_terminal(void *opaque)
{
	(void)opaque;
	(void)setsid();
}

/* Return: the end of a pipe that has what it says; -1 on failure. */
static int spawn(const char *program, GError **error)
{
	const char *const words[] = { program, "--session", NULL };
	autofd int ours = -1, theirs = -1, null = sys_open("/dev/null", O_RDWR, 0);
	int fds[2], r = null < 0 ? null : sys_pipe(fds, 0);

	if (r < 0) {
		error_sys(error, r, "cannot start '%s'", program);
		return -1;
	}
	ours = fds[0];
	theirs = fds[1];
	/* GLib puts a process between: the daemon is nobody's child, and nobody waits for its end. */
	if (!g_spawn_async_with_pipes_and_fds("/", words, NULL, G_SPAWN_DEFAULT, leave_terminal,
					      NULL, null, null, theirs, NULL, NULL, 0, NULL, NULL,
					      NULL, NULL, error)) {
		g_prefix_error(error, "cannot start the daemon of the session: ");
		return -1;
	}
	return fd_steal(&ours);
}

/* Wait a moment, or until something is said. False: it has ended. */
static bool listen_to(int said, GString *text)
{
	struct pollfd poll_fd = { .fd = said, .events = POLLIN };
	char buf[SAID_MAX];
	ssize_t n;

	if (sys_poll(&poll_fd, 1, PAUSE_MS) <= 0)
		return true;
	n = sys_read(said, buf, sizeof(buf));
	if (n <= 0)
		return false;
	g_string_append_len(text, buf, n);
	if (text->len > SAID_MAX)
		g_string_erase(text, 0, (gssize)(text->len - SAID_MAX));
	return true;
}

/* The last line, without the name of the program. */
static const char *last_line(GString *text)
{
	const char *line;

	g_strchomp(text->str);
	line = strrchr(text->str, '\n');
	line = line ? line + 1 : text->str;
	return g_str_has_prefix(line, "socled: ") ? line + strlen("socled: ") : line;
}

/* Return: the descriptor, or -errno of the last attempt; what it said stands in @text. */
static int wait_for(const char *socket, int said, uint64_t until, GString *text)
{
	bool lives = true;
	int fd;

	for (;;) {
		fd = unix_connect(socket, 0);
		if (fd >= 0 || sys_monotonic_ns() >= until)
			return fd;
		if (!lives) {
			(void)sys_poll(NULL, 0, PAUSE_MS);
		} else if (!listen_to(said, text)) {
			lives = false;
			until = MIN(until, sys_monotonic_ns() + REST_MS * UINT64_C(1000000));
		}
	}
}

int session_start(const char *socket, uint64_t deadline, GError **error)
{
	uint64_t until = MIN(deadline, sys_monotonic_ns() + PATIENCE_MS * UINT64_C(1000000));
	g_autofree char *program = session_program();
	g_autoptr(GString) text = g_string_new(NULL);
	autofd int said = -1;
	int fd;

	if (!program) {
		error_set(
			error, SOCLE_ERROR_NOT_FOUND,
			"no daemon is at '%s', and there is no program 'socled' to start: install "
			"it, set SOCLED_PATH, or name another daemon",
			socket);
		return -1;
	}
	said = spawn(program, error);
	if (said < 0)
		return -1;
	fd = wait_for(socket, said, until, text);
	if (fd >= 0)
		return fd;
	if (text->len)
		error_set(error, SOCLE_ERROR_FAILED,
			  "'%s --session' was started, but is not at '%s'; it says: %s", program,
			  socket, last_line(text));
	else
		error_sys(error, fd,
			  "'%s --session' was started, but is not at '%s': run it by hand "
			  "to see why",
			  program, socket);
	return -1;
}
