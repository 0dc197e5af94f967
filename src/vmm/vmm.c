/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm.c - one virtual machine as a process: what it is made of, what it answers to, how it ends
 *
 * What ends it, with which status, and what QMP clients hear:
 *
 *   guest powers off            0                SHUTDOWN guest-shutdown
 *   guest reboots, --no-reboot  0                SHUTDOWN guest-reset
 *   guest crashes               2                GUEST_PANICKED, SHUTDOWN guest-panic
 *   guest writes to port 0xf4   (V << 1) | 1     SHUTDOWN guest-shutdown
 *   engine fails                1                SHUTDOWN host-error
 *   quit                        0                SHUTDOWN host-qmp-quit
 *   Ctrl-A X                    0                SHUTDOWN host-ui
 *   SIGTERM, SIGINT, SIGHUP     0, as QEMU does  SHUTDOWN host-signal
 *
 * 0 becomes 1 if I/O of a device has not ended QUIESCE_MS later, which is told. The devices are then
 * not freed: their threads may write to them until the process has ended.
 */
#include "vmm/vmm.h"

#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/terminal.h"
#include "dev/chardev.h"
#include "dev/clock.h"
#include "dev/virtio-console.h"
#include "emu/emu.h"
#include "kvm/kvm.h"
#include "machine/boot.h"
#include "machine/firmware.h"
#include "machine/machine.h"
#include "monitor/qmp-server.h"
#include "vmm/backends.h"
#include "vmm/chars.h"
#include "vmm/commands.h"
#include "vmm/device-events.h"
#include "vmm/devices.h"
#include "vmm/dump.h"
#include "vmm/engine.h"
#include "vmm/event-limit.h"
#include "vmm/fds.h"
#include "vmm/hmp.h"
#include "vmm/input.h"
#include "vmm/jobs.h"
#include "vmm/pidfile.h"
#include "vmm/screen.h"
#include "vmm/signals.h"
#include "vmm/vmm-int.h"

enum {
	QUIESCE_MS = 5000
};

void vmm_end(struct vmm *vmm, int status, bool by_guest, const char *reason)
{
	if (vmm->ended)
		return;
	vmm->ended = true;
	vmm->status = status;
	vmm->by_guest = by_guest;
	vmm->reason = reason;
	g_main_loop_quit(vmm->loop);
}

const char *vmm_run_state(const struct vmm *vmm)
{
	switch (machine_status(vmm->machine)) {
	case MACHINE_PRELAUNCH:
		return "prelaunch";
	case MACHINE_RUNNING:
		return "running";
	case MACHINE_PAUSED:
		return vmm->io_error ? "io-error" : "paused";
	case MACHINE_STOPPED:
		break;
	}
	return vmm->status == VMM_EXIT_CRASHED ? "guest-panicked" : "shutdown";
}

void vmm_stop(struct vmm *vmm)
{
	if (machine_status(vmm->machine) != MACHINE_RUNNING) {
		dump_stays(vmm);
		return;
	}
	vmm->stopping = true;
	devices_pause(vmm);
	machine_pause(vmm->machine);
}

static void stopped(struct vmm *vmm)
{
	if (!vmm->stopping)
		return;
	vmm->stopping = false;
	qmp_server_event(vmm->monitor, "STOP", NULL);
	for (unsigned i = 0; i < vmm->stops->len; i++)
		qmp_request_answer(g_ptr_array_index(vmm->stops, i), json_object(), NULL);
	g_ptr_array_set_size(vmm->stops, 0);
	dump_quiet(vmm);
}

/* The first cont of a machine that waited for it. */
static void start_late(struct vmm *vmm)
{
	g_autoptr(GError) error = NULL;

	if (machine_start(vmm->machine, &error)) {
		qmp_server_event(vmm->monitor, "RESUME", NULL);
		return;
	}
	if (!vmm->ended)
		vmm->report = g_strdup(error->message);
	vmm_end(vmm, VMM_EXIT_ERROR, false, "host-error");
}

void vmm_cont(struct vmm *vmm)
{
	if (machine_status(vmm->machine) == MACHINE_PRELAUNCH) {
		start_late(vmm);
		return;
	}
	if (machine_status(vmm->machine) != MACHINE_PAUSED)
		return;
	/* Who waits for a stop that does not come to its end is told all the same. */
	stopped(vmm);
	vmm->io_error = false;
	machine_resume(vmm->machine);
	qmp_server_event(vmm->monitor, "RESUME", NULL);
	devices_resume(vmm);
}

