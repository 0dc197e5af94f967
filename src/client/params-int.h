/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * params-int.h - typed parameters on their way to and from the wire
 */
#ifndef CLIENT_PARAMS_INT_H
#define CLIENT_PARAMS_INT_H

#include "client/socle-params.h"
#include "rpc/remote.h"

/* Take over what an answer has: *@items is set to NULL, *@count to 0. */
struct socle_params *client_params_take(rpc_param **items, unsigned *count);

/* What a call sends: lent by the list. NULL has none. */
rpc_param *client_params_wire(const struct socle_params *params, unsigned *ret_count);

/* Append a number; the name has come from a server, and may be of any length. */
void client_params_add_stat(struct socle_params *params, const char *name, uint64_t value);

#endif
