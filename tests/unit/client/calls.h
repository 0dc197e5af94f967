/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls.h - calls of the library, what they are to send, and what they are to make of the answer
 */
#ifndef TESTS_CLIENT_CALLS_H
#define TESTS_CLIENT_CALLS_H

#include "client/socle.h"
#include "fake.h"

/* What a call is made with. */
struct env {
	struct socle_conn *conn;
	struct socle_domain *dom;
	struct socle_snapshot *snap;
	struct socle_network *net;
	struct socle_pool *pool;
	struct socle_volume *vol;
	struct socle_secret *secret;
	struct socle_error *error;
};

struct case_ {
	const char *name;
	/* Make the call; say what came out of it, for g_free(). */
	char *(*run)(struct env *e);
	int procedure;
	const char *args; /* as spec_bytes() has it */
	const char *ret;
	const char *result;
	/* A call that is made before, and its answer. */
	int first;
	const char *first_ret;
};

/* Run all of them, each also with an error as its answer, and with an answer cut off anywhere. */
int calls_main(int argc, char **argv, const struct case_ *cases, size_t count);

/* What came out of it. Those with pointers give back what they get. */
char *say_int(int64_t value);
char *say_text(char *text);
char *say_texts(int count, char **texts);
char *say_params(struct socle_params *params);
char *say_domain(struct socle_domain *dom);
char *say_snapshot(struct socle_snapshot *snap);
char *say_snapshots(int count, struct socle_snapshot **snaps);
char *say_network(struct socle_network *net);
char *say_pool(struct socle_pool *pool);
char *say_volume(struct socle_volume *vol);
char *say_secret(struct socle_secret *secret);
/* "-1" if it failed, else the text, which is freed or handed on. */
char *say_if(int rc, char *text);

/* The name of a struct swallows the semicolon. */
#define RUN(name, expression)                  \
	static char *run_##name(struct env *e) \
	{                                      \
		return expression;             \
	}                                      \
	struct env
#define ERR (&e->error)
#define CASE(name, NAME, args, ret, result)                                    \
	{                                                                      \
#name, run_##name, RPC_PROC_##NAME, args, ret, result, 0, NULL \
	}
#define CASE2(name, FIRST, first_ret, NAME, args, ret, result)                                     \
	{                                                                                          \
#name, run_##name, RPC_PROC_##NAME, args, ret, result, RPC_PROC_##FIRST, first_ret \
	}

#endif
