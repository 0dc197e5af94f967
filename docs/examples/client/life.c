/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life.c - the life of a machine: defined, started, paused, remembered, ended, forgotten
 *
 * usage: life [URI]
 *
 *	cc life.c $(pkg-config --cflags --libs socle) -o life
 */
#include <socle/socle.h>
#include <stdio.h>
#include <stdlib.h>

static const char xml[] = "<domain type='test'>"
			  "  <name>example-life</name>"
			  "  <memory unit='MiB'>64</memory>"
			  "  <vcpu>1</vcpu>"
			  "  <os><type>hvm</type></os>"
			  "</domain>";

static const char *state_of(struct socle_domain *dom)
{
	int state;

	if (socle_domain_state(dom, 0, &state, NULL, NULL) < 0)
		return "gone";
	return socle_domain_state_name(state);
}

/* A snapshot of a machine; and back to it. */
static int snapshot_and_back(struct socle_domain *dom, struct socle_error **error)
{
	SOCLE_AUTO(snapshot)
	snap = socle_snapshot_create(dom, "<domainsnapshot><name>before</name></domainsnapshot>", 0,
				     error);

	if (!snap)
		return -1;
	printf("snapshot: %s\n", socle_snapshot_name(snap));
	if (socle_domain_resume(dom, error) < 0)
		return -1;
	printf("resumed: %s\n", state_of(dom));
	if (socle_snapshot_revert(snap, 0, error) < 0)
		return -1;
	printf("reverted: %s\n", state_of(dom));
	return socle_snapshot_delete(snap, 0, error);
}

static int live(struct socle_domain *dom, struct socle_error **error)
{
	if (socle_domain_create(dom, 0, error) < 0)
		return -1;
	printf("started: %s\n", state_of(dom));
	if (socle_domain_suspend(dom, error) < 0)
		return -1;
	printf("suspended: %s\n", state_of(dom));
	if (snapshot_and_back(dom, error) < 0)
		return -1;
	if (socle_domain_destroy(dom, 0, error) < 0)
		return -1;
	printf("destroyed: %s\n", state_of(dom));
	return 0;
}

int main(int argc, char **argv)
{
	SOCLE_AUTO(error) error = NULL;
	SOCLE_AUTO(conn) conn = socle_conn_open(argc > 1 ? argv[1] : NULL, 0, &error);
	SOCLE_AUTO(domain) dom = conn ? socle_domain_define(conn, xml, 0, &error) : NULL;
	int rc;

	if (!dom) {
		fprintf(stderr, "life: %s\n", socle_error_message(error));
		return 1;
	}
	printf("defined: %s\n", socle_domain_name(dom));
	rc = live(dom, &error);
	if (rc < 0)
		fprintf(stderr, "life: %s\n", socle_error_message(error));
	/* Whatever happened: nothing of it stays. */
	(void)socle_domain_destroy(dom, 0, NULL);
	if (socle_domain_undefine(dom, SOCLE_UNDEFINE_SNAPSHOTS_METADATA, NULL) == 0)
		printf("undefined\n");
	return rc < 0;
}
