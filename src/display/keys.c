/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.c - keys of a PC's keyboard, by their names
 *
 * Linux' codes up to 83, and 87 and 88, are the numbers themselves: they were made from set 1.
 */
#include "display/keys.h"

#include <linux/input-event-codes.h>
#include <rfb/keysym.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

struct key {
	const char *name;
	uint16_t code; /* Linux' */
	uint8_t number;
};

static const struct key keys[] = {
	{ "esc", KEY_ESC, 0x01 },
	{ "1", KEY_1, 0x02 },
	{ "2", KEY_2, 0x03 },
	{ "3", KEY_3, 0x04 },
	{ "4", KEY_4, 0x05 },
	{ "5", KEY_5, 0x06 },
	{ "6", KEY_6, 0x07 },
	{ "7", KEY_7, 0x08 },
	{ "8", KEY_8, 0x09 },
	{ "9", KEY_9, 0x0a },
	{ "0", KEY_0, 0x0b },
	{ "minus", KEY_MINUS, 0x0c },
	{ "equal", KEY_EQUAL, 0x0d },
	{ "backspace", KEY_BACKSPACE, 0x0e },
	{ "tab", KEY_TAB, 0x0f },
	{ "q", KEY_Q, 0x10 },
	{ "w", KEY_W, 0x11 },
	{ "e", KEY_E, 0x12 },
	{ "r", KEY_R, 0x13 },
	{ "t", KEY_T, 0x14 },
	{ "y", KEY_Y, 0x15 },
	{ "u", KEY_U, 0x16 },
	{ "i", KEY_I, 0x17 },
	{ "o", KEY_O, 0x18 },
	{ "p", KEY_P, 0x19 },
	{ "bracket_left", KEY_LEFTBRACE, 0x1a },
	{ "bracket_right", KEY_RIGHTBRACE, 0x1b },
	{ "ret", KEY_ENTER, 0x1c },
	{ "ctrl", KEY_LEFTCTRL, 0x1d },
	{ "a", KEY_A, 0x1e },
	{ "s", KEY_S, 0x1f },
	{ "d", KEY_D, 0x20 },
	{ "f", KEY_F, 0x21 },
	{ "g", KEY_G, 0x22 },
	{ "h", KEY_H, 0x23 },
	{ "j", KEY_J, 0x24 },
	{ "k", KEY_K, 0x25 },
	{ "l", KEY_L, 0x26 },
	{ "semicolon", KEY_SEMICOLON, 0x27 },
	{ "apostrophe", KEY_APOSTROPHE, 0x28 },
	{ "grave_accent", KEY_GRAVE, 0x29 },
	{ "shift", KEY_LEFTSHIFT, 0x2a },
	{ "backslash", KEY_BACKSLASH, 0x2b },
	{ "z", KEY_Z, 0x2c },
	{ "x", KEY_X, 0x2d },
	{ "c", KEY_C, 0x2e },
	{ "v", KEY_V, 0x2f },
	{ "b", KEY_B, 0x30 },
	{ "n", KEY_N, 0x31 },
	{ "m", KEY_M, 0x32 },
	{ "comma", KEY_COMMA, 0x33 },
	{ "dot", KEY_DOT, 0x34 },
	{ "slash", KEY_SLASH, 0x35 },
	{ "shift_r", KEY_RIGHTSHIFT, 0x36 },
	{ "kp_multiply", KEY_KPASTERISK, 0x37 },
	{ "asterisk", KEY_KPASTERISK, 0x37 },
	{ "alt", KEY_LEFTALT, 0x38 },
	{ "spc", KEY_SPACE, 0x39 },
	{ "caps_lock", KEY_CAPSLOCK, 0x3a },
	{ "f1", KEY_F1, 0x3b },
	{ "f2", KEY_F2, 0x3c },
	{ "f3", KEY_F3, 0x3d },
	{ "f4", KEY_F4, 0x3e },
	{ "f5", KEY_F5, 0x3f },
	{ "f6", KEY_F6, 0x40 },
	{ "f7", KEY_F7, 0x41 },
	{ "f8", KEY_F8, 0x42 },
	{ "f9", KEY_F9, 0x43 },
	{ "f10", KEY_F10, 0x44 },
	{ "num_lock", KEY_NUMLOCK, 0x45 },
	{ "scroll_lock", KEY_SCROLLLOCK, 0x46 },
	{ "kp_7", KEY_KP7, 0x47 },
	{ "kp_8", KEY_KP8, 0x48 },
	{ "kp_9", KEY_KP9, 0x49 },
	{ "kp_subtract", KEY_KPMINUS, 0x4a },
	{ "kp_4", KEY_KP4, 0x4b },
	{ "kp_5", KEY_KP5, 0x4c },
	{ "kp_6", KEY_KP6, 0x4d },
	{ "kp_add", KEY_KPPLUS, 0x4e },
	{ "kp_1", KEY_KP1, 0x4f },
	{ "kp_2", KEY_KP2, 0x50 },
	{ "kp_3", KEY_KP3, 0x51 },
	{ "kp_0", KEY_KP0, 0x52 },
	{ "kp_decimal", KEY_KPDOT, 0x53 },
	{ "sysrq", KEY_SYSRQ, KEYS_SYSRQ },
	{ "less", KEY_102ND, 0x56 },
	{ "f11", KEY_F11, 0x57 },
	{ "f12", KEY_F12, 0x58 },
	{ "kp_equals", KEY_KPEQUAL, 0x59 },
	{ "hiragana", KEY_KATAKANAHIRAGANA, 0x70 },
	{ "ro", KEY_RO, 0x73 },
	{ "henkan", KEY_HENKAN, 0x79 },
	{ "muhenkan", KEY_MUHENKAN, 0x7b },
	{ "yen", KEY_YEN, 0x7d },
	{ "kp_comma", KEY_KPCOMMA, 0x7e },
	{ "kp_enter", KEY_KPENTER, 0x9c },
	{ "ctrl_r", KEY_RIGHTCTRL, 0x9d },
	{ "audiomute", KEY_MUTE, 0xa0 },
	{ "volumedown", KEY_VOLUMEDOWN, 0xae },
	{ "volumeup", KEY_VOLUMEUP, 0xb0 },
	{ "kp_divide", KEY_KPSLASH, 0xb5 },
	{ "print", KEY_PRINT, KEYS_PRINT },
	{ "alt_r", KEY_RIGHTALT, 0xb8 },
	{ "pause", KEY_PAUSE, KEYS_PAUSE },
	{ "home", KEY_HOME, 0xc7 },
	{ "up", KEY_UP, 0xc8 },
	{ "pgup", KEY_PAGEUP, 0xc9 },
	{ "left", KEY_LEFT, 0xcb },
	{ "right", KEY_RIGHT, 0xcd },
	{ "end", KEY_END, 0xcf },
	{ "down", KEY_DOWN, 0xd0 },
	{ "pgdn", KEY_PAGEDOWN, 0xd1 },
	{ "insert", KEY_INSERT, 0xd2 },
	{ "delete", KEY_DELETE, 0xd3 },
	{ "meta_l", KEY_LEFTMETA, 0xdb },
	{ "meta_r", KEY_RIGHTMETA, 0xdc },
	{ "menu", KEY_COMPOSE, 0xdd },
	{ "compose", KEY_COMPOSE, 0xdd },
	{ "power", KEY_POWER, 0xde },
	{ "sleep", KEY_SLEEP, 0xdf },
	{ "wake", KEY_WAKEUP, 0xe3 },
};

