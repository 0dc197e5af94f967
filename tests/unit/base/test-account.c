/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>

#include "base/account.h"

static const char nobody[] = "no such one: really";

/* Every Linux has root. */
static void test_users(void)
{
	g_autofree char *name = account_user_name(0);
	uid_t uid = 77;
	gid_t gid = 77;

	g_assert_cmpstr(name, ==, "root");
	g_assert_false(account_user(nobody, &uid, &gid));
	g_assert_false(account_user("", &uid, &gid));
	g_assert_cmpuint(uid, ==, 77);
	g_assert_cmpuint(gid, ==, 77);
	g_assert_true(account_user("root", &uid, &gid));
	g_assert_cmpuint(uid, ==, 0);
	g_assert_cmpuint(gid, ==, 0);
	g_assert_true(account_user("root", NULL, NULL));
	g_assert_null(account_user_name(4000000001u));
}

static void test_groups(void)
{
	g_autofree char *name = account_group_name(0);
	gid_t gid = 77;

	g_assert_cmpstr(name, ==, "root");
	g_assert_false(account_group(nobody, &gid));
	g_assert_cmpuint(gid, ==, 77);
	g_assert_true(account_group("root", &gid));
	g_assert_cmpuint(gid, ==, 0);
	g_assert_true(account_group("root", NULL));
	g_assert_null(account_group_name(4000000001u));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/account/users", test_users);
	g_test_add_func("/base/account/groups", test_groups);
	return g_test_run();
}
