/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-produce.c - what a machine has and a definition need not
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "daemon/runner-args.h"

enum {
	CID_FIRST = 3 /* each machine has a socket of its own, so they may all have the same */
};

static void name(struct device_info *info, const char *kind, unsigned index)
{
	if (!info->alias.name)
		info->alias.name = g_strdup_printf("%s%u", kind, index);
}

#define NAME_ALL(list, count, kind)                      \
	do {                                             \
		for (unsigned i = 0; i < d->count; i++)  \
			name(&d->list[i].info, kind, i); \
	} while (0)

static void name_all(struct domain_devices *d)
{
	NAME_ALL(disks, disk_count, "virtio-disk");
	NAME_ALL(interfaces, interface_count, "net");
	NAME_ALL(serials, serial_count, "serial");
	for (unsigned i = 0; i < d->console_count; i++) {
		const bool pair = i == 0 && d->serial_count &&
				  !g_strcmp0(d->consoles[0].target.type, "serial");

		name(&d->consoles[i].info, pair ? "serial" : "console", i);
	}
	NAME_ALL(channels, channel_count, "channel");
	NAME_ALL(rngs, rng_count, "rng");
	NAME_ALL(memballoons, memballoon_count, "balloon");
	NAME_ALL(watchdogs, watchdog_count, "watchdog");
	NAME_ALL(vsocks, vsock_count, "vsock");
	NAME_ALL(panics, panic_count, "panic");
	NAME_ALL(videos, video_count, "video");
}

/* A socket without a path gets one in the machine's folder. */
static void give_path(struct domain_char *chr, const char *dir)
{
	if (chr->type != CHAR_UNIX || chr->info.fate == FATE_LEFT_OUT)
		return;
	if (!chr->source_count) {
		chr->sources = g_new0(struct char_source, 1);
		chr->source_count = 1;
	}
	if (chr->sources[0].path)
		return;
	chr->sources[0].path = g_build_filename(dir, chr->info.alias.name, NULL);
	g_free(chr->sources[0].mode);
	chr->sources[0].mode = g_strdup("bind");
}

void runner_produce(struct domain *live, const char *dir)
{
	struct domain_devices *d = &live->devices;

	name_all(d);
	for (unsigned i = 0; i < d->serial_count; i++)
		give_path(&d->serials[i], dir);
	for (unsigned i = 0; i < d->console_count; i++)
		give_path(&d->consoles[i], dir);
	for (unsigned i = 0; i < d->channel_count; i++)
		give_path(&d->channels[i], dir);
	for (unsigned i = 0; i < d->vsock_count; i++) {
		if (!d->vsocks[i].cid.address.set)
			d->vsocks[i].cid.address = number_of(CID_FIRST);
	}
}
