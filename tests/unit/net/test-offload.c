/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-offload.c - checksums and segments, against slow and plain ones made here
 */
#include "net/offload.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"

enum {
	MAX_SEGMENTS = 8192,
	TCP = 6,
	UDP = 17,
};

/* RFC 1071, word by word. */
static uint16_t slow_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get_be16(p + i), sum = (sum & 0xffff) + (sum >> 16);
	if (len % 2)
		sum += (uint32_t)p[len - 1] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* What a frame is made of. */
struct shape {
	unsigned version, protocol, vlans, ip_options, tcp_options;
	size_t payload;
	uint8_t tcp_flags;
};

struct frame {
	uint8_t data[NET_MAX_FRAME + 256];
	size_t len, ip, transport, payload;
};

static void frame_make(struct frame *f, const struct shape *s, GRand *rand)
{
	size_t off = 12;
	uint8_t *p;

	for (size_t i = 0; i < sizeof(f->data); i++)
		f->data[i] = (uint8_t)g_rand_int(rand);
	for (unsigned i = 0; i < s->vlans; i++, off += 4)
		put_be16(f->data + off, i ? 0x8100 : 0x88a8);
	put_be16(f->data + off, s->version == 4 ? 0x0800 : 0x86dd);
	f->ip = off + 2;
	f->transport = f->ip + (s->version == 4 ? 20 + s->ip_options : 40);
	f->payload = f->transport + (s->protocol == TCP ? 20 + s->tcp_options : 8);
	f->len = f->payload + s->payload;
	g_assert_cmpuint(f->len, <=, sizeof(f->data));
	p = f->data + f->ip;
	if (s->version == 4) {
		p[0] = (uint8_t)(0x40 | (20 + s->ip_options) / 4);
		put_be16(p + 2, (uint16_t)(f->len - f->ip));
		put_be16(p + 6, 0x4000);
		p[9] = (uint8_t)s->protocol;
	} else {
		p[0] = 0x60;
		put_be16(p + 4, (uint16_t)(f->len - f->transport));
		p[6] = (uint8_t)s->protocol;
	}
	if (s->protocol == TCP) {
		f->data[f->transport + 12] = (uint8_t)((20 + s->tcp_options) / 4 << 4);
		f->data[f->transport + 13] = s->tcp_flags;
	}
}

static struct net_header gso_header(const struct frame *f, const struct shape *s, unsigned size)
{
	return (struct net_header){
		.flags = NET_HEADER_NEEDS_CSUM,
		.gso_type = s->protocol == UDP ? NET_GSO_UDP_L4
					       : (s->version == 4 ? NET_GSO_TCPV4 : NET_GSO_TCPV6),
		.hdr_len = 0xffff, /* never looked at */
		.gso_size = (uint16_t)size,
		.csum_start = (uint16_t)f->transport,
		.csum_offset = s->protocol == UDP ? 6 : 16,
	};
}

/* What came out, checked on the way. */
struct sink {
	const struct frame *frame;
	const struct shape *shape;
	size_t gso_size, done;
	unsigned count;
	int fail_at, error; /* -1: never; what with */
};

static void check_sums(const struct sink *s, const uint8_t *seg, size_t len)
{
	const struct frame *f = s->frame;
	size_t part = len - f->transport;
	uint32_t pseudo = (uint32_t)(part + s->shape->protocol);

	if (s->shape->version == 4) {
		g_assert_cmphex(slow_sum(seg + f->ip, f->transport - f->ip, 0), ==, 0xffff);
		pseudo = slow_sum(seg + f->ip + 12, 8, pseudo);
	} else {
		pseudo = slow_sum(seg + f->ip + 8, 32, pseudo);
	}
	g_assert_cmphex(slow_sum(seg + f->transport, part, pseudo), ==, 0xffff);
}

