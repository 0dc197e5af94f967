/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * say.c - sentences that quote what strangers wrote
 */
#include "model/say-int.h"

char *say(const char *fmt, va_list ap)
{
	g_autofree char *raw = g_strdup_vprintf(fmt, ap);
	char *text = g_utf8_make_valid(raw, -1);

	for (char *p = text; *p; p++) {
		if (g_ascii_iscntrl(*p))
			*p = '?';
	}
	return text;
}

bool model_error(GError **error, enum error_kind kind, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = say(fmt, ap);
	va_end(ap);
	return error_set(error, kind, "%s", text);
}
