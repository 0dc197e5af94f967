/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - a client for tests: calls go in as bytes, messages come out
 */
#ifndef TEST_MANAGE_CLIENT_H
#define TEST_MANAGE_CLIENT_H

#include <glib.h>

#include "manage/machine.h"
#include "manage/node.h"
#include "manage/peer.h"
#include "manage/store.h"
#include "rpc/message.h"

struct test_client {
	struct server *server;
	struct peer *peer;
	GQueue messages; /* of struct rpc_message that nobody has looked at */
	uint32_t serial;
	bool closed;
	char *error; /* of the last call, or NULL */
	int code, from;
};

/* One server for all clients; each that opens gets @node. */
struct server *test_server(struct node *node);

struct test_client *client_new(struct server *server, bool read_only);
/* The same, with its prologue behind it. */
struct test_client *client_open(struct server *server, bool read_only);
struct test_client *client_open_by(struct server *server, unsigned uid);
void client_free(struct test_client *c);

/* Send bytes as they are. */
void client_feed(struct test_client *c, const void *bytes, size_t len);
/* Send a call; return its serial. @body: NULL if it has none. */
uint32_t client_send(struct test_client *c, int proc, const void *body, size_t len);
uint32_t client_send_xdr(struct test_client *c, int proc, xdrproc_t xdr, const void *args);
/* With a descriptor, which is taken over; -1: only its byte comes. */
uint32_t client_send_fd(struct test_client *c, int proc, xdrproc_t xdr, const void *args, int fd);
/* What answers @serial has come? It is taken out, rpc_message_free() it; NULL: nothing yet. */
struct rpc_message *client_take(struct test_client *c, uint32_t serial);
/* Wait for it, while the main loop turns. */
struct rpc_message *client_wait(struct test_client *c, uint32_t serial);
/* Look at an answer: false if it is an error, which then stands in @c. @ret: NULL, or to be released. */
bool client_read(struct test_client *c, struct rpc_message *msg, xdrproc_t xdr, void *ret,
		 size_t size);
/* Call and wait. */
bool client_call_xdr(struct test_client *c, int proc, xdrproc_t args_xdr, const void *args,
		     xdrproc_t ret_xdr, void *ret, size_t ret_size);

#define client_call(c, proc, type, args)                           \
	client_call_xdr(c, proc, (xdrproc_t)xdr_rpc_##type##_args, \
			RPC_BODY(rpc_##type##_args, args), NULL, NULL, 0)
#define client_ask(c, proc, type, args, ret)                                                \
	client_call_xdr(c, proc, (xdrproc_t)xdr_rpc_##type##_args,                          \
			RPC_BODY(rpc_##type##_args, args), (xdrproc_t)xdr_rpc_##type##_ret, \
			RPC_BODY(rpc_##type##_ret, ret), sizeof(*(ret)))

/* The oldest event of this number, or NULL: false. @msg: to be released. */
bool client_event_xdr(struct test_client *c, int proc, xdrproc_t xdr, void *msg, size_t size);
#define client_event(c, proc, type, msg)                           \
	client_event_xdr(c, proc, (xdrproc_t)xdr_rpc_##type##_msg, \
			 RPC_BODY(rpc_##type##_msg, msg), sizeof(*(msg)))
/* How many messages are there that nobody has looked at. */
unsigned client_pending(const struct test_client *c);

/* Let the main loop do all that it has to do now, or turn for some time. */
void turn(void);
void turn_ms(unsigned ms);

/* == Domains == */

/* A domain of the driver "test" or of scripted machines. */
char *test_xml(const char *name, const char *uuid, const char *more);
rpc_domain client_define(struct test_client *c, const char *xml);
/* By name; all of its members are borrowed for ever. False: there is none. */
bool client_find(struct test_client *c, const char *name, rpc_domain *ret_dom);
int client_state(struct test_client *c, rpc_domain dom, int *ret_reason);
/* Procedures whose only argument is a domain. */
bool client_do(struct test_client *c, int proc, rpc_domain dom);
char *client_xml(struct test_client *c, rpc_domain dom, unsigned flags);

#endif
