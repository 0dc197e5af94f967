/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user-names.c - user mode networking: names that the name server knows by itself
 *
 * libslirp hands what is asked of the network's name server to that of the host, which knows nothing of the
 * network's own names. So a question (RFC 1035) by UDP for one of them is answered here, in one
 * datagram, before libslirp sees it; all else, and what is asked by TCP, takes its way.
 *
 * What is known is known whole: a name that has no address of the kind asked for gets an empty answer.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "net/user-int.h"

enum {
	PROTO_UDP = 17,
	UDP_LEN = 8,
	DNS_PORT = 53,
	DNS_LEN = 12,
	DNS_MAX = 512, /* of a datagram without extensions */
	NAME_MAX_TEXT = 254,

	FLAGS_QUERY = 0xfe00, /* QR, opcode, AA, TC: of a plain question all are 0 */
	FLAG_RD = 0x0100,
	FLAGS_ANSWER = 0x8480, /* QR, AA, RA */

	TYPE_A = 1,
	TYPE_PTR = 12,
	TYPE_AAAA = 28,
	TYPE_ANY = 255,
	CLASS_IN = 1,
	POINTER_TO_QUESTION = 0xc000 | DNS_LEN,
	RECORD_LEN = 12, /* of an answer, before its data */
};

struct question {
	char name[NAME_MAX_TEXT + 1]; /* lower case, without the dot at the end */
	uint16_t type;
	size_t end; /* offset behind it */
};

/* ---- what is known ---- */

static bool parse_address(const char *text, struct user_address *ret)
{
	*ret = (struct user_address){ .v6 = strchr(text, ':') != NULL };
	return inet_pton(ret->v6 ? AF_INET6 : AF_INET, text, ret->bytes) == 1;
}

bool user_add_names(struct net_user *user, const struct net_user_config *config, GError **error)
{
	user->names = g_new0(struct user_dns_name, config->name_count);
	for (unsigned i = 0; i < config->name_count; i++) {
		const struct net_name *name = &config->names[i];

		if (strlen(name->name) >= NAME_MAX_TEXT)
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "name '%.40s...' is longer than %d bytes; use a shorter "
					 "one",
					 name->name, NAME_MAX_TEXT - 1);
		if (!parse_address(name->address, &user->names[i].address))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "address '%s' of name '%s' is none of IPv4 or IPv6",
					 name->address, name->name);
		user->names[i].name = g_ascii_strdown(name->name, -1);
		user->name_count = i + 1;
	}
	return true;
}

void user_free_names(struct net_user *user)
{
	for (unsigned i = 0; i < user->name_count; i++)
		g_free(user->names[i].name);
	g_free(user->names);
}

/* ---- the question ---- */

static bool read_name(const uint8_t *dns, size_t len, struct question *q)
{
	size_t off = DNS_LEN, at = 0;

	while (off < len && dns[off]) {
		const size_t label = dns[off];

		/* Pointers are for answers; a dot or a zero in a label is in no name of ours. */
		if (label > 63 || label >= len - off || at + label + 1 > NAME_MAX_TEXT)
			return false;
		if (at)
			q->name[at++] = '.';
		for (size_t i = 1; i <= label; i++) {
			const char c = (char)dns[off + i];

			if (c == '.' || c == '\0')
				return false;
			q->name[at++] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
		}
		off += label + 1;
	}
	q->name[at] = '\0';
	q->end = off + 1;
	return off < len && at > 0;
}

static bool read_question(const uint8_t *dns, size_t len, struct question *q)
{
	if (len < DNS_LEN || get_be16(dns + 2) & FLAGS_QUERY || get_be16(dns + 4) != 1 ||
	    get_be16(dns + 6) || get_be16(dns + 8) || !read_name(dns, len, q) || len - q->end < 4 ||
	    get_be16(dns + q->end + 2) != CLASS_IN)
		return false;
	q->type = get_be16(dns + q->end);
	q->end += 4;
	return true;
}

/* ---- the answer ---- */

