/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-calls-resource.c - calls about memory, CPUs, statistics and limits
 */
#include "calls.h"

static char *run_max_memory(struct env *e)
{
	uint64_t kib = 0;
	int rc = socle_domain_max_memory(e->dom, &kib, ERR);

	return say_if(rc, say_int((int64_t)kib));
}

RUN(set_memory, say_int(socle_domain_set_memory(e->dom, 4096, 5, ERR)));
RUN(stats_period, say_int(socle_domain_set_memory_stats_period(e->dom, 10, 1, ERR)));

static char *run_memory_stats(struct env *e)
{
	struct socle_memory_stats s = { .known = 0 };
	int rc = socle_domain_memory_stats(e->dom, 0, &s, ERR);

	return say_if(rc, g_strdup_printf("%x %d %d", s.known,
					  (int)s.value[SOCLE_MEMORY_STAT_ACTUAL_BALLOON],
					  (int)s.value[SOCLE_MEMORY_STAT_RSS]));
}

RUN(max_vcpus, say_int(socle_domain_max_vcpus(e->dom, ERR)));
RUN(vcpus, say_int(socle_domain_vcpus(e->dom, 6, ERR)));
RUN(set_vcpus, say_int(socle_domain_set_vcpus(e->dom, 3, 1, ERR)));

static char *run_vcpu_info(struct env *e)
{
	g_autofree struct socle_vcpu *v = NULL;
	g_autofree unsigned char *maps = NULL;
	int count = socle_domain_vcpu_info(e->dom, &v, &maps, 2, ERR);

	if (count < 0)
		return g_strdup("-1");
	return g_strdup_printf("%d: %u %d %d %d %02x%02x, %u %d %d %d %02x%02x", count, v[0].number,
			       v[0].state, (int)v[0].cpu_time_ns, v[0].cpu, maps[0], maps[1],
			       v[1].number, v[1].state, (int)v[1].cpu_time_ns, v[1].cpu, maps[2],
			       maps[3]);
}

static char *run_vcpu_pins(struct env *e)
{
	g_autofree unsigned char *maps = NULL;
	int count = socle_domain_vcpu_pins(e->dom, 2, 1, 3, &maps, ERR);

	return say_if(count, g_strdup_printf("%d %02x %02x", count, maps ? maps[0] : 0,
					     maps ? maps[1] : 0));
}

static const unsigned char map[] = { 0x05, 0x80 };

RUN(pin_vcpu, say_int(socle_domain_pin_vcpu(e->dom, 1, map, sizeof(map), 2, ERR)));
RUN(pin_emulator, say_int(socle_domain_pin_emulator(e->dom, map, sizeof(map), 2, ERR)));

static char *run_emulator_pin(struct env *e)
{
	g_autofree unsigned char *got = NULL;
	int rc = socle_domain_emulator_pin(e->dom, 1, 2, &got, ERR);

	return say_if(rc, g_strdup_printf("%d %02x", rc, got ? got[0] : 0));
}

RUN(cpu_stats, say_params(socle_domain_cpu_stats(e->dom, 0, ERR)));

static char *say_stats(int count, struct socle_domain_stats *stats)
{
	g_autofree char *params = NULL;
	char *said;

	if (count < 0)
		return g_strdup("-1");
	params = say_params(g_steal_pointer(&stats[0].params));
	said = g_strdup_printf("%d %s %s", count, socle_domain_name(stats[0].domain), params);
	socle_domain_stats_free(stats);
	return said;
}

static char *run_all_stats(struct env *e)
{
	struct socle_domain_stats *stats = NULL;
	int count = socle_domain_all_stats(e->conn, NULL, 3, SOCLE_STATS_NOWAIT, &stats, ERR);

	return say_stats(count, stats);
}

static char *run_some_stats(struct env *e)
{
	struct socle_domain *doms[] = { e->dom, NULL };
	struct socle_domain_stats *stats = NULL;
	int count = socle_domain_all_stats(e->conn, doms, 0, 0, &stats, ERR);

	return say_stats(count, stats);
}

