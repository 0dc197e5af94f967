/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-dump.c - the memory of a machine into a file
 *
 * The machine writes. We make the file, next to where it is to be and with a name of its own, and it is
 * the machine's until that has told DUMP_COMPLETED; then it takes its place. A daemon that comes
 * while a machine dumps for one that is gone makes it give up: the guest does not wait for nobody.
 * It removes the file, too, whose name is kept before there is such a file.
 */
#include <fcntl.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/runner-int.h"

/* The name of the file goes into what is kept of the machine. */
struct keeping {
	struct task task;
	struct runner *runner; /* NULL: the dump has ended */
};

struct runner_dump {
	char *path, *part;
	struct task *task;
	struct keeping *keeping; /* NULL: it is kept */
	bool begun;              /* an event before that is of another one */
};

static void dump_end(struct runner *runner, const GError *error)
{
	struct runner_dump *dump = g_steal_pointer(&runner->dump);
	struct task *task = dump->task;
	g_autoptr(GError) why = error ? g_error_copy(error) : NULL;
	int result;

	if (dump->keeping)
		dump->keeping->runner = NULL;
	runner_grant_end(runner, dump->part);
	if (!why) {
		result = sys_rename(dump->part, dump->path);
		if (result < 0)
			error_sys(&why, result, "the dump cannot become '%s'", dump->path);
	}
	if (why)
		(void)sys_unlink(dump->part);
	g_free(dump->path);
	g_free(dump->part);
	g_free(dump);
	task_end(task, why);
}

void runner_dump_end(struct runner *runner)
{
	g_autoptr(GError) error = NULL;

	if (!runner->dump)
		return;
	error_set(&error, SOCLE_ERROR_NOT_ACTIVE, "the machine has ended before it was dumped");
	dump_end(runner, error);
}

char *runner_dump_format(const struct runner *runner)
{
	const char *part = runner->dump ? runner->dump->part : runner->left_dump;

	return part ? g_uri_escape_string(part, "/", FALSE) : g_strdup("");
}

void runner_dump_take(struct runner *runner, const char *text)
{
	g_autofree char *part = *text == '/' ? g_uri_unescape_string(text, NULL) : NULL;

	if (part && g_str_has_suffix(part, ".part"))
		runner->left_dump = g_steal_pointer(&part);
}

void runner_dump_remove_left(struct runner *runner)
{
	g_autofree char *part = g_steal_pointer(&runner->left_dump);

	if (!part)
		return;
	runner_grant_end(runner, part);
	(void)sys_unlink(part);
}

void runner_dump_event(struct runner *runner, const json_t *data)
{
	const json_t *result = json_object_get(data, "result");
	const char *status = json_string_value(json_object_get(result, "status"));
	const char *why = json_string_value(json_object_get(data, "error"));
	g_autoptr(GError) error = NULL;

	if (!runner->dump || !runner->dump->begun)
		return;
	if (g_strcmp0(status, "completed") != 0)
		error_set(&error, SOCLE_ERROR_FAILED, "the machine was not dumped: %s",
			  why ? why : "it does not say why");
	dump_end(runner, error);
	machine_changed(runner->machine.dom);
}

static void on_looked(void *opaque, json_t *result, const GError *error)
{
	const char *status = json_string_value(json_object_get(result, "status"));
	json_auto_t *data = NULL;

	if (error || !g_strcmp0(status, "active"))
		return;
	data = json_pack("{s:O}", "result", result);
	runner_dump_event(opaque, data);
}

void runner_dump_look(struct runner *runner)
{
	if (runner->dump) {
		runner_call(runner, "query-dump", NULL, 0, on_looked, runner);
		return;
	}
	/* Of an earlier daemon, if there is one. */
	runner_call(runner, "x-dump-cancel", NULL, 0, NULL, NULL);
	runner_dump_remove_left(runner);
}

static void on_begun(void *opaque, json_t *result, const GError *error)
{
	struct runner *runner = opaque;

	(void)result;
	if (error && runner->dump)
		dump_end(runner, error);
	else if (runner->dump)
		runner->dump->begun = true;
}

/* Empty, and nobody but the machine may look into it. */
static bool make_file(const char *path, const char *part, GError **error)
{
	struct stat st;
	autofd int fd = -1;

	if (sys_stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is no file; name one", path);
	fd = sys_open(part, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return fd >= 0 || error_sys(error, fd, "cannot make the file '%s'", part);
}

static void on_kept(struct task *task, const GError *why)
{
	g_autofree struct keeping *keeping = container_of(task, struct keeping, task);
	struct runner *runner = keeping->runner;
	struct runner_dump *dump = runner ? runner->dump : NULL;
	g_autofree char *protocol = dump ? g_strconcat("file:", dump->part, NULL) : NULL;
	g_autoptr(GError) error = why ? g_error_copy(why) : NULL;

	if (!dump)
		return;
	dump->keeping = NULL;
	if (error || !make_file(dump->path, dump->part, &error)) {
		dump_end(runner, error);
		return;
	}
	runner_grant(runner, dump->part, true);
	runner_call(runner, "dump-guest-memory",
		    json_pack("{s:b,s:s,s:b}", "paging", 0, "protocol", protocol, "detach", 1), 0,
		    on_begun, runner);
}

void runner_core_dump(struct machine *machine, const char *path, struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autoptr(GError) error = NULL;
	struct keeping *keeping;

	if (runner->dump) {
		error_set(&error, SOCLE_ERROR_BUSY, "the machine is being dumped already");
		task_end(task, error);
		return;
	}
	keeping = g_new(struct keeping, 1);
	*keeping = (struct keeping){ .task.end = on_kept, .runner = runner };
	runner->dump = g_new(struct runner_dump, 1);
	*runner->dump = (struct runner_dump){
		.path = g_strdup(path),
		.part = g_strdup_printf("%s.%08x.part", path, g_random_int()),
		.task = task,
		.keeping = keeping,
	};
	machine_keep(machine->dom, &keeping->task);
}

struct asking {
	struct machine_dump_info *info;
	struct task *task;
};

static void on_asked(void *opaque, json_t *result, const GError *error)
{
	g_autofree struct asking *asking = opaque;
	const json_int_t done = json_integer_value(json_object_get(result, "completed"));
	const json_int_t total = json_integer_value(json_object_get(result, "total"));

	*asking->info =
		(struct machine_dump_info){ (uint64_t)MAX(done, 0), (uint64_t)MAX(total, 0) };
	task_end(asking->task, error);
}

void runner_core_dump_query(struct machine *machine, struct machine_dump_info *info,
			    struct task *task)
{
	struct asking *asking = g_new(struct asking, 1);

	*asking = (struct asking){ info, task };
	runner_call(runner_of(machine), "query-dump", NULL, RUNNER_QUERY_MS * 10, on_asked, asking);
}

void runner_core_dump_abort(struct machine *machine, struct task *task)
{
	runner_command(runner_of(machine), "x-dump-cancel", NULL, task);
}
