/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.c - the host's network interfaces are made and changed, by the kernel's rtnetlink messages
 *
 * Each call has a socket of its own. A request is a header, a fixed struct and attributes, some of which
 * have others in them; the kernel answers with an error number, or with a dump of many messages.
 */
#include "host/link.h"

#include <errno.h>
#include <glib.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "base/sys.h"
#include "host/netlink.h"

/* The macros of the kernel's headers cast; messages and attributes are at multiples of 4. */
#pragma GCC diagnostic ignored "-Wcast-align"

enum {
	REQUEST_MAX = 1024,
	ANSWER_MAX = 64 * 1024,
	BURST_MIN = 64 * 1024, /* a packet that is cut later is as long */
};

struct request {
	_Alignas(struct nlmsghdr) uint8_t bytes[REQUEST_MAX];
	size_t len;
};

/* == Building == */

static void *append(struct request *req, size_t len)
{
	void *at = req->bytes + req->len;

	/* All that is put in here is ours, and short. */
	g_assert(req->len + NLMSG_ALIGN(len) <= sizeof(req->bytes));
	req->len += NLMSG_ALIGN(len);
	return at;
}

static struct nlmsghdr *request_init(struct request *req, uint16_t type, unsigned flags,
				     const void *fixed, size_t len)
{
	struct nlmsghdr *head;

	memset(req, 0, sizeof(*req));
	head = append(req, sizeof(*head));
	head->nlmsg_type = type;
	head->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	memcpy(append(req, len), fixed, len);
	return head;
}

static void put(struct request *req, unsigned type, const void *value, size_t len)
{
	struct rtattr *attr = append(req, RTA_LENGTH(len));

	attr->rta_type = (unsigned short)type;
	attr->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attr), value, len);
}

static void put_text(struct request *req, unsigned type, const char *text)
{
	put(req, type, text, strlen(text) + 1);
}

static void put_u32(struct request *req, unsigned type, uint32_t value)
{
	put(req, type, &value, sizeof(value));
}

/* Where an attribute with others in it begins, for put_end(). */
static size_t put_start(struct request *req, unsigned type)
{
	size_t at = req->len;

	put(req, type, NULL, 0);
	return at;
}

static void put_end(struct request *req, size_t at)
{
	struct rtattr *attr = (struct rtattr *)(void *)(req->bytes + at);

	attr->rta_len = (unsigned short)(req->len - at);
}

/* == Asking == */

typedef int (*message_fn)(const struct nlmsghdr *head, void *opaque);

/* Return: below 0 an error, 1 it goes on, 0 all was said. @fn: NULL, or for what is no error. */
static int take_answer(const uint8_t *bytes, size_t len, message_fn fn, void *opaque)
{
	const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)bytes;

	for (; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
		int r;

		if (head->nlmsg_type == NLMSG_DONE)
			return 0;
		if (head->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *err = NLMSG_DATA(head);

			return head->nlmsg_len < NLMSG_LENGTH(sizeof(*err)) ? -EBADMSG : err->error;
		}
		r = fn ? fn(head, opaque) : 0;
		if (r)
			return r < 0 ? r : -ECANCELED;
		if (!(head->nlmsg_flags & NLM_F_MULTI))
			return 0;
	}
	return 1;
}

static int ask(struct request *req, message_fn fn, void *opaque)
{
	g_autofree uint8_t *answer = g_malloc(ANSWER_MAX);
	struct nlmsghdr *head = (struct nlmsghdr *)(void *)req->bytes;
	autofd int fd = sys_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	ssize_t n;
	int r = 1;

	if (fd < 0)
		return fd;
	head->nlmsg_len = (uint32_t)req->len;
	/* What is asked for with a function is answered by a message. */
	if (!fn)
		head->nlmsg_flags |= NLM_F_ACK;
	n = sys_write(fd, req->bytes, req->len);
	while (n >= 0 && r == 1) {
		n = sys_read(fd, answer, ANSWER_MAX);
		if (n >= 0)
			r = take_answer(answer, (size_t)n, fn, opaque);
	}
	return n < 0 ? (int)n : r;
}

/* Attributes by their types, those below @max. */
static void read_attributes(const struct rtattr *attr, size_t len, const struct rtattr **ret,
			    unsigned max)
{
	memset(ret, 0, max * sizeof(ret[0]));
	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
		unsigned type = attr->rta_type & 0x3fffu;

		if (type < max)
			ret[type] = attr;
	}
}

static void copy_text(const struct rtattr *attr, char *ret, size_t size)
{
	*ret = '\0';
	if (attr)
		g_strlcpy(ret, RTA_DATA(attr), MIN(size, RTA_PAYLOAD(attr)));
}

