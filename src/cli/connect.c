/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connect.c - the connection, and the machines that words mean
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/cli.h"
#include "cli/names.h"
#include "cli/table.h"

enum {
	FILE_MAX = 16 << 20 /* bytes of a definition that is read, far more than daemons take */
};

const char *cli_given_uri(const struct cli *cli)
{
	const char *places[] = { cli->uri, g_getenv("SOCLE_URI"), g_getenv("SOCLE_DEFAULT_URI"),
				 g_getenv("LIBVIRT_DEFAULT_URI") };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (places[i] && *places[i])
			return places[i];
	}
	return NULL;
}

bool cli_connect_flags(struct cli *cli, unsigned flags, GError **error)
{
	const char *uri = cli_given_uri(cli);
	struct socle_error *why = NULL;

	if (cli->conn)
		return true;
	flags |= cli->open_flags;
	if (cli->readonly)
		flags |= SOCLE_OPEN_READONLY;
	g_free(cli->where);
	cli->where = uri ? cli_plain(uri) : g_strdup("the default place");
	cli->conn = socle_conn_open_timeout(uri, flags, (unsigned)cli->timeout_ms, &why);
	if (!cli->conn) {
		/* Whatever it is about, there is no connection. */
		cli_fail(error, why, NULL);
		if (error && *error && cli_status_of(*error) == CLI_FAILED)
			(*error)->code = SOCLE_ERR_NO_CONNECT;
		return false;
	}
	socle_conn_set_timeout(cli->conn, (unsigned)cli->timeout_ms);
	return true;
}

bool cli_connect(struct cli *cli, GError **error)
{
	return cli_connect_flags(cli, 0, error);
}

char *cli_uri(struct cli *cli, GError **error)
{
	struct socle_error *why = NULL;
	char *uri = socle_conn_uri(cli->conn, &why), *socket = socle_conn_socket(cli->conn);
	g_autofree char *escaped = NULL, *text = NULL;
	const char *path = uri ? strstr(uri, "://") : NULL;

	if (path && socket) {
		escaped = g_uri_escape_string(socket, "/", false);
		text = g_strdup_printf("%.*s+unix%s%csocket=%s", (int)(path - uri), uri, path,
				       strchr(path, '?') ? '&' : '?', escaped);
	} else if (uri) {
		text = g_strdup(cli_given_uri(cli) ? cli_given_uri(cli) : uri);
	} else {
		cli_fail(error, why, NULL);
	}
	free(uri);
	free(socket);
	return g_steal_pointer(&text);
}

void cli_disconnect(struct cli *cli)
{
	g_clear_pointer(&cli->conn, socle_conn_unref);
	g_clear_pointer(&cli->where, g_free);
}

bool cli_reconnect(struct cli *cli, GError **error)
{
	g_clear_pointer(&cli->conn, socle_conn_unref);
	return cli_connect(cli, error);
}

char *cli_name(const struct socle_domain *dom)
{
	return cli_plain(socle_domain_name(dom));
}

/* The long way: all machines, compared with the word. */
static struct socle_domain *search(struct cli *cli, const char *word, GError **error)
{
	struct socle_domain **doms = NULL, *found = NULL;
	struct socle_error *why = NULL;
	g_autofree struct named *names = NULL;
	int count = socle_domain_list(cli->conn, 0, &doms, &why), place;

	if (count < 0) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	names = g_new0(struct named, (size_t)count + 1);
	for (int i = 0; i < count; i++) {
		names[i].name = socle_domain_name(doms[i]);
		g_strlcpy(names[i].uuid, socle_domain_uuid_text(doms[i]), sizeof(names[i].uuid));
		names[i].id = socle_domain_id(doms[i]);
	}
	place = names_find(&name_machine, names, (unsigned)count, word, cli->where, error);
	if (place >= 0)
		found = socle_domain_ref(doms[place]);
	socle_domains_free(doms);
	return found;
}

struct socle_domain *cli_machine(struct cli *cli, const char *word, GError **error)
{
	struct socle_domain *dom;
	struct socle_error *why = NULL;

	if (!cli_connect(cli, error))
		return NULL;
	/* Most words are names, and one call is less than a list. */
	dom = socle_domain_by_name(cli->conn, word, &why);
	if (dom)
		return dom;
	if (socle_error_code(why) != SOCLE_ERR_NO_DOMAIN) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	socle_error_free(why);
	return search(cli, word, error);
}

static void unref_domain(void *data)
{
	socle_domain_unref(data);
}

GPtrArray *cli_machines(struct cli *cli, const struct cli_args *args, unsigned first,
			GError **error)
{
	g_autoptr(GPtrArray) doms = g_ptr_array_new_with_free_func(unref_domain);

	for (unsigned n = first; n < cli_args_words(args); n++) {
		struct socle_domain *dom = cli_machine(cli, cli_args_word(args, n), error);
		bool twice = false;

		if (!dom)
			return NULL;
		for (unsigned i = 0; i < doms->len && !twice; i++)
			twice = !memcmp(socle_domain_uuid(g_ptr_array_index(doms, i)),
					socle_domain_uuid(dom), 16);
		if (twice)
			socle_domain_unref(dom);
		else
			g_ptr_array_add(doms, dom);
	}
	return g_steal_pointer(&doms);
}

