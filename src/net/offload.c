/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offload.c - what a card would do in hardware: checksums, and the cutting of large segments
 */
#include "net/offload.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"

enum {
	ETHER_IP = 0x0800,
	ETHER_IPV6 = 0x86dd,
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	VLAN_LEN = 4,
	MAX_VLANS = 2,

	IP_LEN = 20,
	IPV6_LEN = 40,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	IP_FRAGMENT = 0x3fff, /* more fragments, or an offset */

	TCP_LEN = 20,
	TCP_CSUM = 16, /* offset of the checksum */
	TCP_FLAGS = 13,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_CWR = 0x80,
	UDP_LEN = 8,
	UDP_CSUM = 6,

	/* Ethernet, two tags, IPv4 with options, TCP with options */
	MAX_HEADERS = NET_ETHER_LEN + MAX_VLANS * VLAN_LEN + 60 + 60,
};

/* ---- checksum ---- */

typedef uint64_t lanes __attribute__((vector_size(16)));

DATA_PATH uint64_t net_checksum_add(uint64_t sum, const void *p, size_t len)
{
	/* Sums of 32-bit halves in 64-bit lanes: no carry is lost below 2^32 rounds, and one's
	 * complement does not mind the width of its words (RFC 1071, 2 (C)). */
	const lanes low = { UINT32_MAX, UINT32_MAX };
	const uint8_t *at = p;
	lanes even = { 0 }, odd = { 0 };

	for (; len >= 32; at += 32, len -= 32) {
		lanes a, b;

		memcpy(&a, at, sizeof(a));
		memcpy(&b, at + 16, sizeof(b));
		even += (a & low) + (b & low);
		odd += (a >> 32) + (b >> 32);
	}
	/* Each at most 2^32 times the rounds so far; the caller's sum is folded first. */
	sum = (sum & UINT32_MAX) + (sum >> 32);
	even += odd;
	sum += even[0] + even[1];
	for (; len >= 4; at += 4, len -= 4) {
		uint32_t v;

		memcpy(&v, at, sizeof(v));
		sum += v;
	}
	if (len) {
		uint8_t tail[4] = { 0 };
		uint32_t v;

		memcpy(tail, at, len);
		memcpy(&v, tail, sizeof(v));
		sum += v;
	}
	return sum;
}

DATA_PATH uint16_t net_checksum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)~sum;
}

DATA_PATH void net_checksum_put(void *p, uint64_t sum)
{
	/* Summed as the host reads words, so stored as the host writes them. */
	uint16_t v = net_checksum_fold(sum);

	memcpy(p, &v, sizeof(v));
}

/* A 16-bit number as a word of the wire, to be added to a sum. */
static inline uint64_t sum_be16(size_t v)
{
	return htobe16((uint16_t)v);
}

/* ---- where things are ---- */

/* Find the network header; 0 if there is none that we know. */
DATA_PATH static size_t find_ip(const uint8_t *frame, size_t len, uint8_t *ret_version)
{
	size_t off = NET_ETHER_LEN;

	if (len < off)
		return 0;
	for (unsigned tags = 0;; tags++) {
		switch (get_be16(frame + off - 2)) {
		case ETHER_IP:
			*ret_version = 4;
			return off;
		case ETHER_IPV6:
			*ret_version = 6;
			return off;
		case ETHER_VLAN:
		case ETHER_QINQ:
			if (tags == MAX_VLANS || len - off < VLAN_LEN)
				return 0;
			off += VLAN_LEN;
			break;
		default:
			return 0;
		}
	}
}

/* Network header: its protocol and length are checked, and that it is no fragment. */
DATA_PATH static bool parse_ip(struct net_packet *packet, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + packet->ip;
	size_t room = len - packet->ip, header;

	if (packet->version == 4) {
		if (room < IP_LEN || ip[0] >> 4 != 4)
			return false;
		header = (size_t)(ip[0] & 0xf) * 4;
		if (header < IP_LEN || header > room || get_be16(ip + 6) & IP_FRAGMENT)
			return false;
		packet->protocol = ip[9];
	} else {
		if (room < IPV6_LEN || ip[0] >> 4 != 6)
			return false;
		header = IPV6_LEN;
		/* An extension header is a protocol that nobody here knows. */
		packet->protocol = ip[6];
	}
	packet->transport = packet->ip + header;
	return true;
}