static int check_segment(void *opaque, uint8_t *seg, size_t len)
{
	struct sink *s = opaque;
	const struct frame *f = s->frame;
	size_t part = len - f->payload, left = s->shape->payload - s->done;
	bool last = left <= s->gso_size;

	if (s->fail_at == (int)s->count)
		return s->error;
	g_assert_cmpuint(part, ==, last ? left : s->gso_size);
	g_assert_cmpmem(seg, f->ip, f->data, f->ip);
	g_assert_cmpmem(seg + f->payload, part, f->data + f->payload + s->done, part);
	check_sums(s, seg, len);
	if (s->shape->version == 4) {
		g_assert_cmpuint(get_be16(seg + f->ip + 2), ==, len - f->ip);
		g_assert_cmpuint(get_be16(seg + f->ip + 4), ==,
				 (uint16_t)(get_be16(f->data + f->ip + 4) + s->count));
	} else {
		g_assert_cmpuint(get_be16(seg + f->ip + 4), ==, len - f->transport);
	}
	if (s->shape->protocol == TCP) {
		uint8_t flags = s->shape->tcp_flags;

		if (!last)
			flags &= (uint8_t)~0x09;
		if (s->count)
			flags &= (uint8_t)~0x80;
		g_assert_cmphex(seg[f->transport + 13], ==, flags);
		g_assert_cmphex(get_be32(seg + f->transport + 4), ==,
				(uint32_t)(get_be32(f->data + f->transport + 4) + s->done));
	} else {
		g_assert_cmpuint(get_be16(seg + f->transport + 4), ==, len - f->transport);
	}
	s->done += part;
	s->count++;
	return 0;
}

/* A list of pieces, each an allocation of its own so that a sanitizer sees its ends. */
struct pieces {
	struct iovec iov[16];
	unsigned count;
};

static void pieces_make(struct pieces *p, const uint8_t *data, size_t len, GRand *rand)
{
	p->count = 0;
	while (len) {
		size_t n = p->count == ARRAY_SIZE(p->iov) - 1
				   ? len
				   : (size_t)g_rand_int_range(rand, 0, (int)MIN(len, 9000) + 1);

		p->iov[p->count].iov_base = g_memdup2(data, n);
		p->iov[p->count++].iov_len = n;
		data += n;
		len -= n;
	}
}

static void pieces_free(struct pieces *p)
{
	for (unsigned i = 0; i < p->count; i++)
		g_free(p->iov[i].iov_base);
}

static struct shape random_shape(GRand *rand)
{
	struct shape s = {
		.version = g_rand_boolean(rand) ? 4 : 6,
		.protocol = g_rand_int_range(rand, 0, 4) ? TCP : UDP,
		.vlans = (unsigned)g_rand_int_range(rand, 0, 3),
		.ip_options = (unsigned)g_rand_int_range(rand, 0, 11) * 4,
		.tcp_options = (unsigned)g_rand_int_range(rand, 0, 11) * 4,
		.payload = (size_t)g_rand_int_range(rand, 0, 65000),
		.tcp_flags = (uint8_t)g_rand_int(rand),
	};

	if (g_rand_boolean(rand))
		s.payload %= 5000;
	return s;
}

/* Whatever is cut comes out whole, with right numbers and sums. */
static void test_segments(void)
{
	g_autofree struct net_offload *offload = g_new(struct net_offload, 1);
	g_autofree struct frame *f = g_new(struct frame, 1);
	GRand *rand = g_rand_new_with_seed(1);

	for (unsigned i = 0; i < 400; i++) {
		struct shape s = random_shape(rand);
		unsigned size = (unsigned)g_rand_int_range(rand, NET_OFFLOAD_MIN_GSO, 9000);
		struct sink sink = { .frame = f, .shape = &s, .gso_size = size, .fail_at = -1 };
		struct net_header header;
		struct pieces pieces;
		size_t real;

		frame_make(f, &s, rand);
		real = f->len - (s.version == 4 ? f->ip : f->transport);
		header = gso_header(f, &s, size);
		pieces_make(&pieces, f->data, f->len, rand);
		if (real > 65535) {
			g_assert_cmpint(net_offload_run(offload, &header, pieces.iov, pieces.count,
							check_segment, &sink, NULL),
					==, -EINVAL);
		} else {
			g_assert_cmpint(net_offload_run(offload, &header, pieces.iov, pieces.count,
							check_segment, &sink, NULL),
					==, 0);
			g_assert_cmpuint(sink.done, ==, s.payload);
		}
		pieces_free(&pieces);
	}
	g_rand_free(rand);
}

