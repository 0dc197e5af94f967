/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offload.h - what a card would do in hardware: checksums, and the cutting of large segments
 *
 * For back ends that cannot hand a frame's struct net_header on. A frame is gathered once into a
 * scratch buffer of fixed size; segments are then made in place, one after the other, the headers
 * of each written over the payload of the one before.
 *
 * Headers and frames are hostile: everything is measured against the frame's real length, hdr_len
 * is not looked at, and what does not fit together is refused as a whole.
 *
 * Threads: each struct net_offload is one thread's.
 */
#ifndef NET_OFFLOAD_H
#define NET_OFFLOAD_H

#include "base/iov.h"
#include "net/net.h"

enum {
	/* As Linux has it: below this a segment is mostly headers, and its making an attack. */
	NET_OFFLOAD_MIN_GSO = 8,
};

struct net_offload {
	uint8_t frame[NET_MAX_FRAME];
};

/* Take one frame that is complete. 0, or -errno: no more of this frame (with -EAGAIN: now). */
typedef int (*net_offload_fn)(void *opaque, uint8_t *frame, size_t len);

/* Does the frame need any work before a network without offloads can take it? */
static inline bool net_offload_needed(const struct net_header *header)
{
	return (header->flags & NET_HEADER_NEEDS_CSUM) || header->gso_type != NET_GSO_NONE;
}

/**
 * net_offload_run() - do what @header asks for, and hand out what comes of it
 * @sent: how many segments @fn has taken of this frame before it said -EAGAIN: 0 for a new frame,
 *        and it is 0 again when the frame is through. NULL: there is no second time.
 *
 * Segments are TCP over IPv4 or IPv6 without extension headers (RFC 9293; flags as hardware does
 * it: FIN and PSH on the last, CWR on the first), and UDP (one datagram of gso_size each).
 *
 * Return: 0; -EINVAL if the header does not fit the frame, nothing was handed out then; -EMSGSIZE
 *         if the frame is longer than NET_MAX_FRAME; else what @fn returned
 */
int net_offload_run(struct net_offload *offload, const struct net_header *header,
		    const struct iovec *iov, unsigned count, net_offload_fn fn, void *opaque,
		    unsigned *sent);

/**
 * net_offload_checksum() - as above, for a taker of frames of any length: only checksums
 * @ret_len: the frame's length, which is in offload->frame
 *
 * A frame to be segmented gets the checksums of one large segment.
 */
int net_offload_checksum(struct net_offload *offload, const struct net_header *header,
			 const struct iovec *iov, unsigned count, size_t *ret_len);

/* Where things are in an IP frame whose transport header is wholly there and not a fragment. */
struct net_packet {
	size_t ip, transport, payload; /* offsets */
	uint8_t version, protocol;
};

/* False if it is something else. VLAN tags (two at most) are stepped over. */
bool net_packet_parse(struct net_packet *ret_packet, const uint8_t *frame, size_t len);
/* Sum over the pseudo header, for a transport part of @len bytes. */
uint64_t net_packet_pseudo_sum(const struct net_packet *packet, const uint8_t *frame, size_t len);

/* The Internet checksum (RFC 1071): sums add up, in host byte order, until they are folded.
 * All parts but the last must be even. */
uint64_t net_checksum_add(uint64_t sum, const void *p, size_t len);
uint16_t net_checksum_fold(uint64_t sum);
/* Store it at @p as it belongs on the wire. */
void net_checksum_put(void *p, uint64_t sum);

#endif
