/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screen.c - the machine's screen, for those who look: QMP's screendump
 */
#include "vmm/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "display/surface.h"
#include "machine/machine.h"
#include "vmm/commands-int.h"
#include "vmm/vmm-int.h"

struct screen {
	struct vmm *vmm;
	struct surface *surface;
};

struct screen *screen_new(struct vmm *vmm)
{
	struct screen *screen;

	if (!machine_has_screen(vmm->machine))
		return NULL;
	screen = g_new(struct screen, 1);
	*screen = (struct screen){ .vmm = vmm, .surface = surface_new() };
	return screen;
}

void screen_free(struct screen *screen)
{
	if (!screen)
		return;
	surface_free(screen->surface);
	g_free(screen);
}

static bool write_file(const char *path, GBytes *bytes, GError **error)
{
	gsize len;
	const void *p = g_bytes_get_data(bytes, &len);
	/* A FIFO without a reader must not stop us. */
	autofd int fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0666);
	ssize_t n = fd < 0 ? fd : sys_write_full(fd, p, len);

	if (n < 0)
		return error_sys(error, (int)n, "cannot write '%s'", path);
	return true;
}

json_t *run_screendump(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const char *path = json_string_value(json_object_get(args, "filename"));
	const char *format = json_string_value(json_object_get(args, "format"));
	g_autoptr(GBytes) bytes = NULL;

	if (format && strcmp(format, "ppm") && strcmp(format, "png")) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "Parameter 'format' does not accept value '%s'; give ppm or png", format);
		return NULL;
	}
	if (!vmm->screen || json_integer_value(json_object_get(args, "head"))) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  vmm->screen ? "the machine has one screen: give head 0"
				      : "the machine has no screen: start it with --vga std");
		return NULL;
	}
	machine_draw(vmm->machine, vmm->screen->surface);
	bytes = surface_encode(vmm->screen->surface,
			       g_strcmp0(format, "png") ? SURFACE_PPM : SURFACE_PNG, error);
	return bytes && write_file(path, bytes, error) ? json_object() : NULL;
}