/* == Interfaces == */

int link_index(const char *name)
{
	unsigned index = strlen(name) < IFNAMSIZ ? if_nametoindex(name) : 0;

	return index ? (int)index : -ENODEV;
}

int link_name(int index, char ret_name[LINK_NAME_SIZE])
{
	return if_indextoname((unsigned)index, ret_name) ? 0 : -ENODEV;
}

struct link_words {
	char *alias, *kind;
	unsigned flags;
};

static int take_words(const struct nlmsghdr *head, void *opaque)
{
	const struct rtattr *attrs[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct ifinfomsg *msg = NLMSG_DATA(head);
	struct link_words *words = opaque;

	if (head->nlmsg_type != RTM_NEWLINK || head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return 0;
	read_attributes(IFLA_RTA(msg), head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)), attrs,
			G_N_ELEMENTS(attrs));
	words->flags = msg->ifi_flags;
	if (words->alias)
		copy_text(attrs[IFLA_IFALIAS], words->alias, LINK_ALIAS_SIZE);
	if (words->kind && attrs[IFLA_LINKINFO]) {
		read_attributes(RTA_DATA(attrs[IFLA_LINKINFO]), RTA_PAYLOAD(attrs[IFLA_LINKINFO]),
				info, G_N_ELEMENTS(info));
		copy_text(info[IFLA_INFO_KIND], words->kind, LINK_NAME_SIZE);
	}
	return 0;
}

static int ask_words(const char *name, struct link_words *words)
{
	const struct ifinfomsg msg = { .ifi_family = AF_UNSPEC, .ifi_index = link_index(name) };
	struct request req;

	if (msg.ifi_index < 0)
		return msg.ifi_index;
	request_init(&req, RTM_GETLINK, 0, &msg, sizeof(msg));
	return ask(&req, take_words, words);
}

int link_alias(const char *name, char ret_alias[LINK_ALIAS_SIZE])
{
	struct link_words words = { .alias = ret_alias };

	*ret_alias = '\0';
	return ask_words(name, &words);
}

int link_kind(const char *name, char ret_kind[LINK_NAME_SIZE])
{
	struct link_words words = { .kind = ret_kind };

	*ret_kind = '\0';
	return ask_words(name, &words);
}

bool link_is_up(const char *name)
{
	struct link_words words = { .flags = 0 };

	return ask_words(name, &words) >= 0 && words.flags & IFF_UP;
}

int link_set_alias(const char *name, const char *alias)
{
	const struct ifinfomsg msg = { .ifi_family = AF_UNSPEC, .ifi_index = link_index(name) };
	struct request req;

	if (msg.ifi_index < 0)
		return msg.ifi_index;
	request_init(&req, RTM_SETLINK, 0, &msg, sizeof(msg));
	put(&req, IFLA_IFALIAS, alias, strlen(alias));
	return ask(&req, NULL, NULL);
}

int link_bridge_add(const char *name, const struct link_bridge *bridge)
{
	const struct ifinfomsg msg = { .ifi_family = AF_UNSPEC };
	/* The kernel counts ticks of USER_HZ, and wants 2 s at least while the protocol is on. */
	const uint32_t delay =
		bridge->stp ? MAX(bridge->forward_delay_s, 2) * 100 : bridge->forward_delay_s * 100;
	struct request req;
	size_t info, data;
	int r;

	request_init(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &msg, sizeof(msg));
	put_text(&req, IFLA_IFNAME, name);
	if (bridge->mac)
		put(&req, IFLA_ADDRESS, bridge->mac, 6);
	if (bridge->mtu)
		put_u32(&req, IFLA_MTU, bridge->mtu);
	info = put_start(&req, IFLA_LINKINFO);
	put_text(&req, IFLA_INFO_KIND, "bridge");
	data = put_start(&req, IFLA_INFO_DATA);
	put_u32(&req, IFLA_BR_FORWARD_DELAY, delay);
	put_u32(&req, IFLA_BR_STP_STATE, bridge->stp);
	put_end(&req, data);
	put_end(&req, info);
	r = ask(&req, NULL, NULL);
	if (r < 0)
		return r;
	/* It cannot be given when it is made. */
	r = bridge->alias ? link_set_alias(name, bridge->alias) : 0;
	if (r < 0)
		(void)link_delete(name);
	return r;
}

