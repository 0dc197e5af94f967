/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clone.c - socle clone: one more machine as one that is shut off is
 *
 * Its disks are cloned by the pools that they lie in, media that nobody writes to are shared, and what
 * must be one machine's alone (UUID, addresses of cards) is left to the daemon to make. Volumes of a
 * clone that does not come to be are deleted again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/create.h"
#include "cli/interrupt.h"
#include "cli/seed.h"
#include "cli/template.h"
#include "cli/vol.h"
#include "model/domain-own.h"
#include "model/domain.h"

struct clone {
	struct cli *cli;
	struct domain *domain; /* becomes the new one */
	const struct clone_wish *wish;
	GPtrArray *made; /* struct socle_volume */
	bool has_cd;     /* for cloud-init */
	bool resized;
};

/* ---- disks ---- */

static bool is_shared(const struct domain_disk *disk)
{
	bool empty = disk->device == DISK_FLOPPY && disk->type == DISK_FILE && !disk_path(disk);

	return empty || disk->readonly || disk->shareable || disk->device == DISK_CDROM;
}

static struct socle_volume *volume_of(struct clone *clone, const struct domain_disk *disk,
				      GError **error)
{
	const char *path = disk_path(disk);
	struct socle_error *why = NULL;
	struct socle_volume *vol;

	if (disk->type == DISK_VOLUME) {
		SOCLE_AUTO(pool)
		pool = socle_pool_by_name(clone->cli->conn, disk->source.pool, &why);

		vol = pool ? socle_volume_by_name(pool, disk->source.volume, &why) : NULL;
	} else if (!path || disk->device == DISK_LUN ||
		   (disk->type != DISK_FILE && disk->type != DISK_BLOCK)) {
		error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"disk '%s' is no image that a pool could clone; detach it, or clone it by "
			"hand",
			disk->target.dev);
		return NULL;
	} else {
		vol = socle_volume_by_path(clone->cli->conn, path, &why);
	}
	if (!vol && socle_error_code(why) == SOCLE_ERR_NO_STORAGE_VOL) {
		socle_error_free(why);
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "disk '%s' lies in no active pool, so nobody can clone it; 'socle pool "
			  "define-as' makes one of its folder",
			  disk->target.dev);
	} else if (!vol) {
		cli_fail(error, why, "disk '%s'", disk->target.dev);
	}
	return vol;
}

static bool is_image(const char *format)
{
	static const char *const images[] = { "qcow2", "qcow", "qed",  "vmdk",
					      "vdi",   "vpc",  "vhdx", NULL };

	return format && g_strv_contains(images, format);
}

/*
 * A guest can write a header to its raw disk. To the pool that is an image then, which may refer to any
 * file of the host; so it is not cloned as one.
 */
static bool check_format(const struct domain_disk *disk, struct socle_volume *vol, GError **error)
{
	autoptr(storage_vol) parsed = vol_definition(vol, error);
	const char *ours = disk->driver.type ? disk->driver.type : "raw", *theirs;

	if (!parsed)
		return false;
	theirs = parsed->target.format.type ? parsed->target.format.type : "raw";
	if ((!is_image(ours) && !is_image(theirs)) || !strcmp(ours, theirs))
		return true;
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "disk '%s' is %s to the machine, and %s to its pool, so it is not cloned; "
			 "'socle vol download' and 'upload' copy its bytes as they are",
			 disk->target.dev, ours, theirs);
}

/* "new-vda.qcow2": the target is what no other disk of the machine has. */
static char *volume_name(const struct clone *clone, const struct domain_disk *disk, const char *old)
{
	const char *dot = strrchr(old, '.');

	if (clone->wish->linked)
		dot = ".qcow2";
	return g_strdup_printf("%s-%s%s", clone->wish->name, disk->target.dev,
			       dot && dot != old ? dot : "");
}

static bool set_volume(struct domain_disk *disk, struct socle_volume *vol, bool linked,
		       GError **error)
{
	g_autofree char *format = g_strdup(linked ? "qcow2" : disk->driver.type);
	struct socle_error *why = NULL;
	char *path;

	if (disk->type == DISK_VOLUME) {
		g_free(disk->source.volume);
		disk->source.volume = g_strdup(socle_volume_name(vol));
		g_free(disk->driver.type);
		disk->driver.type = g_steal_pointer(&format);
		g_clear_pointer(&disk->kept_backing_store, g_free);
		return true;
	}
	path = socle_volume_path(vol, &why);
	if (!path)
		return cli_fail(error, why, "disk '%s'", disk->target.dev);
	domain_disk_set_image(disk, path, format);
	free(path);
	return true;
}

