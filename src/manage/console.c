/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console.c - a client sits in front of a machine: console, channel, screen
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "manage/handler-int.h"
#include "manage/peer-int.h"
#include "manage/stream-int.h"
#include "model/plug.h"

enum {
	CONSOLE_FORCE = 1 << 0,
	CONSOLE_SAFE = 1 << 1,
	CHANNEL_FORCE = 1 << 0,
	GRAPHICS_SKIPAUTH = 1 << 0,
};

/* == Console and channel == */

static const struct domain_char *find_char(const struct domain_char *list, unsigned count,
					   const char *name)
{
	for (unsigned i = 0; i < count; i++) {
		if (!name || !g_strcmp0(list[i].info.alias.name, name) ||
		    !g_strcmp0(list[i].target.name, name))
			return &list[i];
	}
	return NULL;
}

static void open_char(struct call *call, struct vm *vm, const struct domain_char *chr, bool force)
{
	struct machine *machine = vm->dom.machine;
	const char *alias = chr->info.alias.name ? chr->info.alias.name : "";
	g_autoptr(GError) error = NULL;
	int fd;

	if (!machine || !machine->ops->console) {
		call_unsupported(call, "a console");
		return;
	}
	if (stream_is_open(vm, alias)) {
		if (!force) {
			call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
				  "Active console session exists for this domain; use force to "
				  "take it over");
			return;
		}
		stream_cut(vm, alias);
	}
	fd = machine->ops->console(machine, chr->info.alias.name, &error);
	if (fd < 0)
		call_fail_error(call, RPC_FROM_QEMU, error);
	else
		stream_open(call, vm, alias, fd, NULL);
}

static void on_open_console(struct call *call, const rpc_domain_open_console_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	const char *name = args->dev_name ? *args->dev_name : NULL;
	const struct domain_devices *d;
	const struct domain_char *chr;

	if (!vm || !call_flags(call, args->flags, CONSOLE_FORCE | CONSOLE_SAFE))
		return;
	d = &vm->dom.live->devices;
	chr = find_char(d->consoles, d->console_count, name);
	if (!chr)
		chr = find_char(d->serials, d->serial_count, name);
	if (!chr)
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "domain '%s' has no console%s%.64s; give it a <console type='pty'/>",
			  vm->dom.name, name ? " named " : "", name ? name : "");
	else
		open_char(call, vm, chr, args->flags & CONSOLE_FORCE);
}

static void on_open_channel(struct call *call, const rpc_domain_open_channel_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	const char *name = args->name ? *args->name : NULL;
	const struct domain_char *chr;

	if (!vm || !call_flags(call, args->flags, CHANNEL_FORCE))
		return;
	chr = find_char(vm->dom.live->devices.channels, vm->dom.live->devices.channel_count, name);
	if (!chr)
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "domain '%s' has no channel%s%.64s", vm->dom.name, name ? " named " : "",
			  name ? name : "");
	else
		open_char(call, vm, chr, args->flags & CHANNEL_FORCE);
}

/* == Screen == */

struct shot {
	int fd;
	const char *mime;
};

static void shot_free(void *data)
{
	struct shot *shot = data;

	if (shot->fd >= 0)
		(void)close(shot->fd);
	g_free(shot);
}

static void shot_taken(struct call *call, const GError *error)
{
	struct shot *shot = call->data;
	char *mime = (char *)(uintptr_t)(shot->mime ? shot->mime : "image/x-portable-pixmap");
	rpc_domain_screenshot_ret ret = { .mime = &mime };
	int fd = shot->fd;

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	shot->fd = -1;
	sys_lseek(fd, 0, SEEK_SET);
	stream_open(call, NULL, NULL, fd, &ret);
}

