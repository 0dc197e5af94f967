/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-block.c - disks of machines that run: sizes, and jobs that move data between images
 */
#include <inttypes.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"

static struct socle_domain *machine_of(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_machine(cli, cli_args_word(args, 0), error);
}

/* "'debian' disk vda: ..." */
static bool fail(const struct cli_args *args, struct socle_error *why, GError **error)
{
	return cli_fail(error, why, "'%s' disk '%s'", cli_args_word(args, 0),
			cli_args_word(args, 1));
}

static int run_info(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = machine_of(cli, args, error);
	g_autofree char *capacity = NULL, *allocation = NULL, *physical = NULL;
	struct socle_error *why = NULL;
	struct socle_block_info info;

	if (!dom)
		return CLI_FAILED;
	if (socle_domain_block_info(dom, cli_args_word(args, 1), 0, &info, &why) < 0)
		return fail(args, why, error);
	if (cli->output == OUTPUT_JSON) {
		cli_out_json(json_pack("{s:I, s:I, s:I}", "capacity", (json_int_t)info.capacity,
				       "allocation", (json_int_t)info.allocation, "physical",
				       (json_int_t)info.physical));
		return CLI_OK;
	}
	capacity = cli_size(info.capacity);
	allocation = cli_size(info.allocation);
	physical = cli_size(info.physical);
	cli_out("size         %s (%" PRIu64 " bytes)\nin use       %s\nfile         %s\n", capacity,
		info.capacity, allocation, physical);
	return CLI_OK;
}

const struct cli_command cli_vm_block_info = {
	.noun = "vm",
	.verb = "block-info",
	.names = "domblkinfo",
	.arguments = "MACHINE DISK",
	.summary = "Print the size of a disk",
	.what = { CLI_MACHINE, CLI_DISK },
	.min = 2,
	.max = 2,
	.flags = CLI_BARE,
	.run = run_info,
};

static int run_resize(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = NULL;
	g_autofree char *size = NULL, *done = NULL;
	struct socle_error *why = NULL;
	uint64_t bytes;

	/* A bare number is KiB, as with virsh's blockresize. */
	if (!cli_parse_size("size", cli_args_word(args, 2), 1024, &bytes, error))
		return CLI_USAGE;
	dom = machine_of(cli, args, error);
	if (!dom)
		return CLI_FAILED;
	if (socle_domain_block_resize(dom, cli_args_word(args, 1), bytes, SOCLE_BLOCK_RESIZE_BYTES,
				      &why) < 0)
		return fail(args, why, error);
	size = cli_size(bytes);
	done = g_strdup_printf("disk '%s' has %s", cli_args_word(args, 1), size);
	cli_done_machine(cli, dom, "block-resize", done);
	return CLI_OK;
}

const struct cli_command cli_vm_block_resize = {
	.noun = "vm",
	.verb = "block-resize",
	.names = "blockresize",
	.arguments = "MACHINE DISK SIZE",
	.summary = "Change the size of a disk, as 20G; a bare number is KiB",
	.what = { CLI_RUNNING, CLI_DISK, CLI_TEXT },
	.min = 3,
	.max = 3,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_resize,
};

/* ---- jobs ---- */

enum {
	LOOK_MS = 500,
	PIVOT_TRIES = 20,
	MIB = 1 << 20
};

/* Until the job has ended, or is ready for the pivot. */
static bool wait_job(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		     bool *ret_ready, GError **error)
{
	uint64_t end = sys_monotonic_ns() + cli->timeout_ms * 1000000;

	*ret_ready = false;
	for (;;) {
		struct socle_block_job_info info = { 0 };
		struct socle_error *why = NULL;
		int there =
			socle_domain_block_job_info(dom, cli_args_word(args, 1), 0, &info, &why);

		if (there < 0)
			return fail(args, why, error);
		if (!there)
			return true;
		*ret_ready = info.end > 0 && info.cur == info.end &&
			     info.type != SOCLE_BLOCK_JOB_PULL &&
			     info.type != SOCLE_BLOCK_JOB_COMMIT;
		if (*ret_ready)
			return true;
		if (cli->timeout_ms && sys_monotonic_ns() >= end) {
			g_set_error(
				error, CLIENT_ERROR, SOCLE_ERR_OPERATION_TIMEOUT,
				"the job of disk '%s' goes on; 'socle vm block-job' shows how far "
				"it is",
				cli_args_word(args, 1));
			return false;
		}
		g_usleep(LOOK_MS * 1000UL);
	}
}

