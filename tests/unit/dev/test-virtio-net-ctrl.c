/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-net-ctrl.c - the network card's control queue: filters, offloads, queues
 */
#include "net-rig.h"

/* ---- the control queue ---- */

static bool passes(struct rig *rig, const uint8_t *to)
{
	GByteArray *frame;

	rig_input(rig, to, PLAIN);
	frame = rig_got(rig, RX, NULL);
	if (!frame)
		return false;
	g_byte_array_unref(frame);
	return true;
}

static void test_filter_modes(const void *layout)
{
	struct virtio_net_filter filter;
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig_post(&rig, RX, 2048, 128);
	/* As it comes: everything passes. */
	g_assert_true(passes(&rig, other) && passes(&rig, mac) && passes(&rig, group));
	g_assert_cmpuint(rig_mode(&rig, 0, 0), ==, OK);
	g_assert_true(!passes(&rig, other) && passes(&rig, mac) && !passes(&rig, group));
	g_assert_true(passes(&rig, everybody));
	g_assert_cmpuint(rig_mode(&rig, 1, 1), ==, OK); /* all multicast */
	g_assert_true(passes(&rig, group) && !passes(&rig, other));
	g_assert_cmpuint(rig_mode(&rig, 3, 1), ==, OK); /* no multicast */
	g_assert_true(!passes(&rig, group) && passes(&rig, everybody));
	g_assert_cmpuint(rig_mode(&rig, 2, 1), ==, OK); /* all unicast */
	g_assert_true(passes(&rig, other));
	g_assert_cmpuint(rig_mode(&rig, 4, 1), ==, OK); /* no unicast */
	g_assert_true(!passes(&rig, other) && !passes(&rig, mac));
	g_assert_cmpuint(rig_mode(&rig, 5, 1), ==, OK); /* no broadcast */
	g_assert_true(!passes(&rig, everybody));
	g_assert_cmpuint(rig_mode(&rig, 6, 1), ==, ERR);
	g_assert_cmpuint(rig_ctrl(&rig, 0, 0, NULL, 0), ==, ERR);
	/* The monitor is told once until it looks. */
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.filter_changes, ==, 1);
	virtio_net_filter(rig.dev, &filter);
	g_assert_true(filter.all_multicast && filter.no_multicast && !filter.promiscuous);
	g_assert_cmpmem(filter.mac, 6, mac, 6);
	g_assert_cmpuint(rig_mode(&rig, 0, 1), ==, OK);
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.filter_changes, ==, 2);
	g_assert_true(passes(&rig, other));
	/* A reset forgets it. */
	g_assert_cmpuint(rig_mode(&rig, 0, 0), ==, OK);
	rig_restart(&rig, ALL_NET);
	rig_post(&rig, RX, 2048, 64);
	g_assert_true(passes(&rig, other));
	rig_close(&rig);
}

static size_t put_table(uint8_t *p, uint32_t claim, unsigned count, uint8_t first)
{
	put_le32(p, claim);
	for (unsigned i = 0; i < count; i++) {
		memset(p + 4 + i * 6, 0, 6);
		p[4 + i * 6] = first;
		put_be16(p + 4 + i * 6 + 4, (uint16_t)i);
	}
	return 4 + (size_t)count * 6;
}

static void test_filter_tables(const void *layout)
{
	static uint8_t table[2 * (4 + 200 * 6)];
	uint8_t unicast[6] = { 2, 0, 0, 0, 0, 63 }, multicast[6] = { 3, 0, 0, 0, 0, 3 };
	struct virtio_net_filter filter;
	size_t len;
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig_post(&rig, RX, 2048, 128);
	g_assert_cmpuint(rig_mode(&rig, 0, 0), ==, OK);
	len = put_table(table, 64, 64, 2);
	len += put_table(table + len, 4, 4, 3);
	g_assert_cmpuint(rig_ctrl(&rig, 1, 0, table, len), ==, OK);
	g_assert_true(passes(&rig, unicast) && passes(&rig, multicast) && passes(&rig, mac));
	g_assert_true(!passes(&rig, other) && !passes(&rig, group));
	virtio_net_filter(rig.dev, &filter);
	g_assert_cmpuint(filter.unicast_count, ==, 64);
	g_assert_cmpuint(filter.multicast_count, ==, 4);
	/* Lesson table 1.12, bounded: more overflow the table, and all of that kind pass. */
	len = put_table(table, 65, 65, 2);
	len += put_table(table + len, 4, 4, 3);
	g_assert_cmpuint(rig_ctrl(&rig, 1, 0, table, len), ==, OK);
	g_assert_true(passes(&rig, other) && !passes(&rig, group));
	virtio_net_filter(rig.dev, &filter);
	g_assert_true(filter.unicast_overflow && !filter.multicast_overflow);
	/* What claims more than is there changes nothing. */
	len = put_table(table, 0, 0, 2);
	len += put_table(table + len, UINT32_MAX, 10, 3);
	g_assert_cmpuint(rig_ctrl(&rig, 1, 0, table, len), ==, ERR);
	len = put_table(table, 0x2aaaaaab, 10, 2);
	g_assert_cmpuint(rig_ctrl(&rig, 1, 0, table, len), ==, ERR);
	g_assert_cmpuint(rig_ctrl(&rig, 1, 0, table, 3), ==, ERR);
	virtio_net_filter(rig.dev, &filter);
	g_assert_true(filter.unicast_overflow && filter.multicast_count == 4);
	/* A new address. */
	g_assert_cmpuint(rig_ctrl(&rig, 1, 1, other, 6), ==, OK);
	g_assert_cmpuint(rig_ctrl(&rig, 1, 1, other, 5), ==, ERR);
	g_assert_cmpuint(rig_ctrl(&rig, 1, 1, table, 7), ==, ERR);
	g_assert_cmpuint(rig_ctrl(&rig, 1, 2, other, 6), ==, ERR);
	len = put_table(table, 0, 0, 2);
	len += put_table(table + len, 0, 0, 3);
	g_assert_cmpuint(rig_ctrl(&rig, 1, 0, table, len), ==, OK);
	g_assert_true(passes(&rig, other) && !passes(&rig, mac));
	g_assert_cmphex(virtio_read_config(rig.dev, 3, 1), ==, 9);
	vdriver_reset(rig.d);
	g_assert_cmphex(virtio_read_config(rig.dev, 3, 1), ==, 1);
	rig_close(&rig);
}

