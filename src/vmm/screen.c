/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screen.c - the machine's screen, for those who look: QMP's screendump (screendump.c), and VNC
 *
 * There is one surface, into which all looks draw what has changed; what VNC clients have not seen of
 * it yet the surface knows itself.
 */
#include "vmm/screen.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "dev/i8042.h"
#include "display/surface.h"
#include "display/vnc.h"
#include "machine/machine.h"
#include "monitor/qmp-server.h"
#include "net/socket.h"
#include "vmm/commands-int.h"
#include "vmm/fds.h"
#include "vmm/input.h"
#include "vmm/options.h"
#include "vmm/vmm-int.h"

struct screen {
	struct vmm *vmm;
	struct surface *surface;
	struct vnc *vnc; /* NULL: nobody asked for it */
	struct socket_address address;
	bool unlink;
};

/* ---- VNC ---- */

static void on_look(void *opaque)
{
	struct screen *screen = opaque;

	machine_draw(screen->vmm->machine, screen->surface);
}

static void on_key(void *opaque, uint8_t number, bool down)
{
	struct screen *screen = opaque;

	machine_key(screen->vmm->machine, number, down);
}

static void on_pointer(void *opaque, int dx, int dy, int dz, unsigned buttons)
{
	struct screen *screen = opaque;
	unsigned mask = (buttons & VNC_LEFT ? I8042_LEFT : 0) |
			(buttons & VNC_MIDDLE ? I8042_MIDDLE : 0) |
			(buttons & VNC_RIGHT ? I8042_RIGHT : 0);

	input_move(screen->vmm->input, dx, dy, dz, mask);
}

static const char *auth_of(const struct screen *screen)
{
	return screen->vmm->options->vnc.password ? "vnc" : "none";
}

static json_t *basic_info(const struct screen *screen)
{
	const struct vnc_option *option = &screen->vmm->options->vnc;

	if (option->listen == VNC_LISTEN_TCP) {
		g_autofree char *service = g_strdup_printf("%u", option->port);

		return json_pack("{s:s,s:s,s:s,s:b}", "host", option->host, "service", service,
				 "family", strchr(option->host, ':') ? "ipv6" : "ipv4", "websocket",
				 0);
	}
	return json_pack("{s:o,s:s,s:s,s:b}", "host", json_text(option->path ? option->path : ""),
			 "service", "", "family", "unix", "websocket", 0);
}

static void on_client(void *opaque, const char *address, bool came)
{
	static const char *const coming[] = { "VNC_CONNECTED", "VNC_INITIALIZED" };
	struct screen *screen = opaque;

	for (unsigned i = 0; i < (came ? ARRAY_SIZE(coming) : 1); i++) {
		json_t *server = basic_info(screen);

		json_object_set_new(server, "auth", json_string(auth_of(screen)));
		qmp_server_event(screen->vmm->monitor, came ? coming[i] : "VNC_DISCONNECTED",
				 json_pack("{s:o,s:{s:s,s:s,s:s,s:b}}", "server", server, "client",
					   "host", address, "service", "", "family",
					   !*address              ? "unix"
					   : strchr(address, ':') ? "ipv6"
								  : "ipv4",
					   "websocket", 0));
	}
}

static const struct vnc_ops vnc_ops = {
	.look = on_look,
	.key = on_key,
	.pointer = on_pointer,
	.client = on_client,
};

/* A socket that listens, or -1. */
static int open_socket(struct screen *screen, const struct vnc_option *option, GError **error)
{
	int fd;

	if (option->listen == VNC_LISTEN_FD)
		return socket_take_fd((int)option->fd, SOCK_STREAM, error) ? (int)option->fd : -1;
	if (!(option->path ? socket_address_unix(&screen->address, option->path, error)
			   : socket_address_inet(&screen->address, option->host,
						 (uint16_t)option->port, SOCK_STREAM, true, error)))
		return -1;
	fd = socket_bind(&screen->address, SOCK_STREAM, error);
	/* Clients come in crowds, not one by one as machines do. */
	if (fd >= 0)
		(void)sys_listen(fd, VNC_CLIENTS);
	return fd;
}

static bool open_vnc(struct screen *screen, GError **error)
{
	const struct options *options = screen->vmm->options;
	const struct vnc_config config = {
		.surface = screen->surface,
		.name = options->name ? options->name : "socle-vm",
		.password = options->vnc.password,
		.ops = &vnc_ops,
		.opaque = screen,
	};
	int fd;

	if (!options->vnc.on)
		return true;
	screen->vnc = vnc_new(&config, error);
	if (!screen->vnc || options->vnc.listen == VNC_LISTEN_NOWHERE)
		return screen->vnc;
	fd = open_socket(screen, &options->vnc, error);
	if (fd < 0)
		return false;
	screen->unlink = options->vnc.listen == VNC_LISTEN_UNIX;
	return vnc_listen(screen->vnc, fd, error);
}

