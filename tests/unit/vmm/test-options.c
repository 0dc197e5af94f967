/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-options.c - the command line: what is understood, and the sentence for what is not
 */
#include <string.h>

#include <glib.h>

#include "base/error.h"
#include "vmm/options.h"

/* Split at blanks; '~' stands for an empty word. */
static bool parse(struct options *options, const char *line, GError **error)
{
	g_autofree char *whole = g_strconcat("socle-vm", *line ? " " : "", line, NULL);
	g_auto(GStrv) argv = g_strsplit(whole, " ", -1);

	for (char **arg = argv; *arg; arg++) {
		if (!strcmp(*arg, "~"))
			**arg = '\0';
	}
	return options_parse(options, (int)g_strv_length(argv), argv, error);
}

static void test_defaults(void)
{
	g_autoptr(GError) error = NULL;
	struct options options;

	g_assert_true(parse(&options, "--kernel k", &error));
	g_assert_no_error(error);
	g_assert_cmpint(options.action, ==, OPTIONS_RUN);
	g_assert_cmpint(options.engine, ==, ENGINE_AUTO);
	g_assert_cmpuint(options.cpus, ==, 1);
	g_assert_cmpuint(options.memory, ==, 512 << 20);
	g_assert_nonnull(options.model);
	g_assert_cmpstr(options.kernel, ==, "k");
	g_assert_null(options.initrd);
	g_assert_null(options.append);
	g_assert_cmpint(options.serial.kind, ==, CHAR_STDIO);
	g_assert_null(options.monitor);
	g_assert_null(options.name);
	g_assert_null(options.uuid);
	g_assert_null(options.pidfile);
	g_assert_false(options.daemonize || options.no_reboot || options.debug_exit);
	options_release(&options);
}

static void test_all(void)
{
	g_autoptr(GError) error = NULL;
	struct options options;

	g_assert_true(
		parse(&options,
		      "--kernel=k --initrd i --append a=b --append=root=/dev/x --engine emu "
		      "--cpus 1 --cpus=255 --cpu max --memory 2G --serial file=x,,y,,,,z "
		      "--monitor=unix=/a=b --name n\xc3\xa4 --pidfile p --daemonize --no-reboot "
		      "--debug-exit --log debug --uuid 0123ABCD-89ab-cdef-0123-456789abcdef",
		      &error));
	g_assert_no_error(error);
	g_assert_cmpstr(options.kernel, ==, "k");
	g_assert_cmpstr(options.initrd, ==, "i");
	g_assert_cmpstr(options.append, ==, "root=/dev/x");
	g_assert_cmpint(options.engine, ==, ENGINE_EMU);
	g_assert_cmpuint(options.cpus, ==, 255);
	g_assert_cmpuint(options.memory, ==, 2ull << 30);
	g_assert_cmpint(options.serial.kind, ==, CHAR_FILE);
	g_assert_cmpstr(options.serial.path, ==, "x,y,,z");
	g_assert_cmpstr(options.monitor, ==, "/a=b");
	g_assert_cmpstr(options.name, ==, "n\xc3\xa4");
	g_assert_cmpstr(options.uuid, ==, "0123abcd-89ab-cdef-0123-456789abcdef");
	g_assert_cmpstr(options.pidfile, ==, "p");
	g_assert_true(options.daemonize && options.no_reboot && options.debug_exit);
	g_assert_cmpint(options.log, ==, LOG_DEBUG);
	options_release(&options);
}

