/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tune-int.h - what calls for typed parameters have in common
 */
#ifndef CLIENT_TUNE_INT_H
#define CLIENT_TUNE_INT_H

enum {
	/* Among the flags of calls that get typed parameters: texts are understood. */
	TUNE_STRINGS = 1 << 2,
};

#endif
