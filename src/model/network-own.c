/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network-own.c - what stands in namespaces of their own: forwarded ports, options of dnsmasq
 */
#include <string.h>

#include "base/error.h"
#include "model/metadata.h"
#include "model/network.h"
#include "model/say-int.h"
#include "model/xml-int.h"

DEFINE_AUTOPTR(_xmlDoc, xml_doc_free);

static char *attribute(xmlNode *node, const char *name)
{
	xmlChar *value = libxml->GetNoNsProp(node, xml_str(name));
	char *copy = value ? g_strdup((const char *)value) : NULL;

	xml_free(value);
	return copy;
}

/* 0: it is none. */
static uint16_t port_of(const char *text)
{
	guint64 port = 0;

	if (!text || !g_ascii_string_to_unsigned(text, 10, 1, 65535, &port, NULL))
		return 0;
	return (uint16_t)port;
}

/* == Forwarded ports == */

static bool take_forward(xmlNode *node, struct network_forward_port *ret, GError **error)
{
	g_autofree char *proto = attribute(node, "proto"), *port = attribute(node, "port");
	g_autofree char *end = attribute(node, "end"), *to = attribute(node, "to");
	g_autofree char *to_port = attribute(node, "to-port");
	g_autofree char *address = attribute(node, "address");

	*ret = (struct network_forward_port){ .udp = proto && !strcmp(proto, "udp"),
					      .any = !address };
	if (proto && !ret->udp && strcmp(proto, "tcp") != 0)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "<forward> of proto '%.16s': give tcp or udp", proto);
	ret->port = port_of(port);
	ret->end = end ? port_of(end) : ret->port;
	ret->to_port = to_port ? port_of(to_port) : ret->port;
	if (!ret->port || ret->end < ret->port || !ret->to_port ||
	    ret->to_port + (ret->end - ret->port) > 65535)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "<forward> wants port, end and to-port from 1 to 65535, and an "
				   "end behind the port");
	if (!inet_parse(to, &ret->to))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "<forward> of port %u: to='%.64s' is no address; give the "
				   "guest's",
				   ret->port, to ? to : "");
	if (address && (!inet_parse(address, &ret->address) || ret->address.v6 != ret->to.v6))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "<forward> of port %u: address='%.64s' is no address of the "
				   "guest's kind; leave it out for all of the host",
				   ret->port, address);
	return true;
}

static bool overlap(const struct network_forward_port *a, const struct network_forward_port *b)
{
	return a->udp == b->udp && a->to.v6 == b->to.v6 && a->port <= b->end && b->port <= a->end &&
	       (a->any || b->any || !inet_compare(&a->address, &b->address));
}

static bool add_forward(GArray *list, xmlNode *node, GError **error)
{
	struct network_forward_port forward;

	if (!take_forward(node, &forward, error))
		return false;
	for (unsigned i = 0; i < list->len; i++) {
		if (overlap(&g_array_index(list, struct network_forward_port, i), &forward))
			return model_error(error, SOCLE_ERROR_USAGE,
					   "port %u is forwarded twice; take one <forward> out",
					   forward.port);
	}
	if (list->len == NETWORK_FORWARDS_MAX)
		return model_error(error, SOCLE_ERROR_LIMIT,
				   "more than %d ports are forwarded; make ranges of them",
				   NETWORK_FORWARDS_MAX);
	g_array_append_val(list, forward);
	return true;
}

GArray *network_forwards(const struct network *network, GError **error)
{
	g_autofree char *xml = metadata_get(network->metadata, NETWORK_OWN_NAMESPACE);
	g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(struct network_forward_port));
	autoptr(_xmlDoc) doc = xml ? xml_read(xml, strlen(xml), &xml_limits_kept, NULL) : NULL;
	xmlNode *root = doc ? libxml->DocGetRootElement(doc) : NULL;

	for (xmlNode *node = root ? root->children : NULL; node; node = node->next) {
		if (node->type == XML_ELEMENT_NODE &&
		    !strcmp((const char *)node->name, "forward") && !add_forward(list, node, error))
			return NULL;
	}
	return g_steal_pointer(&list);
}

/* == Options of dnsmasq == */

/* Those that change what is answered. None that runs programs, reads or writes files, or takes it out of
 * its network. */
static bool is_harmless(const char *option)
{
	static const char *const words[] = {
		"address",
		"alias",
		"all-servers",
		"auth-ttl",
		"bogus-nxdomain",
		"bogus-priv",
		"cache-size",
		"cname",
		"dhcp-boot",
		"dhcp-circuitid",
		"dhcp-generate-names",
		"dhcp-host",
		"dhcp-ignore",
		"dhcp-ignore-names",
		"dhcp-mac",
		"dhcp-match",
		"dhcp-name-match",
		"dhcp-no-override",
		"dhcp-option",
		"dhcp-option-force",
		"dhcp-rapid-commit",
		"dhcp-remoteid",
		"dhcp-reply-delay",
		"dhcp-sequential-ip",
		"dhcp-subscrid",
		"dhcp-ttl",
		"dhcp-userclass",
		"dhcp-vendorclass",
		"dns-forward-max",
		"dns-loop-detect",
		"domain-needed",
		"edns-packet-max",
		"filterwin2k",
		"host-record",
		"ignore-address",
		"local",
		"local-ttl",
		"localise-queries",
		"log-dhcp",
		"log-queries",
		"max-cache-ttl",
		"max-ttl",
		"min-cache-ttl",
		"mx-host",
		"mx-target",
		"naptr-record",
		"neg-ttl",
		"no-hosts",
		"no-negcache",
		"no-poll",
		"no-resolv",
		"ptr-record",
		"pxe-prompt",
		"pxe-service",
		"ra-param",
		"read-ethers",
		"rebind-domain-ok",
		"rebind-localhost-ok",
		"rev-server",
		"selfmx",
		"server",
		"srv-host",
		"stop-dns-rebind",
		"strict-order",
		"tag-if",
		"tftp-lowercase",
		"tftp-max",
		"tftp-no-blocksize",
		"txt-record",
		NULL,
	};
	g_autofree char *name = g_strndup(option, strcspn(option, "="));

	return g_strv_contains(words, g_strstrip(name));
}

static bool take_option(GPtrArray *list, const char *option, GError **error)
{
	if (!is_harmless(option))
		return model_error(error, SOCLE_ERROR_UNSUPPORTED,
				   "<dnsmasq:option value='%.64s'> is not passed on: it may run "
				   "programs or touch files of the host; remove it",
				   option);
	for (const char *p = option; *p; p++) {
		if (g_ascii_iscntrl(*p))
			return model_error(error, SOCLE_ERROR_USAGE,
					   "<dnsmasq:option> has a line break or another control "
					   "character; remove it");
	}
	g_ptr_array_add(list, g_strdup(option));
	return true;
}

char **network_dnsmasq_options(const struct network *network, GError **error)
{
	const char *xml = network->dnsmasq_options;
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	autoptr(_xmlDoc) doc = xml ? xml_read(xml, strlen(xml), &xml_limits_kept, NULL) : NULL;
	xmlNode *root = doc ? libxml->DocGetRootElement(doc) : NULL;

	for (xmlNode *node = root ? root->children : NULL; node; node = node->next) {
		g_autofree char *value =
			node->type == XML_ELEMENT_NODE ? attribute(node, "value") : NULL;

		if (value && !take_option(list, value, error))
			return NULL;
	}
	g_ptr_array_add(list, NULL);
	g_ptr_array_set_free_func(list, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
}
