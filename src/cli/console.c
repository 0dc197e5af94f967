/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.c - talk to a machine's console until it, or the user, has had enough
 *
 * One loop: keys go to the stream when it has room, and no more are read until then; what comes from
 * it goes to stdout. The terminal is put back whatever happens: a signal that ends us does it, too.
 */
#include "cli/console.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "cli/console-keys.h"

enum {
	PIECE = 1024,   /* bytes at a time */
	LEAVE_MS = 200, /* for the last keys before the one that leaves */
};

struct console {
	struct socle_stream *stream;
	struct console_keys keys;
	enum console_end end;
	bool on_terminal, input_ended, left;
	uint8_t pending[PIECE]; /* for the guest, from sent on */
	size_t len, sent;
};

static void on_end(int sig)
{
	/* NOLINTNEXTLINE(bugprone-signal-handler): it is made for this */
	terminal_restore();
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static void tell_keys(const struct console *console)
{
	g_autofree char *escape = console_keys_name(console->keys.escape);

	(void)fprintf(stderr, "%s%sCtrl-A X %s, Ctrl-A H is help\r\n", escape ? escape : "",
		      escape ? " or " : "",
		      console->end == CONSOLE_ENDS ? "ends the machine" : "leaves the console");
}

static void tell_help(const struct console *console)
{
	g_autofree char *escape = console_keys_name(console->keys.escape);
	const char *what = console->end == CONSOLE_ENDS ? "end the machine"
							: "leave the console; the machine goes on";

	(void)fprintf(stderr, "\r\nCtrl-A X       %s\r\n", what);
	if (escape)
		(void)fprintf(stderr, "%-14s the same\r\n", escape);
	(void)fprintf(stderr, "Ctrl-A H       this help\r\n"
			      "Ctrl-A Ctrl-A  send one Ctrl-A to the guest\r\n");
}

/* What was typed, sorted: ours, or the guest's. */
static bool read_keys(struct console *console, GError **error)
{
	uint8_t bytes[PIECE];
	const uint8_t *at = bytes;
	ssize_t got = sys_read(STDIN_FILENO, bytes, sizeof(bytes));
	size_t len;

	if (got < 0)
		return error_sys(error, (int)got, "cannot read from stdin");
	len = (size_t)got;
	console->len = console->sent = 0;
	if (len == 0) {
		console->input_ended = true;
		/* A terminal that has hung up will not come back. */
		console->left = console->on_terminal;
		return true;
	}
	if (!console->on_terminal) {
		memcpy(console->pending, bytes, len);
		console->len = len;
		return true;
	}
	while (len > 0 && !console->left) {
		size_t count;
		enum console_action action = console_keys_feed(
			&console->keys, &at, &len, console->pending + console->len, &count);

		console->len += count;
		if (action == CONSOLE_HELP)
			tell_help(console);
		console->left = action == CONSOLE_LEAVE;
	}
	return true;
}

static bool send_pending(struct console *console, GError **error)
{
	struct socle_error *why = NULL;
	ssize_t sent = socle_stream_send(console->stream, console->pending + console->sent,
					 console->len - console->sent, &why);

	if (sent == SOCLE_STREAM_AGAIN)
		return true;
	if (sent < 0)
		return cli_fail(error, why, "console");
	console->sent += (size_t)sent;
	return true;
}

/* 1: more may come, 0: it has ended, -1 */
static int receive(struct console *console, GError **error)
{
	uint8_t bytes[PIECE];
	struct socle_error *why = NULL;
	ssize_t got = socle_stream_recv(console->stream, bytes, sizeof(bytes), &why);
	ssize_t written;

	if (got == SOCLE_STREAM_AGAIN)
		return 1;
	if (got == 0)
		return 0;
	if (got < 0) {
		cli_fail(error, why, "console");
		return -1;
	}
	written = sys_write_full(STDOUT_FILENO, bytes, (size_t)got);
	if (written < 0) {
		error_sys(error, (int)written, "cannot write to stdout");
		return -1;
	}
	return 1;
}

static bool talk(struct console *console, GError **error)
{
	int readable = socle_stream_fd(console->stream, SOCLE_STREAM_READABLE);
	int writable = socle_stream_fd(console->stream, SOCLE_STREAM_WRITABLE);

	while (!console->left || console->sent < console->len) {
		bool sends = console->sent < console->len;
		struct pollfd fds[] = {
			{ .fd = readable, .events = POLLIN },
			{ .fd = sends ? writable : -1, .events = POLLIN },
			{ .fd = sends || console->input_ended ? -1 : STDIN_FILENO,
			  .events = POLLIN },
		};
		int ret = sys_poll(fds, G_N_ELEMENTS(fds), console->left ? LEAVE_MS : -1), more = 1;

		if (ret < 0)
			return error_sys(error, ret, "cannot wait for the console");
		if (fds[0].revents)
			more = receive(console, error);
		if (more <= 0)
			return more == 0;
		if (fds[1].revents && !send_pending(console, error))
			return false;
		/* Who leaves does not wait for a guest that reads nothing. */
		if (console->left && !fds[1].revents)
			return true;
		if (fds[2].revents && !read_keys(console, error))
			return false;
	}
	return true;
}

static bool open_stream(struct console *console, struct socle_domain *dom,
			const struct console_options *options, GError **error)
{
	g_autofree char *name = cli_name(dom);
	struct socle_error *why = NULL;
	unsigned flags = options->force ? SOCLE_CONSOLE_FORCE : 0;

	if (!cli_must_run(dom, error))
		return false;
	console->stream =
		socle_domain_console(dom, options->device, flags, SOCLE_STREAM_NONBLOCK, &why);
	if (!console->stream)
		return cli_fail(error, why, "console of '%s'", name);
	if (options->starts_it && socle_domain_resume(dom, &why) < 0) {
		socle_stream_unref(console->stream);
		return cli_fail(error, why, "'%s' does not start", name);
	}
	return true;
}

int console_attach(struct cli *cli, struct socle_domain *dom, const struct console_options *options,
		   enum console_end end, GError **error)
{
	static const struct console_options usual = { .escape = CONSOLE_CTRL_BRACKET };
	struct console console = {
		.keys.escape = options ? options->escape : usual.escape,
		.end = end,
		.on_terminal = terminal_is(STDIN_FILENO),
	};
	static const int ends[] = { SIGTERM, SIGHUP, SIGINT };
	bool ok;

	if (!open_stream(&console, dom, options ? options : &usual, error))
		return CLI_FAILED;
	(void)fflush(stdout);
	if (console.on_terminal) {
		for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++)
			(void)signal(ends[i], on_end);
		(void)atexit(terminal_restore);
		if (!terminal_raw(STDIN_FILENO, error)) {
			socle_stream_unref(console.stream);
			return CLI_FAILED;
		}
		if (!cli->quiet)
			tell_keys(&console);
	}
	ok = talk(&console, error);
	if (options && options->ret_left)
		*options->ret_left = console.left;
	if (console.on_terminal) {
		terminal_restore();
		(void)fputs("\n", stderr);
	}
	socle_stream_abort(console.stream);
	socle_stream_unref(console.stream);
	return ok ? CLI_OK : CLI_FAILED;
}

