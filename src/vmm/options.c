/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.c - the command line of socle-vm
 */
#include "vmm/options.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/uuid.h"
#include "block/crypt/secret.h"
#include "cpu/cpu.h"
#include "cpu/model.h"
#include "machine/memmap.h"
#include "vmm/keyvalue.h"
#include "vmm/options-devices.h"
#include "vmm/spec-int.h"

struct option {
	const char *name;
	const char *value; /* what --help calls the value, NULL: takes none */
	const char *help;  /* one sentence for --help and the man page */
	const char *more;  /* further sentences for the man page, or NULL */
	/* Check @value (not NULL exactly if @value above is not) and keep it. An error need not name
	 * the option. */
	bool (*set)(struct options *options, const char *value, GError **error);
	bool hidden;
};

/* Put a copy of the text into a member; an empty one is a mistake of the caller's script. */
static bool set_text(char **member, const char *value, const char *what, GError **error)
{
	if (!*value)
		return error_set(error, SOCLE_ERROR_USAGE, "it is empty; give %s", what);
	g_free(*member);
	*member = g_strdup(value);
	return true;
}

static bool set_engine(struct options *options, const char *value, GError **error)
{
	static const char *const names[] = {
		[ENGINE_AUTO] = "auto",
		[ENGINE_KVM] = "kvm",
		[ENGINE_EMU] = "emu",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(value, names[i])) {
			options->engine = (enum engine_choice)i;
			return true;
		}
	}
	if (!strcmp(value, "list")) {
		options->action = OPTIONS_ENGINES;
		return true;
	}
	return error_set(
		error, SOCLE_ERROR_USAGE,
		"there is no engine '%s'; use auto, kvm or emu, or list to see what they can do",
		value);
}

static bool set_cpus(struct options *options, const char *value, GError **error)
{
	uint64_t cpus;

	if (!g_ascii_string_to_unsigned(value, 10, 1, CPU_MAX, &cpus, NULL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is not a number from 1 to %d, which a machine can have",
				 value, CPU_MAX);
	options->cpus = (unsigned)cpus;
	return true;
}

static bool set_cpu(struct options *options, const char *value, GError **error)
{
	options->model = cpu_model_find(value, error);
	return options->model != NULL;
}

bool options_parse_size(const char *text, uint64_t *ret_bytes, GError **error)
{
	static const char units[] = "KMGT";
	const char *unit = NULL;
	g_autofree char *digits = NULL;
	size_t len = strspn(text, "0123456789");
	unsigned shift = 0;
	uint64_t number;

	if (text[len]) {
		unit = strchr(units, g_ascii_toupper(text[len]));
		if (!unit || (text[len + 1] && g_ascii_strcasecmp(text + len + 1, "iB")))
			len = 0;
		else
			shift = 10 * (unsigned)(unit - units + 1);
	}
	digits = g_strndup(text, len);
	if (!len || !g_ascii_string_to_unsigned(digits, 10, 0, UINT64_MAX >> shift, &number, NULL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is not a size; give a number and K, M, G or T, as in 512M",
				 text);
	*ret_bytes = number << shift;
	return true;
}

static bool set_memory(struct options *options, const char *value, GError **error)
{
	uint64_t bytes = 0;

	if (!options_parse_size(value, &bytes, error))
		return false;
	if (g_ascii_isdigit(value[strlen(value) - 1]) && bytes < MEMMAP_MIN_RAM)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is a number of bytes; for megabytes write %sM", value,
				 value);
	if (bytes < MEMMAP_MIN_RAM || bytes > MEMMAP_MAX_RAM)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "'%s' is out of range; a machine has 1M to %lluG", value,
				 (unsigned long long)(MEMMAP_MAX_RAM >> 30));
	if (bytes % (1 << 20))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is not a whole number of megabytes; give one, as in 512M",
				 value);
	options->memory = bytes;
	return true;
}

static bool set_kernel(struct options *options, const char *value, GError **error)
{
	return set_text(&options->kernel, value, "the name of a file", error);
}

static bool set_initrd(struct options *options, const char *value, GError **error)
{
	return set_text(&options->initrd, value, "the name of a file", error);
}

static bool set_firmware(struct options *options, const char *value, GError **error)
{
	if (!strcmp(value, "uefi"))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "there is no UEFI firmware for this machine; give bios, or a BIOS "
				 "in a file");
	return set_text(&options->firmware, value, "bios or the name of a file", error);
}

