/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * install.h - the parts of socle install: a kernel and initrd out of a tree, and answers for them
 *
 * Threads: main only.
 */
#ifndef CLI_INSTALL_H
#define CLI_INSTALL_H

#include <glib.h>
#include <stdbool.h>

/* How an installer is told what it would ask: the file's kind. */
enum answers {
	ANSWERS_UNKNOWN,
	ANSWERS_KICKSTART,
	ANSWERS_PRESEED,
	ANSWERS_AUTOINSTALL,
	ANSWERS_AUTOYAST,
	ANSWERS_COUNT
};

struct installer {
	int kernel, initrd;   /* files that can be read, -1: there is none */
	enum answers answers; /* what it takes */
	GString *append;      /* words for the kernel */
	bool on_cd;           /* the rest of it is on the CD's image that they come from */
};

void installer_release(struct installer *installer);

/* ---- install-tree.c ---- */

/* What a tree says of itself in .treeinfo. */
struct treeinfo {
	char *kernel, *initrd; /* files of the tree; NULL: it tells of none */
	enum answers answers;
};

/* False: it names files outside. */
bool treeinfo_parse(const char *text, size_t len, struct treeinfo *ret_info, GError **error);
void treeinfo_release(struct treeinfo *info);
/* The kernel and initrd of a tree: a folder here, what is on a CD's image here, or at an URL. */
bool installer_open_tree(struct installer *installer, const char *location, GError **error);
/* Files here; @initrd may be NULL. */
bool installer_open_files(struct installer *installer, const char *kernel, const char *initrd,
			  GError **error);

/* ---- install-answers.c ---- */

/* A file of this host goes into the initrd, by its own name. */
bool installer_inject(struct installer *installer, const char *path, GError **error);
/*
 * The file at @path answers the installer's questions: it goes into the initrd, and words say so. What
 * is to be told by a CD instead, as cloud-init is, is @ret_user_data: g_free() it.
 */
bool installer_answer(struct installer *installer, const char *path, char **ret_user_data,
		      GError **error);
/* What such a text looks like. */
enum answers answers_of(const char *text);
const char *answers_name(enum answers answers);

#endif
