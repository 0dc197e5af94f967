/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edit.c - change a definition with the editor of one's choice
 *
 * The text is in a file from the first moment to the last. It is deleted when the daemon has it, or
 * when nothing was changed; whatever else happens, the file stays, and its name is told.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "model/domain.h"
#include "model/network.h"
#include "model/storage.h"

/* What is edited. */
struct edit_kind {
	const char *noun, *rename; /* the last one: how its name is changed, a sentence's end */
	/* Is it a definition? Its name and UUID, if they are in it, for g_free(). */
	bool (*parse)(const char *xml, struct notes *notes, char **ret_name, char **ret_uuid,
		      GError **error);
	bool (*define)(struct socle_conn *conn, const char *xml, struct socle_error **error);
};

struct edit {
	struct cli *cli;
	const struct edit_kind *kind;
	char *name, *path;
	char *before;  /* the daemon's text, what comes from the editor is compared with */
	bool finished; /* the file is of no use any more */
};

/* $VISUAL and $EDITOR may have options: a shell reads them, as everywhere; the file is one word. */
static bool run_editor(const struct edit *edit, GError **error)
{
	const char *visual = g_getenv("VISUAL"), *editor = g_getenv("EDITOR");
	const char *command = visual && *visual ? visual : editor && *editor ? editor : "vi";
	g_autofree char *script = g_strdup_printf("%s \"$1\"", command);
	char shell[] = "/bin/sh", option[] = "-c", zero[] = "sh";
	char *argv[] = { shell, option, script, zero, edit->path, NULL };
	int wait_status = 0;

	if (!g_spawn_sync(NULL, argv, NULL,
			  G_SPAWN_CHILD_INHERITS_STDIN | G_SPAWN_LEAVE_DESCRIPTORS_OPEN, NULL, NULL,
			  NULL, NULL, &wait_status, error)) {
		g_prefix_error(error, "cannot start the editor '%s': ", command);
		return false;
	}
	if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status))
		return error_set(error, SOCLE_ERROR_FAILED,
				 "the editor '%s' says that it failed; EDITOR=... chooses another",
				 command);
	return true;
}

static bool write_file(struct edit *edit, GError **error)
{
	const char *folder = g_getenv("TMPDIR");
	uint64_t random = 0;
	autofd int fd = -1;
	ssize_t ret = sys_random(&random, sizeof(random));

	if (ret < 0)
		return error_sys(error, (int)ret, "cannot make a name for a file");
	edit->path = g_strdup_printf("%s/socle-%016" G_GINT64_MODIFIER "x.xml",
				     folder && *folder ? folder : "/tmp", random);
	fd = sys_open(edit->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return error_sys(error, fd, "cannot create '%s'", edit->path);
	ret = sys_write_full(fd, edit->before, strlen(edit->before));
	if (ret < 0) {
		(void)sys_unlink(edit->path);
		return error_sys(error, (int)ret, "cannot write '%s'", edit->path);
	}
	return true;
}

/* Is it a definition, and still that one's? */
static bool check(const struct edit *edit, const char *xml, const char *uuid, GError **error)
{
	g_autofree char *own_name = NULL, *own_uuid = NULL;
	struct notes notes = { .count = 0 };
	bool ok = edit->kind->parse(xml, &notes, &own_name, &own_uuid, error);

	for (unsigned i = 0; ok && i < notes.count; i++)
		cli_warn("%s", notes.text[i]);
	notes_release(&notes);
	if (!ok)
		return false;
	if (g_strcmp0(own_name, edit->name) != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the name is '%s' now: that would be another %s; %s",
				 own_name ? own_name : "", edit->kind->noun, edit->kind->rename);
	if (own_uuid && g_ascii_strcasecmp(own_uuid, uuid) != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the UUID is '%s' now: that would be another %s; leave it %s",
				 own_uuid, edit->kind->noun, uuid);
	return true;
}

/* One look at the file: true if it is over. */
static bool take(struct edit *edit, const char *uuid, bool *ret_changed, GError **error)
{
	size_t len;
	g_autofree char *after = cli_read_file(edit->path, &len, error);
	struct socle_error *why = NULL;

	if (!after)
		return false;
	*ret_changed = strcmp(after, edit->before) != 0;
	if (!*ret_changed)
		return true;
	if (!check(edit, after, uuid, error))
		return false;
	return edit->kind->define(edit->cli->conn, after, &why) ||
	       cli_fail(error, why, "'%s'", edit->name);
}

/* 'y': edit again, 'n': leave it. */
static char ask(void)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO))
		return 'n';
	(void)fputs("Edit it again? [Y/n] ", stderr);
	if (!fgets(answer, sizeof(answer), stdin) || answer[0] == 'n' || answer[0] == 'N')
		return 'n';
	return 'y';
}

static bool edit_until_done(struct edit *edit, const char *uuid, bool *ret_changed, GError **error)
{
	for (;;) {
		g_autoptr(GError) why = NULL;

		if (run_editor(edit, &why) && take(edit, uuid, ret_changed, &why)) {
			edit->finished = true;
			return true;
		}
		cli_warn("%s", why->message);
		if (ask() == 'n') {
			g_propagate_prefixed_error(error, g_steal_pointer(&why),
						   "'%s' is as it was, your text is in '%s': ",
						   edit->name, edit->path);
			return false;
		}
	}
}

static void on_signal(int sig)
{
	(void)sig;
}

/* Ctrl-C is the editor's. Not SIG_IGN, which the editor would have, too; at our question it is a no. */
static void keep_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGQUIT, &action, NULL);
}

