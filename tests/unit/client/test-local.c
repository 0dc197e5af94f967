/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-local.c - test:///default, whose machines are in this process
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "client/socle.h"

static struct socle_conn *open_test(void)
{
	SOCLE_AUTO(error) error = NULL;
	struct socle_conn *conn = socle_conn_open("test:///default", 0, &error);

	g_assert_nonnull(conn);
	return conn;
}

static void assert_state(struct socle_domain *dom, int state)
{
	int found = -1;

	g_assert_cmpint(socle_domain_state(dom, 0, &found, NULL, NULL), ==, 0);
	g_assert_cmpint(found, ==, state);
}

static void test_life(void)
{
	SOCLE_AUTO(conn) conn = open_test();
	SOCLE_AUTO(domain) dom = socle_domain_by_name(conn, "test", NULL);

	g_assert_nonnull(dom);
	assert_state(dom, 1);
	g_assert_cmpint(socle_domain_suspend(dom, NULL), ==, 0);
	assert_state(dom, 3);
	g_assert_cmpint(socle_domain_resume(dom, NULL), ==, 0);
	assert_state(dom, 1);
	/* Kept as long as a domain is, and gone in any order. */
	socle_conn_close(conn);
	g_assert_cmpint(socle_domain_suspend(dom, NULL), ==, -1);
}

/* Each connection has machines of its own. */
static void test_apart(void)
{
	SOCLE_AUTO(conn) one = open_test();
	SOCLE_AUTO(conn) other = open_test();
	SOCLE_AUTO(domain) dom = socle_domain_by_name(one, "test", NULL);
	SOCLE_AUTO(domain) same = socle_domain_by_name(other, "test", NULL);

	g_assert_cmpint(socle_domain_suspend(dom, NULL), ==, 0);
	assert_state(same, 1);
}

struct told {
	unsigned count, gone;
};

static void take_xml(struct socle_volume *vol, char *xml, void *opaque)
{
	struct told *told = opaque;
	g_autofree char *name = g_strdup_printf("vol-%u", told->count),
			*element = g_strdup_printf("<name>%s</name>", name);

	g_assert_cmpstr(socle_volume_name(vol), ==, name);
	g_assert_cmpint(xml != NULL, ==, told->count != told->gone);
	g_assert_true(!xml || strstr(xml, element));
	free(xml);
	told->count++;
}

/* More than are on their way together; one of them is gone, and one connection ends. */
static void test_volumes(void)
{
	enum {
		COUNT = 100,
		GONE = 41
	};
	SOCLE_AUTO(conn) conn = open_test();
	SOCLE_AUTO(error) error = NULL;
	SOCLE_AUTO(pool) pool = socle_pool_by_name(conn, "default-pool", NULL);
	struct socle_volume *vols[COUNT + 1] = { NULL };
	struct told told = { .gone = GONE };

	for (unsigned i = 0; i < COUNT; i++) {
		g_autofree char *xml = g_strdup_printf(
			"<volume><name>vol-%u</name><capacity>%u</capacity></volume>", i,
			(i + 1) * 512);

		vols[i] = socle_volume_create(pool, xml, 0, NULL);
		g_assert_nonnull(vols[i]);
	}
	g_assert_cmpint(socle_volume_delete(vols[GONE], 0, NULL), ==, 0);
	g_assert_cmpint(socle_volumes_xml(vols, 0, take_xml, &told, &error), ==, 0);
	g_assert_cmpuint(told.count, ==, COUNT);
	g_assert_cmpint(socle_volumes_xml(vols + COUNT, 0, take_xml, &told, &error), ==, 0);
	g_assert_cmpuint(told.count, ==, COUNT);
	g_assert_null(error);
	socle_conn_close(conn);
	g_assert_cmpint(socle_volumes_xml(vols, 0, take_xml, &told, &error), ==, -1);
	g_assert_cmpuint(told.count, ==, COUNT);
	g_assert_nonnull(error);
	for (unsigned i = 0; i < COUNT; i++)
		socle_volume_unref(vols[i]);
}

/* It is there when its stream has been finished, and with what was sent; else it never was. */
static void test_stream(void)
{
	static const char xml[] = "<volume><name>new</name><capacity>8192</capacity></volume>";
	SOCLE_AUTO(conn) conn = open_test();
	SOCLE_AUTO(error) error = NULL;
	SOCLE_AUTO(pool) pool = socle_pool_by_name(conn, "default-pool", NULL);
	struct socle_stream *stream;
	char bytes[16] = "";

	g_assert_null(socle_volume_create_stream(pool, xml, 0, 0, 0, &stream, &error));
	g_assert_null(stream);
	g_assert_cmpint(socle_error_code(error), ==, SOCLE_ERR_NO_SUPPORT);
	for (unsigned i = 0; i < 2; i++) {
		SOCLE_AUTO(volume)
		vol = socle_volume_create_stream(pool, xml, 0, -1, 0, &stream, NULL);

		g_assert_cmpstr(socle_volume_name(vol), ==, "new");
		g_assert_cmpint(socle_stream_send(stream, "sent", 4, NULL), ==, 4);
		if (i)
			g_assert_cmpint(socle_stream_finish(stream, NULL), ==, 0);
		socle_stream_unref(stream);
		g_assert_cmpint(socle_volume_list(pool, 0, NULL, NULL), ==, (int)i);
		stream = i ? socle_volume_download(vol, 0, 4, 0, 0, NULL) : NULL;
		g_assert_cmpint(i ? socle_stream_recv(stream, bytes, sizeof(bytes), NULL) : 4, ==,
				4);
		socle_stream_unref(stream);
	}
	g_assert_cmpstr(bytes, ==, "sent");
}

static void test_others(void)
{
	SOCLE_AUTO(error) error = NULL;

	g_assert_null(socle_conn_open("test:///else", 0, &error));
	g_assert_nonnull(strstr(socle_error_message(error), "there is test:///default"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/local/life", test_life);
	g_test_add_func("/local/apart", test_apart);
	g_test_add_func("/local/volumes", test_volumes);
	g_test_add_func("/local/stream", test_stream);
	g_test_add_func("/local/others", test_others);
	return g_test_run();
}
