/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h - tables for people
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "cli/output.h"

enum {
	TABLE_COLUMNS_MAX = 12
};

struct table;

/* Headings with "|" between them: "NAME|STATE|>MEMORY"; behind ">" numbers stand to the right. */
struct table *table_new(const char *headings);
void table_free(struct table *table);
DEFINE_AUTOPTR(table, table_free);

/* The next cell of the last row, or the first of a new one; @text NULL is "-". */
void table_add(struct table *table, const char *text);
void table_add_colour(struct table *table, const char *text, enum cli_colour colour);
/* Takes @text. */
void table_take(struct table *table, char *text);
unsigned table_rows(const struct table *table);
/* The rows, below the headings if those are wanted. */
void table_format(const struct table *table, bool headings, bool colours, GString *out);

/* The whole table to stdout, with colours if that can have them. */
void table_print(const struct table *table);

#endif
