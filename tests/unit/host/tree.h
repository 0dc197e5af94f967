/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree.h - a folder with files that a test brings, in the place of a host's
 */
#ifndef TESTS_HOST_TREE_H
#define TESTS_HOST_TREE_H

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

struct tree {
	char *root;
};

static inline struct tree *tree_new(void)
{
	struct tree *tree = g_new(struct tree, 1);

	tree->root = g_dir_make_tmp("socle-host-XXXXXX", NULL);
	g_assert_nonnull(tree->root);
	return tree;
}

static inline void tree_remove(const char *path)
{
	struct stat st;
	const char *name;
	GDir *dir;

	if (lstat(path, &st) < 0)
		return;
	if (!S_ISDIR(st.st_mode)) {
		g_assert_cmpint(g_unlink(path), ==, 0);
		return;
	}
	dir = g_dir_open(path, 0, NULL);
	g_assert_nonnull(dir);
	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *below = g_build_filename(path, name, NULL);

		tree_remove(below);
	}
	g_dir_close(dir);
	g_assert_cmpint(g_rmdir(path), ==, 0);
}

static inline void tree_free(struct tree *tree)
{
	tree_remove(tree->root);
	g_free(tree->root);
	g_free(tree);
}
DEFINE_AUTOPTR(tree, tree_free);

static inline char *tree_path(const struct tree *tree, const char *path)
{
	return g_build_filename(tree->root, path, NULL);
}

static inline void tree_dir(const struct tree *tree, const char *path)
{
	g_autofree char *full = tree_path(tree, path);

	g_assert_cmpint(g_mkdir_with_parents(full, 0755), ==, 0);
}

static inline void tree_put(const struct tree *tree, const char *path, const char *text)
{
	g_autofree char *full = tree_path(tree, path);
	g_autofree char *dir = g_path_get_dirname(full);

	g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
	g_assert_true(g_file_set_contents(full, text, -1, NULL));
}

/* What is in a file, or NULL if there is none. */
static inline char *tree_get(const struct tree *tree, const char *path)
{
	g_autofree char *full = tree_path(tree, path);
	char *text = NULL;

	(void)g_file_get_contents(full, &text, NULL, NULL);
	return text;
}

static inline void tree_assert(const struct tree *tree, const char *path, const char *text)
{
	g_autofree char *is = tree_get(tree, path);

	if (g_strcmp0(is, text) != 0)
		g_error("%s: '%s', expected '%s'", path, is ? is : "(not there)",
			text ? text : "(not there)");
}

#endif
