/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.c - new images: complete under their name, or not there
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "img/img.h"

struct img_target {
	char *path, *temporary;
	char *data_file; /* made for it, or NULL */
	bool replaces;   /* a file, which had this owner and mode */
	struct stat old;
};

enum {
	MAX_LINKS = 40, /* symbolic ones, as the kernel has it */
};

/* What the signal handler removes; empty: nothing. Only one target is made at a time. */
static char unfinished[4096], unfinished_data[4096];

static void on_signal(int sig)
{
	if (unfinished[0])
		(void)sys_unlink(unfinished);
	if (unfinished_data[0])
		(void)sys_unlink(unfinished_data);
	/* The handler is gone (SA_RESETHAND), and who started us sees how we ended. */
	(void)raise(sig);
}

bool img_target_catch_signals(GError **error)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };

	action.sa_flags = (int)SA_RESETHAND;
	(void)sigemptyset(&action.sa_mask);
	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		/* nohup stays nohup. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		if (sigaction(signals[i], &action, NULL) != 0)
			return error_sys(error, sys_last_error(), "cannot catch signals");
	}
	return true;
}

/* Whoever has it open as an image would go on writing to what nobody finds any more. */
static bool is_free(const char *path, GError **error)
{
	autoptr(block_file) file = NULL;
	g_autoptr(GError) cause = NULL;

	file = block_file_open(path, BLOCK_FILE_WRITE, &cause);
	if (file || g_error_matches(cause, SYS_ERROR, ENOENT))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

/* The file that symbolic links lead to, whether or not it is there. */
static char *follow_links(const char *path)
{
	char *name = g_strdup(path);

	for (unsigned i = 0; i < MAX_LINKS; i++) {
		g_autofree char *link = g_file_read_link(name, NULL);
		char *next;

		if (!link)
			break;
		next = image_resolve(name, link);
		g_free(name);
		name = next;
	}
	return name;
}

struct img_target *img_target_new(const char *name_given, GError **error)
{
	g_autofree char *given = img_file_name(name_given);
	g_autofree char *path = follow_links(given);
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *name = g_path_get_basename(path);
	autoptr(img_target) target = NULL;
	uint32_t number;
	int ret;

	if (!is_free(path, error))
		return NULL;
	ret = sys_random(&number, sizeof(number));
	if (ret < 0) {
		error_sys(error, ret, "cannot make a name for '%s'", path);
		return NULL;
	}
	target = g_new0(struct img_target, 1);
	target->path = g_strdup(path);
	target->replaces = sys_stat(path, &target->old) >= 0;
	target->temporary = g_strdup_printf("%s/.%.200s.%08x.part", folder, name, number);
	if (strlen(target->temporary) >= sizeof(unfinished)) {
		error_set(error, SOCLE_ERROR_LIMIT, "the name '%s' is too long", path);
		return NULL;
	}
	g_strlcpy(unfinished, target->temporary, sizeof(unfinished));
	return g_steal_pointer(&target);
}

/* Who could not read the old image cannot read the new one. */
static bool take_over(const struct img_target *target, GError **error)
{
	int ret;

	if (!target->replaces)
		return true;
	/* Only root may give a file away; then it stays ours, and the mode matters the more. */
	(void)sys_chown(target->temporary, target->old.st_uid, target->old.st_gid);
	ret = sys_chmod(target->temporary, target->old.st_mode & 0777);
	return ret < 0 ? error_sys(error, ret, "cannot protect '%s'", target->temporary) : true;
}

/* A data file that is not there yet goes with the image, if that does not become complete. */
static bool note_data_file(struct img_target *target, const char *name, GError **error)
{
	g_autofree char *path = image_resolve(target->temporary, name);
	struct stat st;

	if (sys_stat(path, &st) >= 0)
		return true;
	if (strlen(path) >= sizeof(unfinished_data))
		return error_set(error, SOCLE_ERROR_LIMIT, "the name '%s' is too long", path);
	g_strlcpy(unfinished_data, path, sizeof(unfinished_data));
	target->data_file = g_steal_pointer(&path);
	return true;
}

bool img_target_create(struct img_target *target, const char *format, struct image_create *what,
		       GError **error)
{
	const char *data_file = image_create_option(what, "data_file", NULL);

	if (data_file && *data_file && !note_data_file(target, data_file, error))
		return false;
	what->path = target->temporary;
	return image_create(format, what, error) && take_over(target, error);
}

bool img_target_is_new(const char *path, const char *backing_file, GError **error)
{
	g_autofree char *behind = image_resolve(path, backing_file);
	struct stat a, b;

	if (sys_stat(path, &a) < 0 || sys_stat(behind, &b) < 0 || a.st_dev != b.st_dev ||
	    a.st_ino != b.st_ino)
		return true;
	return error_set(error, SOCLE_ERROR_USAGE,
			 "image '%s' cannot stand behind itself: it would be overwritten", path);
}

bool img_target_finish(struct img_target *target, GError **error)
{
	int ret = sys_rename(target->temporary, target->path);

	if (ret < 0)
		return error_sys(error, ret, "cannot rename '%s' to '%s'", target->temporary,
				 target->path);
	unfinished[0] = unfinished_data[0] = 0;
	g_clear_pointer(&target->temporary, g_free);
	g_clear_pointer(&target->data_file, g_free);
	return true;
}

void img_target_free(struct img_target *target)
{
	if (!target)
		return;
	if (target->temporary)
		(void)sys_unlink(target->temporary);
	if (target->data_file)
		(void)sys_unlink(target->data_file);
	unfinished[0] = unfinished_data[0] = 0;
	g_free(target->data_file);
	g_free(target->temporary);
	g_free(target->path);
	g_free(target);
}
