/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * args.c - the words behind a command of socle-img, by one table that is its help, too
 */
#include "img/args.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "img/img.h"

struct given {
	int id;
	const char *value;
};

struct img_args {
	const struct img_command *command;
	GArray *given;      /* struct given */
	GPtrArray *words;   /* char *, the caller's */
	GPtrArray *secrets; /* struct secret */
	bool help;
};

/* Known everywhere, refused everywhere: each with a sentence of its own. */
static bool refuse(const char *name, GError **error)
{
	if (!strcmp(name, "image-opts") || !strcmp(name, "target-image-opts"))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "'--%s' is not supported here: an image is named by its file, and "
				 "its format by -f or -O",
				 name);
	return error_set(error, SOCLE_ERROR_USAGE, "unrecognized option '--%s'", name);
}

static const struct img_option *by_name(const struct img_command *command, const char *name)
{
	const struct img_option *option = command->options;

	while (option->id && g_strcmp0(option->name, name) != 0)
		option++;
	return option->id ? option : NULL;
}

static const struct img_option *by_letter(const struct img_command *command, char letter)
{
	const struct img_option *option = command->options;

	while (option->id && option->id != letter)
		option++;
	return option->id ? option : NULL;
}

static void add(struct img_args *args, int id, const char *value)
{
	struct given given = { id, value };

	g_array_append_val(args->given, given);
}

/* "--name", "--name=value", "--name value"; @next is what stands behind. */
static bool parse_long(struct img_args *args, const char *word, const char *next, bool *ret_taken,
		       GError **error)
{
	const char *equals = strchr(word, '=');
	g_autofree char *name = equals ? g_strndup(word, (gsize)(equals - word)) : g_strdup(word);
	const struct img_option *option;

	if (!strcmp(name, "help")) {
		args->help = true;
		return true;
	}
	option = by_name(args->command, name);
	if (!option)
		return refuse(name, error);
	if (!option->value && equals)
		return error_set(error, SOCLE_ERROR_USAGE, "option '--%s' takes no value", name);
	if (option->value && !equals && !next)
		return error_set(error, SOCLE_ERROR_USAGE, "option '--%s' needs a value: %s", name,
				 option->value);
	*ret_taken = option->value && !equals;
	add(args, option->id, option->value ? (equals ? equals + 1 : next) : NULL);
	return true;
}

/* "-c", "-cp", "-fraw", "-f raw". */
static bool parse_letters(struct img_args *args, const char *word, const char *next,
			  bool *ret_taken, GError **error)
{
	for (; *word; word++) {
		const struct img_option *option = by_letter(args->command, *word);

		if (!option && *word == 'h') {
			args->help = true;
			continue;
		}
		if (!option)
			return error_set(error, SOCLE_ERROR_USAGE, "unrecognized option '-%c'",
					 *word);
		if (!option->value) {
			add(args, option->id, NULL);
			continue;
		}
		if (!word[1] && !next)
			return error_set(error, SOCLE_ERROR_USAGE, "option '-%c' needs a value: %s",
					 *word, option->value);
		*ret_taken = !word[1];
		add(args, option->id, word[1] ? word + 1 : next);
		return true;
	}
	return true;
}

static bool parse_all(struct img_args *args, char **words, GError **error)
{
	bool all_plain = false;

	for (; *words; words++) {
		const char *word = *words;
		bool taken = false, ok;

		if (all_plain || word[0] != '-' || !word[1] ||
		    (args->command->signed_numbers && g_ascii_isdigit(word[1]))) {
			g_ptr_array_add(args->words, *words);
			continue;
		}
		if (!strcmp(word, "--")) {
			all_plain = true;
			continue;
		}
		if (word[1] == '-')
			ok = parse_long(args, word + 2, words[1], &taken, error);
		else
			ok = parse_letters(args, word + 1, words[1], &taken, error);
		if (!ok)
			return false;
		if (taken)
			words++;
	}
	return true;
}

static bool read_secrets(struct img_args *args, GError **error)
{
	for (unsigned i = 0; i < img_args_count(args, IMG_OPTION_OBJECT); i++) {
		struct secret *secret =
			img_parse_object(img_args_nth(args, IMG_OPTION_OBJECT, i), error);

		if (!secret)
			return false;
		g_ptr_array_add(args->secrets, secret);
	}
	return true;
}

const struct secret *img_args_secret(const struct img_args *args, const char *id, GError **error)
{
	const struct secret *secret = secret_find(args->secrets, id, NULL);

	if (!secret)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "No secret with id '%s'", id);
	return secret;
}

struct img_args *img_args_parse(const struct img_command *command, char **words, GError **error)
{
	autoptr(img_args) args = g_new0(struct img_args, 1);

	args->command = command;
	args->given = g_array_new(FALSE, FALSE, sizeof(struct given));
	args->words = g_ptr_array_new();
	args->secrets = g_ptr_array_new_with_free_func(secret_free);
	if (!parse_all(args, words, error) || !read_secrets(args, error))
		return NULL;
	if (!args->help && (args->words->len < command->min || args->words->len > command->max)) {
		error_set(error, SOCLE_ERROR_USAGE, "%s", command->wanted);
		return NULL;
	}
	return g_steal_pointer(&args);
}

void img_args_free(struct img_args *args)
{
	if (!args)
		return;
	g_array_unref(args->given);
	g_ptr_array_unref(args->words);
	g_ptr_array_unref(args->secrets);
	g_free(args);
}