static bool bandwidth_of(const struct cli_args *args, uint64_t *ret, GError **error)
{
	const char *text = cli_args_value(args, "bandwidth");
	uint64_t bytes = 0;

	if (text && !cli_parse_size("bandwidth", text, MIB, &bytes, error))
		return false;
	*ret = bytes;
	return true;
}

/* libvirt's daemon tells that all is copied a moment before QEMU tells that it is ready. */
static bool pivot_job(const struct cli_args *args, struct socle_domain *dom, GError **error)
{
	for (unsigned tries = 1;; tries++) {
		struct socle_error *why = NULL;

		if (socle_domain_block_job_abort(dom, cli_args_word(args, 1),
						 SOCLE_BLOCK_JOB_ABORT_PIVOT, &why) >= 0)
			return true;
		if (tries == PIVOT_TRIES || socle_error_code(why) != SOCLE_ERR_BLOCK_COPY_ACTIVE)
			return fail(args, why, error);
		socle_error_free(why);
		g_usleep(LOOK_MS * 1000UL);
	}
}

/* What --wait and --pivot ask for; *done is told. */
static bool finish(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		   const char **done, GError **error)
{
	bool pivot = cli_args_has(args, "pivot"), ready;

	if (!pivot && !cli_args_has(args, "wait"))
		return true;
	if (!wait_job(cli, args, dom, &ready, error))
		return false;
	*done = ready ? "is ready; '--pivot' or 'block-job --pivot' makes the change" : "is done";
	if (!pivot || !ready)
		return true;
	*done = "is done";
	return pivot_job(args, dom, error);
}

static int run_commit(struct cli *cli, const struct cli_args *args, GError **error)
{
	unsigned flags = SOCLE_BLOCK_COMMIT_BANDWIDTH_BYTES |
			 (cli_args_has(args, "shallow") ? SOCLE_BLOCK_COMMIT_SHALLOW : 0) |
			 (cli_args_has(args, "delete") ? SOCLE_BLOCK_COMMIT_DELETE : 0) |
			 (cli_args_has(args, "active") || cli_args_has(args, "pivot")
				  ? SOCLE_BLOCK_COMMIT_ACTIVE
				  : 0);
	const char *done = "goes on; 'socle vm block-job' shows how far it is";
	SOCLE_AUTO(domain) dom = NULL;
	struct socle_error *why = NULL;
	uint64_t bandwidth;

	if (!bandwidth_of(args, &bandwidth, error))
		return CLI_USAGE;
	dom = machine_of(cli, args, error);
	if (!dom)
		return CLI_FAILED;
	if (socle_domain_block_commit(dom, cli_args_word(args, 1), cli_args_value(args, "base"),
				      cli_args_value(args, "top"), bandwidth, flags, &why) < 0)
		return fail(args, why, error);
	if (!finish(cli, args, dom, &done, error))
		return CLI_FAILED;
	cli_done(cli, "commit of disk '%s' %s", cli_args_word(args, 1), done);
	return CLI_OK;
}

#define ROW_BANDWIDTH                                                                \
	{                                                                            \
		"bandwidth", 0, "SIZE", CLI_TEXT, "at most so much a second, as 50M" \
	}
#define ROW_WAIT                                                             \
	{                                                                    \
		"wait", 'w', NULL, CLI_NOTHING, "until it is done, or ready" \
	}

const struct cli_command cli_vm_block_commit = {
	.noun = "vm",
	.verb = "block-commit",
	.names = "blockcommit",
	.arguments = "MACHINE DISK",
	.summary = "Move what images have into one that stands behind them",
	.options =
		(const struct cli_option[]){
			{ "base", 0, "FILE", CLI_FILE, "where to (default: the last one)" },
			{ "top", 0, "FILE", CLI_FILE, "from where (default: the first one)" },
			{ "shallow", 0, NULL, CLI_NOTHING, "into the image right behind" },
			{ "delete", 0, NULL, CLI_NOTHING, "delete what is not needed any more" },
			{ "active", 0, NULL, CLI_NOTHING, "also what the machine writes to" },
			{ "pivot", 0, NULL, CLI_NOTHING, "wait, and let it go on with the base" },
			ROW_WAIT,
			ROW_BANDWIDTH,
			CLI_ROW_END },
	.what = { CLI_RUNNING, CLI_DISK },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_commit,
};

