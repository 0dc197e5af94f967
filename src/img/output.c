/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.c - what socle-img prints
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "img/img.h"

static const char *program = "socle-img";

void img_set_program(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	program = slash ? slash + 1 : argv0;
}

const char *img_program(void)
{
	return program;
}

void img_out(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stdout, fmt, ap);
	va_end(ap);
}

void img_warn(const char *fmt, ...)
{
	va_list ap;

	(void)fflush(stdout);
	(void)fprintf(stderr, "%s: ", program);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputs("\n", stderr);
}

bool img_out_finish(GError **error)
{
	sys_clear_error();
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	return error_sys(error, sys_last_error(), "cannot write to stdout");
}

void img_out_json(json_t *value)
{
	g_autofree char *text =
		json_dumps(value, JSON_INDENT(4) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);

	json_decref(value);
	img_out("%s\n", text);
}

json_t *img_json_string(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	return json_string(valid);
}

char *img_human_size(uint64_t bytes)
{
	static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	int power = 0;
	unsigned unit;

	/* The next unit from 1000 of one on, so that there are never more than three digits. */
	(void)frexp((double)bytes / (1000.0 / 1024.0), &power);
	unit = power > 0 ? (unsigned)(power - 1) / 10 : 0;
	unit = MIN(unit, G_N_ELEMENTS(units) - 1);
	return g_strdup_printf("%0.3g %sB", (double)bytes / (double)(UINT64_C(1) << (10 * unit)),
			       units[unit]);
}

static void show(const struct img_progress *progress)
{
	img_out("    (%" PRIu64 ".%02" PRIu64 "/100%%)\r", progress->last / 100,
		progress->last % 100);
	(void)fflush(stdout);
}

void img_progress_start(struct img_progress *progress, const struct img_args *args, uint64_t total)
{
	*progress = (struct img_progress){
		.on_terminal = isatty(STDOUT_FILENO),
		.total = MAX(total, 1),
	};
	progress->shown =
		!img_args_has(args, 'q') && (img_args_has(args, 'p') || progress->on_terminal);
	if (progress->shown)
		show(progress);
}

void img_progress_at(struct img_progress *progress, uint64_t done)
{
	uint64_t now =
		(uint64_t)((double)MIN(done, progress->total) / (double)progress->total * 10000.0);

	/* A pipe is told of each percent, a person of each tenth. */
	if (!progress->shown || now < progress->last + (progress->on_terminal ? 10 : 100))
		return;
	progress->last = now;
	show(progress);
}

void img_progress_end(struct img_progress *progress)
{
	if (!progress->shown)
		return;
	progress->last = 10000;
	show(progress);
	img_out("\n");
}
