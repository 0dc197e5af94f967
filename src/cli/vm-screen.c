/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-screen.c - keys for a machine's keyboard, pictures of its screen
 */
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"
#include "cli/out-file.h"
#include "cli/suggest.h"

/* ---- keys ---- */

enum {
	KEYS_MAX = 16,
	CODE_MAX = 767,
};

#define NAMED(name)                \
	{                          \
#name, KEY_##name, \
	}

static const struct {
	const char *name;
	unsigned code;
} key_names[] = {
	NAMED(ESC),
	NAMED(1),
	NAMED(2),
	NAMED(3),
	NAMED(4),
	NAMED(5),
	NAMED(6),
	NAMED(7),
	NAMED(8),
	NAMED(9),
	NAMED(0),
	NAMED(MINUS),
	NAMED(EQUAL),
	NAMED(BACKSPACE),
	NAMED(TAB),
	NAMED(Q),
	NAMED(W),
	NAMED(E),
	NAMED(R),
	NAMED(T),
	NAMED(Y),
	NAMED(U),
	NAMED(I),
	NAMED(O),
	NAMED(P),
	NAMED(LEFTBRACE),
	NAMED(RIGHTBRACE),
	NAMED(ENTER),
	NAMED(LEFTCTRL),
	NAMED(A),
	NAMED(S),
	NAMED(D),
	NAMED(F),
	NAMED(G),
	NAMED(H),
	NAMED(J),
	NAMED(K),
	NAMED(L),
	NAMED(SEMICOLON),
	NAMED(APOSTROPHE),
	NAMED(GRAVE),
	NAMED(LEFTSHIFT),
	NAMED(BACKSLASH),
	NAMED(Z),
	NAMED(X),
	NAMED(C),
	NAMED(V),
	NAMED(B),
	NAMED(N),
	NAMED(M),
	NAMED(COMMA),
	NAMED(DOT),
	NAMED(SLASH),
	NAMED(RIGHTSHIFT),
	NAMED(KPASTERISK),
	NAMED(LEFTALT),
	NAMED(SPACE),
	NAMED(CAPSLOCK),
	NAMED(F1),
	NAMED(F2),
	NAMED(F3),
	NAMED(F4),
	NAMED(F5),
	NAMED(F6),
	NAMED(F7),
	NAMED(F8),
	NAMED(F9),
	NAMED(F10),
	NAMED(F11),
	NAMED(F12),
	NAMED(NUMLOCK),
	NAMED(SCROLLLOCK),
	NAMED(KPENTER),
	NAMED(RIGHTCTRL),
	NAMED(SYSRQ),
	NAMED(RIGHTALT),
	NAMED(HOME),
	NAMED(UP),
	NAMED(PAGEUP),
	NAMED(LEFT),
	NAMED(RIGHT),
	NAMED(END),
	NAMED(DOWN),
	NAMED(PAGEDOWN),
	NAMED(INSERT),
	NAMED(DELETE),
	NAMED(POWER),
	NAMED(PAUSE),
	NAMED(LEFTMETA),
	NAMED(RIGHTMETA),
	/* As people say. */
	{ "CTRL", KEY_LEFTCTRL },
	{ "ALT", KEY_LEFTALT },
	{ "SHIFT", KEY_LEFTSHIFT },
	{ "DEL", KEY_DELETE },
	{ "RETURN", KEY_ENTER },
	{ "ESCAPE", KEY_ESC },
};

/* "KEY_LEFTCTRL", "leftctrl", "29", "0x1d" */
static bool key_code(const char *text, unsigned *ret_code, GError **error)
{
	const char *name = g_ascii_strncasecmp(text, "KEY_", 4) ? text : text + 4;
	const char *names[G_N_ELEMENTS(key_names)], *near;
	uint64_t number;
	bool hex = g_str_has_prefix(text, "0x");

	for (unsigned i = 0; i < G_N_ELEMENTS(key_names); i++) {
		names[i] = key_names[i].name;
		if (!g_ascii_strcasecmp(name, names[i])) {
			*ret_code = key_names[i].code;
			return true;
		}
	}
	if (g_ascii_string_to_unsigned(text + (hex ? 2 : 0), hex ? 16 : 10, 0, CODE_MAX, &number,
				       NULL)) {
		*ret_code = (unsigned)number;
		return true;
	}
	near = suggest_among(names, G_N_ELEMENTS(names), name);
	return error_set(error, SOCLE_ERROR_USAGE, "there is no key '%s'%s%s", text,
			 near ? "; there is KEY_" : "; names are those of Linux, as KEY_ENTER",
			 near ? near : "");
}

