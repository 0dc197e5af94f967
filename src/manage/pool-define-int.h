/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool-define-int.h - definitions of storage pools as they come from a client
 */
#ifndef MANAGE_POOL_DEFINE_INT_H
#define MANAGE_POOL_DEFINE_INT_H

#include "manage/pool-int.h"

/* Read, filled in and checked; NULL: the call has failed. */
struct storage_pool *call_pool_def(struct call *call, const char *xml, bool strict);
/**
 * call_same_pool() - the pool that @def is another definition of
 * @ret_pool: NULL if it is a new one
 *
 * Return: false if another one has its name, its UUID or its place: the call has failed
 */
bool call_same_pool(struct call *call, const struct storage_pool *def, struct pool **ret_pool);

#endif
