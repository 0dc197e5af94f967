/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-console.c - the byte streams of a machine: ptys and sockets
 */
#include <fcntl.h>
#include <string.h>
#include <termios.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/runner-int.h"

static struct domain_char *find(struct domain_char *list, unsigned count, const char *alias)
{
	for (unsigned i = 0; i < count; i++) {
		if (list[i].info.fate != FATE_LEFT_OUT &&
		    (!alias || !g_strcmp0(list[i].info.alias.name, alias)))
			return &list[i];
	}
	return NULL;
}

static struct domain_char *find_any(struct domain_devices *d, const char *alias)
{
	struct domain_char *chr = find(d->consoles, d->console_count, alias);

	if (!chr)
		chr = find(d->serials, d->serial_count, alias);
	if (!chr && alias)
		chr = find(d->channels, d->channel_count, alias);
	return chr;
}

/* Raw, whoever had it before. Which one it is the machine says, so it has to be one of its user. */
static int open_pty(const struct runner *runner, const char *path, GError **error)
{
	int fd = sys_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0);
	struct termios mode;
	struct stat st;

	if (fd < 0) {
		error_sys(error, fd, "cannot open the terminal '%s' of the machine", path);
		return -1;
	}
	if (sys_fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_uid != runner_uid(runner)) {
		error_set(error, SOCLE_ERROR_DENIED,
			  "'%s' is no terminal of the machine; nobody is connected to it", path);
		fd_autoclose(&fd);
		return -1;
	}
	if (tcgetattr(fd, &mode) == 0) {
		cfmakeraw(&mode);
		(void)tcsetattr(fd, TCSANOW, &mode);
	}
	return fd;
}

int runner_console(struct machine *machine, const char *alias, GError **error)
{
	const struct runner *runner = runner_of(machine);
	struct domain *live = machine->dom->live;
	const struct domain_char *chr = live ? find_any(&live->devices, alias) : NULL;
	const char *path = chr && chr->source_count ? chr->sources[0].path : NULL;

	if (!chr) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  alias ? "the machine has no console '%s'"
				: "the machine has no console%s; give it a <console>",
			  alias ? alias : "");
		return -1;
	}
	if (chr->type == CHAR_PTY && chr->tty)
		return open_pty(runner, chr->tty, error);
	if (chr->type == CHAR_UNIX && path)
		return runner_connect_unix(runner, path, error);
	error_set(error, SOCLE_ERROR_UNSUPPORTED,
		  "what '%s' prints goes %s%s%s; only pty and unix can be connected to",
		  chr->info.alias.name, path ? "to '" : "nowhere", path ? path : "",
		  path ? "'" : "");
	return -1;
}
