/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-run-xml.c - what is in a file, and the definition that "socle run" makes
 */
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/run-xml.h"
#include "model/domain.h"

static char *folder;

/* A file of 40 KiB with that at an offset. */
static char *make_file(const char *name, size_t off, const char *magic)
{
	g_autofree char *bytes = g_malloc0(40960);
	char *path = g_build_filename(folder, name, NULL);

	memcpy(bytes + off, magic, strlen(magic));
	g_assert_true(g_file_set_contents(path, bytes, 40960, NULL));
	return path;
}

static void test_kinds(void)
{
	static const struct {
		const char *name;
		size_t off;
		const char *magic;
		enum run_kind kind;
		const char *format; /* NULL: nobody can know */
	} files[] = {
		{ "vmlinuz", 0x202, "HdrS", RUN_KERNEL, "" },
		{ "k.elf", 0,
		  "\x7f"
		  "ELF",
		  RUN_KERNEL, "" },
		{ "a.qcow2", 0, "QFI\xfb", RUN_DISK, "qcow2" },
		{ "a", 0, "QFI\xfb", RUN_DISK, "qcow2" },
		{ "a.vmdk", 0, "KDMV", RUN_DISK, "vmdk" },
		{ "a.vhdx", 0, "vhdxfile", RUN_DISK, "vhdx" },
		{ "a.img", 0, "", RUN_DISK, "raw" },
		{ "A.RAW", 0, "", RUN_DISK, "raw" },
		{ "b.img", 0x202, "HdrS", RUN_DISK, "raw" },
		{ "a.iso", 0x8001, "CD001", RUN_CDROM, "raw" },
		{ "b", 0, "", RUN_DISK, NULL },
		{ "c.img", 0, "QFI\xfb", RUN_DISK, NULL },
		{ "b.qcow2", 0, "", RUN_DISK, NULL },
		{ "cd", 0x8001, "CD001", RUN_DISK, NULL },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = make_file(files[i].name, files[i].off, files[i].magic);
		g_autoptr(GError) error = NULL;
		const char *format = NULL;
		enum run_kind kind;
		bool ok = run_kind_of(path, NULL, &kind, &format, &error);

		if (!files[i].format) {
			g_assert_false(ok);
			g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
			g_assert_nonnull(strstr(error->message, "format"));
			continue;
		}
		g_assert_no_error(error);
		g_assert_cmpint(kind, ==, files[i].kind);
		g_assert_cmpstr(format ? format : "", ==, files[i].format);
	}
}

static void test_told(void)
{
	g_autoptr(GError) error = NULL;
	const char *format = NULL;
	enum run_kind kind;

	/* Nobody looks at the file. */
	g_assert_true(run_kind_of("/nowhere/x.img", "qcow2", &kind, &format, NULL));
	g_assert_cmpint(kind, ==, RUN_DISK);
	g_assert_cmpstr(format, ==, "qcow2");
	g_assert_true(run_kind_of("/nowhere/x.img", "kernel", &kind, &format, NULL));
	g_assert_cmpint(kind, ==, RUN_KERNEL);
	g_assert_false(run_kind_of("/nowhere/x.img", NULL, &kind, &format, &error));
	g_assert_cmpstr(error->message, ==,
			"cannot open '/nowhere/x.img': No such file or directory");
}