/* The data of SHUTDOWN and RESET. */
static json_t *cause(bool by_guest, const char *reason)
{
	return json_pack("{s:b,s:s}", "guest", (int)by_guest, "reason", reason);
}

bool vmm_reset(struct vmm *vmm, GError **error)
{
	/* Nothing has run that could be undone. */
	if (machine_status(vmm->machine) == MACHINE_PRELAUNCH)
		return true;
	return machine_reset(vmm->machine, error);
}

void vmm_power_button(struct vmm *vmm)
{
	machine_power_button(vmm->machine);
	qmp_server_event(vmm->monitor, "POWERDOWN", NULL);
}

/* What is told about a guest that crashed. */
static char *crash_report(struct vmm *vmm, unsigned cpu)
{
	g_autofree struct x86_state *state = g_new(struct x86_state, 1);
	g_autofree char *text = NULL;

	if (machine_cpu_state(vmm->machine, cpu, state, NULL))
		text = x86_state_format(state);
	if (text)
		g_strchomp(text);
	return g_strdup_printf("the guest crashed by a triple fault on CPU %u%s%s", cpu,
			       text ? "; its state was:\n" : "", text ? text : "");
}

static void on_machine_event(void *opaque, const struct machine_event *event)
{
	struct vmm *vmm = opaque;

	switch (event->kind) {
	case MACHINE_POWEROFF:
		vmm_end(vmm, VMM_EXIT_OK, true, "guest-shutdown");
		break;
	case MACHINE_RESET:
		if (event->guest && vmm->options->no_reboot)
			vmm_end(vmm, VMM_EXIT_OK, true, "guest-reset");
		else
			qmp_server_event(vmm->monitor, "RESET",
					 cause(event->guest, event->guest
								     ? "guest-reset"
								     : "host-qmp-system-reset"));
		break;
	case MACHINE_QUIET:
		stopped(vmm);
		break;
	case MACHINE_CRASH:
		if (!vmm->ended)
			vmm->report = crash_report(vmm, event->cpu);
		vmm_end(vmm, VMM_EXIT_CRASHED, true, "guest-panic");
		qmp_server_event(vmm->monitor, "GUEST_PANICKED",
				 json_pack("{s:s}", "action", "poweroff"));
		break;
	case MACHINE_DEBUG_EXIT:
		vmm_end(vmm, (event->status << 1 | 1) & 0xff, true, "guest-shutdown");
		break;
	case MACHINE_FAILED:
		if (!vmm->ended)
			vmm->report = g_strdup(event->text);
		vmm_end(vmm, VMM_EXIT_ERROR, false, "host-error");
		break;
	case MACHINE_UNPLUGGED:
		device_gone(vmm, event->text);
		break;
	}
}

static void on_signal(void *opaque, int sig)
{
	log_info("ending on signal %d", sig);
	vmm_end(opaque, VMM_EXIT_OK, false, "host-signal");
}

static void on_console_quit(void *opaque)
{
	vmm_end(opaque, VMM_EXIT_OK, false, "host-ui");
}

static char *on_console_command(void *opaque, const char *line)
{
	return hmp_execute(opaque, line);
}

/* The terminal has another size, or a console is about to learn the first one. */
static gboolean on_resize(gpointer opaque)
{
	struct vmm *vmm = opaque;
	struct vmm_device *console = device_first(vmm, DEVICE_CONSOLE);
	uint16_t columns, rows;

	if (!console || !terminal_size(STDIN_FILENO, &columns, &rows))
		return G_SOURCE_CONTINUE;
	for (unsigned i = 0; i < vmm->options->consoles->len; i++) {
		const struct console_option *option = g_ptr_array_index(vmm->options->consoles, i);

		if (option->chr.kind == CHAR_STDIO)
			virtio_console_resize(console->virtio, i, columns, rows);
	}
	return G_SOURCE_CONTINUE;
}

static const struct console_ops console_ops = {
	.quit = on_console_quit,
	.command = on_console_command,
};

