/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-resource.h - memory and CPUs of domains, their statistics and limits
 */
#ifndef CLIENT_SOCLE_RESOURCE_H
#define CLIENT_SOCLE_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-domain.h"
#include "client/socle-error.h"
#include "client/socle-params.h"

/* Besides enum socle_affect_flags. */
enum socle_memory_flags {
	SOCLE_MEMORY_MAXIMUM = 1 << 2, /* the most that it may have, not what it has */
};

/* Besides enum socle_affect_flags. */
enum socle_vcpu_flags {
	SOCLE_VCPU_MAXIMUM = 1 << 2,
	SOCLE_VCPU_GUEST = 1 << 3, /* by the guest's agent */
	SOCLE_VCPU_HOTPLUGGABLE = 1 << 4,
};

/* == Memory == */

/**
 * socle_domain_max_memory() - the most memory that it may have, in KiB
 * @dom:     the domain
 * @ret_kib: set on success
 * @error:   says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_max_memory(struct socle_domain *dom, uint64_t *ret_kib,
				      struct socle_error **error);

/**
 * socle_domain_set_memory() - change the memory that it has
 * @dom:   the domain
 * @kib:   how much, in KiB
 * @flags: enum socle_affect_flags, enum socle_memory_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_memory(struct socle_domain *dom, uint64_t kib, unsigned flags,
				      struct socle_error **error);

/**
 * socle_domain_set_memory_stats_period() - how often the balloon is asked
 * @dom:      the domain
 * @period_s: 0: never
 * @flags:    enum socle_affect_flags
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_memory_stats_period(struct socle_domain *dom, int period_s,
						   unsigned flags, struct socle_error **error);

/* Numbers of what socle_domain_memory_stats() tells; KiB if nothing is said. */
enum socle_memory_stat {
	SOCLE_MEMORY_STAT_SWAP_IN = 0,
	SOCLE_MEMORY_STAT_SWAP_OUT = 1,
	SOCLE_MEMORY_STAT_MAJOR_FAULT = 2, /* a count */
	SOCLE_MEMORY_STAT_MINOR_FAULT = 3, /* a count */
	SOCLE_MEMORY_STAT_UNUSED = 4,
	SOCLE_MEMORY_STAT_AVAILABLE = 5,
	SOCLE_MEMORY_STAT_ACTUAL_BALLOON = 6,
	SOCLE_MEMORY_STAT_RSS = 7,
	SOCLE_MEMORY_STAT_USABLE = 8,
	SOCLE_MEMORY_STAT_LAST_UPDATE = 9, /* seconds since 1970 */
	SOCLE_MEMORY_STAT_DISK_CACHES = 10,
	SOCLE_MEMORY_STAT_HUGETLB_PGALLOC = 11, /* a count */
	SOCLE_MEMORY_STAT_HUGETLB_PGFAIL = 12,  /* a count */
	SOCLE_MEMORY_STAT_COUNT,
};

/* For socle_domain_memory_stats(). */
struct socle_memory_stats {
	uint32_t known; /* bit n: value[n] is set */
	uint64_t value[SOCLE_MEMORY_STAT_COUNT];
};

/**
 * socle_domain_memory_stats() - how it uses its memory
 * @dom:       the domain
 * @flags:     0
 * @ret_stats: set on success
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_memory_stats(struct socle_domain *dom, unsigned flags,
					struct socle_memory_stats *ret_stats,
					struct socle_error **error);

/**
 * socle_domain_memory_stat_name() - word for one of them, as virsh has it: "swap_in", "rss" ...
 * @stat: which
 *
 * Return: constant; NULL for other numbers
 */
SOCLE_API const char *socle_domain_memory_stat_name(int stat);

/* == CPUs == */

/**
 * socle_domain_max_vcpus() - the most CPUs that it may have
 * @dom:   the domain
 * @error: says why not
 *
 * Return: the number, or -1
 */
SOCLE_API int socle_domain_max_vcpus(struct socle_domain *dom, struct socle_error **error);