/* "7.2.0.192.in-addr.arpa" */
static bool is_reverse(const char *name, const struct user_address *address)
{
	const uint8_t *b = address->bytes;
	char text[80];
	size_t at = 0;

	if (!address->v6) {
		g_snprintf(text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
		return !strcmp(name, text);
	}
	for (unsigned i = 16; i-- > 0; at += 4)
		g_snprintf(text + at, sizeof(text) - at, "%x.%x.", b[i] & 15, b[i] >> 4);
	g_snprintf(text + at, sizeof(text) - at, "ip6.arpa");
	return !strcmp(name, text);
}

/* @name as labels; how long that is. */
static size_t put_name(uint8_t *p, const char *name)
{
	size_t at = 0;

	while (*name) {
		const size_t label = strcspn(name, ".");

		if (label == 0 || label > 63)
			return 0;
		p[at++] = (uint8_t)label;
		memcpy(p + at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	p[at++] = 0;
	return at;
}

/* One record more, whose data are @len bytes behind its head; they have been put there. */
static size_t put_record(uint8_t *p, uint16_t type, size_t len)
{
	put_be16(p, POINTER_TO_QUESTION);
	put_be16(p + 2, type);
	put_be16(p + 4, CLASS_IN);
	/* As names in hosts' files: to be asked for again. */
	put_be32(p + 6, 0);
	put_be16(p + 10, (uint16_t)len);
	return RECORD_LEN + len;
}

/* Answer @q into @dns behind the question, if it is known; the length of the message, 0: it is not. */
static size_t answer(const struct net_user *user, const struct question *q, uint8_t *dns)
{
	size_t at = q->end;
	unsigned count = 0;
	bool known = false;

	for (unsigned i = 0; i < user->name_count; i++) {
		const struct user_dns_name *n = &user->names[i];
		const uint16_t type = n->address.v6 ? TYPE_AAAA : TYPE_A;
		const size_t room = DNS_MAX - at;
		size_t len = 0;

		if (q->type == TYPE_PTR && is_reverse(q->name, &n->address)) {
			known = true;
			/* A name has an end and a length more than its text. */
			if (room >= RECORD_LEN + strlen(n->name) + 2)
				len = put_name(dns + at + RECORD_LEN, n->name);
		} else if (!strcmp(q->name, n->name)) {
			known = true;
			if ((q->type == type || q->type == TYPE_ANY) && room >= RECORD_LEN + 16) {
				len = n->address.v6 ? 16 : 4;
				memcpy(dns + at + RECORD_LEN, n->address.bytes, len);
			}
		}
		if (!len)
			continue;
		at += put_record(dns + at, q->type == TYPE_PTR ? TYPE_PTR : type, len);
		count++;
	}
	if (!known)
		return 0;
	put_be16(dns + 2, FLAGS_ANSWER | (get_be16(dns + 2) & FLAG_RD));
	put_be16(dns + 6, (uint16_t)count);
	/* What the guest's extensions say (EDNS) is not taken up. */
	put_be16(dns + 10, 0);
	return at;
}

/* ---- the frame ---- */

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
	uint8_t tmp[16];

	memcpy(tmp, a, len);
	memcpy(a, b, len);
	memcpy(b, tmp, len);
}

/* Turn the frame round, with @len bytes of UDP's payload in it. */
static size_t finish(struct net_packet *packet, uint8_t *frame, size_t len)
{
	const bool v6 = packet->version == 6;
	const size_t udp_len = UDP_LEN + len;
	uint8_t *ip = frame + packet->ip, *udp = frame + packet->transport;
	const size_t header = packet->transport - packet->ip;

	swap(frame, frame + 6, 6);
	swap(ip + (v6 ? 8 : 12), ip + (v6 ? 24 : 16), v6 ? 16 : 4);
	swap(udp, udp + 2, 2);
	put_be16(udp + 4, (uint16_t)udp_len);
	put_be16(udp + 6, 0);
	if (v6) {
		put_be16(ip + 4, (uint16_t)udp_len);
	} else {
		put_be16(ip + 2, (uint16_t)(header + udp_len));
		put_be16(ip + 10, 0);
		net_checksum_put(ip + 10, net_checksum_add(0, ip, header));
	}
	net_checksum_put(udp + 6, net_packet_pseudo_sum(packet, frame, udp_len) +
					  net_checksum_add(0, udp, udp_len));
	/* A sum of 0 would be none at all (RFC 768). */
	if (!get_be16(udp + 6))
		put_be16(udp + 6, 0xffff);
	return packet->transport + udp_len;
}

static bool is_for_us(const struct net_user *user, const struct net_packet *packet,
		      const uint8_t *frame)
{
	const uint8_t *ip = frame + packet->ip;

	if (packet->protocol != PROTO_UDP || get_be16(frame + packet->transport + 2) != DNS_PORT)
		return false;
	if (packet->version == 4)
		return packet->transport - packet->ip == 20 && !user->no_ipv4 &&
		       !memcmp(ip + 16, user->dns.bytes, 4);
	return packet->transport - packet->ip == 40 && !user->no_ipv6 &&
	       !memcmp(ip + 24, user->dns6.bytes, 16);
}

bool user_answer(struct net_user *user, const uint8_t *frame, size_t len)
{
	struct net_packet packet;
	struct question q;
	uint8_t out[NET_ETHER_LEN + 8 + 40 + UDP_LEN + DNS_MAX];
	size_t dns_len;

	if (!user->name_count || len > sizeof(out) || !net_packet_parse(&packet, frame, len) ||
	    !is_for_us(user, &packet, frame))
		return false;
	dns_len = get_be16(frame + packet.transport + 4);
	/* What is behind the datagram is padding. */
	if (dns_len < UDP_LEN || dns_len > len - packet.transport || dns_len > UDP_LEN + DNS_MAX)
		return false;
	memcpy(out, frame, len);
	dns_len -= UDP_LEN;
	if (!read_question(out + packet.payload, dns_len, &q))
		return false;
	dns_len = answer(user, &q, out + packet.payload);
	if (!dns_len)
		return false;
	user_push(user, out, finish(&packet, out, dns_len));
	return true;
}
