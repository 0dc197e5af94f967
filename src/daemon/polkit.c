/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * polkit.c - ask polkit whether a process may do something
 *
 * Two steps over D-Bus, each of which may hang: find the bus, ask the authority. The deadline stands
 * over both. A question that was given up may still be answered, so what it needs is counted.
 */
#include "daemon/polkit.h"

#include <gio/gio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
	DEADLINE_MS = 60000,
	ALLOW_INTERACTION = 1,
};

struct polkit_ask {
	unsigned refs; /* the owner's, and one of each step on its way */
	GCancellable *cancellable;
	GSource *timer;
	GVariant *question;
	char *action;
	void (*end)(void *opaque,
		    const GError *error); /* NULL: it was called, or nobody wants it */
	void *opaque;
};

static void unref(struct polkit_ask *ask)
{
	if (--ask->refs)
		return;
	g_object_unref(ask->cancellable);
	g_variant_unref(ask->question);
	g_free(ask->action);
	g_free(ask);
}

static void finish(struct polkit_ask *ask, const GError *error)
{
	void (*end)(void *opaque, const GError *error) = ask->end;

	ask->end = NULL;
	if (end)
		end(ask->opaque, error);
}

static void on_answer(GObject *bus, GAsyncResult *result, void *opaque)
{
	struct polkit_ask *ask = opaque;
	g_autoptr(GError) reason = NULL, error = NULL;
	g_autoptr(GVariant) answer =
		g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &reason);
	int may = 0; /* as GVariant wants it */

	if (answer)
		g_variant_get(answer, "((bba{ss}))", &may, NULL, NULL);
	if (!answer)
		error_set(&error, SOCLE_ERROR_DENIED,
			  "polkit cannot be asked about %s: %s; start it, or set auth-rw = none "
			  "and use "
			  "the socket's group",
			  ask->action, reason->message);
	else if (!may)
		error_set(&error, SOCLE_ERROR_DENIED,
			  "polkit does not allow %s; log in where it can ask for a password, or "
			  "have a "
			  "rule made",
			  ask->action);
	finish(ask, error);
	unref(ask);
}

static void on_bus(GObject *source, GAsyncResult *result, void *opaque)
{
	struct polkit_ask *ask = opaque;
	g_autoptr(GError) reason = NULL, error = NULL;
	g_autoptr(GDBusConnection) bus = g_bus_get_finish(result, &reason);

	(void)source;
	if (!bus) {
		error_set(
			&error, SOCLE_ERROR_DENIED,
			"polkit cannot be asked about %s, since there is no system bus: %s; start "
			"it, or set auth-rw = none and use the socket's group",
			ask->action, reason->message);
		finish(ask, error);
		unref(ask);
		return;
	}
	/* A bus that goes is no reason for us to go. */
	g_dbus_connection_set_exit_on_close(bus, FALSE);
	g_dbus_connection_call(bus, "org.freedesktop.PolicyKit1",
			       "/org/freedesktop/PolicyKit1/Authority",
			       "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization",
			       ask->question, G_VARIANT_TYPE("((bba{ss}))"), G_DBUS_CALL_FLAGS_NONE,
			       DEADLINE_MS, ask->cancellable, on_answer, ask);
}

static gboolean on_deadline(void *opaque)
{
	struct polkit_ask *ask = opaque;
	g_autoptr(GError) error = NULL;

	error_set(&error, SOCLE_ERROR_DENIED,
		  "polkit has not answered about %s within %d seconds; try again, and be quicker "
		  "with "
		  "the password",
		  ask->action, DEADLINE_MS / 1000);
	g_cancellable_cancel(ask->cancellable);
	finish(ask, error);
	return G_SOURCE_CONTINUE;
}

/* When the process started: a number that is used again stands for another process. */
static guint64 start_time(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;
	const char *at;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return 0;
	/* Field 22; the second is in brackets and may have anything in it. */
	at = strrchr(text, ')');
	for (unsigned field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? g_ascii_strtoull(at + 1, NULL, 10) : 0;
}

struct polkit_ask *polkit_ask_new(pid_t pid, uid_t uid, const char *action,
				  void (*end)(void *opaque, const GError *error), void *opaque)
{
	struct polkit_ask *ask = g_new(struct polkit_ask, 1);
	GVariantBuilder subject, details;

	g_variant_builder_init(&subject, G_VARIANT_TYPE("a{sv}"));
	g_variant_builder_add(&subject, "{sv}", "pid", g_variant_new_uint32((guint32)pid));
	g_variant_builder_add(&subject, "{sv}", "start-time",
			      g_variant_new_uint64(start_time(pid)));
	g_variant_builder_add(&subject, "{sv}", "uid", g_variant_new_int32((gint32)uid));
	g_variant_builder_init(&details, G_VARIANT_TYPE("a{ss}"));
	*ask = (struct polkit_ask){
		.refs = 2,
		.cancellable = g_cancellable_new(),
		.question = g_variant_ref_sink(g_variant_new("((sa{sv})sa{ss}us)", "unix-process",
							     &subject, action, &details,
							     ALLOW_INTERACTION, "")),
		.action = g_strdup(action),
		.end = end,
		.opaque = opaque,
		.timer = g_timeout_source_new(DEADLINE_MS),
	};
	g_source_set_callback(ask->timer, on_deadline, ask, NULL);
	g_source_attach(ask->timer, g_main_context_get_thread_default());
	g_bus_get(G_BUS_TYPE_SYSTEM, ask->cancellable, on_bus, ask);
	return ask;
}

void polkit_ask_free(struct polkit_ask *ask)
{
	if (!ask)
		return;
	ask->end = NULL;
	g_cancellable_cancel(ask->cancellable);
	g_source_destroy(ask->timer);
	g_source_unref(ask->timer);
	unref(ask);
}