static void test_words(void)
{
	static const char *const wrong_disks[] = { "x,format=raw,cache=none", "x,nonsense" };
	static const char *const wrong_nics[] = { "tap", "bridge", "bridge=", "user,vlan=1", "" };
	struct run_machine machine = { .type = "qemu" };

	g_assert_true(run_add_disk(&machine, "/a/b.img,format=raw", NULL));
	g_assert_true(run_add_disk(&machine, "/a/c,format=qcow2,readonly", NULL));
	g_assert_true(run_add_disk(&machine, "/a/d,readonly=no,format=raw", NULL));
	g_assert_cmpuint(machine.disk_count, ==, 3);
	g_assert_cmpstr(machine.disks[1].path, ==, "/a/c");
	g_assert_true(machine.disks[1].readonly);
	g_assert_false(machine.disks[2].readonly);
	g_assert_true(run_add_nic(&machine, "none", NULL));
	g_assert_cmpuint(machine.nic_count, ==, 0);
	g_assert_true(run_add_nic(&machine, "user,mac=52:54:00:00:00:01", NULL));
	g_assert_true(run_add_nic(&machine, "bridge=br0", NULL));
	g_assert_cmpstr(machine.nics[0].mac, ==, "52:54:00:00:00:01");
	g_assert_cmpstr(machine.nics[1].source, ==, "br0");
	for (unsigned i = 0; i < G_N_ELEMENTS(wrong_disks); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(run_add_disk(&machine, wrong_disks[i], &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(wrong_nics); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(run_add_nic(&machine, wrong_nics[i], &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	}
	while (machine.disk_count < RUN_DISKS_MAX)
		g_assert_true(run_add_disk(&machine, "/a,format=raw", NULL));
	g_assert_false(run_add_disk(&machine, "/a,format=raw", NULL));
	while (machine.nic_count < RUN_NICS_MAX)
		g_assert_true(run_add_nic(&machine, "user", NULL));
	g_assert_false(run_add_nic(&machine, "user", NULL));
	run_machine_release(&machine);
}

/* What is written must be read back as it was meant. */
static void test_xml(void)
{
	struct run_machine machine = {
		.name = g_strdup("a<b>&c"),
		.type = "kvm",
		.memory_kib = 1 << 20,
		.cpus = 3,
		.kernel = g_strdup("/k"),
		.append = g_strdup("console=ttyS0 x='<&>'"),
	};
	g_autofree char *xml = NULL;
	g_autoptr(GError) error = NULL;
	autoptr(domain) domain = NULL;

	g_assert_true(run_add_disk(&machine, "/a/b.img,format=raw", NULL));
	g_assert_true(run_add_disk(&machine, "/dev/sdz,format=raw,readonly", NULL));
	g_assert_true(run_add_nic(&machine, "network=default", NULL));
	xml = run_xml(&machine);
	run_machine_release(&machine);
	domain = domain_parse(xml, strlen(xml), DOMAIN_PARSE_STRICT, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpint(domain->type, ==, DOMAIN_KVM);
	g_assert_cmpstr(domain->name, ==, "a<b>&c");
	g_assert_cmpint(domain->memory.value, ==, 1 << 20);
	g_assert_cmpint(domain->vcpu.count.value, ==, 3);
	g_assert_cmpstr(domain->os.cmdline, ==, "console=ttyS0 x='<&>'");
	g_assert_cmpuint(domain->devices.disk_count, ==, 2);
	g_assert_cmpstr(domain->devices.disks[0].source.file, ==, "/a/b.img");
	g_assert_cmpstr(domain->devices.disks[0].target.dev, ==, "vda");
	g_assert_cmpint(domain->devices.disks[1].type, ==, DISK_BLOCK);
	g_assert_cmpstr(domain->devices.disks[1].target.dev, ==, "vdb");
	g_assert_true(domain->devices.disks[1].readonly);
	g_assert_cmpstr(domain->devices.interfaces[0].source.network, ==, "default");
	g_assert_cmpuint(domain->devices.console_count, ==, 1);
}

int main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("test-run-xml-XXXXXX", NULL);
	g_test_add_func("/cli/run/kinds", test_kinds);
	g_test_add_func("/cli/run/told", test_told);
	g_test_add_func("/cli/run/words", test_words);
	g_test_add_func("/cli/run/xml", test_xml);
	status = g_test_run();
	GDir *dir = g_dir_open(folder, 0, NULL);
	for (const char *name; (name = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		(void)g_unlink(path);
	}
	g_dir_close(dir);
	(void)g_rmdir(folder);
	g_free(folder);
	return status;
}
