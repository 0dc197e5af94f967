/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-net-doze.c - frames gather while the guest computes, and not while it waits
 */
#include "net-rig.h"

static const uint64_t doze_ns = 500000;

enum {
	STREAK = 5,    /* frames that begin a doze: the first is far from any other */
	VAIN = 1 << 6, /* as many as it ever takes */
};

struct doze_rig {
	struct rig rig;
	struct io_idle idle;
};

static void doze_open(struct doze_rig *r, const void *layout)
{
	rig_open(&r->rig, layout, NULL, ALL_NET);
	r->idle = IO_IDLE_INITIALIZER;
	r->idle.told = true;
	r->rig.dev->idle = &r->idle;
}

static void doze_close(struct doze_rig *r)
{
	rig_close(&r->rig);
	g_assert_cmpuint(r->idle.armed, ==, 0);
}

/* How many frames the back end has got. */
static unsigned sent(struct doze_rig *r)
{
	return g_queue_get_length(&r->rig.net.from_guest[0]);
}

/* Offer a frame; is the device told? */
static bool offer(struct doze_rig *r)
{
	static const uint8_t frame[HEADER_LEN + PLAIN];
	const uint64_t gpa = vdriver_alloc(r->rig.d, sizeof(frame));
	struct vdriver_buf buf = { gpa, sizeof(frame), false };
	bool told;

	memcpy(vdriver_ptr(r->rig.d, gpa, sizeof(frame)), frame, sizeof(frame));
	g_assert_true(vdriver_add(r->rig.d, TX, &buf, 1, NULL));
	told = vdriver_kick(r->rig.d, TX);
	vdriver_run(r->rig.d);
	return told;
}

static void begin_doze(struct doze_rig *r)
{
	for (unsigned i = 0; i < STREAK; i++) {
		r->rig.now_ns += doze_ns / 4;
		g_assert_true(offer(r));
		g_assert_cmpuint(sent(r), ==, i + 1);
	}
}

static void test_gather(const void *layout)
{
	struct doze_rig r;
	unsigned before;

	doze_open(&r, layout);
	begin_doze(&r);
	for (unsigned round = 0; round < 3; round++) {
		before = sent(&r);
		for (unsigned i = 0; i < 8; i++) {
			r.rig.now_ns += doze_ns / 10;
			g_assert_false(offer(&r));
			g_assert_cmpuint(sent(&r), ==, before);
		}
		r.rig.now_ns += doze_ns / 4;
		vdriver_run(r.rig.d);
		g_assert_cmpuint(sent(&r), ==, before + 8);
	}
	/* One that brings nothing is the last. */
	r.rig.now_ns += doze_ns;
	vdriver_run(r.rig.d);
	before = sent(&r);
	g_assert_true(offer(&r));
	g_assert_cmpuint(sent(&r), ==, before + 1);
	doze_close(&r);
}

/* Who halts is served at once, and notifies from then on. */
static void test_halt(const void *layout)
{
	struct doze_rig r;

	doze_open(&r, layout);
	begin_doze(&r);
	g_assert_false(offer(&r));
	g_assert_cmpuint(sent(&r), ==, STREAK);
	io_idle_begin(&r.idle);
	vdriver_run(r.rig.d);
	g_assert_cmpuint(sent(&r), ==, STREAK + 1);
	for (unsigned i = 0; i < VAIN; i++) {
		r.rig.now_ns += doze_ns / 4;
		g_assert_true(offer(&r));
	}
	g_assert_cmpuint(sent(&r), ==, STREAK + 1 + VAIN);
	io_idle_end(&r.idle);
	doze_close(&r);
}

/* An engine that does not tell; frames far apart. */
static void test_never(const void *layout)
{
	struct doze_rig r;

	doze_open(&r, layout);
	for (unsigned i = 0; i < VAIN; i++) {
		r.idle.told = i % 2;
		r.rig.now_ns += r.idle.told ? 2 * doze_ns : doze_ns / 4;
		g_assert_true(offer(&r));
		g_assert_cmpuint(sent(&r), ==, i + 1);
	}
	doze_close(&r);
}

/* What comes in is a reason, too: then the driver's frames wait, as long as some come. */
static void test_receive(const void *layout)
{
	struct doze_rig r;

	doze_open(&r, layout);
	rig_post(&r.rig, RX, 2048, 32);
	for (unsigned i = 0; i < STREAK; i++) {
		r.rig.now_ns += doze_ns / 4;
		rig_input(&r.rig, mac, PLAIN);
		rig_expect(&r.rig, mac, PLAIN, 1);
	}
	for (unsigned i = 0; i < 4; i++) {
		g_assert_cmpuint(r.idle.armed, ==, 1);
		rig_input(&r.rig, mac, PLAIN);
		rig_expect(&r.rig, mac, PLAIN, 1);
		g_assert_false(offer(&r));
		g_assert_cmpuint(sent(&r), ==, i);
		r.rig.now_ns += doze_ns;
		vdriver_run(r.rig.d);
		g_assert_cmpuint(sent(&r), ==, i + 1);
	}
	g_assert_false(offer(&r));
	io_idle_begin(&r.idle);
	g_assert_cmpuint(r.idle.armed, ==, 0);
	vdriver_run(r.rig.d);
	g_assert_cmpuint(sent(&r), ==, 5);
	g_assert_true(offer(&r));
	g_assert_cmpuint(sent(&r), ==, 6);
	io_idle_end(&r.idle);
	doze_close(&r);
}

static void test_reset(const void *layout)
{
	struct doze_rig r;

	doze_open(&r, layout);
	begin_doze(&r);
	g_assert_false(offer(&r));
	rig_restart(&r.rig, ALL_NET);
	g_assert_cmpuint(r.idle.armed, ==, 0);
	g_assert_cmpuint(sent(&r), ==, STREAK);
	g_assert_true(offer(&r));
	g_assert_cmpuint(sent(&r), ==, STREAK + 1);
	doze_close(&r);
}

static void test_pause(const void *layout)
{
	struct doze_rig r;

	for (unsigned late = 0; late < 2; late++) {
		doze_open(&r, layout);
		begin_doze(&r);
		g_assert_false(offer(&r));
		virtio_pause(r.rig.dev);
		r.rig.now_ns += late * doze_ns;
		vdriver_run(r.rig.d);
		g_assert_cmpuint(sent(&r), ==, STREAK);
		virtio_resume(r.rig.dev);
		r.rig.now_ns += doze_ns;
		vdriver_run(r.rig.d);
		g_assert_cmpuint(sent(&r), ==, STREAK + 1);
		doze_close(&r);
	}
}

/* A back end that is full is waited for, dozing or not. */
static void test_full(const void *layout)
{
	struct doze_rig r;

	doze_open(&r, layout);
	begin_doze(&r);
	r.rig.net.full = true;
	for (unsigned i = 0; i < 4; i++)
		g_assert_false(offer(&r));
	r.rig.now_ns += 3 * doze_ns;
	vdriver_run(r.rig.d);
	g_assert_cmpuint(sent(&r), ==, STREAK);
	r.rig.net.full = false;
	r.rig.net.front->writable(r.rig.net.opaque, 0);
	vdriver_run(r.rig.d);
	g_assert_cmpuint(sent(&r), ==, STREAK + 4);
	doze_close(&r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("doze-gather", test_gather);
	rig_add("doze-halt", test_halt);
	rig_add("doze-never", test_never);
	rig_add("doze-receive", test_receive);
	rig_add("doze-reset", test_reset);
	rig_add("doze-pause", test_pause);
	rig_add("doze-full", test_full);
	return g_test_run();
}
