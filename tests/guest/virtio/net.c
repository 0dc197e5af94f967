/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.c - network cards (virtio 1.2, 5.1): one on user mode networking, two on a link
 */
#include "virtio.h"

enum {
	RX = 0,
	TX = 1,
	CTRL = 2,
	QUEUES = 3,

	HEADER = 12,
	BUFFERS = 32,
	BUFFER = 1536,
	SMALL = 256, /* with mergeable buffers */
	MAC_LEN = 6,

	CONFIG_STATUS = 6,
	LINK_UP = 1,
	ANNOUNCE = 2,

	CTRL_RX = 0,
	CTRL_MAC = 1,
	MAC_ADDR_SET = 1,
	CTRL_ANNOUNCE = 3,
};

#define F_MAC      (1ull << 5)
#define F_MRG      (1ull << 15)
#define F_STATUS   (1ull << 16)
#define F_CTRL_VQ  (1ull << 17)
#define F_CTRL_RX  (1ull << 18)
#define F_ANNOUNCE (1ull << 21)
#define F_CTRL_MAC (1ull << 23)
#define WANTED     (F_MAC | F_STATUS | F_CTRL_VQ | F_CTRL_RX | F_ANNOUNCE | F_CTRL_MAC)

struct card {
	struct device *dev;
	struct queue queues[QUEUES];
	struct queue *all[QUEUES];
	u8 mac[8];           /* MAC_LEN */
	unsigned buffer;     /* bytes of each */
	u8 *buffer_of[RING]; /* by chain */
	u8 buffers[BUFFERS][BUFFER] __attribute__((aligned(64)));
	u8 frame[2048];
};