/* Letters as in QEMU: of what this machine has. */
static bool set_boot_order(struct options *options, const char *order, GError **error)
{
	size_t len = strlen(order);

	if (!len || len > 2 || order[strspn(order, "cd")] || (len == 2 && order[0] == order[1]))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "order=%s is none of c (disks), d (CDs), cd, dc", order);
	(void)g_strlcpy(options->boot_order, order, sizeof(options->boot_order));
	return true;
}

static bool set_boot(struct options *options, const char *value, GError **error)
{
	struct keyvalue list;
	const char *order;
	bool ok;

	if (!keyvalue_parse(&list, value, NULL, error))
		return false;
	order = keyvalue_take(&list, "order");
	ok = (!order || set_boot_order(options, order, error)) &&
	     keyvalue_take_bool(&list, "menu", &options->boot_menu, error) &&
	     keyvalue_take_unsigned(&list, "menu-wait", 1, 60000, &options->boot_menu_wait_ms,
				    error) &&
	     keyvalue_done(&list, "order, menu, menu-wait", error);
	keyvalue_release(&list);
	return ok;
}

static bool set_vga(struct options *options, const char *value, GError **error)
{
	struct keyvalue list;
	bool none, ok;

	if (!keyvalue_parse(&list, value, NULL, error))
		return false;
	none = keyvalue_take_word(&list, "none");
	options->vga = !none && keyvalue_take_word(&list, "std");
	ok = slot_take(&options->vga_slot, &list, error) &&
	     keyvalue_done(&list, "std, none, addr=SLOT", error);
	keyvalue_release(&list);
	if (ok && !options->vga && !none)
		ok = error_set(error, SOCLE_ERROR_USAGE, "give std or none");
	return ok;
}

static bool set_vnc(struct options *options, const char *value, GError **error)
{
	return vnc_option_parse(&options->vnc, value, error);
}

static bool set_append(struct options *options, const char *value, GError **error)
{
	(void)error;
	g_free(options->append);
	options->append = g_strdup(value);
	return true;
}

bool char_spec_take(struct char_spec *spec, struct keyvalue *list, GError **error)
{
	static const struct {
		const char *name;
		bool path;
	} kinds[] = {
		[CHAR_STDIO] = { "stdio", false }, [CHAR_NONE] = { "none", false },
		[CHAR_PTY] = { "pty", false },     [CHAR_FILE] = { "file", true },
		[CHAR_UNIX] = { "unix", true },
	};

	for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		const char *path = NULL;

		if (kinds[kind].path)
			path = keyvalue_take(list, kinds[kind].name);
		if (kinds[kind].path ? !path || !*path
				     : !keyvalue_take_word(list, kinds[kind].name))
			continue;
		g_free(spec->path);
		*spec = (struct char_spec){ .kind = (enum char_kind)kind, .path = g_strdup(path) };
		return true;
	}
	return error_set(error, SOCLE_ERROR_USAGE,
			 "'%s' is none of stdio, none, pty, file=FILE, unix=PATH",
			 list->count ? list->item[0].key : "");
}

static bool set_serial(struct options *options, const char *value, GError **error)
{
	struct char_spec spec = { 0 };
	struct keyvalue list;
	bool ok;

	if (!keyvalue_parse(&list, value, NULL, error))
		return false;
	ok = list.count == 1 && char_spec_take(&spec, &list, NULL);
	if (ok) {
		g_free(options->serial.path);
		options->serial = spec;
		options->serial_given = true;
	} else {
		g_free(spec.path);
		error_set(error, SOCLE_ERROR_USAGE,
			  "'%s' is none of stdio, none, pty, file=FILE, unix=PATH%s", value,
			  list.count > 1 ? " (a comma in a path is written twice)" : "");
	}
	keyvalue_release(&list);
	return ok;
}

static bool set_monitor(struct options *options, const char *value, GError **error)
{
	struct keyvalue list;
	const char *path;
	bool ok;

	if (!keyvalue_parse(&list, value, NULL, error))
		return false;
	path = keyvalue_get(&list, "unix");
	ok = list.count == 1 && path && *path;
	if (ok) {
		g_free(options->monitor);
		options->monitor = g_strdup(path);
	} else {
		error_set(error, SOCLE_ERROR_USAGE, "'%s' is not of the form unix=PATH%s", value,
			  list.count > 1 ? " (a comma in a path is written twice)" : "");
	}
	keyvalue_release(&list);
	return ok;
}

