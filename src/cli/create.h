/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create.h - the parts of socle create: a pool, a disk from an image, a CD for cloud-init
 *
 * Threads: main only.
 */
#ifndef CLI_CREATE_H
#define CLI_CREATE_H

#include "cli/cli.h"
#include "cli/run-xml.h"

struct seed;

struct create_image {
	struct socle_volume *vol; /* that the daemon has; or: */
	int fd;                   /* a file here, -1: there is none */
	char *format;
	uint64_t capacity; /* what a guest sees */
};

struct create {
	struct cli *cli;
	const struct cli_args *args;
	const char *name;
	struct run_machine machine;
	struct socle_pool *pool; /* for volumes */
	struct create_image image;
	uint64_t size;     /* of the disk; 0: that of the image */
	struct seed *seed; /* for the CD, or NULL */
	GPtrArray *made;   /* struct socle_volume: they go again if a step fails */
};

void create_release(struct create *create);

/* As --no-start and --console say. */
bool create_start(struct create *create, struct socle_domain *dom, GError **error);
/* A machine that did not come to be ends and is forgotten; false: it stays. */
bool create_undo_machine(struct socle_domain *dom);

/* What --memory and --vcpus, and --network say. */
bool create_take_sizes(struct create *create, GError **error);
bool create_take_networks(struct create *create, GError **error);

/* ---- create-template.c ---- */

/* Words that go with --template, and those that do not. */
bool create_check_template(const struct cli_args *args, GError **error);
/* It, and nothing if there is an error. */
struct socle_domain *create_from_template(struct create *create, GError **error);

/* ---- create-disk.c ---- */

/* What --disk says. */
bool create_take_size(struct create *create, GError **error);
/*
 * POOL/VOLUME, a path that a pool has, or the name of an image that no file here has. True and NULL: a file is
 * meant, if anything.
 */
bool create_known_volume(struct create *create, const char *word, struct socle_volume **ret_vol,
			 GError **error);
/* What --image and --disk mean. Nothing is changed yet. */
bool create_find_image(struct create *create, GError **error);
/* The pool that is meant; that of the name "default" is made if there is none. */
bool create_find_pool(struct create *create, GError **error);
/* The disk, if one was asked for, as the machine's first. */
bool create_disk(struct create *create, GError **error);

/* ---- create-seed.c ---- */

/* What --ssh-key and --user-data say. */
bool create_read_seed(struct create *create, GError **error);
/* It becomes a volume, and a drive of the machine. */
bool create_seed(struct create *create, GError **error);

/* A CD as a volume that belongs to @made. */
struct socle_volume *create_cd(struct socle_pool *pool, const char *name, const struct seed *seed,
			       GPtrArray *made, GError **error);
/* What cloud-init finds on a CD; NULL if that is another one, or nobody can know. */
struct seed *create_read_cd(struct socle_volume *vol);
/* One more disk of the machine; the format is a copy. */
bool create_add(struct create *create, struct socle_volume *vol, const char *format, bool cdrom,
		GError **error);

#endif
