/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-top.c - rates of top by samples made here, and its picture on screens of all sizes
 */
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/top.h"

static const uint64_t second = 1000000000;

static struct sample *add(struct samples *samples, const char *name, int id)
{
	struct sample sample = { .name = g_strdup(name), .id = id, .state = id < 0 ? 5 : 1 };

	(void)snprintf(sample.uuid, sizeof(sample.uuid), "uuid-of-%.20s", name);
	sample.vcpus = 2;
	sample.memory_kib = 1 << 19;
	g_array_append_val(samples->list, sample);
	return &g_array_index(samples->list, struct sample, samples->list->len - 1);
}

/* Two samples, two seconds apart. */
static void make(struct samples **ret_before, struct samples **ret_now)
{
	struct samples *before = samples_new(), *now = samples_new();
	struct sample *sample;

	now->at_ns = before->at_ns + 2 * second;
	sample = add(before, "busy", 1);
	sample->cpu_ns = 10 * second;
	sample->rd_bytes = 1000;
	sample = add(before, "again", 2);
	sample->cpu_ns = 100 * second;
	sample = add(before, "back", 3);
	sample->cpu_ns = 100 * second;
	(void)add(before, "gone", 4);
	sample = add(now, "again", 9); /* started again */
	sample->cpu_ns = 200 * second;
	sample = add(now, "back", 3); /* a counter that went back */
	sample->cpu_ns = 1 * second;
	sample->tx_bytes = 3 << 20;
	sample = add(now, "busy", 1);
	sample->cpu_ns = 13 * second;
	sample->rd_bytes = 5000;
	sample = add(now, "new", 5);
	sample->cpu_ns = 50 * second;
	sample->memory_kib = 1 << 21;
	(void)add(now, "off", -1);
	*ret_before = before;
	*ret_now = now;
}

static const struct top_row *row(const struct top_rates *rates, unsigned n)
{
	g_assert_cmpuint(n, <, rates->rows->len);
	return &g_array_index(rates->rows, struct top_row, n);
}

static void test_rates(void)
{
	struct samples *before, *now;
	autoptr(top_rates) rates = NULL;
	autoptr(top_rates) first = NULL;

	make(&before, &now);
	rates = top_rates_new(before, now);
	g_assert_cmpfloat_with_epsilon(rates->seconds, 2.0, 1e-6);
	g_assert_cmpuint(rates->rows->len, ==, 5);
	g_assert_cmpstr(row(rates, 2)->name, ==, "busy");
	g_assert_cmpfloat_with_epsilon(row(rates, 2)->cpu, 150.0, 1e-6);
	g_assert_cmpfloat_with_epsilon(row(rates, 2)->rd, 2000.0, 1e-6);
	g_assert_cmpfloat_with_epsilon(row(rates, 0)->cpu, 0, 1e-6);
	g_assert_cmpfloat_with_epsilon(row(rates, 1)->cpu, 0, 1e-6);
	g_assert_cmpfloat_with_epsilon(row(rates, 3)->cpu, 0, 1e-6);
	first = top_rates_new(NULL, now);
	g_assert_cmpfloat_with_epsilon(row(first, 2)->cpu, 0, 1e-6);
	samples_free(before);
	samples_free(now);
}

static void arranged(enum top_sort sort, bool reverse, const char *filter, bool all,
		     const char *wanted)
{
	struct samples *before, *now;
	autoptr(top_rates) rates = NULL;
	g_autoptr(GString) names = g_string_new(NULL);

	make(&before, &now);
	rates = top_rates_new(before, now);
	top_rates_arrange(rates, sort, reverse, filter, all);
	for (unsigned i = 0; i < rates->rows->len; i++)
		g_string_append_printf(names, "%s%s", i ? " " : "", row(rates, i)->name);
	g_assert_cmpstr(names->str, ==, wanted);
	samples_free(before);
	samples_free(now);
}

