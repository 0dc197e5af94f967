/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * param.h - lists of typed parameters: made for an answer, looked up and checked in a call
 *
 * A list that is made belongs to its maker: names and texts are copied. To be sent, its items and
 * count are lent to the member of a body:
 *
 *	ret.params.params_val = list.items;
 *	ret.params.params_len = list.count;
 *
 * Threads: any, one at a time for each list.
 */
#ifndef RPC_PARAM_H
#define RPC_PARAM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "rpc/remote.h"

enum {
	RPC_PARAM_NAME_MAX = 79 /* bytes without the NUL: clients have 80 for it */
};

struct rpc_params {
	rpc_param *items;
	unsigned count;
	unsigned room;
};

void rpc_params_init(struct rpc_params *params);
void rpc_params_release(struct rpc_params *params);

/* Append a value. Name and text are ours: a name has 1 to RPC_PARAM_NAME_MAX bytes. */
void rpc_params_add_int(struct rpc_params *params, const char *name, int value);
void rpc_params_add_uint(struct rpc_params *params, const char *name, unsigned value);
void rpc_params_add_llong(struct rpc_params *params, const char *name, int64_t value);
void rpc_params_add_ullong(struct rpc_params *params, const char *name, uint64_t value);
void rpc_params_add_double(struct rpc_params *params, const char *name, double value);
void rpc_params_add_boolean(struct rpc_params *params, const char *name, bool value);
void rpc_params_add_string(struct rpc_params *params, const char *name, const char *value);

/* What a call takes: a name, its type, and whether it may come several times. */
struct rpc_param_spec {
	const char *name;
	enum rpc_param_type type;
	bool repeated;
};

/**
 * rpc_params_check() - is each of @items what the call takes?
 *
 * Return: false for a name that is too long, not in @specs, of another type or there twice; @error
 *         names it
 */
bool rpc_params_check(const rpc_param *items, unsigned count, const struct rpc_param_spec *specs,
		      size_t specs_count, GError **error);

/**
 * rpc_params_find() - the first of this name
 * @after: NULL, or one of @items: look behind it
 *
 * Return: it belongs to @items; NULL if there is none of this name and type
 */
const rpc_param *rpc_params_find(const rpc_param *items, unsigned count, const char *name,
				 enum rpc_param_type type, const rpc_param *after);

#endif
