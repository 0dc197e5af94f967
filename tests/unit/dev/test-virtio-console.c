/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-console.c - consoles and ports, by a driver and character devices in the test's hand
 */
#include <string.h>

#include "base/bytes.h"
#include "dev/virtio-console.h"
#include "fake.h"
#include "tests/lib/virtio-driver.h"

enum {
	RX = 0,
	TX = 1,
	CTRL_RX = 2,
	CTRL_TX = 3,
	SIZE = 1,
	MULTIPORT = 2,
	EMERG = 4,
	PORTS = 3,

	READY = 0,
	ADD = 1,
	PORT_READY = 3,
	CONSOLE = 4,
	RESIZE = 5,
	OPEN = 6,
	NAME = 7,
};

struct rig {
	struct io_loop *loop;
	struct fake_clock clock;
	struct fake_chardev chr[PORTS];
	struct virtio_device *dev;
	struct vdriver *d;
	uint64_t layout;
};

static uint64_t no_time(void *opaque)
{
	(void)opaque;
	return 0;
}

static void rig_open(struct rig *rig, const void *layout, uint64_t features)
{
	struct virtio_console_port ports[PORTS] = {
		{ .chr = &rig->chr[0].chr, .console = true },
		{ .chr = &rig->chr[1].chr, .name = "org.qemu.guest_agent.0" },
		{ .name = "nobody" },
	};
	GError *error = NULL;

	memset(rig, 0, sizeof(*rig));
	rig->layout = *(const uint64_t *)layout;
	fake_clock_init(&rig->clock);
	for (unsigned i = 0; i < PORTS; i++)
		fake_chardev_init(&rig->chr[i]);
	rig->loop = io_loop_new_manual(IO_LOOP_THREADS, no_time, NULL, &error);
	g_assert_no_error(error);
	rig->dev = virtio_console_new(
		&(struct virtio_console_config){
			.loop = rig->loop,
			.clock = &rig->clock.clock,
			.ports = ports,
			.count = PORTS,
		},
		&error);
	g_assert_no_error(error);
	rig->d = vdriver_new(&(struct vdriver_config){
		.dev = rig->dev,
		.loop = rig->loop,
		.features = features | rig->layout,
	});
	vdriver_run(rig->d);
}

static void rig_close(struct rig *rig)
{
	vdriver_free(rig->d);
	rig->dev->ops->free(rig->dev);
	for (unsigned i = 0; i < PORTS; i++) {
		g_assert_null(rig->chr[i].chr.front);
		fake_chardev_release(&rig->chr[i]);
	}
	io_loop_free(rig->loop);
}

static void post(struct rig *rig, unsigned queue, uint32_t len, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t gpa = vdriver_alloc(rig->d, len);
		struct vdriver_buf buf = { gpa, len, true };

		g_assert_true(vdriver_add(rig->d, queue, &buf, 1, GSIZE_TO_POINTER(gpa)));
	}
	vdriver_kick(rig->d, queue);
	vdriver_run(rig->d);
}

static void send(struct rig *rig, unsigned queue, const void *data, size_t len)
{
	uint64_t gpa = vdriver_alloc(rig->d, len + 1);
	struct vdriver_buf bufs[2] = { { gpa, (uint32_t)(len / 3), false },
				       { gpa + len / 3, (uint32_t)(len - len / 3), false } };

	memcpy(vdriver_ptr(rig->d, gpa, len), data, len);
	g_assert_true(vdriver_add(rig->d, queue, bufs, 2, NULL));
	vdriver_kick(rig->d, queue);
	vdriver_run(rig->d);
}

static unsigned used(struct rig *rig, unsigned queue)
{
	unsigned n = 0;
	uint32_t len;
	void *token;

	while (vdriver_used(rig->d, queue, &token, &len))
		n++;
	return n;
}

/* All that the driver has received on a queue. */
static GString *got(struct rig *rig, unsigned queue)
{
	GString *all = g_string_new(NULL);
	uint32_t len;
	void *token;

	while (vdriver_used(rig->d, queue, &token, &len))
		g_string_append_len(all, vdriver_ptr(rig->d, GPOINTER_TO_SIZE(token), len),
				    (gssize)len);
	return all;
}

static void expect(struct rig *rig, unsigned queue, const char *want)
{
	GString *all = got(rig, queue);

	g_assert_cmpstr(all->str, ==, want);
	g_string_free(all, TRUE);
}

static void say(struct rig *rig, uint32_t id, uint16_t event, uint16_t value)
{
	uint8_t message[8];

	put_le32(message, id);
	put_le16(message + 4, event);
	put_le16(message + 6, value);
	send(rig, CTRL_TX, message, sizeof(message));
	g_assert_cmpuint(used(rig, CTRL_TX), ==, 1);
}