DATA_PATH bool net_packet_parse(struct net_packet *ret_packet, const uint8_t *frame, size_t len)
{
	struct net_packet packet = { 0 };
	size_t room, header;

	packet.ip = find_ip(frame, len, &packet.version);
	if (!packet.ip || !parse_ip(&packet, frame, len))
		return false;
	room = len - packet.transport;
	if (packet.protocol == PROTO_TCP) {
		if (room < TCP_LEN)
			return false;
		header = (size_t)(frame[packet.transport + 12] >> 4) * 4;
		if (header < TCP_LEN || header > room)
			return false;
	} else if (packet.protocol == PROTO_UDP) {
		header = UDP_LEN;
		if (room < header)
			return false;
	} else {
		return false;
	}
	packet.payload = packet.transport + header;
	*ret_packet = packet;
	return true;
}

DATA_PATH uint64_t net_packet_pseudo_sum(const struct net_packet *packet, const uint8_t *frame,
					 size_t len)
{
	const uint8_t *ip = frame + packet->ip;
	uint64_t sum = sum_be16(len) + sum_be16(packet->protocol);

	if (packet->version == 4)
		return net_checksum_add(sum, ip + 12, 8);
	return net_checksum_add(sum, ip + 8, 32);
}

/* ---- segments ---- */

/* The length that the network header states: right, or left to us. */
DATA_PATH static bool length_fits(const struct net_packet *packet, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + packet->ip;
	size_t stated, real;

	if (packet->version == 4) {
		stated = get_be16(ip + 2);
		real = len - packet->ip;
	} else {
		stated = get_be16(ip + 4);
		real = len - packet->transport;
	}
	return real <= UINT16_MAX && (stated == 0 || stated == real);
}

/* Does the frame hold what the header says is to be cut? */
DATA_PATH static bool check_gso(const struct net_header *header, const uint8_t *frame, size_t len,
				struct net_packet *ret_packet)
{
	unsigned type = header->gso_type & ~(unsigned)NET_GSO_ECN;
	uint8_t version, protocol = PROTO_TCP;
	size_t csum = TCP_CSUM;

	if (!net_packet_parse(ret_packet, frame, len))
		return false;
	switch (type) {
	case NET_GSO_TCPV4:
		version = 4;
		break;
	case NET_GSO_TCPV6:
		version = 6;
		break;
	case NET_GSO_UDP_L4:
		if (header->gso_type & NET_GSO_ECN)
			return false;
		version = ret_packet->version;
		protocol = PROTO_UDP;
		csum = UDP_CSUM;
		break;
	default:
		return false;
	}
	/* virtio 1.2, 5.1.6.2.1: a driver that has segments cut has checksums filled in too. */
	return ret_packet->version == version && ret_packet->protocol == protocol &&
	       (header->flags & NET_HEADER_NEEDS_CSUM) &&
	       le16toh(header->gso_size) >= NET_OFFLOAD_MIN_GSO &&
	       le16toh(header->csum_start) == ret_packet->transport &&
	       le16toh(header->csum_offset) == csum && length_fits(ret_packet, frame, len);
}

/* Lengths and checksums of one whole packet, whose transport header says all else already. */
DATA_PATH static void finish_packet(const struct net_packet *packet, uint8_t *frame, size_t len)
{
	uint8_t *ip = frame + packet->ip, *transport = frame + packet->transport, *csum;
	size_t transport_len = len - packet->transport;
	uint64_t sum;

	if (packet->version == 4) {
		put_be16(ip + 2, (uint16_t)(len - packet->ip));
		put_be16(ip + 10, 0);
		net_checksum_put(ip + 10, net_checksum_add(0, ip, packet->transport - packet->ip));
	} else {
		put_be16(ip + 4, (uint16_t)transport_len);
	}
	csum = transport + TCP_CSUM;
	if (packet->protocol == PROTO_UDP) {
		put_be16(transport + 4, (uint16_t)transport_len);
		csum = transport + UDP_CSUM;
	}
	put_be16(csum, 0);
	sum = net_packet_pseudo_sum(packet, frame, transport_len);
	net_checksum_put(csum, net_checksum_add(sum, transport, transport_len));
	/* Zero would mean that there is none (RFC 768). */
	if (packet->protocol == PROTO_UDP && get_be16(csum) == 0)
		put_be16(csum, UINT16_MAX);
}

