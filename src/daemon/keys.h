/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.h - lists of keys and values for socle-vm: "path=/x,readonly=on" on its command line, an object
 * in QMP
 *
 * Who fills a list need not know which it is. A comma within a value is written twice.
 *
 * Threads: any.
 */
#ifndef DAEMON_KEYS_H
#define DAEMON_KEYS_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

struct keys {
	GString *text;  /* or NULL */
	json_t *object; /* or NULL */
	unsigned count;
};

struct keys keys_text(void);
struct keys keys_object(void);

/* A word alone; for texts only. */
void keys_word(struct keys *keys, const char *word);
/* Nothing happens if @value is NULL. */
void keys_add(struct keys *keys, const char *key, const char *value);
void keys_printf(struct keys *keys, const char *key, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
void keys_bool(struct keys *keys, const char *key, bool value);
void keys_number(struct keys *keys, const char *key, int64_t value);
/* One of several values of the same key. */
void keys_append(struct keys *keys, const char *key, const char *value);

#endif
