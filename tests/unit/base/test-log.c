/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-log.c - log lines: levels, program name, ends of lines on a raw terminal
 */
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/sys.h"

/* What @fn writes to stderr. */
static char *capture(void (*fn)(void))
{
	char text[512] = "";
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0), fds[2];
	ssize_t n;

	g_assert_cmpint(sys_pipe(fds, 0), ==, 0);
	g_assert_cmpint(dup2(fds[1], STDERR_FILENO), ==, STDERR_FILENO);
	(void)close(fds[1]);
	fn();
	g_assert_cmpint(dup2(saved, STDERR_FILENO), ==, STDERR_FILENO);
	(void)close(saved);
	n = sys_read_full(fds[0], text, sizeof(text) - 1);
	g_assert_cmpint(n, >=, 0);
	(void)close(fds[0]);
	return g_strndup(text, (size_t)n);
}

static void all_levels(void)
{
	log_warning("w %d", 1);
	log_info("i %s", "2");
	log_debug("d %c", '3');
}

static void test_levels(void)
{
	static const struct {
		enum log_level level;
		const char *want;
	} cases[] = {
		{ LOG_WARNING, "prog: w 1\n" },
		{ LOG_INFO, "prog: w 1\nprog: i 2\n" },
		{ LOG_DEBUG, "prog: w 1\nprog: i 2\nprog: d 3\n" },
	};

	log_set_program("prog");
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = NULL;

		log_set_level(cases[i].level);
		text = capture(all_levels);
		g_assert_cmpstr(text, ==, cases[i].want);
	}
	log_set_level(LOG_WARNING);
}

static void test_raw(void)
{
	g_autofree char *raw = NULL, *cooked = NULL;

	log_set_program("prog");
	log_set_raw_terminal(true);
	raw = capture(all_levels);
	log_set_raw_terminal(false);
	cooked = capture(all_levels);
	g_assert_cmpstr(raw, ==, "prog: w 1\r\n");
	g_assert_cmpstr(cooked, ==, "prog: w 1\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/log/levels", test_levels);
	g_test_add_func("/log/raw", test_raw);
	return g_test_run();
}