/* A taker that has no more room gets the rest another time, and nothing twice. */
static void test_resume(void)
{
	g_autofree struct net_offload *offload = g_new(struct net_offload, 1);
	g_autofree struct frame *f = g_new(struct frame, 1);
	const struct shape s = { .version = 6, .protocol = TCP, .payload = 30000 };
	struct sink sink = { .frame = f, .shape = &s, .gso_size = 1000, .error = -EAGAIN };
	GRand *rand = g_rand_new_with_seed(7);
	struct net_header header;
	unsigned sent = 0;
	struct iovec iov;
	int r = -EAGAIN;

	frame_make(f, &s, rand);
	header = gso_header(f, &s, 1000);
	iov = (struct iovec){ f->data, f->len };
	for (unsigned i = 0; r < 0; i += 7) {
		g_assert_cmpuint(i, <, 30 + 7);
		g_assert_cmpint(r, ==, -EAGAIN);
		sink.fail_at = (int)i;
		r = net_offload_run(offload, &header, &iov, 1, check_segment, &sink, &sent);
		g_assert_cmpuint(sent, ==, r < 0 ? i : 0);
	}
	g_assert_cmpint(r, ==, 0);
	g_assert_cmpuint(sink.done, ==, s.payload);
	/* Another error ends the frame, and the next one starts anew. */
	sink = (struct sink){ .frame = f, .shape = &s, .gso_size = 1000, .error = -EPIPE };
	sink.fail_at = 2;
	g_assert_cmpint(net_offload_run(offload, &header, &iov, 1, check_segment, &sink, &sent), ==,
			-EPIPE);
	g_assert_cmpuint(sent, ==, 0);
	g_rand_free(rand);
}

/* The same without the cutting, for who takes large frames. */
static void test_whole(void)
{
	g_autofree struct net_offload *offload = g_new(struct net_offload, 1);
	g_autofree struct frame *f = g_new(struct frame, 1);
	const struct shape s = {
		.version = 4, .protocol = TCP, .payload = 60001, .tcp_flags = 0x18
	};
	struct sink sink = { .frame = f, .shape = &s, .gso_size = 65535, .fail_at = -1 };
	GRand *rand = g_rand_new_with_seed(2);
	struct net_header header;
	struct iovec iov;
	size_t len = 0;

	frame_make(f, &s, rand);
	header = gso_header(f, &s, 1460);
	iov = (struct iovec){ f->data, f->len };
	g_assert_cmpint(net_offload_checksum(offload, &header, &iov, 1, &len), ==, 0);
	g_assert_cmpuint(len, ==, f->len);
	g_assert_cmpint(check_segment(&sink, offload->frame, len), ==, 0);
	g_rand_free(rand);
}

static int keep(void *opaque, uint8_t *frame, size_t len)
{
	GByteArray *array = opaque;

	g_byte_array_append(array, frame, (guint)len);
	return 0;
}

/* A checksum alone: over what stands there, wherever it is wanted. */
static void test_checksum(void)
{
	g_autofree struct net_offload *offload = g_new(struct net_offload, 1);
	GRand *rand = g_rand_new_with_seed(3);

	for (unsigned i = 0; i < 2000; i++) {
		g_autoptr(GByteArray) out = g_byte_array_new();
		size_t len = (size_t)g_rand_int_range(rand, 20, 1600);
		size_t start = (size_t)g_rand_int_range(rand, 0, (int)len - 2);
		size_t off = (size_t)g_rand_int_range(rand, 0, (int)(len - start - 1));
		const struct net_header header = {
			.flags = NET_HEADER_NEEDS_CSUM,
			.csum_start = (uint16_t)start,
			.csum_offset = (uint16_t)off,
		};
		g_autofree uint8_t *data = g_malloc(len);
		const struct iovec iov = { data, len };
		uint16_t expected;

		for (size_t k = 0; k < len; k++)
			data[k] = (uint8_t)g_rand_int(rand);
		expected = (uint16_t)~slow_sum(data + start, len - start, 0);
		if (!expected)
			expected = 0xffff;
		/* At an odd place the two bytes trade places. */
		g_assert_cmpint(net_offload_run(offload, &header, &iov, 1, keep, out, NULL), ==, 0);
		g_assert_cmpuint(out->len, ==, len);
		g_assert_cmphex(get_be16(out->data + start + off), ==, expected);
		put_be16(data + start + off, expected);
		g_assert_cmpmem(out->data, len, data, len);
	}
	g_rand_free(rand);
}