static void test_arrange(void)
{
	arranged(TOP_CPU, false, "", false, "busy again back new");
	arranged(TOP_CPU, false, "", true, "busy again back new off");
	arranged(TOP_CPU, true, "", false, "again back new busy");
	arranged(TOP_MEMORY, false, "", false, "new again back busy");
	arranged(TOP_READ, false, "", false, "busy again back new");
	arranged(TOP_SENT, false, "", false, "back again busy new");
	arranged(TOP_NAME, false, "", true, "again back busy new off");
	arranged(TOP_NAME, true, "", true, "off new busy back again");
	arranged(TOP_NAME, false, "B", true, "back busy");
	arranged(TOP_NAME, false, "zzz", true, "");
}

/* ---- the picture ---- */

/* A terminal: what is on it after the sequences that top writes, and no other. */
struct fake {
	unsigned columns, rows, x, y;
	char cells[64][256];
};

static const char *sequence(struct fake *fake, const char *at)
{
	char *end = NULL;
	unsigned long row = strtoul(at, &end, 10);

	if (*at == 'H') {
		fake->x = fake->y = 0;
		return at + 1;
	}
	if (*end == ';') {
		g_assert_cmpuint(row, >=, 1);
		g_assert_cmpuint(row, <=, fake->rows);
		g_assert_true(g_str_has_prefix(end, ";1H"));
		fake->x = 0;
		fake->y = (unsigned)row - 1;
		return end + 3;
	}
	if (*at == 'K' || *at == 'J') {
		memset(fake->cells[fake->y] + fake->x, ' ', fake->columns - fake->x);
		for (unsigned y = fake->y + 1; *at == 'J' && y < fake->rows; y++)
			memset(fake->cells[y], ' ', fake->columns);
		return at + 1;
	}
	g_assert_cmpint(*end, ==, 'm');
	return end + 1;
}

static void show(struct fake *fake, const char *text)
{
	while (*text) {
		if (g_str_has_prefix(text, "\033[")) {
			text = sequence(fake, text + 2);
		} else if (*text == '\r') {
			fake->x = 0;
			text++;
		} else if (*text == '\n') {
			/* Below the last line the picture would scroll. */
			fake->y++;
			g_assert_cmpuint(fake->y, <, fake->rows);
			text++;
		} else {
			g_assert_cmpint((unsigned char)*text, >=, ' ');
			g_assert_cmpuint(fake->x, <, fake->columns);
			fake->cells[fake->y][fake->x++] = *text++;
		}
	}
}

/* Line @y, without what is blank at its end. */
static char *line_of(const struct fake *fake, unsigned y)
{
	return g_strchomp(g_strndup(fake->cells[y], fake->columns));
}

static void picture(struct fake *fake, struct top_state *state, unsigned columns, unsigned rows,
		    unsigned machines, const char *problem)
{
	autoptr(samples) now = samples_new();
	autoptr(top_rates) rates = NULL;
	struct top_screen screen = {
		.columns = columns,
		.rows = rows,
		.host = "host",
		.clock = "12:00:00",
		.problem = problem,
		.host_cpus = 8,
		.host_memory_kib = 1 << 24,
	};
	g_autoptr(GString) out = g_string_new(NULL);

	for (unsigned i = 0; i < machines; i++) {
		g_autofree char *name = g_strdup_printf("machine%03u", i);

		(void)add(now, name, (int)i);
	}
	rates = top_rates_new(NULL, now);
	top_rates_arrange(rates, state->sort, state->reverse, state->filter, state->all);
	memset(fake, 0, sizeof(*fake));
	fake->columns = columns;
	fake->rows = rows;
	memset(fake->cells, '?', sizeof(fake->cells));
	top_draw(state, &screen, rates, out);
	show(fake, out->str);
}

static void expect(const struct fake *fake, unsigned y, const char *wanted)
{
	g_autofree char *line = line_of(fake, y);

	g_assert_cmpstr(line, ==, wanted);
}

static void test_picture(void)
{
	struct top_state state;
	static struct fake fake;

	top_state_init(&state, 2000);
	picture(&fake, &state, 80, 10, 2, NULL);
	expect(&fake, 0, "socle top  host  12:00:00  every 2 s");
	expect(&fake, 1, "2 machines, 2 running; %CPU 0.0 of 800, memory 1.0G of 16G");
	expect(&fake, 2, "NAME        %CPU*    MEM    STATE   RD/s   WR/s   RX/s   TX/s CPUS");
	expect(&fake, 3, "machine000    0.0   512M  running      -      -      -      -    2");
	expect(&fake, 5, "");
	expect(&fake, 9, "h help  / filter  c m r w x t n sort  a all  q quit");
}

