/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor.c - what this host can and cannot do for machines, each with the remedy
 */
#include "host/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/error.h"
#include "base/io-loop.h"
#include "base/sys.h"
#include "host/cgroup-int.h"
#include "host/facts.h"
#include "host/read-int.h"

enum {
	CHECKS_MAX = 16
};

static const uint64_t memory_low_kib = UINT64_C(256) * 1024;
static const uint64_t mib = UINT64_C(1024) * 1024;
static const uint64_t disk_low_bytes = UINT64_C(1024) * 1024 * 1024;

/* Who examines. */
struct exam {
	struct host_doctor *doctor;
	const struct host_doctor_config *config;
	const struct host_facts *facts;
	const char *root;
};

static void add(struct exam *exam, enum host_verdict verdict, const char *what, const char *remedy,
		const char *fmt, ...) G_GNUC_PRINTF(5, 6);
static void add(struct exam *exam, enum host_verdict verdict, const char *what, const char *remedy,
		const char *fmt, ...)
{
	struct host_doctor *doctor = exam->doctor;
	struct host_check *check = &doctor->checks[doctor->count];
	va_list ap;

	g_assert(doctor->count < CHECKS_MAX);
	doctor->count++;
	va_start(ap, fmt);
	*check = (struct host_check){ verdict, what, g_strdup_vprintf(fmt, ap), remedy };
	va_end(ap);
	doctor->worst = MAX(doctor->worst, verdict);
}

/* Can it be opened? 0, or -errno. */
static int try_device(const struct exam *exam, const char *path)
{
	g_autofree char *full = g_strconcat(exam->root, path, NULL);
	autofd int fd = sys_open(full, O_RDWR | O_NONBLOCK | O_NOCTTY, 0);

	return fd < 0 ? fd : 0;
}

static void check_cpu(struct exam *exam)
{
	const struct host_facts *facts = exam->facts;
	g_autofree struct host_cpumap *online = g_new(struct host_cpumap, 1);

	host_cpus_online(facts, online);
	add(exam, HOST_OK, "CPU", NULL, "%u of %s", host_cpumap_count(online),
	    facts->cpu_model ? facts->cpu_model : "an unknown kind");
}

/* Each way in which there is no KVM has its own remedy. */
static void check_kvm(struct exam *exam)
{
	static const char what[] = "KVM";
	bool able = exam->facts->vmx || exam->facts->svm;
	int err = try_device(exam, "/dev/kvm");

	if (!err)
		add(exam, HOST_OK, what, NULL, "/dev/kvm can be used");
	else if (err == -EACCES || err == -EPERM)
		add(exam, HOST_WARNING, what,
		    "add yourself to its group: usermod -aG kvm USER, then log in again",
		    "/dev/kvm is there, but you may not use it: machines run on the software "
		    "engine");
	else if (err == -ENOENT && able)
		add(exam, HOST_WARNING, what,
		    exam->facts->vmx ? "load its module: modprobe kvm_intel"
				     : "load its module: modprobe kvm_amd",
		    "the CPU can, but /dev/kvm is not there: machines run on the software engine");
	else if (err == -ENOENT)
		add(exam, HOST_WARNING, what,
		    "switch on VT-x or AMD-V in the firmware, or nested virtualization in the host "
		    "of "
		    "this machine",
		    "the CPU does not offer it: machines run on the software engine");
	else
		add(exam, HOST_WARNING, what, "look for its reason in the kernel's log: dmesg",
		    "/dev/kvm cannot be opened: %s", g_strerror(-err));
}

static void check_memory(struct exam *exam)
{
	static const char what[] = "memory";
	g_autoptr(GError) error = NULL;
	struct host_memory memory;
	uint64_t free_kib;

	if (!host_memory(exam->facts, &memory, &error)) {
		add(exam, HOST_WARNING, what, "mount /proc", "%s", error->message);
		return;
	}
	free_kib = memory.available_kib ? memory.available_kib : memory.free_kib;
	if (free_kib < memory_low_kib)
		add(exam, HOST_WARNING, what, "end what is not needed, or give the host more",
		    "%" PRIu64 " MiB of %" PRIu64 " are free: few machines fit", free_kib / 1024,
		    memory.total_kib / 1024);
	else
		add(exam, HOST_OK, what, NULL, "%" PRIu64 " MiB of %" PRIu64 " are free",
		    free_kib / 1024, memory.total_kib / 1024);
}

/* What the host has, at the top; what is handed on is the business of who starts the daemon. */
static void check_cgroups(struct exam *exam)
{
	static const char what[] = "control groups";
	struct host_cgroups groups = { .root = g_strdup(exam->root) };
	g_autoptr(GString) has = g_string_new(NULL);
	g_autoptr(GString) lacks = g_string_new(NULL);
	bool unified = false;

	cgroups_find(&groups, "");
	for (unsigned i = 0; i < HOST_CONTROLLER_COUNT; i++) {
		GString *list = groups.by_controller[i] ? has : lacks;
		const char *name = i == HOST_IO ? "io" : host_controller_names[i];

		unified |= groups.by_controller[i] && groups.by_controller[i]->unified;
		if (i != HOST_CPUACCT)
			g_string_append_printf(list, "%s%s", list->len ? ", " : "", name);
	}
	cgroups_release(&groups);
	if (!has->len)
		add(exam, HOST_WARNING, what, "mount cgroup2 at /sys/fs/cgroup",
		    "there are none: machines run without limits");
	else if (lacks->len)
		add(exam, HOST_WARNING, what,
		    "start the host with systemd.unified_cgroup_hierarchy=1",
		    "%s, but not %s: machines run without these limits", has->str, lacks->str);
	else
		add(exam, HOST_OK, what, NULL, "%s, by %s", has->str,
		    unified ? "the unified hierarchy" : "hierarchies of their own");
}

