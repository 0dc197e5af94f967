/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dial-unix.c - to a daemon of this host: which sockets there may be, and how a session's daemon starts
 */
#include "client/dial-int.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/session.h"
#include "base/unix-connect.h"

static const char session_name[] = "socle:///session";

/* Does nobody listen there? */
static bool is_absent(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
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
	g_autofree char *run = session_runtime_dir(session);
	const char *end = readonly && !session ? "-ro" : "";

	if (uri->mode != URI_MODE_LEGACY && scheme[0] != '\0')
		add(sockets, names, g_strdup_printf("%s/libvirt/virt%sd-sock%s", run, scheme, end),
		    name);
	if (uri->mode != URI_MODE_DIRECT)
		add(sockets, names, g_strdup_printf("%s/libvirt/libvirt-sock%s", run, end), name);
}

char **dial_unix_sockets(const struct uri *uri, bool readonly, char ***ret_names)
{
	GPtrArray *sockets = g_ptr_array_new(), *names = g_ptr_array_new();

	if (uri->socket) {
		add(sockets, names, g_strdup(uri->socket), uri->name);
	} else {
		if (!strcmp(uri->scheme, "socle"))
			add(sockets, names, session_socket(uri->session, readonly), uri->name);
		/* Who has not said which daemon gets, as root, ours of either kind. */
		if (uri->chosen && !uri->session)
			add(sockets, names, session_socket(true, readonly), session_name);
		add_libvirt(sockets, names, uri, strcmp(uri->scheme, "remote") ? uri->scheme : "",
			    uri->name, readonly);
	}
	/* And libvirt's where ours is not. */
	if (uri->chosen)
		add_libvirt(sockets, names, uri, "qemu",
			    uri->session ? "qemu:///session" : "qemu:///system", readonly);
	g_ptr_array_add(sockets, NULL);
	g_ptr_array_add(names, NULL);
	*ret_names = (char **)g_ptr_array_free(names, FALSE);
	return (char **)g_ptr_array_free(sockets, FALSE);
}

/* What to do if nobody is there. */
static const char *remedy(const struct uri *uri, int rc)
{
	if (rc == -EACCES)
		return "be root, or a member of its group";
	if (!is_absent(rc))
		return NULL;
	if (uri->socket)
		return "start the daemon that is to listen there";
	if (strcmp(uri->scheme, "socle"))
		return "start libvirtd, or 'socled --libvirt-sockets', or name another daemon";
	return uri->session
		       ? "start 'socled --session', or name another daemon"
		       : "start 'socled' as root, or use the daemon of the session, which starts "
			 "by itself: socle:///session";
}

/* Return: 0, or -errno: the reason of the first one that is there, or else of the first one. */
static int try_sockets(char **sockets, size_t *ret_index, struct transport **ret_transport)
{
	int rc = -ENOENT;

	*ret_index = 0;
	for (size_t i = 0; sockets[i]; i++) {
		int fd = unix_connect(sockets[i], 0);

		if (fd >= 0) {
			*ret_index = i;
			*ret_transport = transport_new_unix(fd);
			return 0;
		}
		if (i == 0 || (rc == -ENOENT && fd != -ENOENT)) {
			rc = fd;
			*ret_index = i;
		}
	}
	return rc;
}

static bool may_start(const struct uri *uri, bool autostart)
{
	const char *said = g_getenv("SOCLE_AUTOSTART");

	return autostart && (uri->session || uri->chosen) && !uri->socket &&
	       !strcmp(uri->scheme, "socle") && !(said && !strcmp(said, "0"));
}

static struct transport *start(uint64_t deadline, char **ret_name, GError **error)
{
	g_autofree char *socket = session_socket(true, false);
	int fd = session_start(socket, deadline, error);

	if (fd < 0)
		return NULL;
	*ret_name = g_strdup(session_name);
	return transport_new_unix(fd);
}

struct transport *dial_unix(const struct uri *uri, bool readonly, bool autostart, uint64_t deadline,
			    char **ret_name, GError **error)
{
	g_auto(GStrv) names = NULL;
	g_auto(GStrv) sockets = dial_unix_sockets(uri, readonly, &names);
	struct transport *transport = NULL;
	const char *advice;
	size_t index;
	int rc = try_sockets(sockets, &index, &transport);

	if (rc == 0) {
		*ret_name = g_strdup(names[index]);
		return transport;
	}
	if (is_absent(rc) && may_start(uri, autostart))
		return start(deadline, ret_name, error);
	advice = remedy(uri, rc);
	error_sys(error, rc, "cannot connect to the daemon's socket '%s'%s%s%s", sockets[index],
		  advice ? " (" : "", advice ? advice : "", advice ? ")" : "");
	return NULL;
}
