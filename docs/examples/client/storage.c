/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * storage.c - networks and storage pools of a host; a volume is made and deleted
 *
 * usage: storage [URI]
 *
 *	cc storage.c $(pkg-config --cflags --libs socle) -o storage
 */
#include <inttypes.h>
#include <socle/socle.h>
#include <stdio.h>
#include <stdlib.h>

static const char xml[] = "<volume>"
			  "  <name>example</name>"
			  "  <capacity unit='MiB'>64</capacity>"
			  "</volume>";

static int show_networks(struct socle_conn *conn, struct socle_error **error)
{
	struct socle_network **nets = NULL;

	if (socle_network_list(conn, SOCLE_NETWORK_LIST_ACTIVE, &nets, error) < 0)
		return -1;
	for (int i = 0; nets[i]; i++) {
		char *bridge = socle_network_bridge(nets[i], NULL);

		printf("network: %s on %s\n", socle_network_name(nets[i]),
		       bridge ? bridge : "no bridge");
		free(bridge);
	}
	socle_networks_free(nets);
	return 0;
}

static int make_and_delete(struct socle_pool *pool, struct socle_error **error)
{
	SOCLE_AUTO(volume) vol = socle_volume_create(pool, xml, 0, error);
	struct socle_volume_info info;

	if (!vol || socle_volume_info(vol, 0, &info, error) < 0)
		return -1;
	printf("volume: %s in %s, %" PRIu64 " bytes\n", socle_volume_name(vol),
	       socle_volume_pool_name(vol), info.capacity);
	return socle_volume_delete(vol, 0, error);
}

static int show_pools(struct socle_conn *conn, struct socle_error **error)
{
	struct socle_pool **pools = NULL;
	int rc = 0;

	if (socle_pool_list(conn, SOCLE_POOL_LIST_ACTIVE, &pools, error) < 0)
		return -1;
	for (int i = 0; pools[i] && rc == 0; i++) {
		struct socle_pool_info info;

		rc = socle_pool_info(pools[i], &info, error);
		if (rc == 0) {
			printf("pool: %s, %s\n", socle_pool_name(pools[i]),
			       socle_pool_state_name(info.state));
			rc = make_and_delete(pools[i], error);
		}
	}
	socle_pools_free(pools);
	return rc;
}

int main(int argc, char **argv)
{
	SOCLE_AUTO(error) error = NULL;
	SOCLE_AUTO(conn) conn = socle_conn_open(argc > 1 ? argv[1] : NULL, 0, &error);

	if (conn && show_networks(conn, &error) == 0 && show_pools(conn, &error) == 0)
		return 0;
	fprintf(stderr, "storage: %s\n", socle_error_message(error));
	return 1;
}
