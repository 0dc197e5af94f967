/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-install.c - socle install: trees, files in an initrd, and files of answers
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "cli/install.h"
#include "cli/iso.h"

enum {
	/* Of a CD's image. */
	AT_DESCRIPTORS = 16 * 2048,
	AT_FILES = 32 * 2048,
};

static char *folder;

static char *place(const char *name, const char *text)
{
	char *path = g_build_filename(folder, name, NULL);
	g_autofree char *dir = g_path_get_dirname(path);

	g_assert_cmpint(g_mkdir_with_parents(dir, 0700), ==, 0);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	return path;
}

static char *content(int fd, size_t *ret_len)
{
	char *text = g_malloc0(4096);
	ssize_t len;

	g_assert_cmpint(sys_lseek(fd, 0, SEEK_SET), ==, 0);
	len = sys_read_full(fd, text, 4095);
	g_assert_cmpint(len, >=, 0);
	*ret_len = (size_t)len;
	return text;
}

static void assert_is(int fd, const char *wanted)
{
	size_t len;
	g_autofree char *text = content(fd, &len);

	g_assert_cmpstr(text, ==, wanted);
}

static struct installer installer_empty(void)
{
	return (struct installer){ .kernel = -1, .initrd = -1, .append = g_string_new("quiet") };
}

/* ---- answers ---- */