static void shot_run(struct call *call)
{
	const rpc_domain_screenshot_args *args = call->args;
	struct machine *machine = call->vm->dom.machine;
	struct shot *shot;

	if (!call_still_active(call))
		return;
	if (!machine->ops->screenshot) {
		call_unsupported(call, "a picture of the screen");
		return;
	}
	shot = call_data(call, sizeof(*shot));
	call->data_free = shot_free;
	shot->fd = sys_memfd("screenshot");
	if (shot->fd < 0) {
		g_autoptr(GError) error = NULL;

		error_sys(&error, shot->fd, "cannot make room for the picture");
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	machine->ops->screenshot(machine, args->screen, shot->fd, &shot->mime,
				 call_task(call, shot_taken));
}

static void on_screenshot(struct call *call, const rpc_domain_screenshot_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		call_job(call, vm, shot_run);
}

/* == Graphics: the client talks to the machine's VNC server itself == */

static bool check_graphics(struct call *call, struct vm *vm, unsigned idx)
{
	const struct domain *live = vm->dom.live;

	if (idx >= live->devices.graphics_count) {
		call_fail(call, RPC_CODE_INTERNAL, RPC_FROM_QEMU,
			  "No graphics backend with index %u; domain '%s' has %u", idx,
			  vm->dom.name, live->devices.graphics_count);
		return false;
	}
	if (vm->dom.machine && vm->dom.machine->ops->graphics)
		return true;
	call_unsupported(call, "a connection to the screen");
	return false;
}

static void open_run(struct call *call)
{
	const rpc_domain_open_graphics_args *args = call->args;
	struct machine *machine = call->vm->dom.machine;
	int fd = call->fds[0];

	if (!call_still_active(call))
		return;
	call->fds[0] = -1;
	machine->ops->graphics(machine, fd, args->flags & GRAPHICS_SKIPAUTH,
			       call_task(call, call_done));
}

static void on_open_graphics(struct call *call, const rpc_domain_open_graphics_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, GRAPHICS_SKIPAUTH) ||
	    !check_graphics(call, vm, args->idx))
		return;
	if (call->fd_count != 1) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_RPC,
			  "this call comes with one descriptor, a socket");
		return;
	}
	call_job(call, vm, open_run);
}

static void given(struct call *call, const GError *error)
{
	int *fd = call->data;

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	{
		int theirs = *fd;

		*fd = -1;
		call_reply_fds(call, NULL, &theirs, 1);
	}
}

static void free_fd(void *data)
{
	int *fd = data;

	if (*fd >= 0)
		(void)close(*fd);
	g_free(fd);
}

static void open_fd_run(struct call *call)
{
	const rpc_domain_open_graphics_fd_args *args = call->args;
	struct machine *machine = call->vm->dom.machine;
	int fds[2], r;

	if (!call_still_active(call))
		return;
	r = sys_socketpair(AF_UNIX, SOCK_STREAM, fds);
	if (r < 0) {
		g_autoptr(GError) error = NULL;

		error_sys(&error, r, "cannot make a connection to the screen");
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	*(int *)call_data(call, sizeof(int)) = fds[0];
	call->data_free = free_fd;
	machine->ops->graphics(machine, fds[1], args->flags & GRAPHICS_SKIPAUTH,
			       call_task(call, given));
}

static void on_open_graphics_fd(struct call *call, const rpc_domain_open_graphics_fd_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, GRAPHICS_SKIPAUTH) ||
	    !check_graphics(call, vm, args->idx))
		return;
	if (call->peer && !call->peer->config.local) {
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "descriptors cannot be sent over this connection; use a Unix socket");
		return;
	}
	call_job(call, vm, open_fd_run);
}

const struct call_entry console_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_OPEN_CONSOLE, rpc_domain_open_console_args, on_open_console),
	HANDLE(RPC_PROC_DOMAIN_OPEN_CHANNEL, rpc_domain_open_channel_args, on_open_channel),
	HANDLE(RPC_PROC_DOMAIN_SCREENSHOT, rpc_domain_screenshot_args, on_screenshot),
	HANDLE(RPC_PROC_DOMAIN_OPEN_GRAPHICS, rpc_domain_open_graphics_args, on_open_graphics),
	HANDLE(RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, rpc_domain_open_graphics_fd_args,
	       on_open_graphics_fd),
	HANDLERS_END,
};
