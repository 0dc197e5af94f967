/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-legacy.c - rules in the old tables of iptables, which nftables does not see
 *
 * A host may have both. Packets go through both, and what the old tables drop is lost, so their chains are doors
 * like those of network-rules.c. Only their own programs know the kernel's format; they are run where such a table is
 * in use, and nowhere else: to look is to load it.
 */
#include "daemon/network-legacy.h"

#include <glib.h>
#include <string.h>

#include "base/log.h"
#include "host/tool.h"
#include "model/network.h"

/* As the programs list them; %s is the bridge. */
static const char *const rules[] = {
	"FORWARD -i %s",
	"FORWARD -o %s",
	"INPUT -i %s -p udp -m udp --dport 53",
	"INPUT -i %s -p tcp -m tcp --dport 53",
	"INPUT -i %s -p udp -m udp --dport 69",
};
static const char *const family_rules[][2] = {
	{ "INPUT -i %s -p udp -m udp --dport 67", "INPUT -i %s -p icmp" },
	{ "INPUT -i %s -p udp -m udp --dport 547", "INPUT -i %s -p ipv6-icmp" },
};

static bool has_line(const char *text, const char *line)
{
	const size_t len = strlen(line);

	for (const char *p = strstr(text, line); p; p = strstr(p + 1, line)) {
		if ((p == text || p[-1] == '\n') && p[len] == '\n')
			return true;
	}
	return false;
}

static void add_commands(GString *out, const char *const *forms, size_t count, const char *bridge,
			 bool open, const char *saved)
{
	for (size_t i = 0; i < count; i++) {
		g_autoptr(GString) rule = g_string_new(forms[i]);
		g_autofree char *line = NULL;

		g_string_replace(rule, "%s", bridge, 0);
		g_string_append(rule, " -m comment --comment socle -j ACCEPT");
		line = g_strconcat("-A ", rule->str, NULL);
		if (has_line(saved, line) != open)
			g_string_append_printf(out, "-%c %s\n", open ? 'I' : 'D', rule->str);
	}
}

char *legacy_commands(const struct network *network, bool v6, bool open, const char *saved)
{
	const char *bridge = network->bridge.name;
	g_autoptr(GString) out = g_string_new(NULL);

	add_commands(out, rules, G_N_ELEMENTS(rules), bridge, open, saved);
	add_commands(out, family_rules[v6], G_N_ELEMENTS(family_rules[v6]), bridge, open, saved);
	return out->len ? g_strdup_printf("*filter\n%sCOMMIT\n", out->str) : NULL;
}

static bool in_use(bool v6)
{
	const char *path = v6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names";
	g_autofree char *names = NULL;

	return g_file_get_contents(path, &names, NULL, NULL) && has_line(names, "filter");
}

static void change(const struct network *network, bool v6, bool open)
{
	const char *const save[] = { v6 ? "ip6tables-legacy-save" : "iptables-legacy-save", "-t",
				     "filter", NULL };
	const char *const restore[] = { v6 ? "ip6tables-legacy-restore" : "iptables-legacy-restore",
					"-w", "1", "--noflush", NULL };
	g_autofree char *saved = NULL, *commands = NULL;
	g_autoptr(GError) error = NULL;

	if (!in_use(v6))
		return;
	if (host_tool_run(save, NULL, &saved, &error)) {
		commands = legacy_commands(network, v6, open, saved);
		if (commands)
			(void)host_tool_run(restore, commands, NULL, &error);
	}
	if (error)
		log_warning("this host has rules of the old iptables, which may drop what guests "
			    "send, and they cannot be changed: %s",
			    error->message);
}

void legacy_open(const struct network *network)
{
	change(network, false, true);
	change(network, true, true);
}

void legacy_close(const struct network *network)
{
	change(network, false, false);
	change(network, true, false);
}
