/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net-forward.c - ports of the host that lead to guests of a network
 *
 * They stand in the network's metadata, from which a daemon of libvirt's gives them back, without doing anything. All
 * of them are put there anew.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "cli/table.h"
#include "model/network.h"

/* == The text of one: [tcp|udp]:[ADDRESS]:PORT-GUEST:PORT == */

/* An address, up to a colon, and in brackets if it has some itself; false: it is none. "" is no address. */
static bool take_address(const char **at, struct inet *ret, bool *ret_any)
{
	const bool in_brackets = **at == '[';
	const char *start = *at + in_brackets;
	const char *end = strpbrk(start, in_brackets ? "]" : ":");
	g_autofree char *text = end ? g_strndup(start, (size_t)(end - start)) : NULL;

	if (!end || (in_brackets && end[1] != ':'))
		return false;
	*at = end + in_brackets + 1;
	*ret_any = !*text;
	return !*text || inet_parse(text, ret);
}

/* A number that is followed by @end. */
static bool take_port(const char **at, char end, uint16_t *ret)
{
	char *behind;
	guint64 port = g_ascii_isdigit(**at) ? g_ascii_strtoull(*at, &behind, 10) : 0;

	if (port < 1 || port > 65535 || *behind != end)
		return false;
	*ret = (uint16_t)port;
	*at = behind + (end ? 1 : 0);
	return true;
}

static bool parse_forward(const char *text, struct network_forward_port *ret, GError **error)
{
	const char *at = text;
	bool none = true;

	*ret = (struct network_forward_port){ .udp = g_str_has_prefix(text, "udp:") };
	at += ret->udp || g_str_has_prefix(text, "tcp:") ? 4 : 0;
	/* Without a word in front it is TCP, of all addresses. */
	if (at == text)
		ret->any = true;
	else if (!take_address(&at, &ret->address, &ret->any))
		goto wrong;
	if (!take_port(&at, '-', &ret->port) || !take_address(&at, &ret->to, &none) || none ||
	    !take_port(&at, '\0', &ret->to_port))
		goto wrong;
	ret->end = ret->port;
	return true;
wrong:
	return error_set(error, SOCLE_ERROR_USAGE,
			 "'%s' is no forward; give one like 2222-192.168.122.11:22 or "
			 "udp:[ADDRESS]:53-[fd00::11]:53",
			 text);
}

static char *bracketed(const struct inet *inet)
{
	char text[INET_TEXT_MAX];

	inet_format(inet, text);
	return g_strdup_printf(inet->v6 ? "[%s]" : "%s", text);
}

static char *forward_text(const struct network_forward_port *f)
{
	g_autofree char *own = f->any ? g_strdup("") : bracketed(&f->address);
	g_autofree char *to = bracketed(&f->to);

	return g_strdup_printf("%s:%s:%u-%s:%u", f->udp ? "udp" : "tcp", own, f->port, to,
			       f->to_port);
}

/* == All of a network == */

static GArray *forwards_of(struct socle_network *net, GError **error)
{
	struct socle_error *why = NULL;
	char *xml = socle_network_xml(net, 0, &why);
	autoptr(network) network = NULL;

	if (!xml) {
		cli_fail(error, why, "network '%s'", socle_network_name(net));
		return NULL;
	}
	network = network_parse(xml, strlen(xml), 0, NULL, error);
	free(xml);
	return network ? network_forwards(network, error) : NULL;
}

static char *forwards_xml(const GArray *list)
{
	GString *out = g_string_new("<forwards>");

	for (unsigned i = 0; i < list->len; i++) {
		const struct network_forward_port *f =
			&g_array_index(list, struct network_forward_port, i);
		char to[INET_TEXT_MAX], own[INET_TEXT_MAX];

		inet_format(&f->to, to);
		inet_format(&f->address, own);
		g_string_append_printf(out, "<forward proto='%s' port='%u'", f->udp ? "udp" : "tcp",
				       f->port);
		if (f->end != f->port)
			g_string_append_printf(out, " end='%u'", f->end);
		if (!f->any)
			g_string_append_printf(out, " address='%s'", own);
		g_string_append_printf(out, " to='%s' to-port='%u'/>", to, f->to_port);
	}
	return g_string_free(g_string_append(out, "</forwards>"), FALSE);
}

