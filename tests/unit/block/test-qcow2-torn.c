/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-torn.c - a power cut while the header of a qcow2 image is written, of which any sectors
 * may have been
 *
 * Names and extensions reach over several sectors. Whatever a disk has made of what was not synced,
 * the header is the old one or the new one.
 */
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"
#include "qcow2-lab.h"

enum {
	SECTOR = 512,
	TRIES = 60, /* at each event */
	FEATURES_LEN = 384,
};

#define EXT_FEATURES 0x6803f857u

/* What the header says from some event on. */
struct state {
	guint event;
	char *text;
};

static char *text_of(const struct qcow2_header *h)
{
	return g_strdup_printf("version %u, backing %s %s, %u bitmaps", h->version, h->backing_file,
			       h->backing_format, h->bitmaps);
}

static void add_state(GArray *states, const struct lab *lab)
{
	const GArray *log = lab->tap->log;
	const struct state state = { log ? log->len : 0, text_of(qcow2_get_header(lab->image)) };

	g_array_append_val(states, state);
}

/* As QEMU's images have it: a table of the names of features. */
static void add_features(struct image *image)
{
	struct qcow2_extension *extension = g_new(struct qcow2_extension, 1);
	g_autofree uint8_t *names = g_malloc(FEATURES_LEN);

	memset(names, 'n', FEATURES_LEN);
	*extension = (struct qcow2_extension){ EXT_FEATURES, g_bytes_new(names, FEATURES_LEN) };
	g_ptr_array_add(qcow2_of(image)->header->extensions, extension);
}

static void set_backing(struct lab *lab, char letter, size_t len, GArray *states)
{
	g_autofree char *name = len ? g_strnfill(len, letter) : NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(qcow2_set_backing(lab->image, name, name ? "raw" : NULL, &error));
	g_assert_no_error(error);
	add_state(states, lab);
}

static void change_bitmap(struct lab *lab, enum qcow2_bitmap_change what, GArray *states)
{
	g_autoptr(GError) error = NULL;

	(void)qcow2_bitmap_change(lab->image, "b", what, 16, &error);
	g_assert_no_error(error);
	add_state(states, lab);
}

static void change_version(struct lab *lab, uint32_t version, GArray *states)
{
	const struct qcow2_amend amend = { version, -1, 0, -1 };
	g_autoptr(GError) error = NULL;

	(void)qcow2_amend(lab->image, &amend, &error);
	g_assert_no_error(error);
	add_state(states, lab);
}

/* The file up to the last sync before @cut, and any sectors of what was written since. */
static struct tap *torn(GRand *rand, struct tap *before, const GArray *log, guint cut)
{
	struct tap *tap = tap_copy(before);
	guint synced = 0;

	for (guint i = 0; i < cut; i++) {
		if (g_array_index(log, struct tap_event, i).kind == TAP_SYNC)
			synced = i;
	}
	for (guint i = 0; i < cut; i++) {
		const struct tap_event *event = &g_array_index(log, struct tap_event, i);

		if (i < synced || event->kind != TAP_WRITE) {
			tap_replay(tap, event);
			continue;
		}
		for (uint64_t done = 0, n; done < event->len; done += n) {
			n = MIN(event->len - done, SECTOR - (event->off + done) % SECTOR);
			if (g_rand_boolean(rand))
				g_assert_cmpint(block_file_write(tap->inner, event->off + done,
								 event->data + done, n),
						==, 0);
		}
	}
	return tap;
}

static void check_cut(GRand *rand, struct tap *before, const GArray *log, guint cut,
		      const GArray *states)
{
	const struct state *old = &g_array_index(states, struct state, 0), *new = old;

	for (guint i = 0; i < states->len && new->event <= cut; i++) {
		new = &g_array_index(states, struct state, i);
		if (new->event <= cut)
			old = new;
	}
	for (unsigned i = 0; i < TRIES; i++) {
		autoptr(tap) tap = torn(rand, before, log, cut);
		g_autoptr(GError) error = NULL;
		autoptr(qcow2_header) header = qcow2_header_read("lab", tap->inner, &error);
		g_autofree char *text = NULL;

		g_assert_no_error(error);
		text = text_of(header);
		if (strcmp(text, old->text) != 0)
			g_assert_cmpstr(text, ==, new->text);
	}
}

static void test_torn(const void *opaque)
{
	const unsigned cluster_bits = GPOINTER_TO_UINT(opaque);
	const struct lab_options options = {
		.cluster_bits = cluster_bits, .version = 3, .refcount_bits = 16, .size = 64 << 10
	};
	/* Two names, the old and the new one, have to find room. */
	const size_t name = cluster_bits > 11 ? 1023 : cluster_bits > 10 ? 500 : 300;
	g_autoptr(GRand) rand = g_rand_new_with_seed(cluster_bits);
	g_autoptr(GArray) states = g_array_new(FALSE, FALSE, sizeof(struct state));
	g_autoptr(GError) error = NULL;
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_new(&options, tap, &error);
	autoptr(qcow2_header) header = NULL;
	autoptr(tap) before = NULL;

	g_assert_no_error(error);
	/* Images with larger clusters have some from the start. */
	if (cluster_bits == 11)
		add_features(lab->image);
	set_backing(lab, 'a', name, states);
	g_free(g_array_index(states, struct state, 0).text);
	g_array_set_size(states, 0);
	before = tap_copy(tap);
	tap_record(tap);
	add_state(states, lab);
	set_backing(lab, 'b', name, states);
	set_backing(lab, 'c', name - 100, states);
	change_bitmap(lab, QCOW2_BITMAP_ADD, states);
	set_backing(lab, 'd', name, states);
	change_bitmap(lab, QCOW2_BITMAP_REMOVE, states);
	change_version(lab, 2, states);
	set_backing(lab, 'e', name, states);
	change_version(lab, 3, states);
	set_backing(lab, 'f', 0, states);
	lab_close(lab);
	/* The names of features stay, too. */
	header = qcow2_header_read("lab", tap->inner, &error);
	g_assert_cmpuint(header->extensions->len, ==, cluster_bits > 10);
	for (guint cut = 0; cut <= tap->log->len; cut++)
		check_cut(rand, before, tap->log, cut, states);
	for (guint i = 0; i < states->len; i++)
		g_free(g_array_index(states, struct state, i).text);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/block/qcow2/torn/1k", GUINT_TO_POINTER(10), test_torn);
	g_test_add_data_func("/block/qcow2/torn/2k", GUINT_TO_POINTER(11), test_torn);
	g_test_add_data_func("/block/qcow2/torn/4k", GUINT_TO_POINTER(12), test_torn);
	g_test_add_data_func("/block/qcow2/torn/64k", GUINT_TO_POINTER(16), test_torn);
	return g_test_run();
}
