/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.c - tables for people
 */
#include "cli/table.h"

#include <unistd.h>

struct cell {
	char *text;
	unsigned width;
	enum cli_colour colour;
};

struct table {
	char **headings;
	unsigned columns;
	bool right[TABLE_COLUMNS_MAX];
	unsigned width[TABLE_COLUMNS_MAX];
	GArray *cells; /* struct cell, row by row */
};

static void clear_cell(void *data)
{
	struct cell *cell = data;

	g_free(cell->text);
}

struct table *table_new(const char *headings)
{
	struct table *table = g_new0(struct table, 1);

	table->headings = g_strsplit(headings, "|", -1);
	table->columns = g_strv_length(table->headings);
	g_assert(table->columns <= TABLE_COLUMNS_MAX);
	for (unsigned i = 0; i < table->columns; i++) {
		char *heading = table->headings[i];

		table->right[i] = heading[0] == '>';
		if (table->right[i]) {
			table->headings[i] = g_strdup(heading + 1);
			g_free(heading);
		}
		table->width[i] = cli_width(table->headings[i]);
	}
	table->cells = g_array_new(FALSE, FALSE, sizeof(struct cell));
	g_array_set_clear_func(table->cells, clear_cell);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	g_strfreev(table->headings);
	g_array_unref(table->cells);
	g_free(table);
}

void table_add_colour(struct table *table, const char *text, enum cli_colour colour)
{
	struct cell cell = { .text = cli_plain(text ? text : "-"), .colour = colour };
	unsigned column = table->cells->len % table->columns;

	cell.width = cli_width(cell.text);
	table->width[column] = MAX(table->width[column], cell.width);
	g_array_append_val(table->cells, cell);
}

void table_add(struct table *table, const char *text)
{
	table_add_colour(table, text, COLOUR_NONE);
}

void table_take(struct table *table, char *text)
{
	table_add(table, text);
	g_free(text);
}

unsigned table_rows(const struct table *table)
{
	return table->cells->len / table->columns;
}

static void format_cell(const struct table *table, unsigned column, const struct cell *cell,
			bool colours, GString *out)
{
	bool last = column + 1 == table->columns;
	int pad = (int)(table->width[column] - cell->width);

	if (table->right[column])
		g_string_append_printf(out, "%*s", pad, "");
	if (colours && cell->colour != COLOUR_NONE)
		g_string_append_printf(out, "%s%s%s", cli_colour_code(cell->colour), cell->text,
				       cli_colour_code(COLOUR_NONE));
	else
		g_string_append(out, cell->text);
	/* Nothing stands behind the last one, so nobody copies spaces. */
	if (!last && !table->right[column])
		g_string_append_printf(out, "%*s", pad, "");
	g_string_append(out, last ? "\n" : "  ");
}

void table_format(const struct table *table, bool headings, bool colours, GString *out)
{
	g_assert(table->cells->len % table->columns == 0);
	for (unsigned i = 0; headings && i < table->columns; i++) {
		struct cell cell = { .text = table->headings[i],
				     .width = cli_width(table->headings[i]),
				     .colour = COLOUR_BOLD };

		format_cell(table, i, &cell, colours, out);
	}
	for (unsigned i = 0; i < table->cells->len; i++)
		format_cell(table, i % table->columns, &g_array_index(table->cells, struct cell, i),
			    colours, out);
}

void table_print(const struct table *table)
{
	g_autoptr(GString) text = g_string_new(NULL);

	table_format(table, true, cli_colours(STDOUT_FILENO), text);
	cli_out("%s", text->str);
}