/* The headers of the segment that starts @done bytes into the payload. */
DATA_PATH static void number_segment(const struct net_packet *packet, uint8_t *frame,
				     unsigned index, size_t done, bool last, uint16_t id,
				     uint32_t seq)
{
	uint8_t *transport = frame + packet->transport;

	if (packet->version == 4)
		put_be16(frame + packet->ip + 4, (uint16_t)(id + index));
	if (packet->protocol != PROTO_TCP)
		return;
	put_be32(transport + 4, seq + (uint32_t)done);
	if (!last)
		transport[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (index)
		transport[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
}

DATA_PATH static int cut(const struct net_packet *packet, uint8_t *frame, size_t len,
			 size_t gso_size, net_offload_fn fn, void *opaque, unsigned *sent)
{
	size_t head = packet->payload, payload = len - head, done = 0;
	uint16_t id = get_be16(frame + packet->ip + 4);
	uint32_t seq = get_be32(frame + packet->transport + 4);
	uint8_t headers[MAX_HEADERS];

	memcpy(headers, frame, head);
	for (unsigned index = 0;; index++) {
		size_t part = payload - done < gso_size ? payload - done : gso_size;
		/* The bytes before this part are those of the part before, which has been sent. */
		uint8_t *segment = frame + done;
		int r = 0;

		if (index >= *sent) {
			memcpy(segment, headers, head);
			number_segment(packet, segment, index, done, done + part == payload, id,
				       seq);
			finish_packet(packet, segment, head + part);
			r = fn(opaque, segment, head + part);
		}
		if (r < 0) {
			*sent = index;
			return r;
		}
		done += part;
		if (done == payload)
			return 0;
	}
}

/* ---- whole frames ---- */

/* A checksum wherever the driver wants it, over what it has put there (the pseudo header's). */
DATA_PATH static int fill_checksum(const struct net_header *header, uint8_t *frame, size_t len)
{
	size_t start = le16toh(header->csum_start), off = le16toh(header->csum_offset);
	uint64_t sum;
	uint8_t *p;

	if (start >= len || len - start < 2 || off > len - start - 2)
		return -EINVAL;
	p = frame + start + off;
	sum = net_checksum_add(0, frame + start, len - start);
	/* As Linux: 0xffff is zero for all, and no checksum is absent by mistake. */
	net_checksum_put(p, sum);
	if (get_be16(p) == 0)
		put_be16(p, UINT16_MAX);
	return 0;
}

DATA_PATH static int gather(struct net_offload *offload, const struct iovec *iov, unsigned count,
			    size_t *ret_len)
{
	size_t len = iov_len(iov, count);

	if (len > sizeof(offload->frame))
		return -EMSGSIZE;
	*ret_len = iov_copy_out(iov, count, 0, offload->frame, len);
	return 0;
}

/* As net_offload_run(), which does the book-keeping. */
DATA_PATH static int run(struct net_offload *offload, const struct net_header *header, size_t len,
			 net_offload_fn fn, void *opaque, unsigned *sent)
{
	struct net_packet packet;

	if (header->gso_type != NET_GSO_NONE) {
		if (!check_gso(header, offload->frame, len, &packet))
			return -EINVAL;
		return cut(&packet, offload->frame, len, le16toh(header->gso_size), fn, opaque,
			   sent);
	}
	if (header->flags & NET_HEADER_NEEDS_CSUM) {
		int r = fill_checksum(header, offload->frame, len);

		if (r < 0)
			return r;
	}
	return fn(opaque, offload->frame, len);
}

DATA_PATH int net_offload_run(struct net_offload *offload, const struct net_header *header,
			      const struct iovec *iov, unsigned count, net_offload_fn fn,
			      void *opaque, unsigned *sent)
{
	unsigned none = 0;
	size_t len = 0;
	int r = gather(offload, iov, count, &len);

	if (!sent)
		sent = &none;
	if (r == 0)
		r = run(offload, header, len, fn, opaque, sent);
	if (r != -EAGAIN)
		*sent = 0;
	return r;
}

DATA_PATH int net_offload_checksum(struct net_offload *offload, const struct net_header *header,
				   const struct iovec *iov, unsigned count, size_t *ret_len)
{
	struct net_packet packet;
	size_t len = 0;
	int r = gather(offload, iov, count, &len);

	if (r < 0)
		return r;
	if (header->gso_type != NET_GSO_NONE) {
		if (!check_gso(header, offload->frame, len, &packet))
			return -EINVAL;
		finish_packet(&packet, offload->frame, len);
	} else if (header->flags & NET_HEADER_NEEDS_CSUM) {
		r = fill_checksum(header, offload->frame, len);
		if (r < 0)
			return r;
	}
	*ret_len = len;
	return 0;
}
