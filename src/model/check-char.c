/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-char.c - the step check, of serial ports, consoles and channels
 */
#include <string.h>

#include "model/check-int.h"
#include "model/fields-int.h"

enum {
	PORTS_MAX = 16 /* of the virtio console, the first for a console */
};

static bool is_type(const struct domain_char *chr, const char *type)
{
	return chr->target.type && !strcmp(chr->target.type, type);
}

/* The host's end. */
static bool check_source(const struct check *c, const struct domain_char *chr, const char *kind)
{
	const char *path = chr->source_count ? chr->sources[0].path : NULL;

	switch (chr->type) {
	case CHAR_PTY:
	case CHAR_NULL:
		return true;
	case CHAR_FILE:
		if (!path || path[0] != '/')
			return wrong(c,
				     "a %s of type 'file' wants a <source> whose path starts with "
				     "'/'",
				     kind);
		return true;
	case CHAR_UNIX:
		if (path && path[0] != '/')
			return wrong(c,
				     "a %s of type 'unix' wants a <source> whose path starts with "
				     "'/'",
				     kind);
		return true;
	case CHAR_ABSENT:
	case CHAR_TCP:
	case CHAR_STDIO:
	case CHAR_VC:
	case CHAR_DEV:
	case CHAR_PIPE:
	case CHAR_UDP:
	case CHAR_SPICEVMC:
	case CHAR_SPICEPORT:
	case CHAR_NMDM:
	case CHAR_VDAGENT:
	case CHAR_DBUS:
	case CHAR_COUNT:
		break;
	}
	return refuse(c, "a %s is of type '%s', which is not there; give pty, unix, file or null",
		      kind, char_type_names[chr->type]);
}

static bool check_serials(struct check *c)
{
	struct domain_devices *d = &c->domain->devices;

	if (c->others && d->serial_count)
		return refuse(c,
			      "serial ports are not plugged into a machine that runs; change its "
			      "definition");
	for (unsigned i = 0; i < d->serial_count; i++) {
		struct domain_char *serial = &d->serials[i];

		if (i > 0) {
			serial->info.fate = FATE_LEFT_OUT;
			notes_add(c->notes, "serial port %u is left out: the machine has one", i);
			continue;
		}
		if (!check_source(c, serial, "serial port"))
			return false;
		serial->info.fate = FATE_HONOURED;
		if (!is_type(serial, "isa-serial")) {
			serial->info.fate = FATE_MAPPED;
			notes_add(c->notes, "the serial port of type '%.64s' becomes a 16550",
				  serial->target.type);
		}
	}
	for (unsigned i = 0; i < d->parallel_count; i++) {
		d->parallels[i].info.fate = FATE_LEFT_OUT;
		notes_add(c->notes, "parallel ports are left out: the machine has none");
	}
	return true;
}

static bool check_consoles(struct check *c, unsigned *ports)
{
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->console_count; i++) {
		struct domain_char *console = &d->consoles[i];

		console->info.fate = FATE_HONOURED;
		/* The first stands for the serial port, which has been looked at. */
		if (is_type(console, "serial") && i == 0)
			continue;
		if (!is_type(console, "virtio")) {
			console->info.fate = FATE_LEFT_OUT;
			notes_add(c->notes,
				  "console %u of type '%.64s' is left out: give "
				  "<target type='virtio'/>",
				  i, console->target.type);
			continue;
		}
		(*ports)++;
		if (!check_source(c, console, "console"))
			return false;
	}
	return true;
}

static bool check_channels(struct check *c, unsigned *ports)
{
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->channel_count; i++) {
		struct domain_char *channel = &d->channels[i];

		channel->info.fate = FATE_HONOURED;
		if (channel->type == CHAR_SPICEVMC || channel->type == CHAR_SPICEPORT ||
		    channel->type == CHAR_VDAGENT || channel->type == CHAR_DBUS) {
			channel->info.fate = FATE_LEFT_OUT;
			notes_add(c->notes,
				  "channels of type '%s' are left out: the display does not "
				  "use them",
				  char_type_names[channel->type]);
			continue;
		}
		if (!is_type(channel, "virtio"))
			return refuse(
				c,
				"a channel is of target type '%.64s', which is not there; give "
				"<target type='virtio' name=.../>",
				channel->target.type);
		for (unsigned j = 0; j < i; j++) {
			if (channel->target.name && d->channels[j].target.name &&
			    !strcmp(channel->target.name, d->channels[j].target.name))
				return wrong(c,
					     "two channels are called '%.64s'; give one another "
					     "name",
					     channel->target.name);
		}
		(*ports)++;
		if (!check_source(c, channel, "channel"))
			return false;
	}
	return true;
}

bool check_chars(struct check *c)
{
	unsigned ports = 0;

	if (!check_serials(c) || !check_consoles(c, &ports) || !check_channels(c, &ports))
		return false;
	if (ports > PORTS_MAX)
		return refuse(
			c,
			"the domain has %u virtio consoles and channels, and %d are the most; "
			"take some out",
			ports, PORTS_MAX);
	return true;
}
