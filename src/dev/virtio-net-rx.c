/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net-rx.c - frames to the guest (virtio 1.2, 5.1.6.3 and 5.1.6.4)
 *
 * Frames are pulled straight into the guest's buffers. With mergeable buffers the device keeps
 * popped chains until they hold the longest frame that there is, which is offered to the back end;
 * what a frame does not need serves the next one. Without offloads, too: the driver may have been
 * given any MTU, 65520 behind passt. A guest that has given fewer buffers than that may still have
 * enough for the frame that comes: it is then received into memory of ours and copied, and if the
 * buffers are too small it is held until there are more (HOLD_MS, so that a driver that never gives
 * enough loses this frame and not the link). So nothing is dropped because a guest is slow, and
 * nobody queues: the back end is not asked for another frame meanwhile.
 *
 * A frame that the filter refuses lies in the guest's buffers already. They stay the device's, and
 * what was written is covered by the next frame or told to nobody, as memory that a driver has lent
 * to a device may change at any time.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "dev/virtio-net-int.h"

DATA_PATH static struct virtq_chain *fifo_at(const struct net_pair *pair, unsigned i)
{
	return pair->fifo[(pair->head + i) % VIRTQ_MAX_SIZE];
}

DATA_PATH static struct virtq_chain *fifo_pop(struct net_pair *pair)
{
	struct virtq_chain *chain = fifo_at(pair, 0);

	pair->head = (pair->head + 1) % VIRTQ_MAX_SIZE;
	pair->count--;
	pair->room -= chain->in_len;
	return chain;
}

DATA_PATH static bool mergeable(const struct virtio_net *net)
{
	return virtio_has(&net->dev, VIRTIO_NET_F_MRG_RXBUF);
}

/* Do the chains that were popped hold @len bytes, header included? Without merging one must do. */
DATA_PATH static bool enough(const struct virtio_net *net, const struct net_pair *pair, size_t len)
{
	return mergeable(net) ? pair->room >= len : pair->count > 0;
}

/* Pop chains until there are enough. False: the driver has no more, and will kick. */
DATA_PATH static bool fill(struct virtio_net *net, struct net_pair *pair, struct virtq *vq,
			   size_t len)
{
	while (!enough(net, pair, len)) {
		struct virtq_chain *chain = pair->count < VIRTQ_MAX_SIZE ? virtq_pop(vq) : NULL;

		if (!chain)
			return false;
		if (chain->in_len < HEADER_LEN) {
			virtq_drop(vq, chain);
			virtq_break(vq);
			return false;
		}
		pair->fifo[(pair->head + pair->count++) % VIRTQ_MAX_SIZE] = chain;
		pair->room += chain->in_len;
	}
	return true;
}

/* As fill(), and if there are not enough, the driver is to say when there are more. */
DATA_PATH static bool fill_or_wait(struct virtio_net *net, unsigned index, size_t len)
{
	struct net_pair *pair = &net->pair[index];
	struct virtq *vq = net_rx_queue(net, index);

	if (fill(net, pair, vq, len)) {
		virtq_notify_off(vq);
		return true;
	}
	if (!virtq_ready(vq) || !virtq_notify_on(vq))
		return false;
	/* More came in between. Once is enough to look: beyond that it may have its turn. */
	if (fill(net, pair, vq, len)) {
		virtq_notify_off(vq);
		return true;
	}
	if (virtq_ready(vq) && virtq_notify_on(vq) && pair->count < VIRTQ_MAX_SIZE)
		virtio_kick_self(&net->dev, 2 * index);
	return false;
}

/*
 * The chains as a list for the back end, behind the header. How many pieces; 0: they are too small
 * or too many pieces to offer them directly.
 */
DATA_PATH static unsigned gather(struct virtio_net *net, const struct net_pair *pair,
				 struct iovec **ret_iov)
{
	struct iovec *iov = net->iov;
	size_t room = 0, need = HEADER_LEN + NET_MAX_FRAME;
	unsigned n = 0;

	for (unsigned i = 0; i < pair->count && room < need; i++) {
		const struct virtq_chain *chain = fifo_at(pair, i);

		if (chain->in_count > IOV_MAX_FRAME - n)
			return 0;
		memcpy(iov + n, chain->in, chain->in_count * sizeof(*iov));
		n += chain->in_count;
		room += chain->in_len;
		if (!mergeable(net))
			break;
	}
	if (mergeable(net) && room < need)
		return 0;
	iov_skip(&iov, &n, HEADER_LEN);
	*ret_iov = iov;
	return n;
}

