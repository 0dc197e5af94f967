/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net-tx.c - frames from the guest (virtio 1.2, 5.1.6.1 and 5.1.6.2)
 *
 * What a header may ask for follows from the negotiated features only; whether it fits its frame is
 * checked by who acts on it (net/offload.h, or the kernel behind a tap).
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dev/virtio-net-int.h"

/* Is what the driver asks for negotiated? Bytes without a meaning become zero. */
DATA_PATH static bool header_ok(const struct virtio_net *net, struct net_header *header)
{
	uint8_t gso = header->gso_type & (uint8_t)~NET_GSO_ECN;
	uint64_t need = 0;

	header->flags &= NET_HEADER_NEEDS_CSUM;
	header->num_buffers = 0;
	if (header->flags)
		need |= VIRTIO_NET_F_CSUM;
	else
		header->csum_start = header->csum_offset = 0;
	if (header->gso_type & NET_GSO_ECN)
		need |= VIRTIO_NET_F_HOST_ECN;
	if (gso == NET_GSO_TCPV4)
		need |= VIRTIO_NET_F_HOST_TSO4;
	else if (gso == NET_GSO_TCPV6)
		need |= VIRTIO_NET_F_HOST_TSO6;
	else if (header->gso_type != NET_GSO_NONE)
		return false;
	else
		header->hdr_len = header->gso_size = 0;
	if (gso && !header->gso_size)
		return false;
	return (net->dev.features & need) == need;
}

/* What waits is not sent any more: the back end must not go on in the middle with the next one. */
DATA_PATH static void forget(struct virtio_net *net, unsigned index)
{
	if (net->net && net->net->ops->forget)
		net->net->ops->forget(net->net, index);
}

/* 0: sent or dropped, -EAGAIN: not now. */
DATA_PATH static int transmit(struct virtio_net *net, unsigned index,
			      const struct virtq_chain *chain, size_t len)
{
	struct iovec *iov = net->iov;
	struct net_header header;
	unsigned n = chain->out_count;
	int err;

	static_assert(sizeof(header) == HEADER_LEN, "struct net_header is what is on the wire");
	(void)iov_copy_out(chain->out, n, 0, &header, HEADER_LEN);
	if (!net->net || !virtio_net_link_locked(net) || len < NET_ETHER_LEN ||
	    len > NET_MAX_FRAME || !header_ok(net, &header)) {
		net->stats.tx_dropped++;
		forget(net, index);
		return 0;
	}
	if (n > IOV_MAX_FRAME) {
		len = iov_copy_out(chain->out, n, HEADER_LEN, net->bounce, len);
		iov[0] = (struct iovec){ net->bounce, len };
		n = 1;
	} else {
		memcpy(iov, chain->out, n * sizeof(*iov));
		iov_skip(&iov, &n, HEADER_LEN);
	}
	/* Before the call: the back end may be writable again inside it. */
	net->pair[index].tx_full = true;
	err = net->net->ops->send(net->net, index, &header, iov, n);
	if (err == -EAGAIN)
		return err;
	net->pair[index].tx_full = false;
	if (err < 0) {
		net->stats.tx_dropped++;
		return 0;
	}
	net->stats.tx_frames++;
	net->stats.tx_bytes += len;
	net_rate_take(net, &net->tx_rate, len);
	return 0;
}

/* The chain that waits, or the next one. */
DATA_PATH static struct virtq_chain *next(struct virtio_net *net, unsigned index)
{
	struct virtq_chain *chain = net->pair[index].chain;
	struct virtq *vq = net_tx_queue(net, index);

	if (chain)
		return chain;
	chain = virtq_pop(vq);
	if (chain && chain->out_len < HEADER_LEN) {
		virtq_drop(vq, chain);
		virtq_break(vq);
		return NULL;
	}
	return chain;
}

enum tx_end {
	TX_EMPTY, /* there is nothing more */
	TX_BATCH, /* ... maybe, but others have their turn */
	TX_WAIT,  /* for the back end or the rate limit, which will kick */
};

DATA_PATH static enum tx_end transmit_batch(struct virtio_net *net, unsigned index,
					    unsigned *ret_frames)
{
	struct net_pair *pair = &net->pair[index];
	size_t bytes = 0;

	for (; *ret_frames < BATCH_FRAMES && bytes < BATCH_BYTES; (*ret_frames)++) {
		size_t len;

		if (!virtq_pending(net_tx_queue(net, index)) && !pair->chain)
			return TX_EMPTY;
		if (!net_rate_ok(net, &net->tx_rate))
			return TX_WAIT;
		pair->chain = next(net, index);
		if (!pair->chain)
			return TX_EMPTY;
		len = pair->chain->out_len - HEADER_LEN;
		if (transmit(net, index, pair->chain, len) < 0)
			return TX_WAIT;
		virtq_push(net_tx_queue(net, index), pair->chain, 0);
		pair->chain = NULL;
		bytes += MIN(len, NET_MAX_FRAME);
	}
	return TX_BATCH;
}

DATA_PATH void net_tx_run(struct virtio_net *net, unsigned index)
{
	struct virtq *vq = net_tx_queue(net, index);
	const uint64_t now_ns = io_loop_now_ns(net->loop);
	unsigned frames = 0;
	enum tx_end end;

	/* A link that went down has nothing to wait for. */
	if (!virtq_ready(vq) || (net->pair[index].tx_full && virtio_net_link_locked(net)))
		return;
	virtq_notify_off(vq);
	end = transmit_batch(net, index, &frames);
	if (frames) {
		doze_found(&net->doze, frames);
		doze_event(&net->doze, frames, now_ns);
	}
	if (end == TX_EMPTY && virtq_ready(vq) && !doze_begin(&net->doze, 2 * index + 1, now_ns) &&
	    virtq_notify_on(vq))
		end = TX_BATCH;
	virtq_flush(vq);
	if (end == TX_BATCH)
		virtio_kick_self(&net->dev, 2 * index + 1);
}

DATA_PATH void net_tx_take(struct virtio_device *dev, unsigned index, uint64_t now_ns)
{
	(void)now_ns;
	net_tx_run(virtio_net_of(dev), index / 2);
}

void net_tx_reset(struct virtio_net *net, unsigned index)
{
	struct net_pair *pair = &net->pair[index];

	if (!pair->chain)
		return;
	virtq_drop(net_tx_queue(net, index), pair->chain);
	pair->chain = NULL;
	forget(net, index);
}
