/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.c - what the commands of socle-img have in common on their command lines
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "img/img.h"

bool img_parse(const struct img_command *command, const GOptionEntry *entries, int *argc,
	       char ***argv, int min, int max, int *ret_status)
{
	GOptionContext *context = g_option_context_new(command->arguments);
	g_autofree char *name = g_strdup_printf("socle-img %s", command->name);
	g_autoptr(GError) error = NULL;
	bool ok;

	g_set_prgname(name); /* for the help */
	g_option_context_set_summary(context, command->summary);
	g_option_context_add_main_entries(context, entries, NULL);
	ok = g_option_context_parse(context, argc, argv, &error);
	g_option_context_free(context);
	if (!ok) {
		*ret_status = img_fail_text("%s; socle-img %s --help lists the options",
					    error->message, command->name);
		return false;
	}
	for (int i = 1; i + 1 < *argc; i++) {
		if (!strcmp((*argv)[i], "--")) {
			memmove(&(*argv)[i], &(*argv)[i + 1], (size_t)(*argc - i) * sizeof(char *));
			--*argc;
			break;
		}
	}
	if (*argc - 1 >= min && *argc - 1 <= max)
		return true;
	*ret_status = img_fail_text("%s: the arguments are: %s", command->name, command->arguments);
	return false;
}

static int shift_of(char suffix)
{
	static const char suffixes[] = "kmgtpe";
	const char *at = suffix ? strchr(suffixes, g_ascii_tolower(suffix)) : NULL;

	return at ? 10 * (int)(at - suffixes + 1) : -1;
}

bool img_size(const char *text, uint64_t *ret_size, GError **error)
{
	char *end = NULL;
	uint64_t value, fraction = 0, scale = 1;
	unsigned shift = 0;

	errno = 0;
	value = g_ascii_isdigit(text[0]) ? g_ascii_strtoull(text, &end, 10) : 0;
	if (!end || errno)
		goto bad;
	if (*end == '.') {
		for (end++; g_ascii_isdigit(*end) && scale < 1000000; end++) {
			fraction = 10 * fraction + (uint64_t)(*end - '0');
			scale *= 10;
		}
	}
	if (shift_of(*end) > 0) {
		shift = (unsigned)shift_of(*end);
		end++;
	} else if (g_ascii_tolower(*end) == 'b') {
		end++;
	}
	if (*end || (fraction && !shift) || (shift && value > UINT64_MAX >> shift))
		goto bad;
	*ret_size = (value << shift) + (fraction << MIN(shift, 40u)) / scale *
					       (shift > 40 ? UINT64_C(1) << (shift - 40) : 1);
	return true;
bad:
	return error_set(error, SOCLE_ERROR_USAGE,
			 "'%s' is no size; sizes are bytes, or have a suffix: k, M, G, T, P, E",
			 text);
}

bool img_output(const char *text, bool *ret_json, GError **error)
{
	*ret_json = text && !strcmp(text, "json");
	if (!text || *ret_json || !strcmp(text, "human"))
		return true;
	return error_set(error, SOCLE_ERROR_USAGE, "--output is human or json, not '%s'", text);
}

bool img_cache(const char *text, unsigned *ret_flags, GError **error)
{
	static const struct {
		const char *name;
		unsigned flags;
	} modes[] = {
		{ "writeback", 0 },
		{ "writethrough", 0 },
		{ "none", IMAGE_DIRECT },
		{ "off", IMAGE_DIRECT },
		{ "directsync", IMAGE_DIRECT },
		{ "unsafe", IMAGE_NO_FLUSH },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		if (!strcmp(text, modes[i].name)) {
			*ret_flags = modes[i].flags;
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_USAGE,
			 "there is no cache mode '%s'; those there are: writeback, writethrough, "
			 "none, directsync, unsafe",
			 text);
}

/* ---- options of formats ---- */

static const struct image_option *find_option(const struct image_ops *ops, const char *name)
{
	for (const struct image_option *o = ops->create_options; o && o->name; o++) {
		if (!strcmp(o->name, name))
			return o;
	}
	return NULL;
}

/* The next piece of "a=b,c=d"; ",," stands for a comma. */
static char *next_piece(const char **text)
{
	GString *piece = g_string_new(NULL);
	const char *p = *text;

	for (; *p && (*p != ',' || p[1] == ','); p++) {
		g_string_append_c(piece, *p);
		p += *p == ',';
	}
	*text = *p ? p + 1 : p;
	return g_string_free(piece, FALSE);
}

static bool one_option(const char *piece, const struct image_ops *ops, GHashTable *options,
		       GError **error)
{
	const char *equals = strchr(piece, '=');
	g_autofree char *name =
		equals ? g_strndup(piece, (size_t)(equals - piece)) : g_strdup(piece);

	if (!find_option(ops, name))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "format '%s' has no option '%s'; -o help lists what it has",
				 ops->format, name);
	g_hash_table_replace(options, g_steal_pointer(&name), g_strdup(equals ? equals + 1 : "on"));
	return true;
}

bool img_create_options(char **texts, const struct image_ops *ops, GHashTable *options,
			GError **error)
{
	for (unsigned i = 0; texts && texts[i]; i++) {
		const char *rest = texts[i];

		while (*rest) {
			g_autofree char *piece = next_piece(&rest);

			if (*piece && !one_option(piece, ops, options, error))
				return false;
		}
	}
	return true;
}

bool img_wants_help(char **texts)
{
	for (unsigned i = 0; texts && texts[i]; i++) {
		if (!strcmp(texts[i], "help") || !strcmp(texts[i], "?") ||
		    g_str_has_suffix(texts[i], ",help"))
			return true;
	}
	return false;
}

void img_print_options(const struct image_ops *ops)
{
	printf("Supported options:\n");
	for (const struct image_option *o = ops->create_options; o && o->name; o++) {
		g_autofree char *left = g_strdup_printf("%s=<%s>", o->name, o->value_name);

		printf("  %-22s - %s\n", left, o->help);
	}
}