/* For now, and for the next start. */
static bool put_forwards(struct socle_network *net, const GArray *list, GError **error)
{
	g_autofree char *xml = list->len ? forwards_xml(list) : NULL;
	struct socle_error *why = NULL;
	unsigned flags =
		(socle_network_is_active(net, NULL) > 0 ? SOCLE_NETWORK_UPDATE_LIVE : 0) |
		(socle_network_is_persistent(net, NULL) > 0 ? SOCLE_NETWORK_UPDATE_CONFIG : 0);

	return socle_network_set_metadata(net, SOCLE_METADATA_ELEMENT, xml, "socle",
					  NETWORK_OWN_NAMESPACE, flags, &why) == 0 ||
	       cli_fail(error, why, "network '%s'", socle_network_name(net));
}

static bool is_same(const struct network_forward_port *a, const struct network_forward_port *b)
{
	return a->udp == b->udp && a->any == b->any && a->port == b->port &&
	       a->to_port == b->to_port && !inet_compare(&a->to, &b->to) &&
	       (a->any || !inet_compare(&a->address, &b->address));
}

static bool remove_forward(GArray *list, const struct network_forward_port *f, GError **error)
{
	g_autofree char *text = forward_text(f);

	for (unsigned i = 0; i < list->len; i++) {
		if (is_same(&g_array_index(list, struct network_forward_port, i), f)) {
			g_array_remove_index(list, i);
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_NOT_FOUND,
			 "the network does not forward '%s'; without words all are listed", text);
}

static int show(struct cli *cli, const GArray *list)
{
	autoptr(table) table = table_new("PROTOCOL|ADDRESS|PORT|GUEST|GUEST'S PORT");
	json_t *json = json_array();

	for (unsigned i = 0; i < list->len; i++) {
		const struct network_forward_port *f =
			&g_array_index(list, struct network_forward_port, i);
		g_autofree char *text = forward_text(f);
		char own[INET_TEXT_MAX], to[INET_TEXT_MAX];

		inet_format(&f->address, own);
		inet_format(&f->to, to);
		if (cli->output == OUTPUT_NAME)
			cli_out_name(text);
		table_add(table, f->udp ? "udp" : "tcp");
		table_add(table, f->any ? NULL : own);
		table_take(table, f->end == f->port ? g_strdup_printf("%u", f->port)
						    : g_strdup_printf("%u-%u", f->port, f->end));
		table_add(table, to);
		table_take(table, g_strdup_printf("%u", f->to_port));
		json_array_append_new(json, json_pack("{s:s, s:o, s:i, s:i, s:s, s:i}", "protocol",
						      f->udp ? "udp" : "tcp", "address",
						      cli_json_string(f->any ? NULL : own), "port",
						      (int)f->port, "end", (int)f->end, "guest", to,
						      "guest_port", (int)f->to_port));
	}
	cli_out_list(cli, json, table, "no ports are forwarded");
	return CLI_OK;
}

static int run_forward(struct cli *cli, const struct cli_args *args, GError **error)
{
	const bool removes = cli_args_has(args, "remove");
	const unsigned words = cli_args_words(args);
	SOCLE_AUTO(network) net = NULL;
	g_autoptr(GArray) list = NULL;
	struct network_forward_port f;

	if (removes && words < 2) {
		error_set(error, SOCLE_ERROR_USAGE, "--remove wants to know which; name forwards");
		return CLI_USAGE;
	}
	for (unsigned i = 1; i < words; i++) {
		if (!parse_forward(cli_args_word(args, i), &f, error))
			return CLI_USAGE;
	}
	net = cli_network(cli, cli_args_word(args, 0), error);
	list = net ? forwards_of(net, error) : NULL;
	if (!list)
		return CLI_FAILED;
	if (words < 2)
		return show(cli, list);
	for (unsigned i = 1; i < words; i++) {
		(void)parse_forward(cli_args_word(args, i), &f, NULL);
		if (!removes)
			g_array_append_val(list, f);
		else if (!remove_forward(list, &f, error))
			return CLI_FAILED;
	}
	if (!put_forwards(net, list, error))
		return CLI_FAILED;
	cli_done_object(cli, &object_network, net, "forward",
			removes ? "forwards them no more" : "forwards them");
	return CLI_OK;
}

const struct cli_command cli_net_forward = {
	.noun = "net",
	.verb = "forward",
	.arguments = "NETWORK [FORWARD...]",
	.summary = "List ports that lead to guests, or add one like 2222-192.168.122.11:22",
	.options = (const struct cli_option[]){ { "remove", 0, NULL, CLI_NOTHING,
						  "take those that are named out" },
						CLI_ROW_END },
	.what = { CLI_NETWORK, CLI_TEXT },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.run = run_forward,
};
