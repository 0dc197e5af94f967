/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake.c - a server that a test scripts, on the other end of a socket pair
 */
#include "fake.h"

#include <string.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "base/thread.h"
#include "rpc/frame.h"

const unsigned char fake_uuid[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
				      0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };

/* == Bodies == */

static void put_word(GByteArray *out, uint32_t value)
{
	uint8_t b[4];

	put_be32(b, value);
	g_byte_array_append(out, b, sizeof(b));
}

static void put_long(GByteArray *out, uint64_t value)
{
	uint8_t b[8];

	put_be64(b, value);
	g_byte_array_append(out, b, sizeof(b));
}

static void put_packed(GByteArray *out, const void *data, size_t len)
{
	static const uint8_t zero[4];

	put_word(out, (uint32_t)len);
	g_byte_array_append(out, data, (guint)len);
	g_byte_array_append(out, zero, (guint)(-len % 4));
}

static void put_text(GByteArray *out, const char *text)
{
	put_packed(out, text, strlen(text));
}

static void put_domain(GByteArray *out)
{
	put_text(out, "vm");
	g_byte_array_append(out, fake_uuid, sizeof(fake_uuid));
	put_word(out, 7);
}

static void put_hex(GByteArray *out, const char *hex)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();

	for (; hex[0]; hex += 2) {
		uint8_t b =
			(uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));

		g_byte_array_append(bytes, &b, 1);
	}
	put_packed(out, bytes->data, bytes->len);
}

static void put_chars(GByteArray *out, const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put_word(out, i < strlen(text) ? (uint32_t)text[i] : 0);
}

static void put_spec_word(GByteArray *out, const char *word)
{
	const char *rest = word + 1 + (word[1] == ':');
	double d;
	uint64_t bits;

	switch (word[0]) {
	case 'D':
		put_domain(out);
		break;
	case 'S':
		put_text(out, "snap");
		put_domain(out);
		break;
	case 'N':
		put_text(out, "net");
		g_byte_array_append(out, fake_uuid, sizeof(fake_uuid));
		break;
	case 'P':
		put_text(out, "pool");
		g_byte_array_append(out, fake_uuid, sizeof(fake_uuid));
		break;
	case 'V':
		put_text(out, "pool");
		put_text(out, "vol");
		put_text(out, "/vol");
		break;
	case 'K':
		g_byte_array_append(out, fake_uuid, sizeof(fake_uuid));
		put_word(out, SOCLE_SECRET_USAGE_CEPH);
		put_text(out, "key");
		break;
	case 'U':
		g_byte_array_append(out, fake_uuid, sizeof(fake_uuid));
		break;
	case 'i':
		put_word(out, (uint32_t)g_ascii_strtoll(rest, NULL, 0));
		break;
	case 'h':
		put_long(out, rest[0] == '-' ? (uint64_t)g_ascii_strtoll(rest, NULL, 0)
					     : g_ascii_strtoull(rest, NULL, 0));
		break;
	case 's':
		put_text(out, rest);
		break;
	case '?':
		put_word(out, 1);
		put_text(out, rest);
		break;
	case '-':
		put_word(out, 0);
		break;
	case 'o':
		put_hex(out, rest);
		break;
	case 'c':
		put_word(out, (uint32_t)strlen(rest));
		put_chars(out, rest, strlen(rest));
		break;
	case 'C':
		put_chars(out, rest, 32);
		break;
	case 'd':
		d = g_ascii_strtod(rest, NULL);
		memcpy(&bits, &d, sizeof(bits));
		put_long(out, bits);
		break;
	default:
		g_error("a body has no '%s'", word);
	}
}

GByteArray *spec_bytes(const char *spec)
{
	g_auto(GStrv) words = g_strsplit(spec, " ", -1);
	GByteArray *out = g_byte_array_new();

	for (size_t i = 0; words[i]; i++) {
		if (words[i][0] != '\0')
			put_spec_word(out, words[i]);
	}
	return out;
}

/* == Sending == */

void fake_send_bytes(struct fake *fake, const void *data, size_t len)
{
	pthread_mutex_lock(&fake->lock);
	/* A client that has gone is nothing special. */
	(void)sys_write_full(fake->fd, data, len);
	pthread_mutex_unlock(&fake->lock);
}

void fake_send(struct fake *fake, struct rpc_message *msg)
{
	struct span packet = rpc_message_packet(msg);

	fake_send_bytes(fake, packet.p, packet.len);
	rpc_message_free(msg);
}

static void send_body(struct fake *fake, const struct rpc_header *header, const char *spec)
{
	g_autoptr(GByteArray) body = spec_bytes(spec);
	struct rpc_message *msg = rpc_message_new(header);

	g_assert_true(rpc_message_put_bytes(msg, body->data, body->len, NULL));
	fake_send(fake, msg);
}