static bool codeset_of(const struct cli_args *args, unsigned *ret_set)
{
	static const char *const sets[] = { "linux", "xt",     "atset1", "atset2", "atset3",
					    "osx",   "xt_kbd", "usb",    "win32",  "qnum" };
	const char *name = cli_args_value(args, "codeset");

	*ret_set = SOCLE_KEYCODE_LINUX;
	for (unsigned i = 0; name && i < G_N_ELEMENTS(sets); i++) {
		if (!strcmp(sets[i], name))
			*ret_set = i;
	}
	return *ret_set == SOCLE_KEYCODE_LINUX;
}

static int run_send_key(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = NULL;
	struct socle_error *why = NULL;
	unsigned keys[KEYS_MAX], count = 0, set;
	bool named = codeset_of(args, &set);
	uint64_t hold = 0, number;

	if (!cli_args_number(args, "hold", 0, 10000, &hold, error))
		return CLI_USAGE;
	for (unsigned n = 1; n < cli_args_words(args); n++) {
		const char *word = cli_args_word(args, n);

		if (named && !key_code(word, &keys[count], error))
			return CLI_USAGE;
		if (!named) {
			if (!g_ascii_string_to_unsigned(word, 10, 0, UINT16_MAX, &number, error))
				return CLI_USAGE;
			keys[count] = (unsigned)number;
		}
		count++;
	}
	dom = cli_machine(cli, cli_args_word(args, 0), error);
	if (!dom)
		return CLI_FAILED;
	if (socle_domain_send_key(dom, set, (unsigned)hold, keys, count, 0, &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	cli_done_machine(cli, dom, "send-key", "has had the keys");
	return CLI_OK;
}

const struct cli_command cli_vm_send_key = {
	.noun = "vm",
	.verb = "send-key",
	.arguments = "MACHINE KEY...",
	.summary = "Press keys together, as in: ctrl alt del",
	.options =
		(const struct cli_option[]){
			{ "hold", 0, "MS", CLI_TEXT, "for how long, in 1/1000 s" },
			{ "codeset", 0, "linux|xt|atset1|atset2|atset3|osx|xt_kbd|usb|win32|qnum",
			  CLI_TEXT, "what numbers mean (default: linux, which has names, too)" },
			CLI_ROW_END },
	.what = { CLI_RUNNING, CLI_TEXT },
	.min = 2,
	.max = 1 + KEYS_MAX,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_send_key,
};

/* ---- screen ---- */

enum {
	PICTURE_MAX = 256 << 20
};

static bool receive(struct socle_stream *stream, int fd, const char *path, GError **error)
{
	g_autofree uint8_t *piece = g_malloc(1 << 16);
	uint64_t total = 0;

	for (;;) {
		struct socle_error *why = NULL;
		ssize_t got = socle_stream_recv(stream, piece, 1 << 16, &why), written;

		if (got < 0)
			return cli_fail(error, why, "screenshot");
		if (got == 0)
			break;
		total += (uint64_t)got;
		if (total > PICTURE_MAX)
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "the daemon sends more than 256 MiB: no picture");
		written = sys_write_full(fd, piece, (size_t)got);
		if (written < 0)
			return error_sys(error, (int)written, "cannot write '%s'", path);
	}
	return true;
}

static bool save(struct socle_stream *stream, const char *path, GError **error)
{
	struct socle_error *why = NULL;
	struct out_file out;
	bool ok;

	if (!out_file_open(&out, path, error))
		return false;
	ok = receive(stream, out.fd, out.written, error);
	if (ok && socle_stream_finish(stream, &why) < 0)
		ok = cli_fail(error, why, "screenshot");
	return out_file_close(&out, ok, error);
}

static int run_screenshot(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	g_autofree char *path = g_strdup(cli_args_word(args, 1));
	SOCLE_AUTO(stream) stream = NULL;
	struct socle_error *why = NULL;
	uint64_t screen = 0;
	char *mime = NULL;

	if (!dom || !cli_args_number(args, "screen", 0, 15, &screen, error))
		return CLI_FAILED;
	stream = socle_domain_screenshot(dom, (unsigned)screen, 0, 0, &mime, &why);
	if (!stream)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	if (!path) {
		g_autofree char *base = cli_name(dom);

		g_strdelimit(base, "/", '-');
		path = g_strdup_printf("%s.%s", base, strstr(mime, "png") ? "png" : "ppm");
	}
	free(mime);
	if (!save(stream, path, error))
		return CLI_FAILED;
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o}", "file", cli_json_string(path)));
	else
		cli_out("%s\n", path);
	return CLI_OK;
}

const struct cli_command cli_vm_screenshot = {
	.noun = "vm",
	.verb = "screenshot",
	.arguments = "MACHINE [FILE]",
	.summary = "Write a picture of the screen to a file",
	.options = (const struct cli_option[]){ { "screen", 0, "N", CLI_TEXT, "which, from 0" },
						CLI_ROW_END },
	.what = { CLI_RUNNING, CLI_FILE },
	.min = 1,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_screenshot,
};
