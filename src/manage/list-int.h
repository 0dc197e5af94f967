/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list-int.h - which domains a client wants to see
 */
#ifndef MANAGE_LIST_INT_H
#define MANAGE_LIST_INT_H

#include "manage/vm-int.h"

/* The bits of libvirt's filter: within a group any will do, and each group counts. */
enum {
	LIST_FLAGS = 0xffff,
};

bool list_wants(const struct vm *vm, unsigned flags);

#endif