static void test_scroll(void)
{
	struct top_state state;
	static struct fake fake;

	top_state_init(&state, 2000);
	state.scroll = 1000;
	picture(&fake, &state, 40, 10, 30, NULL);
	g_assert_cmpuint(state.page, ==, 6);
	g_assert_cmpuint(state.scroll, ==, 24);
	expect(&fake, 8, "machine029    0.0   512M  running      -");
	state.scroll = 3;
	picture(&fake, &state, 40, 10, 4, NULL);
	g_assert_cmpuint(state.scroll, ==, 0);
}

static void test_narrow(void)
{
	struct top_state state;
	static struct fake fake;

	top_state_init(&state, 2000);
	picture(&fake, &state, 16, 6, 1, NULL);
	expect(&fake, 0, "NAME       %CPU*");
	expect(&fake, 1, "machine0~    0.0");
	picture(&fake, &state, 5, 6, 1, NULL);
	expect(&fake, 1, "mach~");
}

/* No size makes it write outside, or a sequence that we do not know. */
static void test_all_sizes(void)
{
	static struct fake fake;

	for (unsigned columns = 1; columns < 100; columns += columns < 30 ? 1 : 17) {
		for (unsigned rows = 1; rows < 30; rows++) {
			for (unsigned mode = 0; mode < 6; mode++) {
				struct top_state state;

				top_state_init(&state, 2000);
				state.mode = mode % 3;
				g_strlcpy(state.filter, "a", sizeof(state.filter));
				picture(&fake, &state, columns, rows, 40,
					mode >= 3 ? "the daemon is gone" : NULL);
			}
		}
	}
}

static void test_modes(void)
{
	struct top_state state;
	static struct fake fake;

	top_state_init(&state, 2000);
	state.mode = TOP_HELP;
	picture(&fake, &state, 80, 24, 2, NULL);
	expect(&fake, 0, "socle top: what machines use of this host");
	expect(&fake, 14, "Any key goes back.");
	state.mode = TOP_FILTER;
	g_strlcpy(state.filter, "00\0331", sizeof(state.filter));
	picture(&fake, &state, 80, 24, 2, NULL);
	expect(&fake, 23, "Filter: 00?1_");
	state.mode = TOP_SHOW;
	state.filter[2] = '\0';
	picture(&fake, &state, 80, 24, 2, NULL);
	expect(&fake, 23, "names with '00'; Esc shows all, h is help, q quits");
	picture(&fake, &state, 80, 24, 2, "it is gone\033[2J");
	expect(&fake, 23, "it is gone?[2J");
	/* The reason is seen though there is room for nothing else. */
	picture(&fake, &state, 80, 1, 2, "it is gone");
	expect(&fake, 0, "it is gone");
}

static void test_print(void)
{
	struct samples *before, *now;
	autoptr(top_rates) rates = NULL;
	struct top_screen screen = { .host = "host", .clock = "12:00:00" };
	g_autoptr(GString) out = g_string_new(NULL);

	make(&before, &now);
	rates = top_rates_new(before, now);
	top_rates_arrange(rates, TOP_CPU, false, "b", false);
	top_print(rates, &screen, out);
	g_assert_cmpstr(out->str, ==,
			"12:00:00 host: 2 machines, 2 running; %CPU 150.0, memory 1.0G\n"
			"NAME       %CPU    MEM    STATE   RD/s   WR/s   RX/s   TX/s CPUS\n"
			"busy      150.0   512M  running   2.0K      -      -      -    2\n"
			"back        0.0   512M  running      -      -      -   1.5M    2\n");
	samples_free(before);
	samples_free(now);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cli/top/rates", test_rates);
	g_test_add_func("/cli/top/arrange", test_arrange);
	g_test_add_func("/cli/top/picture", test_picture);
	g_test_add_func("/cli/top/scroll", test_scroll);
	g_test_add_func("/cli/top/narrow", test_narrow);
	g_test_add_func("/cli/top/all-sizes", test_all_sizes);
	g_test_add_func("/cli/top/modes", test_modes);
	g_test_add_func("/cli/top/print", test_print);
	return g_test_run();
}