/* The next control message must be this. */
static void hear(struct rig *rig, uint32_t id, uint16_t event, uint16_t value, const void *more,
		 size_t more_len)
{
	const uint8_t *p;
	uint32_t len;
	void *token;

	g_assert_true(vdriver_used(rig->d, CTRL_RX, &token, &len));
	p = vdriver_ptr(rig->d, GPOINTER_TO_SIZE(token), len);
	g_assert_cmpuint(len, ==, 8 + more_len);
	g_assert_cmpuint(get_le32(p), ==, id);
	g_assert_cmpuint(get_le16(p + 4), ==, event);
	g_assert_cmpuint(get_le16(p + 6), ==, value);
	g_assert_cmpmem(p + 8, len - 8, more, more_len);
}

/* ---- one port ---- */

static void test_output(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, 0);
	send(&rig, TX, "hello, world", 12);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	g_assert_cmpstr(rig.chr[0].out->str, ==, "hello, world");
	/* The host takes some, then the rest: chains wait in their order. */
	rig.chr[0].room = 5;
	send(&rig, TX, "0123456789", 10);
	send(&rig, TX, "abc", 3);
	g_assert_cmpuint(used(&rig, TX), ==, 0);
	g_assert_cmpstr(rig.chr[0].out->str, ==, "hello, world01234");
	fake_chardev_make_room(&rig.chr[0], 6);
	vdriver_run(rig.d);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	fake_chardev_make_room(&rig.chr[0], SIZE_MAX);
	vdriver_run(rig.d);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	g_assert_cmpstr(rig.chr[0].out->str, ==, "hello, world0123456789abc");
	rig_close(&rig);
}

static void test_input(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, 0);
	/* No buffer: it stays with the host, which is asked when there is one. */
	g_assert_cmpuint(fake_chardev_input(&rig.chr[0], "abcdefgh", 8), ==, 0);
	post(&rig, RX, 3, 2);
	g_assert_cmpuint(rig.chr[0].resumed, ==, 0);
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.chr[0].resumed, ==, 1);
	g_assert_cmpuint(fake_chardev_input(&rig.chr[0], "abcdefgh", 8), ==, 6);
	expect(&rig, RX, "abcdef");
	post(&rig, RX, 16, 1);
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.chr[0].resumed, ==, 2);
	g_assert_cmpuint(fake_chardev_input(&rig.chr[0], "gh", 2), ==, 2);
	expect(&rig, RX, "gh");
	/* Nothing waits, nobody is asked. */
	post(&rig, RX, 16, 4);
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.chr[0].resumed, ==, 2);
	g_assert_cmpuint(fake_chardev_input(&rig.chr[0], "ij", 2), ==, 2);
	expect(&rig, RX, "ij");
	/* Before DRIVER_OK and after a reset it waits, too. */
	vdriver_reset(rig.d);
	g_assert_cmpuint(fake_chardev_input(&rig.chr[0], "kl", 2), ==, 0);
	g_assert_true(vdriver_restart(rig.d, rig.layout));
	vdriver_run(rig.d);
	post(&rig, RX, 16, 4);
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.chr[0].resumed, ==, 3);
	rig_close(&rig);
}

/* However many buffers were filled at once: who waits for more hears of the next one. */
static void test_input_by_bytes(const void *layout)
{
	static const char text[129];
	struct rig rig;

	rig_open(&rig, layout, 0);
	for (unsigned count = 1; count < sizeof(text); count++) {
		post(&rig, RX, 1, count);
		fake_clock_run(&rig.clock);
		for (size_t done = 0; done < count;) {
			done += fake_chardev_input(&rig.chr[0], text, sizeof(text) - done);
			vdriver_run(rig.d);
			fake_clock_run(&rig.clock);
			g_assert_cmpuint(rig.chr[0].resumed, ==, done < count);
			rig.chr[0].resumed = 0;
		}
		g_assert_cmpuint(used(&rig, RX), ==, count);
		post(&rig, RX, 1, 1);
		fake_clock_run(&rig.clock);
		g_assert_cmpuint(rig.chr[0].resumed, ==, 1);
		rig.chr[0].resumed = 0;
		g_assert_cmpuint(fake_chardev_input(&rig.chr[0], text, 1), ==, 1);
		g_assert_cmpuint(used(&rig, RX), ==, 1);
	}
	rig_close(&rig);
}

