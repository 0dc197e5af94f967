/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-args.c - a definition as socle-vm's command line
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/runner-args-int.h"

enum {
	SLOTS = 32
};

struct args {
	const struct domain *domain;
	const struct runner_places *places;
	GPtrArray *argv;
	uint32_t slots; /* a bit for each that something of the definition has */
};

/* As one word, so that no value is ever taken for an option. */
static void add(struct args *a, const char *option, const char *value)
{
	if (value)
		g_ptr_array_add(a->argv, g_strdup_printf("--%s=%s", option, value));
}

static void add_flag(struct args *a, const char *option)
{
	g_ptr_array_add(a->argv, g_strconcat("--", option, NULL));
}

static void add_keys(struct args *a, const char *option, struct keys *keys)
{
	add(a, option, keys->text->str);
	g_string_free(keys->text, TRUE);
}

static bool is_there(const struct device_info *info)
{
	return info->fate != FATE_LEFT_OUT;
}

unsigned info_slot(const struct device_info *info)
{
	const struct device_address *at = &info->address;

	if (at->type != ADDRESS_PCI || at->domain.value || at->bus.value || at->function.value ||
	    at->slot.value < 0 || at->slot.value >= SLOTS)
		return 0;
	return (unsigned)at->slot.value;
}

void keys_of_info(struct keys *keys, const struct device_info *info)
{
	const unsigned slot = info_slot(info);

	keys_add(keys, "id", info->alias.name);
	if (slot)
		keys_printf(keys, "addr", "0x%x", slot);
}

/* A device that has no place in the definition gets one from the end: those that are plugged later are
 * given the first that the definition has free. */
static void add_place(struct args *a, struct keys *keys, const struct device_info *info)
{
	unsigned slot = SLOTS - 1;

	if (info_slot(info))
		return;
	while (slot && a->slots & 1u << slot)
		slot--;
	if (!slot)
		return;
	a->slots |= 1u << slot;
	keys_printf(keys, "addr", "0x%x", slot);
}

static char *place(const struct args *a, const char *name)
{
	return g_build_filename(a->places->dir, name, NULL);
}

static void add_identity(struct args *a)
{
	const struct domain *d = a->domain;
	g_autofree char *monitor = place(a, "monitor");
	g_autofree char *end = place(a, "end");
	g_autofree char *pid = place(a, "pid");
	struct keys keys = keys_text();

	add(a, "name", d->name);
	add(a, "uuid", d->uuid);
	keys_add(&keys, "unix", monitor);
	add_keys(a, "monitor", &keys);
	add(a, "pidfile", pid);
	add(a, "exit-file", end);
	if (a->places->paused)
		add_flag(a, "paused");
	if (d->on_reboot == ON_DESTROY)
		add_flag(a, "no-reboot");
	if (d->genid.set)
		add(a, "generation-id", d->genid.value ? d->genid.value : "auto");
}

static const char *engine_of(const struct args *a)
{
	if (a->places->engine)
		return a->places->engine;
	return a->domain->type == DOMAIN_QEMU ? "emu" : "auto";
}

/* "v2" runs everywhere; more is only had by who asks for all there is. */
static const char *model_of(const struct domain_cpu *cpu)
{
	const char *mode = cpu->mode ? cpu->mode : "";

	if (!strcmp(mode, "host-passthrough") || !strcmp(mode, "maximum") ||
	    !g_strcmp0(cpu->model.name, "max"))
		return "max";
	return "v2";
}

static void add_hardware(struct args *a)
{
	const struct domain *d = a->domain;
	const int64_t cpus = d->vcpu.current.set ? d->vcpu.current.value : d->vcpu.count.value;
	const uint64_t kib = (uint64_t)d->memory.value;
	g_autofree char *count = g_strdup_printf("%" PRId64, cpus);
	/* Whole megabytes, and not fewer than were asked for. */
	g_autofree char *memory = g_strdup_printf("%" PRIu64 "M", (kib + 1023) / 1024);

	add(a, "engine", engine_of(a));
	add(a, "cpu", model_of(&d->cpu));
	add(a, "cpus", count);
	add(a, "memory", memory);
}

