/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * install-answers.c - socle install: files that go into an initrd, and those that answer questions
 *
 * The kernel takes several archives behind each other as one root, whatever each is packed with; so
 * files are put behind an initrd as one more cpio archive (newc), as it is.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/cli.h"
#include "cli/install.h"

enum {
	PIECE = 1 << 20,
	INJECT_MAX = 64 << 20, /* bytes of one file */
	ALIGNED = 4,           /* where an archive that is not packed may begin */
};

static const struct {
	const char *name, *file, *append;
} kinds[ANSWERS_COUNT] = {
	[ANSWERS_UNKNOWN] = { "unknown", NULL, NULL },
	/* Installers before 2013 have it without "inst."; each takes no notice of the other. */
	[ANSWERS_KICKSTART] = { "Kickstart", "ks.cfg", "inst.ks=file:/ks.cfg ks=file:/ks.cfg" },
	[ANSWERS_PRESEED] = { "preseed", "preseed.cfg", "auto=true priority=critical" },
	[ANSWERS_AUTOINSTALL] = { "autoinstall", NULL, "autoinstall" },
	[ANSWERS_AUTOYAST] = { "AutoYaST", "autoinst.xml", "autoyast=file:///autoinst.xml" },
};

const char *answers_name(enum answers answers)
{
	return kinds[answers].name;
}

/* ---- which kind? ---- */

static bool has_word(const char *line, const char *const *words)
{
	g_autofree char *first = g_strndup(line, strcspn(line, " \t="));

	return g_strv_contains(words, first);
}

enum answers answers_of(const char *text)
{
	static const char *const preseed[] = { "d-i", "debconf", "tasksel", "popularity-contest",
					       NULL };
	static const char *const kickstart[] = { "%packages", "%pre",     "%post",   "%include",
						 "lang",      "keyboard", "rootpw",  "clearpart",
						 "autopart",  "part",     "network", "bootloader",
						 "install",   "url",      "text",    "timezone",
						 NULL };
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	if (g_str_has_prefix(text, "#cloud-config"))
		return ANSWERS_AUTOINSTALL;
	if (strstr(text, "<profile") && strchr(text, '<') == text)
		return ANSWERS_AUTOYAST;
	for (unsigned i = 0; lines[i]; i++) {
		const char *line = g_strchug(lines[i]);

		if (has_word(line, preseed))
			return ANSWERS_PRESEED;
		if (has_word(line, kickstart))
			return ANSWERS_KICKSTART;
		if (g_str_has_prefix(line, "autoinstall:"))
			return ANSWERS_AUTOINSTALL;
	}
	return ANSWERS_UNKNOWN;
}

/* ---- into the initrd ---- */

static void pad(GByteArray *out)
{
	static const uint8_t zeroes[ALIGNED];

	g_byte_array_append(out, zeroes, (ALIGNED - out->len % ALIGNED) % ALIGNED);
}

static void add_entry(GByteArray *out, const char *name, unsigned mode, const void *data,
		      size_t len)
{
	/* inode, mode, user, group, links, time, size, device and that of a node, length of the name */
	g_autofree char *head =
		g_strdup_printf("070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
				out->len, mode, 0, 0, 1, 0, len, 0, 0, 0, 0, strlen(name) + 1, 0);

	g_byte_array_append(out, (const uint8_t *)head, (unsigned)strlen(head));
	g_byte_array_append(out, (const uint8_t *)name, (unsigned)strlen(name) + 1);
	pad(out);
	if (len)
		g_byte_array_append(out, data, (unsigned)len);
	pad(out);
}

static bool copy_file(int from, int to, GError **error)
{
	g_autofree uint8_t *piece = g_malloc(PIECE);
	ssize_t got = sys_lseek(from, 0, SEEK_SET) < 0 ? -EIO : 1;

	while (got > 0) {
		got = sys_read_full(from, piece, PIECE);
		if (got > 0) {
			ssize_t put = sys_write_full(to, piece, (size_t)got);

			got = put < 0 ? put : got;
		}
	}
	return got == 0 || error_sys(error, (int)got, "cannot copy the initrd");
}

/* The initrd as it was stays as it is: a copy gets the file. */
static bool append(struct installer *installer, const char *name, const void *data, size_t len,
		   GError **error)
{
	g_autoptr(GByteArray) archive = g_byte_array_new();
	autofd int copy = sys_memfd("initrd");
	off_t end;
	ssize_t ret;

	if (installer->initrd < 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "there is no initrd that '%s' could go into; '--initrd' names one",
				 name);
	if (copy < 0)
		return error_sys(error, copy, "cannot copy the initrd");
	if (!copy_file(installer->initrd, copy, error))
		return false;
	end = sys_lseek(copy, 0, SEEK_CUR);
	end = (end + ALIGNED - 1) / ALIGNED * ALIGNED;
	add_entry(archive, name, S_IFREG | 0644, data, len);
	add_entry(archive, "TRAILER!!!", 0, NULL, 0);
	ret = sys_lseek(copy, end, SEEK_SET);
	if (ret >= 0)
		ret = sys_write_full(copy, archive->data, archive->len);
	if (ret < 0)
		return error_sys(error, (int)ret, "cannot copy the initrd");
	fd_autoclose(&installer->initrd);
	installer->initrd = fd_steal(&copy);
	return true;
}

bool installer_inject(struct installer *installer, const char *path, GError **error)
{
	autofd int fd = sys_open(path, O_RDONLY, 0);
	g_autofree char *name = g_path_get_basename(path), *data = NULL;
	struct stat st;
	ssize_t got;

	if (fd < 0)
		return error_sys(error, fd, "cannot open '%s'", path);
	if (sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > INJECT_MAX)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is no file of 64 MiB at most, which an initrd could take",
				 path);
	data = g_malloc((size_t)st.st_size + 1);
	got = sys_read_full(fd, data, (size_t)st.st_size);
	if (got < 0)
		return error_sys(error, (int)got, "cannot read '%s'", path);
	return append(installer, name, data, (size_t)got, error);
}

bool installer_answer(struct installer *installer, const char *path, char **ret_user_data,
		      GError **error)
{
	size_t len;
	g_autofree char *text = cli_read_file(path, &len, error);
	enum answers kind = text ? answers_of(text) : ANSWERS_UNKNOWN;

	if (!text)
		return false;
	if (installer->answers == ANSWERS_UNKNOWN)
		installer->answers = kind;
	if (installer->answers == ANSWERS_UNKNOWN)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' looks like no file of answers that is known; '--inject' and "
				 "'--append' say how this installer wants it",
				 path);
	if (kind != ANSWERS_UNKNOWN && kind != installer->answers)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is a %s file, and this installer takes %s", path,
				 answers_name(kind), answers_name(installer->answers));
	g_string_append_printf(installer->append, " %s", kinds[installer->answers].append);
	if (kinds[installer->answers].file)
		return append(installer, kinds[installer->answers].file, text, len, error);
	*ret_user_data = g_steal_pointer(&text);
	return true;
}
