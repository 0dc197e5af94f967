/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-local.c - test:///default, whose machines are in this process
 */
#include <glib.h>

#include "client/socle.h"

static struct socle_conn *open_test(void)
{
	SOCLE_AUTO(error) error = NULL;
	struct socle_conn *conn = socle_conn_open("test:///default", 0, &error);

	g_assert_nonnull(conn);
	return conn;
}

static void assert_state(struct socle_domain *dom, int state)
{
	int found = -1;

	g_assert_cmpint(socle_domain_state(dom, 0, &found, NULL, NULL), ==, 0);
	g_assert_cmpint(found, ==, state);
}

static void test_life(void)
{
	SOCLE_AUTO(conn) conn = open_test();
	SOCLE_AUTO(domain) dom = socle_domain_by_name(conn, "test", NULL);

	g_assert_nonnull(dom);
	assert_state(dom, 1);
	g_assert_cmpint(socle_domain_suspend(dom, NULL), ==, 0);
	assert_state(dom, 3);
	g_assert_cmpint(socle_domain_resume(dom, NULL), ==, 0);
	assert_state(dom, 1);
	/* Kept as long as a domain is, and gone in any order. */
	socle_conn_close(conn);
	g_assert_cmpint(socle_domain_suspend(dom, NULL), ==, -1);
}

/* Each connection has machines of its own. */
static void test_apart(void)
{
	SOCLE_AUTO(conn) one = open_test();
	SOCLE_AUTO(conn) other = open_test();
	SOCLE_AUTO(domain) dom = socle_domain_by_name(one, "test", NULL);
	SOCLE_AUTO(domain) same = socle_domain_by_name(other, "test", NULL);

	g_assert_cmpint(socle_domain_suspend(dom, NULL), ==, 0);
	assert_state(same, 1);
}

static void test_others(void)
{
	SOCLE_AUTO(error) error = NULL;

	g_assert_null(socle_conn_open("test:///else", 0, &error));
	g_assert_nonnull(strstr(socle_error_message(error), "there is test:///default"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/local/life", test_life);
	g_test_add_func("/local/apart", test_apart);
	g_test_add_func("/local/others", test_others);
	return g_test_run();
}
