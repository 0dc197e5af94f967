/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-keyvalue.c - lists of options, from the command line and from JSON
 */
#include <glib.h>
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "vmm/keyvalue.h"

static void test_parse(void)
{
	static const char *const bad[] = { "", ",", "a,", ",a", "a,,=1,", "=x", "a=1,a=2", "a,a" };
	struct keyvalue list;

	g_assert_true(keyvalue_parse(&list, "word,a=1,b=,c==,,=,d=x=y", NULL, NULL));
	g_assert_cmpuint(list.count, ==, 5);
	g_assert_true(keyvalue_has_word(&list, "word"));
	g_assert_null(keyvalue_get(&list, "word"));
	g_assert_cmpstr(keyvalue_get(&list, "a"), ==, "1");
	g_assert_false(keyvalue_has_word(&list, "a"));
	g_assert_cmpstr(keyvalue_get(&list, "b"), ==, "");
	g_assert_cmpstr(keyvalue_get(&list, "c"), ==, "=,=");
	g_assert_cmpstr(keyvalue_get(&list, "d"), ==, "x=y");
	g_assert_null(keyvalue_get(&list, "e"));
	keyvalue_release(&list);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(keyvalue_parse(&list, bad[i], NULL, NULL));
}

static void test_limit(void)
{
	g_autoptr(GString) text = g_string_new("k0");
	g_autoptr(GError) error = NULL;
	struct keyvalue list;

	for (unsigned i = 1; i < KEYVALUE_MAX; i++)
		g_string_append_printf(text, ",k%u", i);
	g_assert_true(keyvalue_parse(&list, text->str, NULL, NULL));
	keyvalue_release(&list);
	g_string_append(text, ",more");
	g_assert_false(keyvalue_parse(&list, text->str, NULL, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
}

static void test_take(void)
{
	static const char *const repeatable[] = { "r", NULL };
	static const char *const names[] = { "none", "some", NULL };
	g_autoptr(GError) error = NULL;
	struct keyvalue list;
	unsigned choice = 7, number = 9;
	uint64_t size = 3;
	bool flag = false, absent = true;

	g_assert_true(keyvalue_parse(&list, "w,r=1,r=2,f=on,n=12,s=2M,c=some,x=,lost=1", repeatable,
				     NULL));
	g_assert_true(keyvalue_take_word(&list, "w"));
	g_assert_false(keyvalue_take_word(&list, "w"));
	g_assert_cmpstr(keyvalue_take(&list, "r"), ==, "1");
	g_assert_cmpstr(keyvalue_take(&list, "r"), ==, "2");
	g_assert_null(keyvalue_take(&list, "r"));
	g_assert_true(keyvalue_take_bool(&list, "f", &flag, NULL) && flag);
	g_assert_true(keyvalue_take_bool(&list, "absent", &absent, NULL) && absent);
	g_assert_true(keyvalue_take_unsigned(&list, "n", 1, 12, &number, NULL));
	g_assert_cmpuint(number, ==, 12);
	g_assert_true(keyvalue_take_size(&list, "s", &size, NULL));
	g_assert_cmpuint(size, ==, 2 << 20);
	g_assert_true(keyvalue_take_choice(&list, "c", names, &choice, NULL));
	g_assert_cmpuint(choice, ==, 1);
	g_assert_false(keyvalue_done(&list, "known, keys", &error));
	g_assert_cmpstr(error->message, ==, "unknown key 'x'; there are known, keys");
	keyvalue_release(&list);
}

static void test_take_bad(void)
{
	static const char *const names[] = { "none", "some", NULL };
	struct keyvalue list;
	uint64_t number = 5;
	unsigned choice = 5;
	bool flag = true;
	char *text = NULL;

	g_assert_true(keyvalue_parse(&list, "f=yes,n=13,m=x,s=1Q,c=all,t=", NULL, NULL));
	g_assert_false(keyvalue_take_bool(&list, "f", &flag, NULL));
	g_assert_false(keyvalue_take_uint(&list, "n", 1, 12, &number, NULL));
	g_assert_false(keyvalue_take_uint(&list, "m", 1, 12, &number, NULL));
	g_assert_false(keyvalue_take_size(&list, "s", &number, NULL));
	g_assert_false(keyvalue_take_choice(&list, "c", names, &choice, NULL));
	g_assert_false(keyvalue_take_text(&list, "t", &text, NULL));
	g_assert_true(flag && number == 5 && choice == 5 && !text);
	keyvalue_release(&list);
}

static bool from_json(struct keyvalue *list, const char *text)
{
	json_t *object = json_loads(text, 0, NULL);
	bool ok = keyvalue_from_json(list, object, NULL);

	json_decref(object);
	return ok;
}

static void test_json(void)
{
	static const char *const bad[] = {
		"{\"a\": null}",
		"{\"a\": 1.5}",
		"{\"a\": [1]}",
		"{\"\": 1}",
		"{\"a\": {\"b\": {\"c\": {\"d\": {\"e\": 1}}}}}",
	};
	struct keyvalue list;

	g_assert_true(from_json(&list,
				"{\"s\": \"x,y\", \"n\": -3, \"t\": true, \"f\": false,"
				" \"o\": {\"p\": \"q\"}, \"l\": [\"1\", {\"str\": \"2\"}]}"));
	g_assert_cmpstr(keyvalue_take(&list, "s"), ==, "x,y");
	g_assert_cmpstr(keyvalue_take(&list, "n"), ==, "-3");
	g_assert_cmpstr(keyvalue_take(&list, "t"), ==, "on");
	g_assert_cmpstr(keyvalue_take(&list, "f"), ==, "off");
	g_assert_cmpstr(keyvalue_take(&list, "o.p"), ==, "q");
	g_assert_cmpstr(keyvalue_take(&list, "l"), ==, "1");
	g_assert_cmpstr(keyvalue_take(&list, "l"), ==, "2");
	g_assert_true(keyvalue_done(&list, "", NULL));
	keyvalue_release(&list);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(from_json(&list, bad[i]));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vmm/keyvalue/parse", test_parse);
	g_test_add_func("/vmm/keyvalue/limit", test_limit);
	g_test_add_func("/vmm/keyvalue/take", test_take);
	g_test_add_func("/vmm/keyvalue/take-bad", test_take_bad);
	g_test_add_func("/vmm/keyvalue/json", test_json);
	return g_test_run();
}
