/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-args.c - words of the command line, by a table
 */
#include "img/args.h"

#include "base/error.h"

static const struct img_option options[] = {
	{ 'f', "format", "FORMAT", "the format" },
	{ 'c', "compress", NULL, "compress" },
	{ 'q', NULL, NULL, "quiet" },
	{ IMG_OPTION_SIZE, "size", "BYTES", "size" },
	{ 0, NULL, NULL, NULL },
};

static const struct img_command command = {
	.name = "test",
	.options = options,
	.min = 1,
	.max = 2,
	.wanted = "one or two",
};

static struct img_args *parse(const char *line, GError **error)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	/* The result points into the words, which must outlive it. */
	static GPtrArray *kept;

	if (!kept)
		kept = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	g_ptr_array_add(kept, g_strdupv(words));
	return img_args_parse(&command, kept->pdata[kept->len - 1], error);
}

static void test_forms(void)
{
	static const char *const lines[] = {
		"-f raw -cq x",       "-fraw -c -q x", "x --format=raw --compress -q",
		"--format raw x -qc", "-qcf raw -- x",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
		GError *error = NULL;
		autoptr(img_args) args = parse(lines[i], &error);

		g_assert_no_error(error);
		g_assert_cmpstr(img_args_value(args, 'f'), ==, "raw");
		g_assert_true(img_args_has(args, 'c'));
		g_assert_true(img_args_has(args, 'q'));
		g_assert_false(img_args_has(args, IMG_OPTION_SIZE));
		g_assert_cmpuint(img_args_words(args), ==, 1);
		g_assert_cmpstr(img_args_word(args, 0), ==, "x");
		g_assert_null(img_args_word(args, 1));
	}
}

static void test_repeated(void)
{
	autoptr(img_args) args = parse("-f a -f b x", NULL);

	g_assert_cmpuint(img_args_count(args, 'f'), ==, 2);
	g_assert_cmpstr(img_args_nth(args, 'f', 0), ==, "a");
	g_assert_cmpstr(img_args_value(args, 'f'), ==, "b");
	g_assert_null(img_args_nth(args, 'f', 2));
}

static void test_mistakes(void)
{
	static const struct {
		const char *line, *message;
	} bad[] = {
		{ "-x a", "unrecognized option '-x'" },
		{ "--none a", "unrecognized option '--none'" },
		{ "a -f", "option '-f' needs a value: FORMAT" },
		{ "a --format", "option '--format' needs a value: FORMAT" },
		{ "a --compress=1", "option '--compress' takes no value" },
		{ "-c", "one or two" },
		{ "a b c", "one or two" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(parse(bad[i].line, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
		g_assert_cmpstr(error->message, ==, bad[i].message);
	}
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {
		{ "0", 0 },
		{ "512", 512 },
		{ "7b", 7 },
		{ "1k", 1024 },
		{ "2M", 2 << 20 },
		{ "3G", UINT64_C(3) << 30 },
		{ "0x200", 512 },
		{ "1024.0", 1024 },
		{ "1.5k", 1536 },
		{ "0.5M", 512 << 10 },
		{ "7E", UINT64_C(7) << 60 },
		{ "9223372036854775807", INT64_MAX },
	};
	static const char *const bad[] = { "",    "-1", "1Q", "k",    "1 ",
					   "1kk", ".5", "0x", "0x1k", "1.5.5" };
	static const char *const large[] = { "8E", "9223372036854775808", "0xffffffffffffffff",
					     "99999999999999999999" };
	uint64_t size;

	for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
		g_assert_true(img_parse_size(good[i].text, &size, NULL));
		g_assert_cmpuint(size, ==, good[i].size);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(img_parse_size(bad[i], &size, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(large); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(img_parse_size(large[i], &size, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/img/args/forms", test_forms);
	g_test_add_func("/img/args/repeated", test_repeated);
	g_test_add_func("/img/args/mistakes", test_mistakes);
	g_test_add_func("/img/args/sizes", test_sizes);
	return g_test_run();
}
