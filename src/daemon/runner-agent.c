/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-agent.c - ask the agent in the guest
 *
 * It is behind a channel, whose other end is a socket of socle-vm that has one client at a time. What
 * earlier clients have left in the channel is skipped: guest-sync-delimited is sent with a number that
 * nobody knows, and all up to its answer, which begins with a byte 0xff, is thrown away. A guest that
 * does not answer has its deadline; then the connection is closed.
 *
 * Commands wait for each other: a connection is made for each.
 */
#include <errno.h>
#include <glib-unix.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/runner-int.h"

enum {
	SYNC_MS = 2000,    /* an agent that is there answers this at once */
	ANSWER_MS = 60000, /* and this when it has done it */
	ANSWER_MAX = 16 * 1024 * 1024,
	RETRY_MS = 50, /* the channel has one client at a time */
	READ_SIZE = 64 * 1024,
};

static const char agent_name[] = "org.qemu.guest_agent.0";

struct agent {
	struct runner *runner;
	struct task *task;
	char **ret_answer;
	char *command;
	bool last_word; /* guest-shutdown: the end of the connection is the answer */
	int fd;
	guint in, deadline;
	guint64 sync;
	bool synced;
	GString *line;
};

const char *runner_agent_path(const struct runner *runner)
{
	const struct domain *live = runner->machine.dom->live;

	for (unsigned i = 0; live && i < live->devices.channel_count; i++) {
		const struct domain_char *chr = &live->devices.channels[i];

		if (chr->info.fate != FATE_LEFT_OUT && chr->type == CHAR_UNIX &&
		    !g_strcmp0(chr->target.name, agent_name) && chr->source_count)
			return chr->sources[0].path;
	}
	return NULL;
}

static void agent_end(struct agent *agent, char *answer, const GError *error)
{
	struct task *task = agent->task;

	if (agent->runner)
		g_ptr_array_remove(agent->runner->agents, agent);
	if (agent->in)
		g_source_remove(agent->in);
	if (agent->deadline)
		g_source_remove(agent->deadline);
	fd_autoclose(&agent->fd);
	g_string_free(agent->line, TRUE);
	g_free(agent->command);
	*agent->ret_answer = answer;
	g_free(agent);
	task_end(task, error);
}

static void agent_fail(struct agent *agent, const char *why)
{
	g_autoptr(GError) error = NULL;

	error_set(&error, SOCLE_ERROR_NOT_ACTIVE, "the agent in the guest %s", why);
	agent_end(agent, NULL, error);
}

void runner_agents_end(struct runner *runner)
{
	while (runner->agents->len)
		agent_fail(g_ptr_array_index(runner->agents, 0), "is gone with its machine");
}

static gboolean on_deadline(gpointer opaque)
{
	struct agent *agent = opaque;

	agent->deadline = 0;
	if (agent->synced && agent->last_word)
		agent_end(agent, g_strdup("{\"return\":{}}"), NULL);
	else
		agent_fail(agent, agent->synced
					  ? "has not done in time what it was asked for"
					  : "does not answer; install and start qemu-guest-agent "
					    "there");
	return G_SOURCE_REMOVE;
}

static bool say(struct agent *agent, const char *text)
{
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	const struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	/* The channel is empty: a command of some kilobytes has room. */
	return sys_sendmsg(agent->fd, &msg, MSG_DONTWAIT) == (ssize_t)iov.iov_len;
}

