/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats.c - statistics of domains
 */
#include "client/error-int.h"
#include "client/object-int.h"
#include "client/params-int.h"
#include "client/socle-resource.h"
#include "client/tune-int.h"

enum {
	ALL_CPUS_TOGETHER = -1
};

struct socle_params *socle_domain_cpu_stats(struct socle_domain *dom, unsigned flags,
					    struct socle_error **error)
{
	rpc_domain_get_cpu_stats_args args = {
		.dom = domain_wire(dom),
		.start_cpu = ALL_CPUS_TOGETHER,
		.ncpus = 1,
		.flags = flags | TUNE_STRINGS,
	};
	rpc_domain_get_cpu_stats_ret ret;

	/* First how many there are. */
	if (!CALL(dom->conn, DOMAIN_GET_CPU_STATS, domain_get_cpu_stats, &args, &ret, error))
		return NULL;
	args.nparams = (unsigned)CLAMP(ret.nparams, 0, RPC_MAX_DOMAIN_GET_CPU_STATS);
	rpc_body_release(rpc_domain_get_cpu_stats_ret, &ret);
	if (!CALL(dom->conn, DOMAIN_GET_CPU_STATS, domain_get_cpu_stats, &args, &ret, error))
		return NULL;
	return client_params_take(&ret.params.params_val, &ret.params.params_len);
}

/* Lent by the handles; for g_free(). */
static rpc_domain *wire_of(struct socle_domain *const *doms, unsigned *ret_count)
{
	rpc_domain *wire;
	unsigned count = 0;

	while (doms && doms[count])
		count++;
	wire = g_new0(rpc_domain, (size_t)count + 1);
	for (unsigned i = 0; i < count; i++)
		wire[i] = domain_wire(doms[i]);
	*ret_count = count;
	return wire;
}

int socle_domain_all_stats(struct socle_conn *conn, struct socle_domain *const *doms,
			   unsigned kinds, unsigned flags, struct socle_domain_stats **ret_stats,
			   struct socle_error **error)
{
	rpc_connect_get_all_domain_stats_args args = { .stats = kinds, .flags = flags };
	rpc_connect_get_all_domain_stats_ret ret;
	g_autofree rpc_domain *wire = wire_of(doms, &args.doms.doms_len);
	unsigned count;

	args.doms.doms_val = wire;
	/* No domains mean all of them to the server. */
	if (doms && args.doms.doms_len == 0) {
		*ret_stats = g_new0(struct socle_domain_stats, 1);
		return 0;
	}
	if (!CALL(conn, CONNECT_GET_ALL_DOMAIN_STATS, connect_get_all_domain_stats, &args, &ret,
		  error))
		return -1;
	count = ret.retStats.retStats_len;
	*ret_stats = g_new0(struct socle_domain_stats, (size_t)count + 1);
	for (unsigned i = 0; i < count; i++) {
		rpc_domain_stats_record *r = &ret.retStats.retStats_val[i];

		(*ret_stats)[i] = (struct socle_domain_stats){
			.domain = domain_new(conn, &r->dom),
			.params = client_params_take(&r->params.params_val, &r->params.params_len),
		};
	}
	rpc_body_release(rpc_connect_get_all_domain_stats_ret, &ret);
	return (int)count;
}

void socle_domain_stats_free(struct socle_domain_stats *stats)
{
	for (size_t i = 0; stats && stats[i].domain; i++) {
		socle_domain_unref(stats[i].domain);
		socle_params_free(stats[i].params);
	}
	g_free(stats);
}
