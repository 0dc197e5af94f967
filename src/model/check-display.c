/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-display.c - the step check, of what a person sees, hears and touches
 *
 * A guest runs without all of it, so nothing here is refused but nonsense.
 */
#include <string.h>

#include "model/check-int.h"
#include "model/fields-int.h"

/* Did somebody say that there is to be none? */
static bool no_video(const struct domain_devices *d)
{
	return d->video_count && !g_strcmp0(d->videos[0].model.type, "none");
}

static bool check_graphics(const struct check *c)
{
	struct domain_devices *d = &c->domain->devices;
	bool shown = false;

	for (unsigned i = 0; i < d->graphics_count; i++) {
		struct domain_graphics *graphics = &d->graphics[i];
		bool remote = graphics->type == GRAPHICS_VNC || graphics->type == GRAPHICS_SPICE;

		if (graphics->type == GRAPHICS_ABSENT)
			return wrong(c, "a <graphics> has no type; give type='vnc'");
		if (graphics->type == GRAPHICS_VNC && graphics->port.set &&
		    graphics->port.value != -1 && graphics->port.value < 1024)
			return wrong(
				c,
				"<graphics>: port %d belongs to the system; give -1 or one from "
				"5900 on",
				(int)graphics->port.value);
		graphics->info.fate = FATE_LEFT_OUT;
		if (!c->support->vnc) {
			notes_add(c->notes, "the display (%s) is left out: machines have none yet",
				  graphics_type_names[graphics->type]);
		} else if (no_video(d)) {
			notes_add(c->notes,
				  "the display '%s' is left out: the video card is of model 'none'",
				  graphics_type_names[graphics->type]);
		} else if (!remote || shown) {
			notes_add(c->notes,
				  "the display '%s' is left out: there is one, and it speaks "
				  "VNC",
				  graphics_type_names[graphics->type]);
		} else {
			shown = true;
			graphics->info.fate = FATE_HONOURED;
			if (graphics->type == GRAPHICS_VNC)
				continue;
			graphics->info.fate = FATE_MAPPED;
			notes_add(c->notes, "the display speaks VNC in place of spice");
		}
	}
	return true;
}

static void check_videos(const struct check *c)
{
	static const char *const models[] = { "vga", "bochs", "none", NULL };
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->video_count; i++) {
		struct domain_video *video = &d->videos[i];

		if (!c->support->vnc || i > 0) {
			video->info.fate = FATE_LEFT_OUT;
			notes_add(c->notes, "video card '%.64s' is left out: the machine has %s",
				  video->model.type, c->support->vnc ? "one" : "none yet");
			continue;
		}
		video->info.fate = FATE_HONOURED;
		if (!is_one_of(video->model.type, models)) {
			video->info.fate = FATE_MAPPED;
			notes_add(c->notes, "video card '%.64s' becomes a vga", video->model.type);
		}
	}
}

static void check_inputs(const struct check *c)
{
	static const char *const types[] = { "keyboard", "mouse", NULL };
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->input_count; i++) {
		struct domain_input *input = &d->inputs[i];

		input->info.fate = FATE_HONOURED;
		if (c->support->vnc && is_one_of(input->type, types) && !strcmp(input->bus, "ps2"))
			continue;
		input->info.fate = FATE_LEFT_OUT;
		notes_add(c->notes, "input '%.64s' on bus '%.64s' is left out: %s",
			  input->type ? input->type : "", input->bus,
			  c->support->vnc ? "keyboard and mouse are on ps2"
					  : "machines have no display yet");
	}
}

static void check_sounds(const struct check *c)
{
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->sound_count; i++) {
		d->sounds[i].info.fate = FATE_LEFT_OUT;
		notes_add(c->notes, "sound card '%.64s' is left out: machines have none",
			  d->sounds[i].model ? d->sounds[i].model : "");
	}
	for (unsigned i = 0; i < d->audio_count; i++) {
		if (d->audios[i].type && strcmp(d->audios[i].type, "none") != 0)
			notes_add(c->notes, "audio '%.64s' is left out: machines have no sound",
				  d->audios[i].type);
	}
}

bool check_display(struct check *c)
{
	if (!check_graphics(c))
		return false;
	check_videos(c);
	check_inputs(c);
	check_sounds(c);
	return true;
}
