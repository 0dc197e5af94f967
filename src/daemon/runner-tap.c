/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-tap.c - taps for machines, which have not the right to make them
 */
#include "daemon/runner-tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/sys.h"

bool tap_wanted(const struct domain_interface *card)
{
	return card->info.fate != FATE_LEFT_OUT &&
	       (card->type == INTERFACE_BRIDGE || card->type == INTERFACE_ETHERNET ||
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

static bool join(int sock, const char *name, const char *bridge, GError **error)
{
	struct ifreq req = { 0 };
	int r;

	if (strlen(bridge) >= IFNAMSIZ || !if_nametoindex(bridge))
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "there is no bridge '%.64s'; make it by 'ip link add NAME type "
				 "bridge', or give type='user'",
				 bridge);
	g_strlcpy(req.ifr_name, bridge, sizeof(req.ifr_name));
	req.ifr_ifindex = (int)if_nametoindex(name);
	r = sys_ioctl(sock, SIOCBRADDIF, &req);
	if (r == -EOPNOTSUPP)
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is not a bridge; name one",
				 bridge);
	if (r < 0 && r != -EBUSY)
		return error_sys(error, r, "cannot put the tap '%s' into bridge '%s'", name,
				 bridge);
	return true;
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

int tap_open(struct domain_interface *card, GError **error)
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
	if (card->source.bridge && card->type != INTERFACE_ETHERNET &&
	    !join(sock, name, card->source.bridge, error))
		return -1;
	if (!set_up(sock, name, card, error))
		return -1;
	g_free(card->target.dev);
	card->target.dev = g_strdup(name);
	return fd_steal(&fd);
}
