/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * install.c - socle install: a machine on whose disk an installer puts a system
 *
 * The machine is started twice. First, in passing, with the installer: from a CD, or by a kernel that is
 * sent. It ends where it would start anew. Its definition, which was given meanwhile, knows the disk
 * only: so the second start is the system's own. docs/design/0020-create.md.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"
#include "cli/console-keys.h"
#include "cli/console.h"
#include "cli/create.h"
#include "cli/install.h"
#include "cli/interrupt.h"
#include "cli/seed.h"
#include "cli/vol.h"

enum {
	DISK_GIB = 20,
	LOOK_MS = 250,          /* between two looks at the machine */
	LOST_S = 120,           /* how long a daemon may be away meanwhile */
	WRITTEN_MIN = 64 << 10, /* bytes; an installer that has written less has done nothing */
	SECTOR = 512,
	BOOT_CODE = 440, /* bytes of a disk's first sector; behind it are four partitions */
	PARTITION = 446,
	PARTITION_LEN = 16,
	PARTITION_ACTIVE = 0x80,
	SIGNATURE = 510,
};

struct install {
	struct create create; /* the machine as it will be */
	struct installer installer;
	struct socle_volume *cd;
	char *cd_path;
	struct socle_volume *disk;
	GPtrArray *media; /* struct socle_volume: they go when it is done, too */
	uint64_t before;  /* bytes that the disk takes */
};

/* ---- words ---- */

static bool take_medium(const struct cli_args *args, GError **error)
{
	unsigned count = cli_args_has(args, "cdrom") + cli_args_has(args, "location") +
			 cli_args_has(args, "kernel");

	if (count != 1)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "an installer comes from one of '--cdrom', '--location' and "
				 "'--kernel'");
	if (cli_args_has(args, "initrd") && !cli_args_has(args, "kernel"))
		return error_set(error, SOCLE_ERROR_USAGE, "'--initrd' is for a '--kernel'");
	if (cli_args_has(args, "cdrom") &&
	    (cli_args_has(args, "append") || cli_args_has(args, "inject") ||
	     cli_args_has(args, "unattended")))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "what a CD boots cannot be told anything; '--append', '--inject' "
				 "and '--unattended' are for '--location' and '--kernel'");
	if (cli_args_has(args, "no-start") && cli_args_has(args, "start"))
		return error_set(error, SOCLE_ERROR_USAGE, "'--no-start' goes not with '--start'");
	return true;
}

static bool take_answers(struct install *install, GError **error)
{
	const struct cli_args *args = install->create.args;
	const char *path = cli_args_value(args, "unattended"), *text;
	g_autofree char *host = NULL, *instance = NULL, *user_data = NULL;

	for (unsigned n = 0; (text = cli_args_nth(args, "inject", n)); n++) {
		if (!installer_inject(&install->installer, text, error))
			return false;
	}
	if (path && !installer_answer(&install->installer, path, &user_data, error))
		return false;
	if (!user_data)
		return true;
	host = seed_hostname(install->create.name);
	instance = g_uuid_string_random();
	install->create.seed = g_new0(struct seed, 1);
	install->create.seed->user_data = g_steal_pointer(&user_data);
	install->create.seed->meta_data = seed_meta_data(instance, host, NULL);
	return true;
}

/* The installer's kernel and initrd, and what they are told. Nothing is changed yet. */
static bool open_installer(struct install *install, GError **error)
{
	const struct cli_args *args = install->create.args;
	const char *location = cli_args_value(args, "location");
	const char *kernel = cli_args_value(args, "kernel"),
		   *append = cli_args_value(args, "append");
	bool ok;

	install->installer.append = g_string_new(append ? append : "console=ttyS0");
	if (location)
		ok = installer_open_tree(&install->installer, location, error);
	else if (kernel)
		ok = installer_open_files(&install->installer, kernel,
					  cli_args_value(args, "initrd"), error);
	else
		return true;
	return ok && take_answers(install, error);
}

/* ---- media ---- */

