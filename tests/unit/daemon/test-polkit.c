/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-polkit.c - what polkit is asked, and what its answers mean; on a bus of the test's own
 */
#include "daemon/polkit.h"

#include <gio/gio.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"

static const char interface_xml[] =
	"<node><interface name='org.freedesktop.PolicyKit1.Authority'>"
	"<method name='CheckAuthorization'>"
	"<arg type='(sa{sv})' direction='in'/><arg type='s' direction='in'/>"
	"<arg type='a{ss}' direction='in'/><arg type='u' direction='in'/>"
	"<arg type='s' direction='in'/><arg type='(bba{ss})' direction='out'/>"
	"</method></interface></node>";

/* polkit, as the test wants it. */
static struct {
	bool allow, mute;
	char *asked; /* "ACTION PID UID FLAGS" */
	GDBusMethodInvocation *unanswered;
} authority;

static struct {
	bool ended;
	GError *error;
} end;

/* NOLINTNEXTLINE(readability-function-size): its type is GDBus's */
static void on_call(GDBusConnection *bus, const char *sender, const char *path,
		    const char *interface, const char *method, GVariant *args,
		    GDBusMethodInvocation *call, void *opaque)
{
	g_autoptr(GVariant) subject = NULL;
	const char *kind, *action;
	guint32 flags, pid = 0;
	guint64 start = 0;
	gint32 uid = 0;
	GVariantBuilder details;

	(void)bus;
	(void)sender;
	(void)path;
	(void)interface;
	(void)opaque;
	g_assert_cmpstr(method, ==, "CheckAuthorization");
	g_variant_get(args, "((&s@a{sv})&sa{ss}u&s)", &kind, &subject, &action, NULL, &flags, NULL);
	g_assert_cmpstr(kind, ==, "unix-process");
	g_assert_true(g_variant_lookup(subject, "pid", "u", &pid));
	g_assert_true(g_variant_lookup(subject, "uid", "i", &uid));
	g_assert_true(g_variant_lookup(subject, "start-time", "t", &start));
	g_assert_cmpuint(start, >, 0);
	g_free(authority.asked);
	authority.asked = g_strdup_printf("%s %u %d %u", action, pid, uid, flags);
	if (authority.mute) {
		authority.unanswered = call;
		return;
	}
	g_variant_builder_init(&details, G_VARIANT_TYPE("a{ss}"));
	g_dbus_method_invocation_return_value(
		call, g_variant_new("((bba{ss}))", authority.allow, FALSE, &details));
}

static void on_end(void *opaque, const GError *error)
{
	g_assert_true(opaque == &end);
	g_assert_false(end.ended);
	end.ended = true;
	end.error = error ? g_error_copy(error) : NULL;
}

static struct polkit_ask *ask(void)
{
	g_clear_error(&end.error);
	end.ended = false;
	return polkit_ask_new(getpid(), getuid(), POLKIT_MANAGE, on_end, &end);
}

static void wait_end(void)
{
	while (!end.ended)
		g_main_context_iteration(NULL, TRUE);
}

static void settle(void)
{
	for (unsigned i = 0; i < 50; i++) {
		while (g_main_context_iteration(NULL, FALSE))
			;
		g_usleep(1000);
	}
}

static void test_answers(void)
{
	g_autofree char *want =
		g_strdup_printf("%s %d %d 1", POLKIT_MANAGE, getpid(), (int)getuid());

	authority.mute = false;
	for (unsigned allow = 0; allow < 2; allow++) {
		struct polkit_ask *one = ask();

		authority.allow = allow;
		g_assert_false(end.ended);
		wait_end();
		g_assert_cmpstr(authority.asked, ==, want);
		if (allow)
			g_assert_no_error(end.error);
		else
			g_assert_error(end.error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
		polkit_ask_free(one);
	}
	polkit_ask_free(NULL);
}

/* It says nothing, and the client goes. */
static void test_mute(void)
{
	struct polkit_ask *one;

	authority.mute = true;
	one = ask();
	while (!authority.unanswered)
		g_main_context_iteration(NULL, TRUE);
	g_assert_false(end.ended);
	polkit_ask_free(one);
	g_dbus_method_invocation_return_dbus_error(g_steal_pointer(&authority.unanswered),
						   "org.freedesktop.DBus.Error.Failed", "late");
	settle();
	g_assert_false(end.ended);
	/* At once, too. */
	polkit_ask_free(ask());
	settle();
	g_assert_false(end.ended);
}

static void test_absent(GDBusConnection *bus)
{
	struct polkit_ask *one;

	/* The name is given up, so that nobody answers. */
	g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
		bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
		"ReleaseName", g_variant_new("(s)", "org.freedesktop.PolicyKit1"), NULL,
		G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);

	g_assert_nonnull(reply);
	one = ask();
	wait_end();
	g_assert_error(end.error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	g_assert_nonnull(strstr(end.error->message, "polkit cannot be asked"));
	polkit_ask_free(one);
}

static void test_all(void)
{
	static const GDBusInterfaceVTable table = { .method_call = on_call };
	g_autofree char *daemon = g_find_program_in_path("dbus-daemon");
	g_autoptr(GDBusNodeInfo) info = g_dbus_node_info_new_for_xml(interface_xml, NULL);
	g_autoptr(GDBusConnection) bus = NULL;
	g_autoptr(GError) error = NULL;
	GTestDBus *own;

	if (!daemon) {
		g_test_skip("there is no dbus-daemon");
		return;
	}
	own = g_test_dbus_new(G_TEST_DBUS_NONE);
	g_test_dbus_up(own);
	g_assert_true(g_setenv("DBUS_SYSTEM_BUS_ADDRESS", g_test_dbus_get_bus_address(own), TRUE));
	bus = g_dbus_connection_new_for_address_sync(
		g_test_dbus_get_bus_address(own),
		G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
			G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
		NULL, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(
		g_dbus_connection_register_object(bus, "/org/freedesktop/PolicyKit1/Authority",
						  info->interfaces[0], &table, NULL, NULL, &error),
		>, 0);
	g_variant_unref(g_dbus_connection_call_sync(
		bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
		"RequestName", g_variant_new("(su)", "org.freedesktop.PolicyKit1", 0), NULL,
		G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error));
	g_assert_no_error(error);
	test_answers();
	test_mute();
	test_absent(bus);
	g_test_dbus_stop(own);
	g_object_unref(own);
	g_clear_error(&end.error);
	g_free(authority.asked);
}

/* There is no bus at all. */
static void test_no_bus(void)
{
	struct polkit_ask *one;

	g_assert_true(g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", TRUE));
	one = ask();
	wait_end();
	g_assert_error(end.error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	g_assert_nonnull(strstr(end.error->message, "there is no system bus"));
	polkit_ask_free(one);
	g_clear_error(&end.error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/polkit/no-bus", test_no_bus);
	g_test_add_func("/polkit/answers", test_all);
	return g_test_run();
}
