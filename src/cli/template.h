/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template.h - machines from machines: clones, and templates that are there for it
 *
 * Threads: main only.
 */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include "cli/cli.h"

struct domain;
struct seed;

/* How a clone is to differ; 0 and NULL: not at all. */
struct clone_wish {
	const char *name;
	bool linked;               /* its disks refer to those that it begins as */
	const struct seed *seed;   /* what cloud-init is told */
	bool keeps_seed;           /* what it was told already goes before that */
	uint64_t memory_kib, size; /* bytes of the first disk */
	unsigned cpus;
	/* What is to be done with it at the end; if that fails it goes again. NULL: nothing */
	bool (*then)(void *opaque, struct socle_domain *dom, GError **error);
	void *opaque;
};

/* ---- clone.c ---- */

/* The definition of a machine, with @flags of enum socle_xml_flags; NULL with an error. */
struct domain *machine_definition(struct socle_domain *dom, unsigned flags, GError **error);
/*
 * One more machine as @from is, defined; NULL with an error, and then nothing of it is
 * left. Catches Ctrl-C meanwhile.
 */
struct socle_domain *clone_machine(struct cli *cli, struct socle_domain *from,
				   const struct clone_wish *wish, GError **error);

/* ---- template.c ---- */

bool template_is(struct socle_domain *dom);
/* The template that @word means; for socle_domain_unref(). */
struct socle_domain *template_find(struct cli *cli, const char *word, GError **error);

#endif