static void test_kinds(void)
{
	static const struct {
		const char *line;
		enum char_kind kind;
		const char *path;
	} cases[] = {
		{ "--kernel k --serial stdio", CHAR_STDIO, NULL },
		{ "--kernel k --serial none", CHAR_NONE, NULL },
		{ "--kernel k --serial pty", CHAR_PTY, NULL },
		{ "--kernel k --serial unix=s", CHAR_UNIX, "s" },
		{ "--kernel k --serial file=s --serial none", CHAR_NONE, NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct options options;

		g_assert_true(parse(&options, cases[i].line, &error));
		g_assert_no_error(error);
		g_assert_cmpint(options.serial.kind, ==, cases[i].kind);
		g_assert_cmpstr(options.serial.path, ==, cases[i].path);
		options_release(&options);
	}
}

/* What boots: a kernel, or firmware and with it what it finds. */
static void test_firmware(void)
{
	static const struct {
		const char *line, *firmware, *order;
		bool menu;
		unsigned wait_ms, devices;
	} cases[] = {
		{ "--kernel k --disk path=d", NULL, "cd", false, 2500, 1 },
		{ "--disk path=d", "bios", "cd", false, 2500, 1 },
		{ "--cdrom c --boot order=dc", "bios", "dc", false, 2500, 1 },
		{ "--cdrom path=c,bootindex=1 --disk path=d,bootindex=0 --boot menu=on", "bios",
		  "cd", true, 2500, 2 },
		{ "--firmware rom --boot order=d,menu=on,menu-wait=10", "rom", "d", true, 10, 0 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct options options;

		g_assert_true(parse(&options, cases[i].line, &error));
		g_assert_no_error(error);
		g_assert_cmpstr(options.firmware, ==, cases[i].firmware);
		g_assert_cmpstr(options.boot_order, ==, cases[i].order);
		g_assert_cmpint(options.boot_menu, ==, cases[i].menu);
		g_assert_cmpuint(options.boot_menu_wait_ms, ==, cases[i].wait_ms);
		g_assert_cmpuint(options.devices->len, ==, cases[i].devices);
		options_release(&options);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *line, *sentence;
	} cases[] = {
		{ "",
		  "there is nothing to boot; give a kernel with --kernel FILE, a disk with --disk "
		  "path=FILE or a CD with --cdrom FILE (--help lists all options)" },
		{ "--net user", "there is nothing to boot; give a kernel with --kernel FILE, a "
				"disk with --disk path=FILE or a CD with --cdrom FILE (--help "
				"lists all options)" },
		{ "--kernel k --firmware bios",
		  "--kernel is loaded without firmware; leave out --firmware, or give a disk "
		  "instead of the kernel" },
		{ "--disk path=d --initrd i",
		  "--initrd belongs to a kernel; give one with --kernel FILE" },
		{ "--disk path=d --append x",
		  "--append belongs to a kernel; give one with --kernel FILE" },
		{ "--firmware uefi", "--firmware: there is no UEFI firmware for this machine; give "
				     "bios, or a BIOS in a file" },
		{ "--firmware=", "--firmware: it is empty; give bios or the name of a file" },
		{ "--boot order=n", "--boot: order=n is none of c (disks), d (CDs), cd, dc" },
		{ "--boot order=cc", "--boot: order=cc is none of c (disks), d (CDs), cd, dc" },
		{ "--boot order=cdc", "--boot: order=cdc is none of c (disks), d (CDs), cd, dc" },
		{ "vmlinuz", "unexpected argument 'vmlinuz'; a kernel is given as --kernel FILE, "
			     "--help lists all options" },
		{ "~",
		  "unexpected argument ''; a kernel is given as --kernel FILE, --help lists all "
		  "options" },
		{ "-kernel x",
		  "unknown option '-kernel'; options start with two dashes: --kernel" },
		{ "-m 512", "unknown option '-m'; --help lists those there are" },
		{ "--", "unknown option '--'; --help lists those there are" },
		{ "--kern k", "unknown option '--kern'; --help lists those there are" },
		{ "--floppy=path=x", "unknown option '--floppy'; --help lists those there are" },
		{ "--kernel", "--kernel needs a value: --kernel FILE" },
		{ "--kernel ~", "--kernel: it is empty; give the name of a file" },
		{ "--kernel=", "--kernel: it is empty; give the name of a file" },
		{ "--kernel k --initrd=", "--initrd: it is empty; give the name of a file" },
		{ "--kernel k --no-reboot=yes", "--no-reboot takes no value; leave out '=yes'" },
		{ "--kernel k --cpus 0",
		  "--cpus: '0' is not a number from 1 to 255, which a machine can have" },
		{ "--kernel k --cpus 256",
		  "--cpus: '256' is not a number from 1 to 255, which a machine can have" },
		{ "--kernel k --cpus -1",
		  "--cpus: '-1' is not a number from 1 to 255, which a machine can have" },
		{ "--kernel k --cpus 2x",
		  "--cpus: '2x' is not a number from 1 to 255, which a machine can have" },
		{ "--kernel k --cpus ~",
		  "--cpus: '' is not a number from 1 to 255, which a machine can have" },
		{ "--kernel k --memory much",
		  "--memory: 'much' is not a size; give a number and K, M, G or T, as in 512M" },
		{ "--kernel k --memory ~",
		  "--memory: '' is not a size; give a number and K, M, G or T, as in 512M" },
		{ "--kernel k --memory 512",
		  "--memory: '512' is a number of bytes; for megabytes write 512M" },
		{ "--kernel k --memory 0M",
		  "--memory: '0M' is out of range; a machine has 1M to 1024G" },
		{ "--kernel k --memory 2T",
		  "--memory: '2T' is out of range; a machine has 1M to 1024G" },
		{ "--kernel k --memory 18446744073709551615T",
		  "--memory: '18446744073709551615T' is not a size; give a number and K, M, G or "
		  "T, "
		  "as in 512M" },
		{ "--kernel k --memory 1025K",
		  "--memory: '1025K' is not a whole number of megabytes; give one, as in 512M" },
		{ "--kernel k --engine tcg", "--engine: there is no engine 'tcg'; use auto, kvm or "
					     "emu, or list to see what they "
					     "can do" },
		{ "--kernel k --serial modem", "--serial: 'modem' is none of stdio, none, pty, "
					       "file=FILE, unix=PATH" },
		{ "--kernel k --serial file",
		  "--serial: 'file' is none of stdio, none, pty, file=FILE, unix=PATH" },
		{ "--kernel k --serial pty=x",
		  "--serial: 'pty=x' is none of stdio, none, pty, file=FILE, unix=PATH" },
		{ "--kernel k --serial file=a,b", "--serial: 'file=a,b' is none of stdio, none, "
						  "pty, file=FILE, unix=PATH (a comma in "
						  "a path is written twice)" },
		{ "--kernel k --serial ~", "--serial: there is an empty item" },
		{ "--kernel k --serial pty,", "--serial: there is an empty item" },
		{ "--kernel k --monitor stdio", "--monitor: 'stdio' is not of the form unix=PATH" },
		{ "--kernel k --monitor unix=a,unix=b", "--monitor: 'unix' is given twice" },
		{ "--kernel k --monitor unix=a,b=c",
		  "--monitor: 'unix=a,b=c' is not of the form "
		  "unix=PATH (a comma in a path is written twice)" },
		{ "--kernel k --name \xff", "--name: it is not UTF-8; give a name that is" },
		{ "--kernel k --name=", "--name: it is empty; give a name" },
		{ "--kernel k --uuid 1", "--uuid: '1' is not of the form "
					 "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx; uuidgen makes "
					 "one" },
		{ "--kernel k --pidfile=", "--pidfile: it is empty; give the name of a file" },
		{ "--kernel k --log loud",
		  "--log: there is no level 'loud'; use warning, info or debug" },
		{ "--kernel k --daemonize",
		  "--daemonize leaves no terminal for the serial port; add --serial none, pty, "
		  "file=FILE or unix=PATH" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct options options;

		g_assert_false(parse(&options, cases[i].line, &error));
		g_assert_nonnull(error);
		g_assert_cmpstr(error->message, ==, cases[i].sentence);
	}
}

/* The text is the model table's. */
static void test_no_model(void)
{
	g_autoptr(GError) error = NULL;
	struct options options;

	g_assert_false(parse(&options, "--kernel k --cpu 8086", &error));
	g_assert_true(g_str_has_prefix(error->message, "--cpu: "));
	g_assert_nonnull(strstr(error->message, "8086"));
	g_assert_nonnull(strstr(error->message, "v2"));
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "1K", 1 << 10 },
		{ "512M", 512 << 20 },
		{ "512m", 512 << 20 },
		{ "3GiB", 3ull << 30 },
		{ "1T", 1ull << 40 },
		{ "18446744073709551615", UINT64_MAX },
		{ "16777215T", 16777215ull << 40 },
	};
	static const char *const bad[] = {
		"",
		"M",
		"-1M",
		"1.5G",
		"1 G",
		"1MB",
		"1X",
		"0x10",
		"16777216T",
		"1GiBs",
		"18446744073709551616",
	};
	uint64_t bytes;

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_assert_true(options_parse_size(good[i].text, &bytes, NULL));
		g_assert_cmpuint(bytes, ==, good[i].bytes);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(options_parse_size(bad[i], &bytes, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	}
}

static void test_help(void)
{
	static const char *const lines[] = {
		"--engine list", "--help",     "-h",
		"--version",     "--help-man", "--cpus 2 --help --nonsense"
	};
	g_autofree char *help = options_help();
	g_autofree char *man = options_man();
	g_auto(GStrv) help_lines = g_strsplit(help, "\n", -1);

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autoptr(GError) error = NULL;
		struct options options;

		g_assert_true(parse(&options, lines[i], &error));
		g_assert_no_error(error);
		g_assert_cmpint(options.action, !=, OPTIONS_RUN);
		options_release(&options);
	}
	for (char **line = help_lines; *line; line++)
		g_assert_cmpuint(strlen(*line), <=, 100);
	g_assert_nonnull(strstr(help, "--memory SIZE"));
	g_assert_null(strstr(help, "help-man"));
	g_assert_nonnull(strstr(man, ".TP\n.B \\-\\-memory \\fISIZE\\fR\n"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vmm/options/defaults", test_defaults);
	g_test_add_func("/vmm/options/all", test_all);
	g_test_add_func("/vmm/options/kinds", test_kinds);
	g_test_add_func("/vmm/options/firmware", test_firmware);
	g_test_add_func("/vmm/options/refused", test_refused);
	g_test_add_func("/vmm/options/no-model", test_no_model);
	g_test_add_func("/vmm/options/sizes", test_sizes);
	g_test_add_func("/vmm/options/help", test_help);
	return g_test_run();
}
