/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * value.h - values that may be absent, as all structs of this room have them
 */
#ifndef MODEL_VALUE_H
#define MODEL_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* A number that may be absent. */
struct number {
	int64_t value;
	bool set;
};

static inline struct number number_of(int64_t value)
{
	return (struct number){ value, true };
}

/* Give it a value if it has none. */
static inline void number_default(struct number *n, int64_t value)
{
	if (!n->set)
		*n = number_of(value);
}

/* In XML yes and no, or on and off. */
enum tristate {
	TRI_ABSENT,
	TRI_YES,
	TRI_NO,
	TRI_COUNT
};

#endif
