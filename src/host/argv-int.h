/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * argv-int.h - vectors of arguments for programs of the host
 */
#ifndef HOST_ARGV_INT_H
#define HOST_ARGV_INT_H

/* Copies of all words up to NULL; g_strfreev() it. */
char **argv_new(const char *first, ...) __attribute__((sentinel));

#endif
