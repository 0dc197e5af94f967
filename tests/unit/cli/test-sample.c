/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-sample.c - what a daemon tells of a machine is added up
 */
#include "cli/sample.h"

static void add(struct socle_params *params, const char *name, enum socle_param_type type,
		const char *text)
{
	g_assert_cmpint(socle_params_add_text(params, name, type, text, NULL), ==, 0);
}

static void test_sums(void)
{
	SOCLE_AUTO(params) params = socle_params_new();
	struct sample sample = { .id = 1 };

	add(params, "state.state", SOCLE_PARAM_INT, "1");
	add(params, "state.reason", SOCLE_PARAM_INT, "5");
	add(params, "cpu.time", SOCLE_PARAM_ULLONG, "123456789");
	add(params, "cpu.user", SOCLE_PARAM_ULLONG, "1");
	add(params, "vcpu.current", SOCLE_PARAM_UINT, "4");
	add(params, "vcpu.maximum", SOCLE_PARAM_UINT, "8");
	add(params, "balloon.current", SOCLE_PARAM_ULLONG, "1024");
	add(params, "balloon.maximum", SOCLE_PARAM_ULLONG, "2048");
	add(params, "balloon.rss", SOCLE_PARAM_ULLONG, "99");
	add(params, "block.count", SOCLE_PARAM_UINT, "2");
	add(params, "block.0.name", SOCLE_PARAM_STRING, "vda.rd.bytes");
	add(params, "block.0.rd.bytes", SOCLE_PARAM_ULLONG, "10");
	add(params, "block.0.wr.bytes", SOCLE_PARAM_ULLONG, "20");
	add(params, "block.1.rd.bytes", SOCLE_PARAM_ULLONG, "100");
	add(params, "block.1.rd.reqs", SOCLE_PARAM_ULLONG, "3");
	add(params, "net.0.rx.bytes", SOCLE_PARAM_ULLONG, "7");
	add(params, "net.0.tx.bytes", SOCLE_PARAM_ULLONG, "8");
	add(params, "net.0.tx.pkts", SOCLE_PARAM_ULLONG, "80");
	add(params, "net.1.rx.bytes", SOCLE_PARAM_LLONG, "-1"); /* not known */
	sample_add(&sample, params);
	g_assert_cmpint(sample.state, ==, 1);
	g_assert_cmpint(sample.reason, ==, 5);
	g_assert_cmpuint(sample.cpu_ns, ==, 123456789);
	g_assert_cmpuint(sample.vcpus, ==, 4);
	g_assert_cmpuint(sample.memory_kib, ==, 1024);
	g_assert_cmpuint(sample.max_memory_kib, ==, 2048);
	g_assert_cmpuint(sample.rss_kib, ==, 99);
	g_assert_cmpuint(sample.rd_bytes, ==, 110);
	g_assert_cmpuint(sample.wr_bytes, ==, 20);
	g_assert_cmpuint(sample.rd_reqs, ==, 3);
	g_assert_cmpuint(sample.rx_bytes, ==, 7);
	g_assert_cmpuint(sample.tx_bytes, ==, 8);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cli/sample/sums", test_sums);
	return g_test_run();
}
