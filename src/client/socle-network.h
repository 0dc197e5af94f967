/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-network.h - networks that machines are in
 *
 * A network is a name and a UUID; what it is stands in its XML, as for domains.
 */
#ifndef CLIENT_SOCLE_NETWORK_H
#define CLIENT_SOCLE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-conn.h"
#include "client/socle-error.h"

struct socle_network;

enum socle_network_list_flags {
	SOCLE_NETWORK_LIST_INACTIVE = 1 << 0,
	SOCLE_NETWORK_LIST_ACTIVE = 1 << 1,
	SOCLE_NETWORK_LIST_PERSISTENT = 1 << 2,
	SOCLE_NETWORK_LIST_TRANSIENT = 1 << 3,
	SOCLE_NETWORK_LIST_AUTOSTART = 1 << 4,
	SOCLE_NETWORK_LIST_NO_AUTOSTART = 1 << 5,
};

enum socle_network_define_flags {
	SOCLE_NETWORK_DEFINE_VALIDATE = 1 << 0, /* refuse what the schema does not know */
};

enum socle_network_xml_flags {
	SOCLE_NETWORK_XML_INACTIVE = 1 << 0, /* as it will be at the next start */
};

enum socle_network_update_command {
	SOCLE_NETWORK_MODIFY = 1,
	SOCLE_NETWORK_DELETE = 2,
	SOCLE_NETWORK_ADD_LAST = 3,
	SOCLE_NETWORK_ADD_FIRST = 4,
};

/* What of a network is changed. */
enum socle_network_section {
	SOCLE_NETWORK_BRIDGE = 1,
	SOCLE_NETWORK_DOMAIN = 2,
	SOCLE_NETWORK_IP = 3,
	SOCLE_NETWORK_IP_DHCP_HOST = 4,
	SOCLE_NETWORK_IP_DHCP_RANGE = 5,
	SOCLE_NETWORK_FORWARD = 6,
	SOCLE_NETWORK_FORWARD_INTERFACE = 7,
	SOCLE_NETWORK_FORWARD_PF = 8,
	SOCLE_NETWORK_PORTGROUP = 9,
	SOCLE_NETWORK_DNS_HOST = 10,
	SOCLE_NETWORK_DNS_TXT = 11,
	SOCLE_NETWORK_DNS_SRV = 12,
};

enum socle_network_update_flags {
	SOCLE_NETWORK_UPDATE_LIVE = 1 << 0,
	SOCLE_NETWORK_UPDATE_CONFIG = 1 << 1,
};

/* Who has got an address. Texts but the interface and the address may be NULL. */
struct socle_lease {
	char *iface;      /* of the host */
	int64_t expiry_s; /* since 1970; 0: never */
	int type;         /* 0 IPv4, 1 IPv6 */
	char *mac;
	char *iaid;
	char *address;
	unsigned prefix;
	char *hostname;
	char *client_id;
};

/**
 * socle_network_ref() - one more owner
 * @net: the network
 *
 * Return: @net
 */
SOCLE_API struct socle_network *socle_network_ref(struct socle_network *net);

/**
 * socle_network_unref() - one owner less
 * @net: may be NULL
 */
SOCLE_API void socle_network_unref(struct socle_network *net);

/**
 * socle_networks_free() - give back a list of networks
 * @nets: a NULL behind the last; may be NULL
 */
SOCLE_API void socle_networks_free(struct socle_network **nets);

/**
 * socle_network_conn() - the connection that it was got by
 * @net: the network
 *
 * Return: it belongs to @net
 */
SOCLE_API struct socle_conn *socle_network_conn(const struct socle_network *net);

/**
 * socle_network_name() - its name
 * @net: the network
 *
 * Return: it belongs to @net
 */
SOCLE_API const char *socle_network_name(const struct socle_network *net);

/**
 * socle_network_uuid() - its UUID
 * @net: the network
 *
 * Return: 16 bytes that belong to @net
 */
SOCLE_API const unsigned char *socle_network_uuid(const struct socle_network *net);

/**
 * socle_network_uuid_text() - its UUID with hyphens, in small letters
 * @net: the network
 *
 * Return: it belongs to @net
 */
SOCLE_API const char *socle_network_uuid_text(const struct socle_network *net);

/**
 * socle_network_list() - which networks there are
 * @conn:     the connection
 * @flags:    enum socle_network_list_flags; 0: all
 * @ret_nets: for socle_networks_free(); may be NULL if only the number matters
 * @error:    says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_network_list(struct socle_conn *conn, unsigned flags,
				 struct socle_network ***ret_nets, struct socle_error **error);

/**
 * socle_network_by_name() - look a network up
 * @conn:  the connection
 * @name:  whole
 * @error: SOCLE_ERR_NO_NETWORK if there is none
 *
 * Return: for socle_network_unref(); NULL on failure
 */
SOCLE_API struct socle_network *socle_network_by_name(struct socle_conn *conn, const char *name,
						      struct socle_error **error);

/**
 * socle_network_by_uuid() - look a network up
 * @conn:  the connection
 * @uuid:  16 bytes
 * @error: SOCLE_ERR_NO_NETWORK if there is none
 *
 * Return: for socle_network_unref(); NULL on failure
 */