/* What the clone's disk refers to must stay as long as it. */
static bool note_base(struct clone *clone, struct socle_volume *vol, GError **error)
{
	autoptr(storage_vol) parsed = vol_definition(vol, error);

	if (parsed && parsed->backing.path)
		domain_add_linked(clone->domain, parsed->backing.path);
	return parsed != NULL;
}

/* The first disk is as large as it is wanted. */
static bool resize(struct clone *clone, struct socle_volume *vol, GError **error)
{
	uint64_t size = clone->resized ? 0 : clone->wish->size;
	struct socle_error *why = NULL;
	struct socle_volume_info info;

	clone->resized = true;
	if (!size)
		return true;
	if (socle_volume_info(vol, 0, &info, &why) < 0)
		return cli_fail(error, why, "volume '%s'", socle_volume_name(vol));
	if (size < info.capacity) {
		g_autofree char *has = cli_size(info.capacity);

		return error_set(error, SOCLE_ERROR_USAGE,
				 "it has a disk of %s, which cannot be made smaller", has);
	}
	return socle_volume_resize(vol, size, 0, &why) >= 0 ||
	       cli_fail(error, why, "cannot make volume '%s' larger", socle_volume_name(vol));
}

static bool clone_disk(struct clone *clone, struct domain_disk *disk, GError **error)
{
	struct socle_error *why = NULL;
	SOCLE_AUTO(volume) from = volume_of(clone, disk, error);
	SOCLE_AUTO(pool) pool = from ? socle_volume_pool(from, &why) : NULL;
	g_autofree char *name = NULL;
	struct socle_volume *vol;

	if (!from)
		return false;
	if (!pool)
		return cli_fail(error, why, "disk '%s'", disk->target.dev);
	name = volume_name(clone, disk, socle_volume_name(from));
	vol = vol_clone(clone->cli, pool, from, name, clone->wish->linked, 0, error);
	if (!vol) {
		g_prefix_error(error, "disk '%s': ", disk->target.dev);
		return false;
	}
	g_ptr_array_add(clone->made, vol);
	return resize(clone, vol, error) && note_base(clone, vol, error) &&
	       set_volume(disk, vol, clone->wish->linked, error);
}

/*
 * The CD that tells cloud-init who the guest is becomes one that tells of the clone, so that it makes
 * itself keys and a machine-id as at a first start. All others are shared.
 */
static bool clone_cd(struct clone *clone, struct domain_disk *disk, GError **error)
{
	g_autofree char *instance = g_uuid_string_random();
	g_autofree char *host = seed_hostname(clone->wish->name);
	g_autofree char *name = g_strdup_printf("%s-seed.iso", clone->wish->name);
	SOCLE_AUTO(volume) from = volume_of(clone, disk, NULL);
	SOCLE_AUTO(pool) pool = from ? socle_volume_pool(from, NULL) : NULL;
	autoptr(seed) seed = pool ? create_read_cd(from) : NULL;
	char *anew = seed ? seed_meta_data_anew(seed->meta_data, instance, host) : NULL;
	const struct seed *told = clone->wish->seed;
	struct socle_volume *vol;

	if (!anew || clone->has_cd)
		return true;
	clone->has_cd = true;
	g_free(seed->meta_data);
	seed->meta_data = anew;
	if (!seed->vendor_data)
		seed->vendor_data = seed_vendor_data_anew();
	if (told && !clone->wish->keeps_seed)
		vol = create_cd(pool, name, told, clone->made, error);
	else
		vol = create_cd(pool, name, seed, clone->made, error);
	return vol && set_volume(disk, vol, false, error);
}

static bool is_taken(const struct domain_devices *devices, const char *target)
{
	for (unsigned i = 0; i < devices->disk_count; i++) {
		if (!g_strcmp0(devices->disks[i].target.dev, target))
			return true;
	}
	return false;
}

/* A machine that has no CD for cloud-init gets one, beside its first disk. */
static bool add_cd(struct clone *clone, GError **error)
{
	struct domain_devices *devices = &clone->domain->devices;
	g_autofree char *name = g_strdup_printf("%s-seed.iso", clone->wish->name);
	struct socle_volume *vol, *beside = clone->made->len ? clone->made->pdata[0] : NULL;
	struct socle_error *why = NULL;
	SOCLE_AUTO(pool) pool = beside ? socle_volume_pool(beside, &why) : NULL;
	struct domain_disk *disk;
	char letter = 'a';
	char *path;

	if (clone->has_cd || !clone->wish->seed || !beside)
		return true;
	if (!pool)
		return cli_fail(error, why, "volume '%s'", socle_volume_name(beside));
	vol = create_cd(pool, name, clone->wish->seed, clone->made, error);
	path = vol ? socle_volume_path(vol, &why) : NULL;
	if (!path)
		return vol && cli_fail(error, why, "volume '%s'", name);
	devices->disks = g_renew(struct domain_disk, devices->disks, devices->disk_count + 1);
	disk = &devices->disks[devices->disk_count];
	*disk = (struct domain_disk){
		.type = DISK_FILE,
		.device = DISK_CDROM,
		.source.file = g_strdup(path),
		.driver = { .name = g_strdup("qemu"), .type = g_strdup("raw") },
		.readonly = true,
	};
	free(path);
	do {
		g_free(disk->target.dev);
		disk->target.dev = g_strdup_printf("sd%c", letter++);
	} while (is_taken(devices, disk->target.dev) && letter <= 'z');
	disk->target.bus = BUS_SATA;
	devices->disk_count++;
	return true;
}

