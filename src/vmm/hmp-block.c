/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hmp-block.c - the human monitor: jobs and snapshots of disks
 *
 * Each command is one of QMP whose arguments are typed in order.
 */
#include "vmm/hmp-block.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vmm/block-args.h"
#include "vmm/commands-int.h"
#include "vmm/jobs.h"
#include "vmm/vmm-int.h"

enum {
	MOST_ARGS = 4
};

struct block_command {
	const char *word, *arguments, *help;
	const char *keys[MOST_ARGS]; /* of what is typed; "speed" is a number */
	unsigned required;           /* so many of them */
	/* An option -x, or 0, is an argument more, with a value or true. */
	char option;
	const char *option_key, *option_value;
	/* One of these. */
	json_t *(*run)(void *opaque, const json_t *args, GError **error);
	node_command start;
	const char *sync; /* if there is no option for it */
};

static const struct block_command commands[] = {
	{ .word = "snapshot_blkdev",
	  .arguments = "[-n] DISK FILE [FORMAT]",
	  .help = "put an overlay in front of a disk's image",
	  .keys = { "device", "snapshot-file", "format" },
	  .required = 2,
	  .option = 'n',
	  .option_key = "mode",
	  .option_value = "existing",
	  .start = node_snapshot_sync },
	{ .word = "snapshot_blkdev_internal",
	  .arguments = "DISK NAME",
	  .help = "a snapshot inside a disk's image",
	  .keys = { "device", "name" },
	  .required = 2,
	  .run = run_blockdev_snapshot_internal_sync },
	{ .word = "snapshot_delete_blkdev_internal",
	  .arguments = "DISK NAME [ID]",
	  .help = "delete one",
	  .keys = { "device", "name", "id" },
	  .required = 2,
	  .run = run_blockdev_snapshot_delete_internal_sync },
	{ .word = "commit",
	  .arguments = "DISK",
	  .help = "merge a disk's image into the one behind it, and go on with that",
	  .keys = { "device" },
	  .required = 1,
	  .start = node_commit_top },
	{ .word = "block_stream",
	  .arguments = "DISK [SPEED [BASE]]",
	  .help = "copy what is behind a disk's image into it",
	  .keys = { "device", "speed", "base" },
	  .required = 1,
	  .start = node_stream },
	{ .word = "drive_mirror",
	  .arguments = "[-f] DISK FILE [FORMAT]",
	  .help = "copy a disk's image (-f: and those behind it) to a new file",
	  .keys = { "device", "target", "format" },
	  .required = 2,
	  .option = 'f',
	  .option_key = "sync",
	  .option_value = "full",
	  .start = node_drive_mirror,
	  .sync = "top" },
	{ .word = "block_job_set_speed",
	  .arguments = "JOB SPEED",
	  .help = "bytes a second, 0 as fast as it goes",
	  .keys = { "device", "speed" },
	  .required = 2,
	  .run = run_block_job_set_speed },
	{ .word = "block_job_cancel",
	  .arguments = "[-f] JOB",
	  .help = "end a job; a copy that is ready stays one, but for -f",
	  .keys = { "device" },
	  .required = 1,
	  .option = 'f',
	  .option_key = "force",
	  .run = run_job_cancel },
	{ .word = "block_job_complete",
	  .arguments = "JOB",
	  .help = "go over to a copy that is ready",
	  .keys = { "device" },
	  .required = 1,
	  .run = run_job_complete },
	{ .word = "block_job_pause",
	  .arguments = "JOB",
	  .help = "let a job rest",
	  .keys = { "device" },
	  .required = 1,
	  .run = run_job_pause },
	{ .word = "block_job_resume",
	  .arguments = "JOB",
	  .help = "let it go on",
	  .keys = { "device" },
	  .required = 1,
	  .run = run_job_resume },
};

/* ---- the arguments ---- */

static bool take_word(json_t *args, const char *key, const char *word)
{
	guint64 number;

	if (strcmp(key, "speed") != 0)
		return !json_object_set_new(args, key, json_text(word));
	if (!g_ascii_string_to_unsigned(word, 10, 0, G_MAXINT64, &number, NULL))
		return false;
	return !json_object_set_new(args, key, json_integer((json_int_t)number));
}

/* NULL: they are not as @command has them. */
static json_t *take_words(const struct block_command *command, char **words)
{
	json_auto_t *args = json_object();
	unsigned count = 0;

	if (command->sync)
		json_object_set_new(args, "sync", json_string(command->sync));
	if (*words && command->option && words[0][0] == '-' && words[0][1] == command->option &&
	    !words[0][2]) {
		json_object_set_new(args, command->option_key,
				    command->option_value ? json_string(command->option_value)
							  : json_true());
		words++;
	}
	for (; *words; words++, count++) {
		if (count == MOST_ARGS || !command->keys[count] ||
		    !take_word(args, command->keys[count], *words))
			return NULL;
	}
	return count < command->required ? NULL : json_incref(args);
}

/* ---- doing it ---- */

/* Who has typed it waits for as long as it takes to begin, but not until a raw disk has a keeper. */
struct wait {
	GString *out; /* NULL: nobody waits any more */
	bool ended;
};

static void on_end(void *opaque, const GError *error)
{
	struct wait *wait = opaque;

	wait->ended = true;
	if (error && wait->out)
		g_string_append_printf(wait->out, "%s\n", error->message);
	else if (error)
		log_warning("%s", error->message);
	if (!wait->out)
		g_free(wait);
}

static void start(struct vmm *vmm, const struct block_command *command, const json_t *args,
		  GString *out)
{
	struct wait *wait = g_new(struct wait, 1);

	*wait = (struct wait){ .out = out };
	node_command_run(vmm, "device", args, command->start, on_end, wait);
	wait->out = NULL;
	if (wait->ended)
		g_free(wait);
}

static void execute(struct vmm *vmm, const struct block_command *command, char **words,
		    GString *out)
{
	json_auto_t *args = take_words(command, words), *answer = NULL;
	g_autoptr(GError) error = NULL;

	if (!args) {
		g_string_append_printf(out, "'%s' takes %s\n", command->word, command->arguments);
		return;
	}
	if (command->start) {
		start(vmm, command, args, out);
		return;
	}
	answer = command->run(vmm, args, &error);
	if (!answer)
		g_string_append_printf(out, "%s\n", error->message);
}

bool hmp_block_execute(struct vmm *vmm, char **words, GString *out)
{
	for (size_t i = 0; *words && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].word, words[0]) != 0)
			continue;
		execute(vmm, &commands[i], words + 1, out);
		return true;
	}
	return false;
}

void hmp_block_help(GString *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		g_string_append_printf(out, "%s %s: %s\n", commands[i].word, commands[i].arguments,
				       commands[i].help);
}

void hmp_block_jobs(struct vmm *vmm, GString *out)
{
	if (!vmm->jobs->len)
		g_string_append(out, "No active jobs\n");
	for (unsigned i = 0; i < vmm->jobs->len; i++) {
		struct vmm_job *job = g_ptr_array_index(vmm->jobs, i);
		json_auto_t *info = job_block_info(job);
		const char *status = json_string_value(json_object_get(info, "status"));

		g_string_append_printf(out,
				       "%s: %s, %s, %" JSON_INTEGER_FORMAT
				       " of %" JSON_INTEGER_FORMAT
				       " bytes, speed limit %" JSON_INTEGER_FORMAT " bytes/s\n",
				       job->id, job_type(job), status,
				       json_integer_value(json_object_get(info, "offset")),
				       json_integer_value(json_object_get(info, "len")),
				       json_integer_value(json_object_get(info, "speed")));
	}
}