static int run_pull(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *base = cli_args_value(args, "base"), *disk = cli_args_word(args, 1);
	const char *done = "goes on; 'socle vm block-job' shows how far it is";
	SOCLE_AUTO(domain) dom = NULL;
	struct socle_error *why = NULL;
	uint64_t bandwidth;
	int ret;

	if (!bandwidth_of(args, &bandwidth, error))
		return CLI_USAGE;
	dom = machine_of(cli, args, error);
	if (!dom)
		return CLI_FAILED;
	if (base)
		ret = socle_domain_block_rebase(dom, disk, base, bandwidth,
						SOCLE_BLOCK_REBASE_BANDWIDTH_BYTES, &why);
	else
		ret = socle_domain_block_pull(dom, disk, bandwidth,
					      SOCLE_BLOCK_REBASE_BANDWIDTH_BYTES, &why);
	if (ret < 0)
		return fail(args, why, error);
	if (!finish(cli, args, dom, &done, error))
		return CLI_FAILED;
	cli_done(cli, "pull of disk '%s' %s", disk, done);
	return CLI_OK;
}

const struct cli_command cli_vm_block_pull = {
	.noun = "vm",
	.verb = "block-pull",
	.names = "blockpull",
	.arguments = "MACHINE DISK",
	.summary = "Move what the images behind a disk have into it",
	.options =
		(const struct cli_option[]){
			{ "base", 0, "FILE", CLI_FILE, "this one and what is behind it stay" },
			{ "pivot", 0, NULL, CLI_NOTHING, "the same as --wait" },
			ROW_WAIT,
			ROW_BANDWIDTH,
			CLI_ROW_END },
	.what = { CLI_RUNNING, CLI_DISK },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_pull,
};

static void job_out(const struct cli *cli, const struct socle_block_job_info *info, int there)
{
	static const char *const types[] = { "job", "pull", "copy", "commit", "commit", "backup" };
	const char *type = (unsigned)info->type < G_N_ELEMENTS(types) ? types[info->type] : "job";

	if (cli->output == OUTPUT_JSON && !there)
		cli_out_json(json_null());
	else if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:s, s:I, s:I, s:I}", "type", type, "done",
				       (json_int_t)info->cur, "total", (json_int_t)info->end,
				       "bandwidth", (json_int_t)info->bandwidth));
	else if (!there)
		cli_done(cli, "no job");
	else
		cli_out("%s: %.1f %%\n", type,
			info->end ? 100.0 * (double)info->cur / (double)info->end : 0.0);
}

static int run_job(struct cli *cli, const struct cli_args *args, GError **error)
{
	bool abort = cli_args_has(args, "abort"), pivot = cli_args_has(args, "pivot");
	const char *disk = cli_args_word(args, 1);
	struct socle_block_job_info info = { 0 };
	struct socle_error *why = NULL;
	SOCLE_AUTO(domain) dom = NULL;
	uint64_t bandwidth;
	int there;

	if (!bandwidth_of(args, &bandwidth, error))
		return CLI_USAGE;
	if (cli->readonly && (abort || pivot || cli_args_has(args, "bandwidth"))) {
		error_set(error, SOCLE_ERROR_DENIED, "a job cannot be changed with --readonly");
		return CLI_DENIED;
	}
	dom = machine_of(cli, args, error);
	if (!dom)
		return CLI_FAILED;
	if (abort || pivot) {
		if (socle_domain_block_job_abort(dom, disk, pivot ? SOCLE_BLOCK_JOB_ABORT_PIVOT : 0,
						 &why) < 0)
			return fail(args, why, error);
		cli_done(cli, "the job of disk '%s' has ended", disk);
		return CLI_OK;
	}
	if (cli_args_has(args, "bandwidth") &&
	    socle_domain_block_job_set_speed(dom, disk, bandwidth, 1, &why) < 0)
		return fail(args, why, error);
	there = socle_domain_block_job_info(dom, disk, 1, &info, &why);
	if (there < 0)
		return fail(args, why, error);
	job_out(cli, &info, there);
	return CLI_OK;
}

const struct cli_command cli_vm_block_job = {
	.noun = "vm",
	.verb = "block-job",
	.names = "blockjob",
	.arguments = "MACHINE DISK",
	.summary = "Show how far the job of a disk is, or end it",
	.options = (const struct cli_option[]){ { "abort", 0, NULL, CLI_NOTHING, "give it up" },
						{ "pivot", 0, NULL, CLI_NOTHING,
						  "end it, and go on with what it has made" },
						ROW_BANDWIDTH,
						CLI_ROW_END },
	.what = { CLI_RUNNING, CLI_DISK },
	.min = 2,
	.max = 2,
	.flags = CLI_BARE,
	.run = run_job,
};
