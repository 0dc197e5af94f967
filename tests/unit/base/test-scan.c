/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <inttypes.h>

#include "base/scan.h"

static void test_sentence(void)
{
	const char *at = "pid=12 start=18446744073709551615 own\trest";
	g_autofree char *word = NULL;
	uint64_t pid, start;

	g_assert_true(scan_text(&at, "pid="));
	g_assert_true(scan_number(&at, INT32_MAX, &pid));
	g_assert_true(scan_text(&at, " start="));
	g_assert_true(scan_number(&at, UINT64_MAX, &start));
	g_assert_cmpuint(pid, ==, 12);
	g_assert_cmpuint(start, ==, UINT64_MAX);
	g_assert_false(scan_word(&at, &word));
	g_assert_null(word);
	g_assert_true(scan_text(&at, " "));
	g_assert_true(scan_word(&at, &word));
	g_assert_cmpstr(word, ==, "own");
	g_assert_cmpstr(at, ==, "\trest");
}

/* What is refused leaves everything as it was. */
static void test_refused(void)
{
	static const struct {
		const char *text;
		uint64_t max;
	} wrong[] = {
		{ "", 9 },
		{ "x1", 9 },
		{ "-1", 9 },
		{ " 1", 9 },
		{ "10", 9 },
		{ "256", 255 },
		{ "1", 0 },
		{ "99999999999999999999", UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX },
	};
	uint64_t number = 77;

	for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
		const char *at = wrong[i].text;

		g_assert_false(scan_number(&at, wrong[i].max, &number));
		g_assert_true(at == wrong[i].text);
		g_assert_false(scan_text(&at, "no"));
		g_assert_true(at == wrong[i].text);
	}
	g_assert_cmpuint(number, ==, 77);
}

static void test_edges(void)
{
	const char *at = "0";
	uint64_t number;

	g_assert_true(scan_number(&at, 0, &number));
	g_assert_cmpuint(number, ==, 0);
	at = "00255";
	g_assert_true(scan_number(&at, 255, &number));
	g_assert_cmpuint(number, ==, 255);
	at = "255";
	g_assert_true(scan_number(&at, 255, &number));
	at = "9x";
	g_assert_true(scan_number(&at, 9, &number));
	g_assert_cmpstr(at, ==, "x");
}

static void test_base64(void)
{
	g_assert_true(scan_is_base64(""));
	g_assert_true(scan_is_base64("YWI="));
	g_assert_true(scan_is_base64("YWJj\r\nZA==\n"));
	g_assert_true(scan_is_base64("+/+/"));
	g_assert_false(scan_is_base64("YWI"));
	g_assert_false(scan_is_base64("YWI=YWI="));
	g_assert_false(scan_is_base64("Y==="));
	g_assert_false(scan_is_base64("YW I"));
	g_assert_false(scan_is_base64("-_-_"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/scan/sentence", test_sentence);
	g_test_add_func("/base/scan/refused", test_refused);
	g_test_add_func("/base/scan/edges", test_edges);
	g_test_add_func("/base/scan/base64", test_base64);
	return g_test_run();
}
