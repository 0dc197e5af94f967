/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-params.c - lists of typed parameters, and words for numbers
 */
#include <glib.h>
#include <string.h>

#include "client/socle.h"

static void add(struct socle_params *params, const char *name, enum socle_param_type type,
		const char *text)
{
	g_assert_cmpint(socle_params_add_text(params, name, type, text, NULL), ==, 0);
}

static void test_numbers(void)
{
	SOCLE_AUTO(params) p = socle_params_new();
	int64_t l = 77;
	uint64_t u = 77;

	add(p, "i", SOCLE_PARAM_INT, "-5");
	add(p, "u", SOCLE_PARAM_UINT, "5");
	add(p, "l", SOCLE_PARAM_LLONG, "-9223372036854775808");
	add(p, "ul", SOCLE_PARAM_ULLONG, "18446744073709551615");
	add(p, "b", SOCLE_PARAM_BOOLEAN, "yes");
	add(p, "d", SOCLE_PARAM_DOUBLE, "2.5");
	add(p, "s", SOCLE_PARAM_STRING, "text");
	g_assert_cmpuint(socle_params_count(p), ==, 7);
	g_assert_true(socle_params_get_int64(p, "i", &l) && l == -5);
	g_assert_true(socle_params_get_int64(p, "u", &l) && l == 5);
	g_assert_true(socle_params_get_int64(p, "l", &l) && l == INT64_MIN);
	g_assert_true(socle_params_get_uint64(p, "ul", &u) && u == UINT64_MAX);
	g_assert_true(socle_params_get_uint64(p, "b", &u) && u == 1);
	l = 77;
	u = 77;
	g_assert_false(socle_params_get_uint64(p, "i", &u));
	g_assert_false(socle_params_get_int64(p, "ul", &l));
	g_assert_false(socle_params_get_int64(p, "d", &l));
	g_assert_false(socle_params_get_int64(p, "s", &l));
	g_assert_false(socle_params_get_int64(p, "none", &l));
	g_assert_true(l == 77 && u == 77);
	g_assert_cmpstr(socle_params_get_string(p, "s"), ==, "text");
	g_assert_null(socle_params_get_string(p, "i"));
	g_assert_null(socle_params_get(p, 7));
	g_assert_null(socle_params_find(p, "none"));
	g_assert_cmpstr(socle_params_get(p, 5)->name, ==, "d");
	g_assert_cmpfloat_with_epsilon(socle_params_get(p, 5)->value.d, 2.5, 1e-9);
	g_assert_cmpuint(socle_params_count(NULL), ==, 0);
}

static void assert_refused(const char *name, enum socle_param_type type, const char *text,
			   const char *words)
{
	SOCLE_AUTO(params) p = socle_params_new();
	SOCLE_AUTO(error) error = NULL;

	g_assert_cmpint(socle_params_add_text(p, name, type, text, &error), ==, -1);
	g_assert_cmpint(socle_error_code(error), ==, SOCLE_ERR_INVALID_ARG);
	if (!strstr(socle_error_message(error), words))
		g_error("'%s' does not say '%s'", socle_error_message(error), words);
	g_assert_cmpuint(socle_params_count(p), ==, 0);
}

static void test_refused(void)
{
	g_autofree char *name = g_strnfill(80, 'n');

	assert_refused("i", SOCLE_PARAM_INT, "2147483648", "whole number of 32 bits");
	assert_refused("u", SOCLE_PARAM_UINT, "-1", "from 0 of 32 bits");
	assert_refused("l", SOCLE_PARAM_LLONG, "1x", "of 64 bits");
	assert_refused("ul", SOCLE_PARAM_ULLONG, "", "from 0 of 64 bits");
	assert_refused("d", SOCLE_PARAM_DOUBLE, "1.5 ", "a number");
	assert_refused("b", SOCLE_PARAM_BOOLEAN, "maybe", "yes or no");
	assert_refused("s", SOCLE_PARAM_STRING, NULL, "NULL");
	assert_refused("", SOCLE_PARAM_INT, "1", "0 bytes");
	assert_refused(name, SOCLE_PARAM_INT, "1", "80 bytes");
	assert_refused("x", (enum socle_param_type)9, "1", "type 9");
}

static void test_names(void)
{
	g_assert_cmpstr(socle_domain_state_name(SOCLE_DOMAIN_SHUTOFF), ==, "shut off");
	g_assert_cmpstr(socle_domain_state_name(-1), ==, "unknown");
	g_assert_cmpstr(socle_domain_state_name(99), ==, "unknown");
	g_assert_cmpstr(socle_domain_reason_name(SOCLE_DOMAIN_RUNNING, 1), ==, "booted");
	g_assert_cmpstr(socle_domain_reason_name(SOCLE_DOMAIN_RUNNING, 12), ==, "unknown");
	g_assert_cmpstr(socle_domain_reason_name(-3, 0), ==, "unknown");
	g_assert_cmpstr(socle_event_name(SOCLE_EVENT_REOPENED), ==, "reopened");
	g_assert_null(socle_event_name(SOCLE_EVENT_DOMAIN_COUNT));
	for (int i = 0; i < SOCLE_EVENT_DOMAIN_COUNT; i++)
		g_assert_nonnull(socle_event_name(i));
	for (int i = 0; i < SOCLE_MEMORY_STAT_COUNT; i++)
		g_assert_nonnull(socle_domain_memory_stat_name(i));
	g_assert_null(socle_domain_memory_stat_name(SOCLE_MEMORY_STAT_COUNT));
	g_assert_cmpstr(socle_event_detail_name(SOCLE_LIFECYCLE_STOPPED, 1), ==, "destroyed");
	g_assert_cmpstr(socle_event_detail_name(SOCLE_LIFECYCLE_CRASHED, 2), ==, "unknown");
	g_assert_cmpuint(socle_version(), >=, 1000);
	g_assert_cmpstr(socle_error_message(NULL), ==, "no error");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/params/numbers", test_numbers);
	g_test_add_func("/client/params/refused", test_refused);
	g_test_add_func("/client/params/names", test_names);
	return g_test_run();
}