static int run_console(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct console_options options = {
		.device = cli_args_value(args, "device"),
		.force = cli_args_has(args, "force"),
		.escape = CONSOLE_CTRL_BRACKET,
	};
	const char *escape = cli_args_value(args, "escape");
	SOCLE_AUTO(domain) dom = NULL;

	if (escape && !console_keys_escape(escape, &options.escape)) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "'--escape' is ^ and a letter or one of @[\\]^_, or none, not '%s'",
			  escape);
		return CLI_USAGE;
	}
	dom = cli_machine(cli, cli_args_word(args, 0), error);
	if (!dom)
		return CLI_FAILED;
	return console_attach(cli, dom, &options, CONSOLE_LEAVES, error);
}

const struct cli_command cli_vm_console = {
	.noun = "vm",
	.verb = "console",
	.arguments = "MACHINE",
	.summary = "Talk to the console of a machine; Ctrl-] or Ctrl-A X leaves it",
	.options =
		(const struct cli_option[]){
			{ "device", 'd', "ALIAS", CLI_TEXT, "of which serial port or console" },
			{ "force", 'f', NULL, CLI_NOTHING, "whoever has it loses it" },
			{ "escape", 'e', "KEY", CLI_TEXT,
			  "the key that leaves: ^] or another, or none" },
			CLI_ROW_END },
	.what = { CLI_RUNNING },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_console,
};