static struct card cards[NET_CARDS];
static u8 out[HEADER + 1514 + 6] __attribute__((aligned(64)));
static const u8 everybody[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* ---- a card ---- */

static void give_buffer(struct card *c, u8 *buf)
{
	struct part part = { buf, c->buffer, 1 };
	int id = queue_add(&c->queues[RX], &part, 1);

	if (id >= 0)
		c->buffer_of[id] = buf;
}

static int start(struct card *c, struct device *d, u64 features)
{
	c->dev = d;
	c->buffer = features & F_MRG ? SMALL : BUFFER;
	for (unsigned i = 0; i < QUEUES; i++) {
		c->queues[i].index = i;
		c->queues[i].size = i == CTRL ? 16 : RING;
		c->all[i] = &c->queues[i];
	}
	if (!device_start(d, features | WANTED, c->all, QUEUES))
		return 0;
	for (unsigned i = 0; i < MAC_LEN; i++)
		c->mac[i] = config8(d, i);
	for (unsigned i = 0; i < BUFFERS; i++)
		give_buffer(c, c->buffers[i]);
	queue_kick(&c->queues[RX]);
	return 1;
}

/* ---- frames ---- */

static u8 *begin(const u8 *to, const u8 *from, unsigned type)
{
	u8 *frame = out + HEADER;

	fill(out, 0, HEADER + 4);
	for (unsigned i = 0; i < HEADER; i++)
		out[i] = 0;
	copy(frame, to, MAC_LEN);
	copy(frame + MAC_LEN, from, MAC_LEN);
	frame[12] = (u8)(type >> 8);
	frame[13] = (u8)type;
	return frame + 14;
}

/* Header and frame apart: what the other modes have in one piece. */
static int send(struct card *c, unsigned len)
{
	struct part parts[2] = { { out, HEADER, 0 }, { out + HEADER, len, 0 } };

	return queue_do(&c->queues[TX], parts, 2) >= 0;
}

/* The next frame into c->frame; its length, or 0. */
static unsigned receive(struct card *c)
{
	unsigned total = 0, pieces = 1;

	for (unsigned i = 0; i < pieces; i++) {
		u32 len;
		int id = queue_wait(&c->queues[RX], &len);
		u8 *buf = id < 0 ? 0 : c->buffer_of[id];
		unsigned skip = i ? 0 : HEADER;

		if (!buf || len < skip || total + len - skip > sizeof(c->frame))
			return 0;
		if (i == 0)
			pieces = *(u16 *)(buf + 10);
		copy(c->frame + total, buf + skip, len - skip);
		total += len - skip;
		give_buffer(c, buf);
	}
	queue_kick(&c->queues[RX]);
	return total;
}

static int command(struct card *c, u8 class, u8 cmd, const void *p, unsigned len)
{
	u8 head[2] = { class, cmd };
	volatile u8 ack = 99;
	struct part parts[3] = { { head, 2, 0 }, { (void *)p, len, 0 }, { (void *)&ack, 1, 1 } };

	if (!len)
		parts[1] = parts[2];
	return queue_do(&c->queues[CTRL], parts, len ? 3 : 2) == 1 ? ack : 98;
}

static int link_is(struct card *c, unsigned up)
{
	unsigned start = ticks[0];

	while ((config16(c->dev, CONFIG_STATUS) & LINK_UP) != up) {
		if (ticks[0] - start > MAX_TICKS)
			return 0;
		irq_window();
	}
	return 1;
}

/* ---- user mode networking: 10.0.2.2 is there, and gives us 10.0.2.15 ---- */

static const u8 our_ip[4] = { 10, 0, 2, 15 }, host_ip[4] = { 10, 0, 2, 2 };

static int is_arp_reply(const u8 *frame, unsigned len)
{
	return len >= 42 && frame[12] == 8 && frame[13] == 6 && frame[21] == 2 &&
	       same(frame + 28, host_ip, 4);
}

static int arp(struct card *c)
{
	static const u8 ethernet_ipv4[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	u8 *p = begin(everybody, c->mac, 0x806);

	for (unsigned i = 0; i < 60; i++)
		p[i] = 0;
	copy(p, ethernet_ipv4, 8);
	copy(p + 8, c->mac, MAC_LEN);
	copy(p + 14, our_ip, 4);
	copy(p + 24, host_ip, 4);
	if (!send(c, 60))
		return 0;
	/* Others may speak, too. */
	for (unsigned i = 0; i < 16; i++) {
		unsigned len = receive(c);

		if (!len)
			return 0;
		if (is_arp_reply(c->frame, len))
			return same(c->frame, c->mac, MAC_LEN);
	}
	return 0;
}

static void ip_checksum(u8 *ip)
{
	u32 sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (u32)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	ip[10] = (u8)(~sum >> 8);
	ip[11] = (u8)~sum;
}

static void dhcp_discover(struct card *c)
{
	static const u8 ip[20] = { 0x45, 0, 1, 0x10, 0, 1, 0,   0,   64,  17,
				   0,    0, 0, 0,    0, 0, 255, 255, 255, 255 };
	static const u8 udp[8] = { 0, 68, 0, 67, 0, 252, 0, 0 };
	static const u8 bootp[8] = { 1, 1, 6, 0, 0x50, 0xc1, 0x1e, 0x64 };
	static const u8 options[8] = { 0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255 };
	u8 *p = begin(everybody, c->mac, 0x800);

	for (unsigned i = 0; i < 272; i++)
		p[i] = 0;
	copy(p, ip, 20);
	ip_checksum(p);
	copy(p + 20, udp, 8);
	copy(p + 28, bootp, 8);
	copy(p + 28 + 28, c->mac, MAC_LEN);
	copy(p + 28 + 236, options, 8);
}

static int dhcp(struct card *c)
{
	static const u8 ours[4] = { 0x50, 0xc1, 0x1e, 0x64 };

	dhcp_discover(c);
	if (!send(c, 14 + 272))
		return 0;
	for (unsigned i = 0; i < 16; i++) {
		unsigned len = receive(c);
		const u8 *bootp = c->frame + 14 + 28;

		if (!len)
			return 0;
		if (len > 14 + 28 + 240 && c->frame[12] == 8 && c->frame[13] == 0 &&
		    c->frame[23] == 17 && bootp[0] == 2 && same(bootp + 4, ours, 4))
			return same(bootp + 16, our_ip, 4);
	}
	return 0;
}

void net_test_user(struct device *d)
{
	struct card *c = &cards[0];

	for (unsigned i = 0; i < 2 * MODES; i++) {
		const char *where = modes[i / 2].name;
		u64 merge = i & 1 ? F_MRG : 0;

		step(where, merge ? "start a card, mergeable" : "start a card",
		     start(c, d, modes[i / 2].features | merge));
		step(where, "link up", link_is(c, 1));
		step(where, "ARP", arp(c));
		step(where, "DHCP offer", dhcp(c));
	}
	device_reset(d);
}

/* ---- two cards on a link ---- */

static int pass(struct card *from, struct card *to, unsigned len, u64 seed)
{
	fill(begin(to->mac, from->mac, 0x88b5), seed, len - 14);
	return send(from, len) && receive(to) == len && same(to->frame, out + HEADER, len);
}

static int pass_lengths(struct card *from, struct card *to)
{
	static const u16 lengths[] = { 60, 61, 243, 244, 245, 500, 1000, 1513, 1514 };
	int ok = 1;

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		ok = ok && pass(from, to, lengths[i], i + 1);
	return ok;
}

static int pass_many(struct card *from, struct card *to)
{
	int ok = 1;

	for (unsigned i = 0; i < 100; i++)
		ok = ok && pass(from, to, 60 + i, i);
	return ok;
}

/* More frames than there are buffers, before the first is looked at: none is lost. */
static int pass_burst(struct card *from, struct card *to)
{
	u8 *body = begin(to->mac, from->mac, 0x88b5);
	int ok = 1;

	for (unsigned i = 0; i < 2 * BUFFERS; i++) {
		body[0] = (u8)i;
		ok = ok && send(from, 1514);
	}
	for (unsigned i = 0; i < 2 * BUFFERS; i++)
		ok = ok && receive(to) == 1514 && to->frame[14] == i;
	return ok;
}

/* What is for somebody else comes only to a card that listens to all. */
static int filter(struct card *from, struct card *to)
{
	u8 off = 0, on = 1, mine[8] = { 0 };
	int ok;

	copy(mine, to->mac, MAC_LEN);
	to->mac[5] = 0x77;
	ok = pass(from, to, 60, 1) && command(to, CTRL_RX, 0, &off, 1) == 0;
	fill(begin(to->mac, from->mac, 0x88b5), 2, 46);
	ok = ok && send(from, 60);
	copy(to->mac, mine, MAC_LEN);
	ok = ok && pass(from, to, 61, 3);
	to->mac[5] = 0x78;
	ok = ok && command(to, CTRL_MAC, MAC_ADDR_SET, to->mac, MAC_LEN) == 0 &&
	     config8(to->dev, 5) == 0x78 && pass(from, to, 62, 4);
	return ok && command(to, CTRL_MAC, MAC_ADDR_SET, mine, MAC_LEN) == 0 &&
	       (copy(to->mac, mine, MAC_LEN), 1) && pass(from, to, 63, 5) &&
	       command(to, CTRL_RX, 0, &on, 1) == 0;
}

static void link_and_announce(struct card *a, struct card *b)
{
	unsigned before = a->dev->config_irqs;

	step("cards", "unknown command", command(a, 77, 0, 0, 0) == 1);
	step("cards", "link off", control("link off"));
	step("cards", "interrupt", irq_wait(&a->dev->config_irqs, before + 1) && link_is(a, 0));
	before = a->dev->config_irqs;
	step("cards", "link on", control("link on"));
	step("cards", "interrupt", irq_wait(&a->dev->config_irqs, before + 1) && link_is(a, 1));
	step("cards", "frames pass again", pass(a, b, 1000, 1) && pass(b, a, 1000, 2));
	before = a->dev->config_irqs;
	step("cards", "announce", control("announce"));
	step("cards", "interrupt",
	     irq_wait(&a->dev->config_irqs, before + 1) &&
		     config16(a->dev, CONFIG_STATUS) == (LINK_UP | ANNOUNCE));
	step("cards", "acknowledged",
	     command(a, CTRL_ANNOUNCE, 0, 0, 0) == 0 && config16(a->dev, CONFIG_STATUS) == LINK_UP);
}

void net_test_pair(struct device *da, struct device *db)
{
	struct card *a = &cards[0], *b = &cards[1];

	for (unsigned i = 0; i < 2 * MODES; i++) {
		const char *where = modes[i / 2].name;
		u64 features = modes[i / 2].features | (i & 1 ? F_MRG : 0);

		step(where, i & 1 ? "start two cards, mergeable" : "start two cards",
		     start(a, da, features) && start(b, db, features));
		step(where, "link up", link_is(a, 1) && link_is(b, 1));
		step(where, "frames of all lengths", pass_lengths(a, b) && pass_lengths(b, a));
		step(where, "100 frames", pass_many(a, b));
		/* A frame that found too little room is dropped after a second. */
		if (!(i & 1))
			step(where, "64 frames at once", pass_burst(a, b));
		step(where, "filter", filter(a, b));
	}
	link_and_announce(a, b);
	device_reset(da);
	device_reset(db);
}

/* ---- a card in other hands ---- */

int net_start(unsigned card, struct device *d, u64 features)
{
	return start(&cards[card], d, features);
}

int net_link_up(unsigned card)
{
	return link_is(&cards[card], 1);
}

int net_pass(unsigned from, unsigned to, unsigned len, u64 seed)
{
	return pass(&cards[from], &cards[to], len, seed);
}

int net_arp(unsigned card)
{
	return net_link_up(card) && arp(&cards[card]);
}
