/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c - the small text files of /proc and /sys, below a root that the caller names
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "host/read-int.h"

char *host_root_dup(const char *root)
{
	size_t len = strlen(root);

	while (len > 0 && root[len - 1] == '/')
		len--;
	return g_strndup(root, len);
}

/* O_NONBLOCK: a pipe in the place of a file is not waited for. */
G_GNUC_PRINTF(2, 0)
static int open_path(const char *root, const char *fmt, va_list ap)
{
	char path[HOST_PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s", root);
	int more;

	if (len < 0 || (size_t)len >= sizeof(path))
		return -1;
	more = vsnprintf(path + len, sizeof(path) - (size_t)len, fmt, ap);
	if (more < 0 || (size_t)more >= sizeof(path) - (size_t)len)
		return -1;
	return sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
}

char *host_read_all(const char *root, const char *fmt, ...)
{
	size_t len = 0, room = 2048;
	char *text = NULL;
	ssize_t n;
	va_list ap;
	int fd;

	va_start(ap, fmt);
	fd = open_path(root, fmt, ap);
	va_end(ap);
	if (fd < 0)
		return NULL;
	do {
		if (!text || room - len == 1)
			text = g_realloc(text, room *= 2);
		n = sys_read(fd, text + len, room - len - 1);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len < host_file_max);
	fd_autoclose(&fd);
	text[len] = '\0';
	return text;
}

int host_read_text(char *buf, size_t size, const char *root, const char *fmt, ...)
{
	ssize_t len;
	va_list ap;
	int fd;

	buf[0] = '\0';
	va_start(ap, fmt);
	fd = open_path(root, fmt, ap);
	va_end(ap);
	if (fd < 0)
		return fd;
	len = sys_read(fd, buf, size - 1);
	fd_autoclose(&fd);
	buf[len > 0 ? len : 0] = '\0';
	if (len < 0)
		return (int)len;
	buf[strcspn(buf, "\n")] = '\0';
	g_strstrip(buf);
	return (int)strlen(buf);
}

const char *host_scan_number(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!g_ascii_isdigit(*text))
		return NULL;
	for (; g_ascii_isdigit(*text); text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
	}
	*ret_value = value;
	return text;
}

bool host_read_number(uint64_t *ret_value, const char *root, const char *fmt, ...)
{
	const char *end;
	char buf[64];
	uint64_t value;
	ssize_t len;
	va_list ap;
	int fd;

	va_start(ap, fmt);
	fd = open_path(root, fmt, ap);
	va_end(ap);
	if (fd < 0)
		return false;
	len = sys_read(fd, buf, sizeof(buf) - 1);
	fd_autoclose(&fd);
	if (len <= 0)
		return false;
	buf[len] = '\0';
	end = host_scan_number(buf, &value);
	if (!end || (*end && *end != '\n'))
		return false;
	*ret_value = value;
	return true;
}

bool host_lines_open(struct host_lines *lines, const char *root, const char *fmt, ...)
{
	va_list ap;

	lines->pos = lines->end = 0;
	lines->eof = lines->cut = false;
	va_start(ap, fmt);
	lines->fd = open_path(root, fmt, ap);
	va_end(ap);
	return lines->fd >= 0;
}

/* More of the file behind what is left in the buffer; false: nothing came. */
static bool more(struct host_lines *lines)
{
	ssize_t n;

	if (lines->pos > 0) {
		memmove(lines->buf, lines->buf + lines->pos, lines->end - lines->pos);
		lines->end -= lines->pos;
		lines->pos = 0;
	}
	if (lines->eof || lines->end == sizeof(lines->buf) - 1)
		return false;
	n = sys_read(lines->fd, lines->buf + lines->end, sizeof(lines->buf) - 1 - lines->end);
	if (n <= 0) {
		lines->eof = true;
		return false;
	}
	lines->end += (size_t)n;
	return true;
}

/* The rest of a line that was cut off. */
static void skip_rest(struct host_lines *lines)
{
	lines->cut = false;
	do {
		char *start = lines->buf + lines->pos;
		char *end = memchr(start, '\n', lines->end - lines->pos);

		if (end) {
			lines->pos = (size_t)(end - lines->buf) + 1;
			return;
		}
		lines->pos = lines->end;
	} while (more(lines));
}

char *host_lines_next(struct host_lines *lines)
{
	char *end;

	if (lines->cut)
		skip_rest(lines);
	do {
		char *start = lines->buf + lines->pos;

		end = memchr(start, '\n', lines->end - lines->pos);
		if (end) {
			*end = '\0';
			lines->pos = (size_t)(end - lines->buf) + 1;
			return start;
		}
	} while (more(lines));
	if (lines->pos == lines->end)
		return NULL;
	lines->cut = !lines->eof;
	lines->buf[lines->end] = '\0';
	end = lines->buf + lines->pos;
	lines->pos = lines->end;
	return end;
}

void host_lines_close(struct host_lines *lines)
{
	fd_autoclose(&lines->fd);
}
