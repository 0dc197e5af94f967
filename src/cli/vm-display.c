/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-display.c - where a machine's screen is to be seen, and a program that shows it
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "model/domain.h"

enum {
	VNC_FIRST = 5900
};

static const char *const type_names[] = {
	[GRAPHICS_ABSENT] = "-",
	[GRAPHICS_VNC] = "vnc",
	[GRAPHICS_SPICE] = "spice",
	[GRAPHICS_SDL] = "sdl",
	[GRAPHICS_RDP] = "rdp",
	[GRAPHICS_DESKTOP] = "desktop",
	[GRAPHICS_EGL_HEADLESS] = "egl-headless",
	[GRAPHICS_DBUS] = "dbus",
};
static_assert(ARRAY_SIZE(type_names) == GRAPHICS_COUNT, "a name for each");

static struct domain *live_of(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	struct socle_error *why = NULL;
	struct domain *live;
	char *xml;

	if (!dom)
		return NULL;
	xml = socle_domain_xml(dom, 0, &why);
	if (!xml) {
		cli_fail(error, why, "'%s'", cli_args_word(args, 0));
		return NULL;
	}
	live = domain_parse(xml, strlen(xml), 0, NULL, error);
	free(xml);
	return live;
}

static const char *path_of(const struct domain_graphics *graphics)
{
	return graphics->listen_count && graphics->listens[0].socket ? graphics->listens[0].socket
								     : graphics->socket;
}

/* As virsh's domdisplay says it; NULL: by this connection only. */
static char *uri_of(const struct domain_graphics *graphics, const char *type)
{
	const char *address = graphics->listen ? graphics->listen : "127.0.0.1";
	const bool v6 = strchr(address, ':');
	int64_t port = graphics->port.value;

	if (path_of(graphics))
		return g_strdup_printf("%s+unix://%s", type, path_of(graphics));
	if (port <= 0)
		return NULL;
	/* VNC counts displays. */
	return g_strdup_printf("%s://%s%s%s:%" PRId64, type, v6 ? "[" : "", address, v6 ? "]" : "",
			       strcmp(type, "vnc") ? port : port - VNC_FIRST);
}

static int run_display(struct cli *cli, const struct cli_args *args, GError **error)
{
	autoptr(domain) live = live_of(cli, args, error);
	autoptr(table) table = table_new("TYPE|ADDRESS|PORT|URI");
	json_t *list;

	if (!live)
		return CLI_FAILED;
	list = json_array();
	for (unsigned i = 0; i < live->devices.graphics_count; i++) {
		const struct domain_graphics *graphics = &live->devices.graphics[i];
		const char *type = type_names[graphics->type];
		g_autofree char *uri = uri_of(graphics, type);
		const char *where = path_of(graphics) ? path_of(graphics) : graphics->listen;

		if (cli->output == OUTPUT_NAME && uri)
			cli_out_name(uri);
		table_add(table, type);
		table_add(table, where ? where : "-");
		table_take(table, graphics->port.value > 0
					  ? g_strdup_printf("%d", (int)graphics->port.value)
					  : g_strdup("-"));
		table_add(table, uri ? uri : "-");
		json_array_append_new(list,
				      json_pack("{s:s, s:o?, s:i, s:o?}", "type", type, "address",
						where ? cli_json_string(where) : NULL, "port",
						(int)graphics->port.value, "uri",
						uri ? cli_json_string(uri) : NULL));
	}
	cli_out_list(cli, list, table, "the machine has no display");
	return CLI_OK;
}

const struct cli_command cli_vm_display = {
	.noun = "vm",
	.verb = "display",
	.names = "domdisplay vncdisplay",
	.arguments = "MACHINE",
	.summary = "Show where a machine's screen is to be seen",
	.what = { CLI_RUNNING },
	.min = 1,
	.max = 1,
	.run = run_display,
};

/* ---- a viewer ---- */

/* Until its window is closed. */
static bool show(char *program, char *uri, char *name, GError **error)
{
	char connect[] = "--connect", end[] = "--";
	char *argv[] = { program, connect, uri, end, name, NULL };
	g_autoptr(GError) why = NULL;
	int status = 0;

	if (g_spawn_sync(NULL, argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL,
			 &status, &why) &&
	    g_spawn_check_wait_status(status, &why))
		return true;
	return error_set(error, SOCLE_ERROR_FAILED, "virt-viewer: %s", why->message);
}

static int run_view(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	g_autofree char *program = g_find_program_in_path("virt-viewer");
	g_autofree char *uri = NULL, *name = NULL;

	if (!dom)
		return CLI_FAILED;
	if (!program) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "there is no virt-viewer; install it, or take another VNC client to what "
			  "'socle vm display' says");
		return CLI_FAILED;
	}
	uri = cli_uri(cli, error);
	if (!uri)
		return CLI_FAILED;
	name = cli_name(dom);
	return show(program, uri, name, error) ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_vm_view = {
	.noun = "vm",
	.verb = "view",
	.names = "view",
	.arguments = "MACHINE",
	.summary = "Show a machine's screen in a window, by virt-viewer",
	.what = { CLI_RUNNING },
	.min = 1,
	.max = 1,
	.run = run_view,
};