static bool set_name(struct options *options, const char *value, GError **error)
{
	if (!g_utf8_validate(value, -1, NULL))
		return error_set(error, SOCLE_ERROR_USAGE, "it is not UTF-8; give a name that is");
	return set_text(&options->name, value, "a name", error);
}

static bool set_uuid(struct options *options, const char *value, GError **error)
{
	if (!g_uuid_string_is_valid(value))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx; "
				 "uuidgen makes one",
				 value);
	g_free(options->uuid);
	options->uuid = g_ascii_strdown(value, -1);
	return true;
}

bool options_uuid(const struct options *options, uint8_t ret[16])
{
	return options->uuid && uuid_read(options->uuid, ret);
}

static bool set_generation_id(struct options *options, const char *value, GError **error)
{
	if (!strcmp(value, "auto")) {
		(void)sys_random(options->generation, sizeof(options->generation));
		options->has_generation = true;
		return true;
	}
	if (!g_uuid_string_is_valid(value))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is neither auto nor a UUID; uuidgen makes one", value);
	(void)uuid_read(value, options->generation);
	options->has_generation = true;
	return true;
}

static bool set_pidfile(struct options *options, const char *value, GError **error)
{
	return set_text(&options->pidfile, value, "the name of a file", error);
}

static bool set_exit_file(struct options *options, const char *value, GError **error)
{
	return set_text(&options->exit_file, value, "the name of a file", error);
}

static bool set_log(struct options *options, const char *value, GError **error)
{
	static const char *const names[] = {
		[LOG_WARNING] = "warning",
		[LOG_INFO] = "info",
		[LOG_DEBUG] = "debug",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(value, names[i])) {
			options->log = (enum log_level)i;
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_USAGE,
			 "there is no level '%s'; use warning, info or debug", value);
}

#define SET_FLAG(member)                                                                     \
	static bool set_##member(struct options *options, const char *value, GError **error) \
	{                                                                                    \
		(void)value;                                                                 \
		(void)error;                                                                 \
		options->member = true;                                                      \
		return true;                                                                 \
	}

SET_FLAG(daemonize)
SET_FLAG(paused)
SET_FLAG(no_reboot)
SET_FLAG(debug_exit)

#define SET_ACTION(name, wanted)                                                           \
	static bool set_##name(struct options *options, const char *value, GError **error) \
	{                                                                                  \
		(void)value;                                                               \
		(void)error;                                                               \
		options->action = wanted;                                                  \
		return true;                                                               \
	}

SET_ACTION(help, OPTIONS_HELP)
SET_ACTION(version, OPTIONS_VERSION)
SET_ACTION(help_man, OPTIONS_MAN)