/* Each of them is looked for before the first is made. */
static bool clone_disks(struct clone *clone, GError **error)
{
	struct domain_devices *devices = &clone->domain->devices;

	for (unsigned i = 0; i < devices->disk_count; i++) {
		SOCLE_AUTO(volume) vol = NULL;

		if (is_shared(&devices->disks[i]))
			continue;
		vol = volume_of(clone, &devices->disks[i], error);
		if (!vol || !check_format(&devices->disks[i], vol, error))
			return false;
	}
	for (unsigned i = 0; i < devices->disk_count; i++) {
		struct domain_disk *disk = &devices->disks[i];

		if (disk->device == DISK_CDROM
			    ? !clone_cd(clone, disk, error)
			    : !is_shared(disk) && !clone_disk(clone, disk, error))
			return false;
		if (!interrupt_check(error))
			return false;
	}
	return true;
}

/* ---- the definition ---- */

/* The clone's files and sockets are beside the machine's, so that neither writes to the other's. */
static void move_beside(char **path, const char *name)
{
	g_autofree char *old = g_steal_pointer(path);

	*path = old ? g_strdup_printf("%s-%s", old, name) : NULL;
}

/* Where a channel's socket is, the daemon says. */
static void make_ports_new(struct domain_char *chars, unsigned count, const char *name,
			   bool channels)
{
	for (unsigned i = 0; i < count; i++) {
		struct domain_char *chr = &chars[i];

		if (chr->type != CHAR_FILE && chr->type != CHAR_UNIX && chr->type != CHAR_PIPE)
			continue;
		for (unsigned n = 0; n < chr->source_count; n++) {
			if (channels && chr->type == CHAR_UNIX)
				g_clear_pointer(&chr->sources[n].path, g_free);
			else
				move_beside(&chr->sources[n].path, name);
		}
	}
}

/* A port of the host is one machine's; the daemon finds another one. */
static void make_screens_new(struct domain_devices *devices, const char *name)
{
	for (unsigned i = 0; i < devices->graphics_count; i++) {
		struct domain_graphics *graphics = &devices->graphics[i];

		move_beside(&graphics->socket, name);
		for (unsigned n = 0; n < graphics->listen_count; n++)
			move_beside(&graphics->listens[n].socket, name);
		if (!graphics->port.set || graphics->port.value < 0)
			continue;
		graphics->port = graphics->tls_port = (struct number){ .set = false };
		graphics->websocket = (struct number){ .set = false };
		graphics->autoport = TRI_YES;
	}
}

/* What two machines cannot both have. */
static void make_new(struct domain *domain, const struct clone_wish *wish)
{
	struct domain_devices *devices = &domain->devices;

	g_free(domain->name);
	domain->name = g_strdup(wish->name);
	if (wish->memory_kib) {
		domain->memory = number_of((int64_t)wish->memory_kib);
		domain->current_memory = (struct number){ .set = false };
	}
	if (wish->cpus) {
		domain->vcpu.count = number_of(wish->cpus);
		domain->vcpu.current = (struct number){ .set = false };
	}
	g_clear_pointer(&domain->uuid, g_free);
	g_clear_pointer(&domain->genid.value, g_free);
	g_clear_pointer(&domain->os.nvram.path, g_free);
	g_clear_pointer(&domain->os.nvram.kept_source, g_free);
	for (unsigned i = 0; i < domain->devices.interface_count; i++) {
		struct domain_interface *nic = &domain->devices.interfaces[i];

		g_clear_pointer(&nic->mac.address, g_free);
		g_clear_pointer(&nic->target.dev, g_free);
	}
	make_ports_new(devices->serials, devices->serial_count, wish->name, false);
	make_ports_new(devices->parallels, devices->parallel_count, wish->name, false);
	make_ports_new(devices->consoles, devices->console_count, wish->name, false);
	make_ports_new(devices->channels, devices->channel_count, wish->name, true);
	make_screens_new(devices, wish->name);
	for (unsigned i = 0; i < domain->devices.vsock_count; i++)
		domain->devices.vsocks[i].cid = (struct vsock_cid){ .automatic = TRI_YES };
}