static struct socle_volume *send_file(struct install *install, int fd, const char *what,
				      GError **error)
{
	struct create *create = &install->create;
	g_autofree char *name = g_strdup_printf("%s-%s", create->name, what);

	return vol_make_of(create->pool, name, fd, what, 0, vol_shows_progress(create->cli),
			   install->media, error);
}

static bool send_path(struct install *install, int fd, const char *what, char **ret_path,
		      GError **error)
{
	struct socle_volume *vol = send_file(install, fd, what, error);
	struct socle_error *why = NULL;
	char *path = vol ? socle_volume_path(vol, &why) : NULL;

	if (!vol)
		return false;
	if (!path)
		return cli_fail(error, why, "volume '%s'", socle_volume_name(vol));
	g_free(*ret_path);
	*ret_path = g_strdup(path);
	free(path);
	return true;
}

/*
 * A volume that is there is used as it is; a file goes where the daemon's machines can read it. What was
 * booted from a CD's image finds the rest of itself there.
 */
static bool find_cd(struct install *install, GError **error)
{
	const char *word = cli_args_value(install->create.args,
					  install->installer.on_cd ? "location" : "cdrom");
	struct socle_error *why = NULL;
	autofd int fd = -1;
	char *path;

	if (!word)
		return true;
	if (!create_known_volume(&install->create, word, &install->cd, error))
		return false;
	if (install->cd) {
		path = socle_volume_path(install->cd, &why);
		install->cd_path = g_strdup(path);
		free(path);
		return install->cd_path || cli_fail(error, why, "volume '%s'", word);
	}
	fd = sys_open(word, O_RDONLY, 0);
	if (fd < 0)
		return error_sys(error, fd, "cannot open '%s'", word);
	return send_path(install, fd, "install.iso", &install->cd_path, error);
}

static bool send_media(struct install *install, struct run_machine *machine, GError **error)
{
	if (install->installer.kernel >= 0 &&
	    !send_path(install, install->installer.kernel, "vmlinuz", &machine->kernel, error))
		return false;
	if (install->installer.initrd >= 0 &&
	    !send_path(install, install->installer.initrd, "initrd", &machine->initrd, error))
		return false;
	return find_cd(install, error);
}

/* ---- the machine ---- */

/* What both of its definitions have to have in common. */
static void name_it(struct run_machine *machine)
{
	machine->uuid = g_uuid_string_random();
	for (unsigned i = 0; i < machine->nic_count; i++) {
		uint32_t any = g_random_int();

		if (!machine->nics[i].mac)
			machine->nics[i].mac =
				g_strdup_printf("52:54:00:%02x:%02x:%02x", any & 0xff,
						any >> 8 & 0xff, any >> 16 & 0xff);
	}
}

/* The machine with the installer; and the one that stays. */
static bool make_xmls(struct install *install, char **ret_first, char **ret_then, GError **error)
{
	struct create *create = &install->create;
	struct run_machine *machine = &create->machine;
	unsigned count;

	name_it(machine);
	*ret_then = run_xml(machine);
	machine->installs = true;
	count = machine->disk_count;
	if (!send_media(install, machine, error) || !create_seed(create, error))
		return false;
	if (machine->kernel)
		machine->append = g_strdup(install->installer.append->str);
	if (install->cd_path)
		machine->disks[machine->disk_count++] = (struct run_disk){
			.path = g_strdup(install->cd_path),
			.format = g_strdup("raw"),
			.readonly = true,
			.cdrom = true,
		};
	*ret_first = run_xml(machine);
	/* The CD that tells cloud-init is the installer's. */
	if (machine->disk_count > count && create->seed)
		g_ptr_array_add(install->media,
				g_ptr_array_steal_index(create->made, create->made->len - 1));
	return true;
}