/**
 * socle_domain_vcpus() - how many CPUs it has
 * @dom:   the domain
 * @flags: enum socle_affect_flags, enum socle_vcpu_flags
 * @error: says why not
 *
 * Return: the number, or -1
 */
SOCLE_API int socle_domain_vcpus(struct socle_domain *dom, unsigned flags,
				 struct socle_error **error);

/**
 * socle_domain_set_vcpus() - change how many it has
 * @dom:   the domain
 * @count: how many
 * @flags: enum socle_affect_flags, enum socle_vcpu_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_vcpus(struct socle_domain *dom, unsigned count, unsigned flags,
				     struct socle_error **error);

/* A CPU of a domain. */
struct socle_vcpu {
	unsigned number;
	int state; /* 0 offline, 1 running, 2 blocked */
	uint64_t cpu_time_ns;
	int cpu; /* of the host, where it runs; -1: not known */
};

/**
 * socle_domain_vcpu_info() - each CPU of a domain that runs
 * @dom:       the domain
 * @ret_vcpus: for free(3)
 * @ret_maps:  where each may run: so many maps of @map_len bytes, for free(3). May be NULL
 * @map_len:   bytes for each map
 * @error:     says why not
 *
 * Return: how many CPUs, or -1
 */
SOCLE_API int socle_domain_vcpu_info(struct socle_domain *dom, struct socle_vcpu **ret_vcpus,
				     unsigned char **ret_maps, unsigned map_len,
				     struct socle_error **error);

/**
 * socle_domain_vcpu_pins() - where each CPU of a domain may run
 * @dom:      the domain
 * @count:    for how many CPUs
 * @map_len:  bytes for each map
 * @flags:    enum socle_affect_flags
 * @ret_maps: so many maps, for free(3)
 * @error:    says why not
 *
 * Return: how many maps, or -1
 */
SOCLE_API int socle_domain_vcpu_pins(struct socle_domain *dom, unsigned count, unsigned map_len,
				     unsigned flags, unsigned char **ret_maps,
				     struct socle_error **error);

/**
 * socle_domain_pin_vcpu() - say where one may run
 * @dom:     the domain
 * @vcpu:    its number
 * @map:     CPUs of the host, as in struct socle_cpumap
 * @map_len: bytes
 * @flags:   enum socle_affect_flags
 * @error:   says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_pin_vcpu(struct socle_domain *dom, unsigned vcpu,
				    const unsigned char *map, unsigned map_len, unsigned flags,
				    struct socle_error **error);

/**
 * socle_domain_emulator_pin() - where the threads may run that are no CPU
 * @dom:     the domain
 * @map_len: bytes for the map
 * @flags:   enum socle_affect_flags
 * @ret_map: for free(3)
 * @error:   says why not
 *
 * Return: 1, 0 if nothing is said about it, or -1
 */
SOCLE_API int socle_domain_emulator_pin(struct socle_domain *dom, unsigned map_len, unsigned flags,
					unsigned char **ret_map, struct socle_error **error);

/**
 * socle_domain_pin_emulator() - say where they may run
 * @dom:     the domain
 * @map:     CPUs of the host
 * @map_len: bytes
 * @flags:   enum socle_affect_flags
 * @error:   says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_pin_emulator(struct socle_domain *dom, const unsigned char *map,
					unsigned map_len, unsigned flags,
					struct socle_error **error);

/**
 * socle_domain_cpu_stats() - time of a domain that runs, all CPUs of the host together
 * @dom:   the domain
 * @flags: 0
 * @error: says why not
 *
 * Return: "cpu_time", "user_time", "system_time" in ns, for socle_params_free(); NULL on failure
 */
SOCLE_API struct socle_params *socle_domain_cpu_stats(struct socle_domain *dom, unsigned flags,
						      struct socle_error **error);

/* == Statistics of all domains == */

