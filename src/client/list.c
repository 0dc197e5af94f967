/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.c - what answers have in common: lists, and numbers that are counts
 */
#include "client/list-int.h"

#include <string.h>

int client_count(int number, struct socle_error **error)
{
	if (number >= 0)
		return number;
	client_error(error, SOCLE_ERR_RPC,
		     "the server answers with %d where a number from 0 is due", number);
	return -1;
}

int client_take_texts(rpc_text **texts, unsigned *count, char ***ret_texts)
{
	unsigned n = *count;

	*ret_texts = g_new0(char *, (size_t)n + 1);
	for (unsigned i = 0; i < n; i++)
		(*ret_texts)[i] = (*texts)[i];
	g_free(*texts);
	*texts = NULL;
	*count = 0;
	return (int)n;
}

unsigned char *client_take_bytes(const char *data, unsigned len, size_t size)
{
	unsigned char *bytes = g_malloc0(size + 1);

	if (len > 0)
		memcpy(bytes, data, MIN(len, size));
	return bytes;
}

char *client_take_chars(const char *data, unsigned len)
{
	return len > 0 ? g_strndup(data, len) : g_strdup("");
}
