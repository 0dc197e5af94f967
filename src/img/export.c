/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * export.c - socle-img export: serve an image to NBD clients on a Unix socket
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/unix-listener.h"
#include "block/nbd-server.h"
#include "img/img.h"

enum {
	LOOK_MS = 200, /* how often it is seen that clients have gone */
};

static volatile sig_atomic_t wanted_to_end;

static void on_signal(int sig)
{
	wanted_to_end = sig;
}

/* They end it in good order: what clients wrote is flushed. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

static void welcome(struct nbd_server *server, int client, bool *had_one)
{
	g_autoptr(GError) error = NULL;

	if (nbd_server_add(server, client, &error))
		*had_one = true;
	else
		img_warn("a client is turned away: %s", error->message);
}

/* Until a signal comes; without --persistent until the last client has gone. */
static bool serve(const struct img_args *args, struct nbd_server *server,
		  struct unix_listener *listener, GError **error)
{
	const bool persistent = img_args_has(args, IMG_OPTION_PERSISTENT);
	bool had_one = false;

	while (!wanted_to_end) {
		struct pollfd fd = { .fd = unix_listener_fd(listener), .events = POLLIN };
		const unsigned clients = nbd_server_clients(server);
		autofd int client = -1;

		if (had_one && !clients && !persistent)
			break;
		if (sys_poll(&fd, 1, LOOK_MS) <= 0)
			continue;
		client = unix_listener_accept(listener);
		if (client == -EAGAIN)
			continue;
		if (client < 0 || sys_set_block(client) < 0)
			return error_sys(error, client, "cannot accept a client");
		welcome(server, fd_steal(&client), &had_one);
	}
	return true;
}

static int export(const struct img_args *args, GError **error)
{
	const bool writable = img_args_has(args, 'w');
	const char *path = img_args_word(args, 0), *name = img_args_value(args, 'x');
	const char *socket = img_args_value(args, 'k');
	const struct nbd_export what = {
		.name = name ? name : "",
		.description = img_args_value(args, 'D'),
		.read_only = !writable,
	};
	autoptr(unix_listener) listener = NULL;
	autoptr(image) image = NULL;
	struct nbd_server *server;
	bool ok;

	if (!socket) {
		error_set(error, SOCLE_ERROR_USAGE, "where do clients connect? Say -k SOCKET");
		return EXIT_FAILURE;
	}
	image = writable ? img_open_write(args, path, NULL, IMAGE_BACKING, error)
			 : img_open_arg(args, path, 't', IMAGE_BACKING, error);
	listener = image ? unix_listener_new(socket, error) : NULL;
	if (!listener)
		return EXIT_FAILURE;
	catch_signals();
	if (!img_args_has(args, 'q'))
		img_warn("serving nbd+unix:///%s?socket=%s", what.name, socket);
	server = nbd_server_new(image, &what);
	ok = serve(args, server, listener, error);
	nbd_server_free(server);
	if (writable && !image_flush(image, ok ? error : NULL))
		ok = false;
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const struct img_option options[] = {
	IMG_ROW_FORMAT,
	{ 'k', "socket", "PATH", "the Unix socket that clients connect to" },
	{ 'x', "name", "NAME", "what clients ask for (default: nothing)" },
	{ 'D', "description", "TEXT", "what lists tell of it" },
	{ 'w', "writable", NULL, "clients may write; the format must be given" },
	{ IMG_OPTION_PERSISTENT, "persistent", NULL, "go on when the last client has gone" },
	IMG_ROW_CACHE,
	IMG_ROW_SHARED,
	IMG_ROW_QUIET,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_export = {
	.name = "export",
	.arguments = "IMAGE",
	.summary = "Serve an image to NBD clients",
	.options = options,
	.min = 1,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = EXIT_FAILURE,
	.run = export,
};