/* In the order of --help. */
static const struct option option_table[] = {
	{ "kernel", "FILE", "Boot this kernel, without firmware.",
	  "A Linux bzImage, an ELF image with a PVH note (such as vmlinux), or a multiboot 1 "
	  "image. Without a kernel the machine boots from a disk, see FIRMWARE below.",
	  set_kernel, false },
	{ "initrd", "FILE", "Give the kernel this initial file system.",
	  "For a multiboot kernel, a list of modules: \"FILE [ARGUMENTS],FILE [ARGUMENTS]\".",
	  set_initrd, false },
	{ "append", "TEXT", "Give the kernel this command line.", NULL, set_append, false },
	{ "firmware", "bios|FILE", "Boot by firmware (default bios without --kernel).",
	  "\"bios\" is SeaBIOS of the package seabios. A file has a multiple of 64 KiB and is a "
	  "BIOS.",
	  set_firmware, false },
	{ "boot", "[order=cd|dc|c|d][,menu=on|off][,menu-wait=MS]",
	  "What firmware boots from, if no bootindex says (default order=cd).",
	  "c are disks, d CDs, each kind in the order of the command line. With menu=on the "
	  "firmware "
	  "waits for Esc, MS milliseconds (default 2500), and lets the user choose.",
	  set_boot, false },
	{ "engine", "auto|kvm|emu|list", "What executes the guest (default auto).",
	  "\"auto\" takes KVM where it can run stock kernels, else the software engine, and tells "
	  "why. \"kvm\" insists on KVM, \"emu\" on the software engine. \"list\" tells what each "
	  "of them can do on this host, and ends.",
	  set_engine, false },
	{ "cpus", "N", "Number of virtual CPUs (default 1).", "From 1 to 255.", set_cpus, false },
	{ "cpu", "MODEL", "Processor features that the guest sees (default v2).",
	  "A name that does not exist lists those that do.", set_cpu, false },
	{ "memory", "SIZE", "Memory of the guest (default 512M).",
	  "A number with K, M, G or T, from 1M to 1T, in whole megabytes.", set_memory, false },
	{ "vga", "std|none[,addr=SLOT]", "Give the machine a screen (default none).",
	  "A standard VGA, with a PS/2 keyboard and mouse. QMP's screendump shows it.", set_vga,
	  false },
	{ "vnc", "HOST:PORT|unix=PATH|fd=N|none[,password=on]",
	  "Let VNC clients see the screen, and use keyboard and mouse.",
	  "fd is a socket that listens. With none, and besides, QMP's add_client brings them in. "
	  "With password=on nobody comes in until QMP's set_password has said which; VNC's "
	  "passwords have 8 characters, and nothing is encrypted.",
	  set_vnc, false },
	{ "serial", "stdio|none|pty|file=FILE|unix=PATH", "The serial port (default stdio).",
	  "\"stdio\" is this terminal, see KEYS below; \"pty\" makes a terminal device and tells "
	  "its "
	  "name; \"file\" keeps what the guest prints; \"unix\" listens on a socket for one client "
	  "at "
	  "a time, and what the guest prints while there is none is lost. A comma in a path is "
	  "written twice.",
	  set_serial, false },
	{ "object", "secret,id=ID,file=FILE|data=TEXT[,format=raw|base64]",
	  "A secret that opens encrypted images; can be given several times.",
	  "All bytes of the file count, a line end, too. With data=TEXT everybody on this host can "
	  "read the secret in the list of processes: it is for tests.",
	  set_object, false },
	{ "disk", "path=FILE[,KEY=VALUE...]", "Add a disk; can be given several times.",
	  "See DISKS below.", set_disk, false },
	{ "cdrom", "FILE", "Add a CD with this image; can be given several times.",
	  "Or path=FILE[,bootindex=N][,id=ID][,addr=SLOT]. A CD of a virtio SCSI controller, read "
	  "only. Without path (--cdrom id=ID) the drive is empty; QMP's blockdev-change-medium "
	  "puts "
	  "another one in.",
	  set_cdrom, false },
	{ "net", "user|tap|stream|dgram|fd=N[,KEY=VALUE...]",
	  "Add a network card; can be given several times.", "See NETWORKS below.", set_net,
	  false },
	{ "console", "stdio|none|pty|file=FILE|unix=PATH[,name=PORT][,addr=SLOT]",
	  "Add a virtio console (hvc0 ...), or with a name a port for an agent.",
	  "With --console stdio and no --serial, the serial port goes nowhere. A port is "
	  "/dev/virtio-ports/PORT in the guest. All consoles are ports of one device, which is in "
	  "the "
	  "slot that one of them asks for.",
	  set_console, false },
	{ "rng", "on|off[,bps=N]", "Give the guest entropy of the host (default off).",
	  "At most N bytes per second.", set_rng, false },
	{ "balloon", "on|off[,KEY=VALUE...]", "Let the guest give memory back (default off).",
	  "With deflate-on-oom=on it takes back what it needs to live, with "
	  "free-page-reporting=on it gives back what it does not use.",
	  set_balloon, false },
	{ "vsock", "cid=N,path=PATH", "Add sockets between guest and host.",
	  "A program of the host connects to PATH and writes \"CONNECT PORT\"; a guest's "
	  "connection to port P of CID 2 arrives at PATH_P.",
	  set_vsock, false },
	{ "watchdog", "on|off[,action=ACTION]", "Add a watchdog timer (i6300esb; default off).",
	  "ACTION is what happens when the guest does not feed it: reset, shutdown, poweroff, "
	  "pause, inject-nmi or none.",
	  set_watchdog, false },
	{ "pvpanic", "on|off", "Hear of the guest's panics (default off).",
	  "A panic ends the machine with status 2.", set_pvpanic, false },
	{ "generation-id", "auto|UUID", "Give the machine a VM generation ID.",
	  "A guest that finds another one than before knows that it was copied.", set_generation_id,
	  false },
	{ "monitor", "unix=PATH", "Listen for QMP clients on this socket.",
	  "See MONITOR below. A socket that a dead process has left is replaced.", set_monitor,
	  false },
	{ "name", "TEXT", "Name of the machine, for query-name.", NULL, set_name, false },
	{ "uuid", "UUID", "UUID of the machine, for query-uuid.", NULL, set_uuid, false },
	{ "pidfile", "FILE", "Keep the process number in this file while running.",
	  "A file that belongs to a running machine is refused, a stale one replaced.", set_pidfile,
	  false },
	{ "exit-file", "FILE", "Tell in this file how the machine ended.",
	  "The first line has the exit status and the reason of the event SHUTDOWN, the second "
	  "what was told on standard error, if anything was. Who finds no such file behind a "
	  "process "
	  "that has ended knows that it was killed.",
	  set_exit_file, false },
	{ "paused", NULL, "Wait for 'cont' of a monitor before the guest runs.",
	  "Its state until then is \"prelaunch\".", set_paused, false },
	{ "daemonize", NULL, "Go to the background once the machine runs.",
	  "The exit status tells whether it does. Needs a --serial other than stdio.",
	  set_daemonize, false },
	{ "no-reboot", NULL, "End instead of restarting when the guest reboots.", NULL,
	  set_no_reboot, false },
	{ "debug-exit", NULL, "Let the guest end the process by a byte written to port 0xf4.",
	  "A byte V gives the exit status (V << 1) | 1. For test kernels.", set_debug_exit, false },
	{ "log", "warning|info|debug", "What is told on stderr (default warning).", NULL, set_log,
	  false },
	{ "help", NULL, "Print this text.", NULL, set_help, false },
	{ "version", NULL, "Print the version.", NULL, set_version, false },
	{ "help-man", NULL, "", NULL, set_help_man, true },
};

