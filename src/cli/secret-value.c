/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secret-value.c - values of secrets: from a terminal that does not show them, a file or a pipe, and back
 *
 * None comes as a word, since everybody on the host sees those. What we have of one is zeroed, and never in the
 * buffers of stdio; only of JSON a copy is left until we end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/scan.h"
#include "base/sys.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "cli/object.h"

enum {
	VALUE_MAX = 65536,        /* of the protocol */
	READ_MAX = 2 * VALUE_MAX, /* as base64, with line ends */
	TERMINAL_LINE = 4095,     /* a longer one is cut off by the kernel */
};

/* Of its own, with a NUL behind them that does not count. */
struct value {
	uint8_t *bytes;
	size_t len;
};

static void value_take(struct value *value, uint8_t *bytes, size_t len)
{
	socle_secret_value_free(value->bytes, value->len);
	value->bytes = bytes;
	value->len = len;
}

static void value_release(struct value *value)
{
	value_take(value, NULL, 0);
}

#define AUTO_VALUE __attribute__((cleanup(value_release))) struct value

/* ---- set ---- */

static bool too_long(GError **error)
{
	return error_set(error, SOCLE_ERROR_LIMIT, "a value has %d bytes at most", VALUE_MAX);
}

static ssize_t read_hidden(uint8_t *bytes, const char *name, GError **error)
{
	ssize_t len;

	if (!terminal_hide(STDIN_FILENO, error))
		return -1;
	(void)fprintf(stderr, "Value of secret '%s': ", name);
	len = sys_read(STDIN_FILENO, bytes, TERMINAL_LINE + 1);
	terminal_restore();
	if (len < 0) {
		error_sys(error, (int)len, "cannot read from the terminal");
		return -1;
	}
	if (len > 0 && bytes[len - 1] == '\n')
		len--;
	if (len < TERMINAL_LINE)
		return len;
	error_set(error, SOCLE_ERROR_LIMIT,
		  "a line of a terminal has less than %d bytes; give a file with the value",
		  TERMINAL_LINE);
	return -1;
}

static ssize_t read_file(uint8_t *bytes, const char *path, GError **error)
{
	bool is_stdin = !strcmp(path, "-");
	autofd int opened = is_stdin ? -1 : sys_open(path, O_RDONLY, 0);
	ssize_t len;

	if (!is_stdin && opened < 0) {
		error_sys(error, opened,
			  "a value comes from a file or a pipe, and '%s' cannot be opened", path);
		return -1;
	}
	len = sys_read_full(is_stdin ? STDIN_FILENO : opened, bytes, READ_MAX + 1);
	if (len < 0)
		error_sys(error, (int)len, "cannot read '%s'", path);
	return len;
}

static bool read_value(struct value *value, const char *file, const char *name, GError **error)
{
	bool asks = !strcmp(file, "-") && terminal_is(STDIN_FILENO);
	ssize_t len;

	value_take(value, g_malloc0(READ_MAX + 2), READ_MAX + 2);
	len = asks ? read_hidden(value->bytes, name, error) : read_file(value->bytes, file, error);
	if (len < 0)
		return false;
	if (len > READ_MAX)
		return too_long(error);
	value->len = (size_t)len;
	return true;
}

static bool decode(struct value *value, GError **error)
{
	uint8_t *bytes;
	size_t len;

	/* A NUL would hide what follows. */
	if (strlen((char *)value->bytes) != value->len || !scan_is_base64((char *)value->bytes))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "what was given is no base64, as '--base64' says it is");
	bytes = g_base64_decode((char *)value->bytes, &len);
	value_take(value, bytes, len);
	return true;
}

/* What "echo" leaves behind a password. */
static bool ends_like_a_line(const struct value *value)
{
	const uint8_t *end = memchr(value->bytes, '\n', value->len);

	return end && end == value->bytes + value->len - 1;
}

static bool check_value(const struct value *value, GError **error)
{
	if (!value->len)
		return error_set(error, SOCLE_ERROR_USAGE, "no value was given");
	return value->len <= VALUE_MAX || too_long(error);
}

