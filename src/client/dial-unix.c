/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dial-unix.c - to a daemon of this host: which sockets there may be, and how a session's daemon starts
 */
#include "client/dial-int.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"

enum {
	START_TIMEOUT_MS = 10000, /* for a daemon that has been started */
	START_PAUSE_MS = 20,      /* between two looks at its socket */
};

static char *runtime_dir(void)
{
	const char *dir = g_getenv("XDG_RUNTIME_DIR");

	return dir && dir[0] != '\0' ? g_strdup(dir)
				     : g_strdup_printf("/run/user/%u", (unsigned)geteuid());
}

static void add(GPtrArray *sockets, GPtrArray *names, char *socket, const char *name)
{
	g_ptr_array_add(sockets, socket);
	g_ptr_array_add(names, g_strdup(name));
}

/* Where libvirt's daemons listen: the hypervisor's own one, or the one for all. */
static void add_libvirt(GPtrArray *sockets, GPtrArray *names, const struct uri *uri,
			const char *scheme, const char *name, bool readonly)
{
	/* root has one daemon only. */
	bool session = uri->session && geteuid() != 0;
	g_autofree char *run = session ? runtime_dir() : g_strdup("/run");
	const char *end = readonly && !session ? "-ro" : "";

	if (uri->mode != URI_MODE_LEGACY && scheme[0] != '\0')
		add(sockets, names, g_strdup_printf("%s/libvirt/virt%sd-sock%s", run, scheme, end),
		    name);
	if (uri->mode != URI_MODE_DIRECT)
		add(sockets, names, g_strdup_printf("%s/libvirt/libvirt-sock%s", run, end), name);
}

static void add_own(GPtrArray *sockets, GPtrArray *names, const struct uri *uri, bool readonly)
{
	g_autofree char *run = uri->session ? runtime_dir() : g_strdup("/run");

	add(sockets, names,
	    g_strdup_printf("%s/socle/socled-sock%s", run, readonly && !uri->session ? "-ro" : ""),
	    uri->name);
}

char **dial_unix_sockets(const struct uri *uri, bool readonly, char ***ret_names)
{
	GPtrArray *sockets = g_ptr_array_new(), *names = g_ptr_array_new();
	bool own = !strcmp(uri->scheme, "socle");

	if (uri->socket) {
		add(sockets, names, g_strdup(uri->socket), uri->name);
	} else {
		if (own)
			add_own(sockets, names, uri, readonly);
		add_libvirt(sockets, names, uri, strcmp(uri->scheme, "remote") ? uri->scheme : "",
			    uri->name, readonly);
	}
	/* Who has not said which daemon gets libvirt's where ours is not. */
	if (uri->chosen)
		add_libvirt(sockets, names, uri, "qemu",
			    uri->session ? "qemu:///session" : "qemu:///system", readonly);
	g_ptr_array_add(sockets, NULL);
	g_ptr_array_add(names, NULL);
	*ret_names = (char **)g_ptr_array_free(names, FALSE);
	return (char **)g_ptr_array_free(sockets, FALSE);
}

/* Return: a socket, or -errno. */
static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autofd int fd = -1;
	size_t len = strlen(path);
	int rc;

	if (len >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, len + 1);
	fd = sys_socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	rc = sys_connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
	return rc < 0 ? rc : fd_steal(&fd);
}

static const char *remedy(int rc)
{
	switch (rc) {
	case -EACCES:
		return " (be root, or a member of its group)";
	case -ENOENT:
	case -ECONNREFUSED:
		return " (start the daemon, socled, or name another one by its URI)";
	default:
		return "";
	}
}

static struct transport *try_sockets(char **sockets, char **names, char **ret_name, GError **error)
{
	int rc = -ENOENT;
	size_t told = 0;

	for (size_t i = 0; sockets[i]; i++) {
		int fd = connect_to(sockets[i]);

		if (fd >= 0) {
			*ret_name = g_strdup(names[i]);
			return transport_new_socket(fd, true);
		}
		/* The reason of the first one that is there, or else of the first one. */
		if (i == 0 || (rc == -ENOENT && fd != -ENOENT)) {
			rc = fd;
			told = i;
		}
	}
	error_sys(error, rc, "cannot connect to the daemon's socket '%s'%s", sockets[told],
		  remedy(rc));
	return NULL;
}

/* The daemon beside the program that we are in, or what PATH has. */
static char *find_daemon(void)
{
	const char *said = g_getenv("SOCLED_PATH");
	g_autofree char *program = NULL, *folder = NULL, *beside = NULL;

	if (said && said[0] != '\0')
		return g_strdup(said);
	program = g_file_read_link("/proc/self/exe", NULL);
	folder = program ? g_path_get_dirname(program) : NULL;
	beside = folder ? g_build_filename(folder, "socled", NULL) : NULL;
	if (beside && g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE))
		return g_steal_pointer(&beside);
	return g_find_program_in_path("socled");
}

/* [the new process] Away from the terminal, so that its Ctrl-C is not the daemon's. */
static void leave_terminal(void *opaque)
{
	(void)opaque;
	(void)setsid();
}

static bool start_daemon(const char *socket, uint64_t deadline, GError **error)
{
	g_autofree char *daemon = find_daemon();
	char *words[] = { daemon, (char *)(uintptr_t) "--session", NULL };
	uint64_t until = sys_monotonic_ns() + START_TIMEOUT_MS * UINT64_C(1000000);

	if (!daemon)
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "no daemon runs, and no socled is there to start: install it, or "
				 "name another daemon");
	/* GLib puts a process between: who has called us need not wait for the daemon's end. */
	if (!g_spawn_async("/", words, NULL,
			   G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, leave_terminal,
			   NULL, NULL, error)) {
		g_prefix_error(error, "cannot start the daemon of the session: ");
		return false;
	}
	for (;;) {
		int fd = connect_to(socket);

		if (fd >= 0) {
			fd_autoclose(&fd);
			return true;
		}
		if (sys_monotonic_ns() >= MIN(until, deadline))
			return error_sys(
				error, fd,
				"'%s --session' was started, but cannot be reached by '%s': "
				"run it by hand to see why",
				daemon, socket);
		(void)sys_poll(NULL, 0, START_PAUSE_MS);
	}
}

static bool may_start(const struct uri *uri, bool autostart)
{
	const char *said = g_getenv("SOCLE_AUTOSTART");

	return autostart && uri->session && !uri->socket && !strcmp(uri->scheme, "socle") &&
	       !(said && !strcmp(said, "0"));
}

struct transport *dial_unix(const struct uri *uri, bool readonly, bool autostart, uint64_t deadline,
			    char **ret_name, GError **error)
{
	g_auto(GStrv) names = NULL;
	g_auto(GStrv) sockets = dial_unix_sockets(uri, readonly, &names);
	struct transport *transport;
	g_autoptr(GError) why = NULL;

	transport = try_sockets(sockets, names, ret_name, &why);
	if (transport)
		return transport;
	if (!may_start(uri, autostart)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	if (!start_daemon(sockets[0], deadline, error))
		return NULL;
	return try_sockets(sockets, names, ret_name, error);
}
