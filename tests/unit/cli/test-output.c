/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-output.c - tables, sizes, texts of strangers, JSON
 */
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/params.h"
#include "cli/table.h"

static void test_table(void)
{
	autoptr(table) table = table_new("NAME|STATE|>MEM");
	g_autoptr(GString) out = g_string_new(NULL);

	table_add(table, "debian");
	table_add_colour(table, "running", COLOUR_GOOD);
	table_take(table, g_strdup("512 MiB"));
	table_add(table, "\xc3\xa4\xe6\x97\xa5"); /* an umlaut, and a wide character */
	table_add(table, NULL);
	table_add(table, "1 B");
	g_assert_cmpuint(table_rows(table), ==, 2);
	table_format(table, true, false, out);
	g_assert_cmpstr(out->str, ==,
			"NAME    STATE        MEM\n"
			"debian  running  512 MiB\n"
			"\xc3\xa4\xe6\x97\xa5     -            1 B\n");
	g_string_truncate(out, 0);
	table_format(table, false, true, out);
	g_assert_true(g_str_has_prefix(out->str, "debian  \033[32mrunning\033[0m  512 MiB\n"));
}

static void test_plain(void)
{
	static const struct {
		const char *text, *plain;
	} texts[] = {
		{ "abc", "abc" },
		{ "a\033[31mb", "a?[31mb" },
		{ "a\nb\tc", "a b c" },
		{ "a\x7f\x01", "a??" },
		{ "\xc2\x9b"
		  "2J",
		  "?2J" }, /* the one-byte CSI */
		{ "\xe2\x80\xae"
		  "x",
		  "?x" },                   /* right to left */
		{ "\xff", "\xef\xbf\xbd" }, /* no UTF-8 */
		{ "\xc3\xa4", "\xc3\xa4" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *plain = cli_plain(texts[i].text);

		g_assert_cmpstr(plain, ==, texts[i].plain);
	}
}

static void test_hostile_cell(void)
{
	autoptr(table) table = table_new("NAME");
	g_autoptr(GString) out = g_string_new(NULL);

	table_add(table, "a\nb\033[2J");
	table_format(table, false, true, out);
	g_assert_cmpstr(out->str, ==, "a b?[2J\n");
}

static void test_sizes(void)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0 B" },
		{ 999, "999 B" },
		{ 1000, "0.977 KiB" },
		{ 1024, "1 KiB" },
		{ 1 << 29, "512 MiB" },
		{ 3 * (UINT64_C(1) << 29), "1.5 GiB" },
		{ UINT64_MAX, "16 EiB" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *text = cli_size(sizes[i].bytes);

		g_assert_cmpstr(text, ==, sizes[i].text);
	}
}

static void test_durations(void)
{
	g_autofree char *zero = cli_duration(0), *long_one = cli_duration(3 * 86400 + 3723);

	g_assert_cmpstr(zero, ==, "00:00:00");
	g_assert_cmpstr(long_one, ==, "3d 01:02:03");
}

static void add(struct socle_params *params, const char *name, enum socle_param_type type,
		const char *text)
{
	g_assert_cmpint(socle_params_add_text(params, name, type, text, NULL), ==, 0);
}

static void test_params(void)
{
	SOCLE_AUTO(params) params = socle_params_new();
	json_t *json;
	char *text;

	add(params, "a.int", SOCLE_PARAM_INT, "-5");
	add(params, "uint", SOCLE_PARAM_UINT, "4294967295");
	add(params, "long", SOCLE_PARAM_LLONG, "-9000000000");
	add(params, "ulong", SOCLE_PARAM_ULLONG, "9000000000");
	add(params, "huge", SOCLE_PARAM_ULLONG, "18446744073709551615");
	add(params, "bool", SOCLE_PARAM_BOOLEAN, "yes");
	add(params, "text", SOCLE_PARAM_STRING, "a \"b\"");
	json = params_json(params);
	text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
	g_assert_cmpstr(
		text, ==,
		"{\"a.int\":-5,\"uint\":4294967295,\"long\":-9000000000,\"ulong\":9000000000,"
		"\"huge\":\"18446744073709551615\",\"bool\":true,\"text\":\"a \\\"b\\\"\"}");
	free(text);
	json_decref(json);
}

/* Bytes that a terminal may get as they are. */
static void test_is_plain(void)
{
	g_assert_true(cli_is_plain("", 0));
	g_assert_true(cli_is_plain("two\n\tlines \303\244\n", 14));
	g_assert_false(cli_is_plain("a\0b", 3));
	g_assert_false(cli_is_plain("\033[2J", 4));
	g_assert_false(cli_is_plain("a\r", 2));
	g_assert_false(cli_is_plain("\303\244", 1));
	g_assert_false(cli_is_plain("\377", 1));
	/* U+202E turns round what follows, U+009B commands. */
	g_assert_false(cli_is_plain("\342\200\256", 3));
	g_assert_false(cli_is_plain("\302\233", 2));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cli/output/table", test_table);
	g_test_add_func("/cli/output/plain", test_plain);
	g_test_add_func("/cli/output/hostile-cell", test_hostile_cell);
	g_test_add_func("/cli/output/is-plain", test_is_plain);
	g_test_add_func("/cli/output/sizes", test_sizes);
	g_test_add_func("/cli/output/durations", test_durations);
	g_test_add_func("/cli/output/params", test_params);
	return g_test_run();
}
