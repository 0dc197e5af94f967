/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * update-network.c - net-update: one element of a network comes, goes or changes
 *
 * Each section is a list of the definition, and a rule for which of two elements are the same.
 */
#include <string.h>

#include "model/fields-int.h"
#include "model/network.h"
#include "model/parse-int.h"
#include "model/say-int.h"

/* Where the list of a section is. */
struct list {
	void *items; /* its pointer */
	unsigned *count;
	bool *set; /* of the element that it is in; or NULL */
};

struct section {
	const char *element;
	const struct record *record;
	size_t max;
	bool can_modify;
	/* Is @a what @b names? All that is given in both has to be the same ... */
	bool (*same)(const void *a, const void *b);
	/* ... or, of a new one, nothing may be. */
	bool (*clash)(const void *a, const void *b);
};

/* Both are absent, or the same. */
static bool equal(const char *a, const char *b)
{
	return a ? b && !g_ascii_strcasecmp(a, b) : !b;
}

static bool fits(const char *a, const char *wanted)
{
	return !wanted || (a && !g_ascii_strcasecmp(a, wanted));
}

static bool meets(const char *a, const char *b)
{
	return a && b && !g_ascii_strcasecmp(a, b);
}

static bool same_dhcp_host(const void *a, const void *b)
{
	const struct dhcp_host *x = a, *y = b;

	return (y->mac || y->id || y->name || y->ip) && fits(x->mac, y->mac) &&
	       fits(x->id, y->id) && fits(x->name, y->name) && fits(x->ip, y->ip);
}

static bool clash_dhcp_host(const void *a, const void *b)
{
	const struct dhcp_host *x = a, *y = b;

	return meets(x->mac, y->mac) || meets(x->id, y->id) || meets(x->name, y->name) ||
	       meets(x->ip, y->ip);
}

/* What is modified is known by who it is for. */
static bool modified_dhcp_host(const void *a, const void *b)
{
	const struct dhcp_host *x = a, *y = b;

	if (y->mac || y->id)
		return meets(x->mac, y->mac) || meets(x->id, y->id);
	return meets(x->name, y->name);
}

static bool same_range(const void *a, const void *b)
{
	const struct dhcp_range *x = a, *y = b;

	return equal(x->start, y->start) && equal(x->end, y->end);
}

static bool same_interface(const void *a, const void *b)
{
	const struct forward_interface *x = a, *y = b;

	return meets(x->dev, y->dev);
}

static bool same_portgroup(const void *a, const void *b)
{
	const struct portgroup *x = a, *y = b;

	return !g_strcmp0(x->name, y->name);
}

static bool has_name(const struct dns_host *host, const char *name)
{
	for (unsigned i = 0; i < host->name_count; i++) {
		if (meets(host->names[i].name, name))
			return true;
	}
	return false;
}

static bool same_dns_host(const void *a, const void *b)
{
	const struct dns_host *x = a, *y = b;

	for (unsigned i = 0; i < y->name_count; i++) {
		if (!has_name(x, y->names[i].name))
			return false;
	}
	return (y->ip || y->name_count) && fits(x->ip, y->ip);
}

static bool clash_dns_host(const void *a, const void *b)
{
	const struct dns_host *x = a, *y = b;

	for (unsigned i = 0; i < y->name_count; i++) {
		if (has_name(x, y->names[i].name))
			return true;
	}
	return meets(x->ip, y->ip);
}

static bool same_text(const void *a, const void *b)
{
	const struct dns_text *x = a, *y = b;

	return meets(x->name, y->name);
}

static bool same_service(const void *a, const void *b)
{
	const struct dns_service *x = a, *y = b;

	return y->service && fits(x->service, y->service) && fits(x->protocol, y->protocol) &&
	       fits(x->domain, y->domain) && fits(x->target, y->target);
}

static bool clash_service(const void *a, const void *b)
{
	const struct dns_service *x = a, *y = b;

	return meets(x->service, y->service) && equal(x->protocol, y->protocol) &&
	       equal(x->domain, y->domain) && equal(x->target, y->target);
}

