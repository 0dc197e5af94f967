/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * input.c - who presses keys and moves the mouse: QMP's send-key and input-send-event
 *
 * send-key is answered at once, as QEMU does. Its keys go down together, stay for their time, and go up
 * in the opposite order; those of the next one follow when they are up, and a pause of a typist.
 */
#include "vmm/input.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "dev/i8042.h"
#include "display/keys.h"
#include "machine/machine.h"
#include "vmm/commands-int.h"
#include "vmm/vmm-int.h"

enum {
	CHORD_KEYS = 16,
	CHORDS = 256, /* that wait */
	HOLD_MS = 100,
	HOLD_MAX_MS = 60000,
	GAP_MS = 10,
	EVENTS = 1024, /* of one input-send-event */
	MOTION_MAX = 1 << 16,
};

struct chord {
	uint8_t key[CHORD_KEYS];
	unsigned count, hold_ms;
};

struct input {
	struct vmm *vmm;
	GQueue *chords; /* of struct chord; the first is held if held is set */
	bool held;
	unsigned timer; /* source, 0: nothing goes on */
	unsigned buttons;
};

static void next_step(struct input *input);

static void press(struct input *input, const struct chord *chord, bool down)
{
	for (unsigned i = 0; i < chord->count; i++)
		machine_key(input->vmm->machine, chord->key[down ? i : chord->count - 1 - i], down);
}

static gboolean on_timer(gpointer opaque)
{
	struct input *input = opaque;

	input->timer = 0;
	next_step(input);
	return G_SOURCE_REMOVE;
}

/* Up with what is held, or down with what is next. */
static void next_step(struct input *input)
{
	struct chord *chord = g_queue_peek_head(input->chords);

	if (!chord)
		return;
	press(input, chord, !input->held);
	input->timer = g_timeout_add(input->held ? GAP_MS : chord->hold_ms, on_timer, input);
	if (input->held)
		g_free(g_queue_pop_head(input->chords));
	input->held = !input->held;
}

struct input *input_new(struct vmm *vmm)
{
	struct input *input = g_new(struct input, 1);

	*input = (struct input){ .vmm = vmm, .chords = g_queue_new() };
	return input;
}

void input_free(struct input *input)
{
	if (!input)
		return;
	if (input->timer)
		g_source_remove(input->timer);
	g_queue_free_full(input->chords, g_free);
	g_free(input);
}

void input_move(struct input *input, int dx, int dy, int dz, unsigned buttons)
{
	input->buttons = buttons;
	machine_mouse(input->vmm->machine, CLAMP(dx, -MOTION_MAX, MOTION_MAX),
		      CLAMP(dy, -MOTION_MAX, MOTION_MAX), dz, buttons);
}

static bool need_keyboard(const struct vmm *vmm, GError **error)
{
	if (machine_has_keyboard(vmm->machine))
		return true;
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "this machine has no keyboard and no mouse, because its kernel was loaded "
			 "without firmware, and it has no screen; use its serial port");
}

/* { "type": "number" or "qcode", "data": ... }; 0 with @error. */
static uint8_t read_key(const json_t *value, GError **error)
{
	const char *type = json_string_value(json_object_get(value, "type"));
	const json_t *data = json_object_get(value, "data");
	json_int_t number = json_integer_value(data);
	uint8_t key = 0;

	if (!g_strcmp0(type, "qcode") && json_is_string(data)) {
		key = keys_by_name(json_string_value(data));
		if (!key)
			error_set(
				error, SOCLE_ERROR_USAGE,
				"Parameter 'data' does not accept value '%s': the keyboard has no "
				"such key",
				json_string_value(data));
	} else if (!g_strcmp0(type, "number") && json_is_integer(data)) {
		key = number > 0 && number < 0x100 ? (uint8_t)number : 0;
		if (!key)
			error_set(error, SOCLE_ERROR_USAGE,
				  "Parameter 'data' does not accept value '%" JSON_INTEGER_FORMAT
				  "': a key's number is from 1 to 255",
				  number);
	} else {
		error_set(
			error, SOCLE_ERROR_USAGE,
			"a key is {\"type\": \"qcode\", \"data\": NAME} or {\"type\": \"number\", "
			"\"data\": N}");
	}
	return key;
}

