/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-args.c - commands and options of socle, and the tables that they are in
 */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"

static struct cli_args *parse(const char *line, GError **error)
{
	/* The words live on: args point into them. */
	char **words = g_strsplit(line, " ", -1);

	for (unsigned i = 0; words[i]; i++) {
		char *word = words[i];

		words[i] = (char *)(uintptr_t)g_intern_string(word);
		g_free(word);
	}
	struct cli_args *args = cli_args_parse(words, error);

	g_free(words);
	return args;
}

static struct cli_args *good(const char *line, const char *name)
{
	g_autoptr(GError) error = NULL;
	struct cli_args *args = parse(line, &error);
	g_autofree char *found = NULL;

	g_assert_no_error(error);
	g_assert_nonnull(args);
	found = cli_args_command(args) ? cli_command_name(cli_args_command(args)) : NULL;
	g_assert_cmpstr(found, ==, name);
	return args;
}

static void bad(const char *line, const char *message)
{
	g_autoptr(GError) error = NULL;
	autoptr(cli_args) args = parse(line, &error);

	g_assert_null(args);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	g_assert_cmpstr(error->message, ==, message);
}

static void test_words(void)
{
	static const struct {
		const char *line, *name;
	} lines[] = {
		{ "vm list", "vm list" },
		{ "list", "vm list" },
		{ "ls -a", "vm list" },
		{ "-c test:///default vm start a b", "vm start" },
		{ "start a", "vm start" },
		{ "shutdown a", "vm stop" },
		{ "dumpxml a", "vm xml" },
		{ "define a.xml", "vm create" },
		{ "domstate a", "vm state" },
		{ "set-memory a 1G", "vm set-memory" },
		{ "setmem a 1G", "vm set-memory" },
		{ "snapshot list a", "snapshot list" },
		{ "snapshot-list a", "snapshot list" },
		{ "events", "vm events" },
		{ "event", "vm events" },
		{ "capabilities", "host capabilities" },
		{ "doctor", "host doctor" },
		{ "top -b", "top" },
		{ "run x.img", "run" },
		{ "-V", NULL },
		{ "vm start --help", "vm start" }, /* though words are missing */
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
		autoptr(cli_args) args = good(lines[i].line, lines[i].name);
	}
}

static void test_options(void)
{
	autoptr(cli_args) args =
		good("-c one run --memory=2G x -qf raw --connect two --disk a --disk b", "run");
	uint64_t number = 7;

	g_assert_cmpstr(cli_args_value(args, "connect"), ==, "two");
	g_assert_cmpstr(cli_args_nth(args, "connect", 0), ==, "one");
	g_assert_cmpstr(cli_args_value(args, "memory"), ==, "2G");
	g_assert_cmpstr(cli_args_value(args, "format"), ==, "raw");
	g_assert_cmpstr(cli_args_nth(args, "disk", 1), ==, "b");
	g_assert_null(cli_args_nth(args, "disk", 2));
	g_assert_true(cli_args_has(args, "quiet"));
	g_assert_false(cli_args_has(args, "yes"));
	g_assert_cmpuint(cli_args_words(args), ==, 1);
	g_assert_cmpstr(cli_args_word(args, 0), ==, "x");
	g_assert_null(cli_args_word(args, 1));
	g_assert_true(cli_args_number(args, "cpus", 1, 8, &number, NULL));
	g_assert_cmpuint(number, ==, 7);
}

static void test_plain(void)
{
	autoptr(cli_args) args = good("start -- -x --force", "vm start");
	autoptr(cli_args) dash = good("define -", "vm create");

	g_assert_cmpuint(cli_args_words(args), ==, 2);
	g_assert_cmpstr(cli_args_word(args, 1), ==, "--force");
	g_assert_cmpstr(cli_args_word(dash, 0), ==, "-");
}