/* Disks and CDs, in the order of the definition; firmware knows no other kinds. */
static void add_boot_order(struct args *a)
{
	const struct domain_os *os = &a->domain->os;
	struct keys keys = keys_text();
	char order[3] = "";

	for (unsigned i = 0; i < os->boot_count; i++) {
		const char letter = !strcmp(os->boots[i].dev, "hd")      ? 'c'
				    : !strcmp(os->boots[i].dev, "cdrom") ? 'd'
									 : '\0';
		const size_t len = strlen(order);

		if (letter && !strchr(order, letter) && len < 2)
			order[len] = letter;
	}
	keys_add(&keys, "order", *order ? order : NULL);
	if (os->bootmenu.enable == TRI_YES) {
		keys_bool(&keys, "menu", true);
		if (os->bootmenu.timeout.value > 0)
			keys_number(&keys, "menu-wait", MIN(os->bootmenu.timeout.value, 60000));
	}
	if (keys.count)
		add_keys(a, "boot", &keys);
	else
		g_string_free(keys.text, TRUE);
}

static void add_boot(struct args *a)
{
	const struct domain_os *os = &a->domain->os;

	if (!os->kernel) {
		add(a, "firmware", os->loader.path ? os->loader.path : "bios");
		add_boot_order(a);
		return;
	}
	add(a, "kernel", os->kernel);
	add(a, "initrd", os->initrd);
	add(a, "append", os->cmdline);
}

/* A drive, which may be empty. */
static void add_cd(struct args *a, const struct domain_disk *disk)
{
	struct keys keys = keys_text();

	keys_of_medium(&keys, disk);
	if (!a->domain->os.kernel && disk->boot.order.set)
		keys_number(&keys, "bootindex", disk->boot.order.value);
	keys_of_info(&keys, &disk->info);
	add_place(a, &keys, &disk->info);
	add_keys(a, "cdrom", &keys);
}

/* It is read from a descriptor that was handed over. */
static void add_secret(struct args *a, const struct domain_disk *disk, int fd)
{
	g_autofree char *id = runner_disk_secret(disk);
	struct keys keys = keys_text();

	keys_word(&keys, "secret");
	keys_add(&keys, "id", id);
	keys_printf(&keys, "file", "/proc/self/fd/%d", fd);
	add_keys(a, "object", &keys);
}

static void add_disk(struct args *a, const struct domain_disk *disk)
{
	struct keys keys = keys_text();

	if (disk->device == DISK_CDROM) {
		g_string_free(keys.text, TRUE);
		add_cd(a, disk);
		return;
	}
	keys_of_image(&keys, disk);
	keys_of_disk(&keys, disk);
	add_place(a, &keys, &disk->info);
	if (!a->domain->os.kernel && disk->boot.order.set)
		keys_number(&keys, "bootindex", disk->boot.order.value);
	add_keys(a, "disk", &keys);
}

static void add_disk_with_secret(struct args *a, unsigned index)
{
	const struct domain_disk *disk = &a->domain->devices.disks[index];

	if (a->places->secrets && a->places->secrets[index] >= 0)
		add_secret(a, disk, a->places->secrets[index]);
	add_disk(a, disk);
}

static bool add_card(struct args *a, unsigned index, GError **error)
{
	const struct domain_interface *card = &a->domain->devices.interfaces[index];
	const int tap = a->places->taps ? a->places->taps[index] : -1;
	struct keys keys = keys_text();
	const char *type;

	if (!keys_of_network(&keys, card, tap, &type, error)) {
		g_string_free(keys.text, TRUE);
		return false;
	}
	keys_of_card(&keys, card);
	/* A tap that is handed over has one. */
	if (card->driver.queues.set && tap < 0)
		keys_number(&keys, "queues", card->driver.queues.value);
	add_keys(a, "net", &keys);
	return true;
}

