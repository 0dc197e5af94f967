/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top-view.c - the picture of socle top, as one string for a terminal of a given size
 *
 * Each line is cut to the width, and cleared behind its end; so a new picture replaces the old one
 * without flicker. What does not fit goes in the order in which it is missed least: the columns from
 * the right, then the lines around the list.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/output.h"
#include "cli/top.h"

enum {
	NAME_NARROWEST = 8,
	NAME_WIDEST = 40,
};

struct column {
	const char *heading;
	unsigned width;
	enum top_sort sort; /* TOP_SORT_COUNT: by none */
};

/* Behind the name, in this order as far as there is room. */
static const struct column columns[] = {
	{ "%CPU", 6, TOP_CPU },  { "MEM", 6, TOP_MEMORY },      { "STATE", 8, TOP_SORT_COUNT },
	{ "RD/s", 6, TOP_READ }, { "WR/s", 6, TOP_WRITE },      { "RX/s", 6, TOP_RECEIVED },
	{ "TX/s", 6, TOP_SENT }, { "CPUS", 4, TOP_SORT_COUNT },
};

/* "1.5G": five characters at most. */
static char *short_size(double bytes)
{
	static const char units[] = "BKMGTPE";
	unsigned unit = 0;

	while (bytes >= 999.5 && units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	if (!unit)
		return g_strdup_printf("%.0f", bytes);
	return g_strdup_printf(bytes < 9.95 ? "%.1f%c" : "%.0f%c", bytes, units[unit]);
}

static char *rate_text(double rate)
{
	return rate < 0.5 ? g_strdup("-") : short_size(rate);
}

static const char *state_text(int state)
{
	static const char *const names[] = {
		"-", "running", "blocked", "paused", "ending", "off", "crashed", "asleep",
	};

	return (unsigned)state < G_N_ELEMENTS(names) ? names[state] : "?";
}

static char *cell_text(const struct top_row *row, unsigned column)
{
	switch (column) {
	case 0:
		return row->id < 0 ? g_strdup("-") : g_strdup_printf("%.1f", row->cpu);
	case 1:
		return row->id < 0 ? g_strdup("-") : short_size((double)row->memory_kib * 1024);
	case 2:
		return g_strdup(state_text(row->state));
	case 3:
		return rate_text(row->rd);
	case 4:
		return rate_text(row->wr);
	case 5:
		return rate_text(row->rx);
	case 6:
		return rate_text(row->tx);
	default:
		return g_strdup_printf("%" PRIu64, row->vcpus);
	}
}

/* @text in exactly @width columns; what is too long ends in '~'. */
static void put_left(GString *out, const char *text, unsigned width)
{
	unsigned used = 0;
	bool fits = cli_width(text) <= width;

	while (*text && width > 0) {
		gunichar c = g_utf8_get_char(text);
		unsigned wide = g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;

		if (used + wide + (fits ? 0 : 1) > width)
			break;
		g_string_append_unichar(out, c);
		used += wide;
		text = g_utf8_next_char(text);
	}
	if (!fits && width > 0) {
		g_string_append_c(out, '~');
		used++;
	}
	g_string_append_printf(out, "%*s", (int)(width - used), "");
}

static void put_right(GString *out, const char *text, unsigned width)
{
	unsigned used = cli_width(text);

	if (used < width)
		g_string_append_printf(out, "%*s", (int)(width - used), "");
	put_left(out, text, MIN(used, width));
}

/* How many columns fit behind a name, and how wide that may be. */
static unsigned layout(unsigned width, const struct top_rates *rates, unsigned *ret_name)
{
	unsigned longest = NAME_NARROWEST, used = 0, count = 0;

	for (unsigned i = 0; i < rates->rows->len; i++)
		longest =
			MAX(longest, cli_width(g_array_index(rates->rows, struct top_row, i).name));
	longest = MIN(longest, NAME_WIDEST);
	while (count < G_N_ELEMENTS(columns) &&
	       NAME_NARROWEST + used + columns[count].width + 1 <= width) {
		used += columns[count].width + 1;
		count++;
	}
	*ret_name = MIN(longest, width - used);
	return count;
}

static void heading(GString *out, unsigned name, unsigned count, enum top_sort sort, bool mark)
{
	put_left(out, mark && sort == TOP_NAME ? "NAME*" : "NAME", name);
	for (unsigned i = 0; i < count; i++) {
		bool chosen = mark && columns[i].sort == sort && sort != TOP_SORT_COUNT;
		g_autofree char *text = g_strconcat(columns[i].heading, chosen ? "*" : "", NULL);

		g_string_append_c(out, ' ');
		put_right(out, text, columns[i].width);
	}
}

static void put_row(GString *out, const struct top_row *row, unsigned name, unsigned count)
{
	put_left(out, row->name, name);
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *text = cell_text(row, i);

		g_string_append_c(out, ' ');
		put_right(out, text, columns[i].width);
	}
}

static char *summary(const struct top_screen *screen, const struct top_rates *rates)
{
	GString *text = g_string_new(NULL);
	double cpu = 0, memory = 0;
	unsigned running = 0;

	for (unsigned i = 0; i < rates->rows->len; i++) {
		const struct top_row *row = &g_array_index(rates->rows, struct top_row, i);

		running += row->id >= 0;
		cpu += row->cpu;
		memory += (double)row->memory_kib * 1024;
	}
	g_autofree char *used = short_size(memory);
	g_string_append_printf(text, "%u machine%s, %u running; %%CPU %.1f", rates->rows->len,
			       rates->rows->len == 1 ? "" : "s", running, cpu);
	if (screen->host_cpus)
		g_string_append_printf(text, " of %u", screen->host_cpus * 100);
	g_string_append_printf(text, ", memory %s", used);
	if (screen->host_memory_kib) {
		g_autofree char *total = short_size((double)screen->host_memory_kib * 1024);

		g_string_append_printf(text, " of %s", total);
	}
	return g_string_free(text, FALSE);
}

