/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rig.h - what tests of virtio devices share: a loop whose time they hold, and layouts
 */
#ifndef TESTS_UNIT_DEV_VIRTIO_RIG_H
#define TESTS_UNIT_DEV_VIRTIO_RIG_H

#include <glib.h>
#include <stdint.h>

#include "base/io-loop.h"
#include "virtio/virtio.h"

/* What a driver may negotiate of the ring: every test runs with each of these. */
static const struct rig_layout {
	const char *name;
	uint64_t features;
} rig_layouts[] = {
	{ "split", 0 },
	{ "split-modern", VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_RESET },
	{ "split-in-order", VIRTIO_F_IN_ORDER | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_RESET },
	{ "packed", VIRTIO_F_RING_PACKED | VIRTIO_F_RING_RESET },
	{ "packed-modern", VIRTIO_F_RING_PACKED | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX |
				   VIRTIO_F_RING_RESET },
	{ "packed-in-order", VIRTIO_F_RING_PACKED | VIRTIO_F_IN_ORDER | VIRTIO_F_RING_RESET },
};

static inline uint64_t rig_now_ns(void *opaque)
{
	return *(uint64_t *)opaque;
}

/* Its time is *now_ns. */
static inline struct io_loop *rig_loop_new(uint64_t *now_ns)
{
	GError *error = NULL;
	struct io_loop *loop = io_loop_new_manual(IO_LOOP_THREADS, rig_now_ns, now_ns, &error);

	g_assert_no_error(error);
	return loop;
}

/* One case for each layout: PREFIX/LAYOUT/NAME. */
static inline void rig_add(const char *prefix, const char *name, GTestDataFunc fn)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(rig_layouts); i++) {
		g_autofree char *path =
			g_strdup_printf("%s/%s/%s", prefix, rig_layouts[i].name, name);

		g_test_add_data_func(path, &rig_layouts[i].features, fn);
	}
}

#endif
