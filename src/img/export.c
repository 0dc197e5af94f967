/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * export.c - socle-img export: serve an image to NBD clients on a Unix socket
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/unix-listener.h"
#include "block/nbd-server.h"
#include "img/img.h"

struct export
{
	char *format, *socket, *name, *description, *cache;
	gboolean writable, persistent, shared, quiet;
};

enum {
	LOOK_MS = 200, /* how often it is seen that clients have gone */
};

/* Until a signal comes; without --persistent until the last client has gone. */
static bool serve(const struct export *export, struct nbd_server *server,
		  struct unix_listener *listener, GError **error)
{
	bool had_one = false;

	for (;;) {
		struct pollfd fd = { .fd = unix_listener_fd(listener), .events = POLLIN };
		unsigned clients = nbd_server_clients(server);
		g_autoptr(GError) failed = NULL;
		int client;

		if (!img_go_on(NULL) || (had_one && !clients && !export->persistent))
			return true;
		if (sys_poll(&fd, 1, LOOK_MS) <= 0)
			continue;
		client = unix_listener_accept(listener);
		if (client == -EAGAIN)
			continue;
		if (client < 0)
			return error_sys(error, client, "cannot accept a client at '%s'",
					 export->socket);
		if (sys_set_block(client) < 0 || !nbd_server_add(server, client, &failed))
			(void)img_fail_text("a client is turned away: %s",
					    failed ? failed->message : "out of descriptors");
		else
			had_one = true;
	}
}

static bool run(const struct export *export, const char *path, GError **error)
{
	const struct nbd_export what = {
		.name = export->name ? export->name : "",
		.description = export->description,
		.read_only = !export->writable,
	};
	unsigned flags = IMAGE_BACKING | (export->writable ? IMAGE_WRITE : 0) |
			 (export->shared ? IMAGE_SHARED : 0);
	autoptr(unix_listener) listener = NULL;
	autoptr(image) image = NULL;
	struct nbd_server *server;
	unsigned cache = 0;
	bool ok;

	if (!export->socket)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "where are clients to connect? Say --socket PATH");
	if (export->cache && !img_cache(export->cache, &cache, error))
		return false;
	image = image_open(path, export->format, flags | cache, error);
	if (!image)
		return false;
	listener = unix_listener_new(export->socket, error);
	if (!listener)
		return false;
	img_catch_signals();
	if (!export->quiet)
		(void)fprintf(stderr, "nbd+unix:///%s?socket=%s\n", what.name, export->socket);
	server = nbd_server_new(image, &what);
	ok = serve(export, server, listener, error);
	nbd_server_free(server);
	return (!export->writable || image_flush(image, ok ? error : NULL)) && ok;
}

int img_export(const struct img_command *command, int argc, char **argv)
{
	struct export export = { 0 };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &export.format, "format", "FORMAT" },
		{ "socket", 'k', 0, G_OPTION_ARG_STRING, &export.socket,
		  "the Unix socket to listen at", "PATH" },
		{ "name", 'x', 0, G_OPTION_ARG_STRING, &export.name,
		  "what clients ask for; else nothing", "NAME" },
		{ "description", 'D', 0, G_OPTION_ARG_STRING, &export.description,
		  "what lists tell of it", "TEXT" },
		{ "writable", 'w', 0, G_OPTION_ARG_NONE, &export.writable,
		  "clients may write; the format must be given", NULL },
		{ "persistent", 't', 0, G_OPTION_ARG_NONE, &export.persistent,
		  "go on when the last client has gone", NULL },
		{ "cache", 'T', 0, G_OPTION_ARG_STRING, &export.cache, "cache mode", "MODE" },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &export.shared,
		  "also while others write to it", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &export.quiet, "do not tell the address",
		  NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (img_parse(command, entries, &argc, &argv, 1, 1, &status))
		status = run(&export, argv[1], &error) ? IMG_OK : img_fail(error);
	g_free(export.format);
	g_free(export.socket);
	g_free(export.name);
	g_free(export.description);
	g_free(export.cache);
	return status;
}
