/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * say-int.h - sentences that quote what strangers wrote
 *
 * They go to logs, terminals and clients: they have one line, no control characters, and are UTF-8
 * also where a quotation was cut.
 */
#ifndef MODEL_SAY_INT_H
#define MODEL_SAY_INT_H

#include <glib.h>
#include <stdarg.h>

#include "base/error.h"

char *say(const char *fmt, va_list ap) G_GNUC_PRINTF(1, 0);

/* Like error_set(). */
bool model_error(GError **error, enum error_kind kind, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

#endif
