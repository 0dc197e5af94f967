/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>

#include "model/inet.h"

static struct inet of(const char *text)
{
	struct inet inet;

	g_assert_true(inet_parse(text, &inet));
	return inet;
}

static void assert_is(const struct inet *inet, const char *text)
{
	char shown[INET_TEXT_MAX];

	inet_format(inet, shown);
	g_assert_cmpstr(shown, ==, text);
}

static void test_text(void)
{
	static const char *const wrong[] = { NULL,         "",
					     "192.0.2",    "192.0.2.256",
					     "192.0.2.1 ", "fe80::g",
					     "1::2::3",    "::ffff:192.0.2.999" };
	struct inet inet = of("192.0.2.1");

	g_assert_false(inet.v6);
	g_assert_cmpuint(inet_bits(&inet), ==, 32);
	for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++)
		g_assert_false(inet_parse(wrong[i], &inet));
	assert_is(&inet, "192.0.2.1");
	inet = of("2001:DB8:0:0::7");
	g_assert_true(inet.v6);
	g_assert_cmpuint(inet_bits(&inet), ==, 128);
	assert_is(&inet, "2001:db8::7");
}

static void test_ends(void)
{
	static const struct {
		const char *inside;
		unsigned prefix;
		const char *first, *last;
	} nets[] = {
		{ "192.0.2.77", 24, "192.0.2.0", "192.0.2.255" },
		{ "192.0.2.77", 27, "192.0.2.64", "192.0.2.95" },
		{ "192.0.2.77", 32, "192.0.2.77", "192.0.2.77" },
		{ "192.0.2.77", 0, "0.0.0.0", "255.255.255.255" },
		{ "2001:db8::5", 126, "2001:db8::4", "2001:db8::7" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(nets); i++) {
		struct inet inside = of(nets[i].inside);
		struct inet first = inet_first(&inside, nets[i].prefix);
		struct inet last = inet_last(&inside, nets[i].prefix);

		assert_is(&first, nets[i].first);
		assert_is(&last, nets[i].last);
		g_assert_true(inet_same_network(&first, &last, nets[i].prefix));
	}
}

static void test_order(void)
{
	struct inet a = of("192.0.2.9"), b = of("192.0.2.10"), v6 = of("::1");

	g_assert_cmpint(inet_compare(&a, &b), <, 0);
	g_assert_cmpint(inet_compare(&b, &a), >, 0);
	g_assert_cmpint(inet_compare(&a, &a), ==, 0);
	g_assert_cmpint(inet_compare(&v6, &b), >, 0);
	g_assert_cmpint(inet_compare(&b, &v6), <, 0);
	g_assert_false(inet_same_network(&a, &b, 31));
	g_assert_true(inet_same_network(&a, &b, 30));
	g_assert_false(inet_same_network(&a, &v6, 0));
}

static void test_masks(void)
{
	g_assert_cmpint(inet_prefix_of_mask("255.255.255.0"), ==, 24);
	g_assert_cmpint(inet_prefix_of_mask("255.255.255.255"), ==, 32);
	g_assert_cmpint(inet_prefix_of_mask("255.255.254.0"), ==, 23);
	g_assert_cmpint(inet_prefix_of_mask("255.0.255.0"), ==, -1);
	g_assert_cmpint(inet_prefix_of_mask("ffff::"), ==, -1);
	g_assert_cmpint(inet_prefix_of_mask("24"), ==, -1);
}

static void test_mac(void)
{
	static const uint8_t bytes[INET_MAC_LEN] = { 0x52, 0x54, 0x00, 0xab, 0xCD, 0x0f };
	static const char *const wrong[] = {
		NULL,
		"",
		"52:54:00:ab:cd",
		"52:54:00:ab:cd:",
		"52:54:00:ab:cd:0",
		"52:54:00:ab:cd:0f:01",
		"52-54-00-ab-cd-0f",
		"52:54:00:ab:cd:0g",
		"152:54:00:ab:cd:f",
		" 2:54:00:ab:cd:0f",
	};
	uint8_t mac[INET_MAC_LEN];

	g_assert_true(inet_parse_mac("52:54:00:aB:cd:0F", mac));
	g_assert_cmpmem(mac, sizeof(mac), bytes, sizeof(bytes));
	for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++)
		g_assert_false(inet_parse_mac(wrong[i], mac));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/inet/text", test_text);
	g_test_add_func("/model/inet/ends", test_ends);
	g_test_add_func("/model/inet/order", test_order);
	g_test_add_func("/model/inet/masks", test_masks);
	g_test_add_func("/model/inet/mac", test_mac);
	return g_test_run();
}
