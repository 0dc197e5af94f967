/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * args.c - the words behind a command of socle
 */
#include "cli/args.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "cli/suggest.h"

struct given {
	const struct cli_option *option;
	const char *value;
};

struct cli_args {
	const struct cli_command *command;
	GArray *given;    /* struct given */
	GPtrArray *words; /* char *, the caller's */
};

/* Is @word one of those in @list, which have @between between them? */
static bool list_has(const char *list, char between, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at; at = strchr(at, between)) {
		at += *at == between;
		if (!strncmp(at, word, len) && (!at[len] || at[len] == between))
			return true;
	}
	return false;
}

bool cli_is_noun(const char *word)
{
	for (unsigned i = 0; cli_commands[i]; i++) {
		if (!g_strcmp0(cli_commands[i]->noun, word))
			return true;
	}
	return false;
}

char *cli_command_name(const struct cli_command *command)
{
	if (!command->noun)
		return g_strdup(command->verb);
	return g_strdup_printf("%s %s", command->noun, command->verb);
}

static void add_names(GPtrArray *words, const char *names)
{
	g_auto(GStrv) split = g_strsplit(names, " ", -1);

	for (unsigned i = 0; split[i]; i++)
		g_ptr_array_add(words, (void *)(uintptr_t)g_intern_string(split[i]));
}

GPtrArray *cli_command_words(const char *noun)
{
	GPtrArray *words = g_ptr_array_new();

	for (unsigned i = 0; cli_commands[i]; i++) {
		const struct cli_command *command = cli_commands[i];

		if (command->flags & CLI_HIDDEN)
			continue;
		if (noun) {
			if (!g_strcmp0(command->noun, noun))
				add_names(words, command->verb);
			continue;
		}
		if (!command->noun)
			add_names(words, command->verb);
		else if (!i || g_strcmp0(cli_commands[i - 1]->noun, command->noun) != 0)
			add_names(words, command->noun);
		if (command->flags & CLI_BARE)
			add_names(words, command->verb);
		if (command->names)
			add_names(words, command->names);
	}
	return words;
}

static bool no_command(const char *noun, const char *word, GError **error)
{
	g_autoptr(GPtrArray) words = cli_command_words(noun);
	const char *near = suggest_among((const char *const *)words->pdata, words->len, word);
	const char *space = noun ? " " : "";

	noun = noun ? noun : "";
	if (near)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "there is no command '%s%s%s'; there is '%s%s%s'", noun, space,
				 word, noun, space, near);
	return error_set(error, SOCLE_ERROR_USAGE,
			 "there is no command '%s%s%s'; 'socle --help' lists them", noun, space,
			 word);
}

/* Is it meant by @noun, which may be NULL, and @word? */
static bool is_meant(const struct cli_command *command, const char *noun, const char *word)
{
	bool bare = !command->noun || command->flags & CLI_BARE;

	if (noun)
		return !g_strcmp0(command->noun, noun) && !strcmp(command->verb, word);
	return (bare && !strcmp(command->verb, word)) ||
	       (command->names && list_has(command->names, ' ', word));
}

const struct cli_command *cli_command_find(char *const *words, unsigned *ret_used, GError **error)
{
	const char *noun = cli_is_noun(words[0]) ? words[0] : NULL;
	const char *word = noun ? words[1] : words[0];

	if (!word) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "'%s' wants a verb behind it; 'socle %s --help' lists them", noun, noun);
		return NULL;
	}
	for (unsigned i = 0; cli_commands[i]; i++) {
		if (is_meant(cli_commands[i], noun, word)) {
			*ret_used = noun ? 2 : 1;
			return cli_commands[i];
		}
	}
	no_command(noun, word, error);
	return NULL;
}

static const struct cli_option *in_table(const struct cli_option *option, const char *name,
					 char letter)
{
	for (; option && option->name; option++) {
		if (name ? !strcmp(option->name, name) : option->letter == letter)
			return option;
	}
	return NULL;
}

/* By @name, or by @letter if that is NULL. */
static const struct cli_option *option_find(const struct cli_args *args, const char *name,
					    char letter)
{
	const struct cli_option *option =
		args->command ? in_table(args->command->options, name, letter) : NULL;

	return option ? option : in_table(cli_global_options, name, letter);
}