struct screen *screen_new(struct vmm *vmm, GError **error)
{
	struct screen *screen = g_new(struct screen, 1);

	*screen = (struct screen){ .vmm = vmm, .surface = surface_new() };
	if (open_vnc(screen, error))
		return screen;
	g_prefix_error(error, "--vnc: ");
	screen_free(screen);
	return NULL;
}

void screen_free(struct screen *screen)
{
	if (!screen)
		return;
	vnc_free(screen->vnc);
	if (screen->unlink)
		socket_unlink(&screen->address);
	socket_address_release(&screen->address);
	surface_free(screen->surface);
	g_free(screen);
}

/* ---- commands ---- */

static struct screen *need_screen(struct vmm *vmm, GError **error)
{
	if (!vmm->screen)
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "the machine has no screen: start it with --vga std");
	return vmm->screen;
}

static struct vnc *need_vnc(struct vmm *vmm, GError **error)
{
	if (!need_screen(vmm, error))
		return NULL;
	if (!vmm->screen->vnc)
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "the machine has no VNC server: start it with --vnc none, or where it "
			  "shall listen");
	return vmm->screen->vnc;
}

static struct vnc *need_protocol(struct vmm *vmm, const json_t *args, GError **error)
{
	const char *protocol = json_string_value(json_object_get(args, "protocol"));

	if (g_strcmp0(protocol, "vnc")) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "Parameter 'protocol' does not accept value '%s'; there is vnc",
			  protocol);
		return NULL;
	}
	return need_vnc(vmm, error);
}

struct surface *screen_copy(struct vmm *vmm, GError **error)
{
	struct screen *screen = need_screen(vmm, error);

	if (!screen)
		return NULL;
	machine_draw(vmm->machine, screen->surface);
	return surface_copy(screen->surface);
}

json_t *run_query_vnc(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	json_t *info;

	(void)args;
	(void)error;
	if (!vmm->screen || !vmm->screen->vnc)
		return json_pack("{s:b}", "enabled", 0);
	info = basic_info(vmm->screen);
	json_object_del(info, "websocket");
	json_object_set_new(info, "enabled", json_true());
	json_object_set_new(info, "auth", json_string(auth_of(vmm->screen)));
	return info;
}

json_t *run_set_password(void *opaque, const json_t *args, GError **error)
{
	struct vnc *vnc = need_protocol(opaque, args, error);
	const char *connected = json_string_value(json_object_get(args, "connected"));

	if (!vnc)
		return NULL;
	if (connected && strcmp(connected, "keep") != 0 && strcmp(connected, "disconnect") != 0) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "Parameter 'connected' does not accept value '%s'; give keep or "
			  "disconnect",
			  connected);
		return NULL;
	}
	if (!vnc_set_password(vnc, json_string_value(json_object_get(args, "password")), error))
		return NULL;
	if (!g_strcmp0(connected, "disconnect"))
		vnc_disconnect_all(vnc);
	return json_object();
}

/* "now", "never", "+SECONDS" or seconds since 1970. */
static bool parse_time(const char *text, int64_t *ret_when)
{
	int64_t now = (int64_t)(sys_realtime_ns() / 1000000000);
	gint64 number;

	if (!g_strcmp0(text, "now"))
		*ret_when = 0;
	else if (!g_strcmp0(text, "never"))
		*ret_when = INT64_MAX;
	else if (g_ascii_string_to_signed(text + (*text == '+'), 10, 0,
					  UINT32_MAX * G_GINT64_CONSTANT(16), &number, NULL))
		*ret_when = *text == '+' ? now + number : number;
	else
		return false;
	return true;
}

json_t *run_expire_password(void *opaque, const json_t *args, GError **error)
{
	struct vnc *vnc = need_protocol(opaque, args, error);
	const char *time = json_string_value(json_object_get(args, "time"));
	int64_t when;

	if (!vnc)
		return NULL;
	if (!parse_time(time, &when)) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "Parameter 'time' does not accept value '%s'; give now, never, +SECONDS "
			  "or seconds since 1970",
			  time);
		return NULL;
	}
	vnc_expire_password(vnc, when);
	return json_object();
}

json_t *run_add_client(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	struct vnc *vnc = need_protocol(vmm, args, error);
	autofd int fd = -1;

	if (!vnc)
		return NULL;
	fd = fds_take(vmm->fds, json_string_value(json_object_get(args, "fdname")), error);
	if (fd < 0 || !socket_take_fd(fd, SOCK_STREAM, error))
		return NULL;
	return vnc_add_client(vnc, fd_steal(&fd), json_is_true(json_object_get(args, "skipauth")),
			      error)
		       ? json_object()
		       : NULL;
}