static struct socle_domain *begin(struct install *install, const char *first, const char *then,
				  GError **error)
{
	struct create *create = &install->create;
	struct socle_error *why = NULL;
	bool console = cli_args_has(create->args, "console");
	SOCLE_AUTO(domain)
	dom = socle_domain_create_xml(create->cli->conn, first, console ? SOCLE_START_PAUSED : 0,
				      &why);
	SOCLE_AUTO(domain) kept = NULL;

	if (!dom) {
		cli_fail(error, why, "cannot start the installer of '%s'", create->name);
		return NULL;
	}
	kept = socle_domain_define(create->cli->conn, then, 0, &why);
	if (kept)
		return g_steal_pointer(&kept);
	cli_fail(error, why, "cannot define '%s'", create->name);
	(void)create_undo_machine(dom);
	return NULL;
}

/* ---- the wait ---- */

static void tell_progress(struct install *install, struct socle_domain *dom, uint64_t begin_ns)
{
	struct socle_block_stats stats = { .wr_bytes = 0 };
	g_autofree char *text = NULL, *written = NULL;

	if (!vol_shows_progress(install->create.cli))
		return;
	text = cli_duration((sys_monotonic_ns() - begin_ns) / UINT64_C(1000000000));
	(void)socle_domain_block_stats(dom, "vda", &stats, NULL);
	written = cli_size((uint64_t)MAX(stats.wr_bytes, 0));
	(void)fprintf(stderr, "\rinstalling: %s, %s written\033[K", text, written);
	(void)fflush(stderr);
}

/* A daemon that starts anew finds the machine again, and so do we. */
static bool look(struct socle_domain *dom, int *ret_state, int *ret_reason, uint64_t *lost_ns,
		 GError **error)
{
	struct socle_error *why = NULL;
	uint64_t now = sys_monotonic_ns();

	if (socle_domain_state(dom, 0, ret_state, ret_reason, &why) >= 0) {
		*lost_ns = 0;
		return true;
	}
	*lost_ns = *lost_ns ? *lost_ns : now;
	*ret_state = SOCLE_DOMAIN_NOSTATE;
	if (socle_error_code(why) != SOCLE_ERR_NO_DOMAIN &&
	    now - *lost_ns < LOST_S * UINT64_C(1000000000)) {
		socle_error_free(why);
		return true;
	}
	return cli_fail(error, why, "nothing is heard of '%s' any more", socle_domain_name(dom));
}

static bool wait_for_end(struct install *install, struct socle_domain *dom, GError **error)
{
	uint64_t begin_ns = sys_monotonic_ns(), lost_ns = 0;
	int state = SOCLE_DOMAIN_RUNNING, reason = 0;
	bool ok = true;

	while (ok && state != SOCLE_DOMAIN_SHUTOFF && state != SOCLE_DOMAIN_CRASHED) {
		tell_progress(install, dom, begin_ns);
		g_usleep(LOOK_MS * G_TIME_SPAN_MILLISECOND);
		ok = interrupt_check(error) && look(dom, &state, &reason, &lost_ns, error);
	}
	if (vol_shows_progress(install->create.cli))
		(void)fputs("\r\033[K", stderr);
	if (!ok)
		return false;
	if (state == SOCLE_DOMAIN_CRASHED ||
	    strcmp(socle_domain_reason_name(state, reason), "shutdown") != 0)
		return error_set(error, SOCLE_ERROR_FAILED, "the installer of '%s' has ended: %s",
				 install->create.name, socle_domain_reason_name(state, reason));
	return true;
}

static bool disk_takes(struct install *install, uint64_t *ret, GError **error)
{
	struct socle_error *why = NULL;
	struct socle_volume_info info;

	if (socle_volume_info(install->disk, 0, &info, &why) < 0)
		return cli_fail(error, why, "volume '%s'", socle_volume_name(install->disk));
	*ret = info.allocation;
	return true;
}

static bool has_written(struct install *install, GError **error)
{
	uint64_t now = 0;

	/* A pool that takes all of the room at once cannot tell. */
	if (install->before >= install->create.size)
		return true;
	if (!disk_takes(install, &now, error))
		return false;
	return now >= install->before + WRITTEN_MIN ||
	       error_set(error, SOCLE_ERROR_FAILED,
			 "the installer of '%s' has ended without having written to its disk; "
			 "'--console' shows what it says",
			 install->create.name);
}

