/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample.c - what all machines are doing, at one moment
 */
#include "cli/sample.h"

#include <string.h>

#include "base/sys.h"
#include "cli/cli.h"

static uint64_t number_of_param(const struct socle_param *param)
{
	switch (param->type) {
	case SOCLE_PARAM_INT:
		return param->value.i > 0 ? (uint64_t)param->value.i : 0;
	case SOCLE_PARAM_UINT:
		return param->value.ui;
	case SOCLE_PARAM_LLONG:
		return param->value.l > 0 ? (uint64_t)param->value.l : 0;
	case SOCLE_PARAM_ULLONG:
		return param->value.ul;
	case SOCLE_PARAM_BOOLEAN:
		return param->value.b;
	case SOCLE_PARAM_DOUBLE:
	case SOCLE_PARAM_STRING:
	default:
		return 0;
	}
}

/* One for each "block.0.rd.bytes", "net.1.rx.bytes": those of all devices are added up. */
static void add_device(struct sample *sample, const char *name, uint64_t value)
{
	const struct {
		const char *prefix, *suffix;
		uint64_t *sum;
	} sums[] = {
		{ "block.", ".rd.bytes", &sample->rd_bytes },
		{ "block.", ".wr.bytes", &sample->wr_bytes },
		{ "block.", ".rd.reqs", &sample->rd_reqs },
		{ "block.", ".wr.reqs", &sample->wr_reqs },
		{ "net.", ".rx.bytes", &sample->rx_bytes },
		{ "net.", ".tx.bytes", &sample->tx_bytes },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(sums); i++) {
		if (g_str_has_prefix(name, sums[i].prefix) &&
		    g_str_has_suffix(name, sums[i].suffix))
			*sums[i].sum += value;
	}
}

void sample_add(struct sample *sample, const struct socle_params *params)
{
	for (size_t i = 0; i < socle_params_count(params); i++) {
		const struct socle_param *param = socle_params_get(params, i);
		const char *name = param->name;
		uint64_t value = number_of_param(param);

		if (!strcmp(name, "state.state"))
			sample->state = (int)value;
		else if (!strcmp(name, "state.reason"))
			sample->reason = (int)value;
		else if (!strcmp(name, "cpu.time"))
			sample->cpu_ns = value;
		else if (!strcmp(name, "vcpu.current"))
			sample->vcpus = value;
		else if (!strcmp(name, "balloon.current"))
			sample->memory_kib = value;
		else if (!strcmp(name, "balloon.maximum"))
			sample->max_memory_kib = value;
		else if (!strcmp(name, "balloon.rss"))
			sample->rss_kib = value;
		else
			add_device(sample, name, value);
	}
}

static void init_of_domain(struct sample *sample, const struct socle_domain *dom)
{
	*sample = (struct sample){
		.name = cli_name(dom),
		.real_name = g_strdup(socle_domain_name(dom)),
		.id = socle_domain_id(dom),
	};
	g_strlcpy(sample->uuid, socle_domain_uuid_text(dom), sizeof(sample->uuid));
}

void sample_init(struct sample *sample, const struct socle_domain_stats *stats)
{
	init_of_domain(sample, stats->domain);
	sample_add(sample, stats->params);
	if (!sample->max_memory_kib)
		sample->max_memory_kib = sample->memory_kib;
}

void sample_release(struct sample *sample)
{
	g_free(sample->name);
	g_free(sample->real_name);
}

static void clear_sample(void *data)
{
	sample_release(data);
}

struct samples *samples_new(void)
{
	struct samples *samples = g_new0(struct samples, 1);

	samples->at_ns = sys_monotonic_ns();
	samples->list = g_array_new(FALSE, FALSE, sizeof(struct sample));
	g_array_set_clear_func(samples->list, clear_sample);
	return samples;
}

void samples_free(struct samples *samples)
{
	if (!samples)
		return;
	g_array_unref(samples->list);
	g_free(samples);
}

/* What some drivers leave out of their statistics. A machine that has just gone is left as it is. */
static void complete(struct sample *sample, struct socle_domain *dom)
{
	struct socle_domain_info info;

	if (sample->memory_kib && sample->vcpus && sample->state)
		return;
	if (socle_domain_info(dom, &info, NULL) < 0)
		return;
	sample->state = (int)info.state;
	sample->vcpus = sample->vcpus ? sample->vcpus : info.vcpus;
	sample->cpu_ns = sample->cpu_ns ? sample->cpu_ns : info.cpu_time_ns;
	sample->memory_kib = sample->memory_kib ? sample->memory_kib : info.memory_kib;
	sample->max_memory_kib = MAX(sample->max_memory_kib, info.max_memory_kib);
}

static int compare(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* For daemons that have no statistics of all machines. */
static bool take_by_list(struct socle_conn *conn, unsigned flags, struct samples *samples,
			 GError **error)
{
	struct socle_domain **doms = NULL;
	struct socle_error *why = NULL;
	int count = socle_domain_list(conn, flags, &doms, &why);

	if (count < 0)
		return cli_fail(error, why, NULL);
	for (int i = 0; i < count; i++) {
		struct sample sample;

		init_of_domain(&sample, doms[i]);
		complete(&sample, doms[i]);
		g_array_append_val(samples->list, sample);
	}
	socle_domains_free(doms);
	return true;
}

struct samples *samples_take(struct socle_conn *conn, unsigned flags, GError **error)
{
	static const unsigned kinds = SOCLE_STATS_STATE | SOCLE_STATS_CPU | SOCLE_STATS_BALLOON |
				      SOCLE_STATS_VCPU | SOCLE_STATS_INTERFACE | SOCLE_STATS_BLOCK;
	autoptr(samples) samples = samples_new();
	struct socle_domain_stats *stats = NULL;
	struct socle_error *why = NULL;
	int count = socle_domain_all_stats(conn, NULL, kinds, flags, &stats, &why);
	int code = socle_error_code(why);

	if (count < 0 && (code == SOCLE_ERR_NO_SUPPORT || code == SOCLE_ERR_INVALID_ARG ||
			  code == SOCLE_ERR_OPERATION_UNSUPPORTED)) {
		socle_error_free(why);
		if (!take_by_list(conn, flags, samples, error))
			return NULL;
	} else if (count < 0) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	for (int i = 0; i < count; i++) {
		struct sample sample;

		sample_init(&sample, &stats[i]);
		complete(&sample, stats[i].domain);
		g_array_append_val(samples->list, sample);
	}
	socle_domain_stats_free(stats);
	samples->at_ns = sys_monotonic_ns();
	g_array_sort(samples->list, compare);
	return g_steal_pointer(&samples);
}
