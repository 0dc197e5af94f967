/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-tap.c - taps for machines, which have not the right to make them
 */
#include "daemon/runner-tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/sys.h"
#include "host/link.h"

enum {
	FILE_MS = 1000
};

/* What an interface says of itself that does not go with a descriptor. */
static const char our_alias[] = "socle card";

bool tap_is_direct(const struct domain_interface *card)
{
	return card->source.dev &&
	       (card->type == INTERFACE_DIRECT || card->type == INTERFACE_NETWORK);
}

bool tap_wanted(const struct domain_interface *card)
{
	return card->info.fate != FATE_LEFT_OUT &&
	       (card->type == INTERFACE_BRIDGE || card->type == INTERFACE_ETHERNET ||
		tap_is_direct(card) ||
		/* What the network means for it was found out before. */
		(card->type == INTERFACE_NETWORK && card->source.bridge));
}

static bool check_name(const char *name, GError **error)
{
	if (*name && strlen(name) < IFNAMSIZ && !strpbrk(name, "/% \t\n") &&
	    strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		return true;
	return error_set(error, SOCLE_ERROR_USAGE,
			 "'%.64s' is no name for a tap; give one of up to %d letters and digits in "
			 "<target dev=.../>",
			 name, IFNAMSIZ - 1);
}

static bool attach(int fd, const char *wanted, char ret_name[IFNAMSIZ], GError **error)
{
	struct ifreq req = { 0 };
	int r;

	/* The kernel puts a number in the place of %d. */
	g_strlcpy(req.ifr_name, wanted ? wanted : "vnet%d", sizeof(req.ifr_name));
	req.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	r = sys_ioctl(fd, TUNSETIFF, &req);
	if (r == -EBUSY)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "the tap '%s' is in use by another process; give another "
				 "<target dev=.../>, or none",
				 req.ifr_name);
	if (r < 0)
		return error_sys(error, r, "cannot make a tap '%s'; run the daemon as root",
				 req.ifr_name);
	memcpy(ret_name, req.ifr_name, IFNAMSIZ);
	ret_name[IFNAMSIZ - 1] = '\0';
	return true;
}

static bool join(const char *name, const struct domain_interface *card, GError **error)
{
	const char *bridge = card->source.bridge;
	char kind[LINK_NAME_SIZE];
	int r;

	if (link_kind(bridge, kind) < 0)
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "there is no bridge '%.64s'; make it by 'ip link add NAME type "
				 "bridge', or give type='user'",
				 bridge);
	if (strcmp(kind, "bridge") != 0)
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is not a bridge; name one",
				 bridge);
	r = link_join(name, bridge, card->port.isolated == TRI_YES);
	return r >= 0 ||
	       error_sys(error, r, "cannot put the tap '%s' into bridge '%s'", name, bridge);
}

static bool set_up(int sock, const char *name, const struct domain_interface *card, GError **error)
{
	struct ifreq req = { 0 };
	int r = 0;

	g_strlcpy(req.ifr_name, name, sizeof(req.ifr_name));
	if (card->mtu.size.set) {
		req.ifr_mtu = (int)card->mtu.size.value;
		r = sys_ioctl(sock, SIOCSIFMTU, &req);
		if (r < 0)
			return error_sys(error, r, "cannot give the tap '%s' an MTU of %d", name,
					 req.ifr_mtu);
	}
	r = sys_ioctl(sock, SIOCGIFFLAGS, &req);
	if (r >= 0) {
		req.ifr_flags = (short)(req.ifr_flags | IFF_UP);
		r = sys_ioctl(sock, SIOCSIFFLAGS, &req);
	}
	return r >= 0 || error_sys(error, r, "cannot switch the tap '%s' on", name);
}

/* == Taps of bridges == */

static int open_tap(struct domain_interface *card, GError **error)
{
	const char *wanted = card->target.dev;
	autofd int fd = -1, sock = -1;
	char name[IFNAMSIZ];

	if (wanted && !check_name(wanted, error))
		return -1;
	fd = sys_open("/dev/net/tun", O_RDWR | O_NONBLOCK, 0);
	if (fd < 0) {
		error_sys(
			error, fd,
			"cannot open '/dev/net/tun'; run the daemon as root, or give type='user'");
		return -1;
	}
	if (!attach(fd, wanted, name, error))
		return -1;
	sock = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (sock < 0) {
		error_sys(error, sock, "cannot make a socket");
		return -1;
	}
	if (card->source.bridge && card->type != INTERFACE_ETHERNET && !join(name, card, error))
		return -1;
	if (!set_up(sock, name, card, error))
		return -1;
	g_free(card->target.dev);
	card->target.dev = g_strdup(name);
	return fd_steal(&fd);
}