/* Lesson 19: whatever the amount, both ways go on with small buffers and a slow host. */
static void test_flow_lesson_19(const void *layout)
{
	GString *all = g_string_new(NULL);
	struct rig rig;
	size_t sent = 0;
	char text[1000];

	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (char)('!' + i % 90);
	rig_open(&rig, layout, 0);
	while (sent < sizeof(text)) {
		GString *part;

		sent += fake_chardev_input(&rig.chr[0], text + sent, sizeof(text) - sent);
		post(&rig, RX, 7, 3);
		fake_clock_run(&rig.clock);
		part = got(&rig, RX);
		g_string_append_len(all, part->str, (gssize)part->len);
		g_string_free(part, TRUE);
	}
	g_assert_cmpmem(all->str, all->len, text, sizeof(text));
	rig.chr[0].room = 0;
	for (unsigned i = 0; i < 10; i++)
		send(&rig, TX, text + i * 100, 100);
	for (unsigned i = 0; i < 200 && used(&rig, TX) < 10; i++) {
		fake_chardev_make_room(&rig.chr[0], 7);
		vdriver_run(rig.d);
	}
	g_assert_cmpmem(rig.chr[0].out->str, rig.chr[0].out->len, text, sizeof(text));
	g_string_free(all, TRUE);
	rig_close(&rig);
}

static void test_reset(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, 0);
	rig.chr[0].room = 3;
	send(&rig, TX, "0123456789", 10);
	g_assert_true(vdriver_restart(rig.d, rig.layout));
	/* The host is still full: it says when it is not. The old bytes are gone. */
	send(&rig, TX, "abc", 3);
	fake_chardev_make_room(&rig.chr[0], SIZE_MAX);
	vdriver_run(rig.d);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	g_assert_cmpstr(rig.chr[0].out->str, ==, "012abc");
	rig.chr[0].room = 0;
	send(&rig, TX, "def", 3);
	if (rig.layout & VIRTIO_F_RING_RESET) {
		virtio_reset_queue(rig.dev, TX);
		g_assert_false(virtio_queue_resetting(rig.dev, TX));
		vdriver_setup_queue(rig.d, TX);
		send(&rig, TX, "ghi", 3);
		fake_chardev_make_room(&rig.chr[0], SIZE_MAX);
		vdriver_run(rig.d);
		g_assert_cmpstr(rig.chr[0].out->str, ==, "012abcghi");
		rig.chr[0].room = 0;
		send(&rig, TX, "jkl", 3);
	}
	/* Unplugged with a chain that waits. */
	rig_close(&rig);
}

static void test_config(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, SIZE | EMERG);
	g_assert_cmpuint(virtio_read_config(rig.dev, 4, 4), ==, PORTS);
	virtio_console_resize(rig.dev, 0, 132, 43);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 2), ==, 132);
	g_assert_cmpuint(virtio_read_config(rig.dev, 2, 2), ==, 43);
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 1);
	virtio_console_resize(rig.dev, 99, 1, 1);
	virtio_write_config(rig.dev, 8, 4, '!');
	g_assert_cmpstr(rig.chr[0].out->str, ==, "!");
	virtio_write_config(rig.dev, 0, 2, 7);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 2), ==, 132);
	/* Also when there is no driver. */
	vdriver_reset(rig.d);
	virtio_write_config(rig.dev, 8, 4, '?');
	g_assert_cmpstr(rig.chr[0].out->str, ==, "!?");
	rig_close(&rig);
}

/* ---- several ports ---- */

