/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.c - a console and a port beside it (virtio 1.2, 5.3)
 *
 * Port 0 is a console that goes to a file. Port 1 leads to the one who runs this guest: he says
 * "hello" once when he is there, as what is written before is lost, and answers each line with "ok".
 */
#include "virtio.h"

enum {
	MAX_PORTS = 4,

	DEVICE_READY = 0,
	DEVICE_ADD = 1,
	PORT_READY = 3,
	CONSOLE_PORT = 4,
	PORT_OPEN = 6,
	PORT_NAME = 7,

	PORT0_RX = 0,
	PORT0_TX,
	CONTROL_RX,
	CONTROL_TX,
	PORT1_RX,
	PORT1_TX,
	QUEUES,

	MESSAGES = 8,
};

#define F_MULTIPORT (1ull << 1)

struct message {
	u32 id;
	u16 event, value;
	char name[24];
};

static struct queue queues[QUEUES] = {
	{ .index = PORT0_RX, .size = 16 },   { .index = PORT0_TX, .size = 16 },
	{ .index = CONTROL_RX, .size = 16 }, { .index = CONTROL_TX, .size = 16 },
	{ .index = PORT1_RX, .size = 16 },   { .index = PORT1_TX, .size = 16 },
};
static struct queue *const all[QUEUES] = { &queues[0], &queues[1], &queues[2],
					   &queues[3], &queues[4], &queues[5] };
static struct message messages[MESSAGES];
static struct message *message_of[RING]; /* by chain */
static char input[64], line[64];
static unsigned line_len;
static int running;

static void give_message(struct message *m)
{
	struct part part = { m, sizeof(*m), 1 };
	int id;

	fill(m, 0, sizeof(*m));
	id = queue_add(&queues[CONTROL_RX], &part, 1);
	if (id >= 0)
		message_of[id] = m;
}

static int say(u32 id, u16 event, u16 value)
{
	struct message m = { .id = id, .event = event, .value = value };
	struct part part = { &m, 8, 0 };

	return queue_do(&queues[CONTROL_TX], &part, 1) >= 0;
}

/* The next message, printed, as "port 1: name control". */
static void hear(void)
{
	static const char *const events[] = { "ready",   "add",    "remove", "ready",
					      "console", "resize", "open",   "name" };
	u32 len;
	int id = queue_wait(&queues[CONTROL_RX], &len);
	struct message *m;

	if (id < 0) {
		step("console", "message", 0);
		return;
	}
	m = message_of[id];
	if (len < sizeof(*m))
		((volatile char *)m)[len] = 0;
	print("port %u: %s %u %s\n", m->id, m->event < 8 ? events[m->event] : "?", m->value,
	      m->event == PORT_NAME ? m->name : "");
	give_message(m);
	queue_kick(&queues[CONTROL_RX]);
}

static void give_input(void)
{
	struct part part = { input, sizeof(input), 1 };

	queue_add(&queues[PORT1_RX], &part, 1);
	queue_kick(&queues[PORT1_RX]);
}

/* Wait for a line of input: is it this? */
static int expect(const char *text)
{
	unsigned n = 0;
	u32 len;

	while (text[n])
		n++;
	while (line_len < n) {
		if (queue_wait(&queues[PORT1_RX], &len) < 0 || line_len + len > sizeof(line))
			return 0;
		copy(line + line_len, input, len);
		line_len += len;
		give_input();
	}
	line_len = 0;
	return same(line, text, n);
}

static int write_port(unsigned queue, const char *text)
{
	struct part parts[2] = { { (void *)text, 1, 0 }, { (void *)(text + 1), 0, 0 } };

	while (text[1 + parts[1].len])
		parts[1].len++;
	return queue_do(&queues[queue], parts, parts[1].len ? 2 : 1) >= 0;
}

int control(const char *command)
{
	return running && write_port(PORT1_TX, command) && write_port(PORT1_TX, "\n") &&
	       expect("ok\n");
}

void console_test(struct device *d)
{
	for (unsigned i = 0; i < MODES; i++) {
		const char *where = modes[i].name;

		step(where, "start a console",
		     device_start(d, modes[i].features | F_MULTIPORT, all, QUEUES));
		for (unsigned j = 0; j < MESSAGES; j++)
			give_message(&messages[j]);
		queue_kick(&queues[CONTROL_RX]);
		line_len = 0;
		step(where, "ready", say(0, DEVICE_READY, 1));
		hear();
		hear();
		step(where, "port 0 ready", say(0, PORT_READY, 1));
		hear();
		hear();
		step(where, "port 1 ready", say(1, PORT_READY, 1));
		hear();
		hear();
		give_input();
		step(where, "open", say(0, PORT_OPEN, 1) && say(1, PORT_OPEN, 1));
		step(where, "output",
		     write_port(PORT0_TX, where) && write_port(PORT0_TX, ": to a file\n"));
		if (!running)
			step(where, "input", expect("hello\n"));
		running = 1;
		step(where, "input and output", control("hello"));
	}
}