void top_print(const struct top_rates *rates, const struct top_screen *screen, GString *out)
{
	g_autofree char *text = summary(screen, rates);
	unsigned name, count = layout(200, rates, &name);

	g_string_append_printf(out, "%s %s: %s\n", screen->clock, screen->host ? screen->host : "-",
			       text);
	heading(out, name, count, TOP_SORT_COUNT, false);
	g_string_append_c(out, '\n');
	for (unsigned i = 0; i < rates->rows->len; i++) {
		put_row(out, &g_array_index(rates->rows, struct top_row, i), name, count);
		g_string_append_c(out, '\n');
	}
}

/* ---- the screen ---- */

static const char *const help_lines[] = {
	"socle top: what machines use of this host",
	"",
	"%CPU: 100 is one CPU of the host. RD, WR: disks; RX, TX: network; bytes a second",
	"",
	"c m r w x t n  sort by CPU, memory, read, written, received, sent, name",
	"R              the other way round",
	"/              show names that have a text (Enter takes it, Esc does not)",
	"Esc            show all names again",
	"a              also machines that do not run",
	"+ -            twice the time between two looks, or half of it",
	"Space          look now",
	"arrows, PgUp, PgDn, Home, End, j k  scroll",
	"q              quit",
	"",
	"Any key goes back.",
};

/* A line, in @before and normal again; the cursor goes to the next one. */
static void put_line(GString *out, const char *text, unsigned width, const char *before)
{
	if (before)
		g_string_append(out, before);
	put_left(out, text, width);
	g_string_append(out, before ? "\033[0m\033[K\r\n" : "\033[K\r\n");
}

static void draw_help(const struct top_screen *screen, GString *out)
{
	for (unsigned i = 0; i < screen->rows - 1 && i < G_N_ELEMENTS(help_lines); i++)
		put_line(out, help_lines[i], screen->columns, NULL);
}

static void draw_list(struct top_state *state, const struct top_screen *screen,
		      const struct top_rates *rates, unsigned lines, GString *out)
{
	g_autoptr(GString) text = g_string_new(NULL);
	unsigned name, count = layout(screen->columns, rates, &name), total = rates->rows->len;
	unsigned list;

	if (lines > 1) {
		heading(text, name, count, state->sort, true);
		put_line(out, text->str, screen->columns, "\033[7m");
	}
	list = lines > 1 ? lines - 1 : lines;
	state->page = MAX(list, 1);
	state->scroll = MIN(state->scroll, total > list ? total - list : 0);
	for (unsigned i = state->scroll; i < total && i < state->scroll + list; i++) {
		const struct top_row *row = &g_array_index(rates->rows, struct top_row, i);

		g_string_truncate(text, 0);
		put_row(text, row, name, count);
		put_line(out, text->str, screen->columns, row->id < 0 ? "\033[2m" : NULL);
	}
}

static char *last_line(const struct top_state *state, const struct top_screen *screen)
{
	if (screen->problem)
		return cli_plain(screen->problem);
	if (state->mode == TOP_FILTER) {
		g_autofree char *filter = cli_plain(state->filter);

		return g_strdup_printf("Filter: %s_", filter);
	}
	if (state->filter[0]) {
		g_autofree char *filter = cli_plain(state->filter);

		return g_strdup_printf("names with '%s'; Esc shows all, h is help, q quits",
				       filter);
	}
	return g_strdup("h help  / filter  c m r w x t n sort  a all  q quit");
}

void top_draw(struct top_state *state, const struct top_screen *screen,
	      const struct top_rates *rates, GString *out)
{
	unsigned head = screen->rows >= 8 ? 2 : 0, foot = screen->rows >= 4 || screen->problem;
	g_autofree char *last = last_line(state, screen), *sum = summary(screen, rates);

	g_string_append(out, "\033[H");
	if (state->mode == TOP_HELP) {
		draw_help(screen, out);
	} else {
		if (head) {
			g_autofree char *title = g_strdup_printf(
				"socle top  %s  %s  every %.3g s", screen->host ? screen->host : "",
				screen->clock, (double)state->delay_ms / 1000);

			put_line(out, title, screen->columns, "\033[1m");
			put_line(out, sum, screen->columns, NULL);
		}
		if (screen->rows > head + foot)
			draw_list(state, screen, rates, screen->rows - head - foot, out);
	}
	/* The cursor may stand below the last line, or the picture would scroll. */
	if (g_str_has_suffix(out->str, "\r\n") && !foot)
		g_string_truncate(out, out->len - 2);
	g_string_append(out, "\033[J");
	if (foot && state->mode != TOP_HELP) {
		g_string_append_printf(out, "\033[%u;1H%s", screen->rows,
				       screen->problem ? "\033[31m" : "");
		/* One column less: some terminals go to the next line behind the last one. */
		put_left(out, last, screen->columns > 1 ? screen->columns - 1 : 1);
		g_string_append(out, "\033[0m\033[K");
	}
}
