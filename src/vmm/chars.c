/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chars.c - choice of a chardev's back end; the one that swallows everything
 */
#include "vmm/chars.h"

static size_t none_write(struct chardev *chr, const uint8_t *buf, size_t len)
{
	(void)chr;
	(void)buf;
	return len;
}

static void none_free(struct chardev *chr)
{
	g_free(chr);
}

static const struct chardev_ops none_ops = { .write = none_write, .free = none_free };

static struct chardev *char_none_new(void)
{
	struct chardev *chr = g_new(struct chardev, 1);

	*chr = (struct chardev){ .ops = &none_ops };
	return chr;
}

struct chardev *char_open(const struct char_spec *spec, const struct console_ops *ops, void *opaque,
			  char **ret_name, GError **error)
{
	g_autofree char *path = NULL;
	struct chardev *chr = NULL;

	switch (spec->kind) {
	case CHAR_STDIO:
		chr = console_new(ops, opaque, error);
		*ret_name = g_strdup("stdio");
		break;
	case CHAR_NONE:
		chr = char_none_new();
		*ret_name = g_strdup("null");
		break;
	case CHAR_PTY:
		chr = char_pty_new(&path, error);
		*ret_name = g_strconcat("pty:", path, NULL);
		break;
	case CHAR_FILE:
		chr = char_file_new(spec->path, error);
		*ret_name = g_strconcat("file:", spec->path, NULL);
		break;
	case CHAR_UNIX:
		chr = char_unix_new(spec->path, error);
		*ret_name = g_strconcat("unix:", spec->path, ",server=on", NULL);
		break;
	}
	return chr;
}
