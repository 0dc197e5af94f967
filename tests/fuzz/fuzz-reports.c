/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-reports.c - what programs beside the daemon say: dnsmasq's leases, reports of lvm2, sfdisk, libiscsi, Ceph
 *
 * They are others' words: a guest chooses its name in a lease, a target its name, a cluster that of an image.
 * The first byte says whose text the rest is.
 */
#include <assert.h>
#include <string.h>

#include <glib.h>

#include "daemon/network-dnsmasq.h"
#include "daemon/pools-int.h"
#include "host/iscsi.h"
#include "host/lvm.h"
#include "host/partitions.h"
#include "manage/network.h"
#include "model/network.h"

enum {
	NOW = 1000
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_leases(const char *text)
{
	static const char definition[] =
		"<network><name>n</name><bridge name='b'/><ip address='192.0.2.1' prefix='24'/>"
		"<ip family='ipv6' address='2001:db8::1' prefix='64'/></network>";
	static struct network *network;
	g_autoptr(GPtrArray) list =
		g_ptr_array_new_with_free_func((GDestroyNotify)network_lease_free);

	if (!network)
		network = network_parse(definition, strlen(definition), 0, NULL, NULL);
	assert(network);
	dnsmasq_parse_leases(text, NOW, network, list);
	for (unsigned i = 0; i < list->len; i++) {
		const struct network_lease *lease = list->pdata[i];
		struct inet inet;

		/* Answers have texts only, and what is no address is no lease. */
		assert(inet_parse(lease->ip, &inet) && lease->prefix <= inet_bits(&inet));
		assert(!lease->hostname || g_utf8_validate(lease->hostname, -1, NULL));
		assert(!lease->clientid || g_utf8_validate(lease->clientid, -1, NULL));
		assert(!lease->mac || g_utf8_validate(lease->mac, -1, NULL));
		assert(!lease->iaid || g_utf8_validate(lease->iaid, -1, NULL));
	}
}

static void try_lvm(const char *text)
{
	g_autoptr(GPtrArray) volumes = lvm_parse_volumes(text), names = lvm_parse_names(text);
	g_autofree char *group = NULL, *other = NULL;
	struct lvm_group size;

	for (unsigned i = 0; i < volumes->len; i++)
		assert(*((struct lvm_volume *)volumes->pdata[i])->name);
	for (unsigned i = 0; i < names->len; i++)
		assert(*(char *)names->pdata[i]);
	(void)lvm_parse_group(text, &size);
	if (lvm_parse_pair(text, &group, &other))
		assert(*group && *other);
}

static void try_iscsi(const char *text)
{
	g_autoptr(GPtrArray) names = iscsi_parse_targets(text);

	for (unsigned i = 0; i < names->len; i++) {
		GArray *disks = iscsi_parse_disks(text, names->pdata[i]);

		assert(disks);
		g_array_unref(disks);
	}
	assert(!iscsi_parse_disks(text, " "));
}

static void try_partitions(const char *text)
{
	g_autoptr(GPtrArray) list = partitions_parse(text);

	for (unsigned i = 0; i < list->len; i++)
		assert(((struct partition *)list->pdata[i])->path[0] == '/');
	(void)partitions_number("/dev/sda", text);
	(void)partitions_number("/dev/nvme0n1", text);
}

static void try_rbd(const char *text)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	struct pool_usage usage = { 0 };
	bool found = false;
	uint64_t bytes = 0;

	(void)rbd_answer_names(text, names, NULL);
	for (unsigned i = 0; i < names->len; i++)
		assert(storage_vol_name_check(names->pdata[i], NULL) ||
		       depot_is_part(names->pdata[i]));
	(void)rbd_answer_size(text, &bytes, NULL);
	assert(bytes <= INT64_MAX);
	(void)rbd_answer_usage(text, "pool", &usage, &found, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const char *text) = {
		try_leases, try_lvm, try_iscsi, try_partitions, try_rbd,
	};
	g_autofree char *text = size ? g_strndup((const char *)data + 1, size - 1) : NULL;

	if (size)
		tries[data[0] % G_N_ELEMENTS(tries)](text);
	return 0;
}
