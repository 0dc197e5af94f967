/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nft.c - the host's rules for packets, by nftables' own library and language
 */
#include "host/nft.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "base/error.h"
#include "host/netlink.h"

static bool run(const char *text, char **ret_output, GError **error)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	const char *why;
	bool ok;

	if (!ctx)
		return error_set(error, SOCLE_ERROR_FAILED, "nftables cannot be used here");
	nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS |
					      NFT_CTX_OUTPUT_NUMERIC_PROTO);
	nft_ctx_buffer_output(ctx);
	nft_ctx_buffer_error(ctx);
	ok = nft_run_cmd_from_buffer(ctx, text) == 0;
	if (ok && ret_output)
		*ret_output = g_strdup(nft_ctx_get_output_buffer(ctx));
	why = nft_ctx_get_error_buffer(ctx);
	/* What follows in other lines is the place in the text. */
	if (!ok)
		error_set(error, SOCLE_ERROR_FAILED, "the rules for packets are refused: %.*s",
			  (int)strcspn(why, "\n"), why);
	nft_ctx_free(ctx);
	return ok;
}

bool nft_apply(const char *text, GError **error)
{
	return run(text, NULL, error);
}

char *nft_list(const char *command, GError **error)
{
	char *output = NULL;

	return run(command, &output, error) ? output : NULL;
}

int nft_watch(void)
{
	return netlink_watch(NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1));
}
