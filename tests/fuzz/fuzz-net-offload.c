/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-net-offload.c - a hostile card: any header in front of any frame, in any pieces
 *
 * Input: the header (10 bytes), how the frame is cut into pieces (2), how often it is repeated to
 * become long (1), the frame. What comes out must add up: payload and, where we can tell, sums.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "net/offload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	HEADER = 10,
	PREFIX = HEADER + 3,
	MAX_PIECES = 8,
};

struct sink {
	const struct net_header *header;
	size_t frames, bytes;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int take(void *opaque, uint8_t *frame, size_t len)
{
	struct sink *sink = opaque;
	struct net_packet packet;

	check(len <= NET_MAX_FRAME);
	sink->bytes += len;
	/* Its ends are there to be written. */
	if (len) {
		frame[0] ^= 1;
		frame[len - 1] ^= 1;
		frame[len - 1] ^= 1;
		frame[0] ^= 1;
	}
	sink->frames++;
	check(sink->frames <= 1 + NET_MAX_FRAME / NET_OFFLOAD_MIN_GSO);
	if (sink->header->gso_type == NET_GSO_NONE)
		return 0;
	/* A segment is a whole packet with right sums. */
	check(net_packet_parse(&packet, frame, len));
	uint64_t sum = net_packet_pseudo_sum(&packet, frame, len - packet.transport);

	sum = net_checksum_add(sum, frame + packet.transport, len - packet.transport);
	check(net_checksum_fold(sum) == 0);
	check(len - packet.payload <= le16toh(sink->header->gso_size));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct net_offload offload;
	static uint8_t frame[NET_MAX_FRAME + 100];
	struct iovec iov[MAX_PIECES];
	struct net_header header = { 0 };
	struct sink sink = { .header = &header };
	unsigned count = 0, cuts;
	size_t len = 0, times, part, ret_len = 0;
	int r;

	if (size < PREFIX)
		return 0;
	memcpy(&header, data, HEADER);
	cuts = get_le16(data + HEADER);
	times = data[HEADER + 2] < 192 ? 1 : 1 + (data[HEADER + 2] - 192u) * 32;
	data += PREFIX;
	part = size - PREFIX;
	for (size_t i = 0; i < times && part && part <= sizeof(frame) - len; i++, len += part)
		memcpy(frame + len, data, part);
	/* Each piece is an allocation of its own, so that its ends are seen. */
	for (size_t off = 0; off < len && count < MAX_PIECES;) {
		size_t n = count == MAX_PIECES - 1 ? len - off : 1 + cuts % (len - off);

		iov[count].iov_base = malloc(n);
		if (!iov[count].iov_base)
			abort();
		memcpy(iov[count].iov_base, frame + off, n);
		iov[count++].iov_len = n;
		off += n;
		cuts = cuts * 31 + 7;
	}
	r = net_offload_run(&offload, &header, iov, count, take, &sink, NULL);
	check(r < 0 ? sink.frames == 0 : sink.frames > 0);
	check(net_offload_checksum(&offload, &header, iov, count, &ret_len) == r);
	check(r < 0 || ret_len == len);
	for (unsigned i = 0; i < count; i++)
		free(iov[i].iov_base);
	return 0;
}
