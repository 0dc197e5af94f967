/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-dump.c - QMP: dump-guest-memory
 *
 * The guest stands still from when a dump is asked for until it is written, as with QEMU; a thread
 * writes. Steps: the machine is paused, and its devices become quiet (dump_quiet()); the CPUs' state is
 * read, the thread starts; it rings when it has ended, and the main loop answers, tells
 * DUMP_COMPLETED, and lets the guest go on if it ran.
 */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"
#include "cpu/state.h"
#include "dev/clock.h"
#include "machine/machine.h"
#include "monitor/qmp-server.h"
#include "vmm/block-args.h"
#include "vmm/commands-int.h"
#include "vmm/dump.h"
#include "vmm/vmm-int.h"

#define FILE_PROTOCOL "file:"

struct vmm_dump {
	struct vmm *vmm;
	struct dump_file file;
	struct x86_state **cpus;
	struct qmp_request *request; /* NULL: nobody waits for it */
	bool resume;
	struct thread *thread; /* NULL: it has not begun, or has ended */
	struct dev_timer *bell;
	bool done; /* it is over; kept for query-dump */
	GError *error;
};

static void free_cpus(struct vmm_dump *dump)
{
	for (unsigned i = 0; i < dump->file.cpu_count; i++)
		g_free(dump->cpus[i]);
	g_clear_pointer(&dump->cpus, g_free);
	dump->file.cpu_count = 0;
}

static void dump_free(struct vmm_dump *dump)
{
	if (!dump)
		return;
	dev_timer_free(dump->bell);
	free_cpus(dump);
	fd_autoclose(&dump->file.fd);
	g_clear_error(&dump->error);
	g_free(dump);
}

static bool in_progress(const struct vmm *vmm)
{
	return vmm->dump && !vmm->dump->done;
}

bool dump_permits(struct vmm *vmm, GError **error)
{
	return !in_progress(vmm) ||
	       error_set(error, SOCLE_ERROR_BUSY, "There is a dump in process, please wait.");
}

void dump_stays(struct vmm *vmm)
{
	if (in_progress(vmm))
		vmm->dump->resume = false;
}

/* ---- what is told ---- */

static json_t *describe(const struct vmm *vmm)
{
	const struct vmm_dump *dump = vmm->dump;
	const char *status = !dump         ? "none"
			     : !dump->done ? "active"
			     : dump->error ? "failed"
					   : "completed";

	return json_pack("{s:s,s:I,s:I}", "status", status, "completed",
			 (json_int_t)(dump ? atomic_load(&dump->file.written) : 0), "total",
			 (json_int_t)(dump ? machine_memory(vmm->machine) : 0));
}

json_t *run_query_dump(void *opaque, const json_t *args, GError **error)
{
	(void)args;
	(void)error;
	return describe(opaque);
}

json_t *run_query_dump_guest_memory_capability(void *opaque, const json_t *args, GError **error)
{
	(void)opaque;
	(void)args;
	(void)error;
	return json_pack("{s:[s]}", "formats", "elf");
}

/* It is over, well or with dump->error. */
static void finish(struct vmm_dump *dump)
{
	struct vmm *vmm = dump->vmm;
	struct qmp_request *request = g_steal_pointer(&dump->request);
	json_t *data;

	dump->done = true;
	fd_autoclose(&dump->file.fd);
	free_cpus(dump);
	if (dump->resume && !vmm->ended)
		vmm_cont(vmm);
	data = json_pack("{s:o}", "result", describe(vmm));
	if (dump->error)
		json_object_set_new(data, "error", json_text(dump->error->message));
	qmp_server_event(vmm->monitor, "DUMP_COMPLETED", data);
	if (request)
		qmp_request_answer(request, dump->error ? NULL : json_object(), dump->error);
}

/* ---- the thread ---- */

static void write_it(void *arg)
{
	struct vmm_dump *dump = arg;

	(void)dump_file_write(&dump->file, &dump->error);
	dev_timer_set(dump->bell, 0);
}

static void on_bell(void *opaque)
{
	struct vmm_dump *dump = opaque;

	if (dump->done || !dump->thread)
		return;
	thread_join(g_steal_pointer(&dump->thread));
	finish(dump);
}

