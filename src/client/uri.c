/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uri.c - what a URI says about the way to a daemon
 *
 * scheme[+transport]://[user@][host][:port]/path[?parameters], as libvirt's clients have them. What is
 * meant for us is taken out of the name that the server gets.
 */
#include "client/uri-int.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"

void uri_free(struct uri *uri)
{
	if (!uri)
		return;
	g_free(uri->name);
	g_free(uri->scheme);
	g_free(uri->host);
	g_free(uri->user);
	g_free(uri->socket);
	g_free(uri->command);
	g_free(uri->netcat);
	g_free(uri->keyfile);
	g_free(uri->pkipath);
	g_free(uri);
}

static const char *default_text(bool *ret_chosen)
{
	static const char *const names[] = { "SOCLE_DEFAULT_URI", "LIBVIRT_DEFAULT_URI" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *text = g_getenv(names[i]);

		if (text && text[0] != '\0')
			return text;
	}
	*ret_chosen = true;
	return geteuid() == 0 ? "socle:///system" : "socle:///session";
}

static bool set_transport(struct uri *uri, const char *transport, GError **error)
{
	static const struct {
		const char *name;
		enum uri_way way;
	} ways[] = {
		{ "unix", URI_UNIX }, { "tcp", URI_TCP }, { "tls", URI_TLS },
		{ "ssh", URI_SSH },   { "ext", URI_EXT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!strcmp(transport, ways[i].name)) {
			uri->way = ways[i].way;
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "transport '%s' is not known: use unix, tcp, tls, ssh or ext", transport);
}

/* Scheme and transport. Without one, a host means TLS. */
static bool set_scheme(struct uri *uri, const char *scheme, GError **error)
{
	const char *plus = strchr(scheme, '+');

	uri->scheme = plus ? g_strndup(scheme, (size_t)(plus - scheme)) : g_strdup(scheme);
	if (uri->scheme[0] == '\0' ||
	    strspn(uri->scheme, "abcdefghijklmnopqrstuvwxyz0123456789-.") != strlen(uri->scheme))
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is no name of a hypervisor",
				 uri->scheme);
	if (plus)
		return set_transport(uri, plus + 1, error);
	if (uri->host)
		uri->way = URI_TLS;
	else
		uri->way = !strcmp(uri->scheme, "test") ? URI_LOCAL : URI_UNIX;
	return true;
}

static bool set_enum(const char *name, const char *value, const char *const *words,
		     unsigned *ret_index, GError **error)
{
	for (unsigned i = 0; words[i]; i++) {
		if (!strcmp(value, words[i])) {
			*ret_index = i;
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_USAGE, "parameter '%s' of the URI cannot be '%s'", name,
			 value);
}

/* Return: 1 if it is meant for us, 0 if not, -1 on failure. */
static int set_parameter(struct uri *uri, const char *name, const char *value, GError **error)
{
	static const char *const modes[] = { "auto", "legacy", "direct", NULL };
	static const char *const proxies[] = { "auto", "netcat", "native", NULL };
	static const char *const known_hosts[] = { "normal", "auto", "ignore", NULL };
	const struct {
		const char *name;
		char **text;
	} texts[] = {
		{ "socket", &uri->socket },   { "command", &uri->command },
		{ "netcat", &uri->netcat },   { "keyfile", &uri->keyfile },
		{ "pkipath", &uri->pkipath },
	};
	unsigned index = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!strcmp(name, texts[i].name)) {
			g_free(*texts[i].text);
			*texts[i].text = g_strdup(value);
			return 1;
		}
	}
	if (!strcmp(name, "mode")) {
		if (!set_enum(name, value, modes, &index, error))
			return -1;
		uri->mode = (enum uri_mode)index;
	} else if (!strcmp(name, "proxy")) {
		if (!set_enum(name, value, proxies, &index, error))
			return -1;
		uri->proxy = (enum uri_proxy)index;
	} else if (!strcmp(name, "known_hosts_verify")) {
		if (!set_enum(name, value, known_hosts, &index, error))
			return -1;
		uri->known_hosts = (enum uri_known_hosts)index;
	} else if (!strcmp(name, "no_verify")) {
		uri->no_verify = strcmp(value, "0") != 0;
	} else if (!strcmp(name, "no_tty")) {
		uri->no_tty = strcmp(value, "0") != 0;
	} else {
		return 0;
	}
	return 1;
}

/* What is not meant for us goes on to the server, as it stands in the URI. */
static bool set_parameters(struct uri *uri, const char *query, GString *name, GError **error)
{
	g_auto(GStrv) parts = g_strsplit_set(query, "&;", -1);
	char mark = '?';

	for (size_t i = 0; parts[i]; i++) {
		g_autofree char *key = NULL, *value = NULL;
		char *equals = strchr(parts[i], '=');
		int ours;

		if (parts[i][0] == '\0')
			continue;
		key = g_uri_unescape_segment(parts[i], equals, NULL);
		value = g_uri_unescape_string(equals ? equals + 1 : "", NULL);
		if (!key || !value)
			return error_set(
				error, SOCLE_ERROR_USAGE,
				"parameter '%s' of the URI has a %% that stands for nothing",
				parts[i]);
		ours = set_parameter(uri, key, value, error);
		if (ours < 0)
			return false;
		if (!ours) {
			g_string_append_printf(name, "%c%s", mark, parts[i]);
			mark = '&';
		}
	}
	return true;
}

static bool check(const struct uri *uri, GError **error)
{
	bool remote = uri->way == URI_TCP || uri->way == URI_TLS || uri->way == URI_SSH;

	if (remote && (!uri->host || uri->host[0] == '\0'))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "no host in the URI: write scheme+transport://HOST/path");
	if (!remote && uri->host)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "host '%s' in a URI whose transport stays on this host: use ssh, "
				 "tls or tcp",
				 uri->host);
	if (uri->way == URI_EXT && !uri->command)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "transport 'ext' needs a parameter: ?command=PROGRAM");
	return true;
}

struct uri *uri_parse(const char *text, GError **error)
{
	autoptr(uri) uri = g_new0(struct uri, 1);
	g_autoptr(GUri) parts = NULL;
	g_autoptr(GString) name = g_string_new(NULL);
	g_autoptr(GError) why = NULL;
	const char *host;

	if (!text || text[0] == '\0')
		text = default_text(&uri->chosen);
	parts = g_uri_parse(text,
			    G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED_QUERY |
				    G_URI_FLAGS_ENCODED_PATH,
			    &why);
	if (!parts) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "'%s' is no URI such as qemu+ssh://HOST/system: %s", text, why->message);
		return NULL;
	}
	host = g_uri_get_host(parts);
	uri->host = host && host[0] != '\0' ? g_strdup(host) : NULL;
	uri->user = g_strdup(g_uri_get_user(parts));
	uri->port = g_uri_get_port(parts) > 0 ? (unsigned)g_uri_get_port(parts) : 0;
	uri->session = !strcmp(g_uri_get_path(parts), "/session");
	if (!set_scheme(uri, g_uri_get_scheme(parts), error))
		return NULL;
	g_string_printf(name, "%s://%s", uri->scheme, g_uri_get_path(parts));
	if (g_uri_get_query(parts) && !set_parameters(uri, g_uri_get_query(parts), name, error))
		return NULL;
	if (!check(uri, error))
		return NULL;
	/* "remote" is no hypervisor: the server chooses. */
	uri->name = strcmp(uri->scheme, "remote") ? g_string_free(g_steal_pointer(&name), FALSE)
						  : g_strdup("");
	return g_steal_pointer(&uri);
}
