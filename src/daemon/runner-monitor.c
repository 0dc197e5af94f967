/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-monitor.c - the connection to a machine's monitor
 *
 * The socket is there a few milliseconds after the process, so the first attempts follow each other
 * quickly. A connection that is lost while the process lives is made again.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/unix-connect.h"
#include "daemon/runner-int.h"

enum {
	CONNECT_FIRST_MS = 1,
	CONNECT_LAST_MS = 1000,
	LOST_MS = 20,
	CONNECT_SLOW_MS = 8, /* from here on it takes longer each time, at the start */
};

/* The folder is the machine's, and what it puts there may lead anywhere: we have more rights than it. */
static bool check_peer(const struct runner *runner, int fd, const char *path, GError **error)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    peer.uid == runner_uid(runner))
		return true;
	return error_set(error, SOCLE_ERROR_DENIED,
			 "behind the socket '%s' is not the machine but a process of user %u; "
			 "nothing is sent to it",
			 path, (unsigned)peer.uid);
}

int runner_connect_unix(const struct runner *runner, const char *path, GError **error)
{
	autofd int fd = unix_connect(path, SOCK_NONBLOCK);

	if (fd < 0) {
		error_sys(error, fd, "cannot connect to '%s'", path);
		return -1;
	}
	if (!check_peer(runner, fd, path, error))
		return -1;
	return fd_steal(&fd);
}

static void on_ready(void *opaque)
{
	struct runner *runner = opaque;

	runner->connect_ms = CONNECT_FIRST_MS;
	if (runner->begin && !runner->finding)
		runner_started(runner);
	else
		runner_found(runner);
}

static void on_event(void *opaque, const char *name, const json_t *data)
{
	runner_event(opaque, name, data);
}

static void on_lost(void *opaque, const GError *error)
{
	struct runner *runner = opaque;

	log_debug("machine '%s': %s", runner->machine.dom->name, error->message);
	g_clear_pointer(&runner->qmp, qmp_client_free);
	/* One that says nothing good is not asked all the time. */
	runner->connect_ms = CLAMP(runner->connect_ms * 2, LOST_MS, CONNECT_LAST_MS);
	runner_connect(runner);
}

static const struct qmp_client_ops client_ops = {
	.ready = on_ready,
	.event = on_event,
	.lost = on_lost,
};

static gboolean on_attempt(gpointer opaque)
{
	struct runner *runner = opaque;
	int fd = runner_connect_unix(runner, runner->monitor, NULL);

	runner->connect_timer = 0;
	if (fd >= 0) {
		runner->qmp = qmp_client_new(fd, &client_ops, runner);
		return G_SOURCE_REMOVE;
	}
	runner->connect_ms += runner->connect_ms < CONNECT_SLOW_MS ? 1 : runner->connect_ms / 4;
	runner->connect_ms = MIN(runner->connect_ms, CONNECT_LAST_MS);
	runner_connect(runner);
	return G_SOURCE_REMOVE;
}

void runner_connect(struct runner *runner)
{
	if (runner->qmp || runner->connect_timer || runner->ended)
		return;
	if (!runner->connect_ms)
		runner->connect_ms = CONNECT_FIRST_MS;
	runner->connect_timer = g_timeout_add(runner->connect_ms, on_attempt, runner);
}

void runner_disconnect(struct runner *runner)
{
	if (runner->connect_timer)
		g_source_remove(runner->connect_timer);
	runner->connect_timer = 0;
	g_clear_pointer(&runner->qmp, qmp_client_free);
}
