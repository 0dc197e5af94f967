/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * install-tree.c - socle install: where a tree has its kernel and its initrd
 *
 * A tree that has a file .treeinfo says it there; the others are known by the places where
 * distributions have them. What is at an URL is fetched by curl, as an argument vector; what is on a CD's image
 * is read from there.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/install.h"
#include "cli/interrupt.h"
#include "cli/iso.h"
#include "host/tool.h"

enum {
	TREEINFO_MAX = 1 << 20,
};

static const struct layout {
	const char *kernel, *initrd;
	enum answers answers;
} layouts[] = {
	{ "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", ANSWERS_KICKSTART },
	{ "install.amd/vmlinuz", "install.amd/initrd.gz", ANSWERS_PRESEED },
	{ "current/images/netboot/debian-installer/amd64/linux",
	  "current/images/netboot/debian-installer/amd64/initrd.gz", ANSWERS_PRESEED },
	{ "netboot/debian-installer/amd64/linux", "netboot/debian-installer/amd64/initrd.gz",
	  ANSWERS_PRESEED },
	{ "debian-installer/amd64/linux", "debian-installer/amd64/initrd.gz", ANSWERS_PRESEED },
	{ "casper/vmlinuz", "casper/initrd", ANSWERS_AUTOINSTALL },
	{ "boot/x86_64/loader/linux", "boot/x86_64/loader/initrd", ANSWERS_AUTOYAST },
	{ "linux", "initrd.gz", ANSWERS_PRESEED },
};

void installer_release(struct installer *installer)
{
	fd_autoclose(&installer->kernel);
	fd_autoclose(&installer->initrd);
	if (installer->append)
		g_string_free(installer->append, true);
}

static bool is_url(const char *location)
{
	return g_str_has_prefix(location, "http://") || g_str_has_prefix(location, "https://") ||
	       g_str_has_prefix(location, "ftp://");
}

/* ---- a file of a tree ---- */

/* What is there, without a name here. */
static int fetch(const char *url, GError **error)
{
	autofd int fd = sys_memfd("fetched");
	g_autofree char *out = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
	const char *const argv[] = { "curl",
				     "--silent",
				     "--show-error",
				     "--fail",
				     "--location",
				     "--proto",
				     "=http,https,ftp",
				     "--connect-timeout",
				     "30",
				     "--output",
				     out,
				     "--",
				     url,
				     NULL };

	if (fd < 0) {
		error_sys(error, fd, "cannot fetch '%s'", url);
		return -1;
	}
	if (!host_tool_find("curl", "curl", error))
		return -1;
	if (!host_tool_run(argv, NULL, NULL, error) || !interrupt_check(error)) {
		g_prefix_error(error, "cannot fetch '%s': ", url);
		return -1;
	}
	return fd_steal(&fd);
}

/* Where a tree is. */
struct place {
	const char *location;
	int cd; /* its image; -1: it is none */
};

static int open_at(const struct place *place, const char *path, GError **error)
{
	const char *location = place->location;
	g_autofree char *whole =
		g_strconcat(location, g_str_has_suffix(location, "/") ? "" : "/", path, NULL);
	int fd;

	if (is_url(location))
		return fetch(whole, error);
	if (place->cd >= 0) {
		fd = iso_open_file(place->cd, path, error);
		if (fd < 0)
			g_prefix_error(error, "'%s': ", location);
		return fd;
	}
	fd = sys_open(whole, O_RDONLY, 0);
	if (fd < 0)
		error_sys(error, fd, "cannot open '%s'", whole);
	return fd < 0 ? -1 : fd;
}

/* ---- .treeinfo ---- */

/* A tree names files of its own only. */
static bool is_inside(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);

	return *path && *path != '/' && !g_strv_contains((const char *const *)parts, "..");
}

void treeinfo_release(struct treeinfo *info)
{
	g_clear_pointer(&info->kernel, g_free);
	g_clear_pointer(&info->initrd, g_free);
}

bool treeinfo_parse(const char *text, size_t len, struct treeinfo *ret_info, GError **error)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autofree char *family = NULL;

	*ret_info = (struct treeinfo){ .answers = ANSWERS_KICKSTART };
	if (!g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, NULL))
		return true;
	family = g_key_file_get_string(file, "general", "family", NULL);
	if (family && strstr(family, "SUSE"))
		ret_info->answers = ANSWERS_AUTOYAST;
	ret_info->kernel = g_key_file_get_string(file, "images-x86_64", "kernel", NULL);
	ret_info->initrd = g_key_file_get_string(file, "images-x86_64", "initrd", NULL);
	if (!ret_info->kernel || !ret_info->initrd) {
		treeinfo_release(ret_info);
		return true;
	}
	if (is_inside(ret_info->kernel) && is_inside(ret_info->initrd))
		return true;
	treeinfo_release(ret_info);
	return error_set(error, SOCLE_ERROR_CORRUPT,
			 "the file '.treeinfo' names files that are not in the tree");
}