int link_macvtap_add(const char *name, const char *parent, enum link_macvtap mode,
		     const uint8_t *mac, unsigned mtu)
{
	const struct ifinfomsg msg = { .ifi_family = AF_UNSPEC };
	const int index = link_index(parent);
	char own[LINK_NAME_SIZE];
	struct request req;
	size_t info, data;
	int r = -EEXIST;

	if (index < 0)
		return index;
	/* The kernel has no %d here. */
	for (unsigned n = 0; n < 4096 && r == -EEXIST; n++) {
		const char *percent = strstr(name, "%d");

		if (percent)
			g_snprintf(own, sizeof(own), "%.*s%u", (int)(percent - name), name, n);
		else
			g_strlcpy(own, name, sizeof(own));
		request_init(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &msg, sizeof(msg));
		put_text(&req, IFLA_IFNAME, own);
		put_u32(&req, IFLA_LINK, (uint32_t)index);
		put(&req, IFLA_ADDRESS, mac, 6);
		if (mtu)
			put_u32(&req, IFLA_MTU, mtu);
		info = put_start(&req, IFLA_LINKINFO);
		put_text(&req, IFLA_INFO_KIND, "macvtap");
		data = put_start(&req, IFLA_INFO_DATA);
		put_u32(&req, IFLA_MACVLAN_MODE, (uint32_t)mode);
		put_end(&req, data);
		put_end(&req, info);
		r = ask(&req, NULL, NULL);
		if (!percent)
			break;
	}
	return r < 0 ? r : link_index(own);
}

int link_delete(const char *name)
{
	const struct ifinfomsg msg = { .ifi_family = AF_UNSPEC, .ifi_index = link_index(name) };
	struct request req;

	if (msg.ifi_index < 0)
		return msg.ifi_index;
	request_init(&req, RTM_DELLINK, 0, &msg, sizeof(msg));
	return ask(&req, NULL, NULL);
}

int link_set_up(const char *name)
{
	const struct ifinfomsg msg = { .ifi_family = AF_UNSPEC,
				       .ifi_index = link_index(name),
				       .ifi_flags = IFF_UP,
				       .ifi_change = IFF_UP };
	struct request req;

	if (msg.ifi_index < 0)
		return msg.ifi_index;
	request_init(&req, RTM_NEWLINK, 0, &msg, sizeof(msg));
	return ask(&req, NULL, NULL);
}

static int isolate(int index)
{
	const struct ifinfomsg msg = { .ifi_family = PF_BRIDGE, .ifi_index = index };
	const uint8_t yes = 1;
	struct request req;
	size_t info;

	request_init(&req, RTM_SETLINK, 0, &msg, sizeof(msg));
	info = put_start(&req, IFLA_PROTINFO | NLA_F_NESTED);
	put(&req, IFLA_BRPORT_ISOLATED, &yes, sizeof(yes));
	put_end(&req, info);
	return ask(&req, NULL, NULL);
}

int link_join(const char *name, const char *bridge, bool isolated)
{
	const struct ifinfomsg msg = { .ifi_family = AF_UNSPEC, .ifi_index = link_index(name) };
	const int master = link_index(bridge);
	struct request req;
	int r;

	if (msg.ifi_index < 0 || master < 0)
		return -ENODEV;
	request_init(&req, RTM_SETLINK, 0, &msg, sizeof(msg));
	put_u32(&req, IFLA_MASTER, (uint32_t)master);
	r = ask(&req, NULL, NULL);
	return r < 0 || !isolated ? r : isolate(msg.ifi_index);
}

/* == How much == */

/* A token bucket at the root of what @msg names. */
static void put_bucket(struct request *req, const struct link_rate *rate)
{
	const uint64_t burst =
		MIN(MAX(rate->burst ? rate->burst : rate->rate / 50, BURST_MIN), UINT32_MAX / 2);
	const bool has_peak = rate->peak > rate->rate;
	const struct tc_tbf_qopt parms = {
		.rate = { .linklayer = TC_LINKLAYER_ETHERNET,
			  .rate = (uint32_t)MIN(rate->rate, UINT32_MAX) },
		.peakrate = { .linklayer = TC_LINKLAYER_ETHERNET,
			      .rate = has_peak ? (uint32_t)MIN(rate->peak, UINT32_MAX) : 0 },
		/* What waits does so for a quarter of a second at most. */
		.limit = (uint32_t)MIN(rate->rate / 4 + burst, UINT32_MAX),
	};
	const size_t options = put_start(req, TCA_OPTIONS);

	put(req, TCA_TBF_PARMS, &parms, sizeof(parms));
	put_u32(req, TCA_TBF_BURST, (uint32_t)burst);
	if (rate->rate > UINT32_MAX)
		put(req, TCA_TBF_RATE64, &rate->rate, sizeof(rate->rate));
	if (has_peak)
		put_u32(req, TCA_TBF_PBURST, BURST_MIN);
	if (has_peak && rate->peak > UINT32_MAX)
		put(req, TCA_TBF_PRATE64, &rate->peak, sizeof(rate->peak));
	put_end(req, options);
}