/* Where the bytes of a port go. */
static bool keys_of_source(struct keys *keys, const struct domain_char *chr, GError **error)
{
	const struct char_source *source = chr->source_count ? &chr->sources[0] : NULL;

	if (chr->log.file)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "what the port '%s' says cannot be written to '%s' beside; remove "
				 "<log>, or make the port one of type='file'",
				 chr->info.alias.name, chr->log.file);
	if (chr->type == CHAR_PTY) {
		keys_word(keys, "pty");
	} else if (chr->type == CHAR_FILE && source) {
		keys_add(keys, "file", source->path);
	} else if (chr->type == CHAR_UNIX && source && source->path) {
		if (source->mode && strcmp(source->mode, "bind") != 0)
			return error_set(error, SOCLE_ERROR_UNSUPPORTED,
					 "the port '%s' is to connect to '%s', and ports only "
					 "listen; give mode='bind'",
					 chr->info.alias.name, source->path);
		keys_add(keys, "unix", source->path);
	} else {
		keys_word(keys, "none");
	}
	return true;
}

/* Of the controller that has all consoles and channels. */
static unsigned console_slot(const struct domain *domain)
{
	const struct domain_devices *d = &domain->devices;

	for (unsigned i = 0; i < d->controller_count; i++) {
		if (d->controllers[i].type == CONTROLLER_VIRTIO_SERIAL)
			return info_slot(&d->controllers[i].info);
	}
	return 0;
}

static bool add_char(struct args *a, const char *option, const struct domain_char *chr,
		     GError **error)
{
	struct keys keys = keys_text();

	if (!keys_of_source(&keys, chr, error)) {
		g_string_free(keys.text, TRUE);
		return false;
	}
	if (!strcmp(option, "console")) {
		keys_add(&keys, "name", chr->target.name);
		if (console_slot(a->domain))
			keys_number(&keys, "addr", console_slot(a->domain));
	}
	add_keys(a, option, &keys);
	return true;
}

static bool add_chars(struct args *a, GError **error)
{
	const struct domain_devices *d = &a->domain->devices;

	if (!d->serial_count)
		add(a, "serial", "none");
	else if (!add_char(a, "serial", &d->serials[0], error))
		return false;
	for (unsigned i = 0; i < d->console_count; i++) {
		const struct domain_char *console = &d->consoles[i];

		if (is_there(&console->info) && !g_strcmp0(console->target.type, "virtio") &&
		    !add_char(a, "console", console, error))
			return false;
	}
	for (unsigned i = 0; i < d->channel_count; i++) {
		if (is_there(&d->channels[i].info) &&
		    !add_char(a, "console", &d->channels[i], error))
			return false;
	}
	return true;
}

/* Keyboard and mouse belong to it. */
static void add_screen(struct args *a)
{
	const struct domain_devices *d = &a->domain->devices;
	const struct domain_video *video = NULL;
	struct keys keys;

	for (unsigned i = 0; i < d->video_count && !video; i++) {
		if (is_there(&d->videos[i].info) && g_strcmp0(d->videos[i].model.type, "none"))
			video = &d->videos[i];
	}
	if (!video)
		return;
	keys = keys_text();
	keys_word(&keys, "std");
	if (info_slot(&video->info))
		keys_printf(&keys, "addr", "0x%x", info_slot(&video->info));
	else
		add_place(a, &keys, &video->info);
	add_keys(a, "vga", &keys);
	for (unsigned i = 0; i < d->graphics_count; i++) {
		const struct domain_graphics *graphics = &d->graphics[i];
		const char *path =
			graphics->listen_count ? graphics->listens[0].socket : graphics->socket;

		if (!is_there(&graphics->info))
			continue;
		keys = keys_text();
		if (a->places->vnc_fd > 0)
			keys_number(&keys, "fd", a->places->vnc_fd);
		else if (path)
			keys_add(&keys, "unix", path);
		else
			keys_word(&keys, "none");
		if (graphics->passwd)
			keys_bool(&keys, "password", true);
		add_keys(a, "vnc", &keys);
		break;
	}
}

static void add_rng(struct args *a, const struct domain_rng *rng)
{
	const int64_t period = rng->rate.period.value > 0 ? rng->rate.period.value : 1000;
	struct keys keys = keys_text();

	keys_word(&keys, "on");
	keys_of_info(&keys, &rng->info);
	if (rng->rate.bytes.value > 0)
		keys_number(&keys, "bps",
			    MAX(MIN(rng->rate.bytes.value, INT64_MAX / 1000) * 1000 / period, 1));
	add_keys(a, "rng", &keys);
}