/* @edit has the text; it is done with afterwards. */
static bool edit_text(struct edit *edit, const char *uuid, bool *ret_changed, GError **error)
{
	bool ok;

	keep_signals();
	ok = write_file(edit, error) && edit_until_done(edit, uuid, ret_changed, error);
	if (edit->finished)
		(void)sys_unlink(edit->path);
	free(edit->before);
	g_free(edit->name);
	g_free(edit->path);
	return ok;
}

static const char *said(bool changed)
{
	return changed ? "has the new definition" : "was not changed";
}

/* ---- machines ---- */

static bool parse_machine(const char *xml, struct notes *notes, char **ret_name, char **ret_uuid,
			  GError **error)
{
	autoptr(domain) domain = domain_parse(xml, strlen(xml), 0, notes, error);

	if (!domain)
		return false;
	*ret_name = g_strdup(domain->name);
	*ret_uuid = g_strdup(domain->uuid);
	return true;
}

static bool define_machine(struct socle_conn *conn, const char *xml, struct socle_error **error)
{
	SOCLE_AUTO(domain) dom = socle_domain_define(conn, xml, SOCLE_DEFINE_VALIDATE, error);

	return dom != NULL;
}

static const struct edit_kind machines = { "machine", "'socle rename' changes a name",
					   parse_machine, define_machine };

static int run_edit(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct edit edit = { .cli = cli, .kind = &machines };
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	struct socle_error *why = NULL;
	bool changed = false;

	if (!dom)
		return CLI_FAILED;
	edit.before = socle_domain_xml(dom, SOCLE_XML_INACTIVE | SOCLE_XML_SECURE, &why);
	if (!edit.before)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	edit.name = g_strdup(socle_domain_name(dom));
	if (!edit_text(&edit, socle_domain_uuid_text(dom), &changed, error))
		return CLI_FAILED;
	cli_done_machine(cli, dom, "edit", said(changed));
	return CLI_OK;
}

const struct cli_command cli_vm_edit = {
	.noun = "vm",
	.verb = "edit",
	.arguments = "MACHINE",
	.summary = "Change the definition of a machine by $VISUAL, $EDITOR or vi",
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_edit,
};

/* ---- networks and pools ---- */

static bool parse_network(const char *xml, struct notes *notes, char **ret_name, char **ret_uuid,
			  GError **error)
{
	autoptr(network) network = network_parse(xml, strlen(xml), 0, notes, error);

	if (!network)
		return false;
	*ret_name = g_strdup(network->name);
	*ret_uuid = g_strdup(network->uuid);
	return true;
}

static bool define_network(struct socle_conn *conn, const char *xml, struct socle_error **error)
{
	SOCLE_AUTO(network)
	net = socle_network_define(conn, xml, SOCLE_NETWORK_DEFINE_VALIDATE, error);

	return net != NULL;
}

static bool parse_pool(const char *xml, struct notes *notes, char **ret_name, char **ret_uuid,
		       GError **error)
{
	autoptr(storage_pool) pool = storage_pool_parse(xml, strlen(xml), 0, notes, error);

	if (!pool)
		return false;
	*ret_name = g_strdup(pool->name);
	*ret_uuid = g_strdup(pool->uuid);
	return true;
}

static bool define_pool(struct socle_conn *conn, const char *xml, struct socle_error **error)
{
	SOCLE_AUTO(pool) pool = socle_pool_define(conn, xml, SOCLE_POOL_DEFINE_VALIDATE, error);

	return pool != NULL;
}

static const struct edit_kind networks = { "network", "define a new one and undefine this",
					   parse_network, define_network };
static const struct edit_kind pools = { "pool", "define a new one and undefine this", parse_pool,
					define_pool };

static int edit_object(struct cli *cli, const struct cli_args *args, const struct object_kind *kind,
		       const struct edit_kind *how, GError **error)
{
	struct edit edit = { .cli = cli, .kind = how };
	void *object = kind->find(cli, args, cli_args_word(args, 0), error);
	struct socle_error *why = NULL;
	bool changed = false, ok = false;

	if (!object)
		return CLI_FAILED;
	edit.before = kind->xml(object, kind->inactive, &why);
	/* libvirt's driver "test" has one definition, and no flag for it. */
	if (!edit.before && socle_error_code(why) == SOCLE_ERR_INVALID_ARG) {
		socle_error_free(why);
		why = NULL;
		edit.before = kind->xml(object, 0, &why);
	}
	edit.name = g_strdup(kind->name(object));
	if (edit.before)
		ok = edit_text(&edit, kind->uuid(object), &changed, error);
	else
		cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	if (ok)
		cli_done_object(cli, kind, object, "edit", said(changed));
	kind->unref(object);
	return ok ? CLI_OK : CLI_FAILED;
}

static int run_edit_network(struct cli *cli, const struct cli_args *args, GError **error)
{
	return edit_object(cli, args, &object_network, &networks, error);
}

const struct cli_command cli_net_edit = {
	.noun = "net",
	.verb = "edit",
	.names = "net-edit",
	.arguments = "NETWORK",
	.summary = "Change the definition of a network by $VISUAL, $EDITOR or vi",
	.what = { CLI_NETWORK },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_edit_network,
};

static int run_edit_pool(struct cli *cli, const struct cli_args *args, GError **error)
{
	return edit_object(cli, args, &object_pool, &pools, error);
}

const struct cli_command cli_pool_edit = {
	.noun = "pool",
	.verb = "edit",
	.names = "pool-edit",
	.arguments = "POOL",
	.summary = "Change the definition of a pool by $VISUAL, $EDITOR or vi",
	.what = { CLI_POOL },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_edit_pool,
};
