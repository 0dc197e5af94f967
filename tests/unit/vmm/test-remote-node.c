/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-remote-node.c - images of other hosts, as QEMU's drivers iscsi and rbd name them
 */
#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "vmm/device-spec.h"
#include "vmm/keyvalue.h"

static void test_good(void)
{
	static const struct {
		const char *words, *path;
	} cases[] = {
		{ "driver=iscsi,portal=h:3261,target=iqn.a:b,lun=7,transport=tcp",
		  "iscsi://h:3261/iqn.a:b/7" },
		{ "driver=raw,file.driver=iscsi,file.portal=[::1],file.target=t",
		  "iscsi://[::1]/t/0" },
		{ "driver=rbd,pool=p,image=i", "rbd:///p/i" },
		{ "driver=raw,file.driver=rbd,file.pool=p,file.namespace=s,file.image=i/j,"
		  "file.server.0.host=a,file.server.0.port=6789,file.server.1.host=::1,"
		  "file.server.2.host=[::2],file.server.2.port=1",
		  "rbd://a:6789,[::1],[::2]:1/p/s/i%2Fj" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct node_spec spec = { .open.format = NULL };
		g_autoptr(GError) error = NULL;
		struct keyvalue list;

		g_assert_true(keyvalue_parse(&list, cases[i].words, NULL, &error));
		g_assert_true(node_spec_take(&spec, &list, &error));
		g_assert_true(keyvalue_done(&list, node_spec_keys, &error));
		g_assert_no_error(error);
		g_assert_cmpstr(spec.open.path, ==, cases[i].path);
		g_assert_cmpstr(spec.open.format, ==, "raw");
		keyvalue_release(&list);
	}
}

static void test_bad(void)
{
	static const struct {
		const char *words, *says;
	} cases[] = {
		{ "driver=iscsi,portal=h", "'target' is missing" },
		{ "driver=rbd,image=i", "'pool' is missing" },
		{ "driver=rbd,pool=p", "'image' is missing" },
		{ "driver=iscsi,portal=h,target=t,lun=16384", "lun" },
		{ "driver=iscsi,portal=h,target=t,transport=iser", "give transport=tcp" },
		{ "driver=rbd,pool=p,image=i,server.0.host=a,server.0.port=65536",
		  "server.0.port" },
		{ "driver=rbd,pool=p,image=i,server.0.host=a,server.0.port=x", "server.0.port" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct node_spec spec = { .open.format = NULL };
		g_autoptr(GError) error = NULL;
		struct keyvalue list;

		g_assert_true(keyvalue_parse(&list, cases[i].words, NULL, &error));
		g_assert_false(node_spec_take(&spec, &list, &error));
		g_assert_nonnull(strstr(error->message, cases[i].says));
		keyvalue_release(&list);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vmm/remote-node/good", test_good);
	g_test_add_func("/vmm/remote-node/bad", test_bad);
	return g_test_run();
}
