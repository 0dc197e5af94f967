/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-net-names.c - a hostile guest asks a user network's name server for names
 *
 * Input: a byte, then by its lowest two bits a frame (0), or what is asked by UDP over IPv4 (1) or IPv6 (else).
 * Nothing is attached, so that an answer goes nowhere; and nothing but a question gets as far as libslirp.
 */
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "net/user-int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ETHER = 14,
	UDP = 8,
	MAX = 2048,
};

static struct net_user *user_with_names(void)
{
	static char label[64], long_name[254];
	static const struct net_name names[] = {
		{ "web.lab", "192.0.2.7" },   { "web.lab", "2001:db8::7" },
		{ long_name, "192.0.2.8" },   { label, "192.0.2.9" },
		{ "x", "fd00::1" },           { "x", "fd00::2" },
		{ "no..label", "192.0.2.9" },
	};
	const struct net_user_config config = { .names = names, .name_count = 7 };

	memset(label, 'l', sizeof(label) - 1);
	for (unsigned i = 0; i + 1 < sizeof(long_name); i++)
		long_name[i] = i % 32 == 31 ? '.' : 'a';
	return (struct net_user *)(void *)net_user_new(&config, NULL);
}

static size_t wrap(const struct net_user *user, bool v6, uint8_t *frame, size_t len)
{
	const size_t header = v6 ? 40 : 20;
	uint8_t *ip = frame + ETHER, *udp = ip + header;

	memset(frame, 2, ETHER - 2);
	put_be16(frame + 12, v6 ? 0x86dd : 0x0800);
	memset(ip, 0, header + UDP);
	ip[0] = v6 ? 0x60 : 0x45;
	put_be16(ip + (v6 ? 4 : 2), (uint16_t)(UDP + len + (v6 ? 0 : header)));
	ip[v6 ? 6 : 9] = 17;
	memcpy(ip + (v6 ? 24 : 16), v6 ? user->dns6.bytes : user->dns.bytes, v6 ? 16 : 4);
	put_be16(udp + 2, 53);
	put_be16(udp + 4, (uint16_t)(UDP + len));
	return ETHER + header + UDP + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct net_user *user;
	static uint8_t frame[MAX];
	unsigned kind;
	size_t before;

	if (!user)
		user = user_with_names();
	if (!size || size > MAX / 2)
		return 0;
	kind = *data & 3;
	before = kind == 0 ? 0 : ETHER + UDP + (kind == 1 ? 20 : 40);
	data++;
	size--;
	memcpy(frame + before, data, size);
	if (kind)
		size = wrap(user, kind != 1, frame, size);
	(void)user_answer(user, frame, size);
	return 0;
}
