/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-frame.c - cutting streams into packets: any split, every limit, memory
 */
#include <string.h>

#include <glib.h>

#include "base/error.h"
#include "rpc/frame.h"
#include "rpc/message.h"

/* A packet of @len bytes whose last byte is @mark, at the end of @stream. */
static void append_packet(GByteArray *stream, uint32_t len, uint8_t mark)
{
	unsigned start = stream->len;

	g_byte_array_set_size(stream, start + len);
	memset(stream->data + start, 0, len);
	put_be32(stream->data + start, len);
	stream->data[start + len - 1] = mark;
}

/* The lengths and marks of the packets in a stream that comes in pieces of @step. */
static char *cut(const uint8_t *data, size_t len, size_t step)
{
	autoptr(rpc_frame) frame = rpc_frame_new();
	GString *out = g_string_new(NULL);

	while (len > 0) {
		enum rpc_frame_result result;
		size_t taken = rpc_frame_feed(frame, data, MIN(step, len), &result, NULL);

		g_assert_cmpuint(taken, >, 0);
		g_assert_cmpuint(taken, <=, MIN(step, len));
		data += taken;
		len -= taken;
		if (result == RPC_FRAME_PACKET) {
			struct span packet = rpc_frame_packet(frame);

			g_string_append_printf(out, "%zu%c ", packet.len, packet.p[packet.len - 1]);
		} else if (result == RPC_FRAME_BROKEN) {
			g_string_append(out, "broken");
			break;
		}
	}
	return g_string_free(out, FALSE);
}

static void test_any_split(void)
{
	g_autoptr(GByteArray) stream = g_byte_array_new();

	append_packet(stream, 28, 'a');
	append_packet(stream, 1024, 'b');
	append_packet(stream, 1025, 'c');
	append_packet(stream, 70001, 'd');
	append_packet(stream, 29, 'e');
	for (size_t step = 1; step <= stream->len; step = step < 40 ? step + 1 : step * 3) {
		g_autofree char *text = cut(stream->data, stream->len, step);

		g_assert_cmpstr(text, ==, "28a 1024b 1025c 70001d 29e ");
	}
	/* A byte too few. */
	g_byte_array_set_size(stream, stream->len - 1);
	g_autofree char *text = cut(stream->data, stream->len, 1000);

	g_assert_cmpstr(text, ==, "28a 1024b 1025c 70001d ");
}

static enum rpc_frame_result feed_length(struct rpc_frame *frame, uint32_t len, GError **error)
{
	enum rpc_frame_result result;
	uint8_t word[4];

	put_be32(word, len);
	g_assert_cmpuint(rpc_frame_feed(frame, word, 4, &result, error), ==, 4);
	return result;
}