static void check_tun(struct exam *exam)
{
	static const char what[] = "taps";
	int err = try_device(exam, "/dev/net/tun");

	if (!err)
		add(exam, HOST_OK, what, NULL, "/dev/net/tun can be used");
	else if (err == -EACCES || err == -EPERM)
		add(exam, HOST_NOTE, what, "let the system's daemon run machines with bridges",
		    "you may not use /dev/net/tun: cards have user networking only");
	else
		add(exam, HOST_NOTE, what, "load its module: modprobe tun",
		    "/dev/net/tun cannot be used: %s; cards have user networking only",
		    g_strerror(-err));
}

static void check_uring(struct exam *exam)
{
	static const char what[] = "io_uring";
	int err = io_loop_try_uring();

	if (err == -EMFILE || err == -ENFILE)
		add(exam, HOST_PROBLEM, what, "raise the limit of open files: ulimit -n",
		    "disks and cards cannot be served: %s", g_strerror(-err));
	else if (err == 0)
		add(exam, HOST_OK, what, NULL, "disks use it");
	else
		add(exam, HOST_WARNING, what, "permit it: sysctl kernel.io_uring_disabled=0",
		    "the host does not permit it: disks use threads, and are slower");
}

static void check_file(struct exam *exam, const char *what, const char *const *paths,
		       const char *remedy, const char *without)
{
	for (unsigned i = 0; paths[i]; i++) {
		g_autofree char *full = g_strconcat(exam->root, paths[i], NULL);
		struct stat st;

		if (sys_stat(full, &st) == 0) {
			add(exam, HOST_OK, what, NULL, "%s", paths[i]);
			return;
		}
	}
	add(exam, HOST_NOTE, what, remedy, "not installed: %s", without);
}

static void check_state_dir(struct exam *exam)
{
	static const char what[] = "disk";
	const char *dir = exam->config->state_dir;
	g_autofree char *full = g_strconcat(exam->root, dir, NULL);
	struct statvfs vfs;
	int err = sys_statvfs(full, &vfs);
	uint64_t bytes;

	if (err == -ENOENT) {
		add(exam, HOST_NOTE, what, "start the daemon once", "'%s' is not there yet", dir);
		return;
	}
	if (err) {
		add(exam, HOST_WARNING, what, "see that the daemon may use it", "'%s': %s", dir,
		    g_strerror(-err));
		return;
	}
	bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (vfs.f_flag & ST_RDONLY)
		add(exam, HOST_PROBLEM, what, "mount it for writing",
		    "'%s' cannot be written to: nothing can be defined", dir);
	else if (bytes < disk_low_bytes)
		add(exam, HOST_WARNING, what, "make room on its file system",
		    "%" PRIu64 " MiB are free in '%s'", bytes / mib, dir);
	else
		add(exam, HOST_OK, what, NULL, "%" PRIu64 " MiB are free in '%s'", bytes / mib,
		    dir);
}

static bool has_user(const struct exam *exam, const char *user)
{
	size_t len = strlen(user);
	struct host_lines lines;
	const char *line;
	bool found = false;

	if (!host_lines_open(&lines, exam->root, "/etc/passwd"))
		return false;
	while (!found && (line = host_lines_next(&lines)) != NULL)
		found = !strncmp(line, user, len) && line[len] == ':';
	host_lines_close(&lines);
	return found;
}

static void check_user(struct exam *exam)
{
	const char *user = exam->config->user;

	if (has_user(exam, user))
		add(exam, HOST_OK, "user", NULL, "machines of the system's daemon run as '%s'",
		    user);
	else
		add(exam, HOST_NOTE, "user", "make it: useradd --system, with this name",
		    "there is no user '%s' for machines of the system's daemon", user);
}

struct host_doctor *host_doctor_new(const struct host_doctor_config *config)
{
	static const char *const bios[] = { "/usr/share/seabios/bios-256k.bin",
					    "/usr/share/qemu/bios-256k.bin",
					    "/usr/share/seabios/bios.bin", NULL };
	static const char *const uefi[] = { "/usr/share/OVMF/OVMF_CODE_4M.fd",
					    "/usr/share/OVMF/OVMF_CODE.fd",
					    "/usr/share/edk2/ovmf/OVMF_CODE.fd", NULL };
	static const char *const dnsmasq[] = { "/usr/sbin/dnsmasq", "/usr/bin/dnsmasq",
					       "/usr/local/sbin/dnsmasq", NULL };
	autoptr(host_facts) facts = host_facts_new(config->root);
	struct host_doctor *doctor = g_new0(struct host_doctor, 1);
	struct exam exam = { doctor, config, facts, facts->root };

	doctor->checks = g_new0(struct host_check, CHECKS_MAX);
	check_cpu(&exam);
	check_kvm(&exam);
	add(&exam, HOST_OK, "software engine", NULL, "always there");
	check_memory(&exam);
	check_cgroups(&exam);
	check_uring(&exam);
	check_tun(&exam);
	check_file(&exam, "SeaBIOS", bios, "install seabios",
		   "machines need a kernel of their own to boot");
	check_file(&exam, "OVMF", uefi, "install ovmf", "no machine boots by UEFI");
	check_file(&exam, "dnsmasq", dnsmasq, "install dnsmasq-base",
		   "networks with addresses of their own cannot be started");
	if (config->state_dir)
		check_state_dir(&exam);
	if (config->user)
		check_user(&exam);
	return doctor;
}

void host_doctor_free(struct host_doctor *doctor)
{
	if (!doctor)
		return;
	for (unsigned i = 0; i < doctor->count; i++)
		g_free(doctor->checks[i].found);
	g_free(doctor->checks);
	g_free(doctor);
}
