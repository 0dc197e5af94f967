/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keep-int.h - the comment in front of a text that is kept
 */
#ifndef MANAGE_KEEP_INT_H
#define MANAGE_KEEP_INT_H

#include <glib.h>
#include <stdbool.h>

#define KEEP_HEAD_START "<!--\n"
#define KEEP_HEAD_END   "-->\n"

/* What is behind the comment, which has to say 'socle @kind'; or NULL. */
const char *keep_check_head(const char *text, const char *kind, GError **error);
/* The value behind @key in the comment, for g_free(), or NULL. */
char *keep_head_value(const char *text, const char *key);
bool keep_head_yes(const char *text, const char *key);

#endif
