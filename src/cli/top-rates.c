/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top-rates.c - what machines do in a second, by two samples
 */
#include <string.h>

#include "cli/top.h"

/* A counter that has gone back is that of a machine that was started again. */
static double rate(uint64_t before, uint64_t now, double seconds)
{
	return seconds > 0 && now > before ? (double)(now - before) / seconds : 0;
}

static void add_row(struct top_rates *rates, const struct sample *before, const struct sample *now)
{
	struct top_row row = {
		.name = now->name,
		.real_name = now->real_name,
		.uuid = now->uuid,
		.id = now->id,
		.state = now->state,
		.vcpus = now->vcpus,
		.memory_kib = now->id >= 0 ? now->memory_kib : 0,
	};

	/* Another number is another start. */
	if (before && before->id == now->id && now->id >= 0) {
		double seconds = rates->seconds;

		row.cpu = rate(before->cpu_ns, now->cpu_ns, seconds) / 1e9 * 100;
		row.rd = rate(before->rd_bytes, now->rd_bytes, seconds);
		row.wr = rate(before->wr_bytes, now->wr_bytes, seconds);
		row.rx = rate(before->rx_bytes, now->rx_bytes, seconds);
		row.tx = rate(before->tx_bytes, now->tx_bytes, seconds);
	}
	g_array_append_val(rates->rows, row);
}

struct top_rates *top_rates_new(const struct samples *before, const struct samples *now)
{
	struct top_rates *rates = g_new0(struct top_rates, 1);
	g_autoptr(GHashTable) by_uuid = g_hash_table_new(g_str_hash, g_str_equal);

	rates->rows = g_array_new(FALSE, FALSE, sizeof(struct top_row));
	if (before && now->at_ns > before->at_ns)
		rates->seconds = (double)(now->at_ns - before->at_ns) / 1e9;
	for (unsigned i = 0; before && i < before->list->len; i++) {
		struct sample *sample = &g_array_index(before->list, struct sample, i);

		g_hash_table_insert(by_uuid, sample->uuid, sample);
	}
	for (unsigned i = 0; i < now->list->len; i++) {
		const struct sample *sample = &g_array_index(now->list, struct sample, i);

		add_row(rates, g_hash_table_lookup(by_uuid, sample->uuid), sample);
	}
	return rates;
}

void top_rates_free(struct top_rates *rates)
{
	if (!rates)
		return;
	g_array_unref(rates->rows);
	g_free(rates);
}

static double key_of(const struct top_row *row, enum top_sort sort)
{
	switch (sort) {
	case TOP_CPU:
		return row->cpu;
	case TOP_MEMORY:
		return (double)row->memory_kib;
	case TOP_READ:
		return row->rd;
	case TOP_WRITE:
		return row->wr;
	case TOP_RECEIVED:
		return row->rx;
	case TOP_SENT:
		return row->tx;
	case TOP_NAME:
	case TOP_SORT_COUNT:
	default:
		return 0;
	}
}

struct order {
	enum top_sort sort;
	bool reverse;
};

static int compare(const void *a, const void *b, void *data)
{
	const struct top_row *x = a, *y = b;
	const struct order *order = data;
	double key_x = key_of(x, order->sort), key_y = key_of(y, order->sort);
	/* The largest comes first; of names the first one. */
	int by_key = (key_x < key_y) - (key_x > key_y);
	int by_name = strcmp(x->name, y->name);

	if (order->sort == TOP_NAME)
		return order->reverse ? -by_name : by_name;
	if (by_key)
		return order->reverse ? -by_key : by_key;
	/* What runs stands before what does not. */
	if ((x->id >= 0) != (y->id >= 0))
		return x->id >= 0 ? -1 : 1;
	return by_name;
}

static bool has_text(const char *name, const char *filter)
{
	g_autofree char *a = g_utf8_casefold(name, -1), *b = g_utf8_casefold(filter, -1);

	return strstr(a, b) != NULL;
}

void top_rates_arrange(struct top_rates *rates, enum top_sort sort, bool reverse,
		       const char *filter, bool all)
{
	struct order order = { sort, reverse };

	for (unsigned i = rates->rows->len; i-- > 0;) {
		const struct top_row *row = &g_array_index(rates->rows, struct top_row, i);

		if ((!all && row->id < 0) || (*filter && !has_text(row->name, filter)))
			g_array_remove_index(rates->rows, i);
	}
	g_array_sort_with_data(rates->rows, compare, &order);
}
