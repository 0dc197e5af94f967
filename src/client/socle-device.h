/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-device.h - devices of domains: plugging, network cards, keys, console, display
 */
#ifndef CLIENT_SOCLE_DEVICE_H
#define CLIENT_SOCLE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-domain.h"
#include "client/socle-error.h"
#include "client/socle-stream.h"

/* Besides enum socle_affect_flags. */
enum socle_device_flags {
	SOCLE_DEVICE_FORCE = 1 << 2,
};

/* == Hot plug == */

/**
 * socle_domain_attach_device() - add a device
 * @dom:   the domain
 * @xml:   the device, as in a definition
 * @flags: enum socle_affect_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_attach_device(struct socle_domain *dom, const char *xml, unsigned flags,
					 struct socle_error **error);

/**
 * socle_domain_detach_device() - ask for a device to go; SOCLE_EVENT_DEVICE_REMOVED tells when it has
 * @dom:   the domain
 * @xml:   as much of it as says which
 * @flags: enum socle_affect_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_detach_device(struct socle_domain *dom, const char *xml, unsigned flags,
					 struct socle_error **error);

/**
 * socle_domain_detach_device_alias() - the same by its alias
 * @dom:   the domain
 * @alias: such as "net0"
 * @flags: enum socle_affect_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_detach_device_alias(struct socle_domain *dom, const char *alias,
					       unsigned flags, struct socle_error **error);

/**
 * socle_domain_update_device() - change a device, such as the medium of a CD drive
 * @dom:   the domain
 * @xml:   what it is to be
 * @flags: enum socle_affect_flags, enum socle_device_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_update_device(struct socle_domain *dom, const char *xml, unsigned flags,
					 struct socle_error **error);

/* == Network cards == */

/* For socle_domain_interface_stats(); -1: not known. */
struct socle_interface_stats {
	int64_t rx_bytes, rx_packets, rx_errs, rx_drop;
	int64_t tx_bytes, tx_packets, tx_errs, tx_drop;
};

/**
 * socle_domain_interface_stats() - what a network card has done
 * @dom:       the domain, which runs
 * @device:    its name on the host, or its MAC address
 * @ret_stats: set on success
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_interface_stats(struct socle_domain *dom, const char *device,
					   struct socle_interface_stats *ret_stats,
					   struct socle_error **error);

enum socle_address_source {
	SOCLE_ADDRESS_LEASE = 0, /* of the network's DHCP server */
	SOCLE_ADDRESS_AGENT = 1,
	SOCLE_ADDRESS_ARP = 2,
};

/* An address of a network card. */
struct socle_address {
	int type; /* 0 IPv4, 1 IPv6 */
	char *address;
	unsigned prefix;
};

/* A network card and its addresses. */
struct socle_interface {
	char *name;
	char *mac; /* or NULL */
	struct socle_address *addresses;
	unsigned count;
};

/**
 * socle_domain_interface_addresses() - addresses of a domain that runs
 * @dom:        the domain
 * @source:     enum socle_address_source
 * @flags:      0
 * @ret_ifaces: one without a name behind the last; for socle_interfaces_free()
 * @error:      says why not
 *
 * Return: how many network cards, or -1
 */
SOCLE_API int socle_domain_interface_addresses(struct socle_domain *dom, unsigned source,
					       unsigned flags, struct socle_interface **ret_ifaces,
					       struct socle_error **error);

/**
 * socle_interfaces_free() - give them back
 * @ifaces: may be NULL
 */
SOCLE_API void socle_interfaces_free(struct socle_interface *ifaces);

/* == Keys, console, display == */

enum socle_keycode_set {
	SOCLE_KEYCODE_LINUX = 0,
	SOCLE_KEYCODE_XT = 1,
	SOCLE_KEYCODE_ATSET1 = 2,
	SOCLE_KEYCODE_ATSET2 = 3,
	SOCLE_KEYCODE_ATSET3 = 4,
	SOCLE_KEYCODE_OSX = 5,
	SOCLE_KEYCODE_XT_KBD = 6,
	SOCLE_KEYCODE_USB = 7,
	SOCLE_KEYCODE_WIN32 = 8,
	SOCLE_KEYCODE_QNUM = 9,
};

/**
 * socle_domain_send_key() - press keys together
 * @dom:     the domain, which runs
 * @set:     enum socle_keycode_set
 * @hold_ms: for how long
 * @keys:    which
 * @count:   how many, at most 16
 * @flags:   0
 * @error:   says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_send_key(struct socle_domain *dom, unsigned set, unsigned hold_ms,
				    const unsigned *keys, unsigned count, unsigned flags,
				    struct socle_error **error);

/**
 * socle_domain_inject_nmi() - a non-maskable interrupt
 * @dom:   the domain, which runs
 * @flags: 0
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_inject_nmi(struct socle_domain *dom, unsigned flags,
				      struct socle_error **error);

enum socle_console_flags {
	SOCLE_CONSOLE_FORCE = 1 << 0, /* whoever has it loses it */
	SOCLE_CONSOLE_SAFE = 1 << 1,
};

/**
 * socle_domain_console() - talk to a serial port or console
 * @dom:          the domain, which runs
 * @device:       its alias; NULL: the first one
 * @flags:        enum socle_console_flags
 * @stream_flags: enum socle_stream_flags
 * @error:        says why not
 *
 * Return: for socle_stream_unref(); NULL on failure
 */
SOCLE_API struct socle_stream *socle_domain_console(struct socle_domain *dom, const char *device,
						    unsigned flags, unsigned stream_flags,
						    struct socle_error **error);

/**
 * socle_domain_channel() - talk to a virtio channel
 * @dom:          the domain, which runs
 * @name:         its name; NULL: the first one
 * @flags:        1: whoever has it loses it
 * @stream_flags: enum socle_stream_flags
 * @error:        says why not
 *
 * Return: for socle_stream_unref(); NULL on failure
 */
SOCLE_API struct socle_stream *socle_domain_channel(struct socle_domain *dom, const char *name,
						    unsigned flags, unsigned stream_flags,
						    struct socle_error **error);

/**
 * socle_domain_screenshot() - what is on its screen, to be received
 * @dom:          the domain, which runs
 * @screen:       from 0
 * @flags:        0
 * @stream_flags: enum socle_stream_flags
 * @ret_mime:     what comes, such as "image/png", for free(3); "" if the server does not say
 * @error:        says why not
 *
 * Return: for socle_stream_unref(); NULL on failure
 */
SOCLE_API struct socle_stream *socle_domain_screenshot(struct socle_domain *dom, unsigned screen,
						       unsigned flags, unsigned stream_flags,
						       char **ret_mime, struct socle_error **error);

enum socle_graphics_flags {
	SOCLE_GRAPHICS_SKIPAUTH = 1 << 0, /* without its password */
};

/**
 * socle_domain_graphics_fd() - a socket to its display; Unix sockets only
 * @dom:   the domain, which runs
 * @index: which display, from 0
 * @flags: enum socle_graphics_flags
 * @error: says why not
 *
 * Return: a descriptor for close(2), or -1
 */
SOCLE_API int socle_domain_graphics_fd(struct socle_domain *dom, unsigned index, unsigned flags,
				       struct socle_error **error);

#endif