SOCLE_API struct socle_network *socle_network_by_uuid(struct socle_conn *conn,
						      const unsigned char *uuid,
						      struct socle_error **error);

/**
 * socle_network_by_uuid_text() - look a network up
 * @conn:  the connection
 * @uuid:  with or without hyphens
 * @error: SOCLE_ERR_NO_NETWORK if there is none
 *
 * Return: for socle_network_unref(); NULL on failure
 */
SOCLE_API struct socle_network *socle_network_by_uuid_text(struct socle_conn *conn,
							   const char *uuid,
							   struct socle_error **error);

/**
 * socle_network_define() - make a network that stays, or another one of it; it is not started
 * @conn:  the connection
 * @xml:   a <network>
 * @flags: enum socle_network_define_flags
 * @error: says why not
 *
 * Return: for socle_network_unref(); NULL on failure
 */
SOCLE_API struct socle_network *socle_network_define(struct socle_conn *conn, const char *xml,
						     unsigned flags, struct socle_error **error);

/**
 * socle_network_create_xml() - start a network that is forgotten when it stops
 * @conn:  the connection
 * @xml:   a <network>
 * @error: says why not
 *
 * Return: for socle_network_unref(); NULL on failure
 */
SOCLE_API struct socle_network *socle_network_create_xml(struct socle_conn *conn, const char *xml,
							 struct socle_error **error);

/**
 * socle_network_create() - start a network that is defined
 * @net:   the network
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_network_create(struct socle_network *net, struct socle_error **error);

/**
 * socle_network_destroy() - stop it, whoever is in it
 * @net:   the network
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_network_destroy(struct socle_network *net, struct socle_error **error);

/**
 * socle_network_undefine() - forget its definition
 * @net:   the network; if it is active it stays until it stops
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_network_undefine(struct socle_network *net, struct socle_error **error);

/**
 * socle_network_xml() - what it is
 * @net:   the network
 * @flags: enum socle_network_xml_flags
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_network_xml(struct socle_network *net, unsigned flags,
				  struct socle_error **error);

/**
 * socle_network_bridge() - name of its bridge on the host
 * @net:   the network
 * @error: says why not, also if it has none
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_network_bridge(struct socle_network *net, struct socle_error **error);

/**
 * socle_network_get_autostart() - does it start with the host?
 * @net:   the network
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_network_get_autostart(struct socle_network *net, struct socle_error **error);

/**
 * socle_network_set_autostart() - let it start with the host, or not
 * @net:   the network
 * @on:    whether it does
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_network_set_autostart(struct socle_network *net, bool on,
					  struct socle_error **error);

/**
 * socle_network_is_active() - is it there for machines?
 * @net:   the network
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_network_is_active(struct socle_network *net, struct socle_error **error);

/**
 * socle_network_is_persistent() - does its definition stay when it stops?
 * @net:   the network
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_network_is_persistent(struct socle_network *net, struct socle_error **error);

/**
 * socle_network_get_metadata() - title, description, or somebody's element
 * @net:   the network
 * @type:  enum socle_metadata_type
 * @uri:   of the element's namespace; NULL for the others
 * @flags: enum socle_network_update_flags; 0: what it is now
 * @error: says why not; a libvirtd before 9.7 does not know it
 *
 * Return: text for socle_free(), or NULL
 */
SOCLE_API char *socle_network_get_metadata(struct socle_network *net, int type, const char *uri,
					   unsigned flags, struct socle_error **error);

/**
 * socle_network_set_metadata() - set or remove it
 * @net:   the network
 * @type:  enum socle_metadata_type
 * @text:  what is to be there; NULL: nothing
 * @key:   the prefix of an element's namespace
 * @uri:   the namespace
 * @flags: enum socle_network_update_flags; 0: what it is now
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_network_set_metadata(struct socle_network *net, int type, const char *text,
					 const char *key, const char *uri, unsigned flags,
					 struct socle_error **error);

/**
 * socle_network_leases() - who has got addresses by DHCP
 * @net:        the network
 * @mac:        of this card only; NULL: of all
 * @flags:      0
 * @ret_leases: for socle_leases_free(); may be NULL if only the number matters
 * @error:      says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_network_leases(struct socle_network *net, const char *mac, unsigned flags,
				   struct socle_lease **ret_leases, struct socle_error **error);

/**
 * socle_leases_free() - give back a list of leases
 * @leases: the last has no address; may be NULL
 */
SOCLE_API void socle_leases_free(struct socle_lease *leases);

/**
 * socle_network_update() - change one thing of a network, also while it is active
 * @net:     the network
 * @command: enum socle_network_update_command
 * @section: enum socle_network_section
 * @parent:  which of several <ip>, from 0 on; -1: whichever fits
 * @xml:     the element, such as a <host>
 * @flags:   enum socle_network_update_flags; 0: what it is now, active or not
 * @error:   says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_network_update(struct socle_network *net, unsigned command, unsigned section,
				   int parent, const char *xml, unsigned flags,
				   struct socle_error **error);

#endif