static bool is_bootable(const uint8_t *sector)
{
	return sector[SIGNATURE] == 0x55 && sector[SIGNATURE + 1] == 0xaa;
}

/*
 * Is there something that the BIOS could start? Installers write that among the last. Who partitions a disk may
 * have put a few instructions there, which start what begins the active partition; so that is looked at.
 */
static bool has_loader(struct socle_domain *dom)
{
	static const uint8_t nothing[BOOT_CODE];
	uint8_t first[SECTOR], other[SECTOR];

	/* A daemon that does not tell has no say. */
	if (socle_domain_block_peek(dom, "vda", 0, SECTOR, first, NULL) < 0)
		return true;
	if (!is_bootable(first) || !memcmp(first, nothing, BOOT_CODE))
		return false;
	if (memmem(first, BOOT_CODE, "GRUB", 4) || memmem(first, BOOT_CODE, "LILO", 4))
		return true;
	for (unsigned at = PARTITION; at < SIGNATURE; at += PARTITION_LEN) {
		uint64_t off = (uint64_t)get_le32(first + at + 8) * SECTOR;

		if (first[at] == PARTITION_ACTIVE &&
		    socle_domain_block_peek(dom, "vda", off, SECTOR, other, NULL) >= 0)
			return is_bootable(other);
	}
	return true;
}

static bool can_start(struct install *install, struct socle_domain *dom, GError **error)
{
	return has_loader(dom) ||
	       error_set(error, SOCLE_ERROR_FAILED,
			 "the installer of '%s' has ended before it was done: its disk has no boot "
			 "loader; '--console' shows what it says",
			 install->create.name);
}

static bool talk(struct install *install, struct socle_domain *dom, GError **error)
{
	struct console_options options = { .escape = CONSOLE_CTRL_BRACKET, .starts_it = true };
	int status;

	if (!cli_args_has(install->create.args, "console"))
		return true;
	/* There Ctrl-C is the guest's. */
	interrupt_end();
	status = console_attach(install->create.cli, dom, &options, CONSOLE_LEAVES, error);
	interrupt_begin();
	return status == CLI_OK;
}

/* ---- all of it ---- */

static bool make_disk(struct install *install, GError **error)
{
	struct create *create = &install->create;

	if (!create->size)
		create->size = (uint64_t)DISK_GIB << 30;
	if (!create_disk(create, error))
		return false;
	install->disk = g_ptr_array_index(create->made, create->made->len - 1);
	return disk_takes(install, &install->before, error);
}

static struct socle_domain *run_it(struct install *install, GError **error)
{
	struct create *create = &install->create;
	g_autofree char *first = NULL, *then = NULL;
	struct socle_error *why = NULL;
	SOCLE_AUTO(domain) dom = NULL;

	if (!make_disk(install, error) || !interrupt_check(error) ||
	    !make_xmls(install, &first, &then, error) || !interrupt_check(error))
		return NULL;
	dom = begin(install, first, then, error);
	if (!dom)
		return NULL;
	if (talk(install, dom, error) && wait_for_end(install, dom, error) &&
	    has_written(install, error) && can_start(install, dom, error)) {
		if (cli_args_has(create->args, "no-start") ||
		    socle_domain_create(dom, 0, &why) >= 0)
			return g_steal_pointer(&dom);
		cli_fail(error, why, "cannot start '%s'", create->name);
	}
	(void)create_undo_machine(dom);
	return NULL;
}

static struct socle_domain *make(struct install *install, GError **error)
{
	struct create *create = &install->create;
	struct socle_domain *dom = NULL;