static void test_wrong(void)
{
	bad("strat x", "there is no command 'strat'; there is 'start'");
	bad("xyzzy", "there is no command 'xyzzy'; 'socle --help' lists them");
	bad("vm strat x", "there is no command 'vm strat'; there is 'vm start'");
	bad("vm", "'vm' wants a verb behind it; 'socle vm --help' lists them");
	bad("delete x", "there is no command 'delete'; 'socle --help' lists them");
	bad("start", "'socle vm start' wants more words: socle vm start MACHINE...");
	bad("console a b", "'socle vm console' takes no word 'b' there: socle vm console MACHINE");
	bad("list --runing", "there is no option '--runing' here; there is '--running'");
	bad("list --zzz", "there is no option '--zzz' here; '--help' lists them");
	bad("list -Z", "there is no option '-Z' here; '--help' lists them");
	bad("list --all=yes", "option '--all' takes no value");
	bad("list --output", "option '--output' needs a value: table|json|name");
	bad("list -o", "option '-o' needs a value: table|json|name");
	bad("list -o yaml", "'--output' is one of table|json|name, not 'yaml'");
	bad("list -ojso", "'--output' is one of table|json|name, not 'jso'");
	bad("--all list", "there is no option '--all' here; '--help' lists them");
}

static void test_numbers(void)
{
	autoptr(cli_args) args = good("top -n 3 -d 0.25", "top");
	autoptr(cli_args) wrong = good("top -n 0 -d -1", "top");
	autoptr(cli_args) nan = good("top -d nan", "top");
	g_autoptr(GError) error = NULL;
	uint64_t number = 0;

	g_assert_true(cli_args_number(args, "count", 1, 10, &number, NULL));
	g_assert_cmpuint(number, ==, 3);
	g_assert_true(cli_args_seconds(args, "delay", &number, NULL));
	g_assert_cmpuint(number, ==, 250);
	g_assert_false(cli_args_number(wrong, "count", 1, 10, &number, &error));
	g_assert_cmpstr(error->message, ==, "'--count' is a number from 1 to 10, not '0'");
	g_clear_error(&error);
	g_assert_false(cli_args_seconds(wrong, "delay", &number, &error));
	g_assert_cmpstr(error->message, ==, "'--delay' is a number of seconds, not '-1'");
	g_assert_false(cli_args_seconds(nan, "delay", &number, NULL));
	g_assert_cmpuint(number, ==, 250);
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{ "5", 5 * 1024 },
		{ "1k", 1024 },
		{ "1.5G", 3 * (UINT64_C(1) << 29) },
		{ "2MiB", 2 << 20 },
		{ "7B", 7 },
		{ "0", 0 },
		{ "1T", UINT64_C(1) << 40 },
		{ "3mb", 3 << 20 },
	};
	static const char *const wrong[] = { "",      "G",   "-1G", "1X",  "1GG",   "0x10",
					     "1e400", "inf", "nan", "1 G", "1.2.3", "2000000T" };
	uint64_t bytes;

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_assert_true(cli_parse_size("size", sizes[i].text, 1024, &bytes, NULL));
		g_assert_cmpuint(bytes, ==, sizes[i].bytes);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(cli_parse_size("size", wrong[i], 1024, &bytes, &error));
		g_assert_nonnull(strstr(error->message, "size '"));
	}
}

static bool known_twice(const struct cli_option *options)
{
	for (const struct cli_option *a = options; a && a->name; a++) {
		for (const struct cli_option *b = options; b->name; b++) {
			if (a != b &&
			    (!strcmp(a->name, b->name) || (a->letter && a->letter == b->letter)))
				return true;
		}
		for (const struct cli_option *b = cli_global_options; b->name; b++) {
			if (!strcmp(a->name, b->name) || (a->letter && a->letter == b->letter))
				return true;
		}
	}
	return false;
}