/* The fast sum is the slow one at any length and alignment. */
static void test_sum(void)
{
	g_autofree uint8_t *data = g_malloc(70000);

	for (unsigned fill = 0; fill < 2; fill++) {
		for (size_t i = 0; i < 70000; i++)
			data[i] = fill ? 0xff : (uint8_t)(i * 2654435761u >> 13);
		for (size_t len = 0; len < 300; len++) {
			uint8_t sum[2];

			net_checksum_put(sum, net_checksum_add(0, data + len % 7, len));
			g_assert_cmphex(get_be16(sum), ==,
					(uint16_t)~slow_sum(data + len % 7, len, 0));
		}
		for (size_t len = 65000; len < 70000; len += 501) {
			uint8_t sum[2];

			/* -1 in the host's order, 0xfffe, is 0xfeff on the wire. */
			net_checksum_put(sum, net_checksum_add(UINT64_MAX - 1, data, len));
			g_assert_cmphex(get_be16(sum), ==, (uint16_t)~slow_sum(data, len, 0xfeff));
		}
	}
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is given */
static int refuse_any(void *opaque, uint8_t *frame, size_t len)
{
	(void)opaque;
	(void)frame;
	(void)len;
	g_assert_not_reached();
}

static void assert_refused(const struct frame *f, size_t len, struct net_header header)
{
	g_autofree struct net_offload *offload = g_new(struct net_offload, 1);
	g_autofree uint8_t *copy = g_memdup2(f->data, len);
	const struct iovec iov = { copy, len };
	size_t ret_len;

	g_assert_cmpint(net_offload_run(offload, &header, &iov, 1, refuse_any, NULL, NULL), ==,
			-EINVAL);
	g_assert_cmpint(net_offload_checksum(offload, &header, &iov, 1, &ret_len), ==, -EINVAL);
}

/* Lessons 5 and 8: what a header says is measured against the frame. */
static void test_lessons_5_8_headers(void)
{
	g_autofree struct frame *f = g_new(struct frame, 1);
	const struct shape v4 = { .version = 4, .protocol = TCP, .payload = 4000 };
	const struct shape v6 = { .version = 6, .protocol = TCP, .payload = 4000 };
	GRand *rand = g_rand_new_with_seed(4);
	struct net_header good, h;

	frame_make(f, &v4, rand);
	good = gso_header(f, &v4, 1460);
#define REFUSED(change)                       \
	do {                                  \
		h = good;                     \
		change;                       \
		assert_refused(f, f->len, h); \
		frame_make(f, &v4, rand);     \
	} while (0)
	REFUSED(h.gso_size = 0);
	REFUSED(h.gso_size = NET_OFFLOAD_MIN_GSO - 1);
	REFUSED(h.gso_type = NET_GSO_TCPV6);
	REFUSED(h.gso_type = NET_GSO_UDP);
	REFUSED(h.gso_type = NET_GSO_UDP_L4);
	REFUSED(h.gso_type = 2);
	REFUSED(h.gso_type = NET_GSO_ECN);
	REFUSED(h.gso_type = 0x7f);
	REFUSED(h.flags = 0);
	REFUSED(h.csum_start = 0);
	REFUSED(h.csum_start = 0xffff);
	REFUSED(h.csum_offset = 0xffff);
	REFUSED(h.csum_offset = 15);
	REFUSED((h.gso_type = NET_GSO_NONE, h.csum_start = (uint16_t)f->len));
	REFUSED((h.gso_type = NET_GSO_NONE, h.csum_offset = (uint16_t)(f->len - f->transport - 1)));
	/* The frame's own words: header lengths, version, protocol, fragments, total length. */
	REFUSED(f->data[f->ip] = 0x44);
	REFUSED(f->data[f->ip] = 0x65);
	REFUSED(f->data[f->ip + 9] = UDP);
	REFUSED(f->data[f->ip + 9] = 50);
	REFUSED(put_be16(f->data + f->ip + 6, 0x2000));
	REFUSED(put_be16(f->data + f->ip + 6, 0x0001));
	REFUSED(put_be16(f->data + f->ip + 2, 40));
	REFUSED(put_be16(f->data + f->ip + 2, 0xffff));
	REFUSED(f->data[f->transport + 12] = 0x40);
	REFUSED(put_be16(f->data + 12, 0x0806));
	REFUSED(put_be16(f->data + 12, 0x8100));
#undef REFUSED
	/* Too short for each of its headers. */
	for (size_t len = 0; len < f->payload; len++)
		assert_refused(f, len, good);

	frame_make(f, &v6, rand);
	good = gso_header(f, &v6, 1440);
	/* Extension headers: hop by hop, routing, fragment, destination. */
	for (unsigned i = 0; i < 4; i++) {
		f->data[f->ip + 6] = (uint8_t[]){ 0, 43, 44, 60 }[i];
		assert_refused(f, f->len, good);
	}
	f->data[f->ip + 6] = TCP;
	for (size_t len = 0; len < f->payload; len++)
		assert_refused(f, len, good);
	g_rand_free(rand);
}

/* Lesson 9: sizes round the limits of the buffer. */
static void test_lesson_9_sizes(void)
{
	g_autofree struct net_offload *offload = g_new(struct net_offload, 1);
	g_autofree uint8_t *data = g_malloc0(NET_MAX_FRAME + 64);
	const struct net_header none = { 0 };

	for (size_t len = NET_MAX_FRAME - 8; len < NET_MAX_FRAME + 8; len++) {
		g_autoptr(GByteArray) out = g_byte_array_new();
		const struct iovec iov[] = { { data, 12 }, { data + 12, len - 12 } };
		int r = net_offload_run(offload, &none, iov, 2, keep, out, NULL);

		g_assert_cmpint(r, ==, len <= NET_MAX_FRAME ? 0 : -EMSGSIZE);
		g_assert_cmpuint(out->len, ==, len <= NET_MAX_FRAME ? len : 0);
	}
	/* Lesson 3: lengths that overflow their sum. */
	const struct iovec huge[] = { { data, SIZE_MAX - 2 }, { data, 10 } };

	g_assert_cmpuint(iov_len(huge, 2), ==, SIZE_MAX);
	g_assert_cmpint(net_offload_run(offload, &none, huge, 2, keep, NULL, NULL), ==, -EMSGSIZE);
}

static void test_failing_taker(void)
{
	g_autofree struct net_offload *offload = g_new(struct net_offload, 1);
	g_autofree struct frame *f = g_new(struct frame, 1);
	const struct shape s = { .version = 6, .protocol = TCP, .payload = 9000 };
	struct sink sink = {
		.frame = f, .shape = &s, .gso_size = 1440, .fail_at = 3, .error = -EPIPE
	};
	GRand *rand = g_rand_new_with_seed(5);
	struct net_header header;
	struct iovec iov;

	frame_make(f, &s, rand);
	header = gso_header(f, &s, 1440);
	iov = (struct iovec){ f->data, f->len };
	g_assert_cmpint(net_offload_run(offload, &header, &iov, 1, check_segment, &sink, NULL), ==,
			-EPIPE);
	g_assert_cmpuint(sink.count, ==, 3);
	g_rand_free(rand);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/net/offload/segments", test_segments);
	g_test_add_func("/net/offload/resume", test_resume);
	g_test_add_func("/net/offload/whole", test_whole);
	g_test_add_func("/net/offload/checksum", test_checksum);
	g_test_add_func("/net/offload/sum", test_sum);
	g_test_add_func("/net/offload/lessons-5-8-headers", test_lessons_5_8_headers);
	g_test_add_func("/net/offload/lessons-3-9-sizes", test_lesson_9_sizes);
	g_test_add_func("/net/offload/failing-taker", test_failing_taker);
	return g_test_run();
}
