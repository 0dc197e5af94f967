/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hex.h - bytes of packets as tests write them down
 */
#ifndef TEST_RPC_HEX_H
#define TEST_RPC_HEX_H

#include <glib.h>

#include "base/bytes.h"
#include "rpc/message.h"

/* "0000001c 2000" and so on; the caller frees the bytes. */
static inline struct span from_hex(const char *hex)
{
	uint8_t *bytes = g_malloc(strlen(hex) / 2 + 1);
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		bytes[n++] =
			(uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
		hex++;
	}
	return (struct span){ bytes, n };
}

/* In words of 4 bytes; the caller frees the text. */
static inline char *to_hex(struct span s)
{
	GString *out = g_string_new(NULL);

	for (size_t i = 0; i < s.len; i++)
		g_string_append_printf(out, "%s%02x", i > 0 && i % 4 == 0 ? " " : "", s.p[i]);
	return g_string_free(out, FALSE);
}

/* Compare what lies behind the header. */
static inline void assert_body(const struct rpc_message *msg, const char *want)
{
	struct span packet = rpc_message_packet(msg);
	g_autofree char *got = to_hex(span_sub(packet, 28, packet.len - 28));

	g_assert_cmpstr(got, ==, want);
}

#endif