/* Nothing is hidden by anything else, and everything has its words. */
static void test_tables(void)
{
	for (unsigned i = 0; cli_commands[i]; i++) {
		const struct cli_command *command = cli_commands[i];
		g_autofree char *name = cli_command_name(command);
		g_auto(GStrv) names = g_strsplit(command->names ? command->names : "", " ", -1);
		char *words[3] = { NULL };
		unsigned used;

		g_assert_false(known_twice(command->options));
		g_assert_nonnull(command->run);
		g_assert_nonnull(command->summary);
		g_assert_nonnull(command->arguments);
		g_assert_false(g_str_has_suffix(command->summary, "."));
		g_assert_cmpuint(command->min, <=, command->max);
		g_assert_true(!command->max || command->what[0] != CLI_NOTHING ||
			      command->flags & CLI_HIDDEN);
		for (const struct cli_option *row = command->options; row && row->name; row++) {
			g_assert_nonnull(row->help);
			g_assert_true(!row->value == (row->what == CLI_NOTHING));
		}
		words[0] = (char *)(uintptr_t)(command->noun ? command->noun : command->verb);
		words[1] = (char *)(uintptr_t)(command->noun ? command->verb : NULL);
		g_assert_true(cli_command_find(words, &used, NULL) == command);
		for (unsigned n = 0; command->names && names[n]; n++) {
			words[0] = names[n];
			words[1] = NULL;
			g_assert_true(cli_command_find(words, &used, NULL) == command);
			g_assert_cmpuint(used, ==, 1);
		}
		if (command->flags & CLI_BARE) {
			words[0] = (char *)(uintptr_t)command->verb;
			words[1] = NULL;
			g_assert_true(cli_command_find(words, &used, NULL) == command);
		}
	}
}

static void test_status(void)
{
	static const struct {
		GQuark (*domain)(void);
		int code;
		enum cli_status status;
	} all[] = {
		{ socle_error_quark, SOCLE_ERROR_USAGE, CLI_USAGE },
		{ socle_error_quark, SOCLE_ERROR_NOT_FOUND, CLI_NOT_FOUND },
		{ socle_error_quark, SOCLE_ERROR_FAILED, CLI_FAILED },
		{ socle_error_quark, SOCLE_ERROR_STATE, CLI_WRONG_STATE },
		{ sys_error_quark, 2, CLI_FAILED },
		{ cli_client_error_quark, SOCLE_ERR_NO_DOMAIN, CLI_NOT_FOUND },
		{ cli_client_error_quark, SOCLE_ERR_NO_SECRET, CLI_NOT_FOUND },
		{ cli_client_error_quark, SOCLE_ERR_INVALID_SECRET, CLI_DENIED },
		{ cli_client_error_quark, SOCLE_ERR_NO_CONNECT, CLI_NO_CONNECTION },
		{ cli_client_error_quark, SOCLE_ERR_OPERATION_DENIED, CLI_DENIED },
		{ cli_client_error_quark, SOCLE_ERR_OPERATION_INVALID, CLI_WRONG_STATE },
		{ cli_client_error_quark, SOCLE_ERR_OPERATION_TIMEOUT, CLI_LATE },
		{ cli_client_error_quark, SOCLE_ERR_INTERNAL, CLI_FAILED },
		{ cli_client_error_quark, 4711, CLI_FAILED },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
		g_autoptr(GError) error = g_error_new(all[i].domain(), all[i].code, "x");

		g_assert_cmpint(cli_status_of(error), ==, all[i].status);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cli/args/words", test_words);
	g_test_add_func("/cli/args/options", test_options);
	g_test_add_func("/cli/args/plain", test_plain);
	g_test_add_func("/cli/args/wrong", test_wrong);
	g_test_add_func("/cli/args/numbers", test_numbers);
	g_test_add_func("/cli/args/sizes", test_sizes);
	g_test_add_func("/cli/args/tables", test_tables);
	g_test_add_func("/cli/args/status", test_status);
	return g_test_run();
}
