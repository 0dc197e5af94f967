/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.c - what socled is told by its command line and its file
 *
 * The command line is read twice: for what must be known to find the file, and, behind the file, for
 * what it overrides.
 */
#include "daemon/config.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "daemon/config-int.h"

static const char group_name[] = "socled";

static const struct config_option *find_option(const char *name, size_t len)
{
	for (unsigned i = 0; i < config_option_count; i++) {
		if (strlen(config_options[i].name) == len &&
		    !strncmp(config_options[i].name, name, len))
			return &config_options[i];
	}
	return NULL;
}

static bool set_word(const struct config_option *option, void *member, const char *value,
		     GError **error)
{
	for (unsigned i = 0; option->words[i]; i++) {
		if (!strcmp(value, option->words[i])) {
			*(unsigned *)member = i;
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_USAGE, "'%s' is none of %s", value, option->value);
}

static bool set_flag(void *member, const char *value, GError **error)
{
	bool yes = !strcmp(value, "yes") || !strcmp(value, "true");

	if (!yes && strcmp(value, "no") != 0 && strcmp(value, "false") != 0)
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is neither yes nor no", value);
	*(bool *)member = yes;
	return true;
}

static bool set_number(const struct config_option *option, void *member, const char *value,
		       GError **error)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(value, 10, option->min, option->max, &number, NULL))
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is not a number from %u to %u",
				 value, option->min, option->max);
	*(unsigned *)member = (unsigned)number;
	return true;
}

static bool set(struct config *config, const struct config_option *option, const char *value,
		GError **error)
{
	void *member = (char *)config + option->member;

	switch (option->kind) {
	case CONFIG_TEXT:
		if (!*value)
			return error_set(error, SOCLE_ERROR_USAGE, "it is empty; give %s",
					 option->value);
		g_free(*(char **)member);
		*(char **)member = g_strdup(value);
		return true;
	case CONFIG_FLAG:
		return set_flag(member, value, error);
	case CONFIG_NUMBER:
		config->timeout_given |= option->member == offsetof(struct config, timeout_s);
		return set_number(option, member, value, error);
	case CONFIG_WORD:
		return set_word(option, member, value, error);
	case CONFIG_DO:
		config->action = (enum config_action)option->min;
		return true;
	}
	g_assert_not_reached();
}

/* == The command line == */

static bool refuse(const char *arg, GError **error)
{
	if (arg[0] == '-')
		return error_set(error, SOCLE_ERROR_USAGE,
				 "unknown option '%.*s'; --help lists those there are",
				 (int)strcspn(arg, "="), arg);
	return error_set(error, SOCLE_ERROR_USAGE,
			 "unexpected argument '%s'; --help lists all options", arg);
}

/* Take the option at argv[*i], and its value; *i is at the last that was taken then. */
static bool parse_one(struct config *config, int argc, char **argv, int *i, GError **error)
{
	const char *arg = argv[*i], *equals, *value = "yes"; /* what a flag says */
	const struct config_option *option = NULL;

	if (!strcmp(arg, "-h"))
		arg = "--help";
	equals = strchr(arg, '=');
	if (g_str_has_prefix(arg, "--"))
		option = find_option(arg + 2, strcspn(arg + 2, "="));
	if (!option)
		return refuse(arg, error);
	if (!option->value && equals)
		return error_set(error, SOCLE_ERROR_USAGE, "--%s takes no value; leave out '%s'",
				 option->name, equals);
	if (option->value) {
		value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
		if (!value)
			return error_set(error, SOCLE_ERROR_USAGE, "--%s needs a value: --%s %s",
					 option->name, option->name, option->value);
	}
	if (!set(config, option, value, error)) {
		g_prefix_error(error, "--%s: ", option->name);
		return false;
	}
	return true;
}

static bool parse_args(struct config *config, int argc, char **argv, GError **error)
{
	for (int i = 1; i < argc; i++) {
		if (!parse_one(config, argc, argv, &i, error))
			return false;
		/* Whoever asks for help need not get the rest right. */
		if (config->action != CONFIG_RUN)
			break;
	}
	return true;
}

/* == The file == */

static bool take_key(struct config *config, GKeyFile *file, const char *key, GError **error)
{
	const struct config_option *option = find_option(key, strlen(key));
	g_autofree char *value = g_key_file_get_string(file, group_name, key, error);

	if (!value)
		return false;
	g_strstrip(value);
	if (!option || option->no_file)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "there is no key '%s'%s; the keys are the options of socled "
				 "--help, without dashes in front",
				 key, option ? " for a file" : "");
	if (!set(config, option, value, error)) {
		g_prefix_error(error, "key '%s': ", key);
		return false;
	}
	return true;
}

static bool take_file(struct config *config, const char *path, GError **error)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_auto(GStrv) groups = NULL;
	g_auto(GStrv) keys = NULL;

	if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, error))
		return false;
	groups = g_key_file_get_groups(file, NULL);
	for (unsigned i = 0; groups[i]; i++) {
		if (strcmp(groups[i], group_name) != 0)
			return error_set(error, SOCLE_ERROR_USAGE,
					 "there is no group [%s]; all keys stand in [%s]",
					 groups[i], group_name);
	}
	keys = groups[0] ? g_key_file_get_keys(file, group_name, NULL, error) : NULL;
	for (unsigned i = 0; keys && keys[i]; i++) {
		if (!take_key(config, file, keys[i], error))
			return false;
	}
	return true;
}

static bool read_file(struct config *config, const char *given, GError **error)
{
	g_autofree char *path =
		given ? g_strdup(given) : config_default_file(config, "socled.conf");
	struct stat st;
	int r = sys_stat(path, &st);

	if (r == -ENOENT && !given)
		return true;
	if (r < 0)
		return error_sys(error, r, "cannot read the file of options '%s'", path);
	if (!take_file(config, path, error)) {
		g_prefix_error(error, "file '%s': ", path);
		return false;
	}
	return true;
}

static bool check(const struct config *config, GError **error)
{
	const char *host = config->listen_tcp;

	if (host && !g_str_has_prefix(host, "127.") && !g_str_has_prefix(host, "[::1]:") &&
	    !g_str_has_prefix(host, "localhost:"))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "--listen-tcp %s: whoever connects there can do everything, so it "
				 "has to be an address of loopback, as 127.0.0.1:16509; for others "
				 "there is --listen-tls",
				 host);
	if (config->session && (config->auth_rw || config->auth_ro))
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"a session is open to its own user only, polkit is not asked; leave "
			"out --auth-rw and --auth-ro");
	return true;
}

bool config_parse(struct config *ret_config, int argc, char **argv, GError **error)
{
	struct config first = { 0 }, config = { 0 };
	bool ok;

	config_defaults(&config);
	ok = parse_args(&first, argc, argv, error);
	config.session = first.session;
	if (ok && first.action == CONFIG_RUN)
		ok = read_file(&config, first.file, error);
	ok = ok && parse_args(&config, argc, argv, error) && check(&config, error);
	config_release(&first);
	if (!ok) {
		config_release(&config);
		return false;
	}
	config_complete(&config);
	*ret_config = config;
	return true;
}

void config_release(struct config *config)
{
	for (unsigned i = 0; i < config_option_count; i++) {
		if (config_options[i].kind == CONFIG_TEXT)
			g_free(*(char **)(void *)((char *)config + config_options[i].member));
	}
	*config = (struct config){ 0 };
}
