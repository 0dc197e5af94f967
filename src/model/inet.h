/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inet.h - addresses of hosts, IPv4 and IPv6, and of cards, as definitions have them
 *
 * Threads: any.
 */
#ifndef MODEL_INET_H
#define MODEL_INET_H

#include <stdbool.h>
#include <stdint.h>

enum {
	INET_TEXT_MAX = 46, /* INET6_ADDRSTRLEN */
	INET_MAC_LEN = 6,
};

struct inet {
	bool v6;
	uint8_t bytes[16]; /* IPv4: the first four */
};

static inline unsigned inet_bits(const struct inet *inet)
{
	return inet->v6 ? 128 : 32;
}

/* False: @text, which may be NULL, is no address. */
bool inet_parse(const char *text, struct inet *ret);
void inet_format(const struct inet *inet, char ret_text[INET_TEXT_MAX]);
/* The bits behind the first @prefix are cleared: what the network is called by. */
struct inet inet_first(const struct inet *inet, unsigned prefix);
/* Or set: the last address of the network. */
struct inet inet_last(const struct inet *inet, unsigned prefix);
/* Are the first @prefix bits the same? */
bool inet_same_network(const struct inet *a, const struct inet *b, unsigned prefix);
/* Six bytes in hexadecimal, colons between them. False: @text, which may be NULL, is no such address. */
bool inet_parse_mac(const char *text, uint8_t ret[INET_MAC_LEN]);
/* As memcmp(3) does; IPv4 comes first. */
int inet_compare(const struct inet *a, const struct inet *b);
/* 24 for 255.255.255.0; -1: it is none. */
int inet_prefix_of_mask(const char *netmask);

#endif