static void test_lengths(void)
{
	static const struct {
		uint32_t len;
		const char *error; /* NULL: fine */
	} cases[] = {
		{ 0, "a packet of 0 bytes has no header: the peer does not speak this protocol" },
		{ 4, "a packet of 4 bytes has no header: the peer does not speak this protocol" },
		{ 27, "a packet of 27 bytes has no header: the peer does not speak this protocol" },
		{ 28, NULL },
		{ 33554433, NULL },
		{ 33554436, NULL },
		{ 33554437,
		  "a packet of 33554437 bytes is more than the 33554436 that the protocol allows" },
		{ 40000000,
		  "a packet of 40000000 bytes is more than the 33554436 that the protocol allows" },
		{ UINT32_MAX, "a packet of 4294967295 bytes is more than the 33554436 that the "
			      "protocol allows" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		autoptr(rpc_frame) frame = rpc_frame_new();
		g_autoptr(GError) error = NULL, again = NULL;
		enum rpc_frame_result result = feed_length(frame, cases[i].len, &error);
		size_t room;

		if (!cases[i].error) {
			g_assert_no_error(error);
			g_assert_cmpint(result, ==, RPC_FRAME_MORE);
			continue;
		}
		g_assert_cmpint(result, ==, RPC_FRAME_BROKEN);
		g_assert_cmpstr(error->message, ==, cases[i].error);
		/* It stays so. */
		g_assert_cmpint(feed_length(frame, 28, &again), ==, RPC_FRAME_BROKEN);
		g_assert_error(again, SOCLE_ERROR, SOCLE_ERROR_STATE);
		rpc_frame_buffer(frame, &room);
		g_assert_cmpuint(room, ==, 0);
	}
}

/* Who announces much and sends little costs little; who has sent much costs little afterwards. */
static void test_memory(void)
{
	autoptr(rpc_frame) frame = rpc_frame_new();
	g_autofree uint8_t *data = g_malloc0(RPC_PACKET_MAX);
	enum rpc_frame_result result;
	size_t done = 4;

	g_assert_cmpint(feed_length(frame, RPC_PACKET_MAX, NULL), ==, RPC_FRAME_MORE);
	g_assert_cmpuint(rpc_frame_memory(frame), <=, 1024);
	for (size_t step = 1; done < RPC_PACKET_MAX; step *= 2) {
		size_t len = MIN(step, RPC_PACKET_MAX - done);

		g_assert_cmpuint(rpc_frame_feed(frame, data, len, &result, NULL), ==, len);
		done += len;
		g_assert_cmpuint(rpc_frame_memory(frame), <=, MAX(1024, done * 2));
	}
	g_assert_cmpint(result, ==, RPC_FRAME_PACKET);
	g_assert_cmpuint(rpc_frame_packet(frame).len, ==, RPC_PACKET_MAX);
	g_assert_cmpint(feed_length(frame, 28, NULL), ==, RPC_FRAME_MORE);
	g_assert_cmpuint(rpc_frame_memory(frame), <=, 1024);
}

/* A buffer never leads past the packet: what comes behind it is the reader's business. */
static void test_buffer_ends_with_packet(void)
{
	autoptr(rpc_frame) frame = rpc_frame_new();
	uint8_t packet[40] = { 0 };
	size_t room, done = 0;

	put_be32(packet, sizeof(packet));
	for (;;) {
		uint8_t *buffer = rpc_frame_buffer(frame, &room);

		g_assert_cmpuint(room, >, 0);
		g_assert_cmpuint(done + room, <=, sizeof(packet));
		memcpy(buffer, packet + done, room);
		done += room;
		if (rpc_frame_filled(frame, room, NULL) == RPC_FRAME_PACKET)
			break;
	}
	g_assert_cmpuint(done, ==, sizeof(packet));
}

/* A packet that is taken stays as it is, and the next one is not hurt by that. */
static void test_take(void)
{
	static const size_t lens[] = { 28, 300000, 299999, 100, 200000, 29, 28 };
	autoptr(rpc_frame) frame = rpc_frame_new();
	uint8_t *taken[G_N_ELEMENTS(lens)];

	rpc_frame_keep(frame, 300000);
	for (unsigned i = 0; i < G_N_ELEMENTS(lens); i++) {
		g_autofree uint8_t *data = g_malloc(lens[i]);
		enum rpc_frame_result result;

		memset(data, (int)i, lens[i]);
		put_be32(data, (uint32_t)lens[i]);
		g_assert_cmpuint(rpc_frame_feed(frame, data, lens[i], &result, NULL), ==, lens[i]);
		g_assert_cmpint(result, ==, RPC_FRAME_PACKET);
		taken[i] = rpc_frame_take(frame);
		g_assert_cmpuint(rpc_frame_memory(frame), <=, 300000);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(lens); i++) {
		g_assert_cmpuint(get_be32(taken[i]), ==, lens[i]);
		for (size_t k = 4; k < lens[i]; k++)
			g_assert_cmpuint(taken[i][k], ==, i);
		g_free(taken[i]);
	}
}

/* A value does not wait in the buffer for the next packet to lie over it. */
static void test_forgets(void)
{
	static const uint8_t zeroes[RPC_PACKET_MIN + 8];
	autoptr(rpc_frame) frame = rpc_frame_new();
	uint8_t packet[RPC_PACKET_MIN + 8] = { 0 };
	enum rpc_frame_result result;
	uint8_t *buffer;
	size_t room;

	put_be32(packet, sizeof(packet));
	put_be32(packet + 4, RPC_PROGRAM_REMOTE);
	put_be32(packet + 12, RPC_PROC_SECRET_SET_VALUE);
	memset(packet + RPC_PACKET_MIN, 'x', 8);
	g_assert_cmpuint(rpc_frame_feed(frame, packet, sizeof(packet), &result, NULL), ==,
			 sizeof(packet));
	g_assert_cmpint(result, ==, RPC_FRAME_PACKET);
	buffer = rpc_frame_buffer(frame, &room);
	g_assert_cmpuint(room, ==, RPC_LENGTH_SIZE);
	g_assert_cmpmem(buffer, sizeof(packet), zeroes, sizeof(zeroes));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rpc/frame/any-split", test_any_split);
	g_test_add_func("/rpc/frame/lengths", test_lengths);
	g_test_add_func("/rpc/frame/memory", test_memory);
	g_test_add_func("/rpc/frame/buffer-ends-with-packet", test_buffer_ends_with_packet);
	g_test_add_func("/rpc/frame/take", test_take);
	g_test_add_func("/rpc/frame/forgets", test_forgets);
	return g_test_run();
}
