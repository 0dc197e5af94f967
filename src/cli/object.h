/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * object.h - what networks, pools, volumes and secrets have in common: they are named, and verbs go
 * over many
 *
 * Threads: main only.
 */
#ifndef CLI_OBJECT_H
#define CLI_OBJECT_H

#include "cli/cli.h"
#include "cli/names.h"

/* A kind of objects of libsocle, which are handed on as void *. */
struct object_kind {
	const struct name_kind *words;
	/* The one that @word means, connected; for unref(). NULL with an error. */
	void *(*find)(struct cli *cli, const struct cli_args *args, const char *word,
		      GError **error);
	/* As libsocle's, each for unref(), the list for free(3). Volumes have neither this nor ref(). */
	int (*list)(struct socle_conn *conn, unsigned flags, void ***ret_all,
		    struct socle_error **error);
	void *(*ref)(void *object);
	void (*unref)(void *object);
	const char *(*name)(const void *object);
	const char *(*uuid)(const void *object); /* or the kind has none */
	const char *(*key)(const void *object);  /* what no other one has */
	char *(*xml)(void *object, unsigned flags, struct socle_error **error);
	unsigned inactive; /* the flag of xml() for it, or 0 */
	/* As libsocle's: 0, or -1 with *error. Volumes and secrets have neither. */
	int (*set_autostart)(void *object, bool on, struct socle_error **error);
	int (*undefine)(void *object, struct socle_error **error);
	const char *undefined; /* what is said behind undefine() */
};

extern const struct object_kind object_network, object_pool, object_volume, object_secret;

/* The network or pool that @word means: its name, UUID, or the start of the UUID. */
struct socle_network *cli_network(struct cli *cli, const char *word, GError **error);
struct socle_pool *cli_pool(struct cli *cli, const char *word, GError **error);
/*
 * The volume that @word means: POOL/NAME, a path or key; with --pool=POOL its name there; else the name
 * of a volume that only one pool has.
 */
struct socle_volume *cli_volume(struct cli *cli, const struct cli_args *args, const char *word,
				GError **error);
/* The same; *@ret_pool is set to its pool if that was asked for by the way, for socle_pool_unref(). */
struct socle_volume *cli_volume_in(struct cli *cli, const struct cli_args *args, const char *word,
				   struct socle_pool **ret_pool, GError **error);

/* The secret that @word means: what it is for, its UUID, or the start of the UUID. */
struct socle_secret *cli_secret(struct cli *cli, const char *word, GError **error);
/* What people call it: what it is for, or its UUID. It belongs to @secret. */
const char *cli_secret_name(const struct socle_secret *secret);

/* UUIDs of those that such flags name, as a set; connected. NULL with an error. */
GHashTable *cli_uuids(struct cli *cli, const struct object_kind *kind, unsigned flags,
		      GError **error);

/* Do @act to all that the words from the first on mean, as cli_each() does to machines. */
typedef bool object_act(struct cli *cli, const struct cli_args *args, void *object, GError **error);
int cli_each_object(struct cli *cli, const struct cli_args *args, const struct object_kind *kind,
		    const char *action, const char *done, object_act *act, GError **error);
/* The end of a command that has done something to one: JSON, its name, or "'x' DONE". */
void cli_done_object(const struct cli *cli, const struct object_kind *kind, const void *object,
		     const char *action, const char *done);
/* The run of commands whose first word means one: they print its XML, or its name or UUID on a line. */
int cli_object_xml(struct cli *cli, const struct cli_args *args, GError **error);
int cli_object_name(struct cli *cli, const struct cli_args *args, GError **error);
int cli_object_uuid(struct cli *cli, const struct cli_args *args, GError **error);
/* The run of commands whose words mean any number: "autostart", with --disable, and "undefine". */
int cli_object_autostart(struct cli *cli, const struct cli_args *args, GError **error);
int cli_object_undefine(struct cli *cli, const struct cli_args *args, GError **error);

#endif
