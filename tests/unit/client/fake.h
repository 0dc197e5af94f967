/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake.h - a server that a test scripts, on the other end of a socket pair
 *
 * It makes the first calls of a client go well by itself; all else goes to the test, on the fake's
 * thread.
 */
#ifndef TESTS_CLIENT_FAKE_H
#define TESTS_CLIENT_FAKE_H

#include "client/conn-int.h"
#include "client/socle.h"
#include "rpc/message.h"
#include "rpc/procedure.h"

struct fake {
	struct dialer dialer;
	/* What to do about a packet of a client. */
	void (*on_packet)(struct fake *fake, const struct rpc_received *packet);
	void *opaque;
	bool no_features;          /* an old server: it does not know what they are */
	bool open_first;           /* CONNECT_OPEN is answered before what was asked before it */
	const char *refusal;       /* of CONNECT_OPEN */
	struct rpc_received asked; /* by the last question for a feature: the header */
	bool hoards;               /* the client's transport reads ahead, as TLS does */
	enum rpc_auth_type auth;
	char *opened; /* what CONNECT_OPEN asked for */
	unsigned opened_flags;
	atomic_uint sessions; /* how often a client has connected */
	atomic_bool unreachable;
	atomic_bool mute;   /* says nothing from the first call on */
	atomic_uint closes; /* CONNECT_CLOSE */
	atomic_uint pings;

	pthread_mutex_t lock; /* guards all below */
	int fd;
	struct thread *thread;
};

void fake_init(struct fake *fake, void (*on_packet)(struct fake *, const struct rpc_received *));
/* After the last connection to it has gone. */
void fake_release(struct fake *fake);

/* A test, and the same once more with connections that have no thread until they need one. */
void fake_add_test(const char *path, void (*fn)(void));
/* A connection to it; must be possible. */
struct socle_conn *fake_connect(struct fake *fake, unsigned flags);
/* Hang up on the client. */
void fake_hang_up(struct fake *fake);

/* Send a packet, which is freed. */
void fake_send(struct fake *fake, struct rpc_message *msg);
void fake_send_bytes(struct fake *fake, const void *data, size_t len);
/* Answer a call with a body as spec.h has it, or with an error. */
void fake_reply(struct fake *fake, const struct rpc_received *call, const char *spec);
void fake_error(struct fake *fake, const struct rpc_received *call, int code, const char *text);
void fake_event(struct fake *fake, int procedure, const char *spec);
/* Descriptors behind a reply. */
void fake_reply_fd(struct fake *fake, const struct rpc_received *call, int fd);

/*
 * A body, written down as the protocol's tables have it. Words are parted by blanks:
 *
 *	D		the domain of tests: "vm", id 7
 *	S		the snapshot of tests: "snap", of that domain
 *	U		its UUID
 *	N P V		the network "net", the pool "pool" of that UUID, its volume "vol" with the key "/vol"
 *	K		the secret of that UUID, for Ceph's "key"
 *	i5 h5		a number of 4 or 8 bytes; counts, too
 *	s:text		a text
 *	?:text -	a text that may be missing: here it is, and here not
 *	o:0aff		bytes, packed
 *	c:text		characters of 4 bytes each
 *	C:text		the same, 32 of them without a count
 *	d2.5		a double
 */
GByteArray *spec_bytes(const char *spec);

extern const unsigned char fake_uuid[16];

#endif
