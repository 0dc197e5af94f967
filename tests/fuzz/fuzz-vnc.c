/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-vnc.c - bytes of a hostile VNC client, through libvncserver
 *
 * The client is one end of a pair of sockets, which has all of its bytes in it and is at its end then. What
 * its thread does is done here, so that nobody waits. The first byte says: 1 the rest begins with the version, else
 * the client is in; 2 a password is asked for; the picture's width and height are 4 times its upper two pairs of bits.
 * Properties: it ends; no more events than there is room for; keys that were pressed are let go.
 */
#include <assert.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <glib.h>

#include "base/sys.h"
#include "display/vnc-int.h"

enum {
	RAW = 1 << 0,
	PASSWORD = 1 << 1,
	OUTPUT_ROOM = 4 << 20, /* nobody reads what it is sent */
};

static const char greeting[] = "RFB 003.008\n\1\1";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *opaque)
{
	(void)opaque;
}

/* One that asks for a password, and one that does not; their main loop takes no events. */
static struct vnc *server(struct surface *surface, bool password)
{
	static const struct vnc_ops ops = { .look = look };
	static struct vnc *servers[2];
	struct vnc **server = &servers[password];

	if (!*server) {
		const struct vnc_config config = {
			.surface = surface, .name = "fuzz", .password = password, .ops = &ops
		};

		*server = vnc_new(&config, NULL);
		assert(*server);
		assert(!password || vnc_set_password(*server, "secret", NULL));
		(*server)->closing = true;
	}
	return *server;
}

static int client_socket(const uint8_t *data, size_t size, bool raw, int *ret_ours)
{
	int fds[2];

	assert(sys_socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
	(void)sys_setsockopt_int(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, OUTPUT_ROOM);
	(void)sys_setsockopt_int(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, OUTPUT_ROOM);
	if (!raw)
		assert(sys_write_full(fds[1], greeting, sizeof(greeting) - 1) > 0);
	if (size)
		assert(sys_write_full(fds[1], data, size) == (ssize_t)size);
	(void)sys_shutdown(fds[1], SHUT_WR);
	*ret_ours = fds[1];
	return fds[0];
}

static void check_events(const struct vnc_client *client)
{
	bool down[256] = { false }, all = client->events < VNC_EVENTS;

	assert(client->events && client->events <= VNC_EVENTS);
	assert(client->event[client->events - 1].kind == VNC_EVENT_GONE);
	for (unsigned i = 0; i < client->events; i++) {
		if (client->event[i].kind == VNC_EVENT_KEY)
			down[client->event[i].key] = client->event[i].down;
	}
	for (unsigned i = 0; all && i < G_N_ELEMENTS(down); i++)
		assert(!down[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct surface *surface;
	struct vnc_client client = { .wake_fd = -1, .control_fd = -1 };
	uint8_t how = size ? data[0] : 0;
	autofd int ours = -1;

	if (!surface)
		surface = surface_new();
	surface_resize(surface, 4 * (1 + (how >> 6)), 4 * (1 + (how >> 4 & 3)));
	client.vnc = server(surface, how & PASSWORD);
	client.fd = client_socket(data + !!size, size - !!size, how & RAW, &ours);
	client.wake_fd = sys_eventfd(0, EFD_NONBLOCK);
	pthread_cond_init(&client.room, NULL);
	vnc_client_run(&client);
	pthread_cond_destroy(&client.room);
	fd_autoclose(&client.wake_fd);
	check_events(&client);
	return 0;
}
