/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user-frame.c - user mode networking: frames between libslirp and the card
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "net/user-int.h"

enum {
	IP_LEN = 20,
	IPV6_LEN = 40,
	IP_DONT_FRAGMENT = 0x4000,
	IP_MORE_FRAGMENTS = 0x2000,
	TCP_FLAGS = 13,
	TCP_SYN = 0x02,
	TCP_CSUM = 16,
	TCP_LEN = 20,
	PROTO_TCP = 6,

	SYN_MAX_LEN = 256, /* Ethernet, tags and both headers with all their options */
	MSS_LARGE = 65495, /* libslirp makes less of it */
};

struct user_record {
	uint32_t len;
	struct net_header header;
};

/* ---- the ring ---- */

DATA_PATH static size_t record_len(size_t len)
{
	return (sizeof(struct user_record) + len + 15) & ~(size_t)15;
}

DATA_PATH void user_ring_clear(struct user_ring *ring)
{
	ring->head = 0;
	ring->tail = 0;
	ring->wrap = 0;
}

DATA_PATH size_t user_ring_used(const struct user_ring *ring)
{
	if (ring->tail >= ring->head)
		return ring->tail - ring->head;
	return ring->wrap - ring->head + ring->tail;
}

/* Room for a record of @need bytes in one piece, or NULL. Head and tail meet only when empty. */
DATA_PATH static uint8_t *ring_reserve(struct user_ring *ring, size_t need)
{
	if (user_ring_empty(ring))
		user_ring_clear(ring);
	if (ring->tail >= ring->head) {
		if (need <= USER_RING_LEN - ring->tail)
			return ring->data + ring->tail;
		if (need >= ring->head)
			return NULL;
		ring->wrap = ring->tail;
		ring->tail = 0;
		return ring->data;
	}
	return need < ring->head - ring->tail ? ring->data + ring->tail : NULL;
}

/* The frame in the ring, or NULL: dropped. */
DATA_PATH static uint8_t *ring_put(struct net_user *user, const struct net_header *header,
				   const uint8_t *frame, size_t len)
{
	struct user_ring *ring = &user->ring;
	struct user_record record = { .len = (uint32_t)len, .header = *header };
	size_t need = record_len(len);
	uint8_t *p = ring_reserve(ring, need);

	if (!p) {
		ring->dropped++;
		return NULL;
	}
	memcpy(p, &record, sizeof(record));
	memcpy(p + sizeof(record), frame, len);
	ring->tail += need;
	if (user->waiting)
		user_poll_soon(user);
	return p + sizeof(record);
}

/* The oldest record; the ring is not empty. */
DATA_PATH static const uint8_t *ring_peek(struct user_ring *ring, struct user_record *ret_record)
{
	const uint8_t *p;

	if (ring->head > ring->tail && ring->head == ring->wrap)
		ring->head = 0;
	p = ring->data + ring->head;
	memcpy(ret_record, p, sizeof(*ret_record));
	return p + sizeof(*ret_record);
}

/* ---- to the guest ---- */

DATA_PATH static void put_plain(struct net_user *user, const uint8_t *frame, size_t len)
{
	struct net_header header = { 0 };

	/* It comes from next door: there is no wire on which a bit could have flipped. */
	if (user->offloads & NET_OFFLOAD_CSUM)
		header.flags = NET_HEADER_DATA_VALID;
	(void)ring_put(user, &header, frame, len);
}

DATA_PATH static int put_segment(void *opaque, uint8_t *frame, size_t len)
{
	put_plain(opaque, frame, len);
	return 0;
}

/* A segment longer than the link: as if a card had merged it, or cut if the driver cannot. */
DATA_PATH static void put_tcp(struct net_user *user, const struct net_packet *packet,
			      const uint8_t *frame, size_t len)
{
	bool v4 = packet->version == 4;
	size_t headers = packet->payload - packet->ip;
	struct net_header header = {
		.flags = NET_HEADER_NEEDS_CSUM,
		.gso_type = v4 ? NET_GSO_TCPV4 : NET_GSO_TCPV6,
		.hdr_len = htole16((uint16_t)packet->payload),
		.gso_size = htole16((uint16_t)(user->guest_mtu - headers)),
		.csum_start = htole16((uint16_t)packet->transport),
		.csum_offset = htole16(TCP_CSUM),
	};
	const unsigned wanted = v4 ? NET_OFFLOAD_TSO4 : NET_OFFLOAD_TSO6;
	uint8_t *copy;
	uint16_t sum;

	if (len > sizeof(user->cutter.frame) || headers + NET_OFFLOAD_MIN_GSO > user->guest_mtu)
		return;
	if (!(user->offloads & wanted)) {
		const struct iovec iov = { (void *)(uintptr_t)frame, len };

		(void)net_offload_run(&user->cutter, &header, &iov, 1, put_segment, user, NULL);
		return;
	}
	copy = ring_put(user, &header, frame, len);
	if (!copy)
		return;
	/* Not the checksum but what it starts from: the pseudo header's sum (5.1.6.4.1). */
	sum = (uint16_t)~net_checksum_fold(
		net_packet_pseudo_sum(packet, frame, len - packet->transport));
	memcpy(copy + packet->transport + TCP_CSUM, &sum, sizeof(sum));
}