static const struct section sections[NETWORK_SECTION_COUNT] = {
	[NETWORK_DHCP_HOST] = { "host", &dhcp_host_record, NETWORK_LIST_MAX, true, same_dhcp_host,
				clash_dhcp_host },
	[NETWORK_DHCP_RANGE] = { "range", &dhcp_range_record, NETWORK_FEW_MAX, false, same_range,
				 same_range },
	[NETWORK_FORWARD_INTERFACE] = { "interface", &forward_interface_record, NETWORK_FEW_MAX,
					false, same_interface, same_interface },
	[NETWORK_PORTGROUP] = { "portgroup", &portgroup_record, NETWORK_FEW_MAX, true,
				same_portgroup, same_portgroup },
	[NETWORK_DNS_HOST] = { "host", &dns_host_record, NETWORK_LIST_MAX, false, same_dns_host,
			       clash_dns_host },
	[NETWORK_DNS_TEXT] = { "txt", &dns_text_record, NETWORK_LIST_MAX, false, same_text,
			       same_text },
	[NETWORK_DNS_SERVICE] = { "srv", &dns_service_record, NETWORK_LIST_MAX, false, same_service,
				  clash_service },
};

/* The address of a DHCP element; NULL: it says none. */
static const char *address_of(unsigned section, const void *item)
{
	if (section == NETWORK_DHCP_HOST)
		return ((const struct dhcp_host *)item)->ip;
	return ((const struct dhcp_range *)item)->start;
}

/* The <ip> that is meant: by its place, by the element's address, or by having a <dhcp>. */
static struct network_ip *find_ip(struct network *network, unsigned section, int parent,
				  const void *item, GError **error)
{
	struct network_ip *found = NULL;
	struct inet inet, own;
	const bool known = inet_parse(address_of(section, item), &inet);

	if (parent >= 0) {
		if ((unsigned)parent < network->ip_count)
			return &network->ips[parent];
		model_error(error, SOCLE_ERROR_USAGE,
			    "the network has no <ip> of number %d; the first one is 0", parent);
		return NULL;
	}
	for (unsigned i = 0; i < network->ip_count; i++) {
		struct network_ip *ip = &network->ips[i];

		if (!inet_parse(ip->address, &own) || (known ? own.v6 != inet.v6 : own.v6))
			continue;
		if (!found || (ip->dhcp.set && !found->dhcp.set))
			found = ip;
	}
	if (!found)
		model_error(error, SOCLE_ERROR_USAGE,
			    "the network has no <ip> that this belongs to; give it one");
	return found;
}

static bool find_list(struct network *network, unsigned section, int parent, const void *item,
		      struct list *ret, GError **error)
{
	struct network_dns *dns = &network->dns;
	struct network_ip *ip;

	switch (section) {
	case NETWORK_DHCP_HOST:
	case NETWORK_DHCP_RANGE:
		ip = find_ip(network, section, parent, item, error);
		if (!ip)
			return false;
		*ret = section == NETWORK_DHCP_HOST
			       ? (struct list){ &ip->dhcp.hosts, &ip->dhcp.host_count,
						&ip->dhcp.set }
			       : (struct list){ &ip->dhcp.ranges, &ip->dhcp.range_count,
						&ip->dhcp.set };
		return true;
	case NETWORK_FORWARD_INTERFACE:
		*ret = (struct list){ &network->forward.interfaces,
				      &network->forward.interface_count, &network->forward.set };
		return true;
	case NETWORK_PORTGROUP:
		*ret = (struct list){ &network->portgroups, &network->portgroup_count, NULL };
		return true;
	case NETWORK_DNS_HOST:
		*ret = (struct list){ &dns->hosts, &dns->host_count, &dns->set };
		return true;
	case NETWORK_DNS_TEXT:
		*ret = (struct list){ &dns->texts, &dns->text_count, &dns->set };
		return true;
	case NETWORK_DNS_SERVICE:
	default:
		*ret = (struct list){ &dns->services, &dns->service_count, &dns->set };
		return true;
	}
}