static bool read_cpus(struct vmm_dump *dump, GError **error)
{
	struct machine *machine = dump->vmm->machine;
	const unsigned count = machine_cpus(machine);

	dump->cpus = g_new0(struct x86_state *, count);
	for (unsigned i = 0; i < count; i++) {
		dump->cpus[i] = g_new(struct x86_state, 1);
		dump->file.cpu_count = i + 1;
		if (!machine_cpu_state(machine, i, dump->cpus[i], error))
			return false;
	}
	dump->file.cpus = (const struct x86_state *const *)dump->cpus;
	return true;
}

void dump_quiet(struct vmm *vmm)
{
	struct vmm_dump *dump = vmm->dump;

	if (!in_progress(vmm) || dump->thread)
		return;
	if (atomic_load(&dump->file.cancel))
		error_set(&dump->error, SOCLE_ERROR_FAILED, "the dump was given up");
	else if (read_cpus(dump, &dump->error))
		dump->thread = thread_start("dump", write_it, dump, &dump->error);
	if (!dump->thread)
		finish(dump);
}

void dump_end(struct vmm *vmm)
{
	struct vmm_dump *dump = vmm->dump;

	if (in_progress(vmm)) {
		atomic_store(&dump->file.cancel, true);
		thread_join(g_steal_pointer(&dump->thread));
		if (!dump->error)
			error_set(&dump->error, SOCLE_ERROR_FAILED, "the machine ends");
		finish(dump);
	}
	dump_free(g_steal_pointer(&vmm->dump));
}

/* ---- commands ---- */

/* A file that is there may be somebody else's in a folder of everybody: it is opened, not made. */
static int open_file(const char *path, GError **error)
{
	int fd = sys_open(path, O_WRONLY | O_TRUNC, 0);

	if (fd == -ENOENT)
		fd = sys_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		error_sys(error, fd, "cannot open '%s'", path);
	else if (sys_file_size(fd) < 0) {
		fd_autoclose(&fd);
		error_set(error, SOCLE_ERROR_USAGE, "'%s' is no regular file; name one", path);
	}
	return fd;
}

static bool check_args(struct vmm *vmm, const json_t *args, GError **error)
{
	static const char *const pieces[] = { "begin", "length", NULL };
	const char *protocol = arg_text(args, "protocol"), *format = arg_text(args, "format");

	if (!dump_permits(vmm, error) || !arg_refuse(args, pieces, error))
		return false;
	if (arg_bool(args, "paging", false))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "Parameter 'paging': a dump has physical addresses; leave it off");
	if (format && strcmp(format, "elf") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "Parameter 'format' does not accept value '%s'; there is elf",
				 format);
	if (!g_str_has_prefix(protocol, FILE_PROTOCOL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Parameter 'protocol' expects 'file:' and the name of a file");
	return true;
}

void start_dump_guest_memory(void *opaque, const json_t *args, struct qmp_request *request)
{
	struct vmm *vmm = opaque;
	g_autoptr(GError) error = NULL;
	struct vmm_dump *dump;
	int fd = -1;

	if (check_args(vmm, args, &error))
		fd = open_file(arg_text(args, "protocol") + strlen(FILE_PROTOCOL), &error);
	if (error) {
		qmp_request_answer(request, NULL, error);
		return;
	}
	dump_free(vmm->dump);
	dump = vmm->dump = g_new0(struct vmm_dump, 1);
	dump->vmm = vmm;
	dump->file.mem = machine_mem(vmm->machine);
	dump->file.fd = fd;
	dump->bell = dev_timer_new(dev_clock_host(), on_bell, dump);
	dump->resume = machine_status(vmm->machine) == MACHINE_RUNNING;
	if (arg_bool(args, "detach", false))
		qmp_request_answer(request, json_object(), NULL);
	else
		dump->request = request;
	vmm_stop(vmm);
	if (!vmm->stopping)
		dump_quiet(vmm);
}

json_t *run_dump_cancel(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;

	(void)args;
	if (!in_progress(vmm)) {
		error_set(error, SOCLE_ERROR_NOT_ACTIVE, "there is no dump");
		return NULL;
	}
	/* Its end is told by DUMP_COMPLETED. */
	atomic_store(&vmm->dump->file.cancel, true);
	return json_object();
}