/* The serial port and the consoles. */
static bool open_chars(struct vmm *vmm, GError **error)
{
	const GPtrArray *consoles = vmm->options->consoles;

	if (!char_add(vmm, "serial0", &vmm->options->serial, &console_ops, error)) {
		g_prefix_error(error, "--serial: ");
		return false;
	}
	for (unsigned i = 0; i < consoles->len; i++) {
		const struct console_option *console = g_ptr_array_index(consoles, i);
		g_autofree char *label = g_strdup_printf("console%u", i);

		if (!char_add(vmm, label, &console->chr, &console_ops, error)) {
			g_prefix_error(error, "--console: ");
			return false;
		}
	}
	return true;
}

/* Where those are that the user cannot know of. */
static void tell_ptys(struct vmm *vmm)
{
	for (unsigned i = 0; i < vmm->chars->len; i++) {
		const struct vmm_char *chr = g_ptr_array_index(vmm->chars, i);

		if (g_str_has_prefix(chr->name, "pty:"))
			log_warning("%s is at %s", i == 0 ? "the serial port" : chr->label,
				    chr->name + 4);
	}
}

static bool open_monitor(struct vmm *vmm, GError **error)
{
	struct qmp_config config;

	if (!vmm->options->monitor)
		return true;
	config = commands_config(vmm);
	vmm->monitor = qmp_server_new(&config, vmm->options->monitor, error);
	if (!vmm->monitor) {
		g_prefix_error(error, "--monitor: ");
		return false;
	}
	return true;
}

static bool build_machine(struct vmm *vmm, GError **error)
{
	const struct options *options = vmm->options;
	g_autofree struct machine_device *devices = NULL;
	uint8_t uuid[16];
	unsigned count;

	if (!devices_build(vmm, error))
		return false;
	devices = devices_for_machine(vmm, &count);
	vmm->machine = machine_new(
		&(struct machine_config){
			.engine = vmm->engine,
			.model = options->model,
			.cpus = options->cpus,
			.memory = options->memory,
			.boot = vmm->boot,
			.firmware = vmm->firmware,
			.vga_bios = vmm->vga_bios,
			.vga = options->vga,
			.vga_slot = options->vga_slot,
			.boot_menu = options->boot_menu,
			.boot_menu_wait_ms = options->boot_menu_wait_ms,
			.uuid = options_uuid(options, uuid) ? uuid : NULL,
			.serial = char_find(vmm, "serial0")->chr,
			.debug_exit = options->debug_exit,
			.no_reboot = options->no_reboot,
			.devices = devices,
			.device_count = count,
			.generation_id = options->has_generation ? options->generation : NULL,
			.event = on_machine_event,
			.opaque = vmm },
		error);
	if (!vmm->machine)
		return false;
	devices_taken(vmm);
	if (options->vga)
		vmm->screen = screen_new(vmm, error);
	return vmm->screen || !options->vga;
}

/* What is executed first; *ret_stock: code that was made for any PC. */
static bool open_boot(struct vmm *vmm, bool *ret_stock, GError **error)
{
	const struct options *options = vmm->options;
	enum boot_kind kind;

	*ret_stock = true;
	if (options->firmware) {
		vmm->firmware = firmware_open(options->firmware, error);
		if (vmm->firmware && options->vga)
			vmm->vga_bios = firmware_open_vga(error);
		return vmm->firmware && (vmm->vga_bios || !options->vga);
	}
	vmm->boot = boot_open(&(struct boot_config){ .kernel = options->kernel,
						     .initrd = options->initrd,
						     .cmdline = options->append },
			      error);
	if (!vmm->boot)
		return false;
	kind = boot_kind(vmm->boot);
	*ret_stock = kind == BOOT_BZIMAGE || kind == BOOT_BZIMAGE_UNPACKED;
	return true;
}

static bool build(struct vmm *vmm, GError **error)
{
	const struct options *options = vmm->options;
	g_autofree char *reason = NULL;
	bool stock;

	if (!open_boot(vmm, &stock, error))
		return false;
	vmm->engine =
		engine_choose(options->engine, stock, &kvm_cpu_ops, &emu_cpu_ops, &reason, error);
	if (!vmm->engine)
		return false;
	/* Before signals are caught: a name server that does not answer must not keep the user. */
	if (!devices_look_up(vmm, error))
		return false;
	if (!signals_catch(on_signal, vmm, error) || !open_chars(vmm, error) ||
	    !open_monitor(vmm, error) || !build_machine(vmm, error))
		return false;
	if (options->pidfile) {
		vmm->pidfile = pidfile_new(options->pidfile, error);
		if (!vmm->pidfile)
			return false;
	}
	/* What failed is told in one sentence; what runs may have something to say besides. */
	if (reason)
		log_warning("using the software engine: %s", reason);
	tell_ptys(vmm);
	return true;
}

