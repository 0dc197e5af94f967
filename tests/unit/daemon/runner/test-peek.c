/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-peek.c - what a machine gives of its memory, with a machine that is us
 *
 * It stands in for runner.c, so a question is answered at once.
 */
#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "daemon/runner-int.h"

enum {
	LEN = 4,
};

struct lab {
	struct runner runner;
	struct task task;
	const char *answer; /* in base64 */
	unsigned asked;
	bool ended, ok;
};

void runner_call(struct runner *runner, const char *command, json_t *args, unsigned deadline_ms,
		 qmp_client_fn fn, void *opaque)
{
	struct lab *lab = container_of(runner, struct lab, runner);
	json_t *result = json_pack("{s:s}", "data", lab->answer);

	(void)deadline_ms;
	g_assert_cmpstr(command, ==, "x-memory-read");
	g_assert_cmpint(json_integer_value(json_object_get(args, "size")), ==, LEN);
	json_decref(args);
	lab->asked++;
	fn(opaque, result, NULL);
	json_decref(result);
}

const char *runner_disk_alias(struct runner *runner, unsigned disk, GError **error)
{
	(void)runner;
	(void)disk;
	(void)error;
	g_assert_not_reached();
}

static void on_end(struct task *task, const GError *error)
{
	struct lab *lab = container_of(task, struct lab, task);

	g_assert_false(lab->ended);
	lab->ended = true;
	lab->ok = !error;
	if (error)
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_FAILED);
}

/* A machine that gives more than was asked for writes to nobody's memory, and one that gives less is not taken
 * for the rest. */
static void test_length(void)
{
	static const struct {
		const char *answer;
		bool ok;
	} cases[] = {
		{ "YWJjZA==", true },      { "YWJj", false }, { "YWJjZGU=", false },
		{ "YWJjZGVmZ2g=", false }, { "", false },     { "#", false },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct lab lab = { .task.end = on_end, .answer = cases[i].answer };
		char buf[2 * LEN] = "";

		runner_memory_read(&lab.runner.machine, 0, false, buf, LEN, &lab.task);
		g_assert_true(lab.ended);
		g_assert_cmpuint(lab.asked, ==, 1);
		g_assert_cmpint(lab.ok, ==, cases[i].ok);
		g_assert_cmpstr(buf, ==, cases[i].ok ? "abcd" : "");
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/runner/peek/length", test_length);
	return g_test_run();
}
