/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file-ids.c - which files paths lead to, asked of the host without waiting for ever
 *
 * A thread (struct probe) goes through the paths of a question. One of them may lead to a server that is
 * gone: when the thread has stood at a path for too long it is left to itself, and another one goes on
 * behind it. The path is "silent" until the thread comes back; it, and what lies in the same folder,
 * is not asked for meanwhile. So a server that is gone costs a thread and a moment for each folder of it, once.
 */
#include "daemon/file-ids.h"

#include <stdatomic.h>
#include <string.h>

#include "base/aside.h"
#include "base/sys.h"

enum at {
	AT_START = UINT_MAX - 1, /* it waits for its thread */
	AT_END = UINT_MAX,
};

struct file_asker {
	unsigned patience_ms;
	GQueue questions; /* of struct question: under way */
	GQueue silent;    /* of struct probe: left to themselves, and not back yet */
};

struct question {
	GList link;
	struct file_asker *asker;
	GPtrArray *paths; /* with a reference */
	struct file_id *ids;
	struct task *task;
	struct probe *probe;  /* that is at it now */
	unsigned timer, seen; /* where the probe was when it was looked at */
};

/* All but what is named is the thread's until it has ended. */
struct probe {
	GList link;                /* of those that are silent; main loop */
	struct file_asker *asker;  /* main loop */
	struct question *question; /* main loop; NULL: nobody waits for it any more */
	struct aside *aside;       /* main loop */
	char *folder;              /* main loop: what is silent */
	atomic_bool forsaken;      /* by the main loop: the rest is not wanted */
	_Atomic unsigned at; /* the path that it is at, what was before is in ids; or of enum at */
	GPtrArray *paths;    /* with a reference */
	unsigned from, to;
	bool *silent; /* of those, or NULL: none of them is */
	struct file_id *ids;
};

/* == On the thread == */

struct file_id file_id_of(const struct stat *st)
{
	if (S_ISBLK(st->st_mode))
		return (struct file_id){ FILE_DEVICE, st->st_rdev, 0 };
	if (S_ISREG(st->st_mode))
		return (struct file_id){ FILE_REGULAR, st->st_dev, st->st_ino };
	return (struct file_id){ FILE_UNKNOWN };
}

static struct file_id id_of(const char *path)
{
	struct stat st;

	return path[0] == '/' && sys_stat(path, &st) >= 0 ? file_id_of(&st)
							  : (struct file_id){ FILE_UNKNOWN };
}

static void probe_run(void *data)
{
	struct probe *probe = data;

	for (unsigned i = probe->from; i < probe->to && !atomic_load(&probe->forsaken); i++) {
		atomic_store(&probe->at, i);
		if (!probe->silent || !probe->silent[i])
			probe->ids[i] = id_of(probe->paths->pdata[i]);
	}
	atomic_store(&probe->at, AT_END);
}

static void probe_free(void *data)
{
	struct probe *probe = data;

	g_ptr_array_unref(probe->paths);
	g_free(probe->silent);
	g_free(probe->ids);
	g_free(probe->folder);
	g_free(probe);
}

/* == On the main loop == */

static bool is_silent(const struct file_asker *asker, const char *path)
{
	g_autofree char *folder = asker->silent.head ? g_path_get_dirname(path) : NULL;

	for (const GList *l = asker->silent.head; l; l = l->next) {
		if (!strcmp(((const struct probe *)l->data)->folder, folder))
			return true;
	}
	return false;
}

static void question_free(struct question *question)
{
	g_source_remove(question->timer);
	g_ptr_array_unref(question->paths);
	g_free(question);
}

static void question_end(struct question *question, const GError *error)
{
	struct task *task = question->task;

	g_queue_unlink(&question->asker->questions, &question->link);
	question_free(question);
	task_end(task, error);
}

/* Those before @end. */
static void take_ids(const struct question *question, unsigned end)
{
	const struct probe *probe = question->probe;

	memcpy(question->ids + probe->from, probe->ids + probe->from,
	       (end - probe->from) * sizeof(*probe->ids));
}

static void probe_ended(void *data)
{
	struct probe *probe = data;
	struct question *question = probe->question;

	if (question)
		take_ids(question, probe->to);
	else
		g_queue_unlink(&probe->asker->silent, &probe->link);
	aside_drop(probe->aside);
	if (question)
		question_end(question, NULL);
}

/* Those that are not asked for, of @probe's paths; or NULL. */
static bool *find_silent(const struct probe *probe)
{
	bool *silent = probe->asker->silent.head ? g_new0(bool, MAX(probe->to, 1)) : NULL;

	for (unsigned i = probe->from; silent && i < probe->to; i++)
		silent[i] = is_silent(probe->asker, probe->paths->pdata[i]);
	return silent;
}

/* A thread for what is left of it. */
static void probe_start(struct question *question, unsigned from)
{
	struct probe *probe = g_new0(struct probe, 1);
	struct aside_work work = {
		"storage", probe_run, probe_ended, probe_free, probe,
	};
	g_autoptr(GError) error = NULL;

	probe->link.data = probe;
	probe->asker = question->asker;
	probe->question = question;
	probe->paths = g_ptr_array_ref(question->paths);
	probe->from = from;
	probe->to = question->paths->len;
	probe->silent = find_silent(probe);
	probe->ids = g_new0(struct file_id, MAX(probe->to, 1));
	question->probe = probe;
	atomic_store(&probe->at, AT_START);
	question->seen = AT_START;
	probe->aside = aside_start(&work, &error);
	if (!probe->aside) {
		probe_free(probe);
		question_end(question, error);
	}
}

/* Has it got further since the last time? */
static int on_patience(void *data)
{
	struct question *question = data;
	struct probe *probe = question->probe;
	const unsigned at = atomic_load(&probe->at);

	if (at == AT_START || at == AT_END || at != question->seen) {
		question->seen = at;
		return G_SOURCE_CONTINUE;
	}
	take_ids(question, at);
	probe->folder = g_path_get_dirname(question->paths->pdata[at]);
	probe->question = NULL;
	atomic_store(&probe->forsaken, true);
	g_queue_push_tail_link(&question->asker->silent, &probe->link);
	probe_start(question, at + 1);
	return G_SOURCE_CONTINUE;
}

void file_asker_ask(struct file_asker *asker, GPtrArray *paths, struct file_id *ret_ids,
		    struct task *task)
{
	struct question *question = g_new0(struct question, 1);

	question->link.data = question;
	question->asker = asker;
	question->paths = g_ptr_array_ref(paths);
	question->ids = ret_ids;
	question->task = task;
	question->timer = g_timeout_add(asker->patience_ms, on_patience, question);
	g_queue_push_tail_link(&asker->questions, &question->link);
	probe_start(question, 0);
}

/* == Life == */

struct file_asker *file_asker_new(unsigned patience_ms)
{
	struct file_asker *asker = g_new0(struct file_asker, 1);

	asker->patience_ms = patience_ms;
	return asker;
}

void file_asker_finish(struct file_asker *asker, void (*refuse)(struct task *task))
{
	while (asker->questions.head) {
		struct question *question = asker->questions.head->data;
		struct task *task = question->task;

		g_queue_unlink(&asker->questions, &question->link);
		aside_drop(question->probe->aside);
		question_free(question);
		refuse(task);
	}
	while (asker->silent.head) {
		struct probe *probe = asker->silent.head->data;

		g_queue_unlink(&asker->silent, &probe->link);
		aside_drop(probe->aside);
	}
}

void file_asker_free(struct file_asker *asker)
{
	g_free(asker);
}