struct domain *machine_definition(struct socle_domain *dom, unsigned flags, GError **error)
{
	struct socle_error *why = NULL;
	char *xml = socle_domain_xml(dom, flags, &why);
	struct domain *domain;

	if (!xml) {
		cli_fail(error, why, "'%s'", socle_domain_name(dom));
		return NULL;
	}
	domain = domain_parse(xml, strlen(xml), 0, NULL, error);
	free(xml);
	return domain;
}

static bool may_clone(struct cli *cli, struct socle_domain *dom, const char *name, GError **error)
{
	g_autofree char *old = cli_name(dom);
	struct socle_error *why = NULL;
	int state = 0;

	if (socle_domain_state(dom, 0, &state, NULL, &why) < 0)
		return cli_fail(error, why, "'%s'", old);
	if (state != SOCLE_DOMAIN_SHUTOFF)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "'%s' is not shut off, so its disks change while they are cloned; "
				 "'socle stop --wait %s' first",
				 old, old);
	if (socle_domain_has_managed_save(dom, 0, NULL) > 0)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "'%s' is saved, so its disks are those of a machine that runs; "
				 "start and stop it first, or 'socle save-remove %s'",
				 old, old);
	return cli_must_be_new(cli, name, error);
}

static struct socle_domain *make_clone(struct clone *clone, GError **error)
{
	struct socle_error *why = NULL;
	struct socle_domain *dom = NULL;
	g_autofree char *xml = NULL;

	if (!clone_disks(clone, error) || !add_cd(clone, error))
		return NULL;
	make_new(clone->domain, clone->wish);
	xml = domain_format(clone->domain, DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_SECURE);
	dom = socle_domain_define(clone->cli->conn, xml, 0, &why);
	if (!dom)
		cli_fail(error, why, "cannot define '%s'", clone->wish->name);
	if (dom && interrupt_check(error) &&
	    (!clone->wish->then || clone->wish->then(clone->wish->opaque, dom, error)))
		return dom;
	if (dom)
		(void)create_undo_machine(dom);
	socle_domain_unref(dom);
	return NULL;
}

/* It is a machine; and what @from refers to it needs only if its disks refer to those. */
static void begin_anew(struct domain *domain, bool linked)
{
	struct domain_own own;

	domain_own_read(domain, &own);
	own.is_template = false;
	if (!linked)
		g_ptr_array_set_size(own.linked, 0);
	domain_own_write(domain, &own);
	domain_own_release(&own);
}

struct socle_domain *clone_machine(struct cli *cli, struct socle_domain *from,
				   const struct clone_wish *wish, GError **error)
{
	struct clone clone = { .cli = cli, .wish = wish };
	struct socle_domain *dom;

	if (!may_clone(cli, from, wish->name, error))
		return NULL;
	clone.domain = machine_definition(from, SOCLE_XML_INACTIVE | SOCLE_XML_SECURE, error);
	if (!clone.domain)
		return NULL;
	begin_anew(clone.domain, wish->linked);
	clone.made = g_ptr_array_new_with_free_func((GDestroyNotify)socle_volume_unref);
	interrupt_begin();
	dom = make_clone(&clone, error);
	if (!dom)
		vols_undo(cli, clone.made, wish->name, error);
	interrupt_end();
	g_ptr_array_unref(clone.made);
	domain_free(clone.domain);
	return dom;
}

static int run_clone(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) from = cli_machine(cli, cli_args_word(args, 0), error);
	struct clone_wish wish = {
		.name = cli_args_word(args, 1),
		.linked = cli_args_has(args, "linked"),
	};
	SOCLE_AUTO(domain) dom = from ? clone_machine(cli, from, &wish, error) : NULL;
	g_autofree char *old = NULL, *done = NULL;

	if (!dom)
		return CLI_FAILED;
	old = cli_name(from);
	done = g_strdup_printf(
		wish.linked && !template_is(from)
			? "is a clone of '%s', which must not run any more: its disks "
			  "begin as those are"
			: "is a clone of '%s'",
		old);
	cli_done_machine(cli, dom, "clone", done);
	return CLI_OK;
}

const struct cli_command cli_vm_clone = {
	.noun = "vm",
	.verb = "clone",
	.arguments = "MACHINE NAME",
	.summary = "Make one more machine as one that is shut off is, with disks of its own",
	.options =
		(const struct cli_option[]){
			{ "linked", 'l', NULL, CLI_NOTHING,
			  "disks refer to those of MACHINE, which must not run any more" },
			CLI_ROW_END },
	.what = { CLI_STOPPED, CLI_TEXT },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_clone,
};
