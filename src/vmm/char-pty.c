/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * char-pty.c - a pseudo terminal that others open: screen, minicom, cat
 *
 * While nobody has it open, poll() on our side reports a hang-up, all the time. So the reader is
 * stopped then, and a timer looks whether somebody came; the last of what the guest has printed is there
 * for him, as it would be on a screen.
 */
#include <fcntl.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/error.h"
#include "base/sys.h"
#include "vmm/chars.h"
#include "vmm/reader.h"
#include "vmm/writer.h"

enum {
	LOOK_MS = 250
};

struct char_pty {
	struct chardev chr;
	int fd; /* the master's side */
	guint timer;
	struct reader *reader;
	struct writer *writer;
};

static size_t pty_write(struct chardev *chr, const uint8_t *buf, size_t len)
{
	return writer_put(container_of(chr, struct char_pty, chr)->writer, buf, len);
}

static void pty_resume(struct chardev *chr)
{
	reader_resume(container_of(chr, struct char_pty, chr)->reader);
}

static void pty_free(struct chardev *chr)
{
	struct char_pty *pty = container_of(chr, struct char_pty, chr);

	if (pty->timer)
		g_source_remove(pty->timer);
	reader_free(pty->reader);
	writer_free(pty->writer);
	fd_autoclose(&pty->fd);
	g_free(pty);
}

static void pty_writable(void *opaque)
{
	struct char_pty *pty = opaque;

	if (pty->chr.front)
		pty->chr.front->writable(pty->chr.front_opaque);
}

static gboolean on_look(gpointer opaque)
{
	struct char_pty *pty = opaque;
	struct pollfd pfd = { .fd = pty->fd, .events = POLLIN };

	if (sys_poll(&pfd, 1, 0) < 0 || pfd.revents & POLLHUP)
		return G_SOURCE_CONTINUE;
	pty->timer = 0;
	reader_start(pty->reader, pty->fd);
	writer_look(pty->writer);
	return G_SOURCE_REMOVE;
}

static void on_closed(void *opaque)
{
	struct char_pty *pty = opaque;

	reader_stop(pty->reader);
	pty->timer = g_timeout_add(LOOK_MS, on_look, pty);
}

/* Raw from the start, whoever opens it; open and closed once, so that the hang-up is there. */
static bool prepare_slave(int master, GError **error)
{
	autofd int slave = -1;
	struct termios mode;
	int unlock = 0, r;

	r = sys_ioctl(master, TIOCSPTLCK, &unlock);
	if (r < 0)
		return error_sys(error, r, "cannot unlock a pty");
	slave = sys_ioctl_int(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return error_sys(error, slave, "cannot open a pty");
	if (tcgetattr(slave, &mode) < 0)
		return error_set(error, SOCLE_ERROR_FAILED, "cannot read the mode of a pty");
	cfmakeraw(&mode);
	if (tcsetattr(slave, TCSANOW, &mode) < 0)
		return error_set(error, SOCLE_ERROR_FAILED, "cannot set a pty to raw mode");
	return true;
}

static const struct chardev_ops pty_ops = {
	.write = pty_write,
	.resume = pty_resume,
	.free = pty_free,
};

struct chardev *char_pty_new(char **ret_path, GError **error)
{
	struct char_pty *pty = g_new(struct char_pty, 1);
	char path[64];

	*pty = (struct char_pty){
		.chr = { .ops = &pty_ops },
		.fd = sys_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0),
	};
	pty->reader = reader_new(&(struct reader_config){
		.chr = &pty->chr, .end_on_hup = true, .closed = on_closed, .opaque = pty });
	if (pty->fd < 0) {
		error_sys(error, pty->fd, "cannot make a pty");
		goto fail;
	}
	if (!prepare_slave(pty->fd, error))
		goto fail;
	if (ptsname_r(pty->fd, path, sizeof(path))) {
		error_set(error, SOCLE_ERROR_FAILED, "cannot find the name of a pty");
		goto fail;
	}
	pty->writer = writer_new(&(struct writer_config){ .what = "serial output",
							  .fd = pty->fd,
							  .keep_on_hup = true,
							  .writable = pty_writable,
							  .opaque = pty },
				 error);
	if (!pty->writer)
		goto fail;
	pty->timer = g_timeout_add(LOOK_MS, on_look, pty);
	*ret_path = g_strdup(path);
	return &pty->chr;
fail:
	pty_free(&pty->chr);
	return NULL;
}
