/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-remote-url.c - names of images that other hosts keep
 */
#include <string.h>

#include "block/block.h"
#include "block/remote/url.h"

static void test_good(void)
{
	static const struct {
		const char *text, *user, *host, *name, *space, *image;
		unsigned lun;
	} cases[] = {
		{ "iscsi://h/iqn.a:b/7", NULL, "h", "iqn.a:b", NULL, NULL, 7 },
		{ "iscsi://me@[::1]:3261/t/0", "me", "[::1]:3261", "t", NULL, NULL, 0 },
		{ "rbd:///p/i", NULL, "", "p", NULL, "i", 0 },
		{ "rbd://me@a:6789,b/p/s/i%2Fj", "me", "a:6789,b", "p", "s", "i/j", 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		autoptr(remote_url) url = remote_url_parse(cases[i].text, &error);
		g_autofree char *text = NULL;

		g_assert_no_error(error);
		g_assert_true(remote_url_is(cases[i].text));
		g_assert_cmpstr(url->user, ==, cases[i].user);
		g_assert_cmpstr(url->host, ==, cases[i].host);
		g_assert_cmpstr(url->name, ==, cases[i].name);
		g_assert_cmpstr(url->space, ==, cases[i].space);
		g_assert_cmpstr(url->image, ==, cases[i].image);
		g_assert_cmpuint(url->lun, ==, cases[i].lun);
		text = remote_url_format(url);
		g_assert_cmpstr(text, ==, cases[i].text);
	}
}

static void test_bad(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "/iscsi", "no name of an image on another host" },
		{ "iscsi://me%password@h/t/1", "no place for a password" },
		{ "rbd://me:key@h/p/i", "no place for a password" },
		{ "iscsi:///t/1", "has no host; give iscsi://HOST" },
		{ "iscsi://h,i/t/1", "has no host" },
		{ "iscsi://h/t/x", "no number below 16384" },
		{ "iscsi://h/t/16384", "no number below 16384" },
		{ "iscsi://h/t", "too few or too many parts" },
		{ "iscsi://h/t/1/2", "too few or too many parts" },
		{ "rbd:///p//i", "is empty" },
		{ "rbd:///p/i%0a", "too long, or no text" },
		{ "rbd:///p/i%00", "too long, or no text" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(remote_url_parse(cases[i].text, &error));
		g_assert_nonnull(strstr(error->message, cases[i].says));
	}
	g_assert_false(remote_url_is("./iscsi://x"));
	g_assert_false(remote_url_is(NULL));
}

static void test_hosts(void)
{
	g_autoptr(GString) hosts = g_string_new(NULL);

	remote_url_add_host(hosts, "a", 0);
	remote_url_add_host(hosts, "192.0.2.1", 6789);
	remote_url_add_host(hosts, "2001:db8::1", 6789);
	remote_url_add_host(hosts, "[::1]", 0);
	g_assert_cmpstr(hosts->str, ==, "a,192.0.2.1:6789,[2001:db8::1]:6789,[::1]");
}

/* What cannot be reached says so, and leaves nothing behind. */
static void test_open(void)
{
	const struct block_open options = { .path = "iscsi://127.0.0.1:1/t/1", .format = "raw" };
	g_autoptr(GError) error = NULL;

	g_assert_null(block_open(&options, &error));
	g_assert_nonnull(error);
	g_test_message("%s", error->message);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/remote-url/good", test_good);
	g_test_add_func("/block/remote-url/bad", test_bad);
	g_test_add_func("/block/remote-url/hosts", test_hosts);
	g_test_add_func("/block/remote-url/open", test_open);
	return g_test_run();
}