static void test_kinds(void)
{
	static const struct {
		const char *text;
		enum answers kind;
	} all[] = {
		{ "", ANSWERS_UNKNOWN },
		{ "hello\n", ANSWERS_UNKNOWN },
		{ "# mine\nlang fr_CH\n%packages\n", ANSWERS_KICKSTART },
		{ "%include /tmp/x\n", ANSWERS_KICKSTART },
		{ "#_preseed_V1\n  d-i debian-installer/locale string fr_CH\n", ANSWERS_PRESEED },
		{ "#cloud-config\nautoinstall:\n  version: 1\n", ANSWERS_AUTOINSTALL },
		{ "autoinstall:\n  version: 1\n", ANSWERS_AUTOINSTALL },
		{ "<?xml version=\"1.0\"?>\n<profile>\n", ANSWERS_AUTOYAST },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		g_assert_cmpint(answers_of(all[i].text), ==, all[i].kind);
}

/* One archive behind what was there, at a place that the kernel looks at. */
static void test_inject(void)
{
	g_autofree char *initrd = place("initrd", "12345"), *file = place("deep/one.txt", "words");
	g_autofree char *kernel = place("kernel", "k"), *text = NULL, *still = NULL;
	struct installer installer = installer_empty();
	g_autoptr(GError) error = NULL;
	size_t len;

	g_assert_true(installer_open_files(&installer, kernel, initrd, &error));
	g_assert_true(installer_inject(&installer, file, &error));
	text = content(installer.initrd, &len);
	g_assert_cmpmem(text, 8, "12345\0\0\0", 8);
	g_assert_cmpmem(text + 8, 6, "070701", 6);
	g_assert_cmpmem(text + 8 + 14, 8, "000081A4", 8);
	g_assert_cmpmem(text + 8 + 54, 8, "00000005", 8);
	g_assert_cmpmem(text + 8 + 94, 8, "00000008", 8);
	g_assert_cmpstr(text + 8 + 110, ==, "one.txt");
	/* The head and the name are 118 bytes, which become 120. */
	g_assert_cmpmem(text + 8 + 120, 8, "words\0\0\0", 8);
	g_assert_cmpstr(text + 8 + 128 + 110, ==, "TRAILER!!!");
	g_assert_cmpuint(len % 4, ==, 0);
	/* What the user has stays what it is. */
	g_assert_true(g_file_get_contents(initrd, &still, NULL, NULL));
	g_assert_cmpstr(still, ==, "12345");
	installer_release(&installer);
}

static void test_no_initrd(void)
{
	g_autofree char *kernel = place("kernel", "k");
	struct installer installer = installer_empty();
	g_autoptr(GError) error = NULL;

	g_assert_true(installer_open_files(&installer, kernel, NULL, &error));
	g_assert_false(installer_inject(&installer, kernel, &error));
	g_assert_nonnull(strstr(error->message, "'--initrd' names one"));
	g_clear_error(&error);
	g_assert_false(installer_inject(&installer, folder, &error));
	g_assert_nonnull(strstr(error->message, "no file of 64 MiB"));
	installer_release(&installer);
}

static void test_answer(void)
{
	g_autofree char *initrd = place("initrd", "1234"), *kernel = place("kernel", "k");
	g_autofree char *preseed = place("p", "d-i x/y string z\n"),
			*ks = place("k.ks", "lang fr\n");
	g_autofree char *odd = place("odd", "?\n"), *cloud = place("c", "#cloud-config\n{}\n");
	g_autofree char *user_data = NULL;
	struct installer installer = installer_empty();
	g_autoptr(GError) error = NULL;

	/* What nobody can know is not guessed. */
	g_assert_true(installer_open_files(&installer, kernel, initrd, &error));
	g_assert_false(installer_answer(&installer, odd, &user_data, &error));
	g_assert_nonnull(strstr(error->message, "'--inject' and '--append'"));
	g_clear_error(&error);
	/* A file that tells its kind, for an installer that does not. */
	g_assert_true(installer_answer(&installer, preseed, &user_data, &error));
	g_assert_cmpstr(installer.append->str, ==, "quiet auto=true priority=critical");
	g_assert_null(user_data);
	/* And the other way round: then they have to agree. */
	g_assert_false(installer_answer(&installer, ks, &user_data, &error));
	g_assert_nonnull(
		strstr(error->message, "is a Kickstart file, and this installer takes preseed"));
	g_clear_error(&error);
	installer.answers = ANSWERS_AUTOINSTALL;
	g_assert_true(installer_answer(&installer, cloud, &user_data, &error));
	g_assert_cmpstr(user_data, ==, "#cloud-config\n{}\n");
	g_assert_nonnull(strstr(installer.append->str, " autoinstall"));
	installer_release(&installer);
}

/* ---- trees ---- */

static void test_treeinfo(void)
{
	struct installer installer = installer_empty();
	g_autofree char *tree = g_build_filename(folder, "fedora", NULL);
	g_autoptr(GError) error = NULL;

	g_free(place("fedora/here/k", "kernel"));
	g_free(place("fedora/here/i", "initrd"));
	g_free(place("fedora/.treeinfo", "[general]\nfamily = Fedora\n[images-x86_64]\n"
					 "kernel = here/k\ninitrd = here/i\n"));
	g_assert_true(installer_open_tree(&installer, tree, &error));
	assert_is(installer.kernel, "kernel");
	assert_is(installer.initrd, "initrd");
	g_assert_cmpint(installer.answers, ==, ANSWERS_KICKSTART);
	g_assert_cmpstr(installer.append->str, ==, "quiet");
	installer_release(&installer);

	/* A tree that names what is not its own. */
	installer = installer_empty();
	g_free(place("fedora/.treeinfo", "[general]\nfamily = Fedora\n[images-x86_64]\n"
					 "kernel = here/../../k\ninitrd = here/i\n"));
	g_assert_false(installer_open_tree(&installer, tree, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	installer_release(&installer);
}

static char *place_cd(const char *name, const char *tree, const char *names)
{
	char *path = g_build_filename(folder, name, NULL);
	const char *argv[] = { "xorriso", "-as", "mkisofs", "-quiet", "-V", "CD",
			       "-o",      path,  tree,      names,    NULL };
	int status = 1;

	if (!g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL,
			  G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL, NULL,
			  &status, NULL) ||
	    status)
		g_clear_pointer(&path, g_free);
	return path;
}

/* The same from the image of a CD, whatever its names are like; and damaged, it is only refused. */
static void test_cd(void)
{
	static const char *const names[] = { "-J", "-R", "-U" };
	g_autofree char *a = place("disc/install.amd/vmlinuz", "kernel"),
			*b = place("disc/install.amd/initrd.gz", "initrd"),
			*tree = g_build_filename(folder, "disc", NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		struct installer installer = installer_empty();
		g_autofree char *path = place_cd(names[i], tree, names[i]);
		g_autoptr(GError) error = NULL;
		int fd;

		if (!path) {
			g_test_skip("there is no xorriso");
			installer_release(&installer);
			return;
		}
		g_assert_true(installer_open_tree(&installer, path, &error));
		g_assert_no_error(error);
		assert_is(installer.kernel, "kernel");
		assert_is(installer.initrd, "initrd");
		g_assert_true(installer.on_cd);
		g_assert_cmpint(installer.answers, ==, ANSWERS_PRESEED);
		installer_release(&installer);
		fd = sys_open(path, O_RDWR, 0);
		for (off_t at = AT_DESCRIPTORS; at < AT_FILES; at += 13) {
			uint8_t before, damaged = 0xff;

			installer = installer_empty();
			g_assert_cmpint(sys_pread(fd, &before, 1, at), ==, 1);
			g_assert_cmpint(sys_pwrite(fd, &damaged, 1, at), ==, 1);
			(void)installer_open_tree(&installer, path, NULL);
			installer_release(&installer);
			g_assert_cmpint(sys_pwrite(fd, &before, 1, at), ==, 1);
		}
		fd_autoclose(&fd);
	}
}

/* One file "big" of @len bytes, as its folder says; of what it has nothing is there. */
static int cd_of_big(uint32_t len)
{
	enum {
		ROOT = 18,
		SECTOR = 2048,
	};
	g_autofree uint8_t *primary = g_malloc0(SECTOR), *root = g_malloc0(SECTOR);
	int fd = sys_memfd("cd");

	g_assert_cmpint(fd, >=, 0);
	memcpy(primary, "\1CD001", 6);
	put_le32(primary + 156 + 2, ROOT);
	put_le32(primary + 156 + 10, SECTOR);
	root[0] = 36;
	put_le32(root + 2, ROOT + 1);
	put_le32(root + 10, len);
	root[32] = 3;
	memcpy(root + 33, "BIG", 3);
	g_assert_cmpint(sys_pwrite(fd, primary, SECTOR, AT_DESCRIPTORS), ==, SECTOR);
	g_assert_cmpint(sys_pwrite(fd, root, SECTOR, ROOT * SECTOR), ==, SECTOR);
	return fd;
}

/* A kernel or initrd of more than 1 GiB is none, and is not copied. */
static void test_cd_limit(void)
{
	static const struct {
		uint32_t len;
		int code;
	} files[] = {
		{ UINT32_C(1) << 30, SOCLE_ERROR_CORRUPT }, /* it is cut off */
		{ (UINT32_C(1) << 30) + 1, SOCLE_ERROR_LIMIT },
		{ UINT32_MAX, SOCLE_ERROR_LIMIT },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
		autofd int fd = cd_of_big(files[i].len);
		g_autoptr(GError) error = NULL;

		g_assert_cmpint(iso_open_file(fd, "big", &error), ==, -1);
		g_assert_error(error, SOCLE_ERROR, files[i].code);
	}
}

static void test_layouts(void)
{
	static const struct {
		const char *kernel, *initrd;
		enum answers kind;
	} all[] = {
		{ "debian/current/images/netboot/debian-installer/amd64/linux",
		  "debian/current/images/netboot/debian-installer/amd64/initrd.gz",
		  ANSWERS_PRESEED },
		{ "ubuntu/casper/vmlinuz", "ubuntu/casper/initrd", ANSWERS_AUTOINSTALL },
		{ "suse/boot/x86_64/loader/linux", "suse/boot/x86_64/loader/initrd",
		  ANSWERS_AUTOYAST },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		struct installer installer = installer_empty();
		g_autofree char *name = g_strndup(all[i].kernel, strcspn(all[i].kernel, "/"));
		g_autofree char *tree = g_build_filename(folder, name, NULL);
		g_autoptr(GError) error = NULL;

		g_free(place(all[i].kernel, "kernel"));
		g_free(place(all[i].initrd, "initrd"));
		g_assert_true(installer_open_tree(&installer, tree, &error));
		assert_is(installer.kernel, "kernel");
		assert_is(installer.initrd, "initrd");
		g_assert_cmpint(installer.answers, ==, all[i].kind);
		installer_release(&installer);
	}
}

static void test_no_tree(void)
{
	struct installer installer = installer_empty();
	g_autofree char *file = place("empty/file", ""), *tree = g_path_get_dirname(file);
	g_autoptr(GError) error = NULL;

	g_assert_false(installer_open_tree(&installer, tree, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_false(installer_open_tree(&installer, file, &error));
	g_assert_nonnull(strstr(error->message, "neither a folder nor a CD's image"));
	g_clear_error(&error);
	g_assert_false(installer_open_tree(&installer, "http://x/a b", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	installer_release(&installer);
}

int main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("test-install-XXXXXX", NULL);
	g_test_add_func("/cli/install/kinds", test_kinds);
	g_test_add_func("/cli/install/inject", test_inject);
	g_test_add_func("/cli/install/no-initrd", test_no_initrd);
	g_test_add_func("/cli/install/answer", test_answer);
	g_test_add_func("/cli/install/treeinfo", test_treeinfo);
	g_test_add_func("/cli/install/cd", test_cd);
	g_test_add_func("/cli/install/cd-limit", test_cd_limit);
	g_test_add_func("/cli/install/layouts", test_layouts);
	g_test_add_func("/cli/install/no-tree", test_no_tree);
	status = g_test_run();
	(void)g_spawn_sync(NULL, (char *[]){ (char[]){ "rm" }, (char[]){ "-rf" }, folder, NULL },
			   NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
	g_free(folder);
	return status;
}
