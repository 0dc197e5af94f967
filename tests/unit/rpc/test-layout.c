/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-layout.c - what every body looks like on the wire, and every limit, against a golden list
 *
 * A body is decoded from a stream of which each word is 1: each list has one entry, each text one
 * byte, and what is optional is there. Then one word after the other is made something else, and what
 * the decoder does next says what the word is. In the list:
 *
 *	i       a word of which any value will do
 *	?       0 if what follows is missing
 *	<N>     at most N
 *	bN      N bytes, packed
 *
 * A number behind it: so many of them. REGENERATE=1 writes the list.
 */
#include <string.h>

#include <glib.h>

#include "base/cleanup.h"
#include "rpc/procedure.h"

enum {
	NO_WORD = -1,
	MAX_WORDS = 256,
};

struct probe {
	int words;      /* read so far */
	int special;    /* which one is not 1 */
	uint32_t value; /* but this */
	bool end;       /* nothing comes behind that one */
	bool went_on;   /* something was wanted behind it */
	char **kinds;   /* NULL, or those that are known, by word */
};

static bool has_ended(struct probe *probe)
{
	if (probe->special == NO_WORD || probe->words <= probe->special)
		return false;
	probe->went_on = true;
	return probe->end;
}

static bool_t probe_getlong(XDR *xdrs, long *ret_value)
{
	struct probe *probe = xdrs->x_private;

	if (has_ended(probe))
		return FALSE;
	g_assert_cmpint(probe->words, <, MAX_WORDS);
	*ret_value = probe->words == probe->special ? (int32_t)probe->value : 1;
	probe->words++;
	return TRUE;
}

/* Bytes stand behind the word that was read last; those that fill it up are not told of. */
static bool_t probe_getbytes(XDR *xdrs, char *bytes, u_int len)
{
	struct probe *probe = xdrs->x_private;

	if (has_ended(probe))
		return FALSE;
	memset(bytes, 0, len);
	if (len == 3)
		return TRUE;
	g_assert_cmpint(probe->words, <, MAX_WORDS);
	if (probe->kinds)
		probe->kinds[probe->words] = g_strdup_printf("b%u", len);
	probe->words++;
	return TRUE;
}

static u_int probe_getpos(XDR *xdrs)
{
	(void)xdrs;
	return 0;
}

static int32_t *probe_inline(XDR *xdrs, u_int len)
{
	(void)xdrs;
	(void)len;
	return NULL;
}

static const struct xdr_ops probe_ops = {
	.x_getlong = probe_getlong,
	.x_getbytes = probe_getbytes,
	.x_getpostn = probe_getpos,
	.x_inline = probe_inline,
};

static bool decode(const struct rpc_layout *layout, struct probe *probe)
{
	g_autofree void *body = g_malloc0(layout->size);
	XDR in = { .x_op = XDR_DECODE, .x_ops = &probe_ops, .x_private = probe };
	bool ok = layout->xdr(&in, body);

	xdr_free(layout->xdr, body);
	return ok;
}

/* Is @value a possible one for word @k, whatever comes behind it? */
static bool takes(const struct rpc_layout *layout, int k, uint32_t value)
{
	struct probe probe = { .special = k, .value = value, .end = true };

	return decode(layout, &probe) || probe.went_on;
}

static char *limit_of(const struct rpc_layout *layout, int k)
{
	static const uint32_t limits[] = {
		4194304, 16384, 7,    16,   20,   32,    64,     256,
		257,     1024,  2048, 4097, 8192, 65536, 262144, 8388608
	};

	for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
		if (takes(layout, k, limits[i]) && !takes(layout, k, limits[i] + 1))
			return g_strdup_printf("<%u>", limits[i]);
	}
	return g_strdup("<none of those that there are>");
}

static char *kind_of(const struct rpc_layout *layout, int k, int words)
{
	struct probe probe = { .special = k, .value = 0 };

	if (!takes(layout, k, UINT32_MAX))
		return limit_of(layout, k);
	return g_strdup(decode(layout, &probe) && probe.words < words ? "?" : "i");
}

/* "NAME i2 <16> b16 i" */
static void describe(GString *out, const struct rpc_layout *layout)
{
	char *kinds[MAX_WORDS] = { NULL };
	struct probe probe = { .special = NO_WORD, .kinds = kinds };
	int same = 1;

	if (!layout->xdr)
		return;
	g_assert_true(decode(layout, &probe));
	g_string_append(out, layout->type);
	for (int k = 0; k < probe.words; k++) {
		if (!kinds[k])
			kinds[k] = kind_of(layout, k, probe.words);
		same = k > 0 && !strcmp(kinds[k], kinds[k - 1]) && kinds[k][0] == 'i' ? same + 1
										      : 1;
		if (same == 2)
			g_string_append_c(out, '2');
		else if (same > 2)
			g_string_append_printf(
				g_string_truncate(out, out->len - (same > 10 ? 2 : 1)), "%d", same);
		else
			g_string_append_printf(out, " %s", kinds[k]);
	}
	g_string_append_c(out, '\n');
	for (int k = 0; k < probe.words; k++)
		g_free(kinds[k]);
}

static const char *golden;

static void test_layouts(void)
{
	static const struct rpc_layout others[] = {
		{ "rpc_error", (xdrproc_t)xdr_rpc_error, sizeof(rpc_error) },
		{ "rpc_stream_hole", (xdrproc_t)xdr_rpc_stream_hole, sizeof(rpc_stream_hole) },
	};
	g_autoptr(GError) error = NULL;
	g_autofree char *want = NULL;
	GString *out = g_string_new(NULL);
	g_auto(GStrv) want_lines = NULL, lines = NULL;

	for (size_t i = 0; i < rpc_procedures_count; i++) {
		describe(out, &rpc_procedures[i].args);
		describe(out, &rpc_procedures[i].ret);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		describe(out, &others[i]);
	if (!g_strcmp0(g_getenv("REGENERATE"), "1"))
		g_file_set_contents(golden, out->str, (gssize)out->len, &error);
	g_assert_no_error(error);
	g_file_get_contents(golden, &want, NULL, &error);
	g_assert_no_error(error);
	want_lines = g_strsplit(want, "\n", -1);
	lines = g_strsplit(out->str, "\n", -1);
	for (size_t i = 0; lines[i] && want_lines[i]; i++)
		g_assert_cmpstr(lines[i], ==, want_lines[i]);
	g_assert_cmpuint(g_strv_length(lines), ==, g_strv_length(want_lines));
	g_string_free(out, TRUE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (argc != 2)
		g_error("usage: %s LIST", argv[0]);
	golden = argv[1];
	g_test_add_func("/rpc/layout/all", test_layouts);
	return g_test_run();
}
