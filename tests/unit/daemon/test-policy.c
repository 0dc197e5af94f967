/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-policy.c - rules, whom they fit, and what is wrong with files
 */
#include "daemon/policy.h"

#include <string.h>

#include "base/error.h"

static const gid_t some_groups[] = { 100, 27, 5000 };

static const struct policy_who alice = {
	.local = true,
	.uid = 1000,
	.groups = some_groups,
	.group_count = G_N_ELEMENTS(some_groups),
};
static const struct policy_who root = { .local = true,
					.groups = (const gid_t[]){ 0 },
					.group_count = 1 };
/* What stands there of somebody from afar means nothing, whatever it is. */
static const struct policy_who afar = {
	.uid = 0, .groups = (const gid_t[]){ 0 }, .group_count = 1, .dn = "CN=x"
};
static const struct policy_who remote = { .uid = (uid_t)-1, .dn = "CN=admin one,O=Example" };

static enum policy_access decide(const char *text, const struct policy_who *who)
{
	g_autoptr(GError) error = NULL;
	autoptr(policy) policy = policy_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	return policy_decide(policy, who, POLICY_WRITE);
}

static void test_none(void)
{
	g_assert_cmpint(policy_decide(NULL, &alice, POLICY_READ), ==, POLICY_READ);
	g_assert_cmpint(policy_decide(NULL, &remote, POLICY_WRITE), ==, POLICY_WRITE);
	g_assert_cmpint(decide("", &alice), ==, POLICY_WRITE);
	g_assert_cmpint(decide("# nothing\n", &alice), ==, POLICY_WRITE);
	policy_free(NULL);
}

static void test_fits(void)
{
	static const struct {
		const char *text;
		const struct policy_who *who;
		enum policy_access want;
	} cases[] = {
		{ "[a]\nuser=1000\naccess=read\n", &alice, POLICY_READ },
		{ "[a]\nuser=1001\naccess=read\n", &alice, POLICY_WRITE },
		{ "[a]\nuser=root\naccess=none\n", &root, POLICY_NONE },
		{ "[a]\nuser=root;1000\naccess=none\n", &alice, POLICY_NONE },
		{ "[a]\nuser=root\naccess=none\n", &alice, POLICY_WRITE },
		{ "[a]\ngroup=root\naccess=none\n", &root, POLICY_NONE },
		{ "[a]\ngroup=27\naccess=read\n", &alice, POLICY_READ },
		{ "[a]\ngroup=1;5000\naccess=read\n", &alice, POLICY_READ },
		{ "[a]\ngroup=1\naccess=read\n", &alice, POLICY_WRITE },
		/* Each key has to fit. */
		{ "[a]\nuser=1000\ngroup=1\naccess=read\n", &alice, POLICY_WRITE },
		{ "[a]\nuser=1000\ngroup=100\naccess=read\n", &alice, POLICY_READ },
		/* The first rule that fits. */
		{ "[a]\nuser=1000\naccess=write\n[b]\naccess=none\n", &alice, POLICY_WRITE },
		{ "[a]\nuser=1\naccess=write\n[b]\naccess=none\n", &alice, POLICY_NONE },
		{ "[b]\naccess=none\n[a]\nuser=1000\naccess=write\n", &alice, POLICY_NONE },
		/* By certificate; a number that means nobody is nobody's. */
		{ "[a]\ndn=CN=admin*\naccess=read\n", &remote, POLICY_READ },
		{ "[a]\ndn=CN=x;CN=admin ?ne,O=Example\naccess=read\n", &remote, POLICY_READ },
		{ "[a]\ndn=CN=admin\naccess=read\n", &remote, POLICY_WRITE },
		{ "[a]\ndn=*\naccess=read\n", &alice, POLICY_WRITE },
		{ "[a]\nuser=0\naccess=none\n", &remote, POLICY_WRITE },
		{ "[a]\ngroup=0\naccess=none\n", &remote, POLICY_WRITE },
		{ "[a]\nuser=root\naccess=none\n", &afar, POLICY_WRITE },
		{ "[a]\ngroup=root\naccess=none\n", &afar, POLICY_WRITE },
		{ "[a]\naccess = none \n", &remote, POLICY_NONE },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_test_message("%s", cases[i].text);
		g_assert_cmpint(decide(cases[i].text, cases[i].who), ==, cases[i].want);
	}
}

/* A rule gives no more than the socket does. */
static void test_most(void)
{
	static const char text[] = "[a]\nuser=1000\naccess=write\n";
	g_autoptr(GError) error = NULL;
	autoptr(policy) policy = policy_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	g_assert_cmpint(policy_decide(policy, &alice, POLICY_READ), ==, POLICY_READ);
	g_assert_cmpint(policy_decide(policy, &alice, POLICY_NONE), ==, POLICY_NONE);
}

static void test_mistakes(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[a]\nuser=1\n", "rule [a]: it does not say what is allowed" },
		{ "[a]\naccess=all\n", "rule [a]: key 'access': 'all' is none of" },
		{ "[a]\naccess=read\nuser=nobody at all\n", "no user 'nobody at all'" },
		{ "[a]\naccess=read\ngroup=no such group\n", "no group 'no such group'" },
		{ "[a]\naccess=read\nuser=\n", "it is empty" },
		{ "[a]\naccess=read\ndn=\n", "empty" },
		{ "[a]\naccess=read\nuid=0\n", "key 'uid': a rule has no such key" },
		{ "[a]\naccess=read\nuser=4294967295\n", "no user '4294967295'" },
		{ "access=read\n", "group" },
		{ "[a\n", "" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_test_message("%s", cases[i].text);
		g_assert_null(policy_parse(cases[i].text, strlen(cases[i].text), &error));
		g_assert_nonnull(error);
		g_assert_nonnull(strstr(error->message, cases[i].says));
	}
}

static void test_file(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(policy_load("/nonexistent/policy", &error));
	g_assert_true(g_str_has_prefix(error->message, "policy '/nonexistent/policy': "));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/policy/none", test_none);
	g_test_add_func("/policy/fits", test_fits);
	g_test_add_func("/policy/most", test_most);
	g_test_add_func("/policy/mistakes", test_mistakes);
	g_test_add_func("/policy/file", test_file);
	return g_test_run();
}