bool img_args_help(const struct img_args *args)
{
	return args->help;
}

unsigned img_args_count(const struct img_args *args, int id)
{
	unsigned count = 0;

	for (unsigned i = 0; i < args->given->len; i++)
		count += g_array_index(args->given, struct given, i).id == id;
	return count;
}

bool img_args_has(const struct img_args *args, int id)
{
	return img_args_count(args, id) > 0;
}

const char *img_args_nth(const struct img_args *args, int id, unsigned n)
{
	for (unsigned i = 0; i < args->given->len; i++) {
		const struct given *given = &g_array_index(args->given, struct given, i);

		if (given->id == id && n-- == 0)
			return given->value;
	}
	return NULL;
}

const char *img_args_value(const struct img_args *args, int id)
{
	unsigned count = img_args_count(args, id);

	return count ? img_args_nth(args, id, count - 1) : NULL;
}

int img_args_id(const struct img_args *args, unsigned i, const char **ret_value)
{
	if (i >= args->given->len)
		return 0;
	*ret_value = g_array_index(args->given, struct given, i).value;
	return g_array_index(args->given, struct given, i).id;
}

unsigned img_args_words(const struct img_args *args)
{
	return args->words->len;
}

const char *img_args_word(const struct img_args *args, unsigned n)
{
	return n < args->words->len ? g_ptr_array_index(args->words, n) : NULL;
}

/* Behind the digits: nothing, or one letter. -1: neither. */
static int unit_shift(const char *text)
{
	static const char units[] = "BKMGTPE";
	const char *unit = *text ? strchr(units, g_ascii_toupper(*text)) : units;

	return !unit || (*text && text[1]) ? -1 : (int)(10 * (unit - units));
}

/* "1.5k": only a fraction goes through a floating number, which is exact for few digits. */
static bool parse_decimal(const char *text, uint64_t *ret, bool *ret_too_large)
{
	const size_t digits = strspn(text, "0123456789");
	const size_t behind = text[digits] == '.' ? 1 + strspn(text + digits + 1, "0123456789") : 0;
	const int shift = unit_shift(text + digits + behind);
	g_autofree char *whole = g_strndup(text, digits);
	g_autofree char *fraction = g_strdup_printf("0%.*s", (int)behind, text + digits);
	uint64_t number;

	if (!digits || shift < 0)
		return false;
	*ret_too_large = !g_ascii_string_to_unsigned(whole, 10, 0, (uint64_t)INT64_MAX >> shift,
						     &number, NULL);
	if (!*ret_too_large)
		*ret = (number << shift) + (uint64_t)ldexp(g_ascii_strtod(fraction, NULL), shift);
	return true;
}

bool img_parse_size(const char *text, uint64_t *ret_size, GError **error)
{
	const bool hex = g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X");
	bool too_large = false, ok;
	uint64_t size = 0;

	if (hex)
		ok = g_ascii_string_to_unsigned(text + 2, 16, 0, UINT64_MAX, &size, NULL);
	else
		ok = parse_decimal(text, &size, &too_large);
	if (!ok)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is not a size; give a number below 2^63, if need be with k, "
				 "M, G, T, P or E",
				 text);
	if (too_large || size > INT64_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "the size '%s' is too large; give one below 2^63 bytes", text);
	*ret_size = size;
	return true;
}

bool img_parse_size_word(const char *text, uint64_t *ret_size, GError **error)
{
	return img_parse_size(text, ret_size, NULL) ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "Invalid image size specified. You may use k, M, G, T, P or E suffixes "
			 "for\n%s: kilobytes, megabytes, gigabytes, terabytes, petabytes and "
			 "exabytes.",
			 img_program());
}

bool img_args_size(const struct img_args *args, int id, const char *what, uint64_t otherwise,
		   uint64_t *ret_size, GError **error)
{
	const char *value = img_args_value(args, id);

	*ret_size = otherwise;
	if (!value || img_parse_size(value, ret_size, error))
		return true;
	g_prefix_error(error, "%s: ", what);
	return false;
}

bool img_args_number(const struct img_args *args, int id, const char *what, uint64_t min,
		     uint64_t max, uint64_t *ret_number, GError **error)
{
	const char *value = img_args_value(args, id);

	if (!value || g_ascii_string_to_unsigned(value, 10, min, max, ret_number, NULL))
		return true;
	return error_set(error, SOCLE_ERROR_USAGE,
			 "%s is a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
			 ", not '%s'",
			 what, min, max, value);
}

bool img_args_json(const struct img_args *args, bool *ret_json, GError **error)
{
	const char *value = img_args_value(args, IMG_OPTION_OUTPUT);

	*ret_json = value && !strcmp(value, "json");
	if (!value || *ret_json || !strcmp(value, "human"))
		return true;
	return error_set(error, SOCLE_ERROR_USAGE,
			 "--output must be used with human or json as argument.");
}

void img_options_help(const struct img_option *options, GString *out)
{
	for (; options->id; options++) {
		g_autoptr(GString) left = g_string_new(NULL);

		if (options->id < 128)
			g_string_append_printf(left, "-%c", options->id);
		if (options->name)
			g_string_append_printf(left, "%s--%s", left->len ? ", " : "    ",
					       options->name);
		if (options->value)
			g_string_append_printf(left, "%c%s", options->name ? '=' : ' ',
					       options->value);
		g_string_append_printf(out, "  %-34s %s\n", left->str, options->help);
	}
}
