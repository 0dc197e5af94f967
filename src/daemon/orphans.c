/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * orphans.c - processes of machines that nobody knows
 */
#include "daemon/orphans.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "daemon/runner.h"

void orphans_know(GHashTable *known, const char *status)
{
	static const char key[] = "\nmachine pid=";
	const char *at = strstr(status, key);

	if (at)
		g_hash_table_add(known,
				 GINT_TO_POINTER((int)g_ascii_strtoll(at + strlen(key), NULL, 10)));
}

/* Has the process a word that begins like that? */
static bool has_word(const char *pid, const char *start)
{
	g_autofree char *path = g_strconcat("/proc/", pid, "/cmdline", NULL);
	g_autofree char *text = NULL;
	size_t len, off = 0;

	if (!g_file_get_contents(path, &text, &len, NULL))
		return false;
	while (off < len) {
		if (g_str_has_prefix(text + off, start))
			return true;
		off += strlen(text + off) + 1;
	}
	return false;
}

void orphans_end(GHashTable *known, const char *run_dir)
{
	g_autofree char *start = g_strconcat("--pidfile=", run_dir, "/", NULL);
	GDir *dir = g_dir_open("/proc", 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		int pid = g_ascii_isdigit(name[0]) ? (int)g_ascii_strtoll(name, NULL, 10) : 0;

		if (pid <= 0 || g_hash_table_contains(known, GINT_TO_POINTER(pid)) ||
		    !has_word(name, start))
			continue;
		/* It was known once, or its file would not be missing. */
		if (runner_guest_has_run(pid)) {
			log_warning(
				"process %d is a machine that runs and that nothing is known of; "
				"it is left alone: mend its file, or shut its guest down",
				pid);
			continue;
		}
		log_info("process %d is a machine whose start nobody was told of: it is ended",
			 pid);
		(void)kill(pid, SIGKILL);
	}
	if (dir)
		g_dir_close(dir);
}