/* As treeinfo_parse(); without such a file it tells nothing. */
static bool read_treeinfo(const struct place *place, struct treeinfo *ret_info, GError **error)
{
	autofd int fd = open_at(place, ".treeinfo", NULL);
	g_autofree char *text = g_malloc(TREEINFO_MAX);
	ssize_t len;

	*ret_info = (struct treeinfo){ 0 };
	if (fd < 0 || sys_lseek(fd, 0, SEEK_SET) < 0)
		return true;
	len = sys_read_full(fd, text, TREEINFO_MAX);
	return len <= 0 || treeinfo_parse(text, (size_t)len, ret_info, error);
}

/* True: it is told there; an error may be set. */
static bool open_told(struct installer *installer, const struct place *place, GError **error)
{
	struct treeinfo info;

	if (!read_treeinfo(place, &info, error)) {
		g_prefix_error(error, "'%s': ", place->location);
		return true;
	}
	if (!info.kernel)
		return false;
	installer->answers = info.answers;
	installer->kernel = open_at(place, info.kernel, error);
	if (installer->kernel >= 0)
		installer->initrd = open_at(place, info.initrd, error);
	treeinfo_release(&info);
	return true;
}

/* ---- all trees ---- */

static bool open_known(struct installer *installer, const struct place *place, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts) && !interrupted(); i++) {
		installer->kernel = open_at(place, layouts[i].kernel, NULL);
		if (installer->kernel < 0)
			continue;
		installer->answers = layouts[i].answers;
		installer->initrd = open_at(place, layouts[i].initrd, error);
		return installer->initrd >= 0;
	}
	return interrupt_check(error) &&
	       error_set(
		       error, SOCLE_ERROR_NOT_FOUND,
		       "there is no installer that is known in '%s': no '.treeinfo', and no kernel "
		       "where Debian, Fedora, SUSE or Ubuntu have one; '--kernel' and '--initrd' "
		       "name one",
		       place->location);
}

/* Whose packages are at the URL, too. */
static void tell_place(struct installer *installer, const char *location)
{
	if (is_url(location) && installer->answers == ANSWERS_KICKSTART)
		g_string_append_printf(installer->append, " inst.repo=%s", location);
	if (is_url(location) && installer->answers == ANSWERS_AUTOYAST)
		g_string_append_printf(installer->append, " install=%s", location);
}

bool installer_open_tree(struct installer *installer, const char *location, GError **error)
{
	g_autoptr(GError) why = NULL;
	autofd int cd = -1;
	struct place place = { location, -1 };

	if (is_url(location) && strpbrk(location, " \t\n"))
		return error_set(error, SOCLE_ERROR_USAGE, "an URL has no blanks: '%s'", location);
	/* Else each of its files would be missing. */
	if (is_url(location) && !host_tool_find("curl", "curl", error))
		return false;
	if (!is_url(location) && !g_file_test(location, G_FILE_TEST_IS_DIR)) {
		if (g_file_test(location, G_FILE_TEST_IS_REGULAR))
			cd = sys_open(location, O_RDONLY, 0);
		if (cd < 0 || !iso_is(cd))
			return error_set(
				error, SOCLE_ERROR_NOT_FOUND,
				"'%s' is neither a folder nor a CD's image here, nor an URL "
				"of http, https or ftp",
				location);
		place.cd = cd;
		installer->on_cd = true;
	}
	if (open_told(installer, &place, &why)) {
		if (installer->initrd < 0) {
			g_propagate_error(error, g_steal_pointer(&why));
			return false;
		}
	} else if (!open_known(installer, &place, error)) {
		return false;
	}
	tell_place(installer, location);
	return true;
}

bool installer_open_files(struct installer *installer, const char *kernel, const char *initrd,
			  GError **error)
{
	installer->kernel = sys_open(kernel, O_RDONLY, 0);
	if (installer->kernel < 0)
		return error_sys(error, installer->kernel, "cannot open '%s'", kernel);
	installer->initrd = initrd ? sys_open(initrd, O_RDONLY, 0) : -1;
	if (initrd && installer->initrd < 0)
		return error_sys(error, installer->initrd, "cannot open '%s'", initrd);
	return true;
}