int link_set_rate(const char *name, const struct link_rate *rate)
{
	const struct tcmsg msg = { .tcm_family = AF_UNSPEC,
				   .tcm_ifindex = link_index(name),
				   .tcm_parent = TC_H_ROOT,
				   .tcm_handle = rate ? TC_H_MAKE(1u << 16, 0) : 0 };
	struct request req;
	int r;

	if (msg.tcm_ifindex < 0)
		return msg.tcm_ifindex;
	if (!rate) {
		request_init(&req, RTM_DELQDISC, 0, &msg, sizeof(msg));
		r = ask(&req, NULL, NULL);
		/* It has none but the kernel's own. */
		return r == -ENOENT || r == -EINVAL ? 0 : r;
	}
	request_init(&req, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &msg, sizeof(msg));
	put_text(&req, TCA_KIND, "tbf");
	put_bucket(&req, rate);
	return ask(&req, NULL, NULL);
}

/* == Addresses and routes == */

static size_t address_len(bool v6)
{
	return v6 ? 16 : 4;
}

int link_add_address(const struct link_address *address)
{
	const size_t len = address_len(address->v6);
	const struct ifaddrmsg msg = { .ifa_family = address->v6 ? AF_INET6 : AF_INET,
				       .ifa_prefixlen = (uint8_t)address->prefix,
				       /* Nobody else has it: guests need not wait. */
				       .ifa_flags = address->v6 ? IFA_F_NODAD : 0,
				       .ifa_index = (unsigned)link_index(address->link) };
	uint8_t broadcast[4];
	struct request req;
	int r;

	if ((int)msg.ifa_index < 0)
		return -ENODEV;
	request_init(&req, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &msg, sizeof(msg));
	put(&req, IFA_LOCAL, address->bytes, len);
	put(&req, IFA_ADDRESS, address->bytes, len);
	if (!address->v6 && address->prefix < 31) {
		memcpy(broadcast, address->bytes, sizeof(broadcast));
		for (unsigned bit = address->prefix; bit < 32; bit++)
			broadcast[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		put(&req, IFA_BROADCAST, broadcast, sizeof(broadcast));
	}
	r = ask(&req, NULL, NULL);
	return r == -EEXIST ? 0 : r;
}

int link_add_route(const struct link_address *to, const uint8_t *gateway, unsigned metric)
{
	const size_t len = address_len(to->v6);
	const struct rtmsg msg = { .rtm_family = to->v6 ? AF_INET6 : AF_INET,
				   .rtm_dst_len = (uint8_t)to->prefix,
				   .rtm_table = RT_TABLE_MAIN,
				   .rtm_protocol = RTPROT_STATIC,
				   .rtm_scope = RT_SCOPE_UNIVERSE,
				   .rtm_type = RTN_UNICAST };
	const int index = link_index(to->link);
	struct request req;

	if (index < 0)
		return index;
	request_init(&req, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &msg, sizeof(msg));
	put(&req, RTA_DST, to->bytes, len);
	if (gateway)
		put(&req, RTA_GATEWAY, gateway, len);
	put_u32(&req, RTA_OIF, (uint32_t)index);
	if (metric)
		put_u32(&req, RTA_PRIORITY, metric);
	return ask(&req, NULL, NULL);
}

int link_watch(void)
{
	return netlink_watch(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
}

struct each {
	link_address_fn fn;
	void *opaque;
	int end;
};

/* @attr: the address, which has to be of @family's length; NULL: none, all are meant. */
static int tell(struct each *each, struct link_address *address, const struct rtattr *attr,
		int family, int index)
{
	address->v6 = family == AF_INET6;
	if ((family != AF_INET && family != AF_INET6) || (!attr && address->prefix) ||
	    (attr && RTA_PAYLOAD(attr) != address_len(address->v6)) ||
	    link_name(index, address->link) < 0)
		return 0;
	if (attr)
		memcpy(address->bytes, RTA_DATA(attr), address_len(address->v6));
	each->end = each->fn(address, each->opaque);
	return each->end ? 1 : 0;
}

static int on_address(const struct nlmsghdr *head, void *opaque)
{
	const struct rtattr *attrs[IFA_MAX + 1];
	const struct ifaddrmsg *msg = NLMSG_DATA(head);
	struct link_address address = { .v6 = false };

	if (head->nlmsg_type != RTM_NEWADDR || head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return 0;
	read_attributes(IFA_RTA(msg), head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)), attrs,
			G_N_ELEMENTS(attrs));
	address.prefix = msg->ifa_prefixlen;
	return tell(opaque, &address, attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS],
		    msg->ifa_family, (int)msg->ifa_index);
}

