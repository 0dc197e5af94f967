/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-util.c - what all parts of the step check use
 */
#include <stdarg.h>
#include <string.h>

#include "model/check-int.h"
#include "model/inet.h"
#include "model/say-int.h"

G_GNUC_PRINTF(3, 0)
static bool fail(const struct check *c, enum error_kind kind, const char *fmt, va_list ap)
{
	g_autofree char *text = say(fmt, ap);

	return error_set(c->error, kind, "%s", text);
}

bool refuse(const struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fail(c, SOCLE_ERROR_UNSUPPORTED, fmt, ap);
	va_end(ap);
	return false;
}

bool wrong(const struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fail(c, SOCLE_ERROR_USAGE, fmt, ap);
	va_end(ap);
	return false;
}

bool lacking(const struct check *c, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = say(fmt, ap);
	va_end(ap);
	if (c->flags & DOMAIN_CHECK_START)
		return error_set(c->error, SOCLE_ERROR_UNSUPPORTED, "%s", text);
	notes_add(c->notes, "it cannot start yet: %s", text);
	return true;
}

bool check_kept(const struct check *c, const char *of, const struct kept *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!list[i].raw)
			continue;
		if (list[i].refuse)
			return refuse(c, "%s has <%s>: %s", of, list[i].what, list[i].refuse);
		notes_add(c->notes, "<%s> of %s has no effect", list[i].what, of);
	}
	return true;
}

bool is_one_of(const char *text, const char *const *words)
{
	return text && g_strv_contains(words, text);
}

bool is_mac(const char *text)
{
	uint8_t bytes[INET_MAC_LEN];

	return inet_parse_mac(text, bytes);
}

/* "0-3,^2,7": numbers, ranges, and what is taken out of them. */
bool is_cpuset(const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);

	for (unsigned i = 0; parts[i]; i++) {
		const char *p = parts[i] + (*parts[i] == '^');
		size_t first = strspn(p, "0123456789"), second;

		if (first < 1 || first > 5)
			return false;
		if (!p[first])
			continue;
		second = strspn(p + first + 1, "0123456789");
		if (p[first] != '-' || second < 1 || second > 5 || p[first + 1 + second])
			return false;
		if (g_ascii_strtoull(p, NULL, 10) > g_ascii_strtoull(p + first + 1, NULL, 10))
			return false;
	}
	return parts[0] != NULL;
}
