/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-calls-secret.c - calls about secrets
 */
#include "calls.h"

#include <string.h>

static char *run_list(struct env *e)
{
	struct socle_secret **secrets = NULL;
	int count = socle_secret_list(
		e->conn, SOCLE_SECRET_LIST_PRIVATE | SOCLE_SECRET_LIST_NO_EPHEMERAL, &secrets, ERR);
	char *said =
		say_if(count, g_strdup_printf("%d %s", count,
					      count > 0 ? socle_secret_usage_id(secrets[1]) : ""));

	socle_secrets_free(secrets);
	return said;
}

/* Bytes as they are, with the NUL that does not count behind them. */
static char *run_get_value(struct env *e)
{
	size_t len = 77;
	unsigned char *value = socle_secret_get_value(e->secret, 0, &len, ERR);
	char *said;

	if (!value) {
		g_assert_cmpuint(len, ==, 77);
		return g_strdup("NULL");
	}
	g_assert_cmpuint(value[len], ==, 0);
	said = g_strdup_printf("%zu", len);
	for (size_t i = 0; i < len; i++) {
		g_autofree char *before = said;

		said = g_strdup_printf("%s %02x", before, value[i]);
	}
	socle_secret_value_free(value, len);
	return said;
}

RUN(number, say_int(socle_secret_list(e->conn, 0, NULL, ERR)));
RUN(by_uuid, say_secret(socle_secret_by_uuid(e->conn, fake_uuid, ERR)));
RUN(by_uuid_text,
    say_secret(socle_secret_by_uuid_text(e->conn, "01234567-89AB-cdef-fedc-ba9876543210", ERR)));
RUN(by_usage, say_secret(socle_secret_by_usage(e->conn, SOCLE_SECRET_USAGE_CEPH, "key", ERR)));
RUN(define, say_secret(socle_secret_define(e->conn, "<s/>", SOCLE_SECRET_DEFINE_VALIDATE, ERR)));
RUN(undefine, say_int(socle_secret_undefine(e->secret, ERR)));
RUN(xml, say_text(socle_secret_xml(e->secret, 0, ERR)));
RUN(set_value, say_int(socle_secret_set_value(e->secret, "a\0b", 3, 0, ERR)));
RUN(set_nothing, say_int(socle_secret_set_value(e->secret, NULL, 0, 0, ERR)));

static const struct case_ cases[] = {
	CASE(list, CONNECT_LIST_ALL_SECRETS, "i1 i6", "i2 K K i2", "2 key"),
	CASE(number, CONNECT_LIST_ALL_SECRETS, "i0 i0", "i0 i5", "5"),
	CASE(by_uuid, SECRET_LOOKUP_BY_UUID, "U", "K", "ceph key"),
	CASE(by_uuid_text, SECRET_LOOKUP_BY_UUID, "U", "K", "ceph key"),
	CASE(by_usage, SECRET_LOOKUP_BY_USAGE, "i2 s:key", "K", "ceph key"),
	CASE(define, SECRET_DEFINE_XML, "s:<s/> i1", "K", "ceph key"),
	CASE(undefine, SECRET_UNDEFINE, "K", "", "0"),
	CASE(xml, SECRET_GET_XML_DESC, "K i0", "s:<s/>", "<s/>"),
	CASE(set_value, SECRET_SET_VALUE, "K o:610062 i0", "", "0"),
	CASE(set_nothing, SECRET_SET_VALUE, "K o: i0", "", "0"),
	CASE(get_value, SECRET_GET_VALUE, "K i0", "o:ff000a41", "4 ff 00 0a 41"),
	{ "get_nothing", run_get_value, RPC_PROC_SECRET_GET_VALUE, "K i0", "o:", "0", 0, NULL },
};

int main(int argc, char **argv)
{
	return calls_main(argc, argv, cases, G_N_ELEMENTS(cases));
}
