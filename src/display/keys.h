/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.h - keys of a PC's keyboard, by their names
 *
 * A key is its number: the code of scan code set 1, with KEYS_EXTENDED for those that follow a 0xe0.
 * That is what QEMU calls a number, too. 0 is no key.
 *
 * Threads: any; the tables are constant.
 */
#ifndef DISPLAY_KEYS_H
#define DISPLAY_KEYS_H

#include <stdint.h>

enum {
	KEYS_EXTENDED = 0x80,
	KEYS_PAUSE = 0xc6, /* has codes of its own, and no release */
	KEYS_SYSRQ = 0x54, /* the same key as KEYS_PRINT, with Alt held */
	KEYS_PRINT = 0xb7,
};

/* By QEMU's name (QKeyCode), by Linux' code (KEY_...); 0: the keyboard has no such key. */
uint8_t keys_by_name(const char *name);
uint8_t keys_by_linux(unsigned code);
/* By an X11 keysym, on an American keyboard: of "!" it is the key of 1, whose client holds Shift. */
uint8_t keys_by_keysym(uint32_t keysym);

#endif