void fake_reply(struct fake *fake, const struct rpc_received *call, const char *spec)
{
	struct rpc_header header = rpc_header_answer(&call->header, RPC_STATUS_OK);

	send_body(fake, &header, spec);
}

void fake_error(struct fake *fake, const struct rpc_received *call, int code, const char *text)
{
	fake_send(fake,
		  rpc_message_new_error(&call->header, RPC_FROM_QEMU, (enum rpc_code)code, text));
}

void fake_event(struct fake *fake, int procedure, const char *spec)
{
	const struct rpc_header header = {
		.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.type = RPC_TYPE_MESSAGE,
		.serial = 1,
	};

	send_body(fake, &header, spec);
}

void fake_reply_fd(struct fake *fake, const struct rpc_received *call, int fd)
{
	struct rpc_header header = rpc_header_answer(&call->header, RPC_STATUS_OK);
	struct rpc_message *msg;

	header.type = RPC_TYPE_REPLY_WITH_FDS;
	msg = rpc_message_new(&header);
	g_assert_true(rpc_message_put_fds(msg, 1, NULL));
	fake_send(fake, msg);
	pthread_mutex_lock(&fake->lock);
	g_assert_cmpint(sys_send_fd(fake->fd, fd), ==, 1);
	pthread_mutex_unlock(&fake->lock);
}

/* == The first calls == */

static void answer_feature(struct fake *fake)
{
	if (fake->no_features)
		fake_error(fake, &fake->asked, RPC_CODE_RPC, "unknown procedure: 60");
	else
		fake_reply(fake, &fake->asked, "i1");
}

static void answer_open(struct fake *fake, const struct rpc_received *packet)
{
	struct rpc_received copy = *packet;
	rpc_connect_open_args args;

	g_assert_true(rpc_received_get(&copy, rpc_connect_open_args, &args, NULL));
	g_free(fake->opened);
	fake->opened = g_strdup(args.name ? *args.name : "(none)");
	fake->opened_flags = args.flags;
	rpc_body_release(rpc_connect_open_args, &args);
	if (fake->refusal)
		fake_error(fake, packet, RPC_CODE_NO_CONNECT, fake->refusal);
	else
		fake_reply(fake, packet, "");
	if (fake->open_first)
		answer_feature(fake);
}

/* Of libvirt's, as those that are asked for then; ours come later. */
static bool is_first_feature(const struct rpc_received *packet)
{
	struct rpc_received copy = *packet;
	rpc_connect_supports_feature_args args;

	g_assert_true(rpc_received_get(&copy, rpc_connect_supports_feature_args, &args, NULL));
	return args.feature < RPC_FEATURE_VOL_BY_FD;
}

/* Return: whether it was one of them. */
static bool first_calls(struct fake *fake, const struct rpc_received *packet)
{
	g_autofree char *auth = NULL;

	if (packet->header.program == RPC_PROGRAM_KEEPALIVE) {
		fake->pings++;
		return false;
	}
	switch (packet->header.type == RPC_TYPE_CALL ? packet->header.procedure : 0) {
	case RPC_PROC_AUTH_LIST:
		auth = g_strdup_printf("i1 i%d", (int)fake->auth);
		fake_reply(fake, packet, auth);
		return true;
	case RPC_PROC_AUTH_POLKIT:
		fake_reply(fake, packet, "i1");
		return true;
	case RPC_PROC_CONNECT_SUPPORTS_FEATURE:
		if (!is_first_feature(packet))
			return false;
		fake->asked = *packet;
		if (!fake->open_first)
			answer_feature(fake);
		return true;
	case RPC_PROC_CONNECT_OPEN:
		answer_open(fake, packet);
		return true;
	case RPC_PROC_CONNECT_CLOSE:
		fake->closes++;
		fake_reply(fake, packet, "");
		return true;
	default:
		return false;
	}
}

static void serve(void *opaque)
{
	struct fake *fake = opaque;
	autoptr(rpc_frame) frame = rpc_frame_new();
	int fd;

	pthread_mutex_lock(&fake->lock);
	fd = fake->fd;
	pthread_mutex_unlock(&fake->lock);
	for (;;) {
		struct rpc_received packet;
		size_t room;
		uint8_t *p = rpc_frame_buffer(frame, &room);
		ssize_t n = sys_read(fd, p, room);

		if (n <= 0)
			return;
		if (rpc_frame_filled(frame, (size_t)n, NULL) != RPC_FRAME_PACKET)
			continue;
		g_assert_true(rpc_received_init(&packet, rpc_frame_packet(frame), NULL));
		if (fake->mute)
			continue;
		if (!first_calls(fake, &packet) && fake->on_packet)
			fake->on_packet(fake, &packet);
	}
}

/* == A transport that reads ahead == */

