/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-complete.c - what shells are offered
 */
#include <string.h>

#include "cli/complete.h"

static enum cli_what asked;
static unsigned asked_words;

static void fake_names(struct complete *complete, enum cli_what what, const char *prefix)
{
	asked = what;
	asked_words = complete->words->len;
	g_ptr_array_add(complete->out, g_strdup_printf("<%s>", prefix));
}

/* The words up to the cursor, '|' between them; "" behind a last '|'. */
static char *offers(const char *line, char **ret_uri)
{
	g_auto(GStrv) words = g_strsplit(line, "|", -1);
	struct complete complete = {
		.out = g_ptr_array_new_with_free_func(g_free),
		.names = fake_names,
	};
	char *text;

	asked = CLI_NOTHING;
	complete_words(&complete, words, g_strv_length(words));
	g_ptr_array_add(complete.out, NULL);
	text = g_strjoinv(" ", (char **)complete.out->pdata);
	if (ret_uri)
		*ret_uri = g_strdup(complete.uri);
	g_ptr_array_unref(complete.out);
	return text;
}

static void check(const char *line, const char *wanted)
{
	g_autofree char *found = offers(line, NULL);

	g_assert_cmpstr(found, ==, wanted);
}

static void test_commands(void)
{
	check("vm|star", "start");
	check("vm|start", "start");
	check("snapshot|", "create list show xml current revert delete");
	check("host|st", "stats");
	check("net-l", "net-list");
	check("secret|", "list show create define set get xml uuid delete events");
	check("vol|cl", "clone");
	check("shutd", "shutdown");
	check("__c", "");
}

static void test_options(void)
{
	check("list|--runn", "--running");
	check("vm|list|--ou", "--output");
	check("list|-o|j", "json");
	check("list|--output|", "table json name");
	check("list|--output=n", "--output=name");
	check("top|-s|re", "read received");
	check("run|--disk|", ":file");
	check("run|--memory|", "");
	check("--conn", "--connect");
}

static void test_words(void)
{
	check("start|de", "<de>");
	g_assert_cmpint(asked, ==, CLI_STOPPED);
	check("start|a|b|", "<>");
	g_assert_cmpint(asked, ==, CLI_STOPPED);
	g_assert_cmpuint(asked_words, ==, 2);
	check("stop|--wait|", "<>");
	g_assert_cmpint(asked, ==, CLI_RUNNING);
	check("snapshot|delete|debian|", "<>");
	g_assert_cmpint(asked, ==, CLI_SNAPSHOT);
	check("net|start|", "<>");
	g_assert_cmpint(asked, ==, CLI_NETWORK);
	check("vol|list|--pool|", "<>");
	g_assert_cmpint(asked, ==, CLI_POOL);
	check("vol|show|--pool=p|", "<>");
	g_assert_cmpint(asked, ==, CLI_VOLUME);
	check("secret|get|", "<>");
	g_assert_cmpint(asked, ==, CLI_SECRET);
	check("secret|set|x|", ":file");
	check("secret|create|x|--usage|", "volume ceph iscsi tls vtpm");
	check("snapshot|delete|debian|x|", "");
	check("block-resize|debian|", "<>");
	g_assert_cmpint(asked, ==, CLI_DISK);
	check("define|", ":file");
	check("attach|debian|", ":file");
	check("completion|", "bash zsh fish");
	check("list|", "");
}

static void test_uri(void)
{
	g_autofree char *uri = NULL, *other = NULL, *text = offers("-c|test:///x|start|", &uri);
	g_autofree char *more = offers("start|--connect=one|a|", &other);

	g_assert_cmpstr(uri, ==, "test:///x");
	g_assert_cmpstr(text, ==, "<>");
	g_assert_cmpstr(other, ==, "one");
	g_assert_cmpstr(more, ==, "<>");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cli/complete/commands", test_commands);
	g_test_add_func("/cli/complete/options", test_options);
	g_test_add_func("/cli/complete/words", test_words);
	g_test_add_func("/cli/complete/uri", test_uri);
	return g_test_run();
}
