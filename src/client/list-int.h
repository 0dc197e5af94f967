/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list-int.h - what answers have in common: lists, and numbers that are counts
 */
#ifndef CLIENT_LIST_INT_H
#define CLIENT_LIST_INT_H

#include "client/error-int.h"
#include "rpc/remote.h"

/* A number of something, as a server says it: -1 if it is none. */
int client_count(int number, struct socle_error **error);

/* Texts of an answer become the caller's. Return: how many. */
int client_take_texts(rpc_text **texts, unsigned *count, char ***ret_texts);

/* Bytes of an answer become the caller's: exactly @size, zeroes behind what has come. */
unsigned char *client_take_bytes(const char *data, unsigned len, size_t size);

/* Characters of an answer, with their NUL or without one; "" if there are none. */
char *client_take_chars(const char *data, unsigned len);

#endif
