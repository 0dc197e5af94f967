/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node.c - what a server says about itself and its host
 */
#include <string.h>

#include "client/conn-int.h"
#include "client/error-int.h"
#include "client/list-int.h"
#include "client/params-int.h"
#include "client/socle.h"

unsigned socle_version(void)
{
	return CLIENT_VERSION;
}

/* == The server == */

char *socle_conn_uri(struct socle_conn *conn, struct socle_error **error)
{
	rpc_connect_get_uri_ret ret;

	return CALL_RET(conn, CONNECT_GET_URI, connect_get_uri, &ret, error) ? ret.uri : NULL;
}

char *socle_conn_type(struct socle_conn *conn, struct socle_error **error)
{
	rpc_connect_get_type_ret ret;

	return CALL_RET(conn, CONNECT_GET_TYPE, connect_get_type, &ret, error) ? ret.type : NULL;
}

char *socle_conn_hostname(struct socle_conn *conn, struct socle_error **error)
{
	rpc_connect_get_hostname_ret ret;

	if (!CALL_RET(conn, CONNECT_GET_HOSTNAME, connect_get_hostname, &ret, error))
		return NULL;
	return ret.hostname;
}

int socle_conn_version(struct socle_conn *conn, uint64_t *ret_version, struct socle_error **error)
{
	rpc_connect_get_version_ret ret;

	if (!CALL_RET(conn, CONNECT_GET_VERSION, connect_get_version, &ret, error))
		return -1;
	*ret_version = ret.hv_ver;
	return 0;
}

int socle_conn_lib_version(struct socle_conn *conn, uint64_t *ret_version,
			   struct socle_error **error)
{
	rpc_connect_get_lib_version_ret ret;

	if (!CALL_RET(conn, CONNECT_GET_LIB_VERSION, connect_get_lib_version, &ret, error))
		return -1;
	*ret_version = ret.lib_ver;
	return 0;
}

int socle_conn_is_secure(struct socle_conn *conn, struct socle_error **error)
{
	rpc_connect_is_secure_ret ret;

	if (!CALL_RET(conn, CONNECT_IS_SECURE, connect_is_secure, &ret, error))
		return -1;
	return ret.secure != 0;
}

char *socle_conn_capabilities(struct socle_conn *conn, struct socle_error **error)
{
	rpc_connect_get_capabilities_ret ret;

	if (!CALL_RET(conn, CONNECT_GET_CAPABILITIES, connect_get_capabilities, &ret, error))
		return NULL;
	return ret.capabilities;
}

char *socle_conn_domain_capabilities(struct socle_conn *conn, const char *emulator,
				     const char *arch, const char *machine, const char *virttype,
				     unsigned flags, struct socle_error **error)
{
	rpc_connect_get_domain_capabilities_args args = {
		.emulatorbin = OPTIONAL(emulator),
		.arch = OPTIONAL(arch),
		.machine = OPTIONAL(machine),
		.virttype = OPTIONAL(virttype),
		.flags = flags,
	};
	rpc_connect_get_domain_capabilities_ret ret;

	if (!CALL(conn, CONNECT_GET_DOMAIN_CAPABILITIES, connect_get_domain_capabilities, &args,
		  &ret, error))
		return NULL;
	return ret.capabilities;
}

int socle_conn_max_vcpus(struct socle_conn *conn, const char *virttype, struct socle_error **error)
{
	rpc_connect_get_max_vcpus_args args = { .type = OPTIONAL(virttype) };
	rpc_connect_get_max_vcpus_ret ret;

	if (!CALL(conn, CONNECT_GET_MAX_VCPUS, connect_get_max_vcpus, &args, &ret, error))
		return -1;
	return client_count(ret.max_vcpus, error);
}

char *socle_conn_sysinfo(struct socle_conn *conn, unsigned flags, struct socle_error **error)
{
	rpc_connect_get_sysinfo_args args = { .flags = flags };
	rpc_connect_get_sysinfo_ret ret;

	if (!CALL(conn, CONNECT_GET_SYSINFO, connect_get_sysinfo, &args, &ret, error))
		return NULL;
	return ret.sysinfo;
}

int socle_conn_cpu_models(struct socle_conn *conn, const char *arch, unsigned flags,
			  char ***ret_models, struct socle_error **error)
{
	rpc_connect_get_cpu_model_names_args args = {
		.arch = TEXT(arch),
		.need_results = 1,
		.flags = flags,
	};
	rpc_connect_get_cpu_model_names_ret ret;

	if (!client_has(arch, "architecture", error) ||
	    !CALL(conn, CONNECT_GET_CPU_MODEL_NAMES, connect_get_cpu_model_names, &args, &ret,
		  error))
		return -1;
	return client_take_texts(&ret.models.models_val, &ret.models.models_len, ret_models);
}

/* == The host == */

int socle_node_info(struct socle_conn *conn, struct socle_node_info *ret_info,
		    struct socle_error **error)
{
	rpc_node_get_info_ret ret;

	if (!CALL_RET(conn, NODE_GET_INFO, node_get_info, &ret, error))
		return -1;
	*ret_info = (struct socle_node_info){
		.memory_kib = ret.memory,
		.cpus = (unsigned)MAX(ret.cpus, 0),
		.mhz = (unsigned)MAX(ret.mhz, 0),
		.nodes = (unsigned)MAX(ret.nodes, 0),
		.sockets = (unsigned)MAX(ret.sockets, 0),
		.cores = (unsigned)MAX(ret.cores, 0),
		.threads = (unsigned)MAX(ret.threads, 0),
	};
	memcpy(ret_info->model, ret.model, sizeof(ret_info->model) - 1);
	return 0;
}