/* Other IPv4 that is longer than the guest's link (RFC 791, 3.2). */
DATA_PATH static void put_fragments(struct net_user *user, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + NET_ETHER_LEN;
	size_t header = (size_t)(ip[0] & 0xf) * 4, done = 0, payload, room;
	uint8_t *copy = user->cutter.frame;
	uint16_t where = get_be16(ip + 6);

	if (header != IP_LEN || get_be16(ip + 2) != len - NET_ETHER_LEN)
		return;
	payload = len - NET_ETHER_LEN - header;
	room = (user->guest_mtu - header) & ~(size_t)7;
	while (done < payload) {
		size_t part = payload - done < room ? payload - done : room;
		bool last = done + part == payload;
		uint8_t *to = copy + NET_ETHER_LEN;

		memcpy(copy, frame, NET_ETHER_LEN + header);
		memcpy(to + header, ip + header + done, part);
		put_be16(to + 2, (uint16_t)(header + part));
		put_be16(to + 6, (uint16_t)(((where & ~(unsigned)IP_DONT_FRAGMENT) + done / 8) |
					    (last ? 0 : IP_MORE_FRAGMENTS)));
		put_be16(to + 10, 0);
		net_checksum_put(to + 10, net_checksum_add(0, to, header));
		/* A card checks no sums of fragments. */
		(void)ring_put(user, &(struct net_header){ 0 }, copy,
			       NET_ETHER_LEN + header + part);
		done += part;
	}
}

DATA_PATH void user_push(struct net_user *user, const uint8_t *frame, size_t len)
{
	struct net_packet packet;

	if (!user->loop)
		return;
	if (len <= NET_ETHER_LEN + user->guest_mtu)
		put_plain(user, frame, len);
	else if (net_packet_parse(&packet, frame, len) && packet.protocol == PROTO_TCP)
		put_tcp(user, &packet, frame, len);
	else if (len >= NET_ETHER_LEN + IP_LEN && get_be16(frame + 12) == 0x0800)
		put_fragments(user, frame, len);
	else
		user->ring.dropped++;
}

DATA_PATH ssize_t user_receive(struct net_backend *net, unsigned queue,
			       struct net_header *ret_header, const struct iovec *iov,
			       unsigned count)
{
	struct net_user *user = user_of(net);
	struct user_ring *ring = &user->ring;
	size_t room = 0;

	(void)queue;
	if (!user_ring_empty(ring))
		room = iov_len(iov, count);
	while (!user_ring_empty(ring)) {
		struct user_record record;
		const uint8_t *frame = ring_peek(ring, &record);
		bool fits = record.len <= room;

		if (fits) {
			*ret_header = record.header;
			(void)iov_copy_in(iov, count, 0, frame, record.len);
		} else {
			ring->dropped++;
		}
		ring->head += record_len(record.len);
		if (user->throttled && user_ring_used(ring) < USER_RING_HIGH / 2)
			user_poll_changed(user);
		if (fits)
			return (ssize_t)record.len;
	}
	user->waiting = true;
	return -EAGAIN;
}

/* ---- from the guest ---- */

/* Let libslirp send this connection's guest more than fits on a wire, if the driver merges. */
DATA_PATH static void user_raise_mss(struct net_user *user, uint8_t *frame, size_t len)
{
	struct net_packet packet;
	uint8_t *tcp, *csum;
	uint64_t sum;

	if (!net_packet_parse(&packet, frame, len) || packet.protocol != PROTO_TCP ||
	    !(frame[packet.transport + TCP_FLAGS] & TCP_SYN) ||
	    !(user->offloads & (packet.version == 4 ? NET_OFFLOAD_TSO4 : NET_OFFLOAD_TSO6)))
		return;
	tcp = frame + packet.transport;
	csum = tcp + TCP_CSUM;
	for (size_t off = TCP_LEN, end = packet.payload - packet.transport; off < end;) {
		uint8_t kind = tcp[off];
		size_t opt_len = 1;

		if (kind == 0)
			return;
		if (kind != 1) {
			if (end - off < 2 || tcp[off + 1] < 2 || tcp[off + 1] > end - off)
				return;
			opt_len = tcp[off + 1];
		}
		if (kind == 2 && opt_len == 4) {
			/* RFC 1624, equation 3; a wrong sum stays wrong. An odd offset swaps. */
			uint16_t old = get_be16(tcp + off + 2), new = MSS_LARGE;

			put_be16(tcp + off + 2, new);
			if (off % 2) {
				old = (uint16_t)(old << 8 | old >> 8);
				new = (uint16_t)(new << 8 | new >> 8);
			}
			sum = (uint16_t)~get_be16(csum) + (uint64_t)(uint16_t)~old + new;
			put_be16(csum, net_checksum_fold(sum));
			return;
		}
		off += opt_len;
	}
}

static int user_input(void *opaque, uint8_t *frame, size_t len)
{
	if (!user_answer(opaque, frame, len))
		user_poll_input(opaque, frame, len);
	return 0;
}

int user_send(struct net_backend *net, unsigned queue, const struct net_header *header,
	      const struct iovec *iov, unsigned count)
{
	struct net_user *user = user_of(net);
	size_t len = 0;

	(void)queue;
	/* libslirp wants one piece, with checksums, and takes any length: a large segment is not
	 * cut. Segments of datagrams are. */
	if ((header->gso_type & ~NET_GSO_ECN) == NET_GSO_UDP_L4) {
		(void)net_offload_run(&user->scratch, header, iov, count, user_input, user, NULL);
		return 0;
	}
	if (net_offload_checksum(&user->scratch, header, iov, count, &len) < 0)
		return 0;
	if (len < SYN_MAX_LEN)
		user_raise_mss(user, user->scratch.frame, len);
	(void)user_input(user, user->scratch.frame, len);
	return 0;
}