static const struct option *find_option(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
		if (strlen(option_table[i].name) == len &&
		    !strncmp(option_table[i].name, name, len))
			return &option_table[i];
	}
	return NULL;
}

/* @arg is none of ours: say what it may have been meant to be. */
static bool refuse(const char *arg, GError **error)
{
	const char *name = arg + strspn(arg, "-");
	size_t len = strcspn(name, "=");

	if (arg[0] == '-' && arg[1] != '-' && find_option(name, len))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "unknown option '%s'; options start with two dashes: --%.*s", arg,
				 (int)len, name);
	if (arg[0] == '-')
		return error_set(error, SOCLE_ERROR_USAGE,
				 "unknown option '%.*s'; --help lists those there are",
				 (int)strcspn(arg, "="), arg);
	return error_set(
		error, SOCLE_ERROR_USAGE,
		"unexpected argument '%s'; a kernel is given as --kernel FILE, --help lists "
		"all options",
		arg);
}

/* Take the option at argv[*i], and its value; *i is at the last that was taken then. */
static bool parse_one(struct options *options, int argc, char **argv, int *i, GError **error)
{
	const char *arg = argv[*i], *equals = strchr(arg, '='), *value = NULL;
	const struct option *option = NULL;

	if (!strcmp(arg, "-h"))
		option = find_option("help", strlen("help"));
	else if (g_str_has_prefix(arg, "--"))
		option = find_option(arg + 2, strcspn(arg + 2, "="));
	if (!option)
		return refuse(arg, error);
	if (!option->value && equals)
		return error_set(error, SOCLE_ERROR_USAGE, "--%s takes no value; leave out '%s'",
				 option->name, equals);
	if (option->value) {
		value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
		if (!value)
			return error_set(error, SOCLE_ERROR_USAGE, "--%s needs a value: --%s %s",
					 option->name, option->name, option->value);
	}
	if (!option->set(options, value, error)) {
		g_prefix_error(error, "--%s: ", option->name);
		return false;
	}
	return true;
}

/* The terminal can serve one of them. */
static bool check_terminal(struct options *options, GError **error)
{
	unsigned users = 0;

	for (unsigned i = 0; i < options->consoles->len; i++) {
		const struct console_option *console = g_ptr_array_index(options->consoles, i);

		users += console->chr.kind == CHAR_STDIO;
	}
	if (users && !options->serial_given)
		options->serial.kind = CHAR_NONE;
	users += options->serial.kind == CHAR_STDIO;
	if (users > 1)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the terminal is wanted by more than one of --serial and "
				 "--console; give the others none, pty, file=FILE or unix=PATH");
	if (users && options->daemonize)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "--daemonize leaves no terminal for the %s port; add %s none, "
				 "pty, file=FILE or unix=PATH",
				 options->serial.kind == CHAR_STDIO ? "serial" : "console",
				 options->serial.kind == CHAR_STDIO ? "--serial" : "--console");
	return true;
}