static void add_balloon(struct args *a, const struct domain_memballoon *balloon)
{
	struct keys keys = keys_text();

	keys_word(&keys, "on");
	keys_of_info(&keys, &balloon->info);
	if (balloon->autodeflate == TRI_YES)
		keys_bool(&keys, "deflate-on-oom", true);
	if (balloon->free_page_reporting == TRI_YES)
		keys_bool(&keys, "free-page-reporting", true);
	add_keys(a, "balloon", &keys);
}

static void add_watchdog(struct args *a, const struct domain_watchdog *watchdog)
{
	struct keys keys = keys_text();

	keys_word(&keys, "on");
	keys_of_info(&keys, &watchdog->info);
	keys_add(&keys, "action", watchdog->action);
	add_keys(a, "watchdog", &keys);
}

static void add_vsock(struct args *a, const struct domain_vsock *vsock)
{
	g_autofree char *path = place(a, "vsock");
	struct keys keys = keys_text();

	keys_number(&keys, "cid", vsock->cid.address.value);
	keys_add(&keys, "path", path);
	keys_of_info(&keys, &vsock->info);
	add_keys(a, "vsock", &keys);
}

static void add_others(struct args *a)
{
	const struct domain_devices *d = &a->domain->devices;
	struct keys keys;

	if (d->rng_count)
		add_rng(a, &d->rngs[0]);
	if (d->memballoon_count && strcmp(d->memballoons[0].model, "none") != 0)
		add_balloon(a, &d->memballoons[0]);
	if (d->watchdog_count)
		add_watchdog(a, &d->watchdogs[0]);
	if (d->vsock_count)
		add_vsock(a, &d->vsocks[0]);
	for (unsigned i = 0; i < d->panic_count; i++) {
		if (!is_there(&d->panics[i].info))
			continue;
		keys = keys_text();
		keys_word(&keys, "on");
		keys_of_info(&keys, &d->panics[i].info);
		add_place(a, &keys, &d->panics[i].info);
		add_keys(a, "pvpanic", &keys);
		break;
	}
}

#define SLOTS_OF(list, count)                                       \
	do {                                                        \
		for (unsigned i = 0; i < d->count; i++)             \
			slots |= 1u << info_slot(&d->list[i].info); \
	} while (0)

/* Also those of devices that are left out: the definition has them. */
static uint32_t slots_of(const struct domain_devices *d)
{
	uint32_t slots = 1;

	SLOTS_OF(disks, disk_count);
	SLOTS_OF(controllers, controller_count);
	SLOTS_OF(interfaces, interface_count);
	SLOTS_OF(sounds, sound_count);
	SLOTS_OF(videos, video_count);
	SLOTS_OF(watchdogs, watchdog_count);
	SLOTS_OF(memballoons, memballoon_count);
	SLOTS_OF(rngs, rng_count);
	SLOTS_OF(panics, panic_count);
	SLOTS_OF(vsocks, vsock_count);
	return slots;
}

char **runner_argv(const struct domain *live, const struct runner_places *places, GError **error)
{
	struct args a = { .domain = live, .places = places };
	const struct domain_devices *d = &live->devices;
	bool ok = true;

	a.argv = g_ptr_array_new_with_free_func(g_free);
	a.slots = slots_of(d);
	g_ptr_array_add(a.argv, g_strdup(places->program));
	add_identity(&a);
	add_hardware(&a);
	add_boot(&a);
	for (unsigned i = 0; i < d->disk_count; i++) {
		if (is_there(&d->disks[i].info))
			add_disk_with_secret(&a, i);
	}
	for (unsigned i = 0; i < d->interface_count && ok; i++)
		ok = !is_there(&d->interfaces[i].info) || add_card(&a, i, error);
	ok = ok && add_chars(&a, error);
	if (!ok) {
		g_ptr_array_unref(a.argv);
		return NULL;
	}
	add_screen(&a);
	add_others(&a);
	g_ptr_array_add(a.argv, NULL);
	return (char **)g_ptr_array_free(a.argv, FALSE);
}