struct hoard {
	struct transport transport;
	struct transport *socket;
	uint8_t bytes[65536];
	size_t off, len;
};

static struct hoard *hoard_of(struct transport *transport)
{
	return container_of(transport, struct hoard, transport);
}

static ssize_t hoard_send(struct transport *transport, const void *data, size_t len)
{
	struct transport *socket = hoard_of(transport)->socket;

	return socket->ops->send(socket, data, len);
}

static ssize_t hoard_recv(struct transport *transport, void *data, size_t len)
{
	struct hoard *hoard = hoard_of(transport);
	size_t n;

	if (hoard->len == 0) {
		ssize_t got =
			hoard->socket->ops->recv(hoard->socket, hoard->bytes, sizeof(hoard->bytes));

		if (got < 0)
			return got;
		hoard->off = 0;
		hoard->len = (size_t)got;
	}
	n = MIN(len, hoard->len);
	memcpy(data, hoard->bytes + hoard->off, n);
	hoard->off += n;
	hoard->len -= n;
	return (ssize_t)n;
}

static void hoard_free(struct transport *transport)
{
	struct hoard *hoard = hoard_of(transport);

	transport_free(hoard->socket);
	g_free(hoard);
}

static const struct transport_ops hoard_ops = {
	.send = hoard_send,
	.recv = hoard_recv,
	.free = hoard_free,
};

static struct transport *hoard_new(struct transport *socket)
{
	struct hoard *hoard = g_new0(struct hoard, 1);

	hoard->socket = socket;
	hoard->transport =
		(struct transport){ .ops = &hoard_ops, .fd = socket->fd, .secure = true };
	return &hoard->transport;
}

/* == Life == */

static void end_session(struct fake *fake)
{
	struct thread *thread = fake->thread;

	fake_hang_up(fake);
	fake->thread = NULL;
	thread_join(thread);
	fd_autoclose(&fake->fd);
}

static struct transport *fake_dial(struct dialer *dialer, bool again, uint64_t deadline,
				   char **ret_name, GError **error)
{
	struct fake *fake = container_of(dialer, struct fake, dialer);
	struct transport *socket;
	int fds[2];

	(void)again;
	(void)deadline;
	if (fake->unreachable) {
		g_set_error(error, G_IO_CHANNEL_ERROR, 0, "nobody is there");
		return NULL;
	}
	end_session(fake);
	g_assert_cmpint(sys_socketpair(AF_UNIX, SOCK_STREAM, fds), ==, 0);
	pthread_mutex_lock(&fake->lock);
	fake->fd = fds[0];
	pthread_mutex_unlock(&fake->lock);
	fake->thread = thread_start("fake", serve, fake, NULL);
	g_assert_nonnull(fake->thread);
	fake->sessions++;
	*ret_name = g_strdup("test:///default");
	socket = transport_new_socket(fds[1], true);
	return fake->hoards ? hoard_new(socket) : socket;
}

static void fake_dialer_free(struct dialer *dialer)
{
	(void)dialer;
}

static const struct dialer_ops fake_dialer_ops = {
	.dial = fake_dial,
	.free = fake_dialer_free,
};

void fake_init(struct fake *fake, void (*on_packet)(struct fake *, const struct rpc_received *))
{
	*fake = (struct fake){
		.dialer = { .ops = &fake_dialer_ops },
		.on_packet = on_packet,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.fd = -1,
	};
}

void fake_hang_up(struct fake *fake)
{
	pthread_mutex_lock(&fake->lock);
	if (fake->fd >= 0)
		(void)sys_shutdown(fake->fd, SHUT_RDWR);
	pthread_mutex_unlock(&fake->lock);
}

void fake_release(struct fake *fake)
{
	end_session(fake);
	g_free(fake->opened);
	pthread_mutex_destroy(&fake->lock);
}

/* == Tests == */

static unsigned more_flags; /* of all connections */

struct brief_test {
	void (*fn)(void);
};

static void run_brief(const void *opaque)
{
	const struct brief_test *test = opaque;

	more_flags = SOCLE_OPEN_BRIEF;
	test->fn();
	more_flags = 0;
}

void fake_add_test(const char *path, void (*fn)(void))
{
	g_autofree char *brief = g_strconcat("/brief", path, NULL);
	struct brief_test *test = g_new(struct brief_test, 1);

	test->fn = fn;
	g_test_add_func(path, fn);
	g_test_add_data_func_full(brief, test, run_brief, g_free);
}

struct socle_conn *fake_connect(struct fake *fake, unsigned flags)
{
	struct socle_error *error = NULL;
	struct socle_conn *conn = conn_open_dialer(&fake->dialer, flags | more_flags, &error);

	g_assert_cmpstr(socle_error_message(error), ==, "no error");
	g_assert_nonnull(conn);
	return conn;
}
