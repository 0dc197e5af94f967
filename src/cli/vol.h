/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol.h - volumes: what commands that make machines do with them, too
 *
 * Threads: main only.
 */
#ifndef CLI_VOL_H
#define CLI_VOL_H

#include <glib.h>
#include <stdbool.h>

#include "client/socle.h"
#include "model/storage.h"

struct cli;
struct cli_args;

/* For commands that fill one: enum socle_volume_create_flags, and those of its streams. */
unsigned vol_no_sync(const struct cli_args *args);

/* What a volume is, as storage_vol_skim() has it; NULL with an error. */
struct storage_vol *vol_definition(struct socle_volume *vol, GError **error);

/*
 * A volume @name in @pool that begins as @from is: a copy, or if @linked a qcow2 image that refers to
 * it. @flags: enum socle_volume_create_flags. For socle_volume_unref(); NULL with an error.
 */
struct socle_volume *vol_clone(struct cli *cli, struct socle_pool *pool, struct socle_volume *from,
			       const char *name, bool linked, unsigned flags, GError **error);

/* Deletes each of what was made for something that did not come to be; false: some stay, it says which. */
bool vols_take_back(struct cli *cli, const GPtrArray *vols);
/* The same; after Ctrl-C @error becomes the one sentence about that. @name: of what did not come to be. */
void vols_undo(struct cli *cli, const GPtrArray *vols, const char *name, GError **error);

/* Is a person looking? */
bool vol_shows_progress(const struct cli *cli);

/*
 * A raw volume @name that has what the file @fd has, known to people as @path; it belongs to @made. Who is killed
 * meanwhile leaves nothing, if the daemon is socled. @flags: as of vol_clone(). NULL with an error.
 */
struct socle_volume *vol_make_of(struct socle_pool *pool, const char *name, int fd,
				 const char *path, unsigned flags, bool shows_progress,
				 GPtrArray *made, GError **error);

#endif
