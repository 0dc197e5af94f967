/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-names.c - which machine a word means, and which word was meant
 */
#include "base/error.h"
#include "cli/names.h"
#include "cli/suggest.h"

static const struct named all[] = {
	{ "debian", "6695eb01-f6a4-8304-79aa-97f2502e193f", 3 },
	{ "7", "6695ffff-0000-4000-8000-000000000001", -1 },
	{ "web", "aaaa0000-0000-4000-8000-000000000002", 7 },
	{ "abcd1234", "12345678-0000-4000-8000-000000000003", 4 },
	{ "other", "abcd1234-0000-4000-8000-000000000004", -1 },
	{ "b\033[2J", "bbbb1234-0000-4000-8000-000000000005", -1 },
};

static void means(const char *word, int place)
{
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(names_find(&name_machine, all, G_N_ELEMENTS(all), word, "here", &error), ==,
			place);
	g_assert_no_error(error);
}

static void means_nothing(const char *word, int kind, const char *message)
{
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(names_find(&name_machine, all, G_N_ELEMENTS(all), word, "here", &error), ==,
			-1);
	g_assert_error(error, SOCLE_ERROR, kind);
	g_assert_cmpstr(error->message, ==, message);
}

static void test_found(void)
{
	means("debian", 0);
	means("3", 0);
	means("7", 1); /* a name comes before a number */
	means("6695eb01-f6a4-8304-79aa-97f2502e193f", 0);
	means("6695EB01F6A4830479AA97F2502E193F", 0);
	means("6695e", 0);
	means("6695f", 1);
	means("aaaa", 2);
	means("abcd1234", 3); /* and before the start of a UUID */
	means("abcd1234-", 4);
}

static void test_not_found(void)
{
	means_nothing("debain", SOCLE_ERROR_NOT_FOUND, "no machine 'debain'; there is 'debian'");
	means_nothing("DEBIAN", SOCLE_ERROR_NOT_FOUND, "no machine 'DEBIAN'; there is 'debian'");
	means_nothing("nothing", SOCLE_ERROR_NOT_FOUND,
		      "no machine 'nothing' at here; 'socle list' shows which there are");
	means_nothing("6695", SOCLE_ERROR_USAGE,
		      "'6695' is the start of the UUIDs of 2 machines; give more of it, or a name");
	means_nothing("aaa", SOCLE_ERROR_NOT_FOUND,
		      "no machine 'aaa' at here; 'socle list' shows which there are");
	means_nothing("99", SOCLE_ERROR_NOT_FOUND,
		      "no machine '99' at here; 'socle list' shows which there are");
	means_nothing("-1", SOCLE_ERROR_NOT_FOUND,
		      "no machine '-1' at here; 'socle list' shows which there are");
	means_nothing("", SOCLE_ERROR_NOT_FOUND,
		      "no machine '' at here; 'socle list' shows which there are");
	/* Neither the word nor a name commands the terminal. */
	means_nothing("b\033[2K", SOCLE_ERROR_NOT_FOUND, "no machine 'b?[2K'; there is 'b?[2J'");
}

static void test_none(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(names_find(&name_machine, all, 0, "x", "here", &error), ==, -1);
	g_assert_cmpstr(error->message, ==,
			"no machine 'x'; there are none at here, 'socle --connect' takes another "
			"place");
}

static void test_distance(void)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} pairs[] = {
		{ "", "", 0 },        { "abc", "abc", 0 },
		{ "abc", "ABC", 0 },  { "abc", "abd", 1 },
		{ "abc", "acb", 1 },  { "abc", "ab", 1 },
		{ "abc", "xabc", 1 }, { "kitten", "sitting", 3 },
		{ "", "abc", 3 },     { "debain", "debian", 1 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(pairs); i++) {
		g_assert_cmpuint(suggest_distance(pairs[i].a, pairs[i].b), ==, pairs[i].distance);
		g_assert_cmpuint(suggest_distance(pairs[i].b, pairs[i].a), ==, pairs[i].distance);
	}
}

static void test_long(void)
{
	g_autofree char *a = g_strnfill(5000, 'a'), *b = g_strnfill(70, 'a');
	const char *names[] = { a, "x" };

	g_assert_cmpuint(suggest_distance(a, b), ==, 0);
	g_assert_cmpstr(suggest_among(names, 2, "y"), ==, NULL);
	g_assert_cmpstr(suggest_among(names, 0, "y"), ==, NULL);
	g_assert_cmpstr(suggest_among(names, 2, ""), ==, NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cli/names/found", test_found);
	g_test_add_func("/cli/names/not-found", test_not_found);
	g_test_add_func("/cli/names/none", test_none);
	g_test_add_func("/cli/suggest/distance", test_distance);
	g_test_add_func("/cli/suggest/long", test_long);
	return g_test_run();
}
