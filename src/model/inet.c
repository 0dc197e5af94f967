/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inet.c - addresses of hosts, IPv4 and IPv6, and of cards, as definitions have them
 */
#include "model/inet.h"

#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

bool inet_parse(const char *text, struct inet *ret)
{
	struct inet inet = { 0 };

	if (!text)
		return false;
	inet.v6 = strchr(text, ':') != NULL;
	if (inet_pton(inet.v6 ? AF_INET6 : AF_INET, text, inet.bytes) != 1)
		return false;
	*ret = inet;
	return true;
}

void inet_format(const struct inet *inet, char ret_text[INET_TEXT_MAX])
{
	(void)inet_ntop(inet->v6 ? AF_INET6 : AF_INET, inet->bytes, ret_text, INET_TEXT_MAX);
}

static struct inet with_host_bits(const struct inet *inet, unsigned prefix, bool set)
{
	struct inet ret = *inet;

	for (unsigned bit = prefix; bit < inet_bits(inet); bit++) {
		const uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		if (set)
			ret.bytes[bit / 8] |= mask;
		else
			ret.bytes[bit / 8] &= (uint8_t)~mask;
	}
	return ret;
}

struct inet inet_first(const struct inet *inet, unsigned prefix)
{
	return with_host_bits(inet, prefix, false);
}

struct inet inet_last(const struct inet *inet, unsigned prefix)
{
	return with_host_bits(inet, prefix, true);
}

bool inet_same_network(const struct inet *a, const struct inet *b, unsigned prefix)
{
	const struct inet x = inet_first(a, prefix), y = inet_first(b, prefix);

	return inet_compare(&x, &y) == 0;
}

bool inet_parse_mac(const char *text, uint8_t ret[INET_MAC_LEN])
{
	for (unsigned i = 0; text && i < INET_MAC_LEN; i++, text += 3) {
		int high = g_ascii_xdigit_value(text[0]);
		int low = high < 0 ? -1 : g_ascii_xdigit_value(text[1]);

		if (low < 0 || text[2] != (i < INET_MAC_LEN - 1 ? ':' : '\0'))
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return text;
}

int inet_compare(const struct inet *a, const struct inet *b)
{
	if (a->v6 != b->v6)
		return a->v6 ? 1 : -1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int inet_prefix_of_mask(const char *netmask)
{
	struct inet mask;
	int prefix = 0;

	if (!inet_parse(netmask, &mask) || mask.v6)
		return -1;
	while (prefix < 32 && mask.bytes[prefix / 8] & 0x80 >> prefix % 8)
		prefix++;
	for (int bit = prefix; bit < 32; bit++) {
		if (mask.bytes[bit / 8] & 0x80 >> bit % 8)
			return -1;
	}
	return prefix;
}
