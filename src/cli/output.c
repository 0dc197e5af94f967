/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.c - what socle prints: text, colours, JSON
 */
#include "cli/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"

void cli_out(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stdout, fmt, ap);
	va_end(ap);
}

void cli_out_text(const char *text)
{
	cli_out("%s%s", text, g_str_has_suffix(text, "\n") ? "" : "\n");
}

void cli_out_name(const char *name)
{
	g_autofree char *plain = cli_plain(name ? name : "-");

	cli_out("%s\n", plain);
}

void cli_warn(const char *fmt, ...)
{
	g_autofree char *text = NULL, *plain = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	/* Names and words of others may be in it. */
	plain = cli_plain(text);
	(void)fflush(stdout);
	(void)fprintf(stderr, "socle: %s\n", plain);
}

bool cli_out_finish(GError **error)
{
	sys_clear_error();
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	return error_sys(error, sys_last_error(), "cannot write to stdout");
}

static void out_json(json_t *value, size_t flags)
{
	char *text = json_dumps(value, flags | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);

	json_decref(value);
	cli_out("%s\n", text);
	free(text);
}

void cli_out_json(json_t *value)
{
	out_json(value, JSON_INDENT(2));
}

void cli_out_json_line(json_t *value)
{
	out_json(value, JSON_COMPACT);
}

json_t *cli_json_string(const char *text)
{
	g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

	return valid ? json_string(valid) : json_null();
}

bool cli_colours(int fd)
{
	const char *no = g_getenv("NO_COLOR"), *term = g_getenv("TERM");

	return isatty(fd) && !(no && *no) && g_strcmp0(term, "dumb") != 0;
}

const char *cli_colour_code(enum cli_colour colour)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "\033[0m", [COLOUR_GOOD] = "\033[32m", [COLOUR_WARN] = "\033[33m",
		[COLOUR_BAD] = "\033[31m", [COLOUR_DIM] = "\033[2m",   [COLOUR_BOLD] = "\033[1m",
	};

	G_STATIC_ASSERT(G_N_ELEMENTS(codes) == COLOUR_COUNT);
	return codes[colour];
}

/* What moves, hides or turns text round is no text. */
static bool is_plain(gunichar c)
{
	GUnicodeType type = g_unichar_type(c);

	return type != G_UNICODE_CONTROL && type != G_UNICODE_FORMAT &&
	       type != G_UNICODE_SURROGATE && type != G_UNICODE_UNASSIGNED &&
	       type != G_UNICODE_PRIVATE_USE && type != G_UNICODE_LINE_SEPARATOR &&
	       type != G_UNICODE_PARAGRAPH_SEPARATOR;
}

char *cli_plain(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	GString *plain = g_string_new(NULL);

	for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
		gunichar c = g_utf8_get_char(at);

		if (c == '\n' || c == '\t')
			g_string_append_c(plain, ' ');
		else
			g_string_append_unichar(plain, is_plain(c) ? c : '?');
	}
	return g_string_free(plain, FALSE);
}

bool cli_is_plain(const char *bytes, size_t len)
{
	if (!g_utf8_validate_len(bytes, len, NULL))
		return false;
	for (const char *at = bytes; at < bytes + len; at = g_utf8_next_char(at)) {
		gunichar c = g_utf8_get_char(at);

		if (c != '\n' && c != '\t' && !is_plain(c))
			return false;
	}
	return true;
}

unsigned cli_width(const char *text)
{
	unsigned width = 0;

	for (; *text; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text);

		if (!g_unichar_iszerowidth(c))
			width += g_unichar_iswide(c) ? 2 : 1;
	}
	return width;
}

char *cli_size(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double number = (double)bytes;
	unsigned unit = 0;

	/* 999.5 would be shown as 1000. */
	while (number >= 999.5 && unit + 1 < G_N_ELEMENTS(units)) {
		number /= 1024;
		unit++;
	}
	return g_strdup_printf("%.3g %s", number, units[unit]);
}

char *cli_duration(uint64_t seconds)
{
	uint64_t days = seconds / 86400;
	unsigned rest = (unsigned)(seconds % 86400);
	g_autofree char *clock =
		g_strdup_printf("%02u:%02u:%02u", rest / 3600, rest / 60 % 60, rest % 60);

	return days ? g_strdup_printf("%" PRIu64 "d %s", days, clock) : g_steal_pointer(&clock);
}
