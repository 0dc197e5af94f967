/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * url.c - names of images that other hosts keep
 */
#include "block/remote/url.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"

static const char *const schemes[] = {
	[REMOTE_ISCSI] = "iscsi://",
	[REMOTE_RBD] = "rbd://",
};
static_assert(G_N_ELEMENTS(schemes) == REMOTE_KIND_COUNT, "a scheme for each");

static const char *const syntax[] = {
	[REMOTE_ISCSI] = "iscsi://HOST[:PORT]/TARGET/LUN",
	[REMOTE_RBD] = "rbd://[MONITOR[:PORT],...]/POOL/IMAGE",
};
static_assert(G_N_ELEMENTS(syntax) == REMOTE_KIND_COUNT, "a form for each");

static bool find_kind(const char *text, enum remote_kind *ret)
{
	for (unsigned i = 0; i < REMOTE_KIND_COUNT; i++) {
		if (g_str_has_prefix(text, schemes[i])) {
			*ret = (enum remote_kind)i;
			return true;
		}
	}
	return false;
}

bool remote_url_is(const char *text)
{
	enum remote_kind kind;

	return text && find_kind(text, &kind);
}

static bool wrong(const struct remote_url *url, const char *what, GError **error)
{
	return error_set(error, SOCLE_ERROR_USAGE, "%s; give %s", what, syntax[url->kind]);
}

/* @part as it is meant; NULL: @error says what is wrong with it. */
static char *decode(const struct remote_url *url, const char *part, GError **error)
{
	char *text = g_uri_unescape_string(part, NULL);
	bool ok = text && strlen(text) <= REMOTE_PART_MAX && g_utf8_validate(text, -1, NULL);

	for (const char *p = text; ok && *p; p++)
		ok = !g_ascii_iscntrl(*p);
	if (ok)
		return text;
	g_free(text);
	wrong(url, "a part of the image's name is too long, or no text", error);
	return NULL;
}

/* "HOST", "HOST:PORT", "[V6]:PORT", or for RBD several with commas between. */
static bool host_is_good(const struct remote_url *url, const char *host)
{
	for (const char *p = host; *p; p++) {
		if (!g_ascii_isalnum(*p) && !strchr("-._:[]%", *p) &&
		    !(*p == ',' && url->kind == REMOTE_RBD))
			return false;
	}
	return *host || url->kind == REMOTE_RBD;
}

static bool take_authority(struct remote_url *url, const char *text, GError **error)
{
	const char *at = strrchr(text, '@');
	g_autofree char *user = at ? g_strndup(text, (size_t)(at - text)) : NULL;

	/* libiscsi would take what is behind a '%' or a ':' for the password, and others see it. */
	if (user && (strchr(user, ':') || (strchr(user, '%') && url->kind == REMOTE_ISCSI)))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "an image's name is no place for a password; give "
				 "user=NAME,password-secret=ID, and the secret by --object");
	url->user = user ? decode(url, user, error) : NULL;
	if (user && !url->user)
		return false;
	url->host = decode(url, at ? at + 1 : text, error);
	if (!url->host)
		return false;
	return host_is_good(url, url->host) || wrong(url, "the image's name has no host", error);
}

static bool take_lun(struct remote_url *url, const char *text, GError **error)
{
	guint64 lun;

	if (!g_ascii_string_to_unsigned(text, 10, 0, REMOTE_LUN_MAX, &lun, NULL))
		return wrong(url, "the number of the LUN is no number below 16384", error);
	url->lun = (unsigned)lun;
	return true;
}

static bool take_path(struct remote_url *url, char **parts, unsigned count, GError **error)
{
	const bool spaced = url->kind == REMOTE_RBD && count == 3;

	if (count != 2 && !spaced)
		return wrong(url, "the image's name has too few or too many parts", error);
	for (unsigned i = 0; i < count; i++) {
		if (!*parts[i])
			return wrong(url, "a part of the image's name is empty", error);
	}
	url->name = decode(url, parts[0], error);
	if (!url->name)
		return false;
	if (url->kind == REMOTE_ISCSI)
		return take_lun(url, parts[1], error);
	url->space = spaced ? decode(url, parts[1], error) : NULL;
	if (spaced && !url->space)
		return false;
	url->image = decode(url, parts[count - 1], error);
	return url->image != NULL;
}

struct remote_url *remote_url_parse(const char *text, GError **error)
{
	autoptr(remote_url) url = g_new0(struct remote_url, 1);
	g_auto(GStrv) parts = NULL;

	if (!find_kind(text, &url->kind) || strlen(text) > REMOTE_URL_MAX) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "'%.64s' is no name of an image on another host; give %s or %s", text,
			  syntax[REMOTE_ISCSI], syntax[REMOTE_RBD]);
		return NULL;
	}
	parts = g_strsplit(text + strlen(schemes[url->kind]), "/", -1);
	if (!take_authority(url, parts[0], error) ||
	    !take_path(url, parts + 1, g_strv_length(parts) - 1, error))
		return NULL;
	return g_steal_pointer(&url);
}

static void append(GString *text, const char *part, const char *allowed)
{
	g_autofree char *escaped = g_uri_escape_string(part, allowed, false);

	g_string_append(text, escaped);
}

char *remote_url_format(const struct remote_url *url)
{
	GString *text = g_string_new(schemes[url->kind]);

	if (url->user) {
		append(text, url->user, NULL);
		g_string_append_c(text, '@');
	}
	append(text, url->host, ":[],");
	g_string_append_c(text, '/');
	append(text, url->name, ":");
	g_string_append_c(text, '/');
	if (url->space) {
		append(text, url->space, ":");
		g_string_append_c(text, '/');
	}
	if (url->kind == REMOTE_ISCSI)
		g_string_append_printf(text, "%u", url->lun);
	else
		append(text, url->image, ":");
	return g_string_free(text, FALSE);
}

void remote_url_add_host(GString *hosts, const char *name, unsigned port)
{
	const bool bare_v6 = strchr(name, ':') && *name != '[';

	g_string_append_printf(hosts, bare_v6 ? "%s[%s]" : "%s%s", hosts->len ? "," : "", name);
	if (port)
		g_string_append_printf(hosts, ":%u", port);
}

void remote_url_free(struct remote_url *url)
{
	if (!url)
		return;
	g_free(url->user);
	g_free(url->host);
	g_free(url->name);
	g_free(url->space);
	g_free(url->image);
	g_free(url);
}