/* == Taps on interfaces == */

static enum link_macvtap mode_of(const char *mode)
{
	if (!g_strcmp0(mode, "private"))
		return LINK_MACVTAP_PRIVATE;
	if (!g_strcmp0(mode, "bridge"))
		return LINK_MACVTAP_BRIDGE;
	if (!g_strcmp0(mode, "passthrough"))
		return LINK_MACVTAP_PASSTHRU;
	return LINK_MACVTAP_VEPA;
}

static bool mac_bytes(const char *text, uint8_t mac[6])
{
	unsigned b[6];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
		return false;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return true;
}

/* Its file is made by the kernel or by udev, a moment later. */
static int open_file(int index, GError **error)
{
	g_autofree char *path = g_strdup_printf("/dev/tap%d", index);
	struct ifreq req = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = -ENOENT, r;

	for (unsigned ms = 0; ms < FILE_MS && fd == -ENOENT; ms++) {
		fd = sys_open(path, O_RDWR | O_NONBLOCK, 0);
		if (fd == -ENOENT)
			g_usleep(1000);
	}
	r = fd < 0 ? fd : sys_ioctl(fd, TUNSETIFF, &req);
	if (r >= 0)
		return fd;
	fd_autoclose(&fd);
	error_sys(error, r, "cannot open '%s'", path);
	return -1;
}

static int open_direct(struct domain_interface *card, GError **error)
{
	const char *wanted = card->target.dev, *parent = card->source.dev;
	char name[LINK_NAME_SIZE];
	uint8_t mac[6];
	int index, fd = -1, r;

	if ((wanted && !check_name(wanted, error)) || !mac_bytes(card->mac.address, mac))
		return -1;
	if (link_index(parent) < 0) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "this host has no interface '%.64s'; name one that it has", parent);
		return -1;
	}
	index = link_macvtap_add(wanted ? wanted : "macvtap%d", parent, mode_of(card->source.mode),
				 mac, (unsigned)card->mtu.size.value);
	if (index == -EINVAL || index == -EBUSY) {
		error_set(
			error, SOCLE_ERROR_BUSY,
			"cannot make a macvtap on '%s' in mode '%s': another one is there, and in "
			"mode 'passthrough' a machine has the interface for itself; give another "
			"interface or mode",
			parent, card->source.mode ? card->source.mode : "vepa");
		return -1;
	}
	if (index < 0 || link_name(index, name) < 0) {
		error_sys(error, index < 0 ? index : -ENODEV, "cannot make a macvtap on '%s'",
			  parent);
		return -1;
	}
	g_free(card->target.dev);
	card->target.dev = g_strdup(name);
	r = link_set_alias(name, our_alias);
	if (r >= 0)
		r = link_set_up(name);
	if (r >= 0)
		fd = open_file(index, error);
	else
		error_sys(error, r, "cannot switch '%s' on", name);
	if (fd < 0)
		(void)link_delete(name);
	return fd;
}

int tap_open(struct domain_interface *card, GError **error)
{
	return tap_is_direct(card) ? open_direct(card, error) : open_tap(card, error);
}

bool tap_make(struct domain_interface *card, uid_t uid, GError **error)
{
	autofd int fd = -1;
	int r;

	if (tap_is_direct(card))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "a macvtap is not plugged into a machine that runs; change its "
				 "definition, which counts from the next start");
	fd = open_tap(card, error);
	if (fd < 0)
		return false;
	r = sys_ioctl(fd, TUNSETOWNER, (void *)(uintptr_t)uid);
	if (r >= 0)
		r = sys_ioctl(fd, TUNSETPERSIST, (void *)(uintptr_t)1);
	if (r >= 0)
		r = link_set_alias(card->target.dev, our_alias);
	if (r >= 0)
		return true;
	(void)sys_ioctl(fd, TUNSETPERSIST, NULL);
	return error_sys(error, r, "cannot hand the tap '%s' to the machine", card->target.dev);
}

void tap_remove(const struct domain_interface *card)
{
	char alias[LINK_ALIAS_SIZE];

	if (tap_wanted(card) && card->target.dev && link_alias(card->target.dev, alias) >= 0 &&
	    !strcmp(alias, our_alias))
		(void)link_delete(card->target.dev);
}