static bool no_option(const struct cli_args *args, const char *name, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	const struct cli_option *tables[] = {
		args->command ? args->command->options : NULL,
		cli_global_options,
	};
	const char *near;

	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct cli_option *row = tables[i]; row && row->name; row++)
			g_ptr_array_add(names, (void *)(uintptr_t)row->name);
	}
	near = suggest_among((const char *const *)names->pdata, names->len, name);
	if (near)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "there is no option '--%s' here; there is '--%s'", name, near);
	return error_set(error, SOCLE_ERROR_USAGE,
			 "there is no option '--%s' here; '--help' lists them", name);
}

bool cli_is_choice(const char *value)
{
	return strchr(value, '|') &&
	       !value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-|")];
}

static bool add(struct cli_args *args, const struct cli_option *option, const char *value,
		GError **error)
{
	struct given given = { option, value };

	if (value && cli_is_choice(option->value) && !list_has(option->value, '|', value))
		return error_set(error, SOCLE_ERROR_USAGE, "'--%s' is one of %s, not '%s'",
				 option->name, option->value, value);
	g_array_append_val(args->given, given);
	return true;
}

/* "--name", "--name=value", "--name value"; @next is what stands behind. */
static bool parse_long(struct cli_args *args, const char *word, const char *next, bool *ret_taken,
		       GError **error)
{
	const char *equals = strchr(word, '=');
	g_autofree char *name = equals ? g_strndup(word, (gsize)(equals - word)) : g_strdup(word);
	const struct cli_option *option = option_find(args, name, 0);

	if (!option)
		return no_option(args, name, error);
	if (!option->value && equals)
		return error_set(error, SOCLE_ERROR_USAGE, "option '--%s' takes no value", name);
	if (option->value && !equals && !next)
		return error_set(error, SOCLE_ERROR_USAGE, "option '--%s' needs a value: %s", name,
				 option->value);
	*ret_taken = option->value && !equals;
	return add(args, option, option->value ? (equals ? equals + 1 : next) : NULL, error);
}

/* "-c", "-qy", "-cURI", "-c URI". */
static bool parse_letters(struct cli_args *args, const char *word, const char *next,
			  bool *ret_taken, GError **error)
{
	for (; *word; word++) {
		const struct cli_option *option = option_find(args, NULL, *word);

		if (!option)
			return error_set(error, SOCLE_ERROR_USAGE,
					 "there is no option '-%c' here; '--help' lists them",
					 g_ascii_isprint(*word) ? *word : '?');
		if (option->value) {
			if (!word[1] && !next)
				return error_set(error, SOCLE_ERROR_USAGE,
						 "option '-%c' needs a value: %s", *word,
						 option->value);
			*ret_taken = !word[1];
			return add(args, option, word[1] ? word + 1 : next, error);
		}
		if (!add(args, option, NULL, error))
			return false;
	}
	return true;
}

/* One option, and how many words it took. */
static bool parse_option(struct cli_args *args, char **words, unsigned *ret_used, GError **error)
{
	bool taken = false;
	bool ok = words[0][1] == '-' ? parse_long(args, words[0] + 2, words[1], &taken, error)
				     : parse_letters(args, words[0] + 1, words[1], &taken, error);

	*ret_used = taken ? 2 : 1;
	return ok;
}

/* The command must be known before its options are. Those before it are of all commands. */
static bool parse_command(struct cli_args *args, char ***words, GError **error)
{
	unsigned used = 0;

	while (**words && (**words)[0] == '-' && (**words)[1]) {
		if (!parse_option(args, *words, &used, error))
			return false;
		*words += used;
	}
	if (!**words)
		return true;
	/* "vm --help": whoever asks has not chosen yet. */
	if (cli_is_noun(**words) && (!(*words)[1] || (*words)[1][0] == '-')) {
		for (char **word = *words + 1; *word; word++) {
			if (!strcmp(*word, "--help") || !strcmp(*word, "-h")) {
				g_ptr_array_add(args->words, **words);
				*words += g_strv_length(*words);
				return add(args, in_table(cli_global_options, "help", 0), NULL,
					   error);
			}
		}
	}
	args->command = cli_command_find(*words, &used, error);
	*words += used;
	return args->command != NULL;
}

static bool check_words(const struct cli_args *args, GError **error)
{
	const struct cli_command *command = args->command;
	g_autofree char *name = cli_command_name(command);

	if (cli_args_has(args, "help"))
		return true;
	if (args->words->len < command->min)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'socle %s' wants more words: socle %s %s", name, name,
				 command->arguments);
	if (args->words->len > command->max)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'socle %s' takes no word '%s' there: socle %s %s", name,
				 cli_args_word(args, command->max), name, command->arguments);
	return true;
}