/* These calls tell first how many values there are. */
struct socle_params *socle_node_memory_stats(struct socle_conn *conn, int cell, unsigned flags,
					     struct socle_error **error)
{
	rpc_node_get_memory_stats_args args = { .cellNum = cell, .flags = flags };
	rpc_node_get_memory_stats_ret ret;
	struct socle_params *params;

	if (!CALL(conn, NODE_GET_MEMORY_STATS, node_get_memory_stats, &args, &ret, error))
		return NULL;
	args.nparams = ret.nparams;
	rpc_body_release(rpc_node_get_memory_stats_ret, &ret);
	if (!CALL(conn, NODE_GET_MEMORY_STATS, node_get_memory_stats, &args, &ret, error))
		return NULL;
	params = socle_params_new();
	for (unsigned i = 0; i < ret.params.params_len; i++)
		client_params_add_stat(params, ret.params.params_val[i].field,
				       ret.params.params_val[i].value);
	rpc_body_release(rpc_node_get_memory_stats_ret, &ret);
	return params;
}

struct socle_params *socle_node_cpu_stats(struct socle_conn *conn, int cpu, unsigned flags,
					  struct socle_error **error)
{
	rpc_node_get_cpu_stats_args args = { .cpuNum = cpu, .flags = flags };
	rpc_node_get_cpu_stats_ret ret;
	struct socle_params *params;

	if (!CALL(conn, NODE_GET_CPU_STATS, node_get_cpu_stats, &args, &ret, error))
		return NULL;
	args.nparams = ret.nparams;
	rpc_body_release(rpc_node_get_cpu_stats_ret, &ret);
	if (!CALL(conn, NODE_GET_CPU_STATS, node_get_cpu_stats, &args, &ret, error))
		return NULL;
	params = socle_params_new();
	for (unsigned i = 0; i < ret.params.params_len; i++)
		client_params_add_stat(params, ret.params.params_val[i].field,
				       ret.params.params_val[i].value);
	rpc_body_release(rpc_node_get_cpu_stats_ret, &ret);
	return params;
}

void socle_cpumap_release(struct socle_cpumap *map)
{
	if (!map)
		return;
	g_free(map->map);
	*map = (struct socle_cpumap){ NULL, 0, 0 };
}

int socle_node_cpu_map(struct socle_conn *conn, unsigned flags, struct socle_cpumap *ret_map,
		       struct socle_error **error)
{
	rpc_node_get_cpu_map_args args = { .need_map = 1, .need_online = 1, .flags = flags };
	rpc_node_get_cpu_map_ret ret;
	size_t size;

	if (!CALL(conn, NODE_GET_CPU_MAP, node_get_cpu_map, &args, &ret, error))
		return -1;
	/* As long as the number of CPUs says, whatever came. */
	ret.ret = CLAMP(ret.ret, 0, RPC_MAX_CPUMAP * 8);
	size = ((size_t)ret.ret + 7) / 8;
	*ret_map = (struct socle_cpumap){
		.map = client_take_bytes(ret.cpumap.cpumap_val, ret.cpumap.cpumap_len, size),
		.cpus = (unsigned)ret.ret,
		.count = ret.online,
	};
	rpc_body_release(rpc_node_get_cpu_map_ret, &ret);
	return 0;
}

int socle_node_free_memory(struct socle_conn *conn, uint64_t *ret_bytes, struct socle_error **error)
{
	rpc_node_get_free_memory_ret ret;

	if (!CALL_RET(conn, NODE_GET_FREE_MEMORY, node_get_free_memory, &ret, error))
		return -1;
	*ret_bytes = ret.freeMem;
	return 0;
}

int socle_node_cells_free_memory(struct socle_conn *conn, int start, unsigned max,
				 uint64_t *ret_bytes, struct socle_error **error)
{
	rpc_node_get_cells_free_memory_args args = {
		.startCell = start,
		.maxcells = (int)MIN(max, RPC_MAX_CELLS),
	};
	rpc_node_get_cells_free_memory_ret ret;
	unsigned count;

	if (!CALL(conn, NODE_GET_CELLS_FREE_MEMORY, node_get_cells_free_memory, &args, &ret, error))
		return -1;
	count = MIN(ret.cells.cells_len, max);
	for (unsigned i = 0; i < count; i++)
		ret_bytes[i] = ret.cells.cells_val[i];
	rpc_body_release(rpc_node_get_cells_free_memory_ret, &ret);
	return (int)count;
}

int socle_node_security_model(struct socle_conn *conn, char **ret_model, char **ret_doi,
			      struct socle_error **error)
{
	rpc_node_get_security_model_ret ret;

	if (!CALL_RET(conn, NODE_GET_SECURITY_MODEL, node_get_security_model, &ret, error))
		return -1;
	/* With their NUL, or without one. */
	*ret_model = client_take_chars(ret.model.model_val, ret.model.model_len);
	if (ret_doi)
		*ret_doi = client_take_chars(ret.doi.doi_val, ret.doi.doi_len);
	rpc_body_release(rpc_node_get_security_model_ret, &ret);
	return 0;
}