bool cli_must_run(struct socle_domain *dom, GError **error)
{
	g_autofree char *name = cli_name(dom);
	struct socle_error *why = NULL;
	int active = socle_domain_is_active(dom, &why);

	if (active < 0)
		return cli_fail(error, why, "'%s'", name);
	if (!active)
		return error_set(error, SOCLE_ERROR_STATE,
				 "'%s' does not run; 'socle start %s' starts it", name, name);
	return true;
}

void cli_done(const struct cli *cli, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	if (cli->quiet || cli->output != OUTPUT_TABLE)
		return;
	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	cli_out("%s\n", text);
}

void cli_out_list(const struct cli *cli, json_t *list, const struct table *table, const char *none)
{
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_incref(list));
	else if (cli->output == OUTPUT_TABLE && table_rows(table))
		table_print(table);
	else if (cli->output == OUTPUT_TABLE)
		cli_done(cli, "%s", none);
	json_decref(list);
}

static json_t *action_json(struct socle_domain *dom, const char *action, const GError *error)
{
	json_t *object = json_object();

	json_object_set_new(object, "machine", cli_json_string(socle_domain_name(dom)));
	json_object_set_new(object, "uuid", json_string(socle_domain_uuid_text(dom)));
	json_object_set_new(object, "action", json_string(action));
	json_object_set_new(object, "ok", json_boolean(!error));
	if (error)
		json_object_set_new(object, "error", cli_json_string(error->message));
	return object;
}

void cli_done_machine(const struct cli *cli, struct socle_domain *dom, const char *action,
		      const char *done)
{
	g_autofree char *name = cli_name(dom);

	if (cli->output == OUTPUT_JSON) {
		json_t *list = json_array();

		json_array_append_new(list, action_json(dom, action, NULL));
		cli_out_json(list);
	} else if (cli->output == OUTPUT_NAME) {
		cli_out_name(name);
	} else {
		cli_done(cli, "'%s' %s", name, done);
	}
}

int cli_each(struct cli *cli, const struct cli_args *args, const char *text, const char *done,
	     cli_act *act, GError **error)
{
	g_autoptr(GPtrArray) doms = cli_machines(cli, args, 0, error);
	json_t *list;
	int status = CLI_OK;

	if (!doms)
		return CLI_FAILED;
	list = json_array();
	for (unsigned i = 0; i < doms->len; i++) {
		struct socle_domain *dom = g_ptr_array_index(doms, i);
		g_autoptr(GError) why = NULL;
		g_autofree char *name = cli_name(dom);
		bool ok = act(cli, args, dom, &why);

		json_array_append_new(list, action_json(dom, text, why));
		if (ok && cli->output == OUTPUT_NAME) {
			cli_out_name(name);
		} else if (ok) {
			cli_done(cli, "'%s' %s", name, done);
		} else {
			cli_warn("%s", why->message);
			status = status == CLI_OK ? (int)cli_status_of(why) : status;
		}
	}
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_incref(list));
	json_decref(list);
	return status;
}

bool cli_confirm(const struct cli *cli, const char *question, GError **error)
{
	char answer[16] = "";

	/* Scripts mean what they say, as they do with virsh. */
	if (cli->yes || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return true;
	(void)fflush(stdout);
	(void)fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(answer, sizeof(answer), stdin))
		(void)fputs("\n", stderr);
	if (answer[0] == 'y' || answer[0] == 'Y')
		return true;
	return error_set(error, SOCLE_ERROR_FAILED, "nothing was done");
}

unsigned cli_affect(const struct cli_args *args)
{
	return (cli_args_has(args, "live") ? SOCLE_AFFECT_LIVE : 0) |
	       (cli_args_has(args, "config") ? SOCLE_AFFECT_CONFIG : 0);
}

bool cli_must_be_new(struct cli *cli, const char *name, GError **error)
{
	SOCLE_AUTO(domain) there = socle_domain_by_name(cli->conn, name, NULL);
	g_autofree char *shown = cli_plain(name);

	return !there ||
	       error_set(error, SOCLE_ERROR_EXISTS, "there is a machine '%s' already", shown);
}

char *cli_read_file(const char *path, size_t *ret_len, GError **error)
{
	bool is_stdin = !strcmp(path, "-");
	autofd int opened = is_stdin ? -1 : sys_open(path, O_RDONLY, 0);
	int fd = is_stdin ? STDIN_FILENO : opened;
	g_autofree char *text = NULL;
	ssize_t len;

	if (fd < 0) {
		error_sys(error, fd, "cannot open '%s'", path);
		return NULL;
	}
	text = g_malloc(FILE_MAX + 1);
	len = sys_read_full(fd, text, FILE_MAX + 1);
	if (len < 0) {
		error_sys(error, (int)len, "cannot read '%s'", path);
		return NULL;
	}
	if (len > FILE_MAX) {
		error_set(error, SOCLE_ERROR_LIMIT, "'%s' is larger than 16 MiB: no definition",
			  path);
		return NULL;
	}
	if (memchr(text, '\0', (size_t)len)) {
		error_set(error, SOCLE_ERROR_USAGE, "'%s' is no text", path);
		return NULL;
	}
	text[len] = '\0';
	*ret_len = (size_t)len;
	return g_realloc(g_steal_pointer(&text), (size_t)len + 1);
}