/* == Limits == */

static struct socle_params *limits(void)
{
	struct socle_params *params = socle_params_new();
	const struct socle_param u = { "a", SOCLE_PARAM_ULLONG, { .ul = 5 } };
	const struct socle_param s = { "b", SOCLE_PARAM_STRING, { .s = "x" } };

	g_assert_cmpint(socle_params_add(params, &u, NULL), ==, 0);
	g_assert_cmpint(socle_params_add(params, &s, NULL), ==, 0);
	return params;
}

static char *set(struct env *e, enum socle_tune tune, const char *device)
{
	SOCLE_AUTO(params) params = limits();

	return say_int(socle_domain_set_tune(e->dom, tune, device, params, 2, ERR));
}

static char *get(struct env *e, enum socle_tune tune, const char *device)
{
	return say_params(socle_domain_get_tune(e->dom, tune, device, 1, ERR));
}

RUN(scheduler_type, say_text(socle_domain_scheduler_type(e->dom, ERR)));
RUN(get_scheduler, get(e, SOCLE_TUNE_SCHEDULER, NULL));
RUN(get_scheduler_now,
    say_params(socle_domain_get_tune(e->dom, SOCLE_TUNE_SCHEDULER, NULL, 0, ERR)));
RUN(get_memory, get(e, SOCLE_TUNE_MEMORY, NULL));
RUN(get_blkio, get(e, SOCLE_TUNE_BLKIO, NULL));
RUN(get_numa, get(e, SOCLE_TUNE_NUMA, NULL));
RUN(get_interface, get(e, SOCLE_TUNE_INTERFACE, "net0"));
RUN(get_block_io, get(e, SOCLE_TUNE_BLOCK_IO, "vda"));
RUN(set_scheduler, set(e, SOCLE_TUNE_SCHEDULER, NULL));
RUN(set_tune_memory, set(e, SOCLE_TUNE_MEMORY, NULL));
RUN(set_blkio, set(e, SOCLE_TUNE_BLKIO, NULL));
RUN(set_numa, set(e, SOCLE_TUNE_NUMA, NULL));
RUN(set_interface, set(e, SOCLE_TUNE_INTERFACE, "net0"));
RUN(set_block_io, set(e, SOCLE_TUNE_BLOCK_IO, "vda"));

#define LIMITS    "i2 s:a i4 h5 s:b i7 s:x"
#define ALL_TYPES "i7 s:a i1 i-1 s:b i2 i2 s:c i3 h-3 s:d i4 h4 s:e i5 d1.5 s:f i6 i1 s:g i7 s:x"

