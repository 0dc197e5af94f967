/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c - what happens inside, for the person who debugs it
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"

static _Atomic(enum log_level) max_level = LOG_WARNING;
static atomic_bool raw_terminal, journal;
static _Atomic(const char *) program = "socle";

void log_set_level(enum log_level level)
{
	atomic_store(&max_level, level);
}

void log_set_raw_terminal(bool raw)
{
	atomic_store(&raw_terminal, raw);
}

void log_set_program(const char *name)
{
	atomic_store(&program, name);
}

/* Its name is in the environment of a service: that may be handed on to who has another stderr. */
void log_set_journal(void)
{
	const char *name = g_getenv("JOURNAL_STREAM");
	g_autofree char *ours = NULL;
	struct stat st;

	if (!name || sys_fstat(STDERR_FILENO, &st) < 0)
		return;
	ours = g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	atomic_store(&journal, !g_strcmp0(name, ours));
}

/* One write for a line, so that lines of two threads do not mix. */
static void G_GNUC_PRINTF(2, 0) log_line(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const priorities[] = {
		[LOG_WARNING] = "<4>",
		[LOG_INFO] = "<6>",
		[LOG_DEBUG] = "<7>",
	};
	g_autofree char *text = NULL, *line = NULL;

	if (level > atomic_load(&max_level))
		return;
	text = g_strdup_vprintf(fmt, ap);
	line = g_strdup_printf("%s%s: %s%s\n", atomic_load(&journal) ? priorities[level] : "",
			       atomic_load(&program), text, atomic_load(&raw_terminal) ? "\r" : "");
	(void)sys_write(STDERR_FILENO, line, strlen(line));
}

#define LOG_DEFINE(name, level)           \
	void name(const char *fmt, ...)   \
	{                                 \
		va_list ap;               \
                                          \
		va_start(ap, fmt);        \
		log_line(level, fmt, ap); \
		va_end(ap);               \
	}

LOG_DEFINE(log_warning, LOG_WARNING)
LOG_DEFINE(log_info, LOG_INFO)
LOG_DEFINE(log_debug, LOG_DEBUG)
