/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.c - the terminal that socle-vm was started on, shared by the guest and the human monitor
 *
 * A terminal is in raw mode and knows the keys of escape.h. What is no terminal (a pipe, a file) is
 * passed on byte by byte, and its end does not end the guest. Guest output is shown while the
 * monitor has the keys, too.
 */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/terminal.h"
#include "vmm/chars.h"
#include "vmm/escape.h"
#include "vmm/line-edit.h"
#include "vmm/reader.h"
#include "vmm/writer.h"

struct console {
	struct chardev chr;
	const struct console_ops *ops;
	void *opaque;
	bool terminal;
	struct reader *reader;
	struct writer *writer;
	struct escape escape;
	bool monitor; /* has the keys */
	struct line_edit line;
};

static const char prompt[] = "(socle) ";

static struct console *console_of(struct chardev *chr)
{
	return container_of(chr, struct console, chr);
}

static size_t console_write(struct chardev *chr, const uint8_t *buf, size_t len)
{
	return writer_put(console_of(chr)->writer, buf, len);
}

static void console_resume(struct chardev *chr)
{
	reader_resume(console_of(chr)->reader);
}

static void console_free(struct chardev *chr)
{
	struct console *console = console_of(chr);

	reader_free(console->reader);
	writer_free(console->writer);
	terminal_restore();
	g_free(console);
}

static void on_writable(void *opaque)
{
	struct console *console = opaque;

	if (console->chr.front)
		console->chr.front->writable(console->chr.front_opaque);
}

/* Lines as a raw terminal needs them. */
static void console_say(struct console *console, const char *text)
{
	GString *raw = g_string_new(NULL);

	for (; *text; text++) {
		if (*text == '\n')
			g_string_append_c(raw, '\r');
		g_string_append_c(raw, *text);
	}
	writer_put_text(console->writer, raw->str);
	g_string_free(raw, TRUE);
}

static void toggle_monitor(struct console *console)
{
	console->monitor = !console->monitor;
	line_edit_clear(&console->line);
	console_say(console, "\n");
	if (console->monitor) {
		console_say(console,
			    "socle monitor; 'help' lists the commands, Ctrl-A C goes back\n");
		console_say(console, prompt);
	}
}

/* A key for the human monitor. */
static void monitor_key(struct console *console, uint8_t byte)
{
	GString *echo = g_string_new(NULL);
	bool complete = line_edit_feed(&console->line, byte, echo);

	console_say(console, echo->str);
	g_string_free(echo, TRUE);
	if (complete) {
		g_autofree char *answer =
			console->ops->command(console->opaque, console->line.text);

		line_edit_clear(&console->line);
		console_say(console, answer);
		console_say(console, prompt);
	}
}

/* Take our own keys out. */
static size_t on_keys(void *opaque, uint8_t *buf, size_t len)
{
	struct console *console = opaque;
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		switch (escape_feed(&console->escape, buf[i])) {
		case ESCAPE_PASS:
			if (console->monitor)
				monitor_key(console, buf[i]);
			else
				buf[kept++] = buf[i];
			break;
		case ESCAPE_QUIT:
			console->ops->quit(console->opaque);
			break;
		case ESCAPE_HELP:
			console_say(console, escape_help());
			break;
		case ESCAPE_MONITOR:
			toggle_monitor(console);
			break;
		case ESCAPE_NOTHING:
			break;
		}
	}
	return kept;
}

static const struct chardev_ops console_chardev_ops = {
	.write = console_write,
	.resume = console_resume,
	.free = console_free,
};

struct chardev *console_new(const struct console_ops *ops, void *opaque, GError **error)
{
	struct console *console = g_new0(struct console, 1);

	console->chr.ops = &console_chardev_ops;
	console->ops = ops;
	console->opaque = opaque;
	console->terminal = terminal_is(STDIN_FILENO);
	console->reader =
		reader_new(&(struct reader_config){ .chr = &console->chr,
						    .lossy = console->terminal,
						    .filter = console->terminal ? on_keys : NULL,
						    .opaque = console });
	console->writer = writer_new(&(struct writer_config){ .what = "serial output",
							      .fd = STDOUT_FILENO,
							      .writable = on_writable,
							      .opaque = console },
				     error);
	if (!console->writer) {
		console_free(&console->chr);
		return NULL;
	}
	return &console->chr;
}

bool console_start(struct chardev *chr, GError **error)
{
	struct console *console = console_of(chr);

	if (console->terminal && !terminal_raw(STDIN_FILENO, error))
		return false;
	reader_start(console->reader, STDIN_FILENO);
	return true;
}