static bool read_chord(const json_t *args, struct chord *chord, GError **error)
{
	const json_t *keys = json_object_get(args, "keys"), *item;
	const json_t *hold = json_object_get(args, "hold-time");
	json_int_t hold_ms = hold ? json_integer_value(hold) : HOLD_MS;
	size_t i;

	if (json_array_size(keys) > CHORD_KEYS)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "%zu keys at once are too many: give at most %d",
				 json_array_size(keys), CHORD_KEYS);
	if (hold_ms < 0 || hold_ms > HOLD_MAX_MS)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Parameter 'hold-time' expects 0 to %d milliseconds", HOLD_MAX_MS);
	*chord = (struct chord){ .hold_ms = hold_ms ? (unsigned)hold_ms : HOLD_MS };
	json_array_foreach(keys, i, item)
	{
		chord->key[chord->count] = read_key(item, error);
		if (!chord->key[chord->count++])
			return false;
	}
	return true;
}

json_t *run_send_key(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	struct input *input = vmm->input;
	struct chord chord;

	if (!need_keyboard(vmm, error) || !read_chord(args, &chord, error))
		return NULL;
	if (g_queue_get_length(input->chords) >= CHORDS) {
		error_set(error, SOCLE_ERROR_LIMIT,
			  "%d send-key wait for their turn; wait until their keys are up", CHORDS);
		return NULL;
	}
	g_queue_push_tail(input->chords, g_memdup2(&chord, sizeof(chord)));
	if (!input->timer)
		next_step(input);
	return json_object();
}

/* == Single events == */

struct motion {
	int dx, dy, dz;
	unsigned buttons;
};

static bool read_button(const json_t *data, struct motion *motion, GError **error)
{
	static const struct {
		const char *name;
		unsigned button;
		int dz;
	} buttons[] = {
		{ "left", I8042_LEFT, 0 },   { "middle", I8042_MIDDLE, 0 },
		{ "right", I8042_RIGHT, 0 }, { "side", I8042_SIDE, 0 },
		{ "extra", I8042_EXTRA, 0 }, { "wheel-up", 0, -1 },
		{ "wheel-down", 0, 1 },
	};
	const char *name = json_string_value(json_object_get(data, "button"));
	bool down = json_is_true(json_object_get(data, "down"));

	for (size_t i = 0; i < ARRAY_SIZE(buttons); i++) {
		if (g_strcmp0(name, buttons[i].name))
			continue;
		if (down)
			motion->dz += buttons[i].dz;
		motion->buttons = down ? motion->buttons | buttons[i].button
				       : motion->buttons & ~buttons[i].button;
		return true;
	}
	return error_set(error, SOCLE_ERROR_USAGE, "the mouse has no button '%s'",
			 name ? name : "");
}

static bool read_motion(const json_t *data, struct motion *motion, GError **error)
{
	const char *axis = json_string_value(json_object_get(data, "axis"));
	json_int_t value = json_integer_value(json_object_get(data, "value"));
	int by = (int)CLAMP(value, -MOTION_MAX, MOTION_MAX);

	if (!g_strcmp0(axis, "x"))
		motion->dx = by;
	else if (!g_strcmp0(axis, "y"))
		motion->dy = by;
	else
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Parameter 'axis' does not accept value '%s'; give x or y",
				 axis ? axis : "");
	return true;
}

/* Do one event, or if @try only look whether it makes sense. */
static bool do_event(struct input *input, const json_t *event, bool try, GError **error)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const json_t *data = json_object_get(event, "data");
	struct motion motion = { .buttons = input->buttons };
	uint8_t key;

	if (!g_strcmp0(type, "key")) {
		key = read_key(json_object_get(data, "key"), error);
		if (key && !try)
			machine_key(input->vmm->machine, key,
				    json_is_true(json_object_get(data, "down")));
		return key;
	}
	if (!g_strcmp0(type, "abs"))
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"this machine has a mouse, which cannot be put to a place; send rel");
	if (!g_strcmp0(type, "btn")) {
		if (!read_button(data, &motion, error))
			return false;
	} else if (!g_strcmp0(type, "rel")) {
		if (!read_motion(data, &motion, error))
			return false;
	} else {
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"Parameter 'type' does not accept value '%s'; give key, btn or rel",
			type ? type : "");
	}
	if (try)
		return true;
	input_move(input, motion.dx, motion.dy, motion.dz, motion.buttons);
	return true;
}

/* All events, or none if one makes no sense. */
json_t *run_input_send_event(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const json_t *events = json_object_get(args, "events"), *event;
	size_t i;

	if (!need_keyboard(vmm, error))
		return NULL;
	if (json_array_size(events) > EVENTS) {
		error_set(error, SOCLE_ERROR_LIMIT, "%zu events are too many: give at most %d",
			  json_array_size(events), EVENTS);
		return NULL;
	}
	for (int pass = 0; pass < 2; pass++) {
		json_array_foreach(events, i, event)
		{
			if (!do_event(vmm->input, event, pass == 0, error))
				return NULL;
		}
	}
	return json_object();
}