/* False: the agent is freed. */
static bool on_line(struct agent *agent)
{
	json_auto_t *message = NULL;
	const json_t *result;

	/* The byte in front of the answer may come behind half a line of somebody else's. */
	const char *mark = memrchr(agent->line->str, 0xff, agent->line->len);

	if (mark)
		g_string_erase(agent->line, 0, mark + 1 - agent->line->str);
	message = json_loadb(agent->line->str, agent->line->len, 0, NULL);
	result = json_object_get(message, "return");
	if (agent->synced && message) {
		agent_end(agent, g_strndup(agent->line->str, agent->line->len), NULL);
		return false;
	}
	g_string_truncate(agent->line, 0);
	if (agent->synced || !json_is_integer(result) ||
	    (guint64)json_integer_value(result) != agent->sync)
		return true;
	agent->synced = true;
	g_source_remove(agent->deadline);
	agent->deadline = g_timeout_add(agent->last_word ? SYNC_MS : ANSWER_MS, on_deadline, agent);
	if (say(agent, agent->command))
		return true;
	agent_fail(agent, "does not take the command");
	return false;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer opaque)
{
	struct agent *agent = opaque;
	g_autofree char *buf = g_malloc(READ_SIZE);
	ssize_t n = sys_read(fd, buf, READ_SIZE);

	(void)condition;
	if (n == -EAGAIN)
		return G_SOURCE_CONTINUE;
	if (n <= 0) {
		agent->in = 0;
		if (agent->synced && agent->last_word)
			agent_end(agent, g_strdup("{\"return\":{}}"), NULL);
		else
			agent_fail(agent, "has closed its channel");
		return G_SOURCE_REMOVE;
	}
	for (ssize_t i = 0; i < n; i++) {
		const char *end = memchr(buf + i, '\n', (size_t)(n - i));
		const ssize_t len = end ? end - (buf + i) : n - i;

		if ((size_t)len > ANSWER_MAX - agent->line->len) {
			agent->in = 0;
			agent_fail(agent, "says too much");
			return G_SOURCE_REMOVE;
		}
		g_string_append_len(agent->line, buf + i, len);
		i += len;
		if (end && agent->line->len && !on_line(agent))
			return G_SOURCE_REMOVE;
	}
	return G_SOURCE_CONTINUE;
}

static gboolean on_attempt(gpointer opaque)
{
	struct agent *agent = opaque;
	const char *path = runner_agent_path(agent->runner);
	g_autofree char *hello = g_strdup_printf(
		"\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%" PRIu64 "}}\n",
		agent->sync);

	agent->in = 0;
	agent->fd = path ? runner_connect_unix(agent->runner, path, NULL) : -1;
	if (agent->fd < 0) {
		/* Another one has it, or it is not there yet: until the deadline. */
		agent->in = g_timeout_add(RETRY_MS, on_attempt, agent);
		return G_SOURCE_REMOVE;
	}
	agent->in = g_unix_fd_add(agent->fd, G_IO_IN, on_readable, agent);
	if (!say(agent, hello))
		agent_fail(agent, "does not take the command");
	return G_SOURCE_REMOVE;
}

void runner_agent(struct machine *machine, const char *command, char **ret_answer,
		  struct task *task)
{
	struct runner *runner = runner_of(machine);
	json_auto_t *request = json_loads(command, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(request, "execute"));
	g_autoptr(GError) error = NULL;
	struct agent *agent;
	char *text;

	*ret_answer = NULL;
	if (!runner_agent_path(runner))
		error_set(
			&error, SOCLE_ERROR_NOT_FOUND,
			"the machine has no channel to an agent; add a <channel type='unix'> with "
			"<target type='virtio' name='%s'/>",
			agent_name);
	else if (!name)
		error_set(&error, SOCLE_ERROR_USAGE,
			  "this is no command of an agent; write it like "
			  "{\"execute\":\"guest-ping\"}");
	if (error) {
		task_end(task, error);
		return;
	}
	agent = g_new0(struct agent, 1);
	text = json_dumps(request, JSON_COMPACT);
	*agent = (struct agent){
		.runner = runner,
		.task = task,
		.ret_answer = ret_answer,
		.command = g_strconcat(text, "\n", NULL),
		.last_word = g_str_has_prefix(name, "guest-shutdown") ||
			     g_str_has_prefix(name, "guest-suspend"),
		.fd = -1,
		.sync = (guint64)g_random_int() << 16 | (g_random_int() & 0xffff),
		.line = g_string_new(NULL),
	};
	free(text);
	g_ptr_array_add(runner->agents, agent);
	agent->deadline = g_timeout_add(SYNC_MS, on_deadline, agent);
	agent->in = g_idle_add(on_attempt, agent);
}
