/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.c - errors, sizes and progress on the terminal; what a signal makes of long work
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "img/img.h"

int img_fail(const GError *error)
{
	return img_fail_text("%s", error->message);
}

int img_fail_text(const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = g_strdup_vprintf(fmt, args);
	va_end(args);
	(void)fflush(stdout);
	(void)fprintf(stderr, "socle-img: %s\n", text);
	return IMG_FAILED;
}

char *img_human(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	unsigned unit = 0;

	while (value >= 1000 && unit + 1 < G_N_ELEMENTS(units)) {
		value /= 1024;
		unit++;
	}
	return g_strdup_printf("%.3g %s", value, units[unit]);
}

void img_progress_begin(struct img_progress *progress, bool wanted, bool quiet)
{
	*progress = (struct img_progress){
		.on = !quiet && (wanted || isatty(STDERR_FILENO)),
		.last = UINT_MAX,
	};
}

void img_progress(struct img_progress *progress, uint64_t done, uint64_t total)
{
	unsigned now = total ? (unsigned)((double)done / (double)total * 10000) : 10000;

	if (!progress->on || now == progress->last)
		return;
	progress->last = now;
	progress->dirty = true;
	(void)fprintf(stderr, "    (%u.%02u/100%%)\r", now / 100, now % 100);
	(void)fflush(stderr);
}

void img_progress_end(struct img_progress *progress)
{
	if (progress->dirty)
		(void)fputc('\n', stderr);
	progress->dirty = false;
}

/* ---- signals ---- */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

void img_catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

bool img_go_on(GError **error)
{
	if (!interrupted)
		return true;
	return error_set(error, SOCLE_ERROR_FAILED, "interrupted by signal %d (%s)", interrupted,
			 strsignal(interrupted));
}
