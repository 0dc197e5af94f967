/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine-log.c - what a machine's process says, in a file that does not grow for ever
 */
#include "daemon/machine-log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"

enum {
	SIZE_DEFAULT = 1024 * 1024,
	KEEP_DEFAULT = 3,
	COPY_MAX = 16 * 1024 * 1024, /* of a file that grew faster than we looked */
	TAIL = 16 * 1024,
	LINE_MAX_SHOWN = 1024,
};

off_t machine_log_size(const char *path)
{
	struct stat st;

	return sys_stat(path, &st) < 0 ? 0 : st.st_size;
}

/* The last @len bytes before the end, or fewer. NULL: it cannot be read. */
static char *read_tail(const char *path, off_t from, size_t max, size_t *ret_len)
{
	autofd int fd = sys_open(path, O_RDONLY | O_NOFOLLOW, 0);
	const off_t size = machine_log_size(path);
	const off_t start = size - from > (off_t)max ? size - (off_t)max : from;
	char *buf;
	ssize_t n;

	if (fd < 0 || start >= size)
		return NULL;
	buf = g_malloc((size_t)(size - start) + 1);
	n = sys_pread(fd, buf, (size_t)(size - start), start);
	if (n < 0) {
		g_free(buf);
		return NULL;
	}
	buf[n] = '\0';
	*ret_len = (size_t)n;
	return buf;
}

static bool write_file(const char *path, const char *buf, size_t len)
{
	autofd int fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);

	return fd >= 0 && sys_write_full(fd, buf, len) >= 0;
}

void machine_log_rotate(const char *path, const struct machine_log_limits *limits)
{
	const uint64_t size = limits->size ? limits->size : SIZE_DEFAULT;
	const unsigned keep = limits->keep ? limits->keep : KEEP_DEFAULT;
	g_autofree char *first = g_strconcat(path, ".1", NULL);
	g_autofree char *text = NULL;
	autofd int fd = -1;
	size_t len = 0;

	if ((uint64_t)machine_log_size(path) < size)
		return;
	text = read_tail(path, 0, COPY_MAX, &len);
	if (!text)
		return;
	for (unsigned i = keep; i > 1; i--) {
		g_autofree char *from = g_strdup_printf("%s.%u", path, i - 1);
		g_autofree char *to = g_strdup_printf("%s.%u", path, i);

		(void)sys_rename(from, to);
	}
	if (!write_file(first, text, len))
		return;
	fd = sys_open(path, O_WRONLY | O_NOFOLLOW, 0);
	if (fd >= 0)
		(void)sys_ftruncate(fd, 0);
}

int machine_log_open(const char *path, GError **error)
{
	int fd = sys_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY, 0600);

	if (fd < 0) {
		error_sys(error, fd, "cannot open the log '%s' of the machine", path);
		return -1;
	}
	return fd;
}

static void append(const char *path, const char *line)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *time = g_date_time_format(now, "%Y-%m-%d %H:%M:%S");
	g_autofree char *text = g_strdup_printf("%s: %s\n", time, line);
	autofd int fd = machine_log_open(path, NULL);

	/* A full disk must not keep a machine from starting. */
	if (fd >= 0)
		(void)sys_write_full(fd, text, strlen(text));
}

void machine_log_say(const char *path, const char *fmt, ...)
{
	g_autofree char *line = NULL;
	va_list args;

	va_start(args, fmt);
	line = g_strdup_vprintf(fmt, args);
	va_end(args);
	append(path, line);
}

void machine_log_command(const char *path, char *const *argv)
{
	g_autoptr(GString) line = g_string_new("starting");

	for (; *argv; argv++) {
		const bool plain =
			**argv && !(*argv)[strspn(*argv, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS
						  "-_=,./:@%+")];
		g_autofree char *quoted = plain ? g_strdup(*argv) : g_shell_quote(*argv);

		g_string_append_printf(line, " %s", quoted);
	}
	append(path, line->str);
}

char *machine_log_last(const char *path, off_t from)
{
	static const char program[] = "socle-vm: ";
	size_t len = 0;
	g_autofree char *text = read_tail(path, from, TAIL, &len);
	char *line, *end;

	if (!text)
		return NULL;
	g_strchomp(text);
	end = strrchr(text, '\n');
	line = end ? end + 1 : text;
	if (g_str_has_prefix(line, program))
		line += sizeof(program) - 1;
	if (!*line)
		return NULL;
	if (strlen(line) > LINE_MAX_SHOWN)
		line[LINE_MAX_SHOWN] = '\0';
	return g_utf8_make_valid(line, -1);
}