/* The header for the guest; false: it is for a driver that negotiated something else. */
DATA_PATH static bool convert(const struct virtio_net *net, const struct net_header *from,
			      uint8_t *to)
{
	uint8_t flags = from->flags & (NET_HEADER_NEEDS_CSUM | NET_HEADER_DATA_VALID);
	uint8_t gso = from->gso_type & (uint8_t)~NET_GSO_ECN;
	uint64_t need = 0;

	if (gso == NET_GSO_TCPV4)
		need = VIRTIO_NET_F_GUEST_TSO4;
	else if (gso == NET_GSO_TCPV6)
		need = VIRTIO_NET_F_GUEST_TSO6;
	else if (gso != NET_GSO_NONE)
		return false;
	if (from->gso_type & NET_GSO_ECN)
		need |= VIRTIO_NET_F_GUEST_ECN;
	if (flags & NET_HEADER_NEEDS_CSUM)
		need |= VIRTIO_NET_F_GUEST_CSUM;
	if ((net->offloads & need) != need)
		return false;
	if (!(net->offloads & VIRTIO_NET_F_GUEST_CSUM))
		flags = 0;
	memset(to, 0, HEADER_LEN);
	to[0] = flags;
	to[1] = from->gso_type;
	if (gso) {
		put_le16(to + 2, le16toh(from->hdr_len));
		put_le16(to + 4, le16toh(from->gso_size));
	}
	if (flags & NET_HEADER_NEEDS_CSUM) {
		put_le16(to + 6, le16toh(from->csum_start));
		put_le16(to + 8, le16toh(from->csum_offset));
	}
	return true;
}

/* How many chains a frame of @len bytes takes. */
DATA_PATH static unsigned count_chains(const struct net_pair *pair, size_t len)
{
	size_t room = 0;
	unsigned n = 0;

	while (n < pair->count && room < HEADER_LEN + len)
		room += fifo_at(pair, n++)->in_len;
	return n;
}

/*
 * Hand over a frame of @len bytes that the chains hold or, if @data is given, are to hold: there is
 * room for it.
 */
DATA_PATH static void push(struct virtio_net *net, unsigned index, uint8_t *header,
			   const uint8_t *data, size_t len)
{
	struct net_pair *pair = &net->pair[index];
	unsigned n = mergeable(net) ? count_chains(pair, len) : 1;
	size_t left = HEADER_LEN + len, done = 0;

	put_le16(header + 10, (uint16_t)n);
	for (unsigned i = 0; i < n; i++) {
		struct virtq_chain *chain = fifo_pop(pair);
		size_t part = MIN(left, chain->in_len), skip = i ? 0 : HEADER_LEN;

		if (i == 0)
			(void)iov_copy_in(chain->in, chain->in_count, 0, header, HEADER_LEN);
		if (data)
			(void)iov_copy_in(chain->in, chain->in_count, skip, data + done,
					  part - skip);
		done += part - skip;
		left -= part;
		virtq_push(net_rx_queue(net, index), chain, part);
	}
	net->stats.rx_frames++;
	net->stats.rx_bytes += len;
	net_rate_take(net, &net->rx_rate, len);
}

/* Is the held frame still wanted, and is there room? True: it is dealt with. */
DATA_PATH static bool deliver_held(struct virtio_net *net, unsigned index)
{
	struct net_pair *pair = &net->pair[index];
	size_t len = pair->held_len, need = HEADER_LEN + len;
	uint8_t header[HEADER_LEN];

	bool fits = false;

	if (convert(net, &pair->held_header, header) && net_filter_accepts(net, pair->held, len)) {
		if (fill_or_wait(net, index, need))
			fits = mergeable(net) || fifo_at(pair, 0)->in_len >= need;
		else if (io_loop_now_ns(net->loop) < pair->held_until_ns)
			return false;
	}
	if (fits)
		push(net, index, header, pair->held, len);
	else
		net->stats.rx_dropped++;
	pair->held_len = 0;
	return true;
}

