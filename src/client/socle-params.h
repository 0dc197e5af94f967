/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-params.h - lists of typed parameters: names with values, for tuning and for statistics
 *
 * Threads: any, one at a time for each list.
 */
#ifndef CLIENT_SOCLE_PARAMS_H
#define CLIENT_SOCLE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/socle-error.h"

/* Types of values; the numbers are the protocol's. */
enum socle_param_type {
	SOCLE_PARAM_INT = 1,
	SOCLE_PARAM_UINT = 2,
	SOCLE_PARAM_LLONG = 3,
	SOCLE_PARAM_ULLONG = 4,
	SOCLE_PARAM_DOUBLE = 5,
	SOCLE_PARAM_BOOLEAN = 6,
	SOCLE_PARAM_STRING = 7,
};

/* A parameter. It belongs to its list, until that changes. */
struct socle_param {
	const char *name;
	enum socle_param_type type; /* says which member of value is set */
	union {
		int i;
		unsigned ui;
		int64_t l;
		uint64_t ul;
		double d;
		bool b;
		const char *s;
	} value;
};

struct socle_params;

/**
 * socle_params_new() - an empty list
 *
 * Return: for socle_params_free()
 */
SOCLE_API struct socle_params *socle_params_new(void);

/**
 * socle_params_free() - give a list back
 * @params: may be NULL
 */
SOCLE_API void socle_params_free(struct socle_params *params);

/**
 * socle_params_count() - how many parameters there are
 * @params: may be NULL, which is an empty list
 */
SOCLE_API size_t socle_params_count(const struct socle_params *params);

/**
 * socle_params_get() - one by its place
 * @params: the list
 * @index:  from 0
 *
 * Return: NULL if there are not that many
 */
SOCLE_API const struct socle_param *socle_params_get(const struct socle_params *params,
						     size_t index);

/**
 * socle_params_find() - one by its name
 * @params: the list
 * @name:   whole, case matters
 *
 * Return: the first of this name; NULL if there is none
 */
SOCLE_API const struct socle_param *socle_params_find(const struct socle_params *params,
						      const char *name);

/**
 * socle_params_get_int64() - an integer or boolean of whatever width, by its name
 * @params:    the list
 * @name:      whole
 * @ret_value: set only if true is returned
 *
 * Return: false if there is none of this name, or it does not fit
 */
SOCLE_API bool socle_params_get_int64(const struct socle_params *params, const char *name,
				      int64_t *ret_value);

/**
 * socle_params_get_uint64() - the same for numbers of 0 or more
 * @params:    the list
 * @name:      whole
 * @ret_value: set only if true is returned
 *
 * Return: false if there is none of this name, or it does not fit
 */
SOCLE_API bool socle_params_get_uint64(const struct socle_params *params, const char *name,
				       uint64_t *ret_value);

/**
 * socle_params_get_string() - a text by its name
 * @params: the list
 * @name:   whole
 *
 * Return: it belongs to the list; NULL if there is no text of this name
 */
SOCLE_API const char *socle_params_get_string(const struct socle_params *params, const char *name);

/**
 * socle_params_add() - append a parameter
 * @params: the list
 * @param:  is copied with its texts; its name has 1 to 79 bytes
 * @error:  says why not
 *
 * Return: 0, or -1 for a name or type that cannot be
 */
SOCLE_API int socle_params_add(struct socle_params *params, const struct socle_param *param,
			       struct socle_error **error);

/**
 * socle_params_add_text() - append a parameter whose value is given as text, as on a command line
 * @params: the list
 * @name:   1 to 79 bytes
 * @type:   what the value is to be
 * @text:   a decimal number, "yes" or "no" (also on, off, true, false, 1, 0), or the string itself
 * @error:  says why not
 *
 * Return: 0, or -1 if @text is none of this type
 */
SOCLE_API int socle_params_add_text(struct socle_params *params, const char *name,
				    enum socle_param_type type, const char *text,
				    struct socle_error **error);

#endif