static int run_set(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *word = cli_args_word(args, 0), *file = cli_args_word(args, 1);
	SOCLE_AUTO(secret) secret = cli_secret(cli, word, error);
	g_autofree char *name = secret ? cli_plain(cli_secret_name(secret)) : NULL;
	struct socle_error *why = NULL;
	AUTO_VALUE value = { NULL, 0 };

	if (!secret || !read_value(&value, file ? file : "-", name, error) ||
	    (cli_args_has(args, "base64") && !decode(&value, error)) || !check_value(&value, error))
		return CLI_FAILED;
	if (socle_secret_set_value(secret, value.bytes, value.len, 0, &why) < 0)
		return cli_fail(error, why, "secret '%s'", name);
	if (!cli->quiet && !cli_args_has(args, "base64") && ends_like_a_line(&value))
		cli_warn("the value ends with a line end, which belongs to it; 'printf %%s' "
			 "instead of 'echo' gives none");
	cli_done_object(cli, &object_secret, secret, "set", "has its value");
	return CLI_OK;
}

const struct cli_command cli_secret_set = {
	.noun = "secret",
	.verb = "set",
	.names = "secret-set-value",
	.arguments = "SECRET [FILE]",
	.summary = "Give a secret its value, which is asked for, or all that stdin or FILE has",
	.options = (const struct cli_option[]){ { "base64", 0, NULL, CLI_NOTHING,
						  "what is given is base64 of it" },
						CLI_ROW_END },
	.what = { CLI_SECRET, CLI_FILE },
	.min = 1,
	.max = 2,
	.flags = CLI_WRITES,
	.run = run_set,
};

/* ---- get ---- */

static bool write_out(const void *bytes, size_t len, bool line_end, GError **error)
{
	int ret;

	(void)fflush(stdout);
	ret = (int)sys_write_full(STDOUT_FILENO, bytes, len);
	if (ret >= 0 && line_end)
		ret = (int)sys_write_full(STDOUT_FILENO, "\n", 1);
	return ret >= 0 || error_sys(error, ret, "cannot write to stdout");
}

/* As it is; on a terminal only if it cannot command that, and with an end of its line. */
static bool print_plain(const struct value *value, GError **error)
{
	const char *text = (const char *)value->bytes;
	bool shown = terminal_is(STDOUT_FILENO);

	if (shown && !cli_is_plain(text, value->len))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the value is no text, which a terminal could show; '--base64' "
				 "prints it, and '>FILE' writes it as it is");
	return write_out(text, value->len, shown && !g_str_has_suffix(text, "\n"), error);
}

static int print_value(const struct cli *cli, struct socle_secret *secret,
		       const struct value *value, bool base64, GError **error)
{
	AUTO_VALUE coded = { NULL, 0 };

	if (!base64 && cli->output != OUTPUT_JSON)
		return print_plain(value, error) ? CLI_OK : CLI_FAILED;
	coded.bytes = (uint8_t *)g_base64_encode(value->bytes, value->len);
	coded.len = strlen((char *)coded.bytes);
	if (cli->output != OUTPUT_JSON)
		return write_out(coded.bytes, coded.len, true, error) ? CLI_OK : CLI_FAILED;
	cli_out_json(json_pack("{s:o, s:s, s:s}", "name", cli_json_string(cli_secret_name(secret)),
			       "uuid", socle_secret_uuid_text(secret), "value_base64",
			       coded.bytes));
	return CLI_OK;
}

static int run_get(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(secret) secret = cli_secret(cli, cli_args_word(args, 0), error);
	struct socle_error *why = NULL;
	AUTO_VALUE value = { NULL, 0 };

	if (!secret)
		return CLI_FAILED;
	value.bytes = socle_secret_get_value(secret, 0, &value.len, &why);
	if (!value.bytes)
		return cli_fail(error, why, "secret '%s'", cli_args_word(args, 0));
	return print_value(cli, secret, &value, cli_args_has(args, "base64"), error);
}

const struct cli_command cli_secret_get = {
	.noun = "secret",
	.verb = "get",
	.names = "secret-get-value",
	.arguments = "SECRET",
	.summary = "Print the value of a secret as it is, unless it is private; JSON has base64",
	.options = (const struct cli_option[]){ { "base64", 0, NULL, CLI_NOTHING,
						  "print base64 of it, as virsh does" },
						{ "plain", 0, NULL, CLI_NOTHING,
						  "print it as it is, which is the default" },
						CLI_ROW_END },
	.what = { CLI_SECRET },
	.min = 1,
	.max = 1,
	.run = run_get,
};
