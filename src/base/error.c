/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c - kinds of errors, and the crossing from -errno to GError
 */
#include "base/error.h"

#include <stdarg.h>

GQuark socle_error_quark(void)
{
	return g_quark_from_static_string("socle-error-quark");
}

GQuark sys_error_quark(void)
{
	return g_quark_from_static_string("sys-error-quark");
}

bool error_set(GError **error, enum error_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!error)
		return false;
	va_start(ap, fmt);
	g_propagate_error(error, g_error_new_valist(SOCLE_ERROR, (int)kind, fmt, ap));
	va_end(ap);
	return false;
}

bool error_sys(GError **error, int neg_errno, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	if (!error)
		return false;
	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	g_set_error(error, SYS_ERROR, -neg_errno, "%s: %s", text, g_strerror(-neg_errno));
	return false;
}
