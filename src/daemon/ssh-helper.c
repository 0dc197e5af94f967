/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ssh-helper.c - socle-ssh-helper: what libvirt's clients start over ssh, to be led to the daemon
 *
 * usage: socle-ssh-helper [-r] URI
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/session.h"
#include "base/sys.h"
#include "base/unix-connect.h"

static const char usage[] =
	"Usage: socle-ssh-helper [-r] URI\n"
	"Connect standard input and output to the daemon socled that URI leads to.\n\n"
	"  -r, --readonly   to the socket that may only read\n"
	"  --help           print this text\n"
	"  --version        print the version\n\n"
	"  qemu:///system   the daemon of this host\n"
	"  qemu:///session  that of this user, which is started if it does not run\n";

/* One direction. */
struct flow {
	int from, to;
	char buf[65536];
	size_t off, len;
	bool end; /* of input */
};

static bool flow_ended(const struct flow *flow)
{
	return flow->end && !flow->len;
}

/* False: nobody is there to take it. */
static bool flow_step(struct flow *flow, short in, short out)
{
	ssize_t n;

	if (!flow->len && in) {
		n = sys_read(flow->from, flow->buf, sizeof(flow->buf));
		if (n == -EAGAIN)
			return true;
		flow->end = n <= 0;
		flow->off = 0;
		flow->len = n > 0 ? (size_t)n : 0;
		out = flow->len > 0;
	}
	if (flow->len && out) {
		n = sys_write(flow->to, flow->buf + flow->off, flow->len);
		if (n < 0)
			return n == -EAGAIN;
		flow->off += (size_t)n;
		flow->len -= (size_t)n;
	}
	return true;
}

/* Until one side has ended. */
static void carry(int fd)
{
	static struct flow out, in;
	bool going = true;

	out = (struct flow){ .from = STDIN_FILENO, .to = fd };
	in = (struct flow){ .from = fd, .to = STDOUT_FILENO };
	for (unsigned i = 0; i < 2; i++)
		(void)sys_set_nonblock(i ? STDOUT_FILENO : STDIN_FILENO);
	(void)sys_set_nonblock(fd);
	while (going && !flow_ended(&out) && !flow_ended(&in)) {
		struct pollfd fds[] = {
			{ .fd = out.len ? -1 : out.from, .events = POLLIN },
			{ .fd = out.len ? out.to : -1, .events = POLLOUT },
			{ .fd = in.len ? -1 : in.from, .events = POLLIN },
			{ .fd = in.len ? in.to : -1, .events = POLLOUT },
		};

		if (sys_poll(fds, ARRAY_SIZE(fds), -1) < 0)
			return;
		going = flow_step(&out, fds[0].revents, fds[1].revents) &&
			flow_step(&in, fds[2].revents, fds[3].revents);
	}
}

/* The value of a word in the URI's query, or NULL; g_free() it. */
static char *query(const char *uri, const char *key)
{
	const char *text = strchr(uri, '?');
	g_auto(GStrv) words = g_strsplit(text ? text + 1 : "", "&", -1);
	size_t len = strlen(key);

	for (unsigned i = 0; words[i]; i++) {
		if (!strncmp(words[i], key, len) && words[i][len] == '=')
			return g_uri_unescape_string(words[i] + len + 1, NULL);
	}
	return NULL;
}

static bool wants_session(const char *uri)
{
	const char *path = strstr(uri, "://");

	path = path ? path + 3 + strcspn(path + 3, "/?") : "";
	return g_str_has_prefix(path, "/session");
}

static int reach(const char *uri, bool read_only, GError **error)
{
	bool session = wants_session(uri);
	g_autofree char *given = query(uri, "socket");
	g_autofree char *path = given ? g_strdup(given) : session_socket(session, read_only);
	int fd = unix_connect(path, 0);

	if (fd >= 0)
		return fd;
	if (session && !given && (fd == -ENOENT || fd == -ECONNREFUSED))
		return session_start(path, UINT64_MAX, error);
	error_sys(error, fd, "cannot reach the daemon at '%s' (is socled running, and may you?)",
		  path);
	return -1;
}

static int fail(const char *text)
{
	(void)fprintf(stderr, "socle-ssh-helper: %s\n", text);
	return 1;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	const char *uri = NULL;
	bool read_only = false;
	autofd int fd = -1;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-r") || !strcmp(argv[i], "--readonly")) {
			read_only = true;
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "--version")) {
			return fputs(argv[i][2] == 'h' ? usage
						       : "socle-ssh-helper " SOCLE_VERSION "\n",
				     stdout) < 0;
		} else if (argv[i][0] == '-' || uri) {
			return fail("takes -r and one URI, as in: socle-ssh-helper qemu:///system");
		} else {
			uri = argv[i];
		}
	}
	if (!uri)
		return fail("needs a URI, as in: socle-ssh-helper qemu:///system");
	(void)signal(SIGPIPE, SIG_IGN);
	fd = reach(uri, read_only, &error);
	if (fd < 0)
		return fail(error->message);
	carry(fd);
	return 0;
}
