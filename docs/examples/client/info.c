/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * info.c - connect to a daemon, and tell what it is and which machines it has
 *
 * usage: info [URI]
 *
 *	cc info.c $(pkg-config --cflags --libs socle) -o info
 */
#include <socle/socle.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, const struct socle_error *error)
{
	fprintf(stderr, "info: %s: %s\n", what, socle_error_message(error));
	return 1;
}

static void tell_domain(struct socle_domain *dom)
{
	SOCLE_AUTO(error) error = NULL;
	struct socle_domain_info info;

	if (socle_domain_info(dom, &info, &error) < 0) {
		/* It may have gone meanwhile. */
		fprintf(stderr, "info: %s: %s\n", socle_domain_name(dom),
			socle_error_message(error));
		return;
	}
	printf("%-20s %-10s %u CPUs, %llu KiB\n", socle_domain_name(dom),
	       socle_domain_state_name((int)info.state), info.vcpus,
	       (unsigned long long)info.memory_kib);
}

int main(int argc, char **argv)
{
	/* What is declared with SOCLE_AUTO() gives back what it has when the scope ends. */
	SOCLE_AUTO(error) error = NULL;
	SOCLE_AUTO(conn)
	conn = socle_conn_open(argc > 1 ? argv[1] : NULL, SOCLE_OPEN_READONLY, &error);
	struct socle_domain **doms;
	struct socle_node_info node;
	char *type, *hostname;
	int count;

	if (!conn)
		return fail("cannot connect", error);
	/* A call that takes longer fails, instead of hanging. */
	socle_conn_set_timeout(conn, 10000);

	type = socle_conn_type(conn, &error);
	if (!type)
		return fail("cannot ask for the type", error);
	hostname = socle_conn_hostname(conn, NULL);
	printf("%s on %s\n", type, hostname ? hostname : "a host without a name");
	free(hostname);
	free(type);

	if (socle_node_info(conn, &node, &error) < 0)
		return fail("cannot ask for the host", error);
	printf("host: %u CPUs %s, %llu KiB\n", node.cpus, node.model,
	       (unsigned long long)node.memory_kib);

	count = socle_domain_list(conn, 0, &doms, &error);
	if (count < 0)
		return fail("cannot list the machines", error);
	for (int i = 0; i < count; i++)
		tell_domain(doms[i]);
	socle_domains_free(doms);
	return 0;
}