struct vmm *vmm_new(const struct options *options, GError **error)
{
	struct vmm *vmm = g_new(struct vmm, 1);

	*vmm = (struct vmm){ .options = options,
			     .loop = g_main_loop_new(NULL, FALSE),
			     .lookups = g_ptr_array_new(),
			     .pictures = g_ptr_array_new(),
			     .stops = g_ptr_array_new() };
	backends_init(vmm);
	devices_init(vmm);
	jobs_init(vmm);
	vmm->input = input_new(vmm);
	vmm->fds = fds_new();
	vmm->panic_timer = dev_timer_new(dev_clock_host(), panic_told, vmm);
	vmm->watchdog_events = event_limit_new(dev_clock_host(), tell_watchdog, vmm);
	vmm->crash_events = event_limit_new(dev_clock_host(), tell_crash_loaded, vmm);
	/* A peer that left and a file that is full are errors, not the end. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (!build(vmm, error)) {
		vmm_free(vmm);
		return NULL;
	}
	return vmm;
}

bool vmm_start(struct vmm *vmm, GError **error)
{
	struct vmm_char *terminal = NULL;

	for (unsigned i = 0; i < vmm->chars->len; i++) {
		struct vmm_char *chr = g_ptr_array_index(vmm->chars, i);

		if (!strcmp(chr->name, "stdio"))
			terminal = chr;
	}
	if (terminal && !console_start(terminal->chr, error))
		return false;
	if (terminal && vmm->options->serial.kind != CHAR_STDIO) {
		vmm->winch = g_unix_signal_add(SIGWINCH, on_resize, vmm);
		(void)on_resize(vmm);
	}
	return vmm->options->paused || machine_start(vmm->machine, error);
}

/* I/O that does not come to its end must not keep the process: what is in its hands is left to it. */
static void quiesce(struct vmm *vmm)
{
	const char *busy = machine_quiesce(vmm->machine, QUIESCE_MS);

	if (!busy)
		return;
	vmm->stuck = true;
	if (vmm->status == VMM_EXIT_OK)
		vmm->status = VMM_EXIT_ERROR;
	if (vmm->report)
		log_warning("I/O of device '%s' did not end within %d seconds", busy,
			    QUIESCE_MS / 1000);
	else
		vmm->report = g_strdup_printf("I/O of device '%s' did not end within %d seconds; "
					      "what it was to write may be lost",
					      busy, QUIESCE_MS / 1000);
}

int vmm_run(struct vmm *vmm, char **ret_report)
{
	if (!vmm->ended)
		g_main_loop_run(vmm->loop);
	stopped(vmm);
	dump_end(vmm);
	lookups_end(vmm);
	pictures_end(vmm);
	qmp_server_event(vmm->monitor, "SHUTDOWN", cause(vmm->by_guest, vmm->reason));
	quiesce(vmm);
	*ret_report = g_steal_pointer(&vmm->report);
	return vmm->status;
}

const char *vmm_reason(const struct vmm *vmm)
{
	return vmm->reason;
}

void vmm_free(struct vmm *vmm)
{
	if (!vmm)
		return;
	if (vmm->winch)
		g_source_remove(vmm->winch);
	dump_end(vmm);
	screen_free(vmm->screen);
	input_free(vmm->input);
	fds_free(vmm->fds);
	if (!vmm->stuck) {
		machine_free(vmm->machine);
		jobs_stop(vmm);
		devices_release(vmm);
		jobs_release(vmm);
		backends_release(vmm);
	}
	g_ptr_array_unref(vmm->chars);
	g_ptr_array_unref(vmm->lookups);
	g_ptr_array_unref(vmm->pictures);
	g_ptr_array_unref(vmm->stops);
	dev_timer_free(vmm->panic_timer);
	if (vmm->threshold_timer)
		g_source_remove(vmm->threshold_timer);
	event_limit_free(vmm->watchdog_events);
	event_limit_free(vmm->crash_events);
	qmp_server_free(vmm->monitor);
	pidfile_free(vmm->pidfile);
	boot_free(vmm->boot);
	firmware_free(vmm->firmware);
	firmware_free(vmm->vga_bios);
	signals_release();
	g_main_loop_unref(vmm->loop);
	g_free(vmm->report);
	g_free(vmm);
}
