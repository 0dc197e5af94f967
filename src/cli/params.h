/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * params.h - lists of typed parameters are printed
 */
#ifndef CLI_PARAMS_H
#define CLI_PARAMS_H

#include "cli/output.h"
#include "client/socle.h"

/* {"name": value, ...}; numbers above 2^63 are what JSON cannot have, and strings. */
json_t *params_json(const struct socle_params *params);
/* A line for each, behind @indent. */
void params_out(const struct socle_params *params, const char *indent);

#endif