static const struct case_ cases[] = {
	CASE(max_memory, DOMAIN_GET_MAX_MEMORY, "D", "h8192", "8192"),
	CASE(set_memory, DOMAIN_SET_MEMORY_FLAGS, "D h4096 i5", "", "0"),
	CASE(stats_period, DOMAIN_SET_MEMORY_STATS_PERIOD, "D i10 i1", "", "0"),
	/* One that is not known is left out. */
	CASE(memory_stats, DOMAIN_MEMORY_STATS, "D i13 i0", "i3 i6 h100 i99 h1 i7 h50",
	     "c0 100 50"),
	CASE(max_vcpus, DOMAIN_GET_MAX_VCPUS, "D", "i8", "8"),
	CASE(vcpus, DOMAIN_GET_VCPUS_FLAGS, "D i6", "i4", "4"),
	CASE(set_vcpus, DOMAIN_SET_VCPUS_FLAGS, "D i3 i1", "", "0"),
	CASE2(vcpu_info, DOMAIN_GET_INFO, "i1 h4 h3 i2 h5", DOMAIN_GET_VCPUS, "D i2 i2",
	      "i2 i0 i1 h9 i3 i1 i2 h8 i-1 o:0f000380", "2: 0 1 9 3 0f00, 1 2 8 -1 0380"),
	CASE(vcpu_pins, DOMAIN_GET_VCPU_PIN_INFO, "D i2 i1 i3", "o:0f03 i2", "2 0f 03"),
	CASE(pin_vcpu, DOMAIN_PIN_VCPU_FLAGS, "D i1 o:0580 i2", "", "0"),
	CASE(emulator_pin, DOMAIN_GET_EMULATOR_PIN_INFO, "D i1 i2", "o:0f i1", "1 0f"),
	CASE(pin_emulator, DOMAIN_PIN_EMULATOR, "D o:0580 i2", "", "0"),
	CASE2(cpu_stats, DOMAIN_GET_CPU_STATS, "i0 i1", DOMAIN_GET_CPU_STATS, "D i1 i-1 i1 i4",
	      "i1 s:cpu_time i4 h7 i1", "cpu_time=U7"),
	CASE(all_stats, CONNECT_GET_ALL_DOMAIN_STATS, "i0 i3 i0x20000000",
	     "i1 D i1 s:state.state i1 i1", "1 vm state.state=i1"),
	CASE(some_stats, CONNECT_GET_ALL_DOMAIN_STATS, "i1 D i0 i0", "i1 D " ALL_TYPES,
	     "1 vm a=i-1 b=u2 c=l-3 d=U4 e=d1.5 f=b1 g=sx"),

	CASE(scheduler_type, DOMAIN_GET_SCHEDULER_TYPE, "D", "s:posix i2", "posix"),
	CASE2(get_scheduler, DOMAIN_GET_SCHEDULER_TYPE, "s:posix i2",
	      DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS, "D i2 i5", LIMITS, "a=U5 b=sx"),
	CASE2(get_scheduler_now, DOMAIN_GET_SCHEDULER_TYPE, "s:posix i2",
	      DOMAIN_GET_SCHEDULER_PARAMETERS, "D i2", LIMITS, "a=U5 b=sx"),
	CASE2(get_memory, DOMAIN_GET_MEMORY_PARAMETERS, "i0 i2", DOMAIN_GET_MEMORY_PARAMETERS,
	      "D i2 i5", LIMITS " i0", "a=U5 b=sx"),
	CASE2(get_blkio, DOMAIN_GET_BLKIO_PARAMETERS, "i0 i2", DOMAIN_GET_BLKIO_PARAMETERS,
	      "D i2 i5", LIMITS " i0", "a=U5 b=sx"),
	CASE2(get_numa, DOMAIN_GET_NUMA_PARAMETERS, "i0 i2", DOMAIN_GET_NUMA_PARAMETERS, "D i2 i5",
	      LIMITS " i0", "a=U5 b=sx"),
	CASE2(get_interface, DOMAIN_GET_INTERFACE_PARAMETERS, "i0 i2",
	      DOMAIN_GET_INTERFACE_PARAMETERS, "D s:net0 i2 i5", LIMITS " i0", "a=U5 b=sx"),
	CASE2(get_block_io, DOMAIN_GET_BLOCK_IO_TUNE, "i0 i2", DOMAIN_GET_BLOCK_IO_TUNE,
	      "D ?:vda i2 i5", LIMITS " i0", "a=U5 b=sx"),
	CASE(set_scheduler, DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, "D " LIMITS " i2", "", "0"),
	CASE(set_tune_memory, DOMAIN_SET_MEMORY_PARAMETERS, "D " LIMITS " i2", "", "0"),
	CASE(set_blkio, DOMAIN_SET_BLKIO_PARAMETERS, "D " LIMITS " i2", "", "0"),
	CASE(set_numa, DOMAIN_SET_NUMA_PARAMETERS, "D " LIMITS " i2", "", "0"),
	CASE(set_interface, DOMAIN_SET_INTERFACE_PARAMETERS, "D s:net0 " LIMITS " i2", "", "0"),
	CASE(set_block_io, DOMAIN_SET_BLOCK_IO_TUNE, "D s:vda " LIMITS " i2", "", "0"),
};

int main(int argc, char **argv)
{
	return calls_main(argc, argv, cases, G_N_ELEMENTS(cases));
}
