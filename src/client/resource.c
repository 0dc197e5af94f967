/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resource.c - memory and CPUs of domains
 */
#include "client/socle-resource.h"

#include "client/error-int.h"
#include "client/list-int.h"
#include "client/object-int.h"
#include "client/params-int.h"

/* == Memory == */

int socle_domain_max_memory(struct socle_domain *dom, uint64_t *ret_kib, struct socle_error **error)
{
	rpc_domain_get_max_memory_args args = { .dom = domain_wire(dom) };
	rpc_domain_get_max_memory_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_MAX_MEMORY, domain_get_max_memory, &args, &ret, error))
		return -1;
	*ret_kib = ret.memory;
	return 0;
}

int socle_domain_set_memory(struct socle_domain *dom, uint64_t kib, unsigned flags,
			    struct socle_error **error)
{
	rpc_domain_set_memory_flags_args args = {
		.dom = domain_wire(dom),
		.memory = kib,
		.flags = flags,
	};

	return CALL_ARGS(dom->conn, DOMAIN_SET_MEMORY_FLAGS, domain_set_memory_flags, &args, error);
}

int socle_domain_set_memory_stats_period(struct socle_domain *dom, int period_s, unsigned flags,
					 struct socle_error **error)
{
	rpc_domain_set_memory_stats_period_args args = {
		.dom = domain_wire(dom),
		.period = period_s,
		.flags = flags,
	};

	return CALL_ARGS(dom->conn, DOMAIN_SET_MEMORY_STATS_PERIOD, domain_set_memory_stats_period,
			 &args, error);
}

int socle_domain_memory_stats(struct socle_domain *dom, unsigned flags,
			      struct socle_memory_stats *ret_stats, struct socle_error **error)
{
	rpc_domain_memory_stats_args args = {
		.dom = domain_wire(dom),
		.maxStats = SOCLE_MEMORY_STAT_COUNT,
		.flags = flags,
	};
	rpc_domain_memory_stats_ret ret;

	if (!CALL(dom->conn, DOMAIN_MEMORY_STATS, domain_memory_stats, &args, &ret, error))
		return -1;
	*ret_stats = (struct socle_memory_stats){ .known = 0 };
	for (unsigned i = 0; i < ret.stats.stats_len; i++) {
		unsigned tag = (unsigned)ret.stats.stats_val[i].tag;

		/* A newer server may know more of them. */
		if (tag >= SOCLE_MEMORY_STAT_COUNT)
			continue;
		ret_stats->known |= UINT32_C(1) << tag;
		ret_stats->value[tag] = ret.stats.stats_val[i].val;
	}
	rpc_body_release(rpc_domain_memory_stats_ret, &ret);
	return 0;
}

/* == CPUs == */

int socle_domain_max_vcpus(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_get_max_vcpus_args args = { .dom = domain_wire(dom) };
	rpc_domain_get_max_vcpus_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_MAX_VCPUS, domain_get_max_vcpus, &args, &ret, error))
		return -1;
	return client_count(ret.num, error);
}

int socle_domain_vcpus(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_get_vcpus_flags_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_get_vcpus_flags_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_VCPUS_FLAGS, domain_get_vcpus_flags, &args, &ret, error))
		return -1;
	return client_count(ret.num, error);
}

int socle_domain_set_vcpus(struct socle_domain *dom, unsigned count, unsigned flags,
			   struct socle_error **error)
{
	rpc_domain_set_vcpus_flags_args args = {
		.dom = domain_wire(dom),
		.nvcpus = count,
		.flags = flags,
	};

	return CALL_ARGS(dom->conn, DOMAIN_SET_VCPUS_FLAGS, domain_set_vcpus_flags, &args, error);
}

static bool maps_fit(unsigned count, unsigned map_len, struct socle_error **error)
{
	if (count <= RPC_MAX_VCPU_INFO && (uint64_t)count * map_len <= RPC_MAX_CPUMAPS)
		return true;
	return client_error(error, SOCLE_ERR_OVERFLOW,
			    "%u maps of %u bytes are more than an answer has: ask for %d CPUs and "
			    "%d bytes at most",
			    count, map_len, RPC_MAX_VCPU_INFO, RPC_MAX_CPUMAPS);
}

static struct socle_vcpu *take_vcpus(const rpc_vcpu_info *info, unsigned count)
{
	struct socle_vcpu *vcpus = g_new0(struct socle_vcpu, (size_t)count + 1);