enum socle_stats_kinds {
	SOCLE_STATS_STATE = 1 << 0,
	SOCLE_STATS_CPU = 1 << 1,
	SOCLE_STATS_BALLOON = 1 << 2,
	SOCLE_STATS_VCPU = 1 << 3,
	SOCLE_STATS_INTERFACE = 1 << 4,
	SOCLE_STATS_BLOCK = 1 << 5,
	SOCLE_STATS_PERF = 1 << 6,
	SOCLE_STATS_IOTHREAD = 1 << 7,
	SOCLE_STATS_MEMORY = 1 << 8,
	SOCLE_STATS_DIRTYRATE = 1 << 9,
	SOCLE_STATS_VM = 1 << 10,
};

/* Besides enum socle_list_flags. */
#define SOCLE_STATS_NOWAIT  (1u << 29) /* leave out what a machine that is busy would have to tell */
#define SOCLE_STATS_BACKING (1u << 30) /* images behind the disks, too */
#define SOCLE_STATS_ENFORCE (1u << 31) /* fail if a kind is not known */

/* Statistics of a domain. */
struct socle_domain_stats {
	struct socle_domain *domain;
	struct socle_params *params; /* such as "state.state", "cpu.time", "block.0.rd.bytes" */
};

/**
 * socle_domain_all_stats() - statistics of many domains in one call
 * @conn:      the connection
 * @doms:      of these, a NULL behind the last; NULL: of all
 * @kinds:     enum socle_stats_kinds; 0: all
 * @flags:     enum socle_list_flags, SOCLE_STATS_NOWAIT ...
 * @ret_stats: an empty one behind the last; for socle_domain_stats_free()
 * @error:     says why not
 *
 * Return: of how many domains, or -1
 */
SOCLE_API int socle_domain_all_stats(struct socle_conn *conn, struct socle_domain *const *doms,
				     unsigned kinds, unsigned flags,
				     struct socle_domain_stats **ret_stats,
				     struct socle_error **error);

/**
 * socle_domain_stats_free() - give them back
 * @stats: may be NULL
 */
SOCLE_API void socle_domain_stats_free(struct socle_domain_stats *stats);

/* == Limits == */

/**
 * socle_domain_scheduler_type() - how its CPU time is shared out, such as "posix"
 * @dom:   the domain
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_domain_scheduler_type(struct socle_domain *dom, struct socle_error **error);

/* Groups of limits. */
enum socle_tune {
	SOCLE_TUNE_SCHEDULER, /* "cpu_shares", "vcpu_period", "vcpu_quota" ... */
	SOCLE_TUNE_MEMORY,    /* "hard_limit", "soft_limit", "swap_hard_limit", in KiB */
	SOCLE_TUNE_BLKIO,     /* "weight", "device_weight" ... */
	SOCLE_TUNE_NUMA,      /* "numa_nodeset", "numa_mode" */
	SOCLE_TUNE_INTERFACE, /* @device: MAC or name of a network card */
	SOCLE_TUNE_BLOCK_IO,  /* @device: target or path of a disk; "total_bytes_sec" ... */
	SOCLE_TUNE_COUNT,
};

/**
 * socle_domain_get_tune() - limits of a group
 * @dom:    the domain
 * @tune:   which group
 * @device: for groups that are a device's, else NULL
 * @flags:  enum socle_affect_flags
 * @error:  says why not
 *
 * Return: for socle_params_free(); NULL on failure
 */
SOCLE_API struct socle_params *socle_domain_get_tune(struct socle_domain *dom, enum socle_tune tune,
						     const char *device, unsigned flags,
						     struct socle_error **error);

/**
 * socle_domain_set_tune() - change some of them
 * @dom:    the domain
 * @tune:   which group
 * @device: for groups that are a device's, else NULL
 * @params: those that are to change
 * @flags:  enum socle_affect_flags
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_tune(struct socle_domain *dom, enum socle_tune tune,
				    const char *device, const struct socle_params *params,
				    unsigned flags, struct socle_error **error);

#endif