static bool vlan_passes(struct rig *rig, unsigned vid)
{
	uint8_t data[PLAIN];
	GByteArray *frame;

	rig_fill_frame(data, sizeof(data), mac);
	put_be16(data + 12, 0x8100);
	put_be16(data + 14, (uint16_t)(0xe000 | vid));
	fake_net_input(&rig->net, 0, NULL, data, sizeof(data));
	vdriver_run(rig->d);
	frame = rig_got(rig, RX, NULL);
	if (frame)
		g_byte_array_unref(frame);
	return frame;
}

static void test_vlans(const void *layout)
{
	uint8_t vid[2];
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig_post(&rig, RX, 2048, 64);
	g_assert_true(vlan_passes(&rig, 7)); /* promiscuous */
	g_assert_cmpuint(rig_mode(&rig, 0, 0), ==, OK);
	g_assert_false(vlan_passes(&rig, 7));
	put_le16(vid, 7);
	g_assert_cmpuint(rig_ctrl(&rig, 2, 0, vid, 2), ==, OK);
	g_assert_true(vlan_passes(&rig, 7) && !vlan_passes(&rig, 8) && passes(&rig, mac));
	g_assert_cmpuint(rig_ctrl(&rig, 2, 1, vid, 2), ==, OK);
	g_assert_false(vlan_passes(&rig, 7));
	put_le16(vid, 4095);
	g_assert_cmpuint(rig_ctrl(&rig, 2, 0, vid, 2), ==, OK);
	g_assert_true(vlan_passes(&rig, 4095));
	put_le16(vid, 4096);
	g_assert_cmpuint(rig_ctrl(&rig, 2, 0, vid, 2), ==, ERR);
	g_assert_cmpuint(rig_ctrl(&rig, 2, 0, vid, 1), ==, ERR);
	g_assert_cmpuint(rig_ctrl(&rig, 2, 2, vid, 2), ==, ERR);
	/* A driver that cannot say which it wants gets them all. */
	rig_restart(&rig, (ALL_NET & ~(uint64_t)VIRTIO_NET_F_CTRL_VLAN));
	rig_post(&rig, RX, 2048, 64);
	g_assert_cmpuint(rig_mode(&rig, 0, 0), ==, OK);
	g_assert_true(vlan_passes(&rig, 9));
	rig_close(&rig);
}

static void test_ctrl_unknown(const void *layout)
{
	uint64_t bare = VIRTIO_NET_F_CTRL_VQ;
	uint8_t zeros[16] = { 0 };
	struct rig rig;

	rig_open(&rig, layout, NULL, bare);
	for (unsigned class = 0; class < 8; class ++) {
		for (unsigned command = 0; command < 8; command++)
			g_assert_cmpuint(
				rig_ctrl(&rig, (uint8_t) class, (uint8_t)command, zeros, 16), ==,
				ERR);
	}
	/* No place for the answer, or no command: the driver is broken. */
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 0);
	{
		uint64_t gpa = vdriver_alloc(rig.d, 64);
		struct vdriver_buf buf = { gpa, 64, false };

		g_assert_true(vdriver_add(rig.d, CTRL, &buf, 1, NULL));
		vdriver_kick(rig.d, CTRL);
		vdriver_run(rig.d);
	}
	g_assert_true(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET);
	rig_close(&rig);
}

