/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-print.c - numbers that socle-io reads, and what it prints of requests
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "img/img.h"
#include "img/io.h"

char *io_size(double bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned unit = 0;
	char *point, *text;

	while (bytes >= 1024.0 && unit + 1 < G_N_ELEMENTS(units)) {
		bytes /= 1024.0;
		unit++;
	}
	text = g_strdup_printf(unit ? "%.3f" : "%f", bytes);
	point = strchr(text, '.');
	if (point && !strncmp(point, ".000", 4))
		*point = 0;
	point = g_strdup_printf("%s %s", text, units[unit]);
	g_free(text);
	return point;
}

bool io_parse_size(const char *text, uint64_t *ret_size)
{
	g_autoptr(GError) error = NULL;

	if (img_parse_size(text, ret_size, &error))
		return true;
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT))
		img_out("Parsing error: argument too large -- %s\n", text);
	else
		img_out("Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- "
			"%s\n",
			text);
	return false;
}

static char *duration(uint64_t ns, bool always_hours)
{
	const uint64_t s = ns / 1000000000;
	const double part = (double)(ns % 1000000000) / 1e9;

	if (!s && !always_hours)
		return g_strdup_printf("%05.2f sec", part);
	return g_strdup_printf("%" PRIu64 ":%02" PRIu64 ":%05.2f", s / 3600, s / 60 % 60,
			       (double)(s % 60) + part);
}

void io_report(const char *done, uint64_t off, uint64_t len, uint64_t total, uint64_t ns,
	       bool by_comma)
{
	/* A clock may stand still in between. */
	const double seconds = (double)MAX(ns, 1) / 1e9, rate = (double)total / seconds;
	g_autofree char *time = duration(ns, by_comma);
	g_autofree char *size = io_size((double)total), *speed = io_size(rate);

	if (by_comma) {
		img_out("%" PRIu64 ",1,%s,%.3f,%.3f\n", total, time, rate, 1.0 / seconds);
		return;
	}
	img_out("%s %" PRIu64 "/%" PRIu64 " bytes at offset %" PRIu64 "\n", done, total, len, off);
	img_out("%s, 1 ops; %s (%s/sec and %.4f ops/sec)\n", size, time, speed, 1.0 / seconds);
}

void io_dump(const uint8_t *bytes, uint64_t off, size_t len)
{
	enum {
		ROW = 16,
	};

	for (size_t at = 0; at < len; at += ROW) {
		size_t n = MIN(len - at, (size_t)ROW);

		img_out("%08" PRIx64 ":  ", off + at);
		for (size_t i = 0; i < n; i++)
			img_out("%02x ", bytes[at + i]);
		img_out(" ");
		for (size_t i = 0; i < n; i++)
			img_out("%c", g_ascii_isalnum(bytes[at + i]) ? bytes[at + i] : '.');
		img_out("\n");
	}
}