/* Receive one into memory of ours, and hand it over or hold it. */
DATA_PATH static ssize_t receive_held(struct virtio_net *net, unsigned index)
{
	struct net_pair *pair = &net->pair[index];
	struct iovec iov = { pair->held, NET_MAX_FRAME };
	ssize_t len = net->net->ops->receive(net->net, index, &pair->held_header, &iov, 1);

	if (len <= 0)
		return len;
	pair->held_len = MIN((size_t)len, NET_MAX_FRAME);
	pair->held_until_ns = io_loop_now_ns(net->loop) + HOLD_MS * 1000000ull;
	if (!deliver_held(net, index))
		io_timer_set(net->loop, &net->hold_timer, pair->held_until_ns);
	return len;
}

/* Receive one where it belongs. */
DATA_PATH static ssize_t receive_direct(struct virtio_net *net, unsigned index,
					const struct iovec *iov, unsigned n)
{
	struct net_header from;
	uint8_t header[HEADER_LEN], head[18];
	ssize_t len = net->net->ops->receive(net->net, index, &from, iov, n);
	size_t head_len;

	if (len <= 0)
		return len;
	head_len = iov_copy_out(iov, n, 0, head, MIN(sizeof(head), (size_t)len));
	if (convert(net, &from, header) && net_filter_accepts(net, head, head_len))
		push(net, index, header, NULL, (size_t)len);
	else
		net->stats.rx_dropped++;
	return len;
}

/* Receive one and throw it away. */
DATA_PATH static ssize_t receive_nothing(struct virtio_net *net, unsigned index)
{
	struct iovec iov = { net->bounce, NET_MAX_FRAME };
	struct net_header header;
	ssize_t len = net->net->ops->receive(net->net, index, &header, &iov, 1);

	net->stats.rx_dropped += len > 0;
	return len;
}

/* One frame. Its length; 0 or below: no more now. */
DATA_PATH static ssize_t receive(struct virtio_net *net, unsigned index)
{
	struct net_pair *pair = &net->pair[index];
	struct iovec *iov = NULL;
	unsigned n;

	if (!virtio_net_link_locked(net))
		return receive_nothing(net, index);
	if (!net_rate_ok(net, &net->rx_rate))
		return 0;
	(void)fill_or_wait(net, index, HEADER_LEN + NET_MAX_FRAME);
	if (!pair->count || virtq_broken(net_rx_queue(net, index)))
		return 0;
	n = gather(net, pair, &iov);
	return n ? receive_direct(net, index, iov, n) : receive_held(net, index);
}

/* That many have come: more will in a moment, and may as well come together. So may the guest's
 * answers: the doze looks at what it sends, without a notification. */
DATA_PATH static void expect_more(struct virtio_net *net, unsigned index, unsigned frames)
{
	const uint64_t now_ns = io_loop_now_ns(net->loop);

	doze_event(&net->doze, frames, now_ns);
	if (doze_begin(&net->doze, 2 * index + 1, now_ns))
		virtq_notify_off(net_tx_queue(net, index));
	/* What has come meanwhile is seen after the time is over: these stand for it. */
	doze_found(&net->doze, frames);
}

DATA_PATH void net_rx_run(struct virtio_net *net, unsigned index)
{
	struct net_pair *pair = &net->pair[index];
	unsigned frames = 0;
	size_t bytes = 0;

	if (!net->net || !virtq_ready(net_rx_queue(net, index)))
		return;
	if (!virtio_net_link_locked(net)) {
		net->stats.rx_dropped += pair->held_len > 0;
		pair->held_len = 0;
	}
	while (frames < BATCH_FRAMES && bytes < BATCH_BYTES) {
		ssize_t len;

		if (pair->held_len && !deliver_held(net, index))
			break;
		if (pair->rx_idle)
			break;
		/* Before the call: the back end may be readable again inside it. */
		pair->rx_idle = true;
		len = receive(net, index);
		if (len == -EAGAIN)
			break;
		pair->rx_idle = false;
		if (len == 0)
			break;
		frames++;
		bytes += len > 0 ? (size_t)len : 0;
	}
	virtq_flush(net_rx_queue(net, index));
	if (frames == BATCH_FRAMES || bytes >= BATCH_BYTES)
		virtio_kick_self(&net->dev, 2 * index);
	else if (frames)
		expect_more(net, index, frames);
}

void net_rx_reset(struct virtio_net *net, unsigned index)
{
	struct net_pair *pair = &net->pair[index];

	while (pair->count > 0)
		virtq_drop(net_rx_queue(net, index), fifo_pop(pair));
	pair->held_len = 0;
}