	create->machine.type =
		cli_choose_type(create->cli, cli_args_value(create->args, "type"), error);
	if (!create->machine.type || !create_take_networks(create, error) ||
	    !create_find_pool(create, error))
		return NULL;
	interrupt_begin();
	dom = run_it(install, error);
	/* Nobody needs them any more, whatever has become of it. */
	if (!vols_take_back(create->cli, install->media) && dom)
		cli_warn("what was sent for the installer can be deleted by 'socle vol delete'");
	if (!dom)
		vols_undo(create->cli, create->made, create->name, error);
	interrupt_end();
	return dom;
}

static void install_release(struct install *install)
{
	socle_volume_unref(install->cd);
	g_free(install->cd_path);
	installer_release(&install->installer);
	g_ptr_array_unref(install->media);
	create_release(&install->create);
}

static int run_install(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct install install = {
		.create = {
			.cli = cli,
			.args = args,
			.name = cli_args_word(args, 0),
			.machine.name = g_strdup(cli_args_word(args, 0)),
			.image.fd = -1,
			.made = g_ptr_array_new_with_free_func((GDestroyNotify)socle_volume_unref),
		},
		.installer = { .kernel = -1, .initrd = -1 },
		.media = g_ptr_array_new_with_free_func((GDestroyNotify)socle_volume_unref),
	};
	SOCLE_AUTO(domain) dom = NULL;

	if (take_medium(args, error) && create_take_sizes(&install.create, error) &&
	    create_take_size(&install.create, error) &&
	    cli_connect_flags(cli, SOCLE_OPEN_RECONNECT, error) &&
	    cli_must_be_new(cli, install.create.name, error) && open_installer(&install, error))
		dom = make(&install, error);
	install_release(&install);
	if (!dom)
		return CLI_FAILED;
	cli_done_machine(cli, dom, "install",
			 cli_args_has(args, "no-start") ? "is installed"
							: "is installed and started");
	return CLI_OK;
}

const struct cli_command cli_install = {
	.verb = "install",
	.arguments = "NAME",
	.summary = "Make a machine on whose disk an installer puts a system, and start that",
	.options =
		(const struct cli_option[]){
			{ "cdrom", 0, "FILE|POOL/VOLUME|PATH", CLI_FILE,
			  "the installer's CD: a volume, or a file, which is sent" },
			{ "location", 'l', "FOLDER|ISO|URL", CLI_FILE,
			  "an installation tree, or a CD's image; its kernel and initrd are sent" },
			{ "kernel", 0, "FILE", CLI_FILE, "the installer's, which is sent" },
			{ "initrd", 0, "FILE", CLI_FILE, "of the kernel" },
			{ "append", 0, "TEXT", CLI_TEXT, "command line (default: console=ttyS0)" },
			{ "inject", 0, "FILE", CLI_FILE, "goes into the initrd, by its name" },
			{ "unattended", 'u', "FILE", CLI_FILE,
			  "answers: Kickstart, preseed, autoinstall or AutoYaST, as the installer "
			  "takes them" },
			{ "disk", 'd', "size=SIZE", CLI_TEXT,
			  "its disk is so large: GiB, or with a unit (default: 20)" },
			{ "pool", 'p', "POOL", CLI_POOL, "for its disk (default: 'default')" },
			{ "memory", 'm', "SIZE", CLI_TEXT, "MiB, or with a unit (default: 1G)" },
			{ "vcpus", 0, "N", CLI_TEXT, "(default: 1)" },
			{ "network", 'n', "NAME|none|user|bridge=NAME", CLI_NETWORK,
			  "network card, with ,mac=MAC if need be (default: 'default', or user)" },
			{ "type", 0, "kvm|qemu|test", CLI_TEXT,
			  "(default: the best that there is)" },
			{ "console", 0, NULL, CLI_NOTHING, "talk to the installer meanwhile" },
			{ "start", 0, NULL, CLI_NOTHING,
			  "and start what is installed, which is the "
			  "default" },
			{ "no-start", 0, NULL, CLI_NOTHING,
			  "leave it shut off when it is installed" },
			CLI_ROW_END },
	.what = { CLI_TEXT },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_install,
};