static void test_guest_offloads(const void *layout)
{
	uint64_t all = VIRTIO_NET_GUEST_OFFLOADS;
	uint8_t raw[8];
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	put_le64(raw, VIRTIO_NET_F_GUEST_CSUM);
	g_assert_cmpuint(rig_ctrl(&rig, 5, 0, raw, 8), ==, OK);
	g_assert_cmphex(rig.net.offloads, ==, NET_OFFLOAD_CSUM);
	put_le64(raw, VIRTIO_NET_F_GUEST_TSO4);
	g_assert_cmpuint(rig_ctrl(&rig, 5, 0, raw, 8), ==, ERR);
	put_le64(raw, VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_ECN);
	g_assert_cmpuint(rig_ctrl(&rig, 5, 0, raw, 8), ==, ERR);
	put_le64(raw, all | VIRTIO_NET_F_MAC);
	g_assert_cmpuint(rig_ctrl(&rig, 5, 0, raw, 8), ==, ERR);
	g_assert_cmpuint(rig_ctrl(&rig, 5, 0, raw, 7), ==, ERR);
	g_assert_cmphex(rig.net.offloads, ==, NET_OFFLOAD_CSUM);
	put_le64(raw, all);
	g_assert_cmpuint(rig_ctrl(&rig, 5, 0, raw, 8), ==, OK);
	g_assert_cmphex(rig.net.offloads & NET_OFFLOAD_TSO6, ==, NET_OFFLOAD_TSO6);
	/* What was not negotiated cannot be had. */
	rig_restart(&rig, (ALL_NET & ~all) | VIRTIO_NET_F_GUEST_CSUM);
	g_assert_cmphex(rig.net.offloads, ==, NET_OFFLOAD_CSUM);
	put_le64(raw, VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4);
	g_assert_cmpuint(rig_ctrl(&rig, 5, 0, raw, 8), ==, ERR);
	rig_close(&rig);
}

static void test_multi_queue(const void *layout)
{
	struct virtio_net_config config = { .queue_pairs = 4 };
	uint8_t pairs[2], data[PLAIN];
	GByteArray *frame;
	struct rig rig;

	rig_open(&rig, layout, &config, ALL_NET);
	rig_fill_frame(data, sizeof(data), mac);
	g_assert_cmpuint(rig.net.queues, ==, 1);
	/* Queues of pairs that are not in use stand still. */
	rig_send(&rig, 2 * 3 + 1, NULL, 100, 4096);
	g_assert_cmpuint(rig_used(&rig, 2 * 3 + 1), ==, 0);
	rig_post(&rig, 2 * 3, 2048, 64);
	fake_net_input(&rig.net, 3, NULL, data, sizeof(data));
	vdriver_run(rig.d);
	g_assert_null(rig_got(&rig, 2 * 3, NULL));
	for (unsigned bad = 0; bad < 70000; bad += bad == 0 ? 5 : bad) {
		put_le16(pairs, (uint16_t)bad);
		g_assert_cmpuint(rig_ctrl_at(&rig, 8, 4, 0, pairs, 2), ==, ERR);
		if (bad > 65535 / 2)
			break;
	}
	put_le16(pairs, 4);
	g_assert_cmpuint(rig_ctrl_at(&rig, 8, 4, 1, pairs, 2), ==, ERR);
	g_assert_cmpuint(rig_ctrl_at(&rig, 8, 4, 0, pairs, 2), ==, OK);
	g_assert_cmpuint(rig.net.queues, ==, 4);
	vdriver_run(rig.d);
	g_assert_cmpuint(rig_used(&rig, 2 * 3 + 1), ==, 1);
	g_assert_cmpuint(g_queue_get_length(&rig.net.from_guest[3]), ==, 1);
	frame = rig_got(&rig, 2 * 3, NULL);
	g_assert_nonnull(frame);
	g_byte_array_unref(frame);
	put_le16(pairs, 1);
	g_assert_cmpuint(rig_ctrl_at(&rig, 8, 4, 0, pairs, 2), ==, OK);
	rig_send(&rig, 2 * 3 + 1, NULL, 100, 4096);
	g_assert_cmpuint(rig_used(&rig, 2 * 3 + 1), ==, 0);
	/* A back end that names a queue we do not have. */
	rig.net.front->readable(rig.net.opaque, 4);
	rig.net.front->writable(rig.net.opaque, 1000);
	/* Without MQ the control queue is the third, whatever the card could do. */
	rig_restart(&rig, (ALL_NET & ~(uint64_t)VIRTIO_NET_F_MQ));
	g_assert_cmpuint(rig_mode(&rig, 0, 0), ==, OK);
	rig_close(&rig);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("filter-modes", test_filter_modes);
	rig_add("filter-tables", test_filter_tables);
	rig_add("vlans", test_vlans);
	rig_add("ctrl-unknown", test_ctrl_unknown);
	rig_add("guest-offloads", test_guest_offloads);
	rig_add("multi-queue", test_multi_queue);
	return g_test_run();
}