/* Somebody has to load something from somewhere. */
static bool check_boot(struct options *options, GError **error)
{
	if (options->kernel && options->firmware)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "--kernel is loaded without firmware; leave out --firmware, or "
				 "give a disk instead of the kernel");
	if (options->kernel)
		return true;
	if (options->initrd || options->append)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "--%s belongs to a kernel; give one with --kernel FILE",
				 options->initrd ? "initrd" : "append");
	if (!options->firmware && !options_have_disk(options))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "there is nothing to boot; give a kernel with --kernel FILE, a "
				 "disk with --disk path=FILE or a CD with --cdrom FILE (--help "
				 "lists all options)");
	if (!options->firmware)
		options->firmware = g_strdup("bios");
	return true;
}

/* What only shows when all options are known. */
static bool check(struct options *options, GError **error)
{
	if (options->vnc.on && !options->vga)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "--vnc shows a screen, and the machine has none; add --vga std");
	return check_boot(options, error) && check_terminal(options, error);
}

bool options_parse(struct options *ret_options, int argc, char **argv, GError **error)
{
	struct options options = {
		.cpus = 1,
		.memory = 512ull << 20,
		.boot_order = "cd",
		.boot_menu_wait_ms = 2500,
		.log = LOG_WARNING,
		.consoles = g_ptr_array_new_with_free_func(console_option_free),
		.devices = g_ptr_array_new_with_free_func(device_option_free),
		.secrets = g_ptr_array_new_with_free_func(secret_free),
	};

	for (int i = 1; i < argc; i++) {
		if (!parse_one(&options, argc, argv, &i, error))
			goto fail;
		/* Whoever asks for help need not get the rest right. */
		if (options.action != OPTIONS_RUN)
			goto done;
	}
	if (!check(&options, error))
		goto fail;
	if (!options.model && !set_cpu(&options, "v2", error))
		goto fail;
done:
	*ret_options = options;
	return true;
fail:
	options_release(&options);
	return false;
}

void options_release(struct options *options)
{
	g_free(options->kernel);
	g_free(options->initrd);
	g_free(options->append);
	g_free(options->firmware);
	vnc_option_release(&options->vnc);
	g_free(options->serial.path);
	g_free(options->monitor);
	g_free(options->name);
	g_free(options->uuid);
	g_free(options->pidfile);
	g_free(options->exit_file);
	g_clear_pointer(&options->consoles, g_ptr_array_unref);
	g_clear_pointer(&options->devices, g_ptr_array_unref);
	g_clear_pointer(&options->secrets, g_ptr_array_unref);
	*options = (struct options){ 0 };
}

char *options_help(void)
{
	GString *text = g_string_new("Usage: socle-vm --kernel FILE [OPTION...]\n"
				     "       socle-vm --disk path=FILE [OPTION...]\n"
				     "Run a virtual machine.\n\n");

	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
		const struct option *option = &option_table[i];
		g_autofree char *left = g_strconcat("--", option->name, option->value ? " " : "",
						    option->value, NULL);

		if (option->hidden)
			continue;
		if (strlen(left) > 22)
			g_string_append_printf(text, "  %s\n%26s%s\n", left, "", option->help);
		else
			g_string_append_printf(text, "  %-22s  %s\n", left, option->help);
	}
	g_string_append(text,
			"\nOn a terminal, Ctrl-A X ends the machine and Ctrl-A H lists the other "
			"keys.\n"
			"Exit status: 0 the guest powered off, 1 an error, 2 the guest crashed.\n"
			"\n"
			"  socle-vm --kernel /boot/vmlinuz --initrd initrd.gz --append "
			"console=ttyS0\n");
	return g_string_free(text, FALSE);
}

/* Text with what roff would take for its own made harmless. */
static void append_roff(GString *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			g_string_append(out, "\\e");
		else if (*text == '-')
			g_string_append(out, "\\-");
		else
			g_string_append_c(out, *text);
	}
	g_string_append_c(out, '\n');
}

char *options_man(void)
{
	GString *out = g_string_new(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
		const struct option *option = &option_table[i];
		g_autofree char *left = g_strconcat("--", option->name, NULL);

		if (option->hidden)
			continue;
		g_string_append(out, ".TP\n.B ");
		append_roff(out, left);
		if (option->value) {
			g_string_truncate(out, out->len - 1);
			g_string_append_printf(out, " \\fI%s\\fR\n", option->value);
		}
		append_roff(out, option->help);
		if (option->more)
			append_roff(out, option->more);
	}
	return g_string_free(out, FALSE);
}