struct cli_args *cli_args_parse(char **words, GError **error)
{
	autoptr(cli_args) args = g_new0(struct cli_args, 1);
	bool all_plain = false;

	args->given = g_array_new(FALSE, FALSE, sizeof(struct given));
	args->words = g_ptr_array_new();
	if (!parse_command(args, &words, error))
		return NULL;
	while (*words) {
		unsigned used = 1;

		if (all_plain || words[0][0] != '-' || !words[0][1])
			g_ptr_array_add(args->words, words[0]);
		else if (!strcmp(words[0], "--"))
			all_plain = true;
		else if (!parse_option(args, words, &used, error))
			return NULL;
		words += used;
	}
	if (args->command && !check_words(args, error))
		return NULL;
	return g_steal_pointer(&args);
}

void cli_args_free(struct cli_args *args)
{
	if (!args)
		return;
	g_array_unref(args->given);
	g_ptr_array_unref(args->words);
	g_free(args);
}

const struct cli_command *cli_args_command(const struct cli_args *args)
{
	return args->command;
}

const char *cli_args_nth(const struct cli_args *args, const char *name, unsigned n)
{
	const struct cli_option *option = option_find(args, name, 0);

	g_assert(option);
	for (unsigned i = 0; i < args->given->len; i++) {
		const struct given *given = &g_array_index(args->given, struct given, i);

		if (given->option == option && n-- == 0)
			return given->value ? given->value : "";
	}
	return NULL;
}

bool cli_args_has(const struct cli_args *args, const char *name)
{
	return cli_args_nth(args, name, 0) != NULL;
}

const char *cli_args_value(const struct cli_args *args, const char *name)
{
	const char *last = NULL, *value;

	for (unsigned n = 0; (value = cli_args_nth(args, name, n)); n++)
		last = value;
	return last;
}

unsigned cli_args_words(const struct cli_args *args)
{
	return args->words->len;
}

const char *cli_args_word(const struct cli_args *args, unsigned n)
{
	return n < args->words->len ? g_ptr_array_index(args->words, n) : NULL;
}

bool cli_args_number(const struct cli_args *args, const char *name, uint64_t min, uint64_t max,
		     uint64_t *ret, GError **error)
{
	const char *value = cli_args_value(args, name);

	if (!value || g_ascii_string_to_unsigned(value, 10, min, max, ret, NULL))
		return true;
	return error_set(error, SOCLE_ERROR_USAGE,
			 "'--%s' is a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
			 ", not '%s'",
			 name, min, max, value);
}

bool cli_args_seconds(const struct cli_args *args, const char *name, uint64_t *ret_ms,
		      GError **error)
{
	const char *value = cli_args_value(args, name);
	char *end = NULL;
	double seconds;

	if (!value)
		return true;
	seconds = g_ascii_strtod(value, &end);
	if (end == value || *end || !isfinite(seconds) || seconds < 0 || seconds > 1e6)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'--%s' is a number of seconds, not '%s'", name, value);
	*ret_ms = (uint64_t)(seconds * 1000.0 + 0.5);
	return true;
}

/* 0 if it is no letter of a size. */
static uint64_t unit_of(const char *letter)
{
	static const char letters[] = "kmgt";
	const char *at = *letter ? strchr(letters, g_ascii_tolower(*letter)) : NULL;

	if (!g_ascii_strcasecmp(letter, "b"))
		return 1;
	if (!at || (letter[1] && g_ascii_strcasecmp(letter + 1, "ib") != 0 &&
		    g_ascii_strcasecmp(letter + 1, "b") != 0))
		return 0;
	return UINT64_C(1024) << (10 * (at - letters));
}

bool cli_parse_size(const char *what, const char *text, uint64_t unit, uint64_t *ret_bytes,
		    GError **error)
{
	const char *end = text + strspn(text, "0123456789.");
	char *number_end = NULL;
	double number = g_ascii_strtod(text, &number_end);

	if (*end)
		unit = unit_of(end);
	/* Not "0x10", and not "1e5". */
	if (end == text || number_end != end || !unit || !isfinite(number))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "%s '%s' is no size; write for example 512M or 2G", what, text);
	if (number * (double)unit >= (double)(UINT64_C(1) << 60))
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "%s '%s' is too large; it must be below 2^60 bytes", what, text);
	*ret_bytes = (uint64_t)(number * (double)unit);
	return true;
}