static char *item_at(const struct section *s, const struct list *list, unsigned index)
{
	return *(char **)list->items + index * s->record->size;
}

/* -1: none. */
static int find(const struct section *s, const struct list *list, const void *item,
		bool (*is)(const void *a, const void *b))
{
	for (unsigned i = 0; i < *list->count; i++) {
		if (is(item_at(s, list, i), item))
			return (int)i;
	}
	return -1;
}

/* @item is taken over on success: what it was is then nothing. */
static bool add(const struct section *s, struct list *list, void *item, bool first, GError **error)
{
	const size_t size = s->record->size;

	if (find(s, list, item, s->clash) >= 0)
		return model_error(
			error, SOCLE_ERROR_STATE,
			"there is an existing <%s> of this kind in the network; modify or "
			"delete it",
			s->element);
	if (*list->count >= s->max)
		return model_error(error, SOCLE_ERROR_LIMIT,
				   "the network has %u of <%s> already; delete some", *list->count,
				   s->element);
	(void)list_add(s->record, list->items, list->count);
	if (first)
		memmove(item_at(s, list, 1), item_at(s, list, 0), (*list->count - 1) * size);
	memcpy(item_at(s, list, first ? 0 : *list->count - 1), item, size);
	memset(item, 0, size);
	if (list->set)
		*list->set = true;
	return true;
}

static bool modify(const struct section *s, struct list *list, void *item, GError **error)
{
	int i = find(s, list, item, s->same == same_dhcp_host ? modified_dhcp_host : s->same);

	if (!s->can_modify)
		return model_error(error, SOCLE_ERROR_UNSUPPORTED,
				   "<%s> is not modified; delete it and add another one",
				   s->element);
	if (i < 0)
		return model_error(error, SOCLE_ERROR_STATE,
				   "the network has no such <%s> to be modified; add it",
				   s->element);
	record_release(s->record, item_at(s, list, (unsigned)i));
	memcpy(item_at(s, list, (unsigned)i), item, s->record->size);
	memset(item, 0, s->record->size);
	return true;
}

static bool delete (const struct section *s, struct list *list, const void *item, GError **error)
{
	int i = find(s, list, item, s->same);

	if (i < 0)
		return model_error(error, SOCLE_ERROR_STATE,
				   "the network has no such <%s>; look at its XML", s->element);
	list_remove(s->record, list->items, list->count, (unsigned)i);
	return true;
}

static bool carry_out(struct network *network, unsigned command, unsigned section, int parent,
		      void *item, GError **error)
{
	const struct section *s = &sections[section];
	struct list list;

	if (!find_list(network, section, parent, item, &list, error))
		return false;
	switch (command) {
	case NETWORK_ADD_FIRST:
	case NETWORK_ADD_LAST:
		return add(s, &list, item, command == NETWORK_ADD_FIRST, error);
	case NETWORK_MODIFY:
		return modify(s, &list, item, error);
	case NETWORK_DELETE:
		return delete (s, &list, item, error);
	default:
		return model_error(error, SOCLE_ERROR_USAGE,
				   "command %u of an update is not known; give add, delete or "
				   "modify",
				   command);
	}
}

bool network_update(struct network *network, unsigned command, unsigned section, int parent,
		    const char *xml, size_t len, GError **error)
{
	struct field_parse how = { 0 };
	void *item;
	bool ok;

	if (section >= NETWORK_SECTION_COUNT || !sections[section].record)
		return model_error(
			error, SOCLE_ERROR_UNSUPPORTED,
			"this part of a network is not updated; define the network anew");
	item = document_parse(sections[section].record, sections[section].element, xml, len, &how,
			      error);
	if (!item)
		return false;
	ok = carry_out(network, command, section, parent, item, error);
	document_free(sections[section].record, item);
	return ok;
}
