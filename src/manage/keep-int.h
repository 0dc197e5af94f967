/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keep-int.h - the comment in front of what is kept: see keep.c
 */
#ifndef MANAGE_KEEP_INT_H
#define MANAGE_KEEP_INT_H

#include <glib.h>
#include <stdbool.h>

extern const char keep_head_start[], keep_head_end[];

/* What follows the head of a text that says 'socle @kind', or NULL. */
const char *keep_check_head(const char *text, const char *kind, GError **error);
/* Does the head say 'yes' behind @key? */
bool keep_head_yes(const char *text, const char *key);
/* What it says behind @key, for g_free(), or NULL. */
char *keep_head_value(const char *text, const char *key);

#endif