static void test_ports(const void *layout)
{
	static const uint8_t size[4] = { 80, 0, 24, 0 }, larger[4] = { 132, 0, 50, 0 };
	static const char agent[] = "org.qemu.guest_agent.0";
	struct rig rig;

	rig_open(&rig, layout, SIZE | MULTIPORT);
	virtio_console_resize(rig.dev, 0, 80, 24);
	post(&rig, CTRL_RX, 64, 20);
	say(&rig, 0, READY, 1);
	for (unsigned i = 0; i < PORTS; i++)
		hear(&rig, i, ADD, 1, NULL, 0);
	say(&rig, 0, PORT_READY, 1);
	hear(&rig, 0, CONSOLE, 1, NULL, 0);
	hear(&rig, 0, RESIZE, 0, size, 4);
	hear(&rig, 0, OPEN, 1, NULL, 0);
	say(&rig, 1, PORT_READY, 1);
	hear(&rig, 1, NAME, 1, agent, strlen(agent));
	hear(&rig, 1, OPEN, 1, NULL, 0);
	say(&rig, 2, PORT_READY, 1);
	hear(&rig, 2, NAME, 1, "nobody", 6);
	hear(&rig, 2, OPEN, 0, NULL, 0);
	virtio_console_resize(rig.dev, 0, 132, 50);
	hear(&rig, 0, RESIZE, 0, larger, 4);
	virtio_console_resize(rig.dev, 1, 132, 50); /* is none */
	/* The host's client goes and comes. */
	chardev_presence(&rig.chr[1].chr, false);
	hear(&rig, 1, OPEN, 0, NULL, 0);
	chardev_presence(&rig.chr[1].chr, true);
	hear(&rig, 1, OPEN, 1, NULL, 0);
	g_assert_cmpuint(used(&rig, CTRL_RX), ==, 0);

	/* Input comes when the guest has opened the port. */
	post(&rig, 4, 64, 2);
	g_assert_cmpuint(fake_chardev_input(&rig.chr[1], "abc", 3), ==, 0);
	g_assert_false(virtio_console_guest_open(rig.dev, 1));
	say(&rig, 1, OPEN, 1);
	g_assert_true(virtio_console_guest_open(rig.dev, 1));
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.chr[1].resumed, ==, 1);
	g_assert_cmpuint(fake_chardev_input(&rig.chr[1], "abc", 3), ==, 3);
	expect(&rig, 4, "abc");
	send(&rig, 5, "def", 3);
	g_assert_cmpstr(rig.chr[1].out->str, ==, "def");
	g_assert_cmpuint(rig.chr[0].out->len, ==, 0);
	/* Nobody is there: it is gone. */
	send(&rig, 7, "ghi", 3);
	g_assert_cmpuint(used(&rig, 7), ==, 1);
	/* One port's slow host is nothing to the others. */
	rig.chr[1].room = 0;
	send(&rig, 5, "wait", 4);
	send(&rig, TX, "go", 2);
	g_assert_cmpstr(rig.chr[0].out->str, ==, "go");
	say(&rig, 1, OPEN, 0);
	g_assert_false(virtio_console_guest_open(rig.dev, 1));
	g_assert_cmpuint(fake_chardev_input(&rig.chr[1], "abc", 3), ==, 0);
	vdriver_reset(rig.d);
	g_assert_false(virtio_console_guest_open(rig.dev, 0));
	rig_close(&rig);
}

/* Without buffers nothing is lost and nothing is queued. */
static void test_control_without_buffers(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, MULTIPORT);
	for (unsigned i = 0; i < 50; i++) {
		say(&rig, 0, READY, 1);
		say(&rig, 1, PORT_READY, 1);
	}
	post(&rig, CTRL_RX, 64, 2);
	hear(&rig, 0, ADD, 1, NULL, 0);
	hear(&rig, 1, ADD, 1, NULL, 0);
	post(&rig, CTRL_RX, 64, 10);
	hear(&rig, 1, NAME, 1, "org.qemu.guest_agent.0", 22);
	hear(&rig, 1, OPEN, 1, NULL, 0);
	hear(&rig, 2, ADD, 1, NULL, 0);
	g_assert_cmpuint(used(&rig, CTRL_RX), ==, 0);
	rig_close(&rig);
}

/* Lesson table 1.12: ids, events and lengths of any value. */
static void test_control_bounds_lesson_1_12(const void *layout)
{
	static const uint32_t ids[] = { 3,     16,         31,         32,        255,
					65536, 0x7fffffff, 0x80000000, UINT32_MAX };
	uint8_t junk[64];
	struct rig rig;

	rig_open(&rig, layout, MULTIPORT);
	post(&rig, CTRL_RX, 64, 20);
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		for (uint16_t event = 1; event < 10; event++)
			say(&rig, ids[i], event, 1);
	}
	for (unsigned event = 8; event < 65536; event += 997)
		say(&rig, 0, (uint16_t)event, 1);
	g_assert_cmpuint(used(&rig, CTRL_RX), ==, 0);
	memset(junk, 0xff, sizeof(junk));
	for (unsigned len = 1; len < sizeof(junk); len++)
		send(&rig, CTRL_TX, junk, len);
	g_assert_cmpuint(used(&rig, CTRL_TX), ==, sizeof(junk) - 1);
	/* Buffers too small for a message, empty ones. */
	say(&rig, 0, READY, 0);
	g_assert_cmpuint(used(&rig, CTRL_RX), ==, 0);
	say(&rig, 0, READY, 1);
	for (unsigned i = 0; i < PORTS; i++)
		hear(&rig, i, ADD, 1, NULL, 0);
	g_assert_true(vdriver_restart(rig.d, MULTIPORT | rig.layout));
	post(&rig, CTRL_RX, 3, 4);
	say(&rig, 0, READY, 1);
	g_assert_cmpuint(used(&rig, CTRL_RX), ==, 3);
	rig_close(&rig);
}

