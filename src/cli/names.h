/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h - which machine, network, pool or secret does a word mean? Its name, UUID, or the start of the UUID
 */
#ifndef CLI_NAMES_H
#define CLI_NAMES_H

#include <glib.h>

enum {
	NAMES_PREFIX_MIN = 4, /* letters of a UUID that may stand for it */
};

/* What they are called in messages, and the command that lists them. */
struct name_kind {
	const char *one, *many, *list;
};

extern const struct name_kind name_machine;

/* What has a name: a machine, network, pool or secret. */
struct named {
	const char *name;
	char uuid[37];
	int id; /* of a machine; -1: does not run */
};

/**
 * names_find() - the machine, network, pool or secret that @word means
 * @where: the daemon, in messages
 *
 * A name comes first, whatever else it looks like.
 * Return: its place in @all, or -1 with an error that helps
 */
int names_find(const struct name_kind *kind, const struct named *all, unsigned count,
	       const char *word, const char *where, GError **error);

#endif
