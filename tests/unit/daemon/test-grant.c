/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-grant.c - access control lists that a machine's user is put into, and out of
 */
#include "daemon/grant.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

enum {
	UID = 65534,
	GID = 65533,
	OTHER = 1000,
	READ = 4,
	BOTH = 6,
};

static bool allows(const struct grant_acl *acl, uid_t uid, gid_t gid, unsigned need)
{
	return grant_acl_allows(acl, 0, 0, uid, gid, need);
}

static void test_mode(void)
{
	struct grant_acl acl, before;

	for (unsigned mode = 0; mode <= 0777; mode++) {
		grant_acl_of_mode(&acl, mode);
		before = acl;
		g_assert_true(allows(&acl, 0, 0, READ) == ((mode & 0400) != 0));
		g_assert_true(allows(&acl, UID, 0, BOTH) == ((mode & 060) == 060));
		g_assert_true(allows(&acl, UID, GID, READ) == ((mode & 04) != 0));
		g_assert_true(grant_acl_add(&acl, UID, READ));
		g_assert_true(allows(&acl, UID, GID, READ));
		g_assert_false(allows(&acl, UID, GID, BOTH));
		/* Nobody else has more, or less. */
		for (unsigned need = 1; need <= 7; need++) {
			g_assert_true(allows(&acl, OTHER, 0, need) ==
				      allows(&before, OTHER, 0, need));
			g_assert_true(allows(&acl, OTHER, OTHER, need) ==
				      allows(&before, OTHER, OTHER, need));
		}
		g_assert_true(grant_acl_add(&acl, UID, BOTH));
		g_assert_true(allows(&acl, UID, GID, BOTH));
		g_assert_true(grant_acl_remove(&acl, UID));
		g_assert_false(grant_acl_remove(&acl, UID));
		g_assert_cmpmem(acl.bytes, acl.len, before.bytes, before.len);
	}
}

/* What a mask has kept from somebody does not come back to him. */
static void test_mask(void)
{
	struct grant_acl acl;

	grant_acl_of_mode(&acl, 0640);
	g_assert_true(grant_acl_add(&acl, OTHER, BOTH));
	/* As chmod g-w does. */
	put_le16(acl.bytes + 4 + 3 * 8 + 2, READ);
	g_assert_false(allows(&acl, OTHER, GID, BOTH));
	g_assert_true(grant_acl_add(&acl, UID, BOTH));
	g_assert_true(allows(&acl, UID, GID, BOTH));
	g_assert_false(allows(&acl, OTHER, GID, BOTH));
	g_assert_true(allows(&acl, OTHER, GID, READ));
	g_assert_true(grant_acl_remove(&acl, UID));
	g_assert_true(allows(&acl, OTHER, GID, READ));
}

static void test_nonsense(void)
{
	struct grant_acl acl = { .len = 0 };

	g_assert_false(grant_acl_add(&acl, UID, READ));
	grant_acl_of_mode(&acl, 0600);
	acl.len -= 8;
	g_assert_false(grant_acl_add(&acl, UID, READ));
	g_assert_false(allows(&acl, UID, GID, READ));
	grant_acl_of_mode(&acl, 0600);
	for (uid_t uid = 1; grant_acl_add(&acl, uid, READ); uid++)
		;
	g_assert_cmpuint(acl.len, <=, GRANT_ACL_MAX);
	g_assert_true(grant_acl_remove(&acl, 1));
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	g_assert_cmpint(stat(path, &st), ==, 0);
	return st.st_mode & 07777;
}

static void test_files(void)
{
	g_autofree char *dir = g_dir_make_tmp("socle-grant-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "disk", NULL);
	g_autofree char *link = g_build_filename(dir, "link", NULL);

	if (geteuid()) {
		g_test_skip("only root can let others open its files");
		return;
	}
	g_assert_true(g_file_set_contents(path, "x", 1, NULL));
	g_assert_cmpint(chmod(path, 0600), ==, 0);
	g_assert_cmpint(symlink(path, link), ==, 0);
	if (!grant(path, "a", UID, GID, true)) {
		g_test_skip("this file system has no access control lists");
	} else {
		g_assert_cmpuint(mode_of(path), ==, 0660);
		/* For two machines, and until the last one ends. */
		g_assert_true(grant(path, "b", UID, GID, true));
		g_assert_true(grant(path, "b", UID, GID, true));
		grant_end(path, "a", UID);
		grant_end(path, "a", UID);
		g_assert_cmpuint(mode_of(path), ==, 0660);
		grant_end(path, "b", UID);
		g_assert_cmpuint(mode_of(path), ==, 0600);
		grant_end(path, "b", UID);
		/* The folder is everybody's here: who made the link? */
		g_assert_cmpint(chmod(dir, 0777), ==, 0);
		g_assert_false(grant(link, "a", UID, GID, true));
		g_assert_cmpuint(mode_of(path), ==, 0600);
		g_assert_cmpint(chmod(path, 0666), ==, 0);
		g_assert_false(grant(path, "a", UID, GID, true));
	}
	g_assert_false(grant(dir, "a", UID, GID, true));
	g_assert_false(grant("/dev/null", "a", UID, GID, true));
	(void)g_unlink(link);
	(void)g_unlink(path);
	(void)g_rmdir(dir);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/grant/mode", test_mode);
	g_test_add_func("/grant/mask", test_mask);
	g_test_add_func("/grant/nonsense", test_nonsense);
	g_test_add_func("/grant/files", test_files);
	return g_test_run();
}
