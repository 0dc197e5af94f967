/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secrets.h - secrets as a user names them: --object, and QMP's object-add and object-del
 *
 * Threads: main loop.
 */
#ifndef VMM_SECRETS_H
#define VMM_SECRETS_H

#include <glib.h>
#include <stdbool.h>

#include "vmm/keyvalue.h"

extern const char secret_keys[];

/* Put the secret of such a list into an array of struct secret; its id is a new one. */
bool secrets_add(GPtrArray *secrets, struct keyvalue *list, GError **error);
bool secrets_remove(GPtrArray *secrets, const char *id, GError **error);

#endif
