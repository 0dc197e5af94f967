/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screendump.c - QMP: screendump, whose file is made aside
 *
 * A guest that fills a large screen with noise makes of a PNG two seconds' work, and a file may be on a disk that
 * hangs. The main loop copies the picture; a thread makes the file and writes it; the main loop answers. When the
 * machine ends before, the thread is left to itself, with all that it needs (base/aside.h).
 */
#include <fcntl.h>
#include <string.h>

#include "base/aside.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "display/surface.h"
#include "monitor/qmp-server.h"
#include "vmm/commands-int.h"
#include "vmm/commands.h"
#include "vmm/fds.h"
#include "vmm/screen.h"
#include "vmm/vmm-int.h"

enum {
	AT_ONCE = 4 /* pictures that are being made; each has up to 40 MiB */
};

struct picture {
	struct vmm *vmm;
	struct qmp_request *request;
	struct aside *aside;
	enum surface_format format;
	struct surface *surface;
	int fd;
	char *name; /* of the file, or of the descriptor */
	GError *error;
};

static void picture_free(void *opaque)
{
	struct picture *picture = opaque;

	surface_free(picture->surface);
	fd_autoclose(&picture->fd);
	g_free(picture->name);
	g_clear_error(&picture->error);
	g_free(picture);
}
DEFINE_AUTOPTR(picture, picture_free);

/* Where a picture goes: a file, or what QMP's client has sent. */
static bool open_target(struct picture *picture, const json_t *args, GError **error)
{
	const char *path = json_string_value(json_object_get(args, "filename"));
	const char *name = json_string_value(json_object_get(args, "x-fdname"));

	if (!path == !name)
		return error_set(error, SOCLE_ERROR_USAGE, "Parameter 'filename' is missing");
	picture->name = g_strdup(path ? path : name);
	if (name) {
		picture->fd = fds_take(picture->vmm->fds, name, error);
		return picture->fd >= 0;
	}
	/* A FIFO without a reader must not stop us. */
	picture->fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0666);
	return picture->fd >= 0 || error_sys(error, picture->fd, "cannot write '%s'", path);
}

static bool check(const struct vmm *vmm, const json_t *args, GError **error)
{
	const char *format = json_string_value(json_object_get(args, "format"));

	if (format && strcmp(format, "ppm") != 0 && strcmp(format, "png") != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Parameter 'format' does not accept value '%s'; give ppm or png",
				 format);
	if (json_integer_value(json_object_get(args, "head")))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the machine has one screen: give head 0");
	return vmm->pictures->len < AT_ONCE ||
	       error_set(error, SOCLE_ERROR_BUSY,
			 "%d pictures are being written already; wait for one of them", AT_ONCE);
}

static struct picture *picture_new(struct vmm *vmm, const json_t *args, GError **error)
{
	const char *format = json_string_value(json_object_get(args, "format"));
	autoptr(picture) picture = g_new0(struct picture, 1);

	picture->vmm = vmm;
	picture->fd = -1;
	picture->format = g_strcmp0(format, "png") ? SURFACE_PPM : SURFACE_PNG;
	picture->surface = screen_copy(vmm, error);
	if (!picture->surface || !check(vmm, args, error) || !open_target(picture, args, error))
		return NULL;
	return g_steal_pointer(&picture);
}

/* [the thread] */
static void write_picture(void *opaque)
{
	struct picture *picture = opaque;
	g_autoptr(GBytes) bytes =
		surface_encode(picture->surface, picture->format, &picture->error);
	size_t len;
	const void *p = bytes ? g_bytes_get_data(bytes, &len) : NULL;
	ssize_t n = p ? sys_write_full(picture->fd, p, len) : 0;

	if (n < 0)
		error_sys(&picture->error, (int)n, "cannot write '%s'", picture->name);
}

static void written(void *opaque)
{
	struct picture *picture = opaque;

	g_ptr_array_remove_fast(picture->vmm->pictures, picture);
	/* Who is answered finds all of it, and the end of a pipe. */
	fd_autoclose(&picture->fd);
	qmp_request_answer(picture->request, picture->error ? NULL : json_object(), picture->error);
	aside_drop(picture->aside);
}

void start_screendump(void *opaque, const json_t *args, struct qmp_request *request)
{
	struct vmm *vmm = opaque;
	g_autoptr(GError) error = NULL;
	autoptr(picture) picture = picture_new(vmm, args, &error);

	if (picture)
		picture->aside = aside_start(&(struct aside_work){ .name = "picture",
								   .fn = write_picture,
								   .end = written,
								   .free = picture_free,
								   .arg = picture },
					     &error);
	if (!picture || !picture->aside) {
		qmp_request_answer(request, NULL, error);
		return;
	}
	picture->request = request;
	g_ptr_array_add(vmm->pictures, g_steal_pointer(&picture));
}

void pictures_end(struct vmm *vmm)
{
	g_autoptr(GError) error = NULL;

	error_set(&error, SOCLE_ERROR_STATE, "the machine ends");
	while (vmm->pictures->len) {
		struct picture *picture = g_ptr_array_steal_index(vmm->pictures, 0);

		qmp_request_answer(picture->request, NULL, error);
		aside_drop(picture->aside);
	}
}