/* Without MULTIPORT the queues of others are dead. */
static void test_single(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, SIZE);
	post(&rig, CTRL_RX, 64, 4);
	send(&rig, CTRL_TX, "\0\0\0\0\0\0\1\0", 8);
	send(&rig, 5, "abc", 3);
	g_assert_cmpuint(used(&rig, CTRL_RX) + used(&rig, CTRL_TX) + used(&rig, 5), ==, 0);
	g_assert_cmpuint(fake_chardev_input(&rig.chr[1], "abc", 3), ==, 0);
	g_assert_cmpuint(rig.chr[1].out->len, ==, 0);
	g_assert_true(virtio_console_guest_open(rig.dev, 0));
	g_assert_false(virtio_console_guest_open(rig.dev, 1));
	g_assert_false(virtio_console_guest_open(rig.dev, 77));
	rig_close(&rig);
}

/* The loop in a thread of its own, input and room on this one. */
static void test_thread(const void *layout)
{
	uint64_t features = *(const uint64_t *)layout;
	struct virtio_console_port port = { .console = true };
	autoptr(io_loop) loop = io_loop_new("console", IO_LOOP_THREADS, NULL);
	struct fake_clock clock;
	struct fake_chardev chr;
	struct virtio_device *dev;
	struct vdriver *d;
	uint32_t len;
	void *token;

	g_assert_nonnull(loop);
	fake_clock_init(&clock);
	fake_chardev_init(&chr);
	port.chr = &chr.chr;
	dev = virtio_console_new(
		&(struct virtio_console_config){
			.loop = loop, .clock = &clock.clock, .ports = &port, .count = 1 },
		NULL);
	d = vdriver_new(&(struct vdriver_config){ .dev = dev, .loop = loop, .features = features });
	for (unsigned round = 0; round < 20; round++) {
		struct vdriver_buf buf = { vdriver_alloc(d, 64), 64, true };

		for (unsigned i = 0; i < 20; i++) {
			vdriver_request(d, TX, "hello", 5, NULL, 0);
			g_assert_true(vdriver_add(d, RX, &buf, 1, NULL));
			vdriver_kick(d, RX);
			g_assert_cmpuint(fake_chardev_input(&chr, "abc", 3), ==, 3);
			virtio_console_resize(dev, 0, 80, 25);
			vdriver_wait(d, RX, &token, &len);
			g_assert_cmpuint(len, ==, 3);
		}
		g_assert_cmpuint(chr.out->len, ==, (round + 1) * 100);
		g_assert_true(vdriver_restart(d, features));
	}
	vdriver_free(d);
	dev->ops->free(dev);
	fake_chardev_release(&chr);
}

static void test_refused(void)
{
	struct virtio_console_port ports[VIRTIO_CONSOLE_MAX_PORTS + 1] = { { 0 } };
	struct virtio_console_config config = { .ports = ports };
	g_autofree char *name = g_strnfill(65, 'x');
	GError *error = NULL;

	g_assert_null(virtio_console_new(&config, &error));
	g_clear_error(&error);
	config.count = VIRTIO_CONSOLE_MAX_PORTS + 1;
	g_assert_null(virtio_console_new(&config, &error));
	g_clear_error(&error);
	config.count = 1;
	ports[0].name = name;
	g_assert_null(virtio_console_new(&config, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
}

static void add(const char *name, void (*fn)(const void *layout))
{
	static const uint64_t layouts[] = {
		0,
		VIRTIO_F_COMMON & ~VIRTIO_F_RING_PACKED & ~VIRTIO_F_IN_ORDER,
		VIRTIO_F_COMMON & ~VIRTIO_F_IN_ORDER,
		VIRTIO_F_COMMON,
	};
	static const char *const names[] = { "split", "split-event", "packed", "packed-in-order" };

	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		g_autofree char *path = g_strdup_printf("/virtio-console/%s/%s", names[i], name);

		g_test_add_data_func(path, &layouts[i], fn);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/virtio-console/refused", test_refused);
	add("output", test_output);
	add("input", test_input);
	add("input-by-bytes", test_input_by_bytes);
	add("flow-lesson-19", test_flow_lesson_19);
	add("reset", test_reset);
	add("config", test_config);
	add("ports", test_ports);
	add("control-without-buffers", test_control_without_buffers);
	add("control-bounds-lesson-1-12", test_control_bounds_lesson_1_12);
	add("single", test_single);
	add("thread", test_thread);
	return g_test_run();
}
