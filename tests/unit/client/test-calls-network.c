/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-calls-network.c - calls about networks
 */
#include "calls.h"

static char *run_list(struct env *e)
{
	struct socle_network **nets = NULL;
	int count = socle_network_list(e->conn, SOCLE_NETWORK_LIST_ACTIVE, &nets, ERR);
	char *said = say_if(count, g_strdup_printf("%d %s", count,
						   count > 0 ? socle_network_name(nets[0]) : ""));

	socle_networks_free(nets);
	return said;
}

static const char *or_none(const char *text)
{
	return text ? text : "none";
}

static char *run_leases(struct env *e)
{
	struct socle_lease *leases = NULL;
	int count = socle_network_leases(e->net, "52:54", 0, &leases, ERR);
	GString *said = g_string_new(NULL);

	for (int i = 0; i < count; i++)
		g_string_append_printf(said, "%s %d %d %s %s %s/%u %s %s; ", leases[i].iface,
				       (int)leases[i].expiry_s, leases[i].type,
				       or_none(leases[i].mac), or_none(leases[i].iaid),
				       leases[i].address, leases[i].prefix,
				       or_none(leases[i].hostname), or_none(leases[i].client_id));
	socle_leases_free(leases);
	return say_if(count, g_string_free(said, FALSE));
}

RUN(number, say_int(socle_network_list(e->conn, 0, NULL, ERR)));
RUN(by_name, say_network(socle_network_by_name(e->conn, "net", ERR)));
RUN(by_uuid, say_network(socle_network_by_uuid(e->conn, fake_uuid, ERR)));
RUN(by_uuid_text,
    say_network(socle_network_by_uuid_text(e->conn, "0123456789ABcdeffedcba9876543210", ERR)));
RUN(define, say_network(socle_network_define(e->conn, "<n/>", 0, ERR)));
RUN(define_flags, say_network(socle_network_define(e->conn, "<n/>", 1, ERR)));
RUN(create_xml, say_network(socle_network_create_xml(e->conn, "<n/>", ERR)));
RUN(create, say_int(socle_network_create(e->net, ERR)));
RUN(destroy, say_int(socle_network_destroy(e->net, ERR)));
RUN(undefine, say_int(socle_network_undefine(e->net, ERR)));
RUN(xml, say_text(socle_network_xml(e->net, 1, ERR)));
RUN(bridge, say_text(socle_network_bridge(e->net, ERR)));
RUN(get_autostart, say_int(socle_network_get_autostart(e->net, ERR)));
RUN(set_autostart, say_int(socle_network_set_autostart(e->net, true, ERR)));
RUN(is_active, say_int(socle_network_is_active(e->net, ERR)));
RUN(is_persistent, say_int(socle_network_is_persistent(e->net, ERR)));
RUN(get_metadata, say_text(socle_network_get_metadata(e->net, 2, "urn:x", 1, ERR)));
RUN(set_metadata, say_int(socle_network_set_metadata(e->net, 2, "<t/>", "k", "urn:x", 3, ERR)));
RUN(lease_number, say_int(socle_network_leases(e->net, NULL, 0, NULL, ERR)));
RUN(update, say_int(socle_network_update(e->net, SOCLE_NETWORK_ADD_LAST, SOCLE_NETWORK_IP_DHCP_HOST,
					 -1, "<host/>", SOCLE_NETWORK_UPDATE_LIVE, ERR)));

static const struct case_ cases[] = {
	CASE(list, CONNECT_LIST_ALL_NETWORKS, "i1 i2", "i1 N i1", "1 net"),
	CASE(number, CONNECT_LIST_ALL_NETWORKS, "i0 i0", "i0 i5", "5"),
	CASE(by_name, NETWORK_LOOKUP_BY_NAME, "s:net", "N", "net"),
	CASE(by_uuid, NETWORK_LOOKUP_BY_UUID, "U", "N", "net"),
	CASE(by_uuid_text, NETWORK_LOOKUP_BY_UUID, "U", "N", "net"),
	CASE(define, NETWORK_DEFINE_XML, "s:<n/>", "N", "net"),
	CASE(define_flags, NETWORK_DEFINE_XML_FLAGS, "s:<n/> i1", "N", "net"),
	CASE(create_xml, NETWORK_CREATE_XML, "s:<n/>", "N", "net"),
	CASE(create, NETWORK_CREATE, "N", "", "0"),
	CASE(destroy, NETWORK_DESTROY, "N", "", "0"),
	CASE(undefine, NETWORK_UNDEFINE, "N", "", "0"),
	CASE(xml, NETWORK_GET_XML_DESC, "N i1", "s:<n/>", "<n/>"),
	CASE(bridge, NETWORK_GET_BRIDGE_NAME, "N", "s:virbr0", "virbr0"),
	CASE(get_autostart, NETWORK_GET_AUTOSTART, "N", "i5", "1"),
	CASE(set_autostart, NETWORK_SET_AUTOSTART, "N i1", "", "0"),
	CASE(get_metadata, NETWORK_GET_METADATA, "N i2 ?:urn:x i1", "s:<t/>", "<t/>"),
	CASE(set_metadata, NETWORK_SET_METADATA, "N i2 ?:<t/> ?:k ?:urn:x i3", "", "0"),
	CASE(is_active, NETWORK_IS_ACTIVE, "N", "i1", "1"),
	CASE(is_persistent, NETWORK_IS_PERSISTENT, "N", "i0", "0"),
	CASE(leases, NETWORK_GET_DHCP_LEASES, "N ?:52:54 i1 i0",
	     "i2 s:virbr0 h99 i0 ?:52:54 - s:10.0.0.2 i24 ?:guest ?:id "
	     "s:virbr0 h0 i1 - ?:7 s:fd00::2 i64 - - i2",
	     "virbr0 99 0 52:54 none 10.0.0.2/24 guest id; "
	     "virbr0 0 1 none 7 fd00::2/64 none none; "),
	CASE(lease_number, NETWORK_GET_DHCP_LEASES, "N - i0 i0", "i0 i7", "7"),
	CASE(update, NETWORK_UPDATE, "N i3 i4 i-1 s:<host/> i1", "", "0"),
};

int main(int argc, char **argv)
{
	return calls_main(argc, argv, cases, G_N_ELEMENTS(cases));
}