static int ask_each(struct request *req, message_fn fn, struct each *each)
{
	int r = ask(req, fn, each);

	return each->end ? each->end : r;
}

int link_each_address(link_address_fn fn, void *opaque)
{
	const struct ifaddrmsg msg = { .ifa_family = AF_UNSPEC };
	struct each each = { fn, opaque, 0 };
	struct request req;

	request_init(&req, RTM_GETADDR, NLM_F_DUMP, &msg, sizeof(msg));
	return ask_each(&req, on_address, &each);
}

static int on_route(const struct nlmsghdr *head, void *opaque)
{
	const struct rtattr *attrs[RTA_MAX + 1];
	const struct rtmsg *msg = NLMSG_DATA(head);
	struct link_address address = { .v6 = false };
	uint32_t index;

	if (head->nlmsg_type != RTM_NEWROUTE || head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)) ||
	    msg->rtm_table != RT_TABLE_MAIN || msg->rtm_type != RTN_UNICAST)
		return 0;
	read_attributes(RTM_RTA(msg), head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)), attrs,
			G_N_ELEMENTS(attrs));
	if (!attrs[RTA_OIF] || RTA_PAYLOAD(attrs[RTA_OIF]) != sizeof(index))
		return 0;
	memcpy(&index, RTA_DATA(attrs[RTA_OIF]), sizeof(index));
	address.prefix = msg->rtm_dst_len;
	address.by_router = msg->rtm_protocol == RTPROT_RA;
	return tell(opaque, &address, attrs[RTA_DST], msg->rtm_family, (int)index);
}

int link_each_route(link_address_fn fn, void *opaque)
{
	const struct rtmsg msg = { .rtm_family = AF_UNSPEC };
	struct each each = { fn, opaque, 0 };
	struct request req;

	request_init(&req, RTM_GETROUTE, NLM_F_DUMP, &msg, sizeof(msg));
	return ask_each(&req, on_route, &each);
}

/* == Neighbours == */

struct each_neighbour {
	int index;
	int (*fn)(const struct link_neighbour *neighbour, void *opaque);
	void *opaque;
	int end;
};

static int on_neighbour(const struct nlmsghdr *head, void *opaque)
{
	const struct rtattr *attrs[NDA_MAX + 1];
	const struct ndmsg *msg = NLMSG_DATA(head);
	struct each_neighbour *each = opaque;
	struct link_neighbour neighbour = { 0 };

	if (head->nlmsg_type != RTM_NEWNEIGH || head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)) ||
	    msg->ndm_ifindex != each->index || msg->ndm_state & (NUD_FAILED | NUD_NOARP))
		return 0;
	read_attributes((const struct rtattr *)(const void *)((const uint8_t *)msg +
							      NLMSG_ALIGN(sizeof(*msg))),
			head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)), attrs, G_N_ELEMENTS(attrs));
	neighbour.v6 = msg->ndm_family == AF_INET6;
	if (!attrs[NDA_DST] || RTA_PAYLOAD(attrs[NDA_DST]) != address_len(neighbour.v6) ||
	    !attrs[NDA_LLADDR] || RTA_PAYLOAD(attrs[NDA_LLADDR]) != sizeof(neighbour.mac))
		return 0;
	memcpy(neighbour.bytes, RTA_DATA(attrs[NDA_DST]), address_len(neighbour.v6));
	memcpy(neighbour.mac, RTA_DATA(attrs[NDA_LLADDR]), sizeof(neighbour.mac));
	each->end = each->fn(&neighbour, each->opaque);
	return each->end ? 1 : 0;
}

int link_each_neighbour(const char *link,
			int (*fn)(const struct link_neighbour *neighbour, void *opaque),
			void *opaque)
{
	const struct ndmsg msg = { .ndm_family = AF_UNSPEC };
	struct each_neighbour each = { link_index(link), fn, opaque, 0 };
	struct request req;
	int r;

	if (each.index < 0)
		return each.index;
	request_init(&req, RTM_GETNEIGH, NLM_F_DUMP, &msg, sizeof(msg));
	r = ask(&req, on_neighbour, &each);
	return each.end ? each.end : r;
}