	for (unsigned i = 0; i < count; i++)
		vcpus[i] = (struct socle_vcpu){
			.number = info[i].number,
			.state = info[i].state,
			.cpu_time_ns = info[i].cpu_time,
			.cpu = info[i].cpu,
		};
	return vcpus;
}

int socle_domain_vcpu_info(struct socle_domain *dom, struct socle_vcpu **ret_vcpus,
			   unsigned char **ret_maps, unsigned map_len, struct socle_error **error)
{
	rpc_domain_get_vcpus_args args = { .dom = domain_wire(dom) };
	rpc_domain_get_vcpus_ret ret;
	struct socle_domain_info info;
	unsigned count;

	/* The server has to be told how many there is room for. */
	if (socle_domain_info(dom, &info, error) < 0 ||
	    !maps_fit(info.vcpus, ret_maps ? map_len : 0, error))
		return -1;
	args.maxinfo = (int)info.vcpus;
	args.maplen = ret_maps ? (int)map_len : 0;
	if (!CALL(dom->conn, DOMAIN_GET_VCPUS, domain_get_vcpus, &args, &ret, error))
		return -1;
	count = ret.info.info_len;
	*ret_vcpus = take_vcpus(ret.info.info_val, count);
	if (ret_maps)
		*ret_maps = client_take_bytes(ret.cpumaps.cpumaps_val, ret.cpumaps.cpumaps_len,
					      (size_t)count * map_len);
	rpc_body_release(rpc_domain_get_vcpus_ret, &ret);
	return (int)count;
}

int socle_domain_vcpu_pins(struct socle_domain *dom, unsigned count, unsigned map_len,
			   unsigned flags, unsigned char **ret_maps, struct socle_error **error)
{
	rpc_domain_get_vcpu_pin_info_args args = {
		.dom = domain_wire(dom),
		.ncpumaps = (int)count,
		.maplen = (int)map_len,
		.flags = flags,
	};
	rpc_domain_get_vcpu_pin_info_ret ret;
	int got;

	if (!maps_fit(count, map_len, error) || !CALL(dom->conn, DOMAIN_GET_VCPU_PIN_INFO,
						      domain_get_vcpu_pin_info, &args, &ret, error))
		return -1;
	got = CLAMP(ret.num, 0, (int)count);
	*ret_maps = client_take_bytes(ret.cpumaps.cpumaps_val, ret.cpumaps.cpumaps_len,
				      (size_t)got * map_len);
	rpc_body_release(rpc_domain_get_vcpu_pin_info_ret, &ret);
	return got;
}

int socle_domain_pin_vcpu(struct socle_domain *dom, unsigned vcpu, const unsigned char *map,
			  unsigned map_len, unsigned flags, struct socle_error **error)
{
	rpc_domain_pin_vcpu_flags_args args = {
		.dom = domain_wire(dom),
		.vcpu = vcpu,
		.cpumap = { .cpumap_len = map_len, .cpumap_val = TEXT(map) },
		.flags = flags,
	};

	if (!client_has(map, "map of CPUs", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_PIN_VCPU_FLAGS, domain_pin_vcpu_flags, &args, error);
}

int socle_domain_emulator_pin(struct socle_domain *dom, unsigned map_len, unsigned flags,
			      unsigned char **ret_map, struct socle_error **error)
{
	rpc_domain_get_emulator_pin_info_args args = {
		.dom = domain_wire(dom),
		.maplen = (int)map_len,
		.flags = flags,
	};
	rpc_domain_get_emulator_pin_info_ret ret;
	int said;

	if (!maps_fit(1, map_len, error) || !CALL(dom->conn, DOMAIN_GET_EMULATOR_PIN_INFO,
						  domain_get_emulator_pin_info, &args, &ret, error))
		return -1;
	*ret_map = client_take_bytes(ret.cpumaps.cpumaps_val, ret.cpumaps.cpumaps_len, map_len);
	said = ret.ret != 0;
	rpc_body_release(rpc_domain_get_emulator_pin_info_ret, &ret);
	return said;
}

int socle_domain_pin_emulator(struct socle_domain *dom, const unsigned char *map, unsigned map_len,
			      unsigned flags, struct socle_error **error)
{
	rpc_domain_pin_emulator_args args = {
		.dom = domain_wire(dom),
		.cpumap = { .cpumap_len = map_len, .cpumap_val = TEXT(map) },
		.flags = flags,
	};

	if (!client_has(map, "map of CPUs", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_PIN_EMULATOR, domain_pin_emulator, &args, error);
}