uint8_t keys_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return keys[i].number;
	}
	return 0;
}

uint8_t keys_by_linux(unsigned code)
{
	/* Linux calls the key with Print on it SysRq. */
	if (code == KEY_SYSRQ)
		return KEYS_PRINT;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].code == code)
			return keys[i].number;
	}
	return 0;
}

/* == X11 == */

/* What is on each key of the American layout, without and with Shift. */
static const struct {
	uint8_t first; /* number of the first key */
	const char *plain, *shifted;
} rows[] = {
	{ 0x02, "1234567890-=", "!@#$%^&*()_+" },
	{ 0x10, "qwertyuiop[]", "QWERTYUIOP{}" },
	{ 0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
	{ 0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
	{ 0x39, " ", " " },
};

static const struct {
	uint16_t keysym;
	uint8_t number;
} others[] = {
	{ XK_BackSpace, 0x0e },     { XK_Tab, 0x0f },
	{ XK_ISO_Left_Tab, 0x0f },  { XK_Return, 0x1c },
	{ XK_Pause, KEYS_PAUSE },   { XK_Scroll_Lock, 0x46 },
	{ XK_Sys_Req, KEYS_SYSRQ }, { XK_Escape, 0x01 },
	{ XK_Delete, 0xd3 },        { XK_Home, 0xc7 },
	{ XK_Left, 0xcb },          { XK_Up, 0xc8 },
	{ XK_Right, 0xcd },         { XK_Down, 0xd0 },
	{ XK_Page_Up, 0xc9 },       { XK_Page_Down, 0xd1 },
	{ XK_End, 0xcf },           { XK_Print, KEYS_PRINT },
	{ XK_Insert, 0xd2 },        { XK_Menu, 0xdd },
	{ XK_Num_Lock, 0x45 },      { XK_KP_Enter, 0x9c },
	{ XK_KP_Home, 0x47 },       { XK_KP_Left, 0x4b },
	{ XK_KP_Up, 0x48 },         { XK_KP_Right, 0x4d },
	{ XK_KP_Down, 0x50 },       { XK_KP_Page_Up, 0x49 },
	{ XK_KP_Page_Down, 0x51 },  { XK_KP_End, 0x4f },
	{ XK_KP_Begin, 0x4c },      { XK_KP_Insert, 0x52 },
	{ XK_KP_Delete, 0x53 },     { XK_KP_Equal, 0x59 },
	{ XK_KP_Multiply, 0x37 },   { XK_KP_Add, 0x4e },
	{ XK_KP_Separator, 0x7e },  { XK_KP_Subtract, 0x4a },
	{ XK_KP_Decimal, 0x53 },    { XK_KP_Divide, 0xb5 },
	{ XK_KP_0, 0x52 },          { XK_KP_1, 0x4f },
	{ XK_KP_2, 0x50 },          { XK_KP_3, 0x51 },
	{ XK_KP_4, 0x4b },          { XK_KP_5, 0x4c },
	{ XK_KP_6, 0x4d },          { XK_KP_7, 0x47 },
	{ XK_KP_8, 0x48 },          { XK_KP_9, 0x49 },
	{ XK_F11, 0x57 },           { XK_F12, 0x58 },
	{ XK_Shift_L, 0x2a },       { XK_Shift_R, 0x36 },
	{ XK_Control_L, 0x1d },     { XK_Control_R, 0x9d },
	{ XK_Caps_Lock, 0x3a },     { XK_Meta_L, 0x38 },
	{ XK_Meta_R, 0xb8 },        { XK_Alt_L, 0x38 },
	{ XK_Alt_R, 0xb8 },         { XK_ISO_Level3_Shift, 0xb8 },
	{ XK_Mode_switch, 0xb8 },   { XK_Super_L, 0xdb },
	{ XK_Super_R, 0xdc },
};

uint8_t keys_by_keysym(uint32_t keysym)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows) && keysym > 0 && keysym < 0x80; i++) {
		const char *plain = strchr(rows[i].plain, (int)keysym);
		const char *shifted = strchr(rows[i].shifted, (int)keysym);

		if (plain)
			return (uint8_t)(rows[i].first + (plain - rows[i].plain));
		if (shifted)
			return (uint8_t)(rows[i].first + (shifted - rows[i].shifted));
	}
	if (keysym >= XK_F1 && keysym <= XK_F10)
		return (uint8_t)(keysym - XK_F1 + 0x3b);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (others[i].keysym == keysym)
			return others[i].number;
	}
	return 0;
}
